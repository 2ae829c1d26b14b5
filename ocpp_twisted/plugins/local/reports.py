"""Actions: what comes in parts, because we have asked for it.

Sources: OCPP 2.x use cases B07, B08 (variables), N02 (monitors), N09 (customer information), O03
(display messages), K09 (charging profiles); 2.1 alone: R (controls of the grid). Parts may come
again. What a part tells is kept at once; the fact ``report`` says whether all parts have come.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import on
from ocpp_twisted.plugins.local.keeping import Keeping
from ocpp_twisted.plugins.local.messages import requests, without_secret
from ocpp_twisted.plugins.local.store import facts
from ocpp_twisted.plugins.local.store.profiles import keep_profiles
from ocpp_twisted.plugins.local.store.reports import Part, customer_information, part_came

__all__ = ["Reports", "place", "variable_key"]


def place(component: dict[str, Any], variable: dict[str, Any] | None = None) -> str:
    """A component, or a variable of it, as text: ``EVSE.1.2:name.instance/Variable.instance``."""
    evse = component.get("evse", {})
    where = [str(evse[key]) for key in ("id", "connectorId") if key in evse]
    whole = ".".join([component["name"], *where])
    if "instance" in component:
        whole += f":{component['instance']}"
    if variable is not None:
        whole += f"/{variable['name']}"
        if "instance" in variable:
            whole += f":{variable['instance']}"
    return whole


def variable_key(told: dict[str, Any]) -> str:
    """The key of the fact ``variable`` that something with component and variable is about."""
    return place(told["component"], told["variable"])


class Reports(Keeping):
    """Puts reports together."""

    @on(*requests("NotifyReport"))
    def notify_report(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """The variables are kept, each with its attributes."""
        told = msgspec.to_builtins(request)
        variables = {
            variable_key(each): without_secret(each) for each in told.get("reportData", ())
        }
        return self._part(charge_point, request, "variable", variables)

    @on(*requests("NotifyMonitoringReport"))
    def notify_monitoring_report(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """The monitors are kept, by their ids."""
        told = msgspec.to_builtins(request)
        monitors = {
            str(monitor["id"]): {
                "component": each["component"],
                "variable": each["variable"],
                "variableMonitoring": monitor,
            }
            for each in told.get("monitor", ())
            for monitor in each["variableMonitoring"]
        }
        return self._part(charge_point, request, "monitor", monitors)

    @on(*requests("NotifyDisplayMessages"))
    def notify_display_messages(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """The messages are kept, by their ids."""
        told = msgspec.to_builtins(request)
        messages = {str(each["id"]): each for each in told.get("messageInfo", ())}
        return self._part(charge_point, request, "displayMessage", messages)

    @on(*requests("ReportDERControl"))
    def report_der_control(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """The controls are kept, by their kind and id."""
        told = msgspec.to_builtins(request)
        controls = {
            f"{kind}/{control['id']}": control
            for kind, listed in told.items()
            if isinstance(listed, list)
            for control in listed
        }
        return self._part(charge_point, request, "derControl", controls)

    @on(*requests("NotifyCustomerInformation"))
    def notify_customer_information(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """The texts are kept, and joined."""
        told = msgspec.to_builtins(request)
        return self.keep_and_answer(
            request,
            customer_information,
            charge_point.identity,
            _part(request.ACTION, told),
            told["data"],
            self.now(),
        )

    @on(*requests("ReportChargingProfiles"))
    def report_charging_profiles(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """The profiles are kept, by their ids."""
        told = msgspec.to_builtins(request)
        return self.keep_and_answer(
            request,
            _profiles,
            charge_point.identity,
            _part(request.ACTION, told),
            told["evseId"],
            told["chargingProfile"],
            self.now(),
        )

    def _part(
        self, charge_point: IChargePoint, request: Request[Any], kind: str, values: dict[str, Any]
    ) -> Deferred[Response]:
        part = _part(request.ACTION, msgspec.to_builtins(request))
        return self.keep_and_answer(
            request, _facts, charge_point.identity, part, kind, values, self.now()
        )


def _part(action: str, told: dict[str, Any]) -> Part:
    return Part(action, told.get("requestId"), told.get("seqNo"), told.get("tbc", False))


def _facts(
    db: Connection,
    identity: Identity,
    part: Part,
    kind: str,
    values: dict[str, Any],
    now: datetime,
) -> None:
    """A job: a part has come, and with it these facts."""
    facts.is_so(db, identity, kind, values, now)
    part_came(db, identity, part, now)


def _profiles(
    db: Connection,
    identity: Identity,
    part: Part,
    evse_id: int,
    profiles: list[dict[str, Any]],
    now: datetime,
) -> None:
    """A job: a part has come, and with it these charging profiles."""
    keep_profiles(db, identity, evse_id, profiles, now)
    part_came(db, identity, part, now)
