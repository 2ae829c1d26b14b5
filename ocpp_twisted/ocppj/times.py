"""Points in time as OCPP writes them, and as real charge points do.

Imports msgspec only. Written: RFC 3339 in UTC with ``Z`` and at most three decimals (OCPP 2.1
part 2, "primitive datatypes"; OCPP 1.6 section 3.14). Read: what ISO 8601 allows besides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, Raw, inspect

__all__ = ["preparer", "read", "write"]

_encode = msgspec.json.Encoder().encode
_replace = msgspec.structs.replace
_DATE_AND_HOUR = re.compile(r"\s*\d{4}-\d\d-\d\d[Tt ]\d\d")
_LEAP_SECOND = re.compile(r"(:\d\d):60")
#: A quoted time with microseconds is this long up to its third decimal.
_UP_TO_MILLISECONDS = len('"2024-01-01T00:00:00.123')


def read(text: str) -> datetime:
    """The point in time that a charge point meant; without a zone it is UTC.

    Takes ISO 8601 date-times with any of: no zone, ``+02``, ``+0200``, no seconds, a space for
    the ``T``, a leap second (read as the second before it).

    :raises ValueError: if it is no date and time.
    """
    if not _DATE_AND_HOUR.match(text):
        raise ValueError("a time needs a date and an hour")
    moment = datetime.fromisoformat(_LEAP_SECOND.sub(r"\1:59", text.strip()).upper())
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def write(moment: datetime) -> Raw:
    """The JSON text of a point in time: UTC, ``Z``, at most three decimals.

    :raises ValueError: if `moment` has no zone, so that nobody knows which time it is.
    """
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError(f"{moment!r} has no time zone: use datetime.now(UTC) or astimezone()")
        moment = moment.astimezone(UTC)
    text = _encode(moment)
    return Raw(b'%.*bZ"' % (_UP_TO_MILLISECONDS, text) if moment.microsecond else text)


def preparer(node: inspect.Type) -> Callable[[Any], Any] | None:
    """A function that puts `write`'s text where a value of the type `node` has times.

    None if there is no time anywhere in the type. The values themselves stay as they are: what
    has times in it is copied.
    """
    match node:
        case inspect.DateTimeType():
            return write
        case inspect.ListType(item_type=item):
            prepare_item = preparer(item)
            if prepare_item is None:
                return None
            return lambda values: [prepare_item(value) for value in values]
        case inspect.StructType(fields=fields):
            timed = [
                (field.name, prepare)
                for field in fields
                if (prepare := preparer(field.type)) is not None
            ]
            return _struct_preparer(timed) if timed else None
        case _:
            return None


def _struct_preparer(timed: list[tuple[str, Callable[[Any], Any]]]) -> Callable[[Any], Any]:
    def prepare(message: Any) -> Any:
        changes = {}
        for name, prepare_field in timed:
            value = getattr(message, name)
            if value is not UNSET:
                changes[name] = prepare_field(value)
        return _replace(message, **changes)

    return prepare
