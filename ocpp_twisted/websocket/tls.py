"""TLS for the server: given certificates, and one for development that is made on the spot.

Imports pyOpenSSL, cryptography and Twisted's names. TLS 1.2 and up (OCPP 2.1 part 2, security
profile 2; OCPP 1.6 security whitepaper, section 2.6).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IAddress
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.websocket.fastpath import AtOnceTLS
from ocpp_twisted.writable import obstacle

__all__ = [
    "TLSFactory",
    "check_development_certificate",
    "development_certificate",
    "server_context",
]

_LIFETIME = timedelta(days=365)

_Parsed = TypeVar("_Parsed")


class TLSFactory(TLSMemoryBIOFactory):
    """TLS around a factory that may refuse a socket, which Twisted's does not expect."""

    protocol = AtOnceTLS

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A protocol for a new socket; None if the factory inside has none."""
        inside = self.wrappedFactory.buildProtocol(addr)
        return None if inside is None else self.protocol(self, inside)


def server_context(certificate: Path, key: Path) -> CertificateOptions:
    """The TLS context of a server.

    :param certificate: a PEM file: the server's certificate, then the intermediate ones.
    :param key: a PEM file with its private key, not encrypted.
    :raises ConfigurationError: if one cannot be read, or they do not belong together.
    """
    chain = _load(certificate, "certificate", x509.load_pem_x509_certificates)
    private_key = _load(
        key, "private key", lambda data: serialization.load_pem_private_key(data, None)
    )
    pkey = crypto.PKey.from_cryptography_key(private_key)  # type: ignore[arg-type]
    own, *intermediates = [crypto.X509.from_cryptography(found) for found in chain]
    check = SSL.Context(SSL.TLS_METHOD)
    try:
        check.use_certificate(own)
    except SSL.Error as error:
        reason = ", ".join(str(words[-1]) for words in error.args[0])
        raise ConfigurationError(
            f"OpenSSL refuses the certificate {certificate}: {reason}; use another one"
        ) from error
    try:
        check.use_privatekey(pkey)
        check.check_privatekey()
    except SSL.Error:
        raise ConfigurationError(
            f"the private key {key} does not belong to the certificate {certificate}: "
            "give the pair that was issued together"
        ) from None
    return CertificateOptions(
        privateKey=pkey,
        certificate=own,
        extraCertChain=intermediates,
        raiseMinimumTo=TLSVersion.TLSv1_2,
        # A charge point that comes back with its ticket saves the signature, most of a handshake.
        enableSessionTickets=True,
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


def _load(path: Path, what: str, parse: Callable[[bytes], _Parsed]) -> _Parsed:
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read the {what} {path}: {error.strerror}") from error
    except TypeError as error:  # what cryptography says of a key with a passphrase
        raise ConfigurationError(
            f"the {what} {path} is encrypted: give it without its passphrase "
            "(openssl pkey -in FILE -out NEW-FILE)"
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{path} holds no {what} in PEM form that can be used: it should begin with -----BEGIN"
        ) from error


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
