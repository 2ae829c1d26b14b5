"""One connection: Deferreds, time and handlers around an `ocpp_twisted.ocppj` session.

Imports its floor and below; knows its transport and its owner by interface only. Serves both
ends of OCPP-J: what differs are the routes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.deadlines import Deadlines
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFault,
    ErrorCode,
    LocalProtocolError,
    NotConnected,
    QueueFull,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IChargePoint, IMessageReceiver, IMessageTransport
from ocpp_twisted.ocppj.catalogue import Catalogue
from ocpp_twisted.ocppj.message import Request, Response, ResponseT_co, Send
from ocpp_twisted.ocppj.session import (
    CallAnswered,
    CallEnded,
    CallReceived,
    OutgoingCall,
    Rejected,
    ResultRefused,
    SendReceived,
    Session,
)
from ocpp_twisted.routing import Route

__all__ = ["Connection", "Limits"]

_log = Logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may use.

    :ivar call_timeout: seconds until a call of ours is given up, if the caller names no other.
    :ivar queued_calls: calls of ours that may wait to be sent.
    :ivar open_calls: CALLs of the peer that may be without answer; with more, nothing is read
        from the peer until one is answered.
    """

    call_timeout: float = 30.0
    queued_calls: int = 64
    open_calls: int = 32


@implementer(IChargePoint, IMessageReceiver)
class Connection:
    """One charge point's connection. Handlers know it as `IChargePoint`.

    :param catalogue: the version that was agreed on.
    :param routes: action name to its handlers, for all actions of the catalogue.
    :param new_id: makes message ids.
    :param ended: is called with this connection and the reason once, when it has ended.
    """

    __slots__ = (
        "__weakref__",
        "_deadlines",
        "_ended",
        "_finishing",
        "_limits",
        "_paused",
        "_routes",
        "_session",
        "_transport",
        "connected",
        "identity",
        "since",
    )

    def __init__(
        self,
        identity: Identity,
        catalogue: Catalogue,
        routes: Mapping[str, Route],
        transport: IMessageTransport,
        deadlines: Deadlines,
        new_id: Callable[[], str],
        ended: Callable[[Connection, str], None],
        limits: Limits,
    ) -> None:
        self.identity = identity
        self.connected = True
        self.since = deadlines.now()
        self._session = Session(catalogue, new_id, limits.queued_calls)
        self._routes = routes
        self._transport = transport
        self._deadlines = deadlines
        self._ended = ended
        self._limits = limits
        self._paused = False
        self._finishing = False

    def __repr__(self) -> str:
        return f"<Connection {self.identity}, OCPP {self.version}, {self.peer}>"

    @property
    def id(self) -> str:
        """The charge point's id, without the name."""
        return self.identity.id

    @property
    def version(self) -> str:
        """The OCPP version of this connection."""
        return self._session.catalogue.version

    @property
    def peer(self) -> str:
        """Where the charge point connects from."""
        peer: str = self._transport.peer
        return peer

    # -- what the transport brings ------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """See `IMessageReceiver.receive`."""
        if not self.connected:
            return
        event = self._session.receive(data)
        kind = type(event)
        if kind is CallReceived:
            self._called(event)  # type: ignore[arg-type]
        elif kind is Rejected:
            _log.warn("message refused: {charge_point}: {why}", charge_point=self, why=event.why)  # type: ignore[union-attr]
            if event.reply is not None:  # type: ignore[union-attr]
                self._transport.send_message(event.reply)  # type: ignore[union-attr]
        else:
            self._heard(event)

    def lost(self, reason: str) -> None:
        """See `IMessageReceiver.lost`."""
        self._end(reason)

    # -- what the program asks ----------------------------------------------------------------

    def call(
        self, request: Request[ResponseT_co], timeout: float | None = None
    ) -> Deferred[ResponseT_co]:
        """See `IChargePoint.call`."""
        if not self.connected or self._finishing:
            return fail(NotConnected(f"{self.identity} is not connected"))
        # Cancelling forgets a queued call; one that was sent keeps its place until it is answered.
        result: Deferred[ResponseT_co] = Deferred(lambda _: self._session.cancel(call))
        seconds = self._limits.call_timeout if timeout is None else timeout
        try:
            call = self._session.call(request, self._deadlines.now(), seconds, result)
        except (QueueFull, LocalProtocolError):
            return fail()
        self._deadlines.watch(self)
        self._send_next()
        return result

    def send(self, message: Send) -> None:
        """See `IChargePoint.send`."""
        if not self.connected:
            raise NotConnected(f"{self.identity} is not connected")
        self._transport.send_message(self._session.send(message))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """See `IChargePoint.close`."""
        self._transport.close(code, reason)

    # -- what the owner asks ------------------------------------------------------------------

    def replace(self) -> None:
        """End now: a newer connection of the same charge point has come."""
        self._end("replaced by a newer connection")
        self._transport.close(1000, "replaced by a newer connection")

    def finish(self) -> None:
        """Close as soon as no CALL is open in either direction; start no new call of ours."""
        self._finishing = True
        self._close_if_finished()

    def expire(self, now: float) -> bool:
        """See `ocpp_twisted.deadlines.Expiring`."""
        if not self.connected:
            return False
        self._calls_ended(self._session.expire(now))
        if self._finishing:
            self._close_if_finished()
        return self._session.deadline() is not None

    # -- CALLs of the peer --------------------------------------------------------------------

    def _called(self, event: CallReceived) -> None:
        route = self._routes[event.action.name]
        if event.repairs:
            self._repaired(event.action.name, event.repairs)
        if route.request is None:
            text = f"{event.action.name} is not supported here"
            self._refuse(event, CallFault(ErrorCode.NOT_SUPPORTED, text))
            return
        try:
            outcome = route.request(self, event.request)
        except CallFault as fault:
            self._refuse(event, fault)
            return
        except Exception:
            self._handler_failed(event, Failure())
            return
        if isinstance(outcome, Response):
            self._answer(event, outcome)
            return
        if iscoroutine(outcome):
            outcome = ensureDeferred(outcome)
        if not isinstance(outcome, Deferred):
            self._answer(event, outcome)
            return
        outcome.addCallbacks(
            lambda response: self._answer(event, response),
            lambda failure: self._handler_failed(event, failure),
        )
        if self._session.answering >= self._limits.open_calls and not self._paused:
            self._paused = True
            self._transport.pause_receiving()

    def _answer(self, event: CallReceived, response: Any) -> None:
        if not self.connected:
            return
        action = event.action
        if type(response) is not action.response:
            wrong = LocalProtocolError(
                f"the handler of {action.name} returned {response!r}, "
                f"not a {action.response.__name__}"  # type: ignore[union-attr]
            )
            self._handler_failed(event, Failure(wrong))
            return
        try:
            frame = self._session.result(event.message_id, response)
        except LocalProtocolError:
            self._handler_failed(event, Failure())
            return
        self._transport.send_message(frame)
        for handler in self._routes[action.name].answered:
            self._run(handler, event.request, response)
        self._call_is_closed()

    def _handler_failed(self, event: CallReceived, failure: Failure) -> None:
        if not self.connected:
            return
        if isinstance(failure.value, CallFault):
            self._refuse(event, failure.value)
            return
        _log.failure(
            "handler failed: {charge_point} {action}",
            failure=failure,
            charge_point=self,
            action=event.action.name,
        )
        self._refuse(event, CallFault(ErrorCode.INTERNAL_ERROR, "the central system failed"))

    def _refuse(self, event: CallReceived, fault: CallFault) -> None:
        _log.info(
            "CALL refused: {charge_point} {action}: {fault}",
            charge_point=self,
            action=event.action.name,
            fault=fault,
        )
        try:
            frame = self._session.error(event.message_id, fault)
        except (TypeError, ValueError):
            _log.failure("an error that cannot be written: {fault!r}", fault=fault)
            bare = CallFault(fault.code, fault.description.encode(errors="replace").decode())
            frame = self._session.error(event.message_id, bare)
        self._transport.send_message(frame)
        self._call_is_closed()

    def _call_is_closed(self) -> None:
        if self._paused and self._session.answering < self._limits.open_calls:
            self._paused = False
            self._transport.resume_receiving()
        if self._finishing:
            self._close_if_finished()

    # -- our own calls ------------------------------------------------------------------------

    def _heard(self, event: Any) -> None:
        """What the peer says to a call of ours, and what it sends without being asked."""
        match event:
            case CallAnswered(call, response, repairs):
                if repairs:
                    self._repaired(call.request.ACTION, repairs)
                self._send_next()
                if not call.owner.called:
                    call.owner.callback(response)
                self._tell(call, response)
            case CallEnded(_, _, reply):
                if reply is not None:
                    self._transport.send_message(reply)
                self._calls_ended([event])
            case SendReceived(action, message):
                handler = self._routes[action.name].request
                if handler is not None:
                    self._run(handler, message)
            case ResultRefused(message_id, error):
                _log.error(
                    "CALLRESULT {message_id} refused: {charge_point}: {error}",
                    charge_point=self,
                    message_id=message_id,
                    error=error,
                )
        if self._finishing:
            self._close_if_finished()

    def _calls_ended(self, ended: list[CallEnded]) -> None:
        if not ended:
            return
        self._send_next()
        for event in ended:
            call, error = event.call, event.error
            _log.info(
                "call failed: {charge_point} {action}: {error}",
                charge_point=self,
                action=call.request.ACTION,
                error=error,
            )
            if not call.owner.called:
                call.owner.errback(Failure(error))
            if isinstance(error, CallErrorReceived):
                self._tell(call, error)

    def _tell(self, call: OutgoingCall, outcome: Response | CallErrorReceived) -> None:
        for handler in self._routes[call.request.ACTION].response:
            self._run(handler, call.request, outcome)

    def _send_next(self) -> None:
        frame = self._session.next_frame()
        if frame is not None:
            self._transport.send_message(frame)

    # -- the rest -----------------------------------------------------------------------------

    def _run(self, handler: Callable[..., Any], *arguments: Any) -> None:
        """Call a handler that answers nothing; what goes wrong in it is logged."""
        try:
            outcome = handler(self, *arguments)
        except Exception:
            _log.failure(
                "handler failed: {charge_point} {handler}", charge_point=self, handler=handler
            )
            return
        if iscoroutine(outcome):
            outcome = ensureDeferred(outcome)
        if isinstance(outcome, Deferred):
            outcome.addErrback(
                lambda failure: _log.failure(
                    "handler failed: {charge_point} {handler}",
                    failure=failure,
                    charge_point=self,
                    handler=handler,
                )
            )

    def _repaired(self, action: str, repairs: list[str]) -> None:
        _log.debug(
            "message mended: {charge_point} {action}: {repairs}",
            charge_point=self,
            action=action,
            repairs=repairs,
        )

    def _close_if_finished(self) -> None:
        if self.connected and not self._session.answering and self._session.deadline() is None:
            self._transport.close(1001, "the central system stops")

    def _end(self, reason: str) -> None:
        if not self.connected:
            return
        self.connected = False
        self._deadlines.forget(self)
        self._calls_ended(self._session.close())
        self._ended(self, reason)
