"""Payloads made from a schema: valid ones at random, and small ones that are wrong in one place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from ocpp_twisted.ocppj.rules import Fault
from tests.messages.schemas import Message

Node = dict[str, Any]
JSON = Any

#: Inside the Basic Multilingual Plane and beyond it; a lone surrogate is no Unicode text.
_TEXT = st.characters(exclude_categories=["Cs"])
_SCALARS = st.none() | st.booleans() | st.integers() | st.text(_TEXT, max_size=5)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(_TEXT), inner, max_size=2),
    max_leaves=4,
)
_EDGES = (0, -1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**40)
_ZONES = st.sampled_from([None, timedelta(0), timedelta(hours=2), timedelta(hours=-9, minutes=-30)])


def valid(message: Message) -> st.SearchStrategy[JSON]:
    """Payloads that the message's schema allows."""
    return _value(message, message.schema)


def _value(message: Message, node: Node) -> st.SearchStrategy[JSON]:
    if node.get("$ref") == "#/definitions/CustomDataType":
        return _custom_data()
    node = message.resolve(node)
    match node:
        case {"enum": values}:
            return st.sampled_from(values)
        case {"format": "date-time"}:
            return _times()
        case {"type": "string"}:
            return _strings(node.get("maxLength", 40))
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            return _integers(node)
        case {"type": "number", "multipleOf": _}:
            return st.integers() | st.integers(-(10**6), 10**6).map(lambda tenths: tenths / 10)
        case {"type": "number"}:
            low, high = node.get("minimum"), node.get("maximum")
            floats = st.floats(low, high, allow_nan=False, allow_infinity=False)
            return _integers(node) | floats
        case {"type": "array", "items": item}:
            fewest = node.get("minItems", 0)
            return st.lists(_value(message, item), min_size=fewest, max_size=fewest + 1)
        case {"type": "object"}:
            required = node.get("required", [])
            fields = {
                name: _value(message, child) for name, child in node.get("properties", {}).items()
            }
            return st.fixed_dictionaries(
                {name: fields.pop(name) for name in required}, optional=fields
            )
        case _:
            return _ANYTHING


def _custom_data() -> st.SearchStrategy[JSON]:
    further = st.dictionaries(st.text(_TEXT, max_size=5), _ANYTHING, max_size=2)
    return st.builds(lambda rest, vendor: {**rest, "vendorId": vendor}, further, _strings(255))


def _strings(limit: int) -> st.SearchStrategy[str]:
    return st.text(_TEXT, max_size=min(limit, 20)) | st.sampled_from(
        ["", "x" * limit, "é" * limit, "\U0001f50c" * limit, '"\\\n\x00'[:limit]]
    )


def _integers(node: Node) -> st.SearchStrategy[int]:
    low, high = node.get("minimum"), node.get("maximum")
    edges = [
        edge
        for edge in (*_EDGES, low, high)
        if edge is not None and (low is None or edge >= low) and (high is None or edge <= high)
    ]
    inside = st.integers(None if low is None else int(low), None if high is None else int(high))
    return st.sampled_from([int(edge) for edge in edges]) | inside


@st.composite
def _times(draw: st.DrawFn) -> str:
    # The first and the last year are left out: an offset could lead beyond them.
    moment = draw(st.datetimes().filter(lambda moment: 1 < moment.year < 9999))
    if draw(st.booleans()):
        moment = moment.replace(microsecond=0)
    zone = draw(_ZONES)
    if zone is None:
        return f"{moment.isoformat()}Z"
    return moment.replace(tzinfo=timezone(zone)).isoformat()


# Small payloads, and what can be wrong with them ---------------------------------------------


def smallest(message: Message, node: Node) -> JSON:
    """A value that the schema `node` allows, with no more fields than it requires."""
    node = message.resolve(node)
    match node:
        case {"enum": [first, *_]}:
            return first
        case {"format": "date-time"}:
            return "2024-05-06T07:08:09.123Z"
        case {"type": "string"}:
            return "x" * min(3, node.get("maxLength", 3))
        case {"type": "boolean"}:
            return True
        case {"type": "integer" | "number"}:
            return max(0, int(node.get("minimum", 0)))
        case {"type": "array", "items": item}:
            return [smallest(message, item)]
        case {"type": "object"}:
            properties = node.get("properties", {})
            return {name: smallest(message, properties[name]) for name in node.get("required", ())}
        case _:
            return None


@dataclass(frozen=True)
class Change:
    """The smallest payload of a message, changed in one place.

    :ivar place: where, as JSON paths are written.
    :ivar value: the changed payload.
    :ivar fault: what is wrong with it, if the schema does not allow it.
    """

    place: str
    value: JSON
    fault: Fault

    def __str__(self) -> str:
        return f"{self.place} in {json.dumps(self.value)[:300]}"

    def within(self, outer: JSON, key: str | int) -> Change:
        """The same change as a part of `outer`, which stays as it is."""
        if isinstance(key, int):
            return Change(f"[{key}]{self.place}", [self.value], self.fault)
        return Change(f".{key}{self.place}", {**outer, key: self.value}, self.fault)


def changes(message: Message, seen: set[str]) -> Iterator[Change]:
    """Every place of a message, changed in every way that may be wrong, and in some that are right.

    :param seen: the datatypes that were looked at in an earlier message; they are left out
        here, and those of this message are added.
    """
    return _fields(message, message.schema, seen)


def _fields(message: Message, node: Node, seen: set[str]) -> Iterator[Change]:
    """The changes inside an object."""
    whole = smallest(message, node)
    yield Change(".noSuchField", {**whole, "noSuchField": 1}, Fault.UNKNOWN_FIELD)
    for name in node.get("required", ()):
        rest = {other: value for other, value in whole.items() if other != name}
        yield Change(f".{name} missing", rest, Fault.MISSING_FIELD)
    for name, child in node.get("properties", {}).items():
        for change in _changes(message, child, seen):
            yield change.within(whole, name)


def _changes(message: Message, node: Node, seen: set[str]) -> Iterator[Change]:
    """What may stand where a value of the type `node` stands."""
    node = message.resolve(node)
    for value, fault in _values(message, node):
        yield Change("", value, fault)
    match node:
        case {"type": "array", "items": item}:
            for change in _changes(message, item, seen):
                yield change.within([], 0)
        case {"type": "object"}:
            # Not by its name, which may mean something else in another message.
            if (datatype := json.dumps(node, sort_keys=True)) not in seen:
                seen.add(datatype)
                yield from _fields(message, node, seen)


#: A value of each type of JSON.
_EXAMPLES: dict[str, JSON] = {
    "string": "x",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}


def _values(message: Message, node: Node) -> Iterator[tuple[JSON, Fault]]:
    kind = node.get("type")
    for other, example in _EXAMPLES.items():
        if other != kind and (kind, other) != ("number", "integer"):
            yield example, Fault.WRONG_TYPE
    match node:
        case {"enum": [first, *_] as members}:
            for member in (*members, "", first.swapcase(), f"{first} ", "NoSuchValue"):
                yield member, Fault.BAD_VALUE
        case {"maxLength": limit}:
            for text in ("", "é" * limit, "\U0001f50c" * limit, "x" * (limit + 1)):
                yield text, Fault.BAD_VALUE
        case {"type": "integer"}:
            # 1.0 for an integer is a matter of the draft: tests.messages.test_differences.
            yield "1", Fault.WRONG_TYPE
        case {"type": "array", "items": item}:
            most = node.get("maxItems", 2)
            for count in (0, 1, most, most + 1):
                yield [smallest(message, item)] * count, Fault.ITEM_COUNT
    if "multipleOf" in node:
        for number in (0.1, 0.3, 1.1, 32.7, -7.7, 0.25, 1.05, 100.01, 1e-5):
            yield number, Fault.BAD_VALUE
    for bound, outwards in (("minimum", -1), ("maximum", 1)):
        if bound in node:
            edge = int(node[bound])
            for number in (edge - outwards, edge, edge + outwards, edge + outwards * 2**65):
                yield number, Fault.BAD_VALUE
            if kind == "number":
                yield edge + outwards * 0.001, Fault.BAD_VALUE
