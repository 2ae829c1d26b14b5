"""A simulated charge point that speaks OCPP 1.6.

Imports its neighbours, the charge point's side and the messages of 1.6. Here all parts of it meet,
and life's events reach them; what the central system asks is answered in `core16`, `lists16`,
`charging16`, `files16`, `security16` and `triggers16`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ocpp_twisted.charge_point import Retries
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.ocppj.message import Request
from ocpp_twisted.registration import Status as Registration
from ocpp_twisted.simulator.allotment import Allotment
from ocpp_twisted.simulator.authorizing16 import Authorizer
from ocpp_twisted.simulator.charging16 import Charging
from ocpp_twisted.simulator.configuration16 import Configuration
from ocpp_twisted.simulator.connectors16 import Connector, Reported
from ocpp_twisted.simulator.core16 import Core
from ocpp_twisted.simulator.files16 import Files
from ocpp_twisted.simulator.lists16 import Lists
from ocpp_twisted.simulator.physical import Outlet
from ocpp_twisted.simulator.reservations import Reservations
from ocpp_twisted.simulator.security16 import Security
from ocpp_twisted.simulator.transactions16 import Transactions
from ocpp_twisted.simulator.triggers16 import Triggers
from ocpp_twisted.simulator.usage16 import Usage
from ocpp_twisted.v16 import (
    BootNotificationRequest,
    ChargePointErrorCode,
    ChargePointStatus,
    Reason,
    StatusNotificationRequest,
)

if TYPE_CHECKING:
    from ocpp_twisted.simulator.station import Station

__all__ = ["Voice16"]

_log = Logger()

_DAY = 86_400


class Voice16:
    """Speaks OCPP 1.6 for a station; see `ocpp_twisted.simulator.station.Voice`.

    :param secure_url: where it connects to, without its id, once its SecurityProfile is raised to
        2 or 3; empty if that is where it connects to already.
    :ivar configuration: the configuration keys.
    :ivar firmware: the version that runs.
    :ivar unavailable: whether the charge point itself is, by ChangeAvailability.
    :ivar restarting: whether it is about to restart.
    :ivar failing: how the next firmware update or upload goes wrong: a word of the security
        whitepaper's FirmwareStatusEnumType or UploadLogStatusEnumType; empty for well.
    """

    version = "1.6"

    def __init__(self, station: Station, secure_url: str = "") -> None:
        self.station = station
        self.secure_url = secure_url
        self.firmware = station.hardware.firmware
        self.failing = ""
        self.unavailable = False
        self.restarting = False
        self._off = False
        self._has_been_accepted = False
        self._aligned: IDelayedCall | None = None
        clock, outlets = station.clock, station.outlets
        self.configuration = Configuration(len(outlets), self._may, self._configured)
        self.authorizer = Authorizer(
            self.configuration, self.call, self.online_now, self.now, self._list_conflict
        )
        self.reservations = Reservations(clock, lambda each: self.usage.reservation_ended(each))
        self.reported = self._reported(0)
        self.connectors = {
            outlet.number: Connector(
                outlet, self._reported(outlet.number), self._is_reserved(outlet.number)
            )
            for outlet in outlets
        }
        self.transactions = Transactions(
            lambda: self.station.charge_point,
            clock,
            self.configuration,
            self.authorizer,
            lambda transaction: self.usage.invalid(transaction),
        )
        self.allotment = Allotment(outlets, clock, self.now, self._begun)
        self.usage = Usage(
            self.connectors,
            self.configuration,
            self.authorizer,
            self.transactions,
            self.reservations,
            self.allotment,
            clock,
            self._transaction_ended,
        )
        self.usage.closed = True
        self.charging = Charging(self)
        self.security = Security(self)
        self.files = Files(self)
        self.handlers: Sequence[IActionPlugin] = (
            Core(self),
            Lists(self),
            self.charging,
            self.files,
            self.security,
            Triggers(self),
        )

    # -- see `Voice` --------------------------------------------------------------------------

    def boot(self) -> Request[Any]:
        """The BootNotification to send next."""
        self.usage.closed = not self._has_been_accepted
        self.restarting = False
        if self._off:
            self._off = False
            for connector in self.connectors.values():
                self.usage.settle(connector)  # cables come and go without power, too
        hardware = self.station.hardware
        return BootNotificationRequest(
            chargePointVendor=hardware.vendor[:20],
            chargePointModel=hardware.model[:20],
            chargePointSerialNumber=hardware.serial[:25] or UNSET,
            firmwareVersion=self.firmware[:50],
        )

    def started(self) -> None:
        """BootNotification has been accepted, for the first time since it was started."""
        self._has_been_accepted = True
        self.usage.closed = False
        for each in self._all_reported():  # errata 3.22
            each.tell()
        self._await_alignment()
        self.security.started()
        self.files.started()

    def online(self) -> None:
        """It is connected and accepted again."""
        for each in self._all_reported():
            each.tell_news()
        self.security.online()

    def offline(self) -> None:
        """The connection has ended: what happens is told when there is another one."""

    def changed(self, outlet: Outlet) -> None:
        """Something about an outlet has changed: cable, flow, fault."""
        if self._off:
            self.connectors[outlet.number].plugged = outlet.vehicle is not None
        else:
            self.usage.changed(outlet)

    def presented(self, token: str, outlet: Outlet) -> None:
        """Somebody shows an id tag: to start or to stop charging."""
        if not self._off:
            self.usage.presented(token, self.connectors[outlet.number])

    def powered_off(self) -> None:
        """Power is gone. What has to be said of it is queued, and sent when it is back."""
        self._end_all(Reason.PowerLoss)
        self._off = self.usage.closed = True
        self.files.stop()
        self.reservations.stop()
        self.usage.stop()
        self.allotment.stop()
        self.security.stop()
        for each in self._all_reported():
            each.stop()
        if self._aligned is not None:
            self._aligned.cancel()
            self._aligned = None

    def state(self, outlet: Outlet) -> str:
        """Its ChargePointStatus."""
        return self.connectors[outlet.number].status.value

    # -- for its parts ------------------------------------------------------------------------

    def now(self) -> datetime:
        """The charge point's clock."""
        return self.station.charge_point.now()

    def online_now(self) -> bool:
        """Whether the central system can be asked."""
        charge_point = self.station.charge_point
        return charge_point.connected and charge_point.registration is Registration.ACCEPTED

    def call(self, request: Request[Any]) -> Deferred[Any]:
        """Make a call."""
        calling: Deferred[Any] = self.station.charge_point.call(request)
        return calling

    def say(self, request: Request[Any]) -> None:
        """Make a call whose answer says nothing."""
        self.call(request).addErrback(
            lambda failure: _log.info(
                "{action} has no answer: {error}", action=request.ACTION, error=failure.value
            )
        )

    def set_available(self, available: bool) -> None:
        """The availability of the charge point itself (connector 0)."""
        self.unavailable = not available
        if self.unavailable:
            for reservation in self.reservations:
                if reservation.outlet == 0:
                    self.reservations.cancel(reservation.id)
        status = ChargePointStatus.Available if available else ChargePointStatus.Unavailable
        self.reported.become(status)

    def restart(self, reason: Reason) -> None:
        """Off and on again. What has to be said of transactions waits until it is back."""
        self.station.restart()
        self._end_all(reason)
        self.files.restarted()
        self.security.restarted(reason)

    def refresh(self) -> None:
        """Let the configuration say what is so by other means."""
        charge_point, put = self.station.charge_point, self.configuration.put
        put("HeartbeatInterval", f"{charge_point.heartbeat_interval:.0f}")
        put("TransactionMessageAttempts", str(charge_point.retries.attempts))
        put("TransactionMessageRetryInterval", f"{charge_point.retries.interval:.0f}")
        put("SecurityProfile", str(charge_point.target.security_profile))
        if charge_point.target.ping_interval is not None:
            put("WebSocketPingInterval", f"{charge_point.target.ping_interval:.0f}")

    # -----------------------------------------------------------------------------------------

    def _end_all(self, reason: Reason) -> None:
        self.usage.end_all(reason)
        self.usage.restarted()

    def _reported(self, number: int) -> Reported:
        return Reported(
            number,
            self._send_status,
            self.station.clock,
            self.now,
            lambda: self.configuration.number("MinimumStatusDuration"),
        )

    def _all_reported(self) -> list[Reported]:
        return [self.reported, *(each.reported for each in self.connectors.values())]

    def _send_status(self, request: StatusNotificationRequest) -> Deferred[Any] | None:
        return self.call(request) if self.online_now() else None

    def _is_reserved(self, number: int) -> Callable[[], bool]:
        return lambda: self.reservations.at(number) is not None

    def _begun(self, outlet: Outlet) -> datetime | None:
        transaction = self.connectors[outlet.number].transaction
        return None if transaction is None else transaction.begun

    def _list_conflict(self) -> None:
        conflict = ChargePointErrorCode.LocalListConflict
        self.say(replace(self.reported.request(), errorCode=conflict))

    def _transaction_ended(self) -> None:
        self.files.transaction_ended()

    def _may(self, key: str, value: str) -> bool:
        return self.security.may_set_profile(value) if key == "SecurityProfile" else True

    def _configured(self, key: str) -> None:
        """A value has been changed by the central system."""
        charge_point, number = self.station.charge_point, self.configuration.number
        match key:
            case "HeartbeatInterval":
                charge_point.heartbeat_interval = number(key)
            case "TransactionMessageAttempts" | "TransactionMessageRetryInterval":
                charge_point.retries = Retries(
                    attempts=number("TransactionMessageAttempts"),
                    interval=number("TransactionMessageRetryInterval"),
                )
            case "WebSocketPingInterval":
                target = charge_point.target
                charge_point.target = dataclasses.replace(target, ping_interval=number(key))
            case "MeterValueSampleInterval":
                self.transactions.intervals_changed()
            case "ClockAlignedDataInterval":
                self._await_alignment()

    def _await_alignment(self) -> None:
        """Wait for the next reading that is aligned to the clock, from midnight (3.16.2)."""
        if self._aligned is not None:
            self._aligned.cancel()
            self._aligned = None
        interval = self.configuration.number("ClockAlignedDataInterval")
        if interval:
            now = self.now()
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
            since = (now - midnight).total_seconds()
            due = min((since // interval + 1) * interval, _DAY)
            # A moment late, so that it is not the same instant again.
            self._aligned = self.station.clock.callLater(due - since + 0.001, self._align)

    def _align(self) -> None:
        self._aligned = None
        self.transactions.aligned(self.station.outlets, self.now().replace(microsecond=0))
        self._await_alignment()
