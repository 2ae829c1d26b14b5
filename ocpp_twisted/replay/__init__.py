"""Plays the charge points' side of a recording to plug-ins, and compares what they answer.

A fault in production becomes a test by copying a file::

    async def test_the_fault_of_may(self):
        report = await replay(Path("may.jsonl").open("rb"), [MyPlugin()])
        self.assertEqual(report.differences, [], str(report))

``python -m ocpp_twisted.replay FILE`` does the same in the shell. Time is a
`twisted.internet.task.Clock` that goes on as the recording says, so nothing waits.
"""

from __future__ import annotations

from ocpp_twisted.replay.player import replay
from ocpp_twisted.replay.report import Difference, Report

__all__ = ["Difference", "Report", "replay"]
