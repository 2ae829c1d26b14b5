"""A gateway dies, and its charge points connect to another one: when can they be called again?

For `benchmarks.nats`. Charge points on picows that connect again as soon as their socket ends, and
a caller that is any client of NATS.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence

import nats
import nats.errors
from picows import ws_connect

from benchmarks.load import ChargePoint, Load

_CALL = {"Ocpp-Action": "ClearCache", "Ocpp-Timeout": "5"}
#: Seconds between two calls of a charge point that is not reached.
_PAUSE = 0.005


async def takeover(url: str, ports: Sequence[str], pid: int, count: int) -> list[tuple[float, ...]]:
    """Kill a gateway that holds charge points.

    :param url: of the NATS server.
    :param ports: where the gateway listens that dies, and where the other one does.
    :param pid: of the one that dies.
    :returns: for each charge point the seconds from there until it has a connection, and until a
        call of it has been answered.
    """
    load = Load("call")
    caller = await nats.connect(url)

    async def connect(number: int, port: str) -> ChargePoint:
        charge_point: ChargePoint
        _, charge_point = await ws_connect(
            lambda: ChargePoint(load),
            f"ws://127.0.0.1:{port}/ocpp/CP{number}",
            extra_headers={"Sec-WebSocket-Protocol": "ocpp1.6"},
            websocket_handshake_timeout=60,
        )
        return charge_point

    async def reach(number: int) -> None:
        while True:
            try:
                answer = await caller.request(
                    f"ocpp.call.=.CP{number}", b"{}", timeout=6, headers=_CALL
                )
            except (nats.errors.NoRespondersError, nats.errors.TimeoutError):
                pass
            else:
                if answer.headers["Ocpp-Outcome"] == "CALLRESULT":
                    return
            await asyncio.sleep(_PAUSE)

    async def move(number: int, charge_point: ChargePoint) -> tuple[float, ...]:
        await charge_point.transport.wait_disconnected()
        await connect(number, ports[1])
        connected = time.perf_counter()
        await reach(number)
        return connected - killed, time.perf_counter() - killed

    charge_points = [await connect(number, ports[0]) for number in range(count)]
    for number in range(count):
        await reach(number)
    moving = [
        asyncio.ensure_future(move(number, charge_point))
        for number, charge_point in enumerate(charge_points)
    ]
    await asyncio.sleep(0.5)
    killed = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    times = await asyncio.gather(*moving)
    await caller.close()
    return times
