from __future__ import annotations

from itertools import permutations
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ocpp_twisted.plugins.local import ITariff, LocalPlugin
from ocpp_twisted.plugins.local.store import seen
from ocpp_twisted.records import IdTag, Transaction
from tests.plugins.local.wire import NOW, Line, Site, at, at_text, of

TOKEN = {"idToken": "04A1B2C3", "type": "ISO14443"}
OTHER_TOKEN = {"idToken": "FFFFFFFF", "type": "ISO14443"}
ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}


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


def register(minute: int, value: float, context: str = "Sample.Periodic") -> list[dict[str, Any]]:
    return [{"timestamp": at_text(minute), "sampledValue": [{"value": value, "context": context}]}]


STARTED = event(
    "Started", 0, idToken=TOKEN, evse={"id": 1, "connectorId": 2}, meterValue=register(0, 1000)
)
CHARGING = event("Updated", 1, info={"chargingState": "Charging"}, meterValue=register(1, 2000))
SUSPENDED = event("Updated", 2, info={"chargingState": "SuspendedEV"})
ENDED = event(
    "Ended",
    3,
    idToken=OTHER_TOKEN,
    info={"stoppedReason": "Local"},
    meterValue=register(3, 4000, "Transaction.End"),
)


class Transcript(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.charge_point = self.site.connect("ocpp2.0.1")

    def after(self, *events: dict[str, Any]) -> Transaction:
        for payload in events:
            self.charge_point.calls("TransactionEvent", **payload)
        return self.site.transaction()


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
        transaction = self.site.transaction()
        self.assertEqual(("T1", NOW), (transaction.transactionId, transaction.started))

    def test_event_of_an_unknown_transaction(self) -> None:
        self.assertEqual({}, self.charge_point.calls("TransactionEvent", **CHARGING))
        self.assertEqual(ACCEPTED, self.charge_point.calls("TransactionEvent", **ENDED))


class Tokens(SynchronousTestCase):
    """What is told of a token when only those entered may charge."""

    def told(self, **more: Any) -> str:
        charge_point = Site(authorize="known").connect("ocpp2.0.1")
        answer = charge_point.calls("TransactionEvent", **event("Started", 0, **more))
        status: str = answer["idTokenInfo"]["status"]
        return status

    def test_unknown(self) -> None:
        self.assertEqual("Unknown", self.told(idToken=TOKEN))

    def test_none_at_all(self) -> None:
        self.assertEqual("Accepted", self.told(idToken={"idToken": "", "type": "NoAuthorization"}))

    def test_made_up_for_a_remote_start(self) -> None:
        central = {"idToken": "OURS", "type": "Central"}
        self.assertEqual("Unknown", self.told(idToken=central))
        self.assertEqual("Accepted", self.told(idToken=central, info={"remoteStartId": 5}))

    def test_what_was_told_is_known(self) -> None:
        site = Site(authorize="known")
        site.put_tags(IdTag(idTag="04a1b2c3", status="Blocked"))
        site.connect("ocpp2.1").calls("TransactionEvent", **STARTED)
        transaction = site.transaction()
        self.assertEqual(("04A1B2C3", "Blocked"), (transaction.idTag, transaction.idTagStatus))


class Knowledge(Transcript):
    def check_all(self, transaction: Transaction) -> None:
        self.assertEqual(("T1", "2.0.1"), (transaction.transactionId, transaction.version))
        self.assertEqual((1, 2), (transaction.evseId, transaction.connectorId))
        self.assertEqual(("04A1B2C3", "FFFFFFFF"), (transaction.idTag, transaction.stopIdTag))
        self.assertEqual((NOW, at(3)), (transaction.started, transaction.stopped))
        self.assertEqual((1000.0, 4000.0), (transaction.meterStart, transaction.meterStop))
        self.assertEqual("Local", transaction.reason)
        self.assertEqual("SuspendedEV", transaction.chargingState)
        self.assertTrue(transaction.complete)
        self.assertEqual([1000.0, 2000.0, 4000.0], [each.value for each in self.site.samples()])

    def test_in_order(self) -> None:
        self.check_all(self.after(STARTED, CHARGING, SUSPENDED, ENDED))

    def test_in_any_order(self) -> None:
        for order in permutations((STARTED, CHARGING, SUSPENDED, ENDED)):
            self.setUp()
            self.check_all(self.after(*order))

    def test_duplicates(self) -> None:
        events = (STARTED, CHARGING, SUSPENDED, ENDED)
        self.check_all(self.after(*events, *events))

    def test_over_a_new_connection(self) -> None:
        self.after(STARTED, CHARGING)
        self.charge_point = self.site.connect("ocpp2.0.1")
        self.check_all(self.after(CHARGING, SUSPENDED, ENDED))

    def test_late_duplicate_does_not_turn_the_state_back(self) -> None:
        transaction = self.after(STARTED, CHARGING, SUSPENDED, CHARGING)
        self.assertEqual("SuspendedEV", transaction.chargingState)

    def test_gap(self) -> None:
        self.assertFalse(self.after(STARTED, SUSPENDED, ENDED).complete)
        self.assertTrue(self.after(CHARGING).complete)

    def test_later_token_does_not_change_who_began(self) -> None:
        stop = event("Updated", 1, idToken=OTHER_TOKEN, triggerReason="StopAuthorized")
        another = event("Updated", 2, idToken=OTHER_TOKEN)
        transaction = self.after(STARTED, stop, another)
        self.assertEqual(("04A1B2C3", "FFFFFFFF"), (transaction.idTag, transaction.stopIdTag))

    def test_transactions_are_told_apart(self) -> None:
        self.after(STARTED)
        self.charge_point.calls(
            "TransactionEvent", **event("Ended", 9, info={"transactionId": "T2"})
        )
        first, second = self.site.transactions()
        self.assertEqual(["T1", "T2"], [first.transactionId, second.transactionId])
        self.assertIsNone(first.stopped)

    def test_what_is_kept_of_gaps_has_an_end(self) -> None:
        told = None
        for seq_no in range(0, 2000, 2):
            told = seen.added(told, seq_no, "Updated", ["charging_state"])
        assert told is not None
        self.assertEqual(256, len(told["ranges"]))
        self.assertEqual([1998, 1998], told["ranges"][-1])


class Metering(Transcript):
    def test_multiplier_and_unit(self) -> None:
        sampled = [
            {"value": 1.5, "unitOfMeasure": {"unit": "Wh", "multiplier": 3}},
            {"value": 230.1, "measurand": "Voltage", "unitOfMeasure": {"unit": "V"}},
            {"value": 41, "measurand": "SoC", "location": "EV"},
        ]
        values = [{"timestamp": at_text(1), "sampledValue": sampled}]
        self.after(event("Updated", 1, meterValue=values))
        self.assertEqual(
            [
                ("Energy.Active.Import.Register", 1500.0, "Wh", "Outlet"),
                ("Voltage", 230.1, "V", "Outlet"),
                ("SoC", 41.0, "", "EV"),
            ],
            [
                (each.measurand, each.value, each.unit, each.location)
                for each in self.site.samples()
            ],
        )

    def test_start_is_what_all_phases_together_show(self) -> None:
        sampled = [{"value": 1, "phase": "L1"}, {"value": 3}]
        values = [{"timestamp": at_text(0), "sampledValue": sampled}]
        self.assertEqual(3.0, self.after(event("Started", 0, meterValue=values)).meterStart)

    def test_kilowatt_hours(self) -> None:
        sampled = [{"value": 1.5, "unitOfMeasure": {"unit": "kWh"}}]
        values = [{"timestamp": at_text(0), "sampledValue": sampled}]
        self.assertEqual(1500.0, self.after(event("Started", 0, meterValue=values)).meterStart)

    def test_signed(self) -> None:
        signed = {
            "signedMeterData": "ZGF0YQ==",
            "signingMethod": "",
            "encodingMethod": "OCMF",
            "publicKey": "",
        }
        sampled = [{"value": 5, "signedMeterValue": signed}]
        self.after(
            event("Ended", 1, meterValue=[{"timestamp": at_text(1), "sampledValue": sampled}])
        )
        self.assertEqual([signed], [each.signed for each in self.site.samples()])

    def test_what_no_float_holds(self) -> None:
        unit = {"unit": "Wh", "multiplier": 10**9}
        for sampled in ({"value": 10**400}, {"value": 1.0, "unitOfMeasure": unit}):
            self.setUp()
            values = [{"timestamp": at_text(1), "sampledValue": [sampled]}]
            self.after(event("Updated", 1, meterValue=values))
            [sample] = self.site.samples()
            self.assertEqual(str(sampled["value"]), sample.value)

    def test_outside_of_transactions_the_last_is_kept(self) -> None:
        for version in ("ocpp2.0", "ocpp2.0.1", "ocpp2.1"):
            charge_point: Line = self.site.connect(version)
            for value in (1, 2):
                values = register(1, value)
                self.assertEqual({}, charge_point.calls("MeterValues", evseId=1, meterValue=values))
        [(key, [last])] = self.site.facts("meterValues").items()
        self.assertEqual(("1", 2), (key, last["sampledValue"][0]["value"]))


@implementer(ITariff)
class Tariff:
    """A tenth of a coin for each Wh."""

    def cost(self, transaction: Transaction) -> float | None:
        if transaction.meterStart is None or transaction.meterStop is None:
            return None
        return (transaction.meterStop - transaction.meterStart) / 10


class Costs(SynchronousTestCase):
    def test_so_far_and_in_the_end(self) -> None:
        class Mine(LocalPlugin):
            tariff = Tariff()

        for version in ("ocpp2.0.1", "ocpp2.1"):
            site = Site(Mine)
            charge_point = site.connect(version)
            answers = [
                charge_point.calls("TransactionEvent", **payload).get("totalCost")
                for payload in (STARTED, CHARGING, ENDED)
            ]
            self.assertEqual([0, 100, 300], answers)
            self.assertEqual(300, site.transaction().totalCost)

    def test_a_tariff_that_fails_loses_no_event(self) -> None:
        for cost in (lambda _: 1 / 0, lambda _: float("nan"), lambda _: "much"):

            class Mine(LocalPlugin):
                tariff = Tariff()

            self.patch(Mine.tariff, "cost", cost)
            site = Site(Mine)
            answer = site.connect("ocpp2.0.1").calls("TransactionEvent", **ENDED)
            self.assertNotIn("totalCost", answer)
            self.assertIsNotNone(site.transaction().stopped)
            self.assertEqual(1, len(self.flushLoggedErrors()))


class OneNumberForTwo(Transcript):
    """A charge point counts from the beginning again, or not at all."""

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[Any] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def warnings(self) -> int:
        return sum(each.get("seq_no") is not None for each in self.logged)

    def kept(self) -> list[Any]:
        found = of(self.site.plugin.list_events("TransactionEvent")).items
        return [each.data for each in reversed(found)]

    def test_retries_are_not_others(self) -> None:
        before = self.after(STARTED, CHARGING, SUSPENDED, ENDED)
        for again in permutations((STARTED, CHARGING, SUSPENDED, ENDED)):
            self.assertEqual(before, self.after(*again))
        self.assertEqual(([], 0), (self.kept(), self.warnings()))

    def test_the_first_stays(self) -> None:
        before = self.after(STARTED, CHARGING)
        other = {**CHARGING, "transactionInfo": {**SUSPENDED["transactionInfo"]}}
        self.assertEqual(before, self.after(other, other))
        self.assertEqual(([other], 1), (self.kept(), self.warnings()))
        restarted = {**STARTED, "timestamp": at_text(9)}
        self.assertEqual(before, self.after(restarted))
        self.assertEqual(([other, restarted], 1), (self.kept(), self.warnings()))

    def test_an_end_and_meter_values_are_not_lost(self) -> None:
        for payload in (STARTED, CHARGING, SUSPENDED):
            self.after(payload)
        updated = event("Updated", 0, meterValue=register(7, 5000)) | {"timestamp": at_text(7)}
        ended = {**ENDED, "seqNo": 1, "timestamp": at_text(8), "meterValue": register(8, 6000)}
        transaction = self.after(updated, ended, updated, ended)
        self.assertEqual(at(8), transaction.stopped)
        self.assertEqual(("Local", 6000.0), (transaction.reason, transaction.meterStop))
        self.assertEqual((NOW, 1000.0), (transaction.started, transaction.meterStart))
        self.assertEqual("SuspendedEV", transaction.chargingState)
        self.assertTrue(transaction.complete)
        self.assertEqual([1000, 2000, 5000, 6000], [each.value for each in self.site.samples()])
        self.assertEqual(([updated, ended], 1), (self.kept(), self.warnings()))

    def test_one_that_does_not_count(self) -> None:
        events = [{**each, "seqNo": 0} for each in (STARTED, CHARGING, SUSPENDED, ENDED)]
        transaction = self.after(*events)
        self.assertEqual((at(3), 4000.0), (transaction.stopped, transaction.meterStop))
        self.assertEqual([1000, 2000, 4000], [each.value for each in self.site.samples()])

    def test_the_second_end(self) -> None:
        before = self.after(STARTED, ENDED)
        other = {**ENDED, "timestamp": at_text(30)}
        self.assertEqual(before, self.after(other))
        self.assertEqual([other], self.kept())

    def test_a_retry_is_told_what_is_so_now(self) -> None:
        self.site.plugin.everybody = False
        self.assertEqual("Unknown", self.after(STARTED).idTagStatus)
        self.site.put_tags(IdTag(idTag=TOKEN["idToken"]))
        self.assertEqual("Accepted", self.after(STARTED).idTagStatus)
        self.assertEqual([], self.kept())
