"""One connection as a transcript: what the charge point says, and what it hears."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v21, v201
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFault,
    CallTimedOut,
    ConnectionLost,
    ErrorCode,
    InvalidResponse,
    LocalProtocolError,
    NotConnected,
    QueueFull,
)
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin, after, on, on_refused, on_result
from ocpp_twisted.remembered import Remembered
from ocpp_twisted.versions import CATALOGUES
from tests.support import HEARTBEAT, Wire, wire

TIME = v16.HeartbeatResponse(currentTime=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
RESET = v16.ResetRequest(type="Soft")
STREAM = v21.NotifyPeriodicEventStream(
    id=1, pending=0, basetime=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), data=[]
)
RESET_CALL = '[2,"{}","Reset",{{"type":"Soft"}}]'
INTERNAL_ERROR = '[4,"h1","InternalError","the central system failed",{}]'
TIME_RESULT = '[3,"h1",{"currentTime":"2026-01-02T03:04:05Z"}]'


class Broken(Exception):
    """What a business error looks like to us."""


def handled_by(handler, clock: Clock | None = None) -> Wire:
    """A connection whose Heartbeats this handler answers: ``handler(charge_point, request)``."""

    class Plugin(ActionPlugin):
        name = "handler"

        @on(v16.HeartbeatRequest)
        def heartbeat(self, charge_point, request):
            return handler(charge_point, request)

    return wire(Plugin(), clock)


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


def raising(error: BaseException):
    def handler(charge_point, request):
        raise error

    return handler


class AnswerTests(SynchronousTestCase):
    """What a handler may return, and what the charge point hears then."""

    def test_a_value(self) -> None:
        cp1 = handled_by(lambda charge_point, request: TIME)
        cp1.says(HEARTBEAT)
        self.assertEqual(cp1.hears(), [TIME_RESULT])

    def test_a_deferred(self) -> None:
        answer: Deferred[v16.HeartbeatResponse] = Deferred()
        cp1 = handled_by(lambda charge_point, request: answer)
        cp1.says(HEARTBEAT)
        self.assertEqual(cp1.hears(), [])
        answer.callback(TIME)
        self.assertEqual(cp1.hears(), [TIME_RESULT])

    def test_a_coroutine(self) -> None:
        looked_up: Deferred[None] = Deferred()

        async def handler(charge_point, request):
            await looked_up
            return TIME

        cp1 = handled_by(handler)
        cp1.says(HEARTBEAT)
        self.assertEqual(cp1.hears(), [])
        looked_up.callback(None)
        self.assertEqual(cp1.hears(), [TIME_RESULT])

    def test_the_json_text_of_a_request(self) -> None:
        texts, requests = [], []

        def handler(charge_point, request):
            requests.append(request)
            texts.extend(charge_point.payload_of(each) for each in requests)
            return TIME

        cp1 = handled_by(handler)
        cp1.says('[2,"h1","Heartbeat", { } ]')
        self.assertIsNone(cp1.connection.payload_of(requests[0]))
        cp1.says(HEARTBEAT.replace("h1", "h2"))
        first, of_another, second = texts
        self.assertEqual((bytes(first), of_another, bytes(second)), (b"{ }", None, b"{}"))
        cp1.says('[2,"h3","Heartbeat",null]')  # which is mended
        self.assertIsNone(texts[-1])

    def test_no_json_text_after_a_handler_that_failed(self) -> None:
        requests = []

        def handler(charge_point, request):
            requests.append(request)
            raise CallFault(ErrorCode.INTERNAL_ERROR, "no")

        cp1 = handled_by(handler)
        cp1.says(HEARTBEAT)
        self.assertIsNone(cp1.connection.payload_of(requests[0]))

    def test_the_handler_gets_the_charge_point_and_the_typed_request(self) -> None:
        seen = []
        cp1 = handled_by(lambda *arguments: seen.append(arguments) or TIME)
        cp1.says(HEARTBEAT)
        ((charge_point, request),) = seen
        self.assertIs(charge_point, cp1.connection)
        self.assertEqual(request, v16.HeartbeatRequest())
        self.assertEqual(
            (charge_point.id, charge_point.version, charge_point.peer, charge_point.connected),
            ("CP1", "1.6", "memory", True),
        )

    def test_answers_need_not_keep_the_order_of_their_calls(self) -> None:
        answers = [Deferred(), Deferred()]
        waiting = iter(answers)
        cp1 = handled_by(lambda charge_point, request: next(waiting))
        cp1.says('[2,"first","Heartbeat",{}]')
        cp1.says('[2,"second","Heartbeat",{}]')
        answers[1].callback(TIME)
        answers[0].callback(TIME)
        self.assertEqual([json.loads(said)[1] for said in cp1.hears()], ["second", "first"])

    def test_calls_start_in_the_order_of_their_arrival(self) -> None:
        started = []

        class Plugin(ActionPlugin):
            @on(v16.AuthorizeRequest)
            async def authorize(self, charge_point, request):
                started.append(request.idTag)
                await Deferred()

        cp1 = wire(Plugin())
        for number in range(5):
            cp1.says(f'[2,"{number}","Authorize",{{"idTag":"tag{number}"}}]')
        self.assertEqual(started, ["tag0", "tag1", "tag2", "tag3", "tag4"])

    def test_an_action_without_a_handler(self) -> None:
        cp1 = wire(ActionPlugin())
        cp1.says(HEARTBEAT)
        self.assertEqual(
            cp1.hears(), ['[4,"h1","NotSupported","Heartbeat is not supported here",{}]']
        )

    def test_what_is_no_message_goes_unanswered_in_1_6(self) -> None:
        cp1 = handled_by(raising(Broken()))
        cp1.says("good morning")
        self.assertEqual(cp1.hears(), [])


class FaultTests(SynchronousTestCase):
    """What a handler may raise, and what the charge point hears then."""

    def test_any_error_code(self) -> None:
        cp1 = handled_by(raising(CallFault(ErrorCode.SECURITY_ERROR, "not yet", {"wait": 5})))
        cp1.says(HEARTBEAT)
        self.assertEqual(cp1.hears(), ['[4,"h1","SecurityError","not yet",{"wait":5}]'])

    def test_a_code_is_spelled_as_the_version_spells_it(self) -> None:
        cp1 = handled_by(raising(CallFault(ErrorCode.FORMAT_VIOLATION)))
        cp1.says(HEARTBEAT)
        self.assertEqual(cp1.hears(), ['[4,"h1","FormationViolation","",{}]'])

    def test_from_a_deferred_and_from_a_coroutine(self) -> None:
        async def coroutine(charge_point, request):
            raise CallFault(ErrorCode.GENERIC_ERROR, "no")

        def deferred(charge_point, request):
            return succeed(None).addCallback(
                lambda _: raising(CallFault(ErrorCode.GENERIC_ERROR, "no"))(None, None)
            )

        for handler in (coroutine, deferred):
            cp1 = handled_by(handler)
            cp1.says(HEARTBEAT)
            self.assertEqual(cp1.hears(), ['[4,"h1","GenericError","no",{}]'])

    def test_any_other_exception_is_logged_and_says_nothing_of_itself(self) -> None:
        async def coroutine(charge_point, request):
            raise Broken("secret")

        def deferred(charge_point, request):
            return succeed(None).addCallback(lambda _: raising(Broken("secret"))(None, None))

        for handler in (raising(Broken("secret")), coroutine, deferred):
            cp1 = handled_by(handler)
            cp1.says(HEARTBEAT)
            self.assertEqual(cp1.hears(), [INTERNAL_ERROR])
            (logged,) = self.flushLoggedErrors(Broken)
            self.assertIn("test_connection.py", logged.getTraceback())

    def test_what_is_no_answer_to_the_request(self) -> None:
        for wrong in (None, "fine", v16.AuthorizeRequest(idTag="x"), v201.HeartbeatRequest()):
            cp1 = handled_by(lambda charge_point, request, wrong=wrong: wrong)
            cp1.says(HEARTBEAT)
            self.assertEqual(cp1.hears(), [INTERNAL_ERROR])
            (logged,) = self.flushLoggedErrors(LocalProtocolError)
            self.assertIn("the handler of Heartbeat returned", logged.getErrorMessage())

    def test_an_answer_that_the_schema_does_not_allow(self) -> None:
        class Plugin(ActionPlugin):
            @on(v16.DataTransferRequest)
            def transfer(self, charge_point, request):
                return v16.DataTransferResponse(status="Perhaps")

        cp1 = wire(Plugin())
        cp1.says('[2,"h1","DataTransfer",{"vendorId":"x"}]')
        self.assertEqual(cp1.hears(), [INTERNAL_ERROR])
        self.assertEqual(len(self.flushLoggedErrors(LocalProtocolError)), 1)

    def test_details_that_are_no_json_are_left_out(self) -> None:
        cp1 = handled_by(raising(CallFault(ErrorCode.GENERIC_ERROR, "no", {"why": object()})))
        cp1.says(HEARTBEAT)
        self.assertEqual(cp1.hears(), ['[4,"h1","GenericError","no",{}]'])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_text_that_cannot_be_utf_8_leaves_nobody_without_an_answer(self) -> None:
        cp1 = handled_by(raising(CallFault(ErrorCode.GENERIC_ERROR, "caf\udce9")))
        cp1.says(HEARTBEAT)
        self.assertEqual(json.loads(cp1.hears()[0])[:3], [4, "h1", "GenericError"])
        self.flushLoggedErrors(ValueError)

    def test_whatever_a_fault_holds_it_is_one_answer(self) -> None:
        code = ErrorCode.GENERIC_ERROR
        for fault, logged in (
            (CallFault(code, None), False),
            (CallFault(code, Broken("no")), False),
            (CallFault(code, "no", {"why": nested(100_000)}), True),
            (CallFault(code, "no", {1: {2, 3}, (4,): object()}), True),
            (CallFault(code, "no", {"why": "caf\udce9"}), True),
            (CallFault(code, "caf\udce9", {"why": object()}), True),
        ):
            for handler in (raising(fault), lambda *_, fault=fault: fail(fault)):
                cp1 = handled_by(handler)
                cp1.says(HEARTBEAT)
                (said,) = cp1.hears()
                self.assertEqual(json.loads(said)[:3], [4, "h1", "GenericError"])
                self.assertEqual(bool(self.flushLoggedErrors()), logged)

    def test_a_cancellation_of_asyncio(self) -> None:
        async def coroutine(charge_point, request):
            raise asyncio.CancelledError

        async def later(charge_point, request):
            await looked_up

        looked_up: Deferred[None] = Deferred()
        for handler in (
            raising(asyncio.CancelledError()),
            coroutine,
            later,
            lambda *_: fail(asyncio.CancelledError()),
        ):
            cp1 = handled_by(handler)
            cp1.says(HEARTBEAT)
            if handler is later:
                looked_up.errback(asyncio.CancelledError())
            self.assertEqual(cp1.hears(), [INTERNAL_ERROR])
            self.assertEqual(len(self.flushLoggedErrors(asyncio.CancelledError)), 1)

    def test_data_that_is_nested_too_deep(self) -> None:
        class Plugin(ActionPlugin):
            @on(v201.DataTransferRequest)
            def transfer(self, charge_point, request):
                data = request.data if isinstance(request.data, list) else nested(100_000)
                return v201.DataTransferResponse(status="Accepted", data=data)

        cp1 = wire(Plugin(), version="2.0.1")
        cp1.says('[2,"h1","DataTransfer",{"vendorId":"x"}]')
        self.assertEqual(json.loads(cp1.hears()[0])[:3], [4, "h1", "InternalError"])
        self.assertEqual(len(self.flushLoggedErrors(LocalProtocolError)), 1)
        for depth in (*range(100, 1000, 50), 100_000):
            echo = "[" * depth + "]" * depth
            cp1.says(f'[2,"h1","DataTransfer",{{"vendorId":"x","data":{echo}}}]')
            (said,) = cp1.hears()
            self.assertRegex(said[:9], r'^\[[34],"h1",')
            self.flushLoggedErrors(LocalProtocolError)

    def test_an_answer_for_a_connection_that_has_ended_goes_nowhere(self) -> None:
        for outcome in (TIME, Broken()):
            answer: Deferred[v16.HeartbeatResponse] = Deferred()
            cp1 = handled_by(lambda charge_point, request, answer=answer: answer)
            cp1.says(HEARTBEAT)
            cp1.connection.lost("gone")
            if outcome is TIME:
                answer.callback(TIME)
            else:
                answer.errback(outcome)
            self.assertEqual(cp1.hears(), [])
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)


class AfterTests(SynchronousTestCase):
    """The moment an answer has been written."""

    def test_the_call_comes_after_the_answer(self) -> None:
        class Plugin(ActionPlugin):
            @on(v16.HeartbeatRequest)
            def heartbeat(self, charge_point, request):
                return TIME

            @after(v16.HeartbeatRequest)
            def answered(self, charge_point, request, response):
                assert (request, response) == (v16.HeartbeatRequest(), TIME)
                charge_point.call(RESET)

        cp1 = wire(Plugin())
        cp1.says(HEARTBEAT)
        self.assertEqual(cp1.hears(), [TIME_RESULT, RESET_CALL.format(1)])

    def test_after_a_callerror_it_does_not_come(self) -> None:
        class Plugin(ActionPlugin):
            @on(v16.HeartbeatRequest)
            def heartbeat(self, charge_point, request):
                raise CallFault(ErrorCode.GENERIC_ERROR)

            @after(v16.HeartbeatRequest)
            def answered(self, charge_point, request, response):
                charge_point.call(RESET)

        cp1 = wire(Plugin())
        cp1.says(HEARTBEAT)
        self.assertEqual(cp1.hears(), ['[4,"h1","GenericError","",{}]'])

    def test_what_goes_wrong_in_it_is_logged_and_no_more(self) -> None:
        class Plugin(ActionPlugin):
            @on(v16.HeartbeatRequest)
            def heartbeat(self, charge_point, request):
                return TIME

            @after(v16.HeartbeatRequest)
            async def answered(self, charge_point, request, response):
                raise Broken

        cp1 = wire(Plugin())
        cp1.says(HEARTBEAT)
        self.assertEqual(cp1.hears(), [TIME_RESULT])
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)


class CallTests(SynchronousTestCase):
    """Our own calls."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.heard = heard = []

        class Plugin(ActionPlugin):
            @on_result(v16.ResetRequest)
            def was_reset(self, charge_point, request, outcome):
                heard.append((charge_point.id, request, outcome))

        self.plugin = Plugin()
        self.cp1 = self.connect()

    def connect(self, **limits) -> Wire:
        return wire(self.plugin, self.clock, limits=Limits(**limits))

    def test_the_result(self) -> None:
        result = self.cp1.connection.call(RESET)
        self.assertEqual(self.cp1.hears(), ['[2,"1","Reset",{"type":"Soft"}]'])
        self.cp1.says('[3,"1",{"status":"Accepted"}]')
        self.assertEqual(self.successResultOf(result), v16.ResetResponse(status="Accepted"))

    def test_the_error(self) -> None:
        result = self.cp1.connection.call(RESET)
        self.cp1.says('[4,"1","GenericError","not now",{"in":5}]')
        error = self.failureResultOf(result, CallErrorReceived).value
        self.assertEqual(
            (error.code, error.description, error.details), ("GenericError", "not now", {"in": 5})
        )

    def test_the_response_handler_hears_both_after_the_caller(self) -> None:
        first = self.cp1.connection.call(RESET).addCallback(lambda _: list(self.heard))
        second = self.cp1.connection.call(RESET)
        self.cp1.says('[3,"1",{"status":"Accepted"}]')
        self.cp1.says('[4,"2","GenericError","",{}]')
        error = self.failureResultOf(second, CallErrorReceived).value
        self.assertEqual(self.successResultOf(first), [])
        self.assertEqual(
            self.heard,
            [("CP1", RESET, v16.ResetResponse(status="Accepted")), ("CP1", RESET, error)],
        )

    def test_what_is_no_answer(self) -> None:
        result = self.cp1.connection.call(RESET)
        self.cp1.says('[3,"1",{"status":"Perhaps"}]')
        error = self.failureResultOf(result, InvalidResponse).value
        self.assertEqual(self.heard, [("CP1", RESET, error)])

    def test_one_at_a_time_in_their_order(self) -> None:
        for _ in range(3):
            self.cp1.connection.call(RESET)
        self.assertEqual(self.cp1.hears(), [RESET_CALL.format(1)])
        self.cp1.says('[3,"1",{"status":"Accepted"}]')
        self.assertEqual(self.cp1.hears(), [RESET_CALL.format(2)])

    def test_the_two_directions_do_not_wait_for_each_other(self) -> None:
        self.cp1.connection.call(RESET)
        self.cp1.hears()
        self.cp1.says(HEARTBEAT)
        self.assertEqual(json.loads(self.cp1.hears()[0])[:3], [4, "h1", "NotSupported"])

    def test_no_answer_in_time(self) -> None:
        cp1 = self.connect(call_timeout=30)
        result = cp1.connection.call(RESET)
        self.clock.advance(29.9)
        self.assertNoResult(result)
        self.clock.advance(0.2)
        self.assertTrue(self.failureResultOf(result, CallTimedOut).value.sent)
        self.assertEqual(self.heard, [])

    def test_an_answer_that_comes_too_late_is_still_news_to_the_response_handler(self) -> None:
        for answer, outcome in {
            '[3,"1",{"status":"Accepted"}]': v16.ResetResponse,
            '[4,"1","GenericError","",{}]': CallErrorReceived,
            '[3,"1",{"status":"Perhaps"}]': InvalidResponse,
        }.items():
            cp1 = self.connect(call_timeout=30)
            result = cp1.connection.call(RESET)
            self.clock.advance(31)
            self.failureResultOf(result, CallTimedOut)
            cp1.says(answer)
            (heard,) = self.heard
            self.assertIsInstance(heard[2], outcome)
            self.heard.clear()

    def test_a_timeout_of_its_own(self) -> None:
        result = self.cp1.connection.call(RESET, timeout=2)
        self.clock.advance(2)
        self.failureResultOf(result, CallTimedOut)

    def test_a_timeout_lets_the_next_call_go(self) -> None:
        late = self.cp1.connection.call(RESET, timeout=2)
        self.cp1.connection.call(RESET)
        self.cp1.hears()
        self.clock.advance(2)
        self.assertEqual(self.cp1.hears(), [RESET_CALL.format(2)])
        self.failureResultOf(late, CallTimedOut)

    def test_the_time_in_the_queue_counts(self) -> None:
        self.cp1.connection.call(RESET, timeout=9)
        queued = self.cp1.connection.call(RESET, timeout=2)
        self.clock.advance(2)
        self.assertFalse(self.failureResultOf(queued, CallTimedOut).value.sent)

    def test_the_queue_is_bounded(self) -> None:
        cp1 = self.connect(queued_calls=2)
        for _ in range(3):
            self.assertNoResult(cp1.connection.call(RESET))
        self.failureResultOf(cp1.connection.call(RESET), QueueFull)

    def test_a_request_that_the_schema_does_not_allow_is_not_sent(self) -> None:
        for wrong in (v16.ResetRequest(type="Gentle"), v201.ResetRequest(type="Immediate")):
            self.failureResultOf(self.cp1.connection.call(wrong), LocalProtocolError)
        self.assertEqual(self.cp1.hears(), [])

    def test_what_is_no_request_is_not_called(self) -> None:
        for wrong in (TIME, STREAM, None):
            self.failureResultOf(self.cp1.connection.call(wrong), LocalProtocolError)
        self.assertEqual(self.cp1.hears(), [])

    def test_a_call_may_wait_for_ever(self) -> None:
        result = self.cp1.connection.call(RESET, timeout=inf)
        self.clock.advance(1_000_000)
        self.cp1.says('[3,"1",{"status":"Accepted"}]')
        self.successResultOf(result)

    def test_a_callerror_that_talks_much_makes_a_short_line(self) -> None:
        for message_id in ("1", "2"):  # the answer to a call, and to none
            result = self.cp1.connection.call(RESET) if message_id == "1" else None
            with capturedLogs() as logs:
                self.cp1.says(f'[4,"{message_id}","GenericError","{"x" * 500_000}",{{}}]')
            if result is not None:
                self.failureResultOf(result, CallErrorReceived)
            (line,) = [formatEvent(log) for log in logs]
            self.assertIn("GenericError", line)
            self.assertLess(len(line), 600)

    def test_a_flood_of_refusals_does_not_fill_the_log(self) -> None:
        with capturedLogs() as logs:
            for _ in range(5000):
                self.cp1.says("rubbish")
                self.cp1.says('[2,"a","Authorize",{"idTag":"x"}]')
        self.assertLess(len(logs), 120)
        self.assertEqual(len(self.cp1.hears()), 5000)
        self.assertIn("refusals are told rarely from now on", " ".join(map(formatEvent, logs)))

    def test_a_queued_call_can_be_cancelled(self) -> None:
        self.cp1.connection.call(RESET)
        queued = self.cp1.connection.call(RESET)
        queued.cancel()
        self.failureResultOf(queued, CancelledError)
        self.cp1.hears()
        self.cp1.says('[3,"1",{"status":"Accepted"}]')
        self.assertEqual(self.cp1.hears(), [])

    def test_a_cancelled_call_that_was_sent_keeps_its_place(self) -> None:
        sent = self.cp1.connection.call(RESET)
        self.cp1.connection.call(RESET)
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        self.assertEqual(self.cp1.hears(), [RESET_CALL.format(1)])
        self.cp1.says('[3,"1",{"status":"Accepted"}]')
        self.assertEqual(self.cp1.hears(), [RESET_CALL.format(2)])

    def test_when_the_connection_is_lost(self) -> None:
        sent, queued = self.cp1.connection.call(RESET), self.cp1.connection.call(RESET)
        self.cp1.connection.lost("gone")
        self.failureResultOf(sent, ConnectionLost)
        self.failureResultOf(queued, NotConnected)
        self.failureResultOf(self.cp1.connection.call(RESET), NotConnected)
        self.assertEqual(self.clock.getDelayedCalls()[1:], [])

    def test_from_inside_a_handler_that_waits_for_the_answer(self) -> None:
        async def handler(charge_point, request):
            answer = await charge_point.call(RESET)
            assert answer.status == "Accepted"
            return TIME

        cp1 = handled_by(handler)
        cp1.says(HEARTBEAT)
        self.assertEqual(cp1.hears(), [RESET_CALL.format(1)])
        cp1.says('[3,"1",{"status":"Accepted"}]')
        self.assertEqual(cp1.hears(), [TIME_RESULT])

    def test_a_handler_need_not_catch_that_its_own_call_fails(self) -> None:
        async def handler(charge_point, request):
            await charge_point.call(RESET)

        cp1 = handled_by(handler)
        cp1.says(HEARTBEAT)
        cp1.hears()
        cp1.says('[4,"1","GenericError","",{}]')
        self.assertEqual(cp1.hears(), [INTERNAL_ERROR])
        self.assertEqual(len(self.flushLoggedErrors(CallErrorReceived)), 1)


class SendTests(SynchronousTestCase):
    """SEND, which nobody answers (OCPP 2.1)."""

    stream = '[6,"s1","NotifyPeriodicEventStream",{"id":1,"pending":0,"basetime":"2026-01-02T03:04:05Z","data":[{"t":0.5,"v":"1"}]}]'  # noqa: E501

    def test_the_handler_takes_it_and_nothing_goes_back(self) -> None:
        taken = []

        class Plugin(ActionPlugin):
            @on(v21.NotifyPeriodicEventStream)
            def stream(self, charge_point, message):
                taken.append(message.id)
                raise Broken

        cp1 = wire(Plugin(), version="2.1")
        cp1.says(self.stream)
        self.assertEqual((taken, cp1.hears()), ([1], []))
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)

    def test_to_an_older_version_it_cannot_be_sent(self) -> None:
        message = v21.CATALOGUE.read_request(
            "NotifyPeriodicEventStream", json.dumps(json.loads(self.stream)[3]).encode()
        )
        old, new = wire(ActionPlugin()), wire(ActionPlugin(), version="2.1")
        self.assertRaises(LocalProtocolError, old.connection.send, message)
        new.connection.send(message)
        self.assertEqual(json.loads(new.hears()[0])[0], 6)
        new.connection.lost("gone")
        self.assertRaises(NotConnected, new.connection.send, message)

    def test_it_goes_out_while_a_call_is_open(self) -> None:
        """2.1 part 4, sections 4.1.1 and 4.2.4: a SEND may go at any time."""
        cp1 = wire(ActionPlugin(), version="2.1")
        for _ in range(2):  # one waits for its answer, one for its turn
            cp1.connection.call(v21.ClearCacheRequest()).addErrback(lambda failure: None)
        cp1.hears_call()
        message = v21.CATALOGUE.read_request(
            "NotifyPeriodicEventStream", json.dumps(json.loads(self.stream)[3]).encode()
        )
        cp1.connection.send(message)
        self.assertEqual([json.loads(frame)[0] for frame in cp1.hears()], [6])

    def test_what_is_no_send_is_not_sent(self) -> None:
        cp1 = wire(ActionPlugin(), version="2.1")
        for wrong in (v21.HeartbeatRequest(), v21.HeartbeatResponse(currentTime=TIME.currentTime)):
            self.assertRaises(LocalProtocolError, cp1.connection.send, wrong)
        self.assertEqual(cp1.hears(), [])


class Waiting(ActionPlugin):
    """Lets every Heartbeat wait for an answer of its own, and writes down what it hears."""

    name = "waiting"

    def __init__(self) -> None:
        self.answers: list[Deferred[Any]] = []
        self.written = 0
        self.afterwards: Callable[[], None] = lambda: None

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point, request):
        self.answers.append(Deferred())
        return self.answers[-1]

    @after(v16.HeartbeatRequest)
    def answered(self, charge_point, request, response):
        self.written += 1
        self.afterwards()


def heartbeat(message_id: object) -> str:
    return f'[2,"{message_id}","Heartbeat",{{}}]'


def ids(frames: list[str]) -> list[str]:
    """The message ids of what was heard."""
    return [json.loads(frame)[1] for frame in frames]


class WaitingTestCase(SynchronousTestCase):
    limits = Limits(open_calls=2, answer_timeout=60)

    def setUp(self) -> None:
        self.clock = Clock()
        self.plugin = Waiting()
        self.cp1 = wire(self.plugin, self.clock, limits=self.limits)
        self.connection = self.cp1.connection
        self.answers = self.plugin.answers


class BackPressureTests(WaitingTestCase):
    """A handler that does not answer makes its own charge point wait, and nobody else."""

    def says_heartbeats(self, *message_ids: object) -> None:
        """More than `open_calls` of them are what one read may bring."""
        for message_id in message_ids:
            self.cp1.says(heartbeat(message_id))

    def test_reading_pauses_and_goes_on(self) -> None:
        self.says_heartbeats(1)
        self.assertFalse(self.cp1.transport.paused)
        self.says_heartbeats(2)
        self.assertTrue(self.cp1.transport.paused)
        self.answers[0].callback(TIME)
        self.assertFalse(self.cp1.transport.paused)

    def test_those_beyond_wait_and_start_in_their_order(self) -> None:
        self.says_heartbeats(*range(7))
        for number in range(7):
            self.assertEqual(len(self.answers), min(number + 2, 7))
            self.assertEqual(self.cp1.transport.paused, number < 6)
            self.answers[number].callback(TIME)
        self.assertEqual(ids(self.cp1.hears()), list("0123456"))
        self.assertEqual(self.plugin.written, 7)

    def test_one_that_waits_comes_again(self) -> None:
        self.says_heartbeats(1, 2, 3, 3)
        for number in range(3):
            self.answers[number].callback(TIME)
        self.assertEqual((ids(self.cp1.hears()), len(self.answers)), (["1", "2", "3"], 3))

    def test_a_failure_lets_the_next_one_start_as_well(self) -> None:
        self.says_heartbeats(1, 2, 3)
        self.answers[0].errback(Broken())
        self.assertEqual((ids(self.cp1.hears()), len(self.answers)), (["1"], 3))
        self.flushLoggedErrors(Broken)

    def test_results_of_our_own_calls_do_not_wait(self) -> None:
        result = self.connection.call(RESET)
        self.says_heartbeats("a", "b", "c")
        self.cp1.says('[3,"1",{"status":"Accepted"}]')
        self.successResultOf(result)

    def test_closing_forgets_them(self) -> None:
        self.says_heartbeats(1, 2, 3)
        self.connection.close()
        self.answers[0].callback(TIME)
        self.assertEqual((self.cp1.hears(), len(self.answers)), ([], 2))

    def test_closing_from_inside_one_that_has_waited(self) -> None:
        started = []

        class Plugin(ActionPlugin):
            @on(v16.AuthorizeRequest)
            def authorize(self, charge_point, request):
                started.append(request.idTag)
                if request.idTag == "2":
                    charge_point.close()
                return first if request.idTag == "1" else Deferred()

        first: Deferred[v16.AuthorizeResponse] = Deferred()
        cp1 = wire(Plugin(), self.clock, limits=Limits(open_calls=1))
        for number in "1234":
            cp1.says(f'[2,"{number}","Authorize",{{"idTag":"{number}"}}]')
        first.callback(v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status="Accepted")))
        self.assertEqual((ids(cp1.hears()), started), (["1"], ["1", "2"]))

    def test_a_thousand_that_are_answered_at_once(self) -> None:
        """A handler may answer some at once: its Deferred has fired, its coroutine never waits."""
        self.says_heartbeats(*range(1000))
        first, second = self.answers

        class Fired(list):
            def append(fired, answer):  # noqa: N805
                list.append(fired, answer)
                answer.callback(TIME)

        self.plugin.answers = Fired()
        first.callback(TIME)
        second.callback(TIME)
        heard = ids(self.cp1.hears())
        self.assertEqual(len(heard), 1000)
        self.assertEqual(heard, ["0", *map(str, range(2, 1000)), "1"])
        self.assertFalse(self.cp1.transport.paused)

    def test_an_answer_that_brings_another_one(self) -> None:
        self.says_heartbeats(1, 2)
        self.plugin.afterwards = lambda: self.answers[1].called or self.answers[1].callback(TIME)
        self.answers[0].callback(TIME)
        self.assertEqual(ids(self.cp1.hears()), ["1", "2"])
        self.assertFalse(self.cp1.transport.paused)


class AnswerTimeoutTests(WaitingTestCase):
    """A charge point does not wait for ever."""

    too_late = '[4,"{}","InternalError","no answer in time",{{}}]'

    def test_a_deferred(self) -> None:
        self.cp1.says(heartbeat(1))
        self.clock.advance(59.9)
        self.assertEqual(self.cp1.hears(), [])
        self.clock.advance(0.2)
        self.assertEqual(self.cp1.hears(), [self.too_late.format(1)])

    def test_a_coroutine(self) -> None:
        async def handler(charge_point, request):
            await Deferred()

        cp1 = handled_by(handler, self.clock)
        cp1.says(heartbeat(1))
        self.clock.advance(60.1)
        self.assertEqual(cp1.hears(), [self.too_late.format(1)])

    def test_a_failure_after_that_is_logged(self) -> None:
        self.cp1.says(heartbeat(1))
        self.clock.advance(60.1)
        self.cp1.hears()
        self.answers[0].errback(Broken())
        self.assertEqual((self.cp1.hears(), self.plugin.written), ([], 0))
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)

    def test_the_answer_after_that_is_for_the_retry(self) -> None:
        self.cp1.says(heartbeat(1))
        self.clock.advance(60.1)
        self.cp1.hears()
        self.answers[0].callback(TIME)
        self.assertEqual((self.cp1.hears(), self.plugin.written), ([], 0))
        self.cp1.says(heartbeat(1))
        self.assertEqual((ids(self.cp1.hears()), len(self.answers)), (["1"], 1))

    def test_a_retry_waits_for_the_handler_that_works_already(self) -> None:
        self.cp1.says(heartbeat(1))
        self.clock.advance(60.1)
        self.cp1.hears()
        self.cp1.says(heartbeat(1))
        self.assertEqual(self.cp1.hears(), [])
        self.answers[0].callback(TIME)
        self.assertEqual((ids(self.cp1.hears()), len(self.answers)), (["1"], 1))

    def test_reading_goes_on(self) -> None:
        self.cp1.says(heartbeat(1))
        self.clock.advance(30)
        for number in (2, 3):
            self.cp1.says(heartbeat(number))
        self.assertTrue(self.cp1.transport.paused)
        self.clock.advance(30.1)
        self.assertEqual(len(self.answers), 3)
        self.clock.advance(30)
        self.assertFalse(self.cp1.transport.paused)
        self.clock.advance(30.1)
        self.assertEqual(self.cp1.hears(), [self.too_late.format(number) for number in (1, 2, 3)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_finishes_then(self) -> None:
        self.cp1.says(heartbeat(1))
        self.connection.finish()
        self.clock.advance(60.1)
        self.assertEqual(self.cp1.transport.closed, (1001, "the central system stops"))

    def test_a_handler_may_have_for_ever(self) -> None:
        cp1 = wire(self.plugin, self.clock, limits=Limits(answer_timeout=inf))
        cp1.says(heartbeat(1))
        self.clock.advance(1_000_000)
        self.answers[0].callback(TIME)
        self.assertEqual(ids(cp1.hears()), ["1"])


class ClosingTests(WaitingTestCase):
    """Between the closing and the end nothing is sent and nothing is heard."""

    def close(self) -> None:
        self.connection.close(1000, "")

    def test_it_is_not_connected(self) -> None:
        self.close()
        self.assertFalse(self.connection.connected)
        self.failureResultOf(self.connection.call(RESET), NotConnected)
        self.assertRaises(NotConnected, self.connection.send, STREAM)
        self.assertEqual(self.cp1.ended, [])

    def test_our_calls_have_ended(self) -> None:
        sent, queued = self.connection.call(RESET), self.connection.call(RESET)
        self.close()
        self.failureResultOf(sent, ConnectionLost)
        self.failureResultOf(queued, NotConnected)

    def test_a_call_that_is_made_because_of_that(self) -> None:
        again = self.connection.call(RESET).addErrback(lambda _: self.connection.call(RESET))
        self.close()
        self.failureResultOf(again, NotConnected)

    def test_a_handler_that_answers_now(self) -> None:
        for answer in (TIME, Broken(), CallFault(ErrorCode.GENERIC_ERROR)):
            self.setUp()
            self.cp1.says(heartbeat(1))
            self.close()
            self.answers[0].callback(answer) if answer is TIME else self.answers[0].errback(answer)
            self.clock.advance(61)
            self.assertEqual((self.cp1.hears(), self.plugin.written), ([], 0))
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)

    def test_a_handler_that_closes_itself(self) -> None:
        for outcome in (TIME, Deferred()):

            def handler(charge_point, request, outcome=outcome):
                charge_point.close()
                return outcome

            cp1 = handled_by(handler, self.clock)
            cp1.says(HEARTBEAT)
            with capturedLogs() as logs:
                self.clock.advance(61)
            self.assertEqual((cp1.hears(), logs), ([], []))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_still_comes_is_not_heard(self) -> None:
        self.close()
        self.cp1.says(heartbeat(1))
        self.assertEqual((self.answers, self.cp1.hears()), ([], []))

    def test_the_end_follows_once(self) -> None:
        self.close()
        self.connection.lost("closed")
        self.connection.lost("closed again")
        self.assertEqual(self.cp1.ended, ["closed"])

    def test_nothing_is_due_any_more(self) -> None:
        self.cp1.says(heartbeat(1))
        self.connection.call(RESET).addErrback(lambda failure: failure.trap(ConnectionLost))
        self.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ClosedByTheTransportTests(ClosingTests):
    """The same when it is the transport that closes: the peer said goodbye, or too much."""

    def close(self) -> None:
        self.cp1.transport.close(1009, "too big")
        self.connection.closing()


class EndTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.answer: Deferred[v16.HeartbeatResponse] = Deferred()
        test = self

        class Plugin(ActionPlugin):
            @on(v16.HeartbeatRequest)
            def heartbeat(self, charge_point, request):
                return test.answer

        self.cp1 = wire(Plugin(), self.clock)

    def test_the_owner_is_told_once(self) -> None:
        self.cp1.connection.lost("gone")
        self.cp1.connection.lost("gone again")
        self.assertEqual(self.cp1.ended, ["gone"])

    def test_closing(self) -> None:
        self.cp1.connection.close(1008, "no")
        self.assertEqual(self.cp1.transport.closed, (1008, "no"))
        self.assertEqual(self.cp1.ended, [])

    def test_idle_it_finishes_at_once(self) -> None:
        self.cp1.connection.finish()
        self.assertEqual(self.cp1.transport.closed, (1001, "the central system stops"))

    def test_it_finishes_when_the_last_answer_is_written(self) -> None:
        self.cp1.says(HEARTBEAT)
        self.cp1.connection.finish()
        self.assertIsNone(self.cp1.transport.closed)
        self.answer.callback(TIME)
        self.assertEqual(self.cp1.hears(), [TIME_RESULT])
        self.assertEqual(self.cp1.transport.closed, (1001, "the central system stops"))

    def test_it_finishes_when_the_last_call_is_answered(self) -> None:
        self.cp1.connection.call(RESET)
        self.cp1.connection.finish()
        self.assertIsNone(self.cp1.transport.closed)
        self.failureResultOf(self.cp1.connection.call(RESET), NotConnected)
        self.cp1.says('[3,"1",{"status":"Accepted"}]')
        self.assertEqual(self.cp1.transport.closed, (1001, "the central system stops"))

    def test_it_finishes_when_the_last_call_is_given_up(self) -> None:
        late = self.cp1.connection.call(RESET, timeout=2)
        self.cp1.connection.finish()
        self.clock.advance(2)
        self.failureResultOf(late, CallTimedOut)
        self.assertEqual(self.cp1.transport.closed, (1001, "the central system stops"))

    def test_nothing_of_it_stays_in_memory(self) -> None:
        self.cp1.says(HEARTBEAT)
        self.answer.callback(TIME)
        self.failureResultOf(self.lose_it_in_a_call(), ConnectionLost)
        connection = weakref.ref(self.cp1.connection)
        del self.cp1
        self.clock.advance(1)
        gc.collect()
        self.assertIsNone(connection())

    def lose_it_in_a_call(self) -> Deferred[v16.ResetResponse]:
        result = self.cp1.connection.call(RESET)
        self.cp1.connection.lost("gone")
        return result


class TurnTests(SynchronousTestCase):
    """Whose turn it is, when a call ends in an odd way."""

    def test_a_callerror_lets_the_next_one_go(self):
        cp1 = wire(ActionPlugin())
        r = cp1.connection.call(v16.ClearCacheRequest())
        cp1.connection.call(v16.ClearCacheRequest())
        cp1.says(f'[4,"{cp1.hears_call()}","GenericError","",{{}}]')
        self.failureResultOf(r, CallErrorReceived)
        cp1.hears_call()

    def test_the_end_of_a_turn_lets_the_next_one_go(self):
        clock = Clock()
        cp1 = wire(ActionPlugin(), clock)
        cp1.connection.call(v16.ClearCacheRequest())
        b = cp1.connection.call(v16.ClearCacheRequest())
        m = cp1.hears_call()
        clock.advance(20)
        cp1.says(f'[3,"{m}",{{"status":"Accepted"}}]')
        cp1.hears_call()
        cp1.connection.call(v16.ClearCacheRequest(), 60)
        clock.advance(10.1)
        self.failureResultOf(b, CallTimedOut)
        self.assertEqual(cp1.hears(), [])
        clock.advance(20)
        cp1.hears_call()

    def test_the_callers_time_although_the_turn_is_longer(self):
        clock = Clock()
        cp1 = wire(ActionPlugin(), clock)
        a = cp1.connection.call(v16.ClearCacheRequest(), 10)
        b = cp1.connection.call(v16.ClearCacheRequest(), 30)
        cp1.hears()
        clock.advance(10.1)
        self.failureResultOf(a, CallTimedOut)
        cp1.hears_call()
        clock.advance(20)
        self.failureResultOf(b, CallTimedOut)

    def test_a_callresulterror(self):
        cp1 = wire(ActionPlugin(), version="2.1")
        r = cp1.connection.call(v21.ClearCacheRequest())
        m = cp1.hears_call()
        cp1.says(f'[3,"{m}",{{"status":5}}]')
        self.failureResultOf(r, InvalidResponse)
        self.assertEqual(json.loads(*cp1.hears())[:2], [5, m])

    def test_a_result_that_is_refused(self):
        heard = []

        class Listening(ActionPlugin):
            @on(v21.HeartbeatRequest)
            def heartbeat(self, charge_point, request):
                return v21.HeartbeatResponse(currentTime=datetime.now(UTC))

            @on_refused(v21.HeartbeatRequest)
            def refused(self, charge_point, response, error):
                heard.append((charge_point.id, response, error.code, error.details))

        cp1 = wire(Listening(), version="2.1")
        cp1.says('[2,"a","Heartbeat",{}]')
        (answer,) = cp1.hears()
        cp1.says('[5,"a","FormatViolation","no",{"b":1}]')
        cp1.says('[5,"z","FormatViolation","nobody has said that",{}]')
        cp1.says('[2,"c","ClearedChargingLimit",{"chargingLimitSource":"EMS"}]')
        cp1.says('[5,"c","FormatViolation","that was a CALLERROR",{}]')
        ((charge_point, response, *error),) = heard
        self.assertEqual((charge_point, error), ("CP1", ["FormatViolation", {"b": 1}]))
        time = datetime.fromisoformat(json.loads(answer)[2]["currentTime"])
        self.assertEqual(response, v21.HeartbeatResponse(currentTime=time))

    def test_a_result_that_is_refused_after_a_change_of_version(self):
        class Listening(ActionPlugin):
            @on(v16.HeartbeatRequest)
            def heartbeat(self, charge_point, request):
                return v16.HeartbeatResponse(currentTime=datetime.now(UTC))

            @on_refused(v21.HeartbeatRequest)
            def refused(self, charge_point, response, error):
                raise AssertionError("that is no answer of OCPP 2.1")

        remembered = Remembered()
        wire(Listening(), remembered=remembered).says('[2,"a","Heartbeat",{}]')
        cp1 = wire(Listening(), version="2.1", remembered=remembered)
        cp1.says('[5,"a","FormatViolation","no",{}]')
        self.assertEqual(cp1.hears(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_json_of_a_send(self):
        cp1 = wire(ActionPlugin(), version="2.1")
        self.failureResultOf(
            cp1.connection.call_json(
                "NotifyPeriodicEventStream",
                b'{"id":1,"pending":0,"basetime":"2026-01-01T00:00:00Z","data":[{"t":1,"v":"2"}]}',
            ),
            LocalProtocolError,
        )
        self.assertEqual(cp1.hears(), [])

    def test_json_not_utf8(self):
        for version in CATALOGUES:
            cp1 = wire(ActionPlugin(), version=version)
            for p in (b'{"type":"\xff"}', b'{"type":"Immediate","x":"\xff"}'):
                self.failureResultOf(cp1.connection.call_json("Reset", p), LocalProtocolError)
            self.assertEqual(cp1.hears(), [])

    def test_nan(self):
        clock = Clock()
        cp1 = wire(ActionPlugin(), clock)
        self.failureResultOf(cp1.connection.call(v16.ClearCacheRequest(), nan), LocalProtocolError)
        self.assertEqual((cp1.hears(), clock.getDelayedCalls()), ([], []))

    def test_a_call_given_up_is_not_told_twice_at_the_end(self):
        clock = Clock()
        cp1 = wire(ActionPlugin(), clock)
        session = cp1.connection._session
        session.call(v16.ClearCacheRequest(), 0, 10)
        session.calls.next_call(5)
        session.calls.expire(12)
        self.assertEqual(session.close(), [])


class SecretTests(SynchronousTestCase):
    def test_an_error_that_quotes_a_secret_is_not_logged(self):
        cp1 = wire(ActionPlugin())
        request = v16.ChangeConfigurationRequest(key="AuthorizationKey", value="S3CRET")
        with capturedLogs() as logs:
            result = cp1.connection.call(request)
            cp1.says(f'[4,"{cp1.hears_call()}","InternalError","S3CRET is bad",{{}}]')
        self.failureResultOf(result, CallErrorReceived)
        told = [formatEvent(event) for event in logs]
        self.assertEqual(len(told), 1)
        self.assertIn("ChangeConfiguration: CallErrorReceived", told[0])
        self.assertNotIn("S3CRET", told[0])
