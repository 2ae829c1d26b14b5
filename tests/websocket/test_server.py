"""The WebSocket server, byte by byte: handshakes, messages, closings, and what it will not bear."""

from __future__ import annotations

import gc
import json
import struct
import tracemalloc
import weakref
import zlib
from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import ConnectionLost, NotConnected
from ocpp_twisted.identity import Identity
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.websocket.server import OCPPServerFactory, WebSocketOptions
from ocpp_twisted.websocket.urls import Templates
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
)

TIME = v16.HeartbeatResponse(currentTime=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
TIME_RESULT = '[3,"h1",{"currentTime":"2026-01-02T03:04:05Z"}]'
RESET = v16.ResetRequest(type="Soft")
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


class Plugin(ActionPlugin):
    """Tells the time, and writes down who comes and goes."""

    name = "time"

    def __init__(self) -> None:
        self.heard = []

    def charge_point_online(self, charge_point) -> None:
        self.heard.append("online")

    def charge_point_offline(self, charge_point, reason, seconds) -> None:
        self.heard.append(reason)

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point, request):
        return TIME

    @on(v16.DataTransferRequest)
    def transfer(self, charge_point, request):
        return v16.DataTransferResponse(status="Accepted", data=request.data)


class ServerTestCase(SynchronousTestCase):
    options = WebSocketOptions(max_message_size=4096)
    limits = Limits()

    def setUp(self) -> None:
        self.clock = Clock()
        self.plugin = Plugin()
        self.system = CentralSystem([self.plugin], self.clock, limits=self.limits)
        self.factory = OCPPServerFactory(self.system, self.clock, self.options)
        self.cp1 = Peer(self.factory)

    def only(self) -> Identity:
        (identity,) = self.system.charge_points
        return identity


class RefusalTests(ServerTestCase):
    """What is refused before the upgrade, with a sentence for the peer and one for the log."""

    def refused(self, head: bytes, status: str, sentence: str) -> str:
        with capturedLogs() as logs:
            self.cp1.sends(head)
        response = self.cp1.receives().decode()
        self.assertEqual(response.partition("\r\n")[0], f"HTTP/1.1 {status}")
        self.assertIn(sentence, response.partition("\r\n\r\n")[2])
        (log,) = [log for log in logs if log["log_namespace"].startswith("ocpp_twisted")]
        self.assertEqual((log["log_level"], log["code"]), (LogLevel.warn, int(status[:3])))
        self.assertIn(sentence, log["reason"])
        self.assertTrue(self.cp1.socket.disconnecting)
        self.cp1.loses()
        self.assertEqual(self.plugin.heard, [])
        return response

    def test_unknown_path(self) -> None:
        sentence = "it is /ocpp/{name}/{id} or /ocpp/{id} or /{id}"
        self.refused(request("/a/b/c/d"), "404 Not Found", sentence)

    def test_bad_percent_encoding(self) -> None:
        self.refused(request("/ocpp/%zz"), "400 Bad Request", "percent-encoded")

    def test_control_characters(self) -> None:
        self.refused(request("/ocpp/a%0Ab"), "400 Bad Request", "cannot be printed")

    def test_no_upgrade(self) -> None:
        response = self.refused(request(without="Upgrade"), "426 Upgrade Required", "Upgrade")
        self.assertIn("\r\nUpgrade: websocket\r\n", response)
        self.assertIn("\r\nSec-WebSocket-Version: 13\r\n", response)

    def test_another_version_of_websockets(self) -> None:
        head = request().replace(b"Version: 13", b"Version: 99")
        self.refused(head, "400 Bad Request", "WebSocket version 99")

    def test_post(self) -> None:
        head = request(start="POST /ocpp/CP1 HTTP/1.1")
        self.assertIn("\r\nAllow: GET\r\n", self.refused(head, "405 Method Not Allowed", "POST"))

    def test_http_1_0(self) -> None:
        head = request(start="GET /ocpp/CP1 HTTP/1.0")
        self.refused(head, "505 HTTP Version Not Supported", "HTTP/1.0")

    def test_no_host(self) -> None:
        self.refused(request(without="Host"), "400 Bad Request", "Host")

    def test_something_else_entirely(self) -> None:
        self.refused(b"\x16\x03\x01\x00\xa5\r\n\r\n", "400 Bad Request", "status line")

    def test_a_head_that_never_ends(self) -> None:
        self.cp1.sends(request()[:-2])
        line = b"X-Filler: " + b"x" * 1000 + b"\r\n"
        sent = 0
        while not self.cp1.socket.disconnecting and sent < 100_000:
            self.cp1.sends(line)
            sent += len(line)
        self.assertLess(sent, 20_000)
        self.assertIn(b"HTTP/1.1 431 Request Header Fields Too Large\r\n", self.cp1.receives())

    def test_nothing_is_kept_of_what_comes_after_a_refusal(self) -> None:
        self.cp1.sends(request("/a/b/c/d"))
        for _ in range(100):
            self.cp1.sends(bytes(10_000))
        self.assertLess(len(self.cp1.protocol.data), 20_000)

    def test_a_head_that_comes_too_slowly(self) -> None:
        self.cp1.sends(request()[:20])
        self.clock.advance(self.options.handshake_timeout + 1)
        self.assertTrue(self.cp1.socket.aborted)
        self.cp1.loses()
        self.assertEqual(self.factory.counts.late, 1)

    def test_when_the_server_stops(self) -> None:
        self.factory.accepting = False
        self.refused(request(), "503 Service Unavailable", "stop")

    def test_no_new_socket_when_the_server_stops(self) -> None:
        self.factory.accepting = False
        self.assertIsNone(self.factory.buildProtocol(self.cp1.socket.getPeer()))


class HandshakeTests(ServerTestCase):
    def test_the_charge_point_is_online(self) -> None:
        head = self.cp1.upgrades("/ocpp/CP1", "ocpp1.6")
        self.assertTrue(head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        self.assertIn(b"\r\nSec-WebSocket-Protocol: ocpp1.6\r\n", head)
        self.assertIn(b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", head)
        self.assertEqual((self.only(), self.plugin.heard), (Identity("CP1"), ["online"]))

    def test_a_head_in_pieces_and_a_message_close_behind_it(self) -> None:
        for byte in request():
            self.cp1.sends(bytes([byte]))
        self.cp1.receives()
        self.cp1.sends(frame(HEARTBEAT))
        self.assertEqual(self.cp1.hears(), [TIME_RESULT])
        cp2 = Peer(self.factory)
        cp2.sends(request("/CP2") + frame(HEARTBEAT))
        self.assertIn(TIME_RESULT.encode(), cp2.receives())

    def test_the_clients_order_of_preference_decides(self) -> None:
        for offered, agreed in {
            "ocpp2.1, ocpp1.6": "ocpp2.1",
            "ocpp1.6, ocpp2.1": "ocpp1.6",
            "ocpp9.9,ocpp2.0.1,ocpp1.6": "ocpp2.0.1",
            "ocpp2.0": "ocpp2.0",
        }.items():
            head = Peer(self.factory).upgrades(subprotocols=offered)
            self.assertIn(f"\r\nSec-WebSocket-Protocol: {agreed}\r\n".encode(), head)

    def test_a_version_in_the_url_decides_nothing(self) -> None:
        head = self.cp1.upgrades("/ocpp/ocpp1.6/CP1", "ocpp2.0.1")
        self.assertIn(b"\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n", head)
        (charge_point,) = self.system.charge_points.values()
        self.assertEqual(charge_point.version, "2.0.1")

    def test_no_common_subprotocol_is_finished_and_closed_at_once(self) -> None:
        for offered in ("ocpp9.9", None):
            cp1 = Peer(self.factory)
            with capturedLogs() as logs:
                head = cp1.upgrades(subprotocols=offered)
            self.assertTrue(head.startswith(b"HTTP/1.1 101 "))
            self.assertNotIn(b"Sec-WebSocket-Protocol", head)
            self.assertEqual(cp1.hears(), [1002])
            self.assertIn("no common version: {charge_point}", logs[-1]["log_format"])
            cp1.says(HEARTBEAT)
            self.assertEqual(cp1.hears(), [])
            cp1.sends(close_frame(1002))
            self.assertTrue(cp1.socket.disconnecting)
            cp1.loses(clean=True)
        self.assertEqual(self.plugin.heard, [])

    def test_ids_come_as_they_are_meant(self) -> None:
        for target, identity in {
            "/ocpp/a%2Fb": Identity("a/b"),
            "/ocpp/a;b": Identity("a;b"),
            "/ocpp/a?b=c": Identity("a"),
            "/ocpp/a%3Fb": Identity("a?b"),
            "/ocpp/S%C3%BCd/%E2%9A%A1": Identity("⚡", "Süd"),
        }.items():
            cp = Peer(self.factory)
            cp.upgrades(target)
            self.assertEqual(self.only(), identity)
            cp.loses()

    def test_a_template_of_ones_own(self) -> None:
        options = WebSocketOptions(templates=Templates(["/cp/{id}"]))
        cp = Peer(OCPPServerFactory(self.system, self.clock, options))
        cp.upgrades("/cp/CP1")
        self.assertEqual(self.only(), Identity("CP1"))


class MessageTests(ServerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cp1.upgrades()

    def transfer(self, size: int) -> str:
        return f'[2,"d1","DataTransfer",{{"vendorId":"x","data":"{"y" * size}"}}]'

    def test_a_call_and_its_answer(self) -> None:
        self.cp1.says(HEARTBEAT)
        self.assertEqual(self.cp1.hears(), [TIME_RESULT])

    def test_many_in_one_read_and_one_in_many(self) -> None:
        self.cp1.sends(frame(HEARTBEAT) * 3)
        self.assertEqual(self.cp1.hears(), [TIME_RESULT] * 3)
        for byte in frame(HEARTBEAT):
            self.cp1.sends(bytes([byte]))
        self.assertEqual(self.cp1.hears(), [TIME_RESULT])

    def test_too_many_fragments(self) -> None:
        self.cp1.sends(frame(b"[", TEXT, fin=False))
        self.cp1.sends(frame(b"", CONTINUATION, fin=False) * 5000)
        self.clock.pump([0] * 25)
        self.assertEqual(self.cp1.hears(), [1008])

    def test_a_reason_for_the_closing_stays_on_its_line(self) -> None:
        reason = b"bye\n2026 [evil#info]\x1b[31m"
        self.cp1.sends(frame(struct.pack("!H", 1000) + reason, CLOSE))
        self.cp1.loses(clean=True)
        ended = "the charge point closed with 1000: " + r"bye\n2026 [evil#info]\x1b[31m"
        self.assertEqual(self.plugin.heard, ["online", ended])

    def test_fragments(self) -> None:
        self.cp1.sends(frame(HEARTBEAT[:5], TEXT, fin=False))
        self.cp1.sends(frame(HEARTBEAT[5:9], CONTINUATION, fin=False))
        self.cp1.sends(frame(b"", PING))
        self.cp1.sends(frame(HEARTBEAT[9:], CONTINUATION))
        self.assertEqual(self.cp1.hears(), [(PONG, b""), TIME_RESULT])

    def test_a_binary_message_that_holds_json(self) -> None:
        self.cp1.sends(frame(HEARTBEAT, BINARY))
        self.assertEqual(self.cp1.hears(), [TIME_RESULT])

    def test_a_ping_is_answered(self) -> None:
        self.cp1.sends(frame(b"are you there", PING))
        self.assertEqual(self.cp1.hears(), [(PONG, b"are you there")])

    def test_ours_come_unmasked_and_in_one_frame(self) -> None:
        result = self.system.call("CP1", RESET)
        (said,) = self.cp1.hears()
        self.cp1.says(f'[3,"{json.loads(said)[1]}",{{"status":"Accepted"}}]')
        self.assertEqual(self.successResultOf(result).status, "Accepted")

    def test_what_the_peer_may_send_does_not_limit_what_we_send(self) -> None:
        messages = "x" * 8000
        self.system.call("CP1", v16.DataTransferRequest(vendorId="v", data=messages)).addErrback(
            lambda failure: failure.trap(ConnectionLost)
        )
        (said,) = self.cp1.hears()
        self.assertEqual(json.loads(said)[3]["data"], messages)

    def test_invalid_utf_8(self) -> None:
        self.cp1.sends(frame(b'[2,"\xff","Heartbeat",{}]'))
        self.assertEqual(self.cp1.hears(), [1007])

    def test_utf_8_that_ends_in_the_middle(self) -> None:
        self.cp1.sends(frame("[2,é".encode()[:-1]))
        self.assertEqual(self.cp1.hears(), [1007])

    def test_the_largest_message(self) -> None:
        self.cp1.says(self.transfer(4096 - len(self.transfer(0))))
        self.assertEqual(json.loads(self.cp1.hears()[0])[0], 3)

    def test_a_message_that_is_too_big(self) -> None:
        self.cp1.sends(frame(self.transfer(5000))[:20])
        self.assertEqual(self.cp1.hears(), [1009])

    def test_a_message_that_is_too_big_in_sum(self) -> None:
        self.cp1.sends(frame(b"[" * 3000, TEXT, fin=False))
        self.cp1.sends(frame(b"[" * 3000, CONTINUATION, fin=False))
        self.assertEqual(self.cp1.hears(), [1009])

    def test_after_that_nothing_more_is_heard_but_the_closing(self) -> None:
        self.cp1.sends(frame(b"[" * 5000))
        self.cp1.says(HEARTBEAT)
        self.assertEqual(self.cp1.hears(), [1009])
        self.cp1.sends(close_frame(1009))
        self.cp1.loses()
        self.assertEqual(self.plugin.heard[1][:25], "we closed with 1009: rece")

    def test_an_unmasked_frame(self) -> None:
        self.cp1.sends(b"\x81\x02[]")
        self.assertEqual(self.cp1.hears(), [1002])


class DeflateTests(ServerTestCase):
    """permessage-deflate (RFC 7692), which a central system of OCPP 2.x must support."""

    def compressed(self, message: bytes | str) -> bytes:
        data = message.encode() if isinstance(message, str) else message
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        return (deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def setUp(self) -> None:
        super().setUp()
        self.head = self.cp1.upgrades(extra=[DEFLATE])

    def test_it_is_agreed_on_when_it_is_offered(self) -> None:
        self.assertIn(b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", self.head)
        self.assertNotIn(b"Extensions", Peer(self.factory).upgrades())

    def test_an_offer_that_cannot_be_read_is_declined(self) -> None:
        for bits in (8, 99):
            offer = f"{DEFLATE}; server_max_window_bits={bits}"
            head = Peer(self.factory).upgrades(f"/ocpp/CP{bits}", extra=[offer])
            self.assertIn(b"101 Switching Protocols", head)
            self.assertNotIn(b"Extensions", head)

    def test_both_ways(self) -> None:
        for _ in range(2):
            self.cp1.sends(frame(self.compressed(HEARTBEAT), rsv=4))
            answer = self.cp1.receives()
            self.assertEqual(answer[0], 0x80 | 0x40 | TEXT)
            inflate = zlib.decompressobj(-15)
            self.assertEqual(inflate.decompress(answer[2:] + b"\0\0\xff\xff").decode(), TIME_RESULT)

    def test_plain_and_in_fragments(self) -> None:
        self.cp1.says(HEARTBEAT)
        data = self.compressed(HEARTBEAT)
        self.cp1.sends(frame(data[:7], TEXT, fin=False, rsv=4) + frame(data[7:], CONTINUATION))
        self.assertEqual(len(self.cp1.hears()), 2)

    def test_a_bomb(self) -> None:
        bomb = self.compressed(b"[" + b" " * 50_000_000)
        cp1 = Peer(OCPPServerFactory(self.system, self.clock))
        cp1.upgrades(extra=[DEFLATE])
        sent = frame(bomb, rsv=4)
        tracemalloc.start()
        try:
            for start in range(0, len(sent), 4096):
                cp1.sends(sent[start : start + 4096])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertEqual(cp1.hears(), [1009])
        self.assertLess(peak, 4_000_000)

    def test_a_bomb_and_what_is_thrown_after_it(self) -> None:
        self.cp1.sends(frame(self.compressed(b" " * 1_000_000), rsv=4))
        self.assertEqual(self.cp1.hears(), [1009])
        for _ in range(100):
            self.cp1.sends(frame(bytes(10_000)))
        self.assertLess(len(self.cp1.protocol.data), 50_000)

    def test_what_cannot_be_inflated(self) -> None:
        self.cp1.sends(frame(b"\xff\xff\xff\xff", rsv=4))
        self.assertEqual(self.cp1.hears(), [1007])


class PaceTestCase(ServerTestCase):
    """Each Heartbeat waits for an answer of its own."""

    limits = Limits(open_calls=3)

    def setUp(self) -> None:
        super().setUp()
        self.answers = []

        def waits(charge_point, request):
            self.answers.append(Deferred())
            return self.answers[-1]

        self.plugin.heartbeat = waits
        self.system = CentralSystem([self.plugin], self.clock, limits=self.limits)
        self.factory = OCPPServerFactory(self.system, self.clock, self.options)
        self.cp1 = Peer(self.factory)
        self.cp1.upgrades()

    def says_heartbeats(self, count: int) -> None:
        for number in range(count):
            self.cp1.says(f'[2,"{number}","Heartbeat",{{}}]')

    @property
    def reading(self) -> bool:
        return self.cp1.socket.producerState == "producing"


class PaceTests(PaceTestCase):
    """Nothing is read for which there is no room."""

    def test_a_peer_that_does_not_read(self) -> None:
        self.assertTrue(self.reading)
        self.cp1.socket.producer.pauseProducing()
        self.assertFalse(self.reading)
        self.cp1.socket.producer.resumeProducing()
        self.assertTrue(self.reading)

    def test_a_peer_that_does_not_read_for_long(self) -> None:
        self.cp1.socket.producer.pauseProducing()
        self.clock.pump([15.0] * 8)
        self.assertTrue(self.cp1.socket.aborted)
        self.cp1.loses()
        self.assertEqual(self.plugin.heard, ["online", "it does not read what is sent to it"])

    def test_a_handler_that_does_not_answer(self) -> None:
        self.says_heartbeats(2)
        self.assertTrue(self.reading)
        self.says_heartbeats(3)
        self.assertFalse(self.reading)
        self.answers[0].callback(TIME)
        self.assertTrue(self.reading)

    def test_both_must_have_room(self) -> None:
        self.says_heartbeats(3)
        self.cp1.socket.producer.pauseProducing()
        self.answers[0].callback(TIME)
        self.assertFalse(self.reading)
        self.cp1.socket.producer.resumeProducing()
        self.assertTrue(self.reading)

    def test_while_closing_the_answer_to_it_must_get_through(self) -> None:
        self.says_heartbeats(3)
        self.system.charge_points[Identity("CP1")].close(1000, "enough")
        self.assertTrue(self.reading)

    def test_more_of_them_in_one_read(self) -> None:
        self.cp1.sends(b"".join(frame(f'[2,"{n}","Heartbeat",{{}}]') for n in range(6)))
        for number in range(6):
            self.assertEqual((len(self.answers), self.reading), (min(number + 3, 6), number > 3))
            self.answers[number].callback(TIME)
        heard = [json.loads(said) for said in self.cp1.hears()]
        self.assertEqual([said[:2] for said in heard], [[3, str(number)] for number in range(6)])


class LongPauseTests(PaceTestCase):
    """Handlers hang for longer than the keep-alive has patience with the peer."""

    limits = Limits(open_calls=3, answer_timeout=300)

    def heard_pings(self) -> int:
        return [first for first, *_ in self.cp1.hears()].count(PING)

    def test_who_is_not_read_is_not_silent(self) -> None:
        self.says_heartbeats(3)
        self.clock.pump([1] * 290)
        self.assertFalse(self.cp1.socket.disconnecting)
        self.answers[0].callback(TIME)
        self.clock.pump([1] * 60)
        self.assertFalse(self.cp1.socket.disconnecting)

    def test_reading_goes_on_when_the_handlers_have_had_their_time(self) -> None:
        self.says_heartbeats(3)
        self.clock.pump([1] * 299)
        self.assertFalse(self.reading)
        self.cp1.hears()
        self.clock.pump([1] * 2)
        self.assertTrue(self.reading)
        self.assertEqual([json.loads(said)[0] for said in self.cp1.hears()], [4, 4, 4])
        self.cp1.says('[2,"d1","DataTransfer",{"vendorId":"x"}]')
        self.assertEqual(self.cp1.hears(), ['[3,"d1",{"status":"Accepted"}]'])

    def test_a_peer_that_has_vanished_meanwhile_is_noticed_then(self) -> None:
        self.says_heartbeats(3)
        self.clock.pump([1] * 301)
        self.assertTrue(self.reading)
        self.cp1.hears()
        self.clock.pump([1] * 80)
        self.assertEqual(self.heard_pings(), 1)
        self.assertFalse(self.cp1.socket.aborted)
        self.clock.pump([1] * 30)
        self.assertTrue(self.cp1.socket.aborted)
        self.cp1.loses()
        self.assertEqual(self.plugin.heard, ["online", "nothing was heard after a ping"])


class EndTests(ServerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cp1.upgrades()

    def ended(self) -> str:
        _, reason = self.plugin.heard
        return reason

    def test_the_reason_is_ours_also_if_the_peer_says_no_goodbye(self) -> None:
        self.cp1.sends(b"\x81\x02[]")
        self.cp1.loses()
        self.assertEqual(self.ended(), "we closed with 1002: unmasked client-to-server frame")
        self.assertEqual(self.factory.counts.failed, {1002: 1})
        self.assertEqual(sum(self.factory.counts.open.values()), 0)

    def test_the_charge_point_closes(self) -> None:
        self.cp1.sends(frame(b"\x03\xe8tired", 8))
        self.assertEqual(self.cp1.hears(), [1000])
        self.assertTrue(self.cp1.socket.disconnecting)
        self.cp1.loses(clean=True)
        self.assertEqual(self.ended(), "the charge point closed with 1000: tired")

    def test_we_close(self) -> None:
        self.system.charge_points[Identity("CP1")].close(1008, "not you")
        self.assertEqual(self.cp1.hears(), [1008])
        self.cp1.sends(close_frame(1008))
        self.assertTrue(self.cp1.socket.disconnecting)
        self.cp1.loses(clean=True)
        self.assertEqual(self.ended(), "we closed with 1008: not you")

    def test_a_reason_that_is_too_long_is_cut_between_characters(self) -> None:
        self.system.charge_points[Identity("CP1")].close(1008, "ü" * 100)
        payload = self.cp1.receives()[4:]
        self.assertEqual(payload.decode(), "ü" * 61)

    def test_nobody_answers_our_closing(self) -> None:
        self.system.charge_points[Identity("CP1")].close(1000, "")
        self.clock.advance(self.options.close_timeout + 1)
        self.assertTrue(self.cp1.socket.aborted)

    def test_the_socket_breaks(self) -> None:
        waiting = self.system.call("CP1", RESET)
        self.cp1.loses()
        self.failureResultOf(waiting, ConnectionLost)
        self.assertEqual(
            self.ended(),
            "peer dropped the TCP connection without previous WebSocket closing handshake",
        )

    def test_a_dead_peer_is_pinged_and_dropped_and_its_calls_fail(self) -> None:
        waiting = self.system.call("CP1", RESET, timeout=900)
        self.cp1.hears()
        self.clock.pump([1] * 75)
        self.assertEqual([first for first, _ in self.cp1.hears()], [PING])
        self.clock.pump([1] * 30)
        self.assertTrue(self.cp1.socket.aborted)
        self.cp1.loses()
        self.failureResultOf(waiting, ConnectionLost)
        self.assertEqual(self.ended(), "nothing was heard after a ping")
        self.assertEqual(self.factory.counts.silent, 1)

    def test_any_traffic_counts(self) -> None:
        self.cp1.says(HEARTBEAT)
        self.cp1.hears()
        for _ in range(20):
            self.clock.pump([1] * 50)
            self.cp1.sends(frame(b"", PONG))
        self.assertEqual(self.cp1.hears(), [])

    def test_a_closing_that_stays_in_our_buffer_does_not_hold_the_connection(self) -> None:
        self.cp1.sends(close_frame())
        self.assertTrue(self.cp1.socket.disconnecting)
        self.assertFalse(self.cp1.socket.aborted)
        self.clock.advance(self.options.close_timeout + 1)
        self.assertTrue(self.cp1.socket.aborted)

    def test_a_socket_that_ends_leaves_no_timer(self) -> None:
        self.cp1.sends(close_frame())
        self.cp1.loses()
        self.clock.advance(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_of_it_stays_in_memory(self) -> None:
        self.cp1.says(HEARTBEAT)
        waiting = self.system.call("CP1", RESET)
        protocol = weakref.ref(self.cp1.protocol)
        connection = weakref.ref(self.system.charge_points[Identity("CP1")])
        self.cp1.loses()
        self.failureResultOf(waiting, ConnectionLost)
        del self.cp1, waiting
        self.clock.advance(1)
        gc.collect()
        self.assertEqual((protocol(), connection()), (None, None))


class ClosingTests(ServerTestCase):
    """From the first close frame on, whoever sends it, the connection is not connected."""

    def setUp(self) -> None:
        super().setUp()
        self.answer: Deferred[v16.HeartbeatResponse] = Deferred()
        self.plugin.heartbeat = lambda charge_point, request: self.answer
        self.system = CentralSystem([self.plugin], self.clock, limits=self.limits)
        self.factory = OCPPServerFactory(self.system, self.clock, self.options)
        self.cp1 = Peer(self.factory)
        self.cp1.upgrades()
        self.connection = self.system.charge_points[Identity("CP1")]

    def closed_by(self, close, code: int) -> None:
        sent, queued = self.connection.call(RESET), self.connection.call(RESET)
        self.cp1.says(HEARTBEAT)
        self.cp1.hears()
        close()
        self.failureResultOf(sent, ConnectionLost)
        self.failureResultOf(queued, NotConnected)
        self.assertFalse(self.connection.connected)
        self.failureResultOf(self.system.call("CP1", RESET), NotConnected)
        self.answer.callback(TIME)
        self.assertEqual(self.cp1.hears(), [code])
        self.assertEqual(self.plugin.heard, ["online"])
        self.cp1.loses()
        self.assertEqual(len(self.plugin.heard), 2)

    def test_we_close(self) -> None:
        self.closed_by(lambda: self.connection.close(1008, "not you"), 1008)

    def test_the_peer_closes(self) -> None:
        self.closed_by(lambda: self.cp1.sends(close_frame()), 1000)

    def test_the_peer_says_too_much(self) -> None:
        self.closed_by(lambda: self.cp1.sends(frame(b"[" * 5000)), 1009)

    def test_the_peer_sends_what_is_no_utf_8(self) -> None:
        self.closed_by(lambda: self.cp1.sends(frame(b'[2,"\xff"]')), 1007)

    def test_the_peer_sends_what_is_no_frame(self) -> None:
        self.closed_by(lambda: self.cp1.sends(b"\x81\x02[]"), 1002)


class DropTests(ServerTestCase):
    """Sockets of every kind end when the server does."""

    def test_all_are_dropped_and_then_it_fires(self) -> None:
        self.cp1.upgrades()
        stranger, half = Peer(self.factory), Peer(self.factory)
        stranger.upgrades(subprotocols="ocpp9.9")
        half.sends(b"GET ")
        dropped, again = self.factory.drop_all(), self.factory.drop_all()
        for peer in (self.cp1, stranger, half):
            self.assertTrue(peer.socket.aborted)
            self.assertNoResult(dropped)
            peer.loses()
        self.successResultOf(dropped)
        self.successResultOf(again)
        self.successResultOf(self.factory.drop_all())
        self.assertEqual(self.factory.open, set())


class ReconnectTests(ServerTestCase):
    def test_the_newest_wins_and_the_late_close_of_the_old_one_changes_nothing(self) -> None:
        self.cp1.upgrades()
        waiting = self.system.call("CP1", RESET)
        again = Peer(self.factory)
        again.upgrades()
        self.failureResultOf(waiting, ConnectionLost)
        self.assertEqual(self.cp1.hears()[-1], 1000)
        self.cp1.loses()
        again.says(HEARTBEAT)
        self.assertEqual(again.hears(), [TIME_RESULT])
        self.assertEqual(self.plugin.heard, ["online", "online"])
