"""Bytes in any order, on WebSockets in memory: nothing fails, nothing stays, others are served."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.websocket.server import OCPPServerFactory, WebSocketOptions
from tests.hostile.fuzzing import SEED, TIMES, hostile_bytes, hostile_handshake, pieces
from tests.support import HEARTBEAT, Peer, request

#: What may stay of a round of a hundred peers: dictionaries that have grown, caches.
_LEFT = 100_000


class Plugin(ActionPlugin):
    """Answers what the messages here ask."""

    name = "hostile"

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point, request):
        return v16.HeartbeatResponse(currentTime=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    @on(v16.BootNotificationRequest)
    def boot(self, charge_point, request):
        return v16.BootNotificationResponse(
            currentTime=datetime(2026, 1, 2, tzinfo=UTC), interval=300, status="Accepted"
        )

    @on(v16.MeterValuesRequest)
    def meter_values(self, charge_point, request):
        return v16.MeterValuesResponse()


class HostileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.system = CentralSystem([Plugin()], self.clock)
        options = WebSocketOptions(max_message_size=65536)
        self.factory = OCPPServerFactory(self.system, self.clock, options)
        self.witness = Peer(self.factory)
        self.witness.upgrades("/ocpp/WITNESS")
        self.faults: list[str] = []
        globalLogPublisher.addObserver(self._look)
        self.addCleanup(globalLogPublisher.removeObserver, self._look)

    def _look(self, event: dict) -> None:
        if event.get("log_level") in (LogLevel.error, LogLevel.critical):
            self.faults.append(str(event.get("log_format")))

    def is_served(self) -> bool:
        self.witness.says(HEARTBEAT.replace("h1", f"w{self.clock.seconds()}"))
        return "currentTime" in "".join(map(str, self.witness.hears()))

    def play(self, seed: int, comes: Callable[[Random], bytes], upgrades: bool) -> None:
        """One hostile peer, from its first byte to its end."""
        chance = Random(seed)
        peer = Peer(self.factory)
        if upgrades:
            deflate = ["Sec-WebSocket-Extensions: permessage-deflate"] * chance.randrange(2)
            peer.sends(request(f"/ocpp/CP{seed % 7}", extra=deflate))
        for piece in pieces(chance, comes(chance)):
            peer.sends(piece)
        if chance.random() < 0.5:
            self.clock.advance(chance.choice([1, 10, 30]))
        peer.loses(chance.random() < 0.5)

    def rounds(self, comes: Callable[[Random], bytes], upgrades: bool) -> None:
        seed = SEED * 1_000_003
        before = 0
        for turn in range(2 + 2 * TIMES):
            for _ in range(200):
                seed += 1
                self.play(seed, comes, upgrades)
                self.assertTrue(self.is_served(), f"after seed {seed}")
                self.assertEqual(self.faults, [], f"after seed {seed}")
                self.assertEqual(self.factory.open, {self.witness.protocol}, f"seed {seed}")
            for _ in range(6):
                self.clock.advance(30)
                self.assertTrue(self.is_served())
            gc.collect()
            if turn == 1:
                tracemalloc.start()
                self.addCleanup(tracemalloc.stop)
            elif turn > 1:
                now, _ = tracemalloc.get_traced_memory()
                if turn > 2:
                    self.assertLess(now - before, _LEFT)
                before = now
        self.assertEqual(len(self.system.charge_points), 1)

    def test_after_the_handshake(self) -> None:
        self.rounds(hostile_bytes, upgrades=True)

    def test_instead_of_a_handshake(self) -> None:
        self.rounds(hostile_handshake, upgrades=False)
