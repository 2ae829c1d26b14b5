"""The plug-in itself: its configuration, its operations, and its listening socket.

Imports what it is attached to, the interfaces and its neighbours.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.logger import Logger
from zope.interface import implementer

from ocpp_twisted.attached import IAttached, Surroundings
from ocpp_twisted.complaints import Complaints
from ocpp_twisted.data_directory import HTTP_TOKEN
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.interfaces import (
    IActiveCaller,
    IActiveCallPlugin,
    IChecksConfig,
    IOperations,
    IShowsOperations,
    IStopsLast,
)
from ocpp_twisted.places import only_here
from ocpp_twisted.plugins.http.app import application
from ocpp_twisted.plugins.http.calls import Calls
from ocpp_twisted.plugins.http.charge_points import ChargePoints
from ocpp_twisted.plugins.http.events import Events
from ocpp_twisted.plugins.http.guard import Guard, is_loopback
from ocpp_twisted.plugins.http.id_tags import IdTags
from ocpp_twisted.plugins.http.idempotency import Answers
from ocpp_twisted.plugins.http.nodes import Nodes
from ocpp_twisted.plugins.http.openapi import Description, document
from ocpp_twisted.plugins.http.operations import operations_of
from ocpp_twisted.plugins.http.passwords import Passwords
from ocpp_twisted.plugins.http.shown import HEALTH, Shown
from ocpp_twisted.plugins.http.site import BoundedSite
from ocpp_twisted.plugins.http.token import check_kept, checked, kept_token
from ocpp_twisted.plugins.http.told import Told
from ocpp_twisted.plugins.http.transactions import Transactions

__all__ = ["HTTPPlugin", "http_plugin"]

_log = Logger()
#: A limit to a list of some 10,000 id tags; no other body is large.
_BODY_LIMIT = 1024 * 1024
_LISTEN = "tcp:8080:interface=127.0.0.1"
_OPTIONS = {"listen", "token", "origins"}


@implementer(IActiveCallPlugin, IAttached, IChecksConfig, IShowsOperations, IStopsLast)
class HTTPPlugin:
    """Serves the central system over HTTP.

    Its configuration: ``listen``, a Twisted endpoint description (default: port 8080 of the
    loopback interface); ``token``, the bearer token that is needed (default: none on loopback;
    elsewhere one that is made and kept in the data directory); ``origins``, of web pages that may
    ask.
    """

    name = "http"
    sees_messages = True

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._port: IListeningPort | None = None
        self._surroundings: Surroundings | None = None
        self._operations: IOperations | None = None

    @property
    def address(self) -> IAddress:
        """Where it listens."""
        assert self._port is not None
        return self._port.getHost()

    def attach(self, surroundings: Surroundings) -> None:
        """See `IAttached.attach`."""
        self._surroundings = surroundings

    def operations(self, operations: IOperations) -> None:
        """See `IShowsOperations.operations`."""
        self._operations = operations

    def check_config(self, config: Mapping[str, Any], data_directory: Path) -> list[str]:
        """See `IChecksConfig.check_config`."""
        return self._complaints(config, data_directory).sentences

    def _complaints(self, config: Mapping[str, Any], data_directory: Path) -> Complaints:
        wrong = Complaints()
        for option in sorted(config.keys() - _OPTIONS):
            known = ", ".join(sorted(_OPTIONS))
            wrong.add(f"plug-in http: there is no option {option!r}; it has {known}")
        with wrong.collect():
            if (token := config.get("token")) is not None:
                checked(token, "the option")
            elif not only_here(config.get("listen", _LISTEN)):
                check_kept(data_directory / HTTP_TOKEN)
        return wrong

    def start(self, caller: IActiveCaller, config: Mapping[str, Any]) -> Deferred[None]:
        """See `IActiveCallPlugin.start`.

        :raises ConfigurationError: if an option or the address cannot be used.
        """
        assert self._surroundings is not None, "a server attaches it first"
        self._complaints(config, self._surroundings.data_directory).tell()
        return Deferred.fromCoroutine(self._start(caller, config))

    def stopping(self) -> None:
        """See `IStopsLast.stopping`: event streams end, and nothing but the health is told."""
        self._shown.stopping = True
        self._events.stop()

    def stop(self) -> Deferred[None]:
        """See `IActiveCallPlugin.stop`; fires when the last response has been sent."""
        assert self._port is not None
        port, self._port = self._port, None
        stopped: Deferred[None] = maybeDeferred(port.stopListening)  # type: ignore[call-overload]
        finished = self._site.finish()
        return stopped.addCallback(lambda _: finished)

    async def _start(self, caller: IActiveCaller, config: Mapping[str, Any]) -> None:
        assert self._surroundings is not None, "a server attaches it first"
        token = config.get("token")
        self._shown = Shown(self._operations, self._application(caller, self._surroundings))
        # Until it is known who can reach it, nobody has the token.
        guard = Guard(
            self._shown,
            secrets.token_hex(),
            config.get("origins", ()),
            HEALTH,
        )
        self._site = BoundedSite(guard, _BODY_LIMIT, self._reactor)
        listen = config.get("listen", _LISTEN)
        try:
            self._port = await serverFromString(self._reactor, listen).listen(self._site)
        except CannotListenError as error:
            self._events.stop()
            raise ConfigurationError(
                f"cannot listen for HTTP on {listen}: {error.socketError}; "
                "choose another port, or stop what uses it"
            ) from error
        if token is None and not is_loopback(self.address):
            path = self._surroundings.data_directory / HTTP_TOKEN
            try:
                token = kept_token(path)
            except ConfigurationError:
                self._events.stop()
                await self.stop()
                raise
            _log.info("HTTP asks for the token in {path}", path=str(path))
        secure = listen.startswith(("ssl:", "tls:"))
        if not is_loopback(self.address) and not secure:
            _log.warn("HTTP beyond this machine is without TLS: whoever listens learns the token")
        guard.token = token
        _log.info("HTTP on {address}", address=_told(self.address, secure))

    def _application(self, caller: IActiveCaller, surroundings: Surroundings) -> Any:
        records = surroundings.records
        charge_points = ChargePoints(caller, records, surroundings.messages)
        self._events = Events(surroundings.hub, self._reactor)
        description = Description()
        operations = [
            known
            for resource in (
                Calls(caller, records, charge_points.known, Answers(self._reactor.seconds)),
                charge_points,
                Passwords(caller, records),
                IdTags(records),
                Transactions(records),
                Told(records),
                Nodes(surroundings.nodes),
                self._events,
                description,
            )
            for known in operations_of(resource)
        ]
        description.document = document(operations)
        return application(operations).resource()


def _told(address: IAddress, secure: bool) -> str:
    """Where it listens, for people."""
    if not isinstance(address, IPv4Address | IPv6Address):
        return str(address)
    host = f"[{address.host}]" if isinstance(address, IPv6Address) else address.host
    return f"{'https' if secure else 'http'}://{host}:{address.port}"


def http_plugin() -> HTTPPlugin:
    """What the declaration names; the reactor is imported no sooner than this."""
    from twisted.internet import reactor

    return HTTPPlugin(reactor)
