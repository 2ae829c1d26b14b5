"""Reservations: for whom, and how long."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.simulator.reservations import Reservation, Reservations


class Kept(SynchronousTestCase):
    def setUp(self):
        self.clock, self.ended = Clock(), []
        self.reservations = Reservations(self.clock, self.ended.append)

    def reserve(self, number=1, outlet=1, token="a", group=None, seconds=60):
        reservation = Reservation(id=number, outlet=outlet, token=token, group=group)
        self.reservations.add(reservation, seconds)
        return reservation

    def test_until_its_time_is_over(self):
        reservation = self.reserve()
        self.clock.advance(59)
        self.assertEqual((self.reservations.at(1), self.ended), (reservation, []))
        self.clock.advance(1)
        self.assertEqual((self.reservations.at(1), self.ended), (None, [reservation]))

    def test_who_cancels_is_not_told(self):
        reservation = self.reserve()
        self.assertEqual(self.reservations.cancel(1), reservation)
        self.assertIsNone(self.reservations.cancel(1))
        self.clock.advance(60)
        self.assertEqual(self.ended, [])

    def test_the_same_id_replaces(self):
        self.reserve(seconds=10)
        other = self.reserve(outlet=2, seconds=60)
        self.clock.advance(30)
        self.assertEqual(list(self.reservations), [other])
        self.assertEqual(self.ended, [])

    def test_who_may_use_it(self):
        reservation = self.reserve(group="family")
        self.assertTrue(reservation.is_for("a", None))
        self.assertTrue(reservation.is_for("b", "family"))
        self.assertFalse(reservation.is_for("b", None))
        self.assertFalse(self.reserve(2, group=None).is_for("b", None))

    def test_the_outlet_s_own_is_used_up_before_one_for_any(self):
        for_any = self.reserve(1, outlet=0)
        own = self.reserve(2, outlet=1)
        self.assertEqual(self.reservations.of(1, "a", None), own)
        self.assertEqual(self.reservations.of(2, "a", None), for_any)
        self.assertIsNone(self.reservations.of(1, "b", None))
        self.assertEqual(self.reservations.for_any(), 1)

    def test_stopping_leaves_no_timer(self):
        self.reserve()
        self.reservations.stop()
        self.assertEqual((len(self.reservations), self.clock.getDelayedCalls()), (0, []))
