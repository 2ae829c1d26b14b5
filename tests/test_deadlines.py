"""One timer serves every connection's deadlines, and rests when there is none."""

from __future__ import annotations

from math import inf

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.deadlines import Deadlines


class Calls:
    """Has calls that are due at these seconds.

    :ivar ended: when each was ended.
    :ivar looks: when it was asked.
    """

    def __init__(self, *due: float) -> None:
        self.due = list(due)
        self.ended: list[float] = []
        self.looks: list[float] = []

    def expire(self, now: float) -> float | None:
        self.looks.append(now)
        self.ended += [now for due in self.due if due <= now]
        self.due = [due for due in self.due if due > now]
        return min(self.due, default=None)


class Broken(Exception):
    """What goes wrong in a connection."""


class DeadlinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, resolution=0.5)

    def watch(self, *due: float) -> Calls:
        calls = Calls(*due)
        self.deadlines.watch(calls, min(due))
        return calls

    def test_idle_it_has_no_timer(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_thousand_connections_have_one_timer(self) -> None:
        for _ in range(1000):
            self.watch(3)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_a_deadline_is_missed_by_its_resolution_at_most(self) -> None:
        calls = self.watch(1.2, 3)
        self.clock.pump([0.5] * 6)
        self.assertEqual(calls.ended, [1.5, 3])

    def test_who_has_nothing_due_is_not_looked_at(self) -> None:
        calls, others = self.watch(1.2, 7), self.watch(*range(1, 20))
        self.clock.pump([0.5] * 40)
        self.assertEqual(calls.looks, [1.5, 7])
        self.assertEqual(others.looks, list(range(1, 20)))

    def test_it_rests_when_the_last_call_has_ended(self) -> None:
        self.watch(1)
        self.clock.pump([0.5] * 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_earlier_deadline_after_a_later_one(self) -> None:
        calls = self.watch(9)
        calls.due.append(2)
        self.deadlines.watch(calls, 2)
        self.clock.pump([0.5] * 20)
        self.assertEqual((calls.looks, calls.ended), ([2, 9], [2, 9]))

    def test_a_later_deadline_after_an_earlier_one(self) -> None:
        calls = self.watch(2)
        calls.due.append(9)
        self.deadlines.watch(calls, 9)
        self.clock.pump([0.5] * 20)
        self.assertEqual((calls.looks, calls.ended), ([2, 9], [2, 9]))

    def test_who_is_forgotten_is_not_looked_at(self) -> None:
        calls, other = self.watch(1), self.watch(1)
        self.deadlines.forget(calls)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.deadlines.forget(other)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.deadlines.forget(other)
        self.clock.pump([0.5] * 4)
        self.assertEqual((calls.looks, other.looks), ([], []))

    def test_who_is_forgotten_from_inside_an_expiry_is_not_looked_at(self) -> None:
        looks = []

        class Forgetting(Calls):
            def expire(forgetting, now: float) -> float | None:  # noqa: N805
                looks.append(forgetting)
                for calls in both:
                    self.deadlines.forget(calls)
                return None

        both = [Forgetting(1), Forgetting(1)]
        for calls in both:
            self.deadlines.watch(calls, 1)
        self.clock.pump([0.5] * 4)
        self.assertEqual(len(looks), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_fails_does_not_stop_the_others(self) -> None:
        class Failing(Calls):
            def expire(self, now: float) -> float | None:
                raise Broken

        others = []
        for _ in range(5):
            self.deadlines.watch(Failing(), 1)
            others.append(self.watch(1, 2))
        self.clock.pump([0.5] * 4)
        self.assertEqual([calls.ended for calls in others], [[1, 2]] * 5)
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 5)

    def test_what_is_watched_from_inside_an_expiry_is_not_forgotten(self) -> None:
        later = Calls(2)

        class Calling(Calls):
            def expire(calling, now: float) -> float | None:  # noqa: N805
                self.deadlines.watch(later, 2)
                return super().expire(now)

        self.deadlines.watch(Calling(0.5), 0.5)
        self.clock.pump([0.5] * 4)
        self.assertEqual(later.ended, [2])

    def test_what_is_never_due_needs_no_timer(self) -> None:
        self.deadlines.watch(Calls(), inf)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_tells_the_time_of_its_clock(self) -> None:
        self.clock.advance(7)
        self.assertEqual(self.deadlines.now(), 7)
