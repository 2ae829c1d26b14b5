"""Whose turn it is: one timer for all, however many there are.

Imports nothing of the package. The turns lie evenly in each period, in the order of the charge
points: that is a wheel with a place for each of them, which turns once in a period.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["HasTurns", "Wheel"]

#: Seconds between two looks, at least: to wake up costs as much as to send several messages.
_STEP = 0.002
#: Seconds that a turn may be early, so that none is late for the steps, nor for the milliseconds in
#: which epoll counts.
_AHEAD = 0.003
#: Seconds before the next turn at which to wake up for it.
_BEFORE = 0.001


class HasTurns(Protocol):
    """Somebody on the wheel."""

    def turn(self, due: float) -> None:
        """It is your turn; it has been since `due` (seconds on the wheel's clock).

        A turn that comes early is due when it comes.
        """


class Wheel:
    """Gives everybody a turn in each period.

    :param now: the time in seconds by the clock that turns are told in.
    :param riders: in the order of their turns; at least one.
    :param period: seconds from a turn to the same one's next.
    :param begin: when the first turn is.
    :param end: when there are no more.
    :param ended: is called then.
    :ivar turns: how many there were.
    """

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        riders: Sequence[HasTurns],
        period: float,
        begin: float,
        end: float,
        ended: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._now = now
        self._riders = riders
        self._pause = period / len(riders)
        self._begin = begin
        self._end = end
        self._ended = ended
        self.turns = 0
        self._timer: IDelayedCall | None = clock.callLater(0, self._step)

    def stop(self) -> None:
        """No more turns, from now on; `ended` is not called."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _step(self) -> None:
        now, riders, many = self._now(), self._riders, len(self._riders)
        turns, begin, pause = self.turns, self._begin, self._pause
        until = now + _AHEAD
        due = begin + turns * pause
        while due <= until and due < self._end:
            riders[turns % many].turn(due if due < now else now)
            turns += 1
            due = begin + turns * pause
        self.turns = turns
        if now >= self._end:
            self._timer = None
            self._ended()
        else:
            wait = max(_STEP, min(due, self._end) - now - _BEFORE)
            self._timer = self._clock.callLater(wait, self._step)
