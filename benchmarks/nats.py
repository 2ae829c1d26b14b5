"""What a CALL costs that a worker answers over NATS: ``python -m benchmarks.nats``.

A NATS server, a worker and a gateway, each a process of its own, and the load of the other
benchmarks. Next to it the same plug-in in the process that holds the connections. The processor
time is that of each process, as the operating system accounts for it.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.load import processor_seconds

ROOT = Path(__file__).resolve().parents[1]
_WARM_SECONDS = 0.5


def serve(role: str, url: str, port: str) -> None:
    """Run a gateway or a worker in this process."""
    from twisted.internet import asyncioreactor
    from uvloop import new_event_loop

    asyncioreactor.install(new_event_loop())
    from twisted.internet import reactor

    from benchmarks.servers.answers import Answers
    from ocpp_twisted.garbage import settle
    from ocpp_twisted.plugins.nats.passive import NatsPlugin
    from ocpp_twisted.service import Server, Settings
    from ocpp_twisted.worker_service import WorkerService, WorkerSettings

    config = {"nats": {"servers": [url]}}
    service: Any
    if role == "worker":
        service = WorkerService(
            WorkerSettings(action_plugins=[Answers()], plugin_config=config), reactor
        )
    else:
        plugin = Answers() if role == "alone" else NatsPlugin(reactor)
        endpoint = f"tcp:{port}:interface=127.0.0.1"
        settings = Settings(ws=[endpoint], action_plugins=[plugin], plugin_config=config)
        service = Server(settings, reactor)
    service.startService().addCallback(lambda _: settle()).addCallback(
        lambda _: print("ready", flush=True)
    )
    reactor.run()  # type: ignore[attr-defined]


@contextmanager
def running(command: Sequence[str], ready: bytes) -> Iterator[int]:
    """Run a program until it has said that it is ready; yields its process id."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
    try:
        assert process.stdout is not None
        if not any(ready in line for line in process.stdout):
            raise SystemExit(f"{' '.join(command)} does not start")
        yield process.pid
    finally:
        process.kill()
        process.wait()


def free_port() -> str:
    """A port that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def measure(kind: str, in_flight: int, seconds: float, alone: bool) -> dict[str, float]:
    """One row."""
    nats, port = free_port(), free_port()
    url = f"nats://127.0.0.1:{nats}"
    me = [sys.executable, "-m", "benchmarks.nats"]
    with ExitStack() as stack:
        worker = None
        if not alone:
            program = str(Path(sys.executable).with_name("nats-server"))
            server = [program, "-a", "127.0.0.1", "-p", nats]
            stack.enter_context(running(server, b"Server is ready"))
            worker = stack.enter_context(running([*me, "worker", url, port], b"ready"))
        role = "alone" if alone else "gateway"
        gateway = stack.enter_context(running([*me, role, url, port], b"ready"))
        used = processor_seconds(worker) if worker else 0.0
        done = subprocess.run(
            [
                sys.executable, "-m", "benchmarks.load",
                "--url", f"ws://127.0.0.1:{port}/ocpp",
                "--pid", str(gateway),
                "--kind", kind,
                "--connections", str(max(in_flight, 100)),
                "--in-flight", str(in_flight),
                "--seconds", str(seconds),
            ],
            stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True,
        )  # fmt: skip
        used = processor_seconds(worker) - used if worker else 0.0
    row: dict[str, float] = json.loads(done.stdout)
    all_messages = row["messages"] * (seconds + _WARM_SECONDS) / seconds
    return {**row, "worker": used / all_messages * 1e6}


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] and sys.argv[1] in ("alone", "gateway", "worker"):
        serve(*sys.argv[1:4])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    options = parser.parse_args()
    print(f"{'':<44}{'gateway us':>11}{'worker us':>10}{'CALLs/s':>9}{'p50 ms':>8}{'p99 ms':>8}")
    for kind in ("heartbeat", "meter values"):
        for in_flight in (64, 1000):
            for alone in (True, False):
                row = measure(kind, in_flight, options.seconds, alone)
                where = "in one process" if alone else "over NATS"
                failed = f"  {row['failed']} FAILED" if row["failed"] else ""
                print(
                    f"{f'{kind}, {in_flight} in flight, {where}':<44}"
                    f"{row['microseconds']:>11.1f}{row['worker']:>10.1f}{row['rate']:>9.0f}"
                    f"{row['p50'] * 1e3:>8.2f}{row['p99'] * 1e3:>8.2f}{failed}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
