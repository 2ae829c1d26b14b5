"""A load without a socket: the test is the server's end of each connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ocpp_twisted.interfaces import IMessageReceiver, IMessageTransport
from ocpp_twisted.stress.load import Load
from ocpp_twisted.stress.plan import Plan
from ocpp_twisted.stress.tally import Tally
from ocpp_twisted.websocket.target import Target
from tests.support import MemoryTransport


def plan(**more: Any) -> Plan:
    """One charge point that sends a Heartbeat a second for ten seconds, and does not boot."""
    usual: dict[str, Any] = {
        "urls": ["ws://127.0.0.1:9000"],
        "version": "1.6",
        "first": 0,
        "step": 1,
        "connections": 1,
        "rate": 1.0,
        "duration": 10.0,
        "ramp": 1000.0,
        "timeout": 5.0,
        "kind": "heartbeat",
        "boot": False,
        "prefix": "CP",
        "ids": None,
        "sources": [],
        "password": None,
        "ca": None,
        "cert": None,
        "key": None,
        "verify": True,
        "run": "run",
    }
    return Plan(**{**usual, **more})


class ServersEnd(MemoryTransport):
    """One connection; `says` is for the charge point, `hears` what it has sent."""

    receiver: IMessageReceiver | None = None

    def says(self, *message: Any) -> None:
        self.receiver.receive(json.dumps(message, separators=(",", ":")).encode())

    def hears(self) -> list[Any]:
        sent, self.sent[:] = list(self.sent), []
        return [json.loads(frame) for frame in sent]

    def answers(self, payload: Any = None) -> Any:
        """Answer the one CALL that has come; returns it."""
        (call,) = self.hears()
        self.says(3, call[1], payload if payload is not None else {"currentTime": "2026"})
        return call

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            super().close(code, reason)
            if self.receiver is not None:
                self.receiver.closing()
                self.receiver.lost("closed by us")

    def hangs_up(self, reason: str = "gone") -> None:
        self.receiver.lost(reason)


class Doors:
    """Where the charge points connect to.

    :ivar waiting: who wants to come in: target, opened, and the Deferred.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[Target, Callable[..., IMessageReceiver], Deferred[None]]] = []

    def connect(
        self,
        target: Target,
        subprotocols: Sequence[str],
        opened: Callable[[str, IMessageTransport], IMessageReceiver],
    ) -> Deferred[None]:
        result: Deferred[None] = Deferred()
        self.waiting.append((target, opened, result))
        return result

    def lets_in(self) -> ServersEnd:
        """Open the connection of who waits longest."""
        _, opened, result = self.waiting.pop(0)
        end = ServersEnd()
        end.receiver = opened("ocpp1.6", end)
        result.callback(None)
        return end

    def refuses(self, error: Exception) -> None:
        self.waiting.pop(0)[2].errback(error)


class Loaded:
    """A load on a clock."""

    def __init__(self, **more: Any) -> None:
        self.clock = Clock()
        self.doors = Doors()
        self.load = Load(plan(**more), self.clock, self.clock.seconds, Random(1), self.doors)
        self.load.start()

    def passes(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds * 100))

    @property
    def tally(self) -> Tally:
        return self.load.look()
