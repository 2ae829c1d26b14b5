"""How the server is, over HTTP: metrics, health, readiness."""

from __future__ import annotations

from zope.interface import implementer

from ocpp_twisted.interfaces import IReportsHealth
from ocpp_twisted.plugin import ActionPlugin
from tests.plugins.http.case import HTTPTestCase
from tests.support import HEARTBEAT


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
