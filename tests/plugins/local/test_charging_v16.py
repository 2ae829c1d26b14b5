from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.local.store.ids import HIGHEST
from ocpp_twisted.plugins.local.store.tables import counters
from ocpp_twisted.records import MeterSample
from tests.plugins.local.wire import NOW, NOW_TEXT, Site, at, at_text, of

START = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1000, "timestamp": NOW_TEXT}


def meter_value(minute: int, **sampled: str) -> list[dict[str, Any]]:
    return [{"timestamp": at_text(minute), "sampledValue": [sampled]}]


class Transcript(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.charge_point = self.site.connect("ocpp1.6")

    def start(self, **changes: Any) -> int:
        answer = self.charge_point.calls("StartTransaction", **{**START, **changes})
        self.assertEqual({"status": "Accepted"}, answer["idTagInfo"])
        transaction_id: int = answer["transactionId"]
        return transaction_id

    def stop(self, transaction_id: int, **more: Any) -> dict[str, Any]:
        stop = {"meterStop": 8000, "timestamp": at_text(30), "transactionId": transaction_id}
        return self.charge_point.calls("StopTransaction", **{**stop, **more})


class Starting(Transcript):
    def test_ids_count(self) -> None:
        first = self.start()
        self.assertEqual(first + 1, self.start(connectorId=2))

    def test_id_is_positive_and_fits_31_bits_even_after_2038(self) -> None:
        of(
            self.site.plugin.store.run(
                lambda db: db.execute(counters.update().values(value=HIGHEST - 1))
            )
        )
        self.assertEqual([HIGHEST, 1], [self.start(), self.start(connectorId=2)])

    def test_id_that_the_charge_point_has_told_of_is_not_given_out(self) -> None:
        """The store is a backup of yesterday, and the charge point still tells of today."""
        first = self.start()
        told = {"connectorId": 2, "meterValue": meter_value(1, value="1")}
        for later in (1, 2):
            self.charge_point.calls("MeterValues", transactionId=first + later, **told)

        self.assertEqual(first + 3, self.start(connectorId=2))

        known = [transaction.transactionId for transaction in self.site.transactions()]
        self.assertEqual([first, first + 1, first + 2, first + 3], known)

    def test_another_process_with_the_same_database_gives_out_other_ids(self) -> None:
        first = self.start()
        self.site.plugin = LocalPlugin(now=lambda: NOW, store=self.site.plugin.store)
        self.assertEqual(first + 1, of(self.site.plugin.new_id()))
        self.assertEqual(first + 2, self.start(connectorId=2))

    def test_retry_gets_the_same_id(self) -> None:
        first = self.start()
        self.assertEqual(first, self.start())
        self.assertEqual(1, len(self.site.transactions()))

    def test_retry_over_a_new_connection_gets_the_same_id(self) -> None:
        first = self.start()
        self.charge_point = self.site.connect("ocpp1.6")
        self.assertEqual(first, self.start())

    def test_retry_after_the_end_gets_the_same_id_and_begins_nothing(self) -> None:
        first = self.start()
        self.stop(first)
        self.assertEqual(first, self.start())
        self.assertEqual(at(30), self.site.transaction().stopped)

    def test_any_difference_is_another_transaction(self) -> None:
        changes: list[dict[str, Any]] = [
            {"connectorId": 2},
            {"idTag": "FFFFFFFF"},
            {"meterStart": 1001},
            {"timestamp": at_text(1)},
        ]
        ids = {self.start(), *(self.start(**change) for change in changes)}
        self.assertEqual(5, len(ids))

    def test_charge_points_are_told_apart(self) -> None:
        first = self.start()
        others = [self.site.connect("ocpp1.6", "CP2"), self.site.connect("ocpp1.6", "CP1", "acme")]
        ids = {first, *(cp.calls("StartTransaction", **START)["transactionId"] for cp in others)}
        self.assertEqual(3, len(ids))
        self.assertEqual(1, len(self.site.transactions(Identity("CP1", "acme"))))
        self.assertIsNone(of(self.site.plugin.find_transaction("CP2", first)))

    def test_what_is_known_then(self) -> None:
        transaction = of(self.site.plugin.find_transaction("CP1", self.start(reservationId=7)))
        self.assertEqual((None, 1), (transaction.evseId, transaction.connectorId))
        self.assertEqual("04A1B2C3", transaction.idTag)
        self.assertEqual((NOW, 1000), (transaction.started, transaction.meterStart))
        self.assertEqual(7, transaction.reservationId)
        self.assertIsNone(transaction.stopped)

    def test_numbers_that_no_column_holds(self) -> None:
        self.start(connectorId=10**30, meterStart=10**400)
        self.start(idTag="nul\0", timestamp="0001-01-01T00:00:00+05:00")
        first, second = self.site.transactions()
        self.assertEqual(2**63 - 1, first.connectorId)
        self.assertIsNone(first.meterStart)
        self.assertEqual("nul\ufffd", second.idTag)


class Stopping(Transcript):
    def test_without_tag_nothing_is_said_of_it(self) -> None:
        self.assertEqual({}, self.stop(self.start()))

    def test_with_tag(self) -> None:
        self.assertEqual(
            {"idTagInfo": {"status": "Accepted"}}, self.stop(self.start(), idTag="04A1B2C3")
        )

    def test_what_is_known_then(self) -> None:
        self.stop(self.start(), reason="EVDisconnected", idTag="OTHER")
        transaction = self.site.transaction()
        self.assertEqual(
            (at(30), 8000, "EVDisconnected"),
            (transaction.stopped, transaction.meterStop, transaction.reason),
        )
        self.assertEqual(("04A1B2C3", "OTHER"), (transaction.idTag, transaction.stopIdTag))

    def test_absent_reason_is_local(self) -> None:
        self.stop(self.start())
        self.assertEqual("Local", self.site.transaction().reason)

    def test_first_end_counts(self) -> None:
        transaction_id = self.start()
        first = self.stop(transaction_id, idTag="04A1B2C3")
        again = self.stop(transaction_id, idTag="04A1B2C3", meterStop=9000)
        self.assertEqual(first, again)
        self.assertEqual(8000, self.site.transaction().meterStop)

    def test_transaction_data_that_comes_twice_is_kept_once(self) -> None:
        transaction_id = self.start()
        for _ in range(2):
            self.stop(transaction_id, transactionData=meter_value(29, value="7999"))
        [sample] = self.site.samples()
        self.assertEqual((7999.0, "Wh", at(29)), (sample.value, sample.unit, sample.timestamp))

    def test_unknown_transaction_is_answered_as_a_known_one_and_kept(self) -> None:
        self.assertEqual({"idTagInfo": {"status": "Accepted"}}, self.stop(12345, idTag="A"))
        self.stop(12345, idTag="A")
        transaction = self.site.transaction()
        self.assertEqual((12345, None), (transaction.transactionId, transaction.started))
        self.assertEqual((at(30), 8000), (transaction.stopped, transaction.meterStop))

    def test_ends_without_an_id_are_told_apart(self) -> None:
        """Errata 3.18: the charge point never got an id, and sends -1."""
        for meter in (8000, 9000, 8000):
            self.assertEqual({}, self.stop(-1, meterStop=meter))
        self.stop(10**12)
        found = [(each.transactionId, each.meterStop) for each in self.site.transactions()]
        self.assertEqual([(-1, 8000), (-1, 9000), (10**12, 8000)], found)

    def test_cannot_end_the_transaction_of_another_charge_point(self) -> None:
        transaction_id = self.start()
        self.charge_point = self.site.connect("ocpp1.6", "CP2")
        self.stop(transaction_id)
        self.assertIsNone(self.site.transaction("CP1").stopped)


class Metering(Transcript):
    def samples_after(self, *values: list[dict[str, Any]]) -> list[MeterSample]:
        transaction_id = self.start()
        for value in values:
            answer = self.charge_point.calls(
                "MeterValues", connectorId=1, transactionId=transaction_id, meterValue=value
            )
            self.assertEqual({}, answer)
        return self.site.samples()

    def test_defaults(self) -> None:
        expected = MeterSample(
            timestamp=at(5),
            value=1100.0,
            measurand="Energy.Active.Import.Register",
            location="Outlet",
            context="Sample.Periodic",
            unit="Wh",
        )
        self.assertEqual([expected], self.samples_after(meter_value(5, value="1100")))

    def test_all_that_is_told(self) -> None:
        told = {
            "value": "15.9",
            "measurand": "Current.Import",
            "unit": "A",
            "phase": "L1",
            "location": "EV",
            "context": "Trigger",
        }
        expected = MeterSample(timestamp=at(5), **{**told, "value": 15.9})
        self.assertEqual([expected], self.samples_after(meter_value(5, **told)))

    def test_in_the_order_of_their_times_and_each_once(self) -> None:
        late, early = meter_value(9, value="1900"), meter_value(5, value="1500")
        samples = self.samples_after(late, early, late, early)
        self.assertEqual([1500.0, 1900.0], [each.value for each in samples])

    def test_what_is_no_number_stays_as_it_came(self) -> None:
        samples = self.samples_after(
            meter_value(5, value="n/a"),
            meter_value(5, value="NaN"),
            meter_value(5, value="1e999"),
            meter_value(5, value="12", format="SignedData"),
        )
        self.assertEqual(["n/a", "NaN", "1e999", "12"], [each.value for each in samples])
        self.assertEqual([None, None, None, True], [each.signed for each in samples])

    def test_unknown_transaction_begins_with_it(self) -> None:
        value = meter_value(5, value="1")
        self.charge_point.calls("MeterValues", connectorId=1, transactionId=77, meterValue=value)
        self.assertEqual([1.0], [each.value for each in self.site.samples()])
        self.stop(77)
        self.assertEqual(8000, self.site.transaction().meterStop)

    def test_outside_of_transactions_the_last_is_kept(self) -> None:
        for transaction in ({"transactionId": -1}, {}):
            for value in ("1", "2"):
                answer = self.charge_point.calls(
                    "MeterValues",
                    connectorId=0,
                    meterValue=meter_value(5, value=value),
                    **transaction,
                )
                self.assertEqual({}, answer)
        self.assertEqual([], self.site.transactions())
        [(key, [last])] = self.site.facts("meterValues").items()
        self.assertEqual(("0", [{"value": "2"}]), (key, last["sampledValue"]))
