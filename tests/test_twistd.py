"""``twistd ocpp`` as a process of its own: what it says, whom it serves, and how it ends."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.trial.unittest import TestCase

from ocpp_twisted import service
from tests.certificates import Authority
from tests.support import HEARTBEAT, close_frame, environment, frame, until, upgraded

PLUGIN = """
import gc
from datetime import UTC, datetime
from twisted.logger import Logger
from ocpp_twisted import v16
from ocpp_twisted.plugin import ActionPlugin, on

class Noon(ActionPlugin):
    name = "noon"

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point, request):
        return v16.HeartbeatResponse(currentTime=datetime(2026, 1, 2, 12, tzinfo=UTC))

    def stop(self):
        Logger().info("the collector leaves alone: {count}", count=gc.get_freeze_count())

noon = Noon()
"""
NOON = '[3,"h1",{"currentTime":"2026-01-02T12:00:00Z"}]'


class Process(ProcessProtocol):
    """What a child process says, and the exit code that it ends with (negative: a signal)."""

    def __init__(self) -> None:
        self.said = ""
        self.over: Deferred[int] = Deferred()
        self.exit_code: int | None = None

    def childDataReceived(self, fd: int, data: bytes) -> None:
        self.said += data.decode()

    def processEnded(self, reason) -> None:
        value = reason.value
        self.exit_code = 0
        if isinstance(value, ProcessTerminated):
            self.exit_code = value.exitCode if value.signal is None else -value.signal
        self.over.callback(self.exit_code)


class Asks(Protocol):
    """Asks a port for the charge points over HTTP."""

    def connectionMade(self) -> None:
        self.received = b""
        self.answer: Deferred[bytes] = Deferred()
        self.transport.write(
            b"GET /api/v1/charge-points HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason) -> None:
        self.answer.callback(self.received)


class TwistdTestCase(TestCase):
    timeout = 40
    reactor_name: str | None = None

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        plugins = self.directory / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "noon.py").write_text(PLUGIN)

    def twistd(
        self,
        *arguments: str,
        held: socket.socket | None = None,
        user: pwd.struct_passwd | None = None,
        **variables: str,
    ) -> Process:
        """Start ``twistd -n ocpp`` in an empty directory but for a ``twisted/plugins`` folder.

        :param user: who it is to be once it has bound its sockets.
        :param held: a listening socket to hand over as systemd does (sd_listen_fds(3)).
        """
        program = Path(sys.executable).with_name("twistd")
        command = [sys.executable, str(program), "-n"]
        if self.reactor_name is not None:
            command.append(f"--reactor={self.reactor_name}")
        if user is not None:
            command += [f"--uid={user.pw_uid}", f"--gid={user.pw_gid}"]
        command += ["ocpp", *arguments]
        descriptors = {0: "w", 1: "r", 2: "r"}
        if held is not None:
            descriptors[3] = held.fileno()
            shell = 'LISTEN_FDS=1 LISTEN_FDNAMES=a LISTEN_PID=$$ exec "$@"'
            command = ["/bin/sh", "-c", shell, "sh", *command]
        package = str(Path(service.__file__).parent.parent)
        process = Process()
        handle = reactor.spawnProcess(
            process,
            command[0],
            command,
            env=environment(HOME=str(self.directory / "home"), PYTHONPATH=package, **variables),
            path=str(self.directory),
            childFDs=descriptors,
        )

        def kill() -> Deferred[int] | None:
            if process.exit_code is not None:
                return None
            handle.signalProcess("KILL")
            return process.over

        self.addCleanup(kill)
        return process

    async def serving(self, *arguments: str, **more: Any) -> tuple[Process, list[int]]:
        """A process that has started to listen, and its ports."""
        process = self.twistd("--action-plugin", "noon", "--data-dir", "data", *arguments, **more)
        line = r"\] (OCPP 1\.6, .*)\n"
        await until(lambda: re.search(line, process.said), reactor, 20)
        (start,) = re.findall(line, process.said)
        return process, [int(port) for port in re.findall(r"wss?://[^ ]*:(\d+)", start)]


class ServeTests(TwistdTestCase):
    async def test_it_serves_and_ends_cleanly(self) -> None:
        for name in ("TERM", "INT"):
            process, (ws, wss) = await self.serving("--ws", "0", "--wss", "0")
            plain = await upgraded(reactor, ws)
            secure = await upgraded(reactor, wss, tls=True, target="/ocpp/acme/CP1")
            for client in (plain, secure):
                client.transport.write(frame(HEARTBEAT))
                await until(client.hears, reactor)
            process.transport.signalProcess(name)
            for client in (plain, secure):
                await until(lambda client=client: len(client.hears()) == 2, reactor)
                self.assertEqual(client.hears(), [NOON, 1001])
                client.transport.write(close_frame(1001))
                await client.over
            self.assertEqual(await process.over, 0, process.said)
            self.assertNotIn("Traceback", process.said)
            self.assertIn("action plug-ins: noon; active plug-ins: none", process.said)
            self.assertRegex(process.said, r"the collector leaves alone: [1-9]\d{4}")
            self.assertEqual(process.said.count("FOR DEVELOPMENT ONLY"), 1)
            left = sorted(path.name for path in self.directory.iterdir())
            self.assertEqual(left, ["data", "twisted"])

    async def test_a_hangup_reads_certificates_again(self) -> None:
        ca = Authority()
        pair = ca.issue("csms").write(self.directory / "csms.pem")
        files = (f"--tls-cert={pair[0]}", f"--tls-key={pair[1]}")
        process, (wss,) = await self.serving("--wss", "0", *files)
        up = await upgraded(reactor, wss, tls=True)
        ca.issue("csms").write(*pair)
        process.transport.signalProcess("HUP")
        await until(lambda: "TLS uses its files as they are now" in process.said, reactor)
        up.transport.write(frame(HEARTBEAT))
        await until(up.hears, reactor)
        process.transport.signalProcess("TERM")
        await until(lambda: 1001 in up.hears(), reactor)
        up.transport.write(close_frame(1001))
        self.assertEqual(await process.over, 0, process.said)

    async def test_http_stays_on_this_machine(self) -> None:
        process, (ws,) = await self.serving("--ws", "0", "--http", "0")
        (port,) = re.findall(r"HTTP on http://127\.0\.0\.1:(\d+)\n", process.said)
        for asked, status in ((ws, b"426"), (int(port), b"200")):
            client = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", asked), Asks())
            self.assertEqual((await client.answer)[9:12], status)
        process.transport.signalProcess("TERM")
        self.assertEqual(await process.over, 0, process.said)
        self.assertNotIn("Traceback", process.said)
        self.assertIn("active plug-ins: http", process.said)

    async def test_a_handshake_that_is_refused_has_a_line_in_the_log(self) -> None:
        process, (ws,) = await self.serving("--ws", "0")
        with self.assertRaises(AssertionError):
            await upgraded(reactor, ws, target="/a/b/c/d")
        await until(lambda: "handshake refused: " in process.said, reactor)
        self.assertIn("'/a/b/c/d': 404 no charge point has this URL", process.said)
        process.transport.signalProcess("TERM")
        self.assertEqual(await process.over, 0)


class LogTests(TwistdTestCase):
    async def test_json_into_a_file_with_the_messages(self) -> None:
        (self.directory / "ocpp.toml").write_text(
            'ws = 0\naction-plugin = "noon"\ndata-dir = "data"\n'
            'log-level = "ocpp_twisted.frames=debug"\nlog-format = "json"\nlog-file = "log"\n'
        )
        process = self.twistd("--config", "ocpp.toml")
        log = self.directory / "log"

        def port() -> re.Match[str] | None:
            return log.exists() and re.search(r"ws://0\.0\.0\.0:(\d+)", log.read_text())

        client = await upgraded(reactor, int((await until(port, reactor, 20))[1]))
        client.transport.write(frame(HEARTBEAT))
        await until(client.hears, reactor)
        process.transport.signalProcess("TERM")
        await until(lambda: len(client.hears()) == 2, reactor)
        client.transport.write(close_frame(1001))
        self.assertEqual(await process.over, 0)
        self.assertEqual(process.said, "")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        frames = [line["frame"] for line in lines if line["namespace"] == "ocpp_twisted.frames"]
        self.assertEqual(frames, [HEARTBEAT, NOON])
        said = [line["message"] for line in lines if line.get("charge_point") == "CP1"]
        self.assertEqual(len([text for text in said if "charge point online" in text]), 1)
        self.assertEqual(len([text for text in said if "connection ended" in text]), 1)

    async def test_a_log_that_cannot_be_written(self) -> None:
        process = self.twistd("--ws=0", "--log-file=none-such/log")
        self.assertEqual(await process.over, 1)
        self.assertIn("ocpp: cannot log into none-such/log: there is no directory ", process.said)


class SocketActivationTests(TwistdTestCase):
    async def test_a_port_that_systemd_holds(self) -> None:
        held = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.addCleanup(held.close)
        ws = "systemd:domain=INET6:index=0"
        process = self.twistd("--action-plugin=noon", f"--ws={ws}", held=held)
        await until(lambda: " on ws://" in process.said, reactor, 20)
        client = await upgraded(reactor, held.getsockname()[1])
        client.transport.write(frame(HEARTBEAT))
        await until(client.hears, reactor)
        self.assertEqual(client.hears(), [NOON])

    async def test_a_port_that_nobody_holds(self) -> None:
        process = self.twistd("--action-plugin=noon", "--ws=systemd:domain=INET:index=0")
        self.assertEqual(await process.over, 1)
        self.assertIn("systemd has not handed over such a socket", process.said)
        self.assertNotIn("Traceback", process.said)


class PrivilegesTests(TwistdTestCase):
    if os.geteuid() != 0:
        skip = "only root has privileges to give up"

    async def test_they_are_given_up_when_the_sockets_are_bound(self) -> None:
        """A socket in a directory where the user that it becomes may make none."""
        nobody = pwd.getpwnam("nobody")
        (self.directory / "roots").mkdir(mode=0o755)
        ours = "unix:roots/socket"
        process, (port,) = await self.serving("--ws", "0", "--ws", ours, user=nobody)
        client = await upgraded(reactor, port)
        client.transport.write(frame(HEARTBEAT))
        await until(client.hears, reactor)
        self.assertEqual(client.hears(), [NOON])
        self.assertTrue((self.directory / "roots" / "socket").is_socket())
        status = Path(f"/proc/{process.transport.pid}/status").read_text()
        told = {
            name: ids.split() for name, _, ids in (x.partition(":") for x in status.splitlines())
        }
        self.assertEqual(told["Uid"], [str(nobody.pw_uid)] * 4)
        self.assertEqual(told["Gid"], [str(nobody.pw_gid)] * 4)
        self.assertEqual(told["Groups"], [str(nobody.pw_gid)])


class NotifyTests(TwistdTestCase):
    async def test_systemd_hears_when_it_serves_and_when_it_stops(self) -> None:
        name = f"ocpp-twistd-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(f"\0{name}")
            systemd.settimeout(10)
            process, _ = await self.serving("--ws", "0", NOTIFY_SOCKET=f"@{name}")
            self.assertEqual(systemd.recv(1000), b"READY=1")
            process.transport.signalProcess("TERM")
            self.assertEqual(await process.over, 0, process.said)
            self.assertEqual(systemd.recv(1000), b"STOPPING=1")


class AsyncioServeTests(ServeTests):
    reactor_name = "asyncio"


class UvloopServeTests(ServeTests):
    reactor_name = "uvloop"


class FailureTests(TwistdTestCase):
    async def fails(self, *arguments: str) -> str:
        process = self.twistd("--data-dir", "data", "--action-plugin", "noon", *arguments)
        self.assertEqual(await process.over, 1, process.said)
        self.assertNotIn("Traceback", process.said)
        self.assertFalse((self.directory / "twistd.pid").exists())
        return process.said

    async def test_a_port_in_use(self) -> None:
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        self.assertIn(f"cannot listen for ws on {endpoint}", await self.fails("--ws", endpoint))

    async def test_a_broken_certificate(self) -> None:
        (self.directory / "broken.pem").write_text("broken")
        said = await self.fails("--wss", "0", "--tls-cert", "broken.pem", "--tls-key", "broken.pem")
        self.assertIn("broken.pem holds no certificate in PEM form", said)

    async def test_a_plugin_that_cannot_start(self) -> None:
        plugin = self.directory / "twisted" / "plugins" / "noon.py"
        start = "\n    def start(self, caller, config): raise ValueError('no database')\n"
        plugin.write_text(PLUGIN.replace('name = "noon"\n', 'name = "noon"\n' + start))
        self.assertIn(
            "plug-in 'noon' cannot start: ValueError: no database", await self.fails("--ws", "0")
        )

    async def test_nothing_to_listen_on(self) -> None:
        self.assertIn("there is nothing to listen on", await self.fails())


class AsyncioFailureTests(FailureTests):
    reactor_name = "asyncio"


class ListTests(TwistdTestCase):
    async def test_the_plugins_of_the_current_directory_are_listed(self) -> None:
        process = self.twistd("--list-plugins")
        self.assertEqual(await process.over, 0)
        rows = [line.split() for line in process.said.splitlines()]
        self.assertIn(["noon", "action", "twisted.plugins.noon"], rows)
        self.assertIn(["local", "action", "twisted.plugins.ocpp_twisted_plugins"], rows)

    async def test_without_such_a_folder_too(self) -> None:
        shutil.rmtree(self.directory / "twisted")
        process = self.twistd("--list-plugins")
        self.assertEqual(await process.over, 0)
        self.assertNotIn("noon", process.said)
