"""Timers that end with the power. Imports Twisted's names only."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Timers"]


class Timers:
    """Calls functions later, until `stop_all`."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: dict[IDelayedCall, Hashable] = {}

    def later(
        self, seconds: float, function: Callable[[], object], owner: Hashable = None
    ) -> IDelayedCall:
        """Call a function once.

        :param owner: for `cancel`.
        """

        def due() -> None:
            self._waiting.pop(timer, None)
            function()

        timer = self._clock.callLater(max(seconds, 0.0), due)
        self._waiting[timer] = owner
        return timer

    def stop(self, timer: IDelayedCall) -> None:
        """Call it not at all; does nothing if it has been called."""
        if self._waiting.pop(timer, self) is not self:
            timer.cancel()

    def cancel(self, owner: Hashable) -> None:
        """Stop all of an owner."""
        for timer in [each for each, its in self._waiting.items() if its is owner]:
            self.stop(timer)

    def stop_all(self) -> None:
        """Stop all."""
        for timer in list(self._waiting):
            self.stop(timer)
