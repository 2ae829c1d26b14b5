"""Charge points: those entered, and those that have been here. Jobs, see the package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, select

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store.rows import has, of_charge_point, page, put, whose
from ocpp_twisted.plugins.local.store.tables import charge_points, charging_profiles, doors, facts
from ocpp_twisted.records import Admission, ChargePoint, Connector, Page

__all__ = [
    "CONNECTOR",
    "Boot",
    "Heard",
    "admit",
    "booted",
    "forget",
    "get_charge_point",
    "heard",
    "last_boot",
    "list_charge_points",
    "rejected",
    "serial_number",
]

_table = charge_points.c
_VERSIONS = select(_table.charge_point, _table.versions).where(
    _table.name == bindparam("name"), _table.charge_point.in_(bindparam("ids", expanding=True))
)
_KNOWN = select(_table.admission, _table.versions).where(of_charge_point(charge_points))
_LAST_BOOT = select(_table.admission, _table.registration_status, _table.boot).where(
    of_charge_point(charge_points)
)
_DOOR = select(doors.c.profile, doors.c.password, doors.c.serial_number).where(
    of_charge_point(doors)
)
_KEY = ("name", "charge_point")
#: The kind of fact that a connector's status is.
CONNECTOR = "connector"


class Heard(NamedTuple):
    """When a charge point was last heard, and how."""

    at: datetime
    version: str
    peer: str


class Boot(NamedTuple):
    """A BootNotification, as on the wire."""

    heard: Heard
    payload: dict[str, Any]


def booted(db: Connection, identity: Identity, boot: Boot, everybody: bool) -> str:
    """A charge point has booted.

    :param everybody: whether those that nobody has entered are admitted.
    :returns: the RegistrationStatus to tell it.
    """
    row = db.execute(_KNOWN, whose(identity)).first()
    admission, versions = row or (None, None)
    status: str = admission or ("Accepted" if everybody else "Rejected")
    _put(
        db,
        identity,
        **_heard(boot.heard, versions),
        registration_status=status,
        boot=boot.payload,
        last_boot=boot.heard.at,
    )
    return status


def heard(db: Connection, last: Mapping[Identity, Heard]) -> None:
    """These charge points were heard. There may be hundreds: a few statements do for all."""
    ids: dict[str, list[str]] = {}
    for identity in last:
        ids.setdefault(identity.name, []).append(identity.id)
    versions: dict[Identity, list[str] | None] = {}
    for name, those in ids.items():
        found = db.execute(_VERSIONS, {"name": name, "ids": those})
        versions |= {Identity(row.charge_point, name): row.versions for row in found}
    rows = [
        {**whose(identity), **_heard(how, versions.get(identity))}
        for identity, how in sorted(last.items())  # as other processes do, or they wait for us
    ]
    put(db, charge_points, _KEY, rows)


def admit(db: Connection, identity: Identity, admission: Admission) -> ChargePoint:
    """See `IRecords.put_charge_point`."""
    _put(db, identity, admission=admission)
    found = get_charge_point(db, identity)
    assert found is not None
    return found


def last_boot(
    db: Connection, identity: Identity
) -> tuple[Admission | None, str | None, dict[str, Any] | None] | None:
    """What the operator has decided on a charge point, what its last boot was told, and that.

    :returns: None if it is not known.
    """
    row = db.execute(_LAST_BOOT, whose(identity)).first()
    return None if row is None else (row.admission, row.registration_status, row.boot)


def rejected(db: Connection) -> set[Identity]:
    """Those that the operator has entered as Rejected."""
    query = select(_table.charge_point, _table.name).where(_table.admission == "Rejected")
    return {Identity(row.charge_point, row.name) for row in db.execute(query)}


def forget(db: Connection, identity: Identity) -> bool:
    """See `IRecords.delete_charge_point`."""
    for table in (facts, charging_profiles, doors):
        db.execute(delete(table).where(has(table, identity)))
    return bool(db.execute(delete(charge_points).where(has(charge_points, identity))).rowcount)


def get_charge_point(db: Connection, identity: Identity) -> ChargePoint | None:
    """See `IRecords.get_charge_point`."""
    row = db.execute(select(charge_points).where(has(charge_points, identity))).first()
    return None if row is None else _record(db, row)


def list_charge_points(db: Connection, after: str | None, limit: int) -> Page[ChargePoint]:
    """See `IRecords.list_charge_points`."""
    query, order = select(charge_points), [_table.name, _table.charge_point]
    return page(db, query, order, after, limit, lambda row: _record(db, row))


def _heard(how: Heard, versions: Iterable[str] | None) -> dict[str, Any]:
    at, version, peer = how
    versions = sorted({*(versions or ()), version})
    return {"last_seen": at, "version": version, "versions": versions, "peer": peer}


def _put(db: Connection, identity: Identity, **columns: Any) -> None:
    put(db, charge_points, _KEY, [{**whose(identity), **columns}])


def _record(db: Connection, row: Row[Any]) -> ChargePoint:
    identity = Identity(row.charge_point, row.name)
    query = select(facts.c.data).where(has(facts, identity), facts.c.kind == CONNECTOR)
    connectors = db.scalars(query.order_by(facts.c.key))
    boot = row.boot or {}
    station = boot.get("chargingStation", {})
    door = db.execute(_DOOR, whose(identity)).first()
    return ChargePoint(
        id=row.charge_point,
        name=row.name,
        admission=row.admission,
        registrationStatus=row.registration_status,
        version=row.version,
        versions=tuple(row.versions or ()),
        peer=row.peer,
        vendorName=boot.get("chargePointVendor", station.get("vendorName")),
        model=boot.get("chargePointModel", station.get("model")),
        serialNumber=(door.serial_number if door is not None else None) or serial_number(boot),
        firmwareVersion=boot.get("firmwareVersion", station.get("firmwareVersion")),
        bootReason=boot.get("reason"),
        boot=row.boot,
        lastBoot=row.last_boot,
        lastSeen=row.last_seen,
        connectors=tuple(msgspec.convert(each, Connector) for each in connectors),
        securityProfile=door.profile if door is not None else 0,
        hasPassword=door is not None and bool(door.password),
    )


def serial_number(boot: Mapping[str, Any]) -> str | None:
    """A charge point's serial number by its BootNotification; None if that has none."""
    found: str | None = boot.get(
        "chargePointSerialNumber",
        boot.get("chargeBoxSerialNumber", boot.get("chargingStation", {}).get("serialNumber")),
    )
    return found
