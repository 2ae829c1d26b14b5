"""Who is let in: the doorkeeper is asked before the upgrade, and may take its time."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, inlineCallbacks
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IDoorkeeper
from ocpp_twisted.security.handshake import Handshake, Refused, SecurityProfile
from ocpp_twisted.security.proxies import Proxies, network
from ocpp_twisted.websocket.listen import listen
from ocpp_twisted.websocket.server import Entrance, OCPPServerFactory, WebSocketOptions
from ocpp_twisted.websocket.tls import TLSFactory, development_certificate, server_context
from tests.support import HEARTBEAT, Peer, connect, frame, request, until


@implementer(IDoorkeeper)
class Doorkeeper:
    """Answers what it is told to.

    :ivar asked: the handshakes.
    """

    busy = False

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked: list[Handshake] = []

    def admit(self, handshake: Handshake) -> Deferred[None] | None:
        self.asked.append(handshake)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class DoorTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.system = CentralSystem([], Clock())
        self.clock = Clock()

    def peer(self, answer: Any = None, **options: Any) -> Peer:
        self.door = Doorkeeper(answer)
        websocket = WebSocketOptions(doorkeeper=self.door, **options)
        self.factory = OCPPServerFactory(self.system, self.clock, websocket)
        return Peer(Entrance(self.factory, SecurityProfile.BASIC))


class AtOnceTests(DoorTestCase):
    def test_what_it_is_asked(self) -> None:
        cp1 = self.peer()
        cp1.upgrades(extra=["Authorization: Basic Q1AxOnNlY3JldA=="])
        (asked,) = self.door.asked
        self.assertEqual(asked.identity, Identity("CP1"))
        self.assertIs(asked.profile, SecurityProfile.BASIC)
        self.assertEqual(asked.authorization, "Basic Q1AxOnNlY3JldA==")
        self.assertNotIn("Q1AxOnNlY3JldA==", repr(asked))  # who logs it tells no password
        self.assertEqual(asked.peer, "192.168.1.1:54321")
        self.assertIsNone(asked.certificate)
        self.assertEqual(list(self.factory.counts.open), [("ocpp1.6", "ws", 1)])

    def test_refused(self) -> None:
        refusal = Refused(401, "a password is needed", [("WWW-Authenticate", "Basic")], "no header")
        for refuse in (lambda: refusal, lambda: fail(refusal)):
            cp1 = self.peer(refuse())
            with capturedLogs() as logs:
                cp1.sends(request())
            head, _, body = cp1.receives().decode().partition("\r\n\r\n")
            self.assertTrue(head.startswith("HTTP/1.1 401 Unauthorized\r\n"), head)
            self.assertIn("\r\nWWW-Authenticate: Basic\r\n", head + "\r\n")
            self.assertEqual(body, "a password is needed\n")
            self.assertTrue(cp1.socket.disconnecting)
            (log,) = [log for log in logs if log["log_namespace"].startswith("ocpp_twisted")]
            self.assertEqual(log["reason"], "no header")
            self.assertEqual(self.factory.counts.refused, {401: 1})
            self.assertEqual(self.system.charge_points, {})

    def test_strangers_do_not_fill_the_log(self) -> None:
        for target, offers in (("/elsewhere/a/b/c", "ocpp1.6"), ("/CP1", "something else")):
            self.peer()
            with capturedLogs() as logs:
                for _ in range(150):
                    stranger = Peer(Entrance(self.factory, SecurityProfile.BASIC))
                    stranger.sends(request(target, offers))
                    stranger.loses()
            told = [log for log in logs if log["log_namespace"].startswith("ocpp_twisted")]
            self.assertEqual(len(told), 100, target)

    def test_one_that_fails(self) -> None:
        cp1 = self.peer(ZeroDivisionError("secret"))
        cp1.sends(request())
        response = cp1.receives().decode()
        self.assertTrue(response.startswith("HTTP/1.1 500 "), response)
        self.assertNotIn("secret", response)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_what_a_proxy_says_reaches_it(self) -> None:
        proxies = Proxies(networks=[network("192.168.1.1")], identity_header="X-Name")
        cp1 = self.peer(proxies=proxies)
        cp1.upgrades(extra=["X-Name: CP1", "X-Forwarded-For: 198.51.100.7"])
        (asked,) = self.door.asked
        self.assertEqual((asked.names, asked.peer), (["CP1"], "198.51.100.7"))
        self.assertEqual(self.system.charge_points[Identity("CP1")].peer, "198.51.100.7")

    def test_a_name_that_a_proxy_has_only_added(self) -> None:
        proxies = Proxies(networks=[network("192.168.1.1")], identity_header="X-Name")
        cp1 = self.peer(proxies=proxies)
        cp1.sends(request(extra=["x-name: CP1", "X-Name: CP2"]))
        self.assertTrue(cp1.receives().startswith(b"HTTP/1.1 400 "))
        self.assertEqual(self.door.asked, [])

    def test_profiles_with_tls_without_it(self) -> None:
        self.peer()
        for profile in (SecurityProfile.TLS_BASIC, SecurityProfile.CLIENT_CERTIFICATE):
            cp1 = Peer(Entrance(self.factory, profile))
            cp1.sends(request())
            self.assertTrue(cp1.receives().startswith(b"HTTP/1.1 403 Forbidden\r\n"))
            self.assertEqual(self.door.asked, [])


class BrokenTLSTests(DoorTestCase):
    def test_it_is_told_once_and_as_the_end_of_a_connection(self) -> None:
        """A charge point that breaks TLS is no error of ours, and has one line as others have."""
        alert = SSL.Error([("SSL routines", "", "tls alert handshake failure")])
        for broken, text in (
            (alert, "TLS broke: tls alert handshake failure"),
            (SSL.SysCallError(-1, "Unexpected EOF"), "TLS broke: (-1, 'Unexpected EOF')"),
        ):
            cp1 = self.peer()
            cp1.upgrades()
            with capturedLogs() as logs:
                cp1.protocol.connectionLost(Failure(broken))
            self.assertEqual([each for each in logs if each["log_level"] > LogLevel.info], [])
            (ended,) = [each for each in logs if each["log_level"] is LogLevel.info]
            self.assertIn(text, formatEvent(ended))


class LaterTests(DoorTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.decision: Deferred[None] = Deferred()
        self.cp1 = self.peer(self.decision)
        self.cp1.sends(request())

    def test_nothing_is_answered_until_it_is_decided(self) -> None:
        self.assertEqual(self.cp1.receives(), b"")
        self.assertEqual(self.system.charge_points, {})
        self.decision.callback(None)
        self.assertTrue(self.cp1.receives().startswith(b"HTTP/1.1 101 "))
        self.assertIn(Identity("CP1"), self.system.charge_points)

    def test_what_comes_meanwhile_is_read_afterwards(self) -> None:
        self.cp1.sends(frame(HEARTBEAT))
        self.assertEqual(self.cp1.receives(), b"")
        self.decision.callback(None)
        self.assertIn(b'[4,"h1","NotSupported"', self.cp1.receives())

    def test_what_comes_meanwhile_is_no_second_request(self) -> None:
        self.cp1.sends(request("/ocpp/CP2"))
        self.assertEqual([asked.identity.id for asked in self.door.asked], ["CP1"])

    def test_what_comes_meanwhile_is_bounded(self) -> None:
        self.cp1.sends(frame(b"x" * 17000))
        self.assertTrue(self.cp1.receives().startswith(b"HTTP/1.1 400 "))
        self.cp1.loses()
        self.assertTrue(self.decision.called)

    def test_one_that_goes_meanwhile(self) -> None:
        self.cp1.loses()
        self.assertTrue(self.decision.called)  # cancelled
        self.assertEqual(self.system.charge_points, {})
        self.assertEqual(self.factory.counts.refused, {})
        self.assertEqual(self.flushLoggedErrors(), [])
        protocol = weakref.ref(self.cp1.protocol)
        del self.cp1, self.decision, self.door.answer
        self.assertIsNone(protocol())

    def test_one_that_is_let_in_when_it_has_gone(self) -> None:
        kept: Deferred[None] = Deferred(lambda deferred: deferred.callback(None))
        cp2 = self.peer(kept)
        cp2.sends(request("/ocpp/CP2"))
        cp2.loses()
        self.assertEqual(self.system.charge_points, {})
        self.assertEqual(cp2.receives(), b"")

    def test_the_server_stops_meanwhile(self) -> None:
        self.factory.accepting = False
        self.decision.callback(None)
        self.assertTrue(self.cp1.receives().startswith(b"HTTP/1.1 503 "))

    def test_it_takes_too_long(self) -> None:
        self.clock.advance(self.factory.options.handshake_timeout + 1)
        self.assertTrue(self.cp1.socket.disconnecting or self.cp1.socket.aborted)
        self.cp1.loses()
        self.assertTrue(self.decision.called)
        self.assertEqual(self.factory.counts.late, 1)


V2 = (  # 198.51.100.9 from port 1234 to 10.0.0.1, port 9000
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x09\x0a\0\0\x01\x04\xd2\x23\x28"
)


class ProxyProtocolTests(TestCase):
    """The PROXY protocol before WS and WSS, over real sockets."""

    @inlineCallbacks
    def listens(
        self,
        trusted: str = "127.0.0.1",
        tls: bool = False,
        profile: SecurityProfile = SecurityProfile.NONE,
    ) -> Any:
        self.system = CentralSystem([], reactor)
        proxies = Proxies(networks=[network(trusted)])
        inside = OCPPServerFactory(self.system, reactor, WebSocketOptions(proxies=proxies))
        self.addCleanup(inside.drop_all)
        factory: Any = Entrance(inside, profile)
        if tls:
            files = development_certificate(Path(self.mktemp()))
            factory = TLSFactory(server_context(*files), False, factory)
        port = yield listen(reactor, "haproxy:tcp:0:interface=127.0.0.1", factory, proxies=proxies)
        self.addCleanup(port.stopListening)
        return port.getHost().port

    @inlineCallbacks
    def comes(self, header: bytes, tls: bool = False, **more: Any) -> Any:
        port = yield self.listens(tls=tls, **more)
        client = yield connect(reactor, port)
        client.transport.write(header)
        if tls:
            client.transport.startTLS(CertificateOptions(verify=False))
        client.transport.write(request())
        yield until(lambda: b"101 Switching" in client.received, reactor)
        client.transport.write(frame(HEARTBEAT))
        yield until(lambda: b"NotSupported" in client.received, reactor)
        (connected,) = self.system.charge_points.values()
        peer = connected.peer
        client.transport.abortConnection()
        yield client.over
        return peer

    @inlineCallbacks
    def test_version_1(self) -> Any:
        peer = yield self.comes(b"PROXY TCP4 198.51.100.9 10.0.0.1 1234 9000\r\n")
        self.assertEqual(peer, "198.51.100.9:1234")

    @inlineCallbacks
    def test_version_2(self) -> Any:
        self.assertEqual((yield self.comes(V2)), "198.51.100.9:1234")

    @inlineCallbacks
    def test_before_tls(self) -> Any:
        self.assertEqual((yield self.comes(V2, tls=True)), "198.51.100.9:1234")

    @inlineCallbacks
    def test_a_proxy_that_ends_tls(self) -> Any:
        """Who comes through it comes over TLS, as its header says nothing of that."""
        peer = yield self.comes(V2, profile=SecurityProfile.TLS_BASIC)
        self.assertEqual(peer, "198.51.100.9:1234")

    @inlineCallbacks
    def test_without_it_nothing_is_read(self) -> Any:
        port = yield self.listens()
        client = yield connect(reactor, port)
        client.transport.write(request())
        yield client.over
        self.assertEqual(client.received, b"")

    @inlineCallbacks
    def test_from_somewhere_else(self) -> Any:
        port = yield self.listens(trusted="192.0.2.0/24")
        client = yield connect(reactor, port)
        yield client.over
        self.assertEqual(client.received, b"")
