"""The security whitepaper of OCPP 1.6 at a simulated charge point."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cryptography import x509

from ocpp_twisted import v16
from ocpp_twisted.charge_point import Backoff, ChargePointOptions, ClientTLS, Target
from ocpp_twisted.registration import Status
from tests.certificates import Authority, OnlyPublic, pem
from tests.simulator.case16 import Case

KEY = "00112233445566778899aabbccddeeff"
ROOT = v16.CertificateUseEnumType.CentralSystemRootCertificate
MAKER = v16.CertificateUseEnumType.ManufacturerRootCertificate


class Secure(Case):
    at_the_true_time = True
    options = ChargePointOptions(backoff=Backoff(wait_minimum=5, repeat_times=0, random_range=0))

    @property
    def goal(self):
        return self.station.charge_point.target

    def change(self, key, value):
        return self.asks(v16.ChangeConfigurationRequest(key=key, value=value)).status

    def install(self, authority, use=ROOT):
        text = pem(authority.certificate).decode()
        request = v16.InstallCertificateRequest(certificateType=use, certificate=text)
        return self.asks(request).status

    def sign(self, authority, **more):
        """The central system asks for a CSR, and sends what an authority makes of it."""
        request = v16.ExtendedTriggerMessageRequest(
            requestedMessage=v16.MessageTriggerEnumType.SignChargePointCertificate
        )
        self.assertEqual(self.asks(request).status, "Accepted")
        (asked,) = [each for each in self.heard() if each.ACTION == "SignCertificate"]
        self.csr = x509.load_pem_x509_csr(asked.csr.encode())
        issued = authority.issue("CP1", key=OnlyPublic(self.csr.public_key()), **more)
        chain = pem(issued.certificate, *issued.chain).decode()
        return self.asks(v16.CertificateSignedRequest(certificateChain=chain)).status


class Passwords(Secure):
    def test_without_a_profile_it_is_only_kept(self):
        self.assertEqual(self.change("AuthorizationKey", KEY), "Accepted")
        self.run_(10)
        self.assertEqual((self.central.connections, self.goal.password), (1, None))

    def test_it_is_logged_without_its_value(self):
        self.change("AuthorizationKey", KEY)
        self.run_(0)
        kinds = [(kind, more) for _, kind, more in self.voice.security.events]
        self.assertIn(("ReconfigurationOfSecurityParameters", "AuthorizationKey"), kinds)
        self.assertNotIn(KEY, str(self.voice.security.events))


class ANewPassword(Secure):
    target = Target.at("ws://central-system", "CP1", b"the old password")

    def says(self, *expected):
        heard = [each for each in self.heard() if getattr(each, "type", "") != "StartupOfTheDevice"]
        self.central.heard = heard
        super().says(*expected)

    def test_the_next_connection_uses_it(self):
        """A01: answered first, then connected anew; queued messages stay."""
        self.charge()
        self.assertEqual(self.change("AuthorizationKey", KEY), "Accepted")
        self.run_(10)
        self.assertEqual((self.central.connections, self.goal.password), (2, bytes.fromhex(KEY)))
        self.assertEqual(self.state(), "Charging")
        self.assertEqual(self.station.charge_point.registration, Status.ACCEPTED)

    def test_a_password_that_is_none_changes_nothing(self):
        self.assertEqual(self.change("AuthorizationKey", "secret"), "Rejected")
        self.assertEqual(self.goal.password, b"the old password")

    def test_critical_events_are_told(self):
        self.asks(v16.ResetRequest(type=v16.ResetType.Soft))
        self.run_(10)
        events = [each.type for each in self.heard() if "SecurityEvent" in each.ACTION]
        self.assertEqual(events, ["ResetOrReboot", "StartupOfTheDevice"])

    def test_events_wait_for_a_connection(self):
        """A04.FR.02."""
        self.heard()
        self.network.reachable = False
        self.network.cut()
        self.run_(0)
        for kind in ("TamperDetectionActivated", "MemoryExhaustion"):
            self.voice.security.happened(kind, tell=True)
        self.run_(60)
        self.says()
        self.network.reachable = True
        self.run_(10)
        self.says("Event TamperDetectionActivated", "Event MemoryExhaustion")

    def test_one_that_is_refused_does_not_hold_up_the_others(self):
        self.heard()
        self.central.fails = {"SecurityEventNotification"}
        self.voice.security.happened("MemoryExhaustion", tell=True)
        self.run_(1)
        self.central.fails = set()
        self.voice.security.happened("TamperDetectionActivated", tell=True)
        self.says("Event TamperDetectionActivated")


class Profiles(Secure):
    """A05."""

    secure_url = "wss://central-system:9443/ocpp"

    def profile(self):
        return self.goal.security_profile

    def test_what_is_missing_is_refused(self):
        self.assertEqual(self.change("SecurityProfile", "0"), "Rejected")
        for profile in "123":
            self.assertEqual(self.change("SecurityProfile", profile), "Rejected")
        self.change("AuthorizationKey", KEY)
        self.assertEqual(self.change("SecurityProfile", "2"), "Rejected")
        self.install(Authority("CPO"))
        self.assertEqual(self.change("SecurityProfile", "3"), "Rejected")
        self.assertEqual(self.profile(), 0)

    def test_up_one_by_one(self):
        self.change("AuthorizationKey", KEY)
        self.assertEqual(self.change("SecurityProfile", "1"), "Accepted")
        self.run_(10)
        self.assertEqual((self.profile(), self.central.connections), (1, 2))
        authority = Authority("CPO")
        self.install(authority)
        self.assertEqual(self.change("SecurityProfile", "2"), "Accepted")
        self.run_(10)
        self.assertEqual(self.goal.url, "wss://central-system:9443/ocpp/CP1")
        self.assertEqual(self.goal.password, bytes.fromhex(KEY))
        self.assertEqual(self.goal.tls.ca.read_bytes(), pem(authority.certificate))
        self.change("CpoName", "ACME")
        self.assertEqual(self.sign(authority), "Accepted")
        self.assertEqual(self.change("SecurityProfile", "3"), "Accepted")
        self.run_(10)
        self.assertEqual((self.profile(), self.goal.password), (3, None))
        self.assertEqual(self.central.connections, 4)
        own = self.voice.security.certificates.own("ChargePointCertificate", self.voice.now())
        self.assertEqual(self.goal.tls.cert.read_bytes(), pem(own.certificate))
        answer = self.asks(v16.GetConfigurationRequest(key=["SecurityProfile"]))
        self.assertEqual(answer.configurationKey[0].value, "3")
        self.assertEqual(self.change("SecurityProfile", "2"), "Rejected")

    def test_who_cannot_connect_goes_back(self):
        """A05.FR.08."""
        self.change("AuthorizationKey", KEY)
        self.network.reachable = False
        self.assertEqual(self.change("SecurityProfile", "1"), "Accepted")
        self.run_(59)
        self.assertEqual(self.profile(), 1)
        self.run_(2)
        self.assertEqual(self.profile(), 0)
        self.network.reachable = True
        self.run_(10)
        self.assertTrue(self.station.charge_point.connected)

    def test_power_is_lost_before_that(self):
        self.change("AuthorizationKey", KEY)
        self.network.reachable = False
        self.change("SecurityProfile", "1")
        self.station.stop()
        self.leave_nothing()


class Nowhere(Secure):
    def test_without_a_url_there_is_no_way_to_tls(self):
        self.change("AuthorizationKey", KEY)
        self.install(Authority("CPO"))
        self.assertEqual(self.change("SecurityProfile", "2"), "Rejected")


class ItsOwnCertificate(Secure):
    def setUp(self):
        super().setUp()
        self.authority = Authority("CPO")

    def test_a_request_needs_the_name_of_the_operator(self):
        request = v16.ExtendedTriggerMessageRequest(
            requestedMessage=v16.MessageTriggerEnumType.SignChargePointCertificate
        )
        self.assertEqual(self.asks(request).status, "Rejected")

    def test_it_is_requested_and_taken(self):
        self.change("CpoName", "ACME")
        self.install(self.authority)
        self.assertEqual(self.sign(self.authority), "Accepted")
        self.assertEqual(self.csr.subject.rfc4514_string(), "O=ACME,CN=CP1")

    def test_a_bad_one_is_refused_and_told(self):
        self.change("CpoName", "ACME")
        self.install(self.authority)
        self.assertEqual(self.sign(Authority("Stranger")), "Rejected")
        self.says("Event InvalidChargePointCertificate")
        long = v16.CertificateSignedRequest(certificateChain="x" * 9000)
        self.voice.configuration.put("CertificateSignedMaxChainSize", "8000")
        self.assertEqual(self.asks(long).status, "Rejected")

    def test_one_that_ends_soon_is_replaced(self):
        """A03."""
        self.change("CpoName", "ACME")
        self.install(self.authority)
        self.sign(self.authority, ends=timedelta(days=50))
        self.asks(v16.ResetRequest(type=v16.ResetType.Soft))
        self.run_(10)
        self.assertNotIn("SignCertificate", [each.ACTION for each in self.heard()])
        self.sign(self.authority, ends=timedelta(days=20), begins=-timedelta(hours=1))
        self.heard()
        self.asks(v16.ResetRequest(type=v16.ResetType.Soft))
        self.run_(10)
        self.assertIn("SignCertificate", [each.ACTION for each in self.heard()])


class WithACertificate(Secure):
    """Security profile 3."""

    def setUp(self):
        self.authority = Authority("CPO")
        folder = Path(self.mktemp())
        cert, key = self.authority.issue("CP1").write(folder / "cp.pem")
        ca = folder / "ca.pem"
        ca.write_bytes(pem(self.authority.certificate))
        self.target = Target.at(
            "wss://central-system", "CP1", tls=ClientTLS(ca=ca, cert=cert, key=key)
        )
        super().setUp()

    def says(self, *expected):
        heard = [each for each in self.heard() if getattr(each, "type", "") != "StartupOfTheDevice"]
        self.central.heard = heard
        super().says(*expected)

    def named(self):
        answer = self.asks(v16.GetInstalledCertificateIdsRequest(certificateType=ROOT))
        return answer.certificateHashData

    def test_a_new_one_is_used_in_the_next_connection(self):
        self.change("CpoName", "ACME")
        old = self.goal.tls.cert.read_bytes()
        self.assertEqual(self.sign(self.authority), "Accepted")
        self.run_(10)
        self.assertEqual(self.central.connections, 2)
        self.assertNotEqual(self.goal.tls.cert.read_bytes(), old)

    def test_but_not_before_it_is_valid(self):
        self.change("CpoName", "ACME")
        old = self.goal.tls
        self.sign(self.authority, begins=timedelta(hours=1))
        self.run_(3500)
        self.assertIs(self.goal.tls, old)
        self.run_(200)
        self.assertIsNot(self.goal.tls, old)

    def test_the_root_that_it_stands_on_stays(self):
        """M04.FR.06."""
        (named,) = self.named()
        delete = v16.DeleteCertificateRequest(certificateHashData=named)
        self.assertEqual(self.asks(delete).status, "Failed")
        self.assertEqual(self.install(Authority("B")), "Accepted")
        self.assertEqual(self.asks(delete).status, "Accepted")
        self.assertNotIn(pem(self.authority.certificate), self.goal.tls.ca.read_bytes())
        self.assertEqual(self.asks(delete).status, "NotFound")

    def test_a_new_root_is_trusted_in_the_next_connection(self):
        other = Authority("B")
        self.install(other)
        trusted = self.goal.tls.ca.read_bytes()
        self.assertEqual(trusted, pem(self.authority.certificate, other.certificate))
        self.assertEqual(self.goal.security_profile, 3)

    def test_the_root_is_replaced_by_one_that_it_has_signed(self):
        """M05.FR.08 to 12: AdditionalRootCertificateCheck."""
        self.voice.configuration.put("AdditionalRootCertificateCheck", "true")
        self.assertEqual(self.install(Authority("B")), "Rejected")
        self.assertEqual(self.install(Authority("C", above=self.authority)), "Accepted")
        self.assertEqual(len(self.named()), 2)
        self.station.charge_point.reconnect()
        self.run_(10)
        self.assertEqual(len(self.named()), 1)


class Roots(Secure):
    def ids(self, use):
        return self.asks(v16.GetInstalledCertificateIdsRequest(certificateType=use))

    def test_they_are_listed_by_use(self):
        self.assertEqual(self.ids(ROOT).status, "NotFound")
        maker = Authority("Maker")
        self.assertEqual(self.install(maker, MAKER), "Accepted")
        self.assertEqual(self.ids(ROOT).status, "NotFound")
        answer = self.ids(MAKER)
        self.assertEqual(answer.status, "Accepted")
        (named,) = answer.certificateHashData
        self.assertEqual(named.serialNumber, f"{maker.certificate.serial_number:x}")

    def test_bad_ones_and_too_many(self):
        request = v16.InstallCertificateRequest(certificateType=MAKER, certificate="rubbish")
        self.assertEqual(self.asks(request).status, "Rejected")
        outcomes = [self.install(Authority(str(number))) for number in range(21)]
        self.assertEqual(outcomes, ["Accepted"] * 20 + ["Rejected"])
