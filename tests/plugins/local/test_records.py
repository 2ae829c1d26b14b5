"""What is kept, read and changed from outside."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.records import IdTag
from tests.plugins.local.wire import Site, at, at_text, of


class RecordsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.plugin = self.site.plugin

    def all_of(self, method: Any, *arguments: Any, **more: Any) -> list[Any]:
        """The items of all pages, two to a page."""
        items: list[Any] = []
        after = None
        while True:
            page = of(method(*arguments, **more, after=after, limit=2))
            items += page.items
            if page.next is None:
                return items
            self.assertEqual(2, len(page.items))
            after = page.next

    def start(self, charge_point: str, minute: int, id_tag: str = "ANNA", name: str = "") -> int:
        line = self.site.connect("ocpp1.6", charge_point, name)
        transaction_id: int = line.calls(
            "StartTransaction",
            connectorId=1,
            idTag=id_tag,
            meterStart=0,
            timestamp=at_text(minute),
        )["transactionId"]
        return transaction_id


class Tags(RecordsCase):
    def test_put_counts_the_new_ones(self) -> None:
        self.assertEqual(2, of(self.plugin.put_id_tags([IdTag(idTag="A"), IdTag(idTag="B")])))
        self.assertEqual(
            1, of(self.plugin.put_id_tags([IdTag(idTag="b", status="Blocked"), IdTag(idTag="C")]))
        )
        self.assertEqual(IdTag(idTag="b", status="Blocked"), of(self.plugin.get_id_tag("B")))

    def test_pages(self) -> None:
        self.site.put_tags(*(IdTag(idTag=letter) for letter in "cAeBd"))
        found = self.all_of(self.plugin.list_id_tags)
        self.assertEqual(["A", "B", "c", "d", "e"], [each.idTag for each in found])

    def test_unknown(self) -> None:
        self.assertIsNone(of(self.plugin.get_id_tag("A")))
        self.assertFalse(of(self.plugin.delete_id_tag("A")))

    def test_as_json(self) -> None:
        told = b'{"idTag":"A","expiryDate":"2020-01-01T00:00:00Z","maxTransactions":2}'
        tag = msgspec.json.decode(told, type=IdTag)
        self.site.put_tags(tag)
        self.assertEqual(tag, of(self.plugin.get_id_tag("A")))
        for wrong in (b'{"idTag":""}', b'{"idTag":"A","status":"Good"}', b'{"idTag":"A","x":1}'):
            with self.assertRaises(msgspec.ValidationError):
                msgspec.json.decode(wrong, type=IdTag)


class ChargePoints(RecordsCase):
    def test_pages(self) -> None:
        for name, id_ in (("", "b"), ("x", "a"), ("", "a"), ("x", "/"), ("", "c")):
            of(self.plugin.put_charge_point(Identity(id_, name)))
        found = self.all_of(self.plugin.list_charge_points)
        expected = [("", "a"), ("", "b"), ("", "c"), ("x", "/"), ("x", "a")]
        self.assertEqual(expected, [(each.name, each.id) for each in found])

    def test_forgotten(self) -> None:
        line = self.site.connect("ocpp1.6")
        line.calls("StatusNotification", connectorId=1, status="Available", errorCode="NoError")
        self.start("CP1", 1)
        self.assertTrue(of(self.plugin.delete_charge_point("CP1")))
        self.assertIsNone(of(self.plugin.get_charge_point("CP1")))
        self.assertEqual({}, self.site.facts("connector"))
        self.assertEqual(1, len(self.site.transactions()))


class Transactions(RecordsCase):
    def setUp(self) -> None:
        super().setUp()
        for minute, (charge_point, tag) in enumerate(
            [("CP1", "ANNA"), ("CP2", "anna"), ("CP1", "BERT"), ("CP1", "ANNA"), ("CP2", "BERT")]
        ):
            self.site.time = at(minute)
            self.start(charge_point, minute, tag)
        self.site.time = at(30)
        third = sorted(each.id for each in self.all_of(self.plugin.list_transactions))[2]
        of(self.plugin.close_transaction(third))

    def found(self, **filters: Any) -> list[int]:
        """Which of the five."""
        found = self.all_of(self.plugin.list_transactions, **filters)
        first = min(each.id for each in self.all_of(self.plugin.list_transactions))
        return [each.id - first + 1 for each in found]

    def test_filters(self) -> None:
        self.assertEqual([5, 4, 3, 2, 1], self.found())
        self.assertEqual([4, 3, 1], self.found(charge_point="CP1"))
        self.assertEqual([4, 2, 1], self.found(id_tag="Anna"))
        self.assertEqual([5, 4, 2, 1], self.found(is_open=True))
        self.assertEqual([3], self.found(is_open=False))
        self.assertEqual([3, 2], self.found(since=at(1), until=at(3)))
        self.assertEqual([4], self.found(charge_point="CP1", is_open=True, since=at(1)))
        self.assertEqual([], self.found(charge_point=Identity("CP1", "acme")))

    def test_pages_that_are_none(self) -> None:
        for wrong in ("x", "[]", '["a"]', "[1,2]", f"[{2**63}]", f"[{-(2**63)}]"):
            self.failureResultOf(self.plugin.list_transactions(after=wrong), ValueError)
        for limit in (0, 1001):
            self.failureResultOf(self.plugin.list_transactions(limit=limit), ValueError)


class Closing(RecordsCase):
    def test_charge_point_has_the_last_word(self) -> None:
        transaction_id = self.start("CP1", 0)
        self.site.time = at(30)
        closed = of(self.plugin.close_transaction(self.site.transaction().id))
        self.assertEqual((at(30), at(30)), (closed.stopped, closed.closed))
        self.site.connect("ocpp1.6").calls(
            "StopTransaction", transactionId=transaction_id, meterStop=5, timestamp=at_text(20)
        )
        ended = self.site.transaction()
        self.assertEqual((at(20), 5.0, "Local"), (ended.stopped, ended.meterStop, ended.reason))
        again = of(self.plugin.close_transaction(ended.id))
        self.assertEqual(at(20), again.stopped)

    def test_unknown(self) -> None:
        self.assertIsNone(of(self.plugin.close_transaction(99)))
        self.assertIsNone(of(self.plugin.get_transaction(99)))


class Meters(RecordsCase):
    def test_pages_keep_a_point_in_time_together(self) -> None:
        transaction_id = self.start("CP1", 0)
        values = [
            {
                "timestamp": at_text(minute),
                "sampledValue": [{"value": str(minute)}, {"value": "1", "measurand": "SoC"}],
            }
            for minute in (3, 1, 2)
        ]
        self.site.connect("ocpp1.6").calls(
            "MeterValues", connectorId=1, transactionId=transaction_id, meterValue=values
        )
        number = self.site.transaction().id
        first = of(self.plugin.meter_values(number, limit=2))
        self.assertEqual([1.0, 1.0, 2.0, 1.0], [each.value for each in first.items])
        second = of(self.plugin.meter_values(number, first.next, limit=2))
        self.assertEqual([3.0, 1.0], [each.value for each in second.items])
        self.assertIsNone(second.next)


class Events(RecordsCase):
    def test_filters(self) -> None:
        for minute, charge_point in enumerate(("CP1", "CP2", "CP1")):
            self.site.time = at(minute)
            self.site.connect("ocpp1.6", charge_point).calls(
                "SecurityEventNotification", type="X", timestamp=at_text(minute)
            )

        def found(**filters: Any) -> list[Any]:
            return [each.timestamp for each in self.all_of(self.plugin.list_events, **filters)]

        self.assertEqual([at(2), at(1), at(0)], found(kind="SecurityEventNotification"))
        self.assertEqual([at(2), at(0)], found(charge_point="CP1"))
        self.assertEqual([at(1)], found(since=at(1), until=at(2)))
        self.assertEqual([], found(kind="NotifyEvent"))
