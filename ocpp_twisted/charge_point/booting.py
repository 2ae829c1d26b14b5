"""Registration as the charge point keeps it: when it boots, and what it may send until accepted.

Imports the messages and the registration. Source: OCPP 1.6 section 4.2; OCPP 2.x part 2 use cases
B01 to B03 with 2.0.1 errata 2.3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.errors import ConnectionLost, NotConnected
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import ActionPlugin, after
from ocpp_twisted.registration import Registration, Status
from ocpp_twisted.versions import CATALOGUES

__all__ = ["Asked", "Booting"]

_log = Logger()

_BOOT_ONLY = frozenset({"BootNotification"})
#: What asks a charge point that is pending for a message of its own.
_ASKING: list[Any] = [
    catalogue.actions[action].request
    for catalogue in CATALOGUES.values()
    for action in ("TriggerMessage", "ExtendedTriggerMessage", "GetBaseReport", "GetReport")
    if action in catalogue.actions
]


class Booting:
    """Sends BootNotification until it is accepted, no sooner than the central system wants it.

    :param send: sends one, and fires with its response.
    :param told: is called with each response.
    :param interval: seconds until the next one, if the central system names none.
    :ivar status: the answer to the last one.
    """

    def __init__(
        self,
        send: Callable[[], Deferred[Response]],
        told: Callable[[Any], None],
        clock: IReactorTime,
        interval: float,
    ) -> None:
        self._send = send
        self._told = told
        self._clock = clock
        self._interval = interval
        self._registration = Registration()
        self._not_before = 0.0
        self._timer: IDelayedCall | None = None
        self._sending: Deferred[Any] | None = None

    @property
    def status(self) -> Status:
        """The answer to the last BootNotification since the charge point has started."""
        return self._registration.status

    @property
    def admits(self) -> Container[str] | None:
        """The actions that may be sent now; None for all."""
        if self.status is Status.UNKNOWN:
            return _BOOT_ONLY
        return self._registration.admits

    def forget(self) -> None:
        """The charge point starts anew."""
        self._registration = Registration()
        self._not_before = 0.0

    def begin(self) -> None:
        """There is a connection: boot as soon as that may be done."""
        self._later(max(self._not_before - self._clock.seconds(), 0.0))

    def pause(self) -> None:
        """There is no connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def boot(self) -> None:
        """Send a BootNotification now, because the central system asks for it."""
        self.pause()
        if self._sending is None:
            self._sending = sending = self._send()
            sending.addCallbacks(self._answered, self._failed)

    def asked(self, request: Request[Any], response: Response) -> None:
        """The central system has asked for a message, and we have answered."""
        if self.status is Status.PENDING:
            self._registration.sent(request)
            self._registration.answered(request, response)

    def _later(self, seconds: float) -> None:
        self.pause()
        self._timer = self._clock.callLater(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        self.boot()

    def _answered(self, response: Any) -> None:
        self._sending = None
        self._registration.boot_answered(response.status)
        if self.status is not Status.ACCEPTED:
            seconds = response.interval or self._interval
            self._not_before = self._clock.seconds() + seconds
            self._later(seconds)
        self._told(response)

    def _failed(self, failure: Failure) -> None:
        self._sending = None
        if failure.check(NotConnected, ConnectionLost):
            return  # the next connection begins with one
        _log.info("BootNotification has no answer: {error}", error=failure.value)
        self._later(self._interval)


class Asked(ActionPlugin):
    """Hears what the central system asks a pending charge point for.

    :param booting: is told.
    """

    name = "asked"

    def __init__(self, booting: Booting) -> None:
        self._booting = booting

    @after(*_ASKING)
    def has_asked(self, link: IChargePoint, request: Request[Any], response: Response) -> None:
        """The answer has been written; what was asked for may be sent now."""
        self._booting.asked(request, response)
