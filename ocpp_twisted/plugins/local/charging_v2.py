"""Actions: TransactionEvent, of OCPP 2.0, 2.0.1 and 2.1.

Sources: OCPP 2.x use cases E01 to E15, with 2.0.1 errata 2.14.2. The charge point gives the
transaction its id and each event a number, so that events may come twice or late, and an event
of a transaction that we never heard of is as good as any other.
"""

from __future__ import annotations

from msgspec import UNSET

from ocpp_twisted import v20, v21, v201
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Response
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.local.authorization import ACCEPTED
from ocpp_twisted.plugins.local.connectors import Connector
from ocpp_twisted.plugins.local.messages import answer, given
from ocpp_twisted.plugins.local.readings import readings_of_v2
from ocpp_twisted.plugins.local.transactions import Event, Transactions

__all__ = ["ChargingV2"]

_Request = v20.TransactionEventRequest | v201.TransactionEventRequest | v21.TransactionEventRequest
_Info = v20.TransactionType | v201.TransactionType | v21.TransactionType


class ChargingV2(ActionPlugin):
    """Follows the transactions."""

    transactions: Transactions

    @on(v20.TransactionEventRequest)
    def transaction_event_v20(
        self, charge_point: IChargePoint, request: v20.TransactionEventRequest
    ) -> Response:
        """Noted; the token is spoken of only if there is one."""
        info = request.transactionData
        return self._transaction_event(charge_point, request, info.id, info)

    @on(v201.TransactionEventRequest, v21.TransactionEventRequest)
    def transaction_event(
        self,
        charge_point: IChargePoint,
        request: v201.TransactionEventRequest | v21.TransactionEventRequest,
    ) -> Response:
        """Noted; the token is spoken of only if there is one."""
        info = request.transactionInfo
        return self._transaction_event(charge_point, request, info.transactionId, info)

    def _transaction_event(
        self, charge_point: IChargePoint, request: _Request, transaction_id: str, info: _Info
    ) -> Response:
        identity = charge_point.identity
        self.transactions.event(identity, transaction_id, _event(request, info))
        if request.meterValue is not UNSET:
            readings = readings_of_v2(request.meterValue)
            self.transactions.measured(identity, transaction_id, readings)
        if request.idToken is UNSET:
            return answer(request)
        return answer(request, idTokenInfo=ACCEPTED)


def _event(request: _Request, info: _Info) -> Event:
    started, ended = request.eventType == "Started", request.eventType == "Ended"
    evse, token = request.evse, request.idToken
    return Event(
        seq_no=request.seqNo,
        connector=None if evse is UNSET else Connector(evse.id, given(evse.connectorId)),
        # The token that ends a transaction may be another one of the same group.
        id_token=None if token is UNSET or ended else token.idToken,
        charging_state=given(info.chargingState),
        started=request.timestamp if started else None,
        stopped=request.timestamp if ended else None,
        reason=given(info.stoppedReason),
    )
