"""Whatever stands in a payload: it is refused with a CallFault, or made what we may send."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import CallFault
from ocpp_twisted.ocppj.leniency import (
    ACCEPTABLE,
    LETTER,
    STANDARD,
    TOLERANT,
    Kind,
    Leniency,
    Treatment,
)
from ocpp_twisted.versions import CATALOGUES

MESSAGES = [
    (catalogue, action.name, kind)
    for catalogue in CATALOGUES.values()
    for action in catalogue.actions.values()
    for kind in (action.request, action.response)
    if kind is not None
]

often = settings(
    max_examples=400,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

#: Those that can be mended, and what can be mended in no place or in few of them.
NUMBERS = st.sampled_from([0, 1, 7.0, 21, "12", "1e1"])
TEXTS = st.sampled_from(["", "a", "x" * 30, "é" * 3000, 12, 230.0])
TIMES = st.sampled_from(
    [
        "2024-01-31T12:00:00Z",
        "2024-01-31T12:00",
        "2024-01-31 12:00:00+02",
        "2024-01-31T12:00:00.5",
    ]
)
RARE = st.sampled_from(
    [
        *(None, "", [], {}, False, {"a": {"b": []}}, [[]], -1, "٣", "x", "1,5", "Odd", 10**41),
        *(0.1, 21.400000000000002, 0.25, 1e300, 10**39, "1e400", "9" * 99),
        *("2024-01-31T12:00:00+02:00:30", "2024-01-31", " 2024-01-31T12", "2024-01-31T25:00:00Z"),
    ]
)


def values(node: inspect.Type) -> st.SearchStrategy[Any]:
    """JSON values that are near to what the type wants."""
    match node:
        case inspect.StructType(fields=fields):
            required = {f.encode_name: mostly(f.type) for f in fields if f.required}
            optional = {f.encode_name: mostly(f.type) for f in fields if not f.required}
            surplus = {"surplus": RARE}
            return st.fixed_dictionaries(required, optional=optional | surplus)
        case inspect.ListType(item_type=item):
            return st.lists(mostly(item), max_size=2)
        case inspect.EnumType(cls=names):
            name = st.sampled_from([each.value for each in names])
            return name | name.map(str.upper) | name.map(lambda text: f" {text}-")
        case inspect.DateTimeType():
            return TIMES
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType() | inspect.FloatType() | inspect.UnionType():
            return NUMBERS
        case inspect.StrType():
            return TEXTS
        case inspect.CustomType():
            return st.just({"vendorId": "v", "more": [1]})
        case _:
            return RARE


def mostly(node: inspect.Type) -> st.SearchStrategy[Any]:
    right = values(node)
    return st.integers(0, 15).flatmap(lambda dice: RARE if dice == 15 else right)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Any, str, type, bytes]:
    catalogue, action, kind = draw(st.sampled_from(MESSAGES))
    payload = draw(values(inspect.type_info(kind)))
    return catalogue, action, kind, json.dumps(payload).encode()


TREATMENTS = st.fixed_dictionaries(
    {
        kind: st.sampled_from(list(Treatment) if kind in ACCEPTABLE else list(Treatment)[1:])
        for kind in Kind
    }
)


class Repairs(SynchronousTestCase):
    def test_what_is_repaired_can_be_sent(self):
        seen = set()

        @often
        @given(damaged(), st.sampled_from([STANDARD, TOLERANT, LETTER]))
        def check(message, leniency):
            catalogue, action, kind, payload = message
            try:
                mended, repairs = catalogue.mend(action, kind, payload, leniency)
            except CallFault as fault:
                self.assertTrue(fault.description.startswith("$"), fault.description)
                self.assertNotIn("JSON that can be read", fault.description)  # a wording is missed
                return
            assert isinstance(mended, kind)
            assert len(repairs) == len(set(repairs))
            assert leniency is not LETTER or not repairs
            seen.update(repair.kind for repair in repairs)
            catalogue.write(mended)

        check()
        self.assertGreaterEqual(len(seen), 7, seen)  # the examples are worth something

    def test_what_is_accepted_is_there(self):
        @often
        @given(damaged(), TREATMENTS)
        def check(message, treatments):
            catalogue, action, kind, payload = message
            try:
                mended, _ = catalogue.mend(action, kind, payload, Leniency(treatments))
            except CallFault:
                return
            assert isinstance(mended, kind)
            msgspec.json.encode(mended)

        check()

    def test_anything_at_all(self):
        anything = st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode())

        @often
        @given(st.sampled_from(MESSAGES), anything | st.binary())
        def check(message, payload):
            catalogue, action, kind = message
            try:
                catalogue.mend(action, kind, payload, TOLERANT)
            except CallFault as fault:
                self.assertTrue(fault.description.startswith("$"), fault.description)

        check()
