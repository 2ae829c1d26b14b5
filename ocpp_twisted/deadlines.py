"""One timer for the deadlines of all connections.

Imports Twisted's names only. A timer for each call would cost the hot road more than the call.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Deadlines", "Expiring"]


class Expiring(Protocol):
    """What has calls that can be late."""

    def expire(self, now: float) -> bool:
        """End the calls that are late at `now`; whether others still wait."""


class Deadlines:
    """Lets connections expire their calls.

    :param clock: tells the time, in seconds, and calls later.
    :param resolution: seconds by which a deadline may be missed.
    """

    def __init__(self, clock: IReactorTime, resolution: float = 0.1) -> None:
        self._clock = clock
        self._resolution = resolution
        self._waiting: set[Expiring] = set()
        self._timer: IDelayedCall | None = None

    def now(self) -> float:
        """Seconds on the clock that the deadlines are measured with."""
        return self._clock.seconds()

    def watch(self, connection: Expiring) -> None:
        """Let `connection` expire its calls from now on, until it has none."""
        self._waiting.add(connection)
        if self._timer is None:
            self._timer = self._clock.callLater(self._resolution, self._sweep)

    def forget(self, connection: Expiring) -> None:
        """The connection has ended, and its calls with it."""
        self._waiting.discard(connection)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        waiting, self._waiting = self._waiting, set()
        still_waiting = {connection for connection in waiting if connection.expire(now)}
        self._waiting |= still_waiting
        if self._waiting and self._timer is None:
            self._timer = self._clock.callLater(self._resolution, self._sweep)
