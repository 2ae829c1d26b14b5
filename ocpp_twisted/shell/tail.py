"""Events as lines for people. Imports its neighbour `tables`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ocpp_twisted.shell.tables import clock, plain

__all__ = ["lines_of"]

_ARROWS = {"in": "<-", "out": "->"}


def lines_of(
    recent: Sequence[Mapping[str, Any]], events: Iterator[tuple[str, Any]]
) -> Iterator[str]:
    """A line for each recent message, then one for each event as it comes.

    A message that came while both were asked for stands in both, and is shown once.
    """
    for message in recent:
        yield _line(message)
    shown = [dict(message) for message in recent]
    for name, event in events:
        if name == "gap":
            yield "... something is missing here ..."
        elif event not in shown:
            yield _line(event)


def _line(event: Mapping[str, Any]) -> str:
    return plain(f"{clock(event['time'], '%H:%M:%S.%f')[:-3]} {_TEXTS[event['kind']](event)}")


def _message(event: Mapping[str, Any]) -> str:
    arrow = _ARROWS[event["way"]]
    if "frame" in event:
        return f"{arrow} {_compact(event['frame'])}"
    if "text" in event:
        return f"{arrow} (no JSON) {event['text']}"
    if "base64" in event:
        return f"{arrow} (no text, base64) {event['base64']}"
    return f"{arrow} ({event['withheld']} bytes that may hold a secret)"


def _connection(event: Mapping[str, Any]) -> str:
    if event["event"] == "online":
        return f"== online with OCPP {event['version']} from {event['peer']}"
    return f"== offline after {event['seconds']:.0f} s: {event['reason']}"


def _status(event: Mapping[str, Any]) -> str:
    connector = event["connector"]
    evse = "" if connector["evseId"] is None else f"EVSE {connector['evseId']} "
    error = connector["errorCode"]
    more = f" ({error})" if error not in (None, "NoError") else ""
    return f"== {evse}connector {connector['connectorId']}: {connector['status']}{more}"


def _transaction(event: Mapping[str, Any]) -> str:
    transaction = event["transaction"]
    what = f"== transaction {transaction['transactionId']} {event['event']}"
    tag = f", id tag {transaction['idTag']}" if transaction["idTag"] else ""
    reason = f": {transaction['reason']}" if transaction["reason"] else ""
    return f"{what}{tag}{reason}"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_TEXTS = {
    "connection": _connection,
    "message": _message,
    "status": _status,
    "transaction": _transaction,
}
