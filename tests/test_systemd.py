"""What systemd is told, over a datagram socket as it has one."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from tempfile import mkdtemp

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.systemd import Systemd


class NotifyTests(SynchronousTestCase):
    def listens(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def setUp(self) -> None:
        self.clock = Clock()
        # Names of sockets are short, and trial's directories are not.
        path = Path(mkdtemp()) / "notify"
        self.address = str(path)
        self.addCleanup(path.parent.rmdir)
        self.addCleanup(path.unlink)
        self.listens(self.address)

    def systemd(self, **environment: str) -> Systemd:
        return Systemd(self.clock, {"NOTIFY_SOCKET": self.address, **environment})

    def told(self) -> list[str]:
        """What has been told since the last time."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(1000).decode())
            except BlockingIOError:
                return found

    def test_ready_and_stopping(self) -> None:
        systemd = self.systemd()
        self.assertEqual(self.told(), [])
        systemd.ready()
        self.assertEqual(self.told(), ["READY=1"])
        systemd.stopping()
        self.assertEqual(self.told(), ["STOPPING=1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_name_that_is_no_file(self) -> None:
        name = f"ocpp-test-{os.getpid()}"
        self.listens(f"\0{name}")
        Systemd(self.clock, {"NOTIFY_SOCKET": f"@{name}"}).ready()
        self.assertEqual(self.told(), ["READY=1"])

    def test_the_watchdog(self) -> None:
        systemd = self.systemd(WATCHDOG_USEC="10000000", WATCHDOG_PID=str(os.getpid()))
        self.clock.advance(10)
        self.assertEqual(self.told(), [])
        systemd.ready()
        self.assertEqual(self.told(), ["READY=1", "WATCHDOG=1"])
        self.clock.advance(4.9)
        self.assertEqual(self.told(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.told(), ["WATCHDOG=1"])
        systemd.stopping()
        self.clock.advance(5)
        self.assertEqual(self.told(), ["STOPPING=1", "WATCHDOG=1"])

    def test_a_watchdog_of_another_process(self) -> None:
        self.systemd(WATCHDOG_USEC="10000000", WATCHDOG_PID="1").ready()
        self.clock.advance(5)
        self.assertEqual(self.told(), ["READY=1"])

    def test_without_systemd(self) -> None:
        for environment in ({}, {"WATCHDOG_USEC": "1000000"}, {"NOTIFY_SOCKET": "/none-such"}):
            systemd = Systemd(self.clock, environment)
            systemd.ready()
            systemd.stopping()
        self.assertEqual(self.told(), [])
