"""Our charge point at a central system that somebody else has written."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ocpp_twisted import v16, v21, v201
from ocpp_twisted.charge_point import ChargePoint
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.testing import BOOTS
from tests.interop.case import ProgramCase
from tests.interop.process import ROOT, Program


class CentralSystemProcess(Program):
    """`tests.interop.central_system`; `lines` are those that it prints."""

    def __init__(self, version: str) -> None:
        super().__init__(reactor, ["-m", "tests.interop.central_system", version], ROOT)

    def read(self, line: bytes) -> Any:
        return json.loads(line)

    def said(self, **what: Any) -> Deferred[Any]:
        """Fires with the line that says so."""
        return self.lines.when(lambda line: what.items() <= line.items())


class Obedient(ActionPlugin):
    name = "obedient"

    @on(v16.ResetRequest, v201.ResetRequest, v21.ResetRequest)
    def reset(self, link, request):
        return request.RESPONSE(status="Accepted")


class CentralSystemTests(ProgramCase):
    async def connects(self, version: str) -> ChargePoint:
        self.central_system = self.ends(CentralSystemProcess(version))
        line = await self.central_system.lines.when(lambda line: "port" in line)
        url = f"ws://127.0.0.1:{line['port']}/ocpp/CP-1"
        others = [boot for each, boot in BOOTS.items() if each != version]
        charge_point = ChargePoint(url, [*others, BOOTS[version]], reactor, [Obedient()])
        charge_point.start()
        self.addCleanup(charge_point.stop)
        await charge_point.accepted()
        self.assertEqual(charge_point.version, version)
        self.assertEqual(charge_point.heartbeat_interval, 600)
        await charge_point.heartbeat()
        return charge_point

    async def test_1_6(self) -> None:
        charge_point = await self.connects("1.6")
        now = charge_point.now()
        started = charge_point.queue(
            v16.StartTransactionRequest(connectorId=1, idTag="RED", meterStart=1, timestamp=now)
        )
        ids: list[int] = []
        started.addCallback(lambda response: ids.append(response.transactionId))
        await charge_point.queue(
            lambda: v16.StopTransactionRequest(transactionId=ids[0], meterStop=5, timestamp=now)
        )
        self.assertEqual(ids, [42])
        await self.central_system.said(action="StopTransaction", transaction_id=42, meter_stop=5)
        await self.central_system.said(answered="Accepted")

    async def test_2(self) -> None:
        for version, messages in (("2.0.1", v201), ("2.1", v21)):
            charge_point = await self.connects(version)
            for number, kind in enumerate(("Started", "Updated", "Ended")):
                charge_point.queue(
                    messages.TransactionEventRequest(
                        eventType=kind,
                        timestamp=charge_point.now(),
                        triggerReason="Authorized",
                        seqNo=number,
                        transactionInfo=messages.TransactionType(transactionId="T1"),
                    )
                )
            await self.central_system.said(action="TransactionEvent", seq_no=2)
            await self.central_system.said(answered="Accepted")
