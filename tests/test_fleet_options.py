"""The command line of ``twistd ocpp-charge-points``: what it takes, and what it says otherwise."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.fleet_service import Options
from ocpp_twisted.fleet_settings import FleetSettings
from ocpp_twisted.simulator.faults import FAULTS
from ocpp_twisted.simulator.voices import VOICES
from ocpp_twisted.versions import CATALOGUES
from tests.certificates import Authority

URL = ("--url", "ws://localhost:9000/ocpp")
SECURE = ("--url", "wss://localhost:9000/ocpp")


class OptionsCase(SynchronousTestCase):
    def parse(self, *arguments: str) -> FleetSettings:
        options = Options()
        options.parseOptions(arguments)
        return options.settings

    def refused(self, *arguments: str) -> list[str]:
        error = self.assertRaises(SystemExit, self.parse, *arguments)
        *sentences, hint = str(error).split("\n")
        self.assertEqual(hint, "(all options: twistd ocpp-charge-points --help)")
        return [each.removeprefix("twistd ocpp-charge-points: ") for each in sentences]

    def file(self, text: str) -> str:
        path = Path(self.mktemp())
        path.write_text(text)
        return str(path)


class AcceptedTests(OptionsCase):
    def test_what_holds_if_nothing_is_said(self) -> None:
        settings = self.parse(*URL)
        plan = settings.plan
        (target,) = plan.targets
        self.assertEqual(target.url, "ws://localhost:9000/ocpp/CP00001")
        self.assertEqual((target.password, target.source), (None, ""))
        assert plan.habits is not None
        self.assertEqual(plan.habits.tokens, ["RED"])
        self.assertEqual((plan.habits.cars_per_hour, plan.habits.session), (2, (600, 3600)))
        self.assertEqual((plan.ramp, plan.seed, plan.hardware.outlets), (50, 1, 2))
        self.assertEqual((plan.faults, plan.scenario, plan.handy), ([], None, False))
        self.assertEqual((settings.grace, settings.interactive), (10, False))
        self.assertEqual(settings.logs.levels, {})

    def test_many(self) -> None:
        settings = self.parse(*URL, "--count", "1000", "--id-format", "depot-{}")
        ids = [target.id for target in settings.plan.targets]
        self.assertEqual((len(ids), ids[0], ids[-1]), (1000, "depot-1", "depot-1000"))
        self.assertEqual(settings.logs.levels["ocpp_twisted.charge_point"], LogLevel.error)

    def test_what_is_logged_of_many_may_be_said(self) -> None:
        level = "ocpp_twisted.charge_point=info"
        settings = self.parse(*URL, "--count", "2", "--log-level", level)
        self.assertEqual(settings.logs.levels["ocpp_twisted.charge_point"], LogLevel.info)

    def test_ids_of_a_file(self) -> None:
        ids = self.file("# mine\nCP/1\n\nCP2   se cret \nCP/1\n")
        targets = self.parse(*URL, "--ids", ids, "--password", "all").plan.targets
        self.assertEqual([target.id for target in targets], ["CP/1", "CP2"])
        self.assertEqual(targets[0].url, "ws://localhost:9000/ocpp/CP%2F1")
        self.assertEqual([target.password for target in targets], [b"all", b"se cret"])
        (target,) = self.parse(*URL, "--ids", ids, "--count", "1").plan.targets
        self.assertEqual(target.id, "CP/1")

    def test_a_password_of_a_file(self) -> None:
        (target,) = self.parse(*URL, "--password-file", self.file(" geheim \n")).plan.targets
        self.assertEqual(target.password, b" geheim ")

    def test_tls(self) -> None:
        ca = Authority()
        (cert, key) = ca.issue("CP1").write(Path(self.mktemp()))
        more = ("--cert", str(cert), "--key", str(key), "--ca", str(cert))
        one, other = self.parse(*SECURE, "--count", "2", *more).plan.targets
        self.assertIs(one.tls, other.tls)
        self.assertEqual((one.tls.ca, one.tls.cert, one.tls.key), (cert, cert, key))
        self.assertTrue(one.tls.verify)
        self.assertFalse(self.parse(*SECURE, "--insecure").plan.targets[0].tls.verify)

    def test_a_certificate_each(self) -> None:
        directory, ca = Path(self.mktemp()), Authority()
        directory.mkdir()
        for name in ("CP00001", "CP00002"):
            _, key = ca.issue(name).write(directory / f"{name}.pem")
            key.rename(directory / f"{name}.key")
        files = (f"--cert={directory}/{{id}}.pem", f"--key={directory}/{{id}}.key")
        _, other = self.parse(*SECURE, "--count", "2", *files).plan.targets
        self.assertEqual(str(other.tls.cert), f"{directory}/CP00002.pem")
        self.assertEqual(str(other.tls.key), f"{directory}/CP00002.key")
        (sentence,) = self.refused(*SECURE, "--count", "3", *files)
        self.assertIn(f"{directory}/CP00003.pem: No such file", sentence)

    def test_addresses_take_turns(self) -> None:
        more = ("--source", "127.0.0.2", "--source", "127.0.0.3")
        targets = self.parse(*URL, "--count", "3", *more).plan.targets
        self.assertEqual(
            [target.source for target in targets], ["127.0.0.2", "127.0.0.3", "127.0.0.2"]
        )

    def test_habits(self) -> None:
        habits = self.parse(
            *URL,
            *("--token", "A", "--token", "B", "--seed", "7"),
            *("--cars-per-hour", "0.5", "--session", "60"),
        ).plan.habits
        assert habits is not None
        self.assertEqual((habits.tokens, habits.seed), (["A", "B"], 7))
        self.assertEqual((habits.cars_per_hour, habits.session), (0.5, (60, 60)))
        self.assertIsNone(self.parse(*URL, "--cars-per-hour", "0").plan.habits)

    def test_faults(self) -> None:
        more = ("--fault", "never-answer=0.05", "--fault", "answer-late=0.5,seconds=20")
        (never, few), (late, half) = self.parse(*URL, *more, "--fault=wrong-ids").plan.faults[:2]
        self.assertEqual((never.name, few), ("never-answer", 0.05))
        self.assertEqual((late.name, late.seconds, half), ("answer-late", 20, 0.5))

    def test_a_scenario(self) -> None:
        path = self.file("[station]\noutlets = 5\n[[step]]\ndo = 'mend'\noutlet = 5")
        plan = self.parse(*URL, "--scenario", path).plan
        assert plan.scenario is not None
        self.assertEqual((plan.hardware.outlets, plan.habits), (5, None))

    def test_a_prompt(self) -> None:
        settings = self.parse(*URL, "--interactive")
        self.assertEqual((settings.interactive, settings.plan.handy), (True, True))
        self.assertIsNone(settings.plan.habits)
        self.assertIsNotNone(self.parse(*URL, "--interactive", "--cars-per-hour=1").plan.habits)

    def test_versions(self) -> None:
        self.assertEqual(list(VOICES), list(CATALOGUES))

    def test_the_faults_are_listed(self) -> None:
        with redirect_stdout(StringIO()) as out:
            error = self.assertRaises(SystemExit, self.parse, "--list-faults")
        self.assertEqual(error.code, 0)
        for name in FAULTS:
            self.assertIn(f"{name}: ", out.getvalue())
        self.assertIn("alive=30.0", out.getvalue())


class RefusedTests(OptionsCase):
    def test_one_sentence_that_says_what_to_do(self) -> None:
        missing = self.mktemp()
        empty = self.file("# none\n")
        for arguments, said in (
            (
                (),
                "where do they connect to? Give --url, for example --url ws://localhost:9000/ocpp",
            ),
            (
                ("--url", "localhost:9000"),
                "--url: 'localhost:9000' is no central system: write ws:",
            ),
            (("--url", "http://x/"), "--url: 'http://x/' is no central system: write ws://HOST:PO"),
            ((*URL, "--count", "0"), "--count: '0' is not a number of charge points, 1 or more"),
            ((*URL, "--version", "1.5"), "--version: '1.5' is not one of: 1.6, 2.0, 2.0.1, 2.1"),
            ((*URL, "--id-format", "CP"), "--id-format: 'CP' has no place for a number: write it "),
            ((*URL, "--id-format", "{x}"), "--id-format: '{x}' has no place for a number"),
            ((*URL, "--id-format", "{:q}"), "--id-format: '{:q}' has no place for a number"),
            ((*URL, "--ids", missing), f"cannot read {missing}: No such file or directory"),
            ((*URL, "--ids", empty), f"--ids: there is no id in {empty}"),
            ((*URL, "--ids", "x", "--id-format", "{}"), "--ids and --id-format do not go together"),
            ((*URL, "--ids", self.file("a"), "--count", "2"), "has 1 ids, and --count asks for 2"),
            (
                (*URL, "--password", "x", "--password-file", "y"),
                "--password and --password-file do",
            ),
            ((*URL, "--password-file", missing), f"cannot read {missing}: No such file"),
            ((*SECURE, "--cert", "x"), "--cert and --key go together: give both, or neither"),
            ((*SECURE, "--ca", "x", "--insecure"), "--insecure and --ca do not go together: leave"),
            ((*URL, "--ca", "x"), "--ca is for TLS: give a --url that begins with wss://"),
            ((*SECURE, "--ca", missing), f"cannot read the certificate {missing}: No such file or"),
            ((*URL, "--insecure"), "--insecure is for TLS: give a --url that begins with wss://"),
            (
                (*URL, "--source", "eth0"),
                "--source: 'eth0' is no address of this machine, like 127",
            ),
            ((*URL, "--outlets", "0"), "--outlets: '0' is not a number of outlets, 1 or more"),
            ((*URL, "--ramp", "0"), "--ramp: '0' is not a number above 0"),
            ((*URL, "--seed", "x"), "--seed: 'x' is not a whole number"),
            ((*URL, "--cars-per-hour", "x"), "--cars-per-hour: 'x' is not a number above 0"),
            ((*URL, "--session", "9-5"), "--session: '9-5' is no time: write seconds (600), or fr"),
            ((*URL, "--session", "x"), "--session: 'x' is no time: write seconds (600), or from"),
            ((*URL, "--fault", "sulk=1"), "--fault: there is no fault 'sulk'; there are: never-an"),
            (
                (*URL, "--fault", "wrong-ids=2"),
                "--fault: 'wrong-ids=2': the share of charge points",
            ),
            (
                (*URL, "--fault", "wrong-ids=x"),
                "--fault: 'wrong-ids=x': the share of charge points",
            ),
            ((*URL, "--fault", "wrong-ids=1,x"), "--fault: 'x' is no parameter: write it like sec"),
            ((*URL, "--scenario", missing), f"cannot read {missing}: No such file or directory"),
            ((*URL, "--scenario", self.file("x = 1")), "there is no key 'x'; there are: station,"),
            (
                (*URL, "--scenario", "x", "--cars-per-hour", "1"),
                "--scenario and --cars-per-hour do",
            ),
            ((*URL, "--scenario", "x", "--outlets", "1"), "--scenario and --outlets do not go"),
            ((*URL, "--scenario", "x", "--token", "1"), "--scenario and --token do not go"),
            ((*URL, "--interactive", "--scenario", "x"), "--interactive and --scenario do not go"),
            (
                (*URL, "--interactive", "--count", "2"),
                "--interactive and --count do not go together",
            ),
            ((*URL, "--grace", "-1"), "--grace: '-1' is not a number of seconds, 0 or more"),
            ((*URL, "--log-format", "x"), "--log-format: 'x' is not one of: text, json"),
            ((*URL, "--cout", "2"), "option --cout not recognized"),
            ((*URL, "--count", "999999"), "999999 charge points need as many sockets, and this pr"),
        ):
            sentences = self.refused(*arguments)
            self.assertEqual(len(sentences), 1, sentences)
            self.assertIn(said, sentences[0])

    def test_all_that_is_wrong_at_once(self) -> None:
        self.assertEqual(len(self.refused("--count=x", "--ramp=x", "--password=a", "--cert=a")), 4)
