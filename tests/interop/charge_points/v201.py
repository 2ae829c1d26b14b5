"""A charging station of OCPP 2.0.1: the package ocpp, with its validation on."""

from ocpp.v201 import ChargePoint, call

from tests.interop.charge_points import v2
from tests.interop.charge_points.transcript import Recorded, run


class Station(v2.Station, ChargePoint):
    """Of this version."""


async def play(connection: Recorded, name: str) -> None:
    """Charge a car, then do what the server asks."""
    await v2.play(Station(name, connection, response_timeout=10), call)


if __name__ == "__main__":
    run("ocpp2.0.1", play)
