"""Whether a file could be written, seen without writing."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.writable import obstacle


class ObstacleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir()

    def test_a_file_that_is_there_or_can_be_made(self) -> None:
        file = self.place / "file"
        self.assertEqual(obstacle(file), "")
        self.assertEqual(list(self.place.iterdir()), [])
        file.touch()
        self.assertEqual(obstacle(file), "")
        self.assertEqual(obstacle(Path("/dev/null")), "")

    def test_what_is_in_its_way(self) -> None:
        (self.place / "file").touch()
        self.assertEqual(obstacle(self.place), "Is a directory")
        missing = self.place / "no" / "file"
        self.assertEqual(obstacle(missing), f"there is no directory {self.place}/no (make it)")
        below = self.place / "file" / "x"
        self.assertEqual(obstacle(below), f"{self.place}/file is no directory")

    def test_a_directory_that_would_be_made(self) -> None:
        file = self.place / "a" / "b" / "file"
        self.assertEqual(obstacle(file, self.place / "a" / "b"), "")
        self.assertIn("there is no directory", obstacle(file, self.place / "a"))
        (self.place / "a").touch()
        self.assertEqual(obstacle(file, self.place / "a" / "b"), f"{self.place}/a is no directory")

    def test_who_may_not(self) -> None:
        if os.geteuid() == 0:
            self.skipTest("root may")
        file = self.place / "file"
        file.touch(mode=0o400)
        self.assertEqual(obstacle(file), "Permission denied")
        self.place.chmod(0o500)
        self.addCleanup(self.place.chmod, 0o700)
        self.assertIn("Permission denied", obstacle(self.place / "other"))
