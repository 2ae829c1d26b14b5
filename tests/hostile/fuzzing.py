"""What is sent: real frames and handshakes with changes, and bytes that are nothing at all."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from random import Random

from tests.support import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_frame, frame, request

#: How often each round is done, and where chance begins.
TIMES = int(os.environ.get("OCPP_TEST_HOSTILE", "1"))
SEED = int(os.environ.get("OCPP_TEST_HOSTILE_SEED", "1"))

MESSAGES = [
    b'[2,"h1","Heartbeat",{}]',
    b'[2,"b1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]',
    b'[2,"m1","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2026-01-02T03:04:05Z",%b]'
    % b'"sampledValue":[{"value":"1.5","unit":"kWh"}]}]}',
    b'[2,"s1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]',
    b'[2,"d1","DataTransfer",{"vendorId":"v","data":"' + b"x" * 300 + b'"}]',
    b'[3,"1",{}]',
    b'[4,"1","InternalError","",{}]',
    b"[" * 2000,
    b'{"a":' * 500,
    b'[2,"n1","Heartbeat",{"a":1e999}]',
]
_OPCODES = [TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION, 3, 11]


def hostile_bytes(chance: Random) -> bytes:
    """What comes after a handshake."""
    return b"".join(chance.choice(_KINDS)(chance) for _ in range(chance.randrange(1, 6)))


def hostile_handshake(chance: Random) -> bytes:
    """What comes instead of a handshake."""
    head = request(chance.choice(["/ocpp/CP9", "/CP9", "/ocpp/%00", "/" + "x" * 300, "//", "/%"]))
    match chance.randrange(5):
        case 0:
            return chance.randbytes(chance.randrange(1, 400)) + b"\r\n\r\n"
        case 1:
            lines = head.split(b"\r\n")
            chance.shuffle(lines)
            return b"\r\n".join(lines)
        case 2:
            at = chance.randrange(len(head))
            return head[:at] + head[at - chance.randrange(at + 1) :]
        case 3:
            header = b"X-%b: %b\r\n" % (
                chance.randbytes(8).hex().encode(),
                chance.randbytes(chance.randrange(200)),
            )
            return head[:-2] + header * chance.randrange(1, 60) + b"\r\n"
        case _:
            return _changed(chance, head)


def pieces(chance: Random, data: bytes) -> Iterator[bytes]:
    """The same bytes as a socket may bring them."""
    while data:
        size = chance.choice([1, 2, 7, 100, 4096, 65536])
        yield data[:size]
        data = data[size:]


def _changed(chance: Random, data: bytes) -> bytes:
    """One to four places are other bytes, gone, or there twice."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(changed)) if changed else 0
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = chance.randbytes(1)
            case 1:
                del changed[at : at + chance.randrange(1, 9)]
            case 2:
                changed[at:at] = changed[at : at + chance.randrange(1, 40)]
            case _:
                changed[at:at] = chance.randbytes(chance.randrange(1, 5))
    return bytes(changed)


def _real(chance: Random) -> bytes:
    return frame(chance.choice(MESSAGES))


def _changed_message(chance: Random) -> bytes:
    return frame(_changed(chance, chance.choice(MESSAGES)))


def _changed_frame(chance: Random) -> bytes:
    return _changed(chance, _real(chance))


def _any_frame(chance: Random) -> bytes:
    payload = chance.choice([b"", chance.choice(MESSAGES), chance.randbytes(chance.randrange(130))])
    opcode = chance.choice(_OPCODES)
    return frame(payload, opcode, fin=chance.random() < 0.7, rsv=chance.choice([0, 0, 0, 4, 1]))


def _compressed(chance: Random) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    data = deflate.compress(chance.choice([*MESSAGES, bytes(2_000_000)]))
    data += deflate.flush(zlib.Z_SYNC_FLUSH)
    data = data.removesuffix(b"\0\0\xff\xff")
    return frame(data if chance.random() < 0.5 else _changed(chance, data), rsv=4)


def _noise(chance: Random) -> bytes:
    return chance.randbytes(chance.randrange(1, 300))


def _closing(chance: Random) -> bytes:
    return close_frame(chance.choice([1000, 1001, 1002, 999, 1005, 5000]))


_KINDS = [
    _real,
    _real,
    _changed_message,
    _changed_message,
    _changed_frame,
    _any_frame,
    _compressed,
    _noise,
    _closing,
]
