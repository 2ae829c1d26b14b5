"""Actions: StatusNotification, and NotifyEvent, which may say the same.

Sources: OCPP 1.6 section 4.9; OCPP 2.x use cases G01 and N07; the AvailabilityState of a component
Connector may be sent for a StatusNotification. The status that came last counts, not the one with
the latest time: charge points report in order, and a clock that was wrong once must not freeze a
connector.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import on
from ocpp_twisted.plugins.local.keeping import Keeping
from ocpp_twisted.plugins.local.messages import given, without_secret
from ocpp_twisted.plugins.local.store import facts
from ocpp_twisted.plugins.local.store.charge_points import CONNECTOR
from ocpp_twisted.records import Connector

__all__ = ["Status"]

#: Of connectors with higher numbers nothing is kept: a charge point could fill the disk otherwise.
_HIGHEST_EVSE, _HIGHEST_CONNECTOR = 200, 200

_Statuses = v20.StatusNotificationRequest | v201.StatusNotificationRequest
_Events = v20.NotifyEventRequest | v201.NotifyEventRequest


class Status(Keeping):
    """Keeps how the connectors are, and what the monitors saw."""

    @on(v16.StatusNotificationRequest)
    def status_notification_v16(
        self, charge_point: IChargePoint, request: v16.StatusNotificationRequest
    ) -> Deferred[Response]:
        """Kept; without a timestamp it is so since now (1.6 section 6.47)."""
        connector = Connector(
            evseId=None,
            connectorId=request.connectorId,
            status=str(request.status),
            timestamp=given(request.timestamp) or self.now(),
            errorCode=str(request.errorCode),
            info=given(request.info),
            vendorErrorCode=given(request.vendorErrorCode),
        )
        return self._keep_connectors(charge_point, request, [connector])

    @on(
        v20.StatusNotificationRequest,
        v201.StatusNotificationRequest,
        v21.StatusNotificationRequest,
    )
    def status_notification(
        self, charge_point: IChargePoint, request: _Statuses | v21.StatusNotificationRequest
    ) -> Deferred[Response]:
        """Kept."""
        connector = Connector(
            evseId=request.evseId,
            connectorId=request.connectorId,
            status=str(request.connectorStatus),
            timestamp=request.timestamp,
        )
        return self._keep_connectors(charge_point, request, [connector])

    @on(v20.NotifyEventRequest, v201.NotifyEventRequest, v21.NotifyEventRequest)
    def notify_event(
        self, charge_point: IChargePoint, request: _Events | v21.NotifyEventRequest
    ) -> Deferred[Response]:
        """Each event is kept; where it tells the status of a connector, that too."""
        connectors = []
        for event in request.eventData:
            evse, status = event.component.evse, event.actualValue
            if (
                evse is not UNSET
                and (event.component.name, event.variable.name) == _AVAILABILITY
                and status in _STATUSES
            ):
                connector = Connector(
                    evseId=evse.id,
                    connectorId=given(evse.connectorId),
                    status=status,
                    timestamp=event.timestamp,
                )
                connectors.append(connector)
        told = [
            (event.timestamp, without_secret(msgspec.to_builtins(event)))
            for event in request.eventData
        ]
        identity = charge_point.identity
        kept = self.keep_and_answer(request, _events, identity, connectors, told, self.now())
        return kept.addCallback(self._told, identity, connectors)

    def _keep_connectors(
        self, charge_point: IChargePoint, request: Request[Any], connectors: list[Connector]
    ) -> Deferred[Response]:
        identity = charge_point.identity
        kept = self.keep_and_answer(request, _report, identity, connectors, self.now())
        return kept.addCallback(self._told, identity, connectors)

    def _told(
        self, response: Response, identity: Identity, connectors: list[Connector]
    ) -> Response:
        self.tell_connectors(identity, connectors)
        return response


def _report(db: Connection, identity: Identity, connectors: list[Connector], now: datetime) -> None:
    """A job: the connectors are so. What nobody has so many of is heard and not kept."""
    told = {
        f"{each.evseId}/{each.connectorId}": each
        for each in connectors
        if (each.evseId or 0) <= _HIGHEST_EVSE and (each.connectorId or 0) <= _HIGHEST_CONNECTOR
    }
    facts.is_so(db, identity, CONNECTOR, told, now)


def _events(
    db: Connection,
    identity: Identity,
    connectors: list[Connector],
    told: list[tuple[datetime, dict[str, Any]]],
    now: datetime,
) -> None:
    """A job: this has happened, and the connectors are so."""
    facts.happened(db, identity, "NotifyEvent", told, now)
    _report(db, identity, connectors, now)


_AVAILABILITY = ("Connector", "AvailabilityState")
#: The same in 2.0, 2.0.1 and 2.1.
_STATUSES = frozenset(v21.ConnectorStatusEnumType)
