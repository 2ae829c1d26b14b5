"""The tables. Imports SQLAlchemy only.

A charge point is the pair of columns ``name`` and ``charge_point`` (its id). What has no columns
of its own is JSON text: it is kept and given back, and never searched.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

__all__ = [
    "COUNTER",
    "PROBE",
    "SCHEMA_VERSION",
    "VERSION",
    "can_be_kept",
    "charge_points",
    "charging_profiles",
    "counters",
    "doors",
    "events",
    "facts",
    "id_tags",
    "metadata",
    "meter_values",
    "reservations",
    "settings",
    "transactions",
    "utc",
]

#: To be raised, with a step that brings older stores up to it, when a table changes.
SCHEMA_VERSION = 1
#: Rows of `settings` and of `counters`.
VERSION = "schema version"
PROBE = "probe"
COUNTER = "ids"


def utc(moment: datetime) -> datetime:
    """The same point in time in UTC."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the year 1 or 9999, and a zone that leads out of it
        return moment.replace(tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """A point in time, always with its zone. SQLite keeps none: there it is UTC without saying."""

    impl = DateTime(timezone=True)
    cache_ok = True
    python_type = datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return utc(value).replace(tzinfo=None) if dialect.name == "sqlite" else utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """Any JSON value, as text: PostgreSQL's own type cannot keep every string that JSON can."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)


#: PostgreSQL keeps no NUL, and nobody writes half of a surrogate pair as UTF-8.
_NO_CHARACTERS = re.compile("[\0\ud800-\udfff]")


def can_be_kept(text: str) -> bool:
    """Whether every character of a text is kept as it is."""
    return _NO_CHARACTERS.search(text) is None


class Word(TypeDecorator[str]):
    """Text from a peer: the same in every database, what one of them cannot keep is replaced."""

    impl = Text
    cache_ok = True
    python_type = str

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return _NO_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", str(value))


class Whole(TypeDecorator[int]):
    """A whole number from a peer: what no column can hold becomes the nearest that it can."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is None else max(-(2**63), min(value, 2**63 - 1))


metadata = MetaData()
#: SQLite counts rows by INTEGER only.
_Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _Id, primary_key=True, autoincrement=True)


def _whose(primary_key: bool = False) -> tuple[Column[str], Column[str]]:
    return (
        Column("name", Word, nullable=False, primary_key=primary_key),
        Column("charge_point", Word, nullable=False, primary_key=primary_key),
    )


settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

charge_points = Table(
    "charge_points",
    metadata,
    *_whose(primary_key=True),
    Column("admission", Word),
    Column("registration_status", Word),
    Column("version", Word),
    Column("versions", Json),
    Column("peer", Word),
    Column("boot", Json),
    Column("last_boot", Moment),
    Column("last_seen", Moment),
)

#: Each has its row in `charge_points`, too.
doors = Table(
    "doors",
    metadata,
    *_whose(primary_key=True),
    Column("profile", Integer, nullable=False),  # the highest security profile it has used
    Column("password", Text, nullable=False),  # hashes: see `security.passwords`
    Column("perhaps", Json, nullable=False),
    Column("serial_number", Word),  # if an operator has entered one
)

id_tags = Table(
    "id_tags",
    metadata,
    Column("tag_key", Word, primary_key=True),  # in small letters
    Column("id_tag", Word, nullable=False),
    Column("status", Word, nullable=False),
    Column("expiry_date", Moment),
    Column("parent_id_tag", Word),
    Column("max_transactions", Whole),
)

transactions = Table(
    "transactions",
    metadata,
    _id(),
    *_whose(),
    Column("version", Word, nullable=False),
    Column("transaction_id", Word, nullable=False),
    # The transactionId, or for an end without one (1.6 errata 3.18) what tells it from others.
    Column("known_by", Word, nullable=False),
    # 1.6: all that a StartTransaction says, by which the same that comes again is known.
    Column("begun_by", Text),
    Column("evse_id", Whole),
    Column("connector_id", Whole),
    Column("id_tag", Word),
    Column("tag_key", Word),
    Column("id_tag_status", Word),
    Column("stop_id_tag", Word),
    Column("started", Moment),
    Column("stopped", Moment),
    Column("reason", Word),
    Column("closed", Moment),
    Column("meter_start", Float),
    Column("meter_stop", Float),
    Column("charging_state", Word),
    Column("reservation_id", Whole),
    Column("remote_start_id", Whole),
    Column("complete", Integer),
    Column("total_cost", Float),
    # 2.x: which events have come, and which of them told what; see `transactions`.
    Column("told", Json),
    Column("received", Moment, nullable=False),
    UniqueConstraint("name", "charge_point", "known_by"),
    UniqueConstraint("name", "charge_point", "begun_by"),
    Index("transactions_of_tags", "tag_key", "stopped"),
    Index("transactions_open", "stopped"),
    sqlite_autoincrement=True,
)

meter_values = Table(
    "meter_values",
    metadata,
    _id(),
    Column("transaction", _Id, ForeignKey("transactions.id"), nullable=False),
    Column("timestamp", Moment, nullable=False),
    Column("digest", Text, nullable=False),
    Column("samples", Json, nullable=False),
    UniqueConstraint("transaction", "timestamp", "digest"),
    sqlite_autoincrement=True,
)

reservations = Table(
    "reservations",
    metadata,
    _id(),
    *_whose(),
    Column("reservation_id", Whole, nullable=False),
    Column("evse_id", Whole),
    Column("connector_id", Whole),
    Column("connector_type", Word),
    Column("id_tag", Word, nullable=False),
    Column("parent_id_tag", Word),
    Column("expiry_date", Moment, nullable=False),
    Column("status", Word, nullable=False),
    UniqueConstraint("name", "charge_point", "reservation_id"),
    sqlite_autoincrement=True,
)

charging_profiles = Table(
    "charging_profiles",
    metadata,
    _id(),
    *_whose(),
    Column("evse_id", Whole),
    Column("charging_profile_id", Whole, nullable=False),
    Column("stack_level", Whole, nullable=False),
    Column("purpose", Word, nullable=False),
    Column("profile", Json, nullable=False),
    Column("timestamp", Moment, nullable=False),
    UniqueConstraint("name", "charge_point", "charging_profile_id"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    _id(),
    *_whose(),
    Column("kind", Word, nullable=False),
    Column("timestamp", Moment, nullable=False),
    Column("received", Moment, nullable=False),
    Column("digest", Text, nullable=False),
    Column("data", Json, nullable=False),
    UniqueConstraint("name", "charge_point", "kind", "timestamp", "digest"),
    Index("events_by_kind", "kind", "id"),
    Index("events_by_time", "received"),
    sqlite_autoincrement=True,
)

facts = Table(
    "facts",
    metadata,
    *_whose(primary_key=True),
    Column("kind", Word, primary_key=True),
    Column("key", Word, primary_key=True),
    Column("timestamp", Moment, nullable=False),
    Column("data", Json, nullable=False),
)
