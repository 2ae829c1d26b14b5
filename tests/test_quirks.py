"""Quirk profiles: what may stand in the TOML, whom it fits, and which setting wins."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import quirks
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.ocppj.leniency import LETTER, STANDARD, TOLERANT, Kind, Leniency, Treatment
from ocpp_twisted.versions import CATALOGUES

ACCEPT, REPAIR, REJECT = Treatment.ACCEPT, Treatment.REPAIR, Treatment.REJECT


def treatment(text: str, kind: Kind, action: str = "Heartbeat", path: str = "$") -> Treatment:
    return quirks.parse(text).leniency("1.6").treatment(kind, action, path)


class Settings(SynchronousTestCase):
    def same(self, one: Leniency, other: Leniency) -> None:
        for kind in Kind:
            self.assertIs(
                one.treatment(kind, "Heartbeat", "$"), other.treatment(kind, "Heartbeat", "$")
            )

    def test_nothing_said(self) -> None:
        self.same(quirks.parse("").leniency("1.6"), STANDARD)
        repaired = {kind for kind in Kind if treatment("", kind) is REPAIR}
        self.assertEqual(
            repaired, {"time", "whole-number", "decimal-noise", "null-payload", "short-callerror"}
        )

    def test_all(self) -> None:
        for word, leniency in (("repair", TOLERANT), ("reject", LETTER)):
            self.same(quirks.parse(f'[[profile]]\n{word} = "all"').leniency("1.6"), leniency)
        accepted = {
            kind for kind in Kind if treatment('[[profile]]\naccept = "all"', kind) is ACCEPT
        }
        self.assertEqual(accepted, {"enum-spelling", "surplus-field", "too-long", "decimal-noise"})

    def test_built_in(self) -> None:
        for name, leniency in (("standard", STANDARD), ("tolerant", TOLERANT), ("strict", LETTER)):
            for version in CATALOGUES:
                self.same(quirks.BUILT_IN[name].leniency(version, "ACME"), leniency)

    def test_what_is_named_beats_all(self) -> None:
        for text in (
            'reject = ["time"]\nrepair = "all"',
            'repair = ["all"]\nreject = "time"',
        ):
            self.assertIs(treatment(f"[[profile]]\n{text}", Kind.TIME), REJECT)
            self.assertIs(treatment(f"[[profile]]\n{text}", Kind.TOO_LONG), REPAIR)

    def test_a_later_profile_beats_an_earlier_one(self) -> None:
        text = '[[profile]]\nrepair = ["too-long", "null-value"]\n[[profile]]\nreject = "too-long"'
        self.assertIs(treatment(text, Kind.TOO_LONG), REJECT)
        self.assertIs(treatment(text, Kind.NULL_VALUE), REPAIR)

    def test_a_path_beats_a_later_profile(self) -> None:
        text = """
            [[profile]]
            at.Authorize."$.idTag".accept = "too-long"
            [[profile]]
            reject = "all"
        """
        self.assertIs(treatment(text, Kind.TOO_LONG, "Authorize", "$.idTag"), ACCEPT)
        self.assertIs(treatment(text, Kind.STRING_AS_NUMBER, "Authorize", "$.idTag"), REJECT)
        self.assertIs(treatment(text, Kind.TOO_LONG, "StartTransaction", "$.idTag"), REJECT)

    def test_a_later_profile_at_the_same_path(self) -> None:
        text = """
            [[profile]]
            at.Authorize."$.idTag" = "repair"
            [[profile]]
            at.Authorize."$.idTag".accept = "too-long"
        """
        self.assertIs(treatment(text, Kind.TOO_LONG, "Authorize", "$.idTag"), ACCEPT)
        self.assertIs(treatment(text, Kind.STRING_AS_NUMBER, "Authorize", "$.idTag"), REPAIR)


class Matching(SynchronousTestCase):
    def fits(self, lines: str, *charge_point: str) -> bool:
        found = quirks.parse(f'[[profile]]\n{lines}\nrepair = "all"').leniency(*charge_point)
        return found.treatment(Kind.TOO_LONG, "Authorize", "$") is REPAIR

    def test_everybody(self) -> None:
        self.assertTrue(self.fits("", "1.6"))
        self.assertTrue(self.fits("", "2.1", "ACME", "One", "1"))

    def test_vendor_model_and_firmware(self) -> None:
        who = ("1.6", "ACME Ltd", "One", "1.2.3")
        for lines, fits in (
            ('vendor = "ACME*"', True),
            ('vendor = "acme ltd"', True),
            ('vendor = "ACME"', False),
            ('vendor = ["Other", "ACM? *"]', True),
            ('model = "One"\nfirmware = "1.2.*"', True),
            ('model = "One"\nfirmware = "1.3.*"', False),
            ('vendor = "ACME*"\nmodel = "Two"', False),
            ('firmware = "1.[0-2].3"', True),
            ('firmware = "1+2.3"', False),
        ):
            self.assertIs(self.fits(lines, *who), fits, lines)

    def test_version(self) -> None:
        for version, fits in (("1.6", False), ("2.0", True), ("2.0.1", True), ("2.1", False)):
            self.assertIs(self.fits('version = ["2.0", "2.0.1"]', version), fits)

    def test_who_is_not_known_yet(self) -> None:
        self.assertFalse(self.fits('vendor = "ACME"', "1.6"))
        self.assertFalse(self.fits('vendor = "?*"', "1.6"))
        self.assertTrue(self.fits('vendor = "*"', "1.6"))

    def test_a_very_long_name(self) -> None:
        self.assertFalse(self.fits('vendor = "*a*b*c*d*e"', "1.6", "abcd" * 2**18))

    def test_the_same_object_for_the_same_profiles(self) -> None:
        profiles = quirks.parse('[[profile]]\nvendor = "A*"\nrepair = "all"')
        one = profiles.leniency("1.6", "A1", "m", "1")
        self.assertIs(profiles.leniency("1.6", "A2", "n", "2"), one)
        self.assertIsNot(profiles.leniency("1.6", "B"), one)
        self.assertIs(profiles.leniency("1.6", "B"), profiles.leniency("1.6"))

    def test_after_a_boot(self) -> None:
        profiles = quirks.parse('[[profile]]\nvendor = "A"\nrepair = "all"')
        boot = {"chargePointVendor": "A", "chargePointModel": "m"}
        self.assertIs(profiles.leniency("1.6").towards(boot), profiles.leniency("1.6", "A", "m"))


class Errors(SynchronousTestCase):
    def refused(self, text: str, *words: str) -> None:
        error = self.assertRaises(ConfigurationError, quirks.parse, text, "acme.toml")
        for word in ("acme.toml", *words):
            self.assertIn(word, str(error))

    def profile(self, lines: str, *words: str) -> None:
        text = f'[[profile]]\nrepair = "all"\n[[profile]]\n{lines}'
        self.refused(text, "acme.toml, profile 2: ", *words)

    def test_no_toml(self) -> None:
        self.refused("[[profile]\nx = 1", "is not TOML", "line 1")

    def test_unknown_keys(self) -> None:
        self.refused("[profiles]", '"profiles" is not known', "known are profile")
        self.profile('vendro = "ACME"', '"vendro" is not known', "vendor, model, firmware")
        self.profile('at.Authorize."$".mend = "all"', 'Authorize $: "mend" is not known')

    def test_one_bracket(self) -> None:
        self.refused('[profile]\nvendor = "A"', "write [[profile]]")

    def test_a_profile_that_is_no_table(self) -> None:
        self.refused("profile = [1]", "profile 1 is a table, not 1")

    def test_unknown_kinds(self) -> None:
        self.profile('repair = "times"', 'no kind "times"', "time, whole-number")
        self.profile('at.Authorize."$".repair = ["x"]', 'Authorize $: there is no kind "x"')
        self.profile('repair = ["all", "time"]', 'no kind "all"')

    def test_unknown_treatments(self) -> None:
        self.profile('at.Authorize."$" = "mend"', 'Authorize $: "mend" is not known', "accept")

    def test_what_cannot_be_accepted(self) -> None:
        self.profile('accept = "time"', '"time" cannot be accepted as it came', "too-long")

    def test_contradictions(self) -> None:
        self.profile('repair = "time"\nreject = "time"', '"time" stands there twice')
        self.profile('repair = "all"\nreject = "all"', 'only one treatment can have "all"')

    def test_unknown_versions(self) -> None:
        self.profile('version = "1.5"', "there is no OCPP 1.5; there are 1.6, 2.0, 2.0.1, 2.1")

    def test_unknown_actions(self) -> None:
        self.profile('at.Authorise."$" = "repair"', "has no action Authorise")
        lines = 'version = "2.1"\nat.StartTransaction."$" = "repair"'
        self.profile(lines, "OCPP 2.1 has no action StartTransaction")

    def test_unknown_paths(self) -> None:
        for path in ("$.idtag", "idTag", "", "$.", "$.idTag.x", "$[*]", "$..idTag", "$ .idTag"):
            lines = f'version = "1.6"\nat.Authorize."{path}" = "repair"'
            self.profile(lines, f"Authorize of OCPP 1.6 has no {path}")
        self.profile('at.MeterValues."$.meterValue[0]" = "repair"', "write [*] for the index")

    def test_paths_of_answers_and_of_any_version(self) -> None:
        quirks.parse('[[profile]]\nat.Authorize."$.idTagInfo.status" = "repair"')
        quirks.parse('[[profile]]\nat.Authorize."$.idToken.idToken" = "repair"')

    def test_values_of_a_wrong_type(self) -> None:
        self.profile("vendor = 1", "vendor is a string or a list of strings")
        self.profile("repair = [1]", "repair is a string or a list of strings")
        self.profile("at = 1", "at is a table")
        self.profile("at.Authorize = 1", "Authorize is a table")
        self.profile('at.Authorize."$" = 1', "Authorize $ is a table")

    def test_files(self) -> None:
        path = Path(self.mktemp())
        error = self.assertRaises(ConfigurationError, quirks.load, path)
        self.assertIn(str(path), str(error))
        path.write_bytes(b"\xff")
        error = self.assertRaises(ConfigurationError, quirks.load, path)
        self.assertIn(str(path), str(error))
        path.write_text('[[profile]]\nrepair = "x"')
        error = self.assertRaises(ConfigurationError, quirks.load, str(path))
        self.assertIn(f"{path}, profile 1", str(error))
