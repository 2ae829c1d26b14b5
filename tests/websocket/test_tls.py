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
from ocpp_twisted.websocket import tls
from ocpp_twisted.websocket.tls import development_certificate, server_context


def handshake(
    server_options, client_method=SSL.TLS_CLIENT_METHOD, newest=None, resumes=None
) -> SSL.Connection:
    """The client's end of a TLS connection in memory, which may resume that of another one."""
    context = SSL.Context(client_method) if resumes is None else resumes.get_context()
    if newest is not None and resumes is None:
        context.set_max_proto_version(newest)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
    client = SSL.Connection(context, None)
    server = SSL.Connection(server_options.getContext(), None)
    if resumes is not None:
        client.set_session(resumes.get_session())
    client.set_connect_state()
    server.set_accept_state()
    waiting = [client, server]
    for _ in range(10):
        for one, other in ((client, server), (server, client)):
            if one in waiting:
                with contextlib.suppress(SSL.WantReadError):
                    one.do_handshake()
                    waiting.remove(one)
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    assert not waiting
    return client


class TLSTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp()) / "data"

    def refused(self, function, *arguments) -> str:
        return str(self.assertRaises(ConfigurationError, function, *arguments))


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

    def test_it_is_kept(self) -> None:
        first = [path.read_bytes() for path in development_certificate(self.directory)]
        second = [path.read_bytes() for path in development_certificate(self.directory)]
        self.assertEqual(first, second)

    def test_one_that_ends_or_is_broken_is_made_again(self) -> None:
        patched = self.patch(tls, "_LIFETIME", timedelta(hours=5))
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
        client = handshake(server_context(self.certificate, self.key))
        self.assertEqual(client.get_protocol_version_name(), "TLSv1.3")
        self.assertEqual(
            client.get_peer_certificate().to_cryptography(),
            x509.load_pem_x509_certificate(self.certificate.read_bytes()),
        )

    def test_tls_1_2_and_nothing_older(self) -> None:
        context = server_context(self.certificate, self.key)
        client = handshake(context, newest=SSL.TLS1_2_VERSION)
        self.assertEqual(client.get_protocol_version_name(), "TLSv1.2")
        self.assertRaises(SSL.Error, handshake, context, newest=SSL.TLS1_1_VERSION)

    def test_a_charge_point_that_comes_back_resumes_its_session(self) -> None:
        options = server_context(self.certificate, self.key)
        first = handshake(options, newest=SSL.TLS1_2_VERSION)
        again = handshake(options, newest=SSL.TLS1_2_VERSION, resumes=first)
        self.assertEqual(first.master_key(), again.master_key())

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
        client = handshake(server_context(self.certificate, self.key))
        chain = [found.to_cryptography() for found in client.get_peer_cert_chain()]
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
