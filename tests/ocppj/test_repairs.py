"""What charge points do wrong, kind by kind, and what becomes of it by each treatment."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from time import process_time
from typing import Any

from msgspec import UNSET, inspect
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.errors import CallErrorReceived, CallFault, InvalidResponse
from ocpp_twisted.ocppj.leniency import (
    LETTER,
    STANDARD,
    TOLERANT,
    Kind,
    Leniency,
    Repair,
    Treatment,
)
from ocpp_twisted.ocppj.session import (
    CallAnswered,
    CallEnded,
    CallReceived,
    Rejected,
    SendReceived,
    Session,
)
from ocpp_twisted.versions import CATALOGUES
from tests.support import next_frame

NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
TIME = "2024-01-01T00:00:00Z"
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
NOISE = 21.400000000000002


def schedule(limit: object) -> dict[str, Any]:
    period = {"startPeriod": 0, "limit": limit}
    return {
        "status": "Accepted",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]},
    }


def meter_values(*values: dict[str, Any]) -> dict[str, Any]:
    return {"connectorId": 1, "meterValue": [{"timestamp": TIME, "sampledValue": list(values)}]}


def only(kind: Kind, treatment: Treatment) -> Leniency:
    return Leniency({**dict.fromkeys(Kind, Treatment.REJECT), kind: treatment})


class KindCase(SynchronousTestCase):
    def read(
        self, leniency: Leniency, kind: type, payload: object, action: str | None = None
    ) -> tuple[Any, list[Repair]]:
        catalogue = next(
            each
            for each in CATALOGUES.values()
            for known in each.actions.values()
            if kind in (known.request, known.response)
        )
        action = action or kind.__name__.removesuffix("Request").removesuffix("Response")
        return catalogue.mend(action, kind, json.dumps(payload).encode(), leniency)

    def refused(self, leniency: Leniency, kind: type, payload: object, text: str = "$") -> None:
        fault = self.assertRaises(CallFault, self.read, leniency, kind, payload)
        self.assertTrue(fault.description.startswith(text), fault.description)

    def repaired(
        self,
        fault: Kind,
        kind: type,
        payload: object,
        path: str,
        text: str,
        standard: bool = False,
    ) -> Any:
        """It is repaired if its kind is, refused if it is not; return the message."""
        self.refused(LETTER, kind, payload)
        if not standard:
            self.refused(STANDARD, kind, payload)
        others = {each: Treatment.REPAIR for each in Kind if each is not fault}
        self.refused(Leniency({**others, fault: Treatment.REJECT}), kind, payload)
        for leniency in (STANDARD,) * standard + (only(fault, Treatment.REPAIR), TOLERANT):
            message, (repair,) = self.read(leniency, kind, payload)
            self.assertEqual((repair.kind, repair.path), (fault, path))
            self.assertEqual(str(repair), text)
        return message

    def accepted(self, fault: Kind, kind: type, payload: object, path: str, text: str) -> Any:
        message, (repair,) = self.read(only(fault, Treatment.ACCEPT), kind, payload)
        self.assertEqual((repair.kind, repair.path), (fault, path))
        self.assertEqual(str(repair), text)
        return message


class Kinds(KindCase):
    def test_time(self) -> None:
        for text in ("2024-01-01T02:00:00+02", "2024-01-01T00:00:00", "2024-01-01T00:00Z"):
            message = self.repaired(
                Kind.TIME,
                v16.StatusNotificationRequest,
                STATUS | {"timestamp": text},
                "$.timestamp",
                "$.timestamp: a time not written as RFC 3339 asks, read",
                standard=True,
            )
            self.assertEqual(message.timestamp, NEW_YEAR)

    def test_a_good_time_is_no_repair(self) -> None:
        for text in ("2024-01-01T00:00:00.5Z", "2024-01-01T02:00:00.123456+02:00"):
            payload = STATUS | {"timestamp": text, "surplus": 1}
            _, repairs = self.read(TOLERANT, v16.StatusNotificationRequest, payload)
            self.assertEqual([repair.kind for repair in repairs], [Kind.SURPLUS_FIELD])

    def test_times_that_the_fast_reader_takes(self) -> None:
        for text in (
            "2024-01-01T02:00:00+0200",
            "2024-01-01 00:00:00Z",
            "2024-01-01t00:00:00z",
        ):
            payload = STATUS | {"timestamp": text}
            message = v16.CATALOGUE.read_request("StatusNotification", json.dumps(payload).encode())
            self.assertEqual(message.timestamp, NEW_YEAR)
            for leniency in (LETTER, TOLERANT):
                read, repairs = self.read(leniency, v16.StatusNotificationRequest, payload)
                self.assertEqual((read.timestamp, repairs), (NEW_YEAR, []))

    def test_whole_number(self) -> None:
        message = self.repaired(
            Kind.WHOLE_NUMBER,
            v16.StatusNotificationRequest,
            STATUS | {"connectorId": 1.0},
            "$.connectorId",
            "$.connectorId: a whole number with a decimal point, read",
            standard=True,
        )
        self.assertEqual((message.connectorId, type(message.connectorId)), (1, int))

    def test_whole_number_in_2_x(self) -> None:
        """Draft 6 takes 1.0 for an integer; who rejects the kind rejects it all the same."""
        message = self.repaired(
            Kind.WHOLE_NUMBER,
            v21.GetBaseReportRequest,
            {"requestId": 1.0, "reportBase": "FullInventory"},
            "$.requestId",
            "$.requestId: a whole number with a decimal point, read",
            standard=True,
        )
        self.assertEqual(message.requestId, 1)

    def test_number_as_string(self) -> None:
        text = "$.connectorId: a string, read as a number"
        for number in ("1", " 1 ", "1.0", "1e0"):
            message = self.repaired(
                Kind.NUMBER_AS_STRING,
                v16.StatusNotificationRequest,
                STATUS | {"connectorId": number},
                "$.connectorId",
                text,
            )
            self.assertEqual((message.connectorId, type(message.connectorId)), (1, int))
        for number, meant in (("21", 21), ("21.5", 21.5)):
            path = "$.chargingSchedule.chargingSchedulePeriod[*].limit"
            message = self.repaired(
                Kind.NUMBER_AS_STRING,
                v16.GetCompositeScheduleResponse,
                schedule(number),
                path,
                f"{path.replace('*', '0')}: a string, read as a number",
            )
            self.assertEqual(message.chargingSchedule.chargingSchedulePeriod[0].limit, meant)

    def test_strings_that_are_no_number(self) -> None:
        for text in ("", "x", "1,5", "1.5", "0x1", "1_0", "٣", "1e400", "9" * 5000, "-", "NaN"):
            payload = STATUS | {"connectorId": text}
            self.refused(TOLERANT, v16.StatusNotificationRequest, payload, "$.connectorId: ")

    def test_string_as_number(self) -> None:
        for number, meant in (
            (12, "12"),
            (230.0, "230.0"),
            (-0.5, "-0.5"),
            (10**30, "1" + "0" * 30),
        ):
            message = self.repaired(
                Kind.STRING_AS_NUMBER,
                v16.MeterValuesRequest,
                meter_values({"value": "1"}, {"value": number}),
                "$.meterValue[*].sampledValue[*].value",
                "$.meterValue[0].sampledValue[1].value: a number, read as a string",
            )
            self.assertEqual(message.meterValue[0].sampledValue[1].value, meant)

    def test_what_is_no_number_is_no_string(self) -> None:
        for value in (True, [], {}, None, 10**4000):
            self.refused(TOLERANT, v16.AuthorizeRequest, {"idTag": value}, "$.idTag: ")

    def test_enum_spelling(self) -> None:
        for written in ("available", "AVAILABLE", " Avail able-"):
            message = self.repaired(
                Kind.ENUM_SPELLING,
                v16.StatusNotificationRequest,
                STATUS | {"status": written},
                "$.status",
                f'$.status: "{written}" is not a value of OCPP, read as Available',
            )
            self.assertIs(message.status, v16.ChargePointStatus.Available)

    def test_enum_spelling_of_another_word(self) -> None:
        value = {"value": "1", "unit": "Percentage"}
        message, _ = self.read(TOLERANT, v16.MeterValuesRequest, meter_values(value))
        self.assertIs(message.meterValue[0].sampledValue[0].unit, v16.UnitOfMeasure.Percent)
        payload = {
            "pspRef": "1",
            "status": "Cancelled",
            "settlementAmount": 1,
            "settlementTime": TIME,
        }
        message, _ = self.read(TOLERANT, v21.NotifySettlementRequest, payload)
        self.assertIs(message.status, v21.PaymentStatusEnumType.Canceled)

    def test_a_name_that_is_near_to_none(self) -> None:
        for name in ("Free", "x" * 2**20, "Availabl"):
            payload = STATUS | {"status": name}
            self.refused(TOLERANT, v16.StatusNotificationRequest, payload, '$.status: "')

    def test_an_enum_accepted(self) -> None:
        for name in ("Free", "available"):
            message = self.accepted(
                Kind.ENUM_SPELLING,
                v16.StatusNotificationRequest,
                STATUS | {"status": name},
                "$.status",
                f'$.status: "{name}" is not a value of OCPP, taken as it came',
            )
            self.assertEqual(message.status, name)

    def test_no_two_names_of_an_enum_differ_in_their_spelling_only(self) -> None:
        for package in (v16, v20, v201, v21):
            for name in package.enums.__all__:
                names = list(getattr(package.enums, name))
                bare = {"".join(filter(str.isalnum, each.casefold())) for each in names}
                self.assertEqual(len(bare), len(names), name)

    def test_empty_value(self) -> None:
        message = self.repaired(
            Kind.EMPTY_VALUE,
            v16.StatusNotificationRequest,
            STATUS | {"timestamp": "", "vendorId": ""},
            "$.timestamp",
            "$.timestamp: an empty value, left out",
        )
        self.assertIs(message.timestamp, UNSET)
        self.assertEqual(message.vendorId, "")  # the schema allows that

    def test_empty_arrays_and_objects(self) -> None:
        token = {"idToken": "A", "type": "Central"}
        for empty in ("", []):
            message = self.repaired(
                Kind.EMPTY_VALUE,
                v201.AuthorizeRequest,
                {"idToken": token | {"additionalInfo": empty}},
                "$.idToken.additionalInfo",
                "$.idToken.additionalInfo: an empty value, left out",
            )
            self.assertIs(message.idToken.additionalInfo, UNSET)
        for field in ("customData", "statusInfo"):
            message, _ = self.read(TOLERANT, v201.ResetResponse, {"status": "Accepted", field: {}})
            self.assertIs(getattr(message, field), UNSET)

    def test_an_empty_array_that_is_allowed(self) -> None:
        payload = {"meterStop": 1, "timestamp": TIME, "transactionId": "1", "transactionData": []}
        message, _ = self.read(TOLERANT, v16.StopTransactionRequest, payload)
        self.assertEqual(message.transactionData, [])

    def test_an_empty_object_that_is_allowed(self) -> None:
        value = {"timestamp": TIME, "sampledValue": [{"value": "1", "unitOfMeasure": {}}]}
        payload = {"evseId": 1, "meterValue": [value]}
        message, _ = self.read(TOLERANT, v201.MeterValuesRequest, payload)
        sampled = message.meterValue[0].sampledValue[0]
        self.assertEqual(sampled.unitOfMeasure, v201.UnitOfMeasureType())

    def test_an_empty_value_that_is_required(self) -> None:
        payload = STATUS | {"status": ""}
        self.refused(TOLERANT, v16.StatusNotificationRequest, payload, "$.status: ")

    def test_null_value(self) -> None:
        message = self.repaired(
            Kind.NULL_VALUE,
            v16.StatusNotificationRequest,
            STATUS | {"info": None},
            "$.info",
            "$.info: null, left out",
        )
        self.assertIs(message.info, UNSET)
        self.refused(TOLERANT, v16.AuthorizeRequest, {"idTag": None}, "$.idTag: ")

    def test_null_where_anything_goes(self) -> None:
        payload = {"vendorId": "v", "data": None, "messageId": None}
        message, (repair,) = self.read(TOLERANT, v201.DataTransferRequest, payload)
        self.assertIsNone(message.data)
        self.assertEqual(repair.path, "$.messageId")

    def test_surplus_field(self) -> None:
        expected = v16.StatusNotificationRequest(**STATUS)
        payload = STATUS | {"b": {"c": []}, "a": 1}
        text = '$: unknown field "b", left out'
        arguments = Kind.SURPLUS_FIELD, v16.StatusNotificationRequest, payload, "$", text
        self.assertEqual(self.repaired(*arguments), expected)
        self.assertEqual(self.accepted(*arguments), expected)

    def test_surplus_field_inside(self) -> None:
        self.repaired(
            Kind.SURPLUS_FIELD,
            v16.MeterValuesRequest,
            meter_values({"value": "1", "x\n": 1}),
            "$.meterValue[*].sampledValue[*]",
            '$.meterValue[0].sampledValue[0]: unknown field "x\\n", left out',
        )

    def test_too_long(self) -> None:
        tag = "0123456789" * 3
        text = "$.idTag: a string of more than 20 characters, "
        arguments = Kind.TOO_LONG, v16.AuthorizeRequest, {"idTag": tag}, "$.idTag"
        self.assertEqual(self.repaired(*arguments, text + "cut").idTag, tag[:20])
        self.assertEqual(self.accepted(*arguments, text + "taken as it came").idTag, tag)

    def test_too_long_deep_inside(self) -> None:
        token = {"idToken": "A", "type": "Central"}
        info = {"additionalIdToken": "x" * 300, "type": "t"}
        payload = {"idToken": token | {"additionalInfo": [info, info]}}
        message = self.accepted(
            Kind.TOO_LONG,
            v201.AuthorizeRequest,
            payload,
            "$.idToken.additionalInfo[*].additionalIdToken",
            "$.idToken.additionalInfo[0].additionalIdToken: "
            "a string of more than 36 characters, taken as it came",
        )
        for each in message.idToken.additionalInfo:
            self.assertEqual(each.additionalIdToken, "x" * 300)

    def test_a_list_of_too_long_strings(self) -> None:
        keys = ["k" * 50, "k" * 51]
        payload = {"key": keys}
        message = self.accepted(
            Kind.TOO_LONG,
            v16.GetConfigurationRequest,
            payload,
            "$.key[*]",
            "$.key[1]: a string of more than 50 characters, taken as it came",
        )
        self.assertEqual(message.key, keys)

    def test_too_long_under_a_name_that_python_cannot_write(self) -> None:
        payload = {"15118SchemaVersion": "x" * 60, "exiRequest": "x"}
        leniency = only(Kind.TOO_LONG, Treatment.ACCEPT)
        message, _ = self.read(leniency, v20.Update15118EVCertificateRequest, payload)
        self.assertEqual(message.iso15118SchemaVersion, "x" * 60)
        certificate = {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": "a",
            "issuerKeyHash": "b",
            "serialNumber": "s" * 21,
        }
        payload = {
            "idToken": {"idToken": "A", "type": "Central"},
            "15118CertificateHashData": [certificate],
        }
        message, _ = self.read(leniency, v20.AuthorizeRequest, payload)
        self.assertEqual(message.iso15118CertificateHashData[0].serialNumber, "s" * 21)

    def test_decimal_noise(self) -> None:
        path = "$.chargingSchedule.chargingSchedulePeriod[*].limit"
        for number in (NOISE, 21.399999618530273):  # double and single precision
            arguments = Kind.DECIMAL_NOISE, v16.GetCompositeScheduleResponse, schedule(number), path
            text = f"{path.replace('*', '0')}: {number!r} has more than one decimal, "
            message = self.repaired(*arguments, text + "read as 21.4", standard=True)
            self.assertEqual(message.chargingSchedule.chargingSchedulePeriod[0].limit, 21.4)
            message = self.accepted(*arguments, text + "taken as it came")
            self.assertEqual(message.chargingSchedule.chargingSchedulePeriod[0].limit, number)

    def test_decimals_that_are_no_noise(self) -> None:
        path = "$.chargingSchedule.chargingSchedulePeriod[0].limit: "
        for number in (0.25, 1e-7, 32.01, 123456789.05):
            self.refused(TOLERANT, v16.GetCompositeScheduleResponse, schedule(number), path)
        leniency = only(Kind.DECIMAL_NOISE, Treatment.ACCEPT)
        message, _ = self.read(leniency, v16.GetCompositeScheduleResponse, schedule(0.25))
        self.assertEqual(message.chargingSchedule.chargingSchedulePeriod[0].limit, 0.25)

    def test_all_numbers_of_a_class_with_a_check_have_one_decimal(self) -> None:
        """What `repairs` takes for granted of the generated classes."""
        checked = 0
        for package in (v16, v20, v201, v21):
            for name in package.datatypes.__all__:
                kind = getattr(package.datatypes, name)
                if not hasattr(kind, "__post_init__"):
                    continue
                fields = inspect.type_info(kind).fields
                for field in fields:
                    if isinstance(field.type, inspect.UnionType):
                        checked += 1
                        values = dict.fromkeys((each.name for each in fields), UNSET)
                        self.assertRaises(ValueError, kind, **values | {field.name: 0.25})
        self.assertEqual(checked, 2)

    def test_null_payload(self) -> None:
        message = self.repaired(
            Kind.NULL_PAYLOAD, v16.HeartbeatRequest, None, "$", "$: null, read as {}", standard=True
        )
        self.assertEqual(message, v16.HeartbeatRequest())

    def test_several_at_one_place(self) -> None:
        message, repairs = self.read(TOLERANT, v16.AuthorizeRequest, {"idTag": 10**25})
        self.assertEqual(message.idTag, "1" + "0" * 19)
        self.assertEqual(
            [repair.kind for repair in repairs], [Kind.STRING_AS_NUMBER, Kind.TOO_LONG]
        )
        _, repairs = self.read(TOLERANT, v16.GetCompositeScheduleResponse, schedule(str(NOISE)))
        self.assertEqual(
            [repair.kind for repair in repairs], [Kind.NUMBER_AS_STRING, Kind.DECIMAL_NOISE]
        )


class Places(KindCase):
    """A path counts more than a kind, and a longer path more than a shorter one."""

    def leniency(self, **places: dict[str, Treatment]) -> Leniency:
        return Leniency(
            places={
                action: {path: dict.fromkeys(Kind, each) for path, each in paths.items()}
                for action, paths in places.items()
            }
        )

    def test_one_field_of_one_action(self) -> None:
        leniency = self.leniency(Authorize={"$.idTag": Treatment.ACCEPT})
        tag = "x" * 21
        message, _ = self.read(leniency, v16.AuthorizeRequest, {"idTag": tag})
        self.assertEqual(message.idTag, tag)
        start = {"connectorId": 1, "idTag": tag, "meterStart": 0, "timestamp": TIME}
        self.refused(leniency, v16.StartTransactionRequest, start, "$.idTag: ")

    def test_what_is_below(self) -> None:
        payload = meter_values({"value": 1, "unit": "wh"})
        leniency = self.leniency(MeterValues={"$.meterValue[*]": Treatment.REPAIR})
        message, _ = self.read(leniency, v16.MeterValuesRequest, payload)
        self.assertEqual(message.meterValue[0].sampledValue[0].value, "1")
        self.refused(leniency, v16.MeterValuesRequest, payload | {"x": 1}, "$.x: ")

    def test_the_longest_path(self) -> None:
        leniency = self.leniency(
            MeterValues={
                "$": Treatment.REPAIR,
                "$.meterValue[*].sampledValue[*].unit": Treatment.REJECT,
            }
        )
        self.read(leniency, v16.MeterValuesRequest, meter_values({"value": 1}))
        payload = meter_values({"value": 1, "unit": "wh"})
        path = "$.meterValue[0].sampledValue[0].unit: "
        self.refused(leniency, v16.MeterValuesRequest, payload, path)

    def test_a_name_that_only_begins_alike(self) -> None:
        leniency = self.leniency(StatusNotification={"$.vendor": Treatment.REPAIR})
        payload = STATUS | {"vendorId": None}
        self.refused(leniency, v16.StatusNotificationRequest, payload, "$.vendorId: ")


class Records(SynchronousTestCase):
    def test_equal_by_kind_action_and_path(self) -> None:
        one = Repair(Kind.TIME, "MeterValues", "$.a", "this")
        self.assertEqual({one: 1}[Repair(Kind.TIME, "MeterValues", "$.a", "that")], 1)
        for other in (
            Repair(Kind.TOO_LONG, "MeterValues", "$.a", "this"),
            Repair(Kind.TIME, "Authorize", "$.a", "this"),
            Repair(Kind.TIME, "MeterValues", "$.b", "this"),
            "this",
        ):
            self.assertNotEqual(one, other)

    def test_one_for_each_kind_and_place_whatever_is_sent(self) -> None:
        values = [{"value": index, f"x{index}": 1} for index in range(1000)]
        payload = json.dumps(meter_values(*values)).encode()
        _, repairs = v16.CATALOGUE.mend("MeterValues", v16.MeterValuesRequest, payload, TOLERANT)
        self.assertEqual(
            {(repair.kind, repair.path) for repair in repairs},
            {
                (Kind.STRING_AS_NUMBER, "$.meterValue[*].sampledValue[*].value"),
                (Kind.SURPLUS_FIELD, "$.meterValue[*].sampledValue[*]"),
            },
        )
        self.assertEqual(len(repairs), 2)


class Hostile(SynchronousTestCase):
    """A payload of 1 MiB costs as much time as its length, and nothing else."""

    def assert_cheap(self, kind: type, payload: bytes) -> None:
        begun = process_time()
        for leniency in (TOLERANT, LETTER):
            try:
                v16.CATALOGUE.mend(kind.ACTION, kind, payload, leniency)
            except CallFault as fault:
                self.assertTrue(fault.description.startswith("$"), fault.description[:99])
        self.assertLess(process_time() - begun, 10)

    def test_surplus_fields(self) -> None:
        fields = b",".join(b'"%d":[]' % index for index in range(100_000))
        self.assert_cheap(v16.HeartbeatRequest, b"{%b}" % fields)

    def test_names_that_look_like_places(self) -> None:
        words = b" - at `$.status" * 70_000
        for text in (b'"%b":1', b'"status":"%b"', b'"status":"%b`"', b'"%b`":1'):
            self.assert_cheap(v16.StatusNotificationRequest, b"{%b}" % (text % words))

    def test_a_huge_number(self) -> None:
        for number in (b"9" * 2**20, b'"%b"' % (b"9" * 2**20), b"9" * 4000, b"1e400", b"-1e308"):
            self.assert_cheap(v16.AuthorizeRequest, b'{"idTag":%b}' % number)
            self.assert_cheap(v16.StatusNotificationRequest, b'{"connectorId":%b}' % number)

    def test_deep(self) -> None:
        for inner in (b"[" * 2**19 + b"]" * 2**19, b'{"a":' * 2**17 + b"1" + b"}" * 2**17):
            self.assert_cheap(v16.HeartbeatRequest, inner)
            self.assert_cheap(v16.AuthorizeRequest, b'{"idTag":%b}' % inner)
            self.assert_cheap(v16.AuthorizeRequest, b'{"x":%b}' % inner)

    def test_times(self) -> None:
        for text in (b" " * 2**20, b"2024-01-01T00:00:60" * 50_000, b"9" * 2**20):
            self.assert_cheap(v16.StatusNotificationRequest, b'{"timestamp":"%b"}' % text)


BOOT_16 = {"chargePointVendor": "ACME", "chargePointModel": "One", "firmwareVersion": "1"}
STATION = {"vendorName": "ACME", "model": "One", "firmwareVersion": "1"}


class Sessions(SynchronousTestCase):
    """A session obeys the leniency that it has at the time."""

    def session(self, version: str, leniency: Leniency) -> Session:
        session = Session(CATALOGUES[version], lambda: "1")
        session.leniency = leniency
        return session

    def hears(self, session: Session, message: object, kind: type) -> Any:
        event = session.receive(json.dumps(message).encode())
        self.assertIs(type(event), kind, event)
        return event

    def test_a_call(self) -> None:
        session = self.session("1.6", STANDARD)
        call = [2, "a", "Authorize", {"idTag": 1}]
        event = self.hears(session, call, Rejected)
        self.assertIn("$.idTag: expected a string, got an integer", event.why)
        session.leniency = TOLERANT
        event = self.hears(session, call, CallReceived)
        self.assertEqual(event.request, v16.AuthorizeRequest(idTag="1"))
        self.assertEqual([repair.action for repair in event.repairs], ["Authorize"])

    def test_a_result(self) -> None:
        session = self.session("1.6", TOLERANT)
        session.call(v16.ClearCacheRequest(), 0.0, 30.0)
        next_frame(session)
        event = self.hears(session, [3, "1", {"status": "ACCEPTED"}], CallAnswered)
        self.assertEqual([repair.action for repair in event.repairs], ["ClearCache"])

    def test_a_send(self) -> None:
        session = self.session("2.1", TOLERANT)
        data = {"id": "1", "pending": 0, "basetime": TIME, "data": [{"t": 0, "v": 1}]}
        event = self.hears(session, [6, "1", "NotifyPeriodicEventStream", data], SendReceived)
        self.assertEqual(
            {repair.kind for repair in event.repairs},
            {Kind.NUMBER_AS_STRING, Kind.STRING_AS_NUMBER},
        )

    def short_callerror(self, leniency: Leniency, *message: object) -> CallEnded:
        session = self.session("1.6", leniency)
        session.call(v16.ClearCacheRequest(), 0.0, 30.0)
        next_frame(session)
        event = self.hears(session, message, CallEnded)
        self.assertIsNone(session.calls.deadline())
        return event

    def test_a_short_callerror(self) -> None:
        for message in ([4, "1", "E", "text"], [4, "1", "E"]):
            event = self.short_callerror(STANDARD, *message)
            error = event.error
            assert isinstance(error, CallErrorReceived)
            self.assertEqual(
                (error.code, error.description, error.details), ("E", "".join(message[3:]), {})
            )
            self.assertEqual(event.repairs, [Repair(Kind.SHORT_CALLERROR, "ClearCache", "$", "")])
            event = self.short_callerror(LETTER, *message)
            self.assertIsInstance(event.error, InvalidResponse)
            self.assertIn("[4, id, code, description, details]", str(event.error))

    def test_a_whole_callerror(self) -> None:
        self.assertIsNone(self.short_callerror(LETTER, 4, "1", "E", "", {}).repairs)

    def test_a_faulty_boot_is_read_as_its_vendor_may_write_it(self) -> None:
        def towards(*maker: str) -> Leniency:
            makers.append(maker)
            return TOLERANT if maker == ("ACME", "One", "1") else LETTER

        makers: list[tuple[str, ...]] = []
        leniency = Leniency(towards=towards)
        boot_2 = {"reason": "powerup", "chargingStation": STATION | {"modem": None}}
        boots = dict.fromkeys(("2.0", "2.0.1", "2.1"), boot_2) | {"1.6": BOOT_16 | {"imsi": None}}
        for version, boot in boots.items():
            session = self.session(version, leniency)
            event = self.hears(session, [2, "a", "BootNotification", boot], CallReceived)
            self.assertTrue(event.repairs, version)
            self.assertIs(leniency.towards(event.request), TOLERANT)
        self.assertEqual(set(makers), {("ACME", "One", "1")})

    def test_a_boot_without_a_maker(self) -> None:
        makers: list[tuple[str, ...]] = []

        def towards(*maker: str) -> Leniency:
            makers.append(maker)
            return LETTER

        session = self.session("1.6", Leniency(towards=towards))
        for payload in (
            None,
            [],
            "ACME",
            {"chargePointVendor": 1, "chargePointModel": None},
            {"chargingStation": []},
            {"chargingStation": {"vendorName": {}}},
        ):
            self.hears(session, [2, "a", "BootNotification", payload], Rejected)
        self.assertEqual(makers, [("", "", "")] * 6)
