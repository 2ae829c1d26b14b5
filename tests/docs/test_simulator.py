"""docs/simulator.md: its scenarios happen, its commands are obeyed, and its tables are complete."""

from __future__ import annotations

import importlib.util
import re
from random import Random
from typing import Any

from msgspec.structs import fields
from twisted.internet import reactor
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.charge_point import Target
from ocpp_twisted.fleet_options import FLEET_OPTIONS
from ocpp_twisted.records import IdTag
from ocpp_twisted.simulator.bench import Bench
from ocpp_twisted.simulator.faults import FAULTS
from ocpp_twisted.simulator.modem import Modem
from ocpp_twisted.simulator.play import Play
from ocpp_twisted.simulator.prompt import Commands, Prompt
from ocpp_twisted.simulator.scenario import load
from ocpp_twisted.simulator.spoiling import SPOILING
from ocpp_twisted.simulator.station import Hardware, Station
from ocpp_twisted.simulator.steps import BY_KEY, DOINGS, VehicleKind
from ocpp_twisted.simulator.voices import voice_for
from ocpp_twisted.testing import BEGIN, Network
from ocpp_twisted.versions import CATALOGUES
from tests.docs.test_listings import LISTINGS, ROOT
from tests.interop.case import InteropCase
from tests.simulator import case2 as central2
from tests.simulator.case16 import Central

FOLDER = LISTINGS / "simulator"
PAGE = (ROOT / "docs" / "simulator.md").read_text()


class ScenarioTests(SynchronousTestCase):
    """Each of them on a charge point of OCPP 1.6."""

    def setUp(self) -> None:
        self.central = Central()
        self.network = Network(self.central)
        self.central.clock = self.network.clock

    def make(self, hardware: Hardware) -> Bench:
        modem = Modem(self.network, self.network.clock, Random(1))
        target = Target.at("ws://central-system", "CP1")
        clock = self.network.clock
        bench = Bench(Station(target, voice_for("1.6"), clock, hardware, dialer=modem), modem)
        bench.power_on()
        return bench

    def play(self, name: str) -> None:
        scenario = load(FOLDER / name, "1.6")
        bench = self.make(scenario.hardware)
        playing = Play(scenario, bench, self.network.clock, Random(1)).begin()
        self.network.result(playing, 7 * 86400)
        self.network.run(60)

    def heard(self, kind: type[Any]) -> list[Any]:
        return [request for request in self.central.heard if isinstance(request, kind)]

    def test_charging(self) -> None:
        self.play("charging.toml")
        (stop,) = self.heard(v16.StopTransactionRequest)
        self.assertTrue(1800 < stop.meterStop < 1850, stop)  # 11 kW for ten minutes

    def test_busy_day(self) -> None:
        self.play("busy_day.toml")
        started = self.heard(v16.StartTransactionRequest)
        self.assertGreater(len(started), 8)  # BLUE may not
        self.assertEqual({each.connectorId for each in started}, {2})

    def test_offline(self) -> None:
        self.play("offline.toml")
        (stop,) = self.heard(v16.StopTransactionRequest)
        self.assertEqual(round((stop.timestamp - BEGIN).total_seconds() / 60), 6)
        self.assertEqual(self.central.connections, 2)

    def test_faults(self) -> None:
        self.play("faults.toml")
        self.assertGreater(self.central.connections, 10)

    def test_answers(self) -> None:
        self.play("answers.toml")
        self.assertEqual(len(self.heard(v16.AuthorizeRequest)), 2)

    def test_those_without_calls_are_for_all_versions(self) -> None:
        for path in FOLDER.glob("*.toml"):
            for version in CATALOGUES if path.name != "answers.toml" else ():
                load(path, version)

    def test_the_prompt(self) -> None:
        bench, terminal = self.make(Hardware()), StringTransport()
        prompt = Prompt(bench, self.network.clock, shown=False)
        prompt.makeConnection(terminal)
        prompt.dataReceived((FOLDER / "prompt.txt").read_bytes())
        self.network.run(70)
        self.assertEqual(bench.status(1), "Available")
        shown = re.search(r"```text\n(CP00001: .*?)```", PAGE, re.DOTALL)
        assert shown is not None
        said = terminal.value().decode().replace("CP1", "CP00001")
        self.assertEqual(said, shown[1])


class OtherVersionsTests(SynchronousTestCase):
    """The scenarios without calls on charge points of 2.x."""

    def play(self, name: str, version: str) -> list[Any]:
        """The TransactionEvents of it."""
        central = central2.Central()
        network = Network(central)
        scenario = load(FOLDER / name, version)
        modem = Modem(network, network.clock, Random(1))
        target = Target.at("ws://central-system", "CP1")
        station = Station(
            target, voice_for(version), network.clock, scenario.hardware, dialer=modem
        )
        bench = Bench(station, modem)
        bench.power_on()
        playing = Play(scenario, bench, network.clock, Random(1)).begin()
        network.result(playing, 7 * 86400)
        network.run(60)
        return [payload for action, payload in central.heard if action == "TransactionEvent"]

    def test_all_of_them(self) -> None:
        for version in ("2.0", "2.0.1", "2.1"):
            for name, ended in (("charging.toml", 1), ("offline.toml", 1), ("busy_day.toml", 20)):
                kinds = [each["eventType"] for each in self.play(name, version)]
                self.assertEqual(kinds.count("Started"), ended, (version, name))
                self.assertEqual(kinds.count("Ended"), ended, (version, name))
            self.play("faults.toml", version)


class PageTests(SynchronousTestCase):
    """What there is stands on the page."""

    def rows(self, heading: str) -> list[str]:
        """The first cells of the rows below a heading, as far as the next one."""
        part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        return [name for row in re.findall(r"^\| (`.*?) \|", part, re.M) for name in _names(row)]

    def test_options(self) -> None:
        told = {f"--{name}" for name in FLEET_OPTIONS}
        self.assertEqual(set(self.rows("Options")), told | {"--list-faults"})

    def test_steps(self) -> None:
        part = set(self.rows("Scenarios"))
        self.assertTrue(part >= {*DOINGS, *BY_KEY}, {*DOINGS, *BY_KEY} - part)

    def test_keys(self) -> None:
        for kind in (*DOINGS.values(), *BY_KEY.values(), VehicleKind):
            for each in fields(kind):
                self.assertRegex(PAGE, rf"`(\[\[step\.)?{each.name}\b")

    def test_commands(self) -> None:
        self.assertEqual(set(self.rows("The prompt")), set(Commands._KNOWN))

    def test_faults(self) -> None:
        self.assertEqual(set(self.rows("Faults")), {*FAULTS, *SPOILING})
        for name, known in FAULTS.items():
            (row,) = re.findall(rf"^\| `{name}` \|.*", PAGE, re.M)
            for parameter, value in known.defaults.items():
                default = f"{value:g}" if isinstance(value, float) else "any"
                self.assertIn(f"`{parameter}` ({default})", row)


def _names(cell: str) -> list[str]:
    """The names in a cell: their first words, and what is done by a step."""
    return [re.sub(r'do = "(.*)"', r"\1", each).split()[0] for each in re.findall(r"`(.+?)`", cell)]


class BenchTests(InteropCase):
    async def test_a_program(self) -> None:
        path = FOLDER / "bench.py"
        spec = importlib.util.spec_from_file_location("bench", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        printed: list[str] = []
        module.__dict__["print"] = printed.append
        await self.local.put_id_tags([IdTag(idTag="RED")])
        await module.main(reactor, self.url("/ocpp"))
        self.assertEqual(printed, ["charging"])
        (transaction,) = (await self.local.list_transactions()).items
        self.assertIsNotNone(transaction.meterStop)
