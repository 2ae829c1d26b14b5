"""Charging profiles at work: what outlets let through, and when that changes."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.simulator.allotment import Allotment, shares
from ocpp_twisted.simulator.physical import Outlet, Vehicle
from tests.simulator.test_profiles import profile


class AtWork(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.begun = {}
        self.outlets = [Outlet(number, self.clock, self.changed) for number in (1, 2)]
        self.allotment = Allotment(
            self.outlets, self.clock, self.now, lambda outlet: self.begun.get(outlet.number)
        )
        for outlet in self.outlets:
            self.addCleanup(outlet.stop)
        self.addCleanup(self.allotment.stop)

    def now(self):
        return datetime.fromtimestamp(self.clock.seconds(), UTC)

    def changed(self, outlet):
        self.allotment.settle()

    def charge(self, number, power=11_000, charge=0):
        outlet = self.outlets[number - 1]
        outlet.plug_in(Vehicle(power=power, capacity=60_000, charge=charge))
        self.begun[number] = self.now()
        outlet.switch(True)

    def install(self, *arguments, **more):
        self.allotment.profiles.set(profile(*arguments, **more))
        self.allotment.settle()

    def flows(self):
        return [round(outlet.flow) for outlet in self.outlets]

    def test_a_schedule_is_kept_over_its_periods(self):
        self.charge(1)
        self.install([(0, 5000), (60, 3000)], duration=90)
        flows = [self.flows()[0]]
        for seconds in (59.9, 0.1, 30):
            self.clock.advance(seconds)
            flows.append(self.flows()[0])
        self.assertEqual(flows, [5000, 5000, 3000, 11000])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)  # the battery's

    def test_clearing_lifts_the_limit(self):
        self.charge(1)
        self.install([5000])
        self.allotment.profiles.clear()
        self.allotment.settle()
        self.assertEqual(self.flows(), [11000, 0])

    def test_the_station_s_limit_is_for_all_outlets_together(self):
        self.install([12_000], purpose="ChargePointMaxProfile")
        self.charge(1)
        self.assertEqual(self.flows(), [11000, 0])
        self.charge(2)
        self.assertEqual(self.flows(), [6000, 6000])
        self.outlets[0].unplug()
        self.assertEqual(self.flows(), [0, 11000])

    def test_what_one_car_leaves_the_other_gets(self):
        self.install([12_000], purpose="ChargePointMaxProfile")
        self.charge(1, power=2000)
        self.charge(2)
        self.assertEqual(self.flows(), [2000, 10000])

    def test_a_full_battery_wants_nothing(self):
        self.install([12_000], purpose="ChargePointMaxProfile")
        self.charge(1, charge=59_000)
        self.charge(2)
        self.clock.advance(601)
        self.assertEqual(self.flows(), [0, 11000])


class Shares(SynchronousTestCase):
    def test_they_are_fair(self):
        self.assertEqual(shares(10, [20, 0, 20]), [5, 0, 5])
        self.assertEqual(shares(10, [1, 20, 20]), [1, 4.5, 4.5])
        self.assertEqual(shares(100, [1, 20]), [1, 20])
        self.assertEqual(shares(0, [1, 20]), [0, 0])
