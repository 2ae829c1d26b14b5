"""How the server is, for an operator's programs: metrics, health, readiness.

Imports the interfaces and the metrics. No HTTP here: a listener that has it asks `Operations`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from twisted.logger import Logger
from zope.interface import implementer

from ocpp_twisted.interfaces import IMeasured, IOperations, IReportsHealth
from ocpp_twisted.measuring import Counted
from ocpp_twisted.metrics import Metrics
from ocpp_twisted.websocket.server import Counts

__all__ = ["Operations", "certificate_days", "of_sockets"]

_log = Logger()
_METRICS, _JSON = "text/plain; version=0.0.4; charset=utf-8", "application/json"


@implementer(IOperations)
class Operations:
    """See `IOperations`.

    :param obstacle: why no charge point is let in now; the empty text if they are.
    :param plugins: those of them that provide `IMeasured` or `IReportsHealth` are asked.
    :param sources: what else is measured; each gives its measures when it is called.
    """

    def __init__(
        self,
        obstacle: Callable[[], str],
        plugins: Sequence[Any],
        sources: Iterable[Callable[[], Iterable[Counted]]],
    ) -> None:
        self._obstacle = obstacle
        self._reporting: list[Any] = [each for each in plugins if IReportsHealth.providedBy(each)]
        measured = [each.measures for each in plugins if IMeasured.providedBy(each)]
        self._metrics = Metrics([self._measures, *sources, *measured])

    def answer(self, path: str) -> tuple[int, str, bytes] | None:
        """See `IOperations.answer`."""
        if path == "/metrics":
            return 200, _METRICS, self._metrics.render()
        if path not in ("/healthz", "/readyz"):
            return None
        trouble = {name: text for name, text in self._trouble().items() if text}
        if path == "/healthz":
            trouble.pop("server", None)  # to start and to stop is healthy
        word = "healthy" if path == "/healthz" else "ready"
        body = msgspec.json.encode({word: not trouble, "trouble": trouble})
        return (503 if trouble else 200), _JSON, body

    def _trouble(self) -> Mapping[str, str]:
        """A sentence for each part that has one: ``server``, and plug-ins by their names."""
        return {"server": self._obstacle()} | {
            plugin.name: _trouble_of(plugin) for plugin in self._reporting
        }

    def _measures(self) -> list[Counted]:
        well: dict[tuple[str, ...], float]
        well = {(name,): float(not text) for name, text in self._trouble().items()}
        return [Counted("ocpp_well", "Whether a part of the server is well.", ("part",), well)]


def _trouble_of(plugin: Any) -> str:
    try:
        return str(plugin.trouble())
    except Exception as error:
        _log.failure("plug-in {name} cannot say how it is", name=plugin.name)
        return f"it cannot say how it is: {type(error).__name__}"


def of_sockets(counts: Counts) -> list[Counted]:
    """The measures of a WebSocket server."""

    def by_version(numbers: Mapping[tuple[str, str, int], int]) -> dict[tuple[str, ...], float]:
        return {
            (subprotocol.removeprefix("ocpp"), transport, str(int(profile))): number
            for (subprotocol, transport, profile), number in numbers.items()
        }

    def by_code(numbers: Mapping[int, int]) -> dict[tuple[str, ...], float]:
        return {(str(code),): number for code, number in numbers.items()}

    kind = ("version", "transport", "profile")
    return [
        Counted(
            "ocpp_connections", "Charge points that are connected.", kind, by_version(counts.open)
        ),
        Counted(
            "ocpp_connections_opened_total",
            "Charge points that have connected.",
            kind,
            by_version(counts.opened),
        ),
        Counted(
            "ocpp_handshakes_refused_total",
            "Handshakes that were refused, by HTTP status.",
            ("code",),
            by_code(counts.refused),
        ),
        Counted(
            "ocpp_websockets_failed_total",
            "Charge points sent away for what they sent, by WebSocket close code: 1009 is a "
            "message that was too large.",
            ("code",),
            by_code(counts.failed),
        ),
        Counted.one(
            "ocpp_connections_silent_total",
            "Charge points dropped because they did not answer a ping, or did not read.",
            counts.silent,
        ),
        Counted.one(
            "ocpp_handshakes_late_total",
            "Sockets dropped because their handshake took too long.",
            counts.late,
        ),
        Counted(
            "ocpp_tls_refused_total",
            "TLS handshakes that have failed, by reason: suites, version, untrusted, revoked...",
            ("reason",),
            {(reason,): number for reason, number in counts.tls_refused.items()},
        ),
        Counted(
            "ocpp_limited_total",
            "How often a limit has stopped a charge point, by the name of its option.",
            ("limit",),
            {(limit,): number for limit, number in counts.limited.items()},
        ),
    ]


def certificate_days(
    certificates: Mapping[Path, datetime],
    crls: Mapping[Path, datetime],
    now: Callable[[], float] = time.time,
) -> list[Counted]:
    """The measures of the files for TLS.

    :param certificates: when the certificate in a file ends.
    :param crls: when a file's next CRL is due.
    """

    def days(ends: Mapping[Path, datetime]) -> dict[tuple[str, ...], float]:
        return {(str(path),): (end.timestamp() - now()) / 86400 for path, end in ends.items()}

    text = "Days until a certificate of the server, or of a client CA, ends."
    due = "Days until the next CRL is due."
    return [
        Counted("ocpp_certificate_days", text, ("file",), days(certificates)),
        Counted("ocpp_crl_days", due, ("file",), days(crls)),
    ]
