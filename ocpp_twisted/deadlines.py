"""One timer for the deadlines of all connections.

Imports Twisted's names only. A timer for each call would cost the hot road more than the call.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

__all__ = ["Deadlines", "Expiring"]

_log = Logger()


class Expiring(Protocol):
    """What has things that can be late."""

    def expire(self, now: float) -> float | None:
        """End what is late at `now`; the next deadline after it, None if there is none."""


class Deadlines:
    """Lets connections end what is late: each is looked at when it has something due, not before.

    :param clock: tells the time, in seconds, and calls later.
    :param resolution: seconds by which a deadline may be missed.
    """

    def __init__(self, clock: IReactorTime, resolution: float = 0.1) -> None:
        self._clock = clock
        #: Seconds on the clock that the deadlines are measured with.
        self.now: Callable[[], float] = clock.seconds
        self._resolution = resolution
        #: The connections by the tick in which they are to be looked at, and the other way round.
        self._due: dict[int, set[Expiring]] = {}
        self._ticks: dict[Expiring, int] = {}
        self._timer: IDelayedCall | None = None

    def watch(self, connection: Expiring, deadline: float) -> None:
        """Look at `connection` when `deadline` has come, or earlier if it has an earlier one.

        :param deadline: seconds on the clock; infinity for never.
        """
        if deadline == inf:
            return
        tick = ceil(deadline / self._resolution)
        known = self._ticks.get(connection)
        if known is not None:
            if known <= tick:
                return
            self._remove(connection)
        self._ticks[connection] = tick
        self._due.setdefault(tick, set()).add(connection)
        if self._timer is None:
            self._timer = self._clock.callLater(self._resolution, self._sweep)

    def forget(self, connection: Expiring) -> None:
        """Look at `connection` no more: it has ended."""
        if connection in self._ticks:
            self._remove(connection)
        if not self._ticks and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _remove(self, connection: Expiring) -> None:
        tick = self._ticks.pop(connection)
        there = self._due[tick]
        there.discard(connection)
        if not there:
            del self._due[tick]

    def _sweep(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        for tick in [tick for tick in self._due if tick * self._resolution <= now]:
            for connection in list(self._due.get(tick, ())):
                if self._ticks.get(connection) == tick:
                    self._remove(connection)
                    self._look_at(connection, now)
        if self._ticks and self._timer is None:
            self._timer = self._clock.callLater(self._resolution, self._sweep)

    def _look_at(self, connection: Expiring, now: float) -> None:
        try:
            deadline = connection.expire(now)
            if deadline is not None:
                self.watch(connection, deadline)
        except Exception:
            _log.failure("cannot end what is late: {connection}", connection=connection)
