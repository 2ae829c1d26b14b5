"""Where the messages deliberately differ from their schemas: docs/deviations.md, "Messages".

Each test shows what jsonschema says of a payload by the schema's own draft, and what we do.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.errors import CallFault
from tests.messages.schemas import ABSENT, Message, message

TIME = "2024-01-01T00:00:00Z"


class DifferenceTests(SynchronousTestCase):
    skip = ABSENT

    def assert_accepted(self, message: Message, text: bytes, by_schema: bool) -> object:
        self.assertEqual(message.is_valid(text), by_schema)
        return message.read(text)

    def assert_refused(self, message: Message, text: bytes, code: str) -> None:
        self.assertTrue(message.is_valid(text))
        fault = self.assertRaises(CallFault, message.read, text)
        self.assertEqual(message.catalogue.rules.spell(fault.code), code)

    def test_a_time_must_be_a_time(self) -> None:
        heartbeat = message("v16", "Heartbeat", is_request=False)
        for text in (b'"yesterday"', b'""', b'"2024-01-01"', b'"2024-02-30T00:00:00Z"'):
            self.assert_refused(
                heartbeat, b'{"currentTime":%b}' % text, "PropertyConstraintViolation"
            )

    def test_a_lone_surrogate_is_no_text(self) -> None:
        self.assert_refused(
            message("v16", "Authorize"), rb'{"idTag":"\ud800"}', "FormationViolation"
        )

    def test_a_whole_number_with_a_decimal_point_is_an_integer_in_draft_4_too(self) -> None:
        text = b'{"connectorId":1.0}'
        request = self.assert_accepted(message("v16", "UnlockConnector"), text, by_schema=False)
        self.assertEqual(request, v16.UnlockConnectorRequest(connectorId=1))
        text = b'{"evseId":1.0,"connectorId":2e0}'
        request = self.assert_accepted(message("v201", "UnlockConnector"), text, by_schema=True)
        self.assertEqual(request, v201.UnlockConnectorRequest(evseId=1, connectorId=2))

    def test_a_number_beyond_a_double_is_refused(self) -> None:
        cost = message("v201", "CostUpdated")
        for number in (b"1e400", b"-1e400"):
            text = b'{"totalCost":%b,"transactionId":"x"}' % number
            self.assert_refused(cost, text, "PropertyConstraintViolation")

    def test_an_integer_of_thousands_of_digits_is_refused(self) -> None:
        text = b'{"evseId":%b,"connectorId":1}' % (b"9" * 4301)
        message_ = message("v201", "UnlockConnector")
        self.assertRaises(CallFault, message_.read, text)

    def test_decimals_beyond_a_double_are_not_seen(self) -> None:
        text = json.dumps(_profile("LIMIT")).replace('"LIMIT"', "0.1000000000000000000001")
        profile = message("v16", "SetChargingProfile")
        self.assert_accepted(profile, text.encode(), by_schema=False)

    def test_null_is_an_empty_payload(self) -> None:
        heartbeat = message("v16", "Heartbeat")
        request = self.assert_accepted(heartbeat, b"null", by_schema=False)
        self.assertEqual(request, v16.HeartbeatRequest())

    def test_stop_transaction_knows_hertz(self) -> None:
        stop = message("v16", "StopTransaction")
        original = json.loads(stop.path.read_text(encoding="utf-8-sig"))
        data = original["properties"]["transactionData"]["items"]
        sampled = data["properties"]["sampledValue"]["items"]
        self.assertNotIn("Hertz", sampled["properties"]["unit"]["enum"])
        value = {"value": "50", "unit": "Hertz"}
        request = {
            "meterStop": 1,
            "timestamp": TIME,
            "transactionId": 1,
            "transactionData": [{"timestamp": TIME, "sampledValue": [value]}],
        }
        self.assertIsInstance(stop.read(json.dumps(request).encode()), v16.StopTransactionRequest)

    def test_transaction_data_may_lack_values_and_meter_values_may_not(self) -> None:
        text = b'{"meterStop":1,"timestamp":"%b","transactionId":1,"transactionData":[%b]}'
        empty = b'{"timestamp":"%b","sampledValue":[]}' % TIME.encode()
        stop = message("v16", "StopTransaction")
        request = self.assert_accepted(stop, text % (TIME.encode(), empty), by_schema=True)
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        self.assertEqual(
            request,
            v16.StopTransactionRequest(
                meterStop=1,
                timestamp=moment,
                transactionId=1,
                transactionData=[v16.TransactionData(timestamp=moment, sampledValue=[])],
            ),
        )

    def test_unknown_fields_of_2_0_are_accepted_and_not_kept(self) -> None:
        heartbeat = message("v20", "Heartbeat")
        request = self.assert_accepted(heartbeat, b'{"vendor":{"x":1}}', by_schema=True)
        self.assertEqual(request, v20.HeartbeatRequest())

    def test_one_decimal_in_2_x_is_prose(self) -> None:
        for package in (v201, v21):
            period = package.ChargingSchedulePeriodType(startPeriod=0, limit=0.25)
            self.assertEqual(period.limit, 0.25)


class OneDecimalTests(SynchronousTestCase):
    """``"multipleOf": 0.1`` of OCPP 1.6, which no multiplication of floats gets right."""

    def test_every_tenth_up_to_40(self) -> None:
        for tenths in range(401):
            text = json.dumps(_profile(tenths / 10)).encode()
            request = v16.CATALOGUE.read_request("SetChargingProfile", text)
            self.assertEqual(json.loads(v16.CATALOGUE.write(request)), json.loads(text))

    def test_two_decimals(self) -> None:
        for limit in (0.25, 0.01, 39.99, -0.05, 1e-7):
            text = json.dumps(_profile(limit)).encode()
            fault = self.assertRaises(
                CallFault, v16.CATALOGUE.read_request, "SetChargingProfile", text
            )
            self.assertEqual(fault.code, "PropertyConstraintViolation")
            self.assertIn("limit: expected at most 1 decimal", fault.description)

    def test_two_decimals_in_our_own_code(self) -> None:
        with self.assertRaisesRegex(ValueError, "at most 1 decimal"):
            v16.ChargingSchedulePeriod(startPeriod=0, limit=0.25)


def _profile(limit: object) -> dict[str, object]:
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            },
        },
    }
