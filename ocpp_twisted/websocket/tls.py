"""TLS for the server: contexts for the given certificates, and the factory that uses them.

Imports pyOpenSSL and Twisted's names. TLS 1.2 and up (OCPP 2.1 part 2, security profile 2;
OCPP 1.6 security whitepaper, A00.FR.312 and A00.FR.416), and older for a listener that says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.websocket.certificates import (
    Loaded,
    Pair,
    TLSFiles,
    development_certificate,
    load_tls,
)
from ocpp_twisted.websocket.fastpath import AtOnceTLS
from ocpp_twisted.websocket.refusals import Sparing, verifier, why

__all__ = ["ServerTLS", "TLSFactory", "development_certificate", "server_context"]

_log = Logger()

#: Whitepaper, A00.FR.317 and A00.FR.421, and the same with ECDHE and RSA certificates, which keep
#: what was said secret if the key is lost later. TLS 1.3 has its own, all of them good.
_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:"
    "AES128-GCM-SHA256:AES256-GCM-SHA384"
)
#: What old charge points have: A00.FR.324 and A00.FR.428.
_LEGACY_SUITE = "AES128-SHA"
_OPTIONS = (
    SSL.OP_NO_COMPRESSION  # A00.FR.320 and A00.FR.424
    | SSL.OP_NO_RENEGOTIATION
    | SSL.OP_CIPHER_SERVER_PREFERENCE
)
#: OpenSSL's X509_V_FLAG_PARTIAL_CHAIN, by pyOpenSSL's name for it.
_ANY_CA = crypto.X509StoreFlags.PARTIAL_CHAIN


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """The TLS of a listener: a context for each server name that has certificates of its own.

    :param client_certificates: whether charge points must show a certificate by one of the
        client CAs (security profile 3). They resume no sessions then: a ticket would bring back
        what is revoked since.
    :param legacy: whether TLS 1.0 and 1.1 will do.
    :raises ConfigurationError: if OpenSSL refuses a certificate, or a key belongs to another.
    """

    def __init__(
        self, loaded: Loaded, *, client_certificates: bool = False, legacy: bool = False
    ) -> None:
        self._client_certificates = client_certificates
        self._legacy = legacy
        self.use(loaded)

    def use(self, loaded: Loaded) -> None:
        """Take other files for the handshakes to come; nothing changes if they cannot be used.

        :raises ConfigurationError: as the class.
        """
        self.take(self.prepare(loaded))

    def prepare(self, loaded: Loaded) -> _Contexts:
        """Contexts that `take` may be given.

        :raises ConfigurationError: as the class.
        """
        if self._client_certificates and not loaded.client_cas:
            raise ConfigurationError(
                "client certificates are demanded, but nobody may issue them: give --tls-client-ca"
            )
        if self._legacy and not any(
            isinstance(each.key, rsa.RSAPrivateKey) for each in loaded.pairs
        ):
            raise ConfigurationError(
                "--wss-legacy needs a certificate with an RSA key, which is all that old charge "
                "points know: give one more --tls-cert and --tls-key"
            )
        return _Contexts(loaded, self._client_certificates, self._legacy)

    def take(self, contexts: _Contexts) -> None:
        """Use these for the handshakes to come. Connections that are up keep what they have."""
        self._contexts = contexts

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """See `IOpenSSLServerConnectionCreator`."""
        return SSL.Connection(self._contexts.default, None)

    def speaks_tls_1_0(self) -> bool:
        """Whether this machine's OpenSSL, as it is built and set up, goes on with TLS 1.0."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_cipher_list(f"{_LEGACY_SUITE}:@SECLEVEL=0".encode())
        context.set_max_proto_version(SSL.TLS1_VERSION)
        client, server = SSL.Connection(context, None), self.serverConnectionForTLS(None)
        client.set_connect_state()
        server.set_accept_state()
        try:
            for one, other in ((client, server), (server, client)):
                with contextlib.suppress(SSL.WantReadError):
                    one.do_handshake()
                other.bio_write(one.bio_read(65536))
        except SSL.Error:
            return False
        return True


class _Contexts:
    """All contexts of a listener, made of the same files."""

    def __init__(self, loaded: Loaded, client_certificates: bool, legacy: bool) -> None:
        self._loaded = loaded
        self._client_certificates = client_certificates
        self._legacy = legacy
        first = loaded.pairs[0]
        alike = [each for each in loaded.pairs if each.names & first.names]
        made: dict[tuple[Pair, ...], SSL.Context] = {}

        def context(pairs: Iterable[Pair]) -> SSL.Context:
            chosen = tuple({type(pair.key): pair for pair in reversed(list(pairs))}.values())
            if chosen not in made:
                made[chosen] = self._context(chosen)
            return made[chosen]

        self.default = context([first, *alike])
        names = {name for pair in loaded.pairs for name in pair.names}
        self._by_name = {name: context(_for_name(name, loaded.pairs)) for name in names}
        if len(made) > 1:
            self.default.set_tlsext_servername_callback(self._choose)

    def _choose(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        wild = f"*.{name.partition('.')[2]}"
        context = self._by_name.get(name) or self._by_name.get(wild)
        if context is not None:
            connection.set_context(context)

    def _context(self, pairs: Iterable[Pair]) -> SSL.Context:
        """A context with these certificates, of which no two have keys of one kind."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_options(_OPTIONS)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 34 kB for each connection that is idle
        if self._legacy:
            context.set_min_proto_version(SSL.TLS1_VERSION)
            # TLS 1.0 signs with MD5 and SHA-1 together, which OpenSSL 3 has at this level only.
            context.set_cipher_list(f"{_SUITES}:{_LEGACY_SUITE}:@SECLEVEL=0".encode())
        else:
            context.set_min_proto_version(SSL.TLS1_2_VERSION)
            # Level 2: keys as A00.FR.501 to A00.FR.503 want them, no SHA-1.
            context.set_cipher_list(f"{_SUITES}:@SECLEVEL=2".encode())
        # No sessions are kept here. A charge point that comes back with its ticket saves the
        # signature, most of a handshake.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_session_id(b"ocpp")
        for pair in pairs:
            _use(context, pair)
        if self._client_certificates:
            self._demand_client_certificate(context)
        return context

    def _demand_client_certificate(self, context: SSL.Context) -> None:
        context.set_options(SSL.OP_NO_TICKET)
        context.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verifier(self._loaded.revoked)
        )
        store = context.get_cert_store()
        assert store is not None
        store.set_flags(_ANY_CA)  # the CA of a manufacturer may be given without those above it
        for ca in self._loaded.client_cas:
            store.add_cert(crypto.X509.from_cryptography(ca))
            context.add_client_ca(ca)


class TLSFactory(TLSMemoryBIOFactory):
    """TLS around an `OCPPServerFactory`, which may refuse a socket; Twisted's does not expect that.

    Handshakes that fail are counted there, and logged: A00.FR.323 and A00.FR.408.
    """

    protocol = AtOnceTLS

    def __init__(
        self,
        contextFactory: IOpenSSLServerConnectionCreator,
        isClient: bool,
        wrappedFactory: Any,
        clock: IReactorTime | None = None,
    ) -> None:
        super().__init__(contextFactory, isClient, wrappedFactory, clock)
        self._sparing = Sparing(self._clock.seconds)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A protocol for a new socket; None if the factory inside has none."""
        inside = self.wrappedFactory.buildProtocol(addr)
        return None if inside is None else self.protocol(self, inside)

    def handshake_failed(self, protocol: Any, error: SSL.Error) -> None:
        """Count it, and tell; called by the protocol."""
        found = why(protocol.getHandle(), error)
        if found is None:
            return
        counts: Any = self.wrappedFactory
        counts.counts.tls_refused[found.kind] += 1
        others = self._sparing.take()
        if others is not None:
            _log.warn(
                "TLS handshake refused: {peer}: {reason}{others}",
                peer=protocol.wrappedProtocol.peer,
                reason=found.text,
                others=others,
            )


def server_context(certificate: Path, key: Path) -> ServerTLS:
    """The TLS of a server with one certificate, as `TLSFactory` wants it.

    :param certificate: a PEM file: the server's certificate, then the intermediate ones.
    :param key: a PEM file with its private key, not encrypted.
    :raises ConfigurationError: if one cannot be read, or they do not belong together.
    """
    return ServerTLS(load_tls(TLSFiles(pairs=[(certificate, key)])))


def _for_name(name: str, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs for a name: those that have it, then those that have it by a wildcard."""
    wild = f"*.{name.partition('.')[2]}"
    return [
        *(each for each in pairs if name in each.names),
        *(each for each in pairs if wild in each.names),
    ]


def _use(context: SSL.Context, pair: Pair) -> None:
    try:
        context.use_certificate_chain_file(str(pair.certificate_file))
    except SSL.Error as error:
        reason = ", ".join(str(words[-1]) for words in error.args[0])
        raise ConfigurationError(
            f"OpenSSL refuses the certificate {pair.certificate_file}: {reason}; use another one"
        ) from error
    try:
        context.use_privatekey(pair.key)  # type: ignore[arg-type]
        context.check_privatekey()
    except SSL.Error:
        raise ConfigurationError(
            f"the private key {pair.key_file} does not belong to the certificate "
            f"{pair.certificate_file}: give the pair that was issued together"
        ) from None
