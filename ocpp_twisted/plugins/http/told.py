"""Operations: what charge points have accepted or told: reservations, profiles, facts, events.

Imports the records, what is hidden, and its neighbours.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from ocpp_twisted.plugins.http.listing import ChargePointQuery, PageQuery, RecordKeeping
from ocpp_twisted.plugins.http.operations import Asked, operation
from ocpp_twisted.recording.redaction import redacted
from ocpp_twisted.records import ChargingProfile, Event, Fact, Page, Reservation

__all__ = ["Told"]


class ReservationsQuery(ChargePointQuery, frozen=True, kw_only=True):
    """Which reservations.

    :ivar active: only those that hold, or only those that are over.
    """

    active: bool | None = None


class FactsQuery(PageQuery, frozen=True, kw_only=True):
    """Which facts.

    :ivar name: under which the charge point connects, if its URL has a name.
    :ivar kind: those of one kind only; docs/local.md lists them.
    """

    name: str = ""
    kind: str | None = None


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
        "/api/v1/charge-points/{id}/facts",
        "What is so at a charge point: its configuration, certificates, firmware...",
        query=FactsQuery,
        answer=Page[Fact],
        problems=("no-records",),
    )
    async def facts(self, asked: Asked) -> Page[Fact]:
        """A page of them, by kind and key, without secrets."""
        query = asked.query
        listed = self.records.list_facts(asked.identity, query.kind, query.after, query.limit)
        page: Page[Fact] = await self.page(listed)
        clean = [replace(fact, data=redacted(None, fact.data)) for fact in page.items]
        return Page(items=tuple(clean), next=page.next)

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
