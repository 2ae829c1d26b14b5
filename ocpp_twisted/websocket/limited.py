"""What limits have stopped: counted, and told in lines that are themselves limited.

Imports Twisted's names only.
"""

from __future__ import annotations

from collections import Counter

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

__all__ = ["Limited"]

_log = Logger()

#: Seconds within which the same limit is told once of the same peer.
_PERIOD = 60.0
#: How many lines are written within that time, of all limits and peers together.
_MOST_LINES = 100


class Limited:
    """Counts how often each limit has stopped somebody.

    :param clock: provides `IReactorTime`.
    :ivar counts: a limit, by the name of its option, to how often.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._told: set[tuple[str, str]] = set()
        self._until = 0.0

    def count(self, limit: str, who: str, text: str) -> None:
        """A limit has stopped somebody.

        :param limit: the option's name.
        :param who: an address without its port, or a charge point: told once a minute.
        :param text: what has become of it.
        """
        self.counts[limit] += 1
        now = self._clock.seconds()
        if now >= self._until:
            self._told.clear()
            self._until = now + _PERIOD
        if (limit, who) in self._told or len(self._told) >= _MOST_LINES:
            return
        self._told.add((limit, who))
        _log.warn("{limit}: {who}: {text}", limit=limit, who=who, text=text)
        if len(self._told) == _MOST_LINES:
            _log.warn("no more is told of limits for a minute: see ocpp_limited_total")
