"""What one gateway remembers of a charge point, another one knows when it connects there."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ocpp_twisted import v16, v201
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.registration import Status
from tests.nats.gateways import ActiveCase, Gateway
from tests.support import Wire

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BOOT = '[2,"b1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
STOP = (
    '[2,"s1","StopTransaction",'
    '{"transactionId":7,"meterStop":9,"timestamp":"2026-01-02T03:04:05Z"}]'
)
VALUES = (
    '[2,"m1","MeterValues",{"connectorId":1,"transactionId":7,"meterValue":'
    '[{"timestamp":"2026-01-02T03:04:05Z","sampledValue":[{"value":"1"}]}]}]'
)
OTHER_STOP = STOP.replace(":9", ":8")
STATUS = '[2,"n1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Faulted"}]'
UPDATED = (
    '[2,"u1","TransactionEvent",{"eventType":"Updated","timestamp":"2026-01-02T03:04:05Z",'
    '"triggerReason":"MeterValuePeriodic","seqNo":1,"transactionInfo":{"transactionId":"T"}}]'
)

#: What becomes of a charge point's connection to the first gateway.
Leave = Callable[[Gateway], Awaitable[None]]


async def stay(gateway: Gateway) -> None:
    """It stands, as far as the gateway knows."""


async def hang_up(gateway: Gateway) -> None:
    gateway.wires[0].connection.lost("gone")


class Business(ActionPlugin):
    """Answers; StopTransaction and StatusNotification when `done` fires, if it is there."""

    name = "business"

    def __init__(self, status: str = "Accepted") -> None:
        self.status = status
        self.stops = self.others = 0
        self.done: Deferred[None] | None = None

    @on(v16.BootNotificationRequest)
    def boot(self, charge_point, request):
        return v16.BootNotificationResponse(currentTime=NOW, interval=60, status=self.status)

    @on(v16.StopTransactionRequest)
    async def stop_transaction(self, charge_point, request):
        self.stops += 1
        if self.done is not None:
            await self.done
        return v16.StopTransactionResponse()

    @on(v16.MeterValuesRequest)
    def meter_values(self, charge_point, request):
        self.others += 1
        return v16.MeterValuesResponse()

    @on(v16.StatusNotificationRequest)
    async def status_notification(self, charge_point, request):
        self.others += 1
        if self.done is not None:
            await self.done
        return v16.StatusNotificationResponse()

    @on(v201.TransactionEventRequest)
    def event(self, charge_point, request):
        self.others += 1
        return v201.TransactionEventResponse()

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point, request):
        return v16.HeartbeatResponse(currentTime=NOW)


class SharedTests(ActiveCase):
    async def on(
        self, node: str, status: str = "Accepted", version: str = "1.6"
    ) -> tuple[Gateway, Business, Wire]:
        """A charge point on a new gateway."""
        business = Business(status)
        gateway = await self.gateway(node, business)
        return gateway, business, gateway.connect(version=version)

    async def kept(self, gateway: Gateway, what: str) -> None:
        """Fires when something stands in what is shared."""
        while True:
            found = await gateway.plugin.recall(gateway.wires[0].connection.identity)
            if found is not None and what.encode() in found[0]:
                return

    async def answer(self, wire: Wire, message: str) -> Any:
        wire.says(message)
        return await self.call_heard(wire)

    async def test_registration_moves(self):
        for status, expected in (("Accepted", 3), ("Pending", 4), ("Rejected", 4)):
            one, _, old = await self.on("one", status)
            await self.answer(old, BOOT)
            await self.kept(one, f'"{status}"')
            two, _, new = await self.on("two")
            (answer_type, *rest) = await self.answer(new, '[2,"h1","Heartbeat",{}]')
            self.assertEqual(answer_type, expected, rest)
            self.assertEqual(new.connection.registration, Status(status))
            await one.stop()
            await two.stop()

    async def test_a_retry_on_another_gateway(self):
        one, first, old = await self.on("one")
        self.assertEqual(await self.answer(old, STOP), [3, "s1", {}])
        await self.kept(one, '"s1"')
        _, second, new = await self.on("two")
        self.assertEqual(await self.answer(new, STOP), [3, "s1", {}])
        self.assertEqual((first.stops, second.stops), (1, 0))
        await self.answer(new, OTHER_STOP)  # the same id, another message
        self.assertEqual(second.stops, 1)

    async def test_values_are_shared_with_the_next_that_decides_something(self):
        one, _, old = await self.on("one")
        self.assertEqual(await self.answer(old, VALUES), [3, "m1", {}])
        await one.plugin._link.flush()
        self.assertEqual(await self.answer(old, STOP), [3, "s1", {}])
        await self.kept(one, '"s1"')
        text, revision = await one.plugin.recall(old.connection.identity)
        self.assertEqual(revision, 1)
        kept = [answer["messageId"] for answer in json.loads(text)["answers"]]
        self.assertEqual(kept, ["m1", "s1"])

    async def is_known_elsewhere(self, message: str, version: str, leave: Leave) -> None:
        """The same message gets the same answer at another gateway, and is not handled again."""
        one, first, old = await self.on("one", version=version)
        answer = await self.answer(old, message)
        self.assertEqual(answer[0], 3, answer)
        await self.served(one)
        self.assertIsNone(await one.plugin.recall(old.connection.identity))
        await leave(one)
        _, second, new = await self.on("two", version=version)
        self.assertEqual(await self.answer(new, message), answer)
        self.assertEqual((first.others, second.others), (1, 0))

    async def test_values_when_it_connects_elsewhere(self):
        await self.is_known_elsewhere(VALUES, "1.6", stay)

    async def test_a_status_when_it_connects_elsewhere(self):
        await self.is_known_elsewhere(STATUS, "1.6", stay)

    async def test_an_update_when_it_connects_elsewhere(self):
        await self.is_known_elsewhere(UPDATED, "2.0.1", stay)

    async def test_values_when_it_has_left(self):
        await self.is_known_elsewhere(VALUES, "1.6", hang_up)

    async def test_values_when_its_gateway_has_stopped(self):
        await self.is_known_elsewhere(VALUES, "1.6", Gateway.stop)

    async def test_a_handler_that_works_when_it_connects_elsewhere(self):
        one, first, old = await self.on("one")
        first.done = Deferred()
        old.says(STOP)
        await self.served(one)
        _, second, new = await self.on("two")
        new.says(STOP)
        await self.meanwhile(lambda: old.connection.remembered.waiting)
        first.done.callback(None)
        self.assertEqual(await self.call_heard(new), [3, "s1", {}])
        self.assertEqual((first.stops, second.stops), (1, 0))

    async def test_a_handler_that_ends_when_it_has_left(self):
        one, first, old = await self.on("one")
        first.done = Deferred()
        old.says(STATUS)
        await self.served(one)
        old.connection.lost("gone")
        first.done.callback(None)
        _, second, new = await self.on("two")
        self.assertEqual(await self.answer(new, STATUS), [3, "n1", {}])
        self.assertEqual((first.others, second.others), (1, 0))

    async def test_what_others_put_late_is_not_lost_and_does_no_harm(self):
        one, first, old = await self.on("one")
        first.done = Deferred()
        old.says(STOP)
        await self.meanwhile(lambda: first.stops)
        two, _, new = await self.on("two")
        await self.answer(new, '[2,"h1","Heartbeat",{}]')
        first.done.callback(None)
        await self.kept(one, '"s1"')
        await self.answer(new, STOP.replace("s1", "s2"))
        await self.kept(two, '"s2"')
        text, _ = await two.plugin.recall(new.connection.identity)
        kept = [answer["messageId"] for answer in json.loads(text)["answers"]]
        self.assertEqual(kept, ["s1", "s2"])

    async def test_a_gateway_before_whose_clock_was_ahead(self):
        text = b'{"registration":"Accepted","since":9999999999}'
        one, _, wire = await self.on("one")
        identity = wire.connection.identity
        await one.plugin.keep(identity, text, None)
        two, _, wire = await self.on("two")
        await self.answer(wire, '[2,"h1","Heartbeat",{}]')
        await one.plugin.keep(identity, text, None)  # late
        await self.answer(wire, STOP)
        await self.kept(two, '"s1"')

    async def test_a_boot_ends_what_is_kept_everywhere(self):
        one, _, old = await self.on("one")
        await self.answer(old, STOP)
        await self.kept(one, '"s1"')
        two, _, between = await self.on("two")
        await self.answer(between, BOOT)
        await self.kept(two, '"Accepted"')
        _, third, new = await self.on("three")
        await self.answer(new, STOP)
        self.assertEqual(third.stops, 1)

    async def test_the_late_answer_of_the_old_gateway_changes_nothing(self):
        one, first, old = await self.on("one")
        first.done = Deferred()
        old.says(STOP)
        await self.meanwhile(lambda: first.stops)
        two, _, between = await self.on("two", "Rejected")
        await self.answer(between, BOOT)
        await self.kept(two, '"Rejected"')
        first.done.callback(None)
        await one.plugin._link.flush()
        await self.kept(two, '"Rejected"')
        _, _, new = await self.on("three")
        self.assertEqual((await self.answer(new, STOP))[:3], [4, "s1", "SecurityError"])

    async def test_nobody_waits_for_a_nats_that_is_away(self):
        await self.server.kill()
        gateway = self.new_gateway("one", Business())
        wire = gateway.connect()
        begun = reactor.seconds()
        self.assertEqual((await self.answer(wire, '[2,"h1","Heartbeat",{}]'))[0], 3)
        self.assertLess(reactor.seconds() - begun, 1.9)

    async def test_nobody_waits_for_a_nats_that_says_nothing(self):
        gateway = await self.gateway("one", Business())
        self.server.signal("STOP")
        wire = gateway.connect()
        wire.says('[2,"h1","Heartbeat",{}]')
        self.assertEqual(wire.hears(), [])
        self.assertTrue(wire.transport.paused)
        self.assertEqual((await self.call_heard(wire))[0], 3)
        self.assertFalse(wire.transport.paused)
        self.server.signal("CONT")

    async def test_what_could_not_be_kept_is_kept_later(self):
        one, _, old = await self.on("one", "Rejected")
        await self.answer(old, '[2,"h1","Heartbeat",{}]')
        await self.server.kill()
        await self.answer(old, BOOT)
        await self.server.start()
        await self.meanwhile(lambda: not one.plugin.trouble())
        await self.kept(one, '"Rejected"')
        text, _ = await one.plugin.recall(old.connection.identity)
        self.assertEqual(json.loads(text)["maker"], ["V", "M", ""])
