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
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import StaticPool

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.plugins.local.store import tables
from ocpp_twisted.plugins.local.store.tables import COUNTER, PROBE, VERSION
from ocpp_twisted.writable import obstacle

__all__ = ["check_database", "open_database", "probe", "reach_database"]

#: Seconds to wait for another process that writes, and for PostgreSQL to take a connection.
_BUSY = 10
_CONNECT = 5
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
}


def open_database(url: str, own_directory: Path | None = None) -> Engine:
    """Open the database, and make its tables if it has none.

    :param url: ``sqlite://`` (in memory, for one thread), ``sqlite:///relative/file``,
        ``sqlite:////absolute/file`` or ``postgresql://user@host/name``.
    :param own_directory: the one directory that is made if the file of SQLite is in it.
    :raises ConfigurationError: if that cannot be done; the text says why, and no password.
    """
    engine, trouble = reach_database(url, own_directory)
    if trouble is not None:
        raise ConfigurationError(trouble)
    return engine


def reach_database(url: str, own_directory: Path | None = None) -> tuple[Engine, str | None]:
    """The same, and a sentence if the database may be reached later: try it with `probe`.

    That is so for a PostgreSQL that does not let us in, whatever the reason, and for an SQLite
    file that is there already, on a disk that is full, say.
    """
    engine = check_database(url, own_directory)
    file = _file(engine.url)
    unreachable = f"the store {engine.url.render_as_string(hide_password=True)} cannot be opened"
    try:
        was_there = file is not None and _is_there(file)
        if file is not None:
            if own_directory is not None and file.absolute().parent == own_directory.absolute():
                file.parent.mkdir(parents=True, exist_ok=True)
            # It holds who charged when; SQLite gives its other files the same mode.
            file.touch(mode=0o600)
        try:
            _prepare(engine)
        except OperationalError as error:
            if not (_passes(error.orig) if was_there else _is_postgresql(engine.url)):
                raise
            return engine, f"{unreachable}: {_said(error)}"
    except (DBAPIError, OSError) as error:
        raise ConfigurationError(f"{unreachable}: {_said(error)}") from error
    return engine, None


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
    """Write about as much as a batch of jobs does, to see whether it can be written.

    If it could not be reached when the server started, it may have no tables yet.
    """
    _make(db)
    value = tables.settings.update().where(tables.settings.c.name == PROBE)
    # SQLite writes nothing where the new value is the old one.
    db.execute(value.values(value=os.urandom(32768).hex()))


def _is_postgresql(url: URL) -> bool:
    return url.get_backend_name() == "postgresql"


def _is_there(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def _passes(error: object) -> bool:
    """Whether what SQLite complains about may pass: it is the disk or another process."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


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


def _prepare(engine: Engine) -> None:
    try:
        with engine.begin() as db:
            _make(db)
    except DBAPIError:
        # Another process may have made the tables at the same time.
        with engine.begin() as db:
            _make(db)


def _make(db: Connection) -> None:
    """Make what is not there yet, and see whether all is of a version that is known here."""
    tables.metadata.create_all(db)
    for table in tables.metadata.sorted_tables:
        for index in table.indexes:  # one that an older store has not
            index.create(db, checkfirst=True)
    version = db.scalar(select(tables.settings.c.value).where(tables.settings.c.name == VERSION))
    if version is None:
        db.execute(
            insert(tables.settings),
            [{"name": VERSION, "value": str(tables.SCHEMA_VERSION)}, {"name": PROBE, "value": ""}],
        )
        # Charge points may still tell of transactions in a store that was lost: another store
        # gives out other numbers, as long as there was less than one a second.
        db.execute(insert(tables.counters).values(name=COUNTER, value=int(time.time())))
    elif not version.isdecimal() or int(version) > tables.SCHEMA_VERSION:
        raise ConfigurationError(
            f"the store is of version {version}, and this program knows versions up to "
            f"{tables.SCHEMA_VERSION}; use a newer ocpp_twisted, or another store"
        )
