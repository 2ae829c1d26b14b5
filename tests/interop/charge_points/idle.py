"""A client that connects and waits, whatever the subprotocol is."""

from __future__ import annotations

from tests.interop.charge_points.transcript import Recorded, run


async def play(connection: Recorded, name: str) -> None:
    """Hear what comes, and say nothing."""
    while True:
        await connection.recv()


if __name__ == "__main__":
    run("ocpp1.6", play)
