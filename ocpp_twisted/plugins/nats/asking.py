"""What anybody asks of the gateway that holds a charge point: headers and JSON of both ways.

Imports msgspec, the errors, the interfaces, `protocol` and `wire`. See docs/distributed.md; with
NATS's own tool::

    nats request ocpp.call.=.CP1 '{"type":"Soft"}' -H Ocpp-Action:Reset

=================  ============================================================================
``Ocpp-Ask``       of a request: `Ask`; a call if it is absent
``Ocpp-Action``    of a call: the OCPP action
``Ocpp-Version``   of a call: the OCPP version that its payload is of; if absent, the charge point's
``Ocpp-Timeout``   of a call: seconds until it is given up; if absent, as the gateway has it
``Ocpp-Outcome``   of an answer: ``CALLRESULT``, ``CALLERROR``, ``DONE`` or ``FAILED``
=================  ============================================================================

The payload of a CALLERROR is an `Ended`, that of ``FAILED`` a `Failed`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from ocpp_twisted.errors import (
    CallErrorReceived,
    CallNotAllowed,
    CallTimedOut,
    ConnectionLost,
    InvalidResponse,
    LocalProtocolError,
    NotConnected,
    OCPPError,
    QueueFull,
)
from ocpp_twisted.interfaces import RepairCount
from ocpp_twisted.plugins.nats.protocol import Message, block
from ocpp_twisted.plugins.nats.wire import OUTCOME, RESULT, WIRE, Ended, WireError

__all__ = [
    "Ask",
    "Asked",
    "Close",
    "Found",
    "Register",
    "Watch",
    "asked_of",
    "call_head",
    "done_answer",
    "failed_answer",
    "headers_to",
    "outcome_of",
    "read",
]

_ASK, _ACTION, _VERSION, _TIMEOUT = "Ocpp-Ask", "Ocpp-Action", "Ocpp-Version", "Ocpp-Timeout"
_CALLRESULT, _CALLERROR, _DONE, _FAILED = "CALLRESULT", "CALLERROR", "DONE", "FAILED"
_WIRE_VERSION = "1"
#: Headers that are longer have something of their own in them.
_USUAL = 300
_encode = msgspec.json.Encoder().encode


class Ask(StrEnum):
    """What is asked.

    ``call``: the payload is that of the CALL. ``connected``: no payload, the answer is a `Found`.
    ``disconnect``: a `Close`. ``register``: a `Register`. ``share``: no payload, see
    `ocpp_twisted.interfaces.ISharedMemory.settle`. ``watch``: a `Watch`.
    """

    CALL = "call"
    CONNECTED = "connected"
    DISCONNECT = "disconnect"
    REGISTER = "register"
    SHARE = "share"
    WATCH = "watch"


class Asked(Struct, frozen=True):
    """The headers of a request; see the head of this module."""

    ask: Ask
    action: str = ""
    version: str | None = None
    timeout: float | None = None


class Close(Struct, frozen=True):
    """How to close a charge point's connection: WebSocket's code, and a reason."""

    code: int = 1000
    reason: str = ""


class Register(Struct, frozen=True):
    """See `ocpp_twisted.interfaces.IActiveCaller.register`."""

    status: str


class Watch(Struct, frozen=True):
    """For how many seconds a charge point's messages are to be published; 0: no longer."""

    seconds: float


class Found(Struct, frozen=True):
    """A charge point that is connected: its OCPP version, whence, for how long, and where.

    :ivar repairs: what it does wrong and was let through.
    """

    version: str
    peer: str
    seconds: float
    node: str
    repairs: Sequence[RepairCount] = ()


class Failed(Struct, frozen=True, omit_defaults=True):
    """Why there is no answer of the charge point.

    :ivar error: the name of a class in `ocpp_twisted.errors`.
    :ivar sent: whether the charge point may have acted on it.
    """

    error: str
    description: str
    sent: bool = False


#: The errors that a caller is told as they are, and whether the call was sent.
_ERRORS: Mapping[str, tuple[Callable[[str], OCPPError], bool]] = {
    "CallNotAllowed": (CallNotAllowed, False),
    "ConnectionLost": (ConnectionLost, True),
    "InvalidResponse": (InvalidResponse, True),
    "LocalProtocolError": (LocalProtocolError, False),
    "NotConnected": (NotConnected, False),
    "QueueFull": (QueueFull, False),
}

_read_ended = msgspec.json.Decoder(Ended).decode
_read_failed = msgspec.json.Decoder(Failed).decode


# -- requests ---------------------------------------------------------------------------------


def headers_to(ask: Ask) -> dict[str, str]:
    """The headers of a request that is no call."""
    return {WIRE: _WIRE_VERSION, _ASK: ask}


@lru_cache(maxsize=256)
def call_head(action: str, version: str | None, timeout: float) -> bytes:
    """The headers of a call."""
    headers = {WIRE: _WIRE_VERSION, _ACTION: action, _TIMEOUT: str(timeout)}
    if version is not None:
        headers[_VERSION] = version
    return block(headers)


def asked_of(message: Message) -> Asked:
    """What the headers of a request tell.

    :raises WireError: if they are not of this form.
    """
    head = message.head
    return _asked_before(head) if len(head) <= _USUAL else _asked(message.headers)


@lru_cache(maxsize=256)
def _asked_before(head: bytes) -> Asked:
    """Most calls have headers that many others have too."""
    return _asked(Message("", "", b"", head).headers)


def _asked(headers: Mapping[str, str]) -> Asked:
    if (version := headers.get(WIRE, _WIRE_VERSION)) != _WIRE_VERSION:
        text = f"its header {WIRE} is {version!r}: this understands {_WIRE_VERSION!r} only"
        raise WireError(text)
    try:
        ask = Ask(headers.get(_ASK, Ask.CALL))
        timeout = float(headers[_TIMEOUT]) if _TIMEOUT in headers else None
    except ValueError as error:
        raise WireError(f"the headers of a request: {error}") from error
    if timeout is not None and not 0 <= timeout < math.inf:
        raise WireError(f"its header {_TIMEOUT} is a number of seconds from 0 on, not {timeout}")
    action = headers.get(_ACTION, "")
    if ask is Ask.CALL and not action:
        raise WireError(f"a call says its action in the header {_ACTION}")
    return Asked(ask, action, headers.get(_VERSION), timeout)


def read(kind: type[Any], payload: bytes) -> Any:
    """A payload as one of the classes here.

    :raises WireError: if it is none.
    """
    try:
        return msgspec.json.decode(payload or b"{}", type=kind)
    except msgspec.MsgspecError as error:
        raise WireError(f"{kind.__name__}: {error}") from error


# -- answers ----------------------------------------------------------------------------------


def done_answer(result: Struct | None = None) -> tuple[bytes, dict[str, str]]:
    """The payload and the headers of an answer to what is no call."""
    return (b"" if result is None else _encode(result)), {OUTCOME: _DONE}


def failed_answer(error: Exception) -> tuple[bytes, dict[str, str]]:
    """The payload and the headers of an answer that tells an error."""
    if isinstance(error, CallErrorReceived):
        return _encode(Ended.of(error)), {OUTCOME: _CALLERROR}
    if isinstance(error, CallTimedOut):
        failed = Failed("CallTimedOut", str(error), error.sent)
    elif type(error).__name__ in _ERRORS:
        name = type(error).__name__
        failed = Failed(name, str(error), _ERRORS[name][1])
    else:
        # What has gone wrong here stays here; whether it was sent is not known.
        failed = Failed("ConnectionLost", "the gateway has failed", True)
    return _encode(failed), {OUTCOME: _FAILED}


def outcome_of(message: Message) -> bytes:
    """What an answer brings.

    :returns: the payload of the CALLRESULT, or of ``DONE``.
    :raises OCPPError: what the answer tells.
    :raises WireError: if it is not of this form.
    """
    payload = message.data
    if message.head == RESULT:
        return payload
    outcome = message.headers.get(OUTCOME)
    if outcome in (_CALLRESULT, _DONE):
        return payload
    try:
        if outcome == _CALLERROR:
            ended = _read_ended(payload)
            raise CallErrorReceived(ended.code, ended.description, ended.details)
        if outcome == _FAILED:
            failed = _read_failed(payload)
            if failed.error == "CallTimedOut":
                raise CallTimedOut(failed.description, sent=failed.sent)
            make, _ = _ERRORS.get(failed.error, (ConnectionLost, True))
            raise make(failed.description)
    except msgspec.MsgspecError as error:
        raise WireError(f"an answer: {error}") from error
    raise WireError(f"the header {OUTCOME} of an answer is {outcome!r}")
