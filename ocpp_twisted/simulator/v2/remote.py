"""Control from afar: start, stop, unlock (functional block F, but for TriggerMessage).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases F01 to F05.
"""

from __future__ import annotations

from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.authorization import Standing
from ocpp_twisted.simulator.v2.authorization import token_key
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.evse import Evse, Permit

__all__ = ["Remote"]


class Remote(Block):
    """RequestStartTransaction, RequestStopTransaction, UnlockConnector."""

    name = "remote"

    @on(*every("RequestStartTransaction"))
    def request_start(self, link: Any, request: Any) -> Any:
        """See OCPP, F01 and F02."""
        evse, why = self._choose(request)
        profile = given(request, "chargingProfile")
        if why is None and profile is not None:
            why = self.voice.charging.objection_to_start(profile)
        if evse is None or why is not None:
            return self.make(
                "RequestStartTransactionResponse",
                status="Rejected",
                statusInfo=self.reason(why or "Unspecified"),
            )
        begun = evse.transaction
        return self.make(
            "RequestStartTransactionResponse",
            status="Accepted",
            transactionId=None if begun is None else begun.id,
        )

    @after(*every("RequestStartTransaction"))
    def start_transaction(self, link: Any, request: Any, response: Any) -> None:
        """Start it, perhaps after the token was authorized."""
        evse, _ = self._choose(request)
        if response.status != "Accepted" or evse is None:
            return
        token, group = request.idToken, given(request, "groupIdToken")

        def decided(standing: Standing) -> None:
            if not standing.accepted or evse.permit is not None:
                return
            known = str(standing.group or "") or (group.idToken.lower() if group else "")
            permit = Permit(token, known, "RemoteStart", request.remoteStartId)
            profile = given(request, "chargingProfile")
            if profile is not None:
                self.voice.charging.expect(evse, profile)
            self.voice.admit(evse, permit, token_key(token))

        asked = self.model.boolean("AuthCtrlr", "AuthorizeRemoteStart")
        if asked and self.model.boolean("AuthCtrlr", "Enabled"):
            self.voice.authorization.decide(token).addCallback(decided)
        else:
            decided(Standing(status="Accepted"))

    def _choose(self, request: Any) -> tuple[Evse | None, str | None]:
        """The EVSE that is meant, or a reason code."""
        number = given(request, "evseId")
        if not self.voice.may_charge:
            return None, "CSNotAccepted"
        if number is not None and not 1 <= number <= len(self.voice.evses):
            return None, "UnknownEvse"
        wanted = self.voice.evses if number is None else [self.voice.evse(number)]
        free = [each for each in wanted if self._can_start(each, request)]
        if not free:
            return None, "TxInProgress"
        plugged = [each for each in free if each.outlet.vehicle is not None]
        return (plugged or free)[0], None

    def _can_start(self, evse: Evse, request: Any) -> bool:
        if evse.permit is not None or not self.voice.authorization.may_use(evse):
            return False
        group = given(request, "groupIdToken")
        reservations = self.voice.reservations
        mine = reservations.kept.of(
            evse.number, token_key(request.idToken), group.idToken.lower() if group else None
        )
        return mine is not None or not reservations.holds(evse)

    @on(*every("RequestStopTransaction"))
    def request_stop(self, link: Any, request: Any) -> Any:
        """See OCPP, F03."""
        found = self.voice.telling.evse_of(request.transactionId) is not None
        return self.make(
            "RequestStopTransactionResponse",
            status="Accepted" if found else "Rejected",
            statusInfo=None if found else self.reason("TxNotFound"),
        )

    @after(*every("RequestStopTransaction"))
    def stop_transaction(self, link: Any, request: Any, response: Any) -> None:
        """Stop it."""
        evse = self.voice.telling.evse_of(request.transactionId)
        if evse is not None:
            self.voice.transactions.withdraw(evse, "RemoteStop", "Remote")

    @on(*every("UnlockConnector"))
    def unlock_connector(self, link: Any, request: Any) -> Any:
        """See OCPP, F05."""
        known = 1 <= request.evseId <= len(self.voice.evses) and request.connectorId == 1
        if not known:
            status = "UnknownConnector"
        elif self.voice.evse(request.evseId).permit is not None:
            status = "OngoingAuthorizedTransaction"
        else:
            status = "Unlocked"
        return self.make("UnlockConnectorResponse", status=status)
