"""Faults at random while charge points charge and move, and commands fly: in the end all is well.

``OCPP_TEST_CHAOS`` says how many times as long (1), ``OCPP_TEST_CHAOS_SEED`` where chance begins.
The same seed chooses the same faults; when they strike is a matter of the machine.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from tests.nats.case import NatsServer
from tests.nats.charging import ChargePoint
from tests.nats.checking import CheckedCase, Commander
from tests.nats.network import Node
from tests.support import until

_log = Logger()
TIMES = int(os.environ.get("OCPP_TEST_CHAOS", "1"))
SEED = int(os.environ.get("OCPP_TEST_CHAOS_SEED", "1"))
CHARGE_POINTS = 6
FAULTS = 14
#: Seconds between two commands.
PACE = 0.03
#: How long a fault lasts at least before the next one: answers, and seconds.
MOST_ANSWERS = 40
MOST_SECONDS = 1.0


class ChaosCase(CheckedCase):
    timeout = 120 + 60 * TIMES

    async def setUp(self) -> None:
        await super().setUp()
        self.chance = Random(SEED)
        #: What was done.
        self.story: list[str] = []
        self.gateways = [await self.gateway(f"g{number}") for number in range(3)]
        self.workers = [await self.worker(f"w{number}") for number in range(2)]
        self.nodes = [*self.gateways, *self.workers]
        self.dead: NatsServer | None = None
        self.starting: dict[Node, Deferred[None]] = {}
        await self.started(*self.nodes)
        self.charge_points = [self.charge_point(f"CP{n}") for n in range(CHARGE_POINTS)]
        self.commander = Commander(self.caller, self.caller_link)
        self.commands = LoopingCall(self.command, Random(SEED))
        self.addCleanup(lambda: self.commands.running and self.commands.stop())
        self.commands.start(PACE)

    def command(self, chance: Random) -> None:
        self.commander.ask(chance.choice(self.charge_points))

    def charge_point(self, name: str) -> ChargePoint:
        charge_point = ChargePoint(name, self.ports, Random(f"{SEED} {name}"))
        self.addCleanup(lambda: Deferred.fromCoroutine(charge_point.leave()))
        charge_point.move()
        return charge_point

    def ports(self) -> list[int]:
        return [gateway.port for gateway in self.gateways if gateway.port]

    # -- faults -------------------------------------------------------------------------------

    def possible(self) -> list[tuple[str, Callable[[], Any]]]:
        """What can be done now, and its name; what mends is more likely than what breaks."""
        breaks: list[tuple[str, Callable[[], Any]]] = []
        mends: list[tuple[str, Callable[[], Any]]] = []
        for node in self.nodes:
            if not node.runs:
                mends.append((f"{node.name} starts", lambda node=node: self.start(node)))
                continue
            if node in self.starting:
                continue
            if node in self.workers or sum(each.runs for each in self.gateways) > 1:
                breaks.append((f"{node.name} is killed", node.kill))
            if node.cut_off:
                mends.append((f"{node.name} is healed", node.heal))
            else:
                breaks.append((f"{node.name} is cut off", node.cut))
            if node.frozen:
                mends.append((f"{node.name} is thawed", node.thaw))
            else:
                breaks.append((f"{node.name} is frozen", node.freeze))
        for number, server in enumerate(self.nats):
            if self.dead is None:
                breaks.append((f"NATS {number} is killed", lambda server=server: self.kill(server)))
            elif self.dead is server:
                mends.append((f"NATS {number} starts", self.revive))
        moves = [(f"{each.name} moves", each.move) for each in self.charge_points]
        return breaks + moves + 4 * mends

    def start(self, node: Node) -> None:
        starting = self.starting[node] = Deferred.fromCoroutine(node.start())
        starting.addErrback(self.failed).addBoth(lambda _: self.starting.pop(node))

    def failed(self, failure: Any) -> None:
        self.story.append(failure.getErrorMessage())

    async def kill(self, server: NatsServer) -> None:
        self.dead = server
        await server.kill()

    async def revive(self) -> None:
        assert self.dead is not None
        await self.dead.start()
        self.dead = None

    async def more(self) -> None:
        """Fires when charge points have got some more answers, or some time is over."""
        before = self.acknowledged()
        answers = self.chance.randrange(MOST_ANSWERS)
        end = reactor.seconds() + self.chance.random() * MOST_SECONDS
        await until(
            lambda: self.acknowledged() >= before + answers or reactor.seconds() >= end, reactor
        )

    def acknowledged(self) -> int:
        return sum(charge_point.acknowledged for charge_point in self.charge_points)

    async def rage(self) -> None:
        """Do one thing after the other."""
        for _ in range(FAULTS * TIMES):
            name, act = self.chance.choice(self.possible())
            self.story.append(name)
            done = act()
            if done is not None:
                await done
            await self.more()

    async def repair(self) -> None:
        """End all faults."""
        self.story.append("repair")
        if self.dead is not None:
            await self.revive()
        for node in self.nodes:
            node.heal()
            node.thaw()
        await until(lambda: not self.starting, reactor, 30)
        for node in self.nodes:
            if not node.runs:
                await node.start()
            await node.connected()
        for charge_point in self.charge_points:
            charge_point.move()

    async def chaos(self) -> None:
        try:
            await self.rage()
            await self.repair()
            self.commands.stop()
            await self.all_is_well(self.nodes, self.charge_points, self.commander)
            outcomes = Counter(told[0] for told in self.commander.outcomes.values())
            _log.info("{story}", story="; ".join(self.story))
            _log.info(
                "answers: {answers}; {outcomes}", answers=self.acknowledged(), outcomes=outcomes
            )
        except Exception as error:
            story = "; ".join(self.story)
            logs = "\n".join(f"{node.name}: {log}" for node in self.nodes for log in node.logs)
            (self.directory / "logs.txt").write_text(logs)
            raise AssertionError(f"seed {SEED}: {story}: {error!r}") from error


class ChaosTests(ChaosCase):
    async def test_one_nats_server(self):
        await self.chaos()


class ClusterChaosTests(ChaosCase):
    cluster = 3

    async def test_a_cluster(self):
        await self.chaos()
