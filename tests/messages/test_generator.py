"""The committed packages are what tools/generate_messages.py writes, and it says so if not."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.messages.schemas import ABSENT, ROOT, SCHEMAS

PACKAGES = ("v16", "v20", "v201", "v21")


class GeneratorTests(SynchronousTestCase):
    skip = ABSENT
    if importlib.util.find_spec("ruff") is None:
        skip = "the generator needs ruff: pip install 'ocpp-twisted[dev]'"

    def setUp(self) -> None:
        """A copy of what the generator reads and writes; the schemas as links."""
        self.copy = Path(self.mktemp())
        self.copy.mkdir()
        shutil.copy(ROOT / "pyproject.toml", self.copy)
        shutil.copytree(ROOT / "tools", self.copy / "tools")
        for package in PACKAGES:
            target = self.copy / "ocpp_twisted" / package
            shutil.copytree(ROOT / "ocpp_twisted" / package, target)
            schemas = self.copy / "schemas" / package
            schemas.mkdir(parents=True)
            for path in (SCHEMAS / package).glob("*.json"):
                (schemas / path.name).symlink_to(path.resolve())

    def generate(self, *options: str) -> subprocess.CompletedProcess[str]:
        tool = self.copy / "tools" / "generate_messages.py"
        return subprocess.run(
            [sys.executable, str(tool), str(self.copy / "schemas"), *options],
            capture_output=True,
            text=True,
            check=False,
        )

    def change_schema(self, package: str, name: str, **keywords: object) -> None:
        path = self.copy / "schemas" / package / name
        schema = json.loads(path.read_text(encoding="utf-8-sig"))
        path.unlink()
        path.write_text(json.dumps(schema | keywords), encoding="utf-8")

    def test_what_is_committed_is_what_the_schemas_say(self) -> None:
        done = self.generate("--check")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_check_names_the_file_that_differs_and_leaves_it(self) -> None:
        path = self.copy / "ocpp_twisted" / "v16" / "enums.py"
        changed = path.read_text().replace("Celcius", "Kelvin")
        path.write_text(changed)
        done = self.generate("--check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Not what the schemas say: ocpp_twisted/v16/enums.py. ", done.stdout)
        self.assertEqual(path.read_text(), changed)

    def test_without_check_it_writes(self) -> None:
        path = self.copy / "ocpp_twisted" / "v16" / "enums.py"
        committed = path.read_text()
        path.unlink()
        done = self.generate()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(path.read_text(), committed)

    def test_a_keyword_it_does_not_know_stops_it(self) -> None:
        self.change_schema("v16", "Heartbeat.json", minProperties=1)
        done = self.generate("--check")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("HeartbeatRequest uses minProperties", done.stderr)

    def test_two_meanings_of_one_name_stop_it(self) -> None:
        properties = {"status": {"type": "string", "enum": ["Accepted", "Later"]}}
        self.change_schema("v16", "RemoteStopTransactionResponse.json", properties=properties)
        done = self.generate("--check")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("differ about RemoteStartStopStatus", done.stderr)

    def test_a_missing_action_stops_it(self) -> None:
        (self.copy / "schemas" / "v21" / "NotifyPeriodicEventStream.json").unlink()
        done = self.generate("--check")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("90 actions, not 91", done.stderr)
