"""A charge point that does wrong on demand, and the central system that sees it, in memory."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ocpp_twisted import v16
from ocpp_twisted.charge_point import Backoff, ChargePoint, ChargePointOptions, Dialer, Target
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallTimedOut,
    ConnectionLost,
    InvalidResponse,
    NotConnected,
)
from ocpp_twisted.interfaces import IMessageReceiver
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.simulator.faults import Fault
from ocpp_twisted.simulator.modem import Modem
from ocpp_twisted.testing import BOOTS, MemoryTransport, Network
from tests.websocket.handshakes import accept

CLEAR = v16.ClearCacheRequest()
RESET = v16.ResetRequest(type=v16.ResetType.Soft)


class Obedient(ActionPlugin):
    """A charge point that does as it is told."""

    name = "obedient"
    asked = 0

    @on(v16.ClearCacheRequest)
    def clear_cache(self, charge_point, request):
        self.asked += 1
        return v16.ClearCacheResponse(status=v16.ClearCacheStatus.Accepted)

    @on(v16.ResetRequest)
    def reset(self, charge_point, request):
        return v16.ResetResponse(status=v16.ResetStatus.Accepted)


class Comings(ActionPlugin):
    """Writes down who comes and goes at the central system."""

    name = "comings"

    def __init__(self) -> None:
        self.heard: list[str] = []

    def charge_point_online(self, charge_point):
        self.heard.append("online")

    def charge_point_offline(self, charge_point, reason, seconds):
        self.heard.append(reason)


class ModemTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.comings = Comings()
        self.network = Network(self.comings, limits=Limits(call_timeout=30))
        self.charge_point, self.modem, self.obedient = self.comes("CP1")

    def comes(self, name: str, run: bool = True) -> tuple[ChargePoint, Modem, Obedient]:
        network, obedient = self.network, Obedient()
        modem = Modem(network, network.clock, Random(1))
        options = ChargePointOptions(backoff=Backoff(wait_minimum=5, random_range=0))
        charge_point = ChargePoint(
            Target.at("ws://central-system", name),
            [BOOTS["1.6"]],
            network.clock,
            [obedient],
            options,
            dialer=modem,
            random=Random(1),
        )
        charge_point.start()
        if run:
            network.run()
        return charge_point, modem, obedient

    def has(self, name: str, **parameters: Any) -> None:
        self.modem.switch_on(Fault.of(name, parameters))

    def asks(self, request: Any = CLEAR, within: float = 60) -> Any:
        """What the central system's call comes to, of the one charge point."""
        return self.network.result(self.network.central_system.call("CP1", request), within)

    def answers(self) -> list[Any]:
        """What has been sent that answers a call."""
        frames = [json.loads(frame.text) for frame in self.network.frames]
        return [frame for frame in frames if frame[0] in (3, 4) and "status" in str(frame)]


class AnswerTests(ModemTestCase):
    def test_without_a_fault(self) -> None:
        self.assertEqual(self.asks().status, "Accepted")
        self.assertEqual(dict(self.modem.faults), {})

    def test_never(self) -> None:
        self.has("never-answer")
        begun = self.network.clock.seconds()
        with self.assertRaises(CallTimedOut) as caught:
            self.asks()
        self.assertTrue(caught.exception.sent)
        self.assertEqual(int(self.network.clock.seconds() - begun), 30)
        self.assertEqual(self.obedient.asked, 1)  # it has acted all the same

    def test_never_until_it_is_switched_off(self) -> None:
        self.has("never-answer")
        self.assertRaises(CallTimedOut, self.asks)
        self.modem.switch_off("never-answer")
        self.assertEqual(self.asks().status, "Accepted")

    def test_what_the_charge_point_asks_is_not_concerned(self) -> None:
        self.has("never-answer")
        self.has("wrong-ids")
        self.has("answer-late")
        heartbeat = self.network.result(self.charge_point.heartbeat(), 1)
        self.assertIsInstance(heartbeat, v16.HeartbeatResponse)

    def test_late_but_in_time(self) -> None:
        self.has("answer-late", seconds=20)
        begun = self.network.clock.seconds()
        self.assertEqual(self.asks().status, "Accepted")
        self.assertEqual(self.network.clock.seconds() - begun, 20)

    def test_too_late(self) -> None:
        self.has("answer-late", seconds=40)
        self.assertRaises(CallTimedOut, self.asks)
        self.modem.switch_off("answer-late")
        self.network.run(15)  # the late answer comes, to nobody
        self.assertEqual(len(self.answers()), 2)  # with that to the boot
        self.assertEqual(self.asks(RESET).status, "Accepted")

    def test_too_late_for_the_connection(self) -> None:
        self.has("answer-late", seconds=20)
        waiting = self.network.central_system.call("CP1", CLEAR)
        self.network.run(1)
        self.network.cut()
        self.failureResultOf(waiting, ConnectionLost)
        self.network.run(60)
        self.assertEqual(len(self.answers()), 1)

    def test_twice(self) -> None:
        self.has("answer-twice")
        self.assertEqual(self.asks().status, "Accepted")
        self.assertEqual(self.asks(RESET).status, "Accepted")
        self.network.run()
        (first, second, third, fourth) = self.answers()[1:]
        self.assertEqual((first, third), (second, fourth))

    def test_wrong_ids(self) -> None:
        self.has("wrong-ids")
        self.assertRaises(CallTimedOut, self.asks)
        self.assertIn("nobody-", self.answers()[1][1])

    def test_a_share_of_them_and_the_same_each_time(self) -> None:
        outcomes = []
        for _ in range(2):
            self.setUp()
            self.has("never-answer", share=0.5)
            outcomes.append([self.outcome() for _ in range(20)])
        self.assertEqual(outcomes[0], outcomes[1])
        self.assertTrue(5 < outcomes[0].count("CallTimedOut") < 15, outcomes[0])

    def outcome(self) -> str:
        try:
            return str(self.asks().status)
        except CallTimedOut:
            return "CallTimedOut"


class OffSpecTests(ModemTestCase):
    """What the call comes to, for each way in which its answer is wrong."""

    OUTCOMES = (
        ("truncated", CallTimedOut),
        ("not-json", CallTimedOut),
        ("deep", InvalidResponse),
        ("no-array", CallTimedOut),
        ("empty", CallTimedOut),
        ("unknown-type", CallTimedOut),
        ("type-as-text", CallTimedOut),
        ("surplus-element", InvalidResponse),
        ("missing-element", InvalidResponse),
        ("id-as-number", CallTimedOut),
        ("id-too-long", CallTimedOut),
        ("unknown-action", CallErrorReceived),
        ("four-elements", CallErrorReceived),
        ("unknown-code", CallErrorReceived),
        ("null-payload", InvalidResponse),
        ("payload-as-text", InvalidResponse),
        ("missing-field", InvalidResponse),
        ("null-field", InvalidResponse),
        ("wrong-type", InvalidResponse),
        ("unknown-field", InvalidResponse),
    )

    def test_of_each_kind(self) -> None:
        wrong = []
        for way, expected in self.OUTCOMES:
            self.setUp()
            self.has("off-spec", way=way)
            try:
                outcome: Any = self.asks()
            except Exception as error:
                outcome = type(error)
            if outcome is not expected:
                wrong.append(f"{way}: {outcome} and not {expected}")
            self.modem.switch_off("off-spec")
            if self.asks(RESET).status != "Accepted":
                wrong.append(f"{way}: it is not served afterwards")
        self.assertEqual(wrong, [])

    def test_any(self) -> None:
        self.has("off-spec")
        outcomes = set()
        for _ in range(40):
            try:
                self.asks()
            except Exception as error:
                outcomes.add(type(error))
        self.assertEqual(outcomes, {CallTimedOut, InvalidResponse, CallErrorReceived})

    def test_what_it_asks_is_wrong_too(self) -> None:
        self.has("off-spec", way="null-payload")
        failed = self.charge_point.call(v16.AuthorizeRequest(idTag="RED"))
        self.assertRaises(CallErrorReceived, self.network.result, failed)


class ConnectionTests(ModemTestCase):
    def online(self) -> int:
        return self.comings.heard.count("online")

    def test_half_open(self) -> None:
        """The central system talks to nobody; the charge point notices, and its new socket wins."""
        self.has("half-open", alive=3600, seconds=40)
        self.assertRaises(CallTimedOut, self.asks)
        self.assertTrue(self.charge_point.connected)
        self.network.run(16)
        self.assertEqual(self.comings.heard, ["online", "online"])
        self.assertTrue(self.charge_point.connected)
        self.assertEqual(self.asks().status, "Accepted")

    def test_half_open_and_never_noticed(self) -> None:
        self.has("half-open", seconds=0)
        self.network.run(900)
        self.assertEqual(self.online(), 1)
        self.modem.switch_off("half-open")
        self.network.run(6)
        self.assertEqual(self.online(), 2)
        self.assertEqual(self.asks().status, "Accepted")

    def test_each_connection_after_a_while(self) -> None:
        self.has("half-open", alive=100, seconds=10)
        self.network.run(1000)
        self.assertEqual(self.online(), 10)  # every 115 seconds

    def test_what_it_says_on_a_dead_socket_is_not_heard(self) -> None:
        self.has("half-open", seconds=0)
        before = len(self.network.frames)
        waiting = self.charge_point.heartbeat()
        self.network.run(31)
        self.failureResultOf(waiting, CallTimedOut)
        self.assertEqual(len(self.network.frames), before)

    def test_it_stops_with_a_dead_socket(self) -> None:
        self.has("half-open", seconds=0)
        stopped = self.charge_point.stop()
        self.network.run(0)
        self.successResultOf(stopped)
        self.assertEqual(self.comings.heard, ["online"])
        self.modem.switch_all_off()
        self.network.run(0)
        self.assertEqual(len(self.comings.heard), 2)

    def test_dead_sockets_are_bounded(self) -> None:
        self.has("half-open", alive=0, seconds=1)
        self.network.run(100)
        self.assertGreater(self.online(), 10)
        self.assertLessEqual(len(self.modem._carriers), 5)

    def test_a_reconnect_loop(self) -> None:
        self.has("reconnect-loop", seconds=2)
        self.network.run(20)
        self.assertEqual(self.online(), 11)
        self.assertEqual(self.charge_point.registration.value, "Accepted")
        self.modem.switch_off("reconnect-loop")
        self.network.run(60)
        self.assertEqual(self.online(), 11)
        self.assertEqual(self.asks().status, "Accepted")

    def test_slow_reading(self) -> None:
        """Messages that come meanwhile wait, and are read in their order."""
        self.has("slow-reading", seconds=10)
        calls = [self.network.central_system.call("CP1", CLEAR) for _ in range(3)]
        for done in (1, 2, 3):
            self.assertEqual(sum(call.called for call in calls), done - 1)
            self.network.run(10 if done > 1 else 0)
        self.assertTrue(all(call.called for call in calls))

    def test_slow_reading_that_ends(self) -> None:
        self.has("slow-reading", seconds=10)
        for _ in range(3):
            self.network.central_system.call("CP1", CLEAR)
        self.network.run(1)
        self.modem.switch_off("slow-reading")
        self.network.run(0)
        self.assertEqual(self.obedient.asked, 3)

    def test_offline_and_online(self) -> None:
        self.modem.online = False
        self.network.run(0)
        self.assertFalse(self.charge_point.connected)
        self.assertRaises(NotConnected, self.asks)
        self.network.run(300)
        self.assertEqual(self.online(), 1)
        self.modem.online = True
        self.charge_point.reconnect()
        self.network.run(0)
        self.assertEqual(self.asks().status, "Accepted")

    def test_offline_while_it_connects(self) -> None:
        charge_point, modem, _ = self.comes("CP2", run=False)
        modem.online = False
        self.network.run(300)
        self.assertFalse(charge_point.connected)
        modem.online = True
        charge_point.reconnect()
        self.network.run(0)
        self.assertTrue(charge_point.connected)

    def test_a_message_of_ones_own(self) -> None:
        self.modem.send_as_it_is(b'[2,"x","Heartbeat",{}]')
        self.network.run(0)
        self.assertTrue(self.network.frames[-1].text.startswith('[3,"x",{"currentTime"'))
        self.modem.online = False
        self.network.run(0)
        self.assertRaises(ValueError, self.modem.send_as_it_is, b"[]")

    def test_a_listener(self) -> None:
        heard = []
        self.modem.listener = lambda sent, text: heard.append((sent, text.decode()))
        self.network.result(self.charge_point.heartbeat())
        self.assertEqual([sent for sent, _ in heard], [True, False])
        self.assertIn("Heartbeat", heard[0][1])
        self.assertIn("currentTime", heard[1][1])


@implementer(IMessageReceiver)
class Reader:
    """Takes messages, and nothing else."""

    registered = True

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.reason = ""

    def receive(self, data: bytes) -> None:
        self.read.append(data)

    def closing(self) -> None:
        pass

    def lost(self, reason: str) -> None:
        self.reason = reason


class OneReadTests(SynchronousTestCase):
    """Several messages come at once, whatever the transport has been asked for."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.reader, self.transport = Reader(), MemoryTransport()
        self.modem = Modem(self, self.clock, Random(1))
        self.modem.switch_on(Fault.of("slow-reading", {"seconds": 1}))
        target = Target.at("ws://central-system", "CP1")
        self.modem.connect(target, ["ocpp1.6"], lambda subprotocol, transport: self.reader)
        for message in (b"1", b"2", b"3"):
            self.carrier.receive(message)

    def connect(self, target: Any, subprotocols: Any, opened: Any) -> Deferred[None]:
        self.carrier = opened("ocpp1.6", self.transport)
        return succeed(None)

    def test_one_after_the_other(self) -> None:
        for expected in ([b"1"], [b"1", b"2"], [b"1", b"2", b"3"]):
            self.assertEqual(self.reader.read, expected)
            self.assertTrue(self.transport.paused)
            self.clock.advance(1)
        self.assertFalse(self.transport.paused)

    def test_all_of_them_when_it_is_over(self) -> None:
        self.modem.switch_off("slow-reading")
        self.assertEqual(self.reader.read, [b"1", b"2", b"3"])
        self.assertFalse(self.transport.paused)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_none_of_them_when_the_socket_is_gone(self) -> None:
        self.carrier.lost("gone")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.reader.read, self.reader.reason), ([b"1"], "gone"))

    def test_the_charge_point_may_pause_too(self) -> None:
        self.carrier.pause_receiving()
        self.clock.pump([1, 1, 1])
        self.assertTrue(self.transport.paused)
        self.carrier.resume_receiving()
        self.assertFalse(self.transport.paused)


class HalfOpenSocketTests(SynchronousTestCase):
    """A WebSocket of which nothing is read does not ask whether anybody is there."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        dialer = Dialer(self.reactor, ping_interval=10, ping_timeout=10)
        self.modem = Modem(dialer, self.reactor, Random(1))
        target = Target.at("ws://127.0.0.1:9000", "CP1")
        self.modem.connect(target, ["ocpp1.6"], lambda subprotocol, transport: Reader())
        self.socket = StringTransport()
        protocol = self.reactor.tcpClients[0][2].buildProtocol(None)
        protocol.makeConnection(self.socket)
        protocol.dataReceived(accept(self.socket.value(), "ocpp1.6"))
        self.socket.clear()

    def test_it_asks_into_the_silence(self) -> None:
        self.reactor.pump([1] * 15)
        self.assertEqual(self.socket.value()[:1], b"\x89")

    def test_but_not_when_it_is_half_open(self) -> None:
        self.modem.switch_on(Fault.of("half-open", {"seconds": 0}))
        self.reactor.pump([1] * 60)
        self.assertEqual(self.socket.value(), b"")
        self.assertEqual(self.socket.producerState, "paused")
