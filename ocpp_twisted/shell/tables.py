"""Tables for people. Imports the standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from time import time
from typing import Any

__all__ = ["CHARGE_POINTS", "NODES", "charge_point_row", "clock", "node_row", "plain", "table"]

CHARGE_POINTS = (
    "ID",
    "NAME",
    "CONNECTED",
    "OCPP",
    "STATUS",
    "VENDOR",
    "MODEL",
    "LAST SEEN",
    "PEER",
)
NODES = ("NODE", "KIND", "VERSION", "RUNS", "LOAD")
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def plain(text: str, but: str = "") -> str:
    """The text without what a terminal would obey: charge points choose their own words."""
    return "".join(char if char.isprintable() or char in but else "?" for char in text)


def charge_point_row(one: Mapping[str, Any]) -> Sequence[str]:
    """A charge point of the HTTP interface as a row of the table."""
    connected = "no"
    if one["connected"]:
        connected = _duration(one["connectedSeconds"])
    return (
        one["id"],
        one["name"],
        connected,
        one["version"] or "",
        one["registrationStatus"] or "",
        one["vendorName"] or "",
        one["model"] or "",
        "" if one["lastSeen"] is None else clock(one["lastSeen"], "%Y-%m-%d %H:%M"),
        one["peer"] or "",
    )


def node_row(one: Mapping[str, Any]) -> Sequence[str]:
    """A node of the HTTP interface as a row of the table."""
    load = ", ".join(f"{name} {number:g}" for name, number in one["load"].items())
    runs = _duration(max(0.0, time() - one["since"]))
    return one["node"], one["kind"], one["version"], runs, load


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines: the columns that have anything in them, under their names; nothing for no rows."""
    if not rows:
        return
    cells = [columns, *([plain(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    used = [any(row[place] for row in cells[1:]) for place in range(len(columns))]
    for row in cells:
        padded = (
            cell.ljust(width) for cell, width, shown in zip(row, widths, used, strict=True) if shown
        )
        yield "  ".join(padded).rstrip()


def clock(time: str, form: str) -> str:
    """A time of the HTTP interface, in the zone of the person."""
    return datetime.fromisoformat(time).astimezone().strftime(form)


def _duration(seconds: float) -> str:
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"
