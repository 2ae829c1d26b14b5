"""How rows are put, found by charge point, and paged. Imports SQLAlchemy and its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, literal, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from ocpp_twisted.identity import Identity
from ocpp_twisted.records import Page

__all__ = ["digest", "has", "of_charge_point", "page", "put", "put_once", "whose"]

_Record = TypeVar("_Record")
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def has(table: Table, identity: Identity) -> ColumnElement[bool]:
    """The condition that a row is of this charge point."""
    return (table.c.name == identity.name) & (table.c.charge_point == identity.id)


def of_charge_point(table: Table) -> ColumnElement[bool]:
    """The same for a statement that is made once: give it `whose(identity)`.

    To make a statement takes longer than to run it.
    """
    return (table.c.name == bindparam("name")) & (table.c.charge_point == bindparam("charge_point"))


def whose(identity: Identity) -> dict[str, Any]:
    """The two columns that say of which charge point a row is."""
    return {"name": identity.name, "charge_point": identity.id}


def put(db: Connection, table: Table, key: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; where one of the same key is there, change it instead."""
    if rows:
        db.execute(_put(db.dialect.name, table, key, tuple(rows[0])), rows)


def put_once(db: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; one that is there already stays as it is."""
    if rows:
        db.execute(_put_once(db.dialect.name, table), rows)


@cache
def _put(dialect: str, table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> Any:
    insert = _INSERT[dialect](table)
    changed = {name: insert.excluded[name] for name in columns if name not in key}
    return insert.on_conflict_do_update(index_elements=key, set_=changed)


@cache
def _put_once(dialect: str, table: Table) -> Any:
    return _INSERT[dialect](table).on_conflict_do_nothing()


def digest(value: Any) -> str:
    """Tells a JSON value from another."""
    return blake2b(msgspec.json.encode(value), digest_size=16).hexdigest()


def page(
    db: Connection,
    query: Select[Any],
    order: Sequence[ColumnElement[Any]],
    after: str | None,
    limit: int,
    record: Callable[[Row[Any]], _Record],
    newest_first: bool = False,
) -> Page[_Record]:
    """A page of records.

    :param order: columns that tell every row from every other; texts or whole numbers.
    :raises ValueError: for an `after` that is no `Page.next` of this query, or a limit below 1 or
        above 1000.
    """
    if not 1 <= limit <= 1000:
        raise ValueError(f"the limit is {limit}; it can be 1 to 1000")
    if after is not None:
        position = _position(after, order)
        key = tuple_(*order)
        query = query.where(key < position if newest_first else key > position)
    query = query.order_by(*(column.desc() if newest_first else column for column in order))
    rows = db.execute(query.add_columns(*order).limit(limit + 1)).all()
    following = None
    if len(rows) > limit:
        last = tuple(rows[limit - 1])[-len(order) :]
        following = msgspec.json.encode(last).decode()
    return Page(items=tuple(record(row) for row in rows[:limit]), next=following)


def _position(after: str, order: Sequence[ColumnElement[Any]]) -> Any:
    kinds = [column.type.python_type for column in order]
    try:
        values = msgspec.json.decode(after, type=tuple[tuple(kinds)])  # type: ignore[misc]
        if any(isinstance(value, int) and abs(value) >= 2**63 for value in values):
            raise OverflowError("no column holds it")
    except (msgspec.DecodeError, OverflowError):
        raise ValueError(f"after is {after!r}; use the next of an earlier page") from None
    return tuple_(
        *(literal(value, column.type) for value, column in zip(values, order, strict=True))
    )
