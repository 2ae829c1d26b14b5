"""A central system that somebody else has written: the package ocpp, over websockets.

``python -m tests.interop.central_system VERSION`` listens on a port that it prints, and serves
charge points. Each gets one call when it has reported the end of a
transaction, and its answer is printed. Ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import after, on
from websockets.asyncio.server import ServerConnection, serve

version = sys.argv[1]
module = importlib.import_module(
    {"1.6": "ocpp.v16", "2.0.1": "ocpp.v201", "2.1": "ocpp.v21"}[version]
)
call, result = module.call, module.call_result


def note(**what: Any) -> None:
    print(json.dumps(what, default=str), flush=True)


def now() -> str:
    return datetime.now(UTC).isoformat()


class Station(module.ChargePoint):
    """What is answered, and what is asked."""

    @on("BootNotification")
    def boot(self, **request: Any) -> Any:
        note(action="BootNotification", **request)
        return result.BootNotification(current_time=now(), interval=600, status="Accepted")

    @on("Heartbeat")
    def heartbeat(self, **request: Any) -> Any:
        return result.Heartbeat(current_time=now())

    @on("DataTransfer")
    def transfer(self, **request: Any) -> Any:
        return result.DataTransfer(status="UnknownVendorId")

    async def ask(self, request: Any) -> None:
        answer = await self.call(request, suppress=False)
        note(answered=answer.status)


class Station16(Station):
    @on("StartTransaction")
    def start_transaction(self, **request: Any) -> Any:
        note(action="StartTransaction", **request)
        return result.StartTransaction(transaction_id=42, id_tag_info={"status": "Accepted"})

    @on("StopTransaction")
    def stop_transaction(self, **request: Any) -> Any:
        note(action="StopTransaction", **request)
        return result.StopTransaction()

    @after("StopTransaction")
    async def stopped(self, **request: Any) -> None:
        await self.ask(call.Reset(type="Soft"))


class Station2(Station):
    @on("TransactionEvent")
    def event(self, **request: Any) -> Any:
        note(action="TransactionEvent", **request)
        return result.TransactionEvent()

    @after("TransactionEvent")
    async def told(self, event_type: str, **request: Any) -> None:
        if event_type == "Ended":
            await self.ask(call.Reset(type="Immediate"))


async def served(websocket: ServerConnection) -> None:
    charge_point_id = websocket.request.path.rpartition("/")[2]  # type: ignore[union-attr]
    station = (Station16 if version == "1.6" else Station2)(charge_point_id, websocket)
    note(connected=charge_point_id, subprotocol=websocket.subprotocol)
    await station.start()


async def main() -> None:
    async with serve(served, "127.0.0.1", 0, subprotocols=[f"ocpp{version}"]) as server:
        note(port=server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
