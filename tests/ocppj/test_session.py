"""One connection's RPC state, as transcripts of what we send and what the session hears.

Sources: OCPP-J 1.6 chapter 4 with errata 5.1 and 5.2; OCPP 2.0.1 part 4 and OCPP 2.1 part 4,
sections 4.1 to 4.4.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v21, v201
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFault,
    CallTimedOut,
    ConnectionLost,
    ErrorCode,
    LocalProtocolError,
    NotConnected,
    QueueFull,
)
from ocpp_twisted.ocppj.session import (
    CallAnswered,
    CallEnded,
    CallReceived,
    CallState,
    Rejected,
    ResultRefused,
    SendReceived,
    Session,
)
from ocpp_twisted.versions import CATALOGUES
from tests.support import next_frame

NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


class Transcript(SynchronousTestCase):
    """A session whose calls have the ids 1, 2, 3, ..."""

    version = "1.6"

    def setUp(self):
        self.session = self.new_session()

    def new_session(self, queue_limit=64):
        new_id = map(str, count(1)).__next__
        return Session(CATALOGUES[self.version], new_id, queue_limit)

    def clear_cache(self, now=0.0, timeout=30.0, owner=None):
        return self.session.call(v16.ClearCacheRequest(), now, timeout, owner)

    def sends(self, *frames):
        """We send these CALLs, and then no more."""
        for frame in frames:
            self.assertEqual(next_frame(self.session), frame)
        self.assertIsNone(next_frame(self.session))

    def hears(self, frame, kind):
        """The peer sends this frame, which means an event of `kind`."""
        event = self.session.receive(frame)
        self.assertIs(type(event), kind, event)
        return event

    def ignores(self, frame):
        """The peer sends this frame, and nothing comes of it."""
        self.assertIsNone(self.hears(frame, Rejected).reply)

    def ends(self, events, *expected):
        """Exactly these calls have ended, with these errors, in this order."""
        self.assertEqual([(e.call, type(e.error)) for e in events], list(expected))
        for event in events:
            self.assertIs(event.call.state, CallState.ENDED)
            self.assertIsNone(event.reply)


class OneCallAtATime(Transcript):
    """Our calls: one out, the others in a queue (OCPP-J 1.6, 4.1.1)."""

    def test_a_call_and_its_answer(self):
        call = self.clear_cache(owner="me")
        self.assertIs(call.state, CallState.QUEUED)
        self.sends(b'[2,"1","ClearCache",{}]')
        self.assertIs(call.state, CallState.WAITING)
        event = self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.assertIs(event.call, call)
        self.assertEqual(event.call.owner, "me")
        self.assertIs(call.state, CallState.ENDED)
        self.assertEqual(
            event.response, v16.ClearCacheResponse(status=v16.ClearCacheStatus.Accepted)
        )
        self.assertIsNone(event.repairs)

    def test_nothing_to_send(self):
        self.sends()
        self.assertIsNone(self.session.calls.deadline())

    def test_the_second_waits_for_the_first_answer(self):
        self.clear_cache()
        self.clear_cache()
        self.assertEqual(self.session.calls.queued, 2)
        self.sends(b'[2,"1","ClearCache",{}]')
        self.assertEqual(self.session.calls.queued, 1)
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.sends(b'[2,"2","ClearCache",{}]')
        self.assertEqual(self.session.calls.queued, 0)

    def test_a_callerror_lets_the_next_one_go(self):
        first = self.clear_cache()
        self.clear_cache()
        self.sends(b'[2,"1","ClearCache",{}]')
        event = self.hears(b'[4,"1","InternalError","",{}]', CallEnded)
        self.ends([event], (first, CallErrorReceived))
        self.sends(b'[2,"2","ClearCache",{}]')

    def test_sent_in_the_order_of_the_calls(self):
        self.session.call(v16.GetLocalListVersionRequest(), 0.0, 30.0)
        self.session.call(v16.ResetRequest(type=v16.ResetType.Soft), 0.0, 10.0)
        self.session.call(v16.ClearCacheRequest(), 0.0, 20.0)
        self.sends(b'[2,"1","GetLocalListVersion",{}]')
        self.hears(b'[3,"1",{"listVersion":7}]', CallAnswered)
        self.sends(b'[2,"2","Reset",{"type":"Soft"}]')
        self.hears(b'[3,"2",{"status":"Accepted"}]', CallAnswered)
        self.sends(b'[2,"3","ClearCache",{}]')

    def test_an_answer_is_read_as_the_answer_to_its_call(self):
        self.session.call(v16.GetLocalListVersionRequest(), 0.0, 30.0)
        self.sends(b'[2,"1","GetLocalListVersion",{}]')
        event = self.hears(b'[3,"1",{"listVersion":7}]', CallAnswered)
        self.assertEqual(event.response, v16.GetLocalListVersionResponse(listVersion=7))

    def test_the_answer_comes_twice(self):
        self.clear_cache()
        second = self.clear_cache()
        self.sends(b'[2,"1","ClearCache",{}]')
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.sends(b'[2,"2","ClearCache",{}]')
        self.ignores(b'[3,"1",{"status":"Accepted"}]')
        self.ignores(b'[4,"1","InternalError","",{}]')
        self.assertIs(second.state, CallState.WAITING)

    def test_a_queued_call_has_no_answer_yet(self):
        self.clear_cache()
        second = self.clear_cache()
        self.sends(b'[2,"1","ClearCache",{}]')
        self.ignores(b'[3,"2",{"status":"Accepted"}]')
        self.assertIs(second.state, CallState.QUEUED)

    def test_an_empty_payload_may_be_null(self):
        self.session = Session(CATALOGUES["2.0.1"], lambda: "1")
        self.session.call(
            v201.ClearedChargingLimitRequest(
                chargingLimitSource=v201.ChargingLimitSourceEnumType.EMS
            ),
            0.0,
            30.0,
        )
        self.sends(b'[2,"1","ClearedChargingLimit",{"chargingLimitSource":"EMS"}]')
        event = self.hears(b'[3,"1",null]', CallAnswered)
        self.assertEqual(event.response, v201.ClearedChargingLimitResponse())

    def test_the_queue_has_a_limit(self):
        self.session = self.new_session(queue_limit=2)
        self.clear_cache()
        self.clear_cache()
        self.assertRaises(QueueFull, self.clear_cache)
        self.assertEqual(self.session.calls.queued, 2)

    def test_the_waiting_call_is_not_in_the_queue(self):
        self.session = self.new_session(queue_limit=2)
        self.clear_cache()
        self.assertIsNotNone(next_frame(self.session))
        self.clear_cache()
        self.clear_cache()
        self.assertRaises(QueueFull, self.clear_cache)
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.assertRaises(QueueFull, self.clear_cache)
        self.assertIsNotNone(next_frame(self.session))
        self.clear_cache()

    def test_a_full_queue_is_whole(self):
        self.session = self.new_session(queue_limit=1)
        self.clear_cache()
        self.assertRaises(QueueFull, self.clear_cache)
        self.sends(b'[2,"1","ClearCache",{}]')
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.sends()

    def test_a_request_of_another_version(self):
        self.assertRaises(
            LocalProtocolError, self.session.call, v201.ClearCacheRequest(), 0.0, 30.0
        )
        self.sends()
        self.assertEqual(self.session.calls.queued, 0)

    def test_a_request_that_the_schema_refuses(self):
        request = v16.ChangeConfigurationRequest(key="k" * 51, value="1")
        self.assertRaises(LocalProtocolError, self.session.call, request, 0.0, 30.0)
        self.sends()


class Deadlines(Transcript):
    """Time comes as an argument and leaves as a deadline."""

    def test_the_deadline_of_the_waiting_call(self):
        self.clear_cache(now=100.0, timeout=30.0)
        self.assertEqual(self.session.calls.deadline(), 130.0)
        self.assertIsNotNone(next_frame(self.session, 100.0))
        self.assertEqual(self.session.calls.deadline(), 130.0)
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.assertIsNone(self.session.calls.deadline())

    def test_a_call_that_waited_long_has_its_whole_turn_on_the_wire(self):
        self.clear_cache(now=0.0, timeout=100.0)
        second = self.clear_cache(now=0.0, timeout=30.0)
        self.clear_cache(now=0.0, timeout=100.0)
        self.assertIsNotNone(next_frame(self.session, 0.0))
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.assertIsNotNone(next_frame(self.session, 29.9))
        (event,) = self.session.calls.expire(30.0)
        self.assertIs(event.call, second)
        self.assertTrue(event.error.sent)
        self.assertIsNone(next_frame(self.session, 30.0))
        self.assertEqual(self.session.calls.deadline(), 59.9)
        self.assertEqual(self.session.calls.expire(59.8), [])
        self.assertIsNone(next_frame(self.session, 59.8))
        self.assertEqual(self.session.calls.expire(59.9), [])
        self.assertIsNotNone(next_frame(self.session, 59.9))

    def test_its_answer_ends_the_turn(self):
        self.clear_cache(now=0.0, timeout=100.0)
        second = self.clear_cache(now=0.0, timeout=30.0)
        self.clear_cache(now=0.0, timeout=100.0)
        self.assertIsNotNone(next_frame(self.session, 0.0))
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.assertIsNotNone(next_frame(self.session, 29.9))
        self.session.calls.expire(30.0)
        event = self.hears(b'[3,"2",{"status":"Accepted"}]', CallAnswered)
        self.assertIs(event.call, second)
        self.assertIsNotNone(next_frame(self.session, 31.0))

    def test_an_error_without_a_readable_id_leaves_the_call_open_to_its_answer(self):
        self.session = Session(CATALOGUES["2.1"], lambda: "1")
        self.session.call(v21.ClearCacheRequest(), 0.0, 30.0)
        next_frame(self.session)
        self.hears(b'[4,"-1","RpcFrameworkError","",{}]', CallEnded)
        self.assertIsNone(self.session.calls.deadline())
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)

    def test_the_earliest_deadline_whoever_has_it(self):
        self.clear_cache(timeout=30.0)
        self.clear_cache(timeout=20.0)
        self.clear_cache(timeout=40.0)
        self.assertIsNotNone(next_frame(self.session))
        self.assertEqual(self.session.calls.deadline(), 20.0)

    def test_no_answer_in_time(self):
        call = self.clear_cache(now=0.0, timeout=30.0)
        self.sends(b'[2,"1","ClearCache",{}]')
        self.assertEqual(self.session.calls.expire(29.9), [])
        (event,) = self.session.calls.expire(30.0)
        self.ends([event], (call, CallTimedOut))
        self.assertTrue(event.error.sent)
        self.assertEqual(str(event.error), "no answer to ClearCache in time")
        self.assertEqual(self.session.calls.expire(1000.0), [])

    def test_not_sent_in_time(self):
        self.clear_cache(timeout=30.0)
        second = self.clear_cache(timeout=10.0)
        self.sends(b'[2,"1","ClearCache",{}]')
        (event,) = self.session.calls.expire(10.0)
        self.ends([event], (second, CallTimedOut))
        self.assertFalse(event.error.sent)
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.sends()

    def test_several_at_once_the_sent_one_first(self):
        calls = [self.clear_cache(timeout=seconds) for seconds in (10.0, 10.0, 20.0, 5.0)]
        self.sends(b'[2,"1","ClearCache",{}]')
        ended = self.session.calls.expire(10.0)
        self.ends(
            ended, (calls[0], CallTimedOut), (calls[1], CallTimedOut), (calls[3], CallTimedOut)
        )
        self.assertEqual([event.error.sent for event in ended], [True, False, False])
        self.sends(b'[2,"3","ClearCache",{}]')

    def test_a_late_answer_is_told_once_and_changes_nothing(self):
        first = self.clear_cache(timeout=10.0)
        second = self.clear_cache(timeout=30.0)
        self.sends(b'[2,"1","ClearCache",{}]')
        self.session.calls.expire(10.0)
        self.sends(b'[2,"2","ClearCache",{}]')
        event = self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.assertIs(event.call, first)
        self.assertEqual(event.response.status, "Accepted")
        self.ignores(b'[3,"1",{"status":"Accepted"}]')
        self.ignores(b'[4,"1","InternalError","",{}]')
        self.ignores(b'[3,"1"]')
        event = self.hears(b'[3,"2",{"status":"Rejected"}]', CallAnswered)
        self.assertIs(event.call, second)

    def test_a_late_refusal_is_told_as_well(self):
        first = self.clear_cache(timeout=10.0)
        self.sends(b'[2,"1","ClearCache",{}]')
        self.session.calls.expire(10.0)
        event = self.hears(b'[4,"1","InternalError","",{}]', CallEnded)
        self.assertIs(event.call, first)
        self.assertEqual(event.error.code, "InternalError")

    def test_only_the_latest_calls_are_remembered_after_their_time(self):
        for number in range(1, 10):
            self.clear_cache(timeout=1.0)
            self.sends(b'[2,"%d","ClearCache",{}]' % number)
            self.session.calls.expire(1.0)
        self.ignores(b'[3,"1",{"status":"Accepted"}]')
        self.hears(b'[3,"2",{"status":"Accepted"}]', CallAnswered)


class Cancel(Transcript):
    def test_a_queued_call_is_forgotten(self):
        self.clear_cache()
        second = self.clear_cache(timeout=1.0)
        self.clear_cache()
        self.sends(b'[2,"1","ClearCache",{}]')
        self.session.calls.cancel(second)
        self.assertIs(second.state, CallState.ENDED)
        self.assertEqual(self.session.calls.queued, 1)
        self.assertEqual(self.session.calls.deadline(), 30.0)
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.sends(b'[2,"3","ClearCache",{}]')

    def test_a_sent_call_keeps_its_place(self):
        first = self.clear_cache()
        self.clear_cache()
        self.sends(b'[2,"1","ClearCache",{}]')
        self.session.calls.cancel(first)
        self.assertIs(first.state, CallState.WAITING)
        self.sends()
        event = self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.assertIs(event.call, first)
        self.sends(b'[2,"2","ClearCache",{}]')

    def test_twice_and_after_the_end(self):
        first = self.clear_cache()
        second = self.clear_cache()
        self.sends(b'[2,"1","ClearCache",{}]')
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.session.calls.cancel(first)
        self.session.calls.cancel(second)
        self.session.calls.cancel(second)
        self.sends()


class Close(Transcript):
    def test_everything_ends(self):
        sent, queued, later = self.clear_cache(), self.clear_cache(), self.clear_cache()
        self.sends(b'[2,"1","ClearCache",{}]')
        self.ends(
            self.session.close(),
            (sent, ConnectionLost),
            (queued, NotConnected),
            (later, NotConnected),
        )
        self.sends()
        self.assertEqual(self.session.calls.queued, 0)
        self.assertIsNone(self.session.calls.deadline())
        self.assertEqual(self.session.calls.expire(1000.0), [])

    def test_twice(self):
        self.clear_cache()
        self.session.close()
        self.assertEqual(self.session.close(), [])

    def test_the_answer_comes_after_the_end(self):
        self.clear_cache()
        self.sends(b'[2,"1","ClearCache",{}]')
        self.session.close()
        self.ignores(b'[3,"1",{"status":"Accepted"}]')

    def test_our_answer_comes_after_the_end(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.session.close()
        self.assertEqual(self.session.answering, 0)
        response = v16.HeartbeatResponse(currentTime=NEW_YEAR)
        self.assertRaises(LocalProtocolError, self.session.result, "a", response)


HEARTBEAT_RESULT = b'[3,"a",{"currentTime":"2024-01-01T00:00:00Z"}]'


class Answering(Transcript):
    """The peer's CALLs: each has one answer."""

    def test_the_digest_is_the_same_in_every_process(self):
        event = self.hears(b'[2,"1","Heartbeat",{}]', CallReceived)
        self.assertEqual(event.digest, 987832618)

    def heartbeat(self, message_id="a", moment=NEW_YEAR):
        return self.session.result(message_id, v16.HeartbeatResponse(currentTime=moment))

    def error(self, code, text="", details=None, message_id="a"):
        return self.session.error(message_id, CallFault(code, text, details))

    def test_a_result(self):
        event = self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.assertEqual(event.message_id, "a")
        self.assertEqual(event.action.name, "Heartbeat")
        self.assertEqual(event.request, v16.HeartbeatRequest())
        self.assertIsNone(event.repairs)
        self.assertEqual(self.session.answering, 1)
        self.assertEqual(self.heartbeat(), HEARTBEAT_RESULT)
        self.assertEqual(self.session.answering, 0)

    def test_an_error(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.assertEqual(
            self.error(ErrorCode.SECURITY_ERROR, 'who are "you"?', {"try": ["again", 1]}),
            rb'[4,"a","SecurityError","who are \"you\"?",{"try":["again",1]}]',
        )
        self.assertEqual(self.session.answering, 0)

    def test_an_error_of_five_elements_without_a_text(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.assertEqual(self.error(ErrorCode.INTERNAL_ERROR), b'[4,"a","InternalError","",{}]')

    def test_answers_in_any_order(self):
        for message_id in (b"a", b"b", b"c"):
            self.hears(b'[2,"%s","Heartbeat",{}]' % message_id, CallReceived)
        self.assertEqual(self.heartbeat("c"), HEARTBEAT_RESULT.replace(b'"a"', b'"c"'))
        self.assertEqual(self.error(ErrorCode.NOT_SUPPORTED), b'[4,"a","NotSupported","",{}]')
        self.assertEqual(self.heartbeat("b"), HEARTBEAT_RESULT.replace(b'"a"', b'"b"'))

    def test_the_directions_cross(self):
        """4.1.1: "CALL messages from both sides can always cross each other"."""
        self.clear_cache()
        self.sends(b'[2,"1","ClearCache",{}]')
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.assertEqual(self.heartbeat(), HEARTBEAT_RESULT)
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)

    def test_both_directions_use_the_same_id(self):
        self.clear_cache()
        self.sends(b'[2,"1","ClearCache",{}]')
        self.hears(b'[2,"1","Heartbeat",{}]', CallReceived)
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)
        self.assertEqual(self.session.answering, 1)
        self.assertEqual(self.heartbeat("1"), HEARTBEAT_RESULT.replace(b'"a"', b'"1"'))

    def test_the_id_goes_back_exactly(self):
        for text in (rb"a\"b\\c", b"", "🚗".encode(), rb"\u0000"):
            event = self.hears(b'[2,"%s","Heartbeat",{}]' % text, CallReceived)
            self.assertEqual(
                self.heartbeat(event.message_id), HEARTBEAT_RESULT.replace(b'"a"', b'"%s"' % text)
            )

    def test_the_same_call_again_while_it_is_handled(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.ignores(b'[2,"a","Heartbeat",{}]')
        self.assertEqual(self.session.answering, 1)
        self.assertEqual(self.heartbeat(), HEARTBEAT_RESULT)

    def test_another_call_of_the_same_id_while_it_is_handled(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        for frame in (b'[2,"a","Fly",{}]', b'[2,"a","Heartbeat",[]]', b'[2,"a","Heartbeat", {}]'):
            self.assertEqual(
                self.hears(frame, Rejected).reply,
                b'[4,"a","FormationViolation","another CALL with this id is open",{}]',
            )
        for frame in (b'[2,"a"]', b'[2,"a",'):
            self.ignores(frame)
        self.assertEqual(self.heartbeat(), HEARTBEAT_RESULT)

    def test_the_same_id_again_after_the_answer(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.heartbeat()
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.assertEqual(self.heartbeat(), HEARTBEAT_RESULT)

    def test_a_refused_call_has_its_answer_already(self):
        self.assertIsNotNone(self.hears(b'[2,"a","Fly",{}]', Rejected).reply)
        self.assertRaises(LocalProtocolError, self.heartbeat)

    def test_two_results(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.heartbeat()
        self.assertRaises(LocalProtocolError, self.heartbeat)

    def test_two_errors(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.error(ErrorCode.INTERNAL_ERROR)
        self.assertRaises(LocalProtocolError, self.error, ErrorCode.INTERNAL_ERROR)

    def test_a_result_and_an_error(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.heartbeat()
        self.assertRaises(LocalProtocolError, self.error, ErrorCode.INTERNAL_ERROR)

    def test_a_result_to_nothing(self):
        self.assertRaises(LocalProtocolError, self.heartbeat)

    def test_a_response_of_another_version(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        other = v201.HeartbeatResponse(currentTime=NEW_YEAR)
        self.assertRaises(LocalProtocolError, self.session.result, "a", other)
        self.assertEqual(self.heartbeat(), HEARTBEAT_RESULT)

    def test_a_response_that_the_schema_refuses(self):
        self.hears(b'[2,"a","Authorize",{"idTag":"x"}]', CallReceived)
        accepted = v16.AuthorizationStatus.Accepted
        wrong = v16.IdTagInfo(status=accepted, parentIdTag="x" * 21)
        self.assertRaises(
            LocalProtocolError, self.session.result, "a", v16.AuthorizeResponse(idTagInfo=wrong)
        )
        right = v16.IdTagInfo(status=accepted, parentIdTag="x" * 20)
        self.assertEqual(
            self.session.result("a", v16.AuthorizeResponse(idTagInfo=right)),
            b'[3,"a",{"idTagInfo":{"status":"Accepted","parentIdTag":"%s"}}]' % (b"x" * 20),
        )

    def test_a_time_without_a_zone(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        naive = NEW_YEAR.replace(tzinfo=None)
        self.assertRaises(LocalProtocolError, self.heartbeat, moment=naive)
        self.assertEqual(self.heartbeat(), HEARTBEAT_RESULT)

    def test_error_details_that_are_not_json(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        for details in ({"a": object()}, {"a": "\ud800"}):
            self.assertRaises(
                (TypeError, ValueError), self.error, ErrorCode.INTERNAL_ERROR, "", details
            )
        self.assertEqual(self.error(ErrorCode.INTERNAL_ERROR), b'[4,"a","InternalError","",{}]')

    def test_an_error_to_nothing(self):
        self.assertRaises(LocalProtocolError, self.error, ErrorCode.INTERNAL_ERROR)

    def test_times_are_written_exactly(self):
        for moment, text in (
            (NEW_YEAR, b"2024-01-01T00:00:00Z"),
            (NEW_YEAR.replace(microsecond=123_999), b"2024-01-01T00:00:00.123Z"),
            (NEW_YEAR.replace(microsecond=1_000), b"2024-01-01T00:00:00.001Z"),
            (NEW_YEAR.astimezone(timezone(timedelta(hours=2))), b"2024-01-01T00:00:00Z"),
            (NEW_YEAR.replace(tzinfo=timezone(timedelta(hours=2))), b"2023-12-31T22:00:00Z"),
        ):
            self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
            self.assertEqual(self.heartbeat(moment=moment), b'[3,"a",{"currentTime":"%s"}]' % text)

    def test_a_description_of_255_characters(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.assertEqual(
            self.error(ErrorCode.GENERIC_ERROR, "ζ" * 255),
            f'[4,"a","GenericError","{"ζ" * 255}",{{}}]'.encode(),
        )

    def test_what_the_log_is_told_is_short(self):
        event = self.hears(b'[2,"a","Heartbeat",{"%s":1}]' % (b"x" * 2**20), Rejected)
        self.assertLess(len(event.why), 400)
        event = self.hears(b'[2,"a","%s",{}]' % (b"X" * 2**20), Rejected)
        self.assertLess(len(event.why), 400)

    def test_a_longer_description_is_cut(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.assertEqual(
            self.error(ErrorCode.GENERIC_ERROR, "ζ" * 256),
            f'[4,"a","GenericError","{"ζ" * 255}",{{}}]'.encode(),
        )


class Repairs(Transcript):
    """What could be mended is told, so that an operator can tell the vendor."""

    def test_a_time_with_a_short_offset(self):
        event = self.hears(
            b'[2,"a","StatusNotification",{"connectorId":1,"errorCode":"NoError",'
            b'"status":"Available","timestamp":"2024-01-01T02:00:00+02"}]',
            CallReceived,
        )
        self.assertEqual(event.request.timestamp, NEW_YEAR)
        self.assertEqual(
            list(map(str, event.repairs)),
            ["$.timestamp: a time not written as RFC 3339 asks, read"],
        )
        self.assertEqual(self.session.answering, 1)

    def test_in_an_answer(self):
        self.session.call(v16.GetLocalListVersionRequest(), 0.0, 30.0)
        self.sends(b'[2,"1","GetLocalListVersion",{}]')
        event = self.hears(b'[3,"1",{"listVersion":7.0}]', CallAnswered)
        self.assertEqual(event.response.listVersion, 7)
        self.assertEqual(
            list(map(str, event.repairs)),
            ["$.listVersion: a whole number with a decimal point, read"],
        )


class Spelling(SynchronousTestCase):
    """What each version calls an error code."""

    def spelled(self, version):
        session = Session(CATALOGUES[version], lambda: "1")
        written = {}
        for code in ErrorCode:
            event = session.receive(b'[2,"a","Heartbeat",{}]')
            frame = session.error(event.message_id, CallFault(code))
            self.assertTrue(frame.startswith(b'[4,"a","'), frame)
            self.assertTrue(frame.endswith(b'","",{}]'), frame)
            written[code.value] = frame[8:-8].decode()
        return written

    def test_1_6(self):
        """Errata 5.1 and 5.2 keep the odd spellings; table 7 lacks the codes of the framework."""
        self.assertEqual(
            self.spelled("1.6"),
            {
                "FormatViolation": "FormationViolation",
                "GenericError": "GenericError",
                "InternalError": "InternalError",
                "MessageTypeNotSupported": "GenericError",
                "NotImplemented": "NotImplemented",
                "NotSupported": "NotSupported",
                "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
                "PropertyConstraintViolation": "PropertyConstraintViolation",
                "ProtocolError": "ProtocolError",
                "RpcFrameworkError": "GenericError",
                "SecurityError": "SecurityError",
                "TypeConstraintViolation": "TypeConstraintViolation",
            },
        )

    def test_2_x(self):
        codes = (
            "FormatViolation",
            "GenericError",
            "InternalError",
            "MessageTypeNotSupported",
            "NotImplemented",
            "NotSupported",
            "OccurrenceConstraintViolation",
            "PropertyConstraintViolation",
            "ProtocolError",
            "RpcFrameworkError",
            "SecurityError",
            "TypeConstraintViolation",
        )
        for version in ("2.0", "2.0.1", "2.1"):
            self.assertEqual(self.spelled(version), {code: code for code in codes})


STREAM = (
    b'"NotifyPeriodicEventStream",{"data":[{"t":0,"v":"230.4"}],"id":1,"pending":0,'
    b'"basetime":"2024-01-01T00:00:00Z"}]'
)


class New21(Transcript):
    """SEND and CALLRESULTERROR (OCPP 2.1 part 4, 4.2.3 and 4.2.4)."""

    version = "2.1"

    def stream(self):
        return v21.NotifyPeriodicEventStream(
            id=1,
            pending=0,
            basetime=NEW_YEAR,
            data=[v21.StreamDataElementType(t=0, v="230.4")],
        )

    def test_a_send_does_not_wait_for_a_call(self):
        self.session.call(v21.ClearCacheRequest(), 0.0, 30.0)
        self.sends(b'[2,"1","ClearCache",{}]')
        self.assertEqual(self.session.send(self.stream()), b'[6,"2",' + STREAM)
        self.hears(b'[3,"1",{"status":"Accepted"}]', CallAnswered)

    def test_a_send_waits_for_nothing(self):
        self.session.send(self.stream())
        self.sends()
        self.assertIsNone(self.session.calls.deadline())

    def test_a_send_received(self):
        event = self.hears(b'[6,"a",' + STREAM, SendReceived)
        self.assertEqual(event.message, self.stream())
        self.assertEqual(event.action.name, "NotifyPeriodicEventStream")
        self.assertEqual(self.session.answering, 0)

    def test_a_bad_send_is_told_to_the_log_only(self):
        name = b"x" * 2**20
        event = self.hears(b'[6,"a","NotifyPeriodicEventStream",{"%s":1}]' % name, Rejected)
        self.assertIsNone(event.reply)
        self.assertLess(len(event.why), 400)

    def test_a_bad_result_makes_a_short_error(self):
        self.session.call(v21.ClearCacheRequest(), 0.0, 30.0)
        self.sends(b'[2,"1","ClearCache",{}]')
        event = self.hears(b'[3,"1",{"status":"%s"}]' % (b"x" * 2**20), CallEnded)
        self.assertLess(len(str(event.error)), 400)
        self.assertLess(len(event.reply), 400)

    def test_a_send_with_the_id_of_a_call_being_handled(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.hears(b'[6,"a",' + STREAM, SendReceived)
        self.assertEqual(self.session.answering, 1)

    def test_no_send_in_other_versions(self):
        for version in ("1.6", "2.0", "2.0.1"):
            session = Session(CATALOGUES[version], lambda: "1")
            self.assertRaises(LocalProtocolError, session.send, self.stream())

    def test_our_result_refused(self):
        self.hears(b'[2,"a","Heartbeat",{}]', CallReceived)
        self.session.result("a", v21.HeartbeatResponse(currentTime=NEW_YEAR))
        event = self.hears(b'[5,"a","TypeConstraintViolation","no",{"b":1}]', ResultRefused)
        self.assertEqual(event.message_id, "a")
        self.assertEqual(
            (event.error.code, event.error.description, event.error.details),
            ("TypeConstraintViolation", "no", {"b": 1}),
        )

    def test_a_bad_result_lets_the_next_call_go(self):
        self.session.call(v21.ClearCacheRequest(), 0.0, 30.0)
        self.session.call(v21.ClearCacheRequest(), 0.0, 30.0)
        self.sends(b'[2,"1","ClearCache",{}]')
        event = self.hears(b'[3,"1",{}]', CallEnded)
        self.assertEqual(
            event.reply,
            b'[5,"1","OccurrenceConstraintViolation","$.status: required, but absent",{}]',
        )
        self.sends(b'[2,"2","ClearCache",{}]')
