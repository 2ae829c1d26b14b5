"""The stress tool against real servers: in this process, and as processes of its own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from time import perf_counter
from typing import Any

from cryptography import x509
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from zope.interface import implementer

import ocpp_twisted
from ocpp_twisted.errors import CallFault, ConfigurationError, ErrorCode
from ocpp_twisted.interfaces import IDoorkeeper
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.security.handshake import Refused
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.stress.load import Load
from ocpp_twisted.stress.run import Result, Run
from ocpp_twisted.stress.tally import Tally
from ocpp_twisted.versions import CATALOGUES
from ocpp_twisted.websocket.certificates import TLSFiles
from ocpp_twisted.websocket.server import WebSocketOptions
from tests.certificates import Authority, pem
from tests.stress.support import plan
from tests.support import environment, until

ANYWHERE = "tcp:0:interface=127.0.0.1"
#: Where the package is: tests run somewhere else.
PACKAGE = str(Path(ocpp_twisted.__file__).parent.parent)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Moody(ActionPlugin):
    """Answers everything, in a mood."""

    name = "moody"

    def __init__(self) -> None:
        self.mood = "answer"
        self.asked: list[str] = []
        self.ids: set[str] = set()

    def request_handler(self, version, action):
        response = CATALOGUES[version].actions[action].response

        def handle(charge_point, request):
            self.asked.append(action)
            self.ids.add(charge_point.id)
            if action == "BootNotification":
                return response(currentTime=NOW, interval=60, status="Accepted")
            if self.mood == "refuse":
                raise CallFault(ErrorCode.SECURITY_ERROR)
            if self.mood == "wait":
                return Deferred()
            if self.mood == "hang up":
                charge_point.close(1001, "enough")
                return Deferred()
            return response(currentTime=NOW) if action == "Heartbeat" else response()

        return handle


@implementer(IDoorkeeper)
class Door:
    """Lets in who has sent something."""

    busy = False

    def admit(self, handshake):
        if not handshake.authorization:
            raise Refused(401, "who are you?")


class HangsUp(Protocol):
    def connectionMade(self) -> None:
        self.transport.abortConnection()


class RunTestCase(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.plugin = Moody()

    async def serves(self, scheme: str = "ws", **more: Any) -> str:
        """A server; returns its URL."""
        server = Server(
            Settings(**{scheme: [ANYWHERE]}, action_plugins=[self.plugin], **more), reactor
        )
        self.addCleanup(server.stopService)
        await server.startService()
        (address,) = server.addresses
        return f"{scheme}://127.0.0.1:{address.port}"


class LoadTests(RunTestCase):
    """The load of one process, in this one."""

    async def loads(self, url: str, **more: Any) -> Tally:
        usual = {"connections": 5, "rate": 10.0, "duration": 0.5, "boot": True, "timeout": 10.0}
        usual["run"] = secrets.token_hex(4)  # message ids of a run before would be retries
        load = Load(plan(urls=[url], **{**usual, **more}), reactor, perf_counter)
        load.start()
        await until(lambda: load.tally.settled == load.tally.asked, reactor)
        load.measure()
        await load.finished
        await load.close()
        tally = load.look()
        self.assertEqual(tally.due, tally.answered + tally.failed.total())
        self.assertEqual(tally.open, 0)
        return tally

    async def test_answers_in_every_version(self) -> None:
        url = await self.serves()
        for version in CATALOGUES:
            for kind, action in (("heartbeat", "Heartbeat"), ("mix", "StatusNotification")):
                self.plugin.asked.clear()
                tally = await self.loads(url, version=version, kind=kind, duration=0.2, rate=20.0)
                self.assertTrue(tally.faultless, tally)
                self.assertEqual((tally.opened, tally.due), (5, 20))
                self.assertEqual(self.plugin.asked.count("BootNotification"), 5)
                self.assertIn(action, self.plugin.asked)

    async def test_call_errors(self) -> None:
        url, self.plugin.mood = await self.serves(), "refuse"
        tally = await self.loads(url)
        self.assertEqual(tally.failed, {"CALLERROR SecurityError": 25})
        self.assertEqual(tally.answered, 0)

    async def test_a_server_that_never_answers(self) -> None:
        url, self.plugin.mood = await self.serves(), "wait"
        tally = await self.loads(url, boot=False, timeout=0.5)
        self.assertEqual(tally.answered, 0)
        self.assertTrue(tally.failed["no answer in time"])
        self.assertFalse(tally.lost)

    async def test_a_server_that_hangs_up(self) -> None:
        url, self.plugin.mood = await self.serves(), "hang up"
        tally = await self.loads(url, rate=1.0, duration=4.0)
        (why,) = tally.lost
        self.assertIn("the central system closed with 1001: enough", why)
        self.assertTrue(tally.reopened)
        self.assertTrue(tally.failed["connection lost"])

    async def test_a_socket_that_ends_without_a_word(self) -> None:
        port = reactor.listenTCP(0, Factory.forProtocol(HangsUp), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        tally = await self.loads(f"ws://127.0.0.1:{port.getHost().port}")
        self.assertEqual(tally.refused, {"it hangs up": 5})
        self.assertEqual(tally.failed, {"not connected when due": 25})

    async def test_nobody_is_there(self) -> None:
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        tally = await self.loads(f"ws://127.0.0.1:{number}")
        (why,) = tally.refused
        self.assertIn("refused", why)
        self.assertEqual(tally.opened, 0)

    async def test_passwords(self) -> None:
        url = await self.serves(websocket=WebSocketOptions(doorkeeper=Door()))
        self.assertTrue((await self.loads(url, password="secret")).faultless)
        self.assertEqual((await self.loads(url)).refused, {"it answers 401 Unauthorized": 5})

    async def test_tls(self) -> None:
        authority, folder = Authority(), Path(self.mktemp())
        here = [x509.IPAddress(ip_address("127.0.0.1"))]
        pair = authority.issue("csms", names=here).write(folder / "server.pem")
        cert, key = (str(path) for path in authority.issue("CP").write(folder / "cp.pem"))
        ca = folder / "ca.pem"
        ca.write_bytes(pem(authority.certificate))
        url = await self.serves("wss", tls=TLSFiles(pairs=[pair]))
        for options in ({"ca": str(ca), "cert": cert, "key": key}, {"verify": False}):
            tally = await self.loads(url, **options)
            self.assertTrue(tally.faultless, tally)
        tally = await self.loads(url)
        (why,) = tally.refused
        self.assertIn("TLS broke", why)
        self.assertEqual(tally.opened, 0)

    async def test_the_server_calls(self) -> None:
        url = await self.serves()
        heard = []

        class Asks(Moody):
            def charge_point_online(plugin, charge_point):  # noqa: N805
                request = CATALOGUES["1.6"].actions["Reset"].request(type="Soft")
                charge_point.call(request).addErrback(lambda failure: heard.append(failure.value))

        self.plugin = Asks()
        url = await self.serves()
        tally = await self.loads(url)
        self.assertTrue(tally.faultless, tally)
        self.assertEqual([error.code for error in heard], ["NotSupported"] * 5)
        self.assertEqual(tally.called, 5)


class ProcessTests(RunTestCase):
    """The load as processes of their own, led by this one."""

    def runs(self, *plans: Any) -> Run:
        self.seen: list[tuple[str, Tally]] = []
        return Run(reactor, plans, lambda stage, now, before: self.seen.append((stage, now)))

    async def result(self, run: Run) -> Result:
        return await run.result(environment(PYTHONPATH=PACKAGE))

    async def test_two_processes(self) -> None:
        url = await self.serves()
        options = {"urls": [url], "connections": 7, "rate": 10.0, "duration": 1.0, "boot": True}
        result = await self.result(
            self.runs(*(plan(first=first, step=2, **options) for first in (0, 1)))
        )
        self.assertTrue(result.good, result)
        self.assertTrue(result.complete)
        self.assertEqual((result.processes, result.tally.opened), (2, 7))
        self.assertEqual(result.tally.due, 70)
        self.assertEqual(result.tally.latency.count, 70)
        self.assertEqual(self.plugin.ids, {f"CP{number}" for number in range(7)})
        self.assertTrue(result.tally.memory > result.tally.memory_before > 0)
        self.assertTrue(self.seen)

    async def test_stopped_when_it_is_over(self) -> None:
        run = self.runs(plan(urls=[await self.serves()], duration=0.5))
        done = Deferred.fromCoroutine(self.result(run))
        await until(lambda: run._workers[0].told.finished, reactor, 30)
        run.stop()
        self.assertTrue((await done).complete)

    async def test_nobody_is_there(self) -> None:
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        url = f"ws://127.0.0.1:{port.getHost().port}"
        await port.stopListening()
        result = await self.result(self.runs(plan(urls=[url], connections=3, duration=100.0)))
        self.assertFalse(result.good)
        self.assertFalse(result.complete)
        self.assertEqual((result.tally.opened, result.tally.refused.total()), (0, 3))

    async def test_a_plan_that_cannot_be(self) -> None:
        run = self.runs(plan(ids="/there/is/no/such/file"))
        error = await self.assertFailure(
            Deferred.fromCoroutine(self.result(run)), ConfigurationError
        )
        self.assertIn("/there/is/no/such/file", str(error))
        await until(lambda: all(worker.ended for worker in run._workers), reactor)

    async def test_a_process_is_killed(self) -> None:
        url = await self.serves()
        options = {"urls": [url], "connections": 4, "rate": 50.0, "duration": 2.0}
        run = self.runs(*(plan(first=first, step=2, **options) for first in (0, 1)))
        done = Deferred.fromCoroutine(self.result(run))
        await until(lambda: run.tally.answered, reactor, 30)
        run._workers[0]._process.signalProcess("KILL")
        result = await done
        self.assertFalse(result.good)
        (trouble,) = result.troubles
        self.assertIn("a process of the load has ended too early", trouble)
        self.assertTrue(result.tally.answered >= 200, "the other one goes on to its end")


class Command(ProcessProtocol):
    """The command; `out` and `err` are what it says, `over` fires with its exit code."""

    def __init__(self) -> None:
        self.out = self.err = ""
        self.over: Deferred[int] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.out += data.decode()

    def errReceived(self, data: bytes) -> None:
        self.err += data.decode()

    def processEnded(self, reason) -> None:
        ended = isinstance(reason.value, ProcessTerminated)
        self.over.callback(reason.value.exitCode or -reason.value.signal if ended else 0)


class BeginningTests(SynchronousTestCase):
    def test_all_connections_count_before_their_processes_have_said_a_word(self) -> None:
        plans = [plan(connections=5, first=first, step=2) for first in (0, 1)]
        self.assertEqual(Run(reactor, plans, lambda *_: None).tally.asked, 5)


class CommandTests(RunTestCase):
    """``python -m ocpp_twisted.stress``."""

    def starts(self, *arguments: str) -> Command:
        command = Command()
        self.handle = reactor.spawnProcess(
            command,
            sys.executable,
            [sys.executable, "-m", "ocpp_twisted.stress", *arguments],
            environment(PYTHONPATH=PACKAGE),
        )
        self.addCleanup(lambda: None if command.over.called else self.handle.signalProcess("KILL"))
        return command

    async def test_a_run(self) -> None:
        url, file = await self.serves(), Path(self.mktemp())
        command = self.starts(
            "-u", url, "-c", "4", "-n", "5", "-d", "1s", "--processes", "2", "--json", str(file)
        )  # fmt: skip
        self.assertEqual(await command.over, 0, command.err)
        self.assertIn("4 charge points of OCPP 1.6, heartbeat, 5 a second each, 1.0 s", command.out)
        self.assertIn("20 due, 20 sent, 20 answered", command.out)
        self.assertIn("2 processes", command.out)
        self.assertIn(" of 4 open", command.err)
        told = json.loads(file.read_text())
        self.assertTrue(told["good"])
        self.assertEqual(told["requests"]["answered"], 20)
        self.assertEqual(told["options"]["url"], [url])

    async def test_something_fails(self) -> None:
        url, self.plugin.mood = await self.serves(), "refuse"
        command = self.starts("-u", url, "-c", "1", "-n", "5", "-d", "1s", "--json", "-")
        self.assertEqual(await command.over, 1, command.err)
        told = json.loads(command.out)
        self.assertFalse(told["good"])
        self.assertEqual(told["requests"]["failed"], {"CALLERROR SecurityError": 5})
        self.assertIn("CALLERROR SecurityError", command.err, "the table goes there")

    async def test_it_cannot_begin(self) -> None:
        command = self.starts("-u", "ws://127.0.0.1", "--insecure")
        self.assertEqual(await command.over, 2)
        self.assertEqual(
            command.err,
            "ocpp_twisted.stress: --insecure is for wss:// only, and no --url is that\n",
        )

    async def test_control_c(self) -> None:
        url = await self.serves()
        command = self.starts("-u", url, "-c", "2", "-n", "5", "-d", "1h", "--processes", "2")
        await until(lambda: self.plugin.asked.count("Heartbeat") > 4, reactor, 30)
        for child in children_of(self.handle.pid):  # a terminal tells all of them
            os.kill(child, signal.SIGINT)
            os.kill(child, signal.SIGTERM)
        self.handle.signalProcess("INT")
        self.assertEqual(await command.over, 0, command.err)
        self.assertIn("of 3600 s: ended early", command.out)
        self.assertIn("p99.9", command.out)

    async def test_its_processes_die_with_it(self) -> None:
        url = await self.serves()
        command = self.starts("-u", url, "-c", "2", "-n", "5", "-d", "1h", "--processes", "2")
        await until(lambda: self.plugin.asked.count("Heartbeat") > 4, reactor, 30)
        children = children_of(self.handle.pid)
        self.assertEqual(len(children), 2)
        self.handle.signalProcess("KILL")
        await command.over
        await until(lambda: not any(map(alive, children)), reactor)


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        raise SkipTest("this system does not tell who the children of a process are")
    return [int(child) for child in path.read_text().split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] != b"Z"
