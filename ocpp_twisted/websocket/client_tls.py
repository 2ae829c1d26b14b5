"""TLS for charge points: whom they trust, and which certificate they show.

Imports pyOpenSSL, Twisted's names and its neighbours. Source: OCPP 1.6 security whitepaper, A00
(A00.FR.309: the charge point checks the central system's certificate and name).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IProtocolFactory
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.security.pem import read, read_key
from ocpp_twisted.websocket.fastpath import AtOnceTLS

__all__ = ["ClientTLS"]


class _Factory(TLSMemoryBIOFactory):
    """Makes the TLS of one connection."""

    protocol = AtOnceTLS
    noisy = False

    def handshake_failed(self, protocol: Any, why: object) -> None:
        """The WebSocket's protocol hears it as the end of its connection."""
        protocol.wrappedProtocol.tls_failed(why)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClientTLS:
    """The TLS of charge points; one object serves many of them.

    :ivar ca: a PEM file with the CAs that may sign the central system's certificate; None for
        those of this machine.
    :ivar cert: a PEM file with the charge point's own certificate and its chain; None for none.
    :ivar key: the PEM file with its key.
    :ivar verify: False to take any certificate of any central system, for tries only.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True
    _creators: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def wrap(self, host: str, inside: IProtocolFactory) -> IProtocolFactory:
        """A factory that puts TLS around another one.

        :param host: the name that the central system's certificate has to be for.
        :raises ConfigurationError: if a file cannot be used.
        """
        if host not in self._creators:
            self._creators[host] = self._creator(host)
        return _Factory(self._creators[host], True, inside)

    def _creator(self, host: str) -> Any:
        if (self.cert is None) != (self.key is None):
            raise ConfigurationError(
                "a client certificate needs its key, and a key its certificate"
            )
        own: dict[str, Any] = {}
        if self.cert is not None and self.key is not None:
            chain = read(self.cert, "certificate", x509.load_pem_x509_certificates)
            key: Any = read_key(self.key)
            if chain[0].public_key() != key.public_key():
                raise ConfigurationError(f"{self.key} is not the key to {self.cert}")
            first, *more = (crypto.X509.from_cryptography(each) for each in chain)
            own = {
                "privateKey": crypto.PKey.from_cryptography_key(key),
                "certificate": first,
                "extraCertChain": more,
            }
        trust = platformTrust() if self.ca is None else trustRootFromCertificates(_cas(self.ca))
        if self.verify:
            return optionsForClientTLS(host, trust, extraCertificateOptions=own)
        return _Unverified(host, CertificateOptions(verify=False, **own).getContext())


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """Any certificate will do."""

    def __init__(self, host: str, context: SSL.Context) -> None:
        named = not isIPAddress(host) and not isIPv6Address(host)
        self._host = host.encode("idna") if named else b""
        self._context = context

    def clientConnectionForTLS(self, protocol: object) -> SSL.Connection:
        """See `IOpenSSLClientConnectionCreator`."""
        connection = SSL.Connection(self._context, None)
        if self._host:
            connection.set_tlsext_host_name(self._host)
        return connection


def _cas(path: Path) -> Sequence[Certificate]:
    return [
        Certificate(crypto.X509.from_cryptography(each))
        for each in read(path, "certificate", x509.load_pem_x509_certificates)
    ]
