"""Meter values, sampled and clock-aligned (functional blocks E and J).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases J01 and J02.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.evse import Evse

__all__ = ["Metering"]

_UNITS = {
    "Energy.Active.Import.Register": "Wh",
    "Energy.Active.Import.Interval": "Wh",
    "Power.Active.Import": "W",
    "Power.Offered": "W",
    "Current.Import": "A",
    "Current.Offered": "A",
    "Voltage": "V",
    "Frequency": "Hz",
    "SoC": "Percent",
}
_PHASES = ("L1", "L2", "L3")
#: A transaction's last message tells of so many moments at most; every second one is dropped then.
_MOST_SAMPLES = 100


class Metering(Block):
    """Reads the meters, at their times."""

    name = "metering"

    def started(self) -> None:
        """See `Block`; transactions that go on are sampled as before."""
        self.voice.timers.cancel(self)
        self._restart_clocks()

    def watch(self, component: str, variable: str) -> None:
        """A variable has a new value."""
        if component in ("AlignedDataCtrlr", "SampledDataCtrlr") and "Interval" in variable:
            self.voice.timers.cancel(self)
            self._restart_clocks()

    # -- values -------------------------------------------------------------------------------

    def read(
        self, evse: Evse, context: str, measurands: Sequence[str], now: datetime | None = None
    ) -> list[Any]:
        """What a meter shows: one MeterValueType, or none if nothing is to be measured."""
        sampled = [each for name in measurands for each in self._sampled(evse, name, context)]
        if not sampled:
            return []
        when = now if now is not None else self.now()
        return [self.make("MeterValueType", timestamp=when, sampledValue=sampled)]

    def configured(self, evse: Evse, context: str, controller: str, variable: str) -> list[Any]:
        """See `read`; of the measurands that a variable names."""
        if not self.model.boolean(controller, "Enabled"):
            return []
        return self.read(evse, context, self.model.members(controller, variable))

    def _sampled(self, evse: Evse, measurand: str, context: str) -> Iterator[Any]:
        for phase, value in _VALUES[measurand](evse):
            yield self.make(
                "SampledValueType",
                value=round(value, 3),
                context=context,
                measurand=measurand,
                phase=phase,
                location="EV" if measurand == "SoC" else "Outlet",
                unitOfMeasure=self.make("UnitOfMeasureType", unit=_UNITS[measurand]),
            )

    # -- the clocks ---------------------------------------------------------------------------

    def _restart_clocks(self) -> None:
        for name, tick in (
            ("Interval", self._aligned),
            ("TxEndedInterval", self._aligned_for_the_end),
        ):
            self._at_the_next("AlignedDataCtrlr", name, tick)
        for evse in self.voice.evses:
            if evse.transaction is not None:
                self.begin(evse)

    def _at_the_next(self, controller: str, variable: str, tick: Callable[[], None]) -> None:
        """At the next multiple of an interval since midnight."""
        interval = self.model.integer(controller, variable)
        if interval <= 0:
            return

        def due() -> None:
            self._at_the_next(controller, variable, tick)
            tick()

        now = self.now()
        seconds = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
        self.voice.timers.later(interval - seconds % interval, due, self)

    def begin(self, evse: Evse) -> None:
        """A transaction begins, or its intervals have changed: sample it."""
        for variable, take in (
            ("TxUpdatedInterval", self._sample),
            ("TxEndedInterval", self._sample_for_the_end),
        ):
            interval = self.model.integer("SampledDataCtrlr", variable)
            if interval > 0:
                self._repeat(evse, interval, take)

    def _repeat(self, evse: Evse, interval: float, take: Callable[[Evse], None]) -> None:
        transaction = evse.transaction

        def due() -> None:
            if evse.transaction is transaction:
                self._repeat(evse, interval, take)
                take(evse)

        self.voice.timers.later(interval, due, self)

    def _sample(self, evse: Evse) -> None:
        values = self.configured(evse, "Sample.Periodic", "SampledDataCtrlr", "TxUpdatedMeasurands")
        if values:
            self.voice.telling.tell(evse, "MeterValuePeriodic", meter_values=values)

    def _sample_for_the_end(self, evse: Evse) -> None:
        self._keep(
            evse, self.configured(evse, "Sample.Periodic", "SampledDataCtrlr", "TxEndedMeasurands")
        )

    def _aligned(self) -> None:
        busy = any(evse.transaction is not None for evse in self.voice.evses)
        if busy and self.model.boolean("AlignedDataCtrlr", "SendDuringIdle"):
            return
        for evse in self.voice.evses:
            values = self.configured(evse, "Sample.Clock", "AlignedDataCtrlr", "Measurands")
            if not values:
                continue
            if evse.transaction is not None:
                self.voice.telling.tell(evse, "MeterValueClock", meter_values=values)
            else:
                self.call("MeterValues", evseId=evse.number, meterValue=values)

    def _aligned_for_the_end(self) -> None:
        for evse in self.voice.evses:
            self._keep(
                evse, self.configured(evse, "Sample.Clock", "AlignedDataCtrlr", "TxEndedMeasurands")
            )

    @staticmethod
    def _keep(evse: Evse, values: list[Any]) -> None:
        if evse.transaction is not None:
            samples = evse.transaction.samples
            samples += values
            if len(samples) > _MOST_SAMPLES:  # the first one is of the begin
                del samples[1::2]


def _each_phase(evse: Evse, value: float, suffix: str = "") -> Iterator[tuple[str | None, float]]:
    for phase in _PHASES[: evse.outlet.used_phases]:
        yield phase + suffix, value


def _state_of_charge(evse: Evse) -> Iterator[tuple[str | None, float]]:
    vehicle = evse.outlet.vehicle
    if vehicle is not None:
        _ = evse.outlet.energy  # what has flowed is in the battery then
        yield None, vehicle.state_of_charge


def _interval(evse: Evse) -> Iterator[tuple[str | None, float]]:
    if evse.transaction is not None:
        yield None, evse.outlet.energy - evse.transaction.energy


#: Measurand to the values of it, each with its phase.
_VALUES: dict[str, Callable[[Evse], Iterator[tuple[str | None, float]]]] = {
    "Energy.Active.Import.Register": lambda evse: iter([(None, evse.outlet.energy)]),
    "Energy.Active.Import.Interval": _interval,
    "Power.Active.Import": lambda evse: iter([(None, evse.outlet.flow)]),
    "Power.Offered": lambda evse: iter([(None, evse.outlet.limit)]),
    "Current.Import": lambda evse: _each_phase(evse, evse.outlet.current),
    "Current.Offered": lambda evse: iter(
        [(None, evse.outlet.limit / (evse.outlet.volts * evse.outlet.phases))]
    ),
    "Voltage": lambda evse: _each_phase(evse, evse.outlet.volts, "-N"),
    "Frequency": lambda evse: iter([(None, 50.0)]),
    "SoC": _state_of_charge,
}
