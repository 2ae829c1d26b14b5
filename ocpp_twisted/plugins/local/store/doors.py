"""What charge points have proved, and with which passwords. Jobs, see the package."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, select

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store.charge_points import admit, serial_number
from ocpp_twisted.plugins.local.store.rows import has, of_charge_point, put, put_once, whose
from ocpp_twisted.plugins.local.store.tables import charge_points, doors
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.security.records import DoorRecord

__all__ = ["change", "read"]

_READ = (
    select(
        charge_points.c.admission,
        charge_points.c.boot,
        doors.c.profile,
        doors.c.password,
        doors.c.perhaps,
        doors.c.serial_number,
    )
    .outerjoin_from(
        charge_points,
        doors,
        (doors.c.name == charge_points.c.name)
        & (doors.c.charge_point == charge_points.c.charge_point),
    )
    .where(of_charge_point(charge_points))
)


def read(db: Connection, identity: Identity) -> DoorRecord:
    """See `IDoorRecords.door`."""
    row = db.execute(_READ, whose(identity)).first()
    if row is None:
        return DoorRecord()
    return DoorRecord(
        known=True,
        entered=row.admission is not None,
        profile=SecurityProfile(row.profile or 0),
        password=row.password or "",
        perhaps=tuple(row.perhaps or ()),
        serial_number=row.serial_number or serial_number(row.boot or {}),
    )


def change(db: Connection, identity: Identity, how: Callable[[DoorRecord], DoorRecord]) -> None:
    """See `DoorRecords.change_door`."""
    put_once(db, charge_points, [whose(identity)])
    # Another process does not change it between our reading and our writing.
    db.execute(select(charge_points.c.name).where(has(charge_points, identity)).with_for_update())
    before = read(db, identity)
    after = how(before)
    if after.entered and not before.entered:
        admit(db, identity, "Accepted")
    row = {
        **whose(identity),
        "profile": int(after.profile),
        "password": after.password,
        "perhaps": list(after.perhaps),
    }
    if after.serial_number != before.serial_number:  # else it may be what the charge point told
        row["serial_number"] = after.serial_number
    put(db, doors, ("name", "charge_point"), [row])
