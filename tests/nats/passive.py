"""A gateway and workers in this process, with a NATS server between them."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.plugins.nats.passive import NatsPlugin
from ocpp_twisted.quirks import Quirks
from ocpp_twisted.worker_service import WorkerService, WorkerSettings
from tests.nats.case import NatsCase
from tests.support import Wire, online, until

__all__ = ["PassiveCase", "call"]


def call(action: str, payload: Any = None, message_id: str = "m1") -> str:
    """A CALL of a charge point."""
    return json.dumps([2, message_id, action, payload or {}])


class PassiveCase(NatsCase):
    def config(self, **more: Any) -> dict[str, Any]:
        """The configuration of gateways and workers."""
        fast = {"reconnect_wait": 0.05, "ping_interval": 0.5, "patience": 10.0}
        return {"servers": [self.server.url], **fast, **more}

    def new_gateway(
        self, *more: IActionPlugin, quirks: Quirks | None = None, **config: Any
    ) -> CentralSystem:
        """A central system whose charge points are answered over NATS; `self.plugin` is its own."""
        self.plugin = NatsPlugin(reactor)
        central_system = CentralSystem([self.plugin, *more], reactor, quirks=quirks)

        self.wires: list[Wire] = []
        self.addCleanup(self.plugin.stop)
        self.addCleanup(lambda: [wire.connection.lost("it is over") for wire in self.wires])
        self.plugin.start(central_system, self.config(**config))
        return central_system

    async def gateway(self, *more: IActionPlugin, **config: Any) -> CentralSystem:
        """The same, when it has found NATS."""
        central_system = self.new_gateway(*more, **config)
        await until(lambda: not self.plugin.trouble(), reactor)
        return central_system

    def connect(self, central_system: CentralSystem, *arguments: Any) -> Wire:
        """A charge point connects."""
        wire = online(central_system, *arguments)
        self.wires.append(wire)
        return wire

    async def worker(self, *plugins: IActionPlugin, **config: Any) -> WorkerService:
        """A worker that takes messages."""
        worker = self.new_worker(*plugins, **config)
        await until(lambda: worker.link.connected, reactor)
        await worker.link.flush()
        return worker

    def new_worker(
        self, *plugins: IActionPlugin, local: dict[str, Any] | None = None, **config: Any
    ) -> WorkerService:
        """A worker that has been started."""
        settings = WorkerSettings(
            action_plugins=plugins,
            plugin_config={"nats": self.config(**config), "local": local or {}},
        )
        worker = WorkerService(settings, reactor)
        self.addCleanup(lambda: worker.running and worker.stopService())
        worker.startService()
        return worker

    async def answer(self, wire: Wire, message: str | None = None) -> Any:
        """Send a CALL, if one is given; fires with the next message that comes back."""
        if message is not None:
            wire.says(message)
        return json.loads(await until(lambda: next_message(wire), reactor))


def next_message(wire: Wire) -> str | None:
    return wire.transport.sent.pop(0) if wire.transport.sent else None
