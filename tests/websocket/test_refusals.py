"""TLS handshakes that fail: each is counted and told, with its reason, in a bounded way."""

from __future__ import annotations

import contextlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.websocket.certificates import TLSFiles, load_tls
from ocpp_twisted.websocket.refusals import Sparing
from ocpp_twisted.websocket.server import OCPPServerFactory
from ocpp_twisted.websocket.tls import ServerTLS, TLSFactory
from tests.certificates import DAY, FOR_SERVERS, Authority, Issued, client, logged, pem, resigned
from tests.support import Peer


class RefusalsTests(SynchronousTestCase):
    """Whitepaper A00.FR.323 and A00.FR.408."""

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        self.ca = Authority("CA")
        pair = self.ca.issue("csms").write(directory / "server.pem")
        ca, crl = directory / "ca.pem", directory / "ca.crl"
        ca.write_bytes(pem(self.ca.certificate))
        self.revoked = self.ca.issue("CP7")
        crl.write_bytes(pem(self.ca.revokes(self.revoked.certificate)))
        loaded = load_tls(TLSFiles(pairs=[pair], client_cas=[ca], crls=[crl]))
        self.clock = Clock()
        factory = OCPPServerFactory(CentralSystem([], self.clock), self.clock)
        self.counts = factory.counts
        self.open = TLSFactory(ServerTLS(loaded), False, factory, self.clock)
        tls = ServerTLS(loaded, client_certificates=True)
        self.closed = TLSFactory(tls, False, factory, self.clock)
        self.logged = logged(self)

    def tries(self, factory: TLSFactory, one: SSL.Connection) -> Peer:
        """A handshake, as far as it goes."""
        peer = Peer(factory)
        for _ in range(4):
            with contextlib.suppress(SSL.Error):
                one.do_handshake()
            with contextlib.suppress(SSL.Error):
                peer.sends(one.bio_read(65536))
            if data := peer.receives():
                one.bio_write(data)
        return peer

    def told(self, kind: str, *words: str) -> None:
        self.assertEqual(self.counts.tls_refused, {kind: 1})
        (line,) = self.logged()
        for word in ("TLS handshake refused: tcp4:", *words):
            self.assertIn(word, line)
        self.counts.tls_refused.clear()

    def test_a_handshake_that_succeeds(self) -> None:
        for factory in (self.open, self.closed):
            peer = self.tries(factory, client(shows=self.ca.issue("CP1")))
            self.assertFalse(peer.socket.disconnecting)
            peer.loses()
        self.assertEqual(self.counts.tls_refused, {})
        self.assertEqual(self.logged(), [])

    def test_client_certificates(self) -> None:
        for issued, kind, text in (
            (None, "none given", "no client certificate is given"),
            (self.revoked, "revoked", "the client certificate 'CN=CP7' is revoked"),
            (Authority().issue("CP1"), "untrusted", "issued by nobody in --tls-client-ca"),
            (self.ca.issue("CP1", ends=-DAY / 2), "expired", "has expired"),
            (self.ca.issue("CP1", begins=DAY), "not yet valid", "one clock may be wrong"),
            (self.ca.issue("CP1", purpose=FOR_SERVERS), "purpose", "not made for TLS clients"),
        ):
            self.tries(self.closed, client(shows=issued))
            self.told(kind, text)

    def test_a_weak_key(self) -> None:
        issued = self.ca.issue("CP1", key=rsa.generate_private_key(65537, 1024))
        self.tries(self.closed, client("ALL:@SECLEVEL=0", shows=issued))
        self.told("weak", "'CN=CP1' has a key that is too weak")

    def test_one_that_is_good_but_cannot_be_read(self) -> None:
        issued = self.ca.issue("WXYZ")
        good = resigned(issued, self.ca, b"WXYZ", b"CP01")
        self.tries(self.closed, client(shows=good))
        self.assertEqual(self.counts.tls_refused, {})
        broken = resigned(issued, self.ca, b"\x0c\x04WXYZ", b"\x13\x04\xff\xfe\xfd\xfc")
        self.tries(self.closed, client(shows=broken))
        self.told("unreadable", "the client certificate cannot be read")

    def test_a_ca_whose_name_is_written_in_another_way(self) -> None:
        # A UTF8String of "CA" in the CA's certificate and CRL, in the charge point's of "ca".
        issued = Issued(self.revoked.certificate, self.revoked.key)
        other = resigned(issued, self.ca, b"\x0c\x02CA", b"\x0c\x02ca")
        self.assertNotEqual(other.certificate.issuer, self.ca.name)
        self.tries(self.closed, client(shows=other))
        self.told("revoked", "is revoked")

    def test_what_cannot_be_printed_in_a_name_is_escaped(self) -> None:
        self.tries(self.closed, client(shows=Authority().issue("CP1\nTLS handshake")))
        (line,) = self.logged()
        self.assertNotIn("\n", line)

    def test_suites_and_versions(self) -> None:
        tls_1_2 = SSL.TLS1_2_VERSION
        self.tries(self.open, client("ECDHE-RSA-AES128-SHA:@SECLEVEL=0", newest=tls_1_2))
        self.told("suites", "no shared cipher")
        old = SSL.TLS1_1_VERSION
        self.tries(self.open, client("ALL:@SECLEVEL=0", newest=old, oldest=old))
        self.told("version", "unsupported protocol")

    def test_a_client_that_does_not_believe_us(self) -> None:
        one = client()
        one.set_verify(SSL.VERIFY_PEER)
        self.tries(self.open, one)
        self.told("by the peer", "alert unknown ca")

    def test_http(self) -> None:
        peer = Peer(self.open)
        peer.sends(b"GET / HTTP/1.1\r\n\r\n")
        peer.sends(b"and more")
        self.told("not TLS", "http request")

    def test_who_only_hangs_up_is_not_told(self) -> None:
        Peer(self.open).loses()
        one, peer = client(), Peer(self.open)
        with contextlib.suppress(SSL.WantReadError):
            one.do_handshake()
        peer.sends(one.bio_read(65536))
        peer.loses()
        self.assertEqual(self.counts.tls_refused, {})
        self.assertEqual(self.logged(), [])

    def test_a_crowd_of_them_does_not_fill_the_log(self) -> None:
        for _ in range(100):
            peer = Peer(self.open)
            peer.sends(b"GET / HTTP/1.1\r\n\r\n")
            peer.loses()
        self.assertEqual(self.counts.tls_refused, {"not TLS": 100})
        self.assertEqual(len(self.logged()), 20)
        self.clock.advance(60)
        Peer(self.open).sends(b"GET / HTTP/1.1\r\n\r\n")
        (line,) = self.logged()
        self.assertTrue(line.endswith("(80 more were not logged)"), line)


class SparingTests(SynchronousTestCase):
    def test_it_lets_a_few_through_in_each_span(self) -> None:
        clock = Clock()
        sparing = Sparing(clock.seconds, most=2, span=10.0)
        self.assertEqual([sparing.take() for _ in range(4)], ["", "", None, None])
        clock.advance(9.9)
        self.assertIsNone(sparing.take())
        clock.advance(0.1)
        kept = " (3 more were not logged)"
        self.assertEqual([sparing.take() for _ in range(3)], [kept, "", None])
