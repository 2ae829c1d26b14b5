"""The client's short road: what a server sends is read the same with and without it."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ocpp_twisted.interfaces import IMessageReceiver
from ocpp_twisted.websocket.client import Dialer
from ocpp_twisted.websocket.fastpath import write_masked, write_unmasked
from ocpp_twisted.websocket.target import Target
from tests.support import CLOSE, CONTINUATION, PING, TEXT, Transport
from tests.websocket.handshakes import accept


def sent(payload: bytes, opcode: int = TEXT, fin: bool = True, rsv: int = 0) -> bytes:
    """A frame of a server."""
    size, first = len(payload), bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        return first + bytes([size]) + payload
    return first + b"\x7e" + struct.pack("!H", size) + payload


@implementer(IMessageReceiver)
class Kept:
    """Takes the messages of one connection."""

    registered = True

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.lost_because: str | None = None

    def receive(self, data: bytes) -> None:
        self.received.append(data)

    def closing(self) -> None:
        """Nothing to end here."""

    def lost(self, reason: str) -> None:
        self.lost_because = reason


class Road:
    """A client's end of a WebSocket, open, on the fast path or with it off.

    :ivar aside: how many reads went to Autobahn since the handshake.
    """

    def __init__(self, fast: bool) -> None:
        self.kept = Kept()
        self.aside = 0
        dialer, result = Dialer(Clock()), Deferred()
        target = Target(url="ws://csms.example/CP1")
        dialer.protocols = ["ocpp1.6"]
        self.protocol = dialer.protocol(target, ["ocpp1.6"], lambda *_: self.kept, result)
        self.protocol.factory = dialer
        self.transport = Transport()
        self.protocol.makeConnection(self.transport)
        self.protocol.dataReceived(accept(self.transport.value(), "ocpp1.6"))
        assert result.called
        self.transport.clear()
        self.fast = fast

    def reads(self, data: bytes) -> None:
        if self.transport.aborted:
            return
        if not self.fast:
            self.protocol._dataReceived(data)
            return
        take = self.protocol._dataReceived

        def count(data: bytes) -> None:
            self.aside += 1
            take(data)

        self.protocol._dataReceived = count
        self.protocol.dataReceived(data)
        del self.protocol._dataReceived

    def seen(self) -> tuple[Any, ...]:
        return self.kept.received, len(self.transport.value()), self.kept.lost_because


class ClosingTests(SynchronousTestCase):
    def test_a_server_that_does_not_hang_up(self) -> None:
        """It is given its time, on the clock that was given."""
        road = Road(True)
        road.protocol.close(1000, "good night")
        road.reads(sent(struct.pack("!H", 1000), opcode=8))
        clock = road.protocol.factory.reactor
        clock.advance(road.protocol.factory.close_timeout - 0.1)
        self.assertFalse(road.transport.aborted)
        clock.advance(0.1)
        self.assertTrue(road.transport.aborted)

    def test_one_that_does(self) -> None:
        road = Road(True)
        road.protocol.close(1000, "good night")
        road.reads(sent(struct.pack("!H", 1000), opcode=8))
        road.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(road.kept.lost_because, "we closed with 1000: good night")
        self.assertEqual(road.protocol.factory.reactor.getDelayedCalls(), [])


class ReadingTests(SynchronousTestCase):
    def aside(self, *reads: bytes) -> int:
        """How many of the reads the fast path leaves to Autobahn; the outcome must be the same."""
        fast, slow = Road(True), Road(False)
        for data in reads:
            fast.reads(data)
            slow.reads(data)
        self.assertEqual(fast.seen(), slow.seen())
        self.heard = fast.kept.received
        return fast.aside

    def test_whole_frames(self) -> None:
        messages = [b"[]", b"", b"x" * 125, b"x" * 126, b"x" * 65535, "Ω €".encode()]
        self.assertEqual(self.aside(*map(sent, messages)), 0)
        self.assertEqual(self.heard, messages)

    def test_lengths_that_take_eight_bytes(self) -> None:
        self.assertEqual(self.aside(b"\x81\x7f" + struct.pack("!Q", 65536) + b"x" * 65536), 1)
        # 127 in the length byte and just as many bytes: still not a payload of 127 bytes.
        self.assertEqual(self.aside(b"\x81\x7f" + b"x" * 127), 1)
        self.assertEqual(self.aside(b"\x81\x7e" + b"x" * 126), 1)

    def test_a_length_that_is_not_the_shortest(self) -> None:
        self.assertEqual(self.aside(b"\x81\x7e\x00\x02ab"), 1)

    def test_a_masked_frame(self) -> None:
        self.assertEqual(self.aside(write_masked(b"[]")), 1)
        self.assertEqual(self.heard, [])
        # As many bytes as a frame of that length would have.
        self.assertEqual(self.aside(b"\x81\x86" + b"x" * 0x86), 1)

    def test_what_else_is_autobahns(self) -> None:
        for reads in (
            (sent(b"[2,", fin=False), sent(b"]", CONTINUATION)),
            (sent(b"a") + sent(b"b"),),
            (sent(b"?", PING),),
            (sent(b"[\xff]"),),
            (sent(b"xx", rsv=4),),
            (sent(b"[2222]")[:3], sent(b"[2222]")[3:]),
        ):
            self.assertEqual(self.aside(*reads), len(reads))

    FRAMES = st.one_of(
        st.builds(sent, st.binary(max_size=200)),
        st.builds(sent, st.text(max_size=200).map(str.encode)),
        st.builds(sent, st.text(max_size=20).map(str.encode), st.just(PING)),
        st.builds(sent, st.just(b"x" * 300)),
        st.builds(write_masked, st.binary(max_size=9)),
        st.builds(
            sent, st.binary(max_size=9), st.integers(0, 15), st.booleans(), st.integers(0, 7)
        ),
    )

    @settings(derandomize=True, deadline=None, max_examples=200)
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


class WritingTests(SynchronousTestCase):
    def test_frames_are_masked(self) -> None:
        for size in (0, 1, 125, 126, 65535):
            payload = bytes(range(256)) * 256
            frame = write_masked(payload[:size])
            start = 2 if size < 126 else 4
            length = frame[1] & 0x7F if size < 126 else int.from_bytes(frame[2:4], "big")
            mask, body = frame[start : start + 4], frame[start + 4 :]
            self.assertEqual((frame[0], frame[1] & 0x80, length), (0x81, 0x80, size))
            self.assertEqual(bytes(b ^ mask[i % 4] for i, b in enumerate(body)), payload[:size])

    def test_each_mask_is_another_one(self) -> None:
        masks = {write_masked(b"")[2:6] for _ in range(1000)}
        self.assertGreater(len(masks), 990)

    def test_a_server_does_not_mask(self) -> None:
        self.assertEqual(write_unmasked(b"[]"), b"\x81\x02[]")
        self.assertEqual(write_unmasked(b"x" * 126), b"\x81\x7e\x00\x7e" + b"x" * 126)


class EndTests(SynchronousTestCase):
    """We close, and the server answers."""

    def setUp(self) -> None:
        self.road = Road(fast=True)
        self.clock: Any = self.road.protocol.factory.reactor
        self.road.protocol.close(1000, "")
        self.road.protocol.dataReceived(sent(b"\x03\xe8", CLOSE))

    def test_it_hangs_up(self) -> None:
        self.road.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.road.kept.lost_because, "we closed with 1000")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_does_not(self) -> None:
        self.clock.advance(4.9)
        self.assertFalse(self.road.transport.aborted)
        self.clock.advance(0.1)
        self.assertTrue(self.road.transport.aborted)
