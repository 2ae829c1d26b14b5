"""Id tags: kept, and decided on. Jobs, see the package.

Sources: 1.6 sections 4.1, 4.8 and 7.2; 2.x use cases C01, C10 and AuthorizationStatusEnumType.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, delete, func, select

from ocpp_twisted.plugins.local.rules import Decision
from ocpp_twisted.plugins.local.store.rows import page, put
from ocpp_twisted.plugins.local.store.tables import can_be_kept, id_tags, transactions
from ocpp_twisted.records import IdTag, Page

__all__ = ["NEW", "decide", "get_tag", "key_of", "list_tags", "put_tags", "remove_tag"]


#: After all ids.
NEW = 2**63 - 1
_FOR_DECISION = select(id_tags).where(id_tags.c.tag_key == bindparam("key")).with_for_update()


def key_of(id_tag: str) -> str:
    """Capital and small letters are the same (1.6 section 7.15, 2.x IdTokenType)."""
    return id_tag.casefold()


def decide(
    db: Connection, id_tag: str, everybody: bool, now: datetime, starting: int | None = None
) -> Decision:
    """May this tag charge?

    :param everybody: whether tags that nobody has entered may.
    :param starting: the `transactions.c.id` of the transaction that it begins, if it does; `NEW`
        if that has none yet. Those that began before that one count for the limit, so a repeated
        question has one answer.
    """
    tag = None
    if can_be_kept(id_tag):
        tag = db.execute(_FOR_DECISION, {"key": key_of(id_tag)}).first()
    if tag is None:
        return Decision("Accepted" if everybody else "Unknown")
    status = tag.status
    if status == "Accepted":
        if tag.expiry_date is not None and tag.expiry_date <= now:
            status = "Expired"
        elif starting is not None and tag.max_transactions is not None:
            table = transactions.c
            charging = db.scalar(
                select(func.count())
                .where(table.tag_key == tag.tag_key, table.stopped.is_(None))
                .where(table.id_tag_status == "Accepted", table.id < starting)
            )
            if (charging or 0) >= tag.max_transactions:
                status = "ConcurrentTx"
    return Decision(status, tag.expiry_date, tag.parent_id_tag)


def get_tag(db: Connection, id_tag: str) -> IdTag | None:
    """See `IRecords.get_id_tag`."""
    if not can_be_kept(id_tag):
        return None
    row = db.execute(select(id_tags).where(id_tags.c.tag_key == key_of(id_tag))).first()
    return None if row is None else _record(row)


def list_tags(db: Connection, after: str | None, limit: int) -> Page[IdTag]:
    """See `IRecords.list_id_tags`."""
    return page(db, select(id_tags), [id_tags.c.tag_key], after, limit, _record)


def put_tags(db: Connection, tags: Sequence[IdTag]) -> int:
    """See `IRecords.put_id_tags`."""
    for tag in tags:
        for text in (tag.idTag, tag.parentIdTag):
            if text is not None and not can_be_kept(text):
                raise ValueError(f"the id tag {text!r} has characters that no charge point reads")
    rows = {
        key_of(tag.idTag): {
            "tag_key": key_of(tag.idTag),
            "id_tag": tag.idTag,
            "status": tag.status,
            "expiry_date": tag.expiryDate,
            "parent_id_tag": tag.parentIdTag,
            "max_transactions": tag.maxTransactions,
        }
        for tag in tags
    }
    before = _count(db)
    put(db, id_tags, ("tag_key",), list(rows.values()))
    return _count(db) - before


def remove_tag(db: Connection, id_tag: str) -> bool:
    """See `IRecords.delete_id_tag`."""
    if not can_be_kept(id_tag):
        return False
    return bool(db.execute(delete(id_tags).where(id_tags.c.tag_key == key_of(id_tag))).rowcount)


def _count(db: Connection) -> int:
    return db.scalar(select(func.count()).select_from(id_tags)) or 0


def _record(row: Row[tuple[object, ...]]) -> IdTag:
    return IdTag(
        idTag=row.id_tag,
        status=row.status,
        expiryDate=row.expiry_date,
        parentIdTag=row.parent_id_tag,
        maxTransactions=row.max_transactions,
    )
