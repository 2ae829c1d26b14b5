"""Meter values: kept as they came, read as `MeterSample`. Jobs, see the package.

A row is one point in time with its sampled values as on the wire. The same that comes again is one
row. Sources: 1.6 section 7.43, 2.x SampledValueType, for the defaults.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from ocpp_twisted.plugins.local.store.rows import digest, page, put_once
from ocpp_twisted.plugins.local.store.tables import meter_values
from ocpp_twisted.records import MeterSample, Page

__all__ = ["Measured", "add_measured", "list_samples", "measured", "register"]

_REGISTER = "Energy.Active.Import.Register"


class Measured(NamedTuple):
    """What was measured at one point in time.

    :ivar samples: SampledValues of any version, as on the wire.
    """

    timestamp: datetime
    samples: list[dict[str, Any]]


def measured(values: Iterable[Any]) -> list[Measured]:
    """The MeterValues of a message, of any version."""
    return [Measured(each.timestamp, msgspec.to_builtins(each.sampledValue)) for each in values]


def add_measured(
    db: Connection, transaction: int, values: Sequence[Measured], count: bool = False
) -> int:
    """Keep what was measured during a transaction.

    :param count: whether to see how many points in time are new.
    :returns: how many; 0 if they are not counted.
    """
    rows = [
        {
            "transaction": transaction,
            "timestamp": each.timestamp,
            "digest": digest(each.samples),
            "samples": each.samples,
        }
        for each in values
    ]
    before = _count(db, transaction) if count and rows else 0
    put_once(db, meter_values, rows)
    return _count(db, transaction) - before if count and rows else 0


def _count(db: Connection, transaction: int) -> int:
    of_it = select(func.count()).where(meter_values.c.transaction == transaction)
    return db.scalar(of_it) or 0


def list_samples(
    db: Connection, transaction: int, after: str | None, limit: int
) -> Page[MeterSample]:
    """See `IRecords.meter_values`."""
    table = meter_values.c
    query = select(table.timestamp, table.samples).where(table.transaction == transaction)
    found = page(
        db,
        query,
        [table.timestamp, table.id],
        after,
        limit,
        lambda row: list(_samples(Measured(row.timestamp, row.samples))),
    )
    return Page(items=tuple(each for samples in found.items for each in samples), next=found.next)


def register(values: Iterable[Measured], context: str | None = None) -> list[float]:
    """What the meter's energy register showed, in Wh.

    :param context: only readings with this ReadingContext; None for all.
    """
    return [
        sample.value * 1000 if sample.unit == "kWh" else sample.value
        for each in values
        for sample in _samples(each)
        if sample.measurand == _REGISTER
        and sample.phase is None
        and isinstance(sample.value, float)
        and context in (None, sample.context)
    ]


def _samples(measured: Measured) -> Iterator[MeterSample]:
    for sampled in measured.samples:
        measurand = sampled.get("measurand", _REGISTER)
        default = "Wh" if measurand.startswith("Energy") else ""
        unit = sampled.get("unitOfMeasure", {})
        is_signed = sampled.get("format") == "SignedData"
        value = sampled["value"]
        yield MeterSample(
            timestamp=measured.timestamp,
            value=str(value) if is_signed else _number(value, unit.get("multiplier", 0)),
            measurand=measurand,
            phase=sampled.get("phase"),
            location=sampled.get("location", "Outlet"),
            context=sampled.get("context", "Sample.Periodic"),
            unit=sampled.get("unit") or unit.get("unit") or default,
            signed=sampled.get("signedMeterValue") or is_signed or None,
        )


def _number(value: str | int | float, multiplier: int) -> float | str:
    """A finite number; what no float holds stays as it came."""
    try:
        number = float(value) * 10.0**multiplier
    except (ValueError, OverflowError):
        return str(value)
    return number if math.isfinite(number) else str(value)
