"""How the server is, over HTTP: metrics, health, readiness."""

from __future__ import annotations

from twisted.internet import error, reactor
from zope.interface import implementer

from ocpp_twisted.interfaces import IReportsHealth
from ocpp_twisted.plugin import ActionPlugin
from tests.plugins.http.case import HTTPTestCase
from tests.support import HEARTBEAT, connect, until


@implementer(IReportsHealth)
class Records(ActionPlugin):
    name = "records"
    wrong = ""

    def trouble(self) -> str:
        return self.wrong


class ShownTests(HTTPTestCase):
    async def test_metrics(self) -> None:
        await self.start()
        self.online().says(HEARTBEAT)
        response = await self.ask("GET", "/metrics")
        self.assertEqual(response.status, 200)
        self.assertIn("text/plain", str(response["content-type"]))
        self.assertIn(b'action="Heartbeat"', response.body)

    async def test_health(self) -> None:
        records = Records()
        await self.start([records])
        for path in ("/healthz", "/readyz"):
            records.wrong = ""
            self.assertEqual((await self.ask("GET", path)).status, 200)
            records.wrong = "the disk is full"
            response = await self.ask("GET", path)
            self.assertEqual(response.status, 503)
            self.assertEqual(response.json["trouble"], {"records": "the disk is full"})
            self.assertEqual((await self.ask("HEAD", path)).body, b"")

    async def test_health_needs_no_token_and_metrics_do(self) -> None:
        await self.start(token="0123456789abcdef")
        self.assertEqual((await self.ask("GET", "/healthz")).status, 200)
        self.assertEqual((await self.ask("GET", "/metrics")).problem, (401, "unauthorized"))

    async def test_health_is_only_looked_at(self) -> None:
        await self.start()
        self.assertEqual((await self.ask("POST", "/healthz")).problem[0], 404)


class StopTests(HTTPTestCase):
    """The server stops while a charge point still has to answer a call."""

    async def stops(self, grace: float = 10):
        await self.start(grace=grace)
        self.wire = self.online()
        self.called = self.call("Reset", {"type": "Soft"})
        self.message_id = await self.hears_call(self.wire)
        return self.server.stopService()

    async def test_what_is_told_meanwhile(self) -> None:
        stopped = await self.stops()
        ready = await self.ask("GET", "/readyz")
        self.assertEqual(ready.status, 503)
        self.assertEqual(ready.json["trouble"], {"server": "it is stopping"})
        self.assertEqual((await self.ask("GET", "/healthz")).status, 200)
        self.assertEqual((await self.ask("GET", "/metrics")).status, 200)
        for refused in (await self.call("Reset"), await self.get("/charge-points")):
            self.assertEqual(refused.problem, (503, "stopping"))
            self.assertIn("this server stops", refused.json["detail"])
        self.assertNoResult(stopped)
        self.wire.says(f'[3,"{self.message_id}",{{"status":"Accepted"}}]')
        called = await self.called
        self.assertEqual((called.status, called.json["payload"]), (200, {"status": "Accepted"}))
        self.assertEqual(self.wire.transport.closed[0], 1001)
        self.assertEqual((await self.ask("GET", "/healthz")).status, 200)
        self.wire.connection.lost("it has closed")
        await stopped
        await self.assertFailure(connect(reactor, self.port), error.ConnectionRefusedError)

    async def test_a_call_that_is_not_answered_ends_with_its_connection(self) -> None:
        stopped = await self.stops(grace=0.1)
        await until(lambda: self.wire.transport.closed, reactor)
        self.wire.connection.lost("it has closed")
        self.assertEqual((await self.called).problem, (502, "connection-lost"))
        await stopped

    async def test_event_streams_end_when_it_begins(self) -> None:
        await self.start(grace=10)
        wire = self.online()
        listener = await connect(reactor, self.port)
        listener.transport.write(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: b"retry:" in listener.received, reactor)
        stopped = self.server.stopService()
        await until(lambda: listener.received.endswith(b"\r\n0\r\n\r\n"), reactor)
        self.assertNoResult(stopped)
        wire.connection.lost("it has closed")
        await stopped
        await listener.over

    async def test_who_keeps_a_connection_open_does_not_hold_it(self) -> None:
        await self.start(grace=0.1)
        idle, slow = await connect(reactor, self.port), await connect(reactor, self.port)
        slow.transport.write(b"POST /api/v1/charge-points/CP1/calls HTTP/1.1\r\nContent-Le")
        await until(lambda: len(self.http._site.channels) == 2, reactor)
        await self.server.stopService()
        self.assertEqual(self.http._site.channels, set())
        await idle.over
        await slow.over
