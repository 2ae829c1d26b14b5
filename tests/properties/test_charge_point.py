"""A charge point that says anything in any order, against the real server.

It never sees: no answer to a CALL that can be read, two answers, an answer to an answer, the end
of a connection that RFC 6455 does not end, or a process that grows. Most of it is played in
memory, byte by byte and on a clock; some of it on a real socket. `OCPP_TEST_LONG=20` plays twenty
times as many games, and other ones each time.
"""

from __future__ import annotations

import gc
import json
import os
import tracemalloc
import zlib
from asyncio import CancelledError
from collections import Counter
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.connection import Connection
from ocpp_twisted.errors import CallFault, ErrorCode
from ocpp_twisted.identity import Identity
from ocpp_twisted.limits import Limits
from ocpp_twisted.ocppj.session import Session
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.remembered import OpenCall
from ocpp_twisted.versions import CATALOGUES
from ocpp_twisted.websocket.server import OCPPServerFactory, OCPPServerProtocol, WebSocketOptions
from tests.messages.payloads import smallest
from tests.messages.schemas import ABSENT
from tests.properties.frames import (
    MOST,
    NASTY,
    VIOLATIONS,
    Owed,
    call,
    owed,
    requests,
    said,
    smallest_response,
)
from tests.properties.test_session import BAD_ERRORS, BAD_RESULTS, CODES, MODULES
from tests.support import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Peer,
    close_frame,
    frame,
    until,
    upgraded,
)

LONG = int(os.environ.get("OCPP_TEST_LONG", "0"))
GAMES = settings(
    derandomize=not LONG,
    database=None,
    phases=[Phase.generate] + [Phase.shrink] * bool(LONG),
    deadline=None,
    max_examples=12 * max(1, LONG),
    stateful_step_count=50,
    suppress_health_check=list(HealthCheck),
)

LIMITS = Limits(
    call_timeout=10.0,
    queued_calls=3,
    open_calls=4,
    answer_timeout=20.0,
    kept_answers=3,
    kept_seconds=100.0,
    remembered=2,
)
OPTIONS = WebSocketOptions(max_message_size=MOST, first_message_timeout=0)
CP1 = Identity("CP1")
COMPRESSED_TEXT = 0x40 | TEXT
LAST = call("the last", "DataTransfer", {"vendorId": "v"})
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
#: What each connection is made of.
ONES_OF_A_CONNECTION = (OCPPServerProtocol, Connection, Session, OpenCall)

MOODS = [
    "answer", "answer", "wait", "wait", "coroutine", "raise", "refuse", "refuse badly", "cancel",
    "return nothing", "call back", "hang up", "hang up and wait",
]  # fmt: skip
OUTCOMES = ["answer", "answer", "answer", "raise", "refuse", "cancel", "return nothing"]


class Moody(ActionPlugin):
    """Handles everything, in the way that `mood` says.

    :ivar waiting: handlers that have not answered: their Deferreds and what they want to answer.
    :ivar twice: CALLs that a handler was run for while it ran for them already.
    """

    name = "moody"

    def __init__(self) -> None:
        self.mood = "answer"
        self.status = "Accepted"
        self.waiting: list[tuple[Deferred[Any], Any]] = []
        self.running: set[str] = set()
        self.crowded = False
        self.twice: list[str] = []

    def request_handler(self, version, action):
        response = CATALOGUES[version].actions[action].response and smallest_response(
            version, action
        )

        def handle(charge_point, request):
            answer = response
            if action == "BootNotification":
                answer = type(response)(
                    currentTime=response.currentTime, interval=1, status=self.status
                )
            key = getattr(request, "data", None)
            return self.do(self.mood, charge_point, answer, key if type(key) is str else "")

        return handle

    def do(self, mood, charge_point, answer, key=""):
        if key in self.running and not self.crowded:
            self.twice.append(key)
        if mood.startswith("hang up"):
            charge_point.close(1000, "no more")
        match mood:
            case "wait" | "hang up and wait":
                return self.wait(answer, key)
            case "coroutine":
                return self.later(answer, key)
            case "raise":
                raise RuntimeError("the handler is broken")
            case "refuse":
                raise CallFault(ErrorCode.GENERIC_ERROR, "no\ud800" * 300, {"why": "no"})
            case "refuse badly":
                raise CallFault(ErrorCode.SECURITY_ERROR, "no", {"why": object()})
            case "cancel":
                raise CancelledError
            case "return nothing":
                return None
            case "call back":
                request = MODULES[charge_point.version].ClearCacheRequest()
                charge_point.call(request).addErrback(lambda failure: None)
        return answer

    def wait(self, answer, key):
        deferred: Deferred[Any] = Deferred()
        self.waiting.append((deferred, answer))
        # More of them than are remembered over a reconnect may be run again.
        self.crowded = len(self.waiting) > LIMITS.open_calls or (
            self.crowded and len(self.waiting) > 1
        )
        if key:
            self.running.add(key)
        return deferred.addBoth(lambda outcome: (self.running.discard(key), outcome)[1])

    async def later(self, answer, key):
        return await self.wait(answer, key)

    def finish(self, number, outcome):
        deferred, answer = self.waiting.pop(number % len(self.waiting))
        match outcome:
            case "answer":
                deferred.callback(answer)
            case "raise":
                deferred.errback(RuntimeError("the handler is broken"))
            case "refuse":
                deferred.errback(CallFault(ErrorCode.GENERIC_ERROR, "no"))
            case "cancel":
                deferred.cancel()
            case "return nothing":
                deferred.callback(None)


class Books:
    """What a charge point knows of one connection: what it is owed, and what it owes.

    :ivar open: CALLs that have no answer yet, by their ids.
    :ivar owed: how many answers are still to come, by message id.
    :ivar perhaps: texts of messages of which nobody can tell whether they get an answer.
    :ivar ours: the ids of the central system's CALLs, and `waiting` the one that is open.
    :ivar refusable: answers of the charge point that may be, or must be, refused (OCPP 2.1).
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.open: dict[str, bytes] = {}
        self.owed: Counter[str] = Counter()
        self.perhaps: list[str] = []
        self.ours: list[str] = []
        self.waiting: str | None = None
        self.turn_ends = 0.0
        self.refusable: dict[str, bool] = {}
        self.results: list[str] = []

    def says(self, data: bytes, text: bool = True) -> Owed:
        """The charge point is about to send a message."""
        due = owed(self.version, data, text, self.open)
        if self.version != "1.6" and data.lstrip().startswith(b'[4,"-1"'):
            self.waiting = None  # a CALLERROR to what could not be read ends it (2.x)
        if due.to is not None:
            self.owed[due.to] += 1
            if due.call and due.to not in self.open:
                self.open[due.to] = data
        elif due.perhaps is not None:
            self.perhaps.append(due.perhaps)
        return due

    def hears(self, text: str, now: float) -> None:
        """It has received a message."""
        number, message_id, *rest = json.loads(text)
        assert isinstance(message_id, str), text
        match number:
            case 2:
                action, payload = rest
                assert action in CATALOGUES[self.version].actions
                assert isinstance(payload, dict)
                assert len(message_id) <= 36
                assert message_id not in self.ours, "an id comes twice"
                assert self.waiting is None or now >= self.turn_ends - 1e-6, "two of its CALLs"
                self.ours.append(message_id)
                self.waiting, self.turn_ends = message_id, now + LIMITS.call_timeout
            case 3:
                (payload,) = rest
                assert isinstance(payload, dict)
                if not self.owed[message_id] and self.took_perhaps(message_id):
                    return  # a CALL that is written with escapes
                assert self.owed[message_id] > 0, f"an answer too many: {text}"
                assert message_id in self.open, f"a CALLRESULT to no CALL: {text}"
                self.pay(message_id)
                self.results.append(text)
            case 4:
                self.check_error(rest)
                # What is perhaps answered is answered at once, before anything that waits.
                if not self.took_perhaps(message_id):
                    assert self.owed[message_id] > 0, f"an answer too many: {text}"
                    self.pay(message_id)
            case 5:
                self.check_error(rest)
                assert self.version == "2.1"
                assert self.refusable.pop(message_id, None) is not None, text
            case _:
                raise AssertionError(f"nobody sends this: {text}")

    def check_error(self, rest: list[Any]) -> None:
        code, description, details = rest
        assert code in CODES[self.version], code
        assert isinstance(description, str)
        assert len(description) <= 255
        assert isinstance(details, dict)

    def pay(self, message_id: str) -> None:
        self.owed[message_id] -= 1
        if not self.owed[message_id]:
            self.open.pop(message_id, None)

    def took_perhaps(self, message_id: str) -> bool:
        """Whether it answers a message of which nobody can tell whether it gets an answer."""
        for words in self.perhaps:
            if message_id == "-1" or message_id in words or "\\u" in words:
                self.perhaps.remove(words)
                return True
        return False

    def now_at_the_latest(self) -> None:
        """What is not answered later has to be answered by now."""
        self.perhaps.clear()
        assert not any(self.refusable.values()), "2.1: a CALLRESULT that is none is refused"
        self.refusable.clear()


class ChargePoint(RuleBasedStateMachine):
    """One charge point, its connections one after another, and a central system."""

    version: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.plugin = Moody()
        self.system = CentralSystem([self.plugin], self.clock, limits=LIMITS)
        self.factory = OCPPServerFactory(self.system, self.clock, OPTIONS)
        self.history: list[bytes] = []
        self.replaced: list[Peer] = []
        self.half: tuple[bytes, bytes] | None = None
        self.made = 0
        self.connect()

    # -- connections --------------------------------------------------------------------------

    def connect(self, deflate: bool = False) -> None:
        self.peer = Peer(self.factory)
        subprotocol = CATALOGUES[self.version].rules.subprotocol
        self.peer.upgrades("/CP1", subprotocol, extra=[DEFLATE] if deflate else [])
        self.deflate = zlib.compressobj(wbits=-15) if deflate else None
        self.books = Books(self.version)
        self.pongs: list[bytes] = []
        self.half = None
        self.may_close: set[int | None] = set()
        self.listen()

    def listen(self) -> None:
        """Hear what has come; connect again if the connection has ended as it may."""
        self.clock.advance(0)  # many frames in one read are not worked through in one turn
        for heard in self.peer.hears():
            match heard:
                case (0x41, payload):
                    inflate = zlib.decompressobj(-15)
                    text = inflate.decompress(payload + b"\0\0\xff\xff").decode()
                    self.books.hears(text, self.clock.seconds())
                case str():
                    self.books.hears(heard, self.clock.seconds())
                case (opcode, payload) if opcode == PONG:
                    assert self.pongs.pop(0) == payload
                case (opcode, _) if opcode == PING:
                    self.peer.sends(frame(b"", PONG)) if self.half is None else None
                case code:
                    # A CALL that was held meets the mood of later.
                    hung_up = code == 1000 and self.plugin.mood.startswith("hang up")
                    assert hung_up or code in self.may_close, f"closed with {code}"
                    self.end()
                    return
        assert not self.peer.socket.disconnecting, "closed without a close frame"
        assert self.pongs == [], "pings without pongs"
        if self.half is None:
            self.books.now_at_the_latest()

    def end(self) -> None:
        """After the server's close frame: nothing more comes."""
        self.peer.sends(close_frame())
        assert self.peer.hears() == []
        self.peer.loses()
        self.connect()

    @property
    def reading(self) -> bool:
        return self.peer.socket.producerState == "producing"

    def must_end(self) -> None:
        """The connection has to end now, with one of the codes in `may_close`."""
        peer = self.peer
        self.listen()
        assert self.peer is not peer, f"it is still open: {self.may_close}"

    # -- messages -----------------------------------------------------------------------------

    def says(self, data: bytes, how: str = "whole") -> None:
        """Send one message and listen."""
        if self.finish_half() or not self.reading:
            return
        due = self.books.says(data, how != "binary")
        self.remember(data, due)
        if due.close is not None:
            self.may_close = {due.close}
        elif self.plugin.mood.startswith("hang up"):
            self.may_close = {1000}
        self.peer.sends(b"".join(self.framed(data, how)))
        if due.close is not None:
            self.must_end()
        else:
            self.listen()
        self.may_close = set()

    def framed(self, data: bytes, how: str) -> list[bytes]:
        rsv, opcode = 0, BINARY if how == "binary" else TEXT
        if self.deflate is not None and how != "plain":
            rsv = 4
            data = (self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
        if how != "fragments":
            return [frame(data, opcode, rsv=rsv)]
        ping, cut = f"ping {len(data)}".encode(), len(data) // 3
        self.pongs += [ping, b""]
        return [
            frame(data[:cut], opcode, fin=False, rsv=rsv),
            frame(ping, PING),
            frame(b"", CONTINUATION, fin=False),
            frame(b"", PING),
            frame(data[cut:], CONTINUATION),
        ]

    def remember(self, data: bytes, due: Owed) -> None:
        if due.call:
            self.history = [*self.history, data][-20:]

    def finish_half(self) -> bool:
        """Send the rest of a frame that has begun; whether there was one."""
        if self.half is None:
            return False
        (data, rest), self.half = self.half, None
        due = self.books.says(data)
        self.remember(data, due)
        if self.plugin.mood.startswith("hang up"):
            self.may_close = {1000}
        self.peer.sends(rest)
        self.listen()
        self.may_close = set()
        return True

    @rule(
        data=st.data(),
        mood=st.sampled_from(MOODS),
        status=st.sampled_from([*["Accepted"] * 4, "Pending", "Rejected"]),
        how=st.sampled_from(["whole", "whole", "fragments", "binary", "plain"]),
    )
    def say(self, data, mood, status, how):
        self.plugin.mood, self.plugin.status = mood, status
        self.says(data.draw(said(self.version)), how)

    @rule(mood=st.sampled_from(MOODS))
    def say_once(self, mood):
        """What a handler must not do twice at once."""
        self.plugin.mood = mood
        self.made += 1
        payload = {"vendorId": "v", "data": f"run {self.made}"}
        self.says(call(f"once {self.made}", "DataTransfer", payload))

    @rule(data=st.data(), mood=st.sampled_from(MOODS))
    def say_several_in_one_read(self, data, mood):
        messages = data.draw(st.lists(said(self.version), min_size=2, max_size=8))
        if self.finish_half() or not self.reading:
            return
        dues = [owed(self.version, message, True, self.books.open) for message in messages]
        ids = Counter(due.to for due in dues if due.to is not None)
        if max(ids.values(), default=0) > 1 or any(due.close or due.perhaps for due in dues):
            return  # what they are owed depends on when the first one is answered
        self.plugin.mood = mood
        self.may_close = {1000} if mood.startswith("hang up") else set()
        for message in messages:
            self.remember(message, self.books.says(message))
        self.peer.sends(b"".join(part for each in messages for part in self.framed(each, "whole")))
        self.listen()
        self.may_close = set()

    @rule(data=st.data(), share=st.floats(0.01, 0.99))
    def say_half(self, data, share):
        message = data.draw(said(self.version))
        if self.finish_half() or not self.reading:
            return
        if owed(self.version, message, True, {}).close:
            return
        whole = b"".join(self.framed(message, "whole"))
        cut = max(1, int(len(whole) * share))
        self.half = (message, whole[cut:])
        self.peer.sends(whole[:cut])
        self.listen()

    @rule(data=st.data())
    def say_byte_by_byte(self, data):
        message = data.draw(st.sampled_from([each for each in NASTY if len(each) < 200]))
        if self.finish_half() or not self.reading:
            return
        due = self.books.says(message)
        self.remember(message, due)
        self.may_close = {due.close}
        (whole,) = self.framed(message, "whole")
        for byte in whole:
            self.peer.sends(bytes([byte]))
        self.listen()
        self.may_close = set()

    @rule(status=st.sampled_from(["Accepted", "Accepted", "Pending", "Rejected"]))
    def boot(self, status):
        self.plugin.mood, self.plugin.status = "answer", status
        self.made += 1
        (message,) = (m for m in requests(self.version) if m.action == "BootNotification")
        self.says(call(f"boot {self.made}", message.action, smallest(message, message.schema)))

    @rule()
    def say_again_after_a_reconnect(self):
        self.say_once("wait")
        message = self.history[-1:]
        self.break_off(False)
        for each in message:
            self.says(each)

    @rule()
    def say_more_in_one_read_than_handlers_may_work_on(self):
        if self.finish_half() or not self.reading:
            return
        self.plugin.mood, pieces = "wait", []
        for _ in range(LIMITS.open_calls + 2):
            self.made += 1
            message = call(f"many {self.made}", "DataTransfer", {"vendorId": "v"})
            self.books.says(message)
            pieces += self.framed(message, "whole")
        self.peer.sends(b"".join(pieces))
        self.listen()

    @precondition(lambda self: self.history)
    @rule(data=st.data(), mood=st.sampled_from(MOODS), other=st.booleans())
    def say_again(self, data, mood, other):
        """A retry, or another CALL with an id that was used."""
        message = data.draw(st.sampled_from(self.history))
        self.plugin.mood = mood
        if other and b'"ran' not in message:  # one more space would make it another one again
            message = message.replace(b"run", b"ran") + b" "
        self.says(message)

    @rule()
    def say_again_at_once(self):
        """A retry gets the very answer that the first one got."""
        self.finish_half()
        self.plugin.mood = "answer"
        self.made += 1
        message = call(f"again {self.made}", "DataTransfer", {"vendorId": "v"})
        for _ in range(2):
            self.says(message)
        mine = [text for text in self.books.results if f'"again {self.made}"' in text]
        assert len(mine) in (0, 2) or not self.reading, mine
        assert len(set(mine)) <= 1, mine

    @rule(violation=st.sampled_from(VIOLATIONS))
    def violate(self, violation):
        data, code = violation
        if self.finish_half() or not self.reading:
            return
        self.may_close = {code}
        self.peer.sends(data)
        self.must_end()
        self.may_close = set()

    # -- the end of connections ---------------------------------------------------------------

    @rule(code=st.sampled_from([1000, 1001, 3000, 4999]), deflate=st.booleans())
    def close(self, code, deflate):
        if self.finish_half() or not self.reading:
            return
        self.peer.sends(close_frame(code))
        assert self.peer.hears() == [code]
        assert self.peer.socket.disconnecting
        self.peer.loses(clean=True)
        self.connect(deflate)

    @rule(deflate=st.booleans())
    def break_off(self, deflate):
        self.peer.loses()
        self.peer.receives()
        self.connect(deflate)

    @rule(deflate=st.booleans())
    def connect_over_the_old_one(self, deflate):
        old = self.peer
        self.replaced.append(old)
        self.connect(deflate)
        heard = old.hears()
        assert heard[-1:] == [1000], heard

    @rule()
    def be_disconnected(self):
        if self.half is None:
            self.system.disconnect(CP1)
            self.may_close = {1000}
            self.must_end()
            self.may_close = set()

    # -- the central system -------------------------------------------------------------------

    @rule()
    def be_called(self):
        request = MODULES[self.version].ClearCacheRequest()
        self.system.call(CP1, request).addErrback(lambda failure: None)
        self.listen()

    @precondition(lambda self: self.books.waiting)
    @rule(
        template=st.sampled_from(
            [b'[3,"%s",{"status":"Accepted"}]'] * 5
            + [b'[4,"%s","InternalError","no",{}]', b'[5,"%s","InternalError","no",{}]']
            + BAD_RESULTS
            + BAD_ERRORS
        ),
        late=st.integers(0, 5),
    )
    def answer(self, template, late):
        """Answer the CALL that waits, or one of an earlier time."""
        books = self.books
        if self.half is not None or not self.reading:
            return
        message_id = [*books.ours, books.waiting][-1 - late :][0]
        if template in BAD_RESULTS and self.version == "2.1":
            books.refusable[message_id] = message_id == books.waiting
        if message_id == books.waiting and not template.startswith(b"[5"):
            books.waiting = None
        self.says(template % message_id.encode())

    @precondition(lambda self: self.plugin.waiting)
    @rule(number=st.integers(0, 9), outcome=st.sampled_from(OUTCOMES))
    def handler_ends(self, number, outcome):
        self.plugin.finish(number, outcome)
        self.listen()

    @rule(seconds=st.sampled_from([0.05, 1.0, 6.0, 11.0, 25.0, 130.0]))
    def time_passes(self, seconds):
        self.wait_a_while(seconds)

    def wait_a_while(self, seconds: float) -> None:
        if seconds > 1:
            self.finish_half()  # who is silent for long is dropped
        while seconds > 0:
            self.clock.advance(min(seconds, 5.0))
            seconds -= 5.0
            self.listen()
            if self.half is None and self.reading:
                self.peer.sends(frame(b"", PONG))

    # -- at any time --------------------------------------------------------------------------

    @invariant()
    def handlers_run_once(self):
        assert self.plugin.twice == []

    @invariant()
    def the_replaced_hear_nothing(self):
        for peer in self.replaced:
            assert peer.hears() == []
        if len(self.replaced) > 2:
            self.replaced.pop(0).loses()

    @invariant()
    def memory_is_bounded(self):
        (connection,) = self.system.charge_points.values()
        remembered, calls = connection.remembered, connection._session.calls
        assert len(remembered.answers) <= LIMITS.kept_answers
        assert len(remembered.orphans) <= LIMITS.open_calls
        assert len(connection._open) <= LIMITS.open_calls
        assert connection._session.answering == len(connection._open) + len(connection._held)
        assert calls.queued <= LIMITS.queued_calls
        assert len(calls._late) <= 8
        assert len(self.peer.protocol.data) <= OPTIONS.max_message_size
        assert len(self.factory.open) == 1 + len(self.replaced)
        assert len(self.clock.getDelayedCalls()) <= 3 + 2 * len(self.factory.open)

    def teardown(self):
        """Nothing is owed once all handlers are done or late; then all end."""
        self.finish_half()
        for _ in range(10):
            self.wait_a_while(5.0)
        assert +self.books.owed == Counter(), f"no answer to {self.books.owed}"
        while self.plugin.waiting:
            self.plugin.finish(0, "answer")
        for peer in [self.peer, *self.replaced]:
            peer.loses()
        assert dict(self.system.charge_points) == {}
        assert self.factory.open == set()
        self.__dict__.clear()


def _alive() -> Counter[str]:
    gc.collect()
    kinds = [type(each) for each in gc.get_objects() if isinstance(each, ONES_OF_A_CONNECTION)]
    return Counter(kind.__name__ for kind in kinds)


class AnyOrderTests(SynchronousTestCase):
    """The games in memory."""

    skip = ABSENT

    def play(self, wanted: str) -> None:
        class ChargePointOfVersion(ChargePoint):
            version = wanted

        before = _alive()
        run_state_machine_as_test(ChargePointOfVersion, settings=GAMES)
        self.flushLoggedErrors()  # of handlers, and of callers that are told of nothing
        self.assertEqual(_alive() - before, Counter(), "these have outlived their connections")

    def test_1_6(self) -> None:
        self.play("1.6")

    def test_2_0(self) -> None:
        self.play("2.0")

    def test_2_0_1(self) -> None:
        self.play("2.0.1")

    def test_2_1(self) -> None:
        self.play("2.1")


class SocketTests(TestCase):
    """The same messages on a real socket, to handlers that answer a little later."""

    skip = ABSENT

    def drawn(self, version: str) -> list[bytes]:
        """Messages, always the same ones, none of which ends the connection."""
        drawn: list[bytes] = []

        @settings(GAMES, max_examples=30, phases=[Phase.generate])
        @given(said(version))
        def draw(message: bytes) -> None:
            due = owed(version, message, True, {})
            if due.close is None and due.perhaps is None:
                drawn.append(message)

        draw()
        return drawn

    async def play(self, version: str) -> None:
        plugin = Moody()
        system = CentralSystem([plugin], reactor, limits=Limits(kept_answers=3))
        factory = OCPPServerFactory(system, reactor, OPTIONS)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        subprotocol = CATALOGUES[version].rules.subprotocol
        client = await upgraded(reactor, port.getHost().port, subprotocols=subprotocol)
        books, heard = Books(version), 0
        plugin.mood = "wait"
        for message in self.drawn(version):
            books.says(message)
            client.transport.write(frame(message[:9], TEXT, fin=False) + frame(b"", PING))
            client.transport.write(frame(message[9:], CONTINUATION))
            books.says(LAST)
            client.transport.write(frame(LAST))

            def answered() -> bool:
                nonlocal heard
                while plugin.waiting:
                    plugin.finish(0, "answer")
                said_now, heard = client.hears()[heard:], len(client.hears())
                for each in said_now:
                    if each != (PONG, b""):
                        books.hears(each, 0.0)
                return not +books.owed

            await until(answered, reactor)
        client.transport.write(close_frame())
        await client.over
        self.assertEqual(client.hears()[heard:], [1000])
        await until(lambda: not factory.open, reactor)

    async def test_1_6(self) -> None:
        await self.play("1.6")

    async def test_2_0_1(self) -> None:
        await self.play("2.0.1")

    async def test_2_1(self) -> None:
        await self.play("2.1")


class MemoryTests(SynchronousTestCase):
    """The process does not grow, however often the worst is done to it."""

    skip = ABSENT

    def round(self, factory: OCPPServerFactory, plugin: Moody, version: str) -> None:
        for wait in (True, False):
            plugin.mood = "wait" if wait else "answer"
            for number, message in enumerate(NASTY):
                peer = Peer(factory)
                extra = [DEFLATE] if number % 2 else []
                peer.upgrades("/CP1", CATALOGUES[version].rules.subprotocol, extra=extra)
                peer.says(message)
                peer.says(call("a", "DataTransfer", {"vendorId": "v", "data": "x" * 999}))
                peer.sends(frame(message)[:5] if number % 3 else VIOLATIONS[number % 18][0])
                peer.loses()

    def test_1_6_and_2_1(self) -> None:
        for version in ("1.6", "2.1"):
            clock, plugin = Clock(), Moody()
            system = CentralSystem([plugin], clock, limits=LIMITS)
            factory = OCPPServerFactory(system, clock, OPTIONS)
            sizes = []
            tracemalloc.start()
            try:
                for _ in range(5):
                    self.round(factory, plugin, version)
                    while plugin.waiting:
                        plugin.finish(0, "answer")
                    clock.advance(30)
                    self.flushLoggedErrors()
                    gc.collect()
                    sizes.append(tracemalloc.get_traced_memory()[0])
            finally:
                tracemalloc.stop()
            self.assertLess(sizes[-1] - sizes[2], 10_000, sizes)
