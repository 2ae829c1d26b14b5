"""Limits from elsewhere than the central system, and what a car wants (K11 to K15).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases K11 to K13 and K15. Scenarios ask for
these: nothing here comes by itself.
"""

from __future__ import annotations

from typing import Any

from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.evse import Evse

__all__ = ["External"]

#: Their profiles have ids from here on, by EVSE.
_FIRST_ID = 2_000_000_000


class External(Block):
    """An energy manager, and cars that say what they want."""

    name = "external"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self._sources: dict[int, str] = {}

    def limit(self, watts: float, number: int = 0, source: str = "EMS") -> None:
        """Somebody else limits an EVSE, or with 0 the whole station (K11, K12).

        :param source: a ChargingLimitSourceEnumType.
        """
        if not self.model.boolean("SmartChargingCtrlr", "ExternalControlSignalsEnabled"):
            return
        schedule = self.make(
            "ChargingScheduleType",
            id=1,
            startSchedule=self.now(),
            chargingRateUnit="W",
            chargingSchedulePeriod=[
                self.make("ChargingSchedulePeriodType", startPeriod=0, limit=round(watts, 1))
            ],
        )
        before = self._limits()
        self._sources[number] = source
        self.voice.charging.constrain(number, _FIRST_ID + number, schedule, source)
        told = self.model.boolean("SmartChargingCtrlr", "NotifyChargingLimitWithSchedules")
        self.call(
            "NotifyChargingLimit",
            evseId=number or None,
            chargingLimit=self.make("ChargingLimitType", chargingLimitSource=source),
            chargingSchedule=[schedule] if told else None,
        )
        self._tell_changes(before)

    def release(self, number: int = 0) -> None:
        """The limit is gone (K13); does nothing if there is none."""
        source = self._sources.pop(number, None)
        if source is None:
            return
        before = self._limits()
        self.voice.charging.remove([_FIRST_ID + number])
        self.call("ClearedChargingLimit", chargingLimitSource=source, evseId=number or None)
        self._tell_changes(before)

    def _limits(self) -> dict[Evse, float]:
        return {evse: evse.outlet.limit for evse in self.voice.evses}

    def _tell_changes(self, before: dict[Evse, float]) -> None:
        """Transactions are told of a change that matters (LimitChangeSignificance)."""
        percent = float(self.model.text("SmartChargingCtrlr", "LimitChangeSignificance"))
        for evse, limit in before.items():
            change = abs(evse.outlet.limit - limit)
            if evse.transaction is not None and change > limit * percent / 100:
                self.voice.telling.tell(evse, "ChargingRateChanged")

    def needs(self, number: int = 1) -> None:
        """A car says what it wants, as over ISO 15118 (K15)."""
        outlet = self.voice.evse(number).outlet
        car = outlet.vehicle
        if car is None:
            return
        phases = {1: "AC_single_phase", 2: "AC_two_phase"}.get(car.phases, "AC_three_phase")
        self.call(
            "NotifyEVChargingNeeds",
            evseId=number,
            timestamp=self.now(),
            chargingNeeds=self.make(
                "ChargingNeedsType",
                requestedEnergyTransfer=phases,
                acChargingParameters=self.make(
                    "ACChargingParametersType",
                    energyAmount=int(car.missing),
                    evMinCurrent=6,
                    evMaxCurrent=int(car.power / outlet.volts / car.phases),
                    evMaxVoltage=int(outlet.volts),
                ),
            ),
        )
