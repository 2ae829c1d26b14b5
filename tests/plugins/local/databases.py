"""An empty database for a test: in memory, or in PostgreSQL if OCPP_TEST_POSTGRES is its URL.

That database is emptied without asking.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, text

from ocpp_twisted.plugins.local.store.database import open_database
from ocpp_twisted.plugins.local.store.tables import metadata

__all__ = ["POSTGRES", "empty_database", "empty_url"]

POSTGRES = os.environ.get("OCPP_TEST_POSTGRES")


def empty_database() -> Engine:
    """An empty database that only one thread uses."""
    return _emptied() if POSTGRES else open_database("sqlite://")


def empty_url(directory: Path) -> str:
    """The URL of an empty database that threads and processes may use."""
    if POSTGRES:
        _emptied()
        return POSTGRES
    directory.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{directory.absolute()}/records.db"


@cache
def _postgres() -> Engine:
    assert POSTGRES is not None
    return open_database(POSTGRES)


def _emptied() -> Engine:
    engine = _postgres()
    tables = [name for name in metadata.tables if name not in ("settings", "counters")]
    with engine.begin() as db:
        db.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY"))
    return engine
