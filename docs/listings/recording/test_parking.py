"""The faults of the car park, each as it was recorded."""

from __future__ import annotations

from pathlib import Path

from parking import ParkingPlugin
from twisted.trial.unittest import TestCase

from ocpp_twisted.replay import replay

FAULTS = Path(__file__).parent


class FaultTests(TestCase):
    async def test_tags_in_small_letters(self) -> None:
        with (FAULTS / "small-letters.jsonl").open("rb") as lines:
            report = await replay(lines, [ParkingPlugin({"04C0FFEE"})])
        self.assertEqual(report.differences, [], str(report))
