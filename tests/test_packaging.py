"""What is installed: metadata, type information, and an announcement that costs nothing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import ocpp_twisted

ROOT = Path(__file__).resolve().parents[1]


class PackagingTests(SynchronousTestCase):
    def test_the_metadata_has_the_version_of_the_source(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        self.assertEqual(version("ocpp-twisted"), project["version"])

    def test_the_changelog_has_the_version(self) -> None:
        self.assertIn(f"## [{version('ocpp-twisted')}]", (ROOT / "CHANGELOG.md").read_text())

    def test_the_package_says_that_it_is_typed(self) -> None:
        self.assertTrue(Path(ocpp_twisted.__file__).with_name("py.typed").is_file())

    def test_the_announcement_imports_nothing_heavy(self) -> None:
        # Every twistd command on the machine imports it.
        program = (
            "import sys, twisted.plugins.ocpp_twisted_plugins\n"
            "heavy = {'ocpp_twisted.v16', 'ocpp_twisted.service', 'ocpp_twisted.fleet_service', "
            "'autobahn', 'klein', 'OpenSSL'}\n"
            "print(sorted(heavy & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
        )
        self.assertEqual((done.stdout, done.stderr), ("[]\n", ""))

    def test_the_plugin_folder_is_no_package(self) -> None:
        # An __init__.py here would hide Twisted itself.
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])
