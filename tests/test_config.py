"""The configuration file: what it may hold, and a sentence for everything else."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import config
from ocpp_twisted.command_line import Options
from ocpp_twisted.config import Settings
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.logs import LogOptions
from ocpp_twisted.ocppj.leniency import Kind, Treatment
from ocpp_twisted.options import OPTIONS
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.recording.file import Recording
from ocpp_twisted.security.binding import Binding
from ocpp_twisted.websocket.certificates import TLSFiles

EVERYTHING = """
ws = [9000, "tcp:9001:interface=127.0.0.1"]
wss = 9443
wss-legacy = 9444
tls-cert = "cert.pem"
tls-key = "/etc/key.pem"
security-profile = ["ws=1", "9443=3"]
auth = "memory:CP1:secret"
hide-unknown = true
proxy = ["10.0.0.0/8", "::1"]
proxy-identity-header = "X-Client"
tls-client-ca = ["ca.pem"]
tls-crl = "ca.crl"
client-certificate-id = "serial"
client-certificate-organization = "Acme"
reuse-port = true
data-dir = "data"
action-plugin = ["local", "nats"]
active-plugin = []
url-template = ["/a/{id}", "/b/{name}/{id}"]
heartbeat-interval = 60
interval-spread = 10
store = "sqlite:////records.db"
keep-events = 7
keep-transactions = 3650
authorize = "open"
charge-points = "known"
certificate-authority = "local"
ca-cert = "ca.pem"
ca-key = "/etc/ca-key.pem"
ca-organization = "ACME"
ca-days = 90
certificate-renewal-days = 0
ocsp-responder = ["http://ocsp.example/v2g", "*"]
http = 8080
http-token-file = "token"
http-cors = "https://depot.example"
nats = ["nats://a:4222", "tls://b"]
nats-creds = "nats.creds"
nats-token-file = "/etc/nats-token"
nats-tls-ca = "ca.pem"
nats-tls-cert = "nats.pem"
nats-tls-key = "nats-key.pem"
nats-reconnect-wait = 0.5
nats-ping-interval = 3
nats-prefix = "my.ocpp"
nats-patience = 10
nats-limit = 500
nats-replicas = 3
nats-route = ["Authorize=tags", "MeterValues=meters"]
nats-heartbeat = true
group = "rest"
node = "gw1"
call-timeout = 5
ping-interval = 7.5
ping-timeout = 8
handshake-timeout = 3
tls-handshake-timeout = 4
first-message-timeout = 0
message-timeout = 6
max-connections = 100
max-connections-per-address = 11
max-closing-per-id = 2
max-handshakes = 12
max-messages-per-second = 13
max-json-depth = 14
max-write-buffer = 4096
max-queued-calls = 15
max-open-calls = 16
max-message-size = 2048
grace = 0
drain-rate = 50
log-level = ["warn", "ocpp_twisted.frames=debug"]
log-format = "json"
log-file = "ocpp.log"
log-size = 4096
log-files = 3
record = "ocpp.jsonl"
record-charge-point = "DEPOT-*"
record-size = 1024
record-files = 1
record-hide-id-tokens = true

[[quirks.profile]]
vendor = "Acme"
reject = "all"

[plugins.local]
colour = "green"
"""


class FileTestCase(SynchronousTestCase):
    def file(self, text: str) -> Path:
        directory = Path(self.mktemp())
        directory.mkdir()
        file = directory / "ocpp.toml"
        file.write_text(text)
        return file

    def treatment(self, settings: Settings, vendor: str = "Acme") -> Treatment:
        leniency = settings.quirks.leniency("1.6", vendor)
        return leniency.treatment(Kind.TIME, "Heartbeat", "$")


class AcceptedTests(FileTestCase):
    def test_the_first_message_may_be_a_heartbeat(self) -> None:
        for interval, seconds in ((60, 900), (3600, 7200)):
            file = self.file(f"ws = 9000\nheartbeat-interval = {interval}\n")
            self.assertEqual(config.read(file).websocket.first_message_timeout, seconds)

    def test_everything(self) -> None:
        named = {line.partition(" =")[0] for line in EVERYTHING.splitlines()}
        self.assertEqual(set(OPTIONS) - named, {"quirks"})
        file = self.file(EVERYTHING)
        here = file.parent
        (here / "token").write_text("secret")
        settings = config.read(file)
        self.assertEqual(settings.ws, ["tcp:9000", "tcp:9001:interface=127.0.0.1"])
        self.assertEqual(settings.wss, ["tcp:9443"])
        self.assertEqual(
            settings.tls,
            TLSFiles(
                pairs=[(here / "cert.pem", Path("/etc/key.pem"))],
                client_cas=[here / "ca.pem"],
                crls=[here / "ca.crl"],
            ),
        )
        self.assertEqual(settings.wss_legacy, ["tcp:9444"])
        self.assertEqual(settings.binding, Binding("serial", "", ("Acme",)))
        self.assertEqual(settings.security_profile("ws", "tcp:9000"), 1)
        self.assertEqual(settings.security_profile("wss", "tcp:9443"), 3)
        self.assertEqual([checker.users for checker in settings.auth], [{b"CP1": b"secret"}])
        self.assertTrue(settings.hide_unknown)
        self.assertTrue(settings.known_only)
        self.assertTrue(settings.websocket.proxies.trust("10.1.2.3"))
        self.assertEqual(settings.websocket.proxies.identity_header, "X-Client")
        self.assertTrue(settings.reuse_port)
        self.assertEqual(settings.data_directory, here / "data")
        self.assertEqual([plugin.name for plugin in settings.action_plugins], ["local", "nats"])
        self.assertEqual(
            settings.plugin_config.pop("nats"),
            {
                "servers": ["nats://a:4222", "tls://b"],
                "credentials": here / "nats.creds",
                "token": Path("/etc/nats-token"),
                "tls_ca": here / "ca.pem",
                "tls_cert": here / "nats.pem",
                "tls_key": here / "nats-key.pem",
                "reconnect_wait": 0.5,
                "ping_interval": 3.0,
                "prefix": "my.ocpp",
                "patience": 10.0,
                "limit": 500,
                "replicas": 3,
                "routes": [("Authorize", "tags"), ("MeterValues", "meters")],
                "heartbeat": True,
                "group": "rest",
                "node": "gw1",
            },
        )
        self.assertEqual([plugin.name for plugin in settings.active_plugins], ["http"])
        self.assertEqual(settings.websocket.templates.templates, ("/a/{id}", "/b/{name}/{id}"))
        self.assertEqual(settings.websocket.ping_interval, 7.5)
        self.assertEqual(settings.websocket.ping_timeout, 8)
        websocket, limits = settings.websocket, settings.limits
        self.assertEqual((websocket.handshake_timeout, websocket.tls_handshake_timeout), (3, 4))
        self.assertEqual((websocket.first_message_timeout, websocket.message_timeout), (0, 6))
        self.assertEqual((websocket.max_connections, websocket.max_closing_per_id), (100, 2))
        self.assertEqual(websocket.max_connections_per_address, 11)
        self.assertEqual((websocket.max_handshakes, websocket.max_messages_per_second), (12, 13))
        self.assertEqual((websocket.max_message_size, websocket.max_write_buffer), (2048, 4096))
        self.assertEqual((limits.json_depth, limits.queued_calls, limits.open_calls), (14, 15, 16))
        self.assertEqual((settings.limits.call_timeout, settings.grace), (5, 0))
        self.assertEqual(settings.drain_rate, 50)
        self.assertEqual(
            settings.plugin_config,
            {
                "local": {
                    "colour": "green",
                    "heartbeat_interval": 60,
                    "interval_spread": 10,
                    "store": "sqlite:////records.db",
                    "keep_events": 7,
                    "keep_transactions": 3650,
                    "authorize": "open",
                    "charge_points": "known",
                    "certificate_authority": "local",
                    "ca_cert": here / "ca.pem",
                    "ca_key": Path("/etc/ca-key.pem"),
                    "ca_organization": "ACME",
                    "ca_days": 90,
                    "certificate_renewal_days": 0,
                    "ocsp_responders": ["http://ocsp.example/v2g", "*"],
                },
                "http": {
                    "listen": "tcp:8080:interface=127.0.0.1",
                    "origins": ["https://depot.example"],
                    "token": "secret",
                },
            },
        )
        self.assertEqual(
            settings.logs,
            LogOptions(
                levels={"": LogLevel.warn, "ocpp_twisted.frames": LogLevel.debug},
                format="json",
                file=here / "ocpp.log",
                size=4096,
                files=3,
            ),
        )
        self.assertEqual(
            settings.recording,
            Recording(
                path=here / "ocpp.jsonl",
                charge_points=["DEPOT-*"],
                size=1024,
                files=1,
                hide_id_tokens=True,
            ),
        )
        self.assertIs(self.treatment(settings), Treatment.REJECT)
        self.assertIsNot(self.treatment(settings, "Other"), Treatment.REJECT)

    def test_false_is_as_if_it_were_not_there(self) -> None:
        settings = config.read(self.file("ws = 0\nreuse-port = false\nrecord-hide-id-tokens=false"))
        self.assertFalse(settings.reuse_port)
        self.assertIsNone(settings.recording)

    def test_quirks_by_their_name_or_in_a_file_beside_this_one(self) -> None:
        named = config.read(self.file('ws = 0\nquirks = "strict"'))
        self.assertIs(self.treatment(named), Treatment.REJECT)
        file = self.file('ws = 0\nquirks = "quirks.toml"')
        (file.parent / "quirks.toml").write_text('[[profile]]\nreject = "all"')
        self.assertIs(self.treatment(config.read(file)), Treatment.REJECT)

    def test_a_program_brings_its_own_plugins(self) -> None:
        class Mine(ActionPlugin):
            name = "mine"

        mine = Mine()
        file = self.file("ws = 0\n[plugins.mine]\na.b = [1, 2]")
        settings = config.read(file, action_plugins=[mine])
        self.assertEqual(settings.action_plugins, [mine])
        self.assertEqual(settings.plugin_config["mine"], {"a": {"b": [1, 2]}})


class RefusedTests(FileTestCase):
    def refused(self, text: str) -> str:
        file = self.file(text)
        error = self.assertRaises(ConfigurationError, config.read, file)
        return str(error).replace(str(file), "ocpp.toml")

    def test_unknown_keys(self) -> None:
        for key, meant in (
            ("heartbeat_interval", "heartbeat-interval"),
            ("tls-sert", "tls-cert"),
            ("plugin", "plugins"),
        ):
            self.assertEqual(
                self.refused(f"ws = 0\n{key} = 1"),
                f"ocpp.toml: there is no option {key!r}; is it {meant!r} that you mean?",
            )
        self.assertIn("there is no option 'xyz'; there are: action-plugin, ", self.refused("xyz=1"))

    def test_wrong_types(self) -> None:
        for text, why in (
            ("ws = 9000.5", "ws is a port (9000) or a string, or a list of these, not 9000.5"),
            ("ws = true", "ws is a port (9000) or a string, or a list of these, not True"),
            ('grace = "10"', "grace is a number, not '10'"),
            ("grace = [1]", "grace is a number, not [1]"),
            ("reuse-port = 1", "reuse-port is true or false, not 1"),
            ("data-dir = 1", "data-dir is a string, not 1"),
            ("log-level = [1]", "log-level is a string, or a list of these, not [1]"),
            ("ws = {a = 1}", "ws is a port (9000) or a string, or a list of these, not {'a': 1}"),
        ):
            given = text if text.startswith("ws") else f"ws = 0\n{text}"
            self.assertEqual(self.refused(given), f"ocpp.toml: {why}")

    def test_wrong_values(self) -> None:
        self.assertEqual(
            self.refused("ws = 0\nheartbeat-interval = 0.5"),
            "ocpp.toml: heartbeat-interval: '0.5' is not a number of whole seconds, 1 or more",
        )
        self.assertIn("ocpp.toml: ws: 65536 is no port", self.refused("ws = 65536"))
        self.assertIn("ocpp.toml: grace: 'nan' is not", self.refused("ws = 0\ngrace = nan"))
        self.assertIn("ocpp.toml: url-template: ", self.refused('ws = 0\nurl-template = "/x"'))
        self.assertIn("there is nothing to listen on", self.refused("ws = []"))

    def test_quirks(self) -> None:
        self.assertIn(
            'ocpp.toml: quirks, profile 1: "vendo" is not known',
            self.refused('ws = 0\n[[quirks.profile]]\nvendo = "Acme"'),
        )
        self.assertIn("loose cannot be read", self.refused('ws = 0\nquirks = "loose"'))

    def test_tables_of_plugins(self) -> None:
        self.assertEqual(
            self.refused("ws = 0\n[plugins.lokal]"),
            "ocpp.toml: [plugins.lokal]: there is no plug-in 'lokal'; is it 'local' that you mean?",
        )
        self.assertIn("plugins holds a table for each", self.refused("ws = 0\nplugins = 1"))
        self.assertIn("plugins holds a table for each", self.refused("ws = 0\nplugins.local = 1"))
        self.assertIn(
            "[plugins.local]: heartbeat_interval is an option of its own: write heartbeat-interval",
            self.refused("ws = 0\n[plugins.local]\nheartbeat_interval = 1"),
        )

    def test_what_cannot_be_read(self) -> None:
        self.assertIn("ocpp.toml is not TOML: ", self.refused("ws = "))
        error = self.assertRaises(ConfigurationError, config.read, "none-such.toml")
        self.assertEqual(str(error), "cannot read none-such.toml: No such file or directory")
        file = self.file("")
        file.write_bytes(b"\xff")
        error = self.assertRaises(ConfigurationError, config.read, file)
        self.assertIn("ocpp.toml is not UTF-8", str(error))


class CommandLineTests(FileTestCase):
    def parse(self, *arguments: str) -> Settings:
        options = Options()
        options.parseOptions(arguments)
        return options.settings

    def test_the_command_line_wins_wherever_it_names_the_file(self) -> None:
        file = self.file('ws = [1, 2]\ngrace = 1\ncall-timeout = 2\ndata-dir = "a"')
        for arguments in (
            ("--ws=3", "--grace=4", f"--config={file}"),
            (f"--config={file}", "--ws=3", "--grace=4"),
        ):
            settings = self.parse(*arguments)
            self.assertEqual((settings.ws, settings.grace), (["tcp:3"], 4))
            self.assertEqual(settings.limits.call_timeout, 2)
            self.assertEqual(settings.data_directory, file.parent / "a")
        self.assertEqual(self.parse(f"--config={file}", "--data-dir=b").data_directory, Path("b"))

    def test_quirks_on_the_command_line_win_over_profiles(self) -> None:
        file = self.file('ws = 0\n[[quirks.profile]]\nreject = "all"')
        self.assertIs(self.treatment(self.parse(f"--config={file}")), Treatment.REJECT)
        tolerant = self.parse(f"--config={file}", "--quirks=tolerant")
        self.assertIs(self.treatment(tolerant), Treatment.REPAIR)

    def test_the_sentence_says_where(self) -> None:
        file = self.file("ws = 0\ngrace = -1")
        error = self.assertRaises(SystemExit, self.parse, f"--config={file}")
        self.assertIn(f"twistd ocpp: {file}: grace: '-1' is not", str(error))
        error = self.assertRaises(SystemExit, self.parse, f"--config={file}", "--grace=-2")
        self.assertIn("twistd ocpp: --grace: '-2' is not", str(error))

    def check(self, *arguments: str) -> str:
        with redirect_stdout(StringIO()) as out:
            error = self.assertRaises(SystemExit, self.parse, "--check-config", *arguments)
        return out.getvalue() or str(error)

    def test_a_file_that_is_only_checked(self) -> None:
        file = self.file("ws = 0")
        self.assertEqual(self.check(f"--config={file}"), f"{file} is good\n")
        self.assertEqual(self.check("--ws=0"), "the configuration is good\n")
        self.assertIn("there is nothing to listen on", self.check())
        file = self.file('wss = 0\ntls-cert = "a.pem"\ntls-key = "b.pem"')
        self.assertIn(
            f"cannot read the certificate {file.parent}/a.pem", self.check(f"--config={file}")
        )
