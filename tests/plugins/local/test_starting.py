"""A server that starts while its database cannot be reached, and goes on when it can."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path

from sqlalchemy import make_url
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.logger import capturedLogs
from twisted.protocols.portforward import ProxyFactory
from twisted.trial.unittest import SkipTest, TestCase

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import ConfigurationError, RecordsUnavailable
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.local import plugin as local_plugin
from ocpp_twisted.plugins.local.store import database, writer
from ocpp_twisted.plugins.local.store.database import open_database
from tests.plugins.local.databases import POSTGRES, empty_url
from tests.plugins.local.wire import Recorder
from tests.support import until

BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}
_ON_A_FULL_DISK = """
import resource, sys
from twisted.internet import reactor, task
from ocpp_twisted.plugins.local import LocalPlugin

plugin = LocalPlugin()
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))
plugin.start(None, {"store": sys.argv[1]})
print(plugin.healthy)

async def run(reactor):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    while not plugin.healthy:
        await task.deferLater(reactor, 0.05)
    print(plugin.healthy)
    print((await plugin.put_charge_point("CP1")).admission)
    await plugin.stop()

task.react(lambda reactor: run(reactor))
"""


class StartingCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.patch(database, "_BUSY", 0.05)
        self.patch(writer, "_PAUSE", 0.05)

    async def start(self, url: str) -> None:
        """Start, and see that charge points are to try again."""
        self.plugin = LocalPlugin()
        self.central_system = CentralSystem([self.plugin], reactor)
        with capturedLogs() as logged:
            self.plugin.start(self.central_system, {"store": url})
        self.addCleanup(self.plugin.stop)
        (error,) = [each for each in logged if each["log_level"].name == "error"]
        self.assertIn("cannot be opened", error["trouble"])
        self.assertNotIn("secret", error["trouble"])
        self.assertFalse(self.plugin.healthy)
        self.assertIn("cannot be reached", self.plugin.trouble())
        self.failureResultOf(self.plugin.list_transactions(), RecordsUnavailable)
        transport = Recorder()
        identity = Identity("CP1")
        self.connection = self.central_system.connection_made(identity, "ocpp1.6", transport)
        self.addCleanup(lambda: self.connection.lost("the test ends"))
        self.sent = transport.sent
        self.assertIn("InternalError", await self.says("BootNotification", BOOT))
        self.assertIn("currentTime", await self.says("Heartbeat", {}))

    async def says(self, action: str, payload: dict[str, str]) -> str:
        before = len(self.sent)
        self.connection.receive(json.dumps([2, f"m{before}", action, payload]).encode())
        await until(lambda: len(self.sent) > before, reactor)
        return self.sent[before]

    async def goes_on(self) -> None:
        await until(lambda: self.plugin.healthy, reactor)
        self.assertEqual("", self.plugin.trouble())
        self.assertIn("Accepted", await self.says("BootNotification", BOOT))
        known = await self.plugin.get_charge_point("CP1")
        self.assertEqual("v", known.vendorName)


class SQLiteTests(StartingCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = Path(self.mktemp()).absolute() / "records.db"
        self.file.parent.mkdir()
        self.url = f"sqlite:///{self.file}"

    async def test_a_store_that_another_process_holds(self) -> None:
        open_database(self.url).dispose()
        other = sqlite3.connect(self.file, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        await self.start(self.url)
        other.execute("ROLLBACK")
        await self.goes_on()

    async def test_a_full_disk(self) -> None:
        """A process that may not let its files grow gets what a full disk brings."""
        open_database(self.url).dispose()
        command = [sys.executable, "-c", _ON_A_FULL_DISK, self.url]
        out, error, _ = await getProcessOutputAndValue(
            command[0], command[1:], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        )
        self.assertEqual("False\nTrue\nAccepted\n", out.decode(), error.decode())

    def test_a_new_store_has_to_be_usable(self) -> None:
        (self.file.parent / "records.db-shm").mkdir()
        error = self.assertRaises(
            ConfigurationError, LocalPlugin().start, None, {"store": self.url}
        )
        self.assertIn("cannot be opened", str(error))


class FailingTests(TestCase):
    timeout = 20

    async def test_what_has_failed_is_tried_again(self) -> None:
        times = []

        class Failing(LocalPlugin):
            def heed_rejected(self) -> None:
                times.append(1)
                raise OSError("the disk is full")

        self.patch(local_plugin, "_REJECTED_EVERY", 0.01)
        plugin = Failing()
        plugin.start(None, {"store": empty_url(Path(self.mktemp()))})
        self.addCleanup(lambda: plugin.stop())
        await until(lambda: len(times) > 2, reactor)
        self.assertGreater(len(self.flushLoggedErrors(OSError)), 1)


class PostgreSQLTests(StartingCase):
    async def test_nobody_is_there(self) -> None:
        await self.start("postgresql://ocpp:secret@127.0.0.1:1/ocpp")

    async def test_it_comes(self) -> None:
        if not POSTGRES:
            raise SkipTest("PostgreSQL only")
        server = make_url(empty_url(Path()))
        before = reactor.listenTCP(0, ProxyFactory(server.host, server.port or 5432))
        port = before.getHost().port
        await before.stopListening()
        url = server.set(host="127.0.0.1", port=port, password="secret")
        await self.start(url.render_as_string(hide_password=False))
        forwarding = reactor.listenTCP(port, ProxyFactory(server.host, server.port or 5432))
        self.addCleanup(self._gone, forwarding)
        await self.goes_on()

    async def _gone(self, forwarding) -> None:
        await forwarding.stopListening()
        turn: Deferred[None] = Deferred()
        reactor.callLater(0, turn.callback, None)
        await turn
