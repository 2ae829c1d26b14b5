"""From SignCertificate to the certificate that the charge point has, in every version."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ocpp_twisted.errors import CertificateRefused
from ocpp_twisted.plugins.local import LocalPlugin, renewal, signing
from ocpp_twisted.security.authority import (
    CertificateRequest,
    ICertificateAuthority,
    common_name,
)
from ocpp_twisted.security.local_authority import LocalAuthority
from tests.plugins.local.wire import NOW, Line, Recorder, Site
from tests.security.certificates import certificate, csr, ec_key, name, pem, rsa_key

VERSIONS = ("ocpp1.6", "ocpp2.0", "ocpp2.0.1", "ocpp2.1")
_ids = count(1)


@implementer(ICertificateAuthority)
class Slow:
    """An authority that takes its time.

    :ivar asked: what it was asked for, and the Deferreds that it has returned.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[CertificateRequest, Deferred[str]]] = []
        self.cancelled = 0

    def sign(self, request: CertificateRequest) -> Deferred[str]:
        def cancelled(_: Any) -> None:
            self.cancelled += 1

        signed: Deferred[str] = Deferred(cancelled)
        self.asked.append((request, signed))
        return signed

    def signs(self, number: int = -1, chain: str = "") -> str:
        """It has signed one of its requests."""
        request, signed = self.asked[number]
        root = name(cn="Root")
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(cn=request.identity.id))
            .issuer_name(root)
            .public_key(request.csr.public_key())
            .serial_number(0xABC)
            .not_valid_before(NOW)
            .not_valid_after(NOW + timedelta(days=90))
        )
        text = pem(builder.sign(ec_key(9), hashes.SHA256())) + chain
        signed.callback(text)
        return text


class SigningCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Slow()
        self.site = Site()
        self.site.plugin.certificate_authority = self.authority

    def asks(self, line: Line, **more: Any) -> str:
        """The status of the answer to SignCertificate."""
        more.setdefault("csr", pem(csr(cn="CP1")))
        return line.calls("SignCertificate", **more)["status"]

    def hears(self, line: Line, status: str | None = "Accepted") -> dict[str, Any]:
        """The CertificateSigned that came last, which is answered unless there is no status."""
        kind, message_id, action, payload = json.loads(line.sent[-1])
        self.assertEqual((2, "CertificateSigned"), (kind, action))
        if status is not None:
            line.says(json.dumps([3, message_id, {"status": status}]))
        return payload

    def heard(self, line: Line) -> int:
        """How many CertificateSigned came."""
        return sum('"CertificateSigned"' in text for text in line.sent)

    def kept(self) -> dict[str, Any]:
        return self.site.facts("chargePointCertificate")


class StrangerTests(SigningCase):
    def test_who_has_proved_nothing_gets_no_certificate(self) -> None:
        self.patch(Recorder, "security_profile", 0)
        line = self.site.connect("ocpp1.6")
        self.assertEqual(self.asks(line), "Rejected")
        self.assertEqual(self.authority.asked, [])


class Signed(SigningCase):
    def test_what_the_authority_is_told(self) -> None:
        found = csr(cn="x")
        for subprotocol in VERSIONS:
            line = self.site.connect(subprotocol)
            self.assertEqual("Accepted", self.asks(line, csr=pem(found)))
            request, _ = self.authority.asked[-1]
            self.assertEqual(subprotocol, f"ocpp{request.version}")
            self.assertEqual("CP1", request.identity.id)
            self.assertEqual("ChargingStationCertificate", request.certificate_type)
            self.assertEqual((pem(found), found), (request.pem, request.csr))
            self.assertIsNone(request.request_id)

    def test_the_certificate_in_each_version(self) -> None:
        for subprotocol in VERSIONS:
            self.setUp()
            line = self.site.connect(subprotocol)
            self.asks(line)
            self.assertEqual(0, self.heard(line))
            text = self.authority.signs()
            expected: dict[str, Any] = {"certificateChain": text}
            if subprotocol == "ocpp2.0":
                expected = {"cert": [text]}
            self.assertEqual(expected, self.hears(line))

    def test_the_type_is_told_back(self) -> None:
        for subprotocol, field, kind in (
            ("ocpp2.0", "typeOfCertificate", "ChargingStationCertificate"),
            ("ocpp2.0.1", "certificateType", "V2GCertificate"),
            ("ocpp2.1", "certificateType", "V2G20Certificate"),
        ):
            self.setUp()
            line = self.site.connect(subprotocol)
            self.asks(line, **{field: kind})
            self.assertEqual(kind, self.authority.asked[-1][0].certificate_type)
            self.authority.signs()
            self.assertEqual(kind, self.hears(line)[field])
            self.assertEqual([kind], list(self.kept()))

    def test_the_request_id_of_2_1(self) -> None:
        line = self.site.connect("ocpp2.1")
        self.asks(line, requestId=7)
        self.assertEqual(7, self.authority.asked[-1][0].request_id)
        self.authority.signs()
        self.assertEqual(7, self.hears(line)["requestId"])

    def test_hexadecimal_digits_are_answered_in_kind(self) -> None:
        line = self.site.connect("ocpp2.0")
        self.asks(line, csr=csr(cn="CP1").public_bytes(Encoding.DER).hex())
        text = self.authority.signs()
        [told] = self.hears(line)["cert"]
        self.assertEqual(text, pem(x509.load_der_x509_certificate(bytes.fromhex(told))))
        self.assertEqual("CP1", self.kept()["ChargingStationCertificate"]["commonName"])

    def test_accepted_is_kept(self) -> None:
        for subprotocol in VERSIONS:
            self.setUp()
            line = self.site.connect(subprotocol)
            self.asks(line)
            text = self.authority.signs()
            self.hears(line)
            signed = x509.load_pem_x509_certificate(text.encode())
            self.assertEqual(
                {
                    "ChargingStationCertificate": {
                        "commonName": "CP1",
                        "issuer": "CN=Root",
                        "serialNumber": "ABC",
                        "sha256": signed.fingerprint(hashes.SHA256()).hex(),
                        "validFrom": "2024-05-01T12:00:00+00:00",
                        "validTo": "2024-07-30T12:00:00+00:00",
                    }
                },
                self.kept(),
            )

    def test_rejected_is_not(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.asks(line)
        self.authority.signs()
        self.hears(line, "Rejected")
        self.assertEqual({}, self.kept())
        line = self.site.connect("ocpp1.6")
        self.assertEqual(0, self.heard(line))

    def test_sent_by_somebody_else(self) -> None:
        """What an operator sends over HTTP counts as well."""
        line = self.site.connect("ocpp1.6")
        chain = pem(certificate(ec_key(), name(cn="CP1")))
        request = json.dumps({"certificateChain": chain}).encode()
        called = self.site.central_system.call_json("CP1", "CertificateSigned", request)
        self.hears(line)
        self.successResultOf(called)
        self.assertEqual("CP1", self.kept()["ChargingStationCertificate"]["commonName"])

    def test_sent_by_somebody_else_and_no_certificate(self) -> None:
        line = self.site.connect("ocpp1.6")
        request = b'{"certificateChain": "nothing"}'
        called = self.site.central_system.call_json("CP1", "CertificateSigned", request)
        self.hears(line)
        self.successResultOf(called)
        self.assertEqual({}, self.kept())
        self.assertEqual([], self.flushLoggedErrors())

    def test_nobody_signs(self) -> None:
        self.site.plugin.certificate_authority = None
        for subprotocol in VERSIONS:
            self.assertEqual("Rejected", self.asks(self.site.connect(subprotocol)))


class Chains(SigningCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = certificate(ec_key(2), name(cn="Root"))
        self.between = certificate(ec_key(9), name(cn="Sub"), name(cn="Root"), ec_key(2))

    def chain(self, subprotocol: str) -> list[x509.Certificate]:
        line = self.site.connect(subprotocol)
        self.asks(line)
        self.authority.signs(chain=pem(self.between) + pem(self.root))
        told = self.hears(line)
        text = told.get("certificateChain") or "".join(told["cert"])
        return x509.load_pem_x509_certificates(text.encode())[1:]

    def test_with_those_between_it_and_the_root(self) -> None:
        for subprotocol in VERSIONS:
            self.assertEqual([self.between], self.chain(subprotocol))

    def test_the_limit_of_1_6(self) -> None:
        line = self.site.connect("ocpp1.6")
        called = self.site.central_system.call_json("CP1", "GetConfiguration", b"{}")
        key = {"key": "CertificateSignedMaxChainSize", "readonly": True, "value": "700"}
        answer = [3, json.loads(line.sent[-1])[1], {"configurationKey": [key]}]
        line.says(json.dumps(answer))
        self.successResultOf(called)
        self.assertEqual([], self.chain("ocpp1.6"))

    def test_the_limit_of_2_x(self) -> None:
        line = self.site.connect("ocpp2.0.1")
        line.calls(
            "NotifyReport",
            requestId=1,
            generatedAt="2024-05-01T12:00:00Z",
            seqNo=0,
            reportData=[
                {
                    "component": {"name": "SecurityCtrlr"},
                    "variable": {"name": "MaxCertificateChainSize"},
                    "variableAttribute": [{"value": "700"}],
                }
            ],
        )
        for subprotocol in ("ocpp2.0.1", "ocpp2.1"):
            self.assertEqual([], self.chain(subprotocol))

    def test_no_room_at_all(self) -> None:
        """2.0 has room for 800 characters: an RSA key does not fit."""
        line = self.site.connect("ocpp2.0")
        self.asks(line)
        self.authority.asked[-1][1].callback(
            pem(certificate(ec_key(), name(cn="CP1"), name(cn="R", o="x" * 64), rsa_key()))
        )
        self.assertEqual(0, self.heard(line))
        self.assertEqual(0, self.heard(self.site.connect("ocpp2.0")))


class Late(SigningCase):
    def test_it_has_gone_and_come_back(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.asks(line)
        line.lost()
        text = self.authority.signs()
        self.assertEqual(0, self.heard(line))
        line = self.site.connect("ocpp1.6")
        self.assertEqual({"certificateChain": text}, self.hears(line))
        self.assertEqual(1, self.heard(line))
        self.assertEqual(0, self.heard(self.site.connect("ocpp1.6")))

    def test_it_comes_back_first(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.asks(line)
        line.lost()
        line = self.site.connect("ocpp1.6")
        self.authority.signs()
        self.hears(line)

    def test_it_comes_back_with_another_version(self) -> None:
        self.asks(self.site.connect("ocpp1.6"))
        line = self.site.connect("ocpp2.0.1")
        text = self.authority.signs()
        self.assertEqual({"certificateChain": text}, self.hears(line))

    def test_the_connection_ends_before_it_has_answered(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.asks(line)
        self.authority.signs()
        self.hears(line, None)
        line.lost()
        line = self.site.connect("ocpp1.6")
        self.hears(line)
        self.assertIn("ChargingStationCertificate", self.kept())

    def test_it_comes_back_while_it_is_looked_up_how_long_the_chain_may_be(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.asks(line)
        store = self.site.plugin.store
        waiting: list[Deferred[Any]] = []

        def run(job: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1].addCallback(lambda _: run_now(job, *args, **kwargs))

        run_now = store.run
        self.patch(store, "run", run)
        self.authority.signs()
        line.lost()
        line = self.site.connect("ocpp1.6")
        for each in waiting:
            each.callback(None)
        self.hears(line)  # the next call, if there is one, goes out now
        self.assertEqual(1, self.heard(line))

    def test_a_callerror_ends_it(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.asks(line)
        self.authority.signs()
        message_id = json.loads(line.sent[-1])[1]
        line.says(json.dumps([4, message_id, "NotSupported", "", {}]))
        self.assertEqual(0, self.heard(self.site.connect("ocpp1.6")))

    def test_the_newest_request_wins(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.asks(line)
        self.asks(line, csr=pem(csr(ec_key(1), cn="CP1")))
        self.assertEqual(1, self.authority.cancelled)
        text = self.authority.signs()
        self.assertEqual({"certificateChain": text}, self.hears(line))
        self.assertEqual(1, self.heard(line))

    def test_two_types_do_not_disturb_each_other(self) -> None:
        line = self.site.connect("ocpp2.0.1")
        self.asks(line, certificateType="V2GCertificate")
        self.asks(line, certificateType="ChargingStationCertificate")
        self.authority.signs(0)
        self.assertEqual("V2GCertificate", self.hears(line)["certificateType"])
        self.authority.signs(1)
        self.assertEqual("ChargingStationCertificate", self.hears(line)["certificateType"])
        self.assertEqual(0, self.authority.cancelled)

    def test_the_server_stops(self) -> None:
        self.asks(self.site.connect("ocpp1.6"))
        self.site.plugin.stop()
        self.assertEqual(1, self.authority.cancelled)
        self.assertEqual([], self.flushLoggedErrors(CancelledError))


class Refused(SigningCase):
    def test_no_csr_that_can_be_signed(self) -> None:
        for subprotocol in VERSIONS:
            line = self.site.connect(subprotocol)
            answer = line.calls("SignCertificate", csr="CSR")
            self.assertEqual("Rejected", answer["status"])
            if subprotocol in VERSIONS[2:]:
                self.assertEqual("InvalidCSR", answer["statusInfo"]["reasonCode"])
                self.assertIn("cannot be read", answer["statusInfo"]["additionalInfo"])
        self.assertEqual([], self.authority.asked)

    def test_at_once(self) -> None:
        self.authority.sign = lambda request: fail(CertificateRefused("not today"))
        line = self.site.connect("ocpp2.0.1")
        answer = line.calls("SignCertificate", csr=pem(csr(cn="CP1")))
        self.assertEqual("Rejected", answer["status"])
        self.assertEqual("not today", answer["statusInfo"]["additionalInfo"])

    def test_later(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.assertEqual("Accepted", self.asks(line))
        self.authority.asked[-1][1].errback(CertificateRefused("not today"))
        self.assertEqual(0, self.heard(line))
        self.assertEqual("Accepted", self.asks(line))

    def test_a_failure_is_not_told_to_the_charge_point(self) -> None:
        self.authority.sign = lambda request: fail(ZeroDivisionError("secret"))
        line = self.site.connect("ocpp2.0.1")
        answer = line.calls("SignCertificate", csr=pem(csr(cn="CP1")))
        self.assertEqual("Rejected", answer["status"])
        self.assertNotIn("secret", json.dumps(answer))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_another_key_than_that_of_the_csr(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.asks(line)
        self.authority.asked[-1][1].callback(pem(certificate(ec_key(5), name(cn="CP1"))))
        self.assertEqual(0, self.heard(line))

    def test_no_certificate_at_all(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.asks(line)
        self.authority.asked[-1][1].callback("nothing")
        self.assertEqual(0, self.heard(line))
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_too_often(self) -> None:
        line = self.site.connect("ocpp1.6")
        statuses = [self.asks(line) for _ in range(21)]
        self.assertEqual(["Accepted"] * 20 + ["Rejected"], statuses)
        self.assertEqual("Accepted", self.asks(self.site.connect("ocpp1.6", "CP2")))
        self.site.time += timedelta(days=1)
        self.assertEqual("Accepted", self.asks(line))

    def test_the_oldest_of_too_many_is_forgotten(self) -> None:
        self.patch(signing, "_MOST_AT_ONCE", 1)
        first = self.site.connect("ocpp1.6")
        self.asks(first)
        second = self.site.connect("ocpp1.6", "CP2")
        self.asks(second)
        self.assertEqual(1, self.authority.cancelled)
        self.authority.signs()
        self.assertEqual([0, 1], [self.heard(line) for line in (first, second)])


class Renewed(SigningCase):
    def step(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(_awaited(self.site.plugin)))

    def has_certificate(self, subprotocol: str) -> Line:
        """Until 90 days after `NOW`."""
        line = self.site.connect(subprotocol)
        self.asks(line)
        self.authority.signs()
        self.hears(line)
        return line

    def triggered(self, line: Line) -> list[Any]:
        kind, message_id, *call = json.loads(line.sent[-1])
        if kind != 2 or not call[0].endswith("TriggerMessage"):
            return []
        line.says(json.dumps([3, message_id, {"status": "Accepted"}]))
        line.sent.append(json.dumps([3, message_id, {}]))
        return call

    def test_a_month_before_the_end(self) -> None:
        for subprotocol in VERSIONS:
            self.setUp()
            line = self.has_certificate(subprotocol)
            self.step()
            self.assertEqual([], self.triggered(line))
            self.site.time = NOW + timedelta(days=60)
            self.step()
            kind = "SignChargingStationCertificate"
            expected = ["TriggerMessage", {"requestedMessage": kind}]
            if subprotocol == "ocpp1.6":
                kind = "SignChargePointCertificate"
                expected = ["ExtendedTriggerMessage", {"requestedMessage": kind}]
            self.assertEqual(expected, self.triggered(line))

    def test_once_a_day_until_it_has_another(self) -> None:
        line = self.has_certificate("ocpp1.6")
        self.site.time = NOW + timedelta(days=60)
        self.step()
        self.assertTrue(self.triggered(line))
        self.step()
        self.assertFalse(self.triggered(line))
        self.site.time += timedelta(days=1)
        self.step()
        self.assertTrue(self.triggered(line))

    def test_not_while_it_is_being_signed(self) -> None:
        line = self.has_certificate("ocpp1.6")
        self.site.time = NOW + timedelta(days=60)
        self.asks(line)
        self.step()
        self.assertFalse(self.triggered(line))

    def test_never(self) -> None:
        line = self.has_certificate("ocpp1.6")
        self.site.plugin.renewal_days = 0
        self.site.time = NOW + timedelta(days=60)
        self.step()
        self.assertFalse(self.triggered(line))

    def test_many_take_several_steps(self) -> None:
        self.patch(renewal, "_STEP", 1)
        lines = []
        for each in ("CP1", "CP2"):
            line = self.site.connect("ocpp1.6", each)
            self.asks(line)
            self.authority.signs()
            self.hears(line)
            lines.append(line)
        self.site.time = NOW + timedelta(days=60)
        self.step()
        self.assertEqual([True, False], [bool(self.triggered(line)) for line in lines])
        self.step()
        self.assertEqual([False, True], [bool(self.triggered(line)) for line in lines])

    def test_it_cannot_be_asked(self) -> None:
        line = self.has_certificate("ocpp1.6")
        self.site.time = NOW + timedelta(days=60)
        self.step()
        message_id = json.loads(line.sent[-1])[1]
        line.says(json.dumps([4, message_id, "NotSupported", "", {}]))
        self.assertEqual([], self.flushLoggedErrors())


async def _awaited(plugin: LocalPlugin) -> None:
    await plugin.renew_certificates()


class WithTheBuiltInAuthority(SigningCase):
    def test_the_whole_road(self) -> None:
        for subprotocol in VERSIONS:
            authority = LocalAuthority.in_directory(
                Path(self.mktemp()), organization="O", now=lambda: NOW
            )
            self.site.plugin.certificate_authority = authority
            line = self.site.connect(subprotocol)
            more: dict[str, Any] = {"certificateType": "ChargingStationCertificate"}
            if subprotocol in VERSIONS[:2]:
                more = {}
            before = len(line.sent)
            line._receive(
                json.dumps(
                    [2, f"s{next(_ids)}", "SignCertificate", {"csr": pem(csr(cn="wrong")), **more}]
                ).encode()
            )
            answer, call = line.sent[before:]
            # The answer goes first.
            self.assertEqual({"status": "Accepted"}, json.loads(answer)[2])
            told = self.hears(line)
            text = told.get("certificateChain") or told["cert"][0]
            own = x509.load_pem_x509_certificate(text.encode())
            own.verify_directly_issued_by(authority.certificate)
            self.assertEqual("CP1", common_name(own.subject))
            self.assertIn(call, line.sent)
            self.assertEqual(own.serial_number, int(of_kept(self)["serialNumber"], 16))


def of_kept(case: SigningCase) -> dict[str, Any]:
    return case.kept()["ChargingStationCertificate"]
