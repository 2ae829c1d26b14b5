"""Opens the database: SQLite or PostgreSQL, by its URL.

Imports SQLAlchemy, the errors, `writable` and its neighbour `tables`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.pool import StaticPool

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.plugins.local.store import tables
from ocpp_twisted.plugins.local.store.tables import COUNTER, PROBE, VERSION
from ocpp_twisted.writable import obstacle

__all__ = ["check_database", "open_database", "probe"]

#: Seconds to wait for another process that writes, and for PostgreSQL to take a connection.
_BUSY = 10
_CONNECT = 5


def open_database(url: str, own_directory: Path | None = None) -> Engine:
    """Open the database, and make its tables if it has none.

    :param url: ``sqlite://`` (in memory, for one thread), ``sqlite:///relative/file``,
        ``sqlite:////absolute/file`` or ``postgresql://user@host/name``.
    :param own_directory: the one directory that is made if the file of SQLite is in it.
    :raises ConfigurationError: if that cannot be done; the text says why, and no password.
    """
    engine = check_database(url, own_directory)
    shown = engine.url.render_as_string(hide_password=True)
    try:
        if (file := _file(engine.url)) is not None:
            if own_directory is not None and file.absolute().parent == own_directory.absolute():
                file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(
                mode=0o600
            )  # it holds who charged when; SQLite gives its other files the same
        _prepare(engine, shown)
    except (DBAPIError, OSError) as error:
        raise ConfigurationError(f"the store {shown} cannot be opened: {_said(error)}") from error
    return engine


def check_database(url: str, own_directory: Path | None = None) -> Engine:
    """See what can be seen without opening the database: its URL, its driver, its place.

    :returns: what opens it when it is used.
    :raises ConfigurationError: as `open_database`.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return _postgresql(parsed)
        file = _file(parsed)
        if file is not None and (reason := obstacle(file, own_directory)):
            raise ConfigurationError(f"the store {url} cannot be opened: {reason}")
        return _sqlite(parsed)
    except ArgumentError:
        raise ConfigurationError(
            "the store is no URL; use sqlite:////var/lib/ocpp/records.db or "
            "postgresql://user@host/database"
        ) from None


def probe(db: Connection) -> None:
    """Write about as much as a batch of jobs does, to see whether it can be written."""
    value = tables.settings.update().where(tables.settings.c.name == PROBE)
    # SQLite writes nothing where the new value is the old one.
    db.execute(value.values(value=os.urandom(32768).hex()))


def _said(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(cause).split())


def _file(url: URL) -> Path | None:
    """The file of SQLite; None if there is none."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(url.database)


def _sqlite(url: URL) -> Engine:
    options: dict[str, Any] = {"poolclass": StaticPool}
    if _file(url) is not None:
        options = {"pool_size": 1, "max_overflow": 0}
    engine = create_engine(
        url, connect_args={"timeout": _BUSY, "check_same_thread": False}, **options
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, record: object) -> None:
        # Python's sqlite3 would begin transactions by itself, and later than we need it.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        # With NORMAL, a power cut takes the last commits of a WAL away.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # At once for writing: a reader that becomes a writer can fail where waiting does not help.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError(
            f"the store is a {url.get_backend_name()} URL; "
            "use sqlite:////absolute/file or postgresql://user@host/database"
        )
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=1,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _CONNECT, "options": "-c TimeZone=UTC"},
        )
    except ImportError as error:
        raise ConfigurationError(
            "a store in PostgreSQL needs psycopg: pip install 'ocpp-twisted[postgres]'"
        ) from error


def _prepare(engine: Engine, shown: str) -> None:
    try:
        _make(engine)
    except (IntegrityError, DBAPIError):
        # Another process may have made the tables at the same time.
        _make(engine)
    with engine.begin() as db:
        settings = tables.settings
        found = db.scalar(select(settings.c.value).where(settings.c.name == VERSION))
    if found is None or not found.isdecimal() or int(found) > tables.SCHEMA_VERSION:
        raise ConfigurationError(
            f"the store {shown} is of version {found}, and this program knows versions up to "
            f"{tables.SCHEMA_VERSION}: use a newer ocpp_twisted, or another store"
        )


def _make(engine: Engine) -> None:
    with engine.begin() as db:
        tables.metadata.create_all(db)
        for table in tables.metadata.sorted_tables:
            for index in table.indexes:  # one that an older store has not
                index.create(db, checkfirst=True)
        if db.scalar(select(tables.settings.c.value).where(tables.settings.c.name == VERSION)):
            return
        db.execute(
            insert(tables.settings),
            [{"name": VERSION, "value": str(tables.SCHEMA_VERSION)}, {"name": PROBE, "value": ""}],
        )
        # Charge points may still tell of transactions in a store that was lost: another store
        # gives out other numbers, as long as there was less than one a second.
        db.execute(insert(tables.counters).values(name=COUNTER, value=int(time.time())))
