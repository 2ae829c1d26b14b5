"""The histogram against a sorted list, and tallies that go from one process to another."""

from __future__ import annotations

from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.stress.histogram import Histogram
from ocpp_twisted.stress.tally import Tally, count, from_json, to_json

DAY = 86_400_000_000
#: Microseconds, the edges of buckets among them.
TIMES = st.one_of(
    st.integers(0, 300),
    st.integers(0, DAY),
    st.builds(lambda power, beside: 2**power + beside, st.integers(1, 36), st.integers(-1, 1)),
)
MANY = st.lists(TIMES, max_size=60)


def histogram(times: list[int]) -> Histogram:
    made = Histogram()
    made.record([(time + 0.5) / 1e6 for time in times])
    return made


def state(of: Histogram) -> tuple[object, ...]:
    return of.pairs(), of.count, of.total, of.minimum, of.maximum


class HistogramTests(SynchronousTestCase):
    @given(MANY.filter(bool), st.floats(0, 1))
    def test_quantiles_are_those_of_a_sorted_list(self, times, share) -> None:
        times = sorted(min(time, DAY) for time in times)
        exact = times[max(0, ceil(share * len(times)) - 1)]
        told = histogram(times).quantile(share)
        self.assertGreaterEqual(told, exact)
        self.assertLessEqual(told, exact + exact // 128)

    @given(MANY)
    def test_everything_else_is_exact(self, times) -> None:
        made = histogram(times)
        times = [min(time, DAY) for time in times]
        self.assertEqual(made.count, len(times))
        self.assertEqual(made.total, sum(times))
        self.assertEqual(made.minimum, min(times, default=0))
        self.assertEqual(made.maximum, max(times, default=0))
        self.assertEqual(made.mean, sum(times) / len(times) if times else 0)

    @given(MANY)
    def test_each_time_lies_in_one_bucket(self, times) -> None:
        counted: Counter[tuple[int, int]] = Counter()
        buckets = histogram(times).buckets()
        for time in times:
            (within,) = [(a, b) for a, b, _ in buckets if a <= min(time, DAY) <= b]
            counted[within] += 1
        self.assertEqual(counted, {(a, b): number for a, b, number in buckets})

    @given(MANY, MANY)
    def test_sums_and_differences(self, one, other) -> None:
        both = histogram(one)
        both.add(histogram(other))
        self.assertEqual(state(both), state(histogram(one + other)))
        later = both.since(histogram(one))
        self.assertEqual(later.pairs(), histogram(other).pairs())
        self.assertEqual(later.total, histogram(other).total)

    @given(MANY)
    def test_it_goes_to_another_process_and_back(self, times) -> None:
        tally = Tally(asked=3, latency=histogram(times))
        tally.lost["gone"] = 2
        back = from_json(to_json(tally), Tally)
        self.assertEqual(state(back.latency), state(tally.latency))
        self.assertEqual((back.asked, back.lost), (3, {"gone": 2}))
        self.assertIsInstance(back.lost, Counter)

    def test_it_does_not_grow(self) -> None:
        made = Histogram()
        made.record([1e9, 0.0])
        self.assertEqual(made.maximum, DAY)
        self.assertEqual(made.quantile(1), DAY)
        self.assertLess(len(made._counts), 5000)

    def test_nothing(self) -> None:
        self.assertEqual(state(Histogram()), ([], 0, 0, 0, 0))
        self.assertEqual(Histogram().quantile(0.5), 0)
        both = Histogram()
        both.add(Histogram())
        both.record([0.000_007])
        self.assertEqual((both.minimum, both.maximum), (7, 7))


class TallyTests(SynchronousTestCase):
    def test_all_together(self) -> None:
        one, other = Tally(asked=2, seconds=5.0, cpu=1.0), Tally(asked=3, seconds=4.0, cpu=2.0)
        one.failed["late"], other.failed["late"], other.failed["gone"] = 1, 2, 4
        one.latency.record([0.001])
        other.latency.record([0.003])
        both = Tally.of([one, other])
        self.assertEqual((both.asked, both.seconds, both.cpu), (5, 5.0, 3.0))
        self.assertEqual(both.failed, {"late": 3, "gone": 4})
        self.assertEqual(both.latency.count, 2)
        self.assertEqual(one.latency.count, 1, "its parts stay as they are")

    def test_faultless(self) -> None:
        good = {"asked": 1, "opened": 1, "answered": 1}
        self.assertTrue(Tally(**good).faultless)
        for fault in (
            {"refused": Counter(x=1)},
            {"lost": Counter(x=1)},
            {"failed": Counter(x=1)},
            {"unexpected": 1},
            {"unreadable": 1},
            {"opened": 0},
            {"answered": 0},
        ):
            self.assertFalse(Tally(**{**good, **fault}).faultless, fault)

    def test_reasons_are_few_short_and_printable(self) -> None:
        reasons: Counter[str] = Counter()
        for number in range(1000):
            count(reasons, f"{number}\n" + "x" * 1000)
        self.assertLessEqual(len(reasons), 41)
        self.assertEqual(reasons.total(), 1000)
        self.assertEqual(reasons["other reasons"], 960)
        for reason in reasons:
            self.assertLessEqual(len(reason), 110)
            self.assertTrue(reason.isprintable())
