"""Gateways in this process, with a NATS server between them, and charge points that move."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActionPlugin, IActiveCaller
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugins.nats.active import ActiveNatsPlugin
from ocpp_twisted.plugins.nats.caller import NatsCaller
from ocpp_twisted.plugins.nats.subjects import Subjects
from tests.nats.case import NatsCase, NatsServer
from tests.nats.wall import Wall
from tests.support import Wire, online, until

__all__ = ["ActiveCase", "Gateway"]


class Gateway:
    """A central system with the active plug-in.

    :ivar caller: what other plug-ins of this gateway get.
    """

    def __init__(
        self, config: dict[str, Any], *plugins: IActionPlugin, limits: Limits | None = None
    ) -> None:
        self.plugin = ActiveNatsPlugin(reactor)
        self.central_system = CentralSystem(
            [*plugins, self.plugin], reactor, limits=limits, shared=self.plugin
        )
        self.caller: IActiveCaller = self.plugin.caller(self.central_system, config)
        self.plugin.start(self.caller, config)
        self.wires: list[Wire] = []

    def connect(self, charge_point: str | Identity = "CP1", version: str = "1.6") -> Wire:
        """A charge point connects."""
        wire = online(self.central_system, charge_point, version)
        self.wires.append(wire)
        return wire

    async def stop(self) -> None:
        stopped = self.central_system.stop(0)
        for wire in self.wires:
            wire.connection.lost("the test is over")
        await stopped
        await (self.plugin.stop() or _nothing())


async def _nothing() -> None:
    """Nothing."""


class ActiveCase(NatsCase):
    """A test with a NATS server that has JetStream."""

    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.server = self.new_server("-js", "-sd", str(self.directory.absolute() / "js"))
        await self.server.start()

    def config(self, server: NatsServer | None = None, **more: Any) -> dict[str, Any]:
        url = (server or self.server).url
        return {"servers": [url], "reconnect_wait": 0.05, "ping_interval": 0.5, **more}

    def new_gateway(
        self, node: str, *plugins: IActionPlugin, limits: Limits | None = None, **more: Any
    ) -> Gateway:
        """A gateway that has been started."""
        gateway = Gateway(self.config(node=node, **more), *plugins, limits=limits)
        self.addCleanup(lambda: Deferred.fromCoroutine(gateway.stop()))
        return gateway

    async def gateway(self, node: str, *plugins: IActionPlugin, **more: Any) -> Gateway:
        """A gateway that has found NATS."""
        gateway = self.new_gateway(node, *plugins, **more)
        await until(lambda: not gateway.plugin.trouble(), reactor)
        return gateway

    async def new_caller(self, *urls: str) -> NatsCaller:
        """A caller that is no gateway; at the server of the test, if no other is named."""
        self.caller_link = await self.link(*urls)
        return NatsCaller(self.caller_link, Subjects())

    async def wall(self) -> Wall:
        """What may stand between a gateway and the server."""
        wall = Wall(self.server.url)
        port = await wall.listen()
        self.addCleanup(port.stopListening)
        self.addCleanup(wall.down)
        return wall

    async def served(self, gateway: Gateway, count: int = 1) -> None:
        """Fires when a gateway holds so many charge points for certain."""
        await self.meanwhile(lambda: owned(gateway) == count)
        await gateway.plugin._link.flush()

    async def meanwhile(self, condition: Callable[[], Any]) -> Any:
        return await until(condition, reactor)

    async def call_heard(self, wire: Wire) -> list[Any]:
        """The next CALL that a charge point gets."""
        return json.loads(
            await until(lambda: wire.transport.sent and wire.transport.sent.pop(0), reactor)
        )


def owned(gateway: Gateway) -> int:
    (measure,) = [one for one in gateway.plugin.measures() if one.name == "ocpp_nats_owned"]
    return int(next(iter(measure.values.values())))
