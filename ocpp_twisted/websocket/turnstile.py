"""Before the handshake: which sockets are let in, which wait in line, which are turned away.

Imports Twisted's names and its neighbours. Nothing is read from a socket before it is let in, and
TLS does not begin: a storm costs what the rate allows, and those that are connected are served.
"""

from __future__ import annotations

import random
import select
import typing
from collections.abc import Callable, Sized
from itertools import islice
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocol, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from ocpp_twisted.websocket.crowding import Addresses
from ocpp_twisted.websocket.limited import Limited

__all__ = ["Line", "Turnstile", "come_back"]

#: Seconds that a socket waits in line at most.
_LONGEST_WAIT = 30.0
#: Seconds between two looks at the line.
_STEP = 0.02
#: Handshakes that may begin at once after a quiet time: others are not to wait for all of them.
_MOST_AT_ONCE = 50
#: What a handshake over TLS counts: it costs about twice as much as one without.
_TLS_COUNTS = 2
#: Sockets of the line that a look deals with at most, those that have gone included.
_MOST_A_LOOK = 100
#: Sockets that are turned away and have still to be told why.
_MOST_TOLD = 64
#: Seconds that they have to ask.
_TELLING = 5.0


def come_back() -> tuple[str, str]:
    """The header that says when to come again: not all at the same time."""
    return "Retry-After", str(random.randint(5, 60))


class Line:
    """Handshakes a second; who comes beyond that waits for its turn: first come, first served.

    Some may begin at once when there were fewer before.

    :param rate: handshakes a second; one over TLS counts as two.
    :param busy: whether those that are in have to be dealt with first.
    """

    def __init__(
        self, clock: IReactorTime, rate: int, busy: Callable[[], bool] = lambda: False
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._busy = busy
        self._most_at_once = float(min(rate, _MOST_AT_ONCE))
        self._free = self._most_at_once
        self._counted_at = clock.seconds()
        self._waiting: dict[_Waiting, float] = {}
        self._timer: IDelayedCall | None = None
        self._due = self._counted_at

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether those who come now would wait too long."""
        return len(self._waiting) >= self._rate * _LONGEST_WAIT

    def lets_in(self, counts: int) -> bool:
        """Whether a handshake may begin at once. If so it is counted.

        :param counts: as how many.
        """
        self._count()
        if self._waiting or self._free < 1 or self._busy():
            return False
        self._free -= counts
        return True

    def join(self, socket: _Waiting) -> None:
        """Wait."""
        self._waiting[socket] = self._clock.seconds() + _LONGEST_WAIT
        if self._timer is None:
            self._look_again(_STEP)

    def leave(self, socket: _Waiting) -> None:
        """Its socket has gone."""
        self._waiting.pop(socket, None)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def drop_all(self) -> None:
        """Hang up on all who wait."""
        for socket in list(self._waiting):
            socket.hang_up()

    def _count(self) -> None:
        now = self._clock.seconds()
        free = self._free + (now - self._counted_at) * self._rate
        self._free = min(free, self._most_at_once)
        self._counted_at = now

    def _look(self) -> None:
        """Let in those whose turn it is, a few at a time: others want to be served meanwhile."""
        self._timer = None
        self._count()
        # A look that comes late shows that the handshakes before it, or whatever else, have kept
        # everybody waiting: the later it is, the fewer begin.
        in_time = _STEP / max(_STEP, self._counted_at - self._due)
        batch = max(1.0, self._rate * _STEP * in_time)
        for socket in list(islice(self._waiting, _MOST_A_LOOK)):
            if batch <= 0:
                break
            if socket.has_gone():
                del self._waiting[socket]
                socket.hang_up()
            elif self._waiting[socket] <= self._counted_at:
                del self._waiting[socket]
                socket.turn_away()
            elif self._free >= 1 and not self._busy():
                del self._waiting[socket]
                batch, self._free = batch - socket.counts, self._free - socket.counts
                socket.go_in()
            else:
                break
        if self._waiting and self._timer is None:
            self._look_again(max(_STEP, (1 - self._free) / self._rate))

    def _look_again(self, seconds: float) -> None:
        self._due = self._clock.seconds() + seconds - _STEP
        self._timer = self._clock.callLater(seconds, self._look)


class IsBehind(typing.Protocol):
    """What the turnstile has to know of the server behind it.

    :ivar accepting: whether anybody is let in at all.
    :ivar open: its sockets.
    :ivar most: how many there may be, those that wait included.
    """

    accepting: bool
    reactor: Any
    line: Line
    addresses: Addresses
    limited: Limited
    most: int

    @property
    def open(self) -> Sized:
        """See above."""


class Turnstile(ServerFactory):
    """What listens: before a factory, it bounds how many sockets come to it, and how fast.

    :param inside: makes the protocols, TLS included.
    :param server: the one that they lead to in the end.
    :param secure: whether TLS is spoken: then who is turned away can be told nothing.
    :ivar told: those who are being told to come back later.
    :ivar counts: as how many a handshake counts.
    """

    noisy = False

    def __init__(self, inside: Any, server: IsBehind, secure: bool) -> None:
        self.server = server
        self.told: set[Protocol] = set()
        self.counts = _TLS_COUNTS if secure else 1
        self._inside = inside
        self._secure = secure

    def doStart(self) -> None:
        """See `twisted.internet.protocol.Factory.doStart`."""
        super().doStart()
        self._inside.doStart()

    def doStop(self) -> None:
        """See `twisted.internet.protocol.Factory.doStop`."""
        self._inside.doStop()
        super().doStop()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A protocol for a new socket; None if it is closed at once."""
        server = self.server
        if not server.accepting:
            return None
        host = str(getattr(addr, "host", "a local socket"))
        origin = server.addresses.origin(host)
        if len(server.open) + len(server.line) + len(self.told) >= server.most:
            return self.turn_away("max-connections", host)
        if not server.addresses.have_room(origin):
            return self.turn_away("max-connections-per-address", origin)
        if server.line.lets_in(self.counts):
            return self.let_in(addr)
        if server.line.is_full:
            return self.turn_away("max-handshakes", host)
        return _Waiting(self, addr, host, origin)

    def let_in(self, addr: IAddress | None) -> IProtocol | None:
        """What is inside."""
        protocol: IProtocol | None = self._inside.buildProtocol(addr)
        return protocol

    def turn_away(self, limit: str, who: str) -> Protocol | None:
        """Count it; returns what tells the peer, or None if it cannot be told."""
        self.server.limited.count(limit, who, "turned away")
        if self._secure or len(self.told) >= _MOST_TOLD:
            return None
        return _TurnedAway(self)


class _Waiting(Protocol):
    """A socket in line; nothing is read from it."""

    transport: Any

    def __init__(self, turnstile: Turnstile, addr: IAddress | None, host: str, origin: str) -> None:
        self.counts = turnstile.counts
        self._turnstile = turnstile
        self._server = turnstile.server
        self._addr = addr
        self._host = host
        self._origin = origin

    def connectionMade(self) -> None:
        self.transport.pauseProducing()
        self._server.addresses.enter(self._origin)
        self._server.line.join(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._server.line.leave(self)
        self._server.addresses.leave(self._origin)

    def has_gone(self) -> bool:
        """Whether the peer has hung up: who is not read from is not told by the reactor."""
        poll = select.poll()
        poll.register(self.transport.fileno(), select.POLLRDHUP)
        return bool(poll.poll(0))

    def go_in(self) -> None:
        """Its turn has come."""
        self._become(self._turnstile.let_in(self._addr))

    def turn_away(self) -> None:
        """It has waited too long."""
        self._become(self._turnstile.turn_away("max-handshakes", self._host))

    def hang_up(self) -> None:
        """End it."""
        self.transport.abortConnection()

    def _become(self, protocol: IProtocol | None) -> None:
        if protocol is None:
            self.hang_up()
            return
        self._server.addresses.leave(self._origin)
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        self.transport.resumeProducing()


class _TurnedAway(Protocol):
    """Says when to come back to who asks, and hangs up."""

    transport: Any

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self._told = False

    def connectionMade(self) -> None:
        self._turnstile.told.add(self)
        self._timer = self._turnstile.server.reactor.callLater(
            _TELLING, self.transport.abortConnection
        )

    def dataReceived(self, data: bytes) -> None:
        if self._told:
            return
        self._told = True
        body = "too many charge points want to come in: come back later\n"
        head = [
            "HTTP/1.1 503 Service Unavailable",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Connection: close",
            ": ".join(come_back()),
        ]
        self.transport.write("\r\n".join([*head, "", body]).encode())
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._turnstile.told.discard(self)
        if self._timer.active():
            self._timer.cancel()
