"""A simulated charge point of 2.x and a central system that notes what it is told.

The tests of what all versions have are written once, as a mixin: `each` makes a test case of it
for each version.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v20, v21, v201
from ocpp_twisted.charge_point import Target
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.simulator.station import Hardware, Station
from ocpp_twisted.simulator.v2.voice import Voice2
from ocpp_twisted.testing import Network
from ocpp_twisted.versions import CATALOGUES

MODULES: dict[str, Any] = {"2.0": v20, "2.0.1": v201, "2.1": v21}


class Central(ActionPlugin):
    """Accepts everything, and notes it.

    :param boot: answers BootNotification; None for the network to do so.
    :ivar heard: (action, payload) of all that has come.
    :ivar answers: action to what makes the response of a request, if it is not that.
    :ivar online: the connections that there have been.
    """

    name = "central"

    def __init__(self, boot: Callable[[Any], Any] | None = None) -> None:
        self.boot = boot
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.online: list[Any] = []

    def charge_point_online(self, charge_point):
        self.online.append(charge_point)

    def request_handler(self, version, action):
        if action == "BootNotification" and self.boot is not None:
            return lambda charge_point, request: self.boot(request)
        if action in ("BootNotification", "Heartbeat"):
            return None  # the network answers
        response = CATALOGUES[version].actions[action].response

        def answer(charge_point: Any, request: Any) -> Any:
            self.heard.append((action, msgspec.to_builtins(request)))
            if action in self.answers:
                return self.answers[action](request)
            return None if response is None else default(version, response)

        return answer


def default(version: str, response: Any) -> Any:
    """Accepted, and nothing else."""
    module = MODULES[version]
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(response):
        if not field.required:
            continue
        if field.name == "idTokenInfo":
            fields[field.name] = module.IdTokenInfoType(status="Accepted")
        else:
            fields[field.name] = "Accepted"
    return response(**fields)


class Case(SynchronousTestCase):
    """One charge point with two EVSEs, accepted.

    :cvar begin: what the clock shows at first; None for the network's own.
    """

    version = "2.0.1"
    begin: datetime | None = None
    hardware = Hardware(serial="S1")

    def setUp(self):
        self.m = MODULES[self.version]
        self.central = Central(getattr(self, "boot_status", None))
        self.network = Network(self.central)
        if self.begin is not None:
            self.network.clock.rightNow = self.begin.timestamp()
        self.station = Station(
            Target.at("ws://central-system", "CP1"),
            partial(Voice2, version=self.version),
            self.network.clock,
            self.hardware,
            dialer=self.network,
            random=Random(1),
        )
        self.voice: Any = self.station.voice
        self.station.start()
        self.run_for(1)
        self.addCleanup(self.run_for, 1)
        self.addCleanup(self.station.stop)
        self.heard()

    def run_for(self, seconds: float = 0.0) -> None:
        """Let time pass."""
        self.network.run(seconds)

    def heard(self, *actions: str) -> list[dict[str, Any]]:
        """The payloads that have come since the last time, of some actions or of all."""
        heard, self.central.heard[:] = list(self.central.heard), []
        return [payload for action, payload in heard if not actions or action in actions]

    def heard_actions(self) -> list[str]:
        """The actions that have come since the last time."""
        heard, self.central.heard[:] = list(self.central.heard), []
        return [action for action, _ in heard]

    def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        """What the charge point answers to a request."""
        return self.answer(getattr(self.m, f"{name}Request")(**fields))

    def answer(self, request: Any) -> dict[str, Any]:
        """What the charge point answers to a request."""
        calling = self.network.central_system.call("CP1", request)
        answer: dict[str, Any] = msgspec.to_builtins(self.network.result(calling))
        return answer

    def set(self, component: str, variable: str, value: str, instance: str | None = None) -> str:
        """Set a variable; returns its status."""
        data = self.m.SetVariableDataType(
            component=self.m.ComponentType(name=component),
            variable=self.m.VariableType(
                name=variable, **({"instance": instance} if instance else {})
            ),
            attributeValue=value,
        )
        (result,) = self.ask("SetVariables", setVariableData=[data])["setVariableResult"]
        return str(result["attributeStatus"])

    def get(self, component: str, variable: str, instance: str | None = None) -> str:
        """The value of a variable."""
        data = self.m.GetVariableDataType(
            component=self.m.ComponentType(name=component),
            variable=self.m.VariableType(
                name=variable, **({"instance": instance} if instance else {})
            ),
        )
        (result,) = self.ask("GetVariables", getVariableData=[data])["getVariableResult"]
        self.assertEqual(result["attributeStatus"], "Accepted")
        return str(result["attributeValue"])

    def variable(self, name: str, instance: str | None = None) -> Any:
        """A VariableType of the version."""
        return self.m.VariableType(name=name, **({"instance": instance} if instance else {}))

    def token(self, text: str = "AA") -> Any:
        """A token of the version."""
        return self.m.IdTokenType(idToken=text, type="ISO14443")

    def info(self, event: dict[str, Any]) -> dict[str, Any]:
        """The transactionInfo of a TransactionEvent, as 2.0.1 names it."""
        info = event.get("transactionInfo") or event["transactionData"]
        return {"transactionId" if key == "id" else key: value for key, value in info.items()}

    def events(self) -> list[tuple[str, str, str]]:
        """The TransactionEvents since the last time: type, trigger, charging state."""
        return [
            (each["eventType"], each["triggerReason"], self.info(each)["chargingState"])
            for each in self.heard("TransactionEvent")
        ]

    def charge(self, token: str = "AA", number: int = 1) -> str:
        """Let a car charge; returns the transaction's id."""
        self.station.plug_in(number)
        self.run_for(1)
        self.station.present(token, number)
        self.run_for(1)
        transaction = self.voice.evse(number).transaction
        assert transaction is not None
        return str(transaction.id)


def each(mixin: type, *versions: str) -> dict[str, type]:
    """Test cases of a mixin: one for each version (all if none is named)."""
    return {
        f"{mixin.__name__}{version.replace('.', '')}": type(
            f"{mixin.__name__}{version.replace('.', '')}",
            (mixin, Case),
            {"version": version, "__module__": mixin.__module__},
        )
        for version in versions or MODULES
    }
