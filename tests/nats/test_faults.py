"""One fault each, with all parts in processes of their own: nothing is lost, doubled or stuck."""

from __future__ import annotations

import contextlib
import json
from random import Random

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ocpp_twisted.plugins.nats.errors import NoAnswer
from tests.nats.charging import ChargePoint
from tests.nats.checking import CheckedCase, Commander
from tests.nats.network import Node
from tests.support import until

#: `local`, but the answers to StopTransaction never go out: before it is kept, or after.
HANGS = """
from twisted.internet.defer import Deferred
from ocpp_twisted import v16
from ocpp_twisted.plugin import on
from ocpp_twisted.plugins.local import LocalPlugin

def hang(_):
    print("it hangs", flush=True)
    return Deferred()

class Before(LocalPlugin):
    name = "before"

    @on(v16.StopTransactionRequest)
    def stop_transaction(self, charge_point, request):
        return hang(None)

class After(LocalPlugin):
    name = "after"

    @on(v16.StopTransactionRequest)
    def stop_transaction(self, charge_point, request):
        return super().stop_transaction(charge_point, request).addCallback(hang)

before, after = Before(), After()
"""


class FaultCase(CheckedCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.commander = Commander(self.caller, self.caller_link)

    def charge_point(self, name: str, *gateways: Node) -> ChargePoint:
        """A charge point that charges at a gateway; later at any of them that runs."""
        chance = Random(name)
        charge_point = ChargePoint(name, lambda: [one.port for one in gateways if one.port], chance)
        self.addCleanup(lambda: Deferred.fromCoroutine(charge_point.leave()))
        charge_point.move()
        return charge_point

    async def more(self, *charge_points: ChargePoint) -> None:
        """Fires when each has ended one more transaction."""
        before = {each: len(each.told) for each in charge_points}
        await until(
            lambda: all(len(each.told) > count + 1 for each, count in before.items()), reactor, 20
        )


class WorkerTests(FaultCase):
    async def stopped(self, plugin: str, kept: bool) -> None:
        """A worker is killed while it handles a StopTransaction, and another one takes over."""
        gateway, one, two = (
            await self.gateway("g"),
            await self.worker("w1", plugin),
            await self.worker("w2"),
        )
        folder = self.directory / "w1" / "twisted" / "plugins"
        folder.mkdir(parents=True)
        (folder / "hanging.py").write_text(HANGS)
        await self.started(gateway, one)
        charge_point = self.charge_point("CP1", gateway)
        await until(lambda: "it hangs" in one.logs[0], reactor)
        charge_point.charging = False
        self.assertEqual([told.stopped for told in charge_point.told], [False])
        self.assertEqual(self.is_stopped(), kept)
        await one.kill()
        await self.started(two)
        await self.all_is_well([gateway, one, two], [charge_point], self.commander)
        self.assertEqual(charge_point.told[0].stopped, True)
        self.assertGreater(charge_point.refused, 0)

    def is_stopped(self) -> bool:
        """Whether the end of the transaction stands in the store."""
        (row,) = self.rows()
        return row.stopped is not None

    async def test_a_worker_dies_before_it_has_kept_a_stop(self):
        await self.stopped("before", kept=False)

    async def test_a_worker_dies_when_it_has_kept_a_stop_and_not_answered(self):
        await self.stopped("after", kept=True)


class ClusterTests(FaultCase):
    cluster = 3

    async def leader(self) -> str:
        """The NATS server that decides who holds which charge point."""
        subject, answer = "$JS.API.STREAM.INFO.KV_ocpp-owners", {}
        while not answer.get("cluster", {}).get("leader"):
            with contextlib.suppress(NoAnswer):  # they have not agreed on one yet
                answer = json.loads((await self.caller_link.request(subject, timeout=1)).data)
        self.assertEqual(answer["config"]["num_replicas"], 3)
        return answer["cluster"]["leader"]

    async def test_one_of_three_servers_dies(self):
        gateways = [await self.gateway(name) for name in ("g1", "g2")]
        nodes = [*gateways, await self.worker("w1"), await self.worker("w2")]
        await self.started(*nodes)
        charge_points = [self.charge_point(f"CP{number}", *gateways) for number in range(4)]
        await self.more(*charge_points)
        dead = self.nats[int((await self.leader()).removeprefix("n"))]
        await dead.kill()
        for charge_point in charge_points:
            charge_point.move()
        await self.more(*charge_points)
        for charge_point in charge_points:
            await self.commander.reach(charge_point)
        await dead.start()
        await self.more(*charge_points)
        await self.all_is_well(nodes, charge_points, self.commander)


class PartitionTests(FaultCase):
    async def both_sides(self) -> tuple[list[Node], ChargePoint]:
        """A charge point is connected to a gateway that is cut off, and then to another one."""
        one, two = await self.gateway("g1"), await self.gateway("g2")
        worker = await self.worker("w")
        await self.started(one, two, worker)
        charge_point = self.charge_point("CP1", one)
        await self.more(charge_point)
        await self.commander.reach(charge_point)
        one.cut()
        await self.cut_off(charge_point)
        charge_point.move(two.port)
        await self.more(charge_point)
        await self.commander.reach(charge_point)
        self.assertEqual(len(charge_point.sockets), 2)
        return [one, two, worker], charge_point

    async def cut_off(self, charge_point: ChargePoint) -> None:
        """Fires when a message of a charge point has been refused, and is sent again."""
        before = charge_point.refused
        await until(lambda: charge_point.refused > before, reactor)

    async def test_it_heals(self):
        nodes, charge_point = await self.both_sides()
        nodes[0].heal()
        await until(lambda: len(charge_point.sockets) == 1, reactor)
        await self.more(charge_point)
        await self.all_is_well(nodes, [charge_point], self.commander)


class UnnoticedPartitionTests(PartitionTests):
    """What was on its way comes late."""

    ping_interval = 30.0
