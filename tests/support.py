"""What the tests stand on: connections in memory, and a WebSocket peer that speaks bytes.

A `Wire` is one charge point's end of a connection without a WebSocket; `Peer` is its end of a
WebSocket without a socket. Neither imitates a class of ours: they are the other side.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock, LoopingCall
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.connection import Connection
from ocpp_twisted.deadlines import Deadlines
from ocpp_twisted.identity import Identity
from ocpp_twisted.limits import Limits
from ocpp_twisted.ocppj.session import Session
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.remembered import Remembered
from ocpp_twisted.routing import routes
from ocpp_twisted.testing import MemoryTransport, Wire
from ocpp_twisted.versions import CATALOGUES

HEARTBEAT = '[2,"h1","Heartbeat",{}]'


def wire(
    plugin: ActionPlugin,
    clock: Clock | None = None,
    version: str = "1.6",
    limits: Limits | None = None,
    remembered: Remembered | None = None,
) -> Wire:
    """A connection whose calls have the message ids 1, 2, 3."""
    catalogue, transport, numbers = CATALOGUES[version], MemoryTransport(), count(1)
    limits = limits if limits is not None else Limits()
    connection = Connection(
        Identity("CP1"),
        Session(catalogue, lambda: str(next(numbers)), limits.queued_calls),
        routes(catalogue, [plugin]),
        transport,
        Deadlines(clock if clock is not None else Clock()),
        lambda connection, reason: made.ended.append(reason),
        limits,
        remembered if remembered is not None else Remembered(),
    )
    made = Wire(transport, connection)
    return made


def next_frame(session: Session, now: float = 0.0) -> bytes | None:
    """The CALL that a session has to send now."""
    call = session.calls.next_call(now)
    return None if call is None else call.frame


def online(
    central_system: CentralSystem, charge_point: str | Identity = "CP1", version: str = "1.6"
) -> Wire:
    """A charge point that has just connected to a central system."""
    transport = MemoryTransport()
    subprotocol = CATALOGUES[version].rules.subprotocol
    connection = central_system.connection_made(Identity.of(charge_point), subprotocol, transport)
    return Wire(transport, connection)


def until(condition: Callable[[], Any], reactor: Any, timeout: float = 10.0) -> Deferred[Any]:
    """Fires with the condition's value as soon as it is true; the reactor's time is bounded."""
    found: Deferred[Any] = Deferred()
    found.addTimeout(timeout, reactor)

    def look() -> None:
        value = condition()
        if value and not found.called:
            found.callback(value)

    loop = LoopingCall(look)
    loop.clock = reactor
    loop.start(0.01).addErrback(lambda failure: found.called or found.errback(failure))

    def stop(result: Any) -> Any:
        if loop.running:
            loop.stop()
        return result

    return found.addBoth(stop)


def no_sockets(reactor: Any) -> bool:
    """Whether both ends of all connections have gone, those that are just being aborted too."""
    ending = (getattr(call.func, "__self__", None) for call in reactor.getDelayedCalls())
    return not any(isinstance(each, tcp.Connection) for each in [*reactor.getReaders(), *ending])


# -- WebSocket, byte by byte ------------------------------------------------------------------

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0


def request(
    target: str = "/ocpp/CP1",
    subprotocols: str | None = "ocpp1.6",
    start: str | None = None,
    extra: Sequence[str] = (),
    without: str = "-",
) -> bytes:
    """The head of an opening handshake (RFC 6455, section 4.1).

    :param start: the request line, if it is another than ``GET target HTTP/1.1``.
    :param without: the name of a header that is left out.
    """
    headers = [
        "Host: csms.example",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *extra,
    ]
    if subprotocols is not None:
        headers.append(f"Sec-WebSocket-Protocol: {subprotocols}")
    kept = [header for header in headers if not header.startswith(f"{without}:")]
    lines = [start or f"GET {target} HTTP/1.1", *kept, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def frame(payload: bytes | str, opcode: int = TEXT, fin: bool = True, rsv: int = 0) -> bytes:
    """A frame as clients send it: masked (RFC 6455, section 5.2)."""
    if isinstance(payload, str):
        payload = payload.encode()
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + struct.pack("!H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", size)
    return head + bytes(4) + payload  # a mask of zeros changes nothing


def close_frame(code: int = 1000) -> bytes:
    """A close frame of a client."""
    return frame(struct.pack("!H", code), CLOSE)


def frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The frames of a server, as (first byte's opcode with RSV and FIN as they are, payload).

    :returns: the frames whose FIN is set, by their first byte without it, and the rest.
    """
    found = []
    while len(data) >= 2:
        size, start = data[1], 2
        assert size < 128, "a server does not mask"
        if size == 126:
            size, start = struct.unpack_from("!H", data, 2)[0], 4
        elif size == 127:
            size, start = struct.unpack_from("!Q", data, 2)[0], 10
        if len(data) < start + size:
            break
        found.append((data[0] & 0x7F, data[start : start + size]))
        data = data[start + size :]
    return found, data


class Transport(StringTransport):
    """A socket in memory that hands its closing on, as a socket does, and tells how."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    def unregisterProducer(self) -> None:
        self.producer = None  # a socket does not mind that there is none


class Peer:
    """A charge point at the other end of a WebSocket in memory.

    :ivar socket: the server's end.
    :ivar protocol: what the factory made for it.
    """

    def __init__(self, factory: Any) -> None:
        self.socket = Transport()
        self.protocol = factory.buildProtocol(self.socket.getPeer())
        self.protocol.makeConnection(self.socket)
        self._received = b""

    def sends(self, data: bytes) -> None:
        """Bytes for the server."""
        self.protocol.dataReceived(data)

    def says(self, message: bytes | str) -> None:
        """A text message for the server."""
        self.sends(frame(message))

    def receives(self) -> bytes:
        """The bytes that have come since the last time."""
        data = self.socket.value()
        self.socket.clear()
        return data

    def hears(self) -> list[Any]:
        """The frames that have come: text as str, a close as its code, the rest as a pair."""
        found, self._received = frames(self._received + self.receives())
        return [_readable(opcode, payload) for opcode, payload in found]

    def upgrades(self, *arguments: Any, **more: Any) -> bytes:
        """Do the opening handshake; returns the server's response head."""
        self.sends(request(*arguments, **more))
        head, end, self._received = self.receives().partition(b"\r\n\r\n")
        assert end, head
        return head + end

    def loses(self, clean: bool = False) -> None:
        """The socket is gone."""
        reason = ConnectionDone() if clean else ConnectionLost()
        self.protocol.connectionLost(Failure(reason))


def _readable(opcode: int, payload: bytes) -> Any:
    if opcode == TEXT:
        return payload.decode()
    if opcode == CLOSE:
        return struct.unpack("!H", payload[:2])[0] if payload else None
    return opcode, payload


def environment(**more: str) -> dict[str, str]:
    """The environment for a child process: this one's, and `more`."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **more}


class RawClient(Protocol):
    """A charge point on a real socket.

    :ivar received: all bytes that have come.
    :ivar over: fires when the socket has ended.
    """

    def __init__(self) -> None:
        self.received = b""
        self.over: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over.callback(None)

    def hears(self) -> list[Any]:
        """All that has come after the head, as `Peer.hears`."""
        found, _ = frames(self.received.partition(b"\r\n\r\n")[2])
        return [_readable(opcode, payload) for opcode, payload in found]


def connect(reactor: Any, port: int, tls: bool = False) -> Deferred[RawClient]:
    """A `RawClient` that is connected to a port of this machine."""
    endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=5)
    if tls:
        endpoint = wrapClientTLS(CertificateOptions(verify=False), endpoint)
    return connectProtocol(endpoint, RawClient())


async def upgraded(reactor: Any, port: int, tls: bool = False, **more: Any) -> RawClient:
    """A `RawClient` that has done the opening handshake."""
    client = await connect(reactor, port, tls)
    client.transport.write(request(**more))
    await until(lambda: b"\r\n\r\n" in client.received, reactor)
    assert client.received.startswith(b"HTTP/1.1 101 "), client.received
    return client
