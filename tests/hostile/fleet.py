"""Charge points that do wrong on demand, on real sockets, beside some that do not."""

from __future__ import annotations

import gc
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from ocpp_twisted import v16
from ocpp_twisted.charge_point import (
    Backoff,
    ChargePoint,
    ChargePointOptions,
    ClientTLS,
    Dialer,
    Target,
)
from ocpp_twisted.connection import Connection
from ocpp_twisted.deadlines import Deadlines
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.simulator.faults import Fault
from ocpp_twisted.simulator.modem import Modem
from ocpp_twisted.websocket.certificates import TLSFiles
from ocpp_twisted.websocket.server import WebSocketOptions
from tests.interop.case import LISTEN
from tests.interop.certificate import make_certificate
from tests.support import until

__all__ = ["CLEAR", "FleetCase"]

CLEAR = v16.ClearCacheRequest()
GOOD, BAD = 6, 3


class _Obedient(ActionPlugin):
    name = "obedient"

    @on(v16.ClearCacheRequest)
    def clear_cache(self, charge_point, request):
        return v16.ClearCacheResponse(status=v16.ClearCacheStatus.Accepted)


class _Verbose(ActionPlugin):
    name = "verbose"

    @on(v16.DataTransferRequest)
    def transfer(self, charge_point, request):
        status = v16.DataTransferStatus.Accepted
        return v16.DataTransferResponse(status=status, data="x" * 100_000)


class FleetCase(TestCase):
    """The real server, with some that have a fault and some that have not.

    :cvar limits: of the server.
    :cvar secure: whether over TLS.
    :ivar bad: those that `all_have` a fault; their modems by id.
    """

    timeout = 60
    secure = False
    limits = Limits(call_timeout=0.4, queued_calls=8)
    websocket = WebSocketOptions(ping_interval=0.5, ping_timeout=0.5, close_timeout=0.5)

    async def setUp(self) -> None:
        local = LocalPlugin()
        listen: dict[str, Any] = {"ws": [LISTEN]}
        self.tls = ClientTLS()
        if self.secure:
            pair = make_certificate(Path(self.mktemp()))
            self.tls = ClientTLS(ca=pair[0])
            listen = {"wss": [LISTEN], "tls": TLSFiles(pairs=[pair])}
        settings = Settings(
            action_plugins=[_Verbose(), local],
            limits=self.limits,
            websocket=self.websocket,
            **listen,
        )
        self.server = Server(settings, reactor)
        self.dialer = Dialer(reactor, ping_interval=0.3, close_timeout=0.5)
        self.deadlines = Deadlines(reactor)
        self.charge_points: dict[str, ChargePoint] = {}
        self.bad: dict[str, Modem] = {}
        self.addCleanup(self.stop)
        await self.server.startService()
        for number in range(GOOD):
            self.comes(f"GOOD{number}", self.dialer)
        for number in range(BAD):
            modem = self.bad[f"BAD{number}"] = Modem(self.dialer, reactor, Random(number))
            self.comes(f"BAD{number}", modem)
        await DeferredList([each.accepted() for each in self.charge_points.values()])

    async def stop(self) -> None:
        for modem in self.bad.values():
            modem.switch_all_off()
        await DeferredList([each.stop() for each in self.charge_points.values()])
        await self.server.stopService()
        # What was half-open ends in its own time.
        await until(lambda: not any(modem._carriers for modem in self.bad.values()), reactor)

    def comes(self, name: str, dialer: Any) -> None:
        (port,) = self.server.addresses
        url = f"{'wss' if self.secure else 'ws'}://127.0.0.1:{port.port}/ocpp"
        charge_point = self.charge_points[name] = ChargePoint(
            Target.at(url, name, tls=self.tls),
            [v16.BootNotificationRequest(chargePointVendor="Test", chargePointModel="Test")],
            reactor,
            [_Obedient()],
            ChargePointOptions(backoff=Backoff(wait_minimum=0.2, repeat_times=0, random_range=0)),
            dialer=dialer,
            deadlines=self.deadlines,
        )
        charge_point.start()

    def all_have(self, name: str, **parameters: Any) -> None:
        """Let those that are bad have a fault."""
        for modem in self.bad.values():
            modem.switch_on(Fault.of(name, parameters))

    def none_has(self) -> None:
        """Let all be well."""
        for modem in self.bad.values():
            modem.switch_all_off()

    def sent(self) -> list[bytes]:
        """Where the messages will stand that bad ones send."""
        heard: list[bytes] = []
        for modem in self.bad.values():
            modem.listener = lambda sent, message: heard.append(message) if sent else None
        return heard

    def call(self, name: str, request: Any = CLEAR) -> Deferred[Any]:
        """As the central system."""
        return self.server.central_system.call(name, request)

    async def outcomes(self, times: int = 1) -> set[Any]:
        """What calls to the bad ones come to: the class of an error, or a status."""
        calls = [self.call(name) for name in self.bad for _ in range(times)]
        results = await DeferredList(calls, consumeErrors=True)
        return {str(outcome.status) if good else outcome.type for good, outcome in results}

    async def others_are_served(self) -> None:
        """The good ones answer, and have answers, while calls to the bad ones are open."""
        begun = reactor.seconds()
        good = [name for name in self.charge_points if name.startswith("GOOD")]
        for name in good:
            self.assertEqual((await self.call(name)).status, "Accepted")
            await self.charge_points[name].heartbeat()
        self.assertLess(reactor.seconds() - begun, 5)

    async def bad_are_served(self) -> None:
        """Calls to those that were bad have their answers again."""
        for name in self.bad:
            await until(lambda name=name: self.charge_points[name].connected, reactor)
            await self.charge_points[name].accepted()
        self.assertEqual(await self.outcomes(), {"Accepted"})

    def connections(self) -> int:
        """How many connections the process still has in memory, on the server's side."""
        gc.collect()
        return sum(type(each) is Connection for each in gc.get_objects())

    def sockets(self) -> int:
        """How many sockets the server has open."""
        return sum(self.server._factory.counts.open.values())
