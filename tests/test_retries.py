"""A CALL that comes again gets the answer that it got, or will get, and its handler runs once.

Sources: OCPP 2.1 part 4 section 4.1.4 (a retry may have the message id of the first), and what
charge points of 1.6 do; docs/deviations.md says why each choice was made.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v21, v201
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import CallFault, ErrorCode
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin, after, on
from tests.support import online

START = (
    '[2,"{}","StartTransaction",'
    '{{"connectorId":1,"idTag":"{}","meterStart":0,"timestamp":"2026-01-01T00:00:00Z"}}]'
)
STATUS = '[2,"s","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]'


class Counting(ActionPlugin):
    """Gives out transaction ids, at once or when `late` fires, and counts."""

    name = "counting"

    def __init__(self) -> None:
        self.starts = 0
        self.written = 0
        self.late: Deferred[Any] | None = None
        self.fault: CallFault | None = None
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    @on(v16.StartTransactionRequest)
    def start_transaction(self, charge_point, request):
        self.starts += 1
        if self.fault is not None:
            raise self.fault
        if self.late is None:
            return started(self.starts)
        answer: Deferred[Any] = Deferred()
        self.late.addCallbacks(
            lambda outcome: (answer.callback(outcome), outcome)[1], answer.errback
        )
        return answer

    @on(v16.AuthorizeRequest)
    def authorize(self, charge_point, request):
        self.starts += 1
        return v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status="Accepted"))

    @on(v16.BootNotificationRequest)
    def boot(self, charge_point, request):
        return v16.BootNotificationResponse(currentTime=self.now, interval=1, status="Accepted")

    @after(v16.StartTransactionRequest)
    def started(self, charge_point, request, response):
        self.written += 1

    @on(v16.HeartbeatRequest, v201.HeartbeatRequest, v21.HeartbeatRequest)
    def heartbeat(self, charge_point, request):
        self.starts += 1
        return type(request).RESPONSE(currentTime=self.now)


def started(number: int) -> v16.StartTransactionResponse:
    """A StartTransaction.conf with this transaction id."""
    accepted = v16.IdTagInfo(status=v16.AuthorizationStatus.Accepted)
    return v16.StartTransactionResponse(transactionId=number, idTagInfo=accepted)


def result(message_id: str, number: int) -> str:
    """The same on the wire."""
    return f'[3,"{message_id}",{{"idTagInfo":{{"status":"Accepted"}},"transactionId":{number}}}]'


class RetryTestCase(SynchronousTestCase):
    limits = Limits(kept_answers=3, open_calls=4)

    def setUp(self) -> None:
        self.plugin = Counting()
        self.clock = Clock()
        self.system = CentralSystem([self.plugin], self.clock, limits=self.limits)
        self.cp1 = online(self.system)

    def starts(self, message_id: str = "a", tag: str = "T") -> list[Any]:
        self.cp1.says(START.format(message_id, tag))
        return self.cp1.hears()

    def reconnects(self, breaks: bool = True) -> None:
        if breaks:
            self.cp1.connection.lost("gone")
        self.cp1 = online(self.system)


class AnsweredTests(RetryTestCase):
    def test_the_identical_answer_again(self) -> None:
        self.assertEqual(self.starts(), [result("a", 1)])
        self.assertEqual(self.starts(), [result("a", 1)])
        self.assertEqual((self.plugin.starts, self.plugin.written), (1, 1))

    def test_after_a_reconnect(self) -> None:
        self.starts()
        for breaks in (True, False):
            self.reconnects(breaks)
            self.assertEqual(self.starts(), [result("a", 1)])
        self.assertEqual(self.plugin.starts, 1)

    def test_of_all_versions(self) -> None:
        for version in ("2.0.1", "2.1"):
            self.plugin.starts = 0
            cp = online(self.system, f"CP{version}", version)
            for _ in range(2):
                cp.says('[2,"a","Heartbeat",{}]')
                self.assertEqual(cp.hears(), ['[3,"a",{"currentTime":"2026-01-01T00:00:00Z"}]'])
            self.assertEqual(self.plugin.starts, 1)

    def test_another_payload_is_no_retry(self) -> None:
        self.starts("a", "T")
        self.assertEqual(self.starts("a", "U"), [result("a", 2)])

    def test_another_id_is_no_retry(self) -> None:
        self.starts("a")
        self.assertEqual(self.starts("b"), [result("b", 2)])

    def test_another_charge_point_is_no_retry(self) -> None:
        self.starts("a")
        self.cp1 = online(self.system, "CP2")
        self.assertEqual(self.starts("a"), [result("a", 2)])

    def test_the_last_answers_are_kept(self) -> None:
        for message_id in "abcd":
            self.starts(message_id)
        for message_id, number in (("b", 2), ("c", 3), ("d", 4)):
            self.assertEqual(self.starts(message_id), [result(message_id, number)])
        self.assertEqual(self.starts("a"), [result("a", 5)])

    def test_for_an_hour(self) -> None:
        self.starts()
        self.clock.advance(3599)
        self.assertEqual(self.starts(), [result("a", 1)])
        self.clock.advance(1)
        self.assertEqual(self.starts(), [result("a", 2)])

    def test_what_is_not_about_a_transaction_for_a_minute(self) -> None:
        authorize = '[2,"a","Authorize",{"idTag":"T"}]'
        for seconds, asked in ((0.0, 1), (59.9, 1), (0.1, 2)):
            self.clock.advance(seconds)
            self.cp1.says(authorize)
            self.assertEqual(len(self.cp1.hears()), 1)
            self.assertEqual(self.plugin.starts, asked)

    def test_a_boot_ends_them(self) -> None:
        """What starts may count its message ids from 1 again."""
        self.starts("2")
        self.cp1.says('[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]')
        self.cp1.hears()
        self.assertEqual(self.starts("2"), [result("2", 2)])

    def test_an_answer_that_tells_the_time_for_ten_seconds(self) -> None:
        """A charge point that counts from 1 again must not be told an old time."""
        heartbeat = '[2,"1","Heartbeat",{}]'
        self.cp1.says(heartbeat)
        old = self.cp1.hears()
        self.plugin.now = datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
        self.clock.advance(9.9)
        self.cp1.says(heartbeat)
        self.assertEqual(self.cp1.hears(), old)
        self.clock.advance(0.1)
        self.cp1.says(heartbeat)
        self.assertEqual(self.cp1.hears(), ['[3,"1",{"currentTime":"2026-01-01T00:00:10Z"}]'])

    def test_a_refused_call_is_tried_again(self) -> None:
        self.plugin.fault = CallFault(ErrorCode.INTERNAL_ERROR, "the database is away")
        self.assertIn("InternalError", *self.starts())
        self.plugin.fault = None
        self.assertEqual(self.starts(), [result("a", 2)])

    def test_one_that_nobody_handled(self) -> None:
        for _ in range(2):
            self.cp1.says(STATUS)
            self.assertIn("NotSupported", *self.cp1.hears())

    def test_nothing_is_kept_if_so_set(self) -> None:
        limits = Limits(kept_answers=0)
        self.cp1 = online(CentralSystem([self.plugin], self.clock, limits=limits))
        self.starts()
        self.assertEqual(self.starts(), [result("a", 2)])


class BeingHandledTests(RetryTestCase):
    """The first run is still under way."""

    def setUp(self) -> None:
        super().setUp()
        self.plugin.late = Deferred()

    def finishes(self, number: int = 7) -> None:
        assert self.plugin.late is not None
        self.plugin.late.callback(started(number))

    def test_one_answer_serves_both(self) -> None:
        self.assertEqual(self.starts(), [])
        self.assertEqual(self.starts(), [])
        self.finishes()
        self.assertEqual(self.cp1.hears(), [result("a", 7)])
        self.assertEqual((self.plugin.starts, self.plugin.written), (1, 1))

    def test_another_payload_under_its_id(self) -> None:
        """Section 4.2.3 of part 4, and of OCPP-J 1.6: an id that is being handled."""
        self.starts()
        (refusal,) = self.starts(tag="U")
        self.assertEqual(json.loads(refusal)[:3], [4, "a", "FormationViolation"])
        self.finishes()
        self.assertEqual((self.cp1.hears(), self.plugin.starts), ([result("a", 7)], 1))

    def test_the_answer_goes_where_it_was_asked_for_last(self) -> None:
        for breaks in (True, False):
            self.setUp()
            old = self.cp1
            self.starts()
            self.reconnects(breaks)
            self.starts()
            self.finishes()
            self.assertEqual((old.hears(), self.cp1.hears()), ([], [result("a", 7)]))
            self.assertEqual((self.plugin.starts, self.plugin.written), (1, 1))

    def test_the_retry_comes_when_it_is_done(self) -> None:
        self.starts()
        self.reconnects()
        self.finishes()
        self.assertEqual(self.cp1.hears(), [])
        self.assertEqual(self.starts(), [result("a", 7)])
        self.assertEqual(self.plugin.starts, 1)

    def test_the_retry_comes_while_nobody_is_connected_in_between(self) -> None:
        self.starts()
        self.cp1.connection.lost("gone")
        self.finishes()
        self.cp1 = online(self.system)
        self.assertEqual(self.starts(), [result("a", 7)])

    def test_it_fails_when_nobody_waits(self) -> None:
        self.starts()
        self.reconnects()
        assert self.plugin.late is not None
        self.plugin.late.errback(CallFault(ErrorCode.GENERIC_ERROR))
        self.plugin.late = None
        self.assertEqual(self.starts(), [result("a", 2)])

    def test_it_returns_nonsense_when_nobody_waits(self) -> None:
        self.starts()
        self.reconnects()
        assert self.plugin.late is not None
        self.plugin.late.callback("nonsense")
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.plugin.late = None
        self.assertEqual(self.starts(), [result("a", 2)])

    def test_another_payload_after_the_reconnect_is_a_call_of_its_own(self) -> None:
        self.starts()
        self.reconnects()
        first, self.plugin.late = self.plugin.late, None
        self.assertEqual(self.starts(tag="U"), [result("a", 2)])
        assert first is not None
        first.callback(started(7))
        self.assertEqual(self.cp1.hears(), [])

    def test_the_retry_has_its_own_time_to_wait(self) -> None:
        self.starts()
        self.clock.advance(40)
        self.reconnects()
        self.starts()
        self.clock.advance(59)
        self.assertEqual(self.cp1.hears(), [])
        self.clock.advance(2)
        self.assertIn("no answer in time", *self.cp1.hears())

    def test_those_that_nobody_waits_for_are_bounded(self) -> None:
        for number in range(10):
            self.starts(str(number))
            self.reconnects()
        self.plugin.late = None
        self.assertEqual(len(self.starts("0")), 1)  # forgotten: its handler runs again
        self.assertEqual(self.starts("9"), [])  # adopted: its handler still works

    def test_a_reader_that_is_paused_for_it(self) -> None:
        for number in range(4):
            self.starts(str(number))
        self.reconnects()
        for number in range(4):
            self.starts(str(number))
        self.assertTrue(self.cp1.transport.paused)
        self.finishes()
        self.assertFalse(self.cp1.transport.paused)
        self.assertEqual(len(self.cp1.hears()), 4)


class StoppingTests(RetryTestCase):
    def test_an_adopted_call_is_waited_for(self) -> None:
        self.plugin.late = Deferred()
        self.starts()
        self.reconnects()
        self.starts()
        stopped = self.system.stop(10)
        self.assertIsNone(self.cp1.transport.closed)
        self.plugin.late.callback(started(7))
        self.assertEqual(self.cp1.hears(), [result("a", 7)])
        self.assertEqual(self.cp1.transport.closed, (1001, "the central system stops"))
        self.cp1.connection.lost("closed")
        self.successResultOf(stopped)


class SecondLookTests(RetryTestCase):
    """Closing, adopting and forgetting in odd orders."""

    def test_another_response_when_nobody_waits(self):
        self.plugin.late = Deferred()
        self.starts()
        self.reconnects()
        self.plugin.late.callback(v16.ClearCacheResponse(status="Accepted"))
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.plugin.late = None
        self.assertEqual(self.starts(), [result("a", 2)])

    def closing(self, answer):
        plugin = self.plugin

        class Closing(ActionPlugin):
            @on(v16.StartTransactionRequest)
            def start(self, charge_point, request):
                plugin.starts += 1
                charge_point.close()
                return answer

        self.system = CentralSystem([Closing()], self.clock)
        self.cp1 = online(self.system)
        self.assertEqual(self.starts(), [])
        self.reconnects()

    def test_a_handler_that_closes_and_answers_later(self):
        d = Deferred()
        self.closing(d)
        self.assertEqual(self.starts(), [])
        d.callback(started(7))
        self.assertEqual((self.cp1.hears(), self.plugin.starts), ([result("a", 7)], 1))

    def test_a_handler_that_closes_and_answers(self):
        self.closing(started(7))
        self.assertEqual((self.starts(), self.plugin.starts), ([result("a", 7)], 1))

    def test_the_newest_answers_stay(self):
        self.plugin.fault = None
        self.starts("a")
        self.starts("b")
        self.starts("a", "U")
        self.starts("c")
        self.starts("d")
        n = self.plugin.starts
        self.starts("a", "U")
        self.assertEqual(self.plugin.starts, n)

    def test_an_adopted_one_is_adopted_once(self):
        self.plugin.late = Deferred()
        self.starts()
        self.reconnects()
        self.starts()
        self.assertEqual(len(self.cp1.connection.remembered.orphans), 0)

    def test_two_orphans_of_one_id(self):
        self.plugin.late = first = Deferred()
        self.starts(tag="T")
        self.reconnects()
        self.plugin.late = second = Deferred()
        self.starts(tag="U")
        self.reconnects()
        first.callback(started(1))
        self.assertEqual(self.starts(tag="U"), [])
        second.callback(started(2))
        self.assertEqual((self.cp1.hears(), self.plugin.starts), ([result("a", 2)], 2))

    def test_each_of_two_orphans_of_one_id_has_its_retry(self):
        self.plugin.late = first = Deferred()
        self.starts(tag="T")
        self.reconnects()
        self.plugin.late = Deferred()
        self.starts(tag="U")
        self.reconnects()
        self.assertEqual((self.starts(tag="T"), self.plugin.starts), ([], 2))
        first.callback(started(1))
        self.assertEqual(self.cp1.hears(), [result("a", 1)])

    def test_who_reconnects_leaves_the_memory(self):
        s = CentralSystem([self.plugin], self.clock, limits=Limits(remembered=2))
        a = online(s, "A")
        self.cp1 = a
        self.starts()
        a.connection.lost("x")
        online(s, "B").connection.lost("x")
        online(s, "A").connection.lost("x")
        online(s, "C").connection.lost("x")
        self.cp1 = online(s, "A")
        self.assertEqual(self.starts(), [result("a", 1)])

    def test_what_is_late_is_answered_meanwhile(self):
        ds = []

        class P(ActionPlugin):
            @on(v16.StartTransactionRequest)
            def start(self, charge_point, request):
                if len(ds) == 2:
                    ds[1].callback(started(2))
                    return started(3)
                ds.append(Deferred())
                return ds[-1]

        cp1 = online(CentralSystem([P()], self.clock, limits=Limits(open_calls=2)))
        for i in "abc":
            cp1.says(START.format(i, "T"))
        self.clock.advance(61)
        self.assertIn("no answer in time", cp1.hears()[0])
        self.assertEqual(self.flushLoggedErrors(), [])
