"""Who connects when: first all in turn, then those that have to come again.

Imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

__all__ = ["Opening"]

#: Seconds between two looks at who has to connect.
_STEP = 0.01
#: Seconds of the rate that may be made up for at once.
_BURST = 0.1
#: Seconds of the rate that may be on their way. A server that is slower would else get ever more
#: attempts, and give up all of them too late.
_ON_THEIR_WAY = 2.0


class _Connects(Protocol):
    """Somebody who connects."""

    def connect(self) -> None:
        """Begin to."""


class Opening:
    """Lets connections begin at a rate, those that are opened again included.

    :param rate: attempts a second; fewer, if those that have begun do not end.
    """

    def __init__(self, clock: IReactorTime, rate: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = max(1.0, rate * _BURST)
        self._most = max(1.0, rate * _ON_THEIR_WAY)
        self._on_their_way = 0
        self._allowed = 0.0
        self._since = clock.seconds()
        #: Time, a number for those of one time, and who.
        self._waiting: list[tuple[float, int, _Connects]] = []
        self._number = count()
        self._loop = LoopingCall(self._step)
        self._loop.clock = clock

    def begin(self, everybody: Sequence[_Connects]) -> None:
        """All of them connect, in their order."""
        for one in everybody:
            self.after(0.0, one)
        self._since, self._allowed = self._clock.seconds(), 1.0
        self._loop.start(_STEP)

    def after(self, seconds: float, one: _Connects) -> None:
        """One of them connects in so many seconds, or as soon as the rate allows it then."""
        heappush(self._waiting, (self._clock.seconds() + seconds, next(self._number), one))

    def ended(self) -> None:
        """An attempt has ended, well or not."""
        self._on_their_way -= 1

    def stop(self) -> None:
        """Nobody connects any more."""
        self._waiting.clear()
        if self._loop.running:
            self._loop.stop()

    def _step(self) -> None:
        now = self._clock.seconds()
        allowed = self._allowed + max(0.0, now - self._since) * self._rate
        self._allowed, self._since = min(allowed, self._burst), now
        while (
            self._waiting
            and self._waiting[0][0] <= now
            and self._allowed >= 1.0
            and self._on_their_way < self._most
        ):
            self._allowed -= 1.0
            self._on_their_way += 1
            heappop(self._waiting)[2].connect()
