"""A port with room for a crowd, and one that several servers share."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.websocket.listen import listen
from tests.support import connect, until


class Taker(Protocol):
    """Counts itself."""

    def connectionMade(self) -> None:
        self.factory.taken += 1
        self.transport.loseConnection()


class BacklogTests(SynchronousTestCase):
    def backlog(self, description: str) -> int:
        memory = MemoryReactorClock()
        listen(memory, description, Factory())
        _, _, backlog, _ = memory.tcpServers[0]
        return backlog

    def test_many_may_wait(self) -> None:
        self.assertEqual(self.backlog("tcp:9000:interface=127.0.0.1"), 4096)

    def test_unless_the_endpoint_says_how_many(self) -> None:
        self.assertEqual(self.backlog("tcp:9000:backlog=7"), 7)


class SharedTests(TestCase):
    @inlineCallbacks
    def listens(self, description: str, shared: bool = True) -> Any:
        factory = Factory.forProtocol(Taker)
        factory.taken = 0
        port = yield listen(reactor, description, factory, shared)
        self.addCleanup(port.stopListening)
        return factory, port.getHost().port

    @inlineCallbacks
    def test_two_take_turns(self) -> Any:
        first, port = yield self.listens("tcp:0:interface=127.0.0.1")
        second, same = yield self.listens(f"tcp:{port}:interface=127.0.0.1")
        self.assertEqual(same, port)
        for _ in range(64):
            client = yield connect(reactor, port)
            yield client.over
        yield until(lambda: first.taken + second.taken == 64, reactor)
        self.assertTrue(first.taken)
        self.assertTrue(second.taken)

    @inlineCallbacks
    def test_ipv6(self) -> Any:
        yield self.listens("tcp6:0:interface=\\:\\:1")

    @inlineCallbacks
    def test_who_does_not_share_keeps_others_out(self) -> Any:
        _, port = yield self.listens("tcp:0:interface=127.0.0.1", shared=False)
        description = f"tcp:{port}:interface=127.0.0.1"
        self.assertRaises(CannotListenError, listen, reactor, description, Factory(), True)

    def test_what_cannot_be_shared(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "unix:/tmp/x cannot be shared"):
            listen(reactor, "unix:/tmp/x", Factory(), shared=True)
