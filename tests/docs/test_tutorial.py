"""The tutorial does what it says: its files are run as it says, and print what it shows."""

from __future__ import annotations

import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.internet import reactor

from tests.interop.case import ProgramCase
from tests.interop.process import ROOT, Program, TwistdProcess

TUTORIAL = ROOT / "docs" / "tutorial.md"
LISTINGS = ROOT / "docs" / "listings" / "club"

LISTEN = "tcp:0:interface=127.0.0.1"
PLUGINS = ("--authorize", "open", "--action-plugin", "club", "--action-plugin", "local")


def shown(after: str) -> list[str]:
    """The lines of output that the tutorial shows next after a command or a sentence."""
    _, found, rest = TUTORIAL.read_text().partition(after)
    assert found, after
    return essential(rest.split("```text\n", 1)[1].split("\n```", 1)[0].split("\n"))


def essential(lines: list[Any]) -> list[str]:
    """Lines without what differs from run to run: times, addresses, ports and numbers of ours."""
    differing = [
        (r"^\d{4}-\d\d-\d\dT\S+ ", ""),
        (r"\d+\.\d s:", "N s:"),
        (r"ws://[\d.]+:", "ws://HOST:"),
        (r":\d{4,5}\b", ":PORT"),
        (r"^transaction \d+$", "transaction N"),
    ]
    text = "\n".join(lines)
    for pattern, replacement in differing:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text.split("\n")


class Tutorial(ProgramCase):
    """The files in a folder of their own, and the commands run there."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        shutil.copytree(LISTINGS, self.folder)
        self.environment = {}

    def serve(self, *arguments: str) -> TwistdProcess:
        return self.ends(TwistdProcess(reactor, arguments, self.folder, self.environment))

    def charge(self, port: int, tag: str) -> Program:
        arguments = ["-u", "charge_point.py", f"ws://localhost:{port}/ocpp/CP-1", tag]
        return self.ends(Program(reactor, arguments, self.folder))

    async def test_listing(self) -> None:
        lines = await self.serve("--list-plugins").ended
        self.assertEqual(lines, shown("twistd ocpp --list-plugins"))

    async def test_charging(self) -> None:
        """Anna charges until she is told to stop; Zoe does not."""
        server = self.serve("--ws", LISTEN, *PLUGINS)
        (port,) = await server.ports()

        anna = await self.charge(port, "ANNA").ended
        self.assertEqual(essential(anna), shown("/ocpp/CP-1 ANNA"))
        zoe = await self.charge(port, "ZOE").ended
        self.assertEqual(essential(zoe), shown("/ocpp/CP-1 ZOE"))

        log = essential(await server.terminate())
        (ready,) = shown("When the\nserver is ready")
        self.assertIn(ready, log)
        expected = shown("Meanwhile the server writes")
        start = log.index(expected[0])
        self.assertEqual(log[start : start + len(expected)], expected)


class InstalledPlugin(Tutorial):
    """The same with the plug-in as a package that pip has installed."""

    if find_spec("hatchling") is None:
        skip = "pip cannot build the package without the network: hatchling is not installed"

    async def setUp(self) -> None:
        super().setUp()
        target = self.folder / "installed"
        await self.ends(
            Program(
                reactor,
                [
                    *("-m", "pip", "--quiet", "--disable-pip-version-check", "install"),
                    *("--no-deps", "--no-build-isolation", "--target", str(target), "."),
                ],
                self.folder,
            )
        ).ended
        shutil.rmtree(self.folder / "twisted")
        (self.folder / "club.py").unlink()
        self.environment = {"PYTHONPATH": str(target)}
