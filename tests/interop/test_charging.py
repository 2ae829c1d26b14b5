"""A car is charged at a charge point of each version, and the charge point is sent commands.

The charge point is the package ocpp over websockets, which judges every answer of ours by the
schemas; for 2.0, which the package no longer speaks, it is frames of our own.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.errors import CallErrorReceived, CallTimedOut
from ocpp_twisted.identity import Identity
from tests.interop.case import InteropCase
from tests.messages import schemas

ACCEPTED_TAG = [3, {"idTagInfo": {"status": "Accepted"}}]
ACCEPTED_TOKEN = [3, {"idTokenInfo": {"status": "Accepted"}}]
EMPTY = [3, {}]


def steady(answer: list[Any]) -> list[Any]:
    """An answer without what differs from run to run, once that has been found to be good."""
    kind, payload = answer
    payload = dict(payload)
    if now := payload.pop("currentTime", None):
        assert now.endswith("Z"), now
        assert abs(datetime.now(UTC) - datetime.fromisoformat(now)) < timedelta(minutes=1), now
        payload["currentTime"] = "now"
    if transaction_id := payload.pop("transactionId", None):
        assert isinstance(transaction_id, int), transaction_id
        payload["transactionId"] = "new"
    return [kind, payload]


BOOTED = [3, {"currentTime": "now", "interval": 300, "status": "Accepted"}]
BEATEN = [3, {"currentTime": "now"}]

REFUSED = [4, "SecurityError", "only the operator may reset me", {"operator": "Æther & Co"}]


class Charging:
    """What is the same in all versions; mixed into an `InteropCase` for each of them."""

    package: Any
    program: str
    answers: ClassVar[list[tuple[str, list[Any]]]]
    #: A call that the charge point answers, with what it answers; one that it refuses; and one
    #: that it never answers.
    answered: Any
    answer: Any
    answer_on_the_wire: ClassVar[dict[str, Any]]
    refused: Any

    async def test_charging(self) -> None:
        """Boot, status, authorize, charge, heartbeat: each CALL gets the answer it should."""
        charge_point = self.charge_point(self.program, "/ocpp/CP-1")
        opened = await charge_point.opened()
        self.assertEqual(opened["opened"], f"ocpp{self.package.CATALOGUE.version}")
        await charge_point.charged()
        lines = await charge_point.stop()

        found = [(action, steady(answer)) for action, _, answer in charge_point.exchanges()]
        self.assertEqual(found, self.answers)
        self.assertEqual(lines[-1], {"closed": 1000, "reason": ""})
        self.check_requests(self.recorder.requests())
        offline = await self.recorder.heard.when(lambda entry: entry[0] == "offline")
        self.assertEqual(
            offline, ("offline", Identity("CP-1"), "the charge point closed with 1000")
        )

    async def test_commands(self) -> None:
        """It answers one call of ours, refuses one, and never answers another."""
        charge_point = self.charge_point(self.program, "/ocpp/CP-1")
        await charge_point.charged()

        answer = await self.call("CP-1", self.answered)
        self.assertEqual(answer, self.answer)

        error = await self.assertFailure(self.call("CP-1", self.refused), CallErrorReceived)
        self.assertEqual([4, error.code, error.description, error.details], REFUSED)

        never = self.package.ClearCacheRequest()
        started = datetime.now(UTC)
        late = await self.assertFailure(self.call("CP-1", never, timeout=0.5), CallTimedOut)
        self.assertTrue(late.sent)
        self.assertLess(datetime.now(UTC) - started, timedelta(seconds=5))
        await charge_point.received("ClearCache")

        ours = charge_point.exchanges(asked="received", answered="sent")
        self.assertEqual(
            [(action, answer) for action, _, answer in ours],
            [
                (self.answered.ACTION, [3, self.answer_on_the_wire]),
                ("Reset", REFUSED),
                ("ClearCache", None),
            ],
        )
        heard = [entry[2:] for entry in self.recorder.heard.entries if entry[0] == "result"]
        self.assertEqual(heard, [(self.answered, answer), (self.refused, error)])
        await charge_point.stop()

    def check_requests(self, requests: list[Any]) -> None:
        """The typed requests, as the plug-ins see them, hold what the charge point sent."""
        raise NotImplementedError


class Charging16(Charging):
    package = v16
    program = "v16"
    answers: ClassVar = [
        ("BootNotification", BOOTED),
        ("StatusNotification", EMPTY),
        ("Authorize", ACCEPTED_TAG),
        ("StartTransaction", [3, {**ACCEPTED_TAG[1], "transactionId": "new"}]),
        ("MeterValues", EMPTY),
        ("StopTransaction", ACCEPTED_TAG),
        ("Heartbeat", BEATEN),
    ]
    answered = v16.GetConfigurationRequest(key=["HeartbeatInterval", "NoSuchKey"])
    answer_on_the_wire: ClassVar = {
        "configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}],
        "unknownKey": ["NoSuchKey"],
    }
    answer = v16.GetConfigurationResponse(
        configurationKey=[v16.KeyValue(key="HeartbeatInterval", readonly=False, value="300")],
        unknownKey=["NoSuchKey"],
    )
    refused = v16.ResetRequest(type="Hard")

    def check_requests(self, requests: list[Any]) -> None:
        boot, status, authorize, start, meter, stop, heartbeat = requests
        self.assertEqual(boot.chargePointVendor, "Volt & Söhne")
        self.assertEqual(authorize, v16.AuthorizeRequest(idTag="04A2B6C8"))
        self.assertEqual(heartbeat, v16.HeartbeatRequest())
        # The charge point named no zone: its times are UTC.
        times = [status.timestamp, start.timestamp, meter.meterValue[0].timestamp, stop.timestamp]
        self.assertEqual([time.utcoffset() for time in times], [timedelta()] * 4)
        self.assertLess(datetime.now(UTC) - start.timestamp, timedelta(minutes=1))
        self.assertEqual(meter.transactionId, stop.transactionId)
        self.assertEqual(meter.meterValue[0].sampledValue[2].unit, "Celsius")


TOKEN = {"idToken": "04A2B6C8", "type": "ISO14443"}


class Charging2(Charging):
    answers: ClassVar = [
        ("BootNotification", BOOTED),
        ("StatusNotification", EMPTY),
        ("Authorize", ACCEPTED_TOKEN),
        ("TransactionEvent", ACCEPTED_TOKEN),
        ("TransactionEvent", EMPTY),
        ("TransactionEvent", EMPTY),
        ("Heartbeat", BEATEN),
    ]
    answer_on_the_wire: ClassVar = {
        "getVariableResult": [
            {
                "attributeStatus": "Accepted",
                "attributeValue": "300",
                "component": {"name": "OCPPCommCtrlr"},
                "variable": {"name": "HeartbeatInterval"},
            }
        ]
    }

    @property
    def answered(self) -> Any:
        asked = self.package.GetVariableDataType(
            component=self.package.ComponentType(name="OCPPCommCtrlr"),
            variable=self.package.VariableType(name="HeartbeatInterval"),
        )
        return self.package.GetVariablesRequest(getVariableData=[asked])

    @property
    def answer(self) -> Any:
        result = self.package.GetVariableResultType(
            attributeStatus="Accepted",
            attributeValue="300",
            component=self.package.ComponentType(name="OCPPCommCtrlr"),
            variable=self.package.VariableType(name="HeartbeatInterval"),
        )
        return self.package.GetVariablesResponse(getVariableResult=[result])

    @property
    def refused(self) -> Any:
        return self.package.ResetRequest(type="Immediate")

    def check_requests(self, requests: list[Any]) -> None:
        boot, status, authorize, started, updated, ended, heartbeat = requests
        self.assertEqual(boot.chargingStation.vendorName, "Volt & Söhne")
        self.assertEqual(authorize.idToken.idToken, "04A2B6C8")
        self.assertEqual(heartbeat, self.package.HeartbeatRequest())
        times = [status.timestamp, *(event.timestamp for event in (started, updated, ended))]
        self.assertEqual([time.utcoffset() for time in times], [timedelta()] * 4)
        self.assertLess(datetime.now(UTC) - started.timestamp, timedelta(minutes=1))
        self.assertEqual(updated.meterValue[0].sampledValue[0].value, 1234.5)


class Charging20(Charging2):
    package = v20
    program = "v20"


class Charging201(Charging2):
    package = v201
    program = "v201"


class Charging21(Charging2):
    package = v21
    program = "v21"


class WS16(Charging16, InteropCase):
    """OCPP 1.6 over WS."""


class WS20(Charging20, InteropCase):
    """OCPP 2.0 over WS."""

    async def test_schemas(self) -> None:
        """Every answer of ours is one that the schemas of 2.0 allow."""
        if schemas.ABSENT:
            self.skipTest(schemas.ABSENT)
        charge_point = self.charge_point(self.program, "/ocpp/CP-1")
        await charge_point.charged()
        await charge_point.stop()
        for action, _, (_, payload) in charge_point.exchanges():
            schema = schemas.message("v20", action, is_request=False)
            self.assertTrue(schema.is_valid(json.dumps(payload).encode()), (action, payload))


class WS201(Charging201, InteropCase):
    """OCPP 2.0.1 over WS."""


class WS21(Charging21, InteropCase):
    """OCPP 2.1 over WS."""

    async def test_send(self) -> None:
        """Its SEND is taken, and has no answer."""
        charge_point = self.charge_point(self.program, "/ocpp/CP-1")
        await charge_point.charged()
        lines = await charge_point.stop()
        first, second = lines[1:3]
        self.assertEqual(first["sent"][:3], [6, "send-1", "NotifyPeriodicEventStream"])
        self.assertEqual(second["sent"][2], "BootNotification")
        received = [line["received"] for line in lines if "received" in line]
        self.assertNotIn("send-1", [message_id for _, message_id, _ in received])


class Secure(InteropCase):
    """Over WSS: the charge point checks our certificate."""

    secure = True


class WSS16(Charging16, Secure):
    """OCPP 1.6 over WSS."""


class WSS20(Charging20, Secure):
    """OCPP 2.0 over WSS."""


class WSS201(Charging201, Secure):
    """OCPP 2.0.1 over WSS."""


class WSS21(Charging21, Secure):
    """OCPP 2.1 over WSS."""
