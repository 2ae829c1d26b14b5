"""A charge point of OCPP 1.6: the package ocpp, with its validation on.

It writes times as many do, in UTC without saying so: ``2026-11-22T07:25:51.123456``.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from ocpp.exceptions import SecurityError
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action

from tests.interop.charge_points.transcript import Recorded, note, run


def now() -> str:
    """As ``datetime.utcnow().isoformat()``."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


class Station(ChargePoint):
    """Answers one of our calls, refuses one, and never answers one."""

    @on(Action.get_configuration)
    def get_configuration(self, **request: Any) -> call_result.GetConfiguration:
        heartbeat = {"key": "HeartbeatInterval", "readonly": False, "value": "300"}
        return call_result.GetConfiguration(
            configuration_key=[heartbeat], unknown_key=["NoSuchKey"]
        )

    @on(Action.reset)
    def reset(self, **request: Any) -> call_result.Reset:
        raise SecurityError("only the operator may reset me", {"operator": "Æther & Co"})

    @on(Action.clear_cache)
    async def clear_cache(self, **request: Any) -> call_result.ClearCache:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody fires it")


async def charge(station: Station) -> None:
    """Everything that happens when a car is charged."""

    async def ask(request: Any) -> Any:
        return await station.call(request, suppress=False)

    await ask(call.BootNotification(charge_point_vendor="Volt & Söhne", charge_point_model="V1"))
    await ask(call.StatusNotification(1, "NoError", "Preparing", timestamp=now()))
    await ask(call.Authorize(id_tag="04A2B6C8"))
    started = await ask(call.StartTransaction(1, "04A2B6C8", meter_start=1000, timestamp=now()))
    sampled = [
        {"value": "1234.5", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "16.0", "measurand": "Current.Import", "phase": "L1", "unit": "A"},
        {"value": "31.5", "measurand": "Temperature", "unit": "Celsius"},
    ]
    meter_value = {"timestamp": now(), "sampled_value": sampled}
    await ask(call.MeterValues(1, [meter_value], transaction_id=started.transaction_id))
    await ask(
        call.StopTransaction(
            meter_stop=1500,
            timestamp=now(),
            transaction_id=started.transaction_id,
            reason="EVDisconnected",
            id_tag="04A2B6C8",
        )
    )
    await ask(call.Heartbeat())
    note(step="charged")


async def play(connection: Recorded, name: str) -> None:
    """Charge a car, then do what the server asks."""
    station = Station(name, connection, response_timeout=10)
    charging = asyncio.ensure_future(charge(station))
    await asyncio.gather(station.start(), charging)


if __name__ == "__main__":
    run("ocpp1.6", play)
