"""Certificates that are given, one that is made, and what is wrong with them in a sentence."""

from __future__ import annotations

import contextlib
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.websocket import certificates
from ocpp_twisted.websocket.certificates import TLSFiles, load_tls
from ocpp_twisted.websocket.tls import ServerTLS, development_certificate, server_context
from tests.certificates import DAY, FOR_SERVERS, Authority, Issued, client, handshake, pem, rsa_key


class TLSTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp()) / "data"

    def refused(self, function, *arguments, **more) -> str:
        return str(self.assertRaises(ConfigurationError, function, *arguments, **more))


class DevelopmentCertificateTests(TLSTestCase):
    def test_it_is_made_with_its_directory(self) -> None:
        certificate, key = development_certificate(self.directory)
        self.assertEqual({certificate.parent, key.parent}, {self.directory})
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)

    def test_it_is_for_this_machine(self) -> None:
        certificate, _ = development_certificate(self.directory)
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertIn("localhost", names.get_values_for_type(x509.DNSName))
        self.assertIn("127.0.0.1", map(str, names.get_values_for_type(x509.IPAddress)))

    def test_it_is_rsa_of_2048_bits(self) -> None:
        """OCPP-J 1.6 section 6.2.1: no other kind, and no larger."""
        certificate, _ = development_certificate(self.directory)
        key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        self.assertEqual(key.key_size, 2048)

    def test_it_is_kept(self) -> None:
        first = [path.read_bytes() for path in development_certificate(self.directory)]
        second = [path.read_bytes() for path in development_certificate(self.directory)]
        self.assertEqual(first, second)

    def test_one_that_ends_or_is_broken_is_made_again(self) -> None:
        patched = self.patch(certificates, "_LIFETIME", timedelta(hours=5))
        certificate, _ = development_certificate(self.directory)
        patched.restore()
        self.assertIn("BEGIN", certificate.read_text())
        ending = certificate.read_bytes()
        development_certificate(self.directory)
        self.assertNotEqual(certificate.read_bytes(), ending)
        certificate.write_text("broken")
        server_context(*development_certificate(self.directory))

    def test_a_place_that_cannot_be_written_to(self) -> None:
        self.directory.parent.mkdir(parents=True)
        self.directory.write_text("a file")
        self.assertIn(
            "choose another --data-dir", self.refused(development_certificate, self.directory)
        )


class ServerContextTests(TLSTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.certificate, self.key = development_certificate(self.directory)

    def test_a_handshake(self) -> None:
        one = handshake(server_context(self.certificate, self.key))
        self.assertEqual(one.get_protocol_version_name(), "TLSv1.3")
        self.assertEqual(
            one.get_peer_certificate().to_cryptography(),
            x509.load_pem_x509_certificate(self.certificate.read_bytes()),
        )

    def test_an_elliptic_key_and_intermediate_certificates(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "csms")])
        now = datetime.now(UTC)
        own = (
            x509.CertificateBuilder(name, name, key.public_key(), 7)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=2))
            .sign(key, hashes.SHA256())
        )
        intermediate = self.certificate.read_bytes()
        self.certificate.write_bytes(own.public_bytes(serialization.Encoding.PEM) + intermediate)
        one = handshake(server_context(self.certificate, self.key))
        chain = [found.to_cryptography() for found in one.get_peer_cert_chain()]
        self.assertEqual(chain, [own, x509.load_pem_x509_certificate(intermediate)])

    def test_files_that_are_not_there(self) -> None:
        nowhere = self.directory / "nowhere.pem"
        self.assertEqual(
            self.refused(server_context, nowhere, self.key),
            f"cannot read the certificate {nowhere}: No such file or directory",
        )
        self.assertIn(
            "cannot read the private key", self.refused(server_context, self.certificate, nowhere)
        )

    def test_files_that_hold_something_else(self) -> None:
        self.assertIn("holds no certificate", self.refused(server_context, self.key, self.key))
        self.assertIn(
            "holds no private key", self.refused(server_context, self.certificate, self.certificate)
        )

    def test_a_key_with_a_password(self) -> None:
        key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        self.assertIn(
            "is encrypted: give it without its passphrase",
            self.refused(server_context, self.certificate, self.key),
        )

    def test_a_certificate_that_openssl_refuses(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "csms")])
        now = datetime.now(UTC)
        small = (
            x509.CertificateBuilder(name, name, key.public_key(), 7)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=2))
            .sign(key, hashes.SHA256())
        )
        self.certificate.write_bytes(small.public_bytes(serialization.Encoding.PEM))
        self.assertRegex(
            self.refused(server_context, self.certificate, self.key),
            "^OpenSSL refuses the certificate .*key too small",
        )

    def test_files_that_do_not_belong_together(self) -> None:
        _, other = development_certificate(self.directory / "other")
        self.assertIn(
            "give the pair that was issued together",
            self.refused(server_context, self.certificate, other),
        )


class SuitesTests(TLSTestCase):
    """What is agreed on, and what is not: whitepaper A00.FR.312 to A00.FR.324."""

    def setUp(self) -> None:
        super().setUp()
        ca = Authority()
        self.tls = self.with_pairs(ca.issue("csms"), ca.issue("csms", key=rsa_key()))

    def with_pairs(self, *issued: Issued, **more) -> ServerTLS:
        pairs = [each.write(self.directory / f"{number}.pem") for number, each in enumerate(issued)]
        return ServerTLS(load_tls(TLSFiles(pairs=pairs)), **more)

    def agreed(self, *arguments, **more) -> tuple[str, str]:
        one = handshake(self.tls, client(*arguments, **more))
        return one.get_protocol_version_name(), one.get_cipher_name()

    def nothing_agreed(self, *arguments, **more) -> str:
        error = self.assertRaises(SSL.Error, self.agreed, *arguments, **more)
        return str(error)

    def test_the_suites_that_must_be_there(self) -> None:
        for suite in (
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "AES128-GCM-SHA256",
            "AES256-GCM-SHA384",
            "ECDHE-RSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
        ):
            found = self.agreed(suite, newest=SSL.TLS1_2_VERSION)
            self.assertEqual(found, ("TLSv1.2", suite))
        self.assertEqual(self.agreed()[0], "TLSv1.3")

    def test_no_others(self) -> None:
        known = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        everything = SSL.Context(SSL.TLS_CLIENT_METHOD)
        everything.set_cipher_list(b"ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        known = SSL.Connection(everything, None).get_cipher_list()
        bad = [each for each in known if "GCM" not in each and "POLY1305" not in each]
        self.assertIn("ECDHE-ECDSA-AES128-SHA", bad)
        self.assertIn("AECDH-NULL-SHA", bad)
        suites = ":".join(bad) + ":@SECLEVEL=0"
        self.assertIn("no shared cipher", self.nothing_agreed(suites, newest=SSL.TLS1_2_VERSION))
        anonymous = "aNULL:@SECLEVEL=0"
        self.assertIn("no shared", self.nothing_agreed(anonymous, newest=SSL.TLS1_2_VERSION))

    def test_nothing_older(self) -> None:
        old = {"oldest": SSL.TLS1_VERSION, "newest": SSL.TLS1_1_VERSION}
        self.assertIn("unsupported protocol", self.nothing_agreed("ALL:@SECLEVEL=0", **old))

    def test_the_server_chooses(self) -> None:
        suites = "AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
        _, found = self.agreed(suites, newest=SSL.TLS1_2_VERSION)
        self.assertEqual(found, "ECDHE-ECDSA-AES128-GCM-SHA256")

    def test_no_renegotiation(self) -> None:
        one = client(newest=SSL.TLS1_2_VERSION)
        server = self.tls.serverConnectionForTLS(None)
        server.set_accept_state()
        self.tls.serverConnectionForTLS = lambda protocol: server
        handshake(self.tls, one)
        one.renegotiate()
        self.assertRaises(SSL.WantReadError, one.do_handshake)
        server.bio_write(one.bio_read(65536))
        self.assertRaises(SSL.WantReadError, server.recv, 1)
        one.bio_write(server.bio_read(65536))
        error = self.assertRaises(SSL.Error, one.do_handshake)
        self.assertIn("no renegotiation", str(error))

    def test_a_charge_point_that_comes_back_resumes_its_session(self) -> None:
        for newest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            first = handshake(self.tls, client(newest=newest))
            self.assertTrue(resumed(self.tls, first, newest))

    def test_a_legacy_listener(self) -> None:
        old = {"oldest": SSL.TLS1_VERSION, "newest": SSL.TLS1_VERSION}
        ca = Authority()
        self.tls = self.with_pairs(ca.issue("csms"), ca.issue("csms", key=rsa_key()), legacy=True)
        self.assertTrue(self.tls.speaks_tls_1_0())
        self.assertEqual(self.agreed("AES128-SHA:@SECLEVEL=0", **old), ("TLSv1", "AES128-SHA"))
        self.assertEqual(self.agreed()[0], "TLSv1.3")
        self.assertIn("no shared", self.nothing_agreed("AES256-SHA:@SECLEVEL=0", **old))

    def test_an_openssl_without_tls_1_0(self) -> None:
        self.assertFalse(self.tls.speaks_tls_1_0())

    def test_a_legacy_listener_needs_an_rsa_key(self) -> None:
        said = self.refused(lambda: self.with_pairs(Authority().issue("csms"), legacy=True))
        self.assertIn("needs a certificate with an RSA key", said)


class SeveralCertificatesTests(TLSTestCase):
    """An ECDSA and an RSA certificate on one port, and several names."""

    def shown(self, tls: ServerTLS, kind: str = "ECDSA:RSA", name: str | None = None):
        """The chain that a client gets."""
        suites = ":".join(f"ECDHE-{each}-AES128-GCM-SHA256" for each in kind.split(":"))
        one = handshake(tls, client(suites, newest=SSL.TLS1_2_VERSION, server_name=name))
        return [each.to_cryptography() for each in one.get_peer_cert_chain()]

    def served(self, *issued: Issued) -> ServerTLS:
        pairs = [each.write(self.directory / f"{number}.pem") for number, each in enumerate(issued)]
        return ServerTLS(load_tls(TLSFiles(pairs=pairs)))

    def test_each_with_its_own_chain(self) -> None:
        one, other = Authority("one", Authority()), Authority("other", Authority())
        ecdsa, with_rsa = one.issue("csms"), other.issue("csms", key=rsa_key())
        tls = self.served(ecdsa, with_rsa)
        self.assertEqual(self.shown(tls, "ECDSA"), [ecdsa.certificate, one.certificate])
        self.assertEqual(self.shown(tls, "RSA"), [with_rsa.certificate, other.certificate])
        self.assertEqual(self.shown(tls, "RSA", "csms")[0], with_rsa.certificate)

    def test_by_the_name_that_is_asked_for(self) -> None:
        ca = Authority()
        first = ca.issue("a.example")
        second = ca.issue("x", names=["b.example", "*.c.example"])
        exact = ca.issue("d.c.example")
        tls = self.served(first, second, exact)
        for name, expected in (
            (None, first),
            ("a.example", first),
            ("B.example", second),
            ("z.c.example", second),
            ("d.c.example", exact),
            ("c.example", first),
            ("y.z.c.example", first),
            ("*.c.example", second),
            ("nobody.example", first),
        ):
            self.assertEqual(self.shown(tls, name=name), [expected.certificate], name)

    def test_a_name_has_both_kinds(self) -> None:
        ca = Authority()
        pairs = [
            ca.issue(name, key=key)
            for name in ("a.example", "b.example")
            for key in (None, rsa_key())
        ]
        tls = self.served(*pairs)
        for name, kind, expected in (
            ("b.example", "RSA", 3),
            ("b.example", "ECDSA", 2),
            ("a.example", "RSA", 1),
            (None, "RSA", 1),
        ):
            self.assertEqual(self.shown(tls, kind, name), [pairs[expected].certificate])

    def test_who_asks_for_no_name_does_not_get_another_one(self) -> None:
        ca = Authority()
        tls = self.served(ca.issue("a.example"), ca.issue("b.example", key=rsa_key()))
        self.assertRaises(SSL.Error, self.shown, tls, "RSA")

    def test_a_session_is_resumed_under_a_second_name(self) -> None:
        ca = Authority()
        tls = self.served(ca.issue("a.example"), ca.issue("b.example"))
        first = handshake(tls, client(newest=SSL.TLS1_2_VERSION, server_name="b.example"))
        again = client(resumes=first, server_name="b.example")
        handshake(tls, again)
        self.assertEqual(first.master_key(), again.master_key())


class ClientCertificateTests(TLSTestCase):
    """Security profile 3: whitepaper A00.FR.402, A00.FR.403 and A00.FR.407."""

    def setUp(self) -> None:
        super().setUp()
        self.root = Authority("root")
        self.ca = Authority("issuing", self.root)
        self.pair = self.root.issue("csms").write(self.directory / "server.pem")
        self.good = self.ca.issue("CP1")

    def tls(self, *cas: Authority, crls=()) -> ServerTLS:
        ca = self.directory / "ca.pem"
        ca.write_bytes(pem(*(each.certificate for each in cas or [self.root])))
        paths = []
        for number, crl in enumerate(crls):
            paths.append(self.directory / f"{number}.crl")
            paths[-1].write_bytes(pem(crl))
        files = TLSFiles(pairs=[self.pair], client_cas=[ca], crls=paths)
        return ServerTLS(load_tls(files), client_certificates=True)

    def let_in(self, tls: ServerTLS, shows: Issued | None) -> None:
        for newest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            handshake(tls, client(newest=newest, shows=shows))

    def sent_away(self, tls: ServerTLS, shows: Issued | None) -> None:
        for newest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertRaises(SSL.Error, handshake, tls, client(newest=newest, shows=shows))

    def test_a_chain(self) -> None:
        self.let_in(self.tls(), self.good)
        self.let_in(self.tls(self.root, self.ca), Issued(self.good.certificate, self.good.key))
        self.let_in(self.tls(self.ca), self.good)

    def test_none(self) -> None:
        self.sent_away(self.tls(), None)

    def test_of_somebody_else(self) -> None:
        self.sent_away(self.tls(), Authority("root").issue("CP1"))
        self.sent_away(self.tls(self.ca), self.root.issue("CP1"))
        self.sent_away(self.tls(), Issued(self.good.certificate, self.good.key))
        # A leaf that plays the CA.
        fake = Authority("fake")
        fake.name, fake.key = self.good.certificate.subject, self.good.key
        forged = fake.issue("CP2")
        forged.chain = [self.good.certificate, self.ca.certificate]
        self.sent_away(self.tls(), forged)

    def test_out_of_its_time(self) -> None:
        self.sent_away(self.tls(), self.ca.issue("CP1", ends=-DAY / 2))
        self.sent_away(self.tls(), self.ca.issue("CP1", begins=DAY))

    def test_made_for_servers(self) -> None:
        self.sent_away(self.tls(), self.ca.issue("CP1", purpose=FOR_SERVERS))

    def test_a_weak_key(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        issued = self.ca.issue("CP1", key=key)
        one = SSL.Context(SSL.TLS_CLIENT_METHOD)
        one.set_cipher_list(b"ALL:@SECLEVEL=0")
        one.use_certificate(issued.certificate)
        one.use_privatekey(key)
        one.add_extra_chain_cert(self.ca.certificate)
        connection = SSL.Connection(one, None)
        connection.set_connect_state()
        self.assertRaises(SSL.Error, handshake, self.tls(), connection)

    def test_revoked(self) -> None:
        tls = self.tls(self.root, self.ca, crls=[self.ca.revokes(self.good.certificate)])
        self.sent_away(tls, self.good)
        self.let_in(tls, self.ca.issue("CP2"))
        self.let_in(tls, self.root.issue("CP3"))  # whose issuer has no CRL

    def test_several_crls_of_one_ca(self) -> None:
        other = self.ca.issue("CP2")
        crls = [self.ca.revokes(self.good.certificate), self.ca.revokes(other.certificate)]
        tls = self.tls(self.root, self.ca, crls=crls)
        self.sent_away(tls, self.good)
        self.sent_away(tls, other)

    def test_a_ca_that_is_revoked(self) -> None:
        crl = self.root.revokes(self.ca.certificate)
        self.sent_away(self.tls(self.root, crls=[crl]), self.good)
        self.sent_away(self.tls(self.root, self.ca, crls=[crl]), self.good)
        self.let_in(self.tls(self.root, crls=[crl]), self.root.issue("CP2"))

    def test_a_crl_past_its_time_still_holds_and_shuts_nobody_else_out(self) -> None:
        crl = self.ca.revokes(self.good.certificate, due=-DAY)
        tls = self.tls(self.root, self.ca, crls=[crl])
        self.sent_away(tls, self.good)
        self.let_in(tls, self.ca.issue("CP2"))

    def test_a_crl_in_der(self) -> None:
        path = self.directory / "ca.crl"
        crl = self.root.revokes(self.good.certificate)
        path.write_bytes(crl.public_bytes(serialization.Encoding.DER))
        ca = self.directory / "ca.pem"
        ca.write_bytes(pem(self.root.certificate))
        loaded = load_tls(TLSFiles(client_cas=[ca], crls=[path]))
        self.assertEqual(list(loaded.revoked.values()), [{self.good.certificate.serial_number}])

    def test_crls_that_are_not_believed(self) -> None:
        for crl in (
            Authority("issuing").revokes(),  # its name, not its key
            Authority("another").revokes(),
        ):
            said = self.refused(self.tls, self.root, self.ca, crls=[crl])
            self.assertIn("is signed by nobody in --tls-client-ca", said)

    def test_crls_that_cannot_be_read_as_whole_ones(self) -> None:
        indirect = x509.IssuingDistributionPoint(
            full_name=[x509.UniformResourceIdentifier("http://ca.example/crl")],
            relative_name=None,
            only_contains_user_certs=False,
            only_contains_ca_certs=False,
            only_some_reasons=None,
            indirect_crl=True,
            only_contains_attribute_certs=False,
        )
        for extension in (x509.DeltaCRLIndicator(7), indirect):
            said = self.refused(self.tls, crls=[self.root.revokes(extension=extension)])
            self.assertIn("give the CA's own, whole CRL", said)

    def test_a_session_is_not_resumed(self) -> None:
        for newest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            tls = self.tls()
            first = handshake(tls, client(newest=newest, shows=self.good))
            self.assertFalse(resumed(tls, first, newest))
            path = self.directory / "late.crl"
            path.write_bytes(pem(self.root.revokes(self.ca.certificate)))
            files = TLSFiles(pairs=[self.pair], client_cas=[self.directory / "ca.pem"], crls=[path])
            tls.use(load_tls(files))
            self.assertRaises(SSL.Error, handshake, tls, client(resumes=first))

    def test_a_listener_without_client_cas(self) -> None:
        loaded = load_tls(TLSFiles(pairs=[self.pair]))
        said = self.refused(lambda: ServerTLS(loaded, client_certificates=True))
        self.assertIn("give --tls-client-ca", said)


def resumed(tls: ServerTLS, first: SSL.Connection, newest: int) -> bool:
    """Whether a second connection goes on with the session of the first.

    The server sends neither its certificate nor a signature then, hundreds of bytes.
    """
    return answer(tls, client(resumes=first)) + 300 < answer(tls, client(newest=newest))


def answer(tls: ServerTLS, one: SSL.Connection) -> int:
    """The bytes with which the server answers a ClientHello."""
    server = tls.serverConnectionForTLS(None)
    server.set_accept_state()
    for this, other in ((one, server), (server, one)):
        with contextlib.suppress(SSL.WantReadError):
            this.do_handshake()
        data = this.bio_read(65536)
        other.bio_write(data)
    return len(data)
