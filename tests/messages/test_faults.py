"""`fault_of` understands every wording of msgspec that a payload can bring about.

Each text is made by really decoding, so that a new release of msgspec with other words shows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v201
from ocpp_twisted.errors import CallFault
from ocpp_twisted.ocppj.faults import fault_of
from ocpp_twisted.ocppj.message import Datatype
from ocpp_twisted.ocppj.rules import Fault

NO_TIME = "$: expected a date and time with its zone, for example 2024-01-31T12:00:00Z"
UNREADABLE = "$: expected JSON that can be read"


class Inner(Datatype):
    name: str


class Outer(Datatype):
    inner: list[Inner]


class WordingTests(SynchronousTestCase):
    def assert_fault(self, kind: Any, text: bytes, fault: Fault, sentence: str) -> None:
        error = self.assertRaises(msgspec.MsgspecError, msgspec.json.decode, text, type=kind)
        node = msgspec.inspect.type_info(kind)
        self.assertEqual(fault_of(str(error), node), (fault, sentence))

    def test_unknown_field(self) -> None:
        self.assert_fault(
            Inner,
            b'{"name":"a","b":1}',
            Fault.UNKNOWN_FIELD,
            "$.b: unknown field, expected only name",
        )

    def test_missing_field(self) -> None:
        self.assert_fault(Inner, b"{}", Fault.MISSING_FIELD, "$.name: required, but absent")

    def test_the_place_comes_first(self) -> None:
        self.assert_fault(
            Outer,
            b'{"inner":[{"name":"a"},{}]}',
            Fault.MISSING_FIELD,
            "$.inner[1].name: required, but absent",
        )

    def test_a_name_that_looks_like_a_place(self) -> None:
        self.assert_fault(
            Outer,
            b'{"inner":[{"name":"a","` - at `$.inner":1}]}',
            Fault.UNKNOWN_FIELD,
            "$.inner[0].` - at `$.inner: unknown field, expected only name",
        )

    def test_too_few_items(self) -> None:
        self.assert_fault(
            Annotated[list[int], Meta(min_length=1)],
            b"[]",
            Fault.ITEM_COUNT,
            "$: expected an array of at least 1 item",
        )

    def test_too_many_items(self) -> None:
        self.assert_fault(
            Annotated[list[int], Meta(max_length=1)],
            b"[1,2]",
            Fault.ITEM_COUNT,
            "$: expected an array of at most 1 item",
        )

    def test_string_too_long(self) -> None:
        self.assert_fault(
            v16.IdToken,
            b'"123456789012345678901"',
            Fault.BAD_VALUE,
            "$: expected a string of at most 20 characters",
        )

    def test_integer_too_small(self) -> None:
        kind = Annotated[int, Meta(ge=0)]
        self.assert_fault(kind, b"-1", Fault.BAD_VALUE, "$: expected an integer, 0 or more")

    def test_integer_too_large(self) -> None:
        kind = Annotated[int, Meta(le=9)]
        self.assert_fault(kind, b"10", Fault.BAD_VALUE, "$: expected an integer, 9 or less")

    def test_number_too_large(self) -> None:
        kind = Annotated[int, Meta(le=0)] | Annotated[float, Meta(le=0)]
        self.assert_fault(kind, b"0.5", Fault.BAD_VALUE, "$: expected a number, 0 or less")

    def test_number_beyond_a_double(self) -> None:
        self.assert_fault(
            int | float,
            b"1e400",
            Fault.BAD_VALUE,
            "$: expected a number of a size that can be read",
        )

    def test_not_in_the_enumeration(self) -> None:
        self.assert_fault(
            v16.ResetType, b'"Medium"', Fault.BAD_VALUE, '$: "Medium" is not one of Hard, Soft'
        )

    def test_no_time(self) -> None:
        self.assert_fault(datetime, b'"yesterday"', Fault.BAD_VALUE, NO_TIME)

    def test_time_without_zone(self) -> None:
        self.assert_fault(
            v16.DateTime,
            b'"2024-01-01T00:00:00"',
            Fault.BAD_VALUE,
            NO_TIME,
        )

    def test_too_many_decimals(self) -> None:
        self.assert_fault(
            v16.ChargingSchedulePeriod,
            b'{"startPeriod":0,"limit":0.25}',
            Fault.BAD_VALUE,
            "$.limit: expected at most 1 decimal, got 0.25",
        )

    def test_wrong_type(self) -> None:
        self.assert_fault(
            Inner, b'{"name":null}', Fault.WRONG_TYPE, "$.name: expected a string, got null"
        )

    def test_wrong_type_of_a_number(self) -> None:
        self.assert_fault(
            int | float, b'"1"', Fault.WRONG_TYPE, "$: expected a number, got a string"
        )

    def test_wrong_type_of_an_object_inside(self) -> None:
        self.assert_fault(
            Outer,
            b'{"inner":[1]}',
            Fault.WRONG_TYPE,
            "$.inner[0]: expected an object, got an integer",
        )

    def test_payload_that_is_no_object(self) -> None:
        self.assert_fault(
            Inner, b"[]", Fault.PAYLOAD_NOT_AN_OBJECT, "$: expected an object, got an array"
        )

    def test_truncated(self) -> None:
        self.assert_fault(Inner, b'{"name"', Fault.PAYLOAD_NOT_AN_OBJECT, UNREADABLE)

    def test_malformed(self) -> None:
        self.assert_fault(
            Inner,
            b"{name}",
            Fault.PAYLOAD_NOT_AN_OBJECT,
            UNREADABLE,
        )


class CustomDataWordingTests(SynchronousTestCase):
    """CustomData is read by our own code, in the words of msgspec."""

    def assert_refused(self, custom_data: bytes, code: str, sentence: str) -> None:
        fault = self.assertRaises(
            CallFault,
            v201.CATALOGUE.read_request,
            "Heartbeat",
            b'{"customData":%b}' % custom_data,
        )
        self.assertEqual((fault.code, fault.description), (code, sentence))

    def test_no_object(self) -> None:
        self.assert_refused(
            b"[]", "TypeConstraintViolation", "$.customData: expected an object, got an array"
        )

    def test_vendor_id_missing(self) -> None:
        self.assert_refused(
            b'{"x":1}',
            "OccurrenceConstraintViolation",
            "$.customData.vendorId: required, but absent",
        )

    def test_vendor_id_of_a_wrong_type(self) -> None:
        self.assert_refused(
            b'{"vendorId":1}',
            "TypeConstraintViolation",
            "$.customData.vendorId: expected a string, got an integer",
        )

    def test_vendor_id_too_long(self) -> None:
        self.assert_refused(
            b'{"vendorId":"%b"}' % (b"x" * 256),
            "PropertyConstraintViolation",
            "$.customData.vendorId: expected a string of at most 255 characters",
        )
