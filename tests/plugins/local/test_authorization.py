from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.plugins.local.wire import Site

HASH = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "n",
    "issuerKeyHash": "k",
    "serialNumber": "1",
    "responderURL": "http://ocsp.example.com",
}
TOKEN = {"idToken": "DE8ACC12E46L89", "type": "eMAID"}
CANNOT_CHECK = {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"}


class Authorization(SynchronousTestCase):
    def test_v16(self) -> None:
        self.assertEqual(
            '[3,"1",{"idTagInfo":{"status":"Accepted"}}]',
            Site().connect("ocpp1.6").says('[2,"1","Authorize",{"idTag":"04A1B2C3"}]'),
        )

    def test_v2(self) -> None:
        for version in ("ocpp2.0", "ocpp2.0.1", "ocpp2.1"):
            charge_point = Site().connect(version)
            self.assertEqual(
                {"idTokenInfo": {"status": "Accepted"}},
                charge_point.calls("Authorize", idToken=TOKEN),
            )

    def test_certificate_chain_cannot_be_verified(self) -> None:
        for version in ("ocpp2.0.1", "ocpp2.1"):
            charge_point = Site().connect(version)
            self.assertEqual(
                CANNOT_CHECK, charge_point.calls("Authorize", idToken=TOKEN, certificate="PEM")
            )

    def test_certificate_hashes_cannot_be_verified(self) -> None:
        for version in ("ocpp2.0.1", "ocpp2.1"):
            charge_point = Site().connect(version)
            answer = charge_point.calls(
                "Authorize", idToken=TOKEN, iso15118CertificateHashData=[HASH]
            )
            self.assertEqual(CANNOT_CHECK, answer)

    def test_certificate_hashes_cannot_be_verified_v20(self) -> None:
        hashes = {"15118CertificateHashData": [HASH]}
        charge_point = Site().connect("ocpp2.0")
        self.assertEqual(CANNOT_CHECK, charge_point.calls("Authorize", idToken=TOKEN, **hashes))
