"""The lines of a recording as they are played: what was said, and which calls were given up.

Imports the recording's lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from ocpp_twisted.recording.lines import Line, NotALine, read

__all__ = ["Event", "given_up", "read_events"]

#: Seconds by which a deadline may be missed, and a little more (`ocpp_twisted.deadlines`).
_LATE = 0.25

_decode = msgspec.json.Decoder().decode
_elements = msgspec.json.Decoder(list[Raw]).decode


class Event(NamedTuple):
    """A line that was read.

    :ivar where: where it stands.
    :ivar frame: the elements of the message, if it is an OCPP-J frame: an array of three or more.
    """

    where: str
    line: Line
    frame: list[Raw] | None

    @property
    def type(self) -> int:
        """The message type number; 0 if there is none."""
        return _whole(self.frame[0]) if self.frame else 0

    @property
    def id(self) -> Any:
        """The message id."""
        return _decode(self.frame[1]) if self.frame else None


def read_events(
    lines: Iterable[tuple[str, bytes | str]], note: Callable[[str, str], None]
) -> Iterator[Event]:
    """The events in lines that are each given with where it stands.

    :param note: is called with the place of a line that cannot be read, and a sentence.
    """
    for where, data in lines:
        if not data.strip():
            continue
        try:
            line = read(data)
        except NotALine:
            note(where, "this is no line of a recording, or the half of one")
        else:
            yield Event(where, line, _frame(line.message))


def given_up(events: Sequence[Event]) -> dict[int, float]:
    """The seconds after which recorded calls were given up, by the place of their event.

    A call that is followed by another one without an answer in between was given up by then
    (OCPP-J 1.6 section 4.1.1: one at a time).
    """
    timeouts: dict[int, float] = {}
    open_calls: dict[int, tuple[int, Any, float]] = {}
    for index, event in enumerate(events):
        line = event.line
        if line.event == "start":
            open_calls.clear()
        known = open_calls.get(line.connection)
        if line.event == "out" and event.type == 2:
            if known is not None:
                timeouts[known[0]] = max(line.seconds - known[2] - _LATE, 0.0)
            open_calls[line.connection] = index, event.id, line.seconds
        elif line.event == "in" and event.type in (3, 4) and known and known[1] == event.id:
            del open_calls[line.connection]
    return timeouts


def _frame(message: bytes | None) -> list[Raw] | None:
    if message is None:
        return None
    try:
        elements = _elements(message)
        _decode(message)
        known = len(elements) > 2 and isinstance(_decode(elements[1]), str)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return elements if known else None


def _whole(raw: Raw) -> int:
    value = _decode(raw)
    return value if type(value) is int else 0
