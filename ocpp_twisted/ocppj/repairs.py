"""The second look at a payload that the strict reader refused.

Imports msgspec, `excerpt`, `leniency` and `times`. Walks through the JSON value along the types of
the message, as deep as these go, once. What a `Leniency` lets through is repaired, or put aside to
be accepted as it came; what it does not let through stays for the strict reader to refuse.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, inspect

from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.ocppj import times
from ocpp_twisted.ocppj.leniency import Kind, Leniency, Repair, Treatment

__all__ = ["Mending"]

#: How a place is kept while walking: the place it is in, and a field or an index. None is ``$``.
_Place = tuple[Any, inspect.Field | int] | None

_DateTime = Annotated[datetime, Meta(tz=True)]
_NUMBER = re.compile(r"\s*(-?[0-9]{1,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?\s*")
#: An integer that has more digits is no id that somebody forgot to quote.
_LARGEST = 10**40
#: More is no name with a slip in it.
_LONGEST_NAME = 100
#: What the nearest number of single precision may differ by, in relation to the number; and how
#: much of a difference is never noise, however large the number.
_NOISE = 1e-7
_MOST_NOISE = 1e-3
#: Other spellings, without case and separators.
_SPELLINGS = {"cancelled": "canceled", "percentage": "percent"}


class Mending:
    """One payload on its way through.

    :param action: the action of its CALL.
    :param leniency: what is let through.
    :ivar repairs: what was let through, one for each kind and place without indices.
    """

    def __init__(self, action: str, leniency: Leniency) -> None:
        self._action = action
        self._leniency = leniency
        self._repairs: dict[tuple[Kind, str], Repair] = {}
        self._kept: list[tuple[_Place, Any]] = []

    @property
    def repairs(self) -> list[Repair]:
        return list(self._repairs.values())

    def payload(self, value: Any, node: inspect.StructType) -> Any:
        """The JSON value of a payload, mended as far as it may be; `value` itself is changed."""
        if value is None and self._lets(Kind.NULL_PAYLOAD, None, "null, read as {}"):
            value = {}  # they mean the same at top level (OCPP-J 1.6 section 4.2.1)
        return self._mend(value, node, None)

    def restore(self, message: Any) -> None:
        """Put what is accepted as it came into the message that was made without it."""
        for place, value in self._kept:
            assert place is not None
            holder = _find(message, place[0])
            if isinstance(place[1], int):
                holder[place[1]] = value
            else:
                msgspec.structs.force_setattr(holder, place[1].name, value)

    def _mend(self, value: Any, node: inspect.Type, place: _Place) -> Any:
        match node, value:
            case inspect.StructType(), dict():
                self._mend_fields(value, node, place)
            case inspect.ListType(item_type=item), list():
                for index, element in enumerate(value):
                    value[index] = self._mend(element, item, (place, index))
            case inspect.DateTimeType(), str():
                return self._mend_time(value, place)
            case inspect.EnumType(cls=names), str():
                return self._mend_name(value, names, place)
            case inspect.StrType(max_length=limit), _:
                return self._mend_string(value, limit, place)
            case ((inspect.IntType() | inspect.FloatType() | inspect.UnionType()), str()):
                return self._mend_number(value, node, place)
            case inspect.IntType(), float() if value.is_integer():
                text = "a whole number with a decimal point, read"
                return int(value) if self._lets(Kind.WHOLE_NUMBER, place, text) else value
        return value

    def _mend_fields(self, value: dict[str, Any], node: inspect.StructType, place: _Place) -> None:
        if node.forbid_unknown_fields:
            known = {field.encode_name for field in node.fields}
            surplus = [name for name in value if name not in known]
            if surplus and self._lets(
                Kind.SURPLUS_FIELD, place, f'unknown field "{excerpt(surplus[0], 50)}", left out'
            ):
                for name in surplus:
                    del value[name]
        for field in node.fields:
            name = field.encode_name
            if name not in value:
                continue
            here = place, field
            if not field.required and self._is_absent(value[name], field.type, here):
                del value[name]
                continue
            mended = self._mend(value[name], field.type, here)
            if isinstance(mended, float) and _has_one_decimal(node.cls):
                mended = self._mend_decimals(mended, here)
            value[name] = mended

    def _is_absent(self, value: Any, node: inspect.Type, place: _Place) -> bool:
        """Whether an optional field has a value that stands for none, and may be left out."""
        if value is None:
            free = isinstance(node, inspect.AnyType)
            return not free and self._lets(Kind.NULL_VALUE, place, "null, left out")
        text = "an empty value, left out"
        return _is_empty(value, node) and self._lets(Kind.EMPTY_VALUE, place, text)

    def _mend_time(self, value: str, place: _Place) -> str:
        with suppress(msgspec.ValidationError):
            msgspec.convert(value, _DateTime)
            return value
        try:
            mended = times.read(value).isoformat()
        except ValueError:
            return value
        text = "a time not written as RFC 3339 asks, read"
        return mended if self._lets(Kind.TIME, place, text) else value

    def _mend_name(self, value: str, names: type[Enum], place: _Place) -> Any:
        if value in _names(names):
            return value
        wrong = f'"{excerpt(value, 50)}" is not a value of OCPP'
        nearest = _nearest(value, names)
        if nearest is None:
            any_name = next(iter(names)).value
            return self._settle(Kind.ENUM_SPELLING, value, any_name, place, wrong, None)
        return self._settle(Kind.ENUM_SPELLING, value, nearest, place, wrong, f"read as {nearest}")

    def _mend_string(self, value: Any, limit: int | None, place: _Place) -> Any:
        if (type(value) is int and -_LARGEST < value < _LARGEST) or type(value) is float:
            if not self._lets(Kind.STRING_AS_NUMBER, place, "a number, read as a string"):
                return value
            value = str(value)
        if limit is None or not isinstance(value, str) or len(value) <= limit:
            return value
        wrong = f"a string of more than {limit} characters"
        return self._settle(Kind.TOO_LONG, value, value[:limit], place, wrong, "cut")

    def _mend_number(self, value: str, node: inspect.Type, place: _Place) -> Any:
        number = _number(value, node)
        text = "a string, read as a number"
        if number is None or not self._lets(Kind.NUMBER_AS_STRING, place, text):
            return value
        return number

    def _mend_decimals(self, value: float, place: _Place) -> Any:
        rounded = round(value, 1)
        if rounded == value:
            return value
        is_noise = abs(rounded - value) <= min(_NOISE * abs(value), _MOST_NOISE)
        wrong, repaired = f"{value!r} has more than one decimal", f"read as {rounded!r}"
        return self._settle(
            Kind.DECIMAL_NOISE, value, rounded, place, wrong, repaired if is_noise else None
        )

    def _settle(
        self, kind: Kind, value: Any, stand_in: Any, place: _Place, wrong: str, repaired: str | None
    ) -> Any:
        """What the strict reader shall see: `value` if it is rejected, otherwise `stand_in`.

        :param repaired: what has been done with it; None if `stand_in` means something else, so
            that `value` can be accepted and not repaired.
        """
        path = _path(place)
        treatment = self._leniency.treatment(kind, self._action, path)
        if treatment is Treatment.ACCEPT:
            self._kept.append((place, value))
            done: str | None = "taken as it came"
        else:
            done = repaired if treatment is Treatment.REPAIR else None
        if done is None:
            return value
        self._tell(kind, place, path, f"{wrong}, {done}")
        return stand_in

    def _lets(self, kind: Kind, place: _Place, text: str) -> bool:
        """Whether this is let through, for kinds where it matters not how."""
        path = _path(place)
        if self._leniency.treatment(kind, self._action, path) is Treatment.REJECT:
            return False
        self._tell(kind, place, path, text)
        return True

    def _tell(self, kind: Kind, place: _Place, path: str, text: str) -> None:
        if (kind, path) not in self._repairs:
            text = f"{_path(place, with_indices=True)}: {text}"
            self._repairs[kind, path] = Repair(kind, self._action, path, text)


def _path(place: _Place, with_indices: bool = False) -> str:
    steps = []
    while place is not None:
        place, step = place
        if not isinstance(step, int):
            steps.append(f".{step.encode_name}")
        else:
            steps.append(f"[{step}]" if with_indices else "[*]")
    return "$" + "".join(reversed(steps))


def _find(message: Any, place: _Place) -> Any:
    if place is None:
        return message
    holder = _find(message, place[0])
    step = place[1]
    return holder[step] if isinstance(step, int) else getattr(holder, step.name)


def _is_empty(value: Any, node: inspect.Type) -> bool:
    """Whether a value is empty where the schema wants more than that."""
    match node, value:
        case ((inspect.AnyType() | inspect.StrType()), _):
            return False
        case _, "":
            return True
        case inspect.ListType(min_length=fewest), []:
            return bool(fewest)
        case inspect.StructType(fields=fields), dict() if not value:
            return any(field.required for field in fields)
        case inspect.CustomType(), dict():
            return not value
    return False


def _has_one_decimal(kind: type) -> bool:
    """Whether the numbers of a class may have one decimal only: what its check is for (1.6)."""
    return hasattr(kind, "__post_init__")


def _number(text: str, node: inspect.Type) -> int | float | None:
    """The number that a string holds, if the type can hold it."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    if not match[2] and not match[3]:
        return int(text)
    number = float(text)
    if isinstance(node, inspect.IntType):
        return int(number) if number.is_integer() else None
    return number if abs(number) != float("inf") else None


@cache
def _names(names: type[Enum]) -> frozenset[str]:
    return frozenset(name.value for name in names)


@cache
def _spellings(names: type[Enum]) -> dict[str, str]:
    return {_bare(name.value): name.value for name in names}


def _nearest(value: str, names: type[Enum]) -> str | None:
    """The name that differs in case and separators only, or by a spelling that is known."""
    if len(value) > _LONGEST_NAME:
        return None
    bare = _bare(value)
    spellings = _spellings(names)
    return spellings.get(bare) or spellings.get(_SPELLINGS.get(bare, ""))


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
