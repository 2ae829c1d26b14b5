"""The files in deploy/ and docs/grafana.json: they fit the server that they are for."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import config
from ocpp_twisted.command_line import Options
from ocpp_twisted.metrics import Messages
from ocpp_twisted.operations import of_sockets
from ocpp_twisted.options import OPTIONS
from ocpp_twisted.websocket.server import Counts

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"


def option_names(toml: str) -> list[str]:
    """The keys before the first table, those that are commented out too."""
    return re.findall(r"^(?:# )?([a-z-]+) = ", toml.partition("[plugins")[0], re.MULTILINE)


class ConfigurationTests(SynchronousTestCase):
    def test_it_is_good(self) -> None:
        settings = config.read(DEPLOY / "ocpp.toml")
        self.assertEqual((settings.ws, settings.logs.format), (["tcp:9000"], "json"))

    def test_what_is_commented_out_exists(self) -> None:
        names = option_names((DEPLOY / "ocpp.toml").read_text())
        self.assertGreater(len(names), 10)
        self.assertEqual(set(names) - set(OPTIONS), set())


class CommandTests(SynchronousTestCase):
    def starts(self, command: list[str]) -> None:
        """A command line of twistd is one that the server takes."""
        arguments = command[command.index("ocpp") + 1 :]
        good = [each.replace("/etc/ocpp", str(DEPLOY)) for each in arguments]
        options = Options()
        with redirect_stdout(StringIO()) as out:
            error = self.assertRaises(SystemExit, options.parseOptions, [*good, "--check-config"])
        self.assertIn("is good", out.getvalue(), error)

    def test_the_unit(self) -> None:
        unit = (DEPLOY / "ocpp.service").read_text()
        commands = re.findall(r"^ExecStart(?:Pre)?=(.*)$", unit, re.MULTILINE)
        self.assertEqual(len(commands), 2)
        for command in commands:
            self.starts(shlex.split(command))

    def test_the_socket(self) -> None:
        unit = (DEPLOY / "ocpp.socket").read_text()
        lines = re.findall(r'^#   wss? = "(systemd:.*:index=(\d))"$', unit, re.MULTILINE)
        ports = re.findall(r"^ListenStream=", unit, re.MULTILINE)
        self.assertEqual([int(index) for _, index in lines], list(range(len(ports))))

    def test_the_image(self) -> None:
        image = (DEPLOY / "Dockerfile").read_text()
        (command,) = re.findall(r"^CMD (\[.*\])$", image, re.MULTILINE)
        self.starts(json.loads(command))
        ignored = (ROOT / ".dockerignore").read_text().splitlines()
        for line in re.findall(r"^COPY (?!--)(.*) \S+$", image, re.MULTILINE):
            for name in line.split():
                self.assertTrue((ROOT / name).exists(), name)
                self.assertIn(f"!{name}", ignored)


def metrics() -> dict[str, Sequence[str]]:
    """The labels of each metric."""
    known = {each.name: each.labels for each in [*Messages().measures(), *of_sockets(Counts())]}
    return known | {
        "ocpp_certificate_days": ("file",),
        "ocpp_crl_days": ("file",),
        "ocpp_well": ("part",),
    }


class PageTests(SynchronousTestCase):
    def test_it_has_every_option_and_every_metric(self) -> None:
        page = (ROOT / "docs" / "operations.md").read_text()
        for name, option in OPTIONS.items():
            if not name.startswith("record-"):  # these have a page of their own
                row = f"`--{name}`" if option.is_flag else f"`--{name}=`"
                self.assertTrue(any(row in line for line in page.splitlines() if line[:1] == "|"))
        for name, labels in metrics().items():
            (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
            for label in labels:
                self.assertIn(f"`{label}`", row)


class DashboardTests(SynchronousTestCase):
    def test_it_asks_for_metrics_and_labels_that_there_are(self) -> None:
        known = metrics()
        text = (ROOT / "docs" / "grafana.json").read_text()
        asked = set()
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", ()):
                expression = target["expr"]
                for name in re.findall(r"ocpp_[a-z_]+", expression):
                    plain = re.sub(r"_(bucket|count|sum)$", "", name)
                    self.assertIn(plain, known)
                    asked.add(plain)
                    for labels in re.findall(r"by \(([^)]*)\)", expression):
                        given = set(labels.split(", ")) - {"le"}
                        self.assertEqual(given - set(known[plain]), set(), expression)
        self.assertEqual(set(known) - asked, set())
