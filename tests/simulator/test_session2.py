"""A whole session of a simulated charge point of 2.x, over a socket, with the plug-in ``local``."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.tcp import Connection
from twisted.trial.unittest import TestCase

from ocpp_twisted.charge_point import Backoff, ChargePointOptions, Target
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.records import IdTag
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.simulator.station import Hardware, Station
from ocpp_twisted.simulator.v2.voice import Voice2
from tests.simulator.case2 import MODULES
from tests.support import until

SOON = ChargePointOptions(backoff=Backoff(wait_minimum=0.05, repeat_times=0, random_range=0))


class Session:
    version: str
    timeout = 60

    def setUp(self: Any):
        self.m = MODULES[self.version]
        self.local = LocalPlugin()
        self.server = Server(
            Settings(action_plugins=[self.local], ws=["tcp:0:interface=127.0.0.1"], grace=1.0),
            reactor,
        )
        self.addCleanup(until, self.no_sockets, reactor)
        self.addCleanup(lambda: self.server.stopService())
        starting = self.server.startService()
        return starting.addCallback(lambda _: self.local.put_id_tags([IdTag(idTag="RED")]))

    def no_sockets(self) -> bool:
        return not any(isinstance(each, Connection) for each in reactor.getReaders())

    def call(self: Any, name: str, **fields: Any) -> Any:
        request = getattr(self.m, f"{name}Request")(**fields)
        return self.server.central_system.call("CP1", request)

    async def set(self: Any, component: str, variable: str, value: str) -> None:
        data = self.m.SetVariableDataType(
            component=self.m.ComponentType(name=component),
            variable=self.m.VariableType(name=variable),
            attributeValue=value,
        )
        answer = await self.call("SetVariables", setVariableData=[data])
        self.assertEqual(answer.setVariableResult[0].attributeStatus, "Accepted")

    async def transactions(self: Any) -> list[Any]:
        page = await self.local.list_transactions("CP1")
        return list(page.items)

    async def test_it(self: Any):
        (address,) = self.server.addresses
        station = Station(
            Target.at(f"ws://127.0.0.1:{address.port}/ocpp", "CP1"),
            partial(Voice2, version=self.version),
            reactor,
            Hardware(serial="S1"),
            SOON,
            random=Random(1),
        )
        self.addCleanup(station.stop)
        charge_point, evse = station.charge_point, station.voice.evse(1)
        station.start()
        await charge_point.accepted()
        self.assertEqual(charge_point.version, self.version)

        await self.set("SampledDataCtrlr", "TxUpdatedInterval", "1")
        station.plug_in()
        station.present("BLUE")
        station.present("RED")
        await until(lambda: evse.transaction, reactor)
        await until(lambda: evse.outlet.energy > 2, reactor)  # 2 Wh at 11 kW take 0.7 s
        await until(lambda: evse.transaction.sequence > 2, reactor)
        await until(lambda: not charge_point.queued, reactor)
        (kept,) = await self.transactions()
        self.assertEqual(kept.transactionId, evse.transaction.id)
        self.assertEqual(kept.idTag, "RED")
        record = await self.local.get_charge_point("CP1")
        statuses = {each.evseId: each.status for each in record.connectors}
        self.assertEqual(statuses, {1: "Occupied", 2: "Available"})

        answer = await self.call("GetBaseReport", requestId=1, reportBase="FullInventory")
        self.assertEqual(answer.status, "Accepted")
        answer = await self.call("Reset", type="OnIdle")
        self.assertEqual(answer.status, "Scheduled")
        stop = await self.call("RequestStopTransaction", transactionId=kept.transactionId)
        self.assertEqual(stop.status, "Accepted")
        await until(lambda: charge_point.boots[0].reason == "RemoteReset", reactor)
        await charge_point.accepted()
        (kept,) = await self.transactions()
        self.assertEqual((kept.reason, kept.complete), ("Remote", True))
        self.assertGreater(kept.meterStop, kept.meterStart)
        samples = await self.local.meter_values(kept.id)
        self.assertIn("Sample.Periodic", {each.context for each in samples.items})
        record = await self.local.get_charge_point("CP1")
        self.assertEqual(record.bootReason, "RemoteReset")
        facts = await self.local.list_facts("CP1", kind="variable", limit=1000)
        told = [each.key for each in facts.items]
        self.assertGreater(len(told), 100)
        station.unplug()
        await until(lambda: not charge_point.queued, reactor)


class Session20(Session, TestCase):
    version = "2.0"


class Session201(Session, TestCase):
    version = "2.0.1"


class Session21(Session, TestCase):
    version = "2.1"
