"""What systemd wants to know of a service (sd_notify(3), sd_watchdog_enabled(3)): a datagram each.

Imports Twisted. Without systemd's environment nothing is told.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.task import LoopingCall

__all__ = ["Systemd"]


class Systemd:
    """Tells that the service runs, that it is alive, and that it stops.

    :param clock: tells when it is time to be alive.
    :param environment: with NOTIFY_SOCKET; WATCHDOG_USEC, if it is to be told that the service is
        alive; and WATCHDOG_PID, for which process that is meant.
    """

    def __init__(self, clock: Any, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._interval = 0.0
        if environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            # Twice as often as it has to be, as systemd advises.
            self._interval = int(environment.get("WATCHDOG_USEC", "0")) / 2e6
        self._watchdog = LoopingCall(self._tell, "WATCHDOG=1")
        self._watchdog.clock = clock

    def ready(self) -> None:
        """The server serves."""
        self._tell("READY=1")
        if self._address and self._interval:
            self._watchdog.start(self._interval)

    def stopping(self) -> None:
        """The server begins to stop. It is alive as long as that takes."""
        self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = f"\0{address[1:]}"  # of Linux's own name space
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.setblocking(False)
            sender.sendto(state.encode(), address)
