"""A connector of OCPP 1.6: its status, and how the central system hears of it.

Imports its neighbours and the messages of 1.6. Source: OCPP 1.6 section 4.9 with errata 3.19 to
3.22, 3.55, 3.64 and 3.76, sections 7.6 and 7.7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from ocpp_twisted.simulator.physical import Outlet
from ocpp_twisted.simulator.profiles import Profile
from ocpp_twisted.simulator.transactions16 import Transaction
from ocpp_twisted.v16 import ChargePointErrorCode, StatusNotificationRequest
from ocpp_twisted.v16 import ChargePointStatus as Status

__all__ = ["EV_SIDE", "TRANSITIONS", "Claim", "Connector", "Reported", "way"]

_AVAILABLE, _PREPARING, _CHARGING = Status.Available, Status.Preparing, Status.Charging
_EV, _EVSE, _FINISHING = Status.SuspendedEV, Status.SuspendedEVSE, Status.Finishing
_RESERVED, _UNAVAILABLE, _FAULTED = Status.Reserved, Status.Unavailable, Status.Faulted
#: Which status may follow which: the table of section 4.9, with its letters.
TRANSITIONS: Mapping[Status, Sequence[Status]] = {
    # A2-A5, A7-A9
    _AVAILABLE: (_PREPARING, _CHARGING, _EV, _EVSE, _RESERVED, _UNAVAILABLE, _FAULTED),
    # B1, B3-B6, B9
    _PREPARING: (_AVAILABLE, _CHARGING, _EV, _EVSE, _FINISHING, _FAULTED),
    # C1, C4-C6, C8, C9
    _CHARGING: (_AVAILABLE, _EV, _EVSE, _FINISHING, _UNAVAILABLE, _FAULTED),
    # D1, D3, D5, D6, D8, D9
    _EV: (_AVAILABLE, _CHARGING, _EVSE, _FINISHING, _UNAVAILABLE, _FAULTED),
    # E1, E3, E4, E6, E8, E9
    _EVSE: (_AVAILABLE, _CHARGING, _EV, _FINISHING, _UNAVAILABLE, _FAULTED),
    # F1, F2, F8, F9
    _FINISHING: (_AVAILABLE, _PREPARING, _UNAVAILABLE, _FAULTED),
    # G1, G2, G8, G9
    _RESERVED: (_AVAILABLE, _PREPARING, _UNAVAILABLE, _FAULTED),
    # H1-H5, H9
    _UNAVAILABLE: (_AVAILABLE, _PREPARING, _CHARGING, _EV, _EVSE, _FAULTED),
    # I1-I8
    _FAULTED: (
        *(_AVAILABLE, _PREPARING, _CHARGING, _EV, _EVSE),
        *(_FINISHING, _RESERVED, _UNAVAILABLE),
    ),
}
#: A fault that is only a warning, and with which statuses it may be told (4.9).
_WARNING = ChargePointErrorCode.EVCommunicationError
_WITH_WARNING = (_PREPARING, _EV, _EVSE, _FINISHING)
#: Why a transaction is suspended, or has ended (4.9).
EV_SIDE = "EV side disconnected"


def way(here: Status, there: Status) -> Sequence[Status]:
    """The statuses from one to another that the table allows, the last included."""
    if here == there:
        return ()
    if there in TRANSITIONS[here]:
        return (there,)
    middle = next(
        each
        for each in (_PREPARING, _AVAILABLE)
        if each in TRANSITIONS[here] and there in TRANSITIONS[each]
    )
    return (middle, there)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Somebody may charge at a connector, as soon as his cable is in.

    :ivar tag: his id tag.
    :ivar parent: its parent id tag; empty for none.
    :ivar profile: a charging profile for the transaction; None for none.
    """

    tag: str
    parent: str = ""
    profile: Profile | None = None


class _Told(NamedTuple):
    """What a StatusNotification says."""

    status: Status
    error: ChargePointErrorCode
    vendor_error: str
    info: str


class Reported:
    """The status of a connector, as it is told: when it has been stable for long enough.

    :param send: sends a StatusNotification; returns None if there is nobody to hear it.
    :param stable: seconds that a status has to last (MinimumStatusDuration).
    """

    def __init__(
        self,
        number: int,
        send: Callable[[StatusNotificationRequest], Deferred[Any] | None],
        clock: IReactorTime,
        now: Callable[[], datetime],
        stable: Callable[[], float],
    ) -> None:
        self._number = number
        self._send = send
        self._clock = clock
        self._time = now
        self._stable = stable
        self._now = _Told(_AVAILABLE, ChargePointErrorCode.NoError, "", "")
        self._since: datetime | None = None
        self._told: _Told | None = None
        self._timer: IDelayedCall | None = None

    def become(
        self,
        status: Status,
        error: ChargePointErrorCode = ChargePointErrorCode.NoError,
        vendor_error: str = "",
        info: str = "",
    ) -> None:
        """The status is another one."""
        new = _Told(status, error, vendor_error, info)
        if new == self._now:
            return
        self._now, self._since = new, self._time()
        self.stop()
        seconds = self._stable()
        if seconds > 0:
            self._timer = self._clock.callLater(seconds, self._due)
        else:
            self.tell_news()

    def request(self) -> StatusNotificationRequest:
        """What there is to tell."""
        now = self._now
        return StatusNotificationRequest(
            connectorId=self._number,
            errorCode=now.error,
            status=now.status,
            info=now.info[:50] or UNSET,
            timestamp=self._since if self._since is not None else self._time(),
            vendorErrorCode=now.vendor_error[:50] or UNSET,
        )

    def tell(self) -> None:
        """Tell what it is, whether that is news or not."""
        self.stop()
        telling = self._send(self.request())
        if telling is not None:
            self._told = self._now
            telling.addErrback(self._not_heard)

    def tell_news(self) -> None:
        """Tell what it is, if that is news for the central system, and it need not last longer."""
        if self._told != self._now and self._timer is None:
            self.tell()

    def stop(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        self.tell_news()

    def _not_heard(self, failure: Failure) -> None:
        """Perhaps: it is told again with the next connection."""
        self._told = None


class Connector:
    """What is known of one connector; its status is a consequence.

    :ivar unavailable: by ChangeAvailability; it lasts over restarts.
    :ivar scheduled: whether it becomes unavailable after the transaction.
    :ivar blocked: because firmware is about to be installed.
    :ivar claim: who may charge as soon as a cable is in.
    :ivar finishing: whether somebody has to take the cable out before others can charge.
    :ivar locked_for: the transaction whose owner has to show his tag to have the cable unlocked.
    :ivar plugged: whether a cable was in when this was looked at last.
    :ivar info: for the central system's people.
    """

    def __init__(self, outlet: Outlet, reported: Reported, reserved: Callable[[], bool]) -> None:
        self.number = outlet.number
        self.outlet = outlet
        self.reported = reported
        self.unavailable = False
        self.scheduled = False
        self.blocked = False
        self.claim: Claim | None = None
        self.transaction: Transaction | None = None
        self.finishing = False
        self.locked_for: Transaction | None = None
        self.plugged = False
        self.info = ""
        self.status = _AVAILABLE
        self._reserved = reserved

    @property
    def faulted(self) -> bool:
        """Whether nobody can charge."""
        return bool(self.outlet.fault) and self.outlet.fault != _WARNING

    @property
    def free(self) -> bool:
        """Whether anybody could begin to use it now, reserved or not."""
        return self.status in (_AVAILABLE, _RESERVED)

    @property
    def usable(self) -> bool:
        """Whether somebody who may charge can begin to charge."""
        out = self.faulted or self.unavailable or self.blocked
        return not out and self.transaction is None and self.locked_for is None

    def restarted(self) -> None:
        """What it forgets when the charge point starts anew."""
        self.claim = self.locked_for = None
        self.finishing = False
        self.info = ""

    def settle(self) -> None:
        """Find out its status, and let it be known."""
        error, vendor_error = ChargePointErrorCode.NoError, ""
        fault = self.outlet.fault
        if fault in ChargePointErrorCode.__members__:
            error = ChargePointErrorCode(fault)
        elif fault:
            error, vendor_error = ChargePointErrorCode.OtherError, fault
        for status in way(self.status, self._found()):
            self.status = status
            self._report(error, vendor_error)
        self._report(error, vendor_error)

    def _report(self, error: ChargePointErrorCode, vendor_error: str) -> None:
        if error == _WARNING and self.status not in _WITH_WARNING:
            error = ChargePointErrorCode.NoError
        info = self.info if self.status in (_EV, _FINISHING) else ""
        self.reported.become(self.status, error, vendor_error, info)

    def _found(self) -> Status:
        """The status that follows from what is known; the first that is true."""
        outlet, transaction = self.outlet, self.transaction
        if self.faulted:
            return _FAULTED
        if transaction is not None:
            if outlet.flow > 0:
                return _CHARGING
            if outlet.vehicle is None:
                return _EV
            # 4.9: if both suspend it, it is the EVSE; 7.6 of a car that cannot be understood.
            offered = outlet.closed and outlet.limit > 0 and not outlet.fault
            return _EV if offered else _EVSE
        if self.unavailable or (self.blocked and not self.finishing):
            return _UNAVAILABLE
        if self.finishing:
            return _FINISHING
        if self.claim is not None:
            return _PREPARING
        if self._reserved():
            return _RESERVED
        return _PREPARING if outlet.vehicle is not None else _AVAILABLE
