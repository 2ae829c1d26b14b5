"""One connection as a transcript: what the charge point says, and what it hears."""

from __future__ import annotations

import gc
import json
import weakref
from datetime import UTC, datetime

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v21, v201
from ocpp_twisted.connection import Limits
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
from ocpp_twisted.plugin import ActionPlugin, after, on, on_result
from tests.support import HEARTBEAT, Wire, wire

TIME = v16.HeartbeatResponse(currentTime=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
RESET = v16.ResetRequest(type="Soft")
RESET_CALL = '[2,"{}","Reset",{{"type":"Soft"}}]'
INTERNAL_ERROR = '[4,"h1","InternalError","the central system failed",{}]'
TIME_RESULT = '[3,"h1",{"currentTime":"2026-01-02T03:04:05Z"}]'


class Broken(Exception):
    """What a business error looks like to us."""


def handled_by(handler) -> Wire:
    """A connection whose Heartbeats this handler answers: ``handler(charge_point, request)``."""

    class Plugin(ActionPlugin):
        name = "handler"

        @on(v16.HeartbeatRequest)
        def heartbeat(self, charge_point, request):
            return handler(charge_point, request)

    return wire(Plugin())


def raising(error: Exception):
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
        self.failureResultOf(result, InvalidResponse)
        self.assertEqual(self.heard, [])

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
        cp1.hears()
        cp1.says('[3,"1",{"status":"Accepted"}]')
        self.assertEqual(self.heard, [])

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


class BackPressureTests(SynchronousTestCase):
    """A handler that does not answer makes its own charge point wait, and nobody else."""

    def test_reading_pauses_and_goes_on(self) -> None:
        answers = []

        class Plugin(ActionPlugin):
            @on(v16.HeartbeatRequest)
            def heartbeat(self, charge_point, request):
                answers.append(Deferred())
                return answers[-1]

        cp1 = wire(Plugin(), limits=Limits(open_calls=2))
        cp1.says('[2,"1","Heartbeat",{}]')
        self.assertFalse(cp1.transport.paused)
        cp1.says('[2,"2","Heartbeat",{}]')
        self.assertTrue(cp1.transport.paused)
        answers[0].callback(TIME)
        self.assertFalse(cp1.transport.paused)


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
