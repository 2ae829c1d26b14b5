"""Actions: StartTransaction, StopTransaction and MeterValues, of OCPP 1.6.

Sources: OCPP 1.6 sections 4.7, 4.8 and 4.10 and errata 3.18. Whatever these messages hold, they
are answered with a CALLRESULT: for anything else the charge point only sends them again.
"""

from __future__ import annotations

from msgspec import UNSET
from twisted.logger import Logger

from ocpp_twisted import v16
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Response
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.local.authorization import ACCEPTED
from ocpp_twisted.plugins.local.connectors import Connector
from ocpp_twisted.plugins.local.messages import answer, given
from ocpp_twisted.plugins.local.readings import readings_of_v16
from ocpp_twisted.plugins.local.transactions import Start, Stop, Transactions

__all__ = ["ChargingV16"]

_log = Logger()


class ChargingV16(ActionPlugin):
    """Gives out transaction ids and follows the transactions."""

    transactions: Transactions

    @on(v16.StartTransactionRequest)
    def start_transaction(
        self, charge_point: IChargePoint, request: v16.StartTransactionRequest
    ) -> Response:
        """A new id; the same again for the same request, which is a retry."""
        transaction = self.transactions.start(
            charge_point.identity,
            Start(
                Connector(None, request.connectorId),
                request.idTag,
                request.timestamp,
                request.meterStart,
            ),
        )
        return answer(request, idTagInfo=ACCEPTED, transactionId=transaction.id)

    @on(v16.StopTransactionRequest)
    def stop_transaction(
        self, charge_point: IChargePoint, request: v16.StopTransactionRequest
    ) -> Response:
        """The end is noted once; the tag is spoken of only if there is one."""
        # A reason that is absent is Local (1.6 section 4.10).
        stop = Stop(request.timestamp, request.meterStop, given(request.reason) or "Local")
        identity, transaction_id = charge_point.identity, request.transactionId
        if not self.transactions.stop(identity, transaction_id, stop):
            # -1, if the charge point never got an id (errata 3.18); or one from before a restart.
            _log.warn(
                "unknown transaction stopped: {charge_point} {transaction_id} at {meter} Wh",
                charge_point=charge_point,
                transaction_id=transaction_id,
                meter=request.meterStop,
            )
        elif request.transactionData is not UNSET:
            readings = readings_of_v16(request.transactionData)
            self.transactions.measured(identity, transaction_id, readings)
        return answer(request) if request.idTag is UNSET else answer(request, idTagInfo=ACCEPTED)

    @on(v16.MeterValuesRequest)
    def meter_values_v16(
        self, charge_point: IChargePoint, request: v16.MeterValuesRequest
    ) -> Response:
        """Kept with the transaction; what belongs to none that is known is not kept."""
        if request.transactionId is not UNSET:
            readings = readings_of_v16(request.meterValue)
            self.transactions.measured(charge_point.identity, request.transactionId, readings)
        return answer(request)
