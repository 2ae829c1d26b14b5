"""Which CSRs are signed, and what comes of it."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ocpp_twisted.errors import CertificateRefused, ConfigurationError
from ocpp_twisted.identity import Identity
from ocpp_twisted.security.authority import ICertificateAuthority, common_name, read_csr
from ocpp_twisted.security.local_authority import LocalAuthority
from tests.security.certificates import NOW, certificate, csr, ec_key, name, pem, request, rsa_key


class CSRs(SynchronousTestCase):
    def refused(self, text: str) -> str:
        return str(self.assertRaises(CertificateRefused, read_csr, text))

    def test_ecdsa_and_rsa(self) -> None:
        for key in (ec_key(), rsa_key(), ec.generate_private_key(ec.SECP224R1())):
            self.assertEqual(key.public_key(), read_csr(pem(csr(key, cn="CP1"))).public_key())

    def test_der_in_hexadecimal_digits(self) -> None:
        found = csr(cn="CP1")
        self.assertEqual(found, read_csr(found.public_bytes(Encoding.DER).hex().upper()))

    def test_no_csr(self) -> None:
        for text in ("", "CSR", "00" * 99, pem(csr())[:-200], "-----BEGIN"):
            told = self.refused(text)
            self.assertIn("cannot be read: it is neither PEM", told)
            self.assertNotIn("http", told)

    def test_weak_keys(self) -> None:
        """A00.FR.502 and 503."""
        self.assertIn("has 1024 bits", self.refused(pem(csr(rsa_key(1024)))))
        small = ec.generate_private_key(ec.SECP192R1())
        self.assertIn("curve of 192 bits", self.refused(pem(csr(small))))

    def test_another_kind_of_key(self) -> None:
        builder = x509.CertificateSigningRequestBuilder().subject_name(name(cn="CP1"))
        other = builder.sign(ed25519.Ed25519PrivateKey.generate(), None)
        self.assertIn("neither RSA", self.refused(pem(other)))

    def test_a_signature_that_is_not_its_own(self) -> None:
        """Who does not have the private key gets no certificate for it."""
        der = bytearray(csr(rsa_key(), cn="CP1").public_bytes(Encoding.DER))
        der[-1] ^= 1
        self.assertIn("not signed with the private key", self.refused(bytes(der).hex()))


class LocalAuthorityTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.now = NOW

    def authority(self, **options) -> LocalAuthority:
        return LocalAuthority.in_directory(self.directory, now=lambda: self.now, **options)

    def sign(self, authority: LocalAuthority, *found, **more) -> x509.Certificate:
        [own] = self.chain(authority, *found, **more)
        return own

    def chain(self, authority, *found, **more) -> list[x509.Certificate]:
        text = self.successResultOf(authority.sign(request(*found, **more)))
        return x509.load_pem_x509_certificates(text.encode())

    def refused(self, authority: LocalAuthority, *found, **more) -> str:
        signed = authority.sign(request(*found, **more))
        return self.failureResultOf(signed, CertificateRefused).getErrorMessage()

    def test_it_keeps_to_the_interface(self) -> None:
        verifyObject(ICertificateAuthority, self.authority())

    def test_what_the_certificate_says(self) -> None:
        authority = self.authority(organization="ACME")
        key = rsa_key()
        own = self.sign(authority, csr(key, cn="CP1", o="Mallory"))
        own.verify_directly_issued_by(authority.certificate)
        self.assertEqual(key.public_key(), own.public_key())
        self.assertEqual("CN=CP1,O=ACME", own.subject.rfc4514_string())
        self.assertEqual(20, len(f"{own.serial_number:X}"))
        self.assertLess(own.not_valid_before_utc, NOW)
        self.assertEqual(NOW + timedelta(days=365), own.not_valid_after_utc)
        extensions = {type(each.value): each.value for each in own.extensions}
        self.assertFalse(extensions[x509.BasicConstraints].ca)
        self.assertTrue(extensions[x509.KeyUsage].digital_signature)
        self.assertFalse(extensions[x509.KeyUsage].key_cert_sign)
        self.assertEqual([ExtendedKeyUsageOID.CLIENT_AUTH], list(extensions[x509.ExtendedKeyUsage]))
        self.assertNotIn(x509.SubjectAlternativeName, extensions)

    def test_the_subject_of_the_csr_is_not_believed(self) -> None:
        authority = self.authority()
        for found in (csr(cn="CP2"), csr(), csr(o="CP1")):
            self.assertEqual("CP1", common_name(self.sign(authority, found).subject))

    def test_extensions_of_the_csr_are_not_taken_over(self) -> None:
        builder = x509.CertificateSigningRequestBuilder().subject_name(name(cn="CP1"))
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName("CP2")]), critical=False
        )
        own = self.sign(
            self.authority(), builder.sign(ec_key(), request().csr.signature_hash_algorithm)
        )
        self.assertFalse(own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)

    def test_one_of_several_names(self) -> None:
        """A00.FR.511: the serial number, where it is known."""
        authority = self.authority(names=lambda asked: [asked.identity.id, "SN-1"])
        for wanted, got in (("SN-1", "SN-1"), ("SN-2", "CP1")):
            self.assertEqual(got, common_name(self.sign(authority, csr(cn=wanted)).subject))
        nobody = self.authority(names=lambda asked: [])
        self.assertIn("no name is known", self.refused(nobody))

    def test_the_name_of_its_url_is_in_it(self) -> None:
        own = self.sign(self.authority(), identity=Identity("CP1", "depot"))
        self.assertEqual("CN=CP1,OU=depot,O=OCPP", own.subject.rfc4514_string())

    def test_a_name_that_is_too_long(self) -> None:
        authority = self.authority()
        self.assertIn("64 characters", self.refused(authority, identity=Identity("x" * 65)))
        self.assertIn("no room", self.refused(authority, identity=Identity("x", "n" * 65)))

    def test_vehicles_certificates_are_not_its_business(self) -> None:
        self.assertIn(
            "signs no V2GCertificate",
            self.refused(self.authority(), certificate_type="V2GCertificate"),
        )

    def test_no_certificate_outlives_the_authority(self) -> None:
        authority = self.authority(validity=timedelta(days=10000))
        own = self.sign(authority)
        self.assertEqual(authority.certificate.not_valid_after_utc, own.not_valid_after_utc)
        self.now = own.not_valid_after_utc
        self.assertIn("has expired", self.refused(authority))

    def test_made_once(self) -> None:
        first, second = self.authority(), self.authority()
        self.assertEqual(first.certificate, second.certificate)
        self.sign(second).verify_directly_issued_by(first.certificate)

    def test_the_key_is_its_owners(self) -> None:
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        self.authority()
        mode = stat.S_IMODE((self.directory / "ca-key.pem").stat().st_mode)
        self.assertEqual(0o600, mode)
        self.assertFalse(list(self.directory.glob("*.new")))

    def write(self, key, certificates) -> tuple[Path, Path, Path]:
        self.directory.mkdir(exist_ok=True)
        files = self.directory / "c.pem", self.directory / "k.pem", self.directory / "crl.pem"
        files[0].write_text("".join(map(pem, certificates)))
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files[1].write_bytes(plain)
        return files

    def test_given_and_below_a_root(self) -> None:
        """The chain has what stands between the charge point and the root."""
        root = certificate(ec_key(1), name(cn="Root"))
        mine = certificate(rsa_key(), name(cn="Sub", o="Me"), root.subject, ec_key(1))
        files = self.write(rsa_key(), [mine, root])
        crl = self.directory / "elsewhere" / "crl.pem"
        authority = LocalAuthority(*files[:2], crl, now=lambda: NOW)
        self.assertTrue(crl.exists())
        own, above = self.chain(authority)
        self.assertEqual(mine, above)
        own.verify_directly_issued_by(mine)
        self.assertEqual("CN=CP1,O=Me", own.subject.rfc4514_string())
        self.assertIsInstance(own.signature_algorithm_parameters, padding.PSS)  # A00.FR.505

    def test_files_that_cannot_be_used(self) -> None:
        key, subject = ec_key(1), name(cn="Root", o="Me")
        good = certificate(key, subject)
        for of_key, certificates, words in (
            (ec_key(2), [good], "does not belong to"),
            (key, [certificate(key, subject, ca=False)], "may sign no others"),
            (key, [certificate(key, name(cn="Root"))], "--ca-organization"),
            (key, [], "holds no certificate"),
            (ed25519.Ed25519PrivateKey.generate(), [good], "neither RSA nor"),
        ):
            files = self.write(of_key, certificates)
            error = self.assertRaises(ConfigurationError, LocalAuthority, *files)
            self.assertIn(words, str(error))
        gone = Path("/nowhere/a"), files[1], files[2]
        error = self.assertRaises(ConfigurationError, LocalAuthority, *gone)
        self.assertIn("No such file", str(error))

    def test_a_directory_that_cannot_be_used(self) -> None:
        error = self.assertRaises(
            ConfigurationError, LocalAuthority.in_directory, Path("/proc/nowhere")
        )
        self.assertIn("--data-dir", str(error))


class RevocationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.authority = LocalAuthority.in_directory(self.directory, now=lambda: NOW)

    def crl(self) -> x509.CertificateRevocationList:
        return x509.load_pem_x509_crl((self.directory / "ca-crl.pem").read_bytes())

    def test_there_is_a_list_from_the_start(self) -> None:
        crl = self.crl()
        self.assertEqual([], list(crl))
        self.assertTrue(crl.is_signature_valid(self.authority.certificate.public_key()))
        self.assertEqual(NOW + timedelta(days=30), crl.next_update_utc)

    def test_revoked(self) -> None:
        self.authority.revoke(5)
        self.authority.revoke(6)
        self.authority.revoke(5)
        self.assertEqual({5, 6}, {each.serial_number for each in self.crl()})

    def test_another_process_has_revoked(self) -> None:
        other = LocalAuthority.in_directory(self.directory, now=lambda: NOW)
        other.revoke(5)
        self.authority.write_crl()
        self.assertEqual({5}, {each.serial_number for each in self.crl()})
        number = self.crl().extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        self.assertEqual(4, number)

    def test_a_list_that_cannot_be_read_is_not_lost(self) -> None:
        (self.directory / "ca-crl.pem").write_text("broken")
        error = self.assertRaises(ConfigurationError, self.authority.revoke, 5)
        self.assertIn("no list of revoked certificates", str(error))
        self.assertEqual("broken", (self.directory / "ca-crl.pem").read_text())
