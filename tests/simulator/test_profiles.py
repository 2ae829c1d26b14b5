"""Charging profiles: which prevails, and what it lets through at which time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.simulator.physical import Outlet, Vehicle
from ocpp_twisted.simulator.profiles import Period, Profile, Profiles, Schedule

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def over(phases):
    """230 V at an outlet of three phases."""
    return 230.0 * min(phases, 3)


def profile(limits, number=1, purpose="TxDefaultProfile", level=0, unit="W", **more):
    """A profile; `limits` are its limits, or (start, limit) pairs."""
    pairs = [each if isinstance(each, tuple) else (0, each) for each in limits]
    schedule = Schedule(
        unit=unit,
        periods=[Period(*pair) for pair in pairs],
        duration=more.pop("duration", None),
        start=more.pop("start", None),
    )
    more.setdefault("kind", "Absolute")
    return Profile(id=number, purpose=purpose, level=level, schedules=[schedule], **more)


class Case(SynchronousTestCase):
    def setUp(self):
        self.profiles = Profiles()

    def install(self, *arguments, **more):
        self.profiles.set(profile(*arguments, **more))

    def limit(self, seconds=0, outlet=1, begun=NOON):
        return self.profiles.limit_watts(outlet, at(seconds), begun, over)

    def limits(self, *seconds, **more):
        return [self.limit(each, **more) for each in seconds]


class OneProfile(Case):
    def test_none_bounds_nothing(self):
        self.assertEqual(self.limit(), inf)
        self.assertIsNone(self.profiles.next_change(1, NOON, NOON))

    def test_an_absolute_one_holds_from_its_start_until_its_duration_is_over(self):
        self.install([(0, 5000), (60, 3000)], start=at(10), duration=100)
        self.assertEqual(self.limits(9, 10, 69, 70, 109, 110), [inf, 5000, 5000, 3000, 3000, inf])

    def test_without_a_duration_the_last_period_goes_on(self):
        self.install([(0, 5000), (60, 3000)], start=NOON)
        self.assertEqual(self.limit(1_000_000), 3000)

    def test_what_starts_after_the_duration_is_never_executed(self):
        self.install([(0, 5000), (60, 3000)], start=NOON, duration=50)
        self.assertEqual(self.limits(49, 60), [5000, inf])

    def test_a_relative_one_counts_from_the_begin_of_charging(self):
        self.install([(0, 5000), (60, 3000)], kind="Relative")
        self.assertEqual(self.limits(0, 60), [5000, 3000])
        self.assertEqual(self.limits(0, 60, begun=at(30)), [inf, 5000])
        self.assertEqual(self.limits(0, 60, begun=None), [5000, 5000])

    def test_an_absolute_one_without_a_start_does_too(self):
        self.install([(0, 5000), (60, 3000)])
        self.assertEqual(self.limits(60, 100, begun=at(40)), [5000, 3000])

    def test_a_station_s_without_a_start_counts_from_when_it_came(self):
        self.install([(0, 5000), (60, 3000)], purpose="ChargePointMaxProfile", installed=at(10))
        self.assertEqual(self.limits(10, 70, begun=at(70)), [5000, 3000])

    def test_a_daily_one_starts_each_day(self):
        self.install(
            [(0, 11000), (8 * 3600, 6000), (20 * 3600, 11000)],
            kind="Recurring",
            recurrency="Daily",
            start=datetime(2013, 1, 1, tzinfo=UTC),
            duration=86400,
        )
        self.assertEqual(self.limits(0, 8 * 3600, 20 * 3600, 86400), [6000, 11000, 6000, 6000])

    def test_a_weekly_one_leaves_the_days_after_its_duration_free(self):
        start = NOON - timedelta(weeks=3)
        self.install([5000], kind="Recurring", recurrency="Weekly", start=start, duration=3600)
        week = 7 * 86400
        self.assertEqual(self.limits(0, 3600, week, week + 3600), [5000, inf, 5000, inf])

    def test_a_run_ends_with_the_next_one(self):
        self.install(
            [(0, 5000), (100_000, 1000)],
            kind="Recurring",
            recurrency="Daily",
            start=NOON,
            duration=200_000,
        )
        self.assertEqual(self.limits(86_399, 100_000), [5000, 5000])

    def test_what_lasts_for_ever_or_longer(self):
        self.install([(0, 5000), (2**63, 1)], start=NOON, duration=2**64)
        self.assertEqual(self.limit(60), 5000)
        self.assertEqual(self.profiles.next_change(1, NOON, NOON).year, 9999)
        self.assertEqual(len(self.profiles.composite(1, NOON, NOON, 10**7, "W", over)), 1)
        end = datetime.max.replace(tzinfo=UTC)
        self.install([5000], start=end, kind="Recurring", recurrency="Weekly")
        self.assertEqual(self.profiles.next_change(1, NOON, NOON), end)

    def test_it_is_valid_from_and_to(self):
        self.install([5000], start=NOON, valid_from=at(10), valid_to=at(20))
        self.assertEqual(self.limits(9, 10, 19, 20), [inf, 5000, 5000, inf])

    def test_amperes_are_of_each_phase(self):
        self.profiles.set(
            Profile(
                id=1,
                purpose="TxDefaultProfile",
                level=0,
                kind="Absolute",
                schedules=[Schedule(unit="A", periods=[Period(0, 16), Period(60, 16, 1)])],
            )
        )
        self.assertEqual(self.limits(0, 60), [16 * 230 * 3, 16 * 230])

    def test_more_phases_than_there_are_do_not_lower_the_limit(self):
        clock = Clock()
        outlet = Outlet(1, clock, lambda outlet: None, phases=3)
        self.assertEqual(outlet.watts_per_ampere(3), 690)
        outlet.plug_in(Vehicle(phases=1))
        self.addCleanup(outlet.stop)
        self.assertEqual(outlet.watts_per_ampere(3), 230)


class Several(Case):
    def test_the_highest_level_that_says_something_prevails(self):
        self.install([5000], 1, level=0)
        self.install([9000], 2, level=3, start=at(10), duration=10)
        self.assertEqual(self.limits(0, 10, 20), [5000, 9000, 5000])

    def test_the_transaction_s_overrules_the_default(self):
        self.install([5000], 1, level=5)
        self.install([9000], 2, purpose="TxProfile", outlet=1, duration=60)
        self.assertEqual(self.limits(0, 60), [9000, 5000])
        self.assertEqual(self.limit(outlet=2), 5000)

    def test_an_outlet_s_default_replaces_the_station_s_of_its_level(self):
        self.install([5000], 1)
        self.install([9000], 2, outlet=1, start=at(10))
        self.assertEqual(self.limits(0, 10), [inf, 9000])
        self.assertEqual(self.limit(outlet=2), 5000)

    def test_another_level_is_stacked(self):
        self.install([5000], 1, level=1)
        self.install([9000], 2, outlet=1, level=0)
        self.assertEqual(self.limit(), 5000)

    def test_the_lowest_of_the_purposes_counts(self):
        self.install([5000], 1, purpose="ChargePointMaxProfile")
        self.install([9000], 2, purpose="TxProfile", outlet=1, duration=60)
        self.install([4000], 3, level=2)
        self.assertEqual(self.limits(0, 60), [5000, 4000])

    def test_the_station_s_limit_is_that_of_outlet_0(self):
        self.install([5000], 1, purpose="ChargingStationMaxProfile")
        self.install([4000], 2, purpose="ChargingStationExternalConstraints", level=1)
        self.install([1000], 3)
        self.assertEqual(self.limit(outlet=0), 4000)

    def test_external_constraints_of_outlet_and_station_both_bound(self):
        purpose = "ChargingStationExternalConstraints"
        self.install([5000], 1, purpose=purpose, level=9, outlet=1)
        self.install([4000], 2, purpose=purpose)
        self.assertEqual(self.limit(), 4000)


class Installing(Case):
    def ids(self):
        return [each.id for each in self.profiles]

    def test_the_same_id_replaces(self):
        self.install([1], 1, level=0)
        self.install([2], 1, level=4, outlet=2, purpose="TxProfile")
        self.assertEqual([each.level for each in self.profiles], [4])

    def test_the_same_level_and_purpose_replace_at_one_outlet(self):
        self.install([1], 1, outlet=1)
        self.install([1], 2, outlet=2)
        self.assertTrue(self.profiles.replaces(profile([2], 3, outlet=1)))
        self.install([2], 3, outlet=1)
        self.assertEqual(self.ids(), [2, 3])
        self.assertFalse(self.profiles.replaces(profile([2], 4, outlet=1, level=1)))

    def test_clearing_matches_all_that_is_given(self):
        self.install([1], 1, level=1, outlet=1)
        self.install([1], 2, level=2, outlet=1)
        self.install([1], 3, level=2, outlet=2)
        self.assertEqual(self.profiles.clear(outlet=1, level=2), 1)
        self.assertEqual(self.ids(), [1, 3])
        self.assertEqual(self.profiles.clear({1}, outlet=2), 0)
        self.assertEqual(self.profiles.clear(purpose="TxProfile"), 0)
        self.assertEqual(self.profiles.clear(), 2)
        self.assertEqual(len(self.profiles), 0)

    def test_outlet_0_is_one_to_clear(self):
        self.install([1], 1, outlet=0)
        self.install([1], 2, outlet=1)
        self.assertEqual(self.profiles.clear(outlet=0), 1)
        self.assertEqual(self.ids(), [2])


class Composite(Case):
    def composite(self, outlet=1, now=NOON, begun=NOON, duration=100, unit="W", most=22_000.0):
        return self.profiles.composite(outlet, now, begun, duration, unit, over, most)

    def test_without_profiles_it_is_what_the_outlet_has(self):
        self.assertEqual(self.composite(), [Period(0, 22_000)])

    def test_it_is_the_minimum_of_each_interval(self):
        self.install([(0, 6000), (50, 4000)], 1, purpose="ChargePointMaxProfile", installed=NOON)
        self.install([(0, 9000), (20, 5000), (60, 5000), (80, 3000)], 2)
        self.assertEqual(
            self.composite(),
            [Period(0, 6000), Period(20, 5000), Period(50, 4000), Period(80, 3000)],
        )

    def test_in_amperes(self):
        self.install([(0, 6900), (50, 3450)])
        self.assertEqual(self.composite(unit="A"), [Period(0, 10), Period(50, 5)])

    def test_a_transaction_that_would_begin_now(self):
        self.install([(0, 9000), (20, 5000)], kind="Relative")
        self.assertEqual(self.composite(begun=None), [Period(0, 9000), Period(20, 5000)])

    def test_one_that_has_begun(self):
        self.install([(0, 9000), (20, 5000)], kind="Relative")
        self.assertEqual(self.composite(now=at(15)), [Period(0, 9000), Period(5, 5000)])

    def test_what_recurs(self):
        self.install(
            [(0, 9000), (3600, 5000)],
            kind="Recurring",
            recurrency="Daily",
            start=NOON,
            duration=7200,
        )
        starts = [period.start for period in self.composite(duration=86400 + 3601)]
        self.assertEqual(starts, [0, 3600, 7200, 86400, 86400 + 3600])


class NextChange(Case):
    def test_it_is_the_first_instant_of_the_outlet_s_and_the_station_s(self):
        self.install([(0, 1), (60, 2)], 1, start=at(10), duration=100, valid_to=at(90))
        self.install([1], 2, outlet=2, start=at(5))
        changes, now = [], NOON
        while (change := self.profiles.next_change(1, now, NOON)) is not None:
            changes.append((change - NOON).total_seconds())
            now = change
        self.assertEqual(changes, [10, 70, 90, 110])
