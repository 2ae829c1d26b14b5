"""What a command costs that comes over NATS: ``python -m benchmarks.nats_calls``.

A NATS server, a gateway and a caller, each a process of its own, and charge points that answer
ClearCache. The processor time is that of each process, as the operating system accounts for it.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.load import processor_seconds

ROOT = Path(__file__).resolve().parents[1]
_CONNECTIONS = 1000
_WARM_SECONDS = 0.5


def serve(role: str, url: str, port: str) -> None:
    """Run a gateway, or a caller with so many calls in flight, in this process."""
    from twisted.internet import asyncioreactor
    from uvloop import new_event_loop

    asyncioreactor.install(new_event_loop())
    from twisted.internet import reactor

    started = gateway(url, port, reactor) if role == "gateway" else call(url, int(port), reactor)
    assert started
    reactor.run()  # type: ignore[attr-defined]


def gateway(url: str, port: str, reactor: Any) -> Any:
    """Charge points connect here."""
    from ocpp_twisted.garbage import settle
    from ocpp_twisted.plugins.nats.active import ActiveNatsPlugin
    from ocpp_twisted.service import Server, Settings

    settings = Settings(
        ws=[f"tcp:{port}:interface=127.0.0.1"],
        action_plugins=[],
        active_plugins=[ActiveNatsPlugin(reactor)],
        plugin_config={"nats": {"servers": [url]}},
    )
    server = Server(settings, reactor)
    started = server.startService().addCallback(lambda _: settle())
    return started.addCallback(lambda _: print("ready", flush=True))


def call(url: str, in_flight: int, reactor: Any) -> Any:
    """Call all charge points in turn, for ever."""
    from itertools import count

    from twisted.internet.defer import Deferred
    from twisted.internet.task import deferLater

    from ocpp_twisted import v16
    from ocpp_twisted.errors import NotConnected
    from ocpp_twisted.plugins.nats.caller import NatsCaller
    from ocpp_twisted.plugins.nats.link import Link, LinkOptions
    from ocpp_twisted.plugins.nats.subjects import Subjects

    link, numbers = Link(LinkOptions(servers=[url]), reactor), count()
    caller, request = NatsCaller(link, Subjects()), v16.ClearCacheRequest()

    async def keep_calling() -> None:
        while True:
            try:
                await caller.call(f"CP{next(numbers) % _CONNECTIONS}", request)
            except NotConnected:
                await deferLater(reactor, 0.1)

    def begin() -> None:
        for _ in range(in_flight):
            Deferred.fromCoroutine(keep_calling())
        print("ready", flush=True)

    link.listen(begin, lambda: None)
    link.start()
    return link


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


def measure(in_flight: int, seconds: float) -> dict[str, float]:
    """One row."""
    nats, port = free_port(), free_port()
    url = f"nats://127.0.0.1:{nats}"
    me = [sys.executable, "-m", "benchmarks.nats_calls"]
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        program = str(Path(sys.executable).with_name("nats-server"))
        server = [program, "-a", "127.0.0.1", "-p", nats, "-js", "-sd", directory]
        stack.enter_context(running(server, b"Server is ready"))
        holding = stack.enter_context(running([*me, "gateway", url, port], b"ready"))
        calling = stack.enter_context(running([*me, "caller", url, str(in_flight)], b"ready"))
        load = subprocess.Popen(
            [
                sys.executable, "-m", "benchmarks.load",
                "--url", f"ws://127.0.0.1:{port}/ocpp",
                "--pid", str(holding),
                "--kind", "call",
                "--connections", str(_CONNECTIONS),
                "--in-flight", "0",
                "--seconds", str(seconds),
            ],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        before = processor_seconds(calling)
        said, _ = load.communicate()
        used = processor_seconds(calling) - before
    row: dict[str, float] = json.loads(said)
    return {**row, "caller": used / (row["messages"] * (seconds + _WARM_SECONDS) / seconds) * 1e6}


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] and sys.argv[1] in ("gateway", "caller"):
        serve(*sys.argv[1:4])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    options = parser.parse_args()
    print(f"{'':<24}{'gateway us':>11}{'caller us':>10}{'calls/s':>9}{'kB/conn.':>9}")
    for in_flight in (1, 64, 1000):
        row = measure(in_flight, options.seconds)
        print(
            f"{f'{in_flight} in flight':<24}{row['microseconds']:>11.1f}{row['caller']:>10.1f}"
            f"{row['rate']:>9.0f}{row['memory'] / 1e3:>9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
