"""What is counted and measured, in the form that Prometheus reads.

Imports the interfaces, prometheus-client and what is below them. Numbers are kept as plain
integers where things happen; prometheus-client's own objects are made when somebody looks. No
label has a value that a peer made up, or grows with the number of charge points.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from inspect import iscoroutine
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from zope.interface import implementer

from ocpp_twisted.errors import CallErrorReceived, ErrorCode
from ocpp_twisted.interfaces import IObserver, RequestHandler
from ocpp_twisted.measuring import Counted, Histogram
from ocpp_twisted.ocppj import frames
from ocpp_twisted.ocppj.leniency import Repair
from ocpp_twisted.ocppj.message import Response
from ocpp_twisted.versions import CATALOGUES

__all__ = ["Messages", "Metrics"]

_log = Logger()

_Any = TypeVar("_Any")
_Labels = tuple[str, ...]
#: The codes of CALLERRORs that have a name of their own; a peer may send any other.
_CODES = frozenset(
    catalogue.rules.spell(code) for catalogue in CATALOGUES.values() for code in ErrorCode
) | frozenset(ErrorCode)


class Metrics:
    """The numbers of one server.

    :param sources: each gives its measures when somebody looks. One that fails is left out.
    """

    def __init__(self, sources: Iterable[Callable[[], Iterable[Counted]]]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(_Sources(tuple(sources)))

    def render(self) -> bytes:
        """All numbers in Prometheus' text format, UTF-8."""
        return generate_latest(self._registry)


class _Sources(Collector):
    def __init__(self, sources: Sequence[Callable[[], Iterable[Counted]]]) -> None:
        self._sources = sources

    def describe(self) -> Iterable[Metric]:
        """Nothing to tell before somebody looks."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Ask everybody."""
        for source in self._sources:
            try:
                families = [_family(counted) for counted in source()]
            except Exception:
                _log.failure("measures are missing: {source}", source=source)
            else:
                yield from families


def _family(counted: Counted) -> Metric:
    name, labels = counted.name, list(counted.labels)
    if any(isinstance(value, Histogram) for value in counted.values.values()):
        histograms = HistogramMetricFamily(name, counted.help, labels=labels)
        for values, histogram in counted.values.items():
            assert isinstance(histogram, Histogram)
            histograms.add_metric(values, _buckets(histogram), histogram.total)
        return histograms
    numbers: Any = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family: Metric = numbers(name, counted.help, labels=labels)
    for values, number in counted.values.items():
        family.add_metric(values, number)  # type: ignore[attr-defined]
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    names = [*map(str, histogram.bounds), "+Inf"]
    so_far = 0
    buckets = []
    for name, count in zip(names, histogram.counts, strict=True):
        so_far += count
        buckets.append((name, float(so_far)))
    return buckets


@implementer(IObserver)
class Messages:
    """Counts what becomes of the messages of a central system; an `IObserver`.

    :param now: seconds, for how long handlers take.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._handlers: dict[_Labels, Histogram] = {}
        #: How often a handler failed, or there was nothing to answer.
        self._without_result: Counter[_Labels] = Counter()
        self._errors: Counter[_Labels] = Counter()
        self._running = 0
        self._refused: Counter[_Labels] = Counter()
        self._again: Counter[_Labels] = Counter()
        self._repairs: Counter[_Labels] = Counter()
        self._limits: Counter[_Labels] = Counter()
        self._calls: dict[_Labels, Histogram] = {}
        self._ended: Counter[_Labels] = Counter()
        self._waiting: Counter[_Labels] = Counter()

    # -- CALLs of charge points ---------------------------------------------------------------

    def watched(self, version: str, action: str, handler: RequestHandler) -> RequestHandler:
        """See `IObserver.watched`."""
        key, now = (version, action), self._now
        took = self._handlers[key] = Histogram()
        counts, bounds = took.counts, took.bounds

        def done(result: _Any, begun: float) -> _Any:
            self._running -= 1
            took.add(now() - begun)
            if not isinstance(result, Response):
                self._without_result[key] += 1
            return result

        # This is done for each message, so it is written out: no calls, and no counting of the
        # usual outcome, which is what remains.
        def watched(charge_point: Any, request: Any) -> Any:
            begun = now()
            try:
                outcome = handler(charge_point, request)
            except BaseException:
                took.add(now() - begun)
                self._without_result[key] += 1
                raise
            if isinstance(outcome, Response):
                seconds = now() - begun
                counts[bisect_left(bounds, seconds)] += 1
                took.total += seconds
                return outcome
            if iscoroutine(outcome):
                outcome = ensureDeferred(outcome)
            if isinstance(outcome, Deferred):
                self._running += 1
                outcome.addBoth(done, begun)
            else:  # of a SEND, which has no answer
                took.add(now() - begun)
                self._without_result[key] += 1
            return outcome

        return watched

    def call_refused(self, version: str, action: str, code: str) -> None:
        """See `IObserver.call_refused`."""
        self._errors[version, action, _known(code)] += 1

    def call_came_again(self, version: str, action: str) -> None:
        """See `IObserver.call_came_again`."""
        self._again[version, action] += 1

    def message_refused(self, version: str, reply: bytes | None) -> None:
        """See `IObserver.message_refused`."""
        code = "none"
        if reply is not None:
            frame = frames.decode(reply)
            code = _known(getattr(frame, "code", ""))
        self._refused[version, code] += 1

    def repaired(self, version: str, repairs: Sequence[Repair]) -> None:
        """See `IObserver.repaired`."""
        for repair in repairs:
            self._repairs[version, repair.action, repair.kind.value] += 1

    def limit_reached(self, limit: str) -> None:
        """See `IObserver.limit_reached`."""
        self._limits[limit,] += 1

    # -- our calls ----------------------------------------------------------------------------

    def call_begun(self, version: str) -> None:
        """See `IObserver.call_begun`."""
        self._waiting[version,] += 1

    def call_over(
        self, version: str, action: str, seconds: float, error: Exception | None = None
    ) -> None:
        """See `IObserver.call_over`."""
        self._waiting[version,] -= 1
        self._calls.setdefault((version, action), Histogram()).add(seconds)
        outcome = "CALLRESULT"
        if isinstance(error, CallErrorReceived):
            outcome = _known(error.code)
        elif error is not None:
            outcome = type(error).__name__
        self._ended[version, action, outcome] += 1

    # -- what has been counted ----------------------------------------------------------------

    def measures(self) -> list[Counted]:
        """See `IMeasured.measures`."""
        by_action = ("version", "action")
        by_outcome = (*by_action, "outcome")
        return [
            Counted(
                "ocpp_calls_total",
                "CALLs of charge points by what they were answered: CALLRESULT, or an error code.",
                by_outcome,
                {**self._results(), **self._errors},
            ),
            Counted(
                "ocpp_handler_seconds",
                "How long handlers took for the messages of charge points.",
                by_action,
                {key: took for key, took in self._handlers.items() if any(took.counts)},
            ),
            Counted.one("ocpp_handlers_running", "Handlers that work on a CALL.", self._running),
            Counted(
                "ocpp_calls_repeated_total",
                "CALLs that came again and got the answer they had before.",
                by_action,
                self._again,
            ),
            Counted(
                "ocpp_messages_refused_total",
                "Messages that were not readable, not known or not admitted, by the error code "
                "that they were answered with.",
                ("version", "code"),
                self._refused,
            ),
            Counted(
                "ocpp_repairs_total",
                "What the schema does not allow and was let through.",
                (*by_action, "kind"),
                self._repairs,
            ),
            Counted("ocpp_limits_reached_total", "Limits reached.", ("limit",), self._limits),
            Counted(
                "ocpp_outgoing_calls_total",
                "Our calls by their end: CALLRESULT, an error code, or why there was no answer.",
                by_outcome,
                self._ended,
            ),
            Counted(
                "ocpp_outgoing_call_seconds",
                "How long our calls took, their time in the queue included.",
                by_action,
                self._calls,
            ),
            Counted(
                "ocpp_outgoing_calls_waiting",
                "Our calls that are queued or wait for their answer.",
                ("version",),
                self._waiting,
            ),
        ]

    def _results(self) -> dict[_Labels, int]:
        results = {
            (*key, "CALLRESULT"): sum(took.counts) - self._without_result[key]
            for key, took in self._handlers.items()
        }
        return {key: number for key, number in results.items() if number}


def _known(code: str) -> str:
    return str(code) if code in _CODES else "other"
