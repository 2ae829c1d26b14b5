"""A charge point on a real socket gets a certificate, and OpenSSL finds nothing wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto
from twisted.internet import reactor
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from ocpp_twisted import config
from ocpp_twisted.complaints import Complaints
from ocpp_twisted.config import Document, Given
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.recording.file import Recording
from ocpp_twisted.security.authority import common_name
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.security.local_authority import LocalAuthority
from ocpp_twisted.service import Server, Settings
from tests.support import close_frame, frame, until, upgraded

ANYWHERE = "tcp:0:interface=127.0.0.1"


def csr(key: Any, name: str) -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    built = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return built.public_bytes(Encoding.PEM).decode()


#: CP1, with its password.
AUTHORIZED = "Authorization: Basic Q1AxOnNlY3JldA=="


class RunThrough(TestCase):
    timeout = 30

    async def start(self, **more: Any) -> None:
        self.directory = Path(self.mktemp())
        settings = Settings(
            ws=[ANYWHERE],
            security_profiles={"ws": SecurityProfile.BASIC},
            action_plugins=[LocalPlugin()],
            plugin_config={
                "local": {
                    "store": f"sqlite:///{Path(self.mktemp()).absolute()}",
                    "certificate_authority": "local",
                    "ca_organization": "ACME",
                    **more,
                }
            },
            data_directory=self.directory,
            recording=Recording(path=Path(self.mktemp())),
            grace=0.1,
        )
        self.recorded = settings.recording.path
        self.server = Server(settings, reactor)
        self.addCleanup(lambda: self.server.stopService() if self.server.running else None)
        await self.server.startService()
        self.port = self.server.addresses[0].port
        await settings.action_plugins[0].set_password("CP1", b"secret")

    async def says(self, client: Any, text: str, count: int) -> list[str]:
        """What has come when there are so many messages."""
        client.transport.write(frame(text))
        await until(lambda: len(client.hears()) >= count, reactor)
        return client.hears()

    async def test_a_certificate_that_can_be_used(self) -> None:
        await self.start()
        key = ec.generate_private_key(ec.SECP256R1())
        client = await upgraded(reactor, self.port, target="/ocpp/CP1", extra=[AUTHORIZED])
        text = csr(key, "CP2")
        asked = json.dumps([2, "s1", "SignCertificate", {"csr": text}])
        with capturedLogs() as logs:
            answer, call = await self.says(client, asked, 2)
            self.assertEqual([3, "s1", {"status": "Accepted"}], json.loads(answer))
            _, message_id, action, payload = json.loads(call)
            self.assertEqual("CertificateSigned", action)
            client.transport.write(frame(f'[3,"{message_id}",{{"status":"Accepted"}}]'))
            plugin = self.server.settings.action_plugins[0]
            await until(lambda: "has a certificate until" in str(logs), reactor)
            page = await plugin.list_facts("CP1", "chargePointCertificate")

        certificate = x509.load_pem_x509_certificate(payload["certificateChain"].encode())
        self.assertEqual(key.public_key(), certificate.public_key())
        self.assertEqual("CP1", common_name(certificate.subject))
        self.assertEqual(f"{certificate.serial_number:X}", page.items[0].data["serialNumber"])

        self.check(certificate)
        LocalAuthority.in_directory(self.directory).revoke(certificate.serial_number)
        error = self.assertRaises(crypto.X509StoreContextError, self.check, certificate)
        self.assertIn("revoked", str(error))

        client.transport.write(close_frame())
        await client.over
        await self.server.stopService()
        private = (self.directory / "ca-key.pem").read_text().splitlines()[1]
        for told in (str(logs), self.recorded.read_text()):
            self.assertNotIn(text.splitlines()[1], told)
            self.assertNotIn(private, told)

    def check(self, certificate: x509.Certificate) -> None:
        """As a TLS server checks the certificate of its client."""
        store = crypto.X509Store()
        store.add_cert(
            crypto.X509.from_cryptography(
                x509.load_pem_x509_certificate((self.directory / "ca-cert.pem").read_bytes())
            )
        )
        store.add_crl(x509.load_pem_x509_crl((self.directory / "ca-crl.pem").read_bytes()))
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.X509_STRICT)
        checked = crypto.X509StoreContext(store, crypto.X509.from_cryptography(certificate))
        checked.verify_certificate()

    async def test_an_authority_that_cannot_be_used(self) -> None:
        for more, words in (
            ({"ca_cert": "/nowhere/cert.pem", "ca_key": "/nowhere/key.pem"}, "cannot read"),
            ({"ca_days": 0}, "ca_days"),
            ({"certificate_renewal_days": -1}, "certificate_renewal_days"),
        ):
            try:
                await self.start(**more)
            except ConfigurationError as error:
                self.assertIn(words, str(error))
            else:
                self.fail(more)


class Options(TestCase):
    def refused(self, **given: str) -> str:
        document = Document(
            given={name.replace("_", "-"): Given(name, [text]) for name, text in given.items()}
        )
        ws = {"ws": Given("ws", ["9000"])}
        wrong = Complaints()
        config.make(ws, document, wrong)
        return "\n".join(wrong.sentences)

    def test_what_does_not_go_together(self) -> None:
        self.assertIn("go together", self.refused(ca_cert="a", certificate_authority="local"))
        self.assertIn("--certificate-authority local", self.refused(ca_cert="a", ca_key="b"))
        self.assertIn("--certificate-authority local", self.refused(ca_organization="ACME"))

    def test_what_is_no_responder(self) -> None:
        self.assertIn("http://ocsp.example/", self.refused(ocsp_responder="ocsp.example"))
