"""One connection: Deferreds, time and handlers around an `ocpp_twisted.ocppj` session.

Imports its floor and below; knows its transport and its owner by interface only. Serves both
ends of OCPP-J: what differs are the routes. This half calls and is told what happens;
`ocpp_twisted.answering` answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.answering import Answering, State, run_handler
from ocpp_twisted.deadlines import Deadlines
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFailed,
    CallNotAllowed,
    InvalidResponse,
    LocalProtocolError,
    NotConnected,
    QueueFull,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import (
    IChargePoint,
    IMessageReceiver,
    IMessageTransport,
    IObserver,
)
from ocpp_twisted.limits import Limits
from ocpp_twisted.ocppj import frames
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
from ocpp_twisted.recording.redaction import may_hold_secrets
from ocpp_twisted.registration import Status
from ocpp_twisted.remembered import Remembered
from ocpp_twisted.routing import Route

__all__ = ["Connection"]

_log = Logger()


@implementer(IChargePoint, IMessageReceiver)
class Connection(Answering):
    """One charge point's connection. Handlers know it as `IChargePoint`.

    :param session: of the version that was agreed on.
    :param routes: action name to its handlers, for all actions of the version.
    :param ended: is called with this connection and the reason once, when it has ended.
    :param remembered: of earlier connections of this charge point.
    :param observer: is told what becomes of messages.
    """

    __slots__ = ("__weakref__", "_ended", "_finishing", "identity", "since")

    def __init__(
        self,
        identity: Identity,
        session: Session,
        routes: Mapping[str, Route],
        transport: IMessageTransport,
        deadlines: Deadlines,
        ended: Callable[[Connection, str], None],
        limits: Limits,
        remembered: Remembered,
        observer: IObserver | None = None,
    ) -> None:
        super().__init__(session, routes, transport, deadlines, limits, remembered, observer)
        self.identity = identity
        self.since = deadlines.now()
        self._ended = ended
        self._finishing = False
        session.admits = remembered.registration.admits

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
    def security_profile(self) -> int:
        """How the charge point has proved who it is."""
        profile: int = self._transport.security_profile
        return profile

    @property
    def connected(self) -> bool:
        """Whether messages can be sent and received."""
        return self._state is State.OPEN

    @property
    def registration(self) -> Status:
        """See `IChargePoint.registration`."""
        return self._remembered.registration.status

    @property
    def registered(self) -> bool:
        """See `IMessageReceiver.registered`."""
        return self.registration is Status.ACCEPTED

    @property
    def repairs(self) -> Mapping[Repair, int]:
        """See `IChargePoint.repairs`."""
        return MappingProxyType(self._remembered.repairs)

    @property
    def remembered(self) -> Remembered:
        """What shall be remembered for the next connection."""
        return self._remembered

    # -- what the transport brings ------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """See `IMessageReceiver.receive`."""
        if self._state is not State.OPEN:
            return
        if self._unread is not None:
            self._unread.append(data)
            return
        event = self._session.receive(data)
        if type(event) is CallReceived:
            if self._held or len(self._open) >= self._limits.open_calls:
                self._held.append(event)  # it came in one read with those before it
            else:
                self._called(event)
            if self._finishing:
                self._close_if_finished()
        else:
            self._heard(event)

    def closing(self) -> None:
        """See `IMessageReceiver.closing`."""
        if self._state is not State.OPEN:
            return
        self._state = State.CLOSING
        self._stop_answering()
        self._deadlines.forget(self)
        self._calls_ended(self._session.close())

    def lost(self, reason: str) -> None:
        """See `IMessageReceiver.lost`."""
        self.closing()
        if self._state is not State.ENDED:
            self._state = State.ENDED
            self._ended(self, reason)

    # -- what the program asks ----------------------------------------------------------------

    def call(
        self, request: Request[ResponseT_co], timeout: float | None = None
    ) -> Deferred[ResponseT_co]:
        """See `IChargePoint.call`."""
        return self._begin(request, timeout)

    def call_json(
        self, action: str, payload: bytes, timeout: float | None = None
    ) -> Deferred[bytes]:
        """See `IChargePoint.call_json`."""
        try:
            request, compact = self._session.read_own(action, payload)
        except LocalProtocolError:
            return fail()
        return self._begin(request, timeout, compact)

    def _begin(
        self,
        request: Request[Any],
        timeout: float | None,
        payload: bytes | None = None,
        message_id: str | None = None,
    ) -> Deferred[Any]:
        if self._state is not State.OPEN or self._finishing:
            return fail(NotConnected(f"{self.identity} is not connected"))
        if self._remembered.registration.status is not Status.UNKNOWN:
            objection = self._objection(request)
            if objection is not None:
                return fail(objection)
        # Cancelling forgets a queued call; one that was sent keeps its turn.
        result: Deferred[Any] = Deferred(lambda _: self._cancelled(call))
        seconds = self._limits.call_timeout if timeout is None else timeout
        try:
            now = self._deadlines.now()
            call = self._session.call(request, now, seconds, result, payload, message_id)
        except QueueFull:
            if self._observer is not None:
                self._observer.limit_reached("queued_calls")
            return fail()
        except LocalProtocolError:
            return fail()
        if self._observer is not None:
            self._observer.call_begun(self.version)
        self._deadlines.watch(self, call.deadline)
        self._send_next()
        return result

    def send(self, message: Send) -> None:
        """See `IChargePoint.send`."""
        if self._state is not State.OPEN:
            raise NotConnected(f"{self.identity} is not connected")
        frame = self._session.send(message)
        if self.registration is Status.REJECTED:
            raise CallNotAllowed(f"{self.identity} has been rejected: nothing may be sent to it")
        self._transport.send_message(frame)

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

    def register(self, status: str) -> None:
        """See `IActiveCaller.register`."""
        self._remembered.register(status)
        self._registered(status)

    def hold(self) -> None:
        """Read nothing until `go_on`: it is not known yet what is remembered."""
        self._unread = []
        self._pace_receiving()

    def go_on(self) -> None:
        """What is remembered is known as far as it will be."""
        unread, self._unread = self._unread, None
        if self._state is State.OPEN:
            self._session.admits = self._remembered.registration.admits
            finishing, self._finishing = self._finishing, False  # not before all is answered
            for data in unread or ():
                self.receive(data)
            self._finishing = finishing
            self._go_on()

    def finish(self) -> None:
        """Close as soon as no CALL is open in either direction; start no new call of ours."""
        self._finishing = True
        self._close_if_finished()

    def expire(self, now: float) -> float | None:
        """See `ocpp_twisted.deadlines.Expiring`."""
        self._calls_ended(self._session.calls.expire(now))
        answers = self._expire_answers(now)
        self._send_next()  # a turn on the wire may have ended without the end of a call
        self._close_if_finished()
        if self._state is not State.OPEN:
            return None
        calls = self._session.calls.deadline()
        return min(answers if calls is None else [*answers, calls], default=None)

    # -- our own calls, and what comes unasked ------------------------------------------------

    def _heard(self, event: Event) -> None:
        match event:
            case CallAnswered(call, response, payload, repairs):
                if repairs:
                    self._repaired(repairs)
                if self._remembered.registration.status is Status.PENDING:
                    self._heed_answer(call.request, response)
                self._send_next()
                if not call.owner.called:
                    self._over(call)
                    call.owner.callback(bytes(payload) if call.as_json else response)
                self._tell(call, response)
            case CallEnded(_, _, reply, repairs):
                if repairs:
                    self._repaired(repairs)
                if reply is not None:
                    self._transport.send_message(reply)
                self._calls_ended([event])
            case Rejected(why, reply, limit):
                if self._observer is not None:
                    self._observer.message_refused(self.version, reply)
                    if limit:
                        self._observer.limit_reached(limit)
                if self._next_refusal_is_told():
                    _log.warn("message refused: {charge_point}: {why}", charge_point=self, why=why)
                if reply is not None:
                    self._transport.send_message(reply)
            case SendReceived(action, message, repairs):
                if repairs:
                    self._repaired(repairs)
                handler = self._routes[action.name].request
                if handler is not None:
                    run_handler(handler, self, message)
                elif self._next_refusal_is_told():
                    _log.warn(
                        "SEND dropped: {charge_point}: nobody here handles {action}",
                        charge_point=self,
                        action=action.name,
                    )
            case ResultRefused(message_id, error):
                if self._next_refusal_is_told():
                    _log.error(
                        "CALLRESULT {message_id!r} refused: {charge_point}: {error}",
                        charge_point=self,
                        message_id=message_id[:50],
                        error=error,
                    )
                self._tell_refused(message_id, error)
        self._close_if_finished()

    def _calls_ended(self, ended: list[CallEnded]) -> None:
        if not ended:
            return
        for event in ended:
            if self.registration is Status.PENDING and isinstance(event.error, CallErrorReceived):
                self._heed_answer(event.call.request, event.error)
        if self._state is State.OPEN:
            self._send_next()
        for event in ended:
            call, error = event.call, event.error
            # What is wrong with a secret may be told by quoting it.
            quotes = isinstance(error, (CallErrorReceived, InvalidResponse))
            _log.info(
                "call failed: {charge_point} {action}: {error}",
                charge_point=self,
                action=call.request.ACTION,
                error=type(error).__name__ if quotes and may_hold_secrets(call.frame) else error,
            )
            if not call.owner.called:
                self._over(call, error)
                call.owner.errback(Failure(error))
            if isinstance(error, (CallErrorReceived, InvalidResponse)):
                self._tell(call, error)

    def _cancelled(self, call: OutgoingCall) -> None:
        self._session.calls.cancel(call)
        self._over(call, CancelledError())

    def _over(self, call: OutgoingCall, error: Exception | None = None) -> None:
        """Its caller hears now what became of a call."""
        if self._observer is not None:
            seconds = self._deadlines.now() - call.begun
            self._observer.call_over(self.version, call.request.ACTION, seconds, error)

    def _tell(self, call: OutgoingCall, outcome: Response | CallFailed) -> None:
        for handler in self._routes[call.request.ACTION].response:
            run_handler(handler, self, call.request, outcome)

    def _tell_refused(self, message_id: str, error: CallErrorReceived) -> None:
        """A CALLRESULT of ours is refused: what it said is known as long as it is kept."""
        kept = self._remembered.answers.get(message_id)
        if kept is None:
            return
        *_, frame, action = kept
        # It may have been sent over an earlier connection, of another version.
        if self._session.catalogue.actions.get(action.name) is action:
            response = action.read_response(frames.decode(frame).payload)  # type: ignore[union-attr]
            for handler in self._routes[action.name].refused:
                run_handler(handler, self, response, error)

    def _send_next(self) -> None:
        if self._state is not State.OPEN:
            return
        calls = self._session.calls
        if not calls.queued:
            return
        call = calls.next_call(self._deadlines.now())
        if call is None:
            return
        if call.turn_ends > call.deadline:
            self._deadlines.watch(self, call.turn_ends)
        if self._remembered.registration.status is Status.PENDING:
            self._remembered.registration.sent(call.request)
            self._session.admits = self._remembered.registration.admits
            self._changed()
        self._transport.send_message(call.frame)

    # -- the gate -----------------------------------------------------------------------------

    def _objection(self, request: Request[Any]) -> CallNotAllowed | None:
        if not isinstance(request, Request):
            return None  # the session tells what is wrong
        rules = self._session.catalogue.rules
        why = self._remembered.registration.objection(request, rules.accepted_may_be_asked_to_boot)
        return None if why is None else CallNotAllowed(f"{self.identity}: {why}")

    def _heed_answer(self, request: Request[Any], answer: Response | CallErrorReceived) -> None:
        """What a pending charge point refuses to send is not admitted."""
        self._remembered.registration.answered(request, answer)
        self._session.admits = self._remembered.registration.admits
        self._changed()

    def _registered(self, status: str) -> None:
        self._remembered.registration.boot_answered(status)
        self._session.admits = self._remembered.registration.admits
        self._changed()
        calls = self._session.calls
        if calls.queued:
            self._calls_ended(calls.refuse_queued(lambda call: self._objection(call.request)))

    # -- the rest -----------------------------------------------------------------------------

    def _changed(self) -> None:
        if self._remembered.sharing is not None:
            self._remembered.sharing.changed(self.identity, self._remembered)

    def _close_if_finished(self) -> None:
        if (
            self._finishing
            and self._state is State.OPEN
            and not self._unread
            and not self._session.answering
            and self._session.calls.deadline() is None
        ):
            self.close(1001, "the central system stops")
