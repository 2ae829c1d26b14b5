"""The short road for the message that nearly every message is: one whole text frame in one read.

Reading: a frame that is alone in its read, final, text, masked as it should be, uncompressed, of
the shortest length encoding, not larger than allowed, and UTF-8, is handed on here. Everything
else goes to Autobahn untouched, and so does all that follows until Autobahn has no frame and no
message begun: it steps aside for a fragment, a control frame, several frames in one read or half
a one, a compressed frame, one that is masked and should not be or the other way round, wrong UTF-8,
and whenever the connection is not open.

Writing: an uncompressed message of less than 64 KiB is framed here, and goes to the socket at
once if that is a TCP transport of Twisted with nothing of ours still waiting to be sent; over TLS
its records do (`AtOnceTLS`). It steps aside for any other transport, for bytes that wait, and for
a connection that compresses or is closing.

What a client sends is masked, what a server sends is not: `read_frame` and `write_frame` are those
of the one end or of the other. The peer sees the same bytes on either road (RFC 6455 sections 5.2
and 5.3), the masks aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import urandom
from typing import Any

from OpenSSL.SSL import Error, WantReadError
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection as TCPConnection
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from ocpp_twisted.websocket.pace import SIZE_OF_ONE

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled wheel for this platform
    from websockets.utils import apply_mask

__all__ = [
    "AtOnceTLS",
    "FastPath",
    "read_masked",
    "read_unmasked",
    "write_masked",
    "write_unmasked",
]

#: The type of TLS records that carry what is sent.
_APPLICATION_DATA = 23
#: At least as much as one write of Twisted leaves in OpenSSL.
_MOST_RECORDS = 32768
_FINAL_TEXT = 0x81
_MASKED = 0x80
#: The longest payload whose length takes two bytes; longer ones are rare.
_LONGEST = 65535
#: Masks to draw at once.
_MASKS = 256
#: Bytes to read from a socket at once. Twisted's 64 KiB cost an allocation of that size each time.
_READ_SIZE = 8192


class FastPath:
    """A mix-in before one of Autobahn's protocols.

    :cvar read_frame: the payload of the frame that is all of what was read; None if it is no such.
    :cvar write_frame: a frame with a payload of up to 64 KiB.
    """

    read_frame: Callable[[bytes], bytes | None]
    write_frame: Callable[[bytes], bytes]
    #: See `ocpp_twisted.websocket.bounds.Bounded`: TLS hands over all records that it has read,
    #: though it has been paused.
    _slowed: Any = None
    #: Whether messages may be framed here; the socket if they may be sent to it at once as well.
    _frames_here = False
    _socket: Any = None

    def fast_path_opened(self: Any) -> None:
        """The handshake is done: see which roads this connection may take."""
        if self._perMessageCompress is not None:
            return
        self._frames_here = True
        # Not hasattr(): on TLS, attributes fall through the wrapper to the socket's transport.
        if isinstance(self.transport, TCPConnection) and not self.transport.TLS:
            self._socket = self.transport.socket
            self.transport.bufferSize = _READ_SIZE

    def dataReceived(self: Any, data: bytes) -> None:
        """Bytes from the socket."""
        self.heard = True
        if (
            data[0] == _FINAL_TEXT
            and self._receiver is not None
            and self.state == self.STATE_OPEN
            and self._slowed is None
            and not self.data
            and self.current_frame is None
            and not self.inside_message
        ):
            payload = self.read_frame(data)
            if payload is not None and len(payload) <= self.maxMessagePayloadSize:
                left = self.credit = self.credit - 1 - len(payload) // SIZE_OF_ONE
                self._receiver.receive(payload)
                if left <= 0:
                    self.credit_used_up()
                return
        self._dataReceived(data)

    def send_message(self: Any, data: bytes) -> None:
        """See `IMessageTransport.send_message`."""
        if self.state != self.STATE_OPEN:
            return
        if not self._frames_here or len(data) > _LONGEST:
            self.send_text(data)
        elif self._socket is None:
            self.transport.write(self.write_frame(data))
        else:
            _send_at_once(self.transport, self._socket, self.write_frame(data))


class AtOnceTLS(TLSMemoryBIOProtocol):
    """TLS that takes no round about for one record in one read, and sends its records at once.

    Reading: Twisted asks OpenSSL for more until it says that there is none, which costs as much
    as a message does. Where one whole record of application data is all that came, there is
    none. Writing: Twisted's own waits for the reactor's next round, for protocols that write bit
    by bit.
    """

    _socket: Any = None
    #: Bytes that the record that has begun still lacks; None once that is no longer known.
    _lacking: int | None = 0

    def makeConnection(self, transport: ITransport) -> None:
        """See `twisted.internet.interfaces.IProtocol.makeConnection`."""
        if isinstance(transport, TCPConnection):
            self._socket = transport.socket
            transport.bufferSize = _READ_SIZE
        super().makeConnection(transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `twisted.internet.interfaces.IProtocol.connectionLost`."""
        super().connectionLost(reason)
        self._socket = self._producer = None

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        if reason is not None and not self._handshakeDone and not self._lostTLSConnection:
            factory: Any = self.factory
            factory.handshake_failed(self, reason.value)
            self._reason = Failure(ConnectionLost())  # all is told: Autobahn would tell it again
        super()._tlsShutdownFinished(reason)
        if reason is not None:
            # Its traceback holds the connection, which would wait for the garbage collector.
            reason.cleanFailure()

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the socket."""
        if (
            data[0] == _APPLICATION_DATA
            and self._lacking == 0
            and len(data) > 5
            and len(data) == 5 + (data[3] << 8 | data[4])
            and self._handshakeDone
            and not self._appSendBuffer
            and not self._lostTLSConnection
        ):
            connection = self._tlsConnection
            connection.bio_write(data)
            try:
                plain = connection.recv(len(data))
            except Error:
                self._flushReceiveBIO()  # it was none, or the end of all: Twisted sorts it out
            else:
                self.wrappedProtocol.dataReceived(plain)
            return
        if self._lacking is not None:
            self._lacking = _lacking_after(data, self._lacking)
        super().dataReceived(data)

    def _flushSendBIO(self) -> None:
        transport: Any = self.transport
        if self._socket is None or not transport.connected:
            super()._flushSendBIO()
            return
        try:
            records = self._tlsConnection.bio_read(_MOST_RECORDS)
        except WantReadError:
            return  # nothing to send
        _send_at_once(transport, self._socket, records)


def _lacking_after(data: bytes, lacking: int) -> int | None:
    """How many bytes a TLS stream's last record lacks after `data`; None if nobody can tell.

    :param lacking: how many it lacked before. Source: RFC 8446 section 5.1.
    """
    end, size = lacking, len(data)
    while end + 5 <= size:
        end += 5 + (data[end + 3] << 8 | data[end + 4])
    return end - size if end >= size else None


def _send_at_once(transport: Any, socket: Any, data: bytes) -> None:
    """Send on a TCP transport; what the socket does not take waits in the transport."""
    if not transport.dataBuffer and not transport._tempDataBuffer:
        try:
            sent = socket.send(data)
        except OSError:
            sent = 0  # the transport tries again, and finds out what is wrong
        if sent == len(data):
            return
        data = data[sent:]
    transport.write(data)


def read_masked(data: bytes) -> bytes | None:
    """The payload of the masked text frame that is all of `data`; None if `data` is no such."""
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
    return _text(apply_mask(data[start:], data[start - 4 : start]))


def read_unmasked(data: bytes) -> bytes | None:
    """The payload of the text frame without a mask that is all of `data`; None if it is no such."""
    size = len(data)
    if size < 2:
        return None
    length, start = data[1], 2
    if length > 126 or (length == 126 and size < 4):  # a longer one, or masked
        return None
    if length == 126:
        length, start = (data[2] << 8) | data[3], 4
        if length < 126:
            return None
    if size != start + length:
        return None
    return _text(data[start:])


def write_unmasked(data: bytes) -> bytes:
    """A text frame of a server."""
    length = len(data)
    if length < 126:
        return b"\x81%c%b" % (length, data)
    return b"\x81\x7e%b%b" % (length.to_bytes(2, "big"), data)


def write_masked(data: bytes) -> bytes:
    """A text frame of a client, masked with four random bytes (RFC 6455 section 5.3)."""
    length, mask = len(data), _next_mask()
    if length < 126:
        return b"\x81%c%b%b" % (_MASKED | length, mask, apply_mask(data, mask))
    return b"\x81\xfe%b%b%b" % (length.to_bytes(2, "big"), mask, apply_mask(data, mask))


def _masks() -> Iterator[bytes]:
    """Random masks. Many are drawn at a time: to ask the system costs as much as a read."""
    while True:
        drawn = urandom(_MASKS * 4)
        for place in range(0, _MASKS * 4, 4):
            yield drawn[place : place + 4]


_next_mask = _masks().__next__


def _text(payload: bytes) -> bytes | None:
    if not payload.isascii():
        try:
            payload.decode()
        except UnicodeDecodeError:
            return None
    return payload
