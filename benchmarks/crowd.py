"""A crowd: many connections that send a Heartbeat each, to several servers on one port.

``python -m benchmarks.crowd [--connections 50000] [--processes 3] [--interval 10] [--seconds 60]``

As many server processes share one port as there are load processes, because one process may not
open files enough for all. Prints what was sent, answered and failed, how long the answers took, and
what the servers used.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.load import processor_seconds, resident_bytes

_ROOT = Path(__file__).resolve().parent.parent


class ChargePoint(WSListener):  # type: ignore[misc]
    """One connection; `counts` is [sent, answered, failed], `latencies` is shared as well."""

    def __init__(self, counts: list[int], latencies: list[float]) -> None:
        self.counts = counts
        self.latencies = latencies
        self.since: deque[float] = deque()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def heartbeat(self) -> None:
        self.counts[0] += 1
        self.since.append(time.perf_counter())
        self.transport.send(WSMsgType.TEXT, b'[2,"%d","Heartbeat",{}]' % self.counts[0])

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        if frame.get_payload_as_bytes().startswith(b"[3,"):
            self.counts[1] += 1
            self.latencies.append(time.perf_counter() - self.since.popleft())
        else:
            self.counts[2] += 1

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.counts[2] += 1


async def load(options: argparse.Namespace) -> None:
    """One load process: connect, say how it went, and heartbeat when told to."""
    counts, latencies = [0, 0, 0], []
    at_once = asyncio.Semaphore(100)
    charge_points: list[ChargePoint] = []

    async def connect(number: int) -> None:
        async with at_once:
            _, charge_point = await ws_connect(
                lambda: ChargePoint(counts, latencies),
                f"ws://127.0.0.1:{options.port}/ocpp/{options.name}-{number}",
                extra_headers={"Sec-WebSocket-Protocol": "ocpp1.6"},
                websocket_handshake_timeout=60,
                local_addr=(options.source, 0),
            )
        charge_points.append(charge_point)

    await asyncio.gather(*(connect(number) for number in range(options.connections)))
    print("connected", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    pause = options.interval / len(charge_points)
    begun, number = time.perf_counter(), 0
    while time.perf_counter() - begun < options.seconds:
        due = int((time.perf_counter() - begun) / pause)
        while number < due:
            charge_points[number % len(charge_points)].heartbeat()
            number += 1
        await asyncio.sleep(0.01)
    await asyncio.sleep(3)
    latencies.sort()
    quantiles = [latencies[int(len(latencies) * share)] for share in (0.5, 0.99, 0.999)]
    print(json.dumps({"counts": counts, "quantiles": quantiles, "worst": latencies[-1]}))


def start(*arguments: str) -> subprocess.Popen[str]:
    """A child process that talks over its standard input and output."""
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=_ROOT,
    )


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a child prints."""
    assert process.stdout is not None
    return process.stdout.readline()


def crowd(options: argparse.Namespace) -> None:
    """Start servers and loads, and print what became of them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    servers = [start("benchmarks.servers.ours", port, "ocpp") for _ in range(options.processes)]
    for server in servers:
        line(server)
    before = sum(resident_bytes(server.pid) for server in servers)
    share = options.connections // options.processes
    begun = time.perf_counter()
    loads = [
        start(
            "benchmarks.crowd", "--port", port, "--source", f"127.0.0.{2 + number}",
            "--name", f"crowd{number}", "--connections", str(share),
            "--interval", str(options.interval), "--seconds", str(options.seconds),
        )
        for number in range(options.processes)
    ]  # fmt: skip
    if any(line(one).strip() != "connected" for one in loads):
        raise SystemExit("not all could connect: see `ulimit -n`")
    opened = time.perf_counter() - begun
    total = share * options.processes
    memory = (sum(resident_bytes(server.pid) for server in servers) - before) / total
    used, begun = sum(processor_seconds(server.pid) for server in servers), time.perf_counter()
    for one in loads:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    results = [json.loads(line(one)) for one in loads]
    used = sum(processor_seconds(server.pid) for server in servers) - used
    for child in (*loads, *servers):
        child.kill()
        child.wait()
    sent, answered, failed = (sum(result["counts"][i] for result in results) for i in range(3))
    print(f"{total} connections to {options.processes} processes, opened in {opened:.0f} s")
    print(f"sent {sent}, answered {answered}, failed {failed}")
    for place, name in enumerate(("p50", "p99", "p99.9")):
        print(f"{name}: {max(result['quantiles'][place] for result in results) * 1e3:.1f} ms")
    print(f"worst: {max(result['worst'] for result in results) * 1e3:.0f} ms")
    print(f"servers: {memory / 1000:.1f} kB for each connection", end="")
    print(f", {used / (time.perf_counter() - begun) * 100:.0f} % of a core")


def main() -> None:
    """Read the options; with ``--port`` this is one of the loads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=50000)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--interval", type=float, default=10, help="seconds between Heartbeats")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--port", help=argparse.SUPPRESS)
    parser.add_argument("--source", help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.port is None:
        crowd(options)
    else:
        uvloop.run(load(options))


if __name__ == "__main__":
    main()
