"""Keys, CSRs and certificates for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ocpp_twisted.identity import Identity
from ocpp_twisted.security.authority import CertificateRequest, read_csr

NOW = datetime.fromisoformat("2024-05-01T12:00:00Z")


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """A key, the same for the same number."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def name(**attributes: str) -> x509.Name:
    """A name of CN and O."""
    oids = {"cn": x509.NameOID.COMMON_NAME, "o": x509.NameOID.ORGANIZATION_NAME}
    return x509.Name([x509.NameAttribute(oids[key], text) for key, text in attributes.items()])


def csr(key: Any = None, **subject: str) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder().subject_name(name(**subject))
    return builder.sign(key or ec_key(), hashes.SHA256())


def pem(found: Any) -> str:
    """A CSR or a certificate as text."""
    text: str = found.public_bytes(Encoding.PEM).decode()
    return text


def request(found: Any = None, **more: Any) -> CertificateRequest:
    fields = {
        "identity": Identity("CP1"),
        "version": "1.6",
        "certificate_type": "ChargingStationCertificate",
        "csr": read_csr(pem(found or csr(cn="CP1"))),
        **more,
    }
    return CertificateRequest(**fields)


def certificate(
    key: Any,
    subject: x509.Name,
    issuer: x509.Name | None = None,
    issuer_key: Any = None,
    ca: bool = True,
    days: int = 3650,
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(issuer_key or key, hashes.SHA256())
    )


class Responder:
    """Answers what an OCSP responder would answer of certificates that it has issued.

    :ivar asked: the requests that came.
    :ivar padding: how many bytes the answers have in vain.
    """

    def __init__(self) -> None:
        self.key = ec_key(7)
        self.root = certificate(self.key, name(cn="Root"))
        self.asked: list[ocsp.OCSPRequest] = []
        self.status = ocsp.OCSPCertStatus.GOOD
        self.lasts = timedelta(hours=1)
        self.now = NOW
        self.padding = 0

    def issue(self) -> x509.Certificate:
        return certificate(ec_key(8), name(cn="EV"), self.root.subject, self.key, ca=False)

    def hashes(self, issued: x509.Certificate) -> dict[str, str]:
        """As CertificateHashDataType has them."""
        built = ocsp.OCSPRequestBuilder().add_certificate(issued, self.root, hashes.SHA256())
        asked = built.build()
        return {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": asked.issuer_name_hash.hex(),
            "issuerKeyHash": asked.issuer_key_hash.hex(),
            "serialNumber": f"{asked.serial_number:x}",
        }

    def answer(self, data: bytes) -> bytes:
        asked = ocsp.load_der_ocsp_request(data)
        self.asked.append(asked)
        revoked = self.status is ocsp.OCSPCertStatus.REVOKED
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            asked.issuer_name_hash,
            asked.issuer_key_hash,
            asked.serial_number,
            asked.hash_algorithm,
            self.status,
            self.now,
            self.now + self.lasts,
            self.now if revoked else None,
            None,
        )
        signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.root)
        if self.padding:
            signed = signed.add_extension(x509.OCSPNonce(b"0" * self.padding), critical=False)
        return signed.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)
