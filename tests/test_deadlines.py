"""One timer serves every connection's deadlines, and rests when there is none."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.deadlines import Deadlines


class Calls:
    """Has calls that are due at these seconds."""

    def __init__(self, *due: float) -> None:
        self.due = list(due)
        self.ended: list[float] = []

    def expire(self, now: float) -> bool:
        self.ended += [now for due in self.due if due <= now]
        self.due = [due for due in self.due if due > now]
        return bool(self.due)


class DeadlinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, resolution=0.5)

    def test_idle_it_has_no_timer(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_thousand_connections_have_one_timer(self) -> None:
        for _ in range(1000):
            self.deadlines.watch(Calls(3))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_a_deadline_is_missed_by_its_resolution_at_most(self) -> None:
        calls = Calls(1.2, 3)
        self.deadlines.watch(calls)
        self.clock.pump([0.5] * 6)
        self.assertEqual(calls.ended, [1.5, 3])

    def test_it_rests_when_the_last_call_has_ended(self) -> None:
        self.deadlines.watch(Calls(1))
        self.clock.pump([0.5] * 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_watched_from_inside_an_expiry_is_not_forgotten(self) -> None:
        later = Calls(2)

        class Calling(Calls):
            def expire(calling, now: float) -> bool:  # noqa: N805
                self.deadlines.watch(later)
                return super().expire(now)

        self.deadlines.watch(Calling(0.5))
        self.clock.pump([0.5] * 4)
        self.assertEqual(later.ended, [2])

    def test_it_tells_the_time_of_its_clock(self) -> None:
        self.clock.advance(7)
        self.assertEqual(self.deadlines.now(), 7)
