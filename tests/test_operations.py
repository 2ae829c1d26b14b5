"""What an operator's programs see of a server: metrics, health, readiness."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ocpp_twisted.interfaces import IMeasured, IOperations, IReportsHealth, IShowsOperations
from ocpp_twisted.measuring import Counted
from ocpp_twisted.operations import Operations, certificate_days
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.service import Server, Settings
from tests.support import close_frame, frame, until, upgraded
from tests.test_metrics import samples


@implementer(IMeasured, IReportsHealth)
class Store(ActionPlugin):
    name = "store"
    wrong = ""

    def measures(self) -> list[Counted]:
        return [Counted.one("ocpp_store_rows", "Rows.", 7)]

    def trouble(self) -> str:
        return self.wrong


@implementer(IShowsOperations)
class Listener(ActionPlugin):
    name = "listener"
    shown: IOperations
    begun = False

    def operations(self, operations: IOperations) -> None:
        assert not self.begun
        self.shown = operations

    def start(self, caller: Any, config: Any) -> None:
        self.begun = True


class OperationsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.obstacle, self.store = "", Store()
        self.operations = Operations(lambda: self.obstacle, [ActionPlugin(), self.store], [])

    def get(self, path: str) -> tuple[int, Any]:
        answer = self.operations.answer(path)
        assert answer is not None
        code, kind, body = answer
        self.assertEqual(kind, "application/json")
        return code, json.loads(body)

    def test_it_is_what_listeners_expect(self) -> None:
        verifyObject(IOperations, self.operations)

    def test_all_is_well(self) -> None:
        self.assertEqual(self.get("/healthz"), (200, {"healthy": True, "trouble": {}}))
        self.assertEqual(self.get("/readyz"), (200, {"ready": True, "trouble": {}}))

    def test_a_plugin_in_trouble(self) -> None:
        self.store.wrong = "the disk is full"
        expected = {"ready": False, "trouble": {"store": "the disk is full"}}
        self.assertEqual(self.get("/readyz"), (503, expected))
        expected = {"healthy": False, "trouble": {"store": "the disk is full"}}
        self.assertEqual(self.get("/healthz"), (503, expected))
        self.store.wrong = ""
        self.assertEqual(self.get("/healthz")[0], 200)
        self.assertEqual(self.get("/readyz")[0], 200)

    def test_a_server_that_lets_nobody_in(self) -> None:
        self.obstacle = "it stops"
        expected = {"ready": False, "trouble": {"server": "it stops"}}
        self.assertEqual(self.get("/readyz"), (503, expected))
        self.assertEqual(self.get("/healthz")[0], 200)

    def test_a_plugin_that_cannot_even_say_so(self) -> None:
        def fails() -> str:
            raise ValueError

        self.patch(self.store, "trouble", fails)
        expected = {"store": "it cannot say how it is: ValueError"}
        self.assertEqual(self.get("/readyz")[1]["trouble"], expected)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_metrics(self) -> None:
        self.store.wrong = "the disk is full"
        answer = self.operations.answer("/metrics")
        assert answer is not None
        code, kind, body = answer
        self.assertEqual((code, kind.partition(";")[0]), (200, "text/plain"))
        found = samples(body)
        self.assertEqual(found["ocpp_store_rows"], 7)
        self.assertEqual(found["ocpp_well part=store"], 0)
        self.assertEqual(found["ocpp_well part=server"], 1)

    def test_other_paths(self) -> None:
        for path in ("/", "/metrics/", "/healthz/x", ""):
            self.assertIsNone(self.operations.answer(path))

    def test_a_certificate(self) -> None:
        clock = Clock()
        clock.advance(86400 * 10)
        ends = datetime(1970, 1, 13, tzinfo=UTC)
        days, due = certificate_days(
            {Path("cert.pem"): ends},
            {Path("ca.crl"): datetime(1970, 1, 10, tzinfo=UTC)},
            clock.seconds,
        )
        self.assertEqual(days.values, {("cert.pem",): 2.0})
        self.assertEqual(due.values, {("ca.crl",): -1.0})


class ServerTests(TestCase):
    def test_without_anybody_who_shows_it_nothing_is_measured(self) -> None:
        self.assertIsNone(Server(Settings(), Clock()).operations)
        self.assertIsNotNone(Server(Settings(measured=True), Clock()).operations)

    async def test_sockets(self) -> None:
        listener = Listener()
        settings = Settings(
            ws=["tcp:0:interface=127.0.0.1"],
            wss=["tcp:0:interface=127.0.0.1"],
            data_directory=Path(self.mktemp()),
            action_plugins=[listener],
        )
        server = Server(settings, reactor)
        answer = listener.shown.answer

        def found() -> dict[str, float]:
            return samples(answer("/metrics")[2])

        self.assertEqual(answer("/readyz")[0], 503)
        await server.startService()
        self.addCleanup(server.stopService)
        self.assertEqual(answer("/readyz")[0], 200)
        ws, wss = (address.port for address in server.addresses)
        plain = await upgraded(reactor, ws, subprotocols="ocpp2.0.1")
        secure = await upgraded(reactor, wss, tls=True)
        with self.assertRaises(AssertionError):
            await upgraded(reactor, ws, target="/a/b/c/d")
        now = found()
        (days,) = [now[name] for name in now if name.startswith("ocpp_certificate_days")]
        ws_open = "ocpp_connections version=2.0.1 profile=0 transport=ws"
        wss_open = "ocpp_connections version=1.6 profile=0 transport=wss"
        self.assertEqual((now[ws_open], now[wss_open]), (1, 1))
        self.assertEqual(now["ocpp_handshakes_refused_total code=404"], 1)
        self.assertEqual(round(days), 365)
        plain.transport.write(frame(b"x" * (settings.websocket.max_message_size + 1)))
        await until(plain.hears, reactor)
        plain.transport.write(close_frame(1009))
        secure.transport.write(close_frame(1000))
        for client in (plain, secure):
            await client.over
        await until(lambda: not found()[wss_open], reactor)
        now = found()
        self.assertEqual(now[ws_open], 0)
        self.assertEqual(now[ws_open.replace("connections", "connections_opened_total")], 1)
        self.assertEqual(now["ocpp_websockets_failed_total code=1009"], 1)
