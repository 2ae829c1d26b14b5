"""A charge point as its central system sees it: text that comes, text that goes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from twisted.internet.task import Clock
from zope.interface import implementer

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IMessageTransport
from ocpp_twisted.plugins.local import LocalPlugin

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
NOW_TEXT = "2024-05-01T12:00:00Z"


def at(minute: int) -> datetime:
    """That many minutes after `NOW`."""
    return NOW.replace(minute=minute)


def at_text(minute: int) -> str:
    """The same, as it stands on the wire."""
    return f"2024-05-01T12:{minute:02}:00Z"


@implementer(IMessageTransport)
class Recorder:
    """Keeps what is sent, as text."""

    peer = "192.0.2.1"

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send_message(self, data: bytes) -> None:
        self.sent.append(data.decode())

    def close(self, code: int, reason: str) -> None: ...

    def pause_receiving(self) -> None: ...

    def resume_receiving(self) -> None: ...


class Site:
    """A central system with a plug-in `local`, and whoever connects to it."""

    def __init__(self) -> None:
        self.plugin = LocalPlugin(now=lambda: NOW)
        self.central_system = CentralSystem([self.plugin], Clock())

    def connect(self, subprotocol: str, id: str = "CP1", name: str = "") -> Line:  # noqa: A002
        transport = Recorder()
        receiver = self.central_system.connection_made(Identity(id, name), subprotocol, transport)
        return Line(receiver.receive, transport.sent)


class Line:
    """A connection, from the charge point's end."""

    def __init__(self, receive: Any, sent: list[str]) -> None:
        self._receive = receive
        self._ids = iter(range(1, 10**9))
        self.sent = sent

    def says(self, text: str) -> str | None:
        """What is answered to a text at once, if anything is."""
        before = len(self.sent)
        self._receive(text.encode())
        answers = self.sent[before:]
        assert len(answers) <= 1, answers
        return answers[0] if answers else None

    def calls(self, action: str, /, **payload: Any) -> dict[str, Any]:
        """The payload of the CALLRESULT to a CALL."""
        message_id = f"m{next(self._ids)}"
        answer = self.says(json.dumps([2, message_id, action, payload]))
        assert answer is not None, f"{action} was not answered"
        frame = json.loads(answer)
        assert frame[:2] == [3, message_id], answer
        result: dict[str, Any] = frame[2]
        return result
