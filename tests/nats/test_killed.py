"""Gateways as processes of their own, killed while commands fly and charge points move."""

from __future__ import annotations

import contextlib  # trial takes a name `suppress` in a module for its own
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList

import ocpp_twisted
from ocpp_twisted import v16
from ocpp_twisted.errors import CallFailed, CallTimedOut, NotConnected
from ocpp_twisted.plugins.nats.keyvalue import Bucket
from tests.nats.gateways import ActiveCase
from tests.support import RawClient, connect, environment, frame, frames, request, until
from tests.test_twistd import Process

CHARGE_POINTS = 10
CALLS = 300


class ChargePoint:
    """Answers each GetConfiguration, and connects where it is told to.

    :ivar asked: how often each key was asked for, over all connections.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: Counter[str] = Counter()
        self.client: RawClient | None = None
        self._read = b""

    async def connect(self, port: int) -> None:
        """Connect; the old connection is left as it is, as by a charge point without power."""
        client = await connect(reactor, port)
        client.transport.write(request(f"/ocpp/{self.name}"))
        await until(lambda: b"\r\n\r\n" in client.received, reactor)
        head, _, rest = client.received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        self.client, self._read = client, b""
        client.dataReceived = lambda data: self.take(client, data)  # type: ignore[method-assign]
        self.take(client, rest)

    def take(self, client: RawClient, data: bytes) -> None:
        if client is not self.client:
            return  # nobody is there any more
        found, self._read = frames(self._read + data)
        for opcode, payload in found:
            if opcode == 1:
                _, message_id, _, body = json.loads(payload)
                self.asked[body["key"][0]] += 1
                answer = json.dumps([3, message_id, {"unknownKey": body["key"]}])
                client.transport.write(frame(answer))


class Program:
    """``twistd ocpp`` with the active plug-in.

    :ivar port: where charge points connect.
    """

    port = 0

    def __init__(self, node: str, url: str, directory: Path) -> None:
        self.process = Process()
        twistd = str(Path(sys.executable).with_name("twistd"))
        command = [sys.executable, twistd, "--reactor=asyncio", "-n", "ocpp"]
        command += ["--ws", "tcp:0:interface=127.0.0.1", "--active-plugin", "nats", "--node", node]
        command += ["--nats", url, "--nats-reconnect-wait", "0.1"]
        directory.mkdir(parents=True)
        package = str(Path(ocpp_twisted.__file__).parent.parent)
        self._handle = reactor.spawnProcess(
            self.process,
            command[0],
            command,
            env=environment(HOME=str(directory.absolute()), PYTHONPATH=package),
            path=str(directory),
        )

    async def started(self) -> int:
        """Its port, once it has found NATS."""

        def found() -> Any:
            assert self.process.exit_code is None, self.process.said
            listens = re.search(r"ws://127\.0\.0\.1:(\d+)", self.process.said)
            return listens if "NATS: connected" in self.process.said else None

        self.port = int((await until(found, reactor, 20))[1])
        return self.port

    async def end(self, signal: str) -> int:
        """End it with a signal; returns its exit code."""
        if self.process.exit_code is None:
            self._handle.signalProcess(signal)
        return await self.process.over if self.process.exit_code is None else 0


class KilledTests(ActiveCase):
    timeout = 120

    async def setUp(self) -> None:
        await super().setUp()
        self.caller = await self.new_caller()
        self.programs: list[Program] = []

    async def program(self, node: str) -> Program:
        program = Program(node, self.server.url, self.directory / f"{node}{len(self.programs)}")
        self.programs.append(program)
        self.addCleanup(lambda: Deferred.fromCoroutine(program.end("KILL")))
        await program.started()
        return program

    async def reachable(self, charge_point: ChargePoint, key: str) -> None:
        """Fires when a call has come through."""
        while True:
            try:
                await self.get(charge_point, key, 1.0)
                return
            except CallFailed:
                await self.caller_link.flush().addErrback(lambda failure: None)

    def get(self, charge_point: ChargePoint, key: str, seconds: float) -> Deferred[Any]:
        asked = v16.GetConfigurationRequest(key=[key])
        return self.caller.call(charge_point.name, asked, timeout=seconds)

    async def test_a_gateway_dies_and_another_one_takes_over(self):
        one, two = await self.program("one"), await self.program("two")
        charge_point = ChargePoint("CP1")
        await charge_point.connect(one.port)
        await self.reachable(charge_point, "before")
        await one.end("KILL")
        with self.assertRaises(NotConnected):
            while True:  # until NATS has seen that its socket ends, a call is for nobody
                with contextlib.suppress(CallTimedOut):
                    await self.get(charge_point, "between", 0.1)
        await charge_point.connect(two.port)
        await self.reachable(charge_point, "after")

    async def test_it_ends_in_good_order(self):
        one = await self.program("one")
        charge_point = ChargePoint("CP1")
        await charge_point.connect(one.port)
        await self.reachable(charge_point, "before")
        self.assertEqual(await one.end("TERM"), 0, one.process.said)
        entry = await Bucket(self.caller_link, "ocpp-owners").get("=.CP1")
        self.assertIsNone(entry.value)
        self.assertNotIn("Traceback", one.process.said)

    async def test_commands_fly_while_charge_points_move_and_a_gateway_dies(self):
        async def half() -> None:
            await self.programs[0].end("KILL")
            self.ports = [self.programs[1].port]

        async def later() -> None:
            self.ports.append((await self.program("three")).port)

        await self.fly({CALLS // 2: half, CALLS // 2 + 50: later})

    async def test_commands_fly_while_charge_points_move_and_nats_dies(self):
        async def later() -> None:
            await self.server.start()
            await self.meanwhile(lambda: self.caller_link.connected)

        await self.fly({CALLS // 2: self.server.kill, CALLS // 2 + 20: later})

    async def fly(self, faults: dict[int, Callable[[], Awaitable[None]]]) -> None:
        """Each call has one outcome; each is done once at most, and once if it was answered.

        :param faults: what happens when so many calls have been begun.
        """
        self.ports = [(await self.program(node)).port for node in ("one", "two")]
        charge_points = [ChargePoint(f"CP{number}") for number in range(CHARGE_POINTS)]
        for charge_point in charge_points:
            await charge_point.connect(random.choice(self.ports))
        for charge_point in charge_points:
            await self.reachable(charge_point, "begin")
        outcomes: dict[str, list[str]] = {}
        open_calls = []
        for number in range(CALLS):
            charge_point = random.choice(charge_points)
            key = f"{charge_point.name}-{number}"
            call = self.get(charge_point, key, 3.0)
            told = outcomes[key] = []
            call.addCallbacks(
                lambda _, told=told: told.append("answered"),
                lambda failure, told=told: told.append(failure.value.__class__.__name__),
            )
            open_calls.append(call)
            if number % 5 == 0 and self.caller_link.connected:
                await self.caller_link.flush().addErrback(lambda failure: None)
            if number % 10 == 5:
                await random.choice(charge_points).connect(random.choice(self.ports))
            if number in faults:
                await faults[number]()
        await DeferredList(open_calls)
        for charge_point in charge_points:
            await charge_point.connect(random.choice(self.ports))
        for charge_point in charge_points:
            await self.reachable(charge_point, "end")
            again = {key for key, times in charge_point.asked.items() if times > 1}
            self.assertEqual(again - {"begin", "end"}, set())
        for key, told in outcomes.items():
            self.assertEqual(len(told), 1, (key, told))
            done = sum(charge_point.asked[key] for charge_point in charge_points)
            if told == ["answered"]:
                self.assertEqual(done, 1, key)
            elif told == ["NotConnected"]:
                self.assertEqual(done, 0, key)
        kinds = Counter(told[0] for told in outcomes.values())
        self.assertGreater(kinds["answered"], CALLS // 4, kinds)
        for program in self.programs:
            self.assertNotIn("Traceback", program.process.said)
