"""Operations: what charge points have accepted or told: reservations, profiles, security events.

Imports the records and its neighbours.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from ocpp_twisted.plugins.http.listing import ChargePointQuery, RecordKeeping
from ocpp_twisted.plugins.http.operations import Asked, operation
from ocpp_twisted.records import ChargingProfile, Event, Page, Reservation

__all__ = ["Told"]


class ReservationsQuery(ChargePointQuery, frozen=True, kw_only=True):
    """Which reservations.

    :ivar active: only those that hold, or only those that are over.
    """

    active: bool | None = None


class SecurityEventsQuery(ChargePointQuery, frozen=True, kw_only=True):
    """Which security events.

    :ivar since: those that came at this time or later.
    :ivar until: those that came before this time.
    """

    since: Annotated[datetime, Meta(tz=True)] | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None


class Told(RecordKeeping):
    """What charge points have accepted or told."""

    @operation(
        "GET",
        "/api/v1/reservations",
        "Reservations, the newest first.",
        query=ReservationsQuery,
        answer=Page[Reservation],
        problems=("no-records",),
    )
    async def reservations(self, asked: Asked) -> Page[Reservation]:
        """A page of them."""
        query = asked.query
        page: Page[Reservation] = await self.page(
            self.records.list_reservations(query.identity, query.active, query.after, query.limit)
        )
        return page

    @operation(
        "GET",
        "/api/v1/charging-profiles",
        "Charging profiles, the newest first.",
        query=ChargePointQuery,
        answer=Page[ChargingProfile],
        problems=("no-records",),
    )
    async def charging_profiles(self, asked: Asked) -> Page[ChargingProfile]:
        """A page of them."""
        query = asked.query
        page: Page[ChargingProfile] = await self.page(
            self.records.list_charging_profiles(query.identity, query.after, query.limit)
        )
        return page

    @operation(
        "GET",
        "/api/v1/security-events",
        "Security events, the newest first.",
        query=SecurityEventsQuery,
        answer=Page[Event],
        problems=("no-records",),
    )
    async def security_events(self, asked: Asked) -> Page[Event]:
        """A page of them."""
        query = asked.query
        listed = self.records.list_events(
            kind="SecurityEventNotification",
            charge_point=query.identity,
            since=query.since,
            until=query.until,
            after=query.after,
            limit=query.limit,
        )
        page: Page[Event] = await self.page(listed)
        return page
