"""Actions: StatusNotification, and NotifyEvent where it says the same.

Sources: OCPP 1.6 section 4.9; OCPP 2.x use case G01, where the AvailabilityState of a component
Connector may be sent for a StatusNotification.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import UNSET

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Response
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.local.connectors import Connector, Connectors, ConnectorStatus
from ocpp_twisted.plugins.local.messages import answer, given

__all__ = ["Status"]

_Statuses = v20.StatusNotificationRequest | v201.StatusNotificationRequest
_Events = v20.NotifyEventRequest | v201.NotifyEventRequest


class Status(ActionPlugin):
    """Remembers how the connectors are."""

    connectors: Connectors
    now: Callable[[], datetime]

    @on(v16.StatusNotificationRequest)
    def status_notification_v16(
        self, charge_point: IChargePoint, request: v16.StatusNotificationRequest
    ) -> Response:
        """Noted; without a timestamp it is so since now (1.6 section 6.47)."""
        status = ConnectorStatus(
            request.status, given(request.timestamp) or self.now(), request.errorCode
        )
        connector = Connector(None, request.connectorId)
        self.connectors.report(charge_point.identity, connector, status)
        return answer(request)

    @on(
        v20.StatusNotificationRequest,
        v201.StatusNotificationRequest,
        v21.StatusNotificationRequest,
    )
    def status_notification(
        self, charge_point: IChargePoint, request: _Statuses | v21.StatusNotificationRequest
    ) -> Response:
        """Noted."""
        status = ConnectorStatus(request.connectorStatus, request.timestamp)
        connector = Connector(request.evseId, request.connectorId)
        self.connectors.report(charge_point.identity, connector, status)
        return answer(request)

    @on(v20.NotifyEventRequest, v201.NotifyEventRequest, v21.NotifyEventRequest)
    def notify_event(
        self, charge_point: IChargePoint, request: _Events | v21.NotifyEventRequest
    ) -> Response:
        """The status of connectors is noted, all else is not kept."""
        for event in request.eventData:
            evse, status = event.component.evse, event.actualValue
            if (
                evse is not UNSET
                and (event.component.name, event.variable.name) == _AVAILABILITY
                and status in _STATUSES
            ):
                connector = Connector(evse.id, given(evse.connectorId))
                self.connectors.report(
                    charge_point.identity, connector, ConnectorStatus(status, event.timestamp)
                )
        return answer(request)


_AVAILABILITY = ("Connector", "AvailabilityState")
#: The same in 2.0, 2.0.1 and 2.1.
_STATUSES = frozenset(v21.ConnectorStatusEnumType)
