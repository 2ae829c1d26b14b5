"""The files that TLS needs: certificates with their keys, client CAs, CRLs; and a certificate for
development that is made on the spot.

Imports cryptography, the errors and how PEM files are read.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.security.pem import read, read_key
from ocpp_twisted.writable import obstacle

__all__ = [
    "Loaded",
    "Pair",
    "PlainName",
    "TLSFiles",
    "check_development_certificate",
    "development_certificate",
    "load_tls",
    "plain",
]

_LIFETIME = timedelta(days=365)
_PEM_CRL = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)

#: See `plain`.
PlainName = tuple[frozenset[tuple[str, str]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSFiles:
    """Where a server's TLS comes from; all files are PEM, CRLs may be DER.

    :ivar pairs: for each certificate its file, with the intermediate certificates after it, and
        its private key's, not encrypted. The first is for charge points that ask for no name.
    :ivar client_cas: certificates; who has a client certificate under one of them is let in.
    :ivar crls: what these CAs have revoked.
    """

    pairs: Sequence[tuple[Path, Path]] = ()
    client_cas: Sequence[Path] = ()
    crls: Sequence[Path] = ()

    @property
    def all(self) -> list[Path]:
        """Every file, in no order that matters."""
        return [*(path for pair in self.pairs for path in pair), *self.client_cas, *self.crls]


class Pair(NamedTuple):
    """A certificate and its key.

    :ivar names: whom it is for: DNS names and addresses, in lower case.
    """

    certificate_file: Path
    key_file: Path
    key: PrivateKeyTypes
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What `TLSFiles` hold.

    :ivar revoked: the issuer's name, as `plain` makes it, to what it has revoked.
    :ivar certificates_end: when a certificate ends; in a file of CAs, the first of them.
    :ivar crls_end: when the next CRL is due.
    """

    pairs: Sequence[Pair]
    client_cas: Sequence[x509.Certificate]
    revoked: Mapping[PlainName, frozenset[int]]
    certificates_end: Mapping[Path, datetime]
    crls_end: Mapping[Path, datetime]


def load_tls(files: TLSFiles) -> Loaded:
    """Read all that is given.

    A CRL is believed if a given CA has signed it. One that is past its time still holds: what it
    has revoked stays revoked, and a fleet is not shut out because a download fails.

    :raises ConfigurationError: if a file cannot be read or used.
    """
    ends: dict[Path, datetime] = {}
    pairs = []
    for path, key_path in files.pairs:
        own, names = read(path, "certificate", _own)
        pairs.append(Pair(path, key_path, read_key(key_path), names))
        ends[path] = own.not_valid_after_utc
    cas = []
    for path in files.client_cas:
        found = read(path, "certificate", x509.load_pem_x509_certificates)
        ends[path] = min(each.not_valid_after_utc for each in found)
        cas += found
    revoked: dict[PlainName, frozenset[int]] = {}
    crls_end: dict[Path, datetime] = {}
    for path in files.crls:
        for crl in read(path, "CRL", _crls):
            _check_crl(crl, path, cas)
            serials = frozenset(each.serial_number for each in crl)
            issuer = plain(crl.issuer)
            revoked[issuer] = revoked.get(issuer, frozenset()) | serials
            if (due := crl.next_update_utc) is not None:
                crls_end[path] = min(due, crls_end.get(path, due))
    return Loaded(
        pairs=pairs, client_cas=cas, revoked=revoked, certificates_end=ends, crls_end=crls_end
    )


def plain(name: x509.Name) -> PlainName:
    """A name without what makes no difference: kinds of strings, capitals and spaces.

    OpenSSL compares issuers so (RFC 5280 section 7.1); a CRL must not be passed by for less.
    """
    return tuple(
        frozenset(
            (each.oid.dotted_string, " ".join(str(each.value).lower().split())) for each in rdn
        )
        for rdn in name.rdns
    )


def development_certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for this machine, made once and kept.

    :param directory: where it is kept; made if it is not there.
    :returns: the certificate's and the key's file.
    :raises ConfigurationError: if the directory cannot be written to.
    """
    certificate, key = _development_files(directory)
    if _is_good(certificate, key):
        return certificate, key
    check_development_certificate(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _make(certificate, key)
    except OSError as error:
        raise _cannot_keep(directory, error.strerror) from error
    return certificate, key


def check_development_certificate(directory: Path) -> None:
    """See whether `development_certificate` could keep its files; nothing is made.

    :raises ConfigurationError: if it could not.
    """
    files = _development_files(directory)
    if not _is_good(*files):
        for reason in (obstacle(file, directory) for file in files):
            if reason:
                raise _cannot_keep(directory, reason)


def _development_files(directory: Path) -> tuple[Path, Path]:
    return directory / "development-cert.pem", directory / "development-key.pem"


def _cannot_keep(directory: Path, reason: object) -> ConfigurationError:
    return ConfigurationError(
        f"cannot keep a development certificate in {directory}: {reason}; "
        "choose another --data-dir, or give --tls-cert and --tls-key"
    )


def _own(data: bytes) -> tuple[x509.Certificate, frozenset[str]]:
    """A server's certificate and its names.

    Those of the subject too: OCPP has them there (OCPP 1.6 security whitepaper, A00.FR.510).
    """
    own = x509.load_pem_x509_certificates(data)[0]
    names = {
        str(each.value) for each in own.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    }
    for extension in own.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names.update(extension.value.get_values_for_type(x509.DNSName))
            names.update(map(str, extension.value.get_values_for_type(x509.IPAddress)))
    return own, frozenset(name.lower() for name in names)


def _crls(data: bytes) -> list[x509.CertificateRevocationList]:
    if blocks := _PEM_CRL.findall(data):
        return [x509.load_pem_x509_crl(block) for block in blocks]
    return [x509.load_der_x509_crl(data)]  # as CAs publish them: RFC 5280 section 4.2.1.13


def _check_crl(
    crl: x509.CertificateRevocationList, path: Path, cas: Sequence[x509.Certificate]
) -> None:
    """Whether a CRL is a whole one that a CA has made itself (RFC 5280 section 6.3.3)."""
    if not any(plain(ca.subject) == plain(crl.issuer) and _has_signed(ca, crl) for ca in cas):
        raise ConfigurationError(
            f"the CRL {path} is signed by nobody in --tls-client-ca: add the certificate of "
            f"{crl.issuer.rfc4514_string()}"
        )
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            usable = not value.indirect_crl
        else:
            usable = not extension.critical  # which a list of changes only is
        if not usable:
            raise ConfigurationError(
                f"the CRL {path} is of a kind that is not read here ({extension.oid.dotted_string})"
                ": give the CA's own, whole CRL"
            )


def _has_signed(ca: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
    try:
        usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        may = True
    else:
        may = usage.crl_sign
    try:
        return may and crl.is_signature_valid(ca.public_key())  # type: ignore[arg-type]
    except (TypeError, UnsupportedAlgorithm):  # a key of a kind that signs nothing
        return False


def _is_good(certificate: Path, key: Path) -> bool:
    """Whether the pair is there, can be read, and holds for another day."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return False
    return found.not_valid_after_utc - datetime.now(UTC) > timedelta(days=1)


def _make(certificate: Path, key: Path) -> None:
    # RSA with 2048 bits: what an OCPP 1.6 charge point can read (OCPP-J 1.6 section 6.2.1).
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    hostname = socket.gethostname()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hostname[:64])])
    names: list[x509.GeneralName] = [
        *(x509.DNSName(name) for name in dict.fromkeys(["localhost", hostname])),
        *(x509.IPAddress(ip_address(address)) for address in ("127.0.0.1", "::1")),
    ]
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private_key, hashes.SHA256())
    )
    key.touch(mode=0o600)
    key.write_bytes(
        private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
