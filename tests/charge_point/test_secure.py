"""Charge points prove who they are: passwords, certificates, and what becomes of their sockets."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from ocpp_twisted.charge_point import Backoff, ChargePoint, ChargePointOptions, ClientTLS, Target
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.testing import BOOTS
from ocpp_twisted.websocket.certificates import TLSFiles
from tests.certificates import Authority, pem, rsa_key
from tests.support import no_sockets, until

ANYWHERE = "tcp:0:interface=127.0.0.1"
SOON = ChargePointOptions(backoff=Backoff(wait_minimum=0.05, repeat_times=0, random_range=0))


class SecureTests(TestCase):
    timeout = 30

    async def serve(self, **settings: Any) -> int:
        self.server = Server(Settings(action_plugins=[LocalPlugin()], **settings), reactor)
        self.addCleanup(until, lambda: no_sockets(reactor), reactor)
        self.addCleanup(lambda: self.server.stopService())
        await self.server.startService()
        (address,) = self.server.addresses
        return address.port

    def charge_point(self, target: Target) -> ChargePoint:
        charge_point = ChargePoint(target, [BOOTS["1.6"]], reactor, options=SOON)
        charge_point.start()
        self.addCleanup(charge_point.stop)
        return charge_point

    async def test_a_password(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse(**{"CP:1": b"\xff\x00key"})
        profiles = {"ws": SecurityProfile.BASIC}
        port = await self.serve(ws=[ANYWHERE], auth=[checker], security_profiles=profiles)
        base = f"ws://127.0.0.1:{port}/ocpp"
        charge_point = self.charge_point(Target.at(base, "CP:1", b"wrong"))
        counts = self.server._factory.counts
        await until(lambda: counts.refused[401] > 1, reactor)
        self.assertFalse(charge_point.connected)
        charge_point.target = Target.at(base, "CP:1", b"\xff\x00key")
        await charge_point.accepted()

    async def test_a_certificate(self) -> None:
        directory = Path(self.mktemp())
        servers, charge_points = Authority("servers"), Authority("charge points")
        pair = servers.issue("localhost", names=["localhost"], key=rsa_key()).write(
            directory / "server.pem"
        )
        for name, authority in (("servers", servers), ("charge-points", charge_points)):
            (directory / f"{name}.pem").write_bytes(pem(authority.certificate))
        port = await self.serve(
            wss=[ANYWHERE],
            tls=TLSFiles(pairs=[pair], client_cas=[directory / "charge-points.pem"]),
            security_profiles={"wss": SecurityProfile.CLIENT_CERTIFICATE},
        )
        base = f"wss://localhost:{port}/ocpp"
        cert, key = charge_points.issue("CP1").write(directory / "cp1.pem")
        tls = ClientTLS(ca=directory / "servers.pem", cert=cert, key=key)
        await self.charge_point(Target.at(base, "CP1", tls=tls)).accepted()
        other = self.charge_point(Target.at(base, "CP2", tls=tls))
        counts = self.server._factory.counts
        await until(lambda: counts.refused[403] or counts.refused[401], reactor)
        self.assertFalse(other.connected)

    async def test_an_ended_connection_is_freed_without_the_collector(self) -> None:
        port = await self.serve(ws=[ANYWHERE])
        charge_point = self.charge_point(Target.at(f"ws://127.0.0.1:{port}/ocpp", "CP1"))
        await charge_point.accepted()
        assert charge_point._link is not None
        kept = [weakref.ref(charge_point._link), weakref.ref(charge_point._link._transport)]
        gc.collect()
        self.addCleanup(gc.enable)
        gc.disable()
        await charge_point.stop()
        await until(lambda: [ref() for ref in kept] == [None, None], reactor, timeout=3)
