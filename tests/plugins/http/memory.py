"""Records in memory: another keeper of records than the plug-in local, for the HTTP interface."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from ocpp_twisted.errors import RecordsUnavailable
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.records import ChargePoint, IRecords, Page

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@implementer(IRecords)
class MemoryRecords(ActionPlugin):
    """
    :ivar healthy: if not, everything fails.
    """

    name = "memory"
    healthy = True

    def __init__(self) -> None:
        self.charge_points = {}
        self.tags = {}
        self.transactions = {}
        self.samples = {}
        self.reservations = []
        self.profiles = []
        self.events = []
        self.facts = []

    def _told(self, value: Any) -> Deferred[Any]:
        if not self.healthy:
            return fail(RecordsUnavailable("the disk is full"))
        return succeed(value)

    def _page(self, records: Iterable[Any], after: str | None, limit: int) -> Deferred[Any]:
        records = list(records)
        try:
            start = int(after or 0)
        except ValueError:
            return fail(ValueError(f"{after!r} is no place in a list"))
        end = start + limit
        following = str(end) if end < len(records) else None
        return self._told(Page(items=tuple(records[start:end]), next=following))

    @staticmethod
    def _of(records: Iterable[Any], charge_point: Any) -> list[Any]:
        wanted = None if charge_point is None else Identity.of(charge_point)
        return [one for one in records if wanted in (None, Identity(one.chargePoint, one.name))]

    def list_charge_points(self, after=None, limit=100):
        return self._page(self.charge_points.values(), after, limit)

    def get_charge_point(self, charge_point):
        return self._told(self.charge_points.get(Identity.of(charge_point)))

    def put_charge_point(self, charge_point, admission="Accepted"):
        identity = Identity.of(charge_point)
        record = ChargePoint(id=identity.id, name=identity.name, admission=admission)
        self.charge_points[identity] = record
        return self._told(record)

    def delete_charge_point(self, charge_point):
        return self._told(self.charge_points.pop(Identity.of(charge_point), None) is not None)

    def list_id_tags(self, after=None, limit=100):
        return self._page(self.tags.values(), after, limit)

    def get_id_tag(self, id_tag):
        return self._told(self.tags.get(id_tag.lower()))

    def put_id_tags(self, tags):
        before = len(self.tags)
        self.tags |= {tag.idTag.lower(): tag for tag in tags}
        return self._told(len(self.tags) - before)

    def delete_id_tag(self, id_tag):
        return self._told(self.tags.pop(id_tag.lower(), None) is not None)

    def list_transactions(
        self,
        charge_point=None,
        id_tag=None,
        is_open=None,
        since=None,
        until=None,
        after=None,
        limit=100,
    ):
        chosen = [
            one
            for one in self._of(self.transactions.values(), charge_point)
            if id_tag in (None, one.idTag)
            and is_open in (None, one.stopped is None)
            and (since is None or one.started >= since)
            and (until is None or one.started < until)
        ]
        return self._page(chosen, after, limit)

    def get_transaction(self, id):  # noqa: A002
        return self._told(self.transactions.get(id))

    def find_transaction(self, charge_point, transaction_id):
        found = [
            one
            for one in self._of(self.transactions.values(), charge_point)
            if one.transactionId == transaction_id
        ]
        return self._told(found[0] if found else None)

    def close_transaction(self, id):  # noqa: A002
        transaction = self.transactions.get(id)
        if transaction is not None and transaction.stopped is None:
            transaction = self.transactions[id] = replace(transaction, stopped=NOW, closed=NOW)
        return self._told(transaction)

    def meter_values(self, id, after=None, limit=1000):  # noqa: A002
        return self._page(self.samples.get(id, ()), after, limit)

    def list_reservations(self, charge_point=None, is_active=None, after=None, limit=100):
        chosen = [
            one
            for one in self._of(self.reservations, charge_point)
            if is_active in (None, one.status == "Accepted")
        ]
        return self._page(chosen, after, limit)

    def list_charging_profiles(self, charge_point=None, after=None, limit=100):
        return self._page(self._of(self.profiles, charge_point), after, limit)

    def list_events(
        self, kind=None, charge_point=None, since=None, until=None, after=None, limit=100
    ):
        chosen = [
            one
            for one in self._of(self.events, charge_point)
            if kind in (None, one.kind)
            and (since is None or one.timestamp >= since)
            and (until is None or one.timestamp < until)
        ]
        return self._page(chosen, after, limit)

    def list_facts(self, charge_point, kind=None, after=None, limit=100):
        chosen = self._of(self.facts, charge_point)
        return self._page([one for one in chosen if kind in (None, one.kind)], after, limit)

    def new_id(self):
        return self._told(1)
