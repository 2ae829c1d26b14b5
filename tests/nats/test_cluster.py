"""A NATS cluster of three servers, of which one dies."""

from __future__ import annotations

import contextlib
import json
import socket

from twisted.internet import reactor

from ocpp_twisted import v16
from ocpp_twisted.errors import CallFailed
from ocpp_twisted.plugins.nats.caller import NatsCaller
from ocpp_twisted.plugins.nats.errors import LinkError
from tests.nats.gateways import ActiveCase, owned
from tests.support import Wire, until

RESET = v16.ResetRequest(type="Soft")


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class ClusterTests(ActiveCase):
    async def setUp(self) -> None:
        await super().setUp()
        ports = free_ports(3)
        routes = ",".join(f"nats://127.0.0.1:{port}" for port in ports)
        self.cluster = []
        for number, port in enumerate(ports):
            server = await self.serve(
                "-js", "-sd", str(self.directory.absolute() / f"js{number}"),
                "--name", f"s{number}", "--cluster_name", "c",
                "--cluster", f"nats://127.0.0.1:{port}", "--routes", routes,
            )  # fmt: skip
            self.cluster.append(server)
        self.urls = [server.url for server in self.cluster]

    async def test_a_server_dies(self):
        one = self.new_gateway("one", servers=self.urls, replicas=3)
        wire = one.connect()
        await until(lambda: owned(one), reactor, 30)
        await self.cluster[0].kill()
        self.server = self.cluster[1]
        caller = await self.new_caller()
        await self.reaches(caller, wire)
        two = self.new_gateway("two", servers=self.urls, replicas=3)
        new = two.connect()
        await until(lambda: owned(two), reactor, 30)
        await self.meanwhile(lambda: wire.transport.closed)
        self.assertEqual(wire.transport.closed, (1000, "connected elsewhere"))
        await self.reaches(caller, new)

    async def test_each_server_lists_all(self):
        await self.lists_nothing(await self.new_caller(self.urls[2]))
        one = self.new_gateway("one", servers=self.urls, replicas=3)
        wires = [one.connect(f"CP{number}") for number in range(3)]
        await until(lambda: owned(one) == len(wires), reactor, 30)
        link = await self.link(self.urls[0])
        answer = await link.request("$JS.API.STREAM.INFO.KV_ocpp-owners", timeout=5)
        self.assertEqual(json.loads(answer.data)["config"]["num_replicas"], 3)
        for url in self.urls:
            caller = await self.new_caller(url)
            for _ in range(50):
                self.assertEqual(len(await caller.connected()), len(wires))

    async def lists_nothing(self, caller: NatsCaller) -> None:
        """Fires when the servers have agreed that nobody is there."""
        while True:
            with contextlib.suppress(LinkError):
                self.assertEqual(list(await caller.connected()), [])
                break

    async def reaches(self, caller: NatsCaller, wire: Wire) -> None:
        """Fires when a call has come through; it may take a while until the servers agree."""
        while True:
            result = caller.call("CP1", RESET, timeout=5)
            await self.meanwhile(lambda result=result: result.called or wire.transport.sent)
            if wire.transport.sent:
                break
            with contextlib.suppress(CallFailed):
                await result
        _, message_id, *_ = await self.call_heard(wire)
        wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
        self.assertEqual((await result).status, "Accepted")
