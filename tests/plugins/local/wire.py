"""A charge point as its central system sees it: text that comes, text that goes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IMessageTransport
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.local.store.writer import Immediate
from ocpp_twisted.records import IdTag, MeterSample, Transaction
from tests.plugins.local.databases import empty_database

#: No message id comes twice: what is told twice is told in two messages, so that both are handled.
_ids = count(1)

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
    security_profile = 2

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send_message(self, data: bytes) -> None:
        self.sent.append(data.decode())

    def close(self, code: int, reason: str) -> None: ...

    def pause_receiving(self) -> None: ...

    def resume_receiving(self) -> None: ...


def of(deferred: Deferred[Any]) -> Any:
    """What a Deferred that has fired has fired with."""
    outcomes: list[Any] = []
    deferred.addBoth(outcomes.append)
    [outcome] = outcomes
    if isinstance(outcome, Failure):
        outcome.raiseException()
    return outcome


class Site:
    """A central system with a plug-in `local`, and whoever connects to it.

    Every tag may charge, unless `config` says otherwise. Its database is empty.
    """

    def __init__(self, plugin: type[LocalPlugin] = LocalPlugin, **config: Any) -> None:
        self.time = NOW
        self.plugin = plugin(now=lambda: self.time, store=Immediate(empty_database()))
        self.central_system = CentralSystem([self.plugin], Clock())
        self.plugin.start(self.central_system, {"authorize": "open", **config})

    def transactions(self, charge_point: str | Identity = "CP1") -> list[Transaction]:
        """Those of a charge point, the oldest first."""
        found = of(self.plugin.list_transactions(charge_point))
        return list(reversed(found.items))

    def transaction(self, charge_point: str | Identity = "CP1") -> Transaction:
        """The only one."""
        [found] = self.transactions(charge_point)
        return found

    def samples(self, charge_point: str | Identity = "CP1") -> list[MeterSample]:
        """Those of the only transaction."""
        found = of(self.plugin.meter_values(self.transaction(charge_point).id))
        return list(found.items)

    def facts(self, kind: str) -> dict[str, Any]:
        """Key to data, of CP1."""
        return {each.key: each.data for each in of(self.plugin.list_facts("CP1", kind)).items}

    def put_tags(self, *tags: IdTag) -> None:
        """Enter tags."""
        of(self.plugin.put_id_tags(tags))

    def connect(self, subprotocol: str, id: str = "CP1", name: str = "") -> Line:  # noqa: A002
        transport = Recorder()
        receiver = self.central_system.connection_made(Identity(id, name), subprotocol, transport)
        return Line(receiver, transport.sent, subprotocol)


class Line:
    """A connection, from the charge point's end."""

    def __init__(self, receiver: Any, sent: list[str], subprotocol: str) -> None:
        self._receiver = receiver
        self._receive = receiver.receive
        self.version = subprotocol
        self.sent = sent

    def lost(self) -> None:
        """The connection ends."""
        self._receiver.lost("it has gone")

    def says(self, text: str) -> str | None:
        """What is answered to a text at once, if anything is."""
        before = len(self.sent)
        self._receive(text.encode())
        answers = self.sent[before:]
        assert len(answers) <= 1, answers
        return answers[0] if answers else None

    def calls(self, action: str, /, **payload: Any) -> dict[str, Any]:
        """The payload of the CALLRESULT to a CALL."""
        message_id = f"m{next(_ids)}"
        answer = self.says(json.dumps([2, message_id, action, payload]))
        assert answer is not None, f"{action} was not answered"
        frame = json.loads(answer)
        assert frame[:2] == [3, message_id], answer
        result: dict[str, Any] = frame[2]
        return result
