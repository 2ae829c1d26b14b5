"""Answers to requests with a key: how long, and how many of them, are remembered."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.plugins.http.idempotency import Answers, Outcome
from ocpp_twisted.plugins.http.problems import Problem


class AnswersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.answers = Answers(self.clock.seconds, seconds=60, keys=2, size=100)
        self.done: list[str] = []

    def once(self, key: str, answer: bytes = b"a", effect: bool = True) -> bytes:
        def do() -> Deferred[Outcome]:
            self.done.append(key)
            return succeed(Outcome(answer, effect))

        return self.successResultOf(self.answers.once(key, b"", do)).answer

    def test_for_a_time(self) -> None:
        self.assertEqual(self.once("k"), b"a")
        self.clock.advance(59)
        self.assertEqual(self.once("k", b"b"), b"a")
        self.clock.advance(1)
        self.assertEqual(self.once("k", b"b"), b"b")
        self.assertEqual(self.done, ["k", "k"])

    def test_so_many(self) -> None:
        for key in ("1", "2", "3", "2", "3", "1"):
            self.once(key)
        self.assertEqual(self.done, ["1", "2", "3", "1"])

    def test_so_large(self) -> None:
        self.once("1", b"x" * 60)
        self.once("2", b"x" * 40)
        self.once("1")
        self.once("3", b"x")
        self.once("2")
        self.once("1", b"y" * 101)
        self.assertEqual(self.once("2", b"new"), b"new")
        self.assertEqual(self.done, ["1", "2", "3", "1", "2"])

    def test_what_had_no_effect_is_not_remembered(self) -> None:
        self.once("k", effect=False)
        self.once("k")
        self.assertEqual(self.done, ["k", "k"])

    def test_too_many_under_way(self) -> None:
        under_way: list[Deferred[Outcome]] = [Deferred(), Deferred()]
        waiting = [self.answers.once(str(one), b"", lambda one=one: one) for one in under_way]
        refused = self.assertRaises(Problem, self.once, "k")
        self.assertEqual(refused.kind, "busy")
        under_way[0].callback(Outcome(b"a", True))
        self.assertEqual(self.successResultOf(waiting[0]).answer, b"a")
        self.once("k")

    def test_who_goes_away_ends_nothing(self) -> None:
        under_way: Deferred[Outcome] = Deferred()
        first = self.answers.once("k", b"", lambda: under_way)
        second = self.answers.once("k", b"", lambda: under_way)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        under_way.callback(Outcome(b"a", True))
        self.assertEqual(self.successResultOf(second).answer, b"a")
