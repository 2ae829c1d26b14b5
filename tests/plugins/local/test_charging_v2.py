from __future__ import annotations

from itertools import permutations
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.plugins.local.connectors import Connector
from ocpp_twisted.plugins.local.readings import Quantity, Reading
from ocpp_twisted.plugins.local.transactions import Transaction
from tests.plugins.local.wire import NOW, Line, Site, at, at_text

TOKEN = {"idToken": "04A1B2C3", "type": "ISO14443"}
OTHER_TOKEN = {"idToken": "FFFFFFFF", "type": "ISO14443"}
ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}
ENERGY = Quantity("Energy.Active.Import.Register", "", "Outlet")


def event(kind: str, seq_no: int, **more: Any) -> dict[str, Any]:
    """A TransactionEvent of 2.0.1 or 2.1 that is `seq_no` minutes after `NOW`."""
    info = {"transactionId": "T1", **more.pop("info", {})}
    return {
        "eventType": kind,
        "timestamp": at_text(seq_no),
        "triggerReason": "Trigger",
        "seqNo": seq_no,
        "transactionInfo": info,
        **more,
    }


STARTED = event("Started", 0, idToken=TOKEN, evse={"id": 1, "connectorId": 2})
CHARGING = event("Updated", 1, info={"chargingState": "Charging"})
SUSPENDED = event("Updated", 2, info={"chargingState": "SuspendedEV"})
ENDED = event("Ended", 3, idToken=OTHER_TOKEN, info={"stoppedReason": "Local"})


class Transcript(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.charge_point = self.site.connect("ocpp2.0.1")

    def after(self, *events: dict[str, Any]) -> Transaction:
        for payload in events:
            self.charge_point.calls("TransactionEvent", **payload)
        [transaction] = self.site.plugin.transactions.of("CP1")
        return transaction


class Answers(Transcript):
    def test_token_is_spoken_of_only_if_there_is_one(self) -> None:
        for version in ("ocpp2.0.1", "ocpp2.1"):
            charge_point = self.site.connect(version, version)
            answers = [
                charge_point.calls("TransactionEvent", **payload)
                for payload in (STARTED, CHARGING, SUSPENDED, ENDED)
            ]
            self.assertEqual([ACCEPTED, {}, {}, ACCEPTED], answers)

    def test_duplicate_has_the_same_answer(self) -> None:
        answers = [self.charge_point.calls("TransactionEvent", **STARTED) for _ in range(2)]
        self.assertEqual([ACCEPTED, ACCEPTED], answers)

    def test_v20_names_the_transaction_otherwise(self) -> None:
        charge_point = self.site.connect("ocpp2.0")
        payload = {**STARTED, "transactionData": {"id": "T1"}}
        del payload["transactionInfo"]
        self.assertEqual(ACCEPTED, charge_point.calls("TransactionEvent", **payload))
        [transaction] = self.site.plugin.transactions.of("CP1")
        self.assertEqual(("T1", NOW), (transaction.id, transaction.started))

    def test_event_of_an_unknown_transaction(self) -> None:
        self.assertEqual({}, self.charge_point.calls("TransactionEvent", **CHARGING))
        self.assertEqual(ACCEPTED, self.charge_point.calls("TransactionEvent", **ENDED))


class Knowledge(Transcript):
    def check_all(self, transaction: Transaction) -> None:
        self.assertEqual("T1", transaction.id)
        self.assertEqual(Connector(evse=1, id=2), transaction.connector)
        self.assertEqual("04A1B2C3", transaction.id_token)
        self.assertEqual((NOW, at(3)), (transaction.started, transaction.stopped))
        self.assertEqual("Local", transaction.reason)
        self.assertEqual("SuspendedEV", transaction.charging_state)

    def test_in_order(self) -> None:
        self.check_all(self.after(STARTED, CHARGING, SUSPENDED, ENDED))

    def test_in_any_order(self) -> None:
        for order in permutations((STARTED, CHARGING, SUSPENDED, ENDED)):
            self.setUp()
            self.check_all(self.after(*order))

    def test_duplicates(self) -> None:
        events = (STARTED, CHARGING, SUSPENDED, ENDED)
        self.check_all(self.after(*events, *events))

    def test_late_duplicate_does_not_turn_the_state_back(self) -> None:
        transaction = self.after(STARTED, CHARGING, SUSPENDED, CHARGING)
        self.assertEqual("SuspendedEV", transaction.charging_state)

    def test_transactions_are_told_apart(self) -> None:
        self.after(STARTED)
        self.charge_point.calls(
            "TransactionEvent", **event("Ended", 9, info={"transactionId": "T2"})
        )
        transactions = self.site.plugin.transactions
        self.assertEqual(["T1", "T2"], [each.id for each in transactions.of("CP1")])
        first = transactions.get("CP1", "T1")
        assert first is not None
        self.assertIsNone(first.stopped)


class Metering(Transcript):
    def test_multiplier_and_unit(self) -> None:
        sampled = [
            {"value": 1.5, "unitOfMeasure": {"unit": "Wh", "multiplier": 3}},
            {"value": 230.1, "measurand": "Voltage", "unitOfMeasure": {"unit": "V"}},
            {"value": 41, "measurand": "SoC", "location": "EV"},
        ]
        values = [{"timestamp": at_text(1), "sampledValue": sampled}]
        transaction = self.after(event("Updated", 1, meterValue=values))
        self.assertEqual(
            {
                ENERGY: Reading(1500.0, "Wh", at(1)),
                Quantity("Voltage", "", "Outlet"): Reading(230.1, "V", at(1)),
                Quantity("SoC", "", "EV"): Reading(41.0, "", at(1)),
            },
            transaction.readings,
        )

    def test_what_no_float_holds_is_left_out(self) -> None:
        unit = {"unit": "Wh", "multiplier": 10**9}
        for sampled in ({"value": 10**400}, {"value": 1.0, "unitOfMeasure": unit}):
            values = [{"timestamp": at_text(1), "sampledValue": [sampled]}]
            self.assertEqual({}, self.after(event("Updated", 1, meterValue=values)).readings)

    def test_meter_values_belong_to_no_transaction(self) -> None:
        values = [{"timestamp": at_text(1), "sampledValue": [{"value": 1}]}]
        for version in ("ocpp2.0", "ocpp2.0.1", "ocpp2.1"):
            charge_point: Line = self.site.connect(version)
            self.assertEqual({}, charge_point.calls("MeterValues", evseId=1, meterValue=values))
