"""Which events of a 2.x transaction have come, and which of them told what. Imports nothing.

It is kept as JSON: ``ranges`` of sequence numbers, first and last included, in their order; ``by``,
column to the number of the event that told it; ``first`` and ``last``, the numbers of Started and
Ended; ``others``, true once another event has come with a number that had come. Source: 2.x
part 2, seqNo of TransactionEventRequest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["added", "has", "is_complete"]

#: A charge point that counts as no other does must not fill the store.
_MOST_RANGES = 256


def has(told: dict[str, Any] | None, seq_no: int) -> bool:
    """Whether an event of this number has come."""
    return told is not None and any(low <= seq_no <= high for low, high in told["ranges"])


def added(
    told: dict[str, Any] | None, seq_no: int, kind: str, columns: Iterable[str]
) -> dict[str, Any]:
    """The same with one event more. Of two with one number, the first is Started or Ended."""
    told = told or {"ranges": [], "by": {}}
    ends = {"Started": {"first": seq_no}, "Ended": {"last": seq_no}}.get(kind, {})
    if has(told, seq_no):
        ends = {end: number for end, number in ends.items() if end not in told}
    by = {**told["by"], **dict.fromkeys(columns, seq_no)}
    return {**told, "ranges": _joined([*told["ranges"], [seq_no, seq_no]]), "by": by, **ends}


def is_complete(told: dict[str, Any]) -> bool:
    """Whether all events from Started to Ended have come."""
    if "first" not in told or "last" not in told:
        return False
    first, last = told["first"], told["last"]
    return any(low <= first and last <= high for low, high in told["ranges"])


def _joined(ranges: Iterable[list[int]]) -> list[list[int]]:
    joined: list[list[int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = [joined[-1][0], max(high, joined[-1][1])]
        else:
            joined.append([low, high])
    return joined[-_MOST_RANGES:]
