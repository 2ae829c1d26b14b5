"""One connection that is played: what we say on it now, until it is found in the recording.

Imports connections and the recording's lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ocpp_twisted.connection import Connection
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IMessageTransport
from ocpp_twisted.recording.lines import Line

__all__ = ["Played", "kind_of"]

_decode = msgspec.json.Decoder().decode


@implementer(IMessageTransport)
class Played:
    """The charge point's end of the connection.

    :ivar where: the line that was played last.
    :ivar whole: whether it was recorded from its beginning, and nothing was lost or withheld.
    :ivar actions: message ids of the charge point's CALLs to their actions.
    :ivar unanswered: message ids of those that have no answer now.
    :ivar ids: message ids of our recorded CALLs to those of now.
    :ivar calls: what we have called now, not yet found in the recording.
    :ivar answers: what we have answered now, not yet found in the recording.
    :ivar expected: what was answered then, with its place, and not yet now.
    :ivar closed: code and reason with which we close it now; `was_closed` is what was recorded.
    :ivar hears: fires with the next message of ours, if somebody waits for it.
    """

    connection: Connection

    def __init__(self, line: Line, where: str) -> None:
        self.whole = line.event == "online"
        self.identity = Identity(line.charge_point, line.name)
        self.version = line.version
        self.peer = line.peer or "recording"
        self.security_profile = 0
        self.where = where
        self.actions: dict[Any, str] = {}
        self.unanswered: set[Any] = set()
        self.ids: dict[Any, Any] = {}
        self.calls: list[list[Any]] = []
        self.answers: dict[Any, list[list[Any]]] = defaultdict(list)
        self.expected: dict[Any, list[tuple[str, list[Any]]]] = defaultdict(list)
        self.closed: tuple[int, str] | None = None
        self.was_closed: tuple[int, str] | None = None
        self.hears: Deferred[None] | None = None

    def send_message(self, data: bytes) -> None:
        frame = _decode(data)
        if frame[0] in (2, 6):
            self.calls.append(frame)
        else:
            self.unanswered.discard(frame[1])
            self.answers[kind_of(frame)].append(frame)
        hears, self.hears = self.hears, None
        if hears is not None:
            hears.callback(None)

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = code, reason

    def pause_receiving(self) -> None:
        """The recording has no ears for that: a CALL that comes meanwhile waits in line."""

    def resume_receiving(self) -> None:
        """See `pause_receiving`."""


def kind_of(frame: Sequence[Any]) -> tuple[bool, Any]:
    """Which answers are to be compared: those to one message id, and CALLRESULTERRORs apart."""
    return frame[0] == 5, frame[1]
