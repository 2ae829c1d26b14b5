"""Heartbeats at an interval that may change. Imports Twisted's names only.

Source: OCPP 1.6 section 4.6, OCPP 2.x part 2 use case G02. One is sent whether anything else was
sent meanwhile or not, which both allow.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Heartbeats"]


class Heartbeats:
    """Calls `send` every `interval` seconds between `start` and `stop`.

    :param interval: seconds; 0 for none.
    """

    def __init__(self, send: Callable[[], object], clock: IReactorTime, interval: float) -> None:
        self._send = send
        self._clock = clock
        self._interval = interval
        self._running = False
        self._timer: IDelayedCall | None = None

    @property
    def interval(self) -> float:
        """Seconds between two of them; a new value counts from now."""
        return self._interval

    @interval.setter
    def interval(self, seconds: float) -> None:
        self._interval = seconds
        if self._running:
            self.start()

    def start(self) -> None:
        """The first one is due when the interval is over."""
        self.stop()
        self._running = True
        if self._interval > 0:
            self._timer = self._clock.callLater(self._interval, self._due)

    def stop(self) -> None:
        """No more of them."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = self._clock.callLater(self._interval, self._due)
        self._send()
