"""Gateways, workers and NATS servers, each in a process of its own, that can die and be cut off."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.web.client import Agent, readBody

import ocpp_twisted
from ocpp_twisted.plugins.nats.caller import NatsCaller
from ocpp_twisted.plugins.nats.subjects import Subjects
from tests.nats.case import NatsCase, NatsServer
from tests.nats.wall import Wall
from tests.plugins.local.databases import empty_url
from tests.support import environment, until
from tests.test_twistd import Process

__all__ = ["NetworkCase", "Node"]

#: A node that is cut off is left soon: until then it gets its share of what workers are sent.
_SETTINGS = 'ping_interval: "1s"\nping_max: 2\n'
_PACKAGE = str(Path(ocpp_twisted.__file__).parent.parent)


class Node:
    """A gateway or a worker.

    :param walls: stand between it and the NATS servers.
    :ivar name: its name among the nodes.
    :ivar port: of a gateway: where charge points connect; 0 while it does not run.
    :ivar cut_off: whether the walls are up.
    :ivar frozen: whether it does nothing, its sockets left open.
    :ivar logs: what its processes have said, one after the other.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        walls: Sequence[Wall],
        directory: Path,
        ping_interval: float,
    ) -> None:
        self.name = name
        self.port = 0
        self.cut_off = self.frozen = False
        self._walls = walls
        self._directory = directory
        directory.mkdir(parents=True)
        twistd = str(Path(sys.executable).with_name("twistd"))
        self._command = [sys.executable, twistd, "--reactor=asyncio", "-n", "--pidfile="]
        self._command += [*arguments, "--node", name]
        self._command += ["--nats-reconnect-wait", "0.1"]
        self._command += ["--nats-ping-interval", str(ping_interval)]
        for wall in walls:
            self._command += ["--nats", wall.url]
        self._processes: list[Process] = []
        self._handle: Any = None

    @property
    def logs(self) -> list[str]:
        return [process.said for process in self._processes]

    @property
    def runs(self) -> bool:
        return bool(self._processes) and self._processes[-1].exit_code is None

    async def start(self) -> None:
        """Fires when it is there, and has found NATS if NATS is there."""
        process = Process()
        self._processes.append(process)
        self._handle = reactor.spawnProcess(
            process,
            self._command[0],
            self._command,
            env=environment(HOME=str(self._directory.absolute()), PYTHONPATH=_PACKAGE),
            path=str(self._directory),
        )

        def found() -> Any:
            assert process.exit_code in (None, -9), process.said
            return process.exit_code or "NATS: " in process.said

        await until(found, reactor, 30)
        if listens := re.search(r"ws://127\.0\.0\.1:(\d+)", process.said):
            self.port = int(listens[1])

    async def connected(self) -> None:
        """Fires when it has found NATS."""
        await until(lambda: "NATS: connected" in self.logs[-1], reactor, 20)

    async def kill(self) -> None:
        """End it with -9."""
        self.port = 0
        self.frozen = False
        if self.runs:
            self._handle.signalProcess("KILL")
            await self._processes[-1].over

    def freeze(self) -> None:
        """It does nothing any more, until it is thawed."""
        self.frozen = True
        self._handle.signalProcess(SIGSTOP)

    def thaw(self) -> None:
        """It goes on, as if no time had passed."""
        if self.frozen:
            self.frozen = False
            self._handle.signalProcess(SIGCONT)

    def cut(self) -> None:
        """Nothing passes between it and NATS any more."""
        self.cut_off = True
        for wall in self._walls:
            wall.up()

    def heal(self) -> None:
        """What came meanwhile passes, and all that comes."""
        self.cut_off = False
        for wall in self._walls:
            wall.down()


class NetworkCase(NatsCase):
    """A test with a network of processes, and a caller in this one.

    :ivar nats: the NATS servers.
    """

    timeout = 180
    #: How many NATS servers there are.
    cluster = 1
    #: Seconds between a node's pings to NATS; it gives up a connection with two unanswered.
    ping_interval = 0.5

    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.nats = self.new_cluster()
        for server in self.nats:
            await server.start()
        self.store = empty_url(self.directory)
        self.caller_link = self.new_link(*(server.url for server in self.nats))
        self.caller = NatsCaller(self.caller_link, Subjects())
        await until(lambda: self.caller_link.connected, reactor)

    def new_cluster(self) -> list[NatsServer]:
        """Servers that are not started yet, with JetStream."""
        settings = self.directory.absolute() / "nats.conf"
        settings.parent.mkdir(parents=True)
        settings.write_text(_SETTINGS)
        arguments = ["-js", "-m", "-1", "-c", str(settings)]
        if self.cluster > 1:
            ports = _free_ports(self.cluster)
            urls = [f"nats://127.0.0.1:{port}" for port in ports]
            # Clients are to know of no other way than through their walls.
            arguments += ["--cluster_name", "c", "--no_advertise", "--routes", ",".join(urls)]
        servers = []
        for number in range(self.cluster):
            more = ["-sd", str(self.directory.absolute() / f"js{number}")]
            if self.cluster > 1:
                more += ["-n", f"n{number}", "--cluster", urls[number]]
            servers.append(self.new_server(*arguments, *more))
        return servers

    async def gateway(self, name: str) -> Node:
        """A gateway that is not started yet."""
        return await self._node(
            name,
            *("ocpp", "--ws", "tcp:0:interface=127.0.0.1"),
            *("--action-plugin", "nats", "--active-plugin", "nats"),
            *("--nats-patience", "2", "--nats-replicas", str(self.cluster)),
        )

    async def worker(self, name: str, plugin: str = "local") -> Node:
        """A worker that is not started yet."""
        return await self._node(
            name,
            *("ocpp-worker", "--action-plugin", plugin, "--nats-replicas", str(self.cluster)),
            *("--store", self.store, "--authorize", "open"),
        )

    async def _node(self, name: str, *arguments: str) -> Node:
        walls = [await self._wall(server) for server in self.nats]
        node = Node(name, arguments, walls, self.directory / name, self.ping_interval)
        self.addCleanup(lambda: Deferred.fromCoroutine(node.kill()))
        return node

    async def _wall(self, server: NatsServer) -> Wall:
        wall = Wall(server.url)
        port = await wall.listen()
        self.addCleanup(lambda: Deferred.fromCoroutine(wall.close()))
        self.addCleanup(port.stopListening)
        return wall

    async def started(self, *nodes: Node) -> None:
        """Fires when they run, and have found NATS."""
        starting = [Deferred.fromCoroutine(node.start()) for node in nodes]
        for each in starting:
            await each
        for node in nodes:
            await node.connected()

    async def who_serves(self, subject: str) -> list[str]:
        """The names of those that listen to a subject, as the NATS servers know them."""
        found = []
        for server in filter(lambda server: server.runs, self.nats):
            url = f"{server.monitoring}/connz?subs=1&limit=10000".encode()
            response = await Agent(reactor).request(b"GET", url)
            told = json.loads(await readBody(response))
            found += [
                connection["name"]
                for connection in told["connections"]
                if subject in connection.get("subscriptions_list", ())
            ]
        return found


def _free_ports(count: int) -> list[int]:
    """Ports that the system has just given out; servers of a cluster know those of all before."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
