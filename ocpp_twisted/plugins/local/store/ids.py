"""Numbers that are given out once. Imports SQLAlchemy and `tables`."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from ocpp_twisted.plugins.local.store.tables import COUNTER, counters

__all__ = ["HIGHEST", "new_id"]

#: OCPP 1.6 gives ``transactionId`` no size; signed 32 bits are what charge points keep it in.
HIGHEST = 2**31 - 1
_COUNT = update(counters).where(counters.c.name == COUNTER).values(value=counters.c.value + 1)
_COUNTED = select(counters.c.value).where(counters.c.name == COUNTER)


def new_id(db: Connection) -> int:
    """The next number; all processes that share the database count together."""
    db.execute(_COUNT)
    value: int = db.scalars(_COUNTED).one()
    return (value - 1) % HIGHEST + 1
