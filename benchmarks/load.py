"""Charge points that load a server, of OCPP 1.6 or 2.0.1; one process, run by the harness.

Opens all connections, then keeps a number of CALLs in flight over all of them in turn, and
prints one line of JSON: what was sent and answered, how long the answers took, and how much
processor time the server used meanwhile, as the operating system accounts for it. picows and
uvloop, so that the server is what is measured. In the kind ``call`` the server calls instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import time
from collections import deque
from pathlib import Path
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.traffic import ALL_KINDS, SUBPROTOCOLS

_CLEAR_CACHE_ACCEPTED = b'{"status":"Accepted"}'
_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(pid: int) -> int:
    """The memory that a process has resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Load:
    """Counts what all connections do, and says which of them is next."""

    def __init__(self, kind: str) -> None:
        self.messages = [(action, payload.encode()) for action, payload in ALL_KINDS[kind]]
        self.idle: deque[ChargePoint] = deque()
        self.answered = 0
        self.failed = 0
        self.latencies: list[float] = []

    def one_more(self) -> None:
        """Let the connection that waits longest send its next CALL."""
        charge_point = self.idle.popleft()
        charge_point.call()
        self.idle.append(charge_point)


class ChargePoint(WSListener):  # type: ignore[misc]
    """One connection."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.sent = 0
        self.since: deque[float] = deque()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def call(self) -> None:
        action, payload = self.load.messages[self.sent % len(self.load.messages)]
        self.sent += 1
        self.since.append(time.perf_counter())
        self.transport.send(
            WSMsgType.TEXT, b'[2,"%d","%b",%b]' % (self.sent, action.encode(), payload)
        )

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        data = frame.get_payload_as_bytes()
        load = self.load
        if data.startswith(b"[3,") and load.messages:
            load.latencies.append(time.perf_counter() - self.since.popleft())
            load.answered += 1
            load.one_more()
        elif data.startswith(b"[2,"):
            message_id = data[2:].split(b'"', 2)[1]
            load.answered += 1
            transport.send(WSMsgType.TEXT, b'[3,"%b",%b]' % (message_id, _CLEAR_CACHE_ACCEPTED))
        elif data.startswith(b"[4,"):
            load.failed += 1


def no_verification() -> ssl.SSLContext:
    """A client's TLS context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Load the server as the options say."""
    load = Load(options.kind)
    tls = no_verification() if options.url.startswith("wss") else None
    before = resident_bytes(options.pid[0])
    opening = time.perf_counter()
    at_once = asyncio.Semaphore(100)
    subprotocol = SUBPROTOCOLS.get(options.kind, "ocpp1.6")

    async def connect(number: int) -> None:
        async with at_once:
            _, charge_point = await ws_connect(
                lambda: ChargePoint(load),
                f"{options.url}/CP{number}",
                ssl_context=tls,
                extra_headers={"Sec-WebSocket-Protocol": subprotocol},
                websocket_handshake_timeout=60,
            )
        load.idle.append(charge_point)

    await asyncio.gather(*(connect(number) for number in range(options.connections)))
    opened = time.perf_counter() - opening
    await asyncio.sleep(1)
    memory = (resident_bytes(options.pid[0]) - before) / options.connections

    if load.messages:
        for _ in range(min(options.in_flight, options.connections)):
            load.one_more()
    else:
        # The server calls when it is told to, by any message of this one action.
        for charge_point in list(load.idle)[: options.in_flight]:
            charge_point.transport.send(
                WSMsgType.TEXT, b'[2,"go","DataTransfer",{"vendorId":"go"}]'
            )
            charge_point.since.append(0.0)
    # Never sleep: to wake a sleeping process is charged to the one whose answer wakes it, so that
    # a slow server would pay more than a fast one, which keeps its load awake.
    loop = asyncio.get_running_loop()

    def spin() -> None:
        loop.call_soon(spin)

    spin()
    await asyncio.sleep(0.5)  # warm
    load.latencies.clear()
    answered, since = load.answered, time.perf_counter()
    used = [processor_seconds(pid) for pid in options.pid]
    await asyncio.sleep(options.seconds)
    answered = load.answered - answered
    used = [processor_seconds(pid) - then for pid, then in zip(options.pid, used, strict=True)]
    seconds = time.perf_counter() - since
    each = [seconds_used / max(answered, 1) * 1e6 for seconds_used in used]
    latencies = sorted(load.latencies) or [0.0]
    return {
        "messages": answered,
        "failed": load.failed,
        "microseconds": each[0],
        "each": each,
        "rate": answered / seconds,
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[len(latencies) * 99 // 100],
        "memory": memory,
        "opened": options.connections / opened,
    }


def main() -> None:
    """Read the options, load the server, print the result as a line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument(
        "--pid", type=int, action="append", required=True, help="of the server; of others, too"
    )
    parser.add_argument("--kind", choices=ALL_KINDS, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--seconds", type=float, required=True)
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
