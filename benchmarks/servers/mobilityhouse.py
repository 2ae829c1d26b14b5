"""mobilityhouse/ocpp over websockets. ``PORT VALIDATION [CERTIFICATE KEY]``."""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import websockets
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result

SKIP = sys.argv[2] != "strict"


class Benchmark(ChargePoint):  # type: ignore[misc]
    """Answers as our own plug-in does."""

    @on("Heartbeat", skip_schema_validation=SKIP)
    def heartbeat(self, **_: Any) -> Any:
        return call_result.Heartbeat(current_time=datetime.now(UTC).isoformat())

    @on("MeterValues", skip_schema_validation=SKIP)
    def meter_values(self, **_: Any) -> Any:
        return call_result.MeterValues()

    @on("StatusNotification", skip_schema_validation=SKIP)
    def status(self, **_: Any) -> Any:
        return call_result.StatusNotification()

    @on("DataTransfer", skip_schema_validation=SKIP)
    def go(self, **_: Any) -> Any:
        return call_result.DataTransfer(status="Accepted")

    @after("DataTransfer")
    async def keep_calling(self, **_: Any) -> None:
        while True:
            await self.call(call.ClearCache(), skip_schema_validation=SKIP)


async def connected(connection: Any) -> None:
    """Serve one charge point."""
    with suppress(websockets.ConnectionClosed):
        await Benchmark(connection.request.path.rpartition("/")[2], connection).start()


async def main() -> None:
    """Serve."""
    tls = None
    if len(sys.argv) > 3:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[3], sys.argv[4])
    async with websockets.serve(
        connected, "127.0.0.1", int(sys.argv[1]), subprotocols=["ocpp1.6"], ssl=tls
    ) as server:
        print("ready", flush=True)
        await server.serve_forever()


asyncio.run(main())
