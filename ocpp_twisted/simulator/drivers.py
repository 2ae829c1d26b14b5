"""Those who come to charge: cars come and go by chance, and do the same again for the same seed.

Imports its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ocpp_twisted.simulator.physical import Vehicle
from ocpp_twisted.simulator.station import Station

__all__ = ["Drivers", "Habits"]

_log = Logger()

#: Watts that cars draw.
_POWERS = (3_700.0, 7_400.0, 11_000.0, 22_000.0)
#: Seconds between the cable and the token.
_FUMBLING = (2.0, 20.0)
#: How many take the cable out of the car without a token.
_HASTY = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How people charge.

    :ivar cars_per_hour: how many cars come to a charge point in an hour, on the average.
    :ivar session: seconds that one stays, from and to.
    :ivar tokens: of which each shows one.
    :ivar seed: for another day of the same kind.
    """

    cars_per_hour: float = 2.0
    session: tuple[float, float] = (600.0, 3600.0)
    tokens: Sequence[str] = ("RED",)
    seed: int = 1


class Drivers:
    """Those who come to one outlet, one after the other, from `start` to `stop`.

    What each of them does depends on the seed, the charge point's id, the outlet and how many have
    come before, and on nothing that happens meanwhile.
    """

    __slots__ = ("_clock", "_habits", "_number", "_station", "_there", "_timer", "_turn")

    def __init__(self, station: Station, number: int, habits: Habits, clock: IReactorTime) -> None:
        self._station = station
        self._number = number
        self._habits = habits
        self._clock = clock
        self._turn = 0
        self._there = False
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """The first one comes after a while."""
        seed = f"{self._habits.seed}/{self._station.id}/{self._number}/{self._turn}"
        random = Random(seed)
        outlets = len(self._station.outlets)
        pause = random.expovariate(self._habits.cars_per_hour / outlets / 3600.0)
        self._later(pause, lambda: self._come(random))

    def stop(self) -> None:
        """Who is there leaves, and nobody else comes."""
        if self._timer is not None:
            self._timer.cancel()
        self._due(self._unplug)

    def _come(self, random: Random) -> None:
        capacity = random.uniform(30_000.0, 90_000.0)
        vehicle = Vehicle(
            power=random.choice(_POWERS),
            phases=random.choice((1, 3)),
            capacity=capacity,
            charge=capacity * random.uniform(0.1, 0.6),
        )
        token = random.choice(self._habits.tokens)
        session = random.uniform(*self._habits.session)
        hasty = random.random() < _HASTY
        self._there = True
        self._station.plug_in(self._number, vehicle)
        self._later(random.uniform(*_FUMBLING), lambda: self._present(token, session, hasty))

    def _present(self, token: str, session: float, hasty: bool) -> None:
        self._station.present(token, self._number)
        self._later(session, lambda: self._leave(token, hasty))

    def _leave(self, token: str, hasty: bool) -> None:
        if not hasty and self._station.outlet(self._number).closed:
            self._station.present(token, self._number)
        self._later(_FUMBLING[0], self._gone)

    def _gone(self) -> None:
        self._unplug()
        self._turn += 1
        self.start()

    def _unplug(self) -> None:
        if self._there:
            self._there = False
            self._station.unplug(self._number)

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        self._timer = self._clock.callLater(seconds, self._due, do)

    def _due(self, do: Callable[[], None]) -> None:
        self._timer = None
        try:
            do()
        except Exception:
            _log.failure(
                "outlet {number} of {station}", number=self._number, station=self._station.id
            )
