"""Where a charge point connects to, and what it shows there.

Imports the errors, the identity and the TLS of clients. Source: OCPP-J 1.6 sections 3.1.1 and 6.2,
OCPP 2.1 part 4 section 3.1.1: the charge point's id, percent-encoded, is the last segment of the
URL, and the user name of HTTP Basic.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, unquote, urlsplit

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.identity import unusable
from ocpp_twisted.websocket.client_tls import ClientTLS

__all__ = ["Target"]

_PORTS = {"ws": 80, "wss": 443}


@dataclass(frozen=True, kw_only=True)
class Target:
    """A central system as one charge point knows it.

    :ivar url: ``ws://HOST:PORT/PATH/ID`` or ``wss://...``, the id percent-encoded. `at` makes one.
    :ivar password: the AuthorizationKey or BasicAuthPassword, as bytes (security profiles 1 and
        2); None to show none.
    :ivar tls: whom to trust, and which certificate to show (security profiles 2 and 3).
    :ivar headers: more headers of the handshake.
    :ivar ping_interval: seconds of silence before a ping (WebSocketPingInterval); 0 for none, None
        for those of the `Dialer`.
    :ivar source: the local address to connect from; empty for any.
    :raises ConfigurationError: if the URL is none of these, or names no charge point.
    """

    url: str
    password: bytes | None = field(default=None, repr=False)
    tls: ClientTLS = field(default_factory=ClientTLS)
    headers: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    ping_interval: float | None = None

    def __post_init__(self) -> None:
        try:
            good = urlsplit(self.url).scheme in _PORTS and self.host and 0 < self.port < 65536
        except ValueError:
            good = False
        if not good or urlsplit(self.url).fragment:
            raise ConfigurationError(
                f"{self.url!r} is not where a charge point connects to: write ws://HOST:PORT/ID or "
                "wss://HOST:PORT/ID, with any path before the id"
            )
        why = unusable(self.id) if self.id else "is missing"
        if why:
            raise ConfigurationError(f"{self.url!r}: the charge point's id, its last part, {why}")
        if "@" in urlsplit(self.url).netloc:
            raise ConfigurationError(
                f"the URL of {self.id!r} holds a password, which would stand in logs: give it apart"
            )

    @classmethod
    def at(
        cls,
        base: str,
        charge_point_id: str,
        password: bytes | None = None,
        tls: ClientTLS | None = None,
        source: str = "",
    ) -> Target:
        """The target of a charge point at a central system.

        :param base: the URL without the id: ``ws://HOST:PORT/PATH``.
        """
        url = f"{base.rstrip('/')}/{quote(charge_point_id, safe='')}"
        tls = tls if tls is not None else ClientTLS()
        return cls(url=url, password=password, tls=tls, source=source)

    @cached_property
    def id(self) -> str:
        """The charge point's id."""
        return unquote(urlsplit(self.url).path.rpartition("/")[2])

    @property
    def secure(self) -> bool:
        """Whether it is reached over TLS."""
        return urlsplit(self.url).scheme == "wss"

    @property
    def host(self) -> str:
        """The name or address of the central system."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Its TCP port."""
        parts = urlsplit(self.url)
        return _PORTS[parts.scheme] if parts.port is None else parts.port

    @property
    def resource(self) -> str:
        """What the request line asks for."""
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def request_headers(self) -> dict[str, str]:
        """The headers of the handshake, beside those of RFC 6455."""
        headers = dict(self.headers)
        if self.password is not None:
            pair = self.id.encode() + b":" + self.password
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return headers

    @property
    def security_profile(self) -> int:
        """What the charge point shows, as a security profile (1.6 whitepaper, A00)."""
        if self.secure and self.tls.cert is not None:
            return 3
        if self.password is None:
            return 0
        return 2 if self.secure else 1
