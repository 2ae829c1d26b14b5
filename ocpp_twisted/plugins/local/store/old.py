"""What is old enough to be deleted, a little at a time. Jobs, see the package.

Each returns whether there may be more, so that whoever runs them can let others in between.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from ocpp_twisted.plugins.local.store.tables import events, meter_values, transactions

__all__ = ["forget_events", "forget_transactions", "old_events", "old_transactions"]

#: How many rows a job deletes at most, and of how many transactions: others wait meanwhile.
_ROWS = 500
_TRANSACTIONS = 50


def old_events(before: datetime) -> Select[Any]:
    """Those that came before then, the oldest first: some of them."""
    table = events.c
    old = select(table.id).where(table.received < before)
    return old.order_by(table.received).limit(_ROWS)


def old_transactions(before: datetime) -> Select[Any]:
    """Those that have ended before then, and of which nothing is missing: some of them.

    We were told of them before then, too: a charge point's clock may be wrong. One that an
    operator has closed has nothing to wait for.
    """
    table = transactions.c
    whole = table.complete.is_(None) | (table.complete == 1) | table.closed.is_not(None)
    old = select(table.id).where(table.stopped < before, table.received < before, whole)
    return old.order_by(table.stopped).limit(_TRANSACTIONS)


def forget_events(db: Connection, before: datetime) -> bool:
    """Delete old events."""
    gone = db.execute(delete(events).where(events.c.id.in_(old_events(before))))
    return gone.rowcount >= _ROWS


def forget_transactions(db: Connection, before: datetime) -> bool:
    """Delete old transactions, their meter values first."""
    old = db.scalars(old_transactions(before)).all()
    if not old:
        return False
    values = meter_values.c
    some = select(values.id).where(values.transaction.in_(old)).limit(_ROWS)
    if db.execute(delete(meter_values).where(values.id.in_(some))).rowcount >= _ROWS:
        return True
    db.execute(delete(transactions).where(transactions.c.id.in_(old)))
    return len(old) >= _TRANSACTIONS
