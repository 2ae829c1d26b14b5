"""An outage: thousands of charge points are cut off at once, and all come back over WSS.

``python -m benchmarks.outage [--connections 5000] [--profile 2]``

Runs ``twistd ocpp`` with its plug-in local, and with security profile 2 enters a password for each
charge point. All connect; then all but a few are cut off and connect again at once, as charge
points do when power or the network returns; who is refused tries again later. The few others send a
Heartbeat every half second all the time. Prints how long it took until everybody was back, what the
others' answers took before and meanwhile, and the server's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.load import no_verification, processor_seconds, resident_bytes

_ROOT = Path(__file__).resolve().parent.parent
_HEARTBEAT = b'[2,"%d","Heartbeat",{}]'
_PATIENCE = 60
_WITNESSES = 50


class ChargePoint(WSListener):  # type: ignore[misc]
    """One connection; `answered` is done with each answer."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.number = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    async def heartbeat(self) -> float:
        """Send one; the seconds that the answer took."""
        self.number += 1
        self.answered = asyncio.get_running_loop().create_future()
        begun = time.perf_counter()
        self.transport.send(WSMsgType.TEXT, _HEARTBEAT % self.number)
        await asyncio.wait_for(self.answered, _PATIENCE)
        return time.perf_counter() - begun

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT and not self.answered.done():
            self.answered.set_result(None)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self.answered.done():
            self.answered.set_exception(ConnectionError("closed before the answer"))


class Region:
    """The charge points of one run.

    :param passwords: whether they have one: the id, reversed, and then some.
    """

    def __init__(self, url: str, pid: int, passwords: bool) -> None:
        self.url, self.pid, self.passwords = url, pid, passwords
        self.tls: ssl.SSLContext = no_verification()
        self.failures = 0
        self.largest = 0

    async def connect(self, name: str) -> ChargePoint:
        """Connect until it is online: its first Heartbeat is answered."""
        headers = {"Sec-WebSocket-Protocol": "ocpp1.6"}
        if self.passwords:
            word = base64.b64encode(f"{name}:{password(name)}".encode()).decode()
            headers["Authorization"] = f"Basic {word}"
        while True:
            try:
                _, charge_point = await ws_connect(
                    ChargePoint,
                    f"{self.url}/{name}",
                    ssl_context=self.tls,
                    extra_headers=headers,
                    websocket_handshake_timeout=_PATIENCE,
                )
                if charge_point is None:
                    raise ConnectionError("no handshake")
                await charge_point.heartbeat()
            except Exception:  # whatever it is, a charge point tries again
                self.failures += 1
                await asyncio.sleep(random.uniform(1, 2))
            else:
                return charge_point

    async def watch_memory(self) -> None:
        while True:
            self.largest = max(self.largest, resident_bytes(self.pid))
            await asyncio.sleep(0.1)


async def witnesses(options: argparse.Namespace) -> None:
    """A process of its own: those that are never cut off. A line on stdin asks how it goes."""
    region = Region(options.url, 0, options.profile == 2)
    charge_points = [await region.connect(f"WITNESS{number}") for number in range(_WITNESSES)]
    latencies: list[float] = []

    async def witness(charge_point: ChargePoint) -> None:
        await asyncio.sleep(random.uniform(0, 0.5))
        while True:
            latencies.append(await charge_point.heartbeat())
            await asyncio.sleep(0.5)

    tasks = [asyncio.create_task(witness(each)) for each in charge_points]
    print("[]", flush=True)
    while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        print(json.dumps(sorted(latencies)), flush=True)
        latencies.clear()
    for task in tasks:
        task.cancel()


class Witnesses:
    """Their process."""

    def __init__(self, options: argparse.Namespace, url: str) -> None:
        command = [sys.executable, "-m", "benchmarks.outage", f"--url={url}"]
        self._process = subprocess.Popen(
            [*command, f"--profile={options.profile}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT,
        )  # fmt: skip
        self._read()

    def _read(self) -> list[float]:
        assert self._process.stdout is not None
        found: list[float] = json.loads(self._process.stdout.readline())
        return found

    def told(self, what: str) -> None:
        """Print what their answers took since the last time."""
        assert self._process.stdin is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        took = self._read()
        print(
            f"{what:<24}{len(took):>6} answers to others: p50 {took[len(took) // 2] * 1e3:.1f} ms, "
            f"p99 {took[len(took) * 99 // 100] * 1e3:.1f} ms, longest {took[-1] * 1e3:.1f} ms",
            flush=True,
        )

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


async def outage(options: argparse.Namespace, url: str, pid: int, others: Witnesses) -> None:
    """Everybody connects, is cut off, and comes back."""
    region = Region(url, pid, options.profile == 2)
    names = [f"CP{number}" for number in range(options.connections)]
    for round_ in ("first connections", "everybody comes back", "and once more"):
        await asyncio.sleep(5)
        others.told("nothing happens")
        before, used = resident_bytes(pid), processor_seconds(pid)
        region.largest, region.failures = before, 0
        memory = asyncio.create_task(region.watch_memory())
        begun = time.perf_counter()
        back: list[float] = []

        async def come(name: str, begun: float, back: list[float]) -> ChargePoint:
            charge_point = await region.connect(name)
            back.append(time.perf_counter() - begun)
            return charge_point

        crowd = await asyncio.gather(*(come(name, begun, back) for name in names))
        memory.cancel()
        others.told(round_)
        print(
            f"{'':<24}{len(back):>6} online after {max(back):.1f} s (half of them "
            f"{sorted(back)[len(back) // 2]:.1f} s), {region.failures} attempts failed; "
            f"{(processor_seconds(pid) - used) / len(back) * 1e6:.0f} us each; memory "
            f"{before / 1e6:.0f} MB, at most {region.largest / 1e6:.0f} MB, then "
            f"{resident_bytes(pid) / 1e6:.0f} MB",
            flush=True,
        )
        for charge_point in crowd:
            charge_point.transport.disconnect(False)


@contextmanager
def server(options: argparse.Namespace) -> Iterator[tuple[int, int, int]]:
    """Run ``twistd ocpp``; its ports for WSS and HTTP, and its process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "ocpp",
            "--wss=tcp:0:interface=127.0.0.1", "--http=0", f"--data-dir={folder}",
            f"--security-profile=wss={options.profile}", *options.option,
        ]  # fmt: skip
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            ports: dict[str, int] = {}
            for line in process.stdout:
                for scheme, port in re.findall(r"\b(wss|http)://\S+?:(\d+)", line):
                    ports[scheme] = int(port)
                if len(ports) == 2:
                    break
            else:
                raise SystemExit("the server does not start")
            drained = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
            yield ports["wss"], ports["http"], process.pid
            drained.kill()
        finally:
            process.kill()
            process.wait()


def password(name: str) -> str:
    """The one that is entered for a charge point."""
    return f"{name[::-1]}-{len(name)}-0123456789abcdef"


def enter_passwords(port: int, names: list[str]) -> None:
    """Enter one for each charge point, over HTTP."""

    def enter(name: str) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/charge-points/{name}/password",
            json.dumps({"password": password(name)}).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(enter, names))


def main() -> None:
    """Read the options, and run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--profile", type=int, choices=(0, 2), default=2)
    parser.add_argument("--option", action="append", default=[], help="for twistd ocpp; repeatable")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.url is not None:
        uvloop.run(witnesses(options))
        return
    with server(options) as (wss, http, pid):
        if options.profile == 2:
            begun = time.perf_counter()
            everybody = [f"CP{number}" for number in range(options.connections)]
            enter_passwords(http, everybody + [f"WITNESS{n}" for n in range(_WITNESSES)])
            print(f"passwords entered in {time.perf_counter() - begun:.1f} s", flush=True)
        url = f"wss://127.0.0.1:{wss}/ocpp"
        others = Witnesses(options, url)
        os.nice(5)  # the load: the server and the others, which measure it, go first
        try:
            uvloop.run(outage(options, url, pid, others))
        finally:
            others.stop()


if __name__ == "__main__":
    main()
