"""A charging station of OCPP 2.0, which the package ocpp no longer speaks: frames of our own.

It writes times without seconds' fractions: ``2026-11-22T07:25:51Z``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tests.interop.charge_points.transcript import Recorded, note, run

CALL, CALLRESULT, CALLERROR = 2, 3, 4


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that happens when a car is charged."""

    def event(event_type: str, trigger: str, number: int, meter: float, **more: Any) -> Any:
        sampled = {"value": meter, "measurand": "Energy.Active.Import.Register"}
        return "TransactionEvent", {
            "eventType": event_type,
            "timestamp": now(),
            "triggerReason": trigger,
            "seqNo": number,
            "transactionData": {"id": "tx-20", "chargingState": "Charging"},
            "meterValue": [{"timestamp": now(), "sampledValue": [sampled]}],
            **more,
        }

    token = {"idToken": "04A2B6C8", "type": "ISO14443"}
    station = {"vendorName": "Volt & Söhne", "model": "V20"}
    yield "BootNotification", {"chargingStation": station, "reason": "PowerUp"}
    yield (
        "StatusNotification",
        {"timestamp": now(), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1},
    )
    yield "Authorize", {"idToken": token}
    yield event("Started", "Authorized", 0, 1000, evse={"id": 1, "connectorId": 1}, idToken=token)
    yield event("Updated", "MeterValuePeriodic", 1, 1234.5)
    yield event("Ended", "EVDeparted", 2, 1500)
    yield "Heartbeat", {}


async def play(connection: Recorded, name: str) -> None:
    """Charge a car, then answer one of our calls, refuse one, and never answer the others."""
    for number, (action, payload) in enumerate(requests()):
        await connection.send(json.dumps([CALL, f"id {number}", action, payload]))
        kind, *_ = json.loads(await connection.recv())
        assert kind == CALLRESULT, action
    note(step="charged")
    while True:
        kind, message_id, *rest = json.loads(await connection.recv())
        match kind, rest:
            case int(), ["GetVariables", {"getVariableData": [asked]}]:
                result = {"attributeStatus": "Accepted", "attributeValue": "300", **asked}
                reply = [CALLRESULT, message_id, {"getVariableResult": [result]}]
            case int(), ["Reset", _]:
                text = "only the operator may reset me"
                reply = [CALLERROR, message_id, "SecurityError", text, {"operator": "Æther & Co"}]
            case _:
                continue
        await connection.send(json.dumps(reply))


if __name__ == "__main__":
    run("ocpp2.0", play)
