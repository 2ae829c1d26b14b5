"""What is counted, and what a monitoring system reads of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ocpp_twisted import v16
from ocpp_twisted.errors import CallErrorReceived, CallTimedOut
from ocpp_twisted.interfaces import IObserver
from ocpp_twisted.measuring import Counted, Histogram
from ocpp_twisted.metrics import Messages, Metrics
from ocpp_twisted.ocppj.leniency import Kind, Repair

HEARTBEAT = v16.HeartbeatResponse(currentTime=datetime(2026, 1, 2, tzinfo=UTC))


def samples(text: bytes, *names: str) -> dict[str, float]:
    """Name and labels, version and action first, to the number; of all metrics, or of these."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            if not names or family.name in names or sample.name in names:
                labels = dict.fromkeys(("version", "action")) | sample.labels
                words = [f"{label}={value}" for label, value in labels.items() if value is not None]
                found[" ".join([sample.name, *words])] = sample.value
    return found


class MessagesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.messages = Messages(self.clock.seconds)

    def samples(self, *names: str) -> dict[str, float]:
        return samples(Metrics([self.messages.measures]).render(), *names)

    def test_it_is_an_observer(self) -> None:
        verifyObject(IObserver, self.messages)

    def test_nothing_has_no_labels(self) -> None:
        self.messages.watched("1.6", "Heartbeat", lambda *_: HEARTBEAT)
        ours = {name for name in self.samples() if name.startswith("ocpp_")}
        self.assertEqual(ours, {"ocpp_handlers_running"})

    def test_a_handler_that_answers_at_once(self) -> None:
        def handler(charge_point: object, request: object) -> v16.HeartbeatResponse:
            self.assertEqual((charge_point, request), (1, 2))
            self.clock.advance(0.02)
            return HEARTBEAT

        watched = self.messages.watched("1.6", "Heartbeat", handler)
        for _ in range(3):
            self.assertIs(watched(1, 2), HEARTBEAT)
        of = "version=1.6 action=Heartbeat"
        self.assertEqual(
            self.samples("ocpp_calls"), {f"ocpp_calls_total {of} outcome=CALLRESULT": 3}
        )
        took = self.samples("ocpp_handler_seconds")
        self.assertEqual(took[f"ocpp_handler_seconds_bucket {of} le=0.01"], 0)
        self.assertEqual(took[f"ocpp_handler_seconds_bucket {of} le=0.025"], 3)
        self.assertEqual(took[f"ocpp_handler_seconds_bucket {of} le=+Inf"], 3)
        self.assertEqual(took[f"ocpp_handler_seconds_count {of}"], 3)
        self.assertAlmostEqual(took[f"ocpp_handler_seconds_sum {of}"], 0.06)

    def test_a_handler_that_takes_its_time(self) -> None:
        answers: list[Deferred[object]] = [Deferred(), Deferred()]
        watched = self.messages.watched("1.6", "Heartbeat", lambda *_: answers.pop())
        first, second = watched(1, 2), watched(1, 2)
        self.clock.advance(200)
        self.assertEqual(self.samples("ocpp_handlers_running"), {"ocpp_handlers_running": 2})
        first.callback(HEARTBEAT)
        second.errback(ValueError())
        self.assertIs(self.successResultOf(first), HEARTBEAT)
        self.failureResultOf(second, ValueError)
        self.assertEqual(self.samples("ocpp_handlers_running"), {"ocpp_handlers_running": 0})
        of = "version=1.6 action=Heartbeat"
        took = self.samples()
        self.assertEqual(took[f"ocpp_calls_total {of} outcome=CALLRESULT"], 1)
        self.assertEqual(took[f"ocpp_handler_seconds_bucket {of} le=60.0"], 0)
        self.assertEqual(took[f"ocpp_handler_seconds_count {of}"], 2)

    def test_a_handler_that_is_a_coroutine_or_fails(self) -> None:
        async def later(charge_point: object, request: object) -> v16.HeartbeatResponse:
            return HEARTBEAT

        async def cancelled(charge_point: object, request: object) -> None:
            raise asyncio.CancelledError

        def fails(charge_point: object, request: object) -> None:
            raise KeyError

        def nothing(charge_point: object, request: object) -> None:
            return None

        watched = {
            handler.__name__: self.messages.watched("1.6", handler.__name__, handler)
            for handler in (later, cancelled, fails, nothing)
        }
        self.assertIs(self.successResultOf(watched["later"](1, 2)), HEARTBEAT)
        self.failureResultOf(watched["cancelled"](1, 2))
        self.assertRaises(KeyError, watched["fails"], 1, 2)
        self.assertIsNone(watched["nothing"](1, 2))
        self.assertEqual(
            self.samples("ocpp_calls"),
            {"ocpp_calls_total version=1.6 action=later outcome=CALLRESULT": 1},
        )
        took = self.samples("ocpp_handler_seconds")
        for name in watched:
            self.assertEqual(took[f"ocpp_handler_seconds_count version=1.6 action={name}"], 1)

    def test_error_codes_that_a_peer_made_up_have_no_label(self) -> None:
        for code in ("GenericError", "FormationViolation", "x1", "x2"):
            self.messages.call_begun("1.6")
            self.messages.call_over("1.6", "Reset", 2.0, CallErrorReceived(code))
        of = "ocpp_outgoing_calls_total version=1.6 action=Reset outcome="
        self.assertEqual(
            self.samples("ocpp_outgoing_calls"),
            {f"{of}GenericError": 1, f"{of}FormationViolation": 1, f"{of}other": 2},
        )

    def test_our_calls(self) -> None:
        for _ in range(3):
            self.messages.call_begun("1.6")
        self.messages.call_over("1.6", "Reset", 2.0)
        self.messages.call_over("1.6", "Reset", 30.0, CallTimedOut("late", sent=True))
        found = self.samples()
        self.assertEqual(found["ocpp_outgoing_calls_waiting version=1.6"], 1)
        of = "version=1.6 action=Reset"
        self.assertEqual(found[f"ocpp_outgoing_calls_total {of} outcome=CALLRESULT"], 1)
        self.assertEqual(found[f"ocpp_outgoing_calls_total {of} outcome=CallTimedOut"], 1)
        self.assertEqual(found[f"ocpp_outgoing_call_seconds_sum {of}"], 32)

    def test_what_is_refused_or_let_through(self) -> None:
        self.messages.call_refused("1.6", "Authorize", "NotSupported")
        self.messages.call_came_again("1.6", "StartTransaction")
        self.messages.message_refused("2.1", None)
        self.messages.message_refused("2.1", b'[4,"1","NotImplemented","",{}]')
        self.messages.repaired("1.6", [Repair(Kind.TIME, "MeterValues", "a", "b")] * 2)
        self.messages.limit_reached("open_calls")
        self.assertEqual(
            {key: value for key, value in self.samples().items() if key.startswith("ocpp_")},
            {
                "ocpp_calls_total version=1.6 action=Authorize outcome=NotSupported": 1,
                "ocpp_calls_repeated_total version=1.6 action=StartTransaction": 1,
                "ocpp_messages_refused_total version=2.1 code=none": 1,
                "ocpp_messages_refused_total version=2.1 code=NotImplemented": 1,
                "ocpp_repairs_total version=1.6 action=MeterValues kind=time": 2,
                "ocpp_limits_reached_total limit=open_calls": 1,
                "ocpp_handlers_running": 0,
            },
        )


class MetricsTests(SynchronousTestCase):
    def test_two_servers_share_nothing(self) -> None:
        one = Metrics([lambda: [Counted.one("a", "A.", 1)]])
        two = Metrics([lambda: [Counted.one("a", "A.", 2)]])
        self.assertEqual(samples(one.render(), "a"), {"a": 1})
        self.assertEqual(samples(two.render(), "a"), {"a": 2})

    def test_the_process_is_measured(self) -> None:
        found = samples(Metrics([]).render())
        self.assertGreater(found["process_resident_memory_bytes"], 1_000_000)
        self.assertIn("process_open_fds", found)

    def test_each_kind(self) -> None:
        histogram = Histogram((1.0, 2.0))
        for seconds in (0.5, 1.0, 1.5, 3.0):
            histogram.add(seconds)
        counted = [
            Counted("b_total", "B.", ("x", "y"), {("1", "2"): 3}),
            Counted.one("c", "C.", 4.5),
            Counted.one("d_seconds", "D.", histogram),
        ]
        text = Metrics([lambda: counted]).render().decode()
        text = text[text.index("# HELP b_total") :]
        self.assertEqual(
            text.splitlines(),
            [
                "# HELP b_total B.",
                "# TYPE b_total counter",
                'b_total{x="1",y="2"} 3.0',
                "# HELP c C.",
                "# TYPE c gauge",
                "c 4.5",
                "# HELP d_seconds D.",
                "# TYPE d_seconds histogram",
                'd_seconds_bucket{le="1.0"} 2.0',
                'd_seconds_bucket{le="2.0"} 3.0',
                'd_seconds_bucket{le="+Inf"} 4.0',
                "d_seconds_count 4.0",
                "d_seconds_sum 6.0",
            ],
        )

    def test_one_that_fails_does_not_hide_the_others(self) -> None:
        def fails() -> list[Counted]:
            raise ValueError("no database")

        metrics = Metrics([fails, lambda: [Counted.one("a", "A.", 1)]])
        self.assertEqual(samples(metrics.render(), "a"), {"a": 1})
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
