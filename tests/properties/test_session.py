"""Whatever comes in whatever order: the session keeps its books, and never raises.

Sources: OCPP-J 1.6 chapter 4; OCPP 2.0.1 part 4 and OCPP 2.1 part 4, sections 4.1 to 4.4.
"""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v20, v21, v201
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
from ocpp_twisted.ocppj.session import (
    CallAnswered,
    CallEnded,
    CallReceived,
    CallState,
    Rejected,
    Session,
)
from ocpp_twisted.versions import CATALOGUES
from tests.support import next_frame

MODULES = {"1.6": v16, "2.0": v20, "2.0.1": v201, "2.1": v21}

_CODES_2 = {
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
}
#: The tables of valid error codes: OCPP-J 1.6 table 7, part 4 table 8 (2.0.1) and 9 (2.1).
CODES = dict.fromkeys(MODULES, _CODES_2) | {
    "1.6": {
        "FormationViolation",
        "GenericError",
        "InternalError",
        "NotImplemented",
        "NotSupported",
        "OccurenceConstraintViolation",
        "PropertyConstraintViolation",
        "ProtocolError",
        "SecurityError",
        "TypeConstraintViolation",
    }
}

#: Answers to the call with the id `%s` that are none.
BAD_RESULTS = [
    b'[3,"%s",{}]',
    b'[3,"%s",{"status":"Maybe"}]',
    b'[3,"%s",{"status":1}]',
    b'[3,"%s",[]]',
    b'[3,"%s"]',
    b'[3,"%s",{},{}]',
    b'[3,"%s",{"status":"Acc',
]
BAD_ERRORS = [b'[4,"%s"]', b'[4,"%s",1]', b'[4,"%s","E","",{},{}]', b'[4,"%s","E"']
#: CALLs with the id `%s` that have a CALLERROR at once.
BAD_CALLS = [
    b'[2,"%s","Fly",{}]',
    b'[2,"%s","Heartbeat",[]]',
    b'[2,"%s","DataTransfer",{}]',
    b'[2,"%s","DataTransfer",{"vendorId":1}]',
    b'[2,"%s","Heartbeat"]',
    b'[2,"%s",{}]',
    b'[2,"%s","Heartbeat",',
    b'["2","%s","Heartbeat",{}]',
]

#: Few, so that the same id comes again.
PEER_IDS = st.sampled_from(["a", "b", "1", "2", "-1", ""])
QUEUE_LIMIT = 3


class Books(RuleBasedStateMachine):
    """A session, and beside it what it should know."""

    version: str

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.made = 0
        self.connect()

    def connect(self):
        self.session = Session(
            CATALOGUES[self.version], map(str, count(1)).__next__, queue_limit=QUEUE_LIMIT
        )
        self.calls = []
        self.queue = []
        self.waiting = None
        self.late = []
        self.ended = {}
        self.answering = set()

    @property
    def messages(self):
        return MODULES[self.version]

    def end(self, call, outcome):
        assert call.message_id not in self.ended, "a call ends once"
        assert call.state is CallState.ENDED
        self.ended[call.message_id] = outcome
        if call is not self.waiting:
            self.queue.remove(call)

    def answered(self, outcome):
        """The call on the wire has an answer; it may have ended for its caller before."""
        if self.waiting.message_id not in self.ended:
            self.end(self.waiting, outcome)
        self.waiting = None

    def check_reply(self, frame, message_id):
        number, given_id, code, description, details = json.loads(frame)
        assert (number, given_id, details) == (4, message_id, {})
        assert code in CODES[self.version]
        assert len(description) <= 255

    def ignored(self, frame):
        event = self.session.receive(frame)
        assert type(event) is Rejected, event
        assert event.reply is None, event

    # -- our calls

    @rule(timeout=st.integers(1, 9), at_once=st.booleans())
    def call(self, timeout, at_once):
        request = self.messages.ClearCacheRequest()
        try:
            call = self.session.call(request, self.now, float(timeout))
        except QueueFull:
            assert len(self.queue) == QUEUE_LIMIT
            return
        assert len(self.queue) < QUEUE_LIMIT
        assert call.state is CallState.QUEUED
        assert call.deadline == self.now + timeout
        self.calls.append(call)
        self.queue.append(call)
        if at_once:
            self.send_next()

    @rule()
    def call_of_another_version(self):
        other = v16 if self.version != "1.6" else v21
        try:
            self.session.call(other.ClearCacheRequest(), self.now, 5.0)
        except LocalProtocolError:
            return
        except QueueFull:
            assert len(self.queue) == QUEUE_LIMIT
            return
        raise AssertionError("another version's request was taken")

    @rule()
    def send_next(self):
        frame = next_frame(self.session, self.now)
        if self.waiting is not None or not self.queue:
            assert frame is None
            return
        self.waiting = self.queue.pop(0)
        assert self.waiting.state is CallState.WAITING
        assert self.waiting.turn_ends == self.now + self.waiting.seconds
        assert json.loads(frame) == [2, self.waiting.message_id, "ClearCache", {}]

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def cancel(self, data):
        call = data.draw(st.sampled_from(self.calls))
        queued = call in self.queue
        self.session.calls.cancel(call)
        if queued:
            self.end(call, "cancelled")

    # -- the peer's answers

    @precondition(lambda self: self.waiting)
    @rule(status=st.sampled_from(["Accepted", "Rejected"]))
    def answer(self, status):
        call = self.waiting
        event = self.session.receive(b'[3,"%s",{"status":"%s"}]' % (_id(call), status.encode()))
        assert type(event) is CallAnswered, event
        assert event.call is call
        assert event.response.status == status
        self.answered(event.response)

    @precondition(lambda self: self.waiting)
    @rule(unreadable=st.booleans())
    def refuse(self, unreadable):
        call = self.waiting
        message_id = b"-1" if unreadable and self.version != "1.6" else _id(call)
        event = self.session.receive(b'[4,"%s","InternalError","no",{}]' % message_id)
        assert type(event) is CallEnded, event
        assert event.call is call
        assert type(event.error) is CallErrorReceived
        assert event.reply is None
        if message_id == b"-1":
            self.late = [*self.late, call][-8:]  # the true answer may still come
        self.answered(event.error)

    @precondition(lambda self: self.waiting)
    @rule(template=st.sampled_from(BAD_RESULTS + BAD_ERRORS))
    def answer_badly(self, template):
        call = self.waiting
        event = self.session.receive(template % _id(call))
        assert type(event) is CallEnded, event
        assert event.call is call
        assert type(event.error) is InvalidResponse
        if self.version == "2.1" and template in BAD_RESULTS:
            number, given_id, code, description, details = json.loads(event.reply)
            assert (number, given_id, details) == (5, call.message_id, {})
            assert code in CODES["2.1"]
            assert len(description) <= 255
        else:
            assert event.reply is None
        self.answered(event.error)

    @rule(
        data=st.data(),
        template=st.sampled_from(
            [b'[3,"%s",{"status":"Accepted"}]', b'[4,"%s","E","",{}]', *BAD_RESULTS, *BAD_ERRORS]
        ),
    )
    def answer_no_call_that_waits(self, data, template):
        others = [
            _id(call) for call in self.calls if call is not self.waiting and call not in self.late
        ]
        self.ignored(template % data.draw(st.sampled_from([*others, b"no", b"999"])))

    @precondition(lambda self: self.late)
    @rule(
        data=st.data(), template=st.sampled_from([*BAD_RESULTS, *BAD_ERRORS, b'[4,"%s","E","",{}]'])
    )
    def answer_late(self, data, template):
        """What becomes of a call after its time is told once; the call itself has ended."""
        call = data.draw(st.sampled_from(self.late))
        self.late.remove(call)
        event = self.session.receive(template % _id(call))
        assert type(event) is CallEnded, event
        assert event.call is call
        self.ignored(template % _id(call))

    # -- the peer's CALLs

    @rule(message_id=PEER_IDS)
    def peer_calls(self, message_id):
        frame = b'[2,"%s","Heartbeat",{}]' % message_id.encode()
        if message_id in self.answering:
            self.ignored(frame)
            return
        event = self.session.receive(frame)
        assert type(event) is CallReceived, event
        assert event.message_id == message_id
        self.answering.add(message_id)

    @rule(message_id=PEER_IDS, template=st.sampled_from(BAD_CALLS))
    def peer_calls_badly(self, message_id, template):
        frame = template % message_id.encode()
        if message_id in self.answering and not _is_readable_call(frame):
            self.ignored(frame)
            return
        event = self.session.receive(frame)
        assert type(event) is Rejected, event
        self.check_reply(event.reply, message_id)

    @rule(frame=st.sampled_from([b"", b"[2", b"{}", b"[]", b"[2]", b"\xff", b"[2,1,2,3]"]))
    def peer_sends_rubbish(self, frame):
        event = self.session.receive(frame)
        assert type(event) is Rejected, event
        if self.version == "1.6" or "-1" in self.answering:
            assert event.reply is None
        else:
            self.check_reply(event.reply, "-1")

    @rule(message_id=PEER_IDS)
    def result(self, message_id):
        response = self.messages.HeartbeatResponse(currentTime=datetime(2024, 1, 1, tzinfo=UTC))
        try:
            frame = self.session.result(message_id, response)
        except LocalProtocolError:
            assert message_id not in self.answering
            return
        self.answering.remove(message_id)
        assert json.loads(frame) == [3, message_id, {"currentTime": "2024-01-01T00:00:00Z"}]

    @rule(message_id=PEER_IDS)
    def result_that_the_schema_refuses(self, message_id):
        naive = datetime(2024, 1, 1)  # noqa: DTZ001
        for response in (
            self.messages.HeartbeatResponse(currentTime=naive),
            (v16 if self.version != "1.6" else v21).ClearCacheRequest(),
        ):
            try:
                self.session.result(message_id, response)
            except LocalProtocolError:
                continue
            raise AssertionError("the schema refuses it")

    @rule(
        message_id=PEER_IDS,
        code=st.sampled_from(ErrorCode),
        description=st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    )
    def error(self, message_id, code, description):
        try:
            frame = self.session.error(message_id, CallFault(code, description))
        except LocalProtocolError:
            assert message_id not in self.answering
            return
        self.answering.remove(message_id)
        self.check_reply(frame, message_id)
        assert json.loads(frame)[3] == description[:255]

    # -- time, and the end

    @rule(seconds=st.integers(0, 6))
    def time_passes(self, seconds):
        self.now += seconds
        waiting = self.waiting
        over = waiting is not None and waiting.turn_ends <= self.now
        late = [call for call in self.queue if call.deadline <= self.now]
        if waiting is not None and waiting.message_id not in self.ended:
            late = [waiting] * (over or waiting.deadline <= self.now) + late
        ended = self.session.calls.expire(self.now)
        assert [event.call for event in ended] == late
        for event in ended:
            assert type(event.error) is CallTimedOut
            assert event.error.sent is (event.call is waiting)
            assert event.reply is None
            self.end(event.call, event.error)
        if over:
            self.late = [*self.late, waiting][-8:]
            self.waiting = None

    @precondition(lambda self: len(self.calls) > 5)
    @rule()
    def close(self):
        waiting = self.waiting
        open_calls = [call for call in [waiting, *self.queue] if call]
        open_calls = [call for call in open_calls if call.message_id not in self.ended]
        ended = self.session.close()
        assert [event.call for event in ended] == open_calls
        for event in ended:
            assert type(event.error) is (ConnectionLost if event.call is waiting else NotConnected)
            self.end(event.call, event.error)
        self.waiting = None
        assert set(self.ended) == {call.message_id for call in self.calls}
        for call in self.calls:
            self.ignored(b'[3,"%s",{"status":"Accepted"}]' % _id(call))
        self.answering.clear()
        self.books_agree()
        self.connect()

    # -- at any time

    @invariant()
    def books_agree(self):
        session = self.session
        assert session.calls.queued == len(self.queue) <= QUEUE_LIMIT
        assert session.answering == len(self.answering)
        out = [call for call in self.calls if call.state is CallState.WAITING]
        waiting = self.waiting
        assert out == [call for call in [waiting] if call and call.message_id not in self.ended]
        if waiting:
            assert next_frame(session, self.now) is None, "two of our CALLs are out"
        for call in self.calls:
            assert (call.state is CallState.ENDED) is (call.message_id in self.ended)
        times = [call.deadline for call in [*out, *self.queue]]
        if waiting:
            times.append(waiting.turn_ends)
        assert session.calls.deadline() == min(times, default=None)


def _is_readable_call(data):
    """Whether these are four elements that make a CALL, whatever its action and payload."""
    try:
        sent = json.loads(data.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(sent, list) and len(sent) == 4 and sent[0] == 2 and isinstance(sent[2], str)


def _id(call):
    return call.message_id.encode()


BOOKS = settings(derandomize=True, deadline=None, max_examples=80, stateful_step_count=50)


class Bookkeeping(SynchronousTestCase):
    """Each call ends once, one is out at a time, and each CALL of the peer has one answer."""

    def run_books(self, wanted):
        class BooksOfVersion(Books):
            version = wanted

        run_state_machine_as_test(BooksOfVersion, settings=BOOKS)

    def test_1_6(self):
        self.run_books("1.6")

    def test_2_0(self):
        self.run_books("2.0")

    def test_2_0_1(self):
        self.run_books("2.0.1")

    def test_2_1(self):
        self.run_books("2.1")


#: Real frames: what the mutations begin with.
FRAMES = [
    b'[2,"b","Heartbeat",{}]',
    b'[2,"b","DataTransfer",{"vendorId":"com.example","messageId":"m","data":"d"}]',
    b'[2,"b","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]',
    (
        b'[2,"b","BootNotification",{"reason":"PowerUp","chargingStation":{"model":"M",'
        b'"vendorName":"V","customData":{"vendorId":"v","a":[1,2.5,null]}}}]'
    ),
    (
        b'[2,"b","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2024-01-01T00:00:00Z",'
        b'"sampledValue":[{"value":"1.5","unit":"Wh"}]}]}]'
    ),
    (
        b'[2,"b","MeterValues",{"evseId":1,"meterValue":[{"timestamp":"2024-01-01T00:00:00+02:00",'
        b'"sampledValue":[{"value":1.5}]}]}]'
    ),
    b'[3,"1",{"status":"Accepted"}]',
    b'[4,"1","InternalError","it broke",{"a":1}]',
    b'[5,"a","InternalError","it broke",{}]',
    (
        b'[6,"b","NotifyPeriodicEventStream",{"data":[{"t":0,"v":"230.4"}],"id":1,"pending":0,'
        b'"basetime":"2024-01-01T00:00:00Z"}]'
    ),
]
SNIPPETS = [
    b'"', b"\\", b"[", b"]", b"{", b"}", b",", b":", b"null", b"true", b"-", b"1e400", b"NaN",
    b"0", b"9" * 30, b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\x00", b"[" * 2000,
    b"x" * 300, "é🚗".encode(), b'"a":1,', b"2.0", b"\n",
]  # fmt: skip
ODD_TEXTS = ["", "-1", "a", "x" * 37, "x" * 300, "é🚗", '"\\', "\x00", "2024-01-01", "1 o'clock"]
ODD_VALUES = (
    st.sampled_from([None, True, -1, 0, 2, 3, 4, 5, 6, 7, 2.0, 2.5, 1e300, 10**30])
    | st.sampled_from(ODD_TEXTS)
    | st.sampled_from([[], {}, [[]], {"a": 1}]).map(deepcopy)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
)


@st.composite
def cut_and_pasted(draw):
    """A real frame with pieces cut out and others put in."""
    data = draw(st.sampled_from(FRAMES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 20)))
        piece = draw(st.sampled_from([b"", *SNIPPETS]) | st.binary(max_size=4))
        data = data[:start] + piece + data[end:]
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


@st.composite
def rewritten(draw):
    """A real frame with one of its JSON values replaced, taken out, or doubled."""
    tree = json.loads(draw(st.sampled_from(FRAMES)))
    for _ in range(draw(st.integers(1, 2))):
        node = tree
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], (dict, list)) and draw(st.booleans()):
                node = node[key]
                continue
            match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
                case "replace":
                    node[key] = draw(ODD_VALUES)
                case "remove":
                    del node[key]
                case "add" if isinstance(node, list):
                    node.insert(key, draw(ODD_VALUES))
                case "add":
                    node[draw(st.text(st.characters(exclude_categories=["Cs"])))] = 1
            break
    return json.dumps(tree).encode()


ANY_BYTES = st.binary(max_size=60) | cut_and_pasted() | rewritten()
BYTES = settings(
    derandomize=True,
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow],
)


class AnyBytes(SynchronousTestCase):
    """Whatever the peer sends: nothing raises, and what goes back is a frame of the version."""

    def receive(self, version, data):
        session = Session(CATALOGUES[version], map(str, count(1)).__next__)
        ours = session.call(MODULES[version].ClearCacheRequest(), 0.0, 30.0)
        next_frame(session)
        session.receive(b'[2,"a","Heartbeat",{}]')
        event = session.receive(data)
        reply = getattr(event, "reply", None)
        if reply is not None:
            number, message_id, code, description, details = json.loads(reply)
            self.assertIsInstance(message_id, str)
            self.assertIn(code, CODES[version])
            self.assertIsInstance(description, str)
            self.assertLessEqual(len(description), 255)
            self.assertEqual(details, {})
            if number == 5:
                self.assertEqual((version, message_id), ("2.1", ours.message_id))
                self.assertIs(type(event), CallEnded)
            else:
                self.assertEqual(number, 4)
                self.assertIs(type(event), Rejected)
                # "a" is being handled, and has its answer later: only another CALL gets one now.
                self.assertTrue(message_id != "a" or _is_readable_call(data))
                self.check_answered(version, data, message_id)
        # Whatever it was, the session goes on.
        self.assertEqual(ours.state is CallState.ENDED, type(event) in (CallEnded, CallAnswered))
        self.assertEqual(session.answering, 2 if type(event) is CallReceived else 1)
        again = session.receive(b'[2,"z","Heartbeat",{}]')
        self.assertIs(type(again), Rejected if _is_call(event, "z") else CallReceived)

    def check_answered(self, version, data, message_id):
        """A CALLERROR goes to the id that was sent, and never to an answer."""
        try:
            sent = json.loads(data.decode())
        except (ValueError, RecursionError):
            return
        if not isinstance(sent, list) or not sent:
            self.assertEqual(message_id, "-1")
            return
        if type(sent[0]) is int:
            self.assertNotIn(sent[0], (3, 4, 5, 6) if version == "2.1" else (3, 4))
        if message_id != "-1":
            self.assertEqual(sent[1], message_id)

    @BYTES
    @given(ANY_BYTES)
    def test_1_6(self, data):
        self.receive("1.6", data)

    @BYTES
    @given(ANY_BYTES)
    def test_2_0(self, data):
        self.receive("2.0", data)

    @BYTES
    @given(ANY_BYTES)
    def test_2_0_1(self, data):
        self.receive("2.0.1", data)

    @BYTES
    @given(ANY_BYTES)
    def test_2_1(self, data):
        self.receive("2.1", data)


def _is_call(event, message_id):
    return type(event) is CallReceived and event.message_id == message_id
