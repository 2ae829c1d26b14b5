"""Who is connected: the one place that knows every charge point of this process.

Imports connections and what is below them. Owns the connections that a server brings
(`IConnectionOwner`) and calls charge points (`IActiveCaller`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count, islice
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from ocpp_twisted.answering import run_handler
from ocpp_twisted.connection import Connection
from ocpp_twisted.deadlines import Deadlines
from ocpp_twisted.errors import NotConnected
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import (
    ConnectedChargePoint,
    IActionPlugin,
    IActiveCaller,
    IChargePoint,
    IConnectionOwner,
    IKnowsChargePoints,
    IMessageTransport,
    IObserver,
    ISharedMemory,
    RepairCount,
)
from ocpp_twisted.limits import Limits
from ocpp_twisted.ocppj.catalogue import Catalogue
from ocpp_twisted.ocppj.message import Request, ResponseT_co
from ocpp_twisted.ocppj.session import Session
from ocpp_twisted.quirks import Quirks
from ocpp_twisted.recalling import Recalling
from ocpp_twisted.remembered import Memory
from ocpp_twisted.routing import routes, with_custom_actions
from ocpp_twisted.sharing import Sharing
from ocpp_twisted.versions import CATALOGUES

__all__ = ["CentralSystem"]

_log = Logger()
#: Seconds that handlers have to end before what is remembered is shared without their answers.
_WORK_SECONDS = 0.8
#: Seconds between two bunches of connections that are closed.
_DRAIN_SECONDS = 0.1


@implementer(IActiveCaller, IConnectionOwner)
class CentralSystem:
    """The charge points of this process, and their plug-ins.

    :param action_plugins: the first that has a handler for a request answers it; all of them
        hear of everything else.
    :param clock: the reactor, or a `twisted.internet.task.Clock` in tests.
    :param catalogues: the versions to speak; all by default.
    :param limits: what one connection may use.
    :param observer: is told what becomes of messages.
    :param shared: keeps what is remembered of charge points for other processes, too.
    :raises ConfigurationError: if a plug-in's custom actions cannot be used.
    """

    def __init__(
        self,
        action_plugins: Sequence[IActionPlugin],
        clock: IReactorTime,
        catalogues: Iterable[Catalogue] = CATALOGUES.values(),
        limits: Limits | None = None,
        quirks: Quirks | None = None,
        observer: IObserver | None = None,
        shared: ISharedMemory | None = None,
    ) -> None:
        self._plugins = tuple(action_plugins)
        self._clock = clock
        self._limits = limits if limits is not None else Limits()
        self._quirks = quirks if quirks is not None else Quirks()
        self._deadlines = Deadlines(clock)
        self._observer = observer
        self._versions = {
            catalogue.rules.subprotocol: (catalogue, routes(catalogue, self._plugins, observer))
            for catalogue in with_custom_actions(catalogues, self._plugins)
        }
        self._connections: dict[Identity, Connection] = {}
        self._sharing = None if shared is None else Sharing(shared, self._limits, clock)
        self._memory = Memory(self._limits, self._sharing)
        if shared is not None:
            shared.serve(self._share)
        knows = next((one for one in self._plugins if IKnowsChargePoints.providedBy(one)), None)
        self._recalling = Recalling(self._sharing, knows, clock)
        #: Those who wait until all connections have ended; nobody as long as it does not stop.
        self._waiting: list[Deferred[None]] = []
        # Message ids differ from all that any process ever sent: 2.x wants them unique for each
        # charge point, not for each connection (2.1 part 4, section 4.1.4).
        prefix, numbers = secrets.token_hex(8), count(1)
        self._new_id = lambda: f"{prefix}-{next(numbers)}"

    @property
    def subprotocols(self) -> Sequence[str]:
        """See `IConnectionOwner.subprotocols`."""
        return tuple(self._versions)

    @property
    def charge_points(self) -> Mapping[Identity, IChargePoint]:
        """The charge points that are connected now: a live, read-only view."""
        return MappingProxyType(self._connections)

    def call(
        self,
        charge_point: str | Identity,
        request: Request[ResponseT_co],
        timeout: float | None = None,
    ) -> Deferred[ResponseT_co]:
        """See `IActiveCaller.call`."""
        connection = self._connections.get(Identity.of(charge_point))
        if connection is None:
            return fail(_not_connected(charge_point))
        return connection.call(request, timeout)

    def call_json(
        self,
        charge_point: str | Identity,
        action: str,
        payload: bytes,
        timeout: float | None = None,
    ) -> Deferred[bytes]:
        """See `IActiveCaller.call_json`."""
        connection = self._connections.get(Identity.of(charge_point))
        if connection is None:
            return fail(_not_connected(charge_point))
        return connection.call_json(action, payload, timeout)

    def connected(
        self, charge_point: str | Identity | None = None
    ) -> Deferred[Sequence[ConnectedChargePoint]]:
        """See `IActiveCaller.connected`."""
        now = self._clock.seconds()
        if charge_point is None:
            return succeed([_connected(each, now) for each in self._connections.values()])
        one = self._connections.get(Identity.of(charge_point))
        if one is None:
            return succeed([])
        return succeed([replace(_connected(one, now), repairs=_repairs(one))])

    def disconnect(
        self, charge_point: str | Identity, code: int = 1000, reason: str = ""
    ) -> Deferred[None]:
        """See `IActiveCaller.disconnect`."""
        connection = self._connections.get(Identity.of(charge_point))
        if connection is None:
            return fail(_not_connected(charge_point))
        connection.close(code, reason)
        return succeed(None)

    def register(self, charge_point: str | Identity, status: str) -> Deferred[None]:
        """See `IActiveCaller.register`."""
        identity = Identity.of(charge_point)
        connection = self._connections.get(identity)
        if connection is not None:
            connection.register(status)
        else:
            self._memory.register(identity, status)
        return succeed(None)

    def connection_made(
        self, identity: Identity, subprotocol: str, transport: IMessageTransport
    ) -> Connection:
        """See `IConnectionOwner.connection_made`. The newest connection wins."""
        catalogue, handlers = self._versions[subprotocol]
        old = self._connections.get(identity)
        remembered = old.remembered if old is not None else self._memory.recall(identity)
        limits = self._limits
        session = Session(catalogue, self._new_id, limits.queued_calls, limits.json_depth)
        session.leniency = self._quirks.leniency(catalogue.version, *remembered.maker)
        connection = Connection(
            identity,
            session,
            handlers,
            transport,
            self._deadlines,
            self._connection_ended,
            self._limits,
            remembered,
            self._observer,
        )
        self._connections[identity] = connection
        _log.info("charge point online: {charge_point}", charge_point=connection)
        if old is not None:
            old.replace()
        self._tell("charge_point_online", connection)
        if self._waiting:
            connection.finish()
        if self._recalling.is_due(remembered):
            self._recall(connection, session)
        return connection

    def _recall(self, connection: Connection, session: Session) -> None:
        """What a charge point says is held until it is known what others know of it."""
        remembered = connection.remembered
        connection.hold()

        def go_on(result: None) -> None:
            session.leniency = self._quirks.leniency(connection.version, *remembered.maker)
            connection.go_on()

        recalling = self._recalling.recall(connection.identity, remembered, session.catalogue)
        recalling.addCallback(go_on)

    def _share(self, identity: Identity) -> Deferred[None]:
        """See `ISharedMemory.serve`."""
        connection = self._connections.get(identity)
        remembered = self._memory.find(identity) if connection is None else connection.remembered
        if remembered is None or self._sharing is None:
            return succeed(None)
        sharing = self._sharing
        idle: Deferred[Any] = remembered.idle().addTimeout(_WORK_SECONDS, self._clock)
        idle.addErrback(lambda failure: None)  # it takes too long
        return idle.addCallback(lambda _: sharing.share(identity, remembered))

    def stop(self, grace: float, rate: int | None = None) -> Deferred[None]:
        """Close every connection with 1001.

        :param grace: seconds for the CALLs that are open, in either direction, to be answered.
        :param rate: how many connections are closed in a second, so that not all of their charge
            points connect elsewhere at once; those that wait are served. None for all at once.
        :returns: a Deferred that fires when all connections have ended.
        """
        if self._sharing is not None:
            self._sharing.stop()
        if not self._connections:
            return succeed(None)
        all_gone: Deferred[None] = Deferred()
        self._waiting.append(all_gone)
        connections = iter(list(self._connections.values()))
        seconds = 0.0 if rate is None else len(self._connections) / rate
        late = self._clock.callLater(seconds + grace, self._close_all)
        step = max(_DRAIN_SECONDS, 0.0 if rate is None else 1 / rate)
        most = None if rate is None else max(1, round(rate * step))

        def drain() -> None:
            for connection in islice(connections, most):
                connection.finish()

        draining = LoopingCall(drain)
        draining.clock = self._clock
        draining.start(step)

        def gone(result: None) -> None:
            draining.stop()
            if late.active():
                late.cancel()

        return all_gone.addCallback(gone)

    def _close_all(self) -> None:
        for connection in list(self._connections.values()):
            connection.close(1001, "the central system stops")

    def _connection_ended(self, connection: Connection, reason: str) -> None:
        seconds = self._clock.seconds() - connection.since
        _log.info(
            "connection ended after {seconds:.1f} s: {charge_point}: {reason}",
            charge_point=connection,
            seconds=seconds,
            reason=reason,
        )
        if self._connections.get(connection.identity) is not connection:
            return  # replaced: the charge point is online on its new connection
        del self._connections[connection.identity]
        self._memory.keep(connection.identity, connection.remembered)
        self._tell("charge_point_offline", connection, reason, seconds)
        if not self._connections:
            waiting, self._waiting = self._waiting, []
            for all_gone in waiting:
                all_gone.callback(None)

    def _tell(self, hook: str, connection: Connection, *arguments: Any) -> None:
        for plugin in self._plugins:
            run_handler(getattr(plugin, hook), connection, *arguments)


def _connected(connection: Connection, now: float) -> ConnectedChargePoint:
    return ConnectedChargePoint(
        identity=connection.identity,
        version=connection.version,
        peer=connection.peer,
        seconds=now - connection.since,
    )


def _repairs(connection: Connection) -> list[RepairCount]:
    return [
        RepairCount(repair.kind, repair.action, repair.path, count)
        for repair, count in connection.repairs.items()
    ]


def _not_connected(charge_point: str | Identity) -> NotConnected:
    return NotConnected(f"{charge_point} is not connected")
