"""The active plug-in of a gateway: its charge points can be called from anywhere, over NATS.

Imports the plug-in base, the interfaces and its neighbours. It hears who comes and goes as an
action plug-in does, and answers nothing that charge points ask. Every other plug-in of the server
gets a caller that reaches the charge points of all gateways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ocpp_twisted.attached import IAttached, Surroundings
from ocpp_twisted.errors import NotConnected
from ocpp_twisted.hub import Hub
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import (
    IActiveCaller,
    IActiveCallPlugin,
    IChargePoint,
    IListsNodes,
    IMeasured,
    IProvidesCaller,
    IReportsHealth,
    ISharedMemory,
    Node,
)
from ocpp_twisted.measuring import Counted
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.plugins.nats.caller import NatsCaller
from ocpp_twisted.plugins.nats.commands import Commands
from ocpp_twisted.plugins.nats.directory import Directory, nodes_bucket, owners_bucket
from ocpp_twisted.plugins.nats.events import Events
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.nearest import NearestCaller
from ocpp_twisted.plugins.nats.nodes import Sign
from ocpp_twisted.plugins.nats.ownership import Ownership
from ocpp_twisted.plugins.nats.reach import check_reactor
from ocpp_twisted.plugins.nats.settings import settings_of
from ocpp_twisted.plugins.nats.shared import SharedMemory

__all__ = ["ActiveNatsPlugin"]


@implementer(
    IActiveCallPlugin,
    IAttached,
    IListsNodes,
    IMeasured,
    IProvidesCaller,
    IReportsHealth,
    ISharedMemory,
)
class ActiveNatsPlugin(ActionPlugin):
    """Lets anybody call the charge points that are connected here.

    Its configuration: `settings_of`.

    :param reactor: the asyncio reactor.
    """

    name = "nats"
    #: If another plug-in does, they are published for who asks for them.
    sees_messages = False

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._hub: Hub | None = None
        self._link: Link | None = None
        self._ownership: Ownership | None = None
        self._commands: Commands | None = None
        self._share: Callable[[Identity], Deferred[None]] = lambda identity: succeed(None)

    def attach(self, surroundings: Surroundings) -> None:
        """See `IAttached.attach`."""
        self._hub = surroundings.hub

    def caller(self, local: IActiveCaller, config: Mapping[str, Any]) -> IActiveCaller:
        """See `IProvidesCaller.caller`.

        :raises ConfigurationError: for an option that it does not know, or cannot use.
        """
        check_reactor(self._reactor, "ocpp")
        settings = settings_of(config)
        link, subjects = Link(settings.link, self._reactor), settings.subjects
        self._events = Events(link, subjects, settings.node, self._reactor)
        commands = Commands(
            link, local, settings.node, settings.limit, self._events.watch, self._share
        )
        bucket = owners_bucket(link, subjects, settings.replicas)

        def evict(identity: Identity) -> None:
            closing: Deferred[Any] = local.disconnect(identity, 1000, "connected elsewhere")
            closing.addErrback(lambda failure: failure.trap(NotConnected) and None)

        self._ownership = Ownership(
            link,
            subjects,
            settings.node,
            bucket,
            commands.take,
            commands.refuse,
            evict,
            self._reactor,
        )
        self._sign = Sign(
            link,
            nodes_bucket(link, subjects, settings.replicas),
            settings.node,
            self._ownership.session,
            "gateway",
            self._load,
            self._reactor,
        )
        self._directory = Directory(link, subjects)
        self._memory = SharedMemory(link, subjects, settings.replicas)
        self._link, self._commands = link, commands
        return NearestCaller(local, NatsCaller(link, subjects))

    def start(self, caller: IActiveCaller, config: Mapping[str, Any]) -> None:
        """See `IActiveCallPlugin.start`. Whether NATS is there or not."""
        assert self._link is not None
        assert self._ownership is not None
        self._ownership.start()
        if self._hub is not None:
            self._events.listen(self._hub)
        self._sign.start()
        self._link.start()

    def stop(self) -> Deferred[None] | None:
        """See `IActionPlugin.stop`."""
        link, ownership = self._link, self._ownership
        if link is None or ownership is None:
            return None
        self._events.stop()
        stopped: Deferred[Any] = ownership.stop()
        return stopped.addCallback(lambda _: self._sign.stop()).addCallback(lambda _: link.stop())

    def nodes(self) -> Deferred[Sequence[Node]]:
        """See `IListsNodes.nodes`."""
        return Deferred.fromCoroutine(self._directory.nodes())

    def serve(self, share: Callable[[Identity], Deferred[None]]) -> None:
        """See `ISharedMemory.serve`."""
        self._share = share

    def settle(self, identity: Identity) -> Deferred[None]:
        """See `ISharedMemory.settle`."""
        return self._memory.settle(identity)

    def recall(self, identity: Identity) -> Deferred[tuple[bytes, int] | None]:
        """See `ISharedMemory.recall`."""
        return self._memory.recall(identity)

    def keep(self, identity: Identity, text: bytes, last: int | None) -> Deferred[int]:
        """See `ISharedMemory.keep`."""
        return self._memory.keep(identity, text, last)

    def charge_point_online(self, charge_point: IChargePoint) -> None:
        """See `IActionPlugin.charge_point_online`."""
        assert self._ownership is not None
        self._ownership.online(charge_point.identity, charge_point.version, charge_point.peer)

    def charge_point_offline(self, charge_point: IChargePoint, reason: str, seconds: float) -> None:
        """See `IActionPlugin.charge_point_offline`."""
        assert self._ownership is not None
        self._ownership.offline(charge_point.identity)

    def _load(self) -> dict[str, float]:
        assert self._ownership is not None
        assert self._commands is not None
        return {"chargePoints": len(self._ownership), "openCommands": self._commands.open}

    def trouble(self) -> str:
        """See `IReportsHealth.trouble`."""
        if self._link is None or self._ownership is None:
            return "it has not been started"
        return self._link.trouble() or self._ownership.trouble()

    def measures(self) -> list[Counted]:
        """See `IMeasured.measures`."""
        if self._ownership is None or self._commands is None:
            return []
        parts = (self._ownership, self._commands, self._events)
        return [measure for part in parts for measure in part.measures()]
