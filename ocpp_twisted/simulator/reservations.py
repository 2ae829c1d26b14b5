"""Outlets that are kept for somebody until a time.

Imports Twisted's names only. Source: OCPP 1.6 sections 3.11, 5.1 and 5.13; OCPP 2.x use cases H01
to H04. Whether there is an outlet to be had is the voice's to say; how long it is kept, and for
whom, is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Reservation", "Reservations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """An outlet is kept for a token.

    :ivar outlet: its number; 0 for any.
    :ivar token: the key of the token.
    :ivar group: of tokens that may use it too; None for none.
    :ivar kind: of outlets that will do (2.x connector types); empty for any.
    """

    id: int
    outlet: int
    token: Hashable
    group: Hashable = None
    kind: str = ""

    def is_for(self, token: Hashable, group: Hashable) -> bool:
        """Whether somebody may use it."""
        return token == self.token or (self.group is not None and group == self.group)


class Reservations:
    """Those that there are, by their ids.

    :param ended: is called with one whose time is over.
    """

    def __init__(self, clock: IReactorTime, ended: Callable[[Reservation], None]) -> None:
        self._clock = clock
        self._ended = ended
        self._kept: dict[int, tuple[Reservation, IDelayedCall]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Reservation]:
        return (reservation for reservation, _ in list(self._kept.values()))

    def get(self, number: int) -> Reservation | None:
        """The one of an id."""
        kept = self._kept.get(number)
        return None if kept is None else kept[0]

    def add(self, reservation: Reservation, seconds: float) -> None:
        """Keep an outlet for so long; another one of the same id is replaced."""
        self.cancel(reservation.id)
        timer = self._clock.callLater(max(seconds, 0.0), self._expired, reservation)
        self._kept[reservation.id] = reservation, timer

    def cancel(self, number: int) -> Reservation | None:
        """Keep it no longer.

        :returns: the reservation; None if there was none.
        """
        kept = self._kept.pop(number, None)
        if kept is None:
            return None
        reservation, timer = kept
        timer.cancel()
        return reservation

    def at(self, outlet: int) -> Reservation | None:
        """The one of an outlet; 0 for the first of those for any."""
        return next((each for each in self if each.outlet == outlet), None)

    def for_any(self) -> int:
        """How many want any outlet."""
        return sum(each.outlet == 0 for each in self)

    def of(self, outlet: int, token: Hashable, group: Hashable) -> Reservation | None:
        """The one that somebody who charges at an outlet uses up: first the outlet's own."""
        fitting = [
            each for each in self if each.outlet in (0, outlet) and each.is_for(token, group)
        ]
        return max(fitting, key=lambda each: each.outlet, default=None)

    def stop(self) -> None:
        """Wait for nothing any more; all are forgotten."""
        for number in list(self._kept):
            self.cancel(number)

    def _expired(self, reservation: Reservation) -> None:
        del self._kept[reservation.id]
        self._ended(reservation)
