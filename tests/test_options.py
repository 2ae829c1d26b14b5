"""The command line: what it takes, and a sentence for what it does not take."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.options import Options, endpoint_description
from ocpp_twisted.quirks import BUILT_IN, Quirks


class OptionsTestCase(SynchronousTestCase):
    def parse(self, *arguments: str) -> Options:
        options = Options()
        options.parseOptions(arguments)
        return options

    def refused(self, *arguments: str) -> str:
        error = self.assertRaises(SystemExit, self.parse, *arguments)
        sentence, hint = str(error).split("\n")
        self.assertEqual(hint, "(all options: twistd ocpp --help)")
        return sentence

    def prints(self, *arguments: str) -> str:
        with redirect_stdout(StringIO()) as out:
            error = self.assertRaises(SystemExit, self.parse, *arguments)
        self.assertIn(error.code, (0, None))
        return out.getvalue()


class AcceptedTests(OptionsTestCase):
    def test_ports_and_endpoints_several_of_each(self) -> None:
        options = self.parse(
            "--ws", "9000", r"--ws=tcp:1:interface=\:\:1", "--wss", "0", "--wss=9443"
        )
        self.assertEqual(options["ws"], ["tcp:9000", r"tcp:1:interface=\:\:1"])
        self.assertEqual(options["wss"], ["tcp:0", "tcp:9443"])

    def test_what_holds_if_nothing_is_said(self) -> None:
        options = self.parse("--ws", "9000")
        kept = ("heartbeat-interval", "call-timeout", "ping-interval", "ping-timeout", "grace")
        self.assertEqual([options[name] for name in kept], [300, 30, 60, 30, 10])
        self.assertEqual(options["max-message-size"], 1048576)
        self.assertEqual([plugin.name for plugin in options["action"]], ["local"])
        self.assertEqual(options["active"], [])
        self.assertEqual(options["templates"].identify("/ocpp/a/b"), Identity("b", "a"))

    def test_templates(self) -> None:
        options = self.parse("--ws=0", "--url-template=/a/{id}", "--url-template=/b/{name}/{id}")
        self.assertEqual(options["templates"].templates, ("/a/{id}", "/b/{name}/{id}"))

    def test_quirks(self) -> None:
        for name in ("standard", "tolerant", "strict"):
            self.assertIs(self.parse("--ws=0", f"--quirks={name}")["quirks"], BUILT_IN[name])
        file = Path(self.mktemp())
        file.write_text('[[profile]]\nvendor = "ACME"\nrepair = "all"\n')
        self.assertIsInstance(self.parse("--ws=0", f"--quirks={file}")["quirks"], Quirks)
        self.assertIn("cannot be read", self.refused("--ws=0", "--quirks=nowhere.toml"))

    def test_recording(self) -> None:
        options = self.parse("--ws=0", "--record=a", "--record-charge-point=B*", "--record-files=2")
        kept = ("record", "record-charge-points", "record-size", "record-files")
        self.assertEqual([options[name] for name in kept], ["a", ["B*"], 10485760, 2])
        self.assertFalse(options["record-hide-id-tokens"])
        self.assertIsNone(self.parse("--ws=0")["record"])

    def test_two_command_lines_share_nothing(self) -> None:
        self.parse("--ws", "1")
        self.assertEqual(self.parse("--ws", "2")["ws"], ["tcp:2"])

    def test_where_files_are_kept(self) -> None:
        self.assertEqual(self.parse("--ws=0", "--data-dir=here")["data-dir"], Path("here"))
        for variables, place in (
            ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
            ({"XDG_DATA_HOME": "/share"}, "/share/ocpp_twisted"),
            ({"HOME": "/home/me"}, "/home/me/.local/share/ocpp_twisted"),
        ):
            for variable in ("STATE_DIRECTORY", "XDG_DATA_HOME"):
                self.patch(os, "environ", {**os.environ, variable: ""})
            self.patch(os, "environ", {**os.environ, **variables})
            self.assertEqual(self.parse("--ws=0")["data-dir"], Path(place))


class RefusedTests(OptionsTestCase):
    def test_nothing_to_listen_on(self) -> None:
        self.assertIn("there is nothing to listen on: give --ws PORT", self.refused())

    def test_neither_a_port_nor_an_endpoint(self) -> None:
        for wrong in ("nine", "-1", "tcp:nine", "9000:9001", "", "carrier-pigeon:3"):
            self.assertIn("--ws: ", self.refused(f"--ws={wrong}"))
        self.assertEqual(
            self.refused("--wss=65536"),
            "twistd ocpp: --wss: 65536 is no port: ports end at 65535",
        )

    def test_an_option_that_does_not_exist(self) -> None:
        self.assertIn("option --wsss not recognized", self.refused("--wsss=1"))
        self.assertIn("Wrong number of arguments", self.refused("--ws=0", "extra"))

    def test_what_is_no_number(self) -> None:
        for option in ("grace", "ping-interval", "call-timeout"):
            for wrong in ("soon", "-1", "nan", "inf"):
                self.assertIn(
                    f"--{option}: {wrong!r} is not a number of seconds",
                    self.refused("--ws=0", f"--{option}={wrong}"),
                )
        for wrong in ("soon", "-1", "0", "0.5"):
            self.assertIn(
                f"--heartbeat-interval: {wrong!r} is not a number of whole seconds",
                self.refused("--ws=0", f"--heartbeat-interval={wrong}"),
            )
        for option in ("call-timeout", "ping-timeout"):
            self.assertIn(f"--{option}: 0 seconds", self.refused("--ws=0", f"--{option}=0"))
        self.assertIn("--max-message-size: '5'", self.refused("--ws=0", "--max-message-size=5"))

    def test_half_a_certificate_or_one_for_nothing(self) -> None:
        self.assertIn("go together", self.refused("--wss=0", "--tls-cert=a"))
        self.assertIn("go together", self.refused("--wss=0", "--tls-key=a"))
        self.assertIn("add --wss PORT", self.refused("--ws=0", "--tls-cert=a", "--tls-key=b"))

    def test_what_is_no_recording(self) -> None:
        for option in ("--record-charge-point=*", "--record-hide-id-tokens"):
            self.assertIn("add --record FILE", self.refused("--ws=0", option))
        for wrong in ("--record-files=0", "--record-files=many", "--record-size=1"):
            name, value = wrong.split("=")
            self.assertIn(f"{name}: {value!r} is not", self.refused("--ws=0", "--record=a", wrong))

    def test_what_is_no_template(self) -> None:
        self.assertIn("--url-template: '/x' is not", self.refused("--ws=0", "--url-template=/x"))

    def test_plugins_that_do_not_exist(self) -> None:
        for kind in ("action", "active"):
            self.assertIn(
                f"there is no {kind} plug-in 'none-such'; there is: ",
                self.refused("--ws=0", f"--{kind}-plugin=none-such"),
            )


class PrintedTests(OptionsTestCase):
    def test_plugins(self) -> None:
        head, *rows = self.prints("--list-plugins").splitlines()
        self.assertEqual(head.split(), ["NAME", "KIND", "FROM"])
        self.assertIn(
            ["local", "action", "twisted.plugins.ocpp_twisted_plugins"],
            [row.split() for row in rows],
        )

    def test_versions(self) -> None:
        self.assertRegex(self.prints("--version"), r"^ocpp_twisted \S+, Twisted \S+\n$")

    def test_help(self) -> None:
        text = self.prints("--help")
        for option in ("--ws=", "--wss=", "--tls-cert=", "--action-plugin=", "--list-plugins"):
            self.assertIn(option, text)
        self.assertIn("Try: twistd -n ocpp --ws 9000 --wss 9443", text)


class EndpointDescriptionTests(SynchronousTestCase):
    def test_a_port_is_any_address(self) -> None:
        self.assertEqual(endpoint_description("9000"), "tcp:9000")

    def test_an_endpoint_stays_as_it_is(self) -> None:
        self.assertEqual(endpoint_description("unix:/run/ocpp"), "unix:/run/ocpp")
