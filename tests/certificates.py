"""Certificates for tests: authorities, what they issue and revoke, TLS in memory, and its log."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL, crypto
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

DAY = timedelta(days=1)


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """One of few RSA keys: to make one takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def name_of(
    *common_names: str, organizations: Sequence[str] = (), units: Sequence[str] = ()
) -> x509.Name:
    return x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, text) for text in units),
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, text) for text in organizations),
            *(x509.NameAttribute(NameOID.COMMON_NAME, text) for text in common_names),
        ]
    )


@dataclass
class Issued:
    """A certificate, its key, and the certificates above it that are to be shown with it."""

    certificate: x509.Certificate
    key: Any
    chain: Sequence[x509.Certificate] = ()

    def write(self, certificate: Path, key: Path | None = None) -> tuple[Path, Path]:
        """Into files, the key into one next to the certificate's unless it is given."""
        key = key or certificate.with_suffix(".key")
        certificate.parent.mkdir(parents=True, exist_ok=True)
        certificate.write_bytes(pem(self.certificate, *self.chain))
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, key


def pem(*found: Any) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in found)


class OnlyPublic:
    """The public half of a key, for `Authority.issue`: the other half is elsewhere."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def public_key(self) -> Any:
        return self._key


class Authority:
    """A CA; under another one if that is given."""

    def __init__(self, name: str = "CA", above: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name_of(name)
        self.above = above
        signer = above or self
        self.certificate = (
            self._builder(self.name, signer.name, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(signer.key, hashes.SHA256())
        )

    @staticmethod
    def _builder(subject: x509.Name, issuer: x509.Name, key: Any) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 100 * DAY)
        )

    def issue(
        self,
        *common_names: str,
        names: Sequence[str | x509.GeneralName] = (),
        organizations: Sequence[str] = (),
        units: Sequence[str] = (),
        key: Any = None,
        ends: timedelta | None = None,
        begins: timedelta | None = None,
        purpose: x509.ObjectIdentifier | None = None,
    ) -> Issued:
        """A certificate, shown with ours if we are not at the top."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = name_of(*common_names, organizations=organizations, units=units)
        builder = self._builder(subject, self.name, key)
        now = datetime.now(UTC)
        if ends is not None:
            builder._not_valid_after = (now + ends).replace(tzinfo=None)
        if begins is not None:
            builder._not_valid_before = (now + begins).replace(tzinfo=None)
        if names:
            general = [x509.DNSName(each) if isinstance(each, str) else each for each in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        chain = [self.certificate] if self.above else []
        return Issued(builder.sign(self.key, hashes.SHA256()), key, chain)

    def revokes(
        self,
        *certificates: x509.Certificate,
        due: timedelta = DAY,
        extension: x509.ExtensionType | None = None,
    ) -> x509.CertificateRevocationList:
        """A CRL."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(now - 10 * DAY)
            .next_update(now + due)
        )
        if extension is not None:
            builder = builder.add_extension(extension, critical=True)
        for each in certificates:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(each.serial_number)
                .revocation_date(now - DAY)
                .build()
            )
        return builder.sign(self.key, hashes.SHA256())


def resigned(issued: Issued, ca: Authority, old: bytes, new: bytes) -> Issued:
    """A certificate with other bytes in it, and a good signature of the CA over them."""
    tbs = issued.certificate.tbs_certificate_bytes.replace(old, new)
    signature = ca.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    content = tbs + algorithm + b"\x03" + bytes([len(signature) + 1]) + b"\x00" + signature
    der = b"\x30\x82" + len(content).to_bytes(2, "big") + content
    try:
        return Issued(x509.load_der_x509_certificate(der), issued.key)
    except ValueError:  # OpenSSL reads some that cryptography does not
        broken: Any = crypto.load_certificate(crypto.FILETYPE_ASN1, der)
        return Issued(broken, issued.key)


FOR_SERVERS = ExtendedKeyUsageOID.SERVER_AUTH


def client(
    suites: str = "DEFAULT",
    *,
    newest: int = SSL.TLS1_3_VERSION,
    oldest: int = SSL.TLS1_2_VERSION,
    server_name: str | None = None,
    shows: Issued | None = None,
    resumes: SSL.Connection | None = None,
    options: int = 0,
) -> SSL.Connection:
    """A charge point's end of a TLS connection in memory; it believes any server."""
    if resumes is not None:
        context = resumes.get_context()
    else:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_cipher_list(suites.encode())
        context.set_min_proto_version(oldest)
        context.set_max_proto_version(newest)
        context.set_options(options)
        if shows is not None:
            context.use_certificate(shows.certificate)
            context.use_privatekey(shows.key)
            for each in shows.chain:
                context.add_extra_chain_cert(each)
    made = SSL.Connection(context, None)
    if resumes is not None:
        made.set_session(resumes.get_session())
    if server_name is not None:
        made.set_tlsext_host_name(server_name.encode())
    made.set_connect_state()
    return made


def handshake(tls: Any, one: SSL.Connection | None = None) -> SSL.Connection:
    """The client's end after a handshake with a `ServerTLS`.

    :raises SSL.Error: if the handshake fails, at whichever end.
    """
    one = one or client()
    server = tls.serverConnectionForTLS(None)
    server.set_accept_state()
    waiting = [one, server]
    for _ in range(10):
        for this, other in ((one, server), (server, one)):
            if this in waiting:
                with contextlib.suppress(SSL.WantReadError):
                    this.do_handshake()
                    waiting.remove(this)
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(this.bio_read(65536))
    assert not waiting
    with contextlib.suppress(SSL.WantReadError):
        one.recv(1)  # session tickets of TLS 1.3
    return one


def logged(case: Any) -> Callable[[], list[str]]:
    """What is logged from now on: warnings and worse, since it was last asked."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.warn:
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    case.addCleanup(globalLogPublisher.removeObserver, observe)

    def take() -> list[str]:
        taken, lines[:] = list(lines), []
        return taken

    return take
