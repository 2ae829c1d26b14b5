"""Scenarios: what is wrong in a file is told, and what stands in it happens."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.simulator.play import Failed, Play, is_part_of
from ocpp_twisted.simulator.scenario import Scenario, load, parse
from ocpp_twisted.testing import BEGIN
from tests.simulator.case import BenchCase


class ReadTests(SynchronousTestCase):
    def wrong(self, text: str, version: str = "1.6") -> list[str]:
        error = self.assertRaises(ConfigurationError, parse, text, version, "s.toml")
        return str(error).splitlines()

    def test_what_is_wrong_is_said(self) -> None:
        for text, said in (
            ("a", "s.toml is not TOML: Expected '=' after a key"),
            ("", "s.toml: step: there is none: write [[step]] for each thing that happens"),
            ("tokns = []", "s.toml: there is no key 'tokns'; did you mean tokens?"),
            ("tokens = 'RED'", "s.toml: tokens: expected `array`, got `str`"),
            ("station = 1", "s.toml: station: expected `object`, got `int`"),
            ("[station]\noutlet = 1", "s.toml: station: there is no key 'outlet'; did you mean"),
            ("[station]\noutlets = 'x'", "s.toml: station: outlets: expected `int`, got `str`"),
            ("[station]\noutlets = 0", "s.toml: station: outlets is 1 or more"),
            ("[station]\nphases = 0", "s.toml: station: phases is 1, 2 or 3"),
            ("[vehicles.a]\nphases = 0", "s.toml: vehicles.a: phases: expected `int` >= 1"),
            ("[vehicles.a]\nphases = [1, 4]", "s.toml: vehicles.a: phases[1]: expected `int` <= 3"),
            ("[vehicles]\na = 1", "s.toml: vehicles.a: expected `object`, got `int`"),
            ("[vehicles.a]\npowr = 1", "s.toml: vehicles.a: there is no key 'powr'; did you mean"),
            ("[vehicles.a]\npower = [2, 1]", "s.toml: vehicles.a: [2.0, 1.0] is neither a number"),
            ("[vehicles.a]\npower = [1]", "s.toml: vehicles.a: [1.0] is neither a number"),
            ("step = 1", "s.toml: step: expected `array`, got `int`"),
            ("[[step]]", "s.toml: step 1: a step has one of these keys: do, wait_for, expect, rep"),
            ("[[step]]\ndo = 'mend'\nwait_for = 'x'", "s.toml: step 1: a step has one of these"),
            ("[[step]]\ndo = 'plugin'", "s.toml: step 1: there is nothing like do = 'plugin'; did"),
            (
                "[[step]]\ndo = 1",
                "s.toml: step 1: there is nothing like do = 1; there are: plug_in",
            ),
            (
                "[[step]]\ndo = 'mend'\nfoo = 1",
                "s.toml: step 1: there is no key 'foo'; there are: ",
            ),
            ("[[step]]\ndo = 'mend'\n-where = 1", "s.toml: step 1: there is no key '-where'"),
            ("[[step]]\ndo = 'mend'\nexpect = 'x'", "s.toml: step 1: there is no key 'expect'"),
            (
                "[[step]]\ndo = 'mend'\noutlet = 3",
                "s.toml: step 1: there are outlets 1 to 2, not 3",
            ),
            (
                "[[step]]\nexpect = 'x'\noutlet = 0",
                "s.toml: step 1: there are outlets 1 to 2, not 0",
            ),
            ("[[step]]\ndo = 'mend'\noutlet = [1, 3]", "step 1: there are outlets 1 to 2, not 3"),
            ("[[step]]\ndo = 'mend'\nat = 1\nafter = 1", "step 1: at and after do not go together"),
            (
                "[[step]]\ndo = 'mend'\nat = -1",
                "s.toml: step 1: -1.0 is neither a number, 0 or more",
            ),
            (
                "[[step]]\ndo = 'mend'\nat = inf",
                "s.toml: step 1: inf is neither a number, 0 or more",
            ),
            (
                "[[step]]\ndo = 'plug_in'\nvehicle = 'x'",
                "step 1: there is no vehicle 'x'; there are",
            ),
            (
                "[[step]]\ndo = 'present'\ntoken = []",
                "step 1: token: expected `array` of length >=",
            ),
            ("[[step]]\ndo = 'mend'\noutlet = []", "step 1: outlet: expected `array` of length >="),
            ("[[step]]\ndo = 'present'", "s.toml: step 1: which token? Write token, or tokens"),
            ("[[step]]\ndo = 'break_down'", "s.toml: step 1: fault is missing"),
            ("[[step]]\ndo = 'call'", "s.toml: step 1: action is missing"),
            (
                "[[step]]\ndo = 'call'\naction = 'Authorise'",
                "OCPP 1.6 has no action 'Authorise'; d",
            ),
            (
                "[[step]]\ndo = 'call'\naction = 'Authorize'",
                "step 1: Authorize: $.idTag: required, ",
            ),
            (
                "[[step]]\ndo = 'call'\naction = 'ClearCache'",
                "ClearCache is for the central system ",
            ),
            (
                "[[step]]\ndo = 'fault'\nname = 'x'",
                "s.toml: step 1: there is no fault 'x'; there ar",
            ),
            (
                "[[step]]\ndo = 'fault'\nname = 'wrong-ids'\nseconds = 1",
                "has no parameter 'seconds'",
            ),
            (
                "[[step]]\nexpect = 'charged'",
                "no charge point of OCPP 1.6 is 'charged'; did you me",
            ),
            ("[[step]]\nwait_for = 'Occupied'", "no charge point of OCPP 1.6 is 'Occupied'; "),
            ("[[step]]\nwait_for = 'x'\nwithin = -1", "step 1: within: expected `float` >= 0"),
            ("[[step]]\nrepeat = -1\n[[step.step]]\ndo = 'mend'", "repeat: expected `int` >= 0"),
            ("[[step]]\nrepeat = 1", "s.toml: step 1: step is missing"),
            (
                "[[step]]\nrepeat = 1\n[[step.step]]\nx = 1",
                "s.toml: step 1, step 1: a step has one",
            ),
        ):
            text = text.replace("-where", '"-where"')
            self.assertIn(said, self.wrong(text)[0], text)

    def test_all_that_is_wrong_is_said_at_once(self) -> None:
        text = "x = 1\n[station]\ny = 1\n[[step]]\nz = 1\n[[step]]\ndo = 'present'"
        self.assertEqual(len(self.wrong(text)), 4)

    def test_a_call_is_of_the_charge_point_s_version(self) -> None:
        text = "[[step]]\ndo = 'call'\naction = 'StartTransaction'"
        (said,) = self.wrong(text, "2.0.1")
        self.assertIn("s.toml: step 1: OCPP 2.0.1 has no action 'StartTransaction'", said)

    def test_words_are_of_the_version_too(self) -> None:
        for version, word in (("1.6", "SuspendedEV"), ("2.0", "Occupied"), ("2.1", "Reserved")):
            parse(f"[[step]]\nwait_for = '{word}'", version)

    def test_a_file(self) -> None:
        path = Path(self.mktemp())
        error = self.assertRaises(ConfigurationError, load, path, "1.6")
        self.assertIn("No such file", str(error))
        path.write_bytes(b"\xff")
        error = self.assertRaises(ConfigurationError, load, path, "1.6")
        self.assertIn("is not UTF-8", str(error))
        path.write_text("[[step]]\ndo = 'mend'")
        self.assertEqual(load(path, "1.6").steps[0].place, f"{path}: step 1")


class PlayCase(BenchCase):
    def begin(self, text: str) -> Deferred[None]:
        self.scenario: Scenario = parse(text, "1.6", "s.toml")
        return Play(self.scenario, self.bench, self.network.clock, Random(1)).begin()

    def play(self, text: str, within: float = 3600) -> None:
        """Let all of it happen."""
        self.network.result(self.begin(text), within)

    def fails(self, text: str) -> str:
        return str(self.assertRaises(Failed, self.play, text))

    @property
    def elapsed(self) -> float:
        return self.network.clock.seconds() - BEGIN.timestamp()


class PlayTests(PlayCase):
    def test_a_car_charges(self) -> None:
        self.play(
            """
            tokens = ["RED"]
            [vehicles.small]
            power = 3600
            capacity = 20000
            charge = 2000
            [[step]]
            expect = "Available"
            [[step]]
            do = "plug_in"
            vehicle = "small"
            [[step]]
            after = 5
            do = "present"
            [[step]]
            wait_for = "Charging"
            [[step]]
            expect = "charging"
            [[step]]
            after = 3600
            do = "unplug"
            [[step]]
            expect = "Available"
            """,
            7200,
        )
        self.assertEqual(self.tags.asked, ["RED"])
        self.assertEqual(round(self.bench.station.outlet(1).energy), 3600)

    def test_at_and_after(self) -> None:
        self.play("[[step]]\nat = 10\ndo = 'mend'\n[[step]]\nafter = 5\ndo = 'mend'")
        self.assertEqual(self.elapsed, 15)
        self.play("[[step]]\nat = 10\ndo = 'mend'\n[[step]]\nat = 5\ndo = 'mend'")
        self.assertEqual(self.elapsed, 25)

    def test_times_by_chance_that_can_be_repeated(self) -> None:
        times = []
        for _ in range(2):
            self.setUp()
            self.play("[[step]]\nafter = [10, 20]\ndo = 'mend'")
            times.append(self.elapsed)
        self.assertEqual(times[0], times[1])
        self.assertTrue(10 < times[0] < 20)

    def test_choices_by_chance(self) -> None:
        self.play(
            """
            tokens = ["RED", "GREEN"]
            [vehicles.a]
            power = [1000, 2000]
            [vehicles.b]
            power = 7000
            [[step]]
            repeat = 30
            [[step.step]]
            do = "plug_in"
            outlet = 2
            vehicle = ["a", "b"]
            [[step.step]]
            do = "present"
            outlet = 2
            [[step.step]]
            wait_for = "Charging"
            outlet = 2
            [[step.step]]
            after = 1
            do = "unplug"
            outlet = 2
            """
        )
        self.assertEqual(len(self.tags.asked), 30)
        self.assertEqual(set(self.tags.asked), {"RED", "GREEN"})

    def test_for_ever_until_it_is_cancelled(self) -> None:
        playing = self.begin("[[step]]\nrepeat = 0\n[[step.step]]\nafter = 1\ndo = 'mend'")
        self.network.run(100)
        self.assertNoResult(playing)
        playing.cancel()
        self.failureResultOf(playing, CancelledError)

    def test_a_round_begins_its_own_time(self) -> None:
        self.play("[[step]]\nrepeat = 3\n[[step.step]]\nat = 10\ndo = 'mend'")
        self.assertEqual(self.elapsed, 30)

    def test_offline_and_online(self) -> None:
        self.play(
            """
            [[step]]
            expect = "accepted"
            [[step]]
            do = "offline"
            [[step]]
            wait_for = "offline"
            [[step]]
            after = 100
            expect = "offline"
            [[step]]
            do = "online"
            [[step]]
            wait_for = "connected"
            within = 1
            """
        )
        self.assertEqual(self.tags.coming, ["CP1", "CP1"])

    def test_power_and_reset(self) -> None:
        self.play(
            """
            [[step]]
            do = "power_off"
            [[step]]
            expect = "offline"
            [[step]]
            do = "power_on"
            [[step]]
            wait_for = "accepted"
            [[step]]
            do = "reset"
            [[step]]
            wait_for = "accepted"
            """
        )
        voice: Any = self.bench.station.voice
        self.assertEqual(
            voice.heard, ["started", "powered off", "offline", "started", "offline", "started"]
        )
        self.assertEqual(len(self.tags.coming), 3)

    def test_a_fault_of_an_outlet(self) -> None:
        self.play(
            """
            [[step]]
            do = "break_down"
            fault = "GroundFailure"
            [[step]]
            expect = "Faulted"
            [[step]]
            do = "mend"
            [[step]]
            expect = "Available"
            """
        )

    def test_faults_on_demand(self) -> None:
        self.play("[[step]]\ndo = 'fault'\nname = 'answer-late'\nseconds = 7")
        self.assertEqual(self.bench.modem.faults["answer-late"].seconds, 7)
        self.play("[[step]]\ndo = 'fault'\nname = 'none'")
        self.assertEqual(dict(self.bench.modem.faults), {})

    def test_a_call(self) -> None:
        for expect in (
            "{ idTagInfo = { status = 'Accepted' } }",
            "{}",
        ):
            self.play(
                "[[step]]\ndo = 'call'\naction = 'Authorize'\npayload = { idTag = 'RED' }\n"
                f"expect = {expect}"
            )
        status = "[[step]]\ndo = 'call'\naction = 'FirmwareStatusNotification'\n"
        status += "payload = { status = 'Idle' }\n"
        self.play(status)
        self.play(status + "expect = 'NotSupported'")

    def test_a_call_without_a_connection(self) -> None:
        self.play(
            "[[step]]\ndo = 'offline'\n[[step]]\nwait_for = 'offline'\n"
            "[[step]]\ndo = 'call'\naction = 'Heartbeat'\nexpect = 'NotConnected'"
        )


class FailedTests(PlayCase):
    def test_what_is_not_as_expected(self) -> None:
        for text, said in (
            ("expect = 'Charging'", "outlet 1 is Available, and not Charging"),
            ("expect = 'offline'", "it is not offline"),
            ("expect = 'charging'", "no power flows at outlet 1, which is Available"),
            (
                "wait_for = 'Charging'\nwithin = 5",
                "outlet 1 is Available, and not Charging, in 5 s",
            ),
            (
                "do = 'call'\naction = 'Heartbeat'\nexpect = 'NotSupported'",
                "Heartbeat: the answer is ",
            ),
        ):
            self.assertIn(f"s.toml: step 1: CP1: {said}", self.fails(f"[[step]]\n{text}"))

    def test_what_cannot_be_done(self) -> None:
        text = "[[step]]\ndo = 'plug_in'\n" * 2
        self.assertEqual(
            self.fails(text), "s.toml: step 2: CP1: a car is plugged in at outlet 1 already"
        )

    def test_in_a_round(self) -> None:
        text = "[[step]]\nrepeat = 2\n[[step.step]]\nexpect = 'Charging'"
        self.assertIn("s.toml: step 1, step 1: CP1: ", self.fails(text))

    def test_what_follows_does_not_happen(self) -> None:
        self.fails("[[step]]\nexpect = 'Charging'\n[[step]]\ndo = 'plug_in'")
        self.assertIsNone(self.bench.station.outlet(1).vehicle)

    def test_parts(self) -> None:
        for expected, found, whether in (
            ({"a": 1}, {"a": 1, "b": 2}, True),
            ({"a": 1}, {"b": 2}, False),
            ({"a": {"b": []}}, {"a": {"b": [], "c": 1}}, True),
            ([{"a": 1}], [{"a": 1, "b": 2}], True),
            ([{"a": 1}], [{"a": 1}, {}], False),
            ({}, "NotSupported", False),
        ):
            self.assertEqual(is_part_of(expected, found), whether)
