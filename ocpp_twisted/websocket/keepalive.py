"""Notice peers that are gone without a word or too slow, with one timer for all connections.

Imports Twisted's names only. A ping is sent only into silence, and anything that comes back
counts: many charge points never answer a ping. It does not replace OCPP's Heartbeat (OCPP-J 1.6
section 5.3).
"""

from __future__ import annotations

from itertools import islice
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

__all__ = ["KeepAlive", "Watched"]

#: Seconds between two looks at everybody, however short the times are.
_SHORTEST_STEP = 0.1
#: Newcomers that one look deals with.
_MOST_NEWCOMERS = 1000


class Watched(Protocol):
    """A connection as the keep-alive sees it.

    :ivar heard: set to True by the connection whenever anything is received.
    :ivar silent_since: kept by the keep-alive; seconds on its clock.
    :ivar pinged: kept by the keep-alive: a ping went out into this silence.
    :ivar unfinished: whether there is a message of which only a part has come.
    :ivar begun_at: since when the keep-alive knows of it; the connection sets it to None when the
        message has ended.
    """

    heard: bool
    silent_since: float
    pinged: bool
    begun_at: float | None

    @property
    def unfinished(self) -> bool:
        """See above."""

    def ping(self) -> None:
        """Send a ping."""

    def give_up(self) -> None:
        """Drop the connection: the peer is gone."""

    def too_slow(self) -> None:
        """Drop the connection: the end of a message does not come."""

    def too_quiet(self) -> None:
        """No message has come in the time for the first one."""


class KeepAlive:
    """Pings silent connections, and drops those that stay silent, or are too slow.

    :param interval: seconds of silence before a ping; 0 for none.
    :param timeout: seconds after the ping within which something must come.
    :param message: seconds from the first byte of a message to its last; 0 for any time.
    :param first: seconds until the first message; 0 for any time.
    """

    def __init__(
        self,
        clock: IReactorTime,
        interval: float,
        timeout: float,
        message: float = 0.0,
        first: float = 0.0,
    ) -> None:
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._message = message
        self._first = first
        self._watched: set[Watched] = set()
        #: Those of which no message has come, with the time for it: the first is the next.
        self._newcomers: dict[Watched, float] = {}
        self._loop = LoopingCall(self._sweep)
        self._loop.clock = clock
        times = [interval, timeout if interval else 0.0, message, first]
        # Twice in the shortest time is fine enough to keep to all.
        self._step = max(min((each for each in times if each), default=0.0) / 2, _SHORTEST_STEP)
        self._needed = any(times)

    def watch(self, connection: Watched) -> None:
        """Look after a connection that has just opened."""
        if not self._needed:
            return
        connection.heard = True
        self._watched.add(connection)
        if not self._loop.running:
            self._loop.start(self._step, now=False)

    def expect(self, connection: Watched) -> None:
        """A first message has to come, until `has_spoken`."""
        if self._first:
            self._newcomers[connection] = self._clock.seconds() + self._first

    def has_spoken(self, connection: Watched) -> None:
        """The first message has come."""
        self._newcomers.pop(connection, None)

    def forget(self, connection: Watched) -> None:
        """The connection has ended."""
        self._watched.discard(connection)
        self._newcomers.pop(connection, None)
        if not self._watched and self._loop.running:
            self._loop.stop()

    def _sweep(self) -> None:
        now = self._clock.seconds()
        for connection in list(self._watched):
            if self._message and (connection.heard or connection.begun_at is not None):
                self._look_at_message(connection, now)
            if connection.heard:
                connection.heard = False
                connection.pinged = False
                connection.silent_since = now
            elif self._interval:
                self._look_at_silence(connection, now)
        for connection, until in list(islice(self._newcomers.items(), _MOST_NEWCOMERS)):
            if until > now:
                break
            del self._newcomers[connection]
            connection.too_quiet()

    def _look_at_message(self, connection: Watched, now: float) -> None:
        if not connection.unfinished:
            if connection.begun_at is not None:
                connection.begun_at = None
        elif connection.begun_at is None:
            connection.begun_at = now
        elif now - connection.begun_at >= self._message:
            connection.too_slow()

    def _look_at_silence(self, connection: Watched, now: float) -> None:
        silence = now - connection.silent_since
        if silence >= self._interval + self._timeout:
            connection.give_up()
        elif silence >= self._interval and not connection.pinged:
            connection.pinged = True
            connection.ping()
