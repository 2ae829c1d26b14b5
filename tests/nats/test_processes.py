"""Workers in processes of their own, also in another language; and `local` behind NATS."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from ocpp_twisted.plugins.local import LocalPlugin
from tests.interop.process import ROOT, Program
from tests.nats.passive import PassiveCase, call
from tests.nats.test_passive import Recorder
from tests.plugins.local.databases import POSTGRES, empty_url

PLUGIN = """
from twisted.internet.defer import Deferred
from ocpp_twisted import v16
from ocpp_twisted.plugin import ActionPlugin, on

class Hangs(ActionPlugin):
    name = "hangs"

    @on(v16.AuthorizeRequest)
    def authorize(self, charge_point, request):
        print("hangs", flush=True)
        return Deferred()

hangs = Hangs()
"""
START = {
    "connectorId": 1,
    "idTag": "RED",
    "meterStart": 0,
    "timestamp": "2026-01-02T12:00:00Z",
}
NODE = ROOT / "build" / "nats-node"


class WorkerProcess(Program):
    """``twistd -n ocpp-worker``; `lines` are those of its log."""

    def __init__(self, directory: Path, *arguments: str, twistd: tuple[str, ...] = ()) -> None:
        program = str(Path(sys.executable).with_name("twistd"))
        super().__init__(
            reactor,
            [program, "-n", "--pidfile=", *twistd, "ocpp-worker", *arguments],
            directory,
            {"XDG_DATA_HOME": str(directory.absolute() / "share"), "PYTHONPATH": str(ROOT)},
        )


class NodeProcess(Program):
    """The listing, on Node; `lines` are those that it prints."""

    def __init__(self, url: str) -> None:
        listing = NODE / "worker.mjs"
        shutil.copyfile(ROOT / "docs" / "listings" / "nats" / "worker.mjs", listing)
        program = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
        super().__init__(reactor, ["-c", program, "node", str(listing), url], NODE)


class Processes(PassiveCase):
    async def process(self, *arguments: str, **more: Any) -> WorkerProcess:
        """A worker that takes messages."""
        process = WorkerProcess(self.directory, "--nats", self.server.url, *arguments, **more)
        self.addCleanup(self.end, process)
        await process.lines.when(lambda line: "NATS: connected" in line)
        return process

    def end(self, process: Program) -> Any:
        process.kill()
        return process.ended.addErrback(lambda failure: None)

    async def test_a_worker_that_is_killed_half_way(self) -> None:
        plugins = self.directory / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "hangs.py").write_text(PLUGIN)
        process = await self.process("--action-plugin", "hangs")
        wire = self.connect(await self.gateway(patience=2.0))
        authorize = call("Authorize", {"idTag": "A"})
        wire.says(authorize)
        await process.lines.when(lambda line: line == "hangs" or line.endswith("hangs"))
        process.kill()
        self.assertEqual(
            await self.answer(wire),
            [4, "m1", "InternalError", "no worker has answered: try again later", {}],
        )
        await self.worker(Recorder())
        self.assertEqual((await self.answer(wire, authorize))[:2], [3, "m1"])

    async def test_local_in_a_worker_and_what_it_keeps(self) -> None:
        store = empty_url(self.directory)
        arguments = ("--authorize", "open", "--store", store, "--heartbeat-interval", "77")
        process = await self.process(*arguments)
        wire = self.connect(await self.gateway())
        boot = {"chargePointVendor": "Acme", "chargePointModel": "One"}
        answer = await self.answer(wire, call("BootNotification", boot))
        self.assertEqual((answer[2]["status"], answer[2]["interval"]), ("Accepted", 77))
        first = await self.answer(wire, call("StartTransaction", START, "m2"))
        self.assertEqual(first[0], 3, first)
        process.transport.signalProcess("TERM")
        await process.ended
        await self.process(*arguments)
        again = await self.answer(wire, call("StartTransaction", START, "m3"))
        self.assertEqual(again[2], first[2])  # the same transaction, told to another worker

    async def test_workers_share_a_database(self) -> None:
        if not POSTGRES:
            raise SkipTest("workers share PostgreSQL: OCPP_TEST_POSTGRES names none")
        store = empty_url(self.directory)
        for _ in range(2):
            await self.worker(LocalPlugin(), local={"store": store, "authorize": "open"})
        gateway = await self.gateway()
        wires = [self.connect(gateway, f"CP{number}") for number in range(20)]
        for wire in wires:
            wire.says(call("StartTransaction", START))
        started = [(await self.answer(wire))[2]["transactionId"] for wire in wires]
        self.assertEqual(len(set(started)), 20)
        for wire in wires:
            wire.says(call("StartTransaction", START, "m2"))
        again = [(await self.answer(wire))[2]["transactionId"] for wire in wires]
        self.assertEqual(again, started)

    async def test_the_server_and_a_worker_as_people_start_them(self) -> None:
        await self.process("--action-plugin", "local")
        twistd = str(Path(sys.executable).with_name("twistd"))
        arguments = ["--ws", "tcp:0:interface=127.0.0.1", "--action-plugin", "nats"]
        server = Program(
            reactor,
            [twistd, "-n", "--pidfile=", "--reactor=asyncio", "ocpp", *arguments,
             "--nats", self.server.url],
            self.directory,
            {"XDG_DATA_HOME": str(self.directory.absolute()), "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self.addCleanup(self.end, server)
        line = await server.lines.when(lambda line: "action plug-ins" in line)
        await server.lines.when(lambda line: "NATS: connected" in line)
        (port,) = re.findall(r"ws://127.0.0.1:(\d+)", line)
        answer = await deferToThread(ask, port)
        self.assertEqual(answer[:2], [3, "m1"])

    async def test_another_reactor_is_told_what_to_type(self) -> None:
        twistd = str(Path(sys.executable).with_name("twistd"))
        for command, arguments in (
            ("ocpp", ["--ws", "tcp:0:interface=127.0.0.1", "--action-plugin", "nats"]),
            ("ocpp-worker", []),
        ):
            done = await deferToThread(
                subprocess.run,
                [twistd, "-n", "--pidfile=", "--reactor=epoll", command, *arguments,
                 "--nats", self.server.url, "--data-dir", str(self.directory)],
                capture_output=True, text=True, timeout=25,
            )  # fmt: skip
            sentence = f"NATS needs the asyncio reactor: type twistd --reactor=asyncio -n {command}"
            self.assertIn(sentence, done.stdout + done.stderr)
            self.assertEqual(done.returncode, 1)

    async def test_a_worker_on_node(self) -> None:
        await deferToThread(install_for_node)
        process = NodeProcess(self.server.url)
        self.addCleanup(self.end, process)
        await process.lines.when(lambda line: line == "ready")
        wire = self.connect(await self.gateway())
        self.assertRegex((await self.answer(wire, call("Heartbeat")))[2]["currentTime"], "^20.*Z$")
        for tag, status in (("RED", "Accepted"), ("BLUE", "Invalid")):
            answer = await self.answer(wire, call("Authorize", {"idTag": tag}, tag))
            self.assertEqual(answer, [3, tag, {"idTagInfo": {"status": status}}])
        answer = await self.answer(wire, call("StartTransaction", START, "m3"))
        self.assertEqual(answer, [4, "m3", "NotSupported", "no StartTransaction", {}])
        self.assertIn("CP1 shows RED", process.lines.entries)
        process.transport.signalProcess("TERM")
        await process.ended


def ask(port: str) -> list[Any]:
    """Send a Heartbeat over a WebSocket."""
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{port}/ocpp/CP1", subprotocols=["ocpp1.6"]) as socket:  # type: ignore[list-item]
        socket.send(call("Heartbeat"))
        answer: list[Any] = json.loads(socket.recv(timeout=10))
        return answer


def install_for_node() -> None:
    """What the listing imports, once; the test is skipped if that cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise SkipTest("there is no Node")
    if not (NODE / "node_modules" / "@nats-io" / "transport-node").exists():
        command = ["npm", "install", "--silent", "--prefix", str(NODE), "@nats-io/transport-node@3"]
        NODE.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(command, check=True, timeout=25, capture_output=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise SkipTest(f"npm cannot install @nats-io/transport-node: {error}") from error
