"""What a meter says: for each quantity the newest reading, whatever the version.

Imports the messages only. Sources: OCPP 1.6 section 7.43 (SampledValue); OCPP 2.x, SampledValue
and UnitOfMeasure in the schemas. Signed data stays unread: it is for who bills.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from msgspec import UNSET

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.plugins.local.messages import given

__all__ = ["Quantity", "Reading", "Readings", "readings_of_v2", "readings_of_v16"]

#: Charge points send about ten quantities; no more than this many are kept for a transaction.
_MOST_QUANTITIES = 64


class Quantity(NamedTuple):
    """What is measured, and where; the defaults are the specification's.

    :ivar measurand: the specification's name.
    :ivar phase: the specification's name; empty for all phases together.
    :ivar location: the specification's name.
    """

    measurand: str = "Energy.Active.Import.Register"
    phase: str = ""
    location: str = "Outlet"


class Reading(NamedTuple):
    """What a quantity measured.

    :ivar value: in `unit`; a multiplier has been applied.
    :ivar unit: as the charge point says, ``Wh`` if it does not and it is energy, else empty.
    :ivar at: the time of the measurement.
    """

    value: float
    unit: str
    at: datetime


class Readings(dict[Quantity, Reading]):
    """For each quantity the newest reading; at most 64 quantities, later ones are ignored.

    What is added twice or in any order comes to the same.
    """

    def add(self, readings: Iterable[tuple[Quantity, Reading]]) -> None:
        """Keep those that are the newest of their quantity."""
        for quantity, reading in readings:
            known = self.get(quantity)
            if known is None:
                if len(self) < _MOST_QUANTITIES:
                    self[quantity] = reading
            elif reading.at >= known.at:
                self[quantity] = reading


def readings_of_v16(
    meter_values: Iterable[v16.MeterValue | v16.TransactionData],
) -> Iterable[tuple[Quantity, Reading]]:
    """The readings in OCPP 1.6 meter values; a value that is no number is left out."""
    for meter_value in meter_values:
        for sampled in meter_value.sampledValue:
            if sampled.format is v16.ValueFormat.SignedData:
                continue
            value = _number(sampled.value, 0)
            if value is not None:
                quantity = _quantity(sampled)
                unit = _unit(quantity, given(sampled.unit))
                yield quantity, Reading(value, unit, meter_value.timestamp)


def readings_of_v2(
    meter_values: Iterable[v20.MeterValueType | v201.MeterValueType | v21.MeterValueType],
) -> Iterable[tuple[Quantity, Reading]]:
    """The readings in OCPP 2.x meter values; a value that no float can hold is left out."""
    for meter_value in meter_values:
        for sampled in meter_value.sampledValue:
            unit, multiplier = None, 0
            if sampled.unitOfMeasure is not UNSET:
                unit = given(sampled.unitOfMeasure.unit)
                multiplier = given(sampled.unitOfMeasure.multiplier) or 0
            value = _number(sampled.value, multiplier)
            if value is not None:
                quantity = _quantity(sampled)
                yield quantity, Reading(value, _unit(quantity, unit), meter_value.timestamp)


def _quantity(
    sampled: v16.SampledValue | v20.SampledValueType | v201.SampledValueType | v21.SampledValueType,
) -> Quantity:
    default = Quantity()
    return Quantity(
        given(sampled.measurand) or default.measurand,
        given(sampled.phase) or default.phase,
        given(sampled.location) or default.location,
    )


def _unit(quantity: Quantity, unit: str | None) -> str:
    if unit is not None:
        return unit
    return "Wh" if quantity.measurand.startswith("Energy") else ""


def _number(value: str | int | float, multiplier: int) -> float | None:
    """A finite number, or None: a charge point may send what no float holds."""
    try:
        number = float(value) * 10.0**multiplier
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
