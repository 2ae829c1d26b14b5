"""Transactions as 2.x tells them: events with numbers, in whatever order and however often. Jobs.

Sources: 2.x use cases E01 to E15; part 2, seqNo of TransactionEventRequest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select
from twisted.python.failure import Failure

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.rules import Decision, ITariff
from ocpp_twisted.plugins.local.store import seen
from ocpp_twisted.plugins.local.store.facts import happened
from ocpp_twisted.plugins.local.store.meters import Measured, add_measured, register
from ocpp_twisted.plugins.local.store.reservations import used
from ocpp_twisted.plugins.local.store.tables import transactions
from ocpp_twisted.plugins.local.store.transactions import (
    Token,
    change_row,
    find_row,
    get,
    insert_row,
    of_tag,
)
from ocpp_twisted.records import Transaction

__all__ = ["Cost", "Event", "event"]

#: What a transaction costs; None if that is not known, a Failure if the tariff has failed.
Cost = float | Failure | None


class Event(NamedTuple):
    """Something has happened in a transaction, as 2.x tells it.

    :ivar kind: ``Started``, ``Updated`` or ``Ended``.
    :ivar facts: columns of `transactions` and what the event says of them.
    :ivar is_stopping: whether its token ends the transaction.
    :ivar token_type: of its token: IdTokenEnumType.
    :ivar payload: makes the whole of it, as on the wire.
    """

    version: str
    transaction_id: str
    kind: str
    at: datetime
    seq_no: int
    facts: Mapping[str, Any]
    is_stopping: bool
    token_type: str | None
    payload: Callable[[], dict[str, Any]]


def event(
    db: Connection,
    identity: Identity,
    told: Event,
    token: Token | None,
    values: Sequence[Measured],
    tariff: ITariff | None,
    now: datetime,
) -> tuple[Decision | None, Cost, bool]:
    """Something has happened; events may come again and in any order.

    A number that has come stands for the event that came with it first. What else comes with it
    may only add to that: facts that no event has told, an end among them, and meter values. An
    event that does, or that contradicts the first, is kept in `events` as it is.

    :returns: what is decided of the token, what the transaction costs (a Failure if the tariff
        fails), and whether this is the first event of it with a number that another one had.
    """
    row = find_row(db, identity, told.transaction_id)
    if row is None:
        number = insert_row(
            db,
            identity,
            told.transaction_id,
            version=told.version,
            transaction_id=told.transaction_id,
            received=now,
        )
        row = db.execute(select(transactions).where(transactions.c.id == number)).one()
    is_new = not seen.has(row.told, told.seq_no)
    changes = _news(row, told, token, values)
    other = False
    if not is_new:
        other, changes = _not_told_yet(row, told, changes)
    decision = None
    if token is not None:
        decision = _decision(db, row, told, token, now)
        if changes.get("id_tag") is not None or _began(row, told, token):
            changes["id_tag_status"] = decision.status
    record = seen.added(row.told, told.seq_no, told.kind, changes)
    other |= add_measured(db, row.id, values, count=not is_new) > 0
    if other:
        happened(db, identity, "TransactionEvent", [(told.at, told.payload())], now)
    first_other = other and not record.get("others", False)
    changes["told"] = {**record, "others": True} if other else record
    changes["complete"] = int(seen.is_complete(record))
    change_row(db, row.id, changes)
    if is_new and (reservation := told.facts.get("reservation_id")) is not None:
        used(db, identity, reservation)
    cost = None if tariff is None else _cost(db, row.id, values, tariff)
    return decision, cost, first_other


def _began(row: Row[Any], told: Event, token: Token) -> bool:
    """Whether this is the event that told who began the transaction, once more."""
    is_it: bool = row.told is not None and row.told["by"].get("id_tag") == told.seq_no
    return is_it and row.id_tag == token.id_tag


def _not_told_yet(
    row: Row[Any], told: Event, changes: Mapping[str, Any]
) -> tuple[bool, dict[str, Any]]:
    """What an event whose number has come adds; and whether it is another one than came first."""
    by: Mapping[str, int] = row.told["by"]
    added = {column: value for column, value in changes.items() if column not in by}
    contradicts = any(
        getattr(row, column) != value
        for column, value in changes.items()
        if by.get(column) == told.seq_no
    )
    return bool(added) or contradicts, added


def _news(
    row: Row[Any], told: Event, token: Token | None, values: Sequence[Measured]
) -> dict[str, Any]:
    """The columns that an event changes: a fact is as the latest event that tells it says.

    Only who began it is as the earliest event says: a later token may be another of its group.
    """
    facts = dict(told.facts)
    if token is not None and told.is_stopping:
        facts["stop_id_tag"] = token.id_tag
    facts |= _registers(told.kind, values)
    latest: Mapping[str, int] = (row.told or {}).get("by", {})
    changes = {
        column: value
        for column, value in facts.items()
        if told.seq_no >= latest.get(column, told.seq_no)
    }
    if (
        token is not None
        and not told.is_stopping
        and told.seq_no <= latest.get("id_tag", told.seq_no)
    ):
        changes |= of_tag(token.id_tag)
    return changes


def _registers(kind: str, values: Sequence[Measured]) -> dict[str, float]:
    """What the energy register showed at the start and the end, where an event tells it."""
    found = {}
    readings = register(values)
    if begins := register(values, "Transaction.Begin") or readings * (kind == "Started"):
        found["meter_start"] = begins[0]
    if ends := register(values, "Transaction.End") or readings * (kind == "Ended"):
        found["meter_stop"] = ends[-1]
    return found


def _decision(db: Connection, row: Row[Any], told: Event, token: Token, now: datetime) -> Decision:
    decision = token.decide(db, now, None if told.is_stopping else row.id)
    if decision.status == "Unknown":
        remote = told.facts.get("remote_start_id", row.remote_start_id) is not None
        # No tag at all (C02), or one that the operator's own system made up for a remote start
        # (C05): nobody has entered these, and they are right.
        if told.token_type == "NoAuthorization" or (told.token_type == "Central" and remote):
            return Decision("Accepted")
    return decision


def _cost(db: Connection, number: int, values: Sequence[Measured], tariff: ITariff) -> Cost:
    transaction = get(db, number)
    assert transaction is not None
    if transaction.meterStop is None and (readings := register(values)):
        transaction = _with_meter(transaction, readings[-1])
    try:
        cost = tariff.cost(transaction)
        if cost is not None and not math.isfinite(cost := float(cost)):
            raise ValueError(f"the tariff returns {cost}")
    except Exception:
        return Failure()  # the event is kept all the same
    change_row(db, number, {"total_cost": cost})
    return cost


def _with_meter(transaction: Transaction, reading: float) -> Transaction:
    fields = {name: getattr(transaction, name) for name in transaction.__struct_fields__}
    return Transaction(**{**fields, "meterStop": reading})
