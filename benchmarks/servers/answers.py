"""The plug-in that answers the load, and calls; imported when a reactor has been chosen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import inlineCallbacks

from ocpp_twisted import v16, v201
from ocpp_twisted.errors import CallFailed
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.plugin import ActionPlugin, after, on


class Answers(ActionPlugin):
    """Answers with what the messages ask for, and calls when it is told to."""

    name = "answers"

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point: IChargePoint, request: v16.HeartbeatRequest) -> Any:
        return v16.HeartbeatResponse(currentTime=datetime.now(UTC))

    @on(v16.MeterValuesRequest)
    def meter_values(self, charge_point: IChargePoint, request: v16.MeterValuesRequest) -> Any:
        return v16.MeterValuesResponse()

    @on(v201.TransactionEventRequest)
    def event(self, charge_point: IChargePoint, request: v201.TransactionEventRequest) -> Any:
        return v201.TransactionEventResponse()

    @on(v16.StartTransactionRequest)
    def start(self, charge_point: IChargePoint, request: v16.StartTransactionRequest) -> Any:
        accepted = v16.IdTagInfo(status=v16.AuthorizationStatus.Accepted)
        return v16.StartTransactionResponse(transactionId=12345, idTagInfo=accepted)

    @on(v16.StatusNotificationRequest)
    def status(self, charge_point: IChargePoint, request: v16.StatusNotificationRequest) -> Any:
        return v16.StatusNotificationResponse()

    @on(v16.DataTransferRequest)
    def go(self, charge_point: IChargePoint, request: v16.DataTransferRequest) -> Any:
        return v16.DataTransferResponse(status=v16.DataTransferStatus.Accepted)

    @after(v16.DataTransferRequest)
    @inlineCallbacks
    def keep_calling(self, charge_point: IChargePoint, request: Any, response: Any) -> Any:
        try:
            while True:
                yield charge_point.call(v16.ClearCacheRequest())
        except CallFailed:
            pass  # it has left
