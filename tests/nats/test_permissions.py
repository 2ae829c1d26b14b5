"""The permissions that docs/distributed.md shows: enough for all, and no more than enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet import reactor

from ocpp_twisted import v16
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.nats.caller import NatsCaller
from ocpp_twisted.plugins.nats.passive import NatsPlugin
from ocpp_twisted.plugins.nats.subjects import Subjects
from ocpp_twisted.worker_service import WorkerService, WorkerSettings
from tests.nats.gateways import ActiveCase
from tests.support import until

LISTING = Path(__file__).parents[2] / "docs" / "listings" / "nats" / "permissions.conf"
WORDS = ("gateway", "worker", "commander")


class Business(ActionPlugin):
    name = "business"

    @on(v16.AuthorizeRequest)
    def authorize(self, charge_point, request):
        return v16.AuthorizeResponse(
            idTagInfo=v16.IdTagInfo(status=v16.AuthorizationStatus.Accepted)
        )


class PermissionsTests(ActiveCase):
    async def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        text = LISTING.read_text()
        for word in WORDS:
            text = text.replace(f"${word.upper()}_PASSWORD", word)
        file = self.directory / "nats.conf"
        file.write_text(text)
        self.server = self.new_server("-sd", str(self.directory / "js"), "-c", str(file))
        await self.server.start()

    def url(self, user: str) -> str:
        return self.server.url.replace("://", f"://{user}:{user}@")

    async def test_everybody_may_do_what_is_needed(self):
        as_gateway = self.config(servers=[self.url("gateway")])
        passive = NatsPlugin(reactor)
        gateway = await self.gateway("one", passive, servers=[self.url("gateway")])
        passive.start(gateway.caller, as_gateway)
        self.addCleanup(passive.stop)
        worker = WorkerService(
            WorkerSettings(
                action_plugins=[Business()],
                plugin_config={"nats": self.config(servers=[self.url("worker")], node="two")},
            ),
            reactor,
        )
        self.addCleanup(worker.stopService)
        await worker.startService()
        commander = await self.link(self.url("commander"))
        await until(lambda: worker.link.connected, reactor)
        await worker.link.flush()

        wire = gateway.connect()
        await self.served(gateway)
        wire.says('[2,"a1","Authorize",{"idTag":"RED"}]')
        answer = await self.call_heard(wire)
        self.assertEqual(answer, [3, "a1", {"idTagInfo": {"status": "Accepted"}}])

        called = NatsCaller(commander, Subjects()).call("CP1", v16.ClearCacheRequest())
        _, message_id, _, _ = await self.call_heard(wire)
        wire.says(json.dumps([3, message_id, {"status": "Accepted"}]))
        self.assertEqual((await called).status, "Accepted")

        nodes: list[Any] = []
        while len(nodes) < 2:
            nodes = [node.node for node in await gateway.plugin.nodes()]
        self.assertEqual([one.identity.id for one in await gateway.caller.connected()], ["CP1"])
        for link in (worker.link, commander, gateway.plugin._link, passive._link):
            await link.flush()
            self.assertEqual(link.trouble(), "")

    async def test_a_commander_may_not_answer_charge_points(self):
        commander = await self.link(self.url("commander"))
        commander.subscribe("ocpp.action.>", print)
        await until(commander.trouble, reactor)
        self.assertIn("does not allow", commander.trouble())
