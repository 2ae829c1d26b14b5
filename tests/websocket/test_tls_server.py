"""TLS of a whole server on real sockets: what is reloaded, and what stays up meanwhile."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.websocket import reload
from ocpp_twisted.websocket.certificates import TLSFiles
from ocpp_twisted.websocket.fastpath import AtOnceTLS
from tests.certificates import Authority, client, logged, rsa_key
from tests.support import (
    HEARTBEAT,
    RawClient,
    close_frame,
    connect,
    frame,
    request,
    until,
    upgraded,
)

ANYWHERE = "tcp:0:interface=127.0.0.1"


@implementer(IOpenSSLClientConnectionCreator)
class Made:
    """Hands over a TLS connection that is made already."""

    def __init__(self, connection: SSL.Connection) -> None:
        self.connection = connection

    def clientConnectionForTLS(self, protocol: object) -> SSL.Connection:
        return self.connection


class Nothing(ActionPlugin):
    name = "nothing"


class ServerTests(TestCase):
    timeout = 20

    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.ca = Authority()
        self.first = self.ca.issue("csms", key=rsa_key())
        self.pair = self.first.write(self.directory / "server.pem")
        self.server = Server(
            Settings(
                wss=[ANYWHERE],
                wss_legacy=[ANYWHERE],
                tls=TLSFiles(pairs=[self.pair]),
                action_plugins=[Nothing()],
                measured=True,
            ),
            reactor,
        )
        self.addCleanup(lambda: self.server.stopService())
        await self.server.startService()
        self.wss, self.legacy = (address.port for address in self.server.addresses)

    async def answered(self, charge_point: RawClient) -> None:
        before = len(charge_point.hears())
        charge_point.transport.write(frame(HEARTBEAT))
        await until(lambda: len(charge_point.hears()) > before, reactor)

    def shown(self, charge_point: RawClient) -> x509.Certificate:
        return charge_point.transport.getPeerCertificate().to_cryptography()

    async def test_a_reload_drops_nobody(self) -> None:
        for port in (self.wss, self.legacy):
            up = await upgraded(reactor, port, tls=True)
            await self.answered(up)
            second = self.ca.issue("csms", key=rsa_key())
            second.write(*self.pair)
            self.assertTrue(self.server.reload_tls())
            await self.answered(up)
            new = await upgraded(reactor, port, tls=True, target="/ocpp/CP2")
            self.assertEqual(self.shown(new), second.certificate)
            self.assertNotEqual(self.shown(up), second.certificate)
            await self.answered(up)
            for each in (up, new):
                each.transport.write(close_frame())
                await each.over

    async def test_changed_files_are_found(self) -> None:
        self.patch(reload, "_INTERVAL", 0.02)
        files = TLSFiles(pairs=[self.ca.issue("csms").write(self.directory / "other.pem")])
        settings = Settings(wss=[ANYWHERE], tls=files, action_plugins=[Nothing()])
        server = Server(settings, reactor)
        self.addCleanup(lambda: server.stopService())
        await server.startService()
        lines = logged(self)
        files.pairs[0][1].unlink()
        await until(lambda: any("old files" in line for line in lines()), reactor)
        second = self.ca.issue("csms")
        second.write(*files.pairs[0])
        found = None
        while found != second.certificate:
            new = await upgraded(reactor, server.addresses[0].port, tls=True)
            found = self.shown(new)
            new.transport.abortConnection()
            await new.over

    async def test_broken_files_change_nothing(self) -> None:
        lines = logged(self)
        self.pair[1].write_text("broken")
        self.assertFalse(self.server.reload_tls())
        self.assertIn("TLS goes on with its old files", lines()[0])
        up = await upgraded(reactor, self.wss, tls=True)
        self.assertEqual(self.shown(up), self.first.certificate)
        up.transport.abortConnection()
        await up.over

    async def test_an_old_charge_point(self) -> None:
        old = {"oldest": SSL.TLS1_VERSION, "newest": SSL.TLS1_VERSION}
        for port, agreed in ((self.legacy, True), (self.wss, False)):
            one = client("AES128-SHA:@SECLEVEL=0", **old)
            endpoint = wrapClientTLS(Made(one), TCP4ClientEndpoint(reactor, "127.0.0.1", port))
            raw = await connectProtocol(endpoint, RawClient())
            if agreed:
                await until(lambda one=one: one.get_cipher_name(), reactor)
                self.assertEqual(one.get_protocol_version_name(), "TLSv1")
                raw.transport.write(request())
                await until(lambda raw=raw: b"\r\n\r\n" in raw.received, reactor)
                for _ in range(2):
                    await self.answered(raw)
                raw.transport.abortConnection()
            await raw.over
        self.assertEqual(self.server._factory.counts.tls_refused, {"version": 1})

    async def test_the_short_way_is_taken_and_failures_are_measured(self) -> None:
        up = await upgraded(reactor, self.wss, tls=True)
        (protocol,) = self.server._factory.open
        self.assertIsInstance(protocol.transport, AtOnceTLS)
        plain = await connect(reactor, self.wss)
        plain.transport.write(b"GET / HTTP/1.1\r\n\r\n")
        await plain.over
        assert self.server.operations is not None
        answer = self.server.operations.answer("/metrics")
        assert answer is not None
        self.assertIn(b'ocpp_tls_refused_total{reason="not TLS"} 1', answer[2])
        self.assertIn(b'ocpp_certificate_days{file="', answer[2])
        up.transport.abortConnection()
        await up.over
