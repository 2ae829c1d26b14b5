"""What workers publish, and a stream that keeps it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet import reactor

from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.nats.protocol import Message
from tests.nats.passive import PassiveCase, call
from tests.support import until

STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
START = {"connectorId": 1, "idTag": "RED", "meterStart": 5, "timestamp": "2026-01-02T03:04:05Z"}
STREAM = {"name": "OCPP_EVENTS", "subjects": ["ocpp.event.>"]}


class EventsTests(PassiveCase):
    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.server = await self.serve("-js", "-sd", str(self.directory.absolute() / "js"))

    async def test_status_and_transactions_are_published_and_kept_where_somebody_wants_that(self):
        link = await self.link()
        heard: list[Message] = []
        link.subscribe("ocpp.event.>", heard.append)
        created = await self.ask(link, "CREATE", STREAM)
        self.assertNotIn("error", created)
        local = {"store": f"sqlite:///{self.directory.absolute()}/ocpp.db", "authorize": "open"}
        await self.worker(LocalPlugin(), local=local)
        wire = self.connect(await self.gateway())
        await self.answer(wire, call("StatusNotification", STATUS))
        await self.answer(wire, call("StartTransaction", START, "m2"))
        await until(lambda: len(heard) == 2, reactor)
        self.assertEqual(
            [message.subject for message in heard],
            ["ocpp.event.status.=.CP1", "ocpp.event.transaction.=.CP1"],
        )
        status, transaction = (json.loads(message.data) for message in heard)
        self.assertIn("Charging", json.dumps(status))
        self.assertEqual((status["chargePoint"], transaction["chargePoint"]), ("CP1", "CP1"))
        kept = await self.ask(link, "INFO")
        while kept["state"]["messages"] < 2:
            kept = await self.ask(link, "INFO")

    @staticmethod
    async def ask(link: Any, what: str, payload: Any = None) -> Any:
        body = json.dumps(payload).encode() if payload else b""
        answer = await link.request(f"$JS.API.STREAM.{what}.OCPP_EVENTS", body, timeout=5)
        return json.loads(answer.data)
