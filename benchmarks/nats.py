"""What gateways, workers and NATS cost: ``python -m benchmarks.nats``.

A NATS server, gateways with the passive and the active plug-in, and workers, each a process of its
own, and the load of the other benchmarks. Three tables: the processor time of each part for a CALL
that a worker answers, and for a call that a worker makes, next to the same plug-in in the process
that holds the connections; how much more several gateways and workers do on this machine; and how
long charge points cannot be reached when their gateway is killed.
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
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

from benchmarks.takeover import takeover

ROOT = Path(__file__).resolve().parents[1]
_ME = [sys.executable, "-m", "benchmarks.nats"]
_COLUMNS = ("gateway", "worker", "nats", "rate", "p50", "p99")


def serve(role: str, url: str, port: str) -> None:
    """Run a gateway, a worker, or both in one, in this process."""
    from ocpp_twisted import uvloop_reactor

    uvloop_reactor.install()
    from twisted.internet import reactor

    from benchmarks.servers.answers import Answers
    from ocpp_twisted.garbage import settle
    from ocpp_twisted.plugins.nats.active import ActiveNatsPlugin
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
        alone = role == "alone"
        settings = Settings(
            ws=[f"tcp:{port}:interface=127.0.0.1"],
            reuse_port=True,
            action_plugins=[Answers() if alone else NatsPlugin(reactor)],
            active_plugins=[] if alone else [ActiveNatsPlugin(reactor)],
            plugin_config=config,
        )
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


def nats_server(stack: ExitStack) -> tuple[str, int]:
    """Run a NATS server with JetStream; its URL and its process id."""
    port, directory = free_port(), stack.enter_context(TemporaryDirectory())
    program = str(Path(sys.executable).with_name("nats-server"))
    command = [program, "-a", "127.0.0.1", "-p", port, "-js", "-sd", directory]
    return f"nats://127.0.0.1:{port}", stack.enter_context(running(command, b"Server is ready"))


def measure(
    kind: str, in_flight: int, seconds: float, gateways: int, workers: int
) -> dict[str, float]:
    """One row. Without workers one process does it all. Microseconds are of all of a kind."""
    port = free_port()
    with ExitStack() as stack:

        def start(role: str) -> int:
            return stack.enter_context(running([*_ME, role, url, port], b"ready"))

        if workers:
            url, nats = nats_server(stack)
            pids = [start("worker") for _ in range(workers)] + [nats]
        else:
            url, pids = "", []
        pids = [start("gateway" if workers else "alone") for _ in range(gateways)] + pids
        command = [
            sys.executable, "-m", "benchmarks.load",
            "--url", f"ws://127.0.0.1:{port}/ocpp",
            *(option for pid in pids for option in ("--pid", str(pid))),
            "--kind", kind,
            "--connections", str(max(in_flight, 100)),
            "--in-flight", str(in_flight),
            "--seconds", str(seconds),
        ]  # fmt: skip
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True)
    row = json.loads(done.stdout)
    each = row["each"]
    if row["failed"] or not row["messages"]:
        raise SystemExit(f"{kind}: {row['messages']} answered, {row['failed']} failed")
    return {
        "gateway": sum(each[:gateways]),
        "worker": sum(each[gateways : gateways + workers]),
        "nats": sum(each[gateways + workers :]),
        "rate": row["rate"],
        "p50": row["p50"] * 1e3,
        "p99": row["p99"] * 1e3,
    }


def print_row(title: str, rows: Sequence[dict[str, float]]) -> None:
    """The median of each column."""
    gateway, worker, nats, rate, p50, p99 = (
        median(row[column] for row in rows) for column in _COLUMNS
    )
    print(
        f"{title:<44}{gateway:>11.1f}{worker:>10.1f}{nats:>9.1f}{rate:>9.0f}{p50:>8.2f}{p99:>8.2f}",
        flush=True,
    )


def time_takeover(count: int) -> list[tuple[float, ...]]:
    """See `takeover`; with two gateways."""
    with ExitStack() as stack:
        url, _ = nats_server(stack)
        ports = [free_port(), free_port()]
        pids = [
            stack.enter_context(running([*_ME, "gateway", url, port], b"ready")) for port in ports
        ]
        return uvloop.run(takeover(url, ports, pids[0], count))


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] and sys.argv[1] in ("alone", "gateway", "worker"):
        serve(*sys.argv[1:4])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each measurement")
    parser.add_argument("--times", type=int, default=3, help="each; the medians are printed")
    options = parser.parse_args()

    def row(title: str, kind: str, in_flight: int, gateways: int, workers: int) -> None:
        arguments = kind, in_flight, options.seconds, gateways, workers
        print_row(title, [measure(*arguments) for _ in range(options.times)])

    head = f"{'gateway us':>11}{'worker us':>10}{'NATS us':>9}{'a second':>9}{'p50 ms':>8}"
    print(f"{'':<44}{head}{'p99 ms':>8}", flush=True)
    for kind in ("heartbeat", "meter values", "transaction event", "start transaction", "call"):
        for in_flight in (64, 1000):
            row(f"{kind}, {in_flight} in flight, in one process", kind, in_flight, 1, 0)
            row(f"{kind}, {in_flight} in flight, over NATS", kind, in_flight, 1, 1)
    for gateways in (1, 2):
        for workers in (1, 2):
            title = f"heartbeat, 256 in flight, {gateways} gateways, {workers} workers"
            row(title, "heartbeat", 256, gateways, workers)
    print(
        f"\n{'kill -9 of a gateway, ms until':<44}{'connected':>11}{'reachable':>10}{'the last':>9}"
    )
    for count in (1, 100, 1000):
        rows = []
        for _ in range(options.times):
            times = time_takeover(count)
            connected, reachable = zip(*times, strict=True)
            rows.append((median(connected), median(reachable), max(reachable)))
        one, half, last = (median(column) * 1e3 for column in zip(*rows, strict=True))
        print(f"{f'{count} charge points':<44}{one:>11.1f}{half:>10.1f}{last:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
