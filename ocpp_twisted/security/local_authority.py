"""The built-in certificate authority: a key in a file, for tests and small networks.

Imports cryptography, the errors and its neighbours. Sources: OCPP 1.6 security
whitepaper A00.FR.505 to 512 (properties of certificates); RFC 5280. All that changes is in files,
which are read again before they are written: several processes may be the same authority.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ocpp_twisted.errors import CertificateRefused, ConfigurationError
from ocpp_twisted.security.authority import CertificateRequest, ICertificateAuthority, common_name
from ocpp_twisted.security.pem import read, read_key

__all__ = ["LocalAuthority"]

_log = Logger()

_CERTIFICATE, _KEY, _CRL = "ca-cert.pem", "ca-key.pem", "ca-crl.pem"
_CA_LIFETIME = timedelta(days=3650)
#: How long a list of revoked certificates is good; it is made again every day.
_CRL_LIFETIME = timedelta(days=30)
#: Clocks of charge points may be slow.
_EARLIER = timedelta(hours=1)
#: X.520's bound on a common name and on an organization (RFC 5280, appendix A.1).
_LONGEST_NAME = 64

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def _only_the_id(request: CertificateRequest) -> Sequence[str]:
    return [request.identity.id]


@implementer(ICertificateAuthority)
class LocalAuthority:
    """Signs at once, with a key that it has itself.

    A charge point gets a certificate with its own name and no other. What the CSR says of its
    owner counts for nothing, but for which of several names it wants.

    :param certificate: a PEM file: the authority's certificate, then those above it, if any.
    :param key: a PEM file with its private key, not encrypted.
    :param crl: where the list of revoked certificates is kept (PEM); made if it is not there.
    :param organization: the O of the certificates (A00.FR.509); None for that of the authority.
    :param validity: how long certificates are good.
    :param names: the common names that a charge point may have; the first, unless its CSR has
        another one of them. By default the id that it has connected with: a serial number that
        it tells itself proves nothing. A00.FR.511 wants the serial number; give them here if
        you know them from elsewhere.
    :param now: the time, with its zone.
    :raises ConfigurationError: if a file cannot be used.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        crl: Path,
        *,
        organization: str | None = None,
        validity: timedelta = timedelta(days=365),
        names: Callable[[CertificateRequest], Sequence[str]] = _only_the_id,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.certificate, *self._above = _load_certificates(certificate)
        self._key = _load_key(key)
        if _public_bytes(self.certificate) != _public_bytes(self._key):
            raise ConfigurationError(
                f"the private key {key} does not belong to the certificate {certificate}: "
                "give the pair that was issued together"
            )
        self.crl = crl
        self._organization = organization or _organization(self.certificate)
        self._validity = validity
        self._names = names
        self._now = now
        try:
            self.write_crl()
        except OSError as error:
            raise ConfigurationError(
                f"cannot keep the list of revoked certificates {crl}: {error.strerror}; "
                "choose another --data-dir"
            ) from error

    @classmethod
    def in_directory(
        cls,
        directory: Path,
        *,
        organization: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        **more: Any,
    ) -> LocalAuthority:
        """The authority of a directory: ``ca-cert.pem``, ``ca-key.pem``, ``ca-crl.pem``.

        Made at the first time, good for ten years; the key can be read by its owner only.

        :param more: as for the class.
        :raises ConfigurationError: if a file cannot be used, or made.
        """
        certificate, key = directory / _CERTIFICATE, directory / _KEY
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with _alone_with(key):
                if not certificate.exists() and not key.exists():
                    _make(certificate, key, organization or "OCPP", now())
                    _log.warn("a certificate authority was made: {path}", path=str(certificate))
        except OSError as error:
            raise ConfigurationError(
                f"cannot keep a certificate authority in {directory}: {error.strerror}; "
                "choose another --data-dir, or give --ca-cert and --ca-key"
            ) from error
        crl = directory / _CRL
        return cls(certificate, key, crl, organization=organization, now=now, **more)

    def sign(self, request: CertificateRequest) -> Deferred[str]:
        """See `ICertificateAuthority.sign`; signs certificates of charge points only."""
        try:
            return succeed(self._sign(request))
        except CertificateRefused:
            return fail()

    def _sign(self, request: CertificateRequest) -> str:
        if request.certificate_type != "ChargingStationCertificate":
            raise CertificateRefused(
                f"this authority signs no {request.certificate_type}: those come from a V2G root"
            )
        now = self._now()
        end = min(now + self._validity, self.certificate.not_valid_after_utc)
        if end <= now:
            raise CertificateRefused("the certificate of the authority itself has expired")
        key, issuer_key = request.csr.public_key(), self._key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(self._subject(request))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(_serial_number())
            .not_valid_before(now - _EARLIER)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
            )
        )
        # No subjectAltName: its dnsName would take the common name's place (A00.FR.511, note).
        own = builder.sign(self._key, hashes.SHA256(), rsa_padding=self._padding())
        between = [each for each in (self.certificate, *self._above) if each.issuer != each.subject]
        return "".join(each.public_bytes(Encoding.PEM).decode() for each in (own, *between))

    def _subject(self, request: CertificateRequest) -> x509.Name:
        allowed = self._names(request)
        if not allowed:
            raise CertificateRefused("no name is known that this charge point may have")
        wanted = common_name(request.csr.subject)
        name = wanted if wanted is not None and wanted in allowed else allowed[0]
        if not 1 <= len(name) <= _LONGEST_NAME:
            raise CertificateRefused(
                f"a certificate has room for a name of 64 characters, and {name!r} has {len(name)}"
            )
        place = request.identity.name
        attributes = [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, self._organization)]
        if 1 <= len(place) <= _LONGEST_NAME:
            # The same id may be there under several names.
            attributes.append(x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, place))
        elif place:
            raise CertificateRefused(f"a certificate has no room for {place!r}, its name's part")
        attributes.append(x509.NameAttribute(x509.NameOID.COMMON_NAME, name))
        return x509.Name(attributes)

    def revoke(self, serial_number: int) -> None:
        """Revoke a certificate: it stands in the list (the file `crl`) from now on.

        Blocks until that is written. `twistd ocpp --tls-crl` reads it; a connection that is there
        goes on.

        :param serial_number: of the certificate.
        :raises OSError: if the list cannot be written.
        """
        self.write_crl(serial_number)

    def write_crl(self, *more: int) -> None:
        """Write the list of revoked certificates anew, good for 30 days from now.

        :param more: serial numbers that have to be in it, besides those that are.
        :raises OSError: if it cannot be written.
        """
        self.crl.parent.mkdir(parents=True, exist_ok=True)
        with _alone_with(self.crl):
            now = self._now()
            number = 1
            revoked: dict[int, x509.RevokedCertificate] = {}
            if self.crl.exists():
                number, revoked = _read_crl(self.crl)
            for serial in more:
                entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
                revoked.setdefault(serial, entry.build())
            builder = (
                x509.CertificateRevocationListBuilder()
                .issuer_name(self.certificate.subject)
                .last_update(now - _EARLIER)
                .next_update(now + _CRL_LIFETIME)
                .add_extension(x509.CRLNumber(number), critical=False)
                .add_extension(
                    x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                    critical=False,
                )
            )
            for each in revoked.values():
                builder = builder.add_revoked_certificate(each)
            crl = builder.sign(self._key, hashes.SHA256(), rsa_padding=self._padding())
            _replace(self.crl, crl.public_bytes(Encoding.PEM), 0o644)

    def _padding(self) -> padding.PSS | None:
        """A00.FR.505: RSA-PSS, or ECDSA."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            return padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return None


def _serial_number() -> int:
    """One that fits the 20 digits of OCPP 2.0's CertificateHashDataType, and nobody guesses."""
    return secrets.randbits(79) | 1 << 79


def _make(certificate: Path, key: Path, organization: str, now: datetime) -> None:
    private_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "Charge points"),
        ]
    )
    public_key = private_key.public_key()
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .sign(private_key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = private_key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    _replace(key, pem, 0o600)
    _replace(certificate, signed.public_bytes(Encoding.PEM), 0o644)


def _usage(**used: bool) -> x509.KeyUsage:
    kinds = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{kind: used.get(kind, False) for kind in kinds})


def _load_certificates(path: Path) -> list[x509.Certificate]:
    certificates = read(path, "certificate", x509.load_pem_x509_certificates)
    try:
        is_authority = certificates[0].extensions.get_extension_for_class(x509.BasicConstraints)
        if is_authority.value.ca:
            return certificates
    except (x509.ExtensionNotFound, ValueError):
        pass
    raise ConfigurationError(
        f"the certificate {path} may sign no others (basicConstraints CA): "
        "give that of a certificate authority"
    )


def _load_key(path: Path) -> _Key:
    key = read_key(path)
    if not isinstance(key, _Key):
        raise ConfigurationError(f"the private key {path} is neither RSA nor on an elliptic curve")
    return key


def _organization(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    if not found:
        raise ConfigurationError(
            "the authority's certificate names no organization (O), which those of charge points "
            "need (A00.FR.509): give --ca-organization"
        )
    return str(found[0].value)


def _read_crl(path: Path) -> tuple[int, dict[int, x509.RevokedCertificate]]:
    """The number of the next list, and the entries by their serial numbers."""
    try:
        crl = x509.load_pem_x509_crl(path.read_bytes())
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (ValueError, x509.ExtensionNotFound) as error:
        raise ConfigurationError(
            f"{path} is no list of revoked certificates that was written here: restore it, or "
            "move it away to begin a new one"
        ) from error
    return number + 1, {each.serial_number: each for each in crl}


def _public_bytes(holder: x509.Certificate | _Key) -> bytes:
    return holder.public_key().public_bytes(
        Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _replace(path: Path, data: bytes, mode: int) -> None:
    """Write a file so that nobody ever sees half of it."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@contextmanager
def _alone_with(path: Path) -> Iterator[None]:
    """Keep other processes away from a file for a moment."""
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
