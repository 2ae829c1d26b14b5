"""A charge point: it connects, boots, stays connected, and says what it has to say.

Imports its neighbours, connections and what is below them. Registration outlives connections
(OCPP-J 1.6 section 5.4, OCPP 2.1 part 4 section 5.4), until `ChargePoint.reboot`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ocpp_twisted.answering import run_handler
from ocpp_twisted.charge_point.backoff import Backoff
from ocpp_twisted.charge_point.booting import Asked, Booting
from ocpp_twisted.charge_point.heartbeats import Heartbeats
from ocpp_twisted.charge_point.line import Connects, Line, State
from ocpp_twisted.charge_point.link import Link
from ocpp_twisted.charge_point.options import ChargePointOptions
from ocpp_twisted.charge_point.transactions import Retries, TransactionMessages
from ocpp_twisted.deadlines import Deadlines
from ocpp_twisted.errors import (
    CallNotAllowed,
    ConfigurationError,
    NotConnected,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActionPlugin, IMessageTransport, IObserver
from ocpp_twisted.ocppj.catalogue import Catalogue
from ocpp_twisted.ocppj.message import Request, ResponseT_co, Send
from ocpp_twisted.ocppj.session import Session
from ocpp_twisted.registration import Status
from ocpp_twisted.remembered import Remembered
from ocpp_twisted.routing import Route, routes, with_custom_actions
from ocpp_twisted.versions import CATALOGUES, version_of
from ocpp_twisted.websocket.client import Dialer
from ocpp_twisted.websocket.target import Target

__all__ = ["ChargePoint"]

_log = Logger()


class ChargePoint:
    """A charge point, from `start` to `stop`.

    :param target: where it connects to: a `Target`, or its URL.
    :param boots: a BootNotification request for each version that it offers, the version that it
        prefers first: ``[v201.BootNotificationRequest(...), v16.BootNotificationRequest(...)]``.
    :param reactor: provides `IReactorTime`; for the default dialer what `Dialer` says.
    :param handlers: answer what the central system asks, and hear what it answers: the first that
        has a handler for a request answers it. They get a `Link` where a plug-in of the server
        gets the charge point, and `charge_point_online` and `charge_point_offline` tell of the
        connection. Their ``start`` and ``stop`` are not called.
    :param options: how it behaves.
    :param dialer: opens its connections; many charge points can share one.
    :param deadlines: looks after the times of its calls; many charge points can share one.
    :param random: for the waiting times; give a seeded one to have them repeated.
    :param observer: is told what becomes of calls and messages, of many charge points if you like;
        handlers are not measured.
    :raises ConfigurationError: if `target`, `boots` or `handlers` cannot be used.
    :ivar id: its id, as in the URL.
    :ivar boots: as above; may be replaced at any time by others of the same versions.
    """

    def __init__(
        self,
        target: Target | str,
        boots: Sequence[Request[Any]],
        reactor: Any,
        handlers: Sequence[IActionPlugin] = (),
        options: ChargePointOptions | None = None,
        dialer: Connects | None = None,
        deadlines: Deadlines | None = None,
        random: Random | None = None,
        observer: IObserver | None = None,
    ) -> None:
        self._options = options = options if options is not None else ChargePointOptions()
        target = target if isinstance(target, Target) else Target(url=target)
        self._clock: IReactorTime = reactor
        self._handlers = tuple(handlers)
        self._observer = observer
        self._deadlines = deadlines if deadlines is not None else Deadlines(reactor)
        self.id = target.id
        self.boots = tuple(boots)
        self._remembered = Remembered()
        self._offset = timedelta()
        self._awaiting: list[Deferred[None]] = []
        self._booting = Booting(
            self._send_boot, self._boot_answered, reactor, options.boot_interval
        )
        self._heartbeats = Heartbeats(self._heartbeat, reactor, options.heartbeat_interval)
        self._versions = _versions(self.boots, (Asked(self._booting), *self._handlers))
        # Message ids differ from all that this charge point ever sent (2.1 part 4, section 4.1.4).
        prefix, numbers = secrets.token_hex(8), count(1)
        self._new_id = lambda: f"{prefix}-{next(numbers)}"
        self._messages = TransactionMessages(
            self._send_again, self._new_id, reactor, options.retries, options.kept_messages
        )
        self._line = Line(
            target,
            list(self._versions),
            self._make_link,
            self._online,
            self._offline,
            dialer if dialer is not None else Dialer(reactor),
            reactor,
            options.backoff,
            random if random is not None else Random(),
        )

    def __repr__(self) -> str:
        return f"<ChargePoint {self.id}, {self.state.value}>"

    # -- its life -----------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, and stay connected until `stop`. Does nothing if it has been started."""
        self._line.start()

    def stop(self) -> Deferred[None]:
        """Disconnect, and stay so. What waits in the queue is sent after another `start`.

        :returns: a Deferred that fires when the connection has ended.
        """
        return self._line.stop("the charge point stops")

    def reboot(self) -> Deferred[None]:
        """Start anew: disconnect, connect again at once, and boot.

        What waits in the queue is kept, as in a memory that lasts; calls that are open fail.

        :returns: a Deferred that fires when the connection has ended.
        """
        self._booting.forget()
        self._remembered = Remembered()
        stopped = self._line.stop("the charge point starts anew")
        self._line.start()
        return stopped

    def reconnect(self) -> None:
        """Close the connection and open another one at once; registration goes on."""
        self._line.reconnect()

    @property
    def state(self) -> State:
        """Where it stands with its connection."""
        return self._line.state

    @property
    def connected(self) -> bool:
        """Whether it has a connection."""
        return self._link is not None and self._link.connected

    @property
    def version(self) -> str | None:
        """The OCPP version of its connection; None if it has none."""
        return None if self._link is None else self._link.version

    @property
    def registration(self) -> Status:
        """The answer to its last BootNotification since it has started."""
        return self._booting.status

    def accepted(self) -> Deferred[None]:
        """Fires when it is connected and accepted, so that calls can be made; perhaps at once."""
        if self.connected and self.registration is Status.ACCEPTED:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._awaiting.remove)
        self._awaiting.append(waiting)
        return waiting

    def now(self) -> datetime:
        """The time by the central system's clock, as far as it has told (UTC)."""
        return datetime.fromtimestamp(self._clock.seconds(), UTC) + self._offset

    @property
    def heartbeat_interval(self) -> float:
        """Seconds between two Heartbeats; 0 for none.

        Each accepted BootNotification sets it; a new value counts from now.
        """
        return self._heartbeats.interval

    @heartbeat_interval.setter
    def heartbeat_interval(self, seconds: float) -> None:
        self._heartbeats.interval = seconds

    @property
    def retries(self) -> Retries:
        """How often it sends what the central system does not take; may be replaced."""
        return self._messages.retries

    @retries.setter
    def retries(self, retries: Retries) -> None:
        self._messages.retries = retries

    @property
    def target(self) -> Target:
        """Where it connects to. Another one counts from the next connection on (`reconnect`)."""
        return self._line.target

    @target.setter
    def target(self, target: Target) -> None:
        self._line.target = target

    @property
    def unreachable(self) -> Callable[[int], object]:
        """Is called with how often in a row it could not connect; may give it another target."""
        return self._line.unreachable

    @unreachable.setter
    def unreachable(self, told: Callable[[int], object]) -> None:
        self._line.unreachable = told

    @property
    def backoff(self) -> Backoff:
        """How long it waits before it connects again; may be replaced."""
        return self._line.backoff

    @backoff.setter
    def backoff(self, backoff: Backoff) -> None:
        self._line.backoff = backoff

    @property
    def _link(self) -> Link | None:
        return self._line.link

    # -- what it says -------------------------------------------------------------------------

    def call(
        self, request: Request[ResponseT_co], timeout: float | None = None
    ) -> Deferred[ResponseT_co]:
        """Send a request now, of the version that was agreed on.

        Calls are sent in their order, one at a time.

        :param timeout: seconds until it is given up; None for `Limits.call_timeout`.
        :returns: a Deferred that fires with the typed response. Its errbacks are those of
            `ocpp_twisted.interfaces.IActiveCaller.call`: `NotConnected` if there is no connection,
            `CallNotAllowed` if BootNotification has not been accepted.
        """
        link = self._link
        if link is None:
            return fail(self._not_connected())
        objection = self._objection(request)
        return link.call(request, timeout) if objection is None else fail(objection)

    def queue(
        self,
        message: Request[ResponseT_co] | Callable[[], Request[ResponseT_co]],
        *,
        expendable: bool = False,
    ) -> Deferred[ResponseT_co]:
        """Send a message about a transaction: now or when that can be done, after those before it.

        It is sent until the central system takes it, or has refused it `Retries.attempts` times.
        A TransactionEvent that is queued while there is no connection is marked ``offline``.

        :param message: the request, or what makes it when it is sent; for example since a
            transaction's id is in an answer that has not come.
        :param expendable: whether it may be dropped if there is no room for a later one: a
            MeterValues, or a TransactionEvent that is neither the first nor the last.
        :returns: a Deferred of the typed response. Its errback is what the last attempt met, or
            `QueueFull` if it was dropped.
        """
        offline = not self.connected

        def make() -> Request[ResponseT_co]:
            request: Any = message() if callable(message) else message
            if offline and "offline" in getattr(request, "__struct_fields__", ()):
                request = msgspec.structs.replace(request, offline=True)
            return request  # type: ignore[no-any-return]

        return self._messages.add(make, expendable)

    @property
    def queued(self) -> int:
        """How many messages about transactions have no answer yet."""
        return len(self._messages)

    def send(self, message: Send) -> None:
        """Send a SEND (OCPP 2.1), which has no answer.

        :raises NotConnected: if there is no connection.
        :raises CallNotAllowed: if BootNotification has not been accepted.
        :raises LocalProtocolError: if the version has no such message.
        """
        if self._link is None:
            raise self._not_connected()
        objection = self._objection(message)
        if objection is not None:
            raise objection
        self._link.send(message)

    def boot(self) -> None:
        """Send a BootNotification now: the central system has asked for it (TriggerMessage)."""
        self._booting.boot()

    def heartbeat(self) -> Deferred[Any]:
        """Send a Heartbeat now; the clock is set by its answer.

        :returns: a Deferred of the response.
        """
        if self._link is None:
            return fail(self._not_connected())
        heartbeat: Any = CATALOGUES[self._link.version].actions["Heartbeat"].request
        return self.call(heartbeat()).addCallback(self._set_clock)

    # -- the connection -----------------------------------------------------------------------

    def _make_link(self, subprotocol: str, transport: IMessageTransport) -> Link:
        catalogue, handlers = self._versions[subprotocol]
        limits = self._options.limits
        session = Session(catalogue, self._new_id, limits.queued_calls, limits.json_depth)
        link = Link(
            Identity(self.id),
            session,
            handlers,
            transport,
            self._deadlines,
            self._line.ended,  # type: ignore[arg-type] # it is called with the link itself
            limits,
            self._remembered,
            self._observer,
        )
        link.charge_point = self
        self._admit(link)
        return link

    def _online(self, link: Link) -> None:
        _log.info("connected: {charge_point} over {link}", charge_point=self, link=link)
        for handler in self._handlers:
            run_handler(handler.charge_point_online, link)
        if self.registration is Status.ACCEPTED:
            self._go_on()
        else:
            self._booting.begin()

    def _offline(self, link: Link, reason: str) -> None:
        self._booting.pause()
        self._heartbeats.stop()
        self._messages.stop()
        seconds = self._clock.seconds() - link.since
        _log.info("disconnected: {charge_point}: {reason}", charge_point=self, reason=reason)
        for handler in self._handlers:
            run_handler(handler.charge_point_offline, link, reason, seconds)

    # -- registration -------------------------------------------------------------------------

    def _send_boot(self) -> Deferred[Any]:
        link = self._link
        if link is None:
            return fail(self._not_connected())
        boot = next(each for each in self.boots if version_of(type(each)) == link.version)
        return link.call(boot)

    def _boot_answered(self, response: Any) -> None:
        self._set_clock(response)
        status, link = self.registration, self._link
        _log.info("{status}: {charge_point}", status=status.value, charge_point=self)
        if link is not None:
            self._admit(link)
        if status is not Status.ACCEPTED:
            self._heartbeats.stop()
            return
        self._heartbeats.interval = response.interval or self._options.heartbeat_interval
        if self.connected:
            self._go_on()

    def _admit(self, link: Link) -> None:
        """A charge point that is rejected takes no orders (1.6 section 4.2, 2.x B03.FR.08)."""
        rejected = self.registration is Status.REJECTED
        link.admit(() if rejected else None)
        link.silent = rejected and CATALOGUES[link.version].rules.rejected_is_silent

    def _go_on(self) -> None:
        self._heartbeats.start()
        self._messages.go_on()
        waiting, self._awaiting = self._awaiting, []
        for each in waiting:
            each.callback(None)

    def _not_connected(self) -> NotConnected:
        return NotConnected(f"{self.id} has no connection to its central system")

    def _objection(self, message: Request[Any] | Send) -> CallNotAllowed | None:
        admits = self._booting.admits
        if admits is None or message.ACTION in admits:
            return None
        return CallNotAllowed(
            f"{self.id}: {message.ACTION} has to wait until BootNotification is accepted"
        )

    def _heartbeat(self) -> None:
        self.heartbeat().addErrback(
            lambda failure: _log.info(
                "Heartbeat has no answer: {charge_point}: {error}",
                charge_point=self,
                error=failure.value,
            )
        )

    def _set_clock(self, response: Any) -> Any:
        there = response.currentTime
        self._offset = there - datetime.fromtimestamp(self._clock.seconds(), UTC)
        return response

    def _send_again(self, request: Request[Any], message_id: str) -> Deferred[Any]:
        link = self._link
        if link is None:
            return fail(self._not_connected())
        objection = self._objection(request)
        return link.call_again(request, message_id) if objection is None else fail(objection)


def _versions(
    boots: Sequence[Request[Any]], handlers: Sequence[IActionPlugin]
) -> Mapping[str, tuple[Catalogue, Mapping[str, Route]]]:
    """Subprotocol to its catalogue and handlers, the preferred one first."""
    found: dict[str, Catalogue] = {}
    for boot in boots:
        version = version_of(type(boot)) if isinstance(boot, Request) else None
        if version is None or boot.ACTION != "BootNotification" or version in found:
            raise ConfigurationError(
                f"{boot!r}: give one BootNotificationRequest for each version, for example "
                "v16.BootNotificationRequest(chargePointVendor=..., chargePointModel=...)"
            )
        found[version] = CATALOGUES[version]
    if not found:
        raise ConfigurationError("a charge point offers one version at least: give a boot for it")
    catalogues = with_custom_actions(found.values(), handlers)
    return {
        catalogue.rules.subprotocol: (catalogue, routes(catalogue, handlers))
        for catalogue in catalogues
    }
