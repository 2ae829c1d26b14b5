"""Measure this server next to its peers: ``python -m benchmarks [--quick]``; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.traffic import KINDS
from ocpp_twisted.websocket.tls import development_certificate

HERE = Path(__file__).parent
ROOT = HERE.parent

#: Name to the command that runs it; PORT is put after the program, TLS files at the end.
SERVERS: dict[str, list[str]] = {
    "ocpp_twisted": [sys.executable, "-m", "benchmarks.servers.ours", "PORT", "ocpp"],
    "ocpp_twisted, epoll": [sys.executable, "-m", "benchmarks.servers.ours", "PORT", "epoll"],
    "ocpp_twisted, asyncio": [sys.executable, "-m", "benchmarks.servers.ours", "PORT", "asyncio"],
    "ocpp_twisted, uvloop": [sys.executable, "-m", "benchmarks.servers.ours", "PORT", "uvloop"],
    "the floor": [sys.executable, "-m", "benchmarks.servers.floor", "PORT"],
    "mobilityhouse": [sys.executable, "-m", "benchmarks.servers.mobilityhouse", "PORT", "strict"],
    "mobilityhouse, no validation": [
        sys.executable, "-m", "benchmarks.servers.mobilityhouse", "PORT", "loose",
    ],
    "websockets, no OCPP": [sys.executable, "-m", "benchmarks.servers.plain_websockets", "PORT"],
    "ocpp-rpc, strict": ["node", str(HERE / "servers" / "ocpp_rpc.mjs"), "PORT", "strict"],
    "ocpp-rpc, loose": ["node", str(HERE / "servers" / "ocpp_rpc.mjs"), "PORT", "loose"],
}  # fmt: skip
_NO_CALLS = ("the floor", "websockets, no OCPP")


def npm_folder() -> Path | None:
    """Where ocpp-rpc is installed, installing it if npm is there."""
    folder = ROOT / "build" / "benchmarks"
    if not (folder / "node_modules" / "ocpp-rpc").exists():
        if shutil.which("npm") is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--silent", "--prefix", str(folder), "ocpp-rpc@2.2.1"], check=True
        )
    return folder


@contextmanager
def running(name: str, tls: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Run a server; yields its port and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(port) if word == "PORT" else word for word in SERVERS[name]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OCPP_RPC": str(npm_folder() or "")}
    process = subprocess.Popen(
        [*command, *tls],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what they say of connections that end with the load
        text=True,
        cwd=ROOT,
        env=environment,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "ready":
                break
        else:
            raise SystemExit(f"{name} does not start")
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def measure(
    name: str, kind: str, connections: int, seconds: float, tls: Sequence[str]
) -> dict[str, Any]:
    """One row: a fresh server under load."""
    scheme = "wss" if tls else "ws"
    with running(name, tls) as (port, pid):
        done = subprocess.run(
            [
                sys.executable, "-m", "benchmarks.load",
                "--url", f"{scheme}://127.0.0.1:{port}/ocpp",
                "--pid", str(pid),
                "--kind", kind,
                "--connections", str(connections),
                "--seconds", str(seconds),
            ],
            stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True,
        )  # fmt: skip
    row: dict[str, Any] = json.loads(done.stdout)
    return {"server": name, "kind": kind, "scheme": scheme, "connections": connections, **row}


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print a block of rows that differ in their server only, ratios to the first one first."""
    first = rows[0]
    scheme, kind, connections = first["scheme"], first["kind"], first["connections"]
    print(f"\n{scheme}, {kind}, {connections} connections")
    print(
        f"  {'server':<30}{'ratio':>7}{'us/message':>12}{'messages/s':>12}"
        f"{'p50 ms':>9}{'p99 ms':>9}{'kB/conn.':>10}{'opened/s':>10}"
    )
    for row in rows:
        ratio = row["microseconds"] / first["microseconds"]
        failed = f"  {row['failed']} FAILED" if row["failed"] else ""
        print(
            f"  {row['server']:<30}{ratio:>7.2f}{row['microseconds']:>12.1f}{row['rate']:>12.0f}"
            f"{row['p50'] * 1e3:>9.2f}{row['p99'] * 1e3:>9.2f}{row['memory'] / 1000:>10.1f}"
            f"{row['opened']:>10.0f}{failed}",
            flush=True,
        )


def plan(options: argparse.Namespace) -> Iterator[tuple[str, str, int, list[str]]]:
    """The blocks of the table: scheme, kind, connections, servers."""
    everyone = [name for name in SERVERS if not options.only or name in options.only]
    for scheme in ("ws", "wss"):
        for kind in KINDS:
            # The floor and websockets have nothing that could call.
            servers = [name for name in everyone if kind != "call" or name not in _NO_CALLS]
            if options.quick and (kind == "mix" or (scheme == "wss" and kind == "call")):
                continue
            if options.quick:
                servers = [name for name in servers if "," not in name or name.endswith("strict")]
            yield scheme, kind, 100, servers
        if not options.quick:
            yield scheme, "heartbeat", 1000, everyone
            yield scheme, "heartbeat", 10000, everyone


def main() -> None:
    """Run the plan and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows; under two minutes")
    parser.add_argument("--only", action="append", choices=SERVERS, help="a server; repeatable")
    parser.add_argument("--seconds", type=float, help="for each row [default: 5, quick: 2]")
    parser.add_argument("--json", type=Path, help="write the rows to this file as well")
    options = parser.parse_args()
    seconds = options.seconds or (2 if options.quick else 5)
    if npm_folder() is None:
        for name in [name for name in SERVERS if name.startswith("ocpp-rpc")]:
            del SERVERS[name]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = [str(path) for path in development_certificate(Path(folder))]
        for scheme, kind, connections, servers in plan(options):
            tls = files if scheme == "wss" else []
            block = [measure(name, kind, connections, seconds, tls) for name in servers]
            show(block)
            rows += block
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
