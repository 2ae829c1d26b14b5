"""A program: many charge points charge as fast as they can, until somebody kills it.

``python -m tests.plugins.local.charging URL CHARGE_POINTS`` reads from its standard input how far
each charge point has come (JSON: id to `Progress`), goes on there, and writes a line of JSON,
``[id, Progress]``, for each answer that a charge point has got.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime, timedelta
from typing import Any

from twisted.internet import reactor
from zope.interface import implementer

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IMessageTransport
from ocpp_twisted.plugins.local import LocalPlugin

BEGINNING = datetime(2024, 5, 1)  # noqa: DTZ001  its zone is in the text below

#: How many transactions it has begun, what it has been answered last ("start", "meter", "stop"),
#: and the transactionId.
Progress = tuple[int, str, int]


@implementer(IMessageTransport)
class ChargePoint:
    """Starts, meters and stops, one transaction after the other."""

    peer = "192.0.2.1"
    security_profile = 0

    def __init__(self, central_system: CentralSystem, id_: str, progress: Progress) -> None:
        self.id = id_
        self.number, self.answered, self.transaction_id = progress
        self.messages = 0
        connection = central_system.connection_made(Identity(id_), "ocpp1.6", self)
        self.receive = connection.receive

    def go_on(self) -> None:
        time = f"{(BEGINNING + timedelta(minutes=self.number)).isoformat()}Z"
        if self.answered == "stop":
            action, payload = "StartTransaction", {"meterStart": 0, "timestamp": time}
            payload |= {"connectorId": 1, "idTag": "ANNA"}
        else:
            meter = {"timestamp": time, "sampledValue": [{"value": self.answered}]}
            payload = {"transactionId": self.transaction_id}
            if self.answered == "start":
                action, more = "MeterValues", {"connectorId": 1, "meterValue": [meter]}
            else:
                action, more = "StopTransaction", {"transactionData": [meter]}
                more |= {"meterStop": self.number, "timestamp": time}
            payload |= more
        self.messages += 1
        self.receive(json.dumps([2, f"{os.getpid()}-{self.messages}", action, payload]).encode())

    def send_message(self, data: bytes) -> None:
        kind, _, payload = json.loads(data)
        assert kind == 3, data
        self.answered = {"stop": "start", "start": "meter", "meter": "stop"}[self.answered]
        if self.answered == "start":
            self.number += 1
            self.transaction_id = payload["transactionId"]
        line = json.dumps([self.id, [self.number, self.answered, self.transaction_id]])
        os.write(1, line.encode() + b"\n")
        reactor.callLater(0, self.go_on)

    def close(self, code: int, reason: str) -> None: ...

    def pause_receiving(self) -> None: ...

    def resume_receiving(self) -> None: ...


def main(url: str, charge_points: int) -> None:
    """Charge until killed."""
    progress: dict[str, Any] = json.load(sys.stdin)
    plugin = LocalPlugin()
    central_system = CentralSystem([plugin], reactor)
    plugin.start(central_system, {"store": url, "authorize": "open"})
    for number in range(charge_points):
        name = f"CP{number}"
        charge_point = ChargePoint(central_system, name, progress.get(name, (0, "stop", 0)))
        reactor.callWhenRunning(charge_point.go_on)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
