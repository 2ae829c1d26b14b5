"""A recording tells what the server was set to, and what it knew: a replay begins with that."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ocpp_twisted import quirks, v16
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.recording.file import Recording
from ocpp_twisted.recording.lines import Line, encode, read
from ocpp_twisted.recording.settings import RecordedSettings, told
from ocpp_twisted.records import IdTag
from ocpp_twisted.replay import replay
from ocpp_twisted.service import Server, Settings
from tests.support import close_frame, environment, frame, until, upgraded
from tests.test_replay import ROOT, Recorder, ReplayTestCase

ANYWHERE = "tcp:0:interface=127.0.0.1"
AUTHORIZE = '[2,"%s","Authorize",{"idTag":"T"}]'
#: Its number is a string: only a tolerant server reads it.
START = (
    '[2,"s","StartTransaction",'
    '{"connectorId":1,"idTag":"t","meterStart":"7","timestamp":"2026-01-01T00:00:00Z"}]'
)
STOP = (
    '[2,"e","StopTransaction",'
    '{"transactionId":%d,"meterStop":9,"timestamp":"2026-01-01T01:00:00Z","idTag":"T"}]'
)


class Tolled(ActionPlugin):
    """Lets in who has paid: its configuration decides on what it answers."""

    name = "tolled"
    recorded_config = ("free",)

    def start(self, caller, config):
        self.free = config.get("free", [])

    @on(v16.AuthorizeRequest)
    def authorize(self, charge_point, request):
        status = "Accepted" if request.idTag in self.free else "Blocked"
        return v16.AuthorizeResponse(
            idTagInfo=v16.IdTagInfo(status=v16.AuthorizationStatus(status))
        )


class ServerCase(TestCase):
    """A server on a socket is recorded."""

    timeout = 60

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "ocpp.jsonl"

    async def started(self, *plugins: Any, **more: Any) -> None:
        recording = Recording(path=self.path)
        settings = Settings(ws=[ANYWHERE], action_plugins=plugins, recording=recording, **more)
        self.server = Server(settings, reactor)
        self.addCleanup(lambda: self.server.stopService() if self.server.running else None)
        await self.server.startService()
        (address,) = self.server.addresses
        self.client = await upgraded(reactor, address.port)

    async def asked(self, message: str) -> Any:
        """What a CALL is answered."""
        before = len(self.client.hears())
        self.client.transport.write(frame(message))
        (answer,) = await until(lambda: self.client.hears()[before:], reactor)
        return json.loads(answer)

    async def stopped(self) -> None:
        stopped = self.server.stopService()
        await until(lambda: 1001 in self.client.hears(), reactor)
        self.client.transport.write(close_frame(1001))
        await stopped

    async def command(self, *arguments: Any) -> tuple[int, str]:
        """The exit code, and what was printed."""
        out, err, code = await getProcessOutputAndValue(
            sys.executable,
            ["-m", "ocpp_twisted.replay", *map(str, arguments)],
            env=environment(PYTHONPATH=str(ROOT)),
            path=str(self.folder),
        )
        return code, (out + err).decode()


class RecordedServerTests(ServerCase):
    async def recorded(self, **more: Any) -> str:
        """A tolerant server lets a known tag charge; returns the URL of its store."""
        store = f"sqlite:///{self.folder / 'records.db'}"
        plugin = LocalPlugin()
        config = {"store": store, "heartbeat_interval": 77}
        await self.started(
            plugin, quirks=quirks.BUILT_IN["tolerant"], plugin_config={"local": config}, **more
        )
        await plugin.put_id_tags([IdTag(idTag="T", parentIdTag="P")])
        boot = {"chargePointVendor": "v", "chargePointModel": "m"}
        await self.asked(json.dumps([2, "b", "BootNotification", boot]))
        _, _, answer = await self.asked(AUTHORIZE % "a")
        self.assertEqual(answer, {"idTagInfo": {"status": "Accepted", "parentIdTag": "P"}})
        _, _, answer = await self.asked(START)
        self.assertEqual(answer["idTagInfo"]["status"], "Accepted")
        _, _, answer = await self.asked(STOP % answer["transactionId"])
        self.assertEqual(answer["idTagInfo"]["status"], "Accepted")
        await self.stopped()
        return store

    async def test_quirks_and_a_known_tag(self) -> None:
        """The defaults: the recording is all that is needed."""
        await self.recorded()
        self.assertNotIn("records.db", self.path.read_text())
        kept = (self.folder / "records.db").read_bytes()
        with self.path.open("rb") as lines:
            report = await replay(lines, [LocalPlugin()])
        self.assertEqual(report.differences, [], str(report))
        self.assertEqual((report.notes, report.compared), ([], 4))
        code, out = await self.command("ocpp.jsonl")
        self.assertEqual((code, out[:14]), (0, "0 differences:"), out)
        self.assertEqual((self.folder / "records.db").read_bytes(), kept)

    async def test_other_settings_than_then(self) -> None:
        await self.recorded()
        for options, different in (
            (["--quirks", "strict"], "$.meterStart: expected an integer, got a string"),
            (["--heartbeat-interval", 78], "BootNotification at $[2].interval"),
            (["--store", "sqlite:////dev/null/none"], "cannot"),
        ):
            code, out = await self.command("ocpp.jsonl", *options)
            self.assertIn(different, out)
            self.assertEqual(code, 2 if different == "cannot" else 1)

    async def test_a_copy_of_the_records(self) -> None:
        store = await self.recorded()
        code, out = await self.command("ocpp.jsonl", "--store", store)
        self.assertEqual(code, 0, out)
        plugin = LocalPlugin()
        plugin.start(None, {"store": store})
        await plugin.delete_id_tag("T")
        await plugin.stop()
        code, out = await self.command("ocpp.jsonl", "--store", store)
        self.assertIn("CP1 Authorize at $[2].idTagInfo.status", out)
        self.assertEqual(code, 1)

    async def test_the_servers_file(self) -> None:
        """It counts more than the recording; the server's store is not touched."""
        await self.recorded()
        kept = (self.folder / "records.db").read_bytes()
        (self.folder / "server.toml").write_text(
            'ws = 9000\nwss = 9443\ntls-cert = "none.pem"\ntls-key = "none.pem"\n'
            f'store = "sqlite:///{self.folder / "records.db"}"\n'
            'http = 8080\nhttp-token-file = "nowhere"\nactive-plugin = "not-installed"\n'
            "heartbeat-interval = 5\n[plugins.not-installed]\na = 1\n[[quirks.profile]]\n"
            'repair = "all"\n'
        )
        code, out = await self.command("ocpp.jsonl", "--config", "server.toml")
        self.assertIn("1 differences", out)
        self.assertIn('"interval":5}', out)
        code, out = await self.command(
            "ocpp.jsonl", "--config", "server.toml", "--heartbeat-interval=77"
        )
        self.assertEqual(code, 0, out)
        self.assertEqual((self.folder / "records.db").read_bytes(), kept)

    async def test_a_plugin_with_a_configuration(self) -> None:
        config = {"free": ["T"], "token": "hush"}
        await self.started(Tolled(), plugin_config={"tolled": config})
        _, _, answer = await self.asked(AUTHORIZE % "a")
        self.assertEqual(answer["idTagInfo"]["status"], "Accepted")
        await self.stopped()
        self.assertNotIn("hush", self.path.read_text())
        data = self.path.read_bytes().splitlines()
        report = await replay(data, [Tolled()])
        self.assertEqual(report.differences, [])
        self.assertEqual(
            report.notes,
            ["line 1: the plug-in tolled had settings that a recording does not tell: token"],
        )
        report = await replay(data, [Tolled()], plugin_config={"tolled": {"token": "other"}})
        self.assertEqual((report.differences, report.notes), ([], []))
        report = await replay(data, [Tolled()], plugin_config={"tolled": {"free": []}})
        self.assertEqual(len(report.differences), 1)


class SettingsTests(SynchronousTestCase):
    def test_what_is_told(self) -> None:
        config = {"authorize": "open", "store": "postgresql://ocpp:hush@db/ocpp"}
        settings = told(
            [LocalPlugin(), Tolled()],
            {"local": config, "tolled": {"free": object()}, "http": {"token": "hush"}},
            quirks.BUILT_IN["strict"].as_document(),
            Limits(call_timeout=5.0),
        )
        line = encode(Line(time="2026-01-02T03:04:05Z", event="settings", settings=settings))
        self.assertNotIn(b"hush", line)
        again = read(line).settings
        assert again is not None
        self.assertEqual(again, settings)
        self.assertEqual(again.action_plugins, ("local", "tolled"))
        self.assertEqual(again.plugins, {"local": {"authorize": "open"}})
        self.assertEqual(again.withheld, {"local": ("store",), "tolled": ("free",)})
        self.assertEqual(again.limits, Limits(call_timeout=5.0))

    def test_quirks_come_back(self) -> None:
        text = """
            [[profile]]
            vendor = ["ACME*", "Other"]
            version = "1.6"
            repair = "all"
            reject = ["time"]
            [profile.at.StatusNotification]
            "$.info" = "accept"
            "$.timestamp" = { repair = ["time"] }
            [[profile]]
            firmware = "1.*"
            accept = ["too-long"]
        """
        document = quirks.parse(text).as_document()
        again = quirks.from_document(json.loads(json.dumps(document)), "again")
        self.assertEqual(again.as_document(), document)
        (profile, other) = document["profile"]
        self.assertEqual(profile["vendor"], ["acme*", "other"])
        self.assertEqual(profile["reject"], ["time"])
        self.assertEqual(other, {"firmware": ["1.*"], "accept": ["too-long"]})
        for maker in (("ACME 2", "m", "1.4"), ("Another", "m", "1.4"), ("x", "m", "2")):
            one = quirks.parse(text).leniency("1.6", *maker)
            two = again.leniency("1.6", *maker)
            for kind in quirks.Kind:
                for path in ("$", "$.info", "$.timestamp"):
                    self.assertIs(
                        one.treatment(kind, "StatusNotification", path),
                        two.treatment(kind, "StatusNotification", path),
                    )


class WithSettingsTests(ReplayTestCase):
    def line(self, **more: Any) -> bytes:
        settings = RecordedSettings(**more)
        return encode(Line(time="2026-01-02T03:04:05Z", event="settings", settings=settings))

    def test_limits(self) -> None:
        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        for _ in range(2):
            charge_point.receive(b'[2,"x","DataTransfer",{"vendorId":"v"}]')
        self.assertEqual(len(recorder.transport.sent), 2)
        seen = []

        class Counting(LocalPlugin):
            @on(v16.DataTransferRequest)
            def transfer(self, charge_point, request):
                seen.append(request)
                return v16.DataTransferResponse(status=v16.DataTransferStatus.UnknownVendorId)

        told = self.line(limits=Limits(kept_answers=0)).replace(
            b'"kept_answers":0', b'"kept_answers":0,"of_a_newer_version":{}'
        )
        self.played([told, *recorder.data], Counting())
        self.assertEqual(len(seen), 2)
        self.played([told, *recorder.data], Counting(), limits=Limits())
        self.assertEqual(len(seen), 3)

    def test_a_store_in_a_recording(self) -> None:
        """Nobody writes one there; who did could make a replay write into it."""
        path = Path(self.mktemp())
        config = {"store": f"sqlite:///{path.absolute()}", "heartbeat_interval": 7}
        plugin = LocalPlugin()
        self.played([self.line(plugins={"local": config})], plugin)
        self.assertEqual(plugin.heartbeat_interval, 7)
        self.assertFalse(path.exists())

    def test_the_settings_change(self) -> None:
        same, other = self.line(), self.line(limits=Limits(kept_answers=9))
        heartbeat = Recorder(LocalPlugin())
        heartbeat.online().receive(b'[2,"x","Heartbeat",{}]')
        report = self.played([same, *heartbeat.data, same, other, same, other], LocalPlugin())
        self.assertEqual(
            (report.differences, report.notes),
            ([], ["line 6: the recorded server had other settings from here on"]),
        )

    def test_quirks_that_nobody_knows(self) -> None:
        told = self.line(quirks={"profile": [{"repair": ["of-a-newer-version"]}]})
        error = self.failureResultOf(replay([told], [LocalPlugin()]), ConfigurationError)
        self.assertIn("the quirk profiles of the recording, profile 1", str(error.value))


class KnownTests(ReplayTestCase):
    """Tags and charge points that the recorded server knew."""

    def setUp(self) -> None:
        self.plugin = LocalPlugin()
        self.recorder = Recorder(self.plugin)
        self.numbers = iter(range(1000))

    def says(self, charge_point: Any, action: str, **payload: Any) -> Any:
        number = str(next(self.numbers))
        charge_point.receive(json.dumps([2, number, action, payload]).encode())
        return json.loads(self.recorder.transport.sent[-1])

    def put(self, **tag: Any) -> None:
        record = IdTag(idTag="T", **tag)
        self.successResultOf(self.plugin.put_id_tags([record]))

    def test_a_tag_that_changes(self) -> None:
        for version, request in (
            ("1.6", {"idTag": "T"}),
            ("2.0", {"idToken": {"idToken": "T", "type": "Central"}}),
            ("2.0.1", {"idToken": {"idToken": "T", "type": "ISO14443"}}),
            ("2.1", {"idToken": {"idToken": "T", "type": "ISO14443"}}),
        ):
            charge_point = self.recorder.online(f"CP{version}", version)
            self.successResultOf(self.plugin.delete_id_tag("T"))
            self.says(charge_point, "Authorize", **request)
            for tag in (
                {},
                {"status": "Blocked", "parentIdTag": "G"},
                {"status": "Expired"},
                {"status": "Invalid"},
                {"parentIdTag": "G", "expiryDate": datetime(2999, 1, 1, tzinfo=UTC)},
                {"expiryDate": datetime(2020, 1, 1, tzinfo=UTC)},
            ):
                self.put(**tag)
                self.says(charge_point, "Authorize", **request)
        self.assertEqual(self.same(self.recorder.data, LocalPlugin()).compared, 28)
        report = self.played(self.recorder.data, LocalPlugin(), learn=False)
        self.assertEqual(len(report.differences), 23)

    def test_as_many_transactions_as_it_may_have(self) -> None:
        self.put(maxTransactions=1)
        charge_point = self.recorder.online()
        start = {"idTag": "T", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
        for connector in (1, 2):
            answer = self.says(charge_point, "StartTransaction", connectorId=connector, **start)
        self.assertEqual(answer[2]["idTagInfo"]["status"], "ConcurrentTx")
        charge_point = self.recorder.online("CP2", "2.0.1")
        event = {
            "eventType": "Started",
            "timestamp": "2026-01-01T00:00:00Z",
            "triggerReason": "Authorized",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "x"},
            "idToken": {"idToken": "T", "type": "ISO14443"},
        }
        answer = self.says(charge_point, "TransactionEvent", **event)
        self.assertEqual(answer[2]["idTokenInfo"]["status"], "ConcurrentTx")
        self.same(self.recorder.data, LocalPlugin())

    def test_an_answer_that_was_lost(self) -> None:
        """The charge point has gone before it; it asks again on its next connection."""
        self.put()
        charge_point = self.recorder.online()
        self.says(charge_point, "Authorize", idTag="T")
        charge_point.lost("gone")
        charge_point = self.recorder.online()
        self.numbers = iter(range(1000))
        self.says(charge_point, "Authorize", idTag="T")
        (lost,) = [
            line
            for line in self.recorder.data
            if b'"out","connection":1' in line and b"Accepted" in line
        ]
        data = [line for line in self.recorder.data if line is not lost]
        report = self.played(data, LocalPlugin())
        self.assertEqual([each.recorded for each in report.differences], ["no answer"])
        self.assertIn("Accepted", report.differences[0].now)

    def test_a_tag_that_had_to_be_mended(self) -> None:
        text = '[[profile]]\nvendor = "v"\n%s = "too-long"'
        long = "A TAG OF MORE THAN TWENTY CHARACTERS"
        for treatment, tag in (("accept", long), ("repair", long[:20])):
            self.setUp()
            profiles = quirks.parse(text % treatment)
            self.recorder = Recorder(self.plugin, quirks=profiles)
            self.successResultOf(self.plugin.put_id_tags([IdTag(idTag=tag)]))
            charge_point = self.recorder.online()
            self.says(charge_point, "BootNotification", chargePointVendor="V", chargePointModel="m")
            answer = self.says(charge_point, "Authorize", idTag=long)
            self.assertEqual(answer[2]["idTagInfo"]["status"], "Accepted")
            self.same(self.recorder.data, LocalPlugin(), quirks=profiles)

    def test_a_vendor_that_is_not_told(self) -> None:
        """The recording begins after the boot: profiles for its vendor do not fit any more."""
        profiles = quirks.parse('[[profile]]\nvendor = "v"\nrepair = "string-as-number"')
        self.recorder = Recorder(self.plugin, quirks=profiles)
        charge_point = self.recorder.online()
        self.says(charge_point, "BootNotification", chargePointVendor="v", chargePointModel="m")
        booted = len(self.recorder.data)
        self.says(charge_point, "Authorize", idTag=5)
        self.same(self.recorder.data, LocalPlugin(), quirks=profiles)
        online, after = self.recorder.data[:1], self.recorder.data[booted:]
        report = self.played([*online, *after], LocalPlugin(), quirks=profiles)
        self.assertEqual(1, len(report.differences))
        (note,) = report.notes
        self.assertIn("who made CP1 is not told: no profile for a vendor fits it", note)
        report = self.played([*online, *after], LocalPlugin(), quirks=quirks.BUILT_IN["strict"])
        self.assertEqual((1, []), (len(report.differences), report.notes))

    def test_charge_points(self) -> None:
        config = {"local": {"charge_points": "known"}}
        self.plugin.start(self.recorder.server, config["local"])
        known, unknown = self.recorder.online("CP1"), self.recorder.online("CP2")
        boot = {"chargePointVendor": "v", "chargePointModel": "m"}
        self.recorder.transport.sent.clear()
        self.successResultOf(self.plugin.put_charge_point("CP1"))
        self.successResultOf(self.plugin.put_charge_point("CP3", "Pending"))
        for charge_point in (known, unknown):
            charge_point.receive(b'[2,"h","Heartbeat",{}]')
            charge_point.receive(json.dumps([2, "b", "BootNotification", boot]).encode())
        answer = self.says(self.recorder.online("CP3"), "BootNotification", **boot)
        self.assertEqual(answer[2]["status"], "Pending")
        lines = b"".join(self.recorder.data)
        self.assertEqual((lines.count(b"SecurityError"), lines.count(b"Rejected")), (1, 1))
        self.same(self.recorder.data, LocalPlugin(), plugin_config=config)

    def test_pseudonyms(self) -> None:
        self.recorder = Recorder(self.plugin, pseudonym=lambda token: f"*{token}*")
        self.put(parentIdTag="P")
        self.says(self.recorder.online(), "Authorize", idTag="T")
        self.assertIn(b"*P*", self.recorder.data[-1])
        self.same(self.recorder.data, LocalPlugin())

    def test_what_tells_nothing_of_a_tag(self) -> None:
        charge_point = self.recorder.online("CP2", "2.1")
        self.says(charge_point, "Authorize", idToken={"idToken": "", "type": "NoAuthorization"})
        self.says(
            charge_point, "Authorize", idToken={"idToken": "T", "type": "eMAID"}, certificate="pem"
        )
        self.says(charge_point, "Authorize", nonsense=1)
        seen = []

        class Seeing(LocalPlugin):
            def put_id_tags(self, tags):
                seen.append(tags)
                return super().put_id_tags(tags)

        self.same(self.recorder.data, Seeing())
        self.assertEqual(seen, [])


class OwnStoreTests(TestCase):
    async def test_nothing_is_entered(self) -> None:
        plugin = LocalPlugin()
        recorder = Recorder(plugin)
        plugin.put_id_tags([IdTag(idTag="T")])
        recorder.online().receive((AUTHORIZE % "a").encode())
        store = f"sqlite:///{Path(self.mktemp()).absolute()}"
        config = {"local": {"store": store}}
        for _ in range(2):
            report = await replay(
                recorder.data, [LocalPlugin()], plugin_config=config, reactor=reactor
            )
            (found,) = report.differences
            self.assertIn("Invalid", found.now)
