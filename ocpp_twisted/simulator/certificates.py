"""The certificates of a charge point: those that it trusts, and its own, with their keys.

Imports cryptography, the TLS of clients, and of `security` what names a certificate. Source: OCPP
1.6 security whitepaper A00.FR.501 to 512, A02, A03, M03 to M05; OCPP 2.x use cases A02, A03 and M03
to M05. A use is the wire's word for what a root is for, a kind that for what an own certificate is
for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import NamedTuple
from weakref import finalize

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from ocpp_twisted.charge_point import ClientTLS
from ocpp_twisted.security.ocsp import Hashes

__all__ = ["Certificates", "HashData", "Own"]

_ALGORITHMS: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}


class HashData(NamedTuple):
    """What names a certificate: the values of CertificateHashDataType."""

    hashAlgorithm: str
    issuerNameHash: str
    issuerKeyHash: str
    serialNumber: str


@dataclass(frozen=True, slots=True)
class Own:
    """A certificate of the charge point's own.

    :ivar chain: it, and those between it and the root.
    """

    chain: Sequence[x509.Certificate]
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate(self) -> x509.Certificate:
        """Its own one."""
        return self.chain[0]


class Certificates:
    """All certificates of one charge point.

    :param limit: how many roots it can hold, of all uses together.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._roots: list[tuple[str, x509.Certificate]] = []
        self._own: dict[str, list[Own]] = {}
        self._new_keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        #: Where files for TLS are, and what removes them: with this object, or with the process.
        self._directory: Path | None = None
        self._removing: finalize[..., Certificates] | None = None

    # -- roots --------------------------------------------------------------------------------

    def roots(self, *uses: str) -> Iterator[tuple[str, x509.Certificate]]:
        """Use and certificate of those of some uses; of all if none is named."""
        return (pair for pair in self._roots if not uses or pair[0] in uses)

    def trust(self, use: str, certificates: Iterable[x509.Certificate]) -> None:
        """What the maker has installed."""
        self._roots.extend((use, each) for each in certificates)

    def install(self, use: str, text: str, now: datetime, replacing: bool = False) -> str:
        """Take a root (M05).

        :param replacing: AdditionalRootCertificateCheck: the old one has to have signed it, and
            stays only as a fallback (M05.FR.08 to 11).
        :returns: the wire's word.
        """
        certificate = _read_one(text)
        if certificate is None or not _is_authority(certificate) or not _valid(certificate, now):
            return "Rejected"
        if any(each == certificate for _, each in self.roots(use)):
            return "Accepted"
        old = [each for _, each in self.roots(use)]
        if replacing and old:
            if not _issued(certificate, old[-1]):
                return "Rejected"
            self._roots = [pair for pair in self._roots if pair[0] != use or pair[1] == old[-1]]
        if len(self._roots) >= self.limit:
            return "Rejected"
        self._roots.append((use, certificate))
        return "Accepted"

    def drop_fallback(self, use: str) -> None:
        """The newest root of a use has proved to work (M05.FR.12)."""
        newest = [pair for pair in self._roots if pair[0] == use][-1:]
        self._roots = [pair for pair in self._roots if pair[0] != use or pair in newest]

    def delete(self, named: Hashes, in_use: Sequence[str] = ()) -> str:
        """Remove a root (M04).

        :param in_use: uses whose last root the connection stands on.
        :returns: the wire's word.
        """
        for use, certificate in self._roots:
            if self.named(certificate, str(named.hashAlgorithm)) == _small(named):
                if use in in_use and len(list(self.roots(use))) == 1:
                    return "Failed"
                self._roots.remove((use, certificate))
                return "Accepted"
        return "NotFound"

    def named(self, certificate: x509.Certificate, algorithm: str = "SHA256") -> HashData:
        """What names it: hashes of who has issued it, as far as that is known here."""
        above = (each for _, each in self._roots if _issued(certificate, each))
        issuer, hashed = next(above, certificate), _ALGORITHMS[algorithm]()
        built = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashed).build()
        return HashData(
            algorithm,
            built.issuer_name_hash.hex(),
            built.issuer_key_hash.hex(),
            f"{built.serial_number:x}",
        )

    # -- its own ------------------------------------------------------------------------------

    def request(self, kind: str, common_name: str, organization: str) -> str:
        """A new key, and a request to sign it, as PEM text (A02.FR.02, 03 and 13)."""
        key = self._new_keys[kind] = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])]
        if organization:
            names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:64]))
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def take(self, kind: str, text: str, use: str, now: datetime) -> str:
        """The signed certificate has come (A02.FR.06).

        :param use: of the roots that it has to lead to.
        :returns: what is wrong with it; empty if it has been taken.
        """
        chain, key = _read(text), self._new_keys.get(kind)
        if not chain:
            return "it cannot be read"
        if key is None or chain[0].public_key() != key.public_key():
            return "it is not for the key that was sent"
        # A02.FR.08: one that begins later is taken, and used later.
        if chain[0].not_valid_after_utc <= now:
            return "it has expired"
        if not _leads_to(chain, [each for _, each in self.roots(use)], now):
            return f"it leads to no {use} that is installed"
        del self._new_keys[kind]
        self._own.setdefault(kind, []).append(Own(chain, key))
        return ""

    def own(self, kind: str, now: datetime) -> Own | None:
        """The newest one that is valid (A02.FR.09)."""
        valid = [each for each in self._own.get(kind, ()) if _valid(each.certificate, now)]
        return max(valid, key=lambda each: each.certificate.not_valid_before_utc, default=None)

    def signer_is_good(self, text: str, use: str, now: datetime) -> bool:
        """Whether a certificate that signs firmware is one that a root has signed (L01.FR.12)."""
        certificate = _read_one(text)
        if certificate is None or not _valid(certificate, now):
            return False
        return any(_issued(certificate, root) for _, root in self.roots(use) if _valid(root, now))

    def tls(self, use: str, kind: str, now: datetime) -> ClientTLS:
        """What to trust and to show in a connection.

        :param use: of the roots to trust; those of this machine if there are none.
        :param kind: of the own certificate to show; empty to show none.
        """
        if self._directory is None:
            self._directory = Path(mkdtemp(prefix="charge-point-"))
            self._removing = finalize(self, rmtree, self._directory, ignore_errors=True)
        directory = self._directory
        number = sum(1 for _ in directory.iterdir())
        roots, ca = [_pem(each) for _, each in self.roots(use)], None
        if roots:
            ca = directory / f"{number}-ca.pem"
            ca.write_bytes(b"".join(roots))
        own = self.own(kind, now) if kind else None
        if own is None:
            return ClientTLS(ca=ca)
        cert, key = directory / f"{number}-cert.pem", directory / f"{number}-key.pem"
        cert.write_bytes(b"".join(_pem(each) for each in own.chain))
        plain = serialization.NoEncryption()
        pem = own.key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        key.touch(0o600)
        key.write_bytes(pem)
        return ClientTLS(ca=ca, cert=cert, key=key)

    def stop(self) -> None:
        """Remove the files for TLS: nobody connects with them any more."""
        if self._removing is not None:
            self._removing()
            self._directory = self._removing = None


def _small(named: Hashes) -> HashData:
    """As we write it: in small letters, without zeros in front of the serial number."""
    return HashData(
        str(named.hashAlgorithm),
        named.issuerNameHash.lower(),
        named.issuerKeyHash.lower(),
        named.serialNumber.lower().lstrip("0"),
    )


def _read(text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return []


def _read_one(text: str) -> x509.Certificate | None:
    found = _read(text)
    return found[0] if len(found) == 1 else None


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return bool(found.value.ca)


def _issued(certificate: x509.Certificate, above: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _leads_to(
    chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: datetime
) -> bool:
    """Whether each of a chain has signed the one before it, and a root the last."""
    for below, above in pairwise(chain):
        if not _issued(below, above) or not _is_authority(above) or not _valid(above, now):
            return False
    return any(_issued(chain[-1], root) or chain[-1] == root for root in roots)
