"""Transactions, and who may begin them: told in whatever order and however often. Jobs.

Sources: 1.6 sections 4.7, 4.8 and 4.10 and errata 3.18; 2.x use cases E01 to E15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.rules import Decision, ITariff
from ocpp_twisted.plugins.local.store import seen
from ocpp_twisted.plugins.local.store.facts import happened
from ocpp_twisted.plugins.local.store.ids import HIGHEST, new_id
from ocpp_twisted.plugins.local.store.meters import Measured, add_measured, register
from ocpp_twisted.plugins.local.store.reservations import used
from ocpp_twisted.plugins.local.store.rows import digest, has, of_charge_point, page, whose
from ocpp_twisted.plugins.local.store.tables import transactions, utc
from ocpp_twisted.plugins.local.store.tags import NEW, decide, key_of
from ocpp_twisted.records import Page, Transaction

__all__ = [
    "Event",
    "Start",
    "Stop",
    "Token",
    "authorize",
    "close",
    "event",
    "find",
    "get",
    "list_transactions",
    "meter",
    "start",
    "stop",
]

_table = transactions.c
_INSERT = insert(transactions)
_UPDATE = update(transactions).where(_table.id == bindparam("number"))
# Locked, since another process may be told of the same transaction.
_KNOWN = (
    select(transactions)
    .where(of_charge_point(transactions), _table.known_by == bindparam("known_by"))
    .with_for_update()
)
_STARTED = select(_table.id, _table.transaction_id).where(
    of_charge_point(transactions), _table.begun_by == bindparam("begun_by")
)


class Token(NamedTuple):
    """A tag, and what is to be thought of it.

    :ivar decision: what somebody has decided already; None to look in the records.
    :ivar everybody: whether tags that nobody has entered may charge.
    """

    id_tag: str
    decision: Decision | None
    everybody: bool

    def decide(self, db: Connection, now: datetime, starting: int | None = None) -> Decision:
        """See `tags.decide`."""
        return self.decision or decide(db, self.id_tag, self.everybody, now, starting)


def authorize(db: Connection, token: Token, token_type: str, now: datetime) -> Decision:
    """May it charge? Nobody enters what stands for no tag at all (2.x use case C02)."""
    decision = token.decide(db, now)
    if decision.status == "Unknown" and token_type == "NoAuthorization":
        return Decision("Accepted")
    return decision


class Start(NamedTuple):
    """A transaction begins, as 1.6 tells it. Two that are equal tell of the same one.

    :ivar meter: the energy register, Wh.
    """

    connector: int
    at: datetime
    meter: float | None
    reservation: int | None


class Stop(NamedTuple):
    """A transaction has ended, as 1.6 tells it.

    :ivar meter: the energy register, Wh.
    """

    transaction_id: int
    at: datetime
    meter: float | None
    reason: str


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


# -- 1.6 ---------------------------------------------------------------------------------------


def start(
    db: Connection, identity: Identity, begun: Start, token: Token, now: datetime
) -> tuple[int, Decision]:
    """A transaction begins; returns its transactionId. The same again is the same one."""
    tag = _of_tag(token.id_tag)
    begun_by = digest([utc(begun.at), begun.connector, tag["tag_key"], begun.meter])
    row = db.execute(_STARTED, {**whose(identity), "begun_by": begun_by}).first()
    if row is not None:
        decision = token.decide(db, now, row.id)
        db.execute(
            update(transactions).where(_table.id == row.id).values(id_tag_status=decision.status)
        )
        return int(row.transaction_id), decision
    transaction_id = new_id(db)
    decision = token.decide(db, now, NEW)
    _insert(
        db,
        identity,
        str(transaction_id),
        version="1.6",
        transaction_id=str(transaction_id),
        begun_by=begun_by,
        connector_id=begun.connector,
        started=begun.at,
        meter_start=begun.meter,
        reservation_id=begun.reservation,
        received=now,
        id_tag_status=decision.status,
        **tag,
    )
    if begun.reservation is not None:
        used(db, identity, begun.reservation)
    return transaction_id, decision


def stop(
    db: Connection,
    identity: Identity,
    ended: Stop,
    token: Token | None,
    values: Sequence[Measured],
    now: datetime,
) -> tuple[bool, Decision | None]:
    """A transaction has ended; what is said of one that had ended changes nothing.

    One that is not known is kept too: it may be from before the store, or have got no id.

    :returns: whether the transaction was known.
    """
    transaction_id = ended.transaction_id
    known_by = str(transaction_id)
    if not 0 < transaction_id <= HIGHEST:
        # Not given out by any central system: the charge point had no id (errata 3.18).
        known_by = f"{transaction_id} {utc(ended.at).isoformat()} {ended.meter}"
    row = _find(db, identity, known_by)
    number = (
        row.id if row is not None else _unknown(db, identity, known_by, str(transaction_id), now)
    )
    if row is None or row.stopped is None or row.stopped == row.closed:
        changes = {
            "stopped": ended.at,
            "meter_stop": ended.meter,
            "reason": ended.reason,
            "stop_id_tag": None if token is None else token.id_tag,
        }
        _change(db, number, changes)
    add_measured(db, number, values)
    return row is not None, None if token is None else token.decide(db, now)


def meter(
    db: Connection,
    identity: Identity,
    transaction_id: int,
    values: Sequence[Measured],
    now: datetime,
) -> None:
    """A meter was read in a transaction, which begins for us with that if we know it not."""
    row = _find(db, identity, str(transaction_id))
    number = (
        row.id
        if row is not None
        else _unknown(db, identity, str(transaction_id), str(transaction_id), now)
    )
    add_measured(db, number, values)


def _unknown(
    db: Connection, identity: Identity, known_by: str, transaction_id: str, now: datetime
) -> int:
    return _insert(
        db, identity, known_by, version="1.6", transaction_id=transaction_id, received=now
    )


# -- 2.x ---------------------------------------------------------------------------------------


def event(
    db: Connection,
    identity: Identity,
    told: Event,
    token: Token | None,
    values: Sequence[Measured],
    tariff: ITariff | None,
    now: datetime,
) -> tuple[Decision | None, float | None, bool]:
    """Something has happened; events may come again and in any order.

    A number that has come stands for the event that came with it first. What else comes with it
    may only add to that: facts that no event has told, an end among them, and meter values. An
    event that does, or that contradicts the first, is kept in `events` as it is.

    :returns: what is decided of the token, what the transaction costs, and whether this is the
        first event of the transaction with a number that another one had.
    """
    row = _find(db, identity, told.transaction_id)
    if row is None:
        number = _insert(
            db,
            identity,
            told.transaction_id,
            version=told.version,
            transaction_id=told.transaction_id,
            received=now,
        )
        row = db.execute(select(transactions).where(_table.id == number)).one()
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
    _change(db, row.id, changes)
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
        changes |= _of_tag(token.id_tag)
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


def _cost(db: Connection, number: int, values: Sequence[Measured], tariff: ITariff) -> float | None:
    transaction = get(db, number)
    assert transaction is not None
    if transaction.meterStop is None and (readings := register(values)):
        cost = tariff.cost(_with_meter(transaction, readings[-1]))
    else:
        cost = tariff.cost(transaction)
    _change(db, number, {"total_cost": cost})
    return cost


def _with_meter(transaction: Transaction, reading: float) -> Transaction:
    fields = {name: getattr(transaction, name) for name in transaction.__struct_fields__}
    return Transaction(**{**fields, "meterStop": reading})


# -- both --------------------------------------------------------------------------------------


def _find(db: Connection, identity: Identity, known_by: str) -> Row[Any] | None:
    return db.execute(_KNOWN, {**whose(identity), "known_by": known_by}).first()


def _insert(db: Connection, identity: Identity, known_by: str, **columns: Any) -> int:
    result = db.execute(_INSERT, {**whose(identity), "known_by": known_by, **columns})
    number: int = result.inserted_primary_key[0]  # type: ignore[index]
    return number


def _change(db: Connection, number: int, columns: Mapping[str, Any]) -> None:
    db.execute(_UPDATE, {**columns, "number": number})


def _of_tag(id_tag: str) -> dict[str, str]:
    return {"id_tag": id_tag, "tag_key": key_of(id_tag)}


# -- for `IRecords` ----------------------------------------------------------------------------


def get(db: Connection, number: int) -> Transaction | None:
    """See `IRecords.get_transaction`."""
    row = db.execute(select(transactions).where(_table.id == number)).first()
    return None if row is None else _record(row)


def find(db: Connection, identity: Identity, transaction_id: int | str) -> Transaction | None:
    """See `IRecords.find_transaction`."""
    row = _find(db, identity, str(transaction_id))
    return None if row is None else _record(row)


def list_transactions(
    db: Connection,
    identity: Identity | None,
    id_tag: str | None,
    is_open: bool | None,
    since: datetime | None,
    until: datetime | None,
    after: str | None,
    limit: int,
) -> Page[Transaction]:
    """See `IRecords.list_transactions`."""
    query: Select[Any] = select(transactions)
    if identity is not None:
        query = query.where(has(transactions, identity))
    if id_tag is not None:
        query = query.where(_table.tag_key == key_of(id_tag))
    if is_open is not None:
        query = query.where(_table.stopped.is_(None) if is_open else _table.stopped.is_not(None))
    if since is not None:
        query = query.where(_table.received >= since)
    if until is not None:
        query = query.where(_table.received < until)
    return page(db, query, [_table.id], after, limit, _record, newest_first=True)


def close(db: Connection, number: int, now: datetime) -> Transaction | None:
    """See `IRecords.close_transaction`."""
    db.execute(
        update(transactions)
        .where(_table.id == number, _table.stopped.is_(None))
        .values(stopped=now, closed=now)
    )
    return get(db, number)


def _record(row: Row[Any]) -> Transaction:
    is_v16 = row.version == "1.6"
    return Transaction(
        id=row.id,
        chargePoint=row.charge_point,
        name=row.name,
        version=row.version,
        transactionId=int(row.transaction_id) if is_v16 else row.transaction_id,
        evseId=row.evse_id,
        connectorId=row.connector_id,
        idTag=row.id_tag,
        idTagStatus=row.id_tag_status,
        stopIdTag=row.stop_id_tag,
        started=row.started,
        stopped=row.stopped,
        reason=row.reason,
        closed=row.closed,
        meterStart=row.meter_start,
        meterStop=row.meter_stop,
        chargingState=row.charging_state,
        reservationId=row.reservation_id,
        remoteStartId=row.remote_start_id,
        complete=None if is_v16 else bool(row.complete),
        totalCost=row.total_cost,
    )
