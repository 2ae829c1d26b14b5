"""Reservations. Jobs, see the package. Sources: 1.6 section 5.13; 2.x use cases H01 to H04."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store.rows import has, page, put, whose
from ocpp_twisted.plugins.local.store.tables import reservations
from ocpp_twisted.records import Page, Reservation

__all__ = ["ended", "list_reservations", "reserved", "used"]

_table = reservations.c


def reserved(db: Connection, identity: Identity, reservation: dict[str, Any]) -> None:
    """A charge point has accepted a reservation, which replaces the one of its id."""
    row = {**whose(identity), "status": "Accepted", **reservation}
    put(db, reservations, ("name", "charge_point", "reservation_id"), [row])


def used(db: Connection, identity: Identity, reservation_id: int) -> None:
    """A transaction was begun on it."""
    ended(db, identity, reservation_id, "Used")


def ended(db: Connection, identity: Identity, reservation_id: int, status: str) -> None:
    """It holds no longer. The first reason counts."""
    db.execute(
        update(reservations)
        .where(has(reservations, identity), _table.reservation_id == reservation_id)
        .where(_table.status == "Accepted")
        .values(status=status)
    )


def list_reservations(
    db: Connection,
    identity: Identity | None,
    is_active: bool | None,
    now: datetime,
    after: str | None,
    limit: int,
) -> Page[Reservation]:
    """See `IRecords.list_reservations`."""
    query: Select[Any] = select(reservations)
    if identity is not None:
        query = query.where(has(reservations, identity))
    if is_active is not None:
        holds = (_table.status == "Accepted") & (_table.expiry_date > now)
        query = query.where(holds if is_active else ~holds)

    def record(row: Row[Any]) -> Reservation:
        expired = row.status == "Accepted" and row.expiry_date <= now
        return Reservation(
            id=row.id,
            chargePoint=row.charge_point,
            name=row.name,
            reservationId=row.reservation_id,
            evseId=row.evse_id,
            connectorId=row.connector_id,
            connectorType=row.connector_type,
            idTag=row.id_tag,
            parentIdTag=row.parent_id_tag,
            expiryDate=row.expiry_date,
            status="Expired" if expired else row.status,
        )

    return page(db, query, [_table.id], after, limit, record, newest_first=True)
