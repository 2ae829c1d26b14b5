"""Whole sessions of a simulated charge point of 1.6, over sockets, with the plug-in ``local``."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.tcp import Connection
from twisted.trial.unittest import TestCase

from ocpp_twisted import v16
from ocpp_twisted.charge_point import Backoff, ChargePointOptions, Target
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.records import IdTag
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.security.local_authority import LocalAuthority
from ocpp_twisted.security.rotation import rotate
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.simulator.station import Hardware, Station
from ocpp_twisted.simulator.voice16 import Voice16
from ocpp_twisted.websocket.certificates import TLSFiles
from tests.certificates import Authority, pem, rsa_key
from tests.support import until

ANYWHERE = "tcp:0:interface=127.0.0.1"
#: The same in other words, for another security profile.
ANYWHERE_ELSE = f"{ANYWHERE}:backlog=40"
SOON = ChargePointOptions(backoff=Backoff(wait_minimum=0.05, repeat_times=0, random_range=0))
ROOT = v16.CertificateUseEnumType.CentralSystemRootCertificate


class Sessions(TestCase):
    timeout = 60

    async def serve(self, **settings: Any) -> None:
        self.local = LocalPlugin()
        self.server = Server(
            Settings(action_plugins=[self.local], grace=1.0, **settings),
            reactor,
        )
        self.addCleanup(until, self.no_sockets, reactor)
        self.addCleanup(lambda: self.server.stopService())
        await self.server.startService()

    def no_sockets(self) -> bool:
        return not any(isinstance(each, Connection) for each in reactor.getReaders())

    async def station(self, password: bytes | None = None) -> Station:
        port = self.server.addresses[0].port
        station = Station(
            Target.at(f"ws://127.0.0.1:{port}/ocpp", "CP1", password),
            Voice16,
            reactor,
            Hardware(serial="CP1"),
            SOON,
            random=Random(1),
        )
        self.addCleanup(station.stop)
        station.start()
        await station.charge_point.accepted()
        return station

    def call(self, request: Any) -> Any:
        return self.server.central_system.call("CP1", request)

    async def set(self, key: str, value: str) -> None:
        answer = await self.call(v16.ChangeConfigurationRequest(key=key, value=value))
        self.assertEqual(answer.status, "Accepted", key)

    async def test_charging(self) -> None:
        await self.serve(ws=[ANYWHERE])
        await self.local.put_id_tags([IdTag(idTag="RED")])
        station = await self.station()
        charge_point, connector = station.charge_point, station.voice.connectors[1]
        await self.set("MeterValueSampleInterval", "1")
        await self.set("StopTxnSampledData", "Energy.Active.Import.Register")

        station.plug_in()
        station.present("BLUE")  # nobody knows it
        station.present("RED")
        await until(lambda: connector.transaction and connector.transaction.id, reactor)
        await until(lambda: connector.outlet.energy > 2, reactor)  # 2 Wh at 11 kW take 0.7 s
        await until(lambda: len(connector.transaction.data) > 1, reactor)
        await until(lambda: not charge_point.queued, reactor)
        (kept,) = (await self.local.list_transactions("CP1")).items
        self.assertEqual(kept.transactionId, connector.transaction.id)
        self.assertEqual((kept.idTag, kept.connectorId), ("RED", 1))
        record = await self.local.get_charge_point("CP1")
        statuses = {each.connectorId: each.status for each in record.connectors}
        self.assertEqual(statuses, {0: "Available", 1: "Charging", 2: "Available"})

        connected = self.server.central_system.charge_points
        (before,) = connected.values()
        answer = await self.call(v16.ResetRequest(type=v16.ResetType.Soft))
        self.assertEqual(answer.status, "Accepted")
        await until(lambda: connected and before not in connected.values(), reactor)
        await charge_point.accepted()
        (kept,) = (await self.local.list_transactions("CP1")).items
        self.assertEqual(kept.reason, "SoftReset")
        self.assertGreater(kept.meterStop, kept.meterStart)
        samples = await self.local.meter_values(kept.id)
        contexts = {each.context for each in samples.items}
        self.assertLessEqual({"Sample.Periodic", "Transaction.Begin", "Transaction.End"}, contexts)
        station.unplug()
        await until(lambda: not charge_point.queued, reactor)

    async def test_from_a_password_to_a_certificate(self) -> None:
        """A01, A05, A02: each step over the connection that the one before has made."""
        directory = Path(self.mktemp()).absolute()
        authority = LocalAuthority.in_directory(directory, organization="ACME")
        web = Authority("web")
        pair = web.issue("localhost", names=["localhost"], key=rsa_key())
        await self.serve(
            ws=[ANYWHERE],
            wss=[ANYWHERE, ANYWHERE_ELSE],
            security_profiles={
                "ws": SecurityProfile.BASIC,
                "wss": SecurityProfile.TLS_BASIC,
                ANYWHERE_ELSE: SecurityProfile.CLIENT_CERTIFICATE,
            },
            tls=TLSFiles(
                pairs=[pair.write(directory / "web.pem")], client_cas=[directory / "ca-cert.pem"]
            ),
            plugin_config={"local": {"certificate_authority": "local", "ca_organization": "ACME"}},
            data_directory=directory,
        )
        await self.local.set_password("CP1", b"a first password")
        station = await self.station(b"a first password")
        charge_point, voice = station.charge_point, station.voice
        _, with_password, with_certificate = (each.port for each in self.server.addresses)

        rotated = await rotate(self.server.central_system, self.local, "CP1")
        self.assertEqual(rotated, "Accepted")
        await until(lambda: charge_point.target.password != b"a first password", reactor)
        await until(lambda: not charge_point.connected, reactor)
        await charge_point.accepted()

        for each in (web.certificate, authority.certificate):
            request = v16.InstallCertificateRequest(
                certificateType=ROOT, certificate=pem(each).decode()
            )
            self.assertEqual((await self.call(request)).status, "Accepted")
        voice.secure_url = f"wss://localhost:{with_password}/ocpp"
        await self.set("SecurityProfile", "2")
        await self.profile_is(2)

        await self.set("CpoName", "ACME")
        request = v16.ExtendedTriggerMessageRequest(
            requestedMessage=v16.MessageTriggerEnumType.SignChargePointCertificate
        )
        self.assertEqual((await self.call(request)).status, "Accepted")
        own = voice.security.certificates.own
        await until(lambda: own("ChargePointCertificate", voice.now()), reactor)
        voice.secure_url = f"wss://localhost:{with_certificate}/ocpp"
        await self.set("SecurityProfile", "3")
        await self.profile_is(3)
        await charge_point.accepted()
        self.assertIsNone(charge_point.target.password)

    async def profile_is(self, profile: int) -> None:
        """The connection that the server has is one of a security profile."""
        connected = self.server.central_system.charge_points
        await until(
            lambda: [each.security_profile for each in connected.values()] == [profile], reactor
        )
