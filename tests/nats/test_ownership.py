"""One owner for each charge point, whatever becomes of gateways and of NATS."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor

from ocpp_twisted import v16
from ocpp_twisted.errors import ConnectionLost, NotConnected
from ocpp_twisted.plugins.nats.keyvalue import Bucket
from ocpp_twisted.plugins.nats.protocol import Message
from tests.nats.gateways import ActiveCase, Gateway, owned
from tests.support import Wire

RESET = v16.ResetRequest(type="Soft")
#: The entry of a gateway that is not one of ours.
OTHER = (
    b'{"node":"other","session":"s","connection":1,"version":"1.6","peer":"p","since":1700000000.5}'
)


class OwnershipCase(ActiveCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.caller = await self.new_caller()
        self.bucket = Bucket(self.caller_link, "ocpp-owners")

    async def owner(self) -> dict[str, Any] | None:
        """What stands in the bucket."""
        entry = await self.bucket.get("=.CP1")
        return None if entry is None or entry.value is None else json.loads(entry.value)

    async def reaches(self, wire: Wire) -> None:
        """A call to the charge point goes over this connection, and is answered once."""
        result = self.caller.call("CP1", RESET, timeout=5)
        message_type, message_id, *_ = await self.call_heard(wire)
        self.assertEqual(message_type, 2)
        wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
        self.assertEqual((await result).status, "Accepted")

    async def on(self, node: str) -> tuple[Gateway, Wire]:
        """A charge point on a new gateway, which holds it."""
        gateway = await self.gateway(node)
        wire = gateway.connect()
        await self.served(gateway)
        return gateway, wire


class MovesTests(OwnershipCase):
    async def test_an_entry_that_cannot_be_read_is_put_over(self):
        await self.bucket.put("=.CP1", b"?")
        _, wire = await self.on("one")
        self.assertEqual((await self.owner())["node"], "one")
        await self.reaches(wire)

    async def test_it_stands_in_the_bucket(self):
        one, wire = await self.on("one")
        owner = await self.owner()
        self.assertEqual((owner["node"], owner["version"], owner["peer"]), ("one", "1.6", "memory"))
        wire.connection.lost("gone")
        await self.nobody()
        self.assertEqual(owned(one), 0)

    async def nobody(self) -> None:
        """Fires when the entry has been deleted."""
        while await self.owner() is not None:
            await self.caller_link.flush()

    async def test_a_charge_point_moves(self):
        one, old = await self.on("one")
        two, new = await self.on("two")
        self.assertEqual(old.transport.closed, (1000, "connected elsewhere"))
        self.assertEqual((owned(one), owned(two)), (0, 1))
        await self.reaches(new)
        self.assertEqual(old.hears(), [])

    async def test_the_late_end_of_the_old_socket_changes_nothing(self):
        _, old = await self.on("one")
        _, new = await self.on("two")
        old.connection.lost("late")
        await self.reaches(new)
        self.assertEqual((await self.owner())["node"], "two")

    async def test_there_and_back(self):
        one, old = await self.on("one")
        two, between = await self.on("two")
        new = one.connect()
        await self.served(one)
        await self.meanwhile(lambda: owned(two) == 0)
        self.assertEqual(between.transport.closed, (1000, "connected elsewhere"))
        self.assertIsNone(new.transport.closed)
        old.connection.lost("late")
        await self.reaches(new)

    async def test_again_and_again(self):
        gateways = [await self.gateway(name) for name in ("one", "two", "three")]
        wires = [gateways[number % 3].connect() for number in range(30)]

        def settled() -> bool:
            still = [wire for wire in wires if wire.transport.closed is None]
            return len(still) == 1 and sum(map(owned, gateways)) == 1

        await self.meanwhile(settled)
        for gateway in gateways:
            await gateway.plugin._link.flush()
        (last,) = [wire for wire in wires if wire.transport.closed is None]
        await self.reaches(last)

    async def test_a_call_that_is_open_when_it_moves(self):
        _, old = await self.on("one")
        result = self.caller.call("CP1", RESET, timeout=5)
        await self.call_heard(old)
        await self.on("two")
        with self.assertRaises(ConnectionLost):
            await result

    async def test_it_connects_to_the_same_gateway_again(self):
        one, old = await self.on("one")
        first = (await self.owner())["connection"]
        new = one.connect()
        self.assertEqual(old.transport.closed, (1000, "replaced by a newer connection"))
        while (await self.owner())["connection"] == first:
            await self.caller_link.flush()
        await self.reaches(new)

    async def test_an_entry_that_is_stored_is_enough(self):
        one, wire = await self.on("one")
        await self.bucket.put("=.CP1", OTHER)
        await self.meanwhile(lambda: wire.transport.closed)
        self.assertEqual((owned(one), wire.transport.closed[0]), (0, 1000))
        wire.connection.lost("closed")
        self.assertEqual((await self.owner())["node"], "other")

    async def fenced(self) -> Message:
        """A charge point connects that another gateway holds, here; what that one is asked."""
        asked: list[Message] = []
        self.caller_link.subscribe("ocpp.node.other.fence", asked.append)
        self.held = await self.bucket.put("=.CP1", OTHER)
        self.one = await self.gateway("one")
        self.wire = self.one.connect()
        await self.meanwhile(lambda: asked)
        return asked[0]

    async def test_nobody_serves_before_the_owner_before_has_let_go(self):
        fence = await self.fenced()
        said = json.loads(fence.data)
        self.assertEqual(said["key"], "=.CP1")
        self.assertGreater(said["revision"], self.held)
        with self.assertRaises(NotConnected):
            await self.caller.call("CP1", RESET)
        self.caller_link.publish(fence.reply, b"{}")
        await self.served(self.one)
        await self.reaches(self.wire)

    async def test_an_owner_before_that_says_nothing_is_not_waited_for_long(self):
        await self.fenced()
        begun = reactor.seconds()
        await self.served(self.one)
        self.assertLess(reactor.seconds() - begun, 5)
        await self.reaches(self.wire)

    async def test_the_owner_died(self):
        one, _ = await self.on("one")
        await one.plugin._link.stop()  # as if killed: nothing is said
        with self.assertRaises(NotConnected):
            await self.caller.call("CP1", RESET)
        _, new = await self.on("two")
        await self.reaches(new)


class FaultsTests(OwnershipCase):
    async def test_nats_is_away_when_it_connects(self):
        await self.server.kill()
        one = self.new_gateway("one")
        wire = one.connect()
        wire.says('[2,"1","Heartbeat",{}]')
        self.assertEqual(len(wire.hears()), 1)
        await self.server.start()
        await self.served(one)
        await self.meanwhile(lambda: self.caller_link.connected)
        await self.reaches(wire)

    async def test_nats_is_restarted(self):
        one, wire = await self.on("one")
        before = await self.owner()
        await self.server.kill()
        await self.meanwhile(lambda: owned(one) == 0)
        await self.server.start()
        await self.meanwhile(lambda: self.caller_link.connected)
        await self.served(one)
        await self.reaches(wire)
        self.assertEqual(await self.owner(), before)

    async def test_it_goes_while_nats_is_away(self):
        one, wire = await self.on("one")
        await self.server.kill()
        await self.meanwhile(lambda: owned(one) == 0)
        wire.connection.lost("gone")
        await self.server.start()
        await self.meanwhile(lambda: self.caller_link.connected)
        while await self.owner() is not None:
            await self.caller_link.flush()
        with self.assertRaises(NotConnected):
            await self.caller.call("CP1", RESET)

    async def test_a_gateway_that_was_cut_off_finds_that_it_moved(self):
        wall = await self.wall()
        one = self.new_gateway("one", servers=[wall.url])
        await self.meanwhile(lambda: not one.plugin.trouble())
        old = one.connect()
        await self.served(one)
        wall.up()
        _, new = await self.on("two")
        await self.reaches(new)
        self.assertIsNone(old.transport.closed)
        wall.down()
        await self.meanwhile(lambda: old.transport.closed)
        self.assertEqual(old.transport.closed, (1000, "connected elsewhere"))
        await self.reaches(new)
        self.assertEqual(old.hears(), [])

    async def test_what_a_gateway_that_was_cut_off_releases_late_is_another_ones(self):
        wall = await self.wall()
        one = self.new_gateway("one", servers=[wall.url])
        await self.meanwhile(lambda: not one.plugin.trouble())
        old = one.connect()
        await self.served(one)
        wall.up()
        await self.meanwhile(lambda: not one.plugin._link.connected)
        old.connection.lost("gone")
        _, new = await self.on("two")
        wall.down()
        await self.meanwhile(lambda: one.plugin._link.connected)
        await one.plugin._link.flush()
        self.assertEqual((await self.owner())["node"], "two")
        await self.reaches(new)

    async def test_the_later_one_wins_when_both_were_cut_off(self):
        wall = await self.wall()
        one = self.new_gateway("one", servers=[wall.url])
        await self.meanwhile(lambda: not one.plugin.trouble())
        wall.up()
        await self.meanwhile(lambda: not one.plugin._link.connected)
        old = one.connect()
        _, new = await self.on("two")
        wall.down()
        await self.meanwhile(lambda: old.transport.closed)
        self.assertIsNone(new.transport.closed)
        await self.reaches(new)

    async def test_no_jetstream(self):
        server = await self.serve()
        one = self.new_gateway("one", servers=[server.url])
        one.connect()
        await self.meanwhile(lambda: "-js" in one.plugin.trouble())
