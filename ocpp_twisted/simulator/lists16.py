"""Local lists and reservations, as a simulated charge point of OCPP 1.6 keeps them.

Imports its neighbours and the messages of 1.6. Source: OCPP 1.6 sections 3.5.2, 5.1, 5.10, 5.13 and
5.15 with 6.41 and 7.47, errata 3.52.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from ocpp_twisted.plugin import ActionPlugin, after, on
from ocpp_twisted.simulator.authorizing16 import listed
from ocpp_twisted.simulator.connectors16 import Connector
from ocpp_twisted.simulator.reservations import Reservation
from ocpp_twisted.v16 import (
    CancelReservationRequest,
    CancelReservationResponse,
    CancelReservationStatus,
    ChargePointStatus,
    GetLocalListVersionRequest,
    GetLocalListVersionResponse,
    ReservationStatus,
    ReserveNowRequest,
    ReserveNowResponse,
    SendLocalListRequest,
    SendLocalListResponse,
    UpdateStatus,
    UpdateType,
)

if TYPE_CHECKING:
    from ocpp_twisted.simulator.voice16 import Voice16

__all__ = ["Lists"]


class Lists(ActionPlugin):
    """See above."""

    name = "lists"

    def __init__(self, voice: Voice16) -> None:
        self._voice = voice

    # -- the local authorization list ---------------------------------------------------------

    @on(GetLocalListVersionRequest)
    def list_version(
        self, link: Any, request: GetLocalListVersionRequest
    ) -> GetLocalListVersionResponse:
        """0 if it is empty, -1 if there is none (5.10)."""
        enabled = self._voice.configuration.flag("LocalAuthListEnabled")
        version = self._voice.authorizer.list.version if enabled else -1
        return GetLocalListVersionResponse(listVersion=version)

    @on(SendLocalListRequest)
    def send_list(self, link: Any, request: SendLocalListRequest) -> SendLocalListResponse:
        """The whole list, or changes to it."""
        if not self._voice.configuration.flag("LocalAuthListEnabled"):
            return SendLocalListResponse(status=UpdateStatus.NotSupported)
        authorizer = self._voice.authorizer
        entries = [
            (each.idTag.lower(), None if each.idTagInfo is UNSET else listed(each.idTagInfo))
            for each in request.localAuthorizationList or []
        ]
        full = request.updateType is UpdateType.Full
        take = authorizer.list.replace if full else authorizer.list.update
        status = take(request.listVersion, entries)
        authorizer.cache.forget(authorizer.list)  # 3.5.3
        return SendLocalListResponse(status=UpdateStatus(status))

    # -- reservations -------------------------------------------------------------------------

    @on(ReserveNowRequest)
    def reserve(self, link: Any, request: ReserveNowRequest) -> ReserveNowResponse:
        """Whether it can be had; see `reserves`."""
        return ReserveNowResponse(status=self._outcome(request))

    @after(ReserveNowRequest)
    def reserves(self, link: Any, request: ReserveNowRequest, response: ReserveNowResponse) -> None:
        """It is kept, and shows it."""
        if response.status is not ReservationStatus.Accepted:
            return
        voice = self._voice
        parent = request.parentIdTag if request.parentIdTag is not UNSET else ""
        replaced = voice.reservations.cancel(request.reservationId)
        voice.reservations.add(
            Reservation(
                id=request.reservationId,
                outlet=request.connectorId,
                token=request.idTag.lower(),
                group=parent.lower() or None,
            ),
            (request.expiryDate - voice.now()).total_seconds(),
        )
        if replaced is not None:
            voice.usage.reservation_ended(replaced)
        if request.connectorId:
            voice.usage.settle(voice.connectors[request.connectorId])

    @on(CancelReservationRequest)
    def cancel(self, link: Any, request: CancelReservationRequest) -> CancelReservationResponse:
        """Whether there is one; see `cancels`."""
        found = self._voice.reservations.get(request.reservationId) is not None
        status = CancelReservationStatus.Accepted if found else CancelReservationStatus.Rejected
        return CancelReservationResponse(status=status)

    @after(CancelReservationRequest)
    def cancels(
        self, link: Any, request: CancelReservationRequest, response: CancelReservationResponse
    ) -> None:
        """It is kept no longer."""
        cancelled = self._voice.reservations.cancel(request.reservationId)
        if cancelled is not None:
            self._voice.usage.reservation_ended(cancelled)

    def _outcome(self, request: ReserveNowRequest) -> ReservationStatus:
        voice, number = self._voice, request.connectorId
        if number not in (0, *voice.connectors) or request.expiryDate <= voice.now():
            return ReservationStatus.Rejected
        old = voice.reservations.get(request.reservationId)
        outcomes = {each.number: self._at(each, old) for each in voice.connectors.values()}
        # One of those that are left is kept for each reservation of any connector (5.13).
        left = list(outcomes.values()).count(ReservationStatus.Accepted)
        enough = left > voice.reservations.for_any() - (old is not None and old.outlet == 0)
        if number and outcomes[number] is not ReservationStatus.Accepted:
            return outcomes[number]
        if number == 0 and voice.unavailable:
            return ReservationStatus.Unavailable
        if left:
            return ReservationStatus.Accepted if enough else ReservationStatus.Occupied
        for status in (ReservationStatus.Occupied, ReservationStatus.Faulted):
            if status in outcomes.values():
                return status
        return ReservationStatus.Unavailable

    def _at(self, connector: Connector, old: Reservation | None) -> ReservationStatus:
        """Whether a connector can be reserved, perhaps instead of what it is reserved for."""
        if connector.status is ChargePointStatus.Available:
            return ReservationStatus.Accepted
        if connector.status is ChargePointStatus.Faulted:
            return ReservationStatus.Faulted
        if connector.status is ChargePointStatus.Unavailable:
            return ReservationStatus.Unavailable
        mine = old is not None and old.outlet == connector.number
        if connector.status is ChargePointStatus.Reserved and mine:
            return ReservationStatus.Accepted
        return ReservationStatus.Occupied
