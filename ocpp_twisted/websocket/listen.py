"""Sockets to listen on: Twisted's endpoints, with room for a crowd, and ports that are shared.

Imports Twisted's names, the errors and the proxies.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper
from twisted.protocols.policies import WrappingFactory

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.security.proxies import Proxies
from ocpp_twisted.websocket.refusals import Sparing

__all__ = ["listen"]

_log = Logger()

#: Connections that may wait to be accepted. Twisted's 50 are few when power comes back: those
#: beyond try again after a second, then after two. The kernel has a limit of its own.
_BACKLOG = 4096

#: Before an endpoint where proxies connect that speak the PROXY protocol, as Twisted has it.
_PROXIED = "haproxy:"
_TCP = re.compile(r"(tcp6?):(?:port=)?(\d+)(?::interface=(.+))?")


def listen(
    reactor: Any,
    description: str,
    factory: IProtocolFactory,
    shared: bool = False,
    proxies: Proxies | None = None,
    before: Callable[[IProtocolFactory], IProtocolFactory] = lambda inside: inside,
) -> Deferred[IListeningPort]:
    """Listen on a Twisted endpoint description.

    :param shared: whether other processes may listen on the same port (SO_REUSEPORT): the kernel
        spreads the connections over all of them.
    :param proxies: who may connect where ``haproxy:`` stands before the description.
    :param before: puts something before all that, for example a `Turnstile`.
    :returns: a Deferred of the port. Its errback is a `CannotListenError` if the address cannot
        be had, or a `ConfigurationError` if an endpoint of this kind cannot be shared, or
        systemd has handed over no such socket.
    """
    if description.startswith(_PROXIED):
        description = description.removeprefix(_PROXIED)
        proxies = proxies if proxies is not None else Proxies()
        factory = _Proxied(factory, proxies, reactor.seconds)
    factory = before(factory)
    if shared:
        return _listen_shared(reactor, description, factory)
    if description.startswith(("tcp:", "tcp6:")) and "backlog=" not in description:
        description = f"{description}:backlog={_BACKLOG}"
    try:
        endpoint = serverFromString(reactor, description)
    except (IndexError, KeyError) as error:
        raise ConfigurationError(
            f"{description}: systemd has not handed over such a socket to this process: start it "
            "by its socket unit (deploy/ocpp.socket)"
        ) from error
    port: Deferred[IListeningPort] = endpoint.listen(factory)
    return port


def _listen_shared(
    reactor: Any, description: str, factory: IProtocolFactory
) -> Deferred[IListeningPort]:
    known = _TCP.fullmatch(description)
    if known is None:
        raise ConfigurationError(
            f"{description} cannot be shared with other processes: that is for ports (9000) and "
            "tcp endpoints (tcp:9000:interface=127.0.0.1)"
        )
    family = socket.AF_INET6 if known[1] == "tcp6" else socket.AF_INET
    host, number = (known[3] or "").replace("\\:", ":"), int(known[2])
    with socket.socket(family, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            bound.bind((host, number))
            bound.listen(_BACKLOG)
        except OSError as error:
            raise CannotListenError(host, number, error) from error
        bound.setblocking(False)
        # The reactor takes a copy of the socket; this one is closed.
        return succeed(reactor.adoptStreamPort(bound.fileno(), family, factory))


class _Proxied(WrappingFactory[HAProxyProtocolWrapper]):
    """The PROXY protocol, versions 1 and 2, from proxies that are listed."""

    protocol = HAProxyProtocolWrapper
    noisy = False

    def __init__(
        self, inside: IProtocolFactory, proxies: Proxies, seconds: Callable[[], float]
    ) -> None:
        super().__init__(inside)
        self._proxies = proxies
        self._sparing = Sparing(seconds)

    # Twisted's has no way of saying no.
    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> HAProxyProtocolWrapper | None:
        """A protocol for a new socket; None if it is no proxy's, or the factory has none."""
        host = str(getattr(addr, "host", ""))
        if not self._proxies.trust(host):
            if (others := self._sparing.take()) is not None:
                text = "not a proxy that is listed with --proxy: {host}{others}"
                _log.warn(text, host=host, others=others)
            return None
        inside = self.wrappedFactory.buildProtocol(addr)
        return None if inside is None else self.protocol(self, inside)
