"""CALLs of charge points, answered by workers over NATS."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ocpp_twisted import v16, v21
from ocpp_twisted.errors import CallErrorReceived, CallFault, ConfigurationError, ErrorCode
from ocpp_twisted.identity import Identity
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import ActionPlugin, after, on, on_data_transfer, on_result
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.nats.protocol import Message
from ocpp_twisted.registration import Status
from tests.interop.journal import Journal
from tests.nats.passive import PassiveCase, call
from tests.support import until

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HEARTBEAT = call("Heartbeat")
HEARTBEAT_ANSWER = [3, "m1", {"currentTime": "2026-01-02T12:00:00Z"}]
BOOT = {"chargePointVendor": "Acme", "chargePointModel": "One"}


class LockRequest(Request["LockResponse"]):
    ACTION = "Lock"
    door: int


class LockResponse(Response):
    locked: bool


LockRequest.RESPONSE = LockResponse


class Custom(ActionPlugin):
    """Tells a gateway of an action of its own."""

    name = "custom"
    custom_actions = {"1.6": [LockRequest]}  # noqa: RUF012


class Recorder(ActionPlugin):
    """Answers, and writes down what it hears."""

    name = "recorder"
    custom_actions = {"1.6": [LockRequest]}  # noqa: RUF012

    def __init__(self) -> None:
        self.heard = Journal(reactor)
        #: What Authorize is answered with.
        self.authorize: Any = v16.AuthorizeResponse(
            idTagInfo=v16.IdTagInfo(status=v16.AuthorizationStatus.Accepted)
        )

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point: Any, request: Any) -> Any:
        self.heard.add(charge_point)
        return v16.HeartbeatResponse(currentTime=NOON)

    @on(v16.BootNotificationRequest)
    async def boot(self, charge_point: Any, request: Any) -> Any:
        return v16.BootNotificationResponse(
            currentTime=NOON, interval=300, status=v16.RegistrationStatus.Accepted
        )

    @after(v16.BootNotificationRequest)
    def booted(self, charge_point: Any, request: Any, response: Any) -> None:
        self.heard.add(("booted", charge_point.id, request.chargePointVendor, response.interval))

    @on(v16.AuthorizeRequest)
    def on_authorize(self, charge_point: Any, request: Any) -> Any:
        self.heard.add(request)
        return self.authorize() if callable(self.authorize) else self.authorize

    @on(v21.NotifyPeriodicEventStream)
    def stream(self, charge_point: Any, send: Any) -> None:
        self.heard.add(send)

    @on(LockRequest)
    def lock(self, charge_point: Any, request: Any) -> Any:
        return LockResponse(locked=request.door == 1)

    @on_data_transfer("Acme", "hello")
    def hello(self, charge_point: Any, request: Any, data: Any) -> Any:
        return f"hello {data}"

    @on_result(v16.ResetRequest)
    def reset(self, charge_point: Any, request: Any, outcome: Any) -> None:
        self.heard.add((charge_point.id, request.type, outcome))

    def charge_point_online(self, charge_point: Any) -> None:
        self.heard.add(("online", str(charge_point.identity), charge_point.connected))

    def charge_point_offline(self, charge_point: Any, reason: str, seconds: float) -> None:
        self.heard.add(("offline", str(charge_point.identity), charge_point.connected, reason))


class Answers(PassiveCase):
    async def test_a_worker_answers(self) -> None:
        plugin = Recorder()
        await self.worker(plugin)
        gateway = await self.gateway(node="gw1")
        wire = self.connect(gateway, Identity("CP/1", "dépôt"))
        self.assertEqual(await self.answer(wire, HEARTBEAT), HEARTBEAT_ANSWER)
        charge_point = await plugin.heard.when(lambda heard: hasattr(heard, "peer"))
        self.assertEqual(charge_point.identity, Identity("CP/1", "dépôt"))
        self.assertEqual((charge_point.id, charge_point.version), ("CP/1", "1.6"))
        self.assertEqual((charge_point.peer, charge_point.message_id), ("memory", "m1"))
        self.assertEqual(charge_point.registration, Status.UNKNOWN)
        self.assertIn("at gw1", repr(charge_point))
        await self.answer(wire, call("BootNotification", BOOT, "m2"))
        await self.answer(wire, call("Heartbeat", message_id="m3"))
        self.assertEqual(plugin.heard.entries[-1].registration, Status.ACCEPTED)

    async def test_every_version_with_local(self) -> None:
        await self.worker(LocalPlugin(now=lambda: NOON))
        gateway = await self.gateway()
        for version in ("1.6", "2.0", "2.0.1", "2.1"):
            wire = self.connect(gateway, "CP1", version)
            self.assertEqual(await self.answer(wire, HEARTBEAT), HEARTBEAT_ANSWER, version)

    async def test_what_a_worker_refuses(self) -> None:
        plugin = Recorder()
        await self.worker(plugin)
        wire = self.connect(await self.gateway())
        plugin.authorize = lambda: self.refuse(CallFault(ErrorCode.SECURITY_ERROR, "no", {"a": 1}))
        self.assertEqual(
            await self.answer(wire, call("Authorize", {"idTag": "A"}, "m1")),
            [4, "m1", "SecurityError", "no", {"a": 1}],
        )
        plugin.authorize = "not a response"
        self.assertEqual(
            await self.answer(wire, call("Authorize", {"idTag": "A"}, "m2")),
            [4, "m2", "InternalError", "the central system failed", {}],
        )
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual(
            await self.answer(
                wire,
                call(
                    "StopTransaction",
                    {"transactionId": 1, "meterStop": 1, "timestamp": "2026-01-02T12:00:00Z"},
                    "m3",
                ),
            ),
            [4, "m3", "NotSupported", "StopTransaction is not supported here", {}],
        )
        self.assertEqual(
            await self.answer(wire, call("Reset", {"type": "Soft"}, "m4")),
            [4, "m4", "NotSupported", "Reset is not supported here", {}],
        )

    def refuse(self, fault: Exception) -> None:
        raise fault

    async def test_a_worker_hears_that_its_answer_is_written(self) -> None:
        plugin = Recorder()
        await self.worker(plugin)
        wire = self.connect(await self.gateway())
        wire.says(call("BootNotification", BOOT))
        self.assertEqual(
            await plugin.heard.when(lambda heard: heard[0] == "booted"),
            ("booted", "CP1", "Acme", 300),
        )
        self.assertEqual(len(wire.hears()), 1)

    async def test_what_charge_points_answer_and_who_comes_and_goes(self) -> None:
        plugin = Recorder()
        await self.worker(plugin)
        gateway = await self.gateway()
        wire = self.connect(gateway)
        await plugin.heard.when(lambda heard: heard == ("online", "CP1", True))
        for answer in (
            '[3,"%s",{"status":"Accepted"}]',
            '[4,"%s","Odd","why",{"a":[1]}]',
            '[3,"%s",{}]',
        ):
            called = gateway.call("CP1", v16.ResetRequest(type=v16.ResetType.Soft))
            called.addErrback(lambda failure: None)
            wire.says(answer % wire.hears_call())
            await called
        await until(lambda: len(plugin.heard.entries) == 4, reactor)
        _, accepted, odd, invalid = plugin.heard.entries
        accepted_response = v16.ResetResponse(status=v16.ResetStatus.Accepted)
        self.assertEqual(accepted, ("CP1", "Soft", accepted_response))
        self.assertIsInstance(odd[2], CallErrorReceived)
        self.assertEqual((odd[2].code, odd[2].details), ("Odd", {"a": [1]}))
        self.assertIn("status", str(invalid[2]))
        wire.connection.lost("gone")
        await plugin.heard.when(lambda heard: heard == ("offline", "CP1", False, "gone"))

    async def test_sends_custom_actions_and_data_transfer(self) -> None:
        plugin = Recorder()
        await self.worker(plugin)
        gateway = await self.gateway(Custom())
        wire = self.connect(gateway, "CP2", "2.1")
        send = [
            6,
            "s1",
            "NotifyPeriodicEventStream",
            {
                "id": 7,
                "pending": 0,
                "basetime": "2026-01-02T12:00:00Z",
                "data": [{"t": 1, "v": "x"}],
            },
        ]
        wire.says(json.dumps(send))
        heard = await plugin.heard.when(lambda heard: getattr(heard, "id", None) == 7)
        self.assertEqual(heard.data[0].v, "x")
        wire = self.connect(gateway)
        self.assertEqual(
            await self.answer(wire, call("Lock", {"door": 1})), [3, "m1", {"locked": True}]
        )
        transfer = {"vendorId": "acme", "messageId": "hello", "data": "you"}
        self.assertEqual(
            await self.answer(wire, call("DataTransfer", transfer, "m2")),
            [3, "m2", {"status": "Accepted", "data": "hello you"}],
        )

    async def test_what_a_quirk_profile_lets_through_passes(self) -> None:
        plugin = Recorder()
        await self.worker(plugin)
        quirks = accepting()
        wire = self.connect(await self.gateway(quirks=quirks))
        tag = "a" * 30  # 20 are allowed
        answer = await self.answer(wire, call("Authorize", {"idTag": tag}))
        self.assertEqual(answer[0], 3, answer)
        heard = await plugin.heard.when(lambda heard: hasattr(heard, "idTag"))
        self.assertEqual(heard.idTag, tag)


def accepting() -> Any:
    """Quirks that let too long strings through as they came."""
    from ocpp_twisted.quirks import from_document

    return from_document({"profile": [{"accept": "too-long"}]}, "the test")


class Sharing(PassiveCase):
    async def test_workers_of_a_group_share_the_load(self) -> None:
        plugins = [Recorder(), Recorder()]
        for plugin in plugins:
            await self.worker(plugin)
        gateway = await self.gateway()
        wires = [self.connect(gateway, f"CP{number}") for number in range(60)]
        for wire in wires:
            wire.says(HEARTBEAT)
        for wire in wires:
            self.assertEqual(await self.answer(wire), HEARTBEAT_ANSWER)
        heard = [sum(hasattr(each, "peer") for each in plugin.heard.entries) for plugin in plugins]
        self.assertEqual(sum(heard), 60)
        self.assertGreater(min(heard), 0)

    async def test_actions_go_to_their_groups(self) -> None:
        plugins = {"workers": Recorder(), "tags": Recorder()}
        for group, plugin in plugins.items():
            await self.worker(plugin, group=group)
        wire = self.connect(await self.gateway(routes=[("Authorize", "tags")]))
        await self.answer(wire, HEARTBEAT)
        await self.answer(wire, call("Authorize", {"idTag": "A"}, "m2"))
        entries = {group: plugin.heard.entries for group, plugin in plugins.items()}
        self.assertEqual(
            [type(each).__name__ for each in entries["tags"][1:]], ["AuthorizeRequest"]
        )
        for group in plugins:
            self.assertEqual(entries[group][0], ("online", "CP1", True))
        self.assertEqual(len(entries["workers"]), 2)

    async def test_heartbeats_may_stay_at_the_gateway(self) -> None:
        gateway = await self.gateway(heartbeat=True)
        for version in ("1.6", "2.0", "2.0.1", "2.1"):
            wire = self.connect(gateway, "CP1", version)
            (answer,) = (wire.says(HEARTBEAT), wire.hears())[1]
            self.assertRegex(answer, r'^\[3,"m1",\{"currentTime":"20.*Z"\}\]$')

    async def test_other_prefixes_are_other_systems(self) -> None:
        await self.worker(Recorder(), prefix="b")
        wire = self.connect(await self.gateway(prefix="a"))
        self.assertEqual((await self.answer(wire, HEARTBEAT))[:3], [4, "m1", "InternalError"])

    async def test_the_order_of_one_charge_points_calls_stays(self) -> None:
        waiting: list[Deferred[Any]] = []
        plugins = [Recorder() for _ in range(2)]
        for plugin in plugins:
            plugin.authorize = lambda: waiting.append(Deferred()) or waiting[-1]
            await self.worker(plugin)
        wire = self.connect(await self.gateway())
        tags = [f"T{number}" for number in range(5)]
        for tag in tags:
            wire.says(call("Authorize", {"idTag": tag}, tag))
        for number, tag in enumerate(tags):
            await until(lambda: len(waiting) > number, reactor)  # noqa: B023
            self.assertEqual(len(waiting), number + 1)
            waiting[number].callback(Recorder().authorize)
            self.assertEqual((await self.answer(wire))[:2], [3, tag])
        self.assertEqual(self.plugin._busy, {})


class Failing(PassiveCase):
    async def test_no_worker(self) -> None:
        wire = self.connect(await self.gateway())
        self.assertEqual(
            await self.answer(wire, HEARTBEAT),
            [4, "m1", "InternalError", "no worker has answered: try again later", {}],
        )
        self.assertRegex(self.plugin.trouble(), "no worker of the group workers listens: start one")
        await self.worker(Recorder())
        self.assertEqual(await self.answer(wire, HEARTBEAT), HEARTBEAT_ANSWER)
        self.assertEqual(self.plugin.trouble(), "")

    async def test_a_slow_worker_and_its_late_answer(self) -> None:
        plugin, slow = Recorder(), Deferred()
        plugin.authorize = lambda: slow
        await self.worker(plugin)
        wire = self.connect(await self.gateway(patience=0.3))
        authorize = call("Authorize", {"idTag": "A"})
        self.assertEqual((await self.answer(wire, authorize))[:3], [4, "m1", "InternalError"])
        answer, plugin.authorize = Recorder().authorize, Recorder().authorize
        slow.callback(answer)
        self.assertEqual((await self.answer(wire, authorize))[:2], [3, "m1"])
        self.assertEqual(wire.hears(), [])

    async def test_answers_that_are_none(self) -> None:
        worker = await self.link()
        answers: list[tuple[bytes, dict[str, str] | None]] = [
            (b"{}", None),
            (b"{}", {"Ocpp-Outcome": "Odd"}),
            (b"{}", {"Ocpp-Outcome": "CALLRESULT"}),
            (b"no JSON", {"Ocpp-Outcome": "CALLRESULT"}),
            (b"", {"Ocpp-Outcome": "CALLERROR"}),
            (b'{"code":"Odd"}', {"Ocpp-Outcome": "CALLERROR"}),
        ]

        def answer(message: Message) -> None:
            worker.publish(message.reply, *answers[0])

        worker.subscribe("ocpp.action.workers.>", answer, queue="workers")
        await worker.flush()
        wire = self.connect(await self.gateway())
        for number in range(len(answers)):
            self.assertEqual(
                await self.answer(wire, HEARTBEAT),
                [4, "m1", "InternalError", "no worker has answered: try again later", {}],
                number,
            )
            del answers[0]
        counted = self.plugin.measures()[0].values
        self.assertEqual(counted[("broken answer",)], 6)

    async def test_requests_that_are_none(self) -> None:
        await self.worker(Recorder())
        link = await self.link()
        good = {"Ocpp-Wire": "1", "Ocpp-Call": '{"id":"CP1","version":"1.6","action":"Heartbeat"}'}
        for headers, payload, code in (
            (None, b"{}", "InternalError"),
            ({**good, "Ocpp-Wire": "2"}, b"{}", "InternalError"),
            ({"Ocpp-Wire": "1"}, b"{}", "InternalError"),
            ({**good, "Ocpp-Call": "{}"}, b"{}", "InternalError"),
            ({**good, "Ocpp-Call": good["Ocpp-Call"].replace("1.6", "9")}, b"{}", "InternalError"),
            ({**good, "Ocpp-Call": good["Ocpp-Call"].replace("Heart", "")}, b"{}", "NotSupported"),
            (good, b"{", "FormationViolation"),
        ):
            answer = await link.request(
                "ocpp.action.workers.v16.Heartbeat", payload, headers, timeout=5
            )
            self.assertEqual(answer.headers, {"Ocpp-Outcome": "CALLERROR"})
            self.assertIn(json.loads(answer.data)["code"], (code, "FormatViolation"))
        for subject in ("ocpp.result.workers.v16.Reset", "ocpp.offline.workers"):
            link.publish(subject, b"{", good)
        answer = await link.request("ocpp.action.workers.v16.Heartbeat", b"{}", good, timeout=5)
        self.assertEqual(answer.headers, {"Ocpp-Outcome": "CALLRESULT"})

    async def test_what_is_too_large_for_nats(self) -> None:
        file = self.directory / "small.conf"
        file.write_text("max_payload: 2000\n")
        self.server = await self.serve("-c", str(file.absolute()))
        await self.worker(Recorder())
        wire = self.connect(await self.gateway())
        transfer = {"vendorId": "acme", "messageId": "hello", "data": "x" * 2000}
        answer = await self.answer(wire, call("DataTransfer", transfer))
        self.assertEqual(answer[2], "InternalError")
        self.assertRegex(answer[3], r"a message of \d+ bytes is more than the NATS server takes")
        transfer = {"vendorId": "acme", "messageId": "hello", "data": "x" * 1600}
        answer = await self.answer(wire, call("DataTransfer", transfer, "m2"))
        self.assertEqual(answer[0], 3)

    async def test_more_than_a_gateway_lets_wait(self) -> None:
        plugin = Recorder()
        waiting: list[Deferred[Any]] = []
        plugin.authorize = lambda: waiting.append(Deferred()) or waiting[-1]
        await self.worker(plugin, limit=10)
        gateway = await self.gateway(limit=2)
        wires = [self.connect(gateway, f"CP{number}") for number in range(3)]
        for wire in wires:
            wire.says(call("Authorize", {"idTag": "A"}))
        self.assertEqual(
            await self.answer(wires[2]),
            [4, "m1", "InternalError", "too many messages wait for workers: try again later", {}],
        )
        await until(lambda: len(waiting) == 2, reactor)
        for each in waiting:
            each.callback(Recorder().authorize)
        for wire in wires[:2]:
            self.assertEqual((await self.answer(wire))[0], 3)
        self.assertEqual((await self.answer(wires[2], call("Heartbeat", message_id="m2")))[0], 3)

    async def test_a_worker_that_has_enough_to_do_takes_no_more(self) -> None:
        plugins = [Recorder(), Recorder()]
        waiting: list[Deferred[Any]] = []
        plugins[0].authorize = lambda: waiting.append(Deferred()) or waiting[-1]
        busy = await self.worker(plugins[0], limit=2)
        gateway = await self.gateway()
        wires = [self.connect(gateway, f"CP{number}") for number in range(20)]
        for wire in wires[:2]:
            wire.says(call("Authorize", {"idTag": "A"}))
        await until(lambda: len(waiting) == 2, reactor)
        await busy.link.flush()
        answer = await self.answer(wires[2], call("Authorize", {"idTag": "A"}))
        self.assertEqual(answer[:3], [4, "m1", "InternalError"])
        await self.worker(plugins[1])
        for wire in wires[3:]:
            self.assertEqual((await self.answer(wire, call("Authorize", {"idTag": "A"})))[0], 3)
        for each in list(waiting):
            each.callback(Recorder().authorize)
        await busy.link.flush()
        taken = [len(plugins[0].heard.entries)]
        for wire in wires:
            wire.hears()
            wire.says(call("Heartbeat", message_id="m9"))
        for wire in wires:
            await self.answer(wire)
        self.assertGreater(len(plugins[0].heard.entries), taken[0])

    async def test_a_worker_that_stops_ends_its_work(self) -> None:
        plugin, slow = Recorder(), Deferred()
        plugin.authorize = lambda: slow
        worker = await self.worker(plugin)
        wire = self.connect(await self.gateway())
        wire.says(call("Authorize", {"idTag": "A"}))
        await plugin.heard.when(lambda heard: hasattr(heard, "idTag"))
        stopped = worker.stopService()
        slow.callback(Recorder().authorize)
        self.assertEqual((await self.answer(wire))[0], 3)
        await stopped


class Away(PassiveCase):
    """The NATS server goes away, and comes back."""

    async def test_away_at_the_start(self) -> None:
        await self.server.kill()
        gateway = self.new_gateway(patience=0.3)
        self.new_worker(Recorder())
        wire = self.connect(gateway)
        await until(lambda: "Connect call failed" in self.plugin.trouble(), reactor)
        self.assertRegex(self.plugin.trouble(), "no connection to NATS .*; charge points try again")
        self.assertEqual((await self.answer(wire, HEARTBEAT))[:3], [4, "m1", "InternalError"])
        await self.server.start()
        await until(lambda: not self.plugin.trouble(), reactor)

        tries = 0
        while (answer := await self.answer(wire, HEARTBEAT))[0] == 4 and tries < 50:
            tries += 1  # the worker is not back yet
        self.assertEqual(answer, HEARTBEAT_ANSWER)

    async def test_killed_and_restarted_while_a_worker_works(self) -> None:
        plugin, slow = Recorder(), Deferred()
        plugin.authorize = lambda: slow
        worker = await self.worker(plugin)
        wire = self.connect(await self.gateway(patience=4))  # what is lost on the way is told
        wire.says(call("Authorize", {"idTag": "A"}))
        await plugin.heard.when(lambda heard: hasattr(heard, "idTag"))
        await self.server.kill()
        await until(lambda: self.plugin.trouble() and not worker.link.connected, reactor)
        slow.callback(Recorder().authorize)  # nobody hears this answer
        plugin.authorize = Recorder().authorize
        await self.server.start()
        answer = await self.answer(wire)
        if answer[0] == 4:  # the gateway was back before the worker: the charge point tries again
            await until(lambda: worker.link.connected, reactor)
            answer = await self.answer(wire, call("Authorize", {"idTag": "A"}))
        self.assertEqual(answer[:2], [3, "m1"])


class Settings(PassiveCase):
    def refused(self, **config: Any) -> str:
        with self.assertRaises(ConfigurationError) as caught:
            self.new_gateway(**config)
        return str(caught.exception)

    def test_what_cannot_be_used(self) -> None:
        for config, sentence in (
            ({"servers": []}, "say where NATS is: --nats nats://HOST:4222"),
            ({"prefix": "a b"}, "the configuration for NATS: 'a b' is no prefix of subjects"),
            ({"colour": 1}, "the configuration for NATS: .*colour"),
            ({"routes": [("Authorise", "x")]}, "--nats-route Authorise=x: charge points send no A"),
            ({"tls_cert": "x"}, "--nats-tls-cert and --nats-tls-key go together"),
        ):
            self.assertRegex(self.refused(**config), sentence)
