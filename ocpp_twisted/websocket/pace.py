"""How many messages a charge point may send: a bucket that is looked into once for many of them.

Imports nothing. Time is an argument, in seconds on the caller's clock.
"""

from __future__ import annotations

__all__ = ["SIZE_OF_ONE", "Account", "Pace"]

#: Bytes of a message that count as one message more: its size is work, too, and a compressed one
#: may have come as a thousandth of it.
SIZE_OF_ONE = 4096

#: Seconds of its full rate that a charge point may send without a pause before.
_BURST = 10
#: Blocks a second, so that who is slowed is held up for a tenth of a second at a time.
_BLOCKS = 10
#: Seconds; what is left of a wait must not be lost in rounding.
_SHORTEST_WAIT = 0.01
#: The most frames that are worked through before others have their turn.
_LARGEST_BLOCK = 200


class Pace:
    """The limit, the same for all.

    :param rate: messages a second, control frames included; see `SIZE_OF_ONE`.
    :ivar block: how many are given out at once.
    """

    __slots__ = ("block", "burst", "rate")

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.burst = rate * _BURST
        self.block = min(max(1, rate // _BLOCKS), _LARGEST_BLOCK)


class Account:
    """What one charge point has left, when it has used up its first block.

    :ivar slowed_since: since when it has been slowed without a pause of its own; None if it is
        not.
    """

    __slots__ = ("_left", "_pace", "_seen", "slowed_since")

    def __init__(self, pace: Pace, now: float) -> None:
        self._pace = pace
        self._left = float(pace.burst - pace.block)
        self._seen = now
        self.slowed_since: float | None = None

    def draw(self, now: float) -> float:
        """Take one more block.

        :returns: 0 if it has been given; else the seconds until there is one.
        """
        pace = self._pace
        self._left = min(self._left + (now - self._seen) * pace.rate, float(pace.burst))
        self._seen = now
        if self._left < pace.block:
            if self.slowed_since is None:
                self.slowed_since = now
            return max((pace.block - self._left) / pace.rate, _SHORTEST_WAIT)
        if self._left >= pace.rate:  # for a second it has sent nothing
            self.slowed_since = None
        self._left -= pace.block
        return 0.0
