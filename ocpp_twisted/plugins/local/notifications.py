"""Actions: what charge points tell and only want heard.

The answer has no content, or only says that the message could be read. Sources: OCPP 1.6
sections 4.4 and 4.5 and its security whitepaper; OCPP 2.x, the schemas of the responses.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from ocpp_twisted import v20, v21, v201
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.local.messages import answer, requests

__all__ = ["Notifications"]

_log = Logger()


class Notifications(ActionPlugin):
    """Hears them; keeps nothing."""

    @on(
        *requests(
            "BatterySwap",
            "ClearedChargingLimit",
            "ClosePeriodicEventStream",
            "DiagnosticsStatusNotification",
            "FirmwareStatusNotification",
            "LogStatusNotification",
            "NotifyChargingLimit",
            "NotifyCustomerInformation",
            "NotifyDERAlarm",
            "NotifyDERStartStop",
            "NotifyDisplayMessages",
            "NotifyMonitoringReport",
            "NotifyPriorityCharging",
            "NotifyReport",
            # A receipt is optional in its answer, and none is made here.
            "NotifySettlement",
            "PublishFirmwareStatusNotification",
            "ReportChargingProfiles",
            "ReportDERControl",
            "ReservationStatusUpdate",
            "SignedFirmwareStatusNotification",
        )
    )
    def notified(self, charge_point: IChargePoint, request: Request[Any]) -> Response:
        """Heard."""
        return answer(request)

    @on(v20.MeterValuesRequest, v201.MeterValuesRequest, v21.MeterValuesRequest)
    def meter_values(self, charge_point: IChargePoint, request: Request[Any]) -> Response:
        """Heard: those of OCPP 2.x belong to no transaction."""
        return answer(request)

    @on(*requests("NotifyEVChargingSchedule"))
    def notify_ev_charging_schedule(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Response:
        """Accepted: the message was read; it approves of no schedule (K15)."""
        return answer(request, status="Accepted")

    @on(*requests("SecurityEventNotification"))
    def security_event_notification(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Response:
        """Logged: somebody should look at it."""
        event: Any = request
        _log.warn(
            "security event: {charge_point} {type} at {timestamp}",
            charge_point=charge_point,
            type=event.type,
            timestamp=event.timestamp,
        )
        return answer(request)
