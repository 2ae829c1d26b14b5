"""The road past nats-py, with a server that says things at awkward moments."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from ocpp_twisted.plugins.nats.errors import Disconnected
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.protocol import Message
from ocpp_twisted.plugins.nats.reach import LinkOptions
from tests.nats.scripted import ScriptedServer
from tests.support import until

INFO = b'INFO {"server_id":"x","version":"2.10.0","proto":1,"max_payload":2000,"headers":true}\r\n'


class DirectTests(TestCase):
    timeout = 30
    if not isinstance(reactor, AsyncioSelectorReactor):
        skip = "NATS needs the asyncio reactor: tools/run_tests.py runs these tests there"

    async def setUp(self) -> None:
        self.server = ScriptedServer()
        port = await self.server.listen()
        self.addCleanup(port.stopListening)
        self.got: list[Message] = []

    def start(self, ping_interval: float = 100) -> Link:
        options = LinkOptions(
            servers=[self.server.url], reconnect_wait=0.05, ping_interval=ping_interval
        )
        link = Link(options, reactor)
        self.addCleanup(link.stop)
        link.subscribe("a", self.got.append)
        link.start()
        return link

    async def connected(self) -> Link:
        link = self.start()
        await until(lambda: link.connected, reactor)
        return link

    async def test_it_begins_between_two_lines(self):
        # nats-py's own PING, and the one with which the road is taken over
        self.server.answers = {2: b"PONG\r\n" + INFO[:30], 3: b""}
        link = self.start()
        await until(lambda: self.server.pings == 3, reactor)
        self.assertFalse(any(line.startswith(b"SUB") for line in self.server.heard))
        self.server.says(INFO[30:] + b"PONG\r\n")
        await until(lambda: link.connected, reactor)
        self.server.says(b"MSG a o2 1\r\nx\r\n")
        await until(lambda: self.got, reactor)
        self.assertEqual(self.got[0].data, b"x")

    async def test_nats_py_hears_what_is_between_messages(self):
        await self.connected()
        pongs = self.server.heard.count(b"PONG")
        for piece in (b"MSG a o2 3\r\nab", b"c\r\nPI", b"NG\r\nMSG a o", b"2 1\r\nd\r\n"):
            self.server.says(piece)
        await until(lambda: self.server.heard.count(b"PONG") == pongs + 1, reactor)
        await until(lambda: len(self.got) == 2, reactor)
        self.assertEqual([message.data for message in self.got], [b"abc", b"d"])

    async def test_the_server_hears_of_the_end_before_the_ping(self):
        link = await self.connected()
        del self.server.heard[:]
        subscription = link.subscribe("b", self.got.append)
        link.publish("c", b"d")
        await subscription.stop()
        self.assertEqual(self.server.heard, [b"SUB b o3", b"PUB c 1", b"d", b"UNSUB o3", b"PING"])

    async def test_many_that_end_at_once_need_one_ping(self):
        link = await self.connected()
        subscriptions = [link.subscribe(f"b.{number}", self.got.append) for number in range(500)]
        await link.flush()
        pings = self.server.pings
        await gatherResults([subscription.stop() for subscription in subscriptions])
        self.assertEqual(self.server.pings, pings + 1)
        self.assertEqual(sum(line.startswith(b"UNSUB") for line in self.server.heard), 500)

    async def test_what_comes_before_the_server_knows_of_the_end_is_handled(self):
        link = await self.connected()
        subscription = link.subscribe("b", self.got.append)
        await link.flush()
        self.server.answers = {self.server.pings + 1: b"MSG b o3 1\r\nx\r\nPONG\r\n"}
        await subscription.stop()
        self.assertEqual([message.data for message in self.got], [b"x"])
        self.server.says(b"MSG b o3 1\r\nx\r\n")
        await link.flush()
        self.assertEqual(len(self.got), 1)

    async def test_a_server_that_speaks_something_else_is_left(self):
        link = await self.connected()
        first = self.server.client
        self.server.says(b"MSG a o2 what\r\n")
        await until(lambda: self.server.client is not first and link.connected, reactor)
        self.server.says(b"MSG a o2 1\r\nx\r\n")
        await until(lambda: self.got, reactor)

    async def test_a_server_that_takes_nothing(self):
        link = await self.connected()
        self.server.client.transport.pauseProducing()
        text = "NATS does not take what is sent to it"
        with self.assertRaisesRegex(Disconnected, text):
            for _ in range(100_000):
                link.publish("a", b"x" * 1000)
        self.server.client.transport.resumeProducing()

    async def test_a_request_while_the_connection_is_lost(self):
        link = await self.connected()
        asked = link.request("b", timeout=20)
        await link.flush()
        self.server.client.transport.abortConnection()
        failed = await asked.addErrback(lambda failure: failure.value)
        self.assertIsInstance(failed, Disconnected)
        self.assertTrue(failed.sent)
        await until(lambda: link.connected, reactor)
        self.assertEqual(self.server.heard.count(b"SUB a o2"), 2)
