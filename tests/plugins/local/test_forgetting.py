"""What is old is deleted, a little at a time; what is open or not complete is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import ConfigurationError, RecordsUnavailable
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.local.forgetting import Forgetting
from ocpp_twisted.plugins.local.store import old
from ocpp_twisted.plugins.local.store.database import open_database
from ocpp_twisted.plugins.local.store.old import old_events, old_transactions
from tests.plugins.local.databases import empty_database, empty_url
from tests.plugins.local.test_charging_v2 import CHARGING, ENDED, STARTED
from tests.plugins.local.wire import NOW, NOW_TEXT, Site, at_text, of

DAY = timedelta(days=1)
ALARM = {"type": "TamperDetectionActivated"}


class ForgettingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.clock = Clock()

    def forget(self, events: int = 0, transactions: int = 0) -> Forgetting:
        forgetting = Forgetting(
            self.site.plugin.store, self.clock, self.site.plugin.now, events, transactions
        )
        self.addCleanup(forgetting.stop)
        forgetting.start()
        return forgetting

    def events(self) -> list[Any]:
        return list(of(self.site.plugin.list_events(limit=1000)).items)

    def alarm(self, seconds: int = 0) -> None:
        """A charge point tells of another alarm, by a clock that is wrong."""
        charge_point = self.site.connect("ocpp1.6")
        timestamp = f"1970-01-01T00:00:{seconds:02}Z"
        charge_point.calls("SecurityEventNotification", **ALARM, timestamp=timestamp)

    def test_events_by_our_clock(self) -> None:
        self.alarm(1)
        self.site.time += DAY
        self.alarm(2)
        self.forget(events=1)
        self.clock.advance(1)
        self.assertEqual(2, len(self.events()))
        self.site.time += timedelta(seconds=1)
        self.clock.advance(3600)
        self.assertEqual([2], [event.timestamp.second for event in self.events()])
        self.site.time += DAY
        self.clock.advance(3600)
        self.assertEqual([], self.events())

    def test_a_little_at_a_time(self) -> None:
        self.patch(old, "_ROWS", 2)
        for number in range(5):
            self.alarm(number)
        self.site.time += 2 * DAY
        self.forget(events=1)
        left = []
        for _ in range(4):
            self.clock.advance(1)
            left.append(len(self.events()))
        self.assertEqual([3, 1, 0, 0], left)

    def transact(self, *payloads: dict[str, Any], name: str = "CP2") -> None:
        charge_point = self.site.connect("ocpp2.0.1", name)
        for payload in payloads:
            charge_point.calls("TransactionEvent", **payload)

    def test_transactions_that_are_over(self) -> None:
        v16 = self.site.connect("ocpp1.6")
        start = {"connectorId": 1, "meterStart": 0, "idTag": "A"}
        for minute in (0, 1):
            begun = v16.calls("StartTransaction", **start, timestamp=at_text(minute))
        stop = {"meterStop": 1, "timestamp": NOW_TEXT}
        v16.calls("StopTransaction", **stop, transactionId=begun["transactionId"])
        self.transact(STARTED, CHARGING, name="open")
        self.transact(STARTED, ENDED, name="incomplete")
        self.transact(STARTED, CHARGING, {**ENDED, "seqNo": 2}, name="complete")
        self.transact(STARTED, CHARGING, name="closed")
        of(self.site.plugin.close_transaction(self.site.transaction("closed").id))
        self.site.time += DAY
        self.forget(transactions=1)
        self.clock.advance(1)
        self.assertEqual(6, len(self.all_transactions()))
        self.site.time += timedelta(hours=1)
        self.clock.advance(3600)
        left = [each.chargePoint for each in self.all_transactions()]
        self.assertEqual(["incomplete", "open", "CP1"], left)
        self.assertEqual(4, self.rows("meter_values"))

    def test_a_clock_that_was_wrong(self) -> None:
        begun = {**STARTED, "timestamp": "1970-01-01T00:00:00Z"}
        ended = {**ENDED, "timestamp": "1970-01-01T00:01:00Z", "seqNo": 1}
        self.transact(begun, ended)
        self.forget(transactions=30)
        self.clock.advance(1)
        self.assertEqual(1, len(self.all_transactions()))
        self.site.time += 31 * DAY
        self.clock.advance(3600)
        self.assertEqual([], self.all_transactions())

    def test_many_meter_values(self) -> None:
        self.patch(old, "_ROWS", 2)
        self.transact(STARTED, CHARGING, {**ENDED, "seqNo": 2})
        self.site.time += 2 * DAY
        self.forget(transactions=1)
        left = []
        for _ in range(3):
            left.append((self.rows("meter_values"), len(self.all_transactions())))
            self.clock.advance(1)
        self.assertEqual([(3, 1), (1, 1), (0, 0)], left)

    def test_for_ever(self) -> None:
        self.forget()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_the_store_is_away(self) -> None:
        self.alarm()
        self.site.time += 2 * DAY
        store = self.site.plugin.store
        broken = [fail(RecordsUnavailable("away")), fail(ValueError("a mistake"))]
        self.patch(store, "run", lambda *arguments: broken.pop(0))
        self.forget(events=1)
        self.clock.advance(1)
        self.clock.advance(3600)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        del store.run
        self.clock.advance(3600)
        self.assertEqual([], self.events())

    def test_stopped_while_it_deletes(self) -> None:
        waiting: Deferred[bool] = Deferred()
        self.patch(self.site.plugin.store, "run", lambda *arguments: waiting)
        forgetting = self.forget(events=1)
        self.clock.advance(1)
        forgetting.stop()
        waiting.callback(True)
        self.assertEqual([], self.clock.getDelayedCalls())

    def all_transactions(self) -> list[Any]:
        return list(of(self.site.plugin.list_transactions()).items)

    def rows(self, table: str) -> int:
        job = lambda db: db.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: E731
        count: int = of(self.site.plugin.store.run(job))
        return count


class PlanTests(SynchronousTestCase):
    """No table is read as a whole to find what is old."""

    def plan(self, engine: Engine, statement: Any) -> str:
        compiled = statement.compile(engine, compile_kwargs={"render_postcompile": True})
        with engine.begin() as db:
            if engine.dialect.name == "sqlite":
                explain = "EXPLAIN QUERY PLAN "
            else:
                db.execute(text("SET LOCAL enable_seqscan = off"))  # of an empty table it is best
                explain = "EXPLAIN "
            bound = {key: processed(value) for key, value in compiled.params.items()}
            rows = db.exec_driver_sql(explain + str(compiled), self.bound(compiled, bound))
            return "\n".join(str(row) for row in rows)

    def bound(self, compiled: Any, bound: dict[str, Any]) -> Any:
        if compiled.positional:
            return tuple(bound[name] for name in compiled.positiontup)
        return bound

    def test_indexes_are_used(self) -> None:
        engine = empty_database()
        self.assertIn("events_by_time", self.plan(engine, old_events(NOW)))
        self.assertIn("transactions_open", self.plan(engine, old_transactions(NOW)))

    def test_an_older_store_gets_the_index(self) -> None:
        url = empty_url(Path(self.mktemp()))
        engine = open_database(url)
        with engine.begin() as db:
            db.execute(text("DROP INDEX events_by_time"))
        engine.dispose()
        engine = open_database(url)
        self.addCleanup(engine.dispose)
        self.assertIn("events_by_time", self.plan(engine, old_events(NOW)))


def processed(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)


class ConfigTests(SynchronousTestCase):
    def test_days(self) -> None:
        for option in ("keep_events", "keep_transactions"):
            for wrong in (-1, 1.5, True, "90", 10**9):
                with self.assertRaises(ConfigurationError) as caught:
                    LocalPlugin().start(None, {option: wrong})  # type: ignore[arg-type]
                self.assertIn(f"{option} is {wrong!r}; use a whole", str(caught.exception))
