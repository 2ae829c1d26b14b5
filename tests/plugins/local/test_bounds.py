"""However much a charge point says, what is kept has an end."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.bounded import Bounded
from ocpp_twisted.plugins.local.connectors import Connector, Connectors, ConnectorStatus
from ocpp_twisted.plugins.local.readings import Quantity, Reading, Readings
from ocpp_twisted.plugins.local.transactions import Event, Start, Stop, Transactions
from tests.plugins.local.wire import NOW

CP1, CP2, CP3 = Identity("CP1"), Identity("CP2"), Identity("CP3")
STOP = Stop(NOW, 8000, "Local")


def start(meter: int) -> Start:
    return Start(Connector(None, 1), "04A1B2C3", NOW, meter)


class Dictionary(SynchronousTestCase):
    def test_forgets_what_was_set_longest_ago(self) -> None:
        bounded: Bounded[str, int] = Bounded(2)
        bounded["a"], bounded["b"], bounded["a"], bounded["c"] = 1, 2, 3, 4
        self.assertEqual([("a", 3), ("c", 4)], list(bounded.items()))

    def test_renewed_counts_as_set(self) -> None:
        bounded: Bounded[str, int] = Bounded(2)
        bounded["a"], bounded["b"] = 1, 2
        self.assertEqual(1, bounded.renew("a", lambda: 7))
        bounded["c"] = 3
        self.assertEqual(["a", "c"], list(bounded))


class Limits(SynchronousTestCase):
    def test_open_transactions(self) -> None:
        transactions = Transactions(1, open_each=3)
        for meter in range(100):
            transactions.start(CP1, start(meter))
        self.assertEqual([98, 99, 100], [each.id for each in transactions.of(CP1)])

    def test_finished_transactions_do_not_push_out_open_ones(self) -> None:
        transactions = Transactions(1, open_each=3, finished_each=2)
        transactions.start(CP1, start(0))
        for meter in range(1, 100):
            transactions.stop(CP1, int(transactions.start(CP1, start(meter)).id), STOP)
        self.assertEqual([1, 99, 100], [each.id for each in transactions.of(CP1)])

    def test_events_of_ever_new_transactions(self) -> None:
        transactions = Transactions(1, open_each=3, finished_each=2)
        update = Event(1, None, None, None, None, None, None)
        for number in range(100):
            transactions.event(CP1, f"open-{number}", update)
            transactions.event(CP1, f"ended-{number}", update._replace(stopped=NOW))
        self.assertEqual(
            ["open-97", "open-98", "open-99", "ended-98", "ended-99"],
            [each.id for each in transactions.of(CP1)],
        )

    def test_charge_points_with_transactions(self) -> None:
        transactions = Transactions(1, charge_points=2)
        for charge_point in (CP1, CP2, CP1, CP3):
            transactions.start(charge_point, start(0))
        self.assertEqual(2, len(transactions))
        self.assertEqual((), transactions.of(CP2))

    def test_asking_for_unknown_transactions_keeps_nothing(self) -> None:
        transactions = Transactions(1)
        transactions.stop(CP1, 1, STOP)
        transactions.measured(CP1, 1, [])
        transactions.get(CP1, 1)
        self.assertEqual(0, len(transactions))

    def test_quantities(self) -> None:
        readings = Readings()
        readings.add((Quantity(phase=str(n)), Reading(1.0, "Wh", NOW)) for n in range(1000))
        readings.add([(Quantity(phase="0"), Reading(2.0, "Wh", NOW))])
        self.assertEqual(64, len(readings))
        self.assertEqual(2.0, readings[Quantity(phase="0")].value)

    def test_connectors(self) -> None:
        connectors = Connectors(charge_points=2, each=3)
        for charge_point in (CP1, CP2, CP3):
            for number in range(100):
                status = ConnectorStatus("Available", NOW)
                connectors.report(charge_point, Connector(1, number), status)
        self.assertEqual(2, len(connectors))
        self.assertEqual({}, connectors.of(CP1))
        self.assertEqual([97, 98, 99], [each.id for each in connectors.of(CP3)])
