"""Answers to our own calls: what a charge point has accepted or told is kept.

Whoever sent the call has its answer already; nobody waits for what is done here. Secrets are never
kept. Sources: 1.6 chapter 5; 2.x, the use case of each action.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import on_result
from ocpp_twisted.plugins.local import installed
from ocpp_twisted.plugins.local.doors import Doors
from ocpp_twisted.plugins.local.keeping import Keeping
from ocpp_twisted.plugins.local.messages import SECRETS, requests
from ocpp_twisted.plugins.local.reports import variable_key
from ocpp_twisted.plugins.local.store import facts
from ocpp_twisted.plugins.local.store.profiles import clear_profiles, set_profile
from ocpp_twisted.plugins.local.store.reservations import ended, reserved
from ocpp_twisted.security.rotation import heed_answer

__all__ = ["Outcomes"]

_Json = dict[str, Any]
#: A job: what a call (the request, the response; as on the wire) has changed.
_Learn = Callable[[Connection, Identity, _Json, _Json, datetime], None]


def _reserved(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    asked = {**asked, **asked.get("reservation", {})}  # 2.0 has it in an object of its own
    group = asked.get("groupIdToken", {}).get("idToken")
    token = asked.get("idToken", {}).get("idToken")
    expiry: str = asked.get("expiryDate") or asked["expiryDateTime"]
    reservation = {
        "reservation_id": asked["reservationId"] if "reservationId" in asked else asked["id"],
        "evse_id": asked.get("evseId", asked.get("evse", {}).get("id")),
        "connector_id": asked.get("connectorId"),
        "connector_type": asked.get("connectorType"),
        "id_tag": asked.get("idTag", token),
        "parent_id_tag": asked.get("parentIdTag", group),
        "expiry_date": datetime.fromisoformat(expiry),
    }
    reserved(db, cp, reservation)


def _cancelled(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    ended(db, cp, asked["reservationId"], "Cancelled")


def _profile_set(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    if "csChargingProfiles" in asked:
        set_profile(db, cp, asked["connectorId"], asked["csChargingProfiles"], now)
    else:
        set_profile(db, cp, asked["evseId"], asked["chargingProfile"], now)


def _profile_cleared(
    db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime
) -> None:
    # 1.6 has all fields in the request, 2.0 and 2.0.1 some of them in an object.
    criteria = asked | asked.get("chargingProfile", {}) | asked.get("chargingProfileCriteria", {})
    clear_profiles(
        db,
        cp,
        profile_id=criteria.get("chargingProfileId", criteria.get("id")),
        evse_id=criteria.get("evseId", criteria.get("connectorId")),
        purpose=criteria.get("chargingProfilePurpose"),
        stack_level=criteria.get("stackLevel"),
    )


def _schedule(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    where = asked.get("evseId", asked.get("connectorId"))
    facts.is_so(db, cp, "compositeSchedule", {str(where): told}, now)


def _list_sent(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    version = asked.get("listVersion", asked.get("versionNumber"))
    facts.is_so(db, cp, "localList", {"": {"version": version}}, now)


def _list_version(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    _list_sent(db, cp, told, asked, now)


def _configuration(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    known = {
        each["key"]: each
        for each in told.get("configurationKey", ())
        if each["key"].lower() not in SECRETS
    }
    facts.is_so(db, cp, "configuration", known, now)


def _configured(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    key = {"readonly": False, **asked}
    _configuration(db, cp, asked, {"configurationKey": [key]}, now)


def _variables(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    """Those of GetVariables have their values in the answer, those of SetVariables in the call."""
    given = asked.get("setVariableData")
    results = told["setVariableResult"] if given else told["getVariableResult"]
    for result, source in zip(results, given or results, strict=False):
        secret = result["variable"]["name"].lower() in SECRETS
        if result["attributeStatus"] != "Accepted" or secret:
            continue
        kind = source.get("attributeType", "Actual")
        key = variable_key(source)
        known = facts.get(db, cp, "variable", key) or {
            "component": source["component"],
            "variable": source["variable"],
            "variableAttribute": [],
        }
        others = [each for each in known["variableAttribute"] if each.get("type", "Actual") != kind]
        attribute = {"type": kind, "value": source.get("attributeValue", "")}
        known = {**known, "variableAttribute": [*others, attribute]}
        facts.is_so(db, cp, "variable", {key: known}, now)


def _message_set(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    facts.is_so(db, cp, "displayMessage", {str(asked["message"]["id"]): asked["message"]}, now)


def _message_gone(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    facts.forget(db, cp, "displayMessage", str(asked["id"]))


def _tariff_set(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    facts.is_so(db, cp, "tariff", {f"default/{asked['evseId']}": asked["tariff"]}, now)


def _tariffs(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    assigned = {f"assigned/{each['tariffId']}": each for each in told.get("tariffAssignments", ())}
    facts.is_so(db, cp, "tariff", assigned, now)


def _tariffs_gone(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    gone = {
        each.get("tariffId")
        for each in told.get("clearTariffsResult", ())
        if each["status"] == "Accepted"
    }
    known = facts.all_of(db, cp, "tariff")
    keys = [key for key, tariff in known.items() if tariff.get("tariffId") in gone]
    if keys:
        facts.forget(db, cp, "tariff", *keys)


def _availability(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    evse = asked.get("evse", {})
    where = asked.get("connectorId", f"{evse.get('id', '')}/{evse.get('connectorId', '')}")
    facts.is_so(db, cp, "availability", {str(where): {**asked, **told}}, now)


_LEARN: dict[str, _Learn] = {
    "CancelReservation": _cancelled,
    "ChangeAvailability": _availability,
    "ChangeConfiguration": _configured,
    "ClearChargingProfile": _profile_cleared,
    "ClearDisplayMessage": _message_gone,
    "ClearTariffs": _tariffs_gone,
    "DeleteCertificate": installed.deleted,
    "GetCompositeSchedule": _schedule,
    "GetConfiguration": _configuration,
    "GetInstalledCertificateIds": installed.listed,
    "GetLocalListVersion": _list_version,
    "GetTariffs": _tariffs,
    "GetVariables": _variables,
    "InstallCertificate": installed.installed,
    "ReserveNow": _reserved,
    "SendLocalList": _list_sent,
    "SetChargingProfile": _profile_set,
    "SetDefaultTariff": _tariff_set,
    "SetDisplayMessage": _message_set,
    "SetVariables": _variables,
}

#: Of these NotFound is an outcome as well: there is nothing, or no longer.
_OF_NOTHING = ("DeleteCertificate", "GetInstalledCertificateIds")


class Outcomes(Keeping, Doors):
    """Keeps what became of our calls."""

    @on_result(*(kind for kind in requests(*_LEARN) if issubclass(kind, Request)))
    def call_answered(
        self, charge_point: IChargePoint, request: Request[Any], outcome: object
    ) -> object:
        """Kept, if the charge point has done what it was asked for; of passwords in any case."""
        heed_answer(self, charge_point.identity, request, outcome)
        if not isinstance(outcome, Response):
            return None
        asked, told = msgspec.to_builtins(request), msgspec.to_builtins(outcome)
        status = told.get("status", "Accepted")
        nothing = status == "NotFound" and request.ACTION in _OF_NOTHING
        if status not in ("Accepted", "Scheduled") and not nothing:
            return None
        learn = _LEARN[request.ACTION]
        return self.note(learn, charge_point.identity, asked, told, self.now())
