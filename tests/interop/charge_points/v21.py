"""A charging station of OCPP 2.1: the package ocpp, with its validation on.

The package has no SEND, so that frame is made here.
"""

import json

from ocpp.v21 import ChargePoint, call

from tests.interop.charge_points import v2
from tests.interop.charge_points.transcript import Recorded, run

PERIODIC = {"id": 7, "pending": 0, "basetime": v2.now(), "data": [{"t": 0, "v": "230.1"}]}


class Station(v2.Station, ChargePoint):
    """Of this version."""


async def play(connection: Recorded, name: str) -> None:
    """Send one SEND, charge a car, then do what the server asks."""
    await connection.send(json.dumps([6, "send-1", "NotifyPeriodicEventStream", PERIODIC]))
    await v2.play(Station(name, connection, response_timeout=10), call)


if __name__ == "__main__":
    run("ocpp2.1", play)
