"""Whole servers that share a NATS server: HTTP on any of them is for the charge points of all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.web.client import Agent, FileBodyProducer, readBody
from twisted.web.http_headers import Headers

from ocpp_twisted import v16
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.plugin import ActionPlugin, after, on
from ocpp_twisted.plugins.http import HTTPPlugin
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.nats.active import ActiveNatsPlugin
from ocpp_twisted.plugins.nats.passive import NatsPlugin
from ocpp_twisted.plugins.nats.protocol import Message
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.worker_service import WorkerService, WorkerSettings
from tests.nats.gateways import ActiveCase
from tests.nats.passive import PassiveCase
from tests.plugins.local.databases import empty_url
from tests.support import HEARTBEAT, Wire, connect, frame, online, request, until

BOOT = '[2,"b1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Boots(ActionPlugin):
    """Answers BootNotification, and then asks for a reset."""

    name = "boots"

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.called = False

    @on(v16.BootNotificationRequest)
    def boot(self, charge_point, request):
        return v16.BootNotificationResponse(currentTime=NOW, interval=60, status="Accepted")

    @after(v16.BootNotificationRequest)
    async def booted(self, charge_point, request, response):
        self.called = True
        self.results.append(await charge_point.call(v16.ResetRequest(type="Soft"), timeout=5))


class EarlyTests(PassiveCase):
    async def test_a_worker_calls_before_anybody_can_reach_the_charge_point(self):
        boots = Boots()
        await self.worker(boots)
        wire = self.connect(await self.gateway())
        link = await self.link()
        self.assertEqual((await self.answer(wire, BOOT))[:2], [3, "b1"])
        await until(lambda: boots.called, reactor)
        await link.flush()

        def accept(message: Message) -> None:
            link.publish(message.reply, b'{"status":"Accepted"}', {"Ocpp-Outcome": "CALLRESULT"})

        link.subscribe("ocpp.call.=.CP1", accept)
        await until(lambda: boots.results, reactor)
        self.assertEqual(boots.results, [v16.ResetResponse(status="Accepted")])


class ServersTests(ActiveCase):
    async def start_server(
        self, node: str, *plugins: IActionPlugin, ws: Sequence[str] = (), **more: dict[str, Any]
    ) -> tuple[Server, HTTPPlugin]:
        """A server with HTTP, whose charge points are in memory."""
        http, active = HTTPPlugin(reactor), ActiveNatsPlugin(reactor)
        settings = Settings(
            ws=ws,
            action_plugins=plugins,
            active_plugins=[active, http],
            plugin_config={
                "http": {"listen": "tcp:0:interface=127.0.0.1"},
                "nats": self.config(node=node),
                **more,
            },
            data_directory=Path(self.mktemp()),
            grace=0.1,
        )
        server = Server(settings, reactor)
        self.addCleanup(lambda: server.stopService() if server.running else None)
        await server.startService()
        await self.meanwhile(lambda: not active.trouble())
        return server, http

    def charge_point(self, server: Server) -> Wire:
        wire = online(server.central_system)
        self.addCleanup(wire.connection.lost, "the test ends")
        return wire

    async def ask(self, http: HTTPPlugin, method: str, path: str, body: Any = None) -> Any:
        """The status and the JSON of an answer."""
        url = f"http://127.0.0.1:{http.address.port}/api/v1{path}".encode()
        producer = None if body is None else FileBodyProducer(BytesIO(json.dumps(body).encode()))
        headers = Headers({"content-type": ["application/json"]})
        response = await Agent(reactor).request(method.encode(), url, headers, producer)
        text = await readBody(response)
        return response.code, json.loads(text) if text else None

    def reset(self, http: HTTPPlugin) -> Deferred[Any]:
        body = {"action": "Reset", "payload": {"type": "Soft"}, "timeout": 5}
        return Deferred.fromCoroutine(self.ask(http, "POST", "/charge-points/CP1/calls", body))

    async def test_http_on_any_node(self):
        one, http_of_one = await self.start_server("one")
        _, http_of_two = await self.start_server("two")
        wire = self.charge_point(one)
        await self.served(one)
        for http in (http_of_one, http_of_two):
            answer = self.reset(http)
            _, message_id, *_ = await self.call_heard(wire)
            wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
            self.assertEqual(
                await answer, (200, {"outcome": "CALLRESULT", "payload": {"status": "Accepted"}})
            )
            status, page = await self.ask(http, "GET", "/charge-points?connected=true")
            self.assertEqual((status, [item["id"] for item in page["items"]]), (200, ["CP1"]))
        status, _ = await self.ask(http_of_two, "DELETE", "/charge-points/CP1/connection")
        self.assertEqual(status, 204)
        self.assertEqual(wire.transport.closed, (1000, "closed by the operator"))
        wire.connection.lost("closed")
        await self.meanwhile(lambda: not self.held(one))
        status, problem = await self.reset(http_of_two)
        self.assertEqual((status, problem["type"]), (404, "/problems/unknown-charge-point"))

    async def test_events(self):
        link, heard = await self.link(), []
        link.subscribe("ocpp.event.>", heard.append)
        await link.flush()
        one, _ = await self.start_server("one")
        wire = self.charge_point(one)
        await self.served(one)
        wire.says(HEARTBEAT)  # nobody has asked for messages
        answer = await link.request(
            "ocpp.call.=.CP1", b'{"seconds":60}', {"Ocpp-Ask": "watch"}, timeout=5
        )
        self.assertEqual(answer.headers, {"Ocpp-Outcome": "DONE"})
        wire.connection.lost("gone")
        await self.meanwhile(lambda: len(heard) == 2)
        self.assertEqual({event.subject for event in heard}, {"ocpp.event.connection.=.CP1"})
        self.assertEqual(heard[0].headers["Ocpp-Node"], "one")
        events = [json.loads(event.data) for event in heard]
        self.assertEqual([event["event"] for event in events], ["online", "offline"])
        self.assertEqual(events[1]["reason"], "gone")

    async def test_messages_on_request(self):
        link, heard = await self.link(), []
        link.subscribe("ocpp.event.message.=.CP1", heard.append)
        one, _ = await self.start_server("one", ws=["tcp:0:interface=127.0.0.1"])
        client = await connect(reactor, one.addresses[0].port)
        client.transport.write(request())
        await self.served(one)
        client.transport.write(frame(HEARTBEAT))
        await self.meanwhile(lambda: len(client.hears()) == 1)
        await link.request("ocpp.call.=.CP1", b'{"seconds":60}', {"Ocpp-Ask": "watch"}, timeout=5)
        client.transport.write(frame(HEARTBEAT.replace("h1", "h2")))
        await self.meanwhile(lambda: len(heard) == 2)
        await link.request("ocpp.call.=.CP1", b'{"seconds":0}', {"Ocpp-Ask": "watch"}, timeout=5)
        client.transport.write(frame(HEARTBEAT.replace("h1", "h3")))
        await self.meanwhile(lambda: len(client.hears()) == 3)
        client.transport.loseConnection()
        await self.meanwhile(lambda: not self.held(one))
        frames = [json.loads(event.data)["frame"] for event in heard]
        self.assertEqual([each[:2] for each in frames], [[2, "h2"], [4, "h2"]])

    async def test_the_nodes(self):
        worker = WorkerService(
            WorkerSettings(action_plugins=[], plugin_config={"nats": self.config(node="w")}),
            reactor,
        )
        await worker.startService()
        _, http = await self.start_server("one")
        two, _ = await self.start_server("two")
        names: list[str] = []
        while names != ["one", "two", "w"]:
            status, nodes = await self.ask(http, "GET", "/nodes")
            names = [node["node"] for node in nodes]
            self.assertEqual(status, 200)
        self.assertEqual([node["kind"] for node in nodes], ["gateway", "gateway", "worker"])
        self.assertEqual(nodes[0]["load"], {"chargePoints": 0, "openCommands": 0})
        await two.stopService()
        await worker.stopService()
        _, nodes = await self.ask(http, "GET", "/nodes")
        self.assertEqual([node["node"] for node in nodes], ["one"])

    def held(self, server: Server) -> float:
        active = server.settings.active_plugins[0]
        (measure,) = [one for one in active.measures() if one.name == "ocpp_nats_owned"]
        return next(iter(measure.values.values()))

    async def served(self, server: Server) -> None:
        """Fires when a charge point of a server can be called through NATS."""
        await self.meanwhile(lambda: self.held(server))
        await server.settings.active_plugins[0]._link.flush()

    async def test_a_server_that_stops_lets_its_charge_points_go(self):
        one, _ = await self.start_server("one")
        _, http_of_two = await self.start_server("two")
        wire = self.charge_point(one)
        await self.served(one)
        stopped = one.stopService()
        await self.meanwhile(lambda: wire.transport.closed)
        self.assertEqual(wire.transport.closed, (1001, "the central system stops"))
        wire.connection.lost("closed")
        await stopped
        status, page = await self.ask(http_of_two, "GET", "/charge-points?connected=true")
        self.assertEqual((status, page["items"]), (200, []))

    async def test_a_worker_calls_the_charge_point_that_it_answers(self):
        plugin, boots = NatsPlugin(reactor), Boots()
        worker = WorkerService(
            WorkerSettings(
                action_plugins=[boots], plugin_config={"nats": self.config(node="worker")}
            ),
            reactor,
        )
        await worker.startService()
        self.addCleanup(worker.stopService)
        await self.meanwhile(lambda: worker.link.connected)
        one, _ = await self.start_server("one", plugin)
        await self.meanwhile(lambda: not plugin.trouble())
        wire = self.charge_point(one)
        await self.served(one)
        wire.says(BOOT)
        self.assertEqual((await self.call_heard(wire))[:2], [3, "b1"])
        _, message_id, action, _ = await self.call_heard(wire)
        self.assertEqual(action, "Reset")
        wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
        await self.meanwhile(lambda: boots.results)
        self.assertEqual(boots.results, [v16.ResetResponse(status="Accepted")])

    async def test_a_gateway_has_the_records_of_its_workers(self):
        config = {"store": empty_url(self.directory)}
        worker = WorkerService(
            WorkerSettings(
                action_plugins=[LocalPlugin()],
                plugin_config={"nats": self.config(node="worker"), "local": config},
            ),
            reactor,
        )
        await worker.startService()
        self.addCleanup(worker.stopService)
        plugin = NatsPlugin(reactor)
        one, http = await self.start_server("one", plugin, LocalPlugin(), local=config)
        await self.meanwhile(lambda: worker.link.connected and not plugin.trouble())
        status, _ = await self.ask(http, "PUT", "/id-tags/RED", {"status": "Accepted"})
        self.assertEqual(status, 200)
        wire = self.charge_point(one)
        wire.says('[2,"a1","Authorize",{"idTag":"RED"}]')
        answer = await self.call_heard(wire)
        self.assertEqual(answer, [3, "a1", {"idTagInfo": {"status": "Accepted"}}])
        start = {"connectorId": 1, "idTag": "RED", "meterStart": 0, "timestamp": NOW.isoformat()}
        wire.says(json.dumps([2, "s1", "StartTransaction", start]))
        _, _, started = await self.call_heard(wire)
        status, page = await self.ask(http, "GET", "/transactions")
        found = [item["transactionId"] for item in page["items"]]
        self.assertEqual((status, found), (200, [started["transactionId"]]))
        calls = {name: count for (name,), count in answered(plugin).items() if count}
        self.assertEqual(calls, {"answered": 2})


def answered(plugin: NatsPlugin) -> Mapping[Any, float]:
    (measure,) = [one for one in plugin.measures() if one.name == "ocpp_nats_calls_total"]
    return measure.values
