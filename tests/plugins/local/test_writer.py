"""The writer: what waits goes into one commit, and what fails harms nobody else."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SkipTest, TestCase

from ocpp_twisted.errors import ConfigurationError, RecordsUnavailable
from ocpp_twisted.plugins.local.store.database import open_database, probe
from ocpp_twisted.plugins.local.store.tables import VERSION, facts, settings
from ocpp_twisted.plugins.local.store.writer import Writer
from tests.plugins.local.databases import POSTGRES, empty_url
from tests.plugins.local.wire import NOW

_ROW = {"name": "", "charge_point": "CP1", "kind": "test", "timestamp": NOW}


def add(db: Connection, key: str, size: int = 1) -> str:
    db.execute(facts.insert().values({**_ROW, "key": key, "data": "x" * size}))
    return key


def pages(db: Connection, most: str) -> None:
    db.exec_driver_sql(f"PRAGMA max_page_count = {most}")


def known(db: Connection) -> list[str]:
    return list(db.scalars(facts.select().with_only_columns(facts.c.key).order_by(facts.c.key)))


def broken(db: Connection) -> None:
    add(db, "broken")
    raise ValueError("a mistake in a job")


class WriterCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.url = empty_url(Path(self.mktemp()))
        self.engine = open_database(self.url)
        self.commits = 0
        event.listen(self.engine, "commit", self._committed)
        self.writer = self.started()
        self.logged: list[Any] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def started(self, **options: Any) -> Writer:
        writer = Writer(self.engine, reactor, probe, **options)
        self.addCleanup(writer.stop)
        return writer

    def _committed(self, connection: Connection) -> None:
        self.commits += 1

    def told(self) -> list[str]:
        """The levels of what the writer has logged."""
        return [each["log_level"].name for each in self.logged if "writer" in each["log_namespace"]]

    def held(self) -> Event:
        """Keep the writer busy until the event is set, so that jobs wait together."""
        go, busy = Event(), Event()

        def wait(db: Connection) -> None:
            busy.set()
            go.wait(10)

        self.writer.run(wait)
        self.assertTrue(busy.wait(10))
        return go


class Together(WriterCase):
    async def test_what_waits_is_one_commit(self) -> None:
        go = self.held()
        added = [self.writer.run(add, f"{number:03}") for number in range(200)]
        self.assertEqual(200, self.writer.waiting)
        go.set()
        results = await DeferredList(added)
        self.assertEqual([f"{number:03}" for number in range(200)], [each for _, each in results])
        self.assertEqual(2, self.commits)
        self.assertEqual(2, sum(self.writer.commits.counts))
        self.assertEqual(200, len(await self.writer.run(known)))

    async def test_one_that_fails_harms_no_other(self) -> None:
        go = self.held()
        first, bad, last = (
            self.writer.run(add, "a"),
            self.writer.run(broken),
            self.writer.run(add, "b"),
        )
        go.set()
        await first
        await last
        await self.assertFailure(bad, ValueError)
        self.assertEqual(["a", "b"], await self.writer.run(known))
        self.assertTrue(self.writer.healthy)

    async def test_one_that_breaks_a_rule_of_the_database_harms_no_other(self) -> None:
        go = self.held()
        added = [self.writer.run(add, key) for key in ("a", "a", "b")]
        go.set()
        outcomes = await DeferredList(added, consumeErrors=True)
        self.assertEqual([True, False, True], [done for done, _ in outcomes])
        self.assertEqual(["a", "b"], await self.writer.run(known))
        self.assertTrue(self.writer.healthy)

    async def test_more_than_may_wait_fail_at_once(self) -> None:
        self.writer = self.started(most_waiting=2)
        go = self.held()
        waiting = [self.writer.run(add, key) for key in "ab"]
        refused = [self.writer.run(add, key) for key in "cd"]
        for each in refused:
            self.failureResultOf(each, RecordsUnavailable)
        go.set()
        await DeferredList(waiting)
        self.assertEqual(["a", "b"], await self.writer.run(known))
        self.assertEqual(["error"], self.told())

    async def test_what_waits_is_written_before_the_end(self) -> None:
        go = self.held()
        last = self.writer.run(add, "last")
        stopped = self.writer.stop()
        self.failureResultOf(self.writer.run(add, "too late"), RecordsUnavailable)
        go.set()
        self.assertEqual("last", await last)
        await stopped
        with open_database(self.url).begin() as db:
            self.assertEqual(["last"], known(db))


class Lost(WriterCase):
    """A database that cannot be written, and then can: one error is logged, and it goes on."""

    async def lost(self, key: str, size: int) -> None:
        await self.assertFailure(self.writer.run(add, key, size), RecordsUnavailable)
        self.assertFalse(self.writer.healthy)
        for _ in range(3):
            self.failureResultOf(self.writer.run(add, key), RecordsUnavailable)
        self.assertEqual(["error"], self.told())

    async def turn(self) -> None:
        turn: Deferred[None] = Deferred()
        reactor.callLater(0.05, turn.callback, None)
        await turn

    async def found(self) -> None:
        while not self.writer.healthy:  # trial ends it if it never is
            await self.turn()
        self.assertEqual("after", await self.writer.run(add, "after"))
        self.assertEqual(["after", "before"], await self.writer.run(known))
        self.assertEqual(["error", "warn"], self.told())

    async def test_connection(self) -> None:
        await self.writer.run(add, "before")
        lost = True

        @event.listens_for(self.engine, "begin")
        def begun(connection: Connection) -> None:
            if lost:
                raise OperationalError("BEGIN", {}, Exception("it is gone"))

        await self.lost("x", 1)
        lost = False
        await self.found()

    async def test_jobs_that_wait_fail_too(self) -> None:
        go = self.held()
        waiting = [self.writer.run(add, str(number)) for number in range(1000)]

        @event.listens_for(self.engine, "begin")
        def begun(connection: Connection) -> None:
            raise OperationalError("BEGIN", {}, Exception("it is gone"))

        go.set()
        outcomes = await DeferredList(waiting, consumeErrors=True)
        self.assertEqual({False}, {done for done, _ in outcomes})
        self.assertEqual(["error"], self.told())

    async def test_full_disk(self) -> None:
        """SQLite says that the disk is full when its file may have no more pages."""
        if POSTGRES:
            raise SkipTest("SQLite only")
        await self.writer.run(add, "before")
        await self.writer.run(pages, "1")
        await self.lost("x", 10**6)
        tried = 0
        still_full = True

        @event.listens_for(self.engine, "begin")
        def begun(connection: Connection) -> None:
            nonlocal tried
            tried += 1
            if not still_full:
                pages(connection, "1000000")

        while tried < 3:
            await self.turn()
        self.assertFalse(self.writer.healthy)
        still_full = False
        await self.found()

    async def test_each_attempt_writes(self) -> None:
        """SQLite would write nothing if the new value were the old one."""
        if POSTGRES:
            raise SkipTest("SQLite only")
        log = Path(self.url.removeprefix("sqlite:///") + "-wal")
        for _ in range(3):
            before = log.stat().st_size
            await self.writer.run(probe)
            self.assertGreater(log.stat().st_size, before + 60_000)


class Opening(TestCase):
    def refuses(self, url: str, *texts: str) -> None:
        error = self.assertRaises(ConfigurationError, open_database, url)
        for expected in texts:
            self.assertIn(expected, str(error))

    def test_what_is_no_url(self) -> None:
        self.refuses("records.db", "the store is no URL")

    def test_another_database(self) -> None:
        self.refuses("mysql://root@localhost/ocpp", "a mysql URL")

    def test_no_server_and_no_password_in_the_log(self) -> None:
        url = "postgresql://ocpp:secret@127.0.0.1:1/ocpp"
        error = self.assertRaises(ConfigurationError, open_database, url)
        self.assertIn("cannot be opened", str(error))
        self.assertNotIn("secret", str(error))

    def test_only_the_servers_own_directory_is_made(self) -> None:
        folder = Path(self.mktemp()).absolute()
        url = f"sqlite:///{folder}/own/records.db"
        for own in (None, folder, folder / "other"):
            error = self.assertRaises(ConfigurationError, open_database, url, own)
            expected = (
                f"the store {url} cannot be opened: there is no directory {folder}/own (make it)"
            )
            self.assertEqual(str(error), expected)
            self.assertFalse(folder.exists())
        open_database(url, folder / "own").dispose()
        self.assertTrue((folder / "own" / "records.db").exists())

    def test_a_folder_that_cannot_be_made(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.write_text("a file")
        self.refuses(f"sqlite:///{folder}/records.db", "cannot be opened", "is no directory")
        error = self.assertRaises(
            ConfigurationError, open_database, f"sqlite:///{folder}/a/records.db", folder / "a"
        )
        self.assertIn(f"{folder} is no directory", str(error))

    def test_a_driver_that_does_not_exist(self) -> None:
        self.refuses("sqlite+pigeon:///records.db", "the store is no URL")

    def test_what_is_no_database(self) -> None:
        file = Path(self.mktemp())
        file.write_text("not a database " * 100)
        self.refuses(f"sqlite:///{file.absolute()}", "cannot be opened")

    def test_a_newer_version(self) -> None:
        url = empty_url(Path(self.mktemp()))
        engine = open_database(url)
        self.addCleanup(self._version, engine, "1")
        self._version(engine, "2")
        self.refuses(url, "is of version 2", "versions up to 1", "use a newer ocpp_twisted")

    def _version(self, engine: Engine, version: str) -> None:
        with engine.begin() as db:
            db.execute(settings.update().where(settings.c.name == VERSION).values(value=version))
        engine.dispose()

    def test_again(self) -> None:
        url = empty_url(Path(self.mktemp()))
        with open_database(url).begin() as db:
            add(db, "kept")
        with open_database(url).begin() as db:
            self.assertEqual(["kept"], known(db))

    def test_nobody_else_may_read_it(self) -> None:
        if POSTGRES:
            raise SkipTest("SQLite only")
        file = Path(empty_url(Path(self.mktemp())).removeprefix("sqlite:///"))
        open_database(f"sqlite:///{file}")
        self.assertEqual(0o600, file.stat().st_mode & 0o777)
