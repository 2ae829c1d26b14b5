"""The listing of the page on recordings: its test passes, and finds the fault if it is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support import environment

ROOT = Path(__file__).resolve().parents[2]
LISTING = ROOT / "docs" / "listings" / "recording"


class RecordingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        shutil.copytree(LISTING, self.folder)

    def trial(self) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "twisted.trial", "test_parking"],
            cwd=self.folder,
            env=environment(PYTHONPATH=f"{ROOT}:{self.folder.resolve()}"),
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout

    def test_it_passes(self) -> None:
        code, out = self.trial()
        self.assertEqual(code, 0, out)
        self.assertIn("Ran 1 tests", out)

    def test_it_finds_the_fault(self) -> None:
        plugin = self.folder / "parking.py"
        source = plugin.read_text()
        faulty = source.replace(".casefold()", "")
        self.assertNotEqual(faulty, source)
        plugin.write_text(faulty)
        code, out = self.trial()
        self.assertEqual(code, 1)
        self.assertIn("line 4: P2-17 Authorize at $[2].idTagInfo.status", out)
