"""What one process, or all together, have counted.

Imports the histogram, and msgspec for the lines in which processes tell it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.stress.histogram import Histogram

__all__ = ["Tally", "count", "from_json", "to_json"]

_Told = TypeVar("_Told")

#: Reasons that are told apart: some of them are the server's own words.
_MOST_REASONS = 40
_OTHERS = "other reasons"


class Tally(msgspec.Struct, kw_only=True):
    """Counts; all of them only grow, but for `open`.

    :ivar asked: charge points that are to connect.
    :ivar settled: of how many the first attempt to connect has ended, well or not.
    :ivar open: connections that are open now.
    :ivar opened: charge points that have been connected (and accepted) once at least.
    :ivar reopened: how often one has been connected again.
    :ivar refused: why, to how often an attempt to connect has failed for that.
    :ivar lost: why, to how many connections have ended before we closed them.
    :ivar due: requests whose time has come.
    :ivar sent: requests that were sent.
    :ivar answered: requests that have their CALLRESULT.
    :ivar answered_in_time: those of them before the measuring ended.
    :ivar failed: why, to how many requests failed for that. In the end `due` are `answered` or
        `failed`.
    :ivar unexpected: answers that no request waits for: late ones, too.
    :ivar unreadable: messages that are no OCPP-J.
    :ivar called: what the server has asked; it was answered NotSupported or NotImplemented.
    :ivar seconds: how long has been measured.
    :ivar latency: from when requests were due until they were answered.
    :ivar service: from when they were sent.
    :ivar cpu: processor time used while measuring, in seconds.
    :ivar memory: resident bytes now.
    :ivar memory_before: the same before the first connection.
    """

    asked: int = 0
    settled: int = 0
    open: int = 0
    opened: int = 0
    reopened: int = 0
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    lost: Counter[str] = msgspec.field(default_factory=Counter)
    due: int = 0
    sent: int = 0
    answered: int = 0
    answered_in_time: int = 0
    failed: Counter[str] = msgspec.field(default_factory=Counter)
    unexpected: int = 0
    unreadable: int = 0
    called: int = 0
    seconds: float = 0.0
    latency: Histogram = msgspec.field(default_factory=Histogram)
    service: Histogram = msgspec.field(default_factory=Histogram)
    cpu: float = 0.0
    memory: int = 0
    memory_before: int = 0

    @classmethod
    def of(cls, tallies: Sequence[Tally]) -> Tally:
        """All of several processes together."""
        made = cls()
        for one in tallies:
            for name in cls.__struct_fields__:
                mine, its = getattr(made, name), getattr(one, name)
                if isinstance(mine, Histogram):
                    mine.add(its)
                elif isinstance(mine, Counter):
                    mine.update(its)
                elif name == "seconds":
                    made.seconds = max(mine, its)
                else:
                    setattr(made, name, mine + its)
        return made

    @property
    def faultless(self) -> bool:
        """Whether nothing at all has failed so far, and something was answered."""
        return not (
            self.refused
            or self.lost
            or self.failed
            or self.unexpected
            or self.unreadable
            or self.opened < self.asked
            or not self.answered
        )


def count(reasons: Counter[str], reason: str, times: int = 1) -> None:
    """Count a reason, and keep those that are told apart few, short and printable."""
    reason = excerpt(reason, 100)
    if reason not in reasons and len(reasons) >= _MOST_REASONS:
        reason = _OTHERS
    reasons[reason] += times


def _tell(value: Any) -> Any:
    if isinstance(value, Histogram):
        return value.pairs(), value.total, value.minimum, value.maximum
    raise NotImplementedError


def _hear(kind: Any, value: Any) -> Any:
    return Histogram.of(*value) if kind is Histogram else Counter(value)


#: What holds tallies, as a line that another process reads with `from_json`.
to_json = msgspec.json.Encoder(enc_hook=_tell).encode


def from_json(line: bytes, kind: type[_Told]) -> _Told:
    """What `to_json` has written.

    :raises msgspec.MsgspecError: if it has not.
    """
    return msgspec.json.decode(line, type=kind, dec_hook=_hear)
