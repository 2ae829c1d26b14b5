"""How to reach NATS: servers, names and files.

Imports the errors.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from ocpp_twisted.errors import ConfigurationError

__all__ = ["LinkOptions", "check_reactor", "without_secrets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """How to reach NATS.

    :ivar servers: URLs: ``nats://HOST:4222``, ``tls://HOST``, ``nats://USER:PASSWORD@HOST``. One is
        chosen at random; others of its cluster are learnt from it.
    :ivar name: by which the server's monitoring shows this connection.
    :ivar credentials: a file with a user's JWT and seed (``.creds``).
    :ivar token: a file with a token; it is read for each connection.
    :ivar tls_ca: a PEM file with who signs servers' certificates; None for the system's.
    :ivar tls_cert: a PEM file with this client's certificate, with `tls_key`, its key.
    :ivar reconnect_wait: seconds between two attempts to connect to a server.
    :ivar ping_interval: seconds between pings; a server that answers none of two is left.
    """

    servers: Sequence[str] = ("nats://127.0.0.1:4222",)
    name: str = ""
    credentials: Path | None = None
    token: Path | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    reconnect_wait: float = 1.0
    ping_interval: float = 5.0

    def context(self) -> ssl.SSLContext | None:
        """The TLS context; None if nothing asks for TLS.

        :raises ConfigurationError: if a file cannot be used.
        """
        by_url = any(server.startswith("tls://") for server in self.servers)
        if not by_url and self.tls_ca is None and self.tls_cert is None:
            return None
        try:
            context = ssl.create_default_context(cafile=self.tls_ca)
            if self.tls_cert is not None:
                context.load_cert_chain(self.tls_cert, self.tls_key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(each) for each in (self.tls_ca, self.tls_cert, self.tls_key))
            raise ConfigurationError(f"the files for TLS to NATS ({files}): {error}") from error
        return context

    def check(self) -> None:
        """See whether the files are there.

        :raises ConfigurationError: if one is not.
        """
        self.context()
        for file in (self.credentials, self.token):
            if file is not None and not file.is_file():
                raise ConfigurationError(f"there is no file {file}, which NATS is to be shown")


def check_reactor(reactor: Any, command: str) -> None:
    """See whether nats-py can work here.

    :param command: what is to be typed after ``twistd --reactor=asyncio -n``.
    :raises ConfigurationError: if the reactor is another than asyncio's.
    """
    if not isinstance(reactor, AsyncioSelectorReactor):
        raise ConfigurationError(
            f"NATS needs the asyncio reactor: type twistd --reactor=asyncio -n {command} "
            "(or --reactor=uvloop)"
        )


def without_secrets(url: str) -> str:
    """The URL of a server, for the log."""
    scheme, separator, rest = url.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]
