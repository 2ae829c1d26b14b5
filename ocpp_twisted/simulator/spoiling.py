"""Messages made wrong, each in one way that has been seen in the field or is not hard to imagine.

Imports the standard library only. What is wrong with each is told by OCPP-J 1.6 section 4.2 and
OCPP 2.1 part 4 section 4.2: the shape of a message; and by the versions' schemas: its payload.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

__all__ = ["SPOILING", "spoiled"]

#: A frame, and what chance decides: the same frame made wrong. It may be changed in place.
_Spoil = Callable[[list[Any], Random], Any]

_CALL, _CALLERROR = 2, 4
#: Deeper than any server follows.
_DEEP = 2000


def spoiled(message: bytes, way: str, random: Random) -> bytes:
    """A message as it must not be.

    :param message: a CALL, CALLRESULT, CALLERROR, or any other message that is right.
    :param way: one of `SPOILING`, or the empty text for any of them.
    """
    way = way or random.choice(tuple(SPOILING))
    spoil = _BYTES.get(way)
    if spoil is not None:
        return spoil(message, random)
    return json.dumps(_FRAMES[way](json.loads(message), random), separators=(",", ":")).encode()


# -- what is wrong before it is read as JSON ------------------------------------------------------


def _truncated(message: bytes, random: Random) -> bytes:
    return message[: random.randrange(1, len(message))]


def _not_json(message: bytes, random: Random) -> bytes:
    return message.replace(b'"', b"'")


def _not_utf_8(message: bytes, random: Random) -> bytes:
    return message[:-1] + b',"\xff"]'


def _deep(message: bytes, random: Random) -> bytes:
    return message[:-1] + b"," + b"[" * _DEEP + b"]" * _DEEP + b"]"


# -- what is wrong with the array -----------------------------------------------------------------


def _no_array(frame: list[Any], random: Random) -> Any:
    return {"message": frame}


def _empty(frame: list[Any], random: Random) -> Any:
    return []


def _unknown_type(frame: list[Any], random: Random) -> Any:
    return [9, *frame[1:]]


def _type_as_text(frame: list[Any], random: Random) -> Any:
    return [str(frame[0]), *frame[1:]]


def _surplus_element(frame: list[Any], random: Random) -> Any:
    return [*frame, {}]


def _missing_element(frame: list[Any], random: Random) -> Any:
    return frame[:-1]


def _id_as_number(frame: list[Any], random: Random) -> Any:
    return [frame[0], random.randrange(1_000_000), *frame[2:]]


def _id_too_long(frame: list[Any], random: Random) -> Any:
    return [frame[0], str(frame[1]).ljust(100, "-"), *frame[2:]]


def _unknown_action(frame: list[Any], random: Random) -> Any:
    if frame[0] != _CALL:
        return _unknown_code(frame, random)  # the nearest to it in an answer
    return [frame[0], frame[1], f"{frame[2]}Now", *frame[3:]]


def _four_elements(frame: list[Any], random: Random) -> Any:
    return [_CALLERROR, frame[1], "GenericError", ""]


def _unknown_code(frame: list[Any], random: Random) -> Any:
    return [_CALLERROR, frame[1], "SomethingElse", "", {}]


# -- what is wrong with the payload, the last element ---------------------------------------------


def _null_payload(frame: list[Any], random: Random) -> Any:
    return [*frame[:-1], None]


def _payload_as_text(frame: list[Any], random: Random) -> Any:
    return [*frame[:-1], json.dumps(frame[-1])]


def _unknown_field(frame: list[Any], random: Random) -> Any:
    return _with(frame, "vendorExtra", 1)


def _missing_field(frame: list[Any], random: Random) -> Any:
    if not _payload(frame):
        return _missing_element(frame, random)
    name = _any_field(frame, random)
    return [*frame[:-1], {key: value for key, value in _payload(frame).items() if key != name}]


def _null_field(frame: list[Any], random: Random) -> Any:
    return _with(frame, _any_field(frame, random), None)


def _wrong_type(frame: list[Any], random: Random) -> Any:
    name = _any_field(frame, random)
    wrong: Any = {} if isinstance(_payload(frame).get(name), str | list) else ["wrong"]
    return _with(frame, name, wrong)


def _payload(frame: list[Any]) -> dict[str, Any]:
    return frame[-1] if isinstance(frame[-1], dict) else {}


def _any_field(frame: list[Any], random: Random) -> str:
    return random.choice(sorted(_payload(frame)) or ["customData"])


def _with(frame: list[Any], name: str, value: Any) -> Any:
    return [*frame[:-1], {**_payload(frame), name: value}]


_BYTES: Mapping[str, Callable[[bytes, Random], bytes]] = {
    "truncated": _truncated,
    "not-json": _not_json,
    "not-utf-8": _not_utf_8,
    "deep": _deep,
}
_FRAMES: Mapping[str, _Spoil] = {
    "no-array": _no_array,
    "empty": _empty,
    "unknown-type": _unknown_type,
    "type-as-text": _type_as_text,
    "surplus-element": _surplus_element,
    "missing-element": _missing_element,
    "id-as-number": _id_as_number,
    "id-too-long": _id_too_long,
    "unknown-action": _unknown_action,
    "four-elements": _four_elements,
    "unknown-code": _unknown_code,
    "null-payload": _null_payload,
    "payload-as-text": _payload_as_text,
    "unknown-field": _unknown_field,
    "missing-field": _missing_field,
    "null-field": _null_field,
    "wrong-type": _wrong_type,
}
#: The ways, by their names.
SPOILING = (*_BYTES, *_FRAMES)
