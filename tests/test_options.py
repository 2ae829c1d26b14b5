"""The command line: what it takes, and a sentence for what it does not take."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.command_line import Options
from ocpp_twisted.config import Settings
from ocpp_twisted.identity import Identity
from ocpp_twisted.limits import Limits
from ocpp_twisted.logs import LogOptions
from ocpp_twisted.ocppj.leniency import Kind, Treatment
from ocpp_twisted.options import OPTIONS
from ocpp_twisted.quirks import BUILT_IN
from ocpp_twisted.recording.file import Recording
from ocpp_twisted.security.binding import Binding
from ocpp_twisted.values import endpoint_description
from ocpp_twisted.websocket.server import WebSocketOptions


class OptionsTestCase(SynchronousTestCase):
    def parse(self, *arguments: str) -> Settings:
        options = Options()
        options.parseOptions(arguments)
        return options.settings

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
        settings = self.parse(
            "--ws", "9000", r"--ws=tcp:1:interface=\:\:1", "--wss", "0", "--wss=9443"
        )
        self.assertEqual(settings.ws, ["tcp:9000", r"tcp:1:interface=\:\:1"])
        self.assertEqual(settings.wss, ["tcp:0", "tcp:9443"])

    def test_what_holds_if_nothing_is_said(self) -> None:
        settings = self.parse("--ws", "9000")
        self.assertEqual(
            settings.plugin_config["local"],
            {
                "heartbeat_interval": 300,
                "interval_spread": 0,
                "store": f"sqlite:///{settings.data_directory.absolute() / 'records.db'}",
                "keep_events": 90,
                "keep_transactions": 0,
                "authorize": "known",
                "charge_points": "any",
                "certificate_authority": "none",
                "ca_cert": None,
                "ca_key": None,
                "ca_organization": None,
                "ca_days": 365,
                "certificate_renewal_days": 30,
                "ocsp_responders": [],
            },
        )
        self.assertEqual((settings.limits, settings.grace), (Limits(), 10))
        websocket, standard = settings.websocket, WebSocketOptions()
        self.assertEqual(replace(websocket, templates=standard.templates), standard)
        self.assertEqual(websocket.templates.identify("/ocpp/a/b"), Identity("b", "a"))
        self.assertEqual([plugin.name for plugin in settings.action_plugins], ["local"])
        self.assertEqual(settings.active_plugins, [])
        self.assertIs(settings.quirks, BUILT_IN["standard"])
        self.assertIsNone(settings.recording)
        self.assertEqual(settings.logs, LogOptions())

    def test_security_profiles(self) -> None:
        settings = self.parse("--ws=9000", "--security-profile=1")
        self.assertEqual(settings.security_profile("ws", "tcp:9000"), 1)
        settings = self.parse(
            *("--ws=9000", "--ws=9001", "--wss=9443"),
            *("--security-profile=ws=1", "--security-profile=9001=0", "--security-profile=wss=3"),
        )
        listeners = [("ws", "tcp:9000"), ("ws", "tcp:9001"), ("wss", "tcp:9443")]
        self.assertEqual([settings.security_profile(*each) for each in listeners], [1, 0, 3])
        proxied = ("--ws=9000", "--proxy=10.0.0.1", "--proxy-identity-header=X-Name")
        self.parse(*proxied, "--security-profile=3")
        self.parse("--ws=haproxy:tcp:9000", "--proxy=10.0.0.1", "--security-profile=2")

    def test_records(self) -> None:
        settings = self.parse("--ws=0", "--store=a", "--authorize=open", "--charge-points=known")
        local = settings.plugin_config["local"]
        self.assertEqual(local["store"], "a")
        self.assertEqual((local["authorize"], local["charge_points"]), ("open", "known"))

    def test_templates(self) -> None:
        settings = self.parse("--ws=0", "--url-template=/a/{id}", "--url-template=/b/{name}/{id}")
        self.assertEqual(settings.websocket.templates.templates, ("/a/{id}", "/b/{name}/{id}"))

    def test_recording(self) -> None:
        settings = self.parse(
            "--ws=0", "--record=a", "--record-charge-point=B*", "--record-files=2"
        )
        self.assertEqual(
            settings.recording, Recording(path=Path("a"), charge_points=["B*"], files=2)
        )

    def test_logs(self) -> None:
        settings = self.parse(
            "--ws=0",
            "--log-level=warn",
            "--log-level=ocpp_twisted.frames=debug",
            "--log-format=json",
            "--log-file=a",
            "--log-size=2048",
            "--log-files=2",
        )
        levels = {"": LogLevel.warn, "ocpp_twisted.frames": LogLevel.debug}
        self.assertEqual(
            settings.logs,
            LogOptions(levels=levels, format="json", file=Path("a"), size=2048, files=2),
        )

    def test_quirks(self) -> None:
        self.assertIs(self.parse("--ws=0", "--quirks=tolerant").quirks, BUILT_IN["tolerant"])
        profiles = Path(self.mktemp())
        profiles.write_text('[[profile]]\nreject = "all"\n')
        quirks = self.parse("--ws=0", f"--quirks={profiles}").quirks
        treatment = quirks.leniency("1.6").treatment(Kind.SURPLUS_FIELD, "Heartbeat", "$")
        self.assertIs(treatment, Treatment.REJECT)

    def test_http(self) -> None:
        self.patch(os, "environ", {**os.environ, "OCPP_TOKEN": ""})
        settings = self.parse("--ws=0", "--http=8080", "--http-cors=https://depot.example")
        self.assertEqual([plugin.name for plugin in settings.active_plugins], ["http"])
        self.assertEqual(
            settings.plugin_config["http"],
            {"listen": "tcp:8080:interface=127.0.0.1", "origins": ["https://depot.example"]},
        )
        file = Path(self.mktemp())
        file.write_text("secret\n")
        settings = self.parse(
            "--ws=0", "--active-plugin=http", "--http=tcp:1", f"--http-token-file={file}"
        )
        self.assertEqual([plugin.name for plugin in settings.active_plugins], ["http"])
        self.assertEqual(
            settings.plugin_config["http"], {"listen": "tcp:1", "origins": [], "token": "secret"}
        )
        os.environ["OCPP_TOKEN"] = "other"
        settings = self.parse("--ws=0", "--http=1")
        self.assertEqual(settings.plugin_config["http"]["token"], "other")
        self.assertNotIn("http", self.parse("--ws=0").plugin_config)

    def test_two_command_lines_share_nothing(self) -> None:
        self.parse("--ws", "1")
        self.assertEqual(self.parse("--ws", "2").ws, ["tcp:2"])

    def test_where_files_are_kept(self) -> None:
        self.assertEqual(self.parse("--ws=0", "-d", "here").data_directory, Path("here"))
        for variables, place in (
            ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
            ({"XDG_DATA_HOME": "/share"}, "/share/ocpp_twisted"),
            ({"HOME": "/home/me"}, "/home/me/.local/share/ocpp_twisted"),
        ):
            for variable in ("STATE_DIRECTORY", "XDG_DATA_HOME"):
                self.patch(os, "environ", {**os.environ, variable: ""})
            self.patch(os, "environ", {**os.environ, **variables})
            self.assertEqual(self.parse("--ws=0").data_directory, Path(place))


class AuthTests(OptionsTestCase):
    """The options of `AuthOptionMixin`."""

    def test_the_usual_checkers(self) -> None:
        path = self.mktemp()
        Path(path).write_text("CP1:secret")
        settings = self.parse(
            *("--ws=0", "--security-profile=1"),
            *("--auth", "memory:CP1:a", f"--auth=file:{path}", "--auth=unix"),
        )
        names = [type(checker).__name__ for checker in settings.auth]
        self.assertEqual(
            names, ["InMemoryUsernamePasswordDatabaseDontUse", "FilePasswordDB", "UNIXChecker"]
        )
        self.assertFalse(settings.hide_unknown)

    def test_without_a_security_profile(self) -> None:
        for option in ("--auth=unix", "--hide-unknown"):
            self.assertIn(
                f"{option.split('=')[0]} is for --security-profile: add --security-profile",
                self.refused("--ws=0", option),
            )

    def test_what_is_none(self) -> None:
        for given, sentence in (
            ("nothing:secret", "there is no 'nothing': --help-auth lists what there is"),
            ("memory:secret", "memory cannot be used so: see --help-auth-type memory"),
            ("anonymous", "anonymous checks no user names and passwords: see --help-auth"),
            ("file:/nowhere/words", "cannot read /nowhere/words: No such file or directory"),
        ):
            told = self.refused("--ws=0", "--security-profile=1", f"--auth={given}")
            self.assertIn(sentence, told)
            self.assertNotIn("secret", told)

    def test_help(self) -> None:
        out = StringIO()
        self.patch(Options, "authOutput", out)
        self.assertRaises(SystemExit, Options().parseOptions, ["--help-auth"])
        self.assertIn("file", out.getvalue())
        self.assertNotIn("anonymous", out.getvalue())
        self.assertRaises(SystemExit, Options().parseOptions, ["--help-auth-type", "file"])
        self.assertIn("Location of a FilePasswordDB-formatted file", out.getvalue())


class RefusedTests(OptionsTestCase):
    def test_nothing_to_listen_on(self) -> None:
        self.assertIn("there is nothing to listen on: give --ws PORT", self.refused())

    def test_neither_a_port_nor_an_endpoint(self) -> None:
        for wrong in (
            "nine",
            "-1",
            "tcp:nine",
            "9000:9001",
            "",
            "carrier-pigeon:3",
            "systemd:index=0",
        ):
            self.assertIn("--ws: ", self.refused(f"--ws={wrong}"))
        self.assertEqual(
            self.refused("--wss=65536"),
            "twistd ocpp: --wss: 65536 is no port: ports end at 65535",
        )

    def test_an_option_that_does_not_exist(self) -> None:
        self.assertIn("option --wsss not recognized", self.refused("--wsss=1"))
        self.assertIn("Wrong number of arguments", self.refused("--ws=0", "extra"))

    def test_who_is_neither_known_nor_all(self) -> None:
        for option, words in (("authorize", "known, open"), ("charge-points", "any, known")):
            text = self.refused("--ws=0", f"--{option}=some")
            self.assertIn(f"--{option}: 'some' is not one of: {words}", text)

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
        for arguments, sentence in (
            (("--wss=0", "--tls-cert=a"), "go together"),
            (("--wss=0", "--tls-key=a"), "add --tls-cert, or"),
            (("--wss=0", "--tls-cert=a", "--tls-cert=b", "--tls-key=c"), "a key for each"),
            (("--ws=0", "--tls-cert=a", "--tls-key=b"), "add --wss, or"),
            (("--ws=0", "--tls-client-ca=a"), "add --wss, or"),
            (("--wss=0", "--tls-crl=a"), "add --tls-client-ca, or"),
        ):
            self.assertIn(sentence, self.refused(*arguments))

    def test_client_certificates(self) -> None:
        options = self.parse("--wss=0", "--tls-client-ca=a", "--tls-client-ca=b", "--tls-crl=c")
        self.assertEqual(options.tls.client_cas, [Path("a"), Path("b")])
        self.assertEqual(options.tls.crls, [Path("c")])
        self.assertEqual(options.binding, Binding())
        binding = self.parse(
            *("--wss=0", "--tls-client-ca=a"),
            "--client-certificate-id=suffix=.cp.example",
            "--client-certificate-organization=Acme, Inc.",
        ).binding
        self.assertEqual(binding, Binding("suffix", ".cp.example", ("Acme, Inc.",)))
        self.assertIn(
            "--client-certificate-id: 'cn' is not one of",
            self.refused("--wss=0", "--tls-client-ca=a", "--client-certificate-id=cn"),
        )
        for option in ("--client-certificate-id=serial", "--client-certificate-organization=Acme"):
            self.assertIn(
                f"{option.split('=')[0]} is for --tls-client-ca: add --tls-client-ca",
                self.refused("--wss=0", option),
            )
        proxy = ("--ws=0", "--proxy=10.0.0.1", "--proxy-identity-header=X")
        self.parse(*proxy, "--client-certificate-id=serial")
        self.assertIn(
            "is for --tls-client-ca",  # a proxy tells no organization, so nobody would come in
            self.refused(*proxy, "--client-certificate-organization=Acme"),
        )

    def test_several_certificates_and_old_charge_points(self) -> None:
        pairs = ("--tls-cert=a", "--tls-key=b", "--tls-cert=c", "--tls-key=d")
        settings = self.parse("--wss-legacy=9444", *pairs)
        self.assertEqual(settings.tls.pairs, [(Path("a"), Path("b")), (Path("c"), Path("d"))])
        self.assertEqual((settings.wss, settings.wss_legacy), ([], ["tcp:9444"]))

    def test_what_is_no_http(self) -> None:
        for option in ("--http-cors=https://depot.example", "--http-token-file=a"):
            self.assertIn(
                f"{option.split('=')[0]} is for --http: add --http, or",
                self.refused("--ws=0", option),
            )
        self.assertIn("--http: ", self.refused("--ws=0", "--http=nine"))
        for origin in ("depot.example", "https://depot.example/", "ftp://a", "*", "null"):
            refused = self.refused("--ws=0", "--http=1", f"--http-cors={origin}")
            self.assertIn("is no origin", refused)
        missing = self.refused("--ws=0", "--http=1", "--http-token-file=/nowhere/token")
        self.assertIn("--http-token-file: ", missing)

    def test_what_is_no_recording(self) -> None:
        for option in (
            "--record-charge-point=*",
            "--record-hide-id-tokens",
            "--record-size=1024",
            "--record-files=1",
        ):
            self.assertEqual(
                self.refused("--ws=0", option),
                f"twistd ocpp: {option.split('=')[0]} is for --record: "
                "add --record, or leave it out",
            )
        for wrong in ("--record-files=0", "--record-files=many", "--record-size=1"):
            name, value = wrong.split("=")
            self.assertIn(f"{name}: {value!r} is not", self.refused("--ws=0", "--record=a", wrong))

    def test_what_is_no_log(self) -> None:
        self.assertIn(
            "--log-level: 'loud' is not a level (debug, ",
            self.refused("--ws=0", "--log-level=loud"),
        )
        self.assertIn("--log-level: '=info' is not", self.refused("--ws=0", "--log-level==info"))
        self.assertIn("--log-format: 'xml'", self.refused("--ws=0", "--log-format=xml"))

    def test_what_are_no_quirks(self) -> None:
        self.assertIn(
            "the quirk profiles in loose cannot be read", self.refused("--ws=0", "--quirks=loose")
        )

    def test_what_is_no_template(self) -> None:
        self.assertIn("--url-template: '/x' is not", self.refused("--ws=0", "--url-template=/x"))

    def test_what_is_no_security_profile(self) -> None:
        for arguments, sentence in (
            (["--security-profile=4"], "'4' is no security profile: write 0, 1, 2 or 3"),
            (["--security-profile=ws"], "'ws' is no security profile"),
            (["--security-profile=wss=2"], "there is no listener wss"),
            (["--security-profile=9443=2"], "there is no listener 9443"),
            (["--security-profile=2"], "profile 2 needs TLS (or a --proxy that ends it), and"),
            (["--wss=9443", "--security-profile=1"], "profile 1 is without TLS, and --wss tcp"),
            (["--proxy=10.0.0.5", "--security-profile=3"], "--proxy-identity-header), and --ws"),
        ):
            self.assertIn(sentence, self.refused("--ws=9000", *arguments))
        self.assertIn(
            "profile 3 needs a client certificate, of which the PROXY protocol says nothing",
            self.refused("--ws=haproxy:tcp:1", "--proxy=10.0.0.1", "--security-profile=3"),
        )

    def test_what_is_no_proxy(self) -> None:
        for arguments, sentence in (
            (["--ws=9000", "--proxy=here"], "'here' is neither an address"),
            (
                ["--ws=9000", "--proxy-identity-header=X"],
                "is for --proxy: add --proxy",
            ),
            (
                ["--ws=haproxy:tcp:9000"],
                "lets in listed proxies only: add --proxy",
            ),
        ):
            self.assertIn(sentence, self.refused(*arguments))

    def test_plugins_that_do_not_exist(self) -> None:
        for kind in ("action", "active"):
            self.assertIn(
                f"there is no {kind} plug-in 'none-such'; there is: ",
                self.refused("--ws=0", f"--{kind}-plugin=none-such"),
            )


class NatsTests(OptionsTestCase):
    def test_what_is_refused(self) -> None:
        for arguments, sentence in (
            (("--nats=localhost",), "--nats: 'localhost' is no NATS server: write it like nats://"),
            (("--nats=ws://localhost",), "--nats: 'ws://localhost' is no NATS server"),
            (("--nats-route=Authorize",), "'Authorize' is no route: write ACTION=GROUP"),
            (("--nats=nats://a",), "--nats is for the plug-ins nats: add --action-plugin nats or"),
        ):
            self.assertIn(sentence, self.refused("--ws", "9000", *arguments))


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
        for option in OPTIONS:
            self.assertIn(f"--{option}", text)
        for option in ("--ws=", "--wss=", "--tls-cert=", "--action-plugin=", "--list-plugins"):
            self.assertIn(option, text)
        self.assertIn("Try: twistd -n ocpp --ws 9000 --wss 9443", text)


class EndpointDescriptionTests(SynchronousTestCase):
    def test_a_port_is_any_address(self) -> None:
        self.assertEqual(endpoint_description("9000"), "tcp:9000")

    def test_an_endpoint_stays_as_it_is(self) -> None:
        for text in ("unix:/run/ocpp", "systemd:domain=INET6:index=1"):
            self.assertEqual(endpoint_description(text), text)
