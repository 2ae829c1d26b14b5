"""The lines of a recording as they are played: what was said, and which calls were given up.

Imports frames and the recording's lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from ocpp_twisted.ocppj import frames
from ocpp_twisted.ocppj.frames import FrameFault
from ocpp_twisted.recording.lines import Line, NotALine, read

__all__ = ["Event", "given_up", "read_events"]

#: Seconds by which a deadline may be missed, and a little more (`ocpp_twisted.deadlines`).
_LATE = 0.25

_decode = msgspec.json.Decoder().decode
_elements = msgspec.json.Decoder(list[Raw]).decode
_whole = msgspec.json.Decoder(int).decode
_text = msgspec.json.Decoder(str).decode


class Event(NamedTuple):
    """A line that was read.

    :ivar where: where it stands.
    :ivar type: the message type number, as far as it can be read; 0 if it cannot.
    :ivar id: the message id, as far as it can be read.
    :ivar frame: the elements of the message; None if it is no array of two or more.
    """

    where: str
    line: Line
    type: int = 0
    id: str | None = None
    frame: list[Raw] | None = None

    @property
    def values(self) -> list[Any]:
        """The elements as JSON values: none if one cannot be, or if there is no frame."""
        try:
            return [_decode(element) for element in self.frame or ()]
        except (msgspec.MsgspecError, RecursionError):
            return []


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
            yield Event(where, line, *_read(line.message))


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


def _read(message: bytes | None) -> tuple[int, str | None, list[Raw] | None]:
    """Message type, message id and elements of a message."""
    if message is None:
        return 0, None, None
    try:
        elements = _elements(message)
        return _whole(elements[0]), _text(elements[1]), elements
    except (msgspec.MsgspecError, RecursionError, IndexError):
        pass
    try:  # the beginning may still be read, as a server does
        frames.decode(message)
    except FrameFault as fault:
        return fault.message_type or 0, fault.message_id, None
    return 0, None, None
