"""The certificates of a charge point: roots, and its own."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.security.authority import read_csr
from ocpp_twisted.simulator.certificates import Certificates
from tests.certificates import DAY, Authority, OnlyPublic, pem

ROOT = "CentralSystemRootCertificate"
MAKER = "ManufacturerRootCertificate"
KIND = "ChargePointCertificate"


class Case(SynchronousTestCase):
    def setUp(self):
        self.now = datetime.now(UTC)
        self.certificates = Certificates(3)

    def install(self, authority, use=ROOT, **more):
        text = pem(authority.certificate).decode()
        return self.certificates.install(use, text, self.now, **more)

    def names(self, *uses):
        return [each.subject.rfc4514_string() for _, each in self.certificates.roots(*uses)]


class Roots(Case):
    def test_they_are_kept_by_their_use(self):
        self.assertEqual(self.install(Authority("A")), "Accepted")
        self.assertEqual(self.install(Authority("B"), MAKER), "Accepted")
        self.assertEqual(self.names(ROOT), ["CN=A"])
        self.assertEqual(self.names(), ["CN=A", "CN=B"])

    def test_the_same_once(self):
        authority = Authority("A")
        self.assertEqual([self.install(authority) for _ in range(2)], ["Accepted"] * 2)
        self.assertEqual(self.names(), ["CN=A"])

    def test_what_is_none_is_rejected(self):
        expired = Authority("A").issue("A", ends=-DAY / 2)
        for text in ("no certificate", "", pem(Authority("A").issue("CP1").certificate).decode()):
            self.assertEqual(self.certificates.install(ROOT, text, self.now), "Rejected")
        text = pem(expired.certificate).decode()
        self.assertEqual(self.certificates.install(ROOT, text, self.now), "Rejected")
        self.now += 200 * DAY
        self.assertEqual(self.install(Authority("A")), "Rejected")

    def test_there_is_room_for_so_many(self):
        outcomes = [self.install(Authority(name)) for name in "ABCD"]
        self.assertEqual(outcomes, ["Accepted"] * 3 + ["Rejected"])

    def test_they_are_found_and_deleted_by_their_hashes(self):
        for name in "AB":
            self.install(Authority(name))
        (_, first), _ = self.certificates.roots()
        for algorithm in ("SHA256", "SHA384", "SHA512"):
            named = self.certificates.named(first, algorithm)
            self.assertEqual(named.serialNumber, f"{first.serial_number:x}")
            self.assertEqual(len(named.issuerKeyHash), {"6": 64, "4": 96, "2": 128}[algorithm[-1]])
        capital = named._replace(serialNumber="00" + named.serialNumber.upper())
        self.assertEqual(self.certificates.delete(capital), "Accepted")
        self.assertEqual(self.certificates.delete(capital), "NotFound")
        self.assertEqual(self.names(), ["CN=B"])

    def test_the_last_one_that_the_connection_stands_on_stays(self):
        for name in "AB":
            self.install(Authority(name))
        first, second = (self.certificates.named(each) for _, each in self.certificates.roots())
        self.assertEqual(self.certificates.delete(first, [ROOT]), "Accepted")
        self.assertEqual(self.certificates.delete(second, [ROOT]), "Failed")
        self.assertEqual(self.certificates.delete(second, [MAKER]), "Accepted")

    def test_a_new_one_replaces_the_old_one_that_has_signed_it(self):
        old = Authority("A")
        self.assertEqual(self.install(old, replacing=True), "Accepted")
        self.assertEqual(self.install(Authority("X"), replacing=True), "Rejected")
        new = Authority("B", above=old)
        self.assertEqual(self.install(new, replacing=True), "Accepted")
        self.assertEqual(self.names(), ["CN=A", "CN=B"])
        self.assertEqual(self.install(Authority("C", above=new), replacing=True), "Accepted")
        self.assertEqual(self.names(), ["CN=B", "CN=C"])
        self.certificates.drop_fallback(ROOT)
        self.assertEqual(self.names(), ["CN=C"])


class ItsOwn(Case):
    def setUp(self):
        super().setUp()
        self.authority = Authority("CPO")
        self.install(self.authority)

    def signed(self, authority=None, key=None, **more):
        """The answer of a central system to a new request."""
        csr = x509.load_pem_x509_csr(self.certificates.request(KIND, "CP1", "ACME").encode())
        key = OnlyPublic(csr.public_key()) if key is None else key
        issued = (authority or self.authority).issue("CP1", key=key, **more)
        return pem(issued.certificate, *issued.chain).decode()

    def take(self, text):
        return self.certificates.take(KIND, text, ROOT, self.now)

    def test_the_request_says_who_it_is(self):
        csr = read_csr(self.certificates.request(KIND, "CP1", "ACME"))
        found = {attribute.oid: attribute.value for attribute in csr.subject}
        self.assertEqual(found, {NameOID.COMMON_NAME: "CP1", NameOID.ORGANIZATION_NAME: "ACME"})
        self.assertIsInstance(csr.signature_hash_algorithm, hashes.SHA256)

    def test_what_is_signed_is_used(self):
        self.assertIsNone(self.certificates.own(KIND, self.now))
        self.assertEqual(self.take(self.signed()), "")
        own = self.certificates.own(KIND, self.now)
        self.assertEqual(own.certificate.public_key(), own.key.public_key())

    def test_over_an_authority_between(self):
        self.assertEqual(self.take(self.signed(Authority("Sub", above=self.authority))), "")

    def test_the_newest_that_is_valid_counts(self):
        for begins in (-2 * DAY, -DAY, DAY):
            self.assertEqual(self.take(self.signed(begins=begins)), "")
        begun = self.certificates.own(KIND, self.now).certificate.not_valid_before_utc
        self.assertLess(abs((self.now - DAY - begun).total_seconds()), 60)

    def test_what_is_wrong_is_refused(self):
        between = Authority("Sub", above=Authority("Stranger"))
        for why, how in (
            ("not for the key", {"key": Authority("K").key}),
            ("expired", {"ends": -DAY / 2}),
            ("leads to no", {"authority": Authority("Stranger")}),
            ("leads to no", {"authority": between}),
        ):
            self.assertIn(why, self.take(self.signed(**how)))
        self.assertIn("cannot be read", self.take("rubbish"))
        self.assertIsNone(self.certificates.own(KIND, self.now))

    def test_a_signed_one_is_taken_once(self):
        text = self.signed()
        self.assertEqual(self.take(text), "")
        self.assertIn("not for the key", self.take(text))

    def test_files_for_tls(self):
        tls = self.certificates.tls(ROOT, KIND, self.now)
        self.assertIsNone(tls.cert)
        self.take(self.signed())
        tls = self.certificates.tls(ROOT, KIND, self.now)
        self.assertEqual(tls.ca.read_bytes(), pem(self.authority.certificate))
        self.assertEqual(tls.key.stat().st_mode & 0o777, 0o600)
        own = self.certificates.own(KIND, self.now)
        self.assertEqual(tls.cert.read_bytes(), pem(own.certificate))
        self.certificates.stop()
        self.assertFalse(Path(tls.key).parent.exists())
        tls = self.certificates.tls(ROOT, KIND, self.now)
        self.assertTrue(Path(tls.key).exists())
        del self.certificates
        gc.collect()
        self.assertFalse(Path(tls.key).parent.exists())

    def test_who_may_sign_firmware(self):
        maker = Authority("Maker")
        self.install(maker, MAKER)
        good = pem(maker.issue("Firmware").certificate).decode()
        bad = pem(self.authority.issue("Firmware").certificate).decode()
        is_good = self.certificates.signer_is_good
        self.assertTrue(is_good(good, MAKER, self.now))
        self.assertFalse(is_good(bad, MAKER, self.now))
        self.assertFalse(is_good("rubbish", MAKER, self.now))
        self.assertFalse(is_good(good, MAKER, self.now + 200 * DAY))
