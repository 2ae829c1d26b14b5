"""Who is online, what the plug-ins hear of it, and how all of it ends."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ocpp_twisted import v16, v201
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import (
    CallTimedOut,
    ConnectionLost,
    LocalProtocolError,
    NotConnected,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActiveCaller, IConnectionOwner
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.quirks import parse
from tests.support import HEARTBEAT, MemoryTransport, Wire, online

TIME = v16.HeartbeatResponse(currentTime=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
RESET = v16.ResetRequest(type="Soft")
ACCEPTED = '[3,"{}",{{"status":"Accepted"}}]'


class Listener(ActionPlugin):
    """Writes down who comes and goes, and lets Heartbeats wait for `answer`."""

    name = "listener"

    def __init__(self) -> None:
        self.heard = []
        self.answer: Deferred[v16.HeartbeatResponse] = Deferred()

    def charge_point_online(self, charge_point) -> None:
        self.heard.append(("online", str(charge_point.identity)))

    def charge_point_offline(self, charge_point, reason, seconds) -> None:
        self.heard.append(("offline", str(charge_point.identity), reason, seconds))

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point, request):
        return self.answer


class CentralSystemTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.plugin = Listener()
        self.system = CentralSystem([self.plugin], self.clock)

    def test_it_keeps_to_its_interfaces(self) -> None:
        verifyObject(IActiveCaller, self.system)
        verifyObject(IConnectionOwner, self.system)

    def test_it_speaks_all_versions(self) -> None:
        self.assertEqual(self.system.subprotocols, ("ocpp1.6", "ocpp2.0", "ocpp2.0.1", "ocpp2.1"))

    def test_or_those_that_it_is_given(self) -> None:
        system = CentralSystem([], self.clock, [v201.CATALOGUE])
        self.assertEqual(system.subprotocols, ("ocpp2.0.1",))

    def test_a_call_finds_its_charge_point(self) -> None:
        online(self.system, "CP1")
        cp2 = online(self.system, "CP2")
        result = self.system.call("CP2", RESET)
        cp2.says(ACCEPTED.format(cp2.hears_call()))
        self.assertEqual(self.successResultOf(result).status, "Accepted")

    def test_the_version_belongs_to_the_connection(self) -> None:
        cp1 = online(self.system, "CP1", "2.0.1")
        result = self.system.call("CP1", v201.ResetRequest(type="Immediate"))
        cp1.says(ACCEPTED.format(cp1.hears_call()))
        self.assertIsInstance(self.successResultOf(result), v201.ResetResponse)
        cp1 = online(self.system, "CP1", "1.6")
        self.system.call("CP1", RESET)
        cp1.hears_call()

    def test_a_call_in_json_keeps_its_payload(self) -> None:
        cp1 = online(self.system, "CP1", "2.0.1")
        payload = b'{ "variables" : 1.50, "type": "Immediate",  "evseId": 1 }'
        error = self.failureResultOf(
            self.system.call_json("CP1", "Reset", payload), LocalProtocolError
        ).value
        self.assertEqual(str(error).partition(":")[0], "$.variables")
        payload = b'{ "evseId": 1, "type" : "Immediate" }'
        result = self.system.call_json("CP1", "Reset", payload)
        (call,) = cp1.hears()
        self.assertTrue(call.endswith(',"Reset",{"evseId":1,"type":"Immediate"}]'), call)
        message_id = call.split('"')[1]
        cp1.says(f'[3,"{message_id}",{{"status" : "Accepted"}}]')
        self.assertEqual(self.successResultOf(result), b'{"status" : "Accepted"}')

    def test_a_call_in_json_that_cannot_be(self) -> None:
        online(self.system, "CP1")
        for action, payload, why in (
            ("Fly", b"{}", "OCPP 1.6 has no CALL Fly"),
            ("Reset", b"{}", "$.type: required, but absent"),
            ("Reset", b'{"type":"Soft"', "$: expected"),
            ("Reset", b"[" * 100_000, "$"),
            ("Reset", b'{"type":"Warm"}', "$.type"),
        ):
            result = self.system.call_json("CP1", action, payload)
            error = self.failureResultOf(result, LocalProtocolError).value
            self.assertTrue(str(error).startswith(why), str(error))
        self.failureResultOf(self.system.call_json("CP2", "Reset", b"{}"), NotConnected)

    def test_who_is_connected(self) -> None:
        online(self.system, "CP1")
        self.clock.advance(5)
        online(self.system, "CP2", "2.1")
        found = self.successResultOf(self.system.connected())
        self.assertEqual(
            [(str(each.identity), each.version, each.peer, each.seconds) for each in found],
            [("CP1", "1.6", "memory", 5), ("CP2", "2.1", "memory", 0)],
        )
        (one,) = self.successResultOf(self.system.connected("CP2"))
        self.assertEqual((str(one.identity), one.version), ("CP2", "2.1"))
        self.assertEqual(self.successResultOf(self.system.connected("CP3")), [])

    def test_disconnecting(self) -> None:
        cp1 = online(self.system, "CP1")
        self.successResultOf(self.system.disconnect("CP1", 1000, "maintenance"))
        self.assertEqual(cp1.transport.closed, (1000, "maintenance"))
        self.failureResultOf(self.system.disconnect("CP2"), NotConnected)

    def test_nobody_there(self) -> None:
        error = self.failureResultOf(self.system.call("CP1", RESET), NotConnected).value
        self.assertEqual(str(error), "CP1 is not connected")

    def test_one_id_under_two_names_is_two_charge_points(self) -> None:
        acme = online(self.system, Identity("CP1", "acme"))
        other = online(self.system, Identity("CP1"))
        self.system.call(Identity("CP1", "acme"), RESET)
        acme.hears_call()
        self.assertEqual((other.hears(), acme.transport.closed), ([], None))

    def test_ids_and_names_are_never_joined(self) -> None:
        one = online(self.system, Identity("b/c", "a"))
        online(self.system, Identity("c", "a/b"))
        self.assertIsNone(one.transport.closed)
        self.assertEqual(len(self.system.charge_points), 2)

    def test_message_ids_are_never_used_twice(self) -> None:
        ids = set()
        for system in (self.system, CentralSystem([], self.clock)):
            for _ in range(3):
                cp1 = online(system)
                system.call("CP1", RESET).addErrback(lambda failure: failure.trap(ConnectionLost))
                ids.add(cp1.hears_call())
        self.assertEqual(len(ids), 6)
        self.assertTrue(all(len(message_id) <= 36 for message_id in ids))

    def test_the_view_of_who_is_online_is_live_and_read_only(self) -> None:
        view = self.system.charge_points
        cp1 = online(self.system, "CP1")
        self.assertEqual(dict(view), {Identity("CP1"): cp1.connection})
        cp1.connection.lost("gone")
        self.assertEqual(dict(view), {})
        with self.assertRaises(TypeError):
            view[Identity("CP1")] = None


class HookTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.plugin = Listener()
        self.system = CentralSystem([self.plugin], self.clock)

    def test_online_and_offline_with_its_reason_and_time(self) -> None:
        cp1 = online(self.system)
        self.clock.advance(12.5)
        cp1.connection.lost("gone")
        self.assertEqual(self.plugin.heard, [("online", "CP1"), ("offline", "CP1", "gone", 12.5)])

    def test_a_charge_point_may_be_called_as_soon_as_it_is_online(self) -> None:
        self.plugin.charge_point_online = lambda charge_point: charge_point.call(RESET)
        online(self.system).hears_call()

    def test_what_goes_wrong_in_a_hook_is_logged_and_the_others_are_still_told(self) -> None:
        class Bad(ActionPlugin):
            name = "bad"

            def charge_point_online(self, charge_point):
                raise ZeroDivisionError

        online(CentralSystem([Bad(), self.plugin], self.clock))
        self.assertEqual(self.plugin.heard, [("online", "CP1")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_hooks_may_be_coroutines(self) -> None:
        looked_up: Deferred[None] = Deferred()
        heard = []

        class Slow(ActionPlugin):
            name = "slow"

            async def charge_point_online(self, charge_point):
                await looked_up
                heard.append(("online", charge_point.id))

            async def charge_point_offline(self, charge_point, reason, seconds):
                heard.append(("offline", reason))
                raise ZeroDivisionError

        cp1 = online(CentralSystem([Slow(), self.plugin], self.clock))
        self.assertEqual((heard, len(self.plugin.heard)), ([], 1))
        looked_up.callback(None)
        cp1.connection.lost("gone")
        self.assertEqual(heard, [("online", "CP1"), ("offline", "gone")])
        self.assertEqual(self.plugin.heard[1:], [("offline", "CP1", "gone", 0)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_log_has_a_line_for_each(self) -> None:
        with capturedLogs() as logs:
            online(self.system).connection.lost("gone")
        lines = [log["log_format"] for log in logs if log["log_level"] is LogLevel.info]
        self.assertEqual(
            lines,
            [
                "charge point online: {charge_point}",
                "connection ended after {seconds:.1f} s: {charge_point}: {reason}",
            ],
        )


class ReconnectTests(SynchronousTestCase):
    """The newest connection wins, and the end of the old one changes nothing."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.plugin = Listener()
        self.system = CentralSystem([self.plugin], self.clock)
        self.old = online(self.system)

    def test_the_old_connection_is_closed(self) -> None:
        online(self.system)
        self.assertEqual(self.old.transport.closed, (1000, "replaced by a newer connection"))

    def test_its_late_close_changes_nothing(self) -> None:
        new = online(self.system)
        self.old.connection.lost("gone at last")
        self.system.call("CP1", RESET)
        new.hears_call()
        self.assertEqual(self.plugin.heard, [("online", "CP1"), ("online", "CP1")])

    def test_its_waiting_calls_fail_at_once(self) -> None:
        sent, queued = self.system.call("CP1", RESET), self.system.call("CP1", RESET)
        online(self.system)
        self.failureResultOf(sent, ConnectionLost)
        self.failureResultOf(queued, NotConnected)

    def test_a_call_made_when_they_fail_goes_to_the_new_one(self) -> None:
        self.system.call("CP1", RESET).addErrback(lambda _: self.system.call("CP1", RESET))
        online(self.system).hears_call()

    def test_what_the_old_one_still_says_is_not_heard(self) -> None:
        online(self.system)
        self.old.says(HEARTBEAT)
        self.assertEqual(self.old.hears(), [])

    def test_an_answer_to_the_old_one_does_not_go_to_the_new_one(self) -> None:
        self.old.says(HEARTBEAT)
        new = online(self.system)
        self.plugin.answer.callback(TIME)
        self.assertEqual((self.old.hears(), new.hears()), ([], []))


class StopTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.plugin = Listener()
        self.system = CentralSystem([self.plugin], self.clock)

    def test_with_nobody_there_it_is_done(self) -> None:
        self.successResultOf(self.system.stop(10))

    def test_everybody_is_closed_with_1001(self) -> None:
        peers = [online(self.system, "CP1"), online(self.system, "CP2")]
        stopped = self.system.stop(10)
        for peer in peers:
            self.assertNoResult(stopped)
            self.assertEqual(peer.transport.closed, (1001, "the central system stops"))
            peer.connection.lost("we closed with 1001")
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_all_at_once(self) -> None:
        peers = [online(self.system, f"CP{number}") for number in range(50)]
        self.system.stop(10, rate=100)

        def closed() -> int:
            return sum(peer.transport.closed is not None for peer in peers)

        self.assertEqual(closed(), 10)
        peers[-1].says(HEARTBEAT)  # those that wait are served
        self.plugin.answer.callback(TIME)
        self.assertEqual(len(peers[-1].hears()), 1)
        self.clock.advance(0.1)
        self.assertEqual(closed(), 20)
        self.clock.pump([0.1] * 3)
        self.assertEqual(closed(), 50)

    def test_one_after_the_other(self) -> None:
        peers = [online(self.system, f"CP{number}") for number in range(3)]
        stopped = self.system.stop(10, rate=2)
        for number, peer in enumerate(peers):
            self.assertEqual(
                [each.transport.closed is None for each in peers].count(True), 2 - number
            )
            peer.connection.lost("we closed with 1001")
            self.clock.advance(0.5)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_each_has_the_grace(self) -> None:
        peers = [online(self.system, f"CP{number}") for number in range(2)]
        for peer in peers:
            peer.says(HEARTBEAT)
        self.system.stop(10, rate=1)
        self.clock.advance(11.9)
        self.assertEqual([peer.transport.closed for peer in peers], [None, None])
        self.clock.advance(0.1)
        self.assertEqual({peer.transport.closed[0] for peer in peers}, {1001})

    def test_an_open_call_of_the_charge_point_is_still_answered(self) -> None:
        cp1 = online(self.system)
        cp1.says(HEARTBEAT)
        self.system.stop(10)
        self.assertIsNone(cp1.transport.closed)
        self.plugin.answer.callback(TIME)
        self.assertEqual(len(cp1.hears()), 1)
        self.assertIsNotNone(cp1.transport.closed)

    def test_but_not_longer_than_the_grace(self) -> None:
        cp1 = online(self.system)
        result = self.system.call("CP1", RESET)
        self.system.stop(10)
        self.clock.advance(9.9)
        self.assertIsNone(cp1.transport.closed)
        self.clock.advance(0.1)
        self.assertEqual(cp1.transport.closed, (1001, "the central system stops"))
        cp1.connection.lost("we closed with 1001")
        self.failureResultOf(result, ConnectionLost)

    def test_a_call_that_is_given_up_before_that_ends_the_waiting(self) -> None:
        cp1 = online(self.system)
        result = self.system.call("CP1", RESET, timeout=1)
        self.system.stop(10)
        self.clock.advance(1)
        self.failureResultOf(result, CallTimedOut)
        self.assertIsNotNone(cp1.transport.closed)

    def test_who_comes_now_is_closed_as_well(self) -> None:
        cp1 = online(self.system, "CP1")
        stopped = self.system.stop(10)
        cp2 = online(self.system, "CP2")
        self.assertIsNotNone(cp2.transport.closed)
        cp1.connection.lost("gone")
        self.assertNoResult(stopped)
        cp2.connection.lost("gone")
        self.successResultOf(stopped)

    def test_twice(self) -> None:
        cp1 = online(self.system)
        result = self.system.call("CP1", RESET)
        first, second = self.system.stop(10), self.system.stop(5)
        self.clock.advance(5)
        self.assertIsNotNone(cp1.transport.closed)
        self.failureResultOf(result, ConnectionLost)
        self.assertNoResult(first)
        self.assertNoResult(second)
        cp1.connection.lost("we closed with 1001")
        for stopped in (first, second, self.system.stop(10)):
            self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_transport_that_ends_at_once(self) -> None:
        transport = MemoryTransport()
        connection = self.system.connection_made(Identity("CP1"), "ocpp1.6", transport)
        transport.close = lambda code, reason: connection.lost("closed")
        self.successResultOf(self.system.stop(10))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class CrowdTests(SynchronousTestCase):
    def test_a_thousand_calls_that_time_out_at_once(self) -> None:
        clock = Clock()
        system = CentralSystem([], clock)
        peers = [online(system, f"CP{number}") for number in range(1000)]
        results = [system.call(peer.connection.id, RESET, timeout=5) for peer in peers]
        clock.advance(5)
        for result in results:
            self.failureResultOf(result, CallTimedOut)
        for peer in peers:
            peer.hears()
            system.call(peer.connection.id, RESET)
            peer.hears_call()


TAG = '[2,"{}","Authorize",{{"idTag":{}}}]'
QUIRKS = """
[[profile]]
vendor = "ACME"
repair = ["string-as-number", "number-as-string", "too-long"]
"""


class QuirksTests(SynchronousTestCase):
    """What charge points of a vendor may do wrong, from their BootNotification on."""

    def setUp(self) -> None:
        class Plugin(ActionPlugin):
            name = "plugin"

            @on(v16.BootNotificationRequest)
            def boot(self, charge_point, request):
                return v16.BootNotificationResponse(
                    currentTime=datetime(2026, 1, 1, tzinfo=UTC), interval=1, status="Accepted"
                )

            @on(v16.AuthorizeRequest)
            def authorize(self, charge_point, request):
                tags.append(request.idTag)
                return v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status="Accepted"))

        self.tags = tags = []
        self.system = CentralSystem([Plugin()], Clock(), quirks=parse(QUIRKS))

    def boots(self, vendor: str, identity: str = "CP1") -> Wire:
        cp1 = online(self.system, identity)
        maker = f'{{"chargePointVendor":"{vendor}","chargePointModel":"M"}}'
        cp1.says(f'[2,"b","BootNotification",{maker}]')
        cp1.hears()
        return cp1

    def test_a_vendor_with_a_profile(self) -> None:
        self.boots("ACME").says(TAG.format("a", 12345))
        self.assertEqual(self.tags, ["12345"])

    def test_another_vendor(self) -> None:
        cp1 = self.boots("Other")
        cp1.says(TAG.format("a", 12345))
        why = "$.idTag: expected a string, got an integer"
        refused = f'[4,"a","TypeConstraintViolation","{why}",{{}}]'
        self.assertEqual((cp1.hears(), self.tags), ([refused], []))

    def test_it_is_remembered_when_there_is_no_boot(self) -> None:
        self.boots("ACME").connection.lost("gone")
        online(self.system).says(TAG.format("a", 12345))
        self.boots("Other").connection.lost("gone")
        online(self.system).says(TAG.format("b", 12345))
        self.assertEqual(self.tags, ["12345"])

    def test_each_kind_is_told_once_and_counted(self) -> None:
        cp1 = self.boots("ACME")
        with capturedLogs() as logs:
            for number in range(5):
                cp1.says(TAG.format(number, number))
            cp1.connection.lost("gone")
            cp1 = online(self.system)
            cp1.says(TAG.format("long", '"' + "x" * 21 + '"'))
            cp1.says(TAG.format("number", 7))
        told = [formatEvent(event) for event in logs if "let through" in event["log_format"]]
        self.assertEqual(len(told), 2)
        self.assertIn("Authorize: string-as-number: $.idTag", told[0])
        self.assertIn("Authorize: too-long: $.idTag", told[1])
        counts = {repair.kind.value: number for repair, number in cp1.connection.repairs.items()}
        self.assertEqual(sorted(counts.values()), [1, 6])


class NewestWinsTests(SynchronousTestCase):
    def test_the_old_one_has_ended_when_the_new_one_is_told(self):
        seen = []

        class P(ActionPlugin):
            def charge_point_online(self, charge_point):
                seen.append([w.connection.connected for w in old])

        s = CentralSystem([P()], Clock())
        old = []
        old.append(online(s))
        online(s)
        self.assertEqual(seen, [[], [False]])
