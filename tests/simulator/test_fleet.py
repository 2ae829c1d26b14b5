"""Many charge points: they start at a rate, and do the same again for the same seed."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.charge_point import Target
from ocpp_twisted.simulator.drivers import Habits
from ocpp_twisted.simulator.faults import Fault
from ocpp_twisted.simulator.fleet import Counts, Fleet, Plan
from ocpp_twisted.simulator.scenario import parse
from ocpp_twisted.simulator.station import Hardware
from ocpp_twisted.simulator.voices import voice_for
from ocpp_twisted.testing import BEGIN, Network
from tests.simulator.case import Tags
from tests.simulator.case16 import Central
from tests.simulator.voice import SmallVoice

HABITS = Habits(cars_per_hour=4, session=(300, 900), tokens=("RED", "GREEN", "BLUE"))


def meter_values() -> v16.MeterValuesRequest:
    """A message about a transaction."""
    sampled = [v16.SampledValue(value="1")]
    value = v16.MeterValue(timestamp=BEGIN, sampledValue=sampled)
    return v16.MeterValuesRequest(connectorId=1, meterValue=[value])


class FleetCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Another central system, and another day."""
        self.tags = Tags()
        self.network = Network(self.tags)

    def fleet(self, count: int, **more: Any) -> Fleet:
        """One that has been started."""
        ids = [f"CP{number}" for number in range(1, count + 1)]
        targets = [Target.at("ws://central-system", each) for each in ids]
        plan = Plan(**{"targets": targets, "voice": SmallVoice, "ramp": 1000.0, **more})
        self.one = Fleet(plan, self.network.clock, self.network)
        self.one.start()
        self.network.run()
        return self.one

    def passes(self, seconds: float) -> Counts:
        """Let time pass, and count."""
        self.network.run(seconds)
        return self.one.counts()

    def said(self, *ids: str) -> list[Any]:
        """What charge points have said, and when, without message ids."""
        found = []
        for frame in self.network.frames:
            kind, _, *rest = json.loads(frame.text)
            if kind == 2 and (not ids or frame.charge_point in ids):
                found.append((frame.seconds - BEGIN.timestamp(), frame.charge_point, rest))
        return found


class StartTests(FleetCase):
    def test_at_a_rate(self) -> None:
        self.fleet(100, ramp=10.0)
        for seconds, least, most in ((1, 10, 12), (4, 50, 52), (4, 90, 92), (3, 100, 100)):
            self.assertTrue(least <= self.passes(seconds).started <= most)
        counts = self.passes(1)
        self.assertEqual((counts.connected, counts.accepted, counts.charging), (100, 100, 0))

    def test_slower_than_one_a_second(self) -> None:
        self.fleet(3, ramp=0.1)
        self.assertEqual([self.passes(10.1).started for _ in range(3)], [2, 3, 3])

    def test_the_central_system_is_away(self) -> None:
        self.network.reachable = False
        self.fleet(5)
        counts = self.passes(1)
        self.assertEqual(counts.unreached, {"the central system is away": 5})
        self.assertEqual((counts.started, counts.connected), (5, 0))
        self.network.reachable = True
        counts = self.passes(60)
        self.assertEqual((counts.unreached, counts.connected), ({}, 5))

    def test_calls_are_counted_from_the_last_time_on(self) -> None:
        self.fleet(3)
        self.assertEqual(self.passes(1).calls, {"CALLRESULT": 3})
        self.assertEqual(self.passes(1).calls, {})
        self.assertEqual(self.passes(300).calls, {"CALLRESULT": 3})


class HabitsTests(FleetCase):
    def test_cars_come_and_go(self) -> None:
        self.fleet(20, habits=HABITS)
        charging = [self.passes(300).charging for _ in range(36)]
        self.assertTrue(3 < max(charging) < 30, charging)
        self.assertEqual(set(self.tags.asked), {"RED", "GREEN", "BLUE"})
        # 20 charge points for three hours; each car shows its token once or twice.
        self.assertTrue(180 < len(self.tags.asked) < 480, len(self.tags.asked))

    def test_the_same_again_for_the_same_seed(self) -> None:
        days = []
        for seed in (1, 1, 2):
            self.begin()
            self.fleet(5, habits=Habits(cars_per_hour=4, session=(300, 900), seed=seed))
            self.network.run(7200)
            days.append(self.said())
        self.assertEqual(days[0], days[1])
        self.assertNotEqual(days[0], days[2])

    def test_however_many_there_are(self) -> None:
        days = []
        for count in (2, 10):
            self.begin()
            self.fleet(count, habits=HABITS, ramp=1e6)
            self.network.run(1800)
            days.append(self.said("CP1", "CP2"))
        self.assertEqual(days[0], days[1])

    def test_nobody_comes(self) -> None:
        self.fleet(3)
        self.assertEqual(self.passes(7200).charging, 0)


class FaultTests(FleetCase):
    def test_a_share_of_them_the_same_each_time(self) -> None:
        faults = [(Fault.of("never-answer"), 0.2), (Fault.of("wrong-ids"), 1.0)]
        having = []
        for _ in range(2):
            self.begin()
            self.fleet(200, faults=faults)
            self.network.run(1)
            benches = self.one.benches
            having.append(
                [name for name in benches if "never-answer" in benches[name].modem.faults]
            )
        self.assertEqual(having[0], having[1])
        self.assertTrue(20 < len(having[0]) < 60, having[0])
        self.assertEqual(len(self.one.benches), 200)


class ScenarioTests(FleetCase):
    def play(self, text: str, count: int = 3) -> Fleet:
        return self.fleet(count, scenario=parse(text, "1.6", "s.toml"))

    def test_it_happens_to_all(self) -> None:
        fleet = self.play("[[step]]\nwait_for = 'accepted'\n[[step]]\nafter = 5\ndo = 'plug_in'")
        self.assertNoResult(fleet.over)
        self.network.run(6)
        self.assertEqual(self.successResultOf(fleet.over), [])
        for bench in fleet.benches.values():
            self.assertEqual(bench.status(1), "Preparing")

    def test_what_has_failed_is_told(self) -> None:
        fleet = self.play("[[step]]\nafter = 1\nexpect = 'Charging'")
        self.network.run(2)
        failed = self.successResultOf(fleet.over)
        self.assertEqual(len(failed), 3)
        self.assertEqual(failed[0], "s.toml: step 1: CP1: outlet 1 is Available, and not Charging")

    def test_not_before_all_have_started(self) -> None:
        targets = [Target.at("ws://central-system", f"CP{number}") for number in range(3)]
        scenario = parse("[[step]]\nexpect = 'Available'", "1.6", "s.toml")
        fleet = self.fleet(3, targets=targets, scenario=scenario, ramp=1.0)
        self.network.run(1.1)
        self.assertNoResult(fleet.over)
        self.network.run(1)
        self.assertEqual(self.successResultOf(fleet.over), [])


class StopTests(FleetCase):
    def test_cars_leave_and_connections_end(self) -> None:
        fleet = self.fleet(10, habits=HABITS)
        self.assertGreater(self.passes(1800).charging, 0)
        stopped = fleet.stop(5)
        self.network.run(1)
        self.successResultOf(stopped)
        counts = self.passes(0)
        self.assertEqual((counts.connected, counts.charging), (0, 0))
        self.network.run(7200)
        self.assertEqual(self.passes(0).connected, 0)

    def test_while_it_starts(self) -> None:
        fleet = self.fleet(100, ramp=10.0)
        self.network.run(1)
        stopped = fleet.stop(5)
        self.network.run(1)
        self.successResultOf(stopped)
        self.assertLess(self.passes(60).started, 15)

    def test_while_a_scenario_happens(self) -> None:
        scenario = parse("[[step]]\nrepeat = 0\n[[step.step]]\nafter = 1\ndo = 'mend'", "1.6")
        fleet = self.fleet(3, scenario=scenario)
        self.network.run(1)
        stopped = fleet.stop(5)
        self.network.run(1)
        self.successResultOf(stopped)

    def test_with_sockets_half_open(self) -> None:
        fleet = self.fleet(3, faults=[(Fault.of("half-open", {"alive": 10, "seconds": 0}), 1)])
        self.network.run(20)
        stopped = fleet.stop(5)
        self.network.run(1)
        self.successResultOf(stopped)
        self.assertEqual(len(self.network.central_system.charge_points), 0)

    def test_what_waits_is_sent_first(self) -> None:
        fleet = self.fleet(1)
        (station,) = fleet._stations
        self.network.run(1)
        answers = [station.charge_point.queue(meter_values()) for _ in range(3)]
        stopped = fleet.stop(5)
        self.network.run(0)
        self.assertNoResult(stopped)
        self.network.run(1)
        self.successResultOf(stopped)
        self.assertTrue(all(answer.called for answer in answers))

    def test_but_no_longer_than_the_grace(self) -> None:
        self.tags.silent = True
        fleet = self.fleet(1)
        (station,) = fleet._stations
        self.network.run(1)
        station.charge_point.queue(meter_values())
        stopped = fleet.stop(5)
        self.network.run(4.5)
        self.assertNoResult(stopped)
        self.network.run(1)
        self.successResultOf(stopped)


class WholeTests(FleetCase):
    """With a voice that speaks all of OCPP 1.6."""

    def begin(self) -> None:
        self.central = Central()
        self.network = Network(self.central)
        self.central.clock = self.network.clock

    def heard(self, kind: type[Any]) -> list[Any]:
        return [request for request in self.central.heard if isinstance(request, kind)]

    def test_what_starts_ends_and_nothing_is_left(self) -> None:
        fleet = self.fleet(10, voice=voice_for("1.6"), habits=Habits(cars_per_hour=4))
        self.assertGreater(self.passes(7200).charging, 0)
        started = self.heard(v16.StartTransactionRequest)
        self.assertGreater(len(started), 20)
        self.assertLess(len(self.heard(v16.StopTransactionRequest)), len(started))
        stopped = fleet.stop(10)
        self.network.run(10)
        self.successResultOf(stopped)
        stops = {each.transactionId for each in self.heard(v16.StopTransactionRequest)}
        self.assertEqual(len(stops), len(started))
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_no_two_drivers_are_the_same(self) -> None:
        habits = Habits(cars_per_hour=4, tokens=["RED", "GREEN"])
        self.fleet(1, voice=voice_for("1.6"), habits=habits, hardware=Hardware(outlets=1))
        self.network.run(8 * 3600)
        tags = [each.idTag for each in self.heard(v16.StartTransactionRequest)]
        self.assertEqual(set(tags), {"RED", "GREEN"})
