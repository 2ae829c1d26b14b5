"""Charging profiles of OCPP 1.6: set, cleared, kept to, and worked out."""

from __future__ import annotations

from datetime import timedelta

from ocpp_twisted import v16
from ocpp_twisted.errors import CallErrorReceived
from tests.simulator.case16 import Case

KINDS, PURPOSES, UNITS = (
    v16.ChargingProfileKindType,
    v16.ChargingProfilePurposeType,
    v16.ChargingRateUnitType,
)


def profile(
    limits, number=1, purpose="TxDefaultProfile", level=0, kind="Absolute", unit="W", **more
):
    schedule = v16.ChargingSchedule(
        chargingRateUnit=UNITS(unit),
        chargingSchedulePeriod=[
            v16.ChargingSchedulePeriod(startPeriod=start, limit=limit) for start, limit in limits
        ],
        **{name: more.pop(name) for name in ("duration", "startSchedule") if name in more},
    )
    return v16.ChargingProfile(
        chargingProfileId=number,
        stackLevel=level,
        chargingProfilePurpose=PURPOSES(purpose),
        chargingProfileKind=KINDS(kind),
        chargingSchedule=schedule,
        **more,
    )


class Profiles(Case):
    def set(self, connector, *arguments, **more):
        request = v16.SetChargingProfileRequest(
            connectorId=connector, csChargingProfiles=profile(*arguments, **more)
        )
        return self.asks(request).status

    def clear(self, **more):
        return self.asks(v16.ClearChargingProfileRequest(**more)).status

    def flow(self, number=1):
        return round(self.station.outlet(number).flow)


class KeptTo(Profiles):
    def test_the_default_profile_bounds_a_transaction(self):
        self.assertEqual(self.set(0, [(0, 5000), (60, 3000)], kind="Relative"), "Accepted")
        self.run_(1000)
        self.charge()
        self.assertEqual(self.flow(), 5000)
        self.run_(60)
        self.assertEqual(self.flow(), 3000)

    def test_one_of_0_suspends(self):
        self.charge()
        self.set(1, [(0, 0)])
        self.says("Status 1 SuspendedEVSE")
        self.clear(id=1)
        self.says("Status 1 Charging")

    def test_the_transaction_s_own_ends_with_it(self):
        self.charge()
        self.assertEqual(self.set(1, [(0, 4000)], purpose="TxProfile", transactionId=1), "Accepted")
        self.assertEqual(self.flow(), 4000)
        self.station.present("RED", 1)
        self.run_(0)
        self.assertEqual(len(self.voice.allotment.profiles), 0)
        self.station.unplug(1)
        self.charge("GREEN")
        self.assertEqual(self.flow(), 11000)

    def test_the_charge_point_s_is_for_all(self):
        self.assertEqual(self.set(0, [(0, 12_000)], purpose="ChargePointMaxProfile"), "Accepted")
        self.charge("RED", 1)
        self.charge("GREEN", 2)
        self.assertEqual([self.flow(1), self.flow(2)], [6000, 6000])

    def test_amperes(self):
        self.set(1, [(0, 10)], unit="A")
        self.charge()
        self.assertEqual(self.flow(), 6900)

    def test_they_last_over_a_restart(self):
        self.set(1, [(0, 5000)])
        self.asks(v16.ResetRequest(type=v16.ResetType.Hard))
        self.run_(10)
        self.charge()
        self.assertEqual(self.flow(), 5000)

    def test_a_remote_start_brings_its_own(self):
        self.station.plug_in(1)
        request = v16.RemoteStartTransactionRequest(
            idTag="RED", connectorId=1, chargingProfile=profile([(0, 4000)], purpose="TxProfile")
        )
        self.assertEqual(self.asks(request).status, "Accepted")
        self.run_(0)
        self.assertEqual(self.flow(), 4000)
        # The same level replaces it, another one is put above it (errata 3.42).
        self.set(1, [(0, 3000)], 2, "TxProfile", transactionId=1)
        self.assertEqual([each.id for each in self.voice.allotment.profiles], [2])

    def test_a_remote_start_with_a_wrong_one_is_rejected(self):
        for wrong in (
            profile([(0, 4000)]),
            profile([(0, 4000)], purpose="TxProfile", transactionId=1),
            profile([(5, 4000)], purpose="TxProfile"),
        ):
            request = v16.RemoteStartTransactionRequest(
                idTag="RED", connectorId=1, chargingProfile=wrong
            )
            self.assertEqual(self.asks(request).status, "Rejected")


class Refused(Profiles):
    def test_where_they_do_not_belong(self):
        self.assertEqual(self.set(1, [(0, 1)], purpose="ChargePointMaxProfile"), "Rejected")
        self.assertEqual(self.set(1, [(0, 1)], purpose="TxProfile"), "Rejected")
        self.charge()
        self.assertEqual(self.set(0, [(0, 1)], purpose="TxProfile"), "Rejected")
        self.assertEqual(self.set(1, [(0, 1)], purpose="TxProfile", transactionId=2), "Rejected")
        self.assertEqual(self.set(2, [(0, 1)], purpose="TxProfile", transactionId=1), "Rejected")
        self.assertEqual(self.set(1, [(0, 1)], purpose="TxProfile"), "Accepted")

    def test_a_connector_that_is_not_there(self):
        """Errata 3.39."""
        with self.assertRaises(CallErrorReceived) as raised:
            self.set(3, [(0, 1)])
        self.assertEqual(raised.exception.code, "PropertyConstraintViolation")

    def test_what_is_wrong_in_itself(self):
        for limits, more in (
            ([], {}),
            ([(1, 1)], {}),
            ([(0, 1), (60, 1), (30, 1)], {}),
            ([(0, 1), (0, 2)], {}),
            ([(0, -1)], {}),
            ([(0, 10**400)], {}),
            ([(number, 1) for number in range(101)], {}),
            ([(0, 1)], {"level": 11}),
            ([(0, 1)], {"level": -1}),
            ([(0, 1)], {"kind": "Recurring"}),
            ([(0, 1)], {"kind": "Recurring", "recurrencyKind": v16.RecurrencyKindType.Daily}),
        ):
            self.assertEqual(self.set(0, limits, **more), "Rejected", (limits, more))

    def test_no_more_than_there_is_room_for(self):
        outcomes = [
            self.set(connector, [(0, 1)], number * 3 + connector, level=number)
            for connector in (0, 1, 2)
            for number in range(11)
        ]
        outcomes += [
            self.set(0, [(0, 1)], 100 + level, "ChargePointMaxProfile", level=level)
            for level in range(11)
        ]
        self.assertEqual({*outcomes}, {"Accepted"})
        self.voice.configuration.put("MaxChargingProfilesInstalled", "44")
        self.charge()
        self.assertEqual(self.set(1, [(0, 1)], 200, "TxProfile"), "Rejected")
        self.assertEqual(self.set(0, [(0, 2)], 100, "ChargePointMaxProfile"), "Accepted")


class Cleared(Profiles):
    def test_by_all_that_is_given(self):
        self.set(1, [(0, 1)], 1, level=1)
        self.set(2, [(0, 1)], 2, level=1)
        self.assertEqual(self.clear(id=3), "Unknown")
        self.assertEqual(self.clear(id=1, connectorId=2), "Unknown")
        self.assertEqual(self.clear(connectorId=2, stackLevel=1), "Accepted")
        purpose = PURPOSES.TxDefaultProfile
        self.assertEqual(self.clear(chargingProfilePurpose=purpose), "Accepted")
        self.assertEqual(self.clear(), "Unknown")


class WorkedOut(Profiles):
    def composite(self, connector=1, duration=600, **more):
        request = v16.GetCompositeScheduleRequest(connectorId=connector, duration=duration, **more)
        return self.asks(request)

    def periods(self, *arguments, **more):
        schedule = self.composite(*arguments, **more).chargingSchedule
        return [(each.startPeriod, each.limit) for each in schedule.chargingSchedulePeriod]

    def test_what_is_let_through(self):
        self.set(0, [(0, 8000), (300, 6000)], 1, "ChargePointMaxProfile")
        self.set(1, [(0, 9000), (100, 7000)], 2, kind="Relative")
        answer = self.composite()
        self.assertEqual((answer.status, answer.connectorId), ("Accepted", 1))
        self.assertEqual(answer.scheduleStart, self.voice.now())
        self.assertEqual(self.periods(), [(0, 8000), (100, 7000), (300, 6000)])
        self.assertFalse(answer.chargingSchedule.startSchedule)  # errata 3.57
        self.assertEqual(answer.chargingSchedule.duration, 600)

    def test_for_a_transaction_from_now_on(self):
        self.set(1, [(0, 9000), (100, 7000)], 2, kind="Relative")
        self.charge()
        self.run_(40)
        self.assertEqual(self.periods(), [(0, 9000), (60, 7000)])

    def test_for_the_whole_charge_point(self):
        self.assertEqual(self.periods(0), [(0, 44_000)])
        self.set(0, [(0, 8000)], 1, "ChargePointMaxProfile")
        self.set(1, [(0, 1000)], 2)
        self.assertEqual(self.periods(0), [(0, 8000)])

    def test_in_amperes(self):
        self.set(1, [(0, 6900), (10, 5000)])
        periods = self.periods(1, chargingRateUnit=UNITS.A)
        self.assertEqual(periods, [(0, 10), (10, 7.2)])

    def test_how_many_phases_there_are(self):
        self.station.outlet(1).phases = 1
        answer = self.composite(chargingRateUnit=UNITS.A)
        (period,) = answer.chargingSchedule.chargingSchedulePeriod
        self.assertEqual((period.limit, period.numberPhases), (95.7, 1))

    def test_daily(self):
        start = self.voice.now() - timedelta(days=3, seconds=-60)
        self.set(
            1,
            [(0, 5000)],
            kind="Recurring",
            recurrencyKind=v16.RecurrencyKindType.Daily,
            startSchedule=start,
            duration=30,
        )
        self.assertEqual(self.periods(), [(0, 22_000), (60, 5000), (90, 22_000)])

    def test_what_cannot_be(self):
        for connector, duration in ((3, 600), (-1, 600), (1, 0), (1, -5), (1, 10**8)):
            answer = self.composite(connector, duration)
            self.assertEqual((answer.status, bool(answer.chargingSchedule)), ("Rejected", False))
