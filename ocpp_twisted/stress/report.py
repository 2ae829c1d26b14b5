"""The result of a run, as a table for people and as JSON for programs.

Imports its neighbours. docs/stress.md tells what each figure means.
"""

from __future__ import annotations

import os
import platform
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from ocpp_twisted.stress.histogram import Histogram
from ocpp_twisted.stress.run import Result

__all__ = ["as_json", "as_text", "milliseconds", "thousands"]

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
#: Characters of the longest bar of the histogram.
_WIDTH = 40
#: What is told to nobody.
_SECRET = {"password"}


def as_json(options: Namespace, result: Result) -> dict[str, Any]:
    """All that is known, for `json.dumps`. Times are in microseconds unless their name says."""
    tally = result.tally
    return {
        "good": result.good,
        "complete": result.complete,
        "troubles": result.troubles,
        "versions": {
            "ocpp_twisted": version("ocpp-twisted"),
            "python": platform.python_version(),
            "twisted": version("twisted"),
            "system": platform.platform(),
        },
        "options": {
            name: value if isinstance(value, int | float | list | None) else str(value)
            for name, value in vars(options).items()
            if name not in _SECRET
        },
        "seconds": tally.seconds,
        "connections": {
            "asked": tally.asked,
            "opened": tally.opened,
            "open": tally.open,
            "reopened": tally.reopened,
            "refused": dict(tally.refused),
            "lost": dict(tally.lost),
        },
        "requests": {
            "due": tally.due,
            "sent": tally.sent,
            "answered": tally.answered,
            "failed": dict(tally.failed),
            "unexpected_answers": tally.unexpected,
            "unreadable_messages": tally.unreadable,
            "calls_of_the_server": tally.called,
        },
        "rate": {"asked": options.connections * options.rate, "answered": _rate(result)},
        "latency": _times(tally.latency),
        "service": _times(tally.service),
        "load": {
            "processes": result.processes,
            "cpus": os.cpu_count(),
            "cpu_seconds": tally.cpu,
            "cpu_per_request": _each(tally.cpu * 1e6, tally.answered_in_time),
            "resident_bytes": tally.memory,
            "bytes_per_connection": _each(tally.memory - tally.memory_before, tally.open),
        },
    }


def as_text(options: Namespace, result: Result) -> Iterator[str]:
    """The table, line by line."""
    tally = result.tally
    early = "" if result.complete else f" of {options.duration:g} s: ended early"
    yield (
        f"{thousands(tally.asked)} charge points of OCPP {options.version}, {options.message}, "
        f"{options.rate:g} a second each, {tally.seconds:.1f} s{early}"
    )
    yield ""
    again = f", reconnected {thousands(tally.reopened)}" if tally.reopened else ""
    yield (
        f"connections  {thousands(tally.opened)} opened of {thousands(tally.asked)}{again}; "
        f"{thousands(tally.open)} open in the end"
    )
    yield from _reasons("refused", tally.refused)
    yield from _reasons("lost", tally.lost)
    yield (
        f"requests     {thousands(tally.due)} due, {thousands(tally.sent)} sent, "
        f"{thousands(tally.answered)} answered"
    )
    yield from _reasons("failed", tally.failed)
    if tally.unexpected or tally.unreadable:
        yield (
            f"besides      {thousands(tally.unexpected)} answers that nobody waited for, "
            f"{thousands(tally.unreadable)} messages that are no OCPP"
        )
    asked = options.connections * options.rate
    yield f"rate         {_rate(result):,.1f} answered a second, of {asked:,.1f} asked"
    processes = "1 process" if result.processes == 1 else f"{result.processes} processes"
    each = _each(tally.cpu * 1e6, tally.answered_in_time)
    memory = _each(tally.memory - tally.memory_before, tally.open) / 1000
    yield (
        f"the load     {processes}, {each:.1f} us a request, {memory:.1f} kB a connection, "
        f"{tally.memory / 1e6:,.0f} MB"
    )
    yield from (f"trouble      {trouble}" for trouble in result.troubles)
    if tally.latency.count:
        yield ""
        yield from _table(tally.latency, tally.service)
        yield ""
        yield "latency"
        yield from _drawn(tally.latency)


def thousands(number: int) -> str:
    """A number that can be read."""
    return f"{number:,}"


def milliseconds(microseconds: float) -> str:
    """A time with three digits that count."""
    time = microseconds / 1000
    for limit, digits in ((1, 3), (10, 2), (100, 1)):
        if time < limit:
            return f"{time:.{digits}f} ms"
    return f"{time:,.0f} ms"


def _rate(result: Result) -> float:
    """Answers a second while requests were sent."""
    return _each(result.tally.answered_in_time, result.tally.seconds)


def _each(amount: float, of: float) -> float:
    return amount / of if of else 0.0


def _times(times: Histogram) -> dict[str, Any]:
    return {
        "count": times.count,
        "minimum": times.minimum,
        "mean": times.mean,
        **{name: times.quantile(share) for name, share in _QUANTILES.items()},
        "maximum": times.maximum,
        "buckets": times.buckets(),
    }


def _reasons(name: str, reasons: Counter[str]) -> Iterator[str]:
    if reasons:
        yield f"{name:12} {thousands(reasons.total())}"
        for reason, times in reasons.most_common():
            yield f"{thousands(times):>16}  {reason}"


def _table(latency: Histogram, service: Histogram) -> Iterator[str]:
    yield f"{'':12} {'latency':>12} {'service':>12}"
    columns = _times(latency), _times(service)
    for name in ("minimum", "mean", *_QUANTILES, "maximum"):
        cells = " ".join(f"{milliseconds(column[name]):>12}" for column in columns)
        yield f"{name:12} {cells}"


def _drawn(times: Histogram) -> Iterator[str]:
    """A bar for each step of 1, 2, 5, 10 and so on, the middle of a bucket deciding."""
    buckets = times.buckets()
    rows: list[list[int]] = []
    limit = _step_after(buckets[0][0] - 1)
    rows.append([limit, 0])
    for first, last, count in buckets:
        while (first + last) / 2 > limit:
            limit = _step_after(limit)
            rows.append([limit, 0])
        rows[-1][1] += count
    most = max(count for _, count in rows)
    for limit, count in rows:
        share = count / times.count
        bar = "#" * (-(-count * _WIDTH // most))
        yield f"  to {milliseconds(limit):>9} {share:8.3%} {bar}".rstrip()


def _step_after(time: int) -> int:
    """The first of 1, 2, 5, 10, 20, 50 and so on that is larger."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor > time:
                return step * factor
        step *= 10
