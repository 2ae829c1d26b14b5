"""Transactions, and who may begin them: told in whatever order and however often. Jobs.

How 2.x tells them is in `transaction_events`. Sources: 1.6 sections 4.7, 4.8 and 4.10 and errata
3.18.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.rules import Decision
from ocpp_twisted.plugins.local.store.ids import HIGHEST, new_id
from ocpp_twisted.plugins.local.store.meters import Measured, add_measured
from ocpp_twisted.plugins.local.store.reservations import used
from ocpp_twisted.plugins.local.store.rows import digest, has, of_charge_point, page, whose
from ocpp_twisted.plugins.local.store.tables import transactions, utc
from ocpp_twisted.plugins.local.store.tags import NEW, decide, key_of
from ocpp_twisted.records import Page, Transaction

__all__ = [
    "Start",
    "Stop",
    "Token",
    "authorize",
    "change_row",
    "close",
    "find",
    "find_row",
    "get",
    "insert_row",
    "list_transactions",
    "meter",
    "of_tag",
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


# -- 1.6 ---------------------------------------------------------------------------------------


def start(
    db: Connection, identity: Identity, begun: Start, token: Token, now: datetime
) -> tuple[int, Decision]:
    """A transaction begins; returns its transactionId. The same again is the same one."""
    tag = of_tag(token.id_tag)
    begun_by = digest([utc(begun.at), begun.connector, tag["tag_key"], begun.meter])
    row = db.execute(_STARTED, {**whose(identity), "begun_by": begun_by}).first()
    if row is not None:
        decision = token.decide(db, now, row.id)
        db.execute(
            update(transactions).where(_table.id == row.id).values(id_tag_status=decision.status)
        )
        return int(row.transaction_id), decision
    transaction_id = _unused_id(db, identity)
    decision = token.decide(db, now, NEW)
    insert_row(
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


def _unused_id(db: Connection, identity: Identity) -> int:
    """A new id that the charge point has not told of itself.

    It has, if the store was brought back from a backup: those told of since then are given out
    once more. What is skipped is skipped once, since the counter has gone on.
    """
    while find_row(db, identity, str(transaction_id := new_id(db))) is not None:
        pass
    return transaction_id


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
    row = find_row(db, identity, known_by)
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
        change_row(db, number, changes)
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
    row = find_row(db, identity, str(transaction_id))
    number = (
        row.id
        if row is not None
        else _unknown(db, identity, str(transaction_id), str(transaction_id), now)
    )
    add_measured(db, number, values)


def _unknown(
    db: Connection, identity: Identity, known_by: str, transaction_id: str, now: datetime
) -> int:
    return insert_row(
        db, identity, known_by, version="1.6", transaction_id=transaction_id, received=now
    )


# -- both --------------------------------------------------------------------------------------


def find_row(db: Connection, identity: Identity, known_by: str) -> Row[Any] | None:
    """The row of a transaction, locked; None if there is none."""
    return db.execute(_KNOWN, {**whose(identity), "known_by": known_by}).first()


def insert_row(db: Connection, identity: Identity, known_by: str, **columns: Any) -> int:
    """A new row; returns its id."""
    result = db.execute(_INSERT, {**whose(identity), "known_by": known_by, **columns})
    number: int = result.inserted_primary_key[0]  # type: ignore[index]
    return number


def change_row(db: Connection, number: int, columns: Mapping[str, Any]) -> None:
    """Change the row of this id."""
    db.execute(_UPDATE, {**columns, "number": number})


def of_tag(id_tag: str) -> dict[str, str]:
    """The columns that say who began a transaction."""
    return {"id_tag": id_tag, "tag_key": key_of(id_tag)}


# -- for `IRecords` ----------------------------------------------------------------------------


def get(db: Connection, number: int) -> Transaction | None:
    """See `IRecords.get_transaction`."""
    row = db.execute(select(transactions).where(_table.id == number)).first()
    return None if row is None else _record(row)


def find(db: Connection, identity: Identity, transaction_id: int | str) -> Transaction | None:
    """See `IRecords.find_transaction`."""
    row = find_row(db, identity, str(transaction_id))
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
