"""Who signs charge points' certificates: the interface, and what is checked before it is asked.

Imports cryptography, zope.interface, the errors and who a charge point is. Sources: OCPP 1.6
security whitepaper A00.FR.501 to 503 (keys), A02 and A03; OCPP 2.x use cases A02 and A03.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import Deferred
from zope.interface import Interface

from ocpp_twisted.errors import CertificateRefused
from ocpp_twisted.identity import Identity

__all__ = [
    "CertificateRequest",
    "ICertificateAuthority",
    "common_name",
    "read_certificate",
    "read_csr",
]

#: Bits of a key: the least that is secure until 2030, and the most that is worth our time.
_RSA_BITS = range(2048, 8193)
_LEAST_EC_BITS = 224


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """A charge point wants its key signed.

    :ivar identity: who asks, as it was let in: this is to be believed, the CSR's subject is not.
    :ivar version: the OCPP version that it speaks.
    :ivar certificate_type: ``ChargingStationCertificate`` (also if it names none, and always in
        1.6), ``V2GCertificate`` (2.x) or ``V2G20Certificate`` (2.1).
    :ivar csr: its signature and its key have been checked.
    :ivar request_id: of 2.1; None if there is none.
    """

    identity: Identity
    version: str
    certificate_type: str
    csr: x509.CertificateSigningRequest
    request_id: int | None = None

    @property
    def pem(self) -> str:
        """The CSR as PEM text."""
        return self.csr.public_bytes(Encoding.PEM).decode()


class ICertificateAuthority(Interface):
    """Signs the certificates of charge points, or has them signed by somebody else."""

    def sign(request: CertificateRequest) -> Deferred[str]:
        """Sign a charge point's key.

        Takes as long as it takes: the charge point is told at once that it will get its
        certificate, and gets it when this has fired and it is online.

        :returns: a Deferred that fires with PEM text: the charge point's certificate, then those
            of the authorities between it and the root. Its errback is `CertificateRefused` with a
            sentence; if it has failed already when it is returned, the charge point is told
            Rejected. It is cancelled when the charge point asks again, and when the server stops.
        """


def read_csr(text: str) -> x509.CertificateSigningRequest:
    """A CSR whose sender has its private key, and whose key is strong enough.

    :param text: PEM, or its DER in hexadecimal digits, as some charge points of OCPP 2.0 have it.
    :raises CertificateRefused: if it is neither; the text says what is wrong.
    """
    try:
        if "-----BEGIN" in text:
            csr = x509.load_pem_x509_csr(text.encode())
        else:
            csr = x509.load_der_x509_csr(bytes.fromhex(text))
        key = csr.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateRefused(
            "the CSR cannot be read: it is neither PEM nor DER in hexadecimal digits, or broken"
        ) from error
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS:
            raise CertificateRefused(
                f"its RSA key has {key.key_size} bits: it needs 2048 to 8192 (A00.FR.502)"
            )
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if key.key_size < _LEAST_EC_BITS:
            raise CertificateRefused(
                f"its key is on a curve of {key.key_size} bits: it needs 224 or more (A00.FR.503)"
            )
    else:
        raise CertificateRefused("its key is neither RSA nor on an elliptic curve")
    try:
        is_its_own = csr.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateRefused(f"the CSR's signature cannot be checked: {error}") from error
    if not is_its_own:
        raise CertificateRefused("the CSR is not signed with the private key of its public key")
    return csr


def read_certificate(text: str) -> x509.Certificate:
    """A certificate in PEM, or its DER in hexadecimal digits.

    :raises ValueError: if it is neither.
    """
    if "-----BEGIN" in text:
        return x509.load_pem_x509_certificate(text.encode())
    return x509.load_der_x509_certificate(bytes.fromhex(text))


def common_name(name: x509.Name) -> str | None:
    """The only common name in a subject; None if it has none, or several."""
    found = [str(each.value) for each in name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    return found[0] if len(found) == 1 else None
