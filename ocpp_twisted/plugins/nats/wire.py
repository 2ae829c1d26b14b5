"""What gateways and workers say to each other: headers and JSON, as docs/distributed.md tells them.

Imports msgspec, the errors, the identity, registration and `protocol`. Two headers tell of a
message what is not its payload; more of them would cost both ends more, because each is a line to
be parsed.

=================  ============================================================================
``Ocpp-Wire``      the version of this form: ``1``
``Ocpp-Call``      of a message from a gateway: a JSON object, see `Origin`
``Ocpp-Outcome``   of an answer: ``CALLRESULT`` or ``CALLERROR``
``Ocpp-After``     of a CALLRESULT: the subject where the worker wants to hear that it was written
=================  ============================================================================

The payload of a CALL or CALLRESULT is that of the OCPP message, JSON text. That of a CALLERROR is
an `ErrorBody`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ocpp_twisted.errors import CallErrorReceived, CallFailed, CallFault, ErrorCode, OCPPError
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.nats.protocol import Message, block
from ocpp_twisted.registration import Status

__all__ = [
    "AFTER",
    "CALL",
    "OUTCOME",
    "REGISTRATIONS",
    "RESULT",
    "WIRE",
    "Ended",
    "ErrorBody",
    "Offline",
    "Origin",
    "Result",
    "WireError",
    "error_answer",
    "head_of",
    "head_of_call",
    "origin_of",
    "read_answer",
    "read_offline",
    "read_result",
    "result_head",
]

WIRE, CALL, OUTCOME, AFTER = "Ocpp-Wire", "Ocpp-Call", "Ocpp-Outcome", "Ocpp-After"
_VERSION = "1"
#: What stands before and after the JSON of an `Origin`, where there are no other headers.
_BEFORE, _BEHIND = f"NATS/1.0\r\n{WIRE}: {_VERSION}\r\n{CALL}: ".encode(), b"\r\n\r\n"
_END = b"}" + _BEHIND
_CALLRESULT, _CALLERROR = "CALLRESULT", "CALLERROR"
#: The headers of a CALLRESULT, if there is only the one.
RESULT = block({OUTCOME: _CALLRESULT})
_encode = msgspec.json.Encoder().encode


#: A registration as `Origin` tells it.
REGISTRATIONS = {
    Status.UNKNOWN: "",
    Status.ACCEPTED: "Accepted",
    Status.PENDING: "Pending",
    Status.REJECTED: "Rejected",
}

_STATUSES = {text: status for status, text in REGISTRATIONS.items()}


class WireError(OCPPError):
    """A message over NATS is not of the form that it should have."""


class Origin(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Of which charge point a message is; the JSON of the header ``Ocpp-Call``.

    Members that are the default here are left out.

    :ivar id: the charge point's id.
    :ivar version: the OCPP version of its connection.
    :ivar action: of the CALL or SEND; empty where there is none.
    :ivar message_id: of the CALL; a retry of the charge point has the same one. On the wire it is
        ``messageId``.
    :ivar name: under which it connected.
    :ivar peer: where it connects from.
    :ivar registration: the answer to its last BootNotification, ``Accepted``, ``Pending`` or
        ``Rejected``; empty if there was none.
    :ivar security_profile: how it has proved who it is (0 to 3); on the wire ``securityProfile``.
    :ivar node: the gateway's name.
    """

    id: str
    version: str
    action: str = ""
    message_id: str = ""
    name: str = ""
    peer: str = ""
    registration: str = ""
    security_profile: int = 0
    node: str = ""

    @property
    def identity(self) -> Identity:
        """The charge point."""
        return Identity(self.id, self.name)

    @property
    def status(self) -> Status:
        """`registration`, as handlers know it."""
        return _STATUSES.get(self.registration, Status.UNKNOWN)


_read_origin = msgspec.json.Decoder(Origin).decode


def head_of(origin: Origin) -> bytes:
    """The headers of a message from a gateway; JSON has no line ends in it."""
    return _BEFORE + _encode(origin) + _BEHIND


def head_of_call(head: bytes, action: str, message_id: str) -> bytes:
    """The headers of a CALL.

    :param head: those of another message of the same charge point, of no CALL.
    """
    beginning = head[: -len(_END)]
    return b'%b,"action":%b,"messageId":%b%b' % (
        beginning,
        _encode(action),
        _encode(message_id),
        _END,
    )


def origin_of(message: Message) -> Origin:
    """What the headers of a message from a gateway tell.

    :raises WireError: if they are not of this form.
    """
    head = message.head
    try:
        if head.startswith(_BEFORE):
            return _read_origin(head[len(_BEFORE) :])
    except msgspec.MsgspecError:
        pass  # there are others besides, or it is none
    headers = message.headers
    version = headers.get(WIRE)
    if version != _VERSION:
        raise WireError(f"its header {WIRE} is {version!r}: this understands {_VERSION!r} only")
    try:
        return _read_origin(headers[CALL])
    except (KeyError, msgspec.MsgspecError) as error:
        raise WireError(f"its header {CALL}: {error}") from error


# -- answers of workers -----------------------------------------------------------------------


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """The payload of a CALLERROR.

    :ivar code: in the spelling of OCPP 2.x; the version's own goes to the charge point.
    """

    code: str
    description: str = ""
    details: dict[str, Any] = {}


_read_error = msgspec.json.Decoder(ErrorBody).decode


def result_head(after: str | None = None) -> bytes:
    """The headers of a CALLRESULT.

    :param after: the subject where the worker wants to hear that it was written.
    """
    if after is None:
        return RESULT
    return block({OUTCOME: _CALLRESULT, AFTER: after})


def error_answer(fault: CallFault) -> tuple[bytes, dict[str, str]]:
    """The payload and the headers of a CALLERROR.

    :raises TypeError: or ValueError or RecursionError, if the details are not JSON.
    """
    body = ErrorBody(fault.code, fault.description, fault.details)
    return _encode(body), {OUTCOME: _CALLERROR}


def read_answer(message: Message) -> tuple[bytes, str | None]:
    """The payload of a CALLRESULT, and the subject of its header ``Ocpp-After``, if it has one.

    :raises CallFault: if it is a CALLERROR.
    :raises WireError: if it is neither.
    """
    if message.head == RESULT:
        return message.data, None
    headers = message.headers
    outcome = headers.get(OUTCOME)
    if outcome == _CALLRESULT:
        return message.data, headers.get(AFTER)
    if outcome != _CALLERROR:
        raise WireError(f"the header {OUTCOME} of an answer is {outcome!r}")
    try:
        body = _read_error(message.data)
        fault = CallFault(ErrorCode(body.code), body.description, body.details)
    except (ValueError, msgspec.MsgspecError) as error:
        raise WireError(f"a CALLERROR: {error}") from error
    raise fault


# -- what charge points answered to calls of ours ---------------------------------------------


class Result(Struct, frozen=True, omit_defaults=True):
    """The payload of a message about a call of ours: what was asked, and what came of it.

    :ivar request: the payload of the CALL.
    :ivar response: the payload of the CALLRESULT, if there is one.
    :ivar error: the CALLERROR, if there is one. ``InvalidResponse`` is the code for an answer that
        could not be read.
    """

    request: Raw
    response: Raw | UnsetType = UNSET
    error: Ended | UnsetType = UNSET


class Offline(Struct, frozen=True):
    """The payload of a message that tells that a charge point has no connection any more."""

    reason: str
    seconds: float


class Ended(Struct, frozen=True, omit_defaults=True):
    """How a call of ours has ended, if not with a CALLRESULT."""

    code: str
    description: str = ""
    details: Any = {}

    @classmethod
    def of(cls, error: CallFailed) -> Ended:
        """What is told of an error."""
        if isinstance(error, CallErrorReceived):
            return cls(error.code, error.description, error.details)
        return cls(type(error).__name__, str(error))


_read_offline = msgspec.json.Decoder(Offline).decode
_read_result = msgspec.json.Decoder(Result).decode


def read_result(payload: bytes) -> Result:
    """What a message about a call of ours tells.

    :raises WireError: if it is not of this form.
    """
    try:
        return _read_result(payload)
    except msgspec.MsgspecError as error:
        raise WireError(f"the result of a call: {error}") from error


def read_offline(payload: bytes) -> Offline:
    """Why a charge point has no connection any more.

    :raises WireError: if it is not of this form.
    """
    try:
        return _read_offline(payload)
    except msgspec.MsgspecError as error:
        raise WireError(f"a charge point that is offline: {error}") from error
