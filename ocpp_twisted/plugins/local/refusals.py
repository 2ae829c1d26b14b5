"""Actions: what asks for a feature that this plug-in does not have.

All of them are of 2.1 alone, which is in no text here but the schemas: of Accepted and Rejected,
Rejected is what is true. DataTransfer is not among them: the library itself answers it for vendors
that no plug-in knows (`ocpp_twisted.data_transfer`).
"""

from __future__ import annotations

from ocpp_twisted import v21
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Response
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.local.messages import answer

__all__ = ["UNSUPPORTED", "Refusals"]

#: A StatusInfo, which 2.0 does not have (OCPP 2.x part 2, appendix 5).
UNSUPPORTED = {"reasonCode": "UnsupportedRequest"}


class Refusals(ActionPlugin):
    """Says no, and so that the charge point can go on."""

    @on(v21.OpenPeriodicEventStreamRequest)
    def open_periodic_event_stream(
        self, charge_point: IChargePoint, request: v21.OpenPeriodicEventStreamRequest
    ) -> Response:
        """Rejected: nobody here would read the stream."""
        return answer(request, status="Rejected", statusInfo=UNSUPPORTED)

    @on(v21.NotifyPeriodicEventStream)
    def notify_periodic_event_stream(
        self, charge_point: IChargePoint, message: v21.NotifyPeriodicEventStream
    ) -> None:
        """Dropped: a SEND has no answer, and no stream was opened."""

    @on(v21.PullDynamicScheduleUpdateRequest)
    def pull_dynamic_schedule_update(
        self, charge_point: IChargePoint, request: v21.PullDynamicScheduleUpdateRequest
    ) -> Response:
        """Rejected: no charging profile was made here, so there is no update of one."""
        return answer(request, status="Rejected", statusInfo=UNSUPPORTED)

    @on(v21.VatNumberValidationRequest)
    def vat_number_validation(
        self, charge_point: IChargePoint, request: v21.VatNumberValidationRequest
    ) -> Response:
        """Rejected, with what was asked: the number was not checked, and the reason says so."""
        return answer(
            request,
            status="Rejected",
            statusInfo=UNSUPPORTED,
            vatNumber=request.vatNumber,
            evseId=request.evseId,
        )
