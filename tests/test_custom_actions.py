"""Actions of a plug-in's own: both directions, per version, and never in another's way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from msgspec import UNSET, UnsetType
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v21
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import CallErrorReceived, ConfigurationError, LocalProtocolError
from ocpp_twisted.ocppj.message import Request, Response, Send
from ocpp_twisted.plugin import ActionPlugin, after, on, on_result
from ocpp_twisted.routing import with_custom_actions
from ocpp_twisted.versions import CATALOGUES
from tests.support import Wire, online


class LockResponse(Response):
    locked: bool


class LockRequest(Request[LockResponse]):
    ACTION = "AcmeLock"
    RESPONSE = LockResponse

    connectorId: int
    since: datetime | UnsetType = UNSET


class Ticks(Send):
    ACTION = "AcmeTicks"

    ticks: list[int]


EVERYWHERE = dict.fromkeys(CATALOGUES, (LockRequest,))


class Lock(ActionPlugin):
    name = "lock"
    custom_actions = EVERYWHERE

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @on(LockRequest)
    def lock(self, charge_point, request):
        self.heard.append(request)
        return LockResponse(locked=True)

    @after(LockRequest)
    def was_locked(self, charge_point, request, response):
        self.heard.append(response)

    @on_result(LockRequest)
    def result(self, charge_point, request, outcome):
        self.heard.append(outcome)


LOCK = '[2,"l1","AcmeLock",{"connectorId":1,"since":"2026-01-02T03:04+02"}]'
SINCE = datetime(2026, 1, 2, 1, 4, tzinfo=UTC)


class CustomActionTests(SynchronousTestCase):
    def each(self, plugin: ActionPlugin) -> list[tuple[CentralSystem, Wire]]:
        """A charge point of each version, at a central system of its own."""
        found = []
        for version in CATALOGUES:
            system = CentralSystem([plugin], Clock())
            found.append((system, online(system, "CP1", version)))
        return found

    def test_a_charge_point_calls(self) -> None:
        plugin = Lock()
        for _, cp1 in self.each(plugin):
            cp1.says(LOCK)
            self.assertEqual(cp1.hears(), ['[3,"l1",{"locked":true}]'])
            request = LockRequest(connectorId=1, since=SINCE)
            self.assertEqual(plugin.heard, [request, LockResponse(locked=True)])
            plugin.heard.clear()

    def test_its_payload_is_checked(self) -> None:
        plugin = Lock()
        for _, cp1 in self.each(plugin):
            cp1.says('[2,"l1","AcmeLock",{"connectorId":"one"}]')
            ((_, _, code, text, _),) = map(json.loads, cp1.hears())
            self.assertEqual(code, "TypeConstraintViolation")
            self.assertIn("$.connectorId", text)
        self.assertEqual(plugin.heard, [])

    def test_we_call(self) -> None:
        plugin = Lock()
        for system, cp1 in self.each(plugin):
            result = system.call("CP1", LockRequest(connectorId=2, since=SINCE))
            ((_, message_id, *call),) = map(json.loads, cp1.hears())
            payload = {"connectorId": 2, "since": "2026-01-02T01:04:00Z"}
            self.assertEqual(call, ["AcmeLock", payload])
            cp1.says(f'[3,"{message_id}",{{"locked":false}}]')
            answer = LockResponse(locked=False)
            self.assertEqual(self.successResultOf(result), answer)
            self.assertEqual(plugin.heard, [answer])
            plugin.heard.clear()

    def test_a_charge_point_that_does_not_know_it(self) -> None:
        for system, cp1 in self.each(Lock()):
            result = system.call("CP1", LockRequest(connectorId=2))
            cp1.says(f'[4,"{cp1.hears_call()}","NotImplemented","",{{}}]')
            self.failureResultOf(result, CallErrorReceived)

    def test_what_we_send_is_checked(self) -> None:
        for system, cp1 in self.each(Lock()):
            wrong = LockRequest(connectorId="one")  # type: ignore[arg-type]
            self.failureResultOf(system.call("CP1", wrong), LocalProtocolError)
            self.assertEqual(cp1.hears(), [])

    def test_only_the_versions_that_are_named_have_it(self) -> None:
        class Plugin(Lock):
            custom_actions: ClassVar[Any] = {"2.0.1": [LockRequest]}

        for system, cp1 in self.each(Plugin()):
            cp1.says(LOCK)
            ((kind, _, outcome, *_),) = map(json.loads, cp1.hears())
            result = system.call("CP1", LockRequest(connectorId=2))
            if cp1.connection.version == "2.0.1":
                self.assertEqual((kind, outcome), (3, {"locked": True}))
                self.assertNoResult(result)
            else:
                self.assertEqual((kind, outcome), (4, "NotImplemented"))
                self.failureResultOf(result, LocalProtocolError)

    def test_an_action_of_another_version(self) -> None:
        class Plugin(ActionPlugin):
            name = "backport"
            custom_actions: ClassVar[Any] = {"1.6": [v21.BatterySwapRequest]}

            @on(v21.BatterySwapRequest)
            def swap(self, charge_point, request):
                return v21.BatterySwapResponse()

        (_, cp1), *_ = self.each(Plugin())
        token = {"idToken": "x", "type": "Central"}
        swap = {
            "eventType": "BatteryIn",
            "requestId": 1,
            "idToken": token,
            "batteryData": [{"evseId": 1, "serialNumber": "s", "soC": 1, "soH": 1}],
        }
        cp1.says(json.dumps([2, "b1", "BatterySwap", swap]))
        self.assertEqual(cp1.hears(), ['[3,"b1",{}]'])

    def test_a_send_in_2_1(self) -> None:
        class Plugin(ActionPlugin):
            name = "ticks"
            custom_actions: ClassVar[Any] = {"2.1": [Ticks]}

            @on(Ticks)
            def tick(self, charge_point, message):
                heard.extend(message.ticks)

        heard: list[int] = []
        *_, (_, cp1) = self.each(Plugin())
        cp1.says('[6,"t1","AcmeTicks",{"ticks":[1,2]}]')
        self.assertEqual((heard, cp1.hears()), ([1, 2], []))
        cp1.connection.send(Ticks(ticks=[3]))
        ((kind, _, *sent),) = map(json.loads, cp1.hears())
        self.assertEqual((kind, sent), (6, ["AcmeTicks", {"ticks": [3]}]))

    def test_nobody_answers_it(self) -> None:
        class Plugin(ActionPlugin):
            name = "only-calls"
            custom_actions = EVERYWHERE

        for _, cp1 in self.each(Plugin()):
            cp1.says(LOCK)
            error = [4, "l1", "NotSupported", "AcmeLock is not supported here", {}]
            self.assertEqual(json.loads(cp1.hears()[0]), error)


class SeveralPluginsTests(SynchronousTestCase):
    def test_two_that_name_the_same_class_share_the_action(self) -> None:
        first, second = Lock(), Lock()
        cp1 = online(CentralSystem([first, second], Clock()))
        cp1.says(LOCK)
        self.assertEqual(len(first.heard), 2)
        self.assertEqual(second.heard, [LockResponse(locked=True)])

    def test_one_that_does_not_know_the_action_is_not_in_the_way(self) -> None:
        cp1 = online(CentralSystem([ActionPlugin(), Lock()], Clock()))
        cp1.says(LOCK)
        self.assertEqual(cp1.hears(), ['[3,"l1",{"locked":true}]'])

    def test_another_central_system_does_not_have_it(self) -> None:
        before = {version: set(catalogue.actions) for version, catalogue in CATALOGUES.items()}
        CentralSystem([Lock()], Clock())
        after_ = {version: set(catalogue.actions) for version, catalogue in CATALOGUES.items()}
        self.assertEqual(before, after_)
        cp1 = online(CentralSystem([ActionPlugin()], Clock()))
        cp1.says(LOCK)
        self.assertEqual(json.loads(cp1.hears()[0])[2], "NotImplemented")

    def test_who_has_none_uses_the_shared_catalogues(self) -> None:
        catalogues = list(CATALOGUES.values())
        found = with_custom_actions(catalogues, [ActionPlugin()])
        for catalogue, same in zip(catalogues, found, strict=True):
            self.assertIs(catalogue, same)


class ConfigurationTests(SynchronousTestCase):
    """What cannot be used stops the start."""

    def refused(self, *custom_actions: Mapping[str, Any]) -> str:
        plugins = []
        for number, actions in enumerate(custom_actions, 1):
            plugin = ActionPlugin()
            plugin.name, plugin.custom_actions = f"p{number}", actions  # type: ignore[misc]
            plugins.append(plugin)
        return str(self.assertRaises(ConfigurationError, CentralSystem, plugins, Clock()))

    def test_an_action_that_the_version_has(self) -> None:
        class Mine(Request[LockResponse]):
            ACTION = "Heartbeat"
            RESPONSE = LockResponse

        for version in CATALOGUES:
            text = self.refused({version: [Mine]})
            self.assertIn("plug-in 'p1'", text)
            self.assertIn(f"the action 'Heartbeat' of OCPP {version}", text)
            self.assertRegex(
                text, r"for which OCPP has ocpp_twisted\.v\w+\.messages\.HeartbeatRequest: "
            )

    def test_an_action_that_another_plugin_has(self) -> None:
        class Other(Request[LockResponse]):
            ACTION = "AcmeLock"
            RESPONSE = LockResponse

        for version in CATALOGUES:
            text = self.refused({version: [LockRequest]}, {version: [Other]})
            self.assertIn("plug-in 'p2': ", text)
            self.assertIn("Other is for the action 'AcmeLock'", text)
            self.assertIn(f"for which plug-in 'p1' has {__name__}.LockRequest: ", text)

    def test_a_version_that_does_not_exist(self) -> None:
        text = self.refused({"1.5": [LockRequest]})
        self.assertIn("plug-in 'p1' has custom actions for OCPP '1.5'; the versions are: 1.6", text)

    def test_a_class_that_is_no_message(self) -> None:
        class NoAction(Request[LockResponse]):
            RESPONSE = LockResponse

        class NoResponse(Request[LockResponse]):
            ACTION = "X"

        class NoJson(Request[LockResponse]):
            ACTION = "X"
            RESPONSE = LockResponse
            mixed: dict[str, int] | LockResponse

        for wrong, why in (
            (LockResponse, "it is not derived from Request or Send"),
            ("AcmeLock", "it is not derived from Request or Send"),
            (NoAction, "it has no ACTION"),
            (NoResponse, "its RESPONSE is not a class derived from Response"),
            (NoJson, "more than one dict-like type"),
        ):
            text = self.refused({"1.6": [wrong]})
            self.assertIn("plug-in 'p1': ", text)
            self.assertIn("cannot be an action of OCPP 1.6: ", text)
            self.assertIn(why, text)

    def test_a_send_where_there_is_none(self) -> None:
        for version in ("1.6", "2.0", "2.0.1"):
            self.assertIn("that version has no SEND", self.refused({version: [Ticks]}))

    def test_a_mark_without_its_custom_action(self) -> None:
        def declare() -> None:
            class Forgetful(ActionPlugin):
                @on(LockRequest)
                def lock(self, charge_point, request): ...

        text = str(self.assertRaises(TypeError, declare))
        marked = "Forgetful.lock is marked @on(LockRequest), which no version has"
        self.assertEqual(text, f"{marked}: name it in custom_actions")
