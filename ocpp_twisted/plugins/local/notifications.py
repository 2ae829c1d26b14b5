"""Actions: what charge points tell and only want heard.

The answer has no content, or only says that the message could be read. Sources: OCPP 1.6
sections 4.4 and 4.5 and its security whitepaper; OCPP 2.x, the schemas of the responses.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import on
from ocpp_twisted.plugins.local.keeping import Keeping
from ocpp_twisted.plugins.local.messages import answer, requests
from ocpp_twisted.plugins.local.refusals import UNSUPPORTED
from ocpp_twisted.plugins.local.store import facts, reservations

__all__ = ["Notifications"]

_log = Logger()

#: What is so until the next of them: the action to the kind of fact. The field after it, if the
#: message has it, tells one from another.
_STATES = {
    "DiagnosticsStatusNotification": ("diagnostics", ""),
    "FirmwareStatusNotification": ("firmware", ""),
    "LogStatusNotification": ("log", ""),
    "NotifyEVChargingNeeds": ("chargingNeeds", "evseId"),
    "NotifyEVChargingSchedule": ("chargingSchedule", "evseId"),
    "PublishFirmwareStatusNotification": ("publishFirmware", ""),
    "SignedFirmwareStatusNotification": ("firmware", ""),
}
#: What has happened once: the action, and the field that says when.
_EVENTS = {
    "BatterySwap": "",
    "NotifyDERAlarm": "timestamp",
    "NotifyDERStartStop": "timestamp",
    "NotifyPriorityCharging": "",
    "NotifySettlement": "settlementTime",
    "SecurityEventNotification": "timestamp",
}


class Notifications(Keeping):
    """Keeps them."""

    @on(*requests(*(_STATES.keys() - {"NotifyEVChargingNeeds", "NotifyEVChargingSchedule"})))
    def state_notified(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """It is so now."""
        return self._state(charge_point, request).addCallback(lambda _: answer(request))

    # A receipt is optional in the answer to NotifySettlement, and none is made here.
    @on(*requests(*(_EVENTS.keys() - {"SecurityEventNotification"})))
    def event_notified(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """It has happened."""
        return self._event(charge_point, request)

    @on(*requests("ClosePeriodicEventStream"))
    def close_periodic_event_stream(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Response:
        """Heard: no stream was opened."""
        return answer(request)

    @on(*requests("SecurityEventNotification"))
    def security_event_notification(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """Kept, and logged: somebody should look at it."""
        event: Any = request
        _log.warn(
            "security event: {charge_point} {type} at {timestamp}",
            charge_point=charge_point,
            type=event.type,
            timestamp=event.timestamp,
        )
        return self._event(charge_point, request)

    @on(*requests("NotifyEVChargingNeeds"))
    def notify_ev_charging_needs(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """Kept, and Rejected: Accepted and Processing would promise a charging profile (K15)."""
        return self._state(charge_point, request).addCallback(
            lambda _: answer(request, status="Rejected", statusInfo=UNSUPPORTED)
        )

    @on(*requests("NotifyEVChargingSchedule"))
    def notify_ev_charging_schedule(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """Accepted: the message was read; it approves of no schedule (K15)."""
        return self._state(charge_point, request).addCallback(
            lambda _: answer(request, status="Accepted")
        )

    @on(*requests("NotifyChargingLimit"))
    def notify_charging_limit(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """So it is limited now, by this source and at this EVSE (K12)."""
        told = msgspec.to_builtins(request)
        limit = {_limit_key(told["chargingLimit"]["chargingLimitSource"], told): told}
        return self.keep_and_answer(
            request, facts.is_so, charge_point.identity, "chargingLimit", limit, self.now()
        )

    @on(*requests("ClearedChargingLimit"))
    def cleared_charging_limit(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """That limit is no more (K13)."""
        told = msgspec.to_builtins(request)
        key = _limit_key(told["chargingLimitSource"], told)
        return self.keep_and_answer(
            request, facts.forget, charge_point.identity, "chargingLimit", key
        )

    @on(*requests("ReservationStatusUpdate"))
    def reservation_status_update(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """The reservation is over (H02, H04)."""
        told = msgspec.to_builtins(request)
        status = told["reservationUpdateStatus"]
        return self.keep_and_answer(
            request,
            reservations.ended,
            charge_point.identity,
            told["reservationId"],
            # 2.1's NoTransaction: nobody came.
            "Expired" if status == "NoTransaction" else status,
        )

    def _state(self, charge_point: IChargePoint, request: Request[Any]) -> Deferred[None]:
        kind, field = _STATES[request.ACTION]
        told = msgspec.to_builtins(request)
        state = {str(told[field]) if field else "": told}
        return self.keep(facts.is_so, charge_point.identity, kind, state, self.now())

    def _event(self, charge_point: IChargePoint, request: Request[Any]) -> Deferred[Response]:
        now = self.now()
        at: datetime = getattr(request, _EVENTS[request.ACTION], now)
        told = [(at, msgspec.to_builtins(request))]
        return self.keep_and_answer(
            request, facts.happened, charge_point.identity, request.ACTION, told, now
        )


def _limit_key(source: str, told: dict[str, Any]) -> str:
    return f"{source}/{told.get('evseId', '')}"
