"""Turns on the wheel, and the rate at which connections begin."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.stress.opening import Opening
from ocpp_twisted.stress.wheel import Wheel


class Rider:
    """Writes down its turns: when, who, and since when they were due."""

    def __init__(self, name: str, clock: Clock, seen: list[tuple[float, str, float]]) -> None:
        self.name, self.clock, self.seen = name, clock, seen

    def turn(self, due: float) -> None:
        self.seen.append((self.clock.seconds(), self.name, due))

    def connect(self) -> None:
        self.seen.append((self.clock.seconds(), self.name, 0.0))


class WheelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.seen: list[tuple[float, str, float]] = []
        self.over: list[float] = []

    def wheel(self, riders: str, period: float, begin: float, end: float) -> Wheel:
        return Wheel(
            self.clock,
            self.clock.seconds,
            [Rider(name, self.clock, self.seen) for name in riders],
            period,
            begin,
            end,
            lambda: self.over.append(self.clock.seconds()),
        )

    def passes(self, seconds: float, step: float = 0.001) -> None:
        self.clock.pump([step] * round(seconds / step))

    def test_evenly_in_each_period(self) -> None:
        wheel = self.wheel("abcd", 1.0, 0.25, 2.25)
        self.passes(3)
        self.assertEqual("".join(name for _, name, _ in self.seen), "abcdabcd")
        for number, (time, _, due) in enumerate(self.seen):
            self.assertApproximates(time, 0.25 + number * 0.25, 0.0031)
            self.assertEqual(due, time, "an early turn is due when it comes")
        self.assertEqual(wheel.turns, 8)

    def test_what_is_late_was_due_in_its_time(self) -> None:
        self.wheel("ab", 1.0, 0.0, 10.0)
        self.passes(0.1)
        self.seen.clear()
        self.clock.advance(2.2)  # nobody has looked for so long
        self.assertEqual([due for _, _, due in self.seen], [0.5, 1.0, 1.5, 2.0])
        self.assertEqual({time for time, _, _ in self.seen}, {self.clock.seconds()})

    def test_as_many_as_the_rate_says(self) -> None:
        wheel = self.wheel("abc", 0.003, 0.0, 5.0)
        self.passes(5.1, 0.002)
        self.assertApproximates(wheel.turns, 5000, 1)
        self.assertEqual(len(self.seen), wheel.turns)

    def test_the_end_is_told_once(self) -> None:
        self.wheel("a", 1.0, 0.0, 1.5)
        self.passes(3)
        self.assertEqual(len(self.over), 1)
        self.assertApproximates(self.over[0], 1.5, 0.003)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_turn_is_left_for_after_the_end(self) -> None:
        self.wheel("a", 1.0, 0.0, 1.5)
        self.clock.advance(0)
        self.clock.advance(100)
        self.assertEqual([due for _, _, due in self.seen], [0.0, 1.0])

    def test_stop(self) -> None:
        wheel = self.wheel("a", 1.0, 0.0, 100.0)
        self.passes(1.5)
        wheel.stop()
        wheel.stop()
        self.passes(5)
        self.assertEqual((len(self.seen), self.over), (2, []))


class OpeningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.seen: list[tuple[float, str, float]] = []
        self.opening = Opening(self.clock, 100.0)

    def riders(self, many: int) -> list[Rider]:
        return [Rider(str(number), self.clock, self.seen) for number in range(many)]

    def names(self) -> list[str]:
        return [name for _, name, _ in self.seen]

    def pumps(self, seconds: float) -> None:
        """Time passes, and no attempt takes any."""
        for _ in range(round(seconds * 200)):
            before = len(self.seen)
            self.clock.advance(0.005)
            for _ in self.seen[before:]:
                self.opening.ended()

    def test_at_a_rate_and_in_order(self) -> None:
        self.opening.begin(self.riders(300))
        self.assertEqual(self.names(), ["0"])
        self.pumps(1)
        self.assertApproximates(len(self.seen), 100, 2)
        self.pumps(2.5)
        self.assertEqual(self.names(), [str(number) for number in range(300)])

    def test_what_was_missed_is_not_made_up_for_at_once(self) -> None:
        self.opening.begin(self.riders(300))
        self.clock.advance(2)
        self.assertLessEqual(len(self.seen), 11)

    def test_again_after_a_time_and_at_the_same_rate(self) -> None:
        self.opening.begin([])
        for one in self.riders(100):
            self.opening.after(1.0, one)
        self.clock.pump([0.01] * 99)
        self.assertEqual(self.names(), [])
        self.clock.pump([0.01] * 51)
        self.assertApproximates(len(self.seen), 60, 2)

    def test_not_more_than_a_slow_server_takes(self) -> None:
        self.opening.begin(self.riders(300))
        self.clock.pump([0.01] * 1000)
        self.assertEqual(len(self.seen), 200)
        for _ in range(30):
            self.opening.ended()
        self.clock.pump([0.01] * 1000)
        self.assertEqual(len(self.seen), 230)

    def test_stop(self) -> None:
        self.opening.begin(self.riders(300))
        self.opening.stop()
        self.clock.pump([0.01] * 500)
        self.assertEqual(self.names(), ["0"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
