"""The half of a connection that answers the peer's CALLs.

Imports its floor and below. Every CALL gets one answer: what the handler returns, or one door
makes a CALLERROR of its failure. `ocpp_twisted.connection` is the other half.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Mapping
from enum import Enum
from inspect import iscoroutine
from typing import Any

import msgspec
from msgspec import Raw
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.deadlines import Deadlines
from ocpp_twisted.errors import CallFault, ErrorCode, LocalProtocolError
from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.interfaces import IChargePoint, IMessageTransport, IObserver
from ocpp_twisted.limits import Limits
from ocpp_twisted.ocppj.events import CallReceived
from ocpp_twisted.ocppj.leniency import Repair, maker
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.ocppj.session import NOT_ADMITTED, Session
from ocpp_twisted.remembered import OpenCall, Remembered
from ocpp_twisted.routing import Route, is_decided

__all__ = ["Answering", "State", "run_handler"]

_log = Logger()


class State(Enum):
    """OPEN --closing()--> CLOSING --lost()--> ENDED; only while OPEN is anything sent or read."""

    OPEN = "open"
    CLOSING = "closing"
    ENDED = "ended"


class Answering:
    """What a connection does with the CALLs of its peer. `Connection` derives from it.

    :param routes: action name to its handlers, for all actions of the session's catalogue.
    """

    __slots__ = (
        "_deadlines",
        "_handled",
        "_held",
        "_limits",
        "_observer",
        "_open",
        "_paused",
        "_refusals",
        "_remembered",
        "_routes",
        "_session",
        "_state",
        "_taking_held",
        "_transport",
        "_unread",
        "message_id",
    )

    def __init__(
        self,
        session: Session,
        routes: Mapping[str, Route],
        transport: IMessageTransport,
        deadlines: Deadlines,
        limits: Limits,
        remembered: Remembered,
        observer: IObserver | None = None,
    ) -> None:
        self._session = session
        self._routes = routes
        self._transport = transport
        self._deadlines = deadlines
        self._limits = limits
        self._remembered = remembered
        self._observer = observer
        self._state = State.OPEN
        self._refusals = 0
        #: CALLs that handlers work on, by message id.
        self._open: dict[str, OpenCall] = {}
        #: CALLs that wait until fewer are open.
        self._held: list[CallReceived] = []
        self._taking_held = False
        self._paused = False
        #: What has come before it is known what is remembered; None once that is known.
        self._unread: list[bytes] | None = None
        #: See `IChargePoint.message_id`.
        self.message_id = ""
        #: The CALL whose handler is being called.
        self._handled: CallReceived | None = None

    # -- for the other half -------------------------------------------------------------------

    def _stop_answering(self) -> None:
        """Nothing can be sent any more. What handlers still return is for retries."""
        for call in self._open.values():
            self._remembered.orphan(call, self._limits.open_calls)
        self._open.clear()
        self._held.clear()
        self._unread = None

    def _expire_answers(self, now: float) -> list[float]:
        """Answer the CALLs whose handlers take too long; returns the deadlines of the others."""
        for call in list(self._open.values()):
            if call.deadline <= now and self._open.get(call.event.message_id) is call:
                self._unanswered(call)
        return [call.deadline for call in self._open.values()]

    def _close_if_finished(self) -> None:
        """Something has ended, perhaps the last that the connection waited for."""
        raise NotImplementedError

    def _registered(self, status: str) -> None:
        """A BootNotification has been answered."""
        raise NotImplementedError

    def _changed(self) -> None:
        """Something is remembered that outlives the connection, wherever the next one is."""
        raise NotImplementedError

    # -- a CALL -------------------------------------------------------------------------------

    def payload_of(self, request: Request[Any]) -> Raw | None:
        """See `IChargePoint.payload_of`."""
        event = self._handled
        if event is None or event.request is not request or event.repairs:
            return None
        return event.payload

    def _called(self, event: CallReceived) -> None:
        charge_point: Any = self
        route = self._routes[event.action.name]
        remembered = self._remembered
        maybe_known = event.message_id in remembered.answers or remembered.orphans
        if maybe_known and self._came_again(event):
            return
        if event.repairs:
            self._repaired(event.repairs)
        if route.boot:
            self._booting(event)
        if route.request is None:
            text = f"{event.action.name} is not supported here"
            self._refuse(event, CallFault(ErrorCode.NOT_SUPPORTED, text))
            return
        self.message_id = event.message_id
        self._handled = event
        try:
            outcome = route.request(charge_point, event.request)
        except (Exception, CancelledError):
            self._handled = None
            self._handler_failed(event, Failure())
            return
        self._handled = None
        if isinstance(outcome, Response):
            self._answer(event, outcome)
            return
        if not isinstance(outcome, Deferred):
            if not iscoroutine(outcome):
                self._answer(event, outcome)
                return
            outcome = ensureDeferred(outcome)
        call = OpenCall(event, 0.0, self)
        remembered.working += 1
        if self._state is State.OPEN:
            self._wait_for(call)
        else:  # the handler has closed it
            self._remembered.orphan(call, self._limits.open_calls)
        outcome.addCallbacks(
            self._answer_later, self._fail_later, callbackArgs=(call,), errbackArgs=(call,)
        )

    def _came_again(self, event: CallReceived) -> bool:
        """Answer a retry without its handler; whether it was one."""
        again = self._answered_before(event)
        if again and self._observer is not None:
            self._observer.call_came_again(self._session.catalogue.version, event.action.name)
        return again

    def _answered_before(self, event: CallReceived) -> bool:
        frame = self._remembered.answer(event, self._deadlines.now())
        if frame is not None:
            self._session.settle(event.message_id)
            self._transport.send_message(frame)
            if self._routes[event.action.name].boot:  # perhaps nobody has heard it before
                self._registered(msgspec.json.decode(frame)[2]["status"])
            return True
        call = self._remembered.adopt(event)
        if call is None:
            return False
        self._wait_for(call)
        return True

    def _wait_for(self, call: OpenCall) -> None:
        connection: Any = self
        call.connection = connection
        call.deadline = self._deadlines.now() + self._limits.answer_timeout
        self._open[call.event.message_id] = call
        self._deadlines.watch(connection, call.deadline)
        if len(self._open) >= self._limits.open_calls:
            self._pace_receiving()

    @staticmethod
    def _done(call: OpenCall) -> Answering | None:
        """A handler is done with a CALL; returns where it is to be answered."""
        connection: Answering | None = call.connection
        if connection is not None:
            del connection._open[call.event.message_id]
        return connection

    def _answer_later(self, response: Any, call: OpenCall) -> None:
        connection = self._done(call)
        if connection is not None:
            connection._answer(call.event, response)
            connection._go_on()
        else:
            self._answer_nobody(call, response)
        self._remembered.worked()

    def _fail_later(self, failure: Failure, call: OpenCall) -> None:
        connection = self._done(call)
        if connection is not None:
            connection._handler_failed(call.event, failure)
            connection._go_on()
        else:
            self._remembered.forget(call)
            if not failure.check(CallFault):
                self._tell_failure(call.event, failure)
        self._remembered.worked()

    def _answer_nobody(self, call: OpenCall, response: Any) -> None:
        """A handler is done when nobody waits for the answer: it is kept for a retry."""
        event = call.event
        self._remembered.forget(call)
        try:
            _check(event, response)
            frame = self._session.late_result(event.message_id, response)
        except Exception:
            self._tell_failure(event, Failure())
        else:
            self._keep(event, frame, self._routes[event.action.name])
            if self._remembered.unshared:  # it may be elsewhere already
                self._changed()

    def _unanswered(self, call: OpenCall) -> None:
        """A handler has not answered in time: the charge point must not wait for ever."""
        self._done(call)
        self._remembered.orphan(call, self._limits.open_calls)
        if self._observer is not None:
            self._observer.limit_reached("answer_timeout")
        _log.error(
            "handler too slow: {charge_point} {action} is answered with InternalError",
            charge_point=self,
            action=call.event.action.name,
        )
        self._refuse(call.event, CallFault(ErrorCode.INTERNAL_ERROR, "no answer in time"))
        self._go_on()

    # -- its answer ---------------------------------------------------------------------------

    def _answer(self, event: CallReceived, response: Any) -> None:
        charge_point: Any = self
        if self._state is not State.OPEN:  # the handler has closed it
            self._answer_nobody(OpenCall(event, 0.0, None), response)
            return
        try:
            if type(response) is not event.action.response:
                _check(event, response)
            frame = self._session.result(event.message_id, response)
        except Exception:
            self._handler_failed(event, Failure())
            return
        route = self._routes[event.action.name]
        self._keep(event, frame, route)
        self._transport.send_message(frame)
        if route.boot:
            self._registered(response.status)
        for handler in route.answered:
            run_handler(handler, charge_point, event.request, response)

    def _keep(self, event: CallReceived, frame: bytes, route: Route) -> None:
        limits = self._limits
        seconds = min(route.fresh_seconds, limits.kept_seconds)
        answers, message_id = self._remembered.answers, event.message_id
        if message_id in answers:
            del answers[message_id]  # the newest is the last
        until = self._deadlines.now() + seconds
        answers[message_id] = event.digest, until, frame, event.action
        if len(answers) > limits.kept_answers:
            del answers[next(iter(answers))]
        if route.decides and is_decided(event.request):
            self._changed()
        elif route.shared:
            self._remembered.unshared = True

    def _handler_failed(self, event: CallReceived, failure: Failure) -> None:
        if isinstance(failure.value, CallFault):
            self._refuse(event, failure.value)
            return
        self._tell_failure(event, failure)
        self._refuse(event, CallFault(ErrorCode.INTERNAL_ERROR, "the central system failed"))

    def _tell_failure(self, event: CallReceived, failure: Failure) -> None:
        _log.failure(
            "handler failed: {charge_point} {action}",
            failure=failure,
            charge_point=self,
            action=event.action.name,
        )

    def _refuse(self, event: CallReceived, fault: CallFault) -> None:
        if self._state is not State.OPEN:
            return
        if self._observer is not None:
            version = self._session.catalogue.version
            self._observer.call_refused(version, event.action.name, fault.code)
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
        if self._held:
            self._taking_held = True
            try:
                while self._held and len(self._open) < self._limits.open_calls:
                    self._take_held(self._held.pop(0))
            finally:
                self._taking_held = False
        if self._paused:
            self._pace_receiving()
        self._close_if_finished()

    def _take_held(self, event: CallReceived) -> None:
        admits = self._session.admits
        if admits is None or event.action.name in admits:
            self._called(event)
        else:  # the gate has closed meanwhile
            self._refuse(event, CallFault(ErrorCode.SECURITY_ERROR, NOT_ADMITTED))

    def _pace_receiving(self) -> None:
        full = len(self._open) >= self._limits.open_calls
        if (full or self._unread is not None) != self._paused:
            self._paused = not self._paused
            if full and self._observer is not None:
                self._observer.limit_reached("open_calls")
            if self._paused:
                self._transport.pause_receiving()
            else:
                self._transport.resume_receiving()

    # -- who it is, and what it does wrong ----------------------------------------------------

    def _booting(self, event: CallReceived) -> None:
        """A charge point has started, and says who made it: treat its faults accordingly."""
        self._remembered.maker = maker(event.request)
        # It may count its message ids from 1 again: what it says under an old one is news.
        self._remembered.answers.clear()
        self._session.leniency = self._session.leniency.towards(event.request)

    def _repaired(self, repairs: list[Repair]) -> None:
        if self._observer is not None:
            self._observer.repaired(self._session.catalogue.version, repairs)
        for first in self._remembered.count(repairs):
            _log.info(
                "let through, counted from now on: {charge_point} {action}: {kind}: {text}",
                charge_point=self,
                action=first.action,
                kind=first.kind.value,
                text=excerpt(first.text),
            )

    def _next_refusal_is_told(self) -> bool:
        """Whether the log tells of one more refusal: of the first 99, then of fewer and fewer.

        A charge point gone wrong could fill the disk otherwise, and slow down everybody.
        """
        self._refusals += 1
        if self._refusals == 100:
            _log.warn("refusals are told rarely from now on: {charge_point}", charge_point=self)
        return self._refusals < 100 or self._refusals % 1000 == 0


def _check(event: CallReceived, response: Any) -> None:
    """See whether a response is of the class that the action has.

    :raises LocalProtocolError: if it is not.
    """
    action = event.action
    if type(response) is not action.response:
        expected = action.response.__name__ if action.response else "response"
        raise LocalProtocolError(
            f"the handler of {action.name} returned a {type(response).__name__}, not a {expected}"
        )


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
    if outcome is None:
        return  # most have nothing more to do
    if iscoroutine(outcome):
        outcome = ensureDeferred(outcome)
    if isinstance(outcome, Deferred):
        outcome.addErrback(failed)
