"""A charge point connects, boots, stays connected, and says what it may, when it may."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v21, v201
from ocpp_twisted.charge_point import Backoff, ChargePoint, ChargePointOptions, State
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFault,
    CallNotAllowed,
    ConfigurationError,
    ConnectionLost,
    ErrorCode,
    NotConnected,
)
from ocpp_twisted.plugin import ActionPlugin, after, on, on_result
from ocpp_twisted.registration import Status
from ocpp_twisted.testing import BOOTS, Network

EVERY_SECOND = ChargePointOptions(backoff=Backoff(wait_minimum=1, repeat_times=3, random_range=0))


class Registry(ActionPlugin):
    """Answers BootNotification as a test says."""

    name = "registry"

    def __init__(self, *answers: tuple[str, int] | Deferred[Any] | None) -> None:
        self.answers = list(answers)
        self.boots: list[Any] = []

    @on(v16.BootNotificationRequest, v201.BootNotificationRequest, v21.BootNotificationRequest)
    def boot(self, charge_point, request):
        self.boots.append(request)
        answer = self.answers.pop(0) if self.answers else ("Accepted", 300)
        if isinstance(answer, Deferred):
            return answer
        if answer is None:
            raise CallFault(ErrorCode.INTERNAL_ERROR)
        status, interval = answer
        now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        return request.RESPONSE(status=status, interval=interval, currentTime=now)


class Wallbox(ActionPlugin):
    """A charge point's own handlers."""

    name = "wallbox"

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @on(v16.TriggerMessageRequest, v201.TriggerMessageRequest)
    def trigger(self, link, request):
        return request.RESPONSE(status="Accepted")

    @after(v16.TriggerMessageRequest)
    def triggered(self, link, request, response):
        self.answer = link.charge_point.call(v16.HeartbeatRequest())

    @on(v16.ClearCacheRequest)
    def clear_cache(self, link, request):
        self.heard.append(link)
        return v16.ClearCacheResponse(status=v16.ClearCacheStatus.Accepted)

    @on_result(v16.BootNotificationRequest)
    def booted(self, link, request, outcome):
        self.heard.append(outcome)

    def charge_point_online(self, link):
        self.heard.append("online")

    def charge_point_offline(self, link, reason, seconds):
        self.heard.append(reason)


def actions(network: Network) -> list[str]:
    """The actions that charge points have called, in their order."""
    return [
        frame.text.split('"')[3]
        for frame in network.frames
        if frame.sent_by_charge_point and frame.text.startswith("[2,")
    ]


class ConnectingTests(SynchronousTestCase):
    def test_it_connects_and_boots(self) -> None:
        for version in BOOTS:
            network = Network()
            charge_point = network.charge_point("CP1", version)
            self.assertEqual(charge_point.version, version)
            self.assertIs(charge_point.registration, Status.ACCEPTED)
            self.assertEqual(actions(network), ["BootNotification"])

    def test_the_version_that_it_prefers(self) -> None:
        network = Network()
        boots = [BOOTS["2.0.1"], BOOTS["1.6"]]
        charge_point = ChargePoint("ws://csms/CP1", boots, network.clock, dialer=network)
        charge_point.start()
        network.run()
        self.assertEqual(charge_point.version, "2.0.1")
        self.assertIn("chargingStation", network.frames[0].text)

    def test_what_cannot_be_offered(self) -> None:
        for boots in ([], [BOOTS["1.6"], BOOTS["1.6"]], [v16.HeartbeatRequest()], ["1.6"]):
            with self.assertRaises(ConfigurationError):
                ChargePoint("ws://csms/CP1", boots, Network().clock, dialer=Network())

    def test_it_tells_its_handlers(self) -> None:
        network, wallbox = Network(), Wallbox()
        charge_point = network.charge_point("CP1", "1.6", wallbox)
        online, booted = wallbox.heard
        self.assertEqual((online, booted.status), ("online", "Accepted"))
        network.result(charge_point.stop())
        self.assertEqual(wallbox.heard[2:], ["we closed with 1000: the charge point stops"])

    def test_it_answers(self) -> None:
        network, wallbox = Network(), Wallbox()
        charge_point = network.charge_point("CP1", "1.6", wallbox)
        call = network.central_system.call
        self.assertEqual(network.result(call("CP1", v16.ClearCacheRequest())).status, "Accepted")
        self.assertIs(wallbox.heard[-1].charge_point, charge_point)
        error = self.assertRaises(
            CallErrorReceived,
            network.result,
            call("CP1", v16.ResetRequest(type=v16.ResetType.Soft)),
        )
        self.assertEqual(error.code, "NotSupported")

    def test_the_central_system_is_away(self) -> None:
        network = Network()
        network.reachable = False
        charge_point = network.charge_point("CP1", "1.6", options=EVERY_SECOND)
        begun = network.clock.seconds()
        tried: list[float] = []
        connect = network.connect

        def observed(*arguments: Any) -> Deferred[None]:
            tried.append(network.clock.seconds() - begun)
            return connect(*arguments)

        network.connect = observed  # type: ignore[method-assign]
        network.run(32)
        self.assertEqual(tried, [1, 3, 7, 15, 23, 31])  # doubled three times
        network.reachable = True
        network.run(8)
        self.assertTrue(charge_point.connected)

    def test_the_central_system_goes_away(self) -> None:
        network = Network()
        network.charge_point("CP1", "1.6", options=EVERY_SECOND)
        begun = network.clock.seconds()
        tried: list[float] = []
        connect = network.connect

        def observed(*arguments: Any) -> Deferred[None]:
            tried.append(network.clock.seconds() - begun)
            return connect(*arguments)

        network.connect = observed  # type: ignore[method-assign]
        network.reachable = False
        network.cut()
        network.run(32)
        self.assertEqual(tried, [1, 3, 7, 15, 23, 31])  # as above: the first wait is not repeated

    def test_it_says_that_it_cannot_connect(self) -> None:
        network = Network()
        charge_point = network.charge_point("CP1", "1.6", options=EVERY_SECOND)
        told: list[int] = []
        charge_point.unreachable = told.append
        for _ in range(2):
            network.reachable = False
            network.cut()
            network.run(6)  # after 1 second, after 2 more, after 4 more
            self.assertEqual(told, [1, 2])
            told.clear()
            network.reachable = True
            network.run(8)
        self.assertTrue(charge_point.connected)

    def test_the_random_part_is_repeatable(self) -> None:
        def waits() -> list[float]:
            network = Network()
            network.charge_point("CP1", "1.6")
            network.cut()
            return [call.getTime() for call in network.clock.getDelayedCalls()]

        self.assertEqual(waits(), waits())

    def test_a_lost_connection_comes_back_without_a_boot(self) -> None:
        network, wallbox = Network(), Wallbox()
        charge_point = network.charge_point("CP1", "1.6", wallbox, options=EVERY_SECOND)
        network.cut()
        self.assertEqual((charge_point.state, charge_point.version), (State.WAITING, None))
        network.run(1)
        self.assertEqual((charge_point.state, charge_point.version), (State.OPEN, "1.6"))
        self.assertIs(charge_point.registration, Status.ACCEPTED)
        self.assertEqual(actions(network), ["BootNotification"])
        self.assertEqual(wallbox.heard[2:], ["the connection broke", "online"])

    def test_the_back_off_begins_anew(self) -> None:
        network = Network()
        charge_point = network.charge_point("CP1", "1.6", options=EVERY_SECOND)
        for _ in range(5):
            network.cut()
            network.run(1)
            self.assertTrue(charge_point.connected)

    def test_it_stops(self) -> None:
        network = Network()
        charge_point = network.charge_point("CP1", "1.6")
        network.result(charge_point.stop())
        network.run(1000)
        self.assertEqual(network.clock.getDelayedCalls(), [])
        self.assertFalse(network.central_system.charge_points)
        charge_point.start()
        network.run()
        self.assertTrue(charge_point.connected)

    def test_it_stops_while_it_connects_or_waits(self) -> None:
        network = Network()
        network.reachable = False
        charge_point = network.charge_point("CP1", "1.6")
        self.successResultOf(charge_point.stop())
        charge_point.start()
        self.successResultOf(charge_point.stop())
        network.reachable = True
        network.run(1000)
        self.assertEqual((charge_point.state, actions(network)), (State.STOPPED, []))

    def test_it_starts_while_it_stops(self) -> None:
        network = Network()
        charge_point = network.charge_point("CP1", "1.6")
        stopped = charge_point.stop()
        charge_point.start()
        charge_point.start()
        network.result(stopped)
        network.run()
        self.assertTrue(charge_point.connected)
        self.assertEqual(len(network.central_system.charge_points), 1)

    def test_it_connects_anew(self) -> None:
        network = Network()
        charge_point = network.charge_point("CP1", "1.6")
        charge_point.reconnect()
        network.run()
        self.assertTrue(charge_point.connected)
        self.assertEqual(actions(network), ["BootNotification"])
        network.cut()
        charge_point.reconnect()
        network.run()
        self.assertTrue(charge_point.connected)

    def test_it_boots_anew(self) -> None:
        registry = Registry()
        network = Network(registry)
        charge_point = network.charge_point("CP1", "2.0.1")
        lost = charge_point.call(v201.HeartbeatRequest())
        reset = v201.BootReasonEnumType.RemoteReset
        station = v201.ChargingStationType(vendorName="Test", model="Test")
        charge_point.boots = [v201.BootNotificationRequest(reason=reset, chargingStation=station)]
        network.result(charge_point.reboot())
        self.failureResultOf(lost, ConnectionLost)
        network.run()
        self.assertEqual([boot.reason for boot in registry.boots], ["PowerUp", "RemoteReset"])

    def test_the_last_word_counts(self) -> None:
        network = Network()
        charge_point = network.charge_point("CP1", "1.6", options=EVERY_SECOND)
        charge_point.reboot()
        charge_point.reboot()
        network.run()
        self.assertTrue(charge_point.connected)
        charge_point.reboot()
        network.cut()
        network.run()
        self.assertTrue(charge_point.connected)
        charge_point.reboot()
        charge_point.stop()
        network.run(100)
        self.assertEqual(charge_point.state, State.STOPPED)
        self.assertFalse(network.central_system.charge_points)


class RegistrationTests(SynchronousTestCase):
    version: ClassVar[str] = "1.6"

    def charge_point(self, *answers: tuple[str, int] | Deferred[Any] | None) -> ChargePoint:
        self.registry = Registry(*answers)
        self.network = Network(self.registry)
        self.wallbox = Wallbox()
        return self.network.charge_point("CP1", "1.6", self.wallbox, options=EVERY_SECOND)

    def test_it_asks_again_after_the_interval(self) -> None:
        charge_point = self.charge_point(("Rejected", 20), ("Pending", 10))
        self.assertIs(charge_point.registration, Status.REJECTED)
        self.network.run(19.9)
        self.assertEqual(len(self.registry.boots), 1)
        self.network.run(0.1)
        self.assertIs(charge_point.registration, Status.PENDING)
        accepted = charge_point.accepted()
        self.network.run(9.9)
        self.assertNoResult(accepted)
        self.network.run(0.1)
        self.successResultOf(accepted)
        self.assertEqual(charge_point.heartbeat_interval, 300)

    def test_it_chooses_an_interval_itself(self) -> None:
        self.charge_point(("Rejected", 0))
        self.network.run(59.9)
        self.assertEqual(len(self.registry.boots), 1)
        self.network.run(0.1)
        self.assertEqual(len(self.registry.boots), 2)

    def test_it_asks_again_when_it_has_no_answer(self) -> None:
        charge_point = self.charge_point(None)
        self.assertIs(charge_point.registration, Status.UNKNOWN)
        self.network.run(60)
        self.assertIs(charge_point.registration, Status.ACCEPTED)

    def test_the_interval_outlives_the_connection(self) -> None:
        self.charge_point(("Rejected", 20))
        self.network.cut()
        self.network.run(19.9)
        self.assertEqual(len(self.registry.boots), 1)
        self.network.run(0.1)
        self.assertEqual(len(self.registry.boots), 2)

    def test_a_connection_that_ends_before_the_answer(self) -> None:
        charge_point = self.charge_point(Deferred())
        self.network.cut()
        self.assertIs(charge_point.registration, Status.UNKNOWN)
        self.network.run(1)
        self.assertIs(charge_point.registration, Status.ACCEPTED)

    def test_it_says_nothing_before(self) -> None:
        for status in ("Rejected", "Pending"):
            charge_point = self.charge_point((status, 20))
            self.failureResultOf(charge_point.call(v16.HeartbeatRequest()), CallNotAllowed)
            waiting = charge_point.queue(v16.MeterValuesRequest(connectorId=1, meterValue=[]))
            self.network.run(19)
            self.assertEqual(actions(self.network), ["BootNotification"])
            self.assertNoResult(waiting)
            waiting.addErrback(lambda _: None)

    def test_while_pending_it_says_what_it_is_asked_for(self) -> None:
        charge_point = self.charge_point(("Pending", 20))
        trigger = v16.TriggerMessageRequest(requestedMessage=v16.MessageTrigger.Heartbeat)
        self.network.result(self.network.central_system.call("CP1", trigger))
        self.network.result(self.wallbox.answer)
        self.assertEqual(actions(self.network), ["BootNotification", "Heartbeat"])
        meter = v16.MeterValuesRequest(connectorId=1, meterValue=[])
        self.failureResultOf(charge_point.call(meter), CallNotAllowed)

    def test_while_rejected_it_takes_no_orders(self) -> None:
        for version, messages, heard in (("1.6", v16, None), ("2.0.1", v201, "SecurityError")):
            network = Network(Registry(("Rejected", 300)))
            network.charge_point("CP1", version, Wallbox())
            network.central_system.register("CP1", "Accepted")  # else it would not ask
            trigger = messages.TriggerMessageRequest(requestedMessage="Heartbeat")
            call = network.central_system.call("CP1", trigger, timeout=5)
            network.run(6)
            error = self.failureResultOf(call).value
            self.assertEqual(getattr(error, "code", None), heard)

    def test_it_keeps_the_central_systems_time(self) -> None:
        charge_point = self.charge_point()
        self.assertEqual(charge_point.now(), datetime(2026, 1, 1, 12, tzinfo=UTC))
        self.network.run(10)
        self.assertEqual(charge_point.now(), datetime(2026, 1, 1, 12, 0, 10, tzinfo=UTC))
        self.network.result(charge_point.heartbeat())  # the clerk's time is the clock's
        self.assertEqual(charge_point.now().hour, 0)


class HeartbeatTests(SynchronousTestCase):
    def test_at_the_interval_of_the_boot(self) -> None:
        network = Network(Registry(("Accepted", 30)))
        network.charge_point("CP1", "1.6")
        begun = network.clock.seconds()
        network.run(95)
        times = [
            round(frame.seconds - begun) for frame in network.frames if '"Heartbeat"' in frame.text
        ]
        self.assertEqual(times, [30, 60, 90])

    def test_an_interval_that_changes(self) -> None:
        network = Network()
        charge_point = network.charge_point("CP1", "1.6")
        charge_point.heartbeat_interval = 10
        network.run(25)
        charge_point.heartbeat_interval = 0
        network.run(1000)
        self.assertEqual(actions(network).count("Heartbeat"), 2)

    def test_none_without_a_connection(self) -> None:
        network = Network(Registry(("Accepted", 30)))
        charge_point = network.charge_point("CP1", "1.6")
        network.reachable = False
        network.cut()
        network.run(100)
        self.assertEqual(actions(network).count("Heartbeat"), 0)
        self.failureResultOf(charge_point.heartbeat(), NotConnected)
        self.failureResultOf(charge_point.call(v16.HeartbeatRequest()), NotConnected)

    def test_no_interval_named(self) -> None:
        network = Network(Registry(("Accepted", 0)))
        options = ChargePointOptions(heartbeat_interval=40)
        network.charge_point("CP1", "1.6", options=options)
        network.run(85)
        self.assertEqual(actions(network).count("Heartbeat"), 2)


class SendTests(SynchronousTestCase):
    def test_a_send(self) -> None:
        network = Network()
        charge_point = network.charge_point("CP1", "2.1")
        stream = v21.NotifyPeriodicEventStream(
            id=1,
            pending=0,
            basetime=datetime.now(UTC),
            data=[v21.StreamDataElementType(t=0, v="1")],
        )
        charge_point.send(stream)
        self.assertTrue(network.frames[-1].text.startswith("[6,"))
        network.result(charge_point.stop())
        self.assertRaises(NotConnected, charge_point.send, stream)
        charge_point.start()
        while not charge_point.connected:
            network.clock.advance(0)
        charge_point._booting.forget()
        self.assertRaises(CallNotAllowed, charge_point.send, stream)
