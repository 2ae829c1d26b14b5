"""Hostile peers on real sockets, with and without TLS, against ``twistd ocpp``."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import DeferredList
from twisted.trial.unittest import TestCase

from tests.hostile.fuzzing import SEED, TIMES, hostile_bytes, hostile_handshake
from tests.interop.process import TwistdProcess
from tests.support import HEARTBEAT, RawClient, connect, frame, request, until, upgraded

#: Bytes that the process may be larger after each round of 200 peers, once it is warm.
_GROWTH = 3_000_000


class SocketTests(TestCase):
    timeout = 60 + 60 * TIMES

    async def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        endpoint = "tcp:0:interface=127.0.0.1"
        self.twistd = TwistdProcess(reactor, [f"--ws={endpoint}", f"--wss={endpoint}"], directory)
        self.addCleanup(self.twistd.kill)
        self.ws, self.wss = await self.twistd.ports()

    async def attack(self, chance: Random) -> RawClient:
        """One hostile peer, which may leave at once or stay."""
        tls = chance.random() < 0.3
        client = await connect(reactor, self.wss if tls else self.ws, tls)
        match chance.randrange(4):
            case 0:
                client.transport.write(hostile_handshake(chance))
            case 1 if not tls:
                client.transport.write(chance.randbytes(chance.randrange(1, 3000)))
            case _:
                client.transport.write(request(f"/ocpp/CP{chance.randrange(50)}"))
                client.transport.write(hostile_bytes(chance))
        return client

    async def is_served(self, client: RawClient, number: int) -> None:
        client.transport.write(frame(HEARTBEAT.replace("h1", f"w{number}")))
        await until(lambda: f'[3,"w{number}"'.encode() in client.received, reactor)

    def resident(self) -> int:
        """Bytes of the server's process in memory."""
        status = Path(f"/proc/{self.twistd.transport.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024

    async def test_it_lives_and_serves_and_does_not_grow(self) -> None:
        witness = await upgraded(reactor, self.ws, target="/ocpp/WITNESS")
        chance = Random(SEED)
        sizes = []
        for turn in range(3 + TIMES):
            clients: list[Any] = []
            for number in range(200):
                clients.append(await self.attack(chance))
                if number % 20 == 0:
                    await self.is_served(witness, turn * 200 + number)
            for client in clients:
                if not client.over.called:
                    client.transport.abortConnection()
            await DeferredList([client.over for client in clients])
            await self.is_served(witness, turn * 200 + 199)
            sizes.append(self.resident())
        self.assertLess(sizes[-1] - sizes[2], _GROWTH * TIMES, sizes)
        witness.transport.abortConnection()
        await witness.over
        log = await self.twistd.terminate()
        self.assertEqual([line for line in log if "Traceback" in line or "#critical" in line], [])
