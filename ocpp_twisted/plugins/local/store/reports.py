"""Reports that come in parts: which parts have come. Jobs, see the package.

Of each report a fact ``report`` is kept, its key the action and the requestId: ``parts`` (the
numbers of those that have come), ``last`` (that of the last one, once it has come), ``complete``.
What the parts hold is kept by whoever keeps the report. Source: 2.x use cases B07, N02, N09, O03.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store import facts

__all__ = ["Part", "customer_information", "part_came"]

#: Parts of a report that are counted; no charge point has that many. All are written with each.
_MOST_PARTS = 10_000
#: Parts of customer information that are kept, of 512 characters each.
_MOST_TEXTS = 500


class Part(NamedTuple):
    """A part of a report.

    :ivar seq_no: None where the version numbers no parts.
    :ivar more: whether another one follows.
    """

    action: str
    request_id: int | None
    seq_no: int | None
    more: bool


def part_came(
    db: Connection, identity: Identity, part: Part, now: datetime, most: int = _MOST_PARTS
) -> bool:
    """A part has come, perhaps again; returns whether all have.

    :param most: how many are counted; a report of more is never complete.
    """
    key = f"{part.action} {'' if part.request_id is None else part.request_id}"
    known = facts.get(db, identity, "report", key) or {"parts": [], "last": None}
    if part.seq_no is None:
        report: dict[str, Any] = {"parts": [], "last": None, "complete": not part.more}
    else:
        parts, last = known["parts"], known["last"]
        if part.seq_no == 0 and known.get("complete"):
            parts, last = [], None  # another report, in answer to another request of this id
        if part.seq_no not in parts and len(parts) < most:
            parts = sorted([*parts, part.seq_no])
        last = last if part.more else part.seq_no
        is_whole = last is not None and sum(0 <= number <= last for number in parts) == last + 1
        report = {"parts": parts, "last": last, "complete": is_whole}
    facts.is_so(db, identity, "report", {key: report}, now)
    return bool(report["complete"])


def customer_information(
    db: Connection, identity: Identity, part: Part, text: str, now: datetime
) -> None:
    """A part of customer information: the texts are joined in the order of their numbers."""
    complete = part_came(db, identity, part, now, _MOST_TEXTS)
    key = "" if part.request_id is None else str(part.request_id)
    known = facts.get(db, identity, "customerInformation", key) or {"texts": {}}
    texts = {**({} if part.seq_no == 0 and known.get("complete") else known["texts"])}
    if (number := str(part.seq_no)) in texts or len(texts) < _MOST_TEXTS:
        texts[number] = text
    joined = "".join(texts[number] for number in sorted(texts, key=int))
    data: dict[str, Any] = {"data": joined, "complete": complete, "texts": texts}
    facts.is_so(db, identity, "customerInformation", {key: data}, now)
