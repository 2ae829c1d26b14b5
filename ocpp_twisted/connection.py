"""One connection: Deferreds, time and handlers around an `ocpp_twisted.ocppj` session.

Imports its floor and below; knows its transport and its owner by interface only. Serves both
ends of OCPP-J: what differs are the routes.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.deadlines import Deadlines
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFailed,
    CallFault,
    ErrorCode,
    InvalidResponse,
    LocalProtocolError,
    NotConnected,
    QueueFull,
)
from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IChargePoint, IMessageReceiver, IMessageTransport
from ocpp_twisted.ocppj.catalogue import Catalogue
from ocpp_twisted.ocppj.events import (
    CallAnswered,
    CallEnded,
    CallReceived,
    Event,
    OutgoingCall,
    Rejected,
    ResultRefused,
    SendReceived,
)
from ocpp_twisted.ocppj.leniency import Repair
from ocpp_twisted.ocppj.message import Request, Response, ResponseT_co, Send
from ocpp_twisted.ocppj.session import Session
from ocpp_twisted.routing import Route

__all__ = ["Connection", "Limits", "run_handler"]

_log = Logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may use.

    :ivar call_timeout: seconds until a call of ours is given up, if the caller names no other.
    :ivar queued_calls: calls of ours that may wait to be sent.
    :ivar open_calls: CALLs of the peer that handlers may work on at once. More of them wait, and
        nothing is read from the peer until one is answered.
    :ivar answer_timeout: seconds that a handler has to answer; then the CALL is answered with
        InternalError, and what the handler still returns is dropped.
    """

    call_timeout: float = 30.0
    queued_calls: int = 64
    open_calls: int = 32
    answer_timeout: float = 60.0


class _State(Enum):
    """OPEN --closing()--> CLOSING --lost()--> ENDED; only while OPEN is anything sent or read."""

    OPEN = "open"
    CLOSING = "closing"
    ENDED = "ended"


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
        "_held",
        "_limits",
        "_open",
        "_paused",
        "_refusals",
        "_routes",
        "_session",
        "_state",
        "_taking_held",
        "_transport",
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
        self.since = deadlines.now()
        self._session = Session(catalogue, new_id, limits.queued_calls)
        self._routes = routes
        self._transport = transport
        self._deadlines = deadlines
        self._ended = ended
        self._limits = limits
        self._state = _State.OPEN
        self._finishing = False
        self._refusals = 0
        #: CALLs that handlers work on: message id to the CALL and the deadline of its answer.
        self._open: dict[str, tuple[CallReceived, float]] = {}
        #: CALLs that wait until fewer are open.
        self._held: list[CallReceived] = []
        self._taking_held = False
        self._paused = False

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

    @property
    def connected(self) -> bool:
        """Whether messages can be sent and received."""
        return self._state is _State.OPEN

    # -- what the transport brings ------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """See `IMessageReceiver.receive`."""
        if self._state is not _State.OPEN:
            return
        event = self._session.receive(data)
        if type(event) is not CallReceived:
            self._heard(event)
        elif self._held or len(self._open) >= self._limits.open_calls:
            self._held.append(event)  # it came in one read with those before it
        else:
            self._called(event)

    def closing(self) -> None:
        """See `IMessageReceiver.closing`."""
        if self._state is not _State.OPEN:
            return
        self._state = _State.CLOSING
        self._open.clear()
        self._held.clear()
        self._deadlines.forget(self)
        self._calls_ended(self._session.close())

    def lost(self, reason: str) -> None:
        """See `IMessageReceiver.lost`."""
        self.closing()
        if self._state is not _State.ENDED:
            self._state = _State.ENDED
            self._ended(self, reason)

    # -- what the program asks ----------------------------------------------------------------

    def call(
        self, request: Request[ResponseT_co], timeout: float | None = None
    ) -> Deferred[ResponseT_co]:
        """See `IChargePoint.call`."""
        if self._state is not _State.OPEN or self._finishing:
            return fail(NotConnected(f"{self.identity} is not connected"))
        # Cancelling forgets a queued call; one that was sent keeps its place until it is answered.
        result: Deferred[ResponseT_co] = Deferred(lambda _: self._session.cancel(call))
        seconds = self._limits.call_timeout if timeout is None else timeout
        try:
            call = self._session.call(request, self._deadlines.now(), seconds, result)
        except (QueueFull, LocalProtocolError):
            return fail()
        self._deadlines.watch(self, call.deadline)
        self._send_next()
        return result

    def send(self, message: Send) -> None:
        """See `IChargePoint.send`."""
        if self._state is not _State.OPEN:
            raise NotConnected(f"{self.identity} is not connected")
        self._transport.send_message(self._session.send(message))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """See `IChargePoint.close`."""
        self._transport.close(code, reason)
        self.closing()

    # -- what the owner asks ------------------------------------------------------------------

    def replace(self) -> None:
        """End now: a newer connection of the same charge point has come."""
        reason = "replaced by a newer connection"
        self.close(1000, reason)
        self.lost(reason)

    def finish(self) -> None:
        """Close as soon as no CALL is open in either direction; start no new call of ours."""
        self._finishing = True
        self._close_if_finished()

    def expire(self, now: float) -> float | None:
        """See `ocpp_twisted.deadlines.Expiring`."""
        self._calls_ended(self._session.expire(now))
        for event, deadline in list(self._open.values()):
            if deadline <= now:
                self._unanswered(event)
        self._close_if_finished()
        if self._state is not _State.OPEN:
            return None
        answers = [deadline for _, deadline in self._open.values()]
        calls = self._session.deadline()
        return min(answers if calls is None else [*answers, calls], default=None)

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
        except (Exception, CancelledError):
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
        if self._state is _State.OPEN:  # the handler may have closed it
            deadline = self._deadlines.now() + self._limits.answer_timeout
            self._open[event.message_id] = event, deadline
            self._deadlines.watch(self, deadline)
            self._pace_receiving()
        outcome.addCallbacks(
            self._answer_later, self._fail_later, callbackArgs=(event,), errbackArgs=(event,)
        )

    def _answer_later(self, response: Any, event: CallReceived) -> None:
        if self._is_open(event):
            self._answer(event, response)
            self._go_on()

    def _fail_later(self, failure: Failure, event: CallReceived) -> None:
        if self._is_open(event):
            self._handler_failed(event, failure)
            self._go_on()

    def _unanswered(self, event: CallReceived) -> None:
        """A handler has not answered in time: the charge point must not wait for ever."""
        if self._is_open(event):
            _log.error(
                "handler too slow: {charge_point} {action} is answered with InternalError",
                charge_point=self,
                action=event.action.name,
            )
            self._refuse(event, CallFault(ErrorCode.INTERNAL_ERROR, "no answer in time"))
            self._go_on()

    def _is_open(self, event: CallReceived) -> bool:
        """Whether the CALL still wants its answer; if so, it is on its way now."""
        known = self._open.get(event.message_id)
        if known is None or known[0] is not event:
            return False
        del self._open[event.message_id]
        return True

    def _answer(self, event: CallReceived, response: Any) -> None:
        if self._state is not _State.OPEN:
            return
        action = event.action
        try:
            if type(response) is not action.response:
                expected = action.response.__name__ if action.response else "response"
                raise LocalProtocolError(
                    f"the handler of {action.name} returned a {type(response).__name__}, "
                    f"not a {expected}"
                )
            frame = self._session.result(event.message_id, response)
        except Exception:
            self._handler_failed(event, Failure())
            return
        self._transport.send_message(frame)
        for handler in self._routes[action.name].answered:
            run_handler(handler, self, event.request, response)

    def _handler_failed(self, event: CallReceived, failure: Failure) -> None:
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
        if self._state is not _State.OPEN:
            return
        if self._next_refusal_is_told():
            _log.info(
                "CALL refused: {charge_point} {action}: {fault}",
                charge_point=self,
                action=event.action.name,
                fault=excerpt(str(fault)),
            )
        try:
            frame = self._session.error(event.message_id, fault)
        except Exception:
            _log.failure("a CALLERROR that cannot be written: {charge_point}", charge_point=self)
            bare = CallFault(fault.code, fault.description.encode(errors="replace").decode())
            frame = self._session.error(event.message_id, bare)
        self._transport.send_message(frame)

    def _go_on(self) -> None:
        """A CALL has been answered: take those that waited for it."""
        if self._taking_held:
            return  # one of those has been answered at once: the loop below goes on
        self._taking_held = True
        while self._held and len(self._open) < self._limits.open_calls:
            self._called(self._held.pop(0))
        self._taking_held = False
        self._pace_receiving()
        self._close_if_finished()

    def _pace_receiving(self) -> None:
        full = len(self._open) >= self._limits.open_calls
        if full != self._paused:
            self._paused = full
            (self._transport.pause_receiving if full else self._transport.resume_receiving)()

    # -- our own calls, and what comes unasked ------------------------------------------------

    def _heard(self, event: Event) -> None:
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
            case Rejected(why, reply):
                if self._next_refusal_is_told():
                    _log.warn("message refused: {charge_point}: {why}", charge_point=self, why=why)
                if reply is not None:
                    self._transport.send_message(reply)
            case SendReceived(action, message):
                handler = self._routes[action.name].request
                if handler is not None:
                    run_handler(handler, self, message)
            case ResultRefused(message_id, error):
                _log.error(
                    "CALLRESULT {message_id!r} refused: {charge_point}: {error}",
                    charge_point=self,
                    message_id=message_id[:50],
                    error=error,
                )
        self._close_if_finished()

    def _calls_ended(self, ended: list[CallEnded]) -> None:
        if not ended:
            return
        if self._state is _State.OPEN:
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
            if isinstance(error, (CallErrorReceived, InvalidResponse)):
                self._tell(call, error)

    def _tell(self, call: OutgoingCall, outcome: Response | CallFailed) -> None:
        for handler in self._routes[call.request.ACTION].response:
            run_handler(handler, self, call.request, outcome)

    def _send_next(self) -> None:
        frame = self._session.next_frame()
        if frame is not None:
            self._transport.send_message(frame)

    # -- the rest -----------------------------------------------------------------------------

    def _repaired(self, action: str, repairs: list[Repair]) -> None:
        _log.debug(
            "message mended: {charge_point} {action}: {repairs}",
            charge_point=self,
            action=action,
            repairs=repairs,
        )

    def _next_refusal_is_told(self) -> bool:
        """Whether the log tells of one more refusal: of the first hundred, then of fewer and fewer.

        A charge point gone wrong could fill the disk otherwise, and slow down everybody.
        """
        self._refusals += 1
        if self._refusals == 100:
            _log.warn("refusals are told rarely from now on: {charge_point}", charge_point=self)
        return self._refusals < 100 or self._refusals % 1000 == 0

    def _close_if_finished(self) -> None:
        if (
            self._finishing
            and self._state is _State.OPEN
            and not self._session.answering
            and self._session.deadline() is None
        ):
            self.close(1001, "the central system stops")


def run_handler(handler: Callable[..., Any], charge_point: IChargePoint, *arguments: Any) -> None:
    """Call a handler or a hook that answers nothing; what goes wrong in it is logged."""

    def failed(failure: Failure) -> None:
        _log.failure(
            "handler failed: {charge_point} {handler}",
            failure=failure,
            charge_point=charge_point,
            handler=handler,
        )

    try:
        outcome = handler(charge_point, *arguments)
    except (Exception, CancelledError):
        failed(Failure())
        return
    if iscoroutine(outcome):
        outcome = ensureDeferred(outcome)
    if isinstance(outcome, Deferred):
        outcome.addErrback(failed)
