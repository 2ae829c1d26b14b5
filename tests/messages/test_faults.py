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


class Inner(Datatype):
    name: str


class Outer(Datatype):
    inner: list[Inner]


class WordingTests(SynchronousTestCase):
    def assert_fault(self, kind: Any, text: bytes, fault: Fault, sentence: str) -> None:
        error = self.assertRaises(msgspec.MsgspecError, msgspec.json.decode, text, type=kind)
        self.assertEqual(fault_of(str(error)), (fault, sentence))

    def test_unknown_field(self) -> None:
        self.assert_fault(
            Inner,
            b'{"name":"a","b":1}',
            Fault.UNKNOWN_FIELD,
            "Object contains unknown field `b`",
        )

    def test_missing_field(self) -> None:
        self.assert_fault(Inner, b"{}", Fault.MISSING_FIELD, "Object missing required field `name`")

    def test_the_place_comes_first(self) -> None:
        self.assert_fault(
            Outer,
            b'{"inner":[{"name":"a"},{}]}',
            Fault.MISSING_FIELD,
            "$.inner[1]: Object missing required field `name`",
        )

    def test_too_few_items(self) -> None:
        self.assert_fault(
            Annotated[list[int], Meta(min_length=1)],
            b"[]",
            Fault.ITEM_COUNT,
            "Expected `array` of length >= 1",
        )

    def test_too_many_items(self) -> None:
        self.assert_fault(
            Annotated[list[int], Meta(max_length=1)],
            b"[1,2]",
            Fault.ITEM_COUNT,
            "Expected `array` of length <= 1",
        )

    def test_string_too_long(self) -> None:
        self.assert_fault(
            v16.IdToken,
            b'"123456789012345678901"',
            Fault.BAD_VALUE,
            "Expected `str` of length <= 20",
        )

    def test_integer_too_small(self) -> None:
        kind = Annotated[int, Meta(ge=0)]
        self.assert_fault(kind, b"-1", Fault.BAD_VALUE, "Expected `int` >= 0")

    def test_integer_too_large(self) -> None:
        kind = Annotated[int, Meta(le=9)]
        self.assert_fault(kind, b"10", Fault.BAD_VALUE, "Expected `int` <= 9")

    def test_number_too_large(self) -> None:
        kind = Annotated[int, Meta(le=0)] | Annotated[float, Meta(le=0)]
        self.assert_fault(kind, b"0.5", Fault.BAD_VALUE, "Expected `float` <= 0.0")

    def test_number_beyond_a_double(self) -> None:
        self.assert_fault(int | float, b"1e400", Fault.BAD_VALUE, "Number out of range")

    def test_not_in_the_enumeration(self) -> None:
        self.assert_fault(
            v16.ResetType, b'"Medium"', Fault.BAD_VALUE, "Invalid enum value 'Medium'"
        )

    def test_no_time(self) -> None:
        self.assert_fault(
            datetime, b'"yesterday"', Fault.BAD_VALUE, "Invalid RFC3339 encoded datetime"
        )

    def test_time_without_zone(self) -> None:
        self.assert_fault(
            v16.DateTime,
            b'"2024-01-01T00:00:00"',
            Fault.BAD_VALUE,
            "Expected `datetime` with a timezone component",
        )

    def test_too_many_decimals(self) -> None:
        self.assert_fault(
            v16.ChargingSchedulePeriod,
            b'{"startPeriod":0,"limit":0.25}',
            Fault.BAD_VALUE,
            "Expected at most 1 decimal(s) in `limit`, got 0.25",
        )

    def test_wrong_type(self) -> None:
        self.assert_fault(
            Inner, b'{"name":null}', Fault.WRONG_TYPE, "$.name: Expected `str`, got `null`"
        )

    def test_wrong_type_of_a_number(self) -> None:
        self.assert_fault(
            int | float, b'"1"', Fault.WRONG_TYPE, "Expected `int | float`, got `str`"
        )

    def test_wrong_type_of_an_object_inside(self) -> None:
        self.assert_fault(
            Outer, b'{"inner":[1]}', Fault.WRONG_TYPE, "$.inner[0]: Expected `object`, got `int`"
        )

    def test_payload_that_is_no_object(self) -> None:
        self.assert_fault(
            Inner, b"[]", Fault.PAYLOAD_NOT_AN_OBJECT, "Expected `object`, got `array`"
        )

    def test_truncated(self) -> None:
        self.assert_fault(
            Inner, b'{"name"', Fault.PAYLOAD_NOT_AN_OBJECT, "Input data was truncated"
        )

    def test_malformed(self) -> None:
        self.assert_fault(
            Inner,
            b"{name}",
            Fault.PAYLOAD_NOT_AN_OBJECT,
            "JSON is malformed: object keys must be strings (byte 1)",
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
            b"[]", "TypeConstraintViolation", "$.customData: Expected `object`, got `list`"
        )

    def test_vendor_id_missing(self) -> None:
        self.assert_refused(
            b'{"x":1}',
            "OccurrenceConstraintViolation",
            "$.customData: Object missing required field `vendorId`",
        )

    def test_vendor_id_of_a_wrong_type(self) -> None:
        self.assert_refused(
            b'{"vendorId":1}',
            "TypeConstraintViolation",
            "$.customData: Expected `str`, got `int` in `vendorId`",
        )

    def test_vendor_id_too_long(self) -> None:
        self.assert_refused(
            b'{"vendorId":"%b"}' % (b"x" * 256),
            "PropertyConstraintViolation",
            "$.customData: Expected `str` of length <= 255 in `vendorId`",
        )
