"""One connection's RPC state: what is being answered, what is called, what may be sent.

Imports its floor only. No clock: `now` is an argument, in seconds on the caller's clock. No
output: what is to be sent is returned. Source: OCPP-J 1.6 section 4.1, OCPP 2.1 part 4
sections 4.1 and 4.2. The two directions are independent. What the peer calls is answered in any
order, each CALL once. What we call is `ocpp_twisted.ocppj.calling`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any
from zlib import crc32

import msgspec
from msgspec import UNSET

from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFault,
    ErrorCode,
    InvalidResponse,
    LocalProtocolError,
)
from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.ocppj import frames
from ocpp_twisted.ocppj.calling import Calls, end
from ocpp_twisted.ocppj.catalogue import Action, Catalogue
from ocpp_twisted.ocppj.events import (
    CallAnswered,
    CallEnded,
    CallReceived,
    CallState,
    Event,
    OutgoingCall,
    Rejected,
    ResultRefused,
    SendReceived,
)
from ocpp_twisted.ocppj.frames import (
    Call,
    CallError,
    CallResult,
    CallResultError,
    FrameFault,
    TooDeep,
)
from ocpp_twisted.ocppj.leniency import STANDARD, Kind, Repair, Treatment
from ocpp_twisted.ocppj.message import Request, Response, Send
from ocpp_twisted.ocppj.rules import Fault, MessageType

__all__ = ["NOT_ADMITTED", "Session"]

#: Why a CALL gets SecurityError (1.6 errata 3.8 of OCPP-J; 2.x use cases B02 and B03).
NOT_ADMITTED = "BootNotification has not been accepted"


class Session:
    """The RPC state of one connection.

    :param catalogue: the version that the connection has agreed on.
    :param new_id: makes message ids that this charge point has never seen from us.
    :param queue_limit: how many calls may be queued, the waiting one not counted.
    :param max_depth: how deep the peer's messages may be nested.
    :ivar leniency: what is let through of this charge point's faults; it may be replaced at any
        time, for example by ``session.leniency.towards(request)`` after a BootNotification.
    :ivar admits: the actions that the peer may send; None for all. Others are answered with
        SecurityError, whatever is in them.
    :ivar calls: what we call.
    """

    __slots__ = (
        "_actions",
        "_answering",
        "_max_depth",
        "_new_id",
        "_salt",
        "admits",
        "calls",
        "catalogue",
        "leniency",
    )

    def __init__(
        self,
        catalogue: Catalogue,
        new_id: Callable[[], str],
        queue_limit: int = 64,
        max_depth: int = frames.MAX_DEPTH,
    ) -> None:
        self.catalogue = catalogue
        self.calls = Calls(queue_limit)
        self.leniency = STANDARD
        self.admits: Container[str] | None = None
        self._actions = catalogue.actions
        self._max_depth = max_depth
        self._new_id = new_id
        self._salt = crc32(catalogue.version.encode())  # a retry is of one version
        #: Message id to digest.
        self._answering: dict[str, int] = {}

    @property
    def answering(self) -> int:
        """How many CALLs of the peer have no answer yet."""
        return len(self._answering)

    def receive(self, data: bytes) -> Event:
        """Take one message from the peer.

        :param data: one WebSocket text message, UTF-8.
        """
        try:
            frame = frames.decode(data, self._max_depth)
        except FrameFault as fault:
            event = self._faulty(fault)
            if isinstance(fault, TooDeep) and isinstance(event, Rejected):
                event.limit = "json_depth"
            return event
        kind = type(frame)
        if kind is Call:
            return self._call(frame, data)  # type: ignore[arg-type]
        if kind is CallResult:
            return self._call_result(frame)  # type: ignore[arg-type]
        if kind is CallError:
            return self._call_error(frame)  # type: ignore[arg-type]
        message_type = MessageType.CALLRESULTERROR if kind is CallResultError else MessageType.SEND
        if message_type not in self.catalogue.rules.message_types:
            return self._unknown_type(message_type, frame.id)
        if kind is CallResultError:
            return ResultRefused(frame.id, _received(frame))  # type: ignore[arg-type]
        return self._send(frame)  # type: ignore[arg-type]

    def result(self, message_id: str, response: Response) -> bytes:
        """The CALLRESULT to a CALL of the peer.

        :raises LocalProtocolError: if that CALL has been answered, or the version's schema does
            not allow the response (the CALL then still wants its answer).
        """
        payload = self.catalogue.write(response)
        self._answered(message_id)
        return frames.encode_result(message_id, payload)

    def error(self, message_id: str, fault: CallFault) -> bytes:
        """The CALLERROR to a CALL of the peer.

        :raises LocalProtocolError: if that CALL has been answered.
        :raises TypeError: or ValueError or RecursionError, if the fault's details are not JSON
            (the CALL then still wants its answer).
        """
        frame = self._encode_error(MessageType.CALLERROR, message_id, fault)
        self._answered(message_id)
        return frame

    def settle(self, message_id: str) -> None:
        """A CALL of the peer gets an answer that this session has not made."""
        self._answered(message_id)

    def late_result(self, message_id: str, response: Response) -> bytes:
        """The CALLRESULT to a CALL that nobody waits for any more; it is for a retry.

        :raises LocalProtocolError: if the version's schema does not allow the response.
        """
        return frames.encode_result(message_id, self.catalogue.write(response))

    def call(
        self,
        request: Request[Any],
        now: float,
        timeout: float,
        owner: Any = None,
        payload: bytes | None = None,
        message_id: str | None = None,
    ) -> OutgoingCall:
        """Queue a call; `calls` gives it out when its turn comes.

        :param timeout: seconds until it is given up, its time in the queue included; 0 or more.
            It also has its turn on the wire for so long, from when it is sent.
        :param payload: the request's JSON text, if it came as such (`read_own`).
        :param message_id: of a call that is made again, so that the peer knows it; None for a new
            one (OCPP 2.1 part 4, section 4.1.4).
        :raises QueueFull: if as many are queued as may be.
        :raises LocalProtocolError: if the version's schema does not allow the request.
        """
        if not isinstance(request, Request):
            raise LocalProtocolError(f"{type(request).__name__} is no request: it cannot be called")
        if not timeout >= 0:
            raise LocalProtocolError(f"a timeout is a number of seconds from 0 on, not {timeout}")
        self.calls.check_room()
        text = self.catalogue.write(request) if payload is None else payload
        if message_id is None:
            message_id = self._new_id()
        frame = frames.encode_call(MessageType.CALL, message_id, request.ACTION, text)
        call = OutgoingCall(message_id, request, frame, now, timeout, owner, payload is not None)
        self.calls.add(call)
        return call

    def read_own(self, action: str, payload: bytes) -> tuple[Request[Any], bytes]:
        """A request of ours that comes as JSON text, and that text without white space.

        :raises LocalProtocolError: if the version has no such action, or its schema does not
            allow the payload; the text names the place.
        """
        known = self._actions.get(action)
        if known is None or known.response is None:
            raise LocalProtocolError(f"OCPP {self.catalogue.version} has no CALL {action}")
        return self.catalogue.read_own(known, payload)

    def send(self, message: Send) -> bytes:
        """A SEND, which waits for nothing and nobody (OCPP 2.1).

        :raises LocalProtocolError: if the version has no such message.
        """
        if not isinstance(message, Send):
            raise LocalProtocolError(f"{type(message).__name__} is no SEND")
        payload = self.catalogue.write(message)
        return frames.encode_call(MessageType.SEND, self._new_id(), message.ACTION, payload)

    def close(self) -> list[CallEnded]:
        """End all calls, because nothing can be sent any more; the CALLs too stay unanswered."""
        self._answering = {}
        return self.calls.close()

    def _answered(self, message_id: str) -> None:
        try:
            del self._answering[message_id]
        except KeyError:
            raise LocalProtocolError(f"no CALL {message_id!r} waits for an answer") from None

    def _call(self, frame: Call, data: bytes) -> Event:
        message_id, digest = frame.id, crc32(data, self._salt)
        if message_id in self._answering:
            return self._again(message_id, digest)
        action = self._actions.get(frame.action)
        repairs = None
        try:
            if self.admits is not None and frame.action not in self.admits:
                raise CallFault(ErrorCode.SECURITY_ERROR, NOT_ADMITTED)
            if action is None:
                raise self._unknown_action(frame.action)
            if action.response is None:
                text = f"{frame.action} is a SEND, not a CALL"
                raise self.catalogue.fault(Fault.UNSUPPORTED_ACTION, text)
            try:
                request = action.read_request(frame.payload)
            except (msgspec.MsgspecError, RecursionError):
                request, repairs = self._mend(action, action.request, frame.payload)
        except CallFault as fault:
            reply = self._encode_error(MessageType.CALLERROR, message_id, fault)
            return Rejected(f"CALL {excerpt(frame.action, 50)}: {_short(fault)}", reply)
        self._answering[message_id] = digest
        return CallReceived(message_id, action, request, digest, frame.payload, repairs)

    def _again(self, message_id: str, digest: int) -> Rejected:
        """A CALL with the id of one that is being handled."""
        text = f"CALL {message_id!r} came again while it is being handled"
        if self._answering[message_id] == digest:
            return Rejected(text)  # one answer serves both
        fault = self.catalogue.fault(Fault.MALFORMED_FRAME, "another CALL with this id is open")
        return Rejected(
            f"{text}, with another payload",
            self._encode_error(MessageType.CALLERROR, message_id, fault),
        )

    def _send(self, frame: frames.Send) -> Event:
        action = self._actions.get(frame.action)
        if action is None or action.response is not None:
            return Rejected(f"{frame.action[:50]!r} is no SEND of OCPP {self.catalogue.version}")
        if self.admits is not None and frame.action not in self.admits:
            return Rejected(f"SEND {frame.action}: {NOT_ADMITTED}")
        repairs = None
        try:
            try:
                message = action.read_request(frame.payload)
            except (msgspec.MsgspecError, RecursionError):
                message, repairs = self._mend(action, action.request, frame.payload)
        except CallFault as fault:
            return Rejected(f"SEND {frame.action}: {_short(fault)}")
        return SendReceived(action, message, repairs)

    def _call_result(self, frame: CallResult) -> Event:
        call = self.calls.take(frame.id)
        if call is None:
            return Rejected(f"CALLRESULT {frame.id[:50]!r} answers no call that waits")
        action = self._actions[call.request.ACTION]
        repairs = None
        try:
            response = action.read_response(frame.payload)
        except (msgspec.MsgspecError, RecursionError):
            try:
                assert action.response is not None
                response, repairs = self._mend(action, action.response, frame.payload)
            except CallFault as fault:
                return self._invalid_response(call, fault)
        call.state = CallState.ENDED
        return CallAnswered(call, response, frame.payload, repairs)

    def _call_error(self, frame: CallError) -> Event:
        call = self.calls.take(frame.id)
        if call is None and frame.id == self.catalogue.rules.unreadable_id:
            # The peer could not read our message id (2.1 part 4, section 4.2.3).
            call = self.calls.take_unnamed()
        if call is None:
            return Rejected(
                f"CALLERROR {frame.id[:50]!r} answers no call that waits: "
                f"{excerpt(frame.code, 50)} {excerpt(frame.description)}"
            )
        if frame.details is not UNSET:
            return end(call, _received(frame))
        action = call.request.ACTION
        if self.leniency.treatment(Kind.SHORT_CALLERROR, action, "$") is Treatment.REJECT:
            return self._malformed(call, frames.not_of_the_form(MessageType.CALLERROR, frame.id))
        repair = Repair(Kind.SHORT_CALLERROR, action, "$", "$: a CALLERROR of less than 5 elements")
        return end(call, CallErrorReceived(frame.code, frame.description), repairs=[repair])

    def _mend(self, action: Action, kind: type, payload: bytes) -> tuple[Any, list[Repair]]:
        return self.catalogue.mend(action.name, kind, payload, self.leniency)

    def _faulty(self, fault: FrameFault) -> Event:
        """A message that is no frame: end the call that it was to answer, or answer it."""
        rules = self.catalogue.rules
        message_type, message_id = fault.message_type, fault.message_id
        if message_type in (MessageType.CALLRESULT, MessageType.CALLERROR):
            call = self.calls.take(message_id)
            if call is None:
                return Rejected(f"{MessageType(message_type).name} ignored: {fault}")
            if message_type == MessageType.CALLERROR:
                return self._malformed(call, fault)
            wrong = self.catalogue.fault(Fault.MALFORMED_FRAME, str(fault))
            return self._invalid_response(call, wrong)
        if message_type is not None and message_type not in rules.message_types:
            return self._unknown_type(message_type, message_id)
        if message_type in (MessageType.SEND, MessageType.CALLRESULTERROR):
            return Rejected(f"{MessageType(message_type).name} ignored: {fault}")
        return self._reject(Fault.MALFORMED_FRAME, message_id, str(fault))

    def _unknown_type(self, message_type: int, message_id: str | None) -> Rejected:
        text = f"message type {message_type} is not known to OCPP {self.catalogue.version}"
        if not self.catalogue.rules.answers_unknown_types:
            return Rejected(text)
        return self._reject(Fault.UNKNOWN_MESSAGE_TYPE, message_id, text)

    def _reject(self, fault: Fault, message_id: str | None, text: str) -> Rejected:
        if message_id is None:
            message_id = self.catalogue.rules.unreadable_id
        if message_id is None or message_id in self._answering:
            return Rejected(text)
        wrong = self.catalogue.fault(fault, text)
        return Rejected(text, self._encode_error(MessageType.CALLERROR, message_id, wrong))

    def _malformed(self, call: OutgoingCall, fault: FrameFault) -> CallEnded:
        wrong = self.catalogue.fault(Fault.MALFORMED_FRAME, str(fault))
        return end(call, InvalidResponse(str(wrong)))

    def _unknown_action(self, action: str) -> CallFault:
        text = f"OCPP {self.catalogue.version} has no action {action[:50]!r}"
        return self.catalogue.fault(Fault.UNKNOWN_ACTION, text)

    def _invalid_response(self, call: OutgoingCall, fault: CallFault) -> CallEnded:
        reply = None
        if self.catalogue.rules.answers_results:
            reply = self._encode_error(MessageType.CALLRESULTERROR, call.message_id, fault)
        text = f"the answer to {call.request.ACTION} is not one: {_short(fault)}"
        return end(call, InvalidResponse(text), reply)

    def _encode_error(self, message_type: MessageType, message_id: str, fault: CallFault) -> bytes:
        rules = self.catalogue.rules
        description = fault.description[: rules.description_limit]
        code = rules.spell(fault.code)
        return frames.encode_error(message_type, message_id, code, description, fault.details)


def _short(fault: CallFault) -> str:
    """The fault for a log: field names and values of the peer stand in it."""
    return f"{fault.code}: {excerpt(fault.description)}"


def _received(frame: CallError | CallResultError) -> CallErrorReceived:
    return CallErrorReceived(frame.code, frame.description, frame.details)
