"""What is measured, as plain numbers: made where things happen, read when somebody asks.

Imports nothing. `ocpp_twisted.metrics` turns it into what a monitoring system reads.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["SECONDS", "Counted", "Histogram"]

#: Bounds of the buckets for durations: from what a handler takes that only computes, to what a
#: charge point takes to answer.
SECONDS = (0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Histogram:
    """How often something took how long.

    :ivar bounds: the upper bounds of the buckets, in seconds, rising.
    :ivar counts: how many durations fell into each bucket; the last is for those above all bounds.
    :ivar total: seconds, the sum of all durations.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


@dataclass(frozen=True, slots=True)
class Counted:
    """One measure of a part of the server, as it is now.

    :ivar name: for example ``ocpp_store_commit_seconds``; what only grows ends with ``_total``.
    :ivar help: a sentence.
    :ivar labels: the names of its labels. Their values must be few: never a charge point's id, an
        id tag, or anything else that a peer makes up.
    :ivar values: the labels' values to the number, or to the `Histogram`.
    """

    name: str
    help: str
    labels: Sequence[str] = ()
    values: Mapping[tuple[str, ...], float | Histogram] = field(default_factory=dict)

    @classmethod
    def one(cls, name: str, help: str, value: float | Histogram) -> Counted:  # noqa: A002
        """A measure without labels."""
        return cls(name, help, (), {(): value})
