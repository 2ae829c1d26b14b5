"""Actions: TransactionEvent and MeterValues, of OCPP 2.0, 2.0.1 and 2.1.

Sources: OCPP 2.x use cases E01 to E15 and J01, with 2.0.1 errata 2.14.2. The charge point gives
the transaction its id and each event a number, so that events may come twice or late, and an event
of a transaction that we never heard of is as good as any other.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted import v20, v21, v201
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Response
from ocpp_twisted.plugin import on
from ocpp_twisted.plugins.local.authorization import id_token_info
from ocpp_twisted.plugins.local.keeping import Keeping
from ocpp_twisted.plugins.local.messages import answer, given
from ocpp_twisted.plugins.local.rules import UNDECIDED, Decision
from ocpp_twisted.plugins.local.store import facts
from ocpp_twisted.plugins.local.store.meters import measured
from ocpp_twisted.plugins.local.store.transaction_events import Cost, Event, event
from ocpp_twisted.plugins.local.store.transactions import Token

__all__ = ["ChargingV2"]

_log = Logger()

_Request = v20.TransactionEventRequest | v201.TransactionEventRequest | v21.TransactionEventRequest
_Info = v20.TransactionType | v201.TransactionType | v21.TransactionType
_Meter = v20.MeterValuesRequest | v201.MeterValuesRequest | v21.MeterValuesRequest


class ChargingV2(Keeping):
    """Follows the transactions."""

    @on(v20.TransactionEventRequest)
    def transaction_event_v20(
        self, charge_point: IChargePoint, request: v20.TransactionEventRequest
    ) -> Deferred[Response]:
        """Kept; the token is spoken of only if there is one."""
        info = request.transactionData
        return self._transaction_event(charge_point, request, info.id, info)

    @on(v201.TransactionEventRequest, v21.TransactionEventRequest)
    def transaction_event(
        self,
        charge_point: IChargePoint,
        request: v201.TransactionEventRequest | v21.TransactionEventRequest,
    ) -> Deferred[Response]:
        """Kept; the token is spoken of only if there is one."""
        info = request.transactionInfo
        return self._transaction_event(charge_point, request, info.transactionId, info)

    @on(v20.MeterValuesRequest, v201.MeterValuesRequest, v21.MeterValuesRequest)
    def meter_values_v2(self, charge_point: IChargePoint, request: _Meter) -> Deferred[Response]:
        """They belong to no transaction: the last of each EVSE are kept."""
        last: dict[str, Any] = {str(request.evseId): msgspec.to_builtins(request.meterValue)}
        return self.keep_and_answer(
            request, facts.is_so, charge_point.identity, "meterValues", last, self.now()
        )

    def _transaction_event(
        self, charge_point: IChargePoint, request: _Request, transaction_id: str, info: _Info
    ) -> Deferred[Response]:
        told = _event(charge_point.version, request, transaction_id, info)
        values = measured(given(request.meterValue) or ())
        id_token = None if request.idToken is UNSET else request.idToken.idToken

        def keep(token: Token | None) -> Deferred[Response]:
            kept = self.keep(
                event,
                charge_point.identity,
                told,
                token,
                values,
                self.tariff,
                self.now(),
            )
            return kept.addCallback(said)

        def said(outcome: tuple[Decision | None, Cost, bool]) -> Response:
            decision, cost, is_other = outcome
            if isinstance(cost, Failure):
                _log.failure(
                    "what a transaction costs is not known: {charge_point} {transaction_id!r}",
                    failure=cost,
                    charge_point=charge_point,
                    transaction_id=transaction_id,
                )
                cost = None
            if is_other:
                _log.warn(
                    "two events of one transaction have one seqNo: {charge_point} "
                    "{transaction_id!r} {seq_no}: the first counts, the others are kept as events "
                    "of kind TransactionEvent (told once for each transaction)",
                    charge_point=charge_point,
                    transaction_id=transaction_id,
                    seq_no=request.seqNo,
                )
            self.tell_transaction(
                charge_point.identity, _HAPPENINGS[request.eventType], transaction_id
            )
            if decision is None or decision is UNDECIDED:
                info: Any = UNSET
            else:
                info = id_token_info(decision)
            return answer(request, idTokenInfo=info, totalCost=UNSET if cost is None else cost)

        return self.with_token(charge_point, id_token, request, keep, told.is_stopping)


_HAPPENINGS: dict[str, Literal["started", "updated", "ended"]] = {
    "Started": "started",
    "Updated": "updated",
    "Ended": "ended",
}


def _event(version: str, request: _Request, transaction_id: str, info: _Info) -> Event:
    ended = request.eventType == "Ended"
    told: dict[str, Any] = {
        "charging_state": given(info.chargingState),
        "remote_start_id": given(info.remoteStartId),
        "reservation_id": given(request.reservationId),
        "started": request.timestamp if request.eventType == "Started" else None,
        "stopped": request.timestamp if ended else None,
        "reason": given(info.stoppedReason),
    }
    if request.evse is not UNSET:
        told["evse_id"] = request.evse.id
        told["connector_id"] = given(request.evse.connectorId)
    return Event(
        version=version,
        transaction_id=transaction_id,
        kind=str(request.eventType),
        at=request.timestamp,
        seq_no=request.seqNo,
        facts={column: value for column, value in told.items() if value is not None},
        is_stopping=ended or request.triggerReason == "StopAuthorized",
        token_type=None if request.idToken is UNSET else str(request.idToken.type),
        payload=lambda: msgspec.to_builtins(request),
    )
