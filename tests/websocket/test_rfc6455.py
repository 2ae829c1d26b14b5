"""RFC 6455, clause by clause, on the server's bytes: Autobahn's behaviour is checked, not assumed.

What is refused before the upgrade, and what is done with messages, stands in `test_server`.
"""

from __future__ import annotations

import struct
import tracemalloc

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.identity import Identity
from ocpp_twisted.websocket.server import OCPPServerFactory, WebSocketOptions
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
    request,
    until,
    upgraded,
)
from tests.websocket.test_server import TIME_RESULT, ServerTestCase

BEGUN = frame(HEARTBEAT[:5], TEXT, fin=False)
REST = frame(HEARTBEAT[5:], CONTINUATION)

NOT_UTF_8 = {
    "a continuation byte alone": b"\x80",
    "overlong, two bytes": b"\xc0\xaf",
    "overlong, three bytes": b"\xe0\x80\xaf",
    "overlong, four bytes": b"\xf0\x80\x80\xaf",
    "the first surrogate": b"\xed\xa0\x80",
    "the last surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb4\x8c",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "never in UTF-8": b"\xfe",
    "cut by another character": b"\xe2\x82x",
}


def closing(code: int, reason: bytes = b"") -> bytes:
    """A close frame of a client, with any body."""
    return frame(struct.pack("!H", code) + reason, CLOSE)


def transfer(data: bytes) -> bytes:
    """A CALL that holds these bytes."""
    return b'[2,"d","DataTransfer",{"vendorId":"x","data":"' + data + b'"}]'


class OpeningTests(ServerTestCase):
    """Sections 4.1 and 4.2: the opening handshake."""

    def answer(self, head: bytes) -> tuple[str, str]:
        """The status and the headers that come back."""
        cp1 = Peer(self.factory)
        cp1.sends(head)
        status, _, headers = cp1.receives().decode().partition("\r\n")
        return status.removeprefix("HTTP/1.1 ")[:3], headers

    def refused(self, head: bytes, status: str = "400") -> None:
        self.assertEqual(self.answer(head)[0], status)
        self.assertEqual(self.plugin.heard, [])

    def taken(self, head: bytes) -> None:
        self.assertEqual(self.answer(head)[0], "101")
        self.assertEqual(self.plugin.heard.pop(), "online")

    def test_each_header_that_must_be_there(self) -> None:
        for header, status in {
            "Host": "400",
            "Upgrade": "426",
            "Connection": "400",
            "Sec-WebSocket-Key": "400",
            "Sec-WebSocket-Version": "400",
        }.items():
            self.refused(request(without=header), status)

    def test_each_header_that_must_be_there_once(self) -> None:
        for header in (
            "Host: other.example",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ):
            self.refused(request(extra=[header]))

    def test_what_upgrade_and_connection_must_say(self) -> None:
        head = request()
        self.refused(head.replace(b"Upgrade: websocket", b"Upgrade: h2c"))
        self.refused(head.replace(b"Connection: Upgrade", b"Connection: keep-alive"))
        self.taken(head.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade"))
        self.taken(request(extra=["Connection: keep-alive"]))
        self.taken(head.replace(b"Upgrade: websocket", b"Upgrade: h2c, WebSocket"))

    def test_case_and_order_of_the_headers_do_not_matter(self) -> None:
        line, *headers = request().decode().strip().split("\r\n")
        for lines in (
            reversed(headers),
            [header.upper() for header in headers if "Key" not in header and "Proto" not in header]
            + [
                "SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==",
                "SEC-WEBSOCKET-PROTOCOL: ocpp1.6",
            ],
            [header.replace(": ", ":\t ") + " " for header in headers],
        ):
            self.taken("\r\n".join([line, *lines, "", ""]).encode())

    def test_versions_of_the_drafts(self) -> None:
        for version in (b"8", b"7", b"0", b"14", b"13, 8", b"x", b""):
            head = request().replace(b"Version: 13", b"Version: " + version)
            self.refused(head)
        _, headers = self.answer(request().replace(b"Version: 13", b"Version: 8"))
        self.assertIn("\r\nSec-WebSocket-Version: 13\r\n", headers)

    def test_a_key_is_16_bytes_in_base64(self) -> None:
        for key in (b"", b"short", b"dGhlIHNhbXBsZSBub25jZQ", b"*" * 22 + b"==", b"A" * 24):
            self.refused(request().replace(b"dGhlIHNhbXBsZSBub25jZQ==", key))

    def test_a_key_goes_into_the_answer(self) -> None:
        _, headers = self.answer(request())
        self.assertIn("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", headers)
        self.assertIn("Upgrade: WebSocket\r\nConnection: Upgrade\r\n", headers)

    def test_request_lines(self) -> None:
        self.refused(request(start="GET /ocpp/CP1 HTTP/1.0"), "505")
        self.refused(request(start="GET /ocpp/CP1 HTTP/2.0"), "505")
        self.refused(request(start="GET /ocpp/CP1"))
        self.refused(request(start="GET /ocpp/CP 1 HTTP/1.1"))
        self.refused(request(start="get /ocpp/CP1 HTTP/1.1"), "405")
        self.refused(request("/ocpp/CP1#1"))

    def test_a_whole_url_in_the_request_line(self) -> None:
        for scheme in ("http", "ws", "wss"):
            self.taken(request(f"{scheme}://csms.example/ocpp/{scheme}"))
            self.assertIn(Identity(scheme), self.system.charge_points)

    def test_headers_of_two_readings(self) -> None:
        """RFC 9112 sections 5.1 and 5.2: folded, and space before the colon."""
        head = request(subprotocols="ocpp2.1, ocpp1.6")
        self.refused(head.replace(b"ocpp2.1, ", b"ocpp2.1,\r\n "))
        self.refused(head.replace(b"ocpp2.1, ", b"ocpp2.1,\r\n\t"))
        self.refused(head.replace(b"Host:", b"Host :"))
        for byte in b"\x0b\x0c\x1c\x1d\x1e\x85":
            self.refused(request(extra=["X-Comment: a" + chr(byte) + "X-Other: b"]))

    def test_a_head_within_the_bounds_and_one_beyond(self) -> None:
        self.taken(request(extra=["Cookie: " + "x" * 15_000]))
        cp1 = Peer(self.factory)
        cp1.sends(request(extra=["Cookie: " + "x" * 20_000])[:17_000])
        self.assertEqual(cp1.receives()[:13], b"HTTP/1.1 431 ")

    def test_a_request_with_a_body(self) -> None:
        """What follows the head is frames, whatever a header says."""
        self.cp1.sends(request(extra=["Content-Length: 5"]) + b"hello")
        head, _, rest = self.cp1.receives().partition(b"\r\n\r\n")
        self.assertEqual(head[:13], b"HTTP/1.1 101 ")
        self.assertEqual(rest[2:4], struct.pack("!H", 1002))

    def test_subprotocols_in_several_headers(self) -> None:
        _, headers = self.answer(request(extra=["Sec-WebSocket-Protocol: ocpp2.1"]))
        self.assertIn("\r\nSec-WebSocket-Protocol: ocpp2.1\r\n", headers)

    def test_extensions_that_nobody_knows_are_passed_over(self) -> None:
        for offer in ("x-webkit-deflate-frame", "foo; bar=baz", "permessage-bzip2", ";;,,="):
            status, headers = self.answer(request(extra=[f"Sec-WebSocket-Extensions: {offer}"]))
            self.assertEqual((status, "Extensions" in headers), ("101", False))

    def test_the_version_in_the_url_decides_nothing(self) -> None:
        """OCPP 2.1 part 4, section 3.1.2."""
        self.cp1.upgrades("/ocpp/ocpp1.6/CP1", "ocpp2.1")
        self.assertEqual(self.system.charge_points[self.only()].version, "2.1")

    def test_ids_of_every_kind(self) -> None:
        """OCPP-J 1.6 and 2.x, section 3.1.1: we are more patient than charge points must be."""
        ids = {
            "C" * 49: "C" * 49,
            "RDAM%20123": "RDAM 123",
            "RDAM%7C123": "RDAM|123",
            "RDAM|123": "RDAM|123",
            "a:b": "a:b",
            "cp1": "cp1",
            "CP1": "CP1",
        }
        for path, charge_point in ids.items():
            Peer(self.factory).upgrades(f"/ocpp/{path}")
            self.assertIn(Identity(charge_point), self.system.charge_points)
        self.assertEqual(len(self.system.charge_points), len(set(ids.values())))


class OpenTestCase(ServerTestCase):
    """A connection, and one question: does the server close it, and with what?"""

    def setUp(self) -> None:
        super().setUp()
        self.number = 0
        self.again()

    def again(self) -> Peer:
        self.number += 1
        self.cp1 = Peer(self.factory)
        self.cp1.upgrades(f"/ocpp/{self.number}")
        return self.cp1

    def closes(self, data: bytes, code: int | None) -> None:
        """The bytes end a new connection with one close frame, in one read and byte by byte."""
        for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
            cp1 = self.again()
            for piece in pieces:
                cp1.sends(piece)
            self.assertEqual(cp1.hears(), [code], data[:40])

    def stays_open(self, data: bytes, *heard: object) -> None:
        """The bytes are answered so, and then a Heartbeat is answered too."""
        for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
            cp1 = self.again()
            for piece in pieces:
                cp1.sends(piece)
            cp1.says(HEARTBEAT)
            self.assertEqual(cp1.hears(), [*heard, TIME_RESULT], data[:40])


class FramingTests(OpenTestCase):
    """Section 5.2 to 5.5: frames."""

    def test_reserved_bits(self) -> None:
        for rsv in range(1, 8):
            for opcode in (TEXT, BINARY, PING, PONG, CLOSE):
                self.closes(frame(b"", opcode, rsv=rsv), 1002)
            self.closes(BEGUN + frame(HEARTBEAT[5:], CONTINUATION, rsv=rsv), 1002)

    def test_reserved_opcodes(self) -> None:
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
            self.closes(frame(HEARTBEAT, opcode), 1002)
            self.closes(frame(b"", opcode), 1002)
            self.closes(BEGUN + frame(HEARTBEAT, opcode), 1002)

    def test_frames_without_a_mask(self) -> None:
        for data in (b"\x81\x02[]", b"\x89\x00", b"\x88\x00", b"\x01\x01[", b"\x81\x7e\x00\x80"):
            self.closes(data, 1002)

    def test_masks_are_taken_off(self) -> None:
        mask, payload = b"\x01\xfe\x80\x37", HEARTBEAT.encode()
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        head = bytes([0x81, 0x80 | len(payload)])
        self.stays_open(head + mask + masked, TIME_RESULT)

    def test_lengths_in_more_bytes_than_they_need(self) -> None:
        for head in (
            b"\x81\xfe" + struct.pack("!H", 125),
            b"\x81\xfe" + struct.pack("!H", 0),
            b"\x81\xff" + struct.pack("!Q", 125),
            b"\x81\xff" + struct.pack("!Q", 65535),
        ):
            self.closes(head + bytes(4), 1002)

    def test_the_shortest_lengths_of_their_kind(self) -> None:
        for size in (125, 126):
            data = b"y" * (size - len(transfer(b"")))
            answer = f'[3,"d",{{"status":"Accepted","data":"{data.decode()}"}}]'
            self.stays_open(frame(transfer(data)), answer)

    def test_a_length_of_64_bits(self) -> None:
        for length, code in ((1 << 63, 1002), ((1 << 64) - 1, 1002), ((1 << 63) - 1, 1009)):
            self.closes(b"\x81\xff" + struct.pack("!Q", length) + bytes(4), code)

    def test_control_frames_that_are_too_long(self) -> None:
        for opcode in (PING, PONG, CLOSE):
            self.closes(frame(b"x" * 126, opcode)[:30], 1002)
            self.closes(bytes([0x80 | opcode, 0xFF]) + struct.pack("!Q", 70_000) + bytes(4), 1002)
        self.stays_open(frame(b"x" * 125, PING), (PONG, b"x" * 125))

    def test_control_frames_in_fragments(self) -> None:
        for opcode in (PING, PONG, CLOSE):
            self.closes(frame(b"", opcode, fin=False), 1002)

    def test_pings(self) -> None:
        for payload in (b"", b"\x00\xff\xfe", b"x" * 125):
            self.stays_open(frame(payload, PING), (PONG, payload))
        several = frame(b"1", PING) + frame(b"2", PING)
        self.stays_open(several, (PONG, b"1"), (PONG, b"2"))

    def test_pongs_that_nobody_asked_for(self) -> None:
        self.stays_open(frame(b"", PONG) + frame(b"unasked", PONG))


class FragmentTests(OpenTestCase):
    """Section 5.4: messages in fragments."""

    def test_a_continuation_of_nothing(self) -> None:
        for fin in (True, False):
            self.closes(frame(HEARTBEAT, CONTINUATION, fin), 1002)
        self.again().sends(BEGUN + REST + REST)
        self.assertEqual(self.cp1.hears(), [TIME_RESULT, 1002])

    def test_a_new_message_inside_one(self) -> None:
        for opcode in (TEXT, BINARY):
            for fin in (True, False):
                self.closes(BEGUN + frame(HEARTBEAT, opcode, fin), 1002)

    def test_one_byte_each(self) -> None:
        first, *others, last = HEARTBEAT
        data = frame(first, TEXT, fin=False)
        data += b"".join(frame(other, CONTINUATION, fin=False) for other in others)
        self.stays_open(data + frame(last, CONTINUATION), TIME_RESULT)

    def test_empty_ones(self) -> None:
        nothing = frame(b"", CONTINUATION, fin=False)
        begun = frame(b"", TEXT, fin=False)
        whole = frame(HEARTBEAT, CONTINUATION, fin=False)
        end = frame(b"", CONTINUATION)
        self.stays_open(begun + nothing + whole + nothing + end, TIME_RESULT)

    def test_control_frames_in_between(self) -> None:
        ping, pong = frame(b"p", PING), frame(b"", PONG)
        self.stays_open(BEGUN + ping + pong + REST, (PONG, b"p"), TIME_RESULT)
        self.again().sends(BEGUN + closing(1000) + REST)
        self.assertEqual(self.cp1.hears(), [1000])

    def test_binary_ones(self) -> None:
        begun = frame(HEARTBEAT[:5], BINARY, fin=False)
        self.stays_open(begun + REST, TIME_RESULT)

    def test_empty_messages(self) -> None:
        """They are none of OCPP, and 1.6 has no answer to these."""
        for data in (frame(b""), frame(b"", BINARY), frame(b"", fin=False) + frame(b"", 0)):
            self.stays_open(data)


class TextTests(OpenTestCase):
    """Section 8.1: text is UTF-8."""

    def test_what_is_wrong_at_each_place(self) -> None:
        for wrong in NOT_UTF_8.values():
            message = transfer(wrong)
            self.closes(frame(message), 1007)
            self.closes(frame(b'[2,"' + wrong), 1007)
            for cut in (1, message.index(wrong), message.index(wrong) + 1, len(message) - 1):
                begun = frame(message[:cut], TEXT, fin=False)
                self.closes(begun + frame(message[cut:], CONTINUATION), 1007)

    def test_it_fails_as_soon_as_it_is_seen(self) -> None:
        for data in (b"[\xf0\x9f\x94\x8c\xff", b"[\xed\xa0", b"[\xf4\x90", b"[\xc0"):
            self.closes(frame(data, TEXT, fin=False), 1007)
            self.again().sends(frame(data + b"x" * 300)[: 8 + len(data)])
            self.assertEqual(self.cp1.hears(), [1007])

    def test_a_message_that_ends_within_a_character(self) -> None:
        for cut in range(1, 4):
            data = "🔌".encode()[:cut]
            self.closes(frame(data), 1007)
            self.closes(frame(data, TEXT, fin=False) + frame(b"", CONTINUATION), 1007)

    def test_characters_over_fragments(self) -> None:
        data = "é€🔌\ufffe\U0010ffff"
        message = transfer(data.encode())
        answer = f'[3,"d",{{"status":"Accepted","data":"{data}"}}]'
        for cut in range(len(message)):
            cp1 = self.again()
            cp1.sends(frame(message[:cut], TEXT, fin=False))
            cp1.sends(frame(b"", PING) + frame(message[cut:], CONTINUATION))
            self.assertEqual(cp1.hears(), [(PONG, b""), answer])

    def test_binary_messages_need_not_be_utf_8(self) -> None:
        self.stays_open(frame(b"[\xff", BINARY))


class ClosingTests(OpenTestCase):
    """Sections 5.5.1 and 7: the end."""

    def test_codes_that_may_be_sent_come_back(self) -> None:
        for code in (*range(1000, 1004), *range(1007, 1014), 3000, 3999, 4000, 4999):
            self.again().sends(closing(code))
            self.assertEqual((self.cp1.hears(), self.cp1.socket.disconnecting), ([code], True))

    def test_a_reason_comes_back_with_its_code(self) -> None:
        self.cp1.sends(closing(1000, "grüß dich".encode()))
        self.assertEqual(self.cp1.receives()[2:], b"\x03\xe8" + "grüß dich".encode())

    def test_no_code(self) -> None:
        self.cp1.sends(frame(b"", CLOSE))
        self.assertEqual(self.cp1.receives(), b"\x88\x00")
        self.assertTrue(self.cp1.socket.disconnecting)

    def test_codes_that_must_not_be_sent(self) -> None:
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
            self.closes(closing(code), 1002)

    def test_a_body_of_one_byte(self) -> None:
        self.closes(frame(b"\x03", CLOSE), 1002)

    def test_a_reason_that_is_no_utf_8(self) -> None:
        for reason in (b"\xff", b"\xed\xa0\x80", "é".encode()[:1]):
            self.closes(closing(1000, reason), 1007)

    def test_nothing_counts_after_a_close_frame(self) -> None:
        self.cp1.sends(closing(1000) + frame(HEARTBEAT) + frame(b"", PING) + closing(1001))
        self.cp1.says(HEARTBEAT)
        self.assertEqual(self.cp1.hears(), [1000])

    def test_nothing_is_answered_after_our_close_frame(self) -> None:
        self.system.charge_points[Identity("1")].close(1000, "")
        self.cp1.sends(frame(HEARTBEAT) + BEGUN + REST)
        self.assertEqual(self.cp1.hears(), [1000])
        self.assertFalse(self.cp1.socket.disconnecting)
        self.cp1.sends(closing(1000))
        self.assertTrue(self.cp1.socket.disconnecting)

    def test_the_socket_is_closed_in_good_order(self) -> None:
        """Section 7.1.1. A reset may overtake our close frame."""
        for data in (closing(1000), closing(1005), frame(b"\x03", CLOSE), closing(1000, b"\xff")):
            self.again().sends(data)
            self.assertTrue(self.cp1.socket.disconnecting)
            self.assertFalse(self.cp1.socket.aborted)
        self.again()
        self.system.charge_points[Identity(str(self.number))].close(1000, "")
        self.cp1.sends(closing(1000))
        self.assertEqual((self.cp1.socket.disconnecting, self.cp1.socket.aborted), (True, False))

    def test_after_a_failure_the_peers_close_frame_ends_it(self) -> None:
        for data in (
            frame(b"\xff"),
            frame(b"[" * 5000),
            frame(b"", 3),
            frame(b"x" * 200, PING),
            frame(b"", CONTINUATION),
        ):
            self.again().sends(data)
            self.assertFalse(self.cp1.socket.disconnecting)
            self.cp1.sends(close_frame())
            self.assertTrue(self.cp1.socket.disconnecting)

    def test_after_a_failure_a_peer_that_goes_on_is_dropped(self) -> None:
        self.cp1.sends(frame(b"\xff"))
        for _ in range(10):
            self.clock.advance(self.options.close_timeout / 5)
            self.cp1.sends(frame(HEARTBEAT))
        self.assertTrue(self.cp1.socket.aborted)
        self.assertEqual(self.cp1.hears(), [1007])

    def test_after_a_failure_nothing_is_kept(self) -> None:
        endless = struct.pack("!Q", 1 << 40) + bytes(4)
        for data in (
            b"\x89\xff" + endless,
            b"\x81\xff" + endless,
            b"\x88\xff" + endless,
            frame(b"\xff", TEXT, fin=False),
            frame(b"", 3),
        ):
            cp1 = self.again()
            cp1.sends(data)
            tracemalloc.start()
            try:
                for _ in range(64):
                    cp1.sends(bytes(65_536))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(peak, 1_000_000, data[:2])


class SocketTests(TestCase):
    """What memory cannot show: whether the close frame gets through a real socket."""

    async def test_a_close_frame_of_ours_is_seen(self) -> None:
        factory = OCPPServerFactory(CentralSystem([], reactor), reactor, WebSocketOptions())
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        for data, code in (
            (frame(b"\x03", CLOSE), 1002),
            (closing(1005), 1002),
            (closing(1000, b"\xff"), 1007),
            (closing(1001), 1001),
        ):
            client = await upgraded(reactor, port.getHost().port)
            client.transport.write(data)
            await client.over
            self.assertEqual(client.hears(), [code])
        await until(lambda: not factory.open, reactor)
