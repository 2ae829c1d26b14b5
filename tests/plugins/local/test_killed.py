"""kill -9 at any moment: what was answered is there, whole and once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection, func, select
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.plugins.local.store.database import open_database
from ocpp_twisted.plugins.local.store.tables import meter_values, transactions
from tests.plugins.local.charging import Progress
from tests.plugins.local.databases import empty_url

KILLS = 8
CHARGE_POINTS = 20
_PROGRAM = "tests.plugins.local.charging"
_ROOT = Path(__file__).parents[3]


class Killed(SynchronousTestCase):
    def setUp(self) -> None:
        self.url = empty_url(Path(self.mktemp()))
        self.progress: dict[str, Progress] = {}

    def test_nothing_that_was_answered_is_lost(self) -> None:
        for _ in range(KILLS):
            answers = self.run_and_kill(after=random.randint(1, 400))
            self.assertGreater(answers, 0)
            engine = open_database(self.url)
            with engine.begin() as db:
                self.check(db)
            engine.dispose()

    def run_and_kill(self, after: int) -> int:
        """Let them charge, and kill them after that many answers; returns how many they got."""
        with subprocess.Popen(
            [sys.executable, "-m", _PROGRAM, self.url, str(CHARGE_POINTS)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            program.stdin.write(json.dumps(self.progress).encode())
            program.stdin.close()
            answers = 0
            for line in program.stdout:
                answers += 1
                if answers == after:
                    program.kill()
                if line.endswith(b"\n"):
                    name, progress = json.loads(line)
                    self.progress[name] = tuple(progress)
        self.assertEqual(-9, program.returncode)
        return answers

    def check(self, db: Connection) -> None:
        if db.dialect.name == "sqlite":
            self.assertEqual("ok", db.exec_driver_sql("PRAGMA integrity_check").scalar())
        found: dict[str, list[tuple[int, bool, int]]] = {}
        for row in db.execute(_ALL):
            told = (int(row.transaction_id), row.stopped is not None, row.meter_values)
            found.setdefault(row.charge_point, []).append(told)
        for name, (number, answered, transaction_id) in self.progress.items():
            *before, last = found[name][:number]
            # Those before the last are whole: started, metered and stopped, each once.
            self.assertEqual([(True, 2)] * len(before), [told[1:] for told in before], name)
            self.assertEqual(transaction_id, last[0])
            least = {"start": (False, 0), "meter": (False, 1), "stop": (True, 2)}[answered]
            self.assertGreaterEqual(last[1:], least, name)
            # One may have begun without an answer; never more.
            self.assertLessEqual(len(found[name]), number + 1)
        for told in _each(found.values()):
            # An end and its meter values come together or not at all.
            self.assertIn(told[1:], [(False, 0), (False, 1), (True, 2)])


def _each(lists: Iterable[list[tuple[int, bool, int]]]) -> Iterable[tuple[int, bool, int]]:
    return (each for some in lists for each in some)


_ALL = select(
    transactions.c.charge_point,
    transactions.c.transaction_id,
    transactions.c.stopped,
    select(func.count())
    .where(meter_values.c.transaction == transactions.c.id)
    .scalar_subquery()
    .label("meter_values"),
).order_by(transactions.c.id)
