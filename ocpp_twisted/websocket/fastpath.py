"""The short road for the message that nearly every message is: one whole text frame in one read.

Reading: a frame that is alone in its read, final, text, masked, uncompressed, of the shortest
length encoding, not larger than allowed, and UTF-8, is unmasked here and handed on. Everything
else goes to Autobahn untouched, and so does all that follows until Autobahn has no frame and no
message begun: it steps aside for a fragment, a control frame, several frames in one read or half
a one, a compressed or unmasked frame, wrong UTF-8, and whenever the connection is not open.

Writing: an uncompressed message goes to the socket at once if that is a plain TCP transport of
Twisted with nothing of ours still waiting to be sent. It steps aside for TLS, for any other
transport, for bytes that wait, and for a connection that compresses or is closing.

The peer sees the same bytes on either road (RFC 6455 sections 5.2 and 5.3).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection as TCPConnection

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled wheel for this platform
    from websockets.utils import apply_mask

__all__ = ["FastPath"]

_FINAL_TEXT = 0x81
_MASKED = 0x80
#: The longest payload whose length takes two bytes; longer ones are rare.
_LONGEST = 65535


class FastPath:
    """A mix-in before Autobahn's server protocol."""

    #: The socket's transport if messages may be written to it at once.
    _direct: Any = None

    def fast_path_opened(self: Any) -> None:
        """The handshake is done: see which roads this connection may take."""
        transport = self.transport
        # Not hasattr(): on TLS, attributes fall through the wrapper to the raw socket's transport.
        plain = isinstance(transport, TCPConnection) and not transport.TLS
        if plain and self._perMessageCompress is None:
            self._direct = transport

    def dataReceived(self: Any, data: bytes) -> None:
        """Bytes from the socket."""
        self.heard = True
        if (
            data[0] == _FINAL_TEXT
            and self.state == self.STATE_OPEN
            and not self.data
            and self.current_frame is None
            and not self.inside_message
        ):
            payload = _payload(data)
            if payload is not None and len(payload) <= self.maxMessagePayloadSize:
                self.onMessage(payload, False)
                return
        self._dataReceived(data)

    def send_message(self: Any, data: bytes) -> None:
        """See `IMessageTransport.send_message`."""
        if self.state != self.STATE_OPEN:
            return
        transport = self._direct
        length = len(data)
        if (
            transport is None
            or transport.dataBuffer
            or transport._tempDataBuffer
            or length > _LONGEST
        ):
            self.send_text(data)
            return
        if length < 126:
            frame = b"\x81%c%b" % (length, data)
        else:
            frame = b"\x81\x7e%b%b" % (length.to_bytes(2, "big"), data)
        try:
            sent = transport.socket.send(frame)
        except OSError:
            sent = 0  # the transport tries again, and finds out what is wrong
        if sent != len(frame):
            transport.write(frame[sent:])


def _payload(data: bytes) -> bytes | None:
    """The unmasked payload of the text frame that is all of `data`; None if `data` is no such."""
    size = len(data)
    if size < 6:
        return None
    length, start = data[1] & 0x7F, 6
    if length == 127:
        return None
    if length == 126:
        length, start = (data[2] << 8) | data[3], 8
        if length < 126:
            return None
    if data[1] < _MASKED or size != start + length:
        return None
    payload = apply_mask(data[start:], data[start - 4 : start])
    if not payload.isascii():
        try:
            payload.decode()
        except UnicodeDecodeError:
            return None
    return payload
