"""What the depot answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ocpp_twisted import v16, v201
from ocpp_twisted.errors import CallErrorReceived, CallFailed, CallFault, ErrorCode
from ocpp_twisted.interfaces import IActiveCaller, IChargePoint
from ocpp_twisted.plugin import ActionPlugin, after, on, on_result

log = Logger()


class Depot(ActionPlugin):
    """Knows its buses' tags, and asks for the connectors' states after a boot."""

    name = "depot"

    def start(self, caller: IActiveCaller, config: Mapping[str, Any]) -> None:
        self.tags = set(config.get("tags", ("BUS-1", "BUS-2")))

    # A plain value.
    @on(v16.HeartbeatRequest, v201.HeartbeatRequest)
    def heartbeat(
        self, charge_point: IChargePoint, request: v16.HeartbeatRequest | v201.HeartbeatRequest
    ) -> v16.HeartbeatResponse | v201.HeartbeatResponse:
        if isinstance(request, v16.HeartbeatRequest):
            return v16.HeartbeatResponse(currentTime=datetime.now(UTC))
        return v201.HeartbeatResponse(currentTime=datetime.now(UTC))

    # A coroutine; it may await Deferreds.
    @on(v16.AuthorizeRequest)
    async def authorize(
        self, charge_point: IChargePoint, request: v16.AuthorizeRequest
    ) -> v16.AuthorizeResponse:
        known = await self.is_known(request.idTag)
        status = v16.AuthorizationStatus.Accepted if known else v16.AuthorizationStatus.Invalid
        return v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status=status))

    def is_known(self, tag: str) -> Deferred[bool]:
        """Stands for a question to a database."""
        return succeed(tag in self.tags)

    # A CALLERROR.
    @on(v16.DataTransferRequest)
    def data_transfer(self, charge_point: IChargePoint, request: v16.DataTransferRequest) -> None:
        raise CallFault(ErrorCode.NOT_SUPPORTED, f"no data of {request.vendorId} here")

    # The answer to the BootNotification is written: now calls may follow.
    @after(v16.BootNotificationRequest)
    async def booted(
        self,
        charge_point: IChargePoint,
        request: v16.BootNotificationRequest,
        response: v16.BootNotificationResponse,
    ) -> None:
        if response.status is not v16.RegistrationStatus.Accepted:
            return
        wanted = v16.MessageTrigger.StatusNotification
        try:
            await charge_point.call(v16.TriggerMessageRequest(requestedMessage=wanted))
        except CallFailed as error:
            log.info("{id} does not tell its states: {error}", id=charge_point.id, error=error)

    # What charge points answer to resets, whoever asked for them.
    @on_result(v16.ResetRequest)
    def reset_answered(
        self,
        charge_point: IChargePoint,
        request: v16.ResetRequest,
        outcome: v16.ResetResponse | CallErrorReceived,
    ) -> None:
        log.info("{id} was asked to reset: {outcome}", id=charge_point.id, outcome=outcome)
