"""How many transactions and meter values a second the store of the plug-in ``local`` takes.

``python benchmarks/store.py [URL]``: charge points that charge at once, each waiting for its answer
before it goes on, against a SQLite file in the current folder (or another database, by its URL).
No sockets: the store, the handlers and the RPC layer, in one process.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet import reactor
from zope.interface import implementer

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IMessageTransport
from ocpp_twisted.plugins.local import LocalPlugin

SECONDS = 5.0
TIME = "2024-05-01T12:00:00Z"
_MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "SoC",
)
FIVE = [{"value": "1", "measurand": each} for each in _MEASURANDS]


@implementer(IMessageTransport)
class ChargePoint:
    """Sends its next message when it has the answer to the last."""

    peer = "192.0.2.1"
    security_profile = 0
    _messages = count(1)

    def __init__(self, central_system: CentralSystem, name: str, action: str) -> None:
        self.action = action
        self.answers = 0
        self.times: list[float] = []
        self.transaction_id: int | None = None
        connection = central_system.connection_made(Identity(name), "ocpp1.6", self)
        self.receive = connection.receive

    def send(self) -> None:
        number = next(self._messages)
        self.sent = time.perf_counter()
        action = "StartTransaction" if self.transaction_id is None else self.action
        if action == "StartTransaction":
            payload = {"connectorId": 1, "idTag": "A", "meterStart": number, "timestamp": TIME}
        else:
            value = {"timestamp": TIME, "sampledValue": [{**FIVE[0], "value": str(number)}, *FIVE]}
            payload = {
                "connectorId": 1,
                "transactionId": self.transaction_id,
                "meterValue": [value],
            }
        self.receive(json.dumps([2, str(number), action, payload]).encode())

    def send_message(self, data: bytes) -> None:
        kind, _, payload = json.loads(data)
        assert kind == 3, data
        if self.transaction_id is None:
            self.transaction_id = payload["transactionId"]
        else:
            self.answers += 1
            self.times.append(time.perf_counter() - self.sent)
        reactor.callLater(0, self.send)

    def close(self, code: int, reason: str) -> None: ...

    def pause_receiving(self) -> None: ...

    def resume_receiving(self) -> None: ...


def measure(url: str, action: str, charge_points: int) -> None:
    """Charge for some seconds, and print a row."""
    plugin = LocalPlugin()
    central_system = CentralSystem([plugin], reactor)
    plugin.start(central_system, {"store": url, "authorize": "open"})
    all_of_them = [
        ChargePoint(central_system, f"{action}{charge_points}-{number}", action)
        for number in range(charge_points)
    ]
    for each in all_of_them:
        reactor.callWhenRunning(each.send)
    reactor.callLater(SECONDS, reactor.crash)
    processor = time.process_time()
    reactor.run()
    processor = time.process_time() - processor
    answers = sum(each.answers for each in all_of_them) or 1
    times = sorted(seconds for each in all_of_them for seconds in each.times) or [0.0]
    print(
        f"{action:<18}{charge_points:>6}{answers / SECONDS:>10.0f}"
        f"{processor / answers * 1e6:>10.0f}{times[len(times) // 2] * 1e3:>10.1f}"
        f"{times[len(times) * 99 // 100] * 1e3:>10.1f}"
    )


if __name__ == "__main__":
    if len(sys.argv) == 4:
        measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))
        sys.exit()
    import subprocess

    print("action           points     per s    us CPU    p50 ms    p99 ms")
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/records.db"
        for action in ("StartTransaction", "MeterValues"):
            for charge_points in (1, 100, 2000):
                row = [sys.executable, __file__, url, action, str(charge_points)]
                subprocess.run(row, check=True)
