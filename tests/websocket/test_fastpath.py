"""The fast path takes what it says and leaves the rest; the peer cannot tell which road it was."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ocpp_twisted.interfaces import IConnectionOwner, IMessageReceiver
from ocpp_twisted.websocket.server import OCPPServerFactory, WebSocketOptions
from ocpp_twisted.websocket.tls import TLSFactory, development_certificate, server_context
from tests.support import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    Transport,
    no_sockets,
    request,
    until,
    upgraded,
)

MASK = b"\x01\x82\x43\xc4"


def masked(payload: bytes, opcode: int = TEXT, fin: bool = True, rsv: int = 0) -> bytes:
    """A frame with a mask that matters."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0xFE]) + struct.pack("!H", size)
    else:
        head += bytes([0xFF]) + struct.pack("!Q", size)
    return head + MASK + bytes(byte ^ MASK[i % 4] for i, byte in enumerate(payload))


@implementer(IConnectionOwner, IMessageReceiver)
class Echo:
    """Owns one connection, and sends back each message with a word before it."""

    subprotocols = ("ocpp1.6",)
    registered = True

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.lost_because: str | None = None

    def connection_made(self, identity: Any, subprotocol: str, transport: Any) -> Echo:
        self.transport = transport
        return self

    def receive(self, data: bytes) -> None:
        self.received.append(data)
        self.transport.send_message(b"heard " + data)

    def closing(self) -> None:
        """Nothing to end here."""

    def lost(self, reason: str) -> None:
        self.lost_because = reason


class Road:
    """A server's end of a WebSocket, open, on the fast path or with it off.

    :ivar aside: how many reads went to Autobahn since the handshake.
    """

    def __init__(self, fast: bool, extra: tuple[str, ...] = (), limit: int = 200_000) -> None:
        self.owner = Echo()
        factory = OCPPServerFactory(self.owner, Clock(), WebSocketOptions(max_message_size=limit))
        road = self
        self.aside = -1  # the handshake is Autobahn's

        class Observed(factory.protocol):  # type: ignore[misc,name-defined]
            def _dataReceived(self, data: bytes) -> None:
                road.aside += 1
                super()._dataReceived(data)

            if not fast:

                def dataReceived(self, data: bytes) -> None:
                    self._dataReceived(data)

        factory.protocol = Observed
        self.transport = Transport()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        self.reads(request(extra=extra))
        self.transport.clear()

    def reads(self, data: bytes) -> None:
        if not self.transport.aborted:
            self.protocol.dataReceived(data)

    def seen(self) -> tuple[Any, ...]:
        """What anybody outside can tell of it."""
        owner = self.owner
        return owner.received, self.transport.value(), owner.lost_because, self.protocol.state


class ReadingTests(SynchronousTestCase):
    def aside(self, *reads: bytes, extra: tuple[str, ...] = (), limit: int = 200_000) -> int:
        """How many of the reads the fast path leaves to Autobahn; the outcome must be the same."""
        fast, slow = Road(True, extra, limit), Road(False, extra, limit)
        for data in reads:
            fast.reads(data)
            slow.reads(data)
        self.assertEqual(fast.seen(), slow.seen())
        self.heard = fast.owner.received
        return fast.aside

    def test_a_whole_text_frame(self) -> None:
        self.assertEqual(self.aside(masked(b"[]"), masked(b"x" * 125), masked(b"")), 0)
        self.assertEqual(self.heard, [b"[]", b"x" * 125, b""])

    def test_a_length_of_two_bytes(self) -> None:
        messages = [os.urandom(size // 2).hex().encode() for size in (126, 700, 65534)]
        self.assertEqual(self.aside(*map(masked, messages)), 0)
        self.assertEqual(self.heard, messages)

    def test_text_that_is_not_ascii(self) -> None:
        self.assertEqual(self.aside(masked("Ladesäule Ω €".encode())), 0)
        self.assertEqual(self.heard, ["Ladesäule Ω €".encode()])

    def test_a_length_of_eight_bytes(self) -> None:
        self.assertEqual(self.aside(masked(b"x" * 65536)), 1)
        # 127 in the length byte and just as many bytes: still not a payload of 127 bytes.
        self.assertEqual(self.aside(b"\x81\xff" + bytes(4) + b"x" * 127), 1)

    def test_a_length_that_is_not_the_shortest(self) -> None:
        self.assertEqual(self.aside(b"\x81\xfe\x00\x02" + MASK + b"ab"), 1)

    def test_a_fragment(self) -> None:
        first, last = masked(b"[2,", fin=False), masked(b"]", CONTINUATION)
        self.assertEqual(self.aside(first, last, masked(b"[]")), 2)
        self.assertEqual(self.heard, [b"[2,]", b"[]"])

    def test_a_control_frame_in_between(self) -> None:
        self.assertEqual(self.aside(masked(b"a"), masked(b"?", PING), masked(b"b")), 1)
        first, last = masked(b"[2,", fin=False), masked(b"]", CONTINUATION)
        self.assertEqual(self.aside(first, masked(b"?", PING), last), 3)

    def test_a_text_frame_inside_a_fragmented_message(self) -> None:
        self.assertEqual(self.aside(masked(b"[2,", fin=False), masked(b"[]")), 2)

    def test_a_compressed_frame(self) -> None:
        deflate = zlib.compressobj(wbits=-15)
        small = deflate.compress(b"[]") + deflate.flush(zlib.Z_SYNC_FLUSH)
        extra = ("Sec-WebSocket-Extensions: permessage-deflate",)
        self.assertEqual(self.aside(masked(small[:-4], rsv=4), masked(b"{}"), extra=extra), 1)
        self.assertEqual(self.heard, [b"[]", b"{}"])

    def test_a_compressed_frame_that_was_not_agreed_on(self) -> None:
        self.assertEqual(self.aside(masked(b"xx", rsv=4)), 1)

    def test_an_unmasked_frame(self) -> None:
        self.assertEqual(self.aside(b"\x81\x02[]"), 1)
        # As many bytes as a masked frame of that length has.
        self.assertEqual(self.aside(b"\x81\x06[2222]" + b"\x09\x00\x00\x00"), 1)

    def test_a_binary_frame(self) -> None:
        self.assertEqual(self.aside(masked(b"[]", BINARY)), 1)

    def test_several_frames_in_one_read(self) -> None:
        self.assertEqual(self.aside(masked(b"a") + masked(b"b"), masked(b"c")), 1)
        self.assertEqual(self.heard, [b"a", b"b", b"c"])

    def test_half_a_frame(self) -> None:
        whole = masked(b"[2222]")
        for cut in range(1, len(whole)):
            self.assertEqual(self.aside(whole[:cut], whole[cut:], masked(b"c")), 2)
            self.assertEqual(self.heard, [b"[2222]", b"c"])

    def test_half_a_frame_before_a_whole_one(self) -> None:
        whole = masked(b"[]")
        self.assertEqual(self.aside(whole + whole[:3], whole[3:] + whole, whole), 2)
        self.assertEqual(self.heard, [b"[]"] * 4)

    def test_text_that_is_not_utf_8(self) -> None:
        self.assertEqual(self.aside(masked(b"[\xff]")), 1)
        self.assertEqual(self.aside(masked(b"\xe2\x82")), 1)
        self.assertEqual(self.aside(masked(b"\xed\xa0\x80")), 1)

    def test_a_message_that_is_too_large(self) -> None:
        self.assertEqual(self.aside(masked(b"x" * 1024), limit=1024), 0)
        self.assertEqual(self.aside(masked(b"x" * 1025), limit=1024), 1)

    def test_a_connection_that_is_closing(self) -> None:
        fast, slow = Road(True), Road(False)
        for road in (fast, slow):
            road.protocol.close(1001, "bye")
            road.reads(masked(b"[]"))
            road.reads(masked(struct.pack("!H", 1001), CLOSE))
        self.assertEqual(fast.seen(), slow.seen())
        self.assertEqual(fast.aside, 2)


FRAMES = st.one_of(
    st.builds(masked, st.binary(max_size=200)),
    st.builds(masked, st.text(max_size=200).map(str.encode)),
    st.builds(masked, st.text(max_size=20).map(str.encode), st.just(PING)),
    st.builds(masked, st.just(b"x" * 300)),
    st.builds(
        lambda head, tail: masked(head, fin=False) + masked(tail, CONTINUATION),
        st.text(max_size=9).map(str.encode),
        st.text(max_size=9).map(str.encode),
    ),
    st.builds(masked, st.binary(max_size=9), st.integers(0, 15), st.booleans(), st.integers(0, 7)),
)


class PropertyTests(SynchronousTestCase):
    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.lists(FRAMES, max_size=8), st.lists(st.integers(1, 400), max_size=30))
    def test_a_stream_cut_anywhere(self, frames: list[bytes], cuts: list[int]) -> None:
        stream = b"".join(frames)
        fast, slow = Road(True), Road(False)
        places = sorted({cut for cut in cuts if cut < len(stream)})
        for start, end in zip([0, *places], [*places, len(stream)], strict=True):
            if start < end:
                fast.reads(stream[start:end])
                slow.reads(stream[start:end])
        self.assertEqual(fast.seen(), slow.seen())


class Listener(Protocol):
    """A peer that reads only when it is told to."""

    def connectionMade(self) -> None:
        self.heard = b""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data


class WritingTests(TestCase):
    """On real sockets: only they have the road that is short."""

    @inlineCallbacks
    def opened(self, extra: tuple[str, ...] = ()) -> Any:
        self.owner = Echo()
        factory = OCPPServerFactory(self.owner, reactor)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        self.peer = yield connectProtocol(endpoint, Listener())
        self.peer.transport.write(request(extra=extra))
        yield until(lambda: hasattr(self.owner, "transport"), reactor)
        yield until(lambda: b"\r\n\r\n" in self.peer.heard, reactor)
        self.peer.heard = b""
        self.addCleanup(self.gone)
        return self.owner.transport

    def gone(self) -> Deferred[Any]:
        self.peer.transport.abortConnection()
        return until(lambda: self.owner.lost_because and no_sockets(reactor), reactor)

    @inlineCallbacks
    def test_written_at_once(self) -> Any:
        server = yield self.opened()
        server.send_message(b"[]")
        self.assertFalse(server.transport.dataBuffer or server.transport._tempDataBuffer)
        yield until(lambda: self.peer.heard == b"\x81\x02[]", reactor)

    @inlineCallbacks
    def test_every_form_of_length(self) -> Any:
        server = yield self.opened()
        expected = b""
        for size in (0, 125, 126, 65535, 65536):
            server.send_message(b"x" * size)
            length = bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size % 65536)
            if size > 65535:
                length = b"\x7f" + struct.pack("!Q", size)
            expected += b"\x81" + length + b"x" * size
        yield until(lambda: len(self.peer.heard) == len(expected), reactor)
        self.assertEqual(self.peer.heard, expected)

    @inlineCallbacks
    def test_bytes_that_wait_go_first(self) -> Any:
        server = yield self.opened()
        server.sendPing(b"first")
        self.assertTrue(server.transport._tempDataBuffer)
        server.send_message(b"second")
        yield until(lambda: len(self.peer.heard) == 7 + 8, reactor)
        self.assertEqual(self.peer.heard, b"\x89\x05first\x81\x06second")

    @inlineCallbacks
    def test_a_peer_that_does_not_read_loses_nothing(self) -> Any:
        server = yield self.opened()
        self.peer.transport.pauseProducing()
        count = 0
        while not server._writing_is_paused:
            server.send_message(b"%06d" % count + b"x" * 20000)
            count += 1
        self.peer.transport.resumeProducing()
        yield until(lambda: not server._writing_is_paused, reactor)
        server.send_message(b"%06d" % count)
        whole = b"".join(b"\x81\x7e\x4e\x26%06d" % n + b"x" * 20000 for n in range(count))
        whole += b"\x81\x06%06d" % count
        yield until(lambda: len(self.peer.heard) == len(whole), reactor)
        self.assertEqual(self.peer.heard, whole)

    @inlineCallbacks
    def test_a_connection_that_compresses(self) -> Any:
        server = yield self.opened(("Sec-WebSocket-Extensions: permessage-deflate",))
        server.send_message(b"[]")
        yield until(lambda: self.peer.heard[:1] == b"\xc1", reactor)

    @inlineCallbacks
    def test_a_connection_that_is_closing(self) -> Any:
        server = yield self.opened()
        server.close(1001, "")
        server.send_message(b"[]")
        yield until(lambda: self.peer.heard, reactor)
        self.assertEqual(self.peer.heard, b"\x88\x02\x03\xe9")

    @inlineCallbacks
    def test_a_socket_that_is_broken(self) -> Any:
        server = yield self.opened()
        server.transport.socket.shutdown(2)
        server.send_message(b"[]")
        yield until(lambda: self.owner.lost_because, reactor)

    @inlineCallbacks
    def test_tls(self) -> Any:
        self.owner = Echo()
        files = development_certificate(Path(self.mktemp()))
        factory = OCPPServerFactory(self.owner, reactor)
        secure = TLSFactory(server_context(*files), False, factory)
        port = reactor.listenTCP(0, secure, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.peer = yield Deferred.fromCoroutine(upgraded(reactor, port.getHost().port, tls=True))
        self.addCleanup(self.gone)
        self.peer.transport.write(masked(b"[]"))
        yield until(lambda: self.peer.hears() == ["heard []"], reactor)
