"""What is so at a charge point until it says otherwise, and what it told once. Jobs.

`records.Fact` and `records.Event` are what they are read as.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store.rows import digest, has, page, put, put_once, whose
from ocpp_twisted.plugins.local.store.tables import events, facts
from ocpp_twisted.records import Event, Fact, Page

__all__ = ["all_of", "forget", "get", "happened", "is_so", "list_events", "list_facts", "only"]


def is_so(
    db: Connection, identity: Identity, kind: str, values: Mapping[str, Any], now: datetime
) -> None:
    """These facts are so now.

    :param values: key to JSON value.
    """
    rows = [
        {**whose(identity), "kind": kind, "key": key, "timestamp": now, "data": data}
        for key, data in values.items()
    ]
    put(db, facts, ("name", "charge_point", "kind", "key"), rows)


def only(
    db: Connection, identity: Identity, kind: str, values: Mapping[str, Any], now: datetime
) -> None:
    """These facts of the kind are so now, and no others."""
    forget(db, identity, kind)
    is_so(db, identity, kind, values, now)


def forget(db: Connection, identity: Identity, kind: str, *keys: str) -> None:
    """These facts are so no longer; without keys none of that kind."""
    condition = has(facts, identity) & (facts.c.kind == kind)
    if keys:
        condition &= facts.c.key.in_(keys)
    db.execute(delete(facts).where(condition))


def get(db: Connection, identity: Identity, kind: str, key: str) -> Any:
    """The data of a fact; None if there is none."""
    is_it = has(facts, identity) & (facts.c.kind == kind) & (facts.c.key == key)
    return db.scalar(select(facts.c.data).where(is_it))


def all_of(db: Connection, identity: Identity, kind: str) -> dict[str, Any]:
    """Key to data of all facts of a kind."""
    query = select(facts.c.key, facts.c.data).where(has(facts, identity), facts.c.kind == kind)
    return {row.key: row.data for row in db.execute(query)}


def happened(
    db: Connection,
    identity: Identity,
    kind: str,
    told: list[tuple[datetime, dict[str, Any]]],
    now: datetime,
) -> None:
    """These events have happened, each once however often it is told."""
    rows = [
        {
            **whose(identity),
            "kind": kind,
            "timestamp": at,
            "received": now,
            "digest": digest(data),
            "data": data,
        }
        for at, data in told
    ]
    put_once(db, events, rows)


def list_facts(
    db: Connection, identity: Identity, kind: str | None, after: str | None, limit: int
) -> Page[Fact]:
    """See `IRecords.list_facts`."""
    query = select(facts).where(has(facts, identity))
    if kind is not None:
        query = query.where(facts.c.kind == kind)
    return page(
        db,
        query,
        [facts.c.kind, facts.c.key],
        after,
        limit,
        lambda row: Fact(
            chargePoint=row.charge_point,
            name=row.name,
            kind=row.kind,
            key=row.key,
            timestamp=row.timestamp,
            data=row.data,
        ),
    )


def list_events(
    db: Connection,
    kind: str | None,
    identity: Identity | None,
    since: datetime | None,
    until: datetime | None,
    after: str | None,
    limit: int,
) -> Page[Event]:
    """See `IRecords.list_events`."""
    query: Select[Any] = select(events)
    if kind is not None:
        query = query.where(events.c.kind == kind)
    if identity is not None:
        query = query.where(has(events, identity))
    if since is not None:
        query = query.where(events.c.received >= since)
    if until is not None:
        query = query.where(events.c.received < until)
    return page(
        db,
        query,
        [events.c.id],
        after,
        limit,
        lambda row: Event(
            id=row.id,
            chargePoint=row.charge_point,
            name=row.name,
            kind=row.kind,
            timestamp=row.timestamp,
            data=row.data,
        ),
        newest_first=True,
    )
