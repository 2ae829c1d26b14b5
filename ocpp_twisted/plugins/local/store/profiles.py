"""Charging profiles: those set, and those reported. Jobs, see the package.

Sources: 1.6 sections 5.5 and 5.16; 2.x use cases K01, K09 and K10.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, select

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store.rows import has, page, put, whose
from ocpp_twisted.plugins.local.store.tables import charging_profiles
from ocpp_twisted.records import ChargingProfile, Page

__all__ = ["clear_profiles", "keep_profiles", "list_profiles", "set_profile"]

_table = charging_profiles.c


def keep_profiles(
    db: Connection,
    identity: Identity,
    evse_id: int | None,
    profiles: Sequence[dict[str, Any]],
    now: datetime,
) -> None:
    """These profiles are at the charge point; each replaces the one of its id.

    :param profiles: ChargingProfiles of any version, as on the wire.
    """
    rows = [
        {
            **whose(identity),
            "evse_id": evse_id,
            "charging_profile_id": profile.get("chargingProfileId", profile.get("id")),
            "stack_level": profile["stackLevel"],
            "purpose": profile["chargingProfilePurpose"],
            "profile": profile,
            "timestamp": now,
        }
        for profile in profiles
    ]
    put(db, charging_profiles, ("name", "charge_point", "charging_profile_id"), rows)


def set_profile(
    db: Connection, identity: Identity, evse_id: int, profile: dict[str, Any], now: datetime
) -> None:
    """A profile was set: it takes the place of one that would stand beside it (K01.FR.05)."""
    clear_profiles(
        db,
        identity,
        profile_id=None,
        evse_id=evse_id,
        purpose=profile["chargingProfilePurpose"],
        stack_level=profile["stackLevel"],
    )
    keep_profiles(db, identity, evse_id, [profile], now)


def clear_profiles(
    db: Connection,
    identity: Identity,
    *,
    profile_id: int | None,
    evse_id: int | None,
    purpose: str | None,
    stack_level: int | None,
) -> None:
    """These are there no longer: the one of that id, or else all for which everything is so."""
    wanted: list[ColumnElement[bool]] = [has(charging_profiles, identity)]
    if profile_id is not None:
        wanted.append(_table.charging_profile_id == profile_id)
    else:
        for column, value in (
            (_table.evse_id, evse_id),
            (_table.purpose, purpose),
            (_table.stack_level, stack_level),
        ):
            if value is not None:
                wanted.append(column == value)
    db.execute(delete(charging_profiles).where(*wanted))


def list_profiles(
    db: Connection, identity: Identity | None, after: str | None, limit: int
) -> Page[ChargingProfile]:
    """See `IRecords.list_charging_profiles`."""
    query: Select[Any] = select(charging_profiles)
    if identity is not None:
        query = query.where(has(charging_profiles, identity))

    def record(row: Row[Any]) -> ChargingProfile:
        return ChargingProfile(
            id=row.id,
            chargePoint=row.charge_point,
            name=row.name,
            evseId=row.evse_id,
            chargingProfileId=row.charging_profile_id,
            stackLevel=row.stack_level,
            chargingProfilePurpose=row.purpose,
            profile=row.profile,
            timestamp=row.timestamp,
        )

    return page(db, query, [_table.id], after, limit, record, newest_first=True)
