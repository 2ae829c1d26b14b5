"""A storm: power comes back, and all charge points of a region connect at once.

``python -m benchmarks.storm [--connections 10000] [--only NAME]``

Each connects, sends a Heartbeat, and is online when that is answered; one that fails tries again
after a second or two, as a charge point does. Prints how long it took until all were online, for
this server and for peers, on WS and WSS, and the server's processor time for each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.__main__ import ROOT, SERVERS, running
from benchmarks.load import no_verification, processor_seconds, resident_bytes
from ocpp_twisted.websocket.tls import development_certificate

#: Seconds that a charge point waits for an answer.
_PATIENCE = 60
_PEERS = ("ocpp_twisted", "mobilityhouse", "websockets, no OCPP")


class ChargePoint(WSListener):  # type: ignore[misc]
    """One connection; `online` is done when its first CALL is answered."""

    def __init__(self) -> None:
        self.online: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, b'[2,"1","Heartbeat",{}]')

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT and not self.online.done():
            self.online.set_result(None)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self.online.done():
            self.online.set_exception(ConnectionError("closed before the answer"))


async def come_back(options: argparse.Namespace) -> dict[str, float]:
    """Connect all charge points at once; how long that took, and what it cost the server."""
    tls = no_verification() if options.url.startswith("wss") else None
    failures = 0
    online: list[float] = []
    kept: list[Any] = []

    async def connect(number: int) -> None:
        nonlocal failures
        while True:
            try:
                transport, charge_point = await ws_connect(
                    ChargePoint,
                    f"{options.url}/CP{number}",
                    ssl_context=tls,
                    extra_headers={"Sec-WebSocket-Protocol": "ocpp1.6"},
                    websocket_handshake_timeout=_PATIENCE,
                )
                if charge_point is None:  # as picows says it when the socket ends in the handshake
                    raise ConnectionError("no handshake")
                await asyncio.wait_for(charge_point.online, _PATIENCE)
            except (OSError, TimeoutError, ssl.SSLError):
                failures += 1
                await asyncio.sleep(random.uniform(1, 2))
            else:
                kept.append(transport)
                online.append(time.perf_counter() - begun)
                return

    memory, used = resident_bytes(options.pid), processor_seconds(options.pid)
    begun = time.perf_counter()
    await asyncio.gather(*(connect(number) for number in range(options.connections)))
    return {
        "all": max(online),
        "median": sorted(online)[len(online) // 2],
        "failures": failures,
        "cost": (processor_seconds(options.pid) - used) / options.connections,
        "memory": (resident_bytes(options.pid) - memory) / options.connections,
    }


def main() -> None:
    """Read the options; with ``--url`` this is the load."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--only", action="append", choices=SERVERS, help="a server; repeatable")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--pid", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.url is not None:
        print(json.dumps(uvloop.run(come_back(options))))
        return
    print(
        f"{options.connections} at once     {'server':<28}{'all online s':>13}{'median s':>10}"
        f"{'failures':>10}{'us/handshake':>14}{'kB/conn.':>10}"
    )
    with tempfile.TemporaryDirectory() as folder:
        files = [str(path) for path in development_certificate(Path(folder))]
        for scheme, tls in (("ws", []), ("wss", files)):
            for name in options.only or _PEERS:
                with running(name, tls) as (port, pid):
                    done = subprocess.run(
                        [
                            sys.executable, "-m", "benchmarks.storm",
                            "--url", f"{scheme}://127.0.0.1:{port}/ocpp",
                            "--pid", str(pid),
                            "--connections", str(options.connections),
                        ],
                        stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True,
                    )  # fmt: skip
                row = json.loads(done.stdout)
                print(
                    f"{scheme:<19}{name:<28}{row['all']:>13.1f}{row['median']:>10.1f}"
                    f"{row['failures']:>10}{row['cost'] * 1e6:>14.0f}{row['memory'] / 1e3:>10.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
