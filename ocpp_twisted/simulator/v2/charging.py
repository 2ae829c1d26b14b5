"""Charging profiles as the central system sets, gets and clears them (functional block K).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases K01 to K13.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.allotment import Allotment
from ocpp_twisted.simulator.physical import Outlet
from ocpp_twisted.simulator.profiles import Period, Profile, Schedule
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.evse import Evse, Transaction

__all__ = ["Charging"]

_EXTERNAL = "ChargingStationExternalConstraints"
#: Seconds that a composite schedule tells of at most.
_LONGEST = 31 * 86_400
#: Profiles in one ReportChargingProfiles.
_AT_ONCE = 5


class Charging(Block):
    """Takes profiles, and keeps the outlets within them.

    :ivar wires: id to (EVSE, source, the profile as it came).
    """

    name = "charging"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self.wires: dict[int, tuple[int, str, Any]] = {}
        self.allotment = Allotment(self.station.outlets, self.station.clock, voice.now, self._begun)
        self._expected: dict[Evse, Any] = {}
        self.voice.live(
            "SmartChargingCtrlr",
            "Entries",
            lambda: str(len(self.wires)),
            variable_instance="ChargingProfiles",
        )

    def _begun(self, outlet: Outlet) -> Any:
        transaction = self.voice.evse(outlet.number).transaction
        return None if transaction is None else transaction.begun

    def look(self, evse: Evse) -> None:
        """An EVSE has changed."""
        profile = self._expected.get(evse)
        if profile is not None and evse.transaction is not None:
            del self._expected[evse]
            self._install(evse.number, profile, "CSO", evse.transaction.id)
        elif profile is not None and evse.permit is None:
            del self._expected[evse]
        self.allotment.settle()

    def powered_off(self) -> None:
        """See `Block`."""
        self.allotment.stop()

    def started(self) -> None:
        """See `Block`."""
        self.allotment.settle()

    def transaction_ended(self, transaction: Transaction) -> None:
        """Profiles of a transaction end with it (K01.FR.27)."""
        gone = [each.id for each in self.allotment.profiles if each.transaction == transaction.id]
        self.remove(gone)

    # -- profiles come and go -----------------------------------------------------------------

    def expect(self, evse: Evse, profile: Any) -> None:
        """A RequestStartTransaction has brought one for the transaction to come."""
        self._expected[evse] = profile

    def _install(self, evse: int, wire: Any, source: str, transaction: str | None = None) -> None:
        profile = self._profile(evse, wire, transaction)
        self.allotment.profiles.set(profile)
        self.wires[profile.id] = evse, source, wire
        kept = {each.id for each in self.allotment.profiles}
        self.wires = {key: value for key, value in self.wires.items() if key in kept}
        self.allotment.settle()

    def constrain(self, evse: int, number: int, schedule: Any, source: str) -> None:
        """Somebody else than the central system bounds an EVSE."""
        profile = self.make(
            "ChargingProfileType",
            id=number,
            stackLevel=0,
            chargingProfilePurpose=_EXTERNAL,
            chargingProfileKind="Absolute",
            chargingSchedule=[schedule],
        )
        self._install(evse, profile, source)

    def remove(self, ids: Sequence[int]) -> int:
        """Remove profiles; returns how many there were."""
        count = self.allotment.profiles.clear(ids=ids)
        for each in ids:
            self.wires.pop(each, None)
        self.allotment.settle()
        return count

    def _profile(self, evse: int, wire: Any, transaction: str | None = None) -> Profile:
        return Profile(
            id=wire.id,
            purpose=str(wire.chargingProfilePurpose),
            level=wire.stackLevel,
            kind=str(wire.chargingProfileKind),
            schedules=[self._schedule(each) for each in _schedules(wire)],
            outlet=evse,
            recurrency=given(wire, "recurrencyKind"),
            valid_from=given(wire, "validFrom"),
            valid_to=given(wire, "validTo"),
            transaction=transaction or given(wire, "transactionId"),
            installed=self.now(),
        )

    @staticmethod
    def _schedule(wire: Any) -> Schedule:
        periods = [
            Period(
                each.startPeriod,
                inf if given(each, "limit") is None else each.limit,
                given(each, "numberPhases") or 3,
            )
            for each in wire.chargingSchedulePeriod
        ]
        return Schedule(
            unit=str(wire.chargingRateUnit),
            periods=periods,
            duration=given(wire, "duration"),
            start=given(wire, "startSchedule"),
            minimum=given(wire, "minChargingRate"),
        )

    # -- K01 ----------------------------------------------------------------------------------

    @on(*every("SetChargingProfile"))
    def set_charging_profile(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        why = self._objection(request.evseId, request.chargingProfile)
        if why is None:
            self._install(request.evseId, request.chargingProfile, "CSO")
        return self.make(
            "SetChargingProfileResponse",
            status="Accepted" if why is None else "Rejected",
            statusInfo=None if why is None else self.reason(why),
        )

    def objection_to_start(self, wire: Any) -> str | None:
        """Why a profile cannot come with a RequestStartTransaction (F01.FR.08 to FR.11)."""
        if wire.chargingProfilePurpose != "TxProfile" or given(wire, "transactionId") is not None:
            return "InvalidProfile"
        return self._malformed(wire)

    def _objection(self, number: int, wire: Any) -> str | None:
        purpose, transaction = wire.chargingProfilePurpose, given(wire, "transactionId")
        if not self.model.boolean("SmartChargingCtrlr", "Enabled"):
            return "NotEnabled"
        if not 0 <= number <= len(self.voice.evses):
            return "UnknownEvse"
        if purpose == _EXTERNAL or (purpose == "ChargingStationMaxProfile" and number):
            return "InvalidProfile"
        if purpose == "TxProfile":
            if number == 0 or transaction is None:
                return "InvalidProfile" if number == 0 else "MissingParam"
            ongoing = self.voice.evse(number).transaction
            if ongoing is None or ongoing.id != transaction:
                return "TxNotFound"
        elif transaction is not None:
            return "InvalidProfile"
        return self._malformed(wire) or self._no_room(self._profile(number, wire))

    def _no_room(self, new: Profile) -> str | None:
        installed = self.allotment.profiles
        same = installed.found(outlet=new.outlet, purpose=new.purpose, level=new.level)
        if any(each.id != new.id and _overlap(each, new) for each in same):
            return "DuplicateProfile"
        most = self.voice.most("SmartChargingCtrlr", "Entries", "ChargingProfiles")
        full = len(installed) >= most and not installed.found(ids=[new.id])
        return "OutOfStorage" if full else None

    def _malformed(self, wire: Any) -> str | None:
        if wire.stackLevel > self.model.integer("SmartChargingCtrlr", "ProfileStackLevel"):
            return "InvalidStackLevel"
        kind, recurs = wire.chargingProfileKind, given(wire, "recurrencyKind") is not None
        if recurs != (kind == "Recurring"):
            return "InvalidProfile"
        most = self.model.integer("SmartChargingCtrlr", "PeriodsPerSchedule")
        for schedule in wire.chargingSchedule:
            starts = [each.startPeriod for each in schedule.chargingSchedulePeriod]
            anchored = given(schedule, "startSchedule") is not None
            if starts[0] != 0 or starts != sorted(set(starts)):
                return "InvalidSchedule"
            if anchored == (kind in ("Relative", "Dynamic")):
                return "InvalidSchedule"
            if len(starts) > most:
                return "TooManyElements"
        return None

    # -- K08, K09, K10 ------------------------------------------------------------------------

    @on(*every("GetCompositeSchedule"))
    def get_composite_schedule(self, link: Any, request: Any) -> Any:
        """See OCPP, K08."""
        number, why = request.evseId, None
        if not 0 <= number <= len(self.voice.evses):
            why = "UnknownEvse"
        elif not 0 < request.duration <= _LONGEST:
            why = "ValueOutOfRange"
        if why is not None:
            return self.make(
                "GetCompositeScheduleResponse",
                status="Rejected",
                statusInfo=self.reason(why),
                evseId=number,
            )
        unit = str(given(request, "chargingRateUnit") or "W")
        now, outlet = self.now(), self.station.outlets[max(number - 1, 0)]
        most = outlet.power if number else outlet.power * len(self.station.outlets)
        periods = self.allotment.profiles.composite(
            number,
            now,
            self._begun(outlet) if number else None,
            request.duration,
            unit,
            outlet.watts_per_ampere,
            most,
        )
        schedule = self.make(
            "CompositeScheduleType",
            evseId=number,
            duration=request.duration,
            scheduleStart=now,
            chargingRateUnit=unit,
            chargingSchedulePeriod=[
                self.make(
                    "ChargingSchedulePeriodType",
                    startPeriod=int(each.start),
                    limit=round(each.limit, 1),
                    numberPhases=each.phases,
                )
                for each in periods
            ],
        )
        return self.make(
            "GetCompositeScheduleResponse", status="Accepted", evseId=number, schedule=schedule
        )

    @on(*every("GetChargingProfiles"))
    def get_charging_profiles(self, link: Any, request: Any) -> Any:
        """See OCPP, K09."""
        status = "Accepted" if self._wanted(request) else "NoProfiles"
        return self.make("GetChargingProfilesResponse", status=status)

    @after(*every("GetChargingProfiles"))
    def report_charging_profiles(self, link: Any, request: Any, response: Any) -> None:
        """What was asked for: a report for each EVSE and source, in parts."""
        groups: dict[tuple[int, str], list[Any]] = {}
        for evse, source, wire in self._wanted(request):
            groups.setdefault((evse, source), []).append(wire)
        reports = [
            (evse, source, wires[start : start + _AT_ONCE])
            for (evse, source), wires in sorted(groups.items())
            for start in range(0, len(wires), _AT_ONCE)
        ]
        self.call_in_turn(
            self.make(
                "ReportChargingProfilesRequest",
                requestId=given(request, "requestId"),
                chargingLimitSource=source,
                chargingProfile=[self._as_told(each) for each in wires],
                evseId=evse,
                tbc=number + 1 < len(reports),
            )
            for number, (evse, source, wires) in enumerate(reports)
        )

    def _as_told(self, wire: Any) -> Any:
        """A profile as the version has it."""
        fields = {name: given(wire, name) for name in wire.__struct_fields__}
        fields["chargingSchedule"] = _schedules(wire)
        return self.make("ChargingProfileType", **fields)

    def _wanted(self, request: Any) -> list[tuple[int, str, Any]]:
        criteria, number = request.chargingProfile, given(request, "evseId")
        ids, sources = given(criteria, "chargingProfileId"), given(criteria, "chargingLimitSource")
        purpose, level = given(criteria, "chargingProfilePurpose"), given(criteria, "stackLevel")
        return [
            (evse, source, wire)
            for evse, source, wire in self.wires.values()
            if number in (None, evse)
            and (ids is None or wire.id in ids)
            and (sources is None or source in sources)
            and purpose in (None, wire.chargingProfilePurpose)
            and level in (None, wire.stackLevel)
        ]

    @on(*every("ClearChargingProfile"))
    def clear_charging_profile(self, link: Any, request: Any) -> Any:
        """See OCPP, K10."""
        number, criteria = (
            given(request, "chargingProfileId"),
            given(request, "chargingProfileCriteria"),
        )
        gone = [
            key
            for key, (evse, _, wire) in self.wires.items()
            if number in (None, key)
            and given(criteria, "evseId") in (None, evse)
            and given(criteria, "stackLevel") in (None, wire.stackLevel)
            and given(criteria, "chargingProfilePurpose") in (None, wire.chargingProfilePurpose)
            and wire.chargingProfilePurpose != _EXTERNAL
        ]
        status = "Accepted" if self.remove(gone) else "Unknown"
        return self.make("ClearChargingProfileResponse", status=status)


def _schedules(wire: Any) -> list[Any]:
    """The schedules of a profile; of what it makes itself, 2.0 has one."""
    found = wire.chargingSchedule
    return found if isinstance(found, list) else [found]


def _overlap(one: Profile, other: Profile) -> bool:
    """Whether there is a time when both are valid."""
    begins = [each for each in (one.valid_from, other.valid_from) if each is not None]
    ends = [each for each in (one.valid_to, other.valid_to) if each is not None]
    return not begins or not ends or max(begins) < min(ends)
