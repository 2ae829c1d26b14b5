"""RFC 7692, permessage-deflate, on the server's bytes: what is agreed on, and what is inflated.

A central system of OCPP 2.x must support it (OCPP 2.1 part 4, section 3.4; 2.0.1, section 3.3).
"""

from __future__ import annotations

import json
import tracemalloc
import zlib
from itertools import product
from random import Random

from ocpp_twisted import v16
from ocpp_twisted.identity import Identity
from tests.support import (
    BINARY,
    CLOSE,
    CONTINUATION,
    HEARTBEAT,
    PING,
    PONG,
    TEXT,
    Peer,
    close_frame,
    frame,
)
from tests.websocket.test_server import DEFLATE, RESET, TIME_RESULT, ServerTestCase

#: The first byte of a compressed text message in one frame, without FIN.
COMPRESSED_TEXT = 0x40 | TEXT
TAIL = b"\0\0\xff\xff"


class Deflate:
    """A client's side of the extension.

    :param bits: of its window, for what it sends.
    """

    def __init__(self, bits: int = 15) -> None:
        self._deflate = zlib.compressobj(9, zlib.DEFLATED, -bits)

    def message(self, data: bytes | str) -> bytes:
        """The payload of a message, with what was sent before as its context."""
        data = data.encode() if isinstance(data, str) else data
        payload = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        assert payload.endswith(TAIL)
        return payload[:-4]


def inflated(payload: bytes) -> str:
    """A message of a server that takes no context over."""
    return zlib.decompressobj(-15).decompress(payload + TAIL).decode()


class DeflateTestCase(ServerTestCase):
    offer = DEFLATE

    def setUp(self) -> None:
        super().setUp()
        self.head = self.cp1.upgrades(extra=[self.offer])
        self.deflate = Deflate()

    def says(self, message: bytes | str) -> None:
        self.cp1.sends(frame(self.deflate.message(message), rsv=4))

    def hears(self) -> list[object]:
        """As `Peer.hears`, compressed messages as text."""
        return [
            inflated(heard[1])
            if isinstance(heard, tuple) and heard[0] == COMPRESSED_TEXT
            else heard
            for heard in self.cp1.hears()
        ]


class NegotiationTests(ServerTestCase):
    """Section 7.1: an offer is accepted with parameters that fit it, or declined."""

    def agreed(self, *offers: str) -> str | None:
        """What the server answers to one header of offers; None if it declines."""
        header = "Sec-WebSocket-Extensions: " + ", ".join(offers)
        head = Peer(self.factory).upgrades(extra=[header]).decode()
        self.assertTrue(head.startswith("HTTP/1.1 101 "))
        _, found, rest = head.partition("\r\nSec-WebSocket-Extensions: ")
        return rest.partition("\r\n")[0] if found else None

    def test_every_combination(self) -> None:
        for ours, theirs, bits, client_bits in product(
            (None, "server_no_context_takeover"),
            (None, "client_no_context_takeover"),
            (None, "9", "10", "15", '"12"'),
            (None, "client_max_window_bits", "client_max_window_bits=9"),
        ):
            window = bits and f"server_max_window_bits={bits}"
            asked = [name for name in (client_bits, window, theirs, ours) if name]
            answer = self.agreed("; ".join(["permessage-deflate", *asked]))
            assert answer is not None, asked
            name, *agreed = answer.split("; ")
            # What the client asks of the server is promised; what it says of itself is a hint.
            promised = {ours, window and window.replace('"', "")} - {None}
            self.assertEqual((name, set(agreed)), ("permessage-deflate", promised))

    def test_offers_that_are_none(self) -> None:
        for parameters in (
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=010",
            "server_max_window_bits=+10",
            "server_max_window_bits=1_0",
            "server_max_window_bits=x",
            "server_max_window_bits=",
            "client_max_window_bits=16",
            "client_max_window_bits=09",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_no_context_takeover; server_no_context_takeover",
            "server_max_window_bits=10; server_max_window_bits=11",
            "window=10",
        ):
            self.assertIsNone(self.agreed(f"permessage-deflate; {parameters}"), parameters)

    def test_windows_that_zlib_does_not_have(self) -> None:
        """8 bits may be asked for, and may be declined (docs/deviations.md)."""
        self.assertIsNone(self.agreed("permessage-deflate; server_max_window_bits=8"))
        self.assertIsNone(self.agreed("permessage-deflate; client_max_window_bits=8"))

    def test_the_first_offer_that_can_be_accepted(self) -> None:
        first = "permessage-deflate; server_max_window_bits=8"
        second = "permessage-deflate; server_no_context_takeover"
        for offers, answer in {
            (first, "permessage-deflate"): "permessage-deflate",
            (first, second): second,
            (second, "permessage-deflate"): second,
            ("x-other; a=b", second): second,
            (first, "x-other"): None,
        }.items():
            self.assertEqual(self.agreed(*offers), answer)

    def test_names_in_capital_letters(self) -> None:
        self.assertEqual(self.agreed("Permessage-Deflate"), "permessage-deflate")


class WindowTests(ServerTestCase):
    """Section 7.1.2.1: the server keeps to the window that it has promised."""

    def message_with_a_repetition(self, bits: int) -> tuple[bytes, str]:
        """A CALL of ours as it is sent, with a repetition 2,000 bytes away."""
        offer = f"{DEFLATE}; server_max_window_bits={bits}"
        self.cp1.upgrades(f"/ocpp/{bits}", extra=[offer])
        noise = Random(1).randbytes(1100).hex()
        text = noise[:2000] + noise[:200]
        charge_point = self.system.charge_points[Identity(str(bits))]
        data = v16.DataTransferRequest(vendorId="v", data=text)
        charge_point.call(data).addErrback(lambda failure: None)
        ((_, payload),) = self.cp1.hears()
        return payload, text

    def inflated_with_ten_bits(self, payload: bytes) -> bytes:
        """Piece by piece: zlib looks at distances only beyond what it writes in one call."""
        inflate, pieces, rest = zlib.decompressobj(-10), [], payload + TAIL
        while rest:
            pieces.append(inflate.decompress(rest, 50))
            rest = inflate.unconsumed_tail
        return b"".join(pieces)

    def test_ten_bits(self) -> None:
        payload, text = self.message_with_a_repetition(10)
        self.assertEqual(json.loads(self.inflated_with_ten_bits(payload))[3]["data"], text)

    def test_a_larger_window_would_not_do(self) -> None:
        """What the test above stands on."""
        payload, _ = self.message_with_a_repetition(12)
        self.assertRaises(zlib.error, self.inflated_with_ten_bits, payload)


class ContextTests(DeflateTestCase):
    """Sections 7.1.1 and 7.2: what is left of the message before."""

    def test_the_client_may_take_its_context_over(self) -> None:
        sizes = []
        for _ in range(3):
            payload = self.deflate.message(HEARTBEAT)
            sizes.append(len(payload))
            self.cp1.sends(frame(payload, rsv=4))
            self.assertEqual(self.hears(), [TIME_RESULT])
        self.assertLess(sizes[1], sizes[0])

    def test_and_need_not(self) -> None:
        for _ in range(3):
            self.deflate = Deflate()
            self.says(HEARTBEAT)
            self.assertEqual(self.hears(), [TIME_RESULT])

    def test_with_plain_messages_in_between(self) -> None:
        for _ in range(2):
            self.says(HEARTBEAT)
            self.cp1.says(HEARTBEAT)
            self.assertEqual(self.hears(), [TIME_RESULT] * 2)

    def test_the_server_takes_none_over(self) -> None:
        """So no connection keeps a window, and the promise is kept where it was asked for."""
        self.cp1.says(HEARTBEAT)
        self.cp1.says(HEARTBEAT)
        first, second = self.cp1.hears()
        self.assertEqual(first, second)

    def test_a_smaller_window(self) -> None:
        self.deflate = Deflate(bits=9)
        data = "ab" * 900
        self.says(f'[2,"d","DataTransfer",{{"vendorId":"x","data":"{data}"}}]')
        self.assertEqual(self.hears(), [f'[3,"d",{{"status":"Accepted","data":"{data}"}}]'])


class MessageTests(DeflateTestCase):
    """Section 7.2: messages."""

    def test_the_examples_of_the_rfc(self) -> None:
        """Section 7.2.3, all of them "Hello"; 7.2.3.4 is that with a final block."""
        self.cp1 = Peer(self.factory)
        self.cp1.upgrades("/ocpp/CP2", "ocpp2.0.1", extra=[DEFLATE])
        hello = "f248cdc9c90700"
        for payload in (
            hello,
            "f20011" + "0000",
            "000500faff48656c6c6f00",
            "f348cdc9c9070000",
            hello,
            "f24805000000ffffcac9c90700",
            "f200110000",
        ):
            self.cp1.sends(frame(bytes.fromhex(payload), rsv=4))
        heard = [json.loads(said) for said in self.hears()]
        self.assertEqual([said[:3] for said in heard], [[4, "-1", "RpcFrameworkError"]] * 7)

    def test_in_fragments(self) -> None:
        for cut in range(len(Deflate().message(HEARTBEAT))):
            data = self.deflate.message(HEARTBEAT)
            self.cp1.sends(frame(data[:cut], TEXT, fin=False, rsv=4))
            self.cp1.sends(frame(b"p", PING) + frame(data[cut:], CONTINUATION))
            self.assertEqual(self.hears(), [(PONG, b"p"), TIME_RESULT])

    def test_binary(self) -> None:
        self.cp1.sends(frame(self.deflate.message(HEARTBEAT), BINARY, rsv=4))
        self.assertEqual(self.hears(), [TIME_RESULT])

    def test_empty_messages(self) -> None:
        """Section 7.2.3.6: one byte. They are none of OCPP; the next one counts."""
        for payload in (b"\0", b"\x02\0"):
            self.cp1.sends(frame(payload, rsv=4))
            self.says(HEARTBEAT)
            self.assertEqual(self.hears(), [TIME_RESULT])

    def test_messages_that_end_with_a_final_block(self) -> None:
        """Section 7.2.3.4; what comes after them is inflated too."""
        for _ in range(3):
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            payload = deflate.compress(HEARTBEAT.encode()) + deflate.flush(zlib.Z_FINISH)
            self.cp1.sends(frame(payload + b"\0", rsv=4))
            self.assertEqual(self.hears(), [TIME_RESULT])
        self.says(HEARTBEAT)
        self.assertEqual(self.hears(), [TIME_RESULT])

    def test_blocks_that_are_not_compressed(self) -> None:
        self.deflate._deflate = zlib.compressobj(0, zlib.DEFLATED, -15)
        self.says(HEARTBEAT)
        self.assertEqual(self.hears(), [TIME_RESULT])

    def test_several_in_one_read(self) -> None:
        data = b"".join(frame(self.deflate.message(HEARTBEAT), rsv=4) for _ in range(3))
        self.cp1.sends(data)
        self.assertEqual(self.hears(), [TIME_RESULT] * 3)

    def test_ours(self) -> None:
        self.system.call("CP1", RESET).addErrback(lambda failure: None)
        ((first, payload),) = self.cp1.hears()
        self.assertEqual(first, COMPRESSED_TEXT)
        self.assertEqual(json.loads(inflated(payload))[2:], ["Reset", {"type": "Soft"}])


class FaultTests(DeflateTestCase):
    """What ends the connection."""

    def closed(self, code: int) -> None:
        self.assertEqual(self.cp1.hears(), [code])
        self.cp1.sends(close_frame(code))
        self.assertTrue(self.cp1.socket.disconnecting)
        self.assertFalse(self.cp1.socket.aborted)

    def again(self) -> None:
        self.cp1 = Peer(self.factory)
        self.cp1.upgrades(extra=[DEFLATE])
        self.deflate = Deflate()

    def test_compressed_control_frames(self) -> None:
        for opcode in (PING, PONG, CLOSE):
            self.again()
            self.cp1.sends(frame(self.deflate.message(b"xx"), opcode, rsv=4))
            self.assertEqual(self.cp1.hears(), [1002])

    def test_the_bit_on_a_continuation(self) -> None:
        data = self.deflate.message(HEARTBEAT)
        self.cp1.sends(frame(data[:5], TEXT, fin=False, rsv=4))
        self.cp1.sends(frame(data[5:], CONTINUATION, rsv=4))
        self.closed(1002)

    def test_the_bit_on_a_continuation_only(self) -> None:
        self.cp1.sends(frame(b"[", TEXT, fin=False) + frame(b"]", CONTINUATION, rsv=4))
        self.closed(1002)

    def test_the_other_bits(self) -> None:
        for rsv in (1, 2, 5, 6, 7):
            self.again()
            self.cp1.sends(frame(self.deflate.message(HEARTBEAT), rsv=rsv))
            self.closed(1002)

    def test_the_bit_where_nothing_was_agreed_on(self) -> None:
        self.cp1 = Peer(self.factory)
        self.cp1.upgrades()
        self.says(HEARTBEAT)
        self.closed(1002)

    def test_what_cannot_be_inflated(self) -> None:
        far = zlib.compressobj(9, zlib.DEFLATED, -15)
        far.compress(HEARTBEAT.encode())
        far.flush(zlib.Z_SYNC_FLUSH)
        context = far.compress(HEARTBEAT.encode()) + far.flush(zlib.Z_SYNC_FLUSH)
        for payload in (b"\xff\xff\xff\xff", b"\x07", b"\x00\x05\x00\x00\x00hello", context[:-4]):
            self.again()
            self.cp1.sends(frame(payload, rsv=4))
            self.closed(1007)

    def test_what_is_no_utf_8(self) -> None:
        self.says(b"[\xff")
        self.closed(1007)

    def test_what_ends_within_a_character(self) -> None:
        self.says("[é".encode()[:-1])
        self.closed(1007)

    def test_a_bomb_is_not_inflated_whole(self) -> None:
        """A thousand times its size; the limit is on what it holds."""
        bomb = self.deflate.message(b" " * 100_000_000)
        self.assertLess(len(bomb), 100_000)
        for pieces in (
            [frame(bomb, rsv=4)],
            [frame(bomb[:9], TEXT, fin=False, rsv=4), frame(bomb[9:], CONTINUATION)],
            [frame(bomb[:3000], rsv=4)],
        ):
            self.again()
            tracemalloc.start()
            try:
                for piece in pieces:
                    self.cp1.sends(piece)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(peak, 1_000_000)
            self.closed(1009)

    def test_many_small_fragments_of_a_bomb(self) -> None:
        bomb = self.deflate.message(b" " * 1_000_000)
        self.cp1.sends(frame(b"", TEXT, fin=False, rsv=4))
        for byte in bomb:
            self.cp1.sends(frame(bytes([byte]), CONTINUATION, fin=False))
        self.closed(1009)

    def test_the_limit_is_exact(self) -> None:
        limit = self.options.max_message_size
        self.says(b" " * limit)
        self.assertEqual(self.cp1.hears(), [])
        self.says(b" " * (limit + 1))
        self.closed(1009)

    def test_the_limit_is_exact_whatever_zlib_keeps_back(self) -> None:
        """The end of a long repetition comes from zlib with the next bytes only."""
        limit = self.options.max_message_size
        for surplus in (1, 3, 12, 100, 258, 1000):
            for pieces in (1, 2):
                self.again()
                bomb = self.deflate.message(b" " * (limit + surplus))
                first = bomb if pieces == 1 else bomb[:5]
                self.cp1.sends(frame(first, fin=pieces == 1, rsv=4))
                if pieces == 2:
                    self.cp1.sends(frame(bomb[5:], CONTINUATION))
                self.closed(1009)

    def test_nothing_is_kept_of_what_comes_after_a_fault(self) -> None:
        for payload in (b"\xff\xff\xff\xff", self.deflate.message(b" " * 1_000_000)):
            self.again()
            self.cp1.sends(frame(payload, rsv=4))
            tracemalloc.start()
            try:
                for _ in range(64):
                    self.cp1.sends(frame(bytes(60_000)))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(peak, 1_000_000)
