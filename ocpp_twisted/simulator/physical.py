"""What can be touched: cars, cables, meters and relays, whichever version of OCPP tells of them.

Imports Twisted's names only. Power flows or does not: nothing here knows of transactions or tags.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Outlet", "Vehicle"]

_SECONDS_PER_HOUR = 3600.0
#: Watt-hours that count as nothing: floats do not end exactly.
_NOTHING = 1e-6


@dataclass(slots=True)
class Vehicle:
    """A car.

    :ivar power: watts that it draws at most.
    :ivar phases: that it draws them from.
    :ivar capacity: watt-hours that its battery holds.
    :ivar charge: watt-hours that are in it.
    """

    power: float = 11_000.0
    phases: int = 3
    capacity: float = 60_000.0
    charge: float = 12_000.0

    @property
    def missing(self) -> float:
        """Watt-hours that it still takes."""
        return max(self.capacity - self.charge, 0.0)

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return self.missing <= _NOTHING

    @property
    def state_of_charge(self) -> float:
        """Percent."""
        return 100.0 * self.charge / self.capacity if self.capacity else 100.0


class Outlet:
    """Where a car is plugged in: a connector of 1.6, an EVSE with its connector of 2.x.

    Energy is counted when somebody looks; one timer waits for the battery to be full.

    :param number: from 1 on.
    :param changed: is called with the outlet when something has changed: a cable, the flow, a
        fault.
    :param power: watts that it gives at most.
    :param volts: of one phase to neutral.
    :ivar fault: what is wrong with it, a word of the version's; empty if nothing is.
    """

    def __init__(
        self,
        number: int,
        clock: IReactorTime,
        changed: Callable[[Outlet], None],
        power: float = 22_000.0,
        phases: int = 3,
        volts: float = 230.0,
    ) -> None:
        self.number = number
        self.power = power
        self.phases = phases
        self.volts = volts
        self.fault = ""
        self._clock = clock
        self._changed = changed
        self._vehicle: Vehicle | None = None
        self._closed = False
        self._limit = power
        self._energy = 0.0
        self._counted_at = clock.seconds()
        self._full: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<Outlet {self.number}, {self.flow:.0f} W>"

    # -- what there is ------------------------------------------------------------------------

    @property
    def vehicle(self) -> Vehicle | None:
        """The car that is plugged in, with what is in its battery by now."""
        self._count()
        return self._vehicle

    @property
    def closed(self) -> bool:
        """Whether the relay lets power through."""
        return self._closed

    @property
    def limit(self) -> float:
        """Watts that the charge point lets through, by charging profiles or otherwise."""
        return self._limit

    @property
    def flow(self) -> float:
        """Watts that flow now."""
        if self._vehicle is None or not self._closed or self.fault:
            return 0.0
        if self._vehicle.full:
            return 0.0
        return max(min(self._vehicle.power, self._limit, self.power), 0.0)

    @property
    def current(self) -> float:
        """Amperes in each phase that is used."""
        return self.flow / (self.volts * self.used_phases)

    @property
    def used_phases(self) -> int:
        """Phases that a car here draws from."""
        return min(self.phases, self._vehicle.phases if self._vehicle is not None else self.phases)

    def watts_per_ampere(self, phases: int) -> float:
        """Watts that an ampere is in each of so many phases, as far as they can be used."""
        return self.volts * min(phases, self.used_phases)

    @property
    def energy(self) -> float:
        """Watt-hours on the meter, which never goes back."""
        self._count()
        return self._energy

    # -- what is done to it -------------------------------------------------------------------

    def plug_in(self, vehicle: Vehicle) -> None:
        """Connect a car.

        :raises ValueError: if there is one.
        """
        if self._vehicle is not None:
            raise ValueError(f"a car is plugged in at outlet {self.number} already")
        self._count()
        self._vehicle = vehicle
        self._settle()

    def unplug(self) -> None:
        """Take the cable away; does nothing if there is none."""
        if self._vehicle is not None:
            self._count()
            self._vehicle = None
            self._settle()

    def switch(self, closed: bool) -> None:
        """Let power through, or not."""
        if closed != self._closed:
            self._count()
            self._closed = closed
            self._settle()

    def restrict(self, watts: float) -> None:
        """Let so much through at most; infinity for as much as the outlet has."""
        limit = max(min(watts, self.power), 0.0)
        if limit != self._limit:
            self._count()
            self._limit = limit
            self._settle()

    def break_down(self, fault: str) -> None:
        """Something is wrong with it, or, with the empty text, right again."""
        if fault != self.fault:
            self._count()
            self.fault = fault
            self._settle()

    # -----------------------------------------------------------------------------------------

    def _count(self) -> None:
        """Move what has flowed since the last time to the meter, and into the car."""
        now = self._clock.seconds()
        energy = self.flow * (now - self._counted_at) / _SECONDS_PER_HOUR
        self._counted_at = now
        if self._vehicle is not None and energy:
            energy = min(energy, self._vehicle.missing)
            self._vehicle.charge += energy
        self._energy += energy

    def _settle(self) -> None:
        """Something has changed: say so, and look again when the battery will be full."""
        if self._full is not None:
            self._full.cancel()
            self._full = None
        if self._vehicle is not None and self.flow:
            seconds = self._vehicle.missing / self.flow * _SECONDS_PER_HOUR
            self._full = self._clock.callLater(seconds + 0.001, self._is_full)
        self._changed(self)

    def _is_full(self) -> None:
        self._full = None
        self._count()
        self._settle()

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._count()
        if self._full is not None:
            self._full.cancel()
            self._full = None
