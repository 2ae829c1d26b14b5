"""The message frames of OCPP-J: JSON arrays that begin with a message type number.

Imports msgspec and `rules`. Source: OCPP-J 1.6 section 4.2, OCPP 2.1 part 4 section 4.2. A frame
that is read well costs one pass over its bytes, its payload left as it came; a frame that is not
is looked at again, to tell what can still be read of it.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from contextlib import suppress
from itertools import accumulate
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ocpp_twisted.ocppj.rules import MessageType

__all__ = [
    "MAX_DEPTH",
    "Call",
    "CallError",
    "CallResult",
    "CallResultError",
    "FrameFault",
    "Send",
    "TooDeep",
    "decode",
    "encode_call",
    "encode_error",
    "encode_result",
    "not_of_the_form",
]

#: At most 36 characters, "to allow for GUIDs" (OCPP-J 1.6, table 3).
MessageId = Annotated[str, Meta(max_length=36)]


class Call(Struct, array_like=True, tag=2, gc=False):
    """A CALL: ``[2, id, action, payload]``."""

    id: MessageId
    action: str
    payload: Raw
    surplus: Raw | UnsetType = UNSET


class CallResult(Struct, array_like=True, tag=3, gc=False):
    """A CALLRESULT: ``[3, id, payload]``."""

    id: str
    payload: Raw
    surplus: Raw | UnsetType = UNSET


class CallError(Struct, array_like=True, tag=4, gc=False):
    """A CALLERROR: ``[4, id, code, description, details]``; real ones lack the last or two.

    :ivar details: `UNSET` in one that is too short.
    """

    id: str
    code: str
    description: str = ""
    details: Any = UNSET
    surplus: Raw | UnsetType = UNSET


class CallResultError(Struct, array_like=True, tag=5, gc=False):
    """A CALLRESULTERROR of OCPP 2.1, shaped as a CALLERROR."""

    id: str
    code: str
    description: str = ""
    details: Any = msgspec.field(default_factory=dict)
    surplus: Raw | UnsetType = UNSET


class Send(Struct, array_like=True, tag=6, gc=False):
    """A SEND of OCPP 2.1: ``[6, id, action, payload]``."""

    id: MessageId
    action: str
    payload: Raw
    surplus: Raw | UnsetType = UNSET


Frame = Call | CallResult | CallError | CallResultError | Send


class FrameFault(Exception):
    """Bytes that are no frame.

    :ivar message_type: the message type number as far as it could be read; it may be one that no
        version knows.
    :ivar message_id: the message id if it could be read.
    """

    def __init__(self, message_type: int | None, message_id: str | None, text: str) -> None:
        super().__init__(text)
        self.message_type = message_type
        self.message_id = message_id


class TooDeep(FrameFault):
    """Bytes that are nested too deeply to be looked at."""


#: A message id that is too long is repeated in the CALLERROR, for its sender to find; up to here.
_LONGEST_ECHO = 255

_decode_frame = msgspec.json.Decoder(Frame).decode
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


#: How deep a message may be nested if nobody says otherwise.
MAX_DEPTH = 64


def decode(data: bytes, max_depth: int = MAX_DEPTH) -> Frame:
    """The frame in one WebSocket text message.

    :param max_depth: how deep its arrays and objects may be nested, its own array included.
    :raises FrameFault: if it is none; a `TooDeep` if it is nested deeper.
    """
    if (
        len(data) > max_depth
        # How many brackets there are: for most messages a third of the time that count() takes.
        and len(data) - len(data.translate(None, b"[{")) > max_depth
        and _is_too_deep(data, max_depth)
    ):
        raise _diagnose_text(data, f"the message is nested more than {max_depth} deep", TooDeep)
    try:
        frame: Frame = _decode_frame(data)
        if not data.isascii():
            data.decode()  # msgspec takes a payload as it comes, without a look at its UTF-8
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise _diagnose(data) from None
    if frame.surplus is not UNSET:
        raise _diagnose(data)
    return frame


def encode_call(message_type: MessageType, message_id: str, action: str, payload: bytes) -> bytes:
    """A CALL or a SEND."""
    return _encode((message_type, message_id, action, Raw(payload)))


def encode_result(message_id: str, payload: bytes) -> bytes:
    """A CALLRESULT."""
    return _encode((3, message_id, Raw(payload)))


def encode_error(
    message_type: MessageType,
    message_id: str,
    code: str,
    description: str,
    details: Mapping[str, Any],
) -> bytes:
    """A CALLERROR or a CALLRESULTERROR, always with its five elements."""
    return _encode((message_type, message_id, code, description, details))


_SHAPES = {
    MessageType.CALL: "[2, id, action, payload]",
    MessageType.CALLRESULT: "[3, id, payload]",
    MessageType.CALLERROR: "[4, id, code, description, details]",
    MessageType.CALLRESULTERROR: "[5, id, code, description, details]",
    MessageType.SEND: "[6, id, action, payload]",
}

#: The beginning of a frame whose rest is not JSON.
_BEGINNING = re.compile(
    rb'\s*\[\s*(0|[1-9]\d{0,18})\s*(?:,\s*"([^"\\\x00-\x1f]{0,36})"\s*,|(?=,|\Z))'
)


def _diagnose(data: bytes) -> FrameFault:
    try:
        elements = _decode_any(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _diagnose_text(data)
    if not isinstance(elements, list) or not elements:
        return FrameFault(None, None, "a message is a JSON array that is not empty")
    message_type = elements[0] if type(elements[0]) is int else None
    message_id = elements[1] if len(elements) > 1 and isinstance(elements[1], str) else None
    if message_id is not None and len(message_id) > _LONGEST_ECHO:
        message_id = None
    if message_type is None:
        text = "the message type is not a whole number"
    elif message_type not in _SHAPES:
        text = f"message type {message_type} is not known"
    elif message_id is None:
        text = "the message id is not a string"
    elif len(message_id) > 36:
        text = "the message id is longer than 36 characters"
    else:
        return not_of_the_form(MessageType(message_type), message_id)
    return FrameFault(message_type, message_id, text)


def not_of_the_form(message_type: MessageType, message_id: str) -> FrameFault:
    """The fault of a frame that has too few elements, too many, or one of a wrong type."""
    text = f"the message is not of the form {_SHAPES[message_type]}"
    return FrameFault(message_type, message_id, text)


def _diagnose_text(
    data: bytes, text: str = "the message is not JSON", kind: type[FrameFault] = FrameFault
) -> FrameFault:
    beginning = _BEGINNING.match(data)
    if beginning is None:
        return kind(None, None, text)
    message_id = None
    if beginning[2] is not None:
        with suppress(UnicodeDecodeError):
            message_id = beginning[2].decode()
    return kind(int(beginning[1]), message_id, text)


#: A string, or what begins one that has no end. What it has taken is never looked at again: to
#: begin anew at each quote of a string without an end would take hours for a megabyte.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
#: One deeper, one less deep.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
#: How many brackets are looked at before it is seen whether they are too deep already.
_SOME = 4096


def _is_too_deep(data: bytes, max_depth: int) -> bool:
    """Whether JSON text is nested too deeply; without recursion, in time that grows as its length
    does.
    """
    brackets = _STRING.sub(b"", data).translate(_STEPS, _NO_BRACKETS)
    depth = 0
    for begin in range(0, len(brackets), _SOME):
        steps = array("b", brackets[begin : begin + _SOME])
        depths = list(accumulate(steps, initial=depth))
        if max(depths) > max_depth:
            return True
        depth = depths[-1]
    return False
