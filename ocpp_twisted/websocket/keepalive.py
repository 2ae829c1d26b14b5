"""Notice peers that are gone without a word, with one timer for all connections.

Imports Twisted's names only. A ping is sent only into silence, and anything that comes back
counts: many charge points never answer a ping. It does not replace OCPP's Heartbeat (OCPP-J 1.6
section 5.3).
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

__all__ = ["KeepAlive", "Watched"]

#: Seconds between two looks at everybody, however short the times are.
_SHORTEST_STEP = 0.1


class Watched(Protocol):
    """A connection as the keep-alive sees it.

    :ivar heard: set to True by the connection whenever anything is received.
    :ivar silent_since: kept by the keep-alive; seconds on its clock.
    :ivar pinged: kept by the keep-alive: a ping went out into this silence.
    """

    heard: bool
    silent_since: float
    pinged: bool

    def ping(self) -> None:
        """Send a ping."""

    def give_up(self) -> None:
        """Drop the connection: the peer is gone."""


class KeepAlive:
    """Pings silent connections, and drops those that stay silent.

    :param interval: seconds of silence before a ping; 0 turns the keep-alive off.
    :param timeout: seconds after the ping within which something must come.
    """

    def __init__(self, clock: IReactorTime, interval: float, timeout: float) -> None:
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._watched: set[Watched] = set()
        self._loop = LoopingCall(self._sweep)
        self._loop.clock = clock

    def watch(self, connection: Watched) -> None:
        """Look after a connection that has just opened."""
        if not self._interval:
            return
        connection.heard = True
        self._watched.add(connection)
        if not self._loop.running:
            # Twice in the shorter time is fine enough to keep to both.
            step = min(self._interval, self._timeout) / 2
            self._loop.start(max(step, _SHORTEST_STEP), now=False)

    def forget(self, connection: Watched) -> None:
        """The connection has ended."""
        self._watched.discard(connection)
        if not self._watched and self._loop.running:
            self._loop.stop()

    def _sweep(self) -> None:
        now = self._clock.seconds()
        for connection in list(self._watched):
            if connection.heard:
                connection.heard = False
                connection.pinged = False
                connection.silent_since = now
                continue
            silence = now - connection.silent_since
            if silence >= self._interval + self._timeout:
                connection.give_up()
            elif silence >= self._interval and not connection.pinged:
                connection.pinged = True
                connection.ping()
