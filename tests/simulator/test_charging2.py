"""Charging profiles of 2.x (block K)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulator.case2 import Case, each


class Profiles:
    def schedule(self, *periods: tuple[int, float], unit: str = "W", **more: Any) -> Any:
        if self.version != "2.0":
            more |= {"id": 1}
        return self.m.ChargingScheduleType(
            chargingRateUnit=unit,
            chargingSchedulePeriod=[
                self.m.ChargingSchedulePeriodType(startPeriod=start, limit=limit)
                for start, limit in periods
            ],
            **more,
        )

    def profile(
        self,
        number: int = 1,
        *periods: tuple[int, float],
        purpose: str = "TxDefaultProfile",
        kind: str = "Absolute",
        level: int = 0,
        unit: str = "W",
        **more: Any,
    ) -> Any:
        start = {"startSchedule": self.now()} if kind not in ("Relative", "Dynamic") else {}
        schedule = self.schedule(*(periods or ((0, 5000.0),)), unit=unit, **start)
        return self.m.ChargingProfileType(
            id=number,
            stackLevel=level,
            chargingProfilePurpose=purpose,
            chargingProfileKind=kind,
            chargingSchedule=schedule if self.version == "2.0" else [schedule],
            **more,
        )

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.network.clock.seconds(), UTC)

    def set_profile(self, profile: Any, evse: int = 1) -> str:
        status: str = self.ask("SetChargingProfile", evseId=evse, chargingProfile=profile)["status"]
        return status

    def flow(self, number: int = 1) -> float:
        flow: float = self.station.outlets[number - 1].flow
        return round(flow, 3)

    def test_a_profile_bounds_what_flows_and_when(self):
        self.assertEqual(self.set_profile(self.profile(1, (0, 5000.0), (600, 3000.0))), "Accepted")
        self.charge()
        self.assertEqual(self.flow(), 5000.0)
        self.run_for(600)
        self.assertEqual(self.flow(), 3000.0)
        self.assertEqual(self.get("SmartChargingCtrlr", "Entries", "ChargingProfiles"), "1")

    def test_a_limit_of_nothing_suspends(self):
        self.charge()
        self.heard()
        self.set_profile(self.profile(1, (0, 0.0)))
        self.run_for(1)
        self.assertEqual(self.events(), [("Updated", "ChargingStateChanged", "SuspendedEVSE")])

    def test_of_a_transaction(self):
        transaction = self.charge()
        purpose = {"purpose": "TxProfile"}
        profile = self.profile(1, **purpose, transactionId=transaction)
        self.assertEqual(self.set_profile(profile), "Accepted")
        self.assertEqual(self.flow(), 5000.0)
        for wrong, evse in (
            (self.profile(2, **purpose), 1),
            (self.profile(2, **purpose, transactionId="another"), 1),
            (self.profile(2, **purpose, transactionId=transaction), 2),
            (self.profile(2, **purpose, transactionId=transaction), 0),
        ):
            self.assertEqual(self.set_profile(wrong, evse), "Rejected")
        self.station.present("AA")
        self.run_for(1)
        self.assertEqual(self.voice.charging.wires, {})

    def test_it_comes_with_a_start(self):
        profile = self.profile(1, purpose="TxProfile", kind="Relative")
        answer = self.ask(
            "RequestStartTransaction",
            idToken=self.token(),
            remoteStartId=1,
            evseId=1,
            chargingProfile=profile,
        )
        self.assertEqual(answer["status"], "Accepted")
        self.station.plug_in()
        self.run_for(1)
        self.assertEqual(self.flow(), 5000.0)
        answer = self.ask(
            "RequestStartTransaction",
            idToken=self.token(),
            remoteStartId=1,
            evseId=2,
            chargingProfile=self.profile(2),
        )
        self.assertEqual(answer["status"], "Rejected")

    def test_the_station_shares(self):
        self.charge(number=1)
        self.charge(number=2)
        profile = self.profile(1, (0, 10_000.0), purpose="ChargingStationMaxProfile")
        self.assertEqual(self.set_profile(profile, 1), "Rejected")
        self.assertEqual(self.set_profile(profile, 0), "Accepted")
        self.assertEqual(self.flow(1) + self.flow(2), 10_000.0)

    def test_what_cannot_be(self):
        for profile in (
            self.profile(1, level=10),
            self.profile(1, (5, 1.0)),
            self.profile(1, (0, 1.0), (0, 2.0)),
            self.profile(1, kind="Recurring"),
            self.profile(1, recurrencyKind="Daily"),
            self.profile(1, *((number, 1.0) for number in range(101))),
            self.profile(1, purpose="ChargingStationExternalConstraints"),
            self.profile(1, transactionId="x"),
        ):
            self.assertEqual(self.set_profile(profile), "Rejected")
        self.assertEqual(self.set_profile(self.profile(1), 3), "Rejected")
        self.assertEqual(self.set_profile(self.profile(1)), "Accepted")
        self.assertEqual(self.set_profile(self.profile(2)), "Rejected")  # of the same level
        self.assertEqual(self.set_profile(self.profile(2, validFrom=self.now())), "Rejected")
        later = {"validFrom": self.now(), "validTo": self.now() + timedelta(hours=1)}
        self.set_profile(self.profile(3, level=1, **later))
        after = {"validFrom": self.now() + timedelta(hours=2)}
        self.assertEqual(self.set_profile(self.profile(4, level=1, **after)), "Accepted")
        self.set("SmartChargingCtrlr", "Enabled", "false")
        self.assertEqual(self.set_profile(self.profile(5, level=2)), "Rejected")

    def test_the_composite_schedule(self):
        self.set_profile(self.profile(1, (0, 6900.0), (600, 3450.0)))
        ask = "GetCompositeSchedule"
        answer = self.ask(ask, duration=900, evseId=1, chargingRateUnit="A")
        schedule = answer["schedule"]
        inner = schedule.get("chargingSchedule", schedule)
        self.assertEqual(
            [(each["startPeriod"], each["limit"]) for each in inner["chargingSchedulePeriod"]],
            [(0, 10.0), (600, 5.0)],
        )
        self.assertEqual(inner["duration"], 900)
        for wrong in ({"duration": 900, "evseId": 3}, {"duration": 0, "evseId": 1}):
            self.assertEqual(self.ask(ask, **wrong)["status"], "Rejected")

    def get_profiles(self, **criteria: Any) -> tuple[str, list[dict[str, Any]]]:
        self.heard()
        where = {"evseId": criteria.pop("evse")} if "evse" in criteria else {}
        answer = self.ask(
            "GetChargingProfiles",
            requestId=3,
            chargingProfile=self.m.ChargingProfileCriterionType(**criteria),
            **where,
        )
        self.run_for(1)
        return answer["status"], self.heard("ReportChargingProfiles")

    def test_they_are_reported(self):
        for number in range(6):
            self.set_profile(self.profile(number + 1, level=number), 1)
        self.set_profile(self.profile(9), 2)
        status, reports = self.get_profiles()
        self.assertEqual(status, "Accepted")
        self.assertEqual(
            [(each["evseId"], each["tbc"]) for each in reports],
            [
                (1, True),
                (1, True),
                (2, False),
            ],
        )
        ids = [profile["id"] for each in reports for profile in each["chargingProfile"]]
        self.assertEqual(ids, [1, 2, 3, 4, 5, 6, 9])
        self.assertEqual({each["chargingLimitSource"] for each in reports}, {"CSO"})
        status, [report] = self.get_profiles(chargingProfileId=[2, 9], evse=2)
        self.assertEqual([each["id"] for each in report["chargingProfile"]], [9])
        self.assertEqual(self.get_profiles(stackLevel=8), ("NoProfiles", []))
        self.assertEqual(self.get_profiles(chargingLimitSource=["EMS"]), ("NoProfiles", []))

    def clear(self, number: int | None = None, **criteria: Any) -> str:
        if self.version == "2.0":
            evse = {"evseId": criteria.pop("evseId")} if "evseId" in criteria else {}
            inner = self.m.ClearChargingProfileType(
                **criteria, **({} if number is None else {"id": number})
            )
            status: str = self.ask("ClearChargingProfile", chargingProfile=inner, **evse)["status"]
            return status
        where: dict[str, Any] = {} if number is None else {"chargingProfileId": number}
        if criteria:
            where["chargingProfileCriteria"] = self.m.ClearChargingProfileType(**criteria)
        return self.ask("ClearChargingProfile", **where)["status"]

    def test_they_are_cleared(self):
        for number in range(4):
            self.set_profile(self.profile(number + 1, level=number), 1 + number % 2)
        self.assertEqual(self.clear(9), "Unknown")
        self.assertEqual(self.clear(1), "Accepted")
        self.assertEqual(self.clear(evseId=2, stackLevel=1), "Accepted")
        self.assertEqual(sorted(self.voice.charging.wires), [3, 4])
        self.charge()
        self.assertEqual(self.clear(chargingProfilePurpose="TxDefaultProfile"), "Accepted")
        self.assertEqual(self.flow(), 11_000.0)


class Elsewhere:
    def test_somebody_else_limits_it(self):
        self.charge()
        self.heard()
        self.voice.external.limit(6000.0)
        self.run_for(1)
        (told,) = [each for action, each in self.central.heard if action == "NotifyChargingLimit"]
        self.assertEqual(told, {"chargingLimit": {"chargingLimitSource": "EMS"}})
        self.assertEqual(self.station.outlets[0].flow, 6000.0)
        self.assertEqual(self.events(), [("Updated", "ChargingRateChanged", "Charging")])
        answer = self.ask(
            "GetChargingProfiles",
            requestId=3,
            chargingProfile=self.m.ChargingProfileCriterionType(chargingLimitSource=["EMS"]),
        )
        self.run_for(1)
        self.assertEqual(answer["status"], "Accepted")
        (report,) = self.heard("ReportChargingProfiles")
        self.assertEqual(report["chargingLimitSource"], "EMS")
        self.voice.external.release()
        self.run_for(1)
        (cleared,) = self.heard("ClearedChargingLimit")
        self.assertEqual(cleared, {"chargingLimitSource": "EMS"})
        self.assertEqual(self.station.outlets[0].flow, 11_000.0)
        self.voice.external.release()
        self.run_for(1)
        self.assertEqual(self.heard(), [])

    def test_with_the_schedule(self):
        self.set("SmartChargingCtrlr", "NotifyChargingLimitWithSchedules", "true")
        self.voice.external.limit(6000.0, 2, "SO")
        self.run_for(1)
        (told,) = self.heard("NotifyChargingLimit")
        self.assertEqual(told["evseId"], 2)
        (schedule,) = told["chargingSchedule"]
        self.assertEqual(schedule["chargingSchedulePeriod"][0]["limit"], 6000.0)

    def test_nobody_else_is_to_be_heard(self):
        self.set("SmartChargingCtrlr", "ExternalControlSignalsEnabled", "false")
        self.heard()
        self.voice.external.limit(6000.0)
        self.run_for(1)
        self.assertEqual(self.heard(), [])

    def test_what_a_car_wants(self):
        self.voice.external.needs(1)
        self.station.plug_in(1)
        self.voice.external.needs(1)
        self.run_for(1)
        (told,) = self.heard("NotifyEVChargingNeeds")
        self.assertEqual(told["chargingNeeds"]["acChargingParameters"]["energyAmount"], 48_000)


globals().update(each(Elsewhere))


class Added(Profiles, Case):
    """What 2.1 adds."""

    version = "2.1"

    def test_priority(self):
        transaction = self.charge()
        ask = "UsePriorityCharging"
        self.set_profile(self.profile(1))
        self.assertEqual(
            self.ask(ask, transactionId=transaction, activate=True)["status"], "NoProfile"
        )
        profile = self.profile(2, (0, 9000.0), purpose="PriorityCharging")
        self.assertEqual(self.set_profile(profile), "Accepted")
        self.assertEqual(self.flow(), 5000.0)
        self.assertEqual(
            self.ask(ask, transactionId=transaction, activate=True)["status"], "Accepted"
        )
        self.assertEqual(self.flow(), 9000.0)
        self.ask(ask, transactionId=transaction, activate=False)
        self.assertEqual(self.flow(), 5000.0)
        self.assertEqual(self.ask(ask, transactionId="x", activate=True)["status"], "Rejected")
        self.voice.charging.prefer(self.voice.evses[0], True)
        self.run_for(1)
        (told,) = self.heard("NotifyPriorityCharging")
        self.assertEqual(told, {"transactionId": transaction, "activated": True})

    def test_the_central_system_changes_a_schedule(self):
        self.charge()
        self.set_profile(self.profile(1, kind="Dynamic"))
        update = self.m.ChargingScheduleUpdateType(limit=2000.0)
        ask = "UpdateDynamicSchedule"
        answer = self.ask(ask, chargingProfileId=1, scheduleUpdate=update)
        self.run_for(1)
        self.assertEqual((answer["status"], self.flow()), ("Accepted", 2000.0))
        answer = self.ask(ask, chargingProfileId=2, scheduleUpdate=update)
        self.assertEqual(answer["status"], "Rejected")

    def test_or_is_asked_for_changes(self):
        limits = iter((4000.0, 3000.0))
        self.central.answers["PullDynamicScheduleUpdate"] = lambda request: (
            self.m.PullDynamicScheduleUpdateResponse(
                status="Accepted",
                scheduleUpdate=self.m.ChargingScheduleUpdateType(limit=next(limits)),
            )
        )
        self.charge()
        self.set_profile(self.profile(1, kind="Dynamic", dynUpdateInterval=30))
        for flow in (4000.0, 3000.0):
            self.run_for(30)
            self.assertEqual(self.flow(), flow)


globals().update(each(Profiles, "2.0", "2.0.1"))
