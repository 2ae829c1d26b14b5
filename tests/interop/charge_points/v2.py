"""What a charging station of OCPP 2.0.1 or 2.1 does, with the package ocpp and its validation on.

It writes times with an offset: ``2026-11-22T07:25:51.123456+00:00``.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from ocpp.charge_point import ChargePoint
from ocpp.exceptions import SecurityError
from ocpp.routing import on

from tests.interop.charge_points.transcript import note

TRANSACTION = "a9f6c1de-5d0f-4f1e-9d0f-3f0c5a4e7b12"
TOKEN = {"id_token": "04A2B6C8", "type": "ISO14443"}


def now() -> str:
    """As ``datetime.now(UTC).isoformat()``."""
    return datetime.now(UTC).isoformat()


class Station(ChargePoint):
    """Answers one of our calls, refuses one, and never answers one."""

    @on("GetVariables")
    def get_variables(self, get_variable_data: Any, **request: Any) -> Any:
        results = [
            {"attribute_status": "Accepted", "attribute_value": "300", **asked}
            for asked in get_variable_data
        ]
        return self._call_result.GetVariables(get_variable_result=results)

    @on("Reset")
    def reset(self, **request: Any) -> Any:
        raise SecurityError("only the operator may reset me", {"operator": "Æther & Co"})

    @on("ClearCache")
    async def clear_cache(self, **request: Any) -> Any:
        await asyncio.get_running_loop().create_future()


async def charge(station: Station, call: ModuleType) -> None:
    """Everything that happens when a car is charged.

    :param call: the package's module with the requests of the station's version.
    """

    async def ask(request: Any) -> Any:
        return await station.call(request, suppress=False)

    async def tell(event_type: str, trigger: str, number: int, meter: float, **more: Any) -> None:
        sampled = {
            "value": meter,
            "measurand": "Energy.Active.Import.Register",
            "unit_of_measure": {"unit": "Wh", "multiplier": 0},
        }
        event = call.TransactionEvent(
            event_type=event_type,
            timestamp=now(),
            trigger_reason=trigger,
            seq_no=number,
            transaction_info={"transaction_id": TRANSACTION, "charging_state": "Charging"},
            meter_value=[{"timestamp": now(), "sampled_value": [sampled]}],
            **more,
        )
        await ask(event)

    identity = {"vendor_name": "Volt & Söhne", "model": "V2", "serial_number": "0815"}
    await ask(call.BootNotification(charging_station=identity, reason="PowerUp"))
    await ask(
        call.StatusNotification(
            timestamp=now(), connector_status="Occupied", evse_id=1, connector_id=1
        )
    )
    await ask(call.Authorize(id_token=TOKEN))
    evse = {"id": 1, "connector_id": 1}
    await tell("Started", "Authorized", 0, 1000, evse=evse, id_token=TOKEN)
    await tell("Updated", "MeterValuePeriodic", 1, 1234.5)
    await tell("Ended", "EVDeparted", 2, 1500)
    await ask(call.Heartbeat())
    note(step="charged")


async def play(station: Station, call: ModuleType) -> None:
    """Charge a car, then do what the server asks."""
    charging = asyncio.ensure_future(charge(station, call))
    await asyncio.gather(station.start(), charging)
