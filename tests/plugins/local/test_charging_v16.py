from __future__ import annotations

from datetime import timedelta
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.local.connectors import Connector
from ocpp_twisted.plugins.local.readings import Quantity, Reading
from ocpp_twisted.plugins.local.transactions import Transactions
from tests.plugins.local.wire import NOW, NOW_TEXT, Site, at, at_text

START = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1000, "timestamp": NOW_TEXT}
ENERGY = Quantity("Energy.Active.Import.Register", "", "Outlet")


def meter_value(minute: int, **sampled: str) -> list[dict[str, Any]]:
    return [{"timestamp": at_text(minute), "sampledValue": [sampled]}]


class Transcript(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.transactions = self.site.plugin.transactions
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
    def test_id_counts_from_the_seconds_since_the_epoch(self) -> None:
        epoch = int(NOW.timestamp())
        self.assertEqual(epoch, self.start())
        self.assertEqual(epoch + 1, self.start(connectorId=2))

    def test_id_is_positive_and_fits_31_bits_even_after_2038(self) -> None:
        self.site.plugin.transactions = Transactions(first_id=2**31 - 1)
        self.assertEqual([2**31 - 1, 1], [self.start(), self.start(connectorId=2)])

    def test_process_that_starts_later_gives_out_other_ids(self) -> None:
        before = self.start()
        later = LocalPlugin(now=lambda: NOW + timedelta(seconds=5))
        self.site.plugin.transactions = later.transactions
        self.assertGreater(self.start(), before)

    def test_retry_gets_the_same_id(self) -> None:
        first = self.start()
        self.assertEqual(first, self.start())
        self.assertEqual(1, len(self.transactions.of("CP1")))

    def test_retry_over_a_new_connection_gets_the_same_id(self) -> None:
        first = self.start()
        self.charge_point = self.site.connect("ocpp1.6")
        self.assertEqual(first, self.start())

    def test_retry_after_the_end_gets_the_same_id_and_begins_nothing(self) -> None:
        first = self.start()
        self.stop(first)
        self.assertEqual(first, self.start())
        [transaction] = self.transactions.of("CP1")
        self.assertEqual(at(30), transaction.stopped)

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
        self.assertEqual(1, len(self.transactions.of(Identity("CP1", "acme"))))
        self.assertIsNone(self.transactions.get("CP2", first))

    def test_what_is_known_then(self) -> None:
        transaction = self.transactions.get("CP1", self.start())
        assert transaction is not None
        self.assertEqual(Connector(evse=None, id=1), transaction.connector)
        self.assertEqual("04A1B2C3", transaction.id_token)
        self.assertEqual((NOW, 1000), (transaction.started, transaction.meter_start))
        self.assertIsNone(transaction.stopped)


class Stopping(Transcript):
    def test_without_tag_nothing_is_said_of_it(self) -> None:
        self.assertEqual({}, self.stop(self.start()))

    def test_with_tag(self) -> None:
        self.assertEqual(
            {"idTagInfo": {"status": "Accepted"}}, self.stop(self.start(), idTag="04A1B2C3")
        )

    def test_what_is_known_then(self) -> None:
        transaction_id = self.start()
        self.stop(transaction_id, reason="EVDisconnected")
        transaction = self.transactions.get("CP1", transaction_id)
        assert transaction is not None
        self.assertEqual(
            (at(30), 8000, "EVDisconnected"),
            (transaction.stopped, transaction.meter_stop, transaction.reason),
        )

    def test_absent_reason_is_local(self) -> None:
        transaction_id = self.start()
        self.stop(transaction_id)
        [transaction] = self.transactions.of("CP1")
        self.assertEqual("Local", transaction.reason)

    def test_first_end_counts(self) -> None:
        transaction_id = self.start()
        first = self.stop(transaction_id, idTag="04A1B2C3")
        again = self.stop(transaction_id, idTag="04A1B2C3", meterStop=9000)
        self.assertEqual(first, again)
        [transaction] = self.transactions.of("CP1")
        self.assertEqual(8000, transaction.meter_stop)

    def test_unknown_transaction_is_answered_as_a_known_one(self) -> None:
        self.assertEqual({}, self.stop(-1))
        self.assertEqual({"idTagInfo": {"status": "Accepted"}}, self.stop(10**12, idTag="A"))
        self.assertEqual((), self.transactions.of("CP1"))

    def test_cannot_end_the_transaction_of_another_charge_point(self) -> None:
        transaction_id = self.start()
        self.charge_point = self.site.connect("ocpp1.6", "CP2")
        self.stop(transaction_id)
        [transaction] = self.transactions.of("CP1")
        self.assertIsNone(transaction.stopped)

    def test_transaction_data_is_read(self) -> None:
        transaction_id = self.start()
        self.stop(transaction_id, transactionData=meter_value(29, value="7999"))
        [transaction] = self.transactions.of("CP1")
        self.assertEqual({ENERGY: Reading(7999.0, "Wh", at(29))}, transaction.readings)


class Metering(Transcript):
    def readings_after(self, *values: list[dict[str, Any]]) -> dict[Quantity, Reading]:
        transaction_id = self.start()
        for value in values:
            answer = self.charge_point.calls(
                "MeterValues", connectorId=1, transactionId=transaction_id, meterValue=value
            )
            self.assertEqual({}, answer)
        transaction = self.transactions.get("CP1", transaction_id)
        assert transaction is not None
        return transaction.readings

    def test_defaults(self) -> None:
        self.assertEqual(
            {ENERGY: Reading(1100.0, "Wh", at(5))},
            self.readings_after(meter_value(5, value="1100")),
        )

    def test_quantities_are_told_apart(self) -> None:
        current = {"measurand": "Current.Import", "unit": "A"}
        readings = self.readings_after(
            meter_value(5, value="15.9", phase="L1", **current),
            meter_value(5, value="16.1", phase="L2", **current),
            meter_value(5, value="41", measurand="SoC", location="EV"),
        )
        self.assertEqual(
            {
                Quantity("Current.Import", "L1", "Outlet"): Reading(15.9, "A", at(5)),
                Quantity("Current.Import", "L2", "Outlet"): Reading(16.1, "A", at(5)),
                Quantity("SoC", "", "EV"): Reading(41.0, "", at(5)),
            },
            readings,
        )

    def test_newest_time_counts_not_the_last_to_come(self) -> None:
        readings = self.readings_after(meter_value(9, value="1900"), meter_value(5, value="1500"))
        self.assertEqual(1900.0, readings[ENERGY].value)

    def test_what_is_no_number_is_left_out(self) -> None:
        readings = self.readings_after(
            meter_value(5, value="n/a"),
            meter_value(5, value="NaN"),
            meter_value(5, value="1e999"),
            meter_value(5, value="12", format="SignedData"),
        )
        self.assertEqual({}, readings)

    def test_unknown_transaction_and_none(self) -> None:
        value = meter_value(5, value="1")
        for transaction in ({"transactionId": -1}, {}):
            answer = self.charge_point.calls(
                "MeterValues", connectorId=0, meterValue=value, **transaction
            )
            self.assertEqual({}, answer)
