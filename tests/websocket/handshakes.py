"""A central system's end of the opening handshake, byte by byte (RFC 6455, section 4.2)."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def header(request: bytes, name: str) -> str | None:
    """A header of a request."""
    for line in request.decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None


def accept(request: bytes, subprotocol: str | None) -> bytes:
    """The answer that lets a charge point in."""
    key = (header(request, "Sec-WebSocket-Key") or "").encode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {b64encode(sha1(key + _GUID).digest()).decode()}",
    ]
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    return "\r\n".join([*lines, "", ""]).encode()
