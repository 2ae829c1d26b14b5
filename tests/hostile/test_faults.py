"""Faults on demand on real sockets: calls end as they should, others are served, nothing grows."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import DeferredList

from ocpp_twisted.errors import (
    CallErrorReceived,
    CallTimedOut,
    ConnectionLost,
    InvalidResponse,
    NotConnected,
    QueueFull,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.simulator.spoiling import SPOILING
from ocpp_twisted.websocket.server import WebSocketOptions
from tests.hostile.fleet import BAD, CLEAR, GOOD, FleetCase
from tests.support import until

ALL = GOOD + BAD


class AnswerTests(FleetCase):
    async def test_never(self) -> None:
        self.all_have("never-answer")
        calls = [self.call(name) for name in self.bad for _ in range(3)]
        await self.others_are_served()
        outcomes = await DeferredList(calls, consumeErrors=True)
        self.assertEqual({outcome.type for _, outcome in outcomes}, {CallTimedOut})
        self.none_has()
        await self.bad_are_served()

    async def test_the_queue_is_bounded(self) -> None:
        self.all_have("never-answer")
        outcomes = await self.outcomes(times=50)
        self.assertEqual(outcomes, {CallTimedOut, QueueFull})
        self.none_has()
        await self.bad_are_served()

    async def test_too_late(self) -> None:
        sent = self.sent()
        self.all_have("answer-late", seconds=0.6)
        self.assertEqual(await self.outcomes(), {CallTimedOut})
        self.assertEqual(sent, [])
        await self.others_are_served()
        self.none_has()
        await until(lambda: len(sent) == BAD, reactor)  # they come now, and nobody waits for them
        await self.bad_are_served()

    async def test_twice(self) -> None:
        self.all_have("answer-twice")
        for _ in range(5):
            self.assertEqual(await self.outcomes(3), {"Accepted"})
        await self.others_are_served()

    async def test_wrong_ids(self) -> None:
        self.all_have("wrong-ids")
        self.assertEqual(await self.outcomes(), {CallTimedOut})
        await self.others_are_served()
        self.none_has()
        await self.bad_are_served()


class OffSpecTests(FleetCase):
    timeout = 120

    async def test_each_way(self) -> None:
        """What is no UTF-8 ends the WebSocket (RFC 6455); all else ends the call only."""
        for way in SPOILING:
            self.all_have("off-spec", way=way)
            outcomes = await self.outcomes()
            expected = {CallTimedOut, InvalidResponse, CallErrorReceived}
            if way == "not-utf-8":
                expected = {ConnectionLost}
            self.assertTrue(outcomes <= expected, (way, outcomes))
            await self.others_are_served()
            self.none_has()
            await self.bad_are_served()

    async def test_any_and_nothing_grows(self) -> None:
        self.all_have("off-spec")
        expected = {CallTimedOut, InvalidResponse, CallErrorReceived, ConnectionLost, NotConnected}
        for _ in range(10):
            for name in self.bad:
                self.charge_points[name].heartbeat().addErrback(lambda failure: None)
            outcomes = await self.outcomes(2)
            self.assertTrue(outcomes <= expected, outcomes)
            await self.others_are_served()
        self.none_has()
        await self.bad_are_served()
        self.assertEqual(self.connections(), ALL)


class NewestTests(FleetCase):
    """No ping finds out what is dead: the newest connection does."""

    websocket = WebSocketOptions(ping_interval=0, close_timeout=0.5)

    async def test_half_open_and_back(self) -> None:
        """The newest connection wins, and the old socket is closed though nobody reads from it."""
        self.all_have("half-open", alive=3600, seconds=0.6)
        self.assertEqual(await self.outcomes(), {CallTimedOut})
        await self.others_are_served()
        await until(lambda: not self.charge_points["BAD0"].connected, reactor)
        await until(lambda: all(each.connected for each in self.charge_points.values()), reactor)
        self.assertEqual(await self.outcomes(), {"Accepted"})
        await until(lambda: self.sockets() == ALL, reactor)
        self.assertEqual(self.connections(), ALL)


class ConnectionTests(FleetCase):
    async def test_half_open_and_never_back(self) -> None:
        """Its silence is noticed, its calls end, and it is offline."""
        self.all_have("half-open", seconds=0)
        calls = [self.server.central_system.call(name, CLEAR, 30) for name in self.bad]
        outcomes = await DeferredList(calls, consumeErrors=True)
        self.assertEqual({outcome.type for _, outcome in outcomes}, {ConnectionLost})
        self.assertEqual(await self.outcomes(), {NotConnected})
        await self.others_are_served()
        await until(lambda: self.sockets() == GOOD, reactor)
        self.assertEqual(self.connections(), GOOD)

    async def test_a_reconnect_loop(self) -> None:
        self.all_have("reconnect-loop", seconds=0.01)
        opened = self.server._factory.counts.opened
        await until(lambda: opened.total() > ALL + 100, reactor, 30)
        await self.others_are_served()
        self.none_has()
        await self.bad_are_served()
        await until(lambda: self.sockets() == ALL, reactor)
        self.assertEqual(self.connections(), ALL)
        known = self.server.central_system.charge_points
        self.assertEqual(set(known), {Identity(name) for name in self.charge_points})

    async def test_slow_reading(self) -> None:
        self.all_have("slow-reading", seconds=1)
        self.assertEqual(await self.outcomes(4), {"Accepted", CallTimedOut})
        await self.others_are_served()
        self.none_has()
        await self.bad_are_served()


class GreedyTests(FleetCase):
    """They ask for much, and read nothing of it."""

    websocket = WebSocketOptions(ping_interval=0, close_timeout=0.5)

    async def test_what_waits_for_them_is_bounded(self) -> None:
        self.all_have("slow-reading", seconds=600)
        for modem in self.bad.values():
            for number in range(200):  # the answers have 20 MB
                call = f'[2,"{number}","DataTransfer",{{"vendorId":"x"}}]'
                modem.send_as_it_is(call.encode())
        await self.others_are_served()
        dropped = self.server._factory.counts.limited
        await until(lambda: dropped["max-write-buffer"] == BAD, reactor, 30)
        self.assertEqual(self.sockets(), GOOD)
        await self.others_are_served()
        self.none_has()
        await until(lambda: self.sockets() == ALL, reactor)
        await self.bad_are_served()
        self.assertEqual(self.connections(), ALL)


class SecureConnectionTests(ConnectionTests):
    secure = True


class SecureNewestTests(NewestTests):
    secure = True


class SecureGreedyTests(GreedyTests):
    secure = True
