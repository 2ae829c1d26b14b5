"""What a simulated charge point of OCPP 1.6 answers to the messages of the profile SmartCharging.

Imports its neighbours and the messages of 1.6. Source: OCPP 1.6 sections 3.13, 5.5, 5.7 and 5.16
with errata 3.25, 3.37 to 3.45, 3.51 and 3.57. Profiles last over restarts.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from ocpp_twisted.errors import CallFault, ErrorCode
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.simulator.profiles import Period, Profile, Schedule
from ocpp_twisted.v16 import (
    ChargingProfile,
    ChargingProfileKindType,
    ChargingProfilePurposeType,
    ChargingProfileStatus,
    ChargingRateUnitType,
    ChargingSchedule,
    ChargingSchedulePeriod,
    ClearChargingProfileRequest,
    ClearChargingProfileResponse,
    ClearChargingProfileStatus,
    GetCompositeScheduleRequest,
    GetCompositeScheduleResponse,
    GetCompositeScheduleStatus,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
)

if TYPE_CHECKING:
    from ocpp_twisted.simulator.voice16 import Voice16

__all__ = ["Charging", "read"]

_STATION = ChargingProfilePurposeType.ChargePointMaxProfile
_TRANSACTION = ChargingProfilePurposeType.TxProfile
#: More than any charge point has, in any unit.
_MOST = 1e9
#: The longest schedule that is worked out: a week.
_LONGEST = 7 * 86_400


def read(profile: ChargingProfile, outlet: int, now: datetime) -> Profile:
    """A ChargingProfile, for a connector or, with 0, the whole charge point."""
    schedule = profile.chargingSchedule
    return Profile(
        id=profile.chargingProfileId,
        purpose=profile.chargingProfilePurpose.value,
        level=profile.stackLevel,
        kind=profile.chargingProfileKind.value,
        outlet=outlet,
        recurrency=_or_none(profile.recurrencyKind),
        valid_from=_or_none(profile.validFrom),
        valid_to=_or_none(profile.validTo),
        transaction=_or_none(profile.transactionId),
        installed=now if profile.chargingProfilePurpose is _STATION else None,
        schedules=[
            Schedule(
                unit=schedule.chargingRateUnit.value,
                periods=[
                    Period(
                        each.startPeriod,
                        float(each.limit),
                        each.numberPhases if each.numberPhases is not UNSET else 3,
                    )
                    for each in schedule.chargingSchedulePeriod
                ],
                duration=_or_none(schedule.duration),
                start=_or_none(schedule.startSchedule),
                minimum=_or_none(schedule.minChargingRate),
            )
        ],
    )


def _or_none(value: Any) -> Any:
    return None if value is UNSET else value


class Charging(ActionPlugin):
    """See above."""

    name = "charging"

    def __init__(self, voice: Voice16) -> None:
        self._voice = voice

    @on(SetChargingProfileRequest)
    def set_profile(
        self, link: Any, request: SetChargingProfileRequest
    ) -> SetChargingProfileResponse:
        """Installed, if it is one that can be."""
        voice, number, profile = self._voice, request.connectorId, request.csChargingProfiles
        if number not in (0, *voice.connectors):  # errata 3.39
            raise CallFault(
                ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, f"there is no connector {number}"
            )
        if self.objection(profile) or not self._belongs_to(profile, number):
            return SetChargingProfileResponse(status=ChargingProfileStatus.Rejected)
        profiles, new = voice.allotment.profiles, read(profile, number, voice.now())
        most = voice.configuration.number("MaxChargingProfilesInstalled")
        if len(profiles) >= most and not profiles.replaces(new):
            return SetChargingProfileResponse(status=ChargingProfileStatus.Rejected)
        profiles.set(new)
        voice.allotment.settle()
        return SetChargingProfileResponse(status=ChargingProfileStatus.Accepted)

    @on(ClearChargingProfileRequest)
    def clear_profiles(
        self, link: Any, request: ClearChargingProfileRequest
    ) -> ClearChargingProfileResponse:
        """Those that match all that is given; all if nothing is (errata 3.25)."""
        purpose = _or_none(request.chargingProfilePurpose)
        cleared = self._voice.allotment.profiles.clear(
            None if request.id is UNSET else {request.id},
            _or_none(request.connectorId),
            None if purpose is None else purpose.value,
            _or_none(request.stackLevel),
        )
        self._voice.allotment.settle()
        known = ClearChargingProfileStatus.Accepted if cleared else None
        return ClearChargingProfileResponse(status=known or ClearChargingProfileStatus.Unknown)

    @on(GetCompositeScheduleRequest)
    def composite_schedule(
        self, link: Any, request: GetCompositeScheduleRequest
    ) -> GetCompositeScheduleResponse:
        """What would be let through from now on, if nothing changed (5.7)."""
        voice, number = self._voice, request.connectorId
        known = number in (0, *voice.connectors)
        if not known or not 0 < request.duration <= _LONGEST:
            return GetCompositeScheduleResponse(status=GetCompositeScheduleStatus.Rejected)
        unit, now = request.chargingRateUnit, voice.now()
        if unit is UNSET:
            unit = ChargingRateUnitType.W
        outlet = voice.station.outlets[max(number, 1) - 1]
        transaction = voice.connectors[number].transaction if number else None
        periods = voice.allotment.profiles.composite(
            number,
            now,
            None if transaction is None else transaction.begun,
            request.duration,
            unit.value,
            outlet.watts_per_ampere,
            outlet.power if number else sum(each.power for each in voice.station.outlets),
        )
        return GetCompositeScheduleResponse(
            status=GetCompositeScheduleStatus.Accepted,
            connectorId=number,
            scheduleStart=now,
            chargingSchedule=ChargingSchedule(
                duration=request.duration,
                chargingRateUnit=unit,
                chargingSchedulePeriod=[
                    ChargingSchedulePeriod(
                        startPeriod=round(each.start),
                        limit=round(each.limit, 1),
                        numberPhases=min(each.phases, outlet.phases),
                    )
                    for each in periods
                ],
            ),
        )

    def objection(self, profile: ChargingProfile) -> str:
        """Why a profile can be used nowhere; empty if it can."""
        number, schedule = self._voice.configuration.number, profile.chargingSchedule
        starts = [each.startPeriod for each in schedule.chargingSchedulePeriod]
        if not 0 <= profile.stackLevel <= number("ChargeProfileMaxStackLevel"):
            return "its level is too high"
        if not 1 <= len(starts) <= number("ChargingScheduleMaxPeriods"):
            return "it has too many periods, or none"
        if starts[0] != 0 or sorted(set(starts)) != starts:  # errata 3.45
            return "its periods are not in order, or do not begin at 0"
        if not all(0 <= each.limit <= _MOST for each in schedule.chargingSchedulePeriod):
            return "a limit is negative, or none at all"
        recurs = profile.chargingProfileKind is ChargingProfileKindType.Recurring
        if recurs and UNSET in (profile.recurrencyKind, schedule.startSchedule):
            return "it is not said when it recurs"
        return ""

    def _belongs_to(self, profile: ChargingProfile, number: int) -> bool:
        """Whether a connector can have such a profile (3.13.1)."""
        purpose = profile.chargingProfilePurpose
        if purpose is _STATION:
            return number == 0
        if purpose is not _TRANSACTION:
            return True
        transaction = self._voice.connectors[number].transaction if number else None
        if transaction is None:
            return False
        return profile.transactionId in (UNSET, transaction.id)
