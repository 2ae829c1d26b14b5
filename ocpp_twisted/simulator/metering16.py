"""What the meter of a connector says, in the words of OCPP 1.6.

Imports its neighbours and the messages of 1.6. Source: OCPP 1.6 sections 3.16, 4.7, 7.31, 7.35 and
7.43; 9.1.17 for measurands with a phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from math import floor

from msgspec import UNSET, UnsetType

from ocpp_twisted.simulator.configuration16 import PHASES
from ocpp_twisted.simulator.physical import Outlet
from ocpp_twisted.v16 import (
    Location,
    Measurand,
    MeterValue,
    Phase,
    ReadingContext,
    SampledValue,
    UnitOfMeasure,
)

__all__ = ["Meter", "register"]

_REGISTER = "Energy.Active.Import.Register"
_INTERVAL = "Energy.Active.Import.Interval"
_UNITS = {
    _REGISTER: UnitOfMeasure.Wh,
    _INTERVAL: UnitOfMeasure.Wh,
    "Power.Active.Import": UnitOfMeasure.W,
    "Power.Offered": UnitOfMeasure.W,
    "Current.Import": UnitOfMeasure.A,
    "Current.Offered": UnitOfMeasure.A,
    "Voltage": UnitOfMeasure.V,
    "SoC": UnitOfMeasure.Percent,
}


def register(outlet: Outlet) -> int:
    """What the meter shows, in Wh; it never goes back."""
    return floor(outlet.energy)


class Meter:
    """The meter of some outlets: of one of them, or the main one of all.

    :param outlets: one connector's, or all.
    """

    def __init__(self, outlets: Sequence[Outlet]) -> None:
        self._outlets = outlets
        #: Context to what the register has shown when its interval began.
        self._last: dict[ReadingContext, int] = {}

    def read(
        self, measurands: Iterable[str], context: ReadingContext, now: datetime
    ) -> MeterValue | None:
        """A reading; None if there is nothing to be read.

        :param measurands: as in the configuration: with or without a phase.
        """
        values = [
            SampledValue(
                value=value,
                context=context,
                measurand=Measurand(measurand),
                phase=phase,
                location=Location.EV if measurand == "SoC" else Location.Outlet,
                unit=_UNITS[measurand],
            )
            for wanted in measurands
            for measurand, phase, value in self._values(wanted, context)
        ]
        return MeterValue(timestamp=now, sampledValue=values) if values else None

    def mark(self, context: ReadingContext) -> None:
        """An interval ends, and the next one begins."""
        self._last[context] = self._register()

    def _values(
        self, wanted: str, context: ReadingContext
    ) -> Iterator[tuple[str, Phase | UnsetType, str]]:
        for measurand, phases in PHASES.items():
            if wanted.startswith(measurand):
                only = wanted[len(measurand) + 1 :]
                value = _number(self._of_phase(measurand))
                for phase in (only,) if only else phases[: self._phases()]:
                    yield measurand, Phase(phase), value
                return
        whole = self._of_all(wanted, context)
        if whole is not None:
            yield wanted, UNSET, _number(whole)

    def _of_phase(self, measurand: str) -> float:
        if measurand == "Voltage":
            return self._outlets[0].volts
        return sum(outlet.current for outlet in self._outlets)

    def _of_all(self, measurand: str, context: ReadingContext) -> float | None:
        """A value that belongs to no phase; None if there is none."""
        outlets = self._outlets
        if measurand == _REGISTER:
            return self._register()
        if measurand == _INTERVAL:
            return self._register() - self._last.get(context, self._register())
        if measurand == "Power.Active.Import":
            return sum(outlet.flow for outlet in outlets)
        if measurand == "Power.Offered":
            return sum(_offered(outlet) for outlet in outlets)
        if measurand == "Current.Offered":
            return sum(
                _offered(outlet) / outlet.watts_per_ampere(outlet.phases) for outlet in outlets
            )
        vehicle = outlets[0].vehicle
        alone = len(outlets) == 1 and vehicle is not None
        return vehicle.state_of_charge if alone and vehicle is not None else None

    def _phases(self) -> int:
        return max(outlet.used_phases for outlet in self._outlets)

    def _register(self) -> int:
        return sum(register(outlet) for outlet in self._outlets)


def _offered(outlet: Outlet) -> float:
    return outlet.limit if outlet.closed and not outlet.fault else 0.0


def _number(value: float) -> str:
    """With one digit after the point at most."""
    return f"{value:.1f}".removesuffix(".0")
