"""How long things took, in a table of a size that does not grow.

Imports nothing. Times are counted in whole microseconds. Up to 127 each has a bucket of its own;
above, each doubling is divided into 128 buckets, so that a bucket is never wider than 1/128 of the
times in it. A day is the longest time that can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["Histogram"]

#: Buckets for each doubling, as a power of two.
_BITS = 7
_PER_DOUBLING = 1 << _BITS
_LONGEST = 86_400_000_000
_BUCKETS = _PER_DOUBLING * (_LONGEST.bit_length() - _BITS + 1)


class Histogram:
    """Counts of times.

    :ivar total: their sum, in microseconds.
    :ivar maximum: the longest; 0 if there is none.
    """

    __slots__ = ("_counts", "_least", "maximum", "total")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.total = self.maximum = 0
        self._least = _LONGEST

    def record(self, seconds: Sequence[float]) -> None:
        """Count times, none of them below 0."""
        if not seconds:
            return
        counts, times = self._counts, [int(time * 1e6) for time in seconds]
        shortest, longest = min(times), max(times)
        if longest > _LONGEST:
            times, longest = [min(time, _LONGEST) for time in times], _LONGEST
        for time in times:
            if time < _PER_DOUBLING:
                counts[time] += 1
            else:
                shift = time.bit_length() - _BITS - 1
                counts[(shift << _BITS) + (time >> shift)] += 1
        self.maximum = max(self.maximum, longest)
        self._least = min(self._least, shortest)
        self.total += sum(times)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self._counts)

    @property
    def minimum(self) -> int:
        """The shortest, in microseconds; 0 if there is none."""
        return min(self._least, self.maximum)

    @property
    def mean(self) -> float:
        """In microseconds; 0 if there is none."""
        count = self.count
        return self.total / count if count else 0.0

    def quantile(self, share: float) -> int:
        """A time, in microseconds, that this share of all does not exceed; 0 if there is none.

        It is the end of the bucket in which the exact one lies: at most 1/128 too long, never too
        short.

        :param share: from 0 to 1; 0.99 for the 99th percentile.
        """
        wanted, seen = max(1, -int(-share * self.count // 1)), 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if seen >= wanted:
                return min(_end(bucket), self.maximum)
        return 0

    def buckets(self) -> list[tuple[int, int, int]]:
        """Those that are not empty: first and last time (microseconds), and how many."""
        return [(_begin(number), _end(number), count) for number, count in self.pairs()]

    def pairs(self) -> list[tuple[int, int]]:
        """Those that are not empty: number and count, for `of`."""
        return [(number, count) for number, count in enumerate(self._counts) if count]

    @classmethod
    def of(
        cls, pairs: Iterable[Sequence[int]], total: int, minimum: int, maximum: int
    ) -> Histogram:
        """One that another process has told of."""
        made = cls()
        for number, count in pairs:
            made._counts[number] += count
        made.total, made.maximum = total, maximum
        if made.count:
            made._least = minimum
        return made

    def add(self, other: Histogram) -> None:
        """Count all that another one has counted."""
        self._counts = [mine + its for mine, its in zip(self._counts, other._counts, strict=True)]
        self._least = min(self._least, other._least)
        self.maximum = max(self.maximum, other.maximum)
        self.total += other.total

    def since(self, earlier: Histogram) -> Histogram:
        """What has been counted since an earlier state; its extremes as far as buckets tell."""
        made = Histogram()
        counts = zip(self._counts, earlier._counts, strict=True)
        made._counts = [now - then for now, then in counts]
        made.total = self.total - earlier.total
        found = made.pairs()
        if found:
            made._least = max(_begin(found[0][0]), self._least)
            made.maximum = min(_end(found[-1][0]), self.maximum)
        return made


def _begin(bucket: int) -> int:
    """The shortest time of a bucket."""
    shift = max(0, (bucket >> _BITS) - 1)
    return (bucket - (shift << _BITS)) << shift


def _end(bucket: int) -> int:
    """The longest time of a bucket."""
    return _begin(bucket + 1) - 1
