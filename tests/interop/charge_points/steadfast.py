"""A charge point that loses nothing: the package ocpp, and each message again until it is answered.

It comes back over as many connections as it takes, boots once, charges a car, and then does what
the server asks. Halfway it waits until its standard input ends. Its arguments are VERSION and URL.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from ocpp.routing import on
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from tests.interop.charge_points.transcript import Recorded, end_of_input, note

TAG = "04A2B6C8"
#: How often the meter is read.
READINGS = 100
_START = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: int) -> str:
    """What the clock shows that many seconds after the start."""
    return (_START + timedelta(seconds=second)).isoformat()


class Story:
    """What there is to tell.

    :ivar transaction_id: of 1.6, once the server has given it out.
    """

    def __init__(self, call: Any) -> None:
        self.call = call
        self.transaction_id: int | None = None

    def told(self) -> Iterator[Any]:
        """One request after the other."""
        raise NotImplementedError


class Story16(Story):
    """In OCPP 1.6."""

    def told(self) -> Iterator[Any]:
        call = self.call
        yield call.BootNotification(charge_point_vendor="Volt", charge_point_model="V1")
        yield call.StartTransaction(1, TAG, meter_start=1000, timestamp=at(0))
        for number in range(READINGS):
            sampled = [{"value": str(1000 + number), "unit": "Wh"}]
            values = [{"timestamp": at(number), "sampled_value": sampled}]
            yield call.MeterValues(1, values, transaction_id=self.transaction_id)
        yield call.StopTransaction(1500, at(READINGS), self.transaction_id, id_tag=TAG)


class Story2(Story):
    """In OCPP 2.0.1 and 2.1."""

    def told(self) -> Iterator[Any]:
        identity = {"vendor_name": "Volt", "model": "V2"}
        yield self.call.BootNotification(charging_station=identity, reason="PowerUp")
        token = {"id_token": TAG, "type": "ISO14443"}
        yield self._event("Started", "Authorized", 0, 1000, evse={"id": 1}, id_token=token)
        for number in range(1, READINGS - 1):
            yield self._event("Updated", "MeterValuePeriodic", number, 1000 + number)
        yield self._event("Ended", "EVDeparted", READINGS - 1, 1500)

    def _event(self, kind: str, trigger: str, number: int, meter: int, **more: Any) -> Any:
        sampled = {"value": meter, "unit_of_measure": {"unit": "Wh"}}
        return self.call.TransactionEvent(
            event_type=kind,
            timestamp=at(number),
            trigger_reason=trigger,
            seq_no=number,
            transaction_info={"transaction_id": "T1"},
            meter_value=[{"timestamp": at(number), "sampled_value": [sampled]}],
            **more,
        )


_VERSIONS = {"1.6": ("v16", Story16), "2.0.1": ("v201", Story2), "2.1": ("v21", Story2)}


async def play(version: str, url: str) -> None:
    """Tell the story, whatever happens to the connections."""
    module, of_version = _VERSIONS[version]
    package = import_module(f"ocpp.{module}")

    class Station(package.ChargePoint):  # type: ignore[misc, name-defined]
        @on("Reset")
        def reset(self, **request: Any) -> Any:
            return self._call_result.Reset(status="Accepted")

    story = of_version(package.call)
    told = story.told()
    request, answered = next(told), 0

    async def tell(station: Any) -> None:
        nonlocal request, answered
        while request is not None:
            answer = await station.call(request, suppress=False)
            story.transaction_id = getattr(answer, "transaction_id", None) or story.transaction_id
            request, answered = next(told, None), answered + 1
            if answered == READINGS // 2:
                note(step="halfway")
                await end_of_input()
            note(answered=answered)

    while True:
        try:
            subprotocol = Subprotocol(f"ocpp{version}")
            async with connect(url, subprotocols=[subprotocol], proxy=None) as websocket:
                station = Station("", Recorded(websocket), response_timeout=10)
                hearing = asyncio.ensure_future(station.start())
                telling = asyncio.ensure_future(tell(station))
                await asyncio.wait([hearing, telling], return_when=asyncio.FIRST_COMPLETED)
                if telling.done():
                    telling.result()
                    note(step="charged")
                else:
                    telling.cancel()
                await hearing
        except (OSError, WebSocketException):
            await asyncio.sleep(0.1)  # until the server is back


if __name__ == "__main__":
    asyncio.run(play(*sys.argv[1:]))
