"""Our own reactors, run by hand: reading, writing, endings, and what fails while reading."""

from __future__ import annotations

import socket
from typing import Any
from unittest import skipUnless

from twisted.internet.protocol import Factory, Protocol
from twisted.python import context
from twisted.python.log import ILogContext
from twisted.python.runtime import platform
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.uvloop_reactor import UvloopReactor

if platform.isLinux():
    from ocpp_twisted.epoll_reactor import EPollReactor


class Recorder(Protocol):
    """Sends back what it gets, and keeps how it ends."""

    def connectionMade(self) -> None:
        self.factory.made.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.factory.systems.add(context.get(ILogContext)["system"])
        if data == b"fail":
            raise RuntimeError("told to")
        if data == b"abort all":
            for other in self.factory.made:
                other.transport.abortConnection()
        self.transport.write(data)

    def connectionLost(self, reason: Any) -> None:
        self.factory.lost.append(reason.value)


class ReactorTests:
    """What a reactor does. Not a test case by itself."""

    def make(self) -> Any:
        """A reactor."""
        raise NotImplementedError

    def setUp(self) -> None:
        self.reactor = self.make()
        self.addCleanup(self.reactor.disconnectAll)
        self.factory = Factory.forProtocol(Recorder)
        self.factory.made, self.factory.lost, self.factory.systems = [], [], set()
        port = self.reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.address = port.getHost().host, port.getHost().port

    def until(self, condition: Any) -> None:
        for _ in range(500):
            if condition():
                return
            self.reactor.iterate(0.01)
        self.fail("not within 5 seconds")

    def connected(self) -> socket.socket:
        before = len(self.factory.made)
        peer = socket.create_connection(self.address)
        self.addCleanup(peer.close)
        self.until(lambda: len(self.factory.made) > before)
        peer.setblocking(False)
        return peer

    def heard(self, peer: socket.socket) -> bytes:
        try:
            return peer.recv(65536)
        except BlockingIOError:
            return b""

    def test_reads_and_writes(self) -> None:
        peer = self.connected()
        peer.send(b"hello")
        heard: list[bytes] = []
        self.until(lambda: heard.append(self.heard(peer)) or b"".join(heard) == b"hello")
        self.assertEqual(self.factory.systems, {"-"})  # there is no log context

    def test_the_peer_closes(self) -> None:
        peer = self.connected()
        peer.send(b"last")
        peer.close()
        self.until(lambda: self.factory.lost)

    def test_what_fails_while_reading_ends_that_connection_only(self) -> None:
        bad, good = self.connected(), self.connected()
        bad.send(b"fail")
        self.until(lambda: self.factory.lost)
        self.assertIsInstance(self.factory.lost[0], RuntimeError)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        good.send(b"on")
        self.until(lambda: self.heard(good) == b"on")

    def test_an_event_that_ends_those_after_it(self) -> None:
        peers = [self.connected() for _ in range(3)]
        for peer in peers:
            peer.send(b"abort all")
        self.until(lambda: len(self.factory.lost) == 3)


@skipUnless(platform.isLinux(), "epoll is Linux's")
class EPollReactorTests(ReactorTests, SynchronousTestCase):
    def make(self) -> Any:
        return EPollReactor()


class UvloopReactorTests(ReactorTests, SynchronousTestCase):
    def make(self) -> Any:
        reactor = UvloopReactor()
        self.addCleanup(reactor._asyncioEventloop.close)
        return reactor
