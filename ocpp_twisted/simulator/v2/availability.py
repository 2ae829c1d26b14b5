"""What EVSEs and connectors are: their status, and whether they may be used (functional block G).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases G01 to G05; B04 for what is told after
a time without connection. What the central system sets lasts over restarts.
"""

from __future__ import annotations

from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.evse import Evse

__all__ = ["Availability"]


class Availability(Block):
    """Tells of every change, and changes what may be used."""

    name = "availability"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        #: What may not be used: (EVSE, connector), 0 for the whole of it.
        self._out: set[tuple[int, int]] = set()
        #: What is to be when a transaction has ended.
        self._scheduled: dict[tuple[int, int], bool] = {}
        #: EVSEs that are out of use for a while.
        self._blocked: set[int] = set()
        self._told: dict[int, str] = {}
        self._offline_since: float | None = None

    # -- status -------------------------------------------------------------------------------

    def operative(self, evse: Evse) -> bool:
        """Whether it may be used."""
        places = {(0, 0), (evse.number, 0), (evse.number, 1)}
        return not places & self._out and evse.number not in self._blocked

    def status(self, evse: Evse) -> str:
        """Its connector's status."""
        if evse.outlet.fault:
            return "Faulted"
        if evse.transaction is not None or evse.permit is not None:
            return "Occupied"
        if not self.operative(evse):
            return "Unavailable"
        if evse.outlet.vehicle is not None:
            return "Occupied"
        return "Reserved" if self.voice.reservations.holds(evse) else "Available"

    def station_status(self) -> str:
        """The whole station's."""
        statuses = [self.status(evse) for evse in self.voice.evses]
        if (0, 0) in self._out:
            return "Unavailable"
        return next(
            (each for each in ("Available", "Occupied", "Reserved") if each in statuses),
            statuses[0],
        )

    def look(self, evse: Evse) -> None:
        """Tell of an EVSE's status if it has changed and somebody listens."""
        status = self.status(evse)
        if self._told.get(evse.number) != status and self.voice.accepted:
            self.tell(evse)

    def tell(self, evse: Evse) -> None:
        """Tell of it in any case."""
        status = self._told[evse.number] = self.status(evse)
        self.call(
            "StatusNotification",
            timestamp=self.now(),
            connectorStatus=status,
            evseId=evse.number,
            connectorId=1,
        )

    def started(self) -> None:
        """See `Block`: all of them, after a boot."""
        self._offline_since = None
        for evse in self.voice.evses:
            self.tell(evse)

    def online(self) -> None:
        """See `Block`: all of them after a long time, else what has changed (B04)."""
        now = self.station.clock.seconds()
        since, self._offline_since = self._offline_since, None
        gone = 0.0 if since is None else now - since
        for evse in self.voice.evses:
            if gone > self.model.integer("OCPPCommCtrlr", "OfflineThreshold"):
                self.tell(evse)
            else:
                self.look(evse)

    def offline(self) -> None:
        """See `Block`."""
        if self._offline_since is None:
            self._offline_since = self.station.clock.seconds()

    def powered_off(self) -> None:
        """See `Block`."""
        self._blocked.clear()

    def block(self, evse: Evse, blocked: bool) -> None:
        """Let nobody use an EVSE for a while: it is reset, or gets new firmware."""
        if blocked:
            self._blocked.add(evse.number)
        else:
            self._blocked.discard(evse.number)
        self.look(evse)

    # -- what may be used ---------------------------------------------------------------------

    @on(*every("ChangeAvailability"))
    def change_availability(self, link: Any, request: Any) -> Any:
        """See OCPP, G03 and G04."""
        place = self._place(request)
        if place is None:
            return self.make(
                "ChangeAvailabilityResponse",
                status="Rejected",
                statusInfo=self.reason("UnknownEvse"),
            )
        operative = request.operationalStatus == "Operative"
        busy = not operative and any(evse.transaction for evse in self._evses(place))
        return self.make("ChangeAvailabilityResponse", status="Scheduled" if busy else "Accepted")

    @after(*every("ChangeAvailability"))
    def availability_changes(self, link: Any, request: Any, response: Any) -> None:
        """Now, or when the transaction has ended."""
        place = self._place(request)
        if place is None or response.status == "Rejected":
            return
        operative = request.operationalStatus == "Operative"
        self._scheduled.pop(place, None)
        if response.status == "Scheduled":
            self._scheduled[place] = operative
            for evse in self._evses(place):  # of a station, all that are free change at once
                if evse.transaction is None:
                    self._set((evse.number, 0), operative)
        else:
            self._set(place, operative)

    def transaction_ended(self) -> None:
        """What has waited for it happens."""
        for place, operative in list(self._scheduled.items()):
            if not any(evse.transaction for evse in self._evses(place)):
                del self._scheduled[place]
                self._set(place, operative)

    def _place(self, request: Any) -> tuple[int, int] | None:
        """What is meant; None if there is none."""
        evse = given(request, "evse")
        place = (0, 0) if evse is None else (evse.id, given(evse, "connectorId") or 0)
        known = place[0] <= len(self.voice.evses) and place[1] <= 1
        return place if known and min(place) >= 0 else None

    def _evses(self, place: tuple[int, int]) -> list[Evse]:
        return [evse for evse in self.voice.evses if place[0] in (0, evse.number)]

    def _set(self, place: tuple[int, int], operative: bool) -> None:
        if not operative:
            self._out.add(place)
        else:
            number, connector = place
            inside = {each for each in self._out if number in (0, each[0])}
            self._out -= inside if not connector else {place}
        for evse in self._evses(place):
            self.look(evse)
