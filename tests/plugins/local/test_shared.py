"""Several processes with one database; here they are writers, each with its thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store import transactions
from ocpp_twisted.plugins.local.store.database import open_database, probe
from ocpp_twisted.plugins.local.store.ids import new_id
from ocpp_twisted.plugins.local.store.transaction_events import Event, event
from ocpp_twisted.plugins.local.store.transactions import Start, Token
from ocpp_twisted.plugins.local.store.writer import Writer
from tests.plugins.local.databases import empty_url
from tests.plugins.local.wire import NOW

CP1 = Identity("CP1")
TOKEN = Token("ANNA", None, True)


class Shared(TestCase):
    timeout = 60

    def setUp(self) -> None:
        url = empty_url(Path(self.mktemp()))
        self.writers = [Writer(open_database(url), reactor, probe) for _ in range(3)]
        for writer in self.writers:
            self.addCleanup(writer.stop)

    async def by_all(self, job: Any, *arguments: Any) -> list[Any]:
        """Let each of them run a job at the same time."""
        found: list[Any] = await gatherResults(
            [writer.run(job, *arguments) for writer in self.writers], consumeErrors=True
        )
        return found

    async def test_no_number_comes_twice(self) -> None:
        def many(db: Connection) -> list[int]:
            return [new_id(db) for _ in range(10)]

        found = [number for _ in range(20) for some in await self.by_all(many) for number in some]
        self.assertEqual(600, len(set(found)))

    async def test_the_same_start_is_one_transaction(self) -> None:
        for meter in range(30):
            begun = Start(1, NOW, float(meter), None)
            found = await self.by_all(transactions.start, CP1, begun, TOKEN, NOW)
            self.assertEqual(1, len({transaction_id for transaction_id, _ in found}))
        self.assertEqual({True}, {writer.healthy for writer in self.writers})

    async def test_events_add_up(self) -> None:
        kinds = ["Started", *["Updated"] * 28, "Ended"]
        told = []
        for seq_no, kind in enumerate(kinds):
            happened = Event("2.0.1", "T1", kind, NOW, seq_no, {}, False, None, dict)
            writer = self.writers[seq_no % 3]
            told.append(writer.run(event, CP1, happened, None, [], None, NOW))
        await gatherResults(told, consumeErrors=True)
        transaction = await self.writers[0].run(transactions.find, CP1, "T1")
        self.assertTrue(transaction.complete)
