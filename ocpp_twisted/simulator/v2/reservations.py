"""EVSEs that are kept for somebody (functional block H).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases H01 to H04.
"""

from __future__ import annotations

from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.reservations import Reservation, Reservations
from ocpp_twisted.simulator.v2.authorization import token_key
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.evse import Evse

__all__ = ["ReservationBlock"]

#: What the connectors are.
CONNECTOR_TYPE = "cType2"


class ReservationBlock(Block):
    """Keeps EVSEs, and lets only those charge there who are meant."""

    name = "reservations"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self.kept = Reservations(self.station.clock, lambda each: self._over(each, "Expired"))

    def powered_off(self) -> None:
        """See `Block`."""
        self.kept.stop()

    def holds(self, evse: Evse) -> bool:
        """Whether an EVSE is kept: for itself, or because all that are free are kept for some."""
        if self.kept.at(evse.number) is not None:
            return True
        free = [
            each
            for each in self.voice.evses
            if self._free(each) and self.kept.at(each.number) is None
        ]
        return evse in free and self.kept.for_any() >= len(free)

    def used_by(self, evse: Evse, token: Any, group: str) -> tuple[bool, int | None]:
        """Whether somebody may charge at an EVSE, and the id of the reservation that he uses up.

        :param token: its key.
        """
        mine = self.kept.of(evse.number, token, group or None)
        if mine is not None:
            self.kept.cancel(mine.id)
            return True, mine.id
        return not self.holds(evse), None

    def look(self, evse: Evse) -> None:
        """An EVSE cannot be used any more: what it was kept for ends (H04 in case of a fault)."""
        mine = self.kept.at(evse.number)
        broken = evse.outlet.fault or not self.voice.availability.operative(evse)
        if mine is not None and broken:
            self.kept.cancel(mine.id)
            self._over(mine, "Removed")

    @on(*every("ReserveNow"))
    def reserve_now(self, link: Any, request: Any) -> Any:
        """See OCPP, H01."""
        status = self._status(request)
        if status == "Accepted":
            group = given(request, "groupIdToken")
            self.kept.add(
                Reservation(
                    id=request.id,
                    outlet=given(request, "evseId") or 0,
                    token=token_key(request.idToken),
                    group=None if group is None else group.idToken.lower(),
                    kind=str(given(request, "connectorType") or ""),
                ),
                (request.expiryDateTime - self.now()).total_seconds(),
            )
        return self.make("ReserveNowResponse", status=status)

    def _status(self, request: Any) -> str:
        if not self.model.boolean("ReservationCtrlr", "Enabled"):
            return "Rejected"
        kind = given(request, "connectorType")
        number = given(request, "evseId") or 0
        if kind not in (None, CONNECTOR_TYPE) or not 0 <= number <= len(self.voice.evses):
            return "Rejected"
        if request.expiryDateTime <= self.now():
            return "Rejected"
        wanted = [self.voice.evse(number)] if number else self.voice.evses
        statuses = [
            "Available" if self._is_same(each, request.id) else self.voice.availability.status(each)
            for each in wanted
        ]
        if "Available" in statuses:
            return "Accepted"
        taken = statuses[0] if len(set(statuses)) == 1 else "Occupied"
        return "Occupied" if taken == "Reserved" else taken

    def _is_same(self, evse: Evse, number: int) -> bool:
        """One of the same id is replaced (H01.FR.02)."""
        mine = self.kept.at(evse.number)
        return mine is not None and mine.id == number

    @on(*every("CancelReservation"))
    def cancel_reservation(self, link: Any, request: Any) -> Any:
        """See OCPP, H02."""
        gone = self.kept.cancel(request.reservationId)
        status = "Rejected" if gone is None else "Accepted"
        return self.make("CancelReservationResponse", status=status)

    @after(*every("ReserveNow", "CancelReservation"))
    def reservation_changes(self, link: Any, request: Any, response: Any) -> None:
        """Tell of what is reserved now."""
        self._look_at_all()

    def _over(self, reservation: Reservation, why: str) -> None:
        self.call(
            "ReservationStatusUpdate",
            reservationId=reservation.id,
            reservationUpdateStatus=why,
        )
        self._look_at_all()

    def _look_at_all(self) -> None:
        for evse in self.voice.evses:
            self.voice.availability.look(evse)

    def _free(self, evse: Evse) -> bool:
        taken = evse.outlet.vehicle is not None or evse.permit is not None
        return not taken and self.voice.authorization.may_use(evse)
