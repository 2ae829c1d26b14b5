"""What the plug-in's records look like from outside: `ocpp_twisted.records.IRecords`.

Imports the records and the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store import (
    charge_points,
    facts,
    ids,
    meters,
    profiles,
    reservations,
    transactions,
)
from ocpp_twisted.plugins.local.store.tags import get_tag, list_tags, put_tags, remove_tag
from ocpp_twisted.plugins.local.store.writer import Runner
from ocpp_twisted.records import (
    Admission,
    ChargePoint,
    ChargingProfile,
    Event,
    Fact,
    IdTag,
    IRecords,
    MeterSample,
    Page,
    Reservation,
    Transaction,
)

__all__ = ["Records"]


@implementer(IRecords)
class Records:
    """Reads and changes what is kept."""

    now: Callable[[], datetime]

    @property
    def store(self) -> Runner:
        """Where jobs run."""
        raise NotImplementedError

    def write_heard(self) -> None:
        """Write who was heard since the last time."""
        raise NotImplementedError

    @property
    def healthy(self) -> bool:
        """See `IRecords.healthy`."""
        return self.store.healthy

    def list_charge_points(
        self, after: str | None = None, limit: int = 100
    ) -> Deferred[Page[ChargePoint]]:
        """See `IRecords.list_charge_points`."""
        self.write_heard()
        return self.store.run(charge_points.list_charge_points, after, limit)

    def get_charge_point(self, charge_point: str | Identity) -> Deferred[ChargePoint | None]:
        """See `IRecords.get_charge_point`."""
        self.write_heard()
        return self.store.run(charge_points.get_charge_point, Identity.of(charge_point))

    def put_charge_point(
        self, charge_point: str | Identity, admission: Admission = "Accepted"
    ) -> Deferred[ChargePoint]:
        """See `IRecords.put_charge_point`."""
        return self.store.run(charge_points.admit, Identity.of(charge_point), admission)

    def delete_charge_point(self, charge_point: str | Identity) -> Deferred[bool]:
        """See `IRecords.delete_charge_point`."""
        self.write_heard()
        return self.store.run(charge_points.forget, Identity.of(charge_point))

    def list_id_tags(self, after: str | None = None, limit: int = 100) -> Deferred[Page[IdTag]]:
        """See `IRecords.list_id_tags`."""
        return self.store.run(list_tags, after, limit)

    def get_id_tag(self, id_tag: str) -> Deferred[IdTag | None]:
        """See `IRecords.get_id_tag`."""
        return self.store.run(get_tag, id_tag)

    def put_id_tags(self, tags: Sequence[IdTag]) -> Deferred[int]:
        """See `IRecords.put_id_tags`."""
        return self.store.run(put_tags, list(tags))

    def delete_id_tag(self, id_tag: str) -> Deferred[bool]:
        """See `IRecords.delete_id_tag`."""
        return self.store.run(remove_tag, id_tag)

    def list_transactions(
        self,
        charge_point: str | Identity | None = None,
        id_tag: str | None = None,
        is_open: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Deferred[Page[Transaction]]:
        """See `IRecords.list_transactions`."""
        return self.store.run(
            transactions.list_transactions,
            _whose(charge_point),
            id_tag,
            is_open,
            since,
            until,
            after,
            limit,
        )

    def get_transaction(self, id: int) -> Deferred[Transaction | None]:  # noqa: A002
        """See `IRecords.get_transaction`."""
        return self.store.run(transactions.get, id)

    def find_transaction(
        self, charge_point: str | Identity, transaction_id: int | str
    ) -> Deferred[Transaction | None]:
        """See `IRecords.find_transaction`."""
        return self.store.run(transactions.find, Identity.of(charge_point), transaction_id)

    def close_transaction(self, id: int) -> Deferred[Transaction | None]:  # noqa: A002
        """See `IRecords.close_transaction`."""
        return self.store.run(transactions.close, id, self.now())

    def meter_values(
        self,
        id: int,  # noqa: A002
        after: str | None = None,
        limit: int = 1000,
    ) -> Deferred[Page[MeterSample]]:
        """See `IRecords.meter_values`."""
        return self.store.run(meters.list_samples, id, after, limit)

    def list_reservations(
        self,
        charge_point: str | Identity | None = None,
        is_active: bool | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Deferred[Page[Reservation]]:
        """See `IRecords.list_reservations`."""
        whose, now = _whose(charge_point), self.now()
        return self.store.run(reservations.list_reservations, whose, is_active, now, after, limit)

    def list_charging_profiles(
        self,
        charge_point: str | Identity | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Deferred[Page[ChargingProfile]]:
        """See `IRecords.list_charging_profiles`."""
        return self.store.run(profiles.list_profiles, _whose(charge_point), after, limit)

    def list_events(
        self,
        kind: str | None = None,
        charge_point: str | Identity | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Deferred[Page[Event]]:
        """See `IRecords.list_events`."""
        whose = _whose(charge_point)
        return self.store.run(facts.list_events, kind, whose, since, until, after, limit)

    def list_facts(
        self,
        charge_point: str | Identity,
        kind: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Deferred[Page[Fact]]:
        """See `IRecords.list_facts`."""
        return self.store.run(facts.list_facts, Identity.of(charge_point), kind, after, limit)

    def new_id(self) -> Deferred[int]:
        """See `IRecords.new_id`."""
        return self.store.run(ids.new_id)


def _whose(charge_point: str | Identity | None) -> Identity | None:
    return None if charge_point is None else Identity.of(charge_point)
