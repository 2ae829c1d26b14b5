"""``twistd ocpp-charge-points`` against the real server: a fleet, a scenario, a prompt."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor

from tests.interop.case import TAG, InteropCase
from tests.interop.process import Program
from tests.support import until

CHARGES = f"""
tokens = ["{TAG.idTag}"]
[[step]]
wait_for = "accepted"
[[step]]
do = "plug_in"
[[step]]
do = "present"
[[step]]
wait_for = "Charging"
[[step]]
do = "unplug"
[[step]]
wait_for = "Available"
"""


class Simulator(Program):
    """``twistd -n ocpp-charge-points``; `lines` are those of its standard output."""

    def __init__(self, arguments: Sequence[str], directory: Path) -> None:
        twistd = str(Path(sys.executable).with_name("twistd"))
        command = [twistd, "-n", "--pidfile=", "ocpp-charge-points", *arguments]
        super().__init__(reactor, command, directory)

    def types(self, *lines: str) -> None:
        """Write to its standard input."""
        self.transport.write("".join(f"{line}\n" for line in lines).encode())

    def says(self, pattern: str) -> Any:
        """Fires with the first line that has something in it."""
        return self.lines.when(lambda line: re.search(pattern, line))


class SimulatorCase(InteropCase):
    def simulate(self, *arguments: str) -> Simulator:
        directory = Path(self.mktemp())
        directory.mkdir()
        trust = () if self.certificate is None else ("--ca", str(self.certificate.absolute()))
        options = ["--url", self.url("/ocpp"), *trust, *arguments]
        return self.ends(Simulator(options, directory))

    def scenario(self, text: str) -> str:
        path = Path(self.mktemp()).absolute()
        path.write_text(text)
        return str(path)

    async def transactions(self) -> list[Any]:
        return list((await self.local.list_transactions()).items)


class SimulatorTests(SimulatorCase):
    async def test_a_scenario(self) -> None:
        simulator = self.simulate("--count", "3", "--scenario", self.scenario(CHARGES))
        log = await simulator.ended
        self.assertIn("the scenario has happened to all charge points", "\n".join(log))
        found = await self.transactions()
        self.assertEqual(len(found), 3)
        self.assertTrue(all(each.meterStop is not None for each in found))

    async def test_a_scenario_that_fails(self) -> None:
        path = self.scenario(CHARGES + "[[step]]\nexpect = 'Charging'")
        simulator = self.simulate("--scenario", path)
        error: Any = await self.assertFailure(simulator.ended, AssertionError)
        self.assertIn("exit code 1", str(error))
        said = f"{path}: step 7: CP00001: outlet 1 is Available, and not Charging"
        self.assertIn(said, "\n".join(simulator.lines.entries))

    async def test_a_prompt_in_a_pipe(self) -> None:
        simulator = self.simulate("--interactive")
        simulator.types("wait accepted", "plug 1 power=3700", f"present {TAG.idTag}")
        simulator.types("wait Charging", "status", "call Heartbeat", "hullabaloo")
        await simulator.says("^1: Charging, 3700 W, ")
        await simulator.says('^{"currentTime":"')
        await simulator.says("^there is no command 'hullabaloo'")
        simulator.types(
            "frames on", 'send [2,7,"Heartbeat",{}]', "unplug", "wait Available", "quit"
        )
        lines = await simulator.ended
        self.assertIn('-> [2,7,"Heartbeat",{}]', lines)
        self.assertEqual([line for line in lines if "#info" in line], [])
        self.assertEqual(len(await self.transactions()), 1)

    async def test_the_end_of_the_pipe(self) -> None:
        simulator = self.simulate("--interactive")
        simulator.types("wait accepted", "status")
        lines = await simulator.stop()
        self.assertIn("CP00001: OCPP 1.6, open, Accepted, 0 messages wait", lines)

    async def test_a_fleet_that_is_stopped(self) -> None:
        more = ("--cars-per-hour", "36000", "--session", "1-3", "--token", TAG.idTag)
        simulator = self.simulate("--count", "20", "--ramp", "200", "--fault=off-spec=0.1", *more)
        await until(lambda: len(self.recorder.requests()) > 200, reactor, 30)
        simulator.transport.signalProcess("TERM")
        log = "\n".join(await simulator.ended)
        self.assertRegex(log, r"20 of 20 connected, \d+ accepted; \d+ charging; \d+ calls answered")
        self.assertNotIn("Traceback", log)
        self.assertEqual(len(self.server.central_system.charge_points), 0)

    async def test_a_daemon_has_no_terminal(self) -> None:
        twistd = str(Path(sys.executable).with_name("twistd"))
        arguments = [twistd, "ocpp-charge-points", "--url", self.url("/ocpp"), "--interactive"]
        program = self.ends(Program(reactor, arguments, Path()))
        error: Any = await self.assertFailure(program.ended, AssertionError)
        self.assertIn("--interactive: a daemon has no terminal; use twistd -n", str(error))


class SecureTests(SimulatorCase):
    secure = True

    async def test_over_tls(self) -> None:
        simulator = self.simulate("--scenario", self.scenario(CHARGES))
        await simulator.ended
        self.assertEqual(len(await self.transactions()), 1)
