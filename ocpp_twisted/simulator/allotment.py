"""Charging profiles at work: what each outlet may draw now, and again when that changes.

Imports its neighbours `physical` and `profiles`. Source: OCPP 1.6 section 3.13.3: a limit of the
whole charge point is one for all connectors together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from math import inf

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ocpp_twisted.simulator.physical import Outlet
from ocpp_twisted.simulator.profiles import Profiles

__all__ = ["Allotment", "shares"]


class Allotment:
    """Keeps outlets within the profiles that are installed.

    :param now: the charge point's clock.
    :param begun: when the transaction at an outlet has begun; None if there is none.
    :ivar profiles: call `settle` after a change.
    """

    def __init__(
        self,
        outlets: Sequence[Outlet],
        clock: IReactorTime,
        now: Callable[[], datetime],
        begun: Callable[[Outlet], datetime | None],
    ) -> None:
        self.profiles = Profiles()
        self._outlets = outlets
        self._clock = clock
        self._now = now
        self._begun = begun
        self._settling = False
        self._timer: IDelayedCall | None = None

    def settle(self) -> None:
        """Profiles, transactions or cars have changed: look what may flow, and until when."""
        if self._settling:
            return  # what changes here changes outlets, which tell of it
        self._settling = True
        try:
            self._restrict()
        finally:
            self._settling = False

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _restrict(self) -> None:
        now = self._now()
        limits, changes = [], []
        for outlet in self._outlets:
            begun = self._begun(outlet)
            limits.append(
                self.profiles.limit_watts(outlet.number, now, begun, outlet.watts_per_ampere)
            )
            changes.append(self.profiles.next_change(outlet.number, now, begun))
        together = self._together(now)
        if together < inf:
            wanted = [
                min(_wanted(outlet), limit)
                for outlet, limit in zip(self._outlets, limits, strict=True)
            ]
            parts = shares(together, wanted)
            limits = [
                min(limit, part if want else together)
                for limit, part, want in zip(limits, parts, wanted, strict=True)
            ]
        for outlet, limit in zip(self._outlets, limits, strict=True):
            outlet.restrict(limit)
        self._wait(now, min((each for each in changes if each is not None), default=None))

    def _together(self, now: datetime) -> float:
        """Watts of all outlets together."""
        most = max(self._outlets, key=lambda outlet: outlet.phases)
        return self.profiles.limit_watts(
            0, now, None, lambda phases: most.volts * min(phases, most.phases)
        )

    def _wait(self, now: datetime, change: datetime | None) -> None:
        self.stop()
        if change is not None:
            seconds = (change - now).total_seconds()
            # A float may end a little before the instant: then this is called once more.
            self._timer = self._clock.callLater(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        self.settle()


def shares(total: float, wanted: Sequence[float]) -> list[float]:
    """Divide what there is: nobody gets more than he wants, and what one leaves others get."""
    parts = [0.0] * len(wanted)
    asking = sorted((want, place) for place, want in enumerate(wanted) if want > 0)
    for served, (want, place) in enumerate(asking):
        parts[place] = min(want, total / (len(asking) - served))
        total -= parts[place]
    return parts


def _wanted(outlet: Outlet) -> float:
    """Watts that would flow if no profile bounded them."""
    vehicle = outlet.vehicle
    if vehicle is None or not outlet.closed or outlet.fault or vehicle.full:
        return 0.0
    return min(vehicle.power, outlet.power)
