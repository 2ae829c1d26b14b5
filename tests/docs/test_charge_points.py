"""The listings of the pages on charge points and on testing do what their pages say."""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from tests.interop.case import ProgramCase
from tests.interop.process import ROOT, Program, TwistdProcess

DOCS = ROOT / "docs"
LISTINGS = DOCS / "listings"


def shown(page: str, after: str) -> list[str]:
    """The output that a page shows next after a command."""
    _, found, rest = (DOCS / page).read_text().partition(after)
    assert found, after
    return rest.split("```text\n", 1)[1].split("\n```", 1)[0].split("\n")


class WallboxTests(ProgramCase):
    async def test_it_charges(self) -> None:
        folder = Path(self.mktemp()).absolute()
        shutil.copytree(LISTINGS / "club", folder)
        shutil.copy(LISTINGS / "charge_point" / "wallbox.py", folder)
        options = ("--authorize", "open", "--action-plugin", "club", "--action-plugin", "local")
        arguments = ("--ws", "tcp:0:interface=127.0.0.1", *options)
        environment = {"XDG_DATA_HOME": str(folder / "data")}
        server = self.ends(TwistdProcess(reactor, arguments, folder, environment))
        (port,) = await server.ports()
        url = f"ws://localhost:{port}/ocpp/CP-1"
        charging = self.ends(Program(reactor, ["-u", "wallbox.py", url, "ANNA"], folder))
        self.assertEqual(await charging.ended, shown("charge-points.md", "/ocpp/CP-1 ANNA"))


class TestingTests(ProgramCase):
    async def test_a_plugin_is_tested(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        for listing in ("club/club.py", "testing/test_club.py"):
            shutil.copy(LISTINGS / listing, folder)
        arguments = ["-m", "twisted.trial", "--temp-directory=trial", "test_club"]
        lines = await self.ends(Program(reactor, arguments, folder)).ended
        self.assertIn("PASSED (successes=3)", lines)


class ListingTests(SynchronousTestCase):
    def test_they_run(self) -> None:
        for listing in ("testing/bytes.py", "charge_point/secure.py"):
            before = set(sys.modules)
            runpy.run_path(str(LISTINGS / listing))
            self.assertLessEqual(before, set(sys.modules))
