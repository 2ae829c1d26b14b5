"""One socket: how much it may send, how slowly, how little it may read; each bounded and told."""

from __future__ import annotations

import tracemalloc
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v21
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.websocket.pace import Account, Pace
from ocpp_twisted.websocket.server import OCPPServerFactory, WebSocketOptions
from ocpp_twisted.websocket.tls import TLSFactory, development_certificate, server_context
from tests.support import CONTINUATION, HEARTBEAT, PING, PONG, TEXT, Peer, frame, request


class Plugin(ActionPlugin):
    """Accepts who boots, and counts Heartbeats."""

    name = "plugin"
    heartbeats = 0
    status = v16.RegistrationStatus.Accepted

    @on(v16.BootNotificationRequest)
    def boot(self, charge_point, request):
        return v16.BootNotificationResponse(
            currentTime=_NOW,
            interval=300,
            status=self.status,
        )

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point, request):
        self.heartbeats += 1
        return v16.HeartbeatResponse(currentTime=_NOW)


_NOW = datetime(2026, 1, 2, tzinfo=UTC)
BOOT = '[2,"b","BootNotification",{"chargePointVendor":"A","chargePointModel":"B"}]'


class BoundsTestCase(SynchronousTestCase):
    options = WebSocketOptions(ping_interval=0)
    subprotocol = "ocpp1.6"

    def setUp(self) -> None:
        self.clock = Clock()
        self.plugin = Plugin()
        self.system = CentralSystem([self.plugin], self.clock)
        self.factory = OCPPServerFactory(self.system, self.clock, self.options)
        self.cp1 = self.comes()

    def comes(self) -> Peer:
        peer = Peer(self.factory)
        peer.upgrades("/CP1", self.subprotocol)
        return peer

    @property
    def limited(self) -> dict[str, int]:
        return dict(self.factory.counts.limited)

    @property
    def reading(self) -> bool:
        return self.cp1.socket.producerState == "producing"

    def passes(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)


class PaceTestCase(BoundsTestCase):
    """100 messages a second, in blocks of 10; 1,000 at once."""

    options = WebSocketOptions(ping_interval=0, max_messages_per_second=100)

    answered = 0

    def answers(self) -> int:
        """How many messages have been answered; the same one gets the same answer."""
        self.answered += sum(str(each).startswith("[3,") for each in self.cp1.hears())
        return self.answered

    def says(self, number: int) -> None:
        for _ in range(number):
            self.cp1.says(HEARTBEAT)

    def flood(self, seconds: float) -> None:
        """As much as is read."""
        for _ in range(int(seconds * 10)):
            while self.reading and self.system.charge_points[Identity("CP1")].connected:
                self.says(1)
            self.clock.advance(0.1)


class PaceTests(PaceTestCase):
    def test_a_burst_is_read_at_once(self) -> None:
        self.says(999)
        self.assertTrue(self.reading)
        self.assertEqual(self.limited, {})
        self.says(1)
        self.assertFalse(self.reading)
        self.assertEqual(self.limited, {"max-messages-per-second": 1})
        self.assertEqual(self.answers(), 1000)

    def test_then_it_is_read_at_the_rate(self) -> None:
        self.flood(20)
        self.assertIn(self.answers(), range(2950, 3011))
        self.assertEqual(self.limited, {"max-messages-per-second": 1})

    def test_who_keeps_to_the_rate_is_never_slowed(self) -> None:
        for _ in range(400):
            self.says(99)
            self.clock.advance(1)
        self.assertEqual(self.limited, {})

    def test_control_frames_and_empty_fragments_count(self) -> None:
        self.cp1.sends(frame(b"", TEXT, fin=False))
        for opcode in (PING, PONG, CONTINUATION):
            for _ in range(333):
                self.cp1.sends(frame(b"", opcode, fin=opcode != CONTINUATION))
        self.assertFalse(self.reading)

    def test_large_messages_count_for_more(self) -> None:
        message = HEARTBEAT + " " * 5 * 4096
        for number in range(100):
            self.assertTrue(self.reading, number)
            self.cp1.says(message)
        self.clock.advance(0)
        self.says(600)
        self.assertFalse(self.reading)
        self.assertEqual(self.limited, {"max-messages-per-second": 1})

    def test_what_a_message_is_inflated_to_counts(self) -> None:
        """A kilobyte from the peer may be a megabyte of work."""
        self.cp1 = Peer(self.factory)
        self.cp1.upgrades("/CP1", extra=["Sec-WebSocket-Extensions: permessage-deflate"])
        deflate = zlib.compressobj(wbits=-15)
        for number in range(100):
            self.assertTrue(self.reading, number)
            payload = deflate.compress(HEARTBEAT.encode() + b" " * 50_000)
            payload += deflate.flush(zlib.Z_SYNC_FLUSH)
            self.cp1.sends(frame(payload[:-4], rsv=4))
            self.clock.advance(0)
        self.assertFalse(self.reading)
        self.assertEqual(self.limited, {"max-messages-per-second": 1})

    def test_no_more_than_a_block_of_one_read_at_a_time(self) -> None:
        self.cp1.sends(frame(HEARTBEAT) * 35)
        self.assertEqual(self.answers(), 10)
        self.assertFalse(self.reading)
        self.clock.advance(0)
        self.assertEqual(self.answers(), 35)
        self.assertTrue(self.reading)
        self.assertEqual(self.limited, {})

    def test_what_was_read_already_waits_too(self) -> None:
        self.says(995)
        self.cp1.sends(frame(HEARTBEAT) * 30)
        self.assertEqual(self.answers(), 1000)
        self.clock.advance(0.1)
        self.assertEqual(self.answers(), 1010)
        self.flood(0.3)
        self.assertIn(self.answers(), range(1030, 1041))

    def test_so_do_the_records_that_tls_had_read_already(self) -> None:
        """It tells each of them by itself, and does not stop for a pause."""
        for waits in range(2):
            self.says(1030)
            self.assertEqual(self.answers(), 1000 + waits * 10)
            self.clock.advance(0.1)
            self.assertEqual(self.answers(), 1010 + waits * 10)

    def test_a_pause_of_the_handlers_is_kept(self) -> None:
        self.says(1000)
        self.cp1.protocol.pause_receiving()
        self.clock.advance(10)
        self.assertFalse(self.reading)
        self.cp1.protocol.resume_receiving()
        self.assertTrue(self.reading)

    def test_a_closing_gets_through(self) -> None:
        self.says(1000)
        self.cp1.protocol.close(1000, "")
        self.assertTrue(self.reading)

    def test_a_socket_that_ends_leaves_no_timer(self) -> None:
        self.says(1000)
        self.cp1.loses()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LongPaceTests(PaceTestCase):
    options = WebSocketOptions(ping_interval=0, max_messages_per_second=10)

    def test_who_goes_on_for_long_is_sent_away(self) -> None:
        self.flood(299)
        self.assertNotIn(1008, self.cp1.hears())
        self.flood(3)
        self.assertEqual(self.cp1.hears()[-1], 1008)
        self.assertEqual(self.limited, {"max-messages-per-second": 2})
        self.assertEqual(self.factory.counts.failed, {1008: 1})
        self.cp1.loses()
        self.assertFalse(self.system.charge_points)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_pauses_in_between_is_not(self) -> None:
        for _ in range(10):
            self.flood(100)
            self.clock.advance(2)
        self.assertNotIn(1008, self.cp1.hears())
        self.assertEqual(self.limited, {"max-messages-per-second": 10})


class AccountTests(SynchronousTestCase):
    def test_it_fills_up_again_but_not_over(self) -> None:
        account = Account(Pace(100), 0.0)
        for _ in range(99):
            self.assertEqual(account.draw(0.0), 0.0)
        self.assertAlmostEqual(account.draw(0.0), 0.1)
        self.assertEqual(account.slowed_since, 0.0)
        drawn = 0
        while not account.draw(1e6):
            drawn += 1
        self.assertEqual(drawn, 100)

    def test_a_rate_that_is_small(self) -> None:
        account = Account(Pace(1), 0.0)
        self.assertEqual([account.draw(0.0) for _ in range(10)], [0.0] * 9 + [1.0])


class SlowWriterTests(BoundsTestCase):
    options = WebSocketOptions(message_timeout=60)

    def trickles(self, data: bytes, seconds: int) -> None:
        """A byte a second; never a whole message."""
        for second in range(seconds):
            if not self.cp1.socket.aborted:
                self.cp1.sends(data[second : second + 1])
            self.clock.advance(1)

    def test_a_frame_that_never_ends(self) -> None:
        self.trickles(frame(b" " * 1000), 45)
        self.assertFalse(self.cp1.socket.aborted)
        with capturedLogs() as logs:
            self.trickles(b" " * 60, 60)
        self.assertTrue(self.cp1.socket.aborted)
        self.assertEqual(self.limited, {"message-timeout": 1})
        self.assertIn("CP1", [str(log.get("who")) for log in logs])
        self.cp1.loses()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_message_that_never_ends(self) -> None:
        self.cp1.sends(frame(b"[", TEXT, fin=False))
        for _ in range(100):
            self.cp1.sends(frame(b"", PING) + frame(b"", CONTINUATION, fin=False))
            self.clock.advance(1)
        self.assertEqual(self.limited, {"message-timeout": 1})

    def test_a_control_frame_that_never_ends(self) -> None:
        self.trickles(frame(b" " * 125, PING), 100)
        self.assertEqual(self.limited, {"message-timeout": 1})

    def test_a_head_that_never_ends(self) -> None:
        self.cp1.sends(b"\x81")
        self.passes(100)
        self.assertEqual(self.limited, {"message-timeout": 1})

    def test_slow_messages_that_end(self) -> None:
        message = frame(HEARTBEAT)
        self.trickles(message * 20, 20 * len(message))
        self.assertEqual((self.plugin.heartbeats, self.limited), (20, {}))

    def test_the_time_in_which_we_do_not_read_is_ours(self) -> None:
        message = frame(HEARTBEAT)
        self.cp1.sends(message[:10])
        self.passes(31)
        self.cp1.protocol.pause_receiving()
        self.passes(300)
        self.cp1.protocol.resume_receiving()
        self.passes(31)
        self.cp1.sends(message[10:])
        self.assertEqual((self.plugin.heartbeats, self.limited), (1, {}))

    def test_so_is_that_of_a_pause_at_once(self) -> None:
        message = frame(HEARTBEAT)
        self.cp1.sends(message[:10])
        self.cp1.protocol.pause_receiving()
        self.passes(300)
        self.assertFalse(self.cp1.socket.aborted)

    def test_so_is_that_of_a_short_pause(self) -> None:
        message = frame(HEARTBEAT)
        self.cp1.sends(message[:10])
        self.passes(16)
        self.cp1.protocol.pause_receiving()
        self.passes(13)
        self.cp1.protocol.resume_receiving()
        self.passes(51)
        self.cp1.sends(message[10:])
        self.assertEqual((self.plugin.heartbeats, self.limited), (1, {}))

    def test_a_handshake_that_never_ends(self) -> None:
        self.cp1 = Peer(self.factory)
        self.trickles(request(), 30)
        self.assertTrue(self.cp1.socket.aborted)
        self.cp1.loses()
        self.assertEqual(self.limited, {"handshake-timeout": 1})
        self.assertEqual(self.factory.counts.late, 1)

    def test_without_pings_too(self) -> None:
        factory = OCPPServerFactory(self.system, self.clock, WebSocketOptions(ping_interval=0))
        peer = Peer(factory)
        peer.upgrades("/CP2")
        peer.sends(b"\x81")
        self.passes(200)
        self.assertTrue(peer.socket.aborted)

    def test_their_memory_is_bounded(self) -> None:
        self.cp1.sends(frame(b" " * 1_000_000)[:10])
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in range(200):
            if not self.cp1.socket.aborted:
                self.cp1.sends(b" " * 5000)
            self.clock.advance(1)
        self.assertTrue(self.cp1.socket.aborted)
        self.assertLess(tracemalloc.get_traced_memory()[1], 1_000_000)


class SlowReaderTests(BoundsTestCase):
    options = WebSocketOptions(max_write_buffer=100_000)
    subprotocol = "ocpp2.1"

    def sends(self) -> None:
        """We send something that waits for no answer."""
        (charge_point,) = self.system.charge_points.values()
        charge_point.send(
            v21.NotifyPeriodicEventStream(
                id=1,
                pending=0,
                basetime=_NOW,
                data=[v21.StreamDataElementType(t=1.0, v="x" * 2000)],
            )
        )

    def test_what_it_does_not_read_is_bounded(self) -> None:
        self.sends()
        self.cp1.protocol.pauseProducing()
        for _ in range(40):
            self.sends()
        self.assertFalse(self.cp1.socket.aborted)
        with capturedLogs() as logs:
            for _ in range(20):
                if self.system.charge_points and not self.cp1.socket.aborted:
                    self.sends()
        self.assertTrue(self.cp1.socket.aborted)
        self.assertLess(len(self.cp1.receives()), 110_000)
        self.assertEqual(self.limited, {"max-write-buffer": 1})
        self.assertIn("CP1", [str(log.get("who")) for log in logs])
        self.cp1.loses()
        self.assertFalse(self.system.charge_points)

    def test_who_reads_again_starts_anew(self) -> None:
        for _ in range(10):
            self.cp1.protocol.pauseProducing()
            for _ in range(30):
                self.sends()
            self.cp1.protocol.resumeProducing()
        self.assertEqual(self.limited, {})

    def test_pongs_count(self) -> None:
        self.cp1.protocol.pauseProducing()
        for _ in range(2000):
            self.cp1.sends(frame(b"x" * 125, PING))
            self.clock.advance(0)
        self.assertEqual(self.limited, {"max-write-buffer": 1})


class FirstMessageTests(BoundsTestCase):
    options = WebSocketOptions(ping_interval=0, message_timeout=0, first_message_timeout=900)

    def test_who_says_nothing_is_sent_away(self) -> None:
        for _ in range(95):
            self.cp1.sends(frame(b"", PONG))
            self.passes(10)
        self.passes(450)
        self.assertEqual(self.cp1.hears(), [1008])
        self.assertEqual(self.limited, {"first-message-timeout": 1})

    def test_a_message_is_enough(self) -> None:
        self.passes(800)
        self.cp1.says("nonsense")
        self.passes(2000)
        self.assertEqual((self.cp1.hears(), self.limited), ([], {}))
        self.assertEqual(self.factory.keepalive._newcomers, {})

    def test_who_is_known_may_be_silent(self) -> None:
        self.cp1.says(BOOT)
        self.cp1.loses()
        self.cp1 = self.comes()
        self.assertEqual(self.factory.keepalive._newcomers, {})
        self.passes(2000)
        self.assertEqual((self.cp1.hears(), self.limited), ([], {}))

    def test_who_was_rejected_may_not(self) -> None:
        self.plugin.status = v16.RegistrationStatus.Rejected
        self.cp1.says(BOOT)
        self.cp1.loses()
        self.cp1 = self.comes()
        self.passes(2000)
        self.assertEqual(self.cp1.hears(), [1008])

    def test_who_has_gone_is_forgotten(self) -> None:
        self.cp1.loses()
        self.assertEqual(self.factory.keepalive._newcomers, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TLSHandshakeTests(SynchronousTestCase):
    options = WebSocketOptions(tls_handshake_timeout=10, handshake_timeout=20)

    def test_who_says_nothing_is_dropped(self) -> None:
        clock = Clock()
        factory = OCPPServerFactory(CentralSystem([], clock), clock, self.options)
        files = development_certificate(Path(self.mktemp()))
        silent: Any = Peer(TLSFactory(server_context(*files), False, factory, clock))
        clock.advance(9)
        self.assertFalse(silent.socket.aborted)
        clock.advance(2)
        self.assertTrue(silent.socket.aborted)
        silent.loses()
        self.assertEqual(dict(factory.counts.limited), {"tls-handshake-timeout": 1})
        self.assertEqual(clock.getDelayedCalls(), [])
