"""A proxy between a gateway and its NATS server that can stop to pass anything: a partition."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.support import until

__all__ = ["Wall"]


class _End(Protocol):
    def __init__(self, wall: Wall) -> None:
        self.wall = wall
        self.before = b""
        self.other: _End | None = None

    def connectionMade(self) -> None:
        self.wall.ends.add(self)

    def dataReceived(self, data: bytes) -> None:
        self.wall.do(lambda: self.passed(data))

    def passed(self, data: bytes) -> None:
        if self.other is None:
            self.before += data
        elif self.other.transport is not None:
            self.other.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.wall.ends.discard(self)
        self.wall.do(self.lost)

    def lost(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.loseConnection()

    def join(self, other: _End) -> None:
        self.other, other.other = other, self
        other.transport.write(self.before)


class Wall(Factory):
    """Passes everything, unless it is up: then nothing comes through before it is down again.

    :ivar url: where it listens.
    :ivar ends: of the connections that are open.
    """

    noisy = False

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition("/")[2].partition(":")
        self._target = TCP4ClientEndpoint(reactor, host, int(port))
        self._waiting: list[Callable[[], None]] = []
        self._is_up = False
        self.ends: set[_End] = set()

    async def listen(self) -> IListeningPort:
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        port: IListeningPort = await endpoint.listen(self)
        self.url = f"nats://127.0.0.1:{port.getHost().port}"
        return port

    def buildProtocol(self, address: object) -> _End:
        end = _End(self)
        connectProtocol(self._target, _End(self)).addCallbacks(
            end.join, lambda failure: end.transport and end.transport.loseConnection()
        )
        return end

    def up(self) -> None:
        """Pass nothing any more, either way."""
        self._is_up = True

    def down(self) -> None:
        """Pass what came meanwhile, and all that comes."""
        self._is_up = False
        waiting, self._waiting = self._waiting, []
        for act in waiting:
            act()

    async def close(self) -> None:
        """End all connections; fires when they have ended."""
        self.down()
        for end in list(self.ends):
            end.transport.abortConnection()
        await until(lambda: not self.ends, reactor)

    def do(self, act: Callable[[], None]) -> None:
        if self._is_up:
            self._waiting.append(act)
        else:
            act()
