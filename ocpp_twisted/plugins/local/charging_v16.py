"""Actions: StartTransaction, StopTransaction and MeterValues, of OCPP 1.6.

Sources: OCPP 1.6 sections 4.7, 4.8 and 4.10 and errata 3.18. Whatever these messages hold, they
are answered with a CALLRESULT as long as they can be kept: for anything else the charge point
would only send them again.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocpp_twisted import v16
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Response
from ocpp_twisted.plugin import on
from ocpp_twisted.plugins.local.authorization import id_tag_info
from ocpp_twisted.plugins.local.keeping import Keeping
from ocpp_twisted.plugins.local.messages import answer, given
from ocpp_twisted.plugins.local.rules import UNDECIDED, Decision
from ocpp_twisted.plugins.local.store import facts, transactions
from ocpp_twisted.plugins.local.store.meters import measured
from ocpp_twisted.plugins.local.store.transactions import Start, Stop, Token

__all__ = ["ChargingV16"]

_log = Logger()


class ChargingV16(Keeping):
    """Gives out transaction ids and follows the transactions."""

    @on(v16.StartTransactionRequest)
    def start_transaction(
        self, charge_point: IChargePoint, request: v16.StartTransactionRequest
    ) -> Deferred[Response]:
        """A new id; the same again for the same request, which is a retry."""
        begun = Start(
            request.connectorId,
            request.timestamp,
            _wh(request.meterStart),
            given(request.reservationId),
        )

        def start(token: Token | None) -> Deferred[Response]:
            assert token is not None
            kept = self.keep(transactions.start, charge_point.identity, begun, token, self.now())
            return kept.addCallback(started)

        def started(outcome: tuple[int, Decision]) -> Response:
            transaction_id, decision = outcome
            self.tell_transaction(charge_point.identity, "started", transaction_id)
            info = id_tag_info(decision)
            return answer(request, idTagInfo=info, transactionId=transaction_id)

        return self.with_token(charge_point, request.idTag, request, start)

    @on(v16.StopTransactionRequest)
    def stop_transaction(
        self, charge_point: IChargePoint, request: v16.StopTransactionRequest
    ) -> Deferred[Response]:
        """The end is noted once; the tag is spoken of only if there is one."""
        # A reason that is absent is Local (1.6 section 4.10).
        reason = given(request.reason) or "Local"
        ended = Stop(request.transactionId, request.timestamp, _wh(request.meterStop), reason)
        values = measured(given(request.transactionData) or ())

        def stop(token: Token | None) -> Deferred[Response]:
            identity = charge_point.identity
            kept = self.keep(transactions.stop, identity, ended, token, values, self.now())
            return kept.addCallback(stopped)

        def stopped(outcome: tuple[bool, Decision | None]) -> Response:
            known, decision = outcome
            self.tell_transaction(charge_point.identity, "ended", request.transactionId)
            if not known:
                # -1, if the charge point never got an id; or one from another central system.
                _log.warn(
                    "unknown transaction stopped: {charge_point} {transaction_id} at {meter} Wh",
                    charge_point=charge_point,
                    transaction_id=request.transactionId,
                    meter=request.meterStop,
                )
            if decision is None or decision is UNDECIDED:
                return answer(request)
            return answer(request, idTagInfo=id_tag_info(decision))

        return self.with_token(charge_point, given(request.idTag), request, stop, ends=True)

    @on(v16.MeterValuesRequest)
    def meter_values_v16(
        self, charge_point: IChargePoint, request: v16.MeterValuesRequest
    ) -> Deferred[Response]:
        """Kept with the transaction; of what belongs to none, the last is kept."""
        identity, transaction_id = charge_point.identity, given(request.transactionId)
        if transaction_id is not None and transaction_id > 0:
            values = measured(request.meterValue)
            kept = self.keep_and_answer(
                request, transactions.meter, identity, transaction_id, values, self.now()
            )

            def told(response: Response) -> Response:
                self.tell_transaction(identity, "updated", transaction_id)
                return response

            return kept.addCallback(told)
        last: dict[str, Any] = {str(request.connectorId): msgspec.to_builtins(request.meterValue)}
        return self.keep_and_answer(request, facts.is_so, identity, "meterValues", last, self.now())


def _wh(meter: int) -> float | None:
    """What a meter shows; None if no float holds it."""
    try:
        return float(meter)
    except OverflowError:
        return None
