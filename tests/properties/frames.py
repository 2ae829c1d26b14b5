"""What a charge point may say: valid, slightly wrong and hostile messages; what they are owed."""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.messages.payloads import Change, changes, smallest, valid
from tests.messages.schemas import CATALOGUES, Message, messages
from tests.properties.test_session import cut_and_pasted, rewritten
from tests.support import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

#: Version to the package of its messages.
PACKAGES = {catalogue.version: package for package, catalogue in CATALOGUES.items()}

#: Bytes of the largest message that the server takes.
MOST = 50_000

#: Few, so that the same id comes again; some that are too long.
IDS = st.sampled_from(["a", "b", "c", "d", "1", "-1", "", "é" * 36, "x" * 37, "x" * 255, "x" * 256])

#: Messages that are no CALL, or hardly one.
NASTY = [
    b"",
    b" ",
    b"null",
    b"{}",
    b"[]",
    b"[2]",
    b'[2,"a"',
    b'[2,"a"]',
    b'[2,"b",',
    b'[2,null,"Heartbeat",{}]',
    b'[2,7,"Heartbeat",{}]',
    b'["2","a","Heartbeat",{}]',
    b'[2.0,"a","Heartbeat",{}]',
    b'[true,"a","Heartbeat",{}]',
    b'[1e400,"a","Heartbeat",{}]',
    b'[2,"a","Heartbeat",{},{}]',
    b'[2,"a",{},"Heartbeat",{}]',
    b'[2,"a","Heartbeat"]',
    b'[2,"a","Heartbeat",null]',
    b'[2,"a","Heartbeat",NaN]',
    b'[2,"a","Heartbeat",{"a":' + b"9" * 5000 + b"}]",
    b'[2,"a","\\ud800",{}]',
    b'[2,"\\ud800","Heartbeat",{}]',
    b'[2,"a","Heartbeat",' + b"[" * 3000 + b"]" * 3000 + b"]",
    b'[2,"a","Heartbeat",' + b'{"a":' * 3000,
    b"[" * 9000,
    b'[2,"' + b"x" * 9000 + b'","Heartbeat",{}]',
    b'[2,"a","' + b"x" * 9000 + b'",{}]',
    b'[2,"a","NotifyPeriodicEventStream",{}]',
    b'[0,"a"]',
    b'[7,"a",{}]',
    b"[7]",
    b'[-1,"a"]',
    b'[3,"a",{}]',
    b'[3,"-1",{}]',
    b"[3]",
    b'[4,"a","InternalError","",{}]',
    b'[4,"-1","RpcFrameworkError","",{}]',
    b'[4,"a"]',
    b"[4]",
    b'[5,"a","InternalError","",{}]',
    b'[5,"-1","InternalError","",{}]',
    b'[5,"a"]',
    b'[6,"a","NotifyPeriodicEventStream",{}]',
    (
        b'[6,"a","NotifyPeriodicEventStream",{"data":[{"t":0,"v":"1"}],"id":1,"pending":0,'
        b'"basetime":"2024-01-01T00:00:00Z"}]'
    ),
    b'[6,"a","Heartbeat",{}]',
    b'[6,"a"]',
    b"\xff",
    b'[2,"a","\xed\xa0\x80",{}]',
    b'[2,"a","Heartbeat",{}]\x00',
    b'\xef\xbb\xbf[2,"a","Heartbeat",{}]',
]

#: What RFC 6455 ends a connection for, with the code of its end: bytes of a client.
VIOLATIONS = [
    (b"\x81\x02[]", 1002),  # no mask
    (frame(b"[]", TEXT, rsv=1), 1002),
    (frame(b"", PING, rsv=2), 1002),
    (frame(b"", 3), 1002),
    (frame(b"", 11), 1002),
    (frame(b"[]", CONTINUATION), 1002),
    (frame(b"[", TEXT, fin=False) + frame(b"[]", TEXT), 1002),
    (frame(b"", PONG, fin=False), 1002),
    (frame(b"x" * 126, PING), 1002),
    (frame(b"\x03", CLOSE), 1002),
    (frame(struct.pack("!H", 1005), CLOSE), 1002),
    (frame(struct.pack("!H", 1000) + b"\xff", CLOSE), 1007),
    (b"\x81\xfe" + struct.pack("!H", 3) + bytes(7), 1002),
    (b"\x82\xff" + struct.pack("!Q", 1 << 63) + bytes(4), 1002),
    (b"\x81\xff" + struct.pack("!Q", 1 << 40) + bytes(400), 1009),
    (frame(b"[" * MOST, TEXT, fin=False) + frame(b"[", CONTINUATION), 1009),
    (frame(b"[\xc0", TEXT, fin=False), 1007),
    (frame(b"[", BINARY, fin=False) + frame(b"", CONTINUATION, fin=False) * 5000, 1008),
]

#: The frame of an action's smallest response.
RESULT = '[3,"{}",{}]'


@cache
def requests(version: str) -> list[Message]:
    """The requests of a version, whoever sends them."""
    catalogue = CATALOGUES[PACKAGES[version]]
    return [
        message
        for message in messages(PACKAGES[version])
        if message.is_request and catalogue.actions[message.action].response is not None
    ]


@cache
def smallest_response(version: str, action: str) -> Any:
    """A typed response to an action."""
    for message in messages(PACKAGES[version]):
        if message.action == action and not message.is_request:
            payload = smallest(message, message.schema)
            return message.catalogue.read_response(action, json.dumps(payload).encode())
    raise LookupError(action)


@cache
def _changes(message: Message) -> list[Change]:
    return list(changes(message, set()))


def call(message_id: str, action: str, payload: Any) -> bytes:
    """A CALL of the peer."""
    return json.dumps([2, message_id, action, payload], ensure_ascii=False).encode()


@st.composite
def said(draw: st.DrawFn, version: str) -> bytes:
    """One message of a charge point."""
    kind = draw(st.sampled_from(["small", "small", "valid", "wrong", "nasty", "nasty", "mutated"]))
    if kind == "nasty":
        return draw(st.sampled_from(NASTY))
    if kind == "mutated":
        return draw(cut_and_pasted() | rewritten())
    message = draw(st.sampled_from(requests(version)))
    message_id = draw(IDS)
    if kind == "small":
        payload = smallest(message, message.schema)
    elif kind == "valid":
        payload = draw(valid(message))
    else:
        payload = draw(st.sampled_from(_changes(message))).value
    data = call(message_id, message.action, payload)
    return data if len(data) <= MOST else b""


@dataclass(frozen=True)
class Owed:
    """What a message is owed.

    :ivar to: the message id that one answer must have; None if there is to be none.
    :ivar call: whether it is a readable CALL.
    :ivar perhaps: the text in which the id of an answer must be found, if nobody can tell whether
        there is to be one.
    :ivar close: the code with which the connection must end.
    """

    to: str | None = None
    call: bool = False
    perhaps: str | None = None
    close: int | None = None


#: The beginning of a CALL that is no JSON, whose id can be read all the same.
_BEGUN = re.compile(r'\s*\[\s*2\s*,\s*"([^"\\\x00-\x1f]{0,36})"\s*,')


def owed(version: str, data: bytes, text: bool, being_answered: dict[str, bytes]) -> Owed:
    """What a message is owed (docs/protocol.md, "Malformed messages").

    :param text: whether it is sent as text, not as binary.
    :param being_answered: the CALLs that have no answer yet, by their ids.
    """
    try:
        words = data.decode()
    except UnicodeDecodeError:
        return Owed(close=1007) if text else Owed(perhaps=data.decode(errors="replace"))
    try:
        tree = json.loads(words, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        begun = _BEGUN.match(words)
        if begun is None:
            return Owed(perhaps=words)
        if begun[1] in being_answered:
            return Owed(perhaps=words)  # a number that json refuses leaves it a readable CALL
        return Owed(begun[1])
    if "\\ud" in words.lower():
        return Owed(perhaps=words)  # maybe half a surrogate pair: then it is no Unicode text
    unreadable = None if version == "1.6" else "-1"
    if not isinstance(tree, list) or not tree:
        message_id = None
    else:
        number, message_id = tree[0], tree[1] if len(tree) > 1 else None
        if type(number) is int:
            if abs(number) >= 2**63:
                return Owed(perhaps=words)
            answers = (3, 4, 5, 6) if version == "2.1" else (3, 4)
            if number in answers or (number != 2 and version in ("1.6", "2.1")):
                return Owed()
    if not isinstance(message_id, str) or len(message_id) > 255:
        message_id = unreadable
    elif _is_call(tree):
        again = being_answered.get(message_id) == data
        return Owed(None if again else message_id, call=not again)
    return Owed(None if message_id in being_answered else message_id)


def _is_call(tree: list[Any]) -> bool:
    return (
        len(tree) == 4
        and type(tree[0]) is int
        and tree[0] == 2
        and len(tree[1]) <= 36
        and isinstance(tree[2], str)
    )


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(number)
    return value
