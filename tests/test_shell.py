"""``python -m ocpp_twisted``: what people type, what they read, and the exit code."""

from __future__ import annotations

import os
import signal
import sys
from io import StringIO
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

import ocpp_twisted
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.records import ChargePoint
from ocpp_twisted.shell import main
from ocpp_twisted.shell.payload import BadPayload, payload_of
from ocpp_twisted.shell.tables import node_row, plain
from ocpp_twisted.shell.tail import lines_of
from tests.plugins.http.case import HTTPTestCase
from tests.plugins.http.memory import NOW, MemoryRecords
from tests.support import HEARTBEAT, close_frame, environment, frame, until, upgraded
from tests.test_twistd import Process

TOKEN = "0123456789abcdef"


class PayloadTests(SynchronousTestCase):
    def test_values_are_json_or_texts(self) -> None:
        for fields, payload in (
            ([], "{}"),
            (["type=Soft"], '{"type":"Soft"}'),
            (
                ["a=1", "b=1.50", 'c="1"', "d=", "e=x=y"],
                '{"a":1,"b":1.50,"c":"1","d":"","e":"x=y"}',
            ),
            (["a.b=1", "a.c.d=[1,2]"], '{"a":{"b":1,"c":{"d":[1,2]}}}'),
        ):
            self.assertEqual(payload_of(fields, None), payload)
        self.assertEqual(payload_of([], '{"a": 1.0}'), '{"a": 1.0}')

    def test_what_is_no_payload(self) -> None:
        for fields, text in (
            (["type"], None),
            (["=1"], None),
            (["a.=1"], None),
            (["a=1", "a=2"], None),
            (["a=1", "a.b=2"], None),
            (["a.b=2", "a=1"], None),
            ([], "{"),
            (["a=1"], "{}"),
        ):
            self.assertRaises(BadPayload, payload_of, fields, text)


class PlainTests(SynchronousTestCase):
    def test_a_terminal_is_not_commanded(self) -> None:
        self.assertEqual(plain("A\x1b[2JB\u202eü\n"), "A?[2JB?ü?")


class ShellCase(HTTPTestCase):
    def setUp(self) -> None:
        self.patch(os, "environ", {**os.environ, "OCPP_TOKEN": "", "OCPP_URL": ""})

    def run_it(self, *arguments: str, url: str | None = None):
        """Fires with the exit code, what was printed, and what was complained about."""
        out, errors = StringIO(), StringIO()
        where = ["--url", url or self.url, "--data-dir", str(self.directory)]
        running = deferToThread(main, [*arguments, *where], out, errors)
        return running.addCallback(lambda code: (code, out.getvalue(), errors.getvalue()))


class CallTests(ShellCase):
    async def test_an_answer(self) -> None:
        await self.start()
        wire = self.online(Identity("CP 1/a", "depot"))
        running = self.run_it("call", "CP 1/a", "Reset", "type=Soft", "--name=depot")
        await until(lambda: wire.transport.sent, reactor)
        (sent,) = wire.hears()
        self.assertTrue(sent.endswith('"Reset",{"type":"Soft"}]'))
        wire.says(f'[3,"{sent.split(chr(34))[1]}",{{"status":"Accepted"}}]')
        self.assertEqual(await running, (0, '{\n  "status": "Accepted"\n}\n', ""))

    async def test_fields_after_an_option(self) -> None:
        await self.start()
        wire = self.online()
        running = self.run_it("call", "CP1", "Reset", "--timeout=10", "type=Soft")
        wire.says(f'[3,"{await self.hears_call(wire)}",{{"status":"Accepted"}}]')
        self.assertEqual((await running)[0], 0)
        self.patch(sys, "stderr", StringIO())
        for arguments in (("call", "CP1", "Reset", "--typ=Soft"), ("charge-points", "CP1")):
            self.assertRaises(SystemExit, main, arguments)
            self.assertIn("unrecognized arguments", sys.stderr.getvalue())

    async def test_a_refusal(self) -> None:
        await self.start()
        wire = self.online()
        running = self.run_it("call", "CP1", "ClearCache")
        message_id = await self.hears_call(wire)
        wire.says(f'[4,"{message_id}","NotSupported","\\u001b[2J",{{"a":1}}]')
        told = 'ocpp: CP1 answered NotSupported: ?[2J {"a": 1}\n'
        self.assertEqual(await running, (1, "", told))

    async def test_what_is_wrong(self) -> None:
        await self.start()
        self.online()
        for arguments, expected, sentence in (
            (("CP1", "Reset", "type=Gentle"), 2, "(at $.payload.type)"),
            (("CP1", "Reset", "type"), 2, "'type' is no field"),
            (("CP1", "ChangeConfiguration", "key=a", "value=1"), 2, "digits needs quotes"),
            (("CP1", "Reset", "type=Soft", "--json={}"), 2, "--json is the whole payload"),
            (("CP1", "Reset", "--json", '{"type":"Soft"}', "a=1"), 2, "--json is the whole"),
            (("CP2", "ClearCache"), 2, "not known"),
            (("CP1", "ClearCache", "--timeout", "0.02"), 4, "not answered in time"),
        ):
            code, out, errors = await self.run_it("call", *arguments)
            self.assertEqual((code, out), (expected, ""), errors)
            self.assertIn(sentence, errors)
            self.assertEqual(errors.count("\n"), 1)

    async def test_not_now(self) -> None:
        await self.start()
        self.online().connection.remembered.registration.boot_answered("Rejected")
        code, _, errors = await self.run_it("call", "CP1", "ClearCache")
        self.assertEqual(code, 3)
        self.assertIn("must not be called now", errors)

    async def test_not_sent_in_time(self) -> None:
        await self.start()
        wire = self.online()
        first = self.call("ClearCache")
        message_id = await self.hears_call(wire)
        code, _, errors = await self.run_it("call", "CP1", "ClearCache", "--timeout=0.02")
        self.assertEqual(code, 3, errors)
        wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
        await first


class PasswordTests(ShellCase):
    async def served(self) -> LocalPlugin:
        local = LocalPlugin()
        await self.start([local])
        return local

    def types(self, text: str) -> None:
        self.patch(sys, "stdin", StringIO(text))

    async def test_entered(self) -> None:
        local = await self.served()
        for text, arguments in (("secret\n", ()), ("00ff\n", ("--hex",))):
            self.types(text)
            running = await self.run_it("password", "a/b", "--name=depot", *arguments)
            self.assertEqual(running, (0, "", ""))
            record = await local.door(Identity("a/b", "depot"))
            wanted = bytes.fromhex(text) if arguments else text.strip().encode()
            self.assertTrue(await local.passwords.fitting(wanted, record.passwords))

    async def test_none(self) -> None:
        await self.served()
        self.types("")
        code, _, errors = await self.run_it("password", "CP1")
        self.assertEqual(code, 2)
        self.assertIn("password", errors)

    async def test_a_new_one(self) -> None:
        await self.served()
        wire = self.online()
        for status, expected in (
            ("Accepted", (0, "Accepted\n", "")),
            ("Rejected", (1, "", "ocpp: CP1 answered Rejected: it keeps its password\n")),
        ):
            running = self.run_it("rotate", "CP1")
            message_id = await self.hears_call(wire)
            wire.says(f'[3,"{message_id}",{{"status":"{status}"}}]')
            self.assertEqual(await running, expected)


class LinesTests(SynchronousTestCase):
    def test_a_message_that_stands_in_both_is_shown_once(self) -> None:
        message = {
            "kind": "message",
            "time": "2026-01-02T03:04:05.678Z",
            "way": "in",
            "text": "not\nJSON",
        }
        other = {**message, "way": "out", "text": "x"}
        events = [("message", message), ("message", other), ("gap", {"kind": "gap"})]
        lines = [line[13:] for line in lines_of([message], iter(events))]
        self.assertEqual(lines[:2], ["<- (no JSON) not?JSON", "-> (no JSON) x"])
        self.assertEqual(len(lines), 3)

    def test_what_plug_ins_tell(self) -> None:
        about = {"time": "2026-01-02T03:04:05.678Z"}
        connector = {
            "evseId": 1,
            "connectorId": 2,
            "status": "Faulted",
            "errorCode": "GroundFailure",
        }
        transaction = {"transactionId": 7, "idTag": "RED", "reason": "Local"}
        events = [
            ("status", {**about, "kind": "status", "connector": connector}),
            (
                "transaction",
                {**about, "kind": "transaction", "event": "ended", "transaction": transaction},
            ),
        ]
        lines = [line[13:] for line in lines_of([], iter(events))]
        self.assertEqual(lines[0], "== EVSE 1 connector 2: Faulted (GroundFailure)")
        self.assertEqual(lines[1], "== transaction 7 ended, id tag RED: Local")


class ServerTests(ShellCase):
    async def test_no_server(self) -> None:
        await self.start()
        for url in ("http://127.0.0.1:1", "http://127.0.0.1:99999"):
            code, out, errors = await self.run_it("charge-points", url=url)
            self.assertEqual((code, out), (5, ""))
            self.assertIn("--url", errors)
        code, _, errors = await self.run_it("charge-points", url="localhost:8080")
        self.assertEqual(code, 2)
        self.assertIn("http://", errors)

    async def test_options_before_the_command(self) -> None:
        await self.start()
        out, errors = StringIO(), StringIO()
        where = ["--url", self.url, "-d", str(self.directory)]
        code = await deferToThread(main, [*where, "charge-points"], out, errors)
        self.assertEqual((code, errors.getvalue()), (0, ""))
        code = await deferToThread(main, ["--url=x", "nodes", *where], out, errors)
        self.assertEqual((code, errors.getvalue()), (0, ""))

    async def test_a_token(self) -> None:
        await self.start(token=TOKEN)
        code, _, errors = await self.run_it("charge-points")
        self.assertEqual(code, 2)
        self.assertIn("OCPP_TOKEN", errors)
        os.environ["OCPP_TOKEN"] = TOKEN
        self.assertEqual((await self.run_it("charge-points"))[0], 0)
        os.environ["OCPP_TOKEN"] = ""
        self.directory.mkdir()
        (self.directory / "http-token").write_text(f"{TOKEN}\n")
        self.assertEqual((await self.run_it("charge-points"))[0], 0)

    async def test_the_kept_token_does_not_leave_the_machine(self) -> None:
        from ocpp_twisted.shell.client import token_for

        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "http-token").write_text(TOKEN)
        for url in ("http://localhost:1", "https://127.0.0.1", "http://[::1]:1"):
            self.assertEqual(token_for(url, directory), TOKEN)
        for url in ("http://10.0.0.1", "http://localhost.example", "http://"):
            self.assertIsNone(token_for(url, directory))


class ChargePointsTests(ShellCase):
    async def test_a_table(self) -> None:
        records = MemoryRecords()
        records.charge_points[Identity("CP1")] = ChargePoint(
            id="CP1", vendorName="AC\x1bME", registrationStatus="Accepted", lastSeen=NOW
        )
        records.charge_points[Identity("CP200")] = ChargePoint(id="CP200")
        await self.start([records])
        self.online("CP200")
        code, out, errors = await self.run_it("charge-points")
        self.assertEqual((code, errors), (0, ""))
        head, first, second = out.splitlines()
        columns = ["ID", "CONNECTED", "OCPP", "STATUS", "VENDOR", "LAST", "SEEN", "PEER"]
        self.assertEqual(head.split(), columns)
        self.assertIn("Accepted  AC?ME", first)
        self.assertEqual(first.index("no"), head.index("CONNECTED"))
        self.assertEqual(second.split(), ["CP200", "now", "1.6", "memory"])
        _, out, _ = await self.run_it("charge-points", "--connected")
        self.assertEqual(len(out.splitlines()), 2)

    async def test_there_is_none(self) -> None:
        await self.start()
        self.assertEqual(await self.run_it("charge-points"), (0, "there is none\n", ""))


class NodesTests(ShellCase):
    async def test_a_server_that_is_alone(self) -> None:
        await self.start()
        self.assertEqual(await self.run_it("nodes"), (0, "there is none\n", ""))

    def test_a_row(self) -> None:
        node = {"node": "gw1", "kind": "gateway", "version": "1.2", "since": 0, "load": {"a": 3.0}}
        self.assertEqual(
            (node_row(node)[:3], node_row(node)[4]), (("gw1", "gateway", "1.2"), "a 3")
        )


class TailTests(ShellCase):
    async def test_what_happens(self) -> None:
        await self.start(ws=["tcp:0:interface=127.0.0.1"])
        (address,) = self.server.addresses
        peer = await upgraded(reactor, address.port)
        peer.transport.write(frame(HEARTBEAT))
        await until(peer.hears, reactor)
        process = Process()
        package = Path(ocpp_twisted.__file__).parent.parent
        command = [sys.executable, "-m", "ocpp_twisted", "tail", "CP1", "--url", self.url]
        handle = reactor.spawnProcess(
            process, sys.executable, command, env={**environment(), "PYTHONPATH": str(package)}
        )
        await until(lambda: process.said.count("\n") == 2, reactor)
        peer.transport.write(close_frame())
        await until(lambda: process.said.count("\n") == 3, reactor)
        handle.signalProcess(signal.SIGINT)
        self.assertEqual(await process.over, 130)
        said, answered, offline = process.said.splitlines()
        self.assertRegex(said, r'^\d\d:\d\d:\d\d\.\d{3} <- \[2,"h1","Heartbeat",{}\]$')
        self.assertIn('-> [4,"h1","NotSupported"', answered)
        self.assertRegex(offline, r"== offline after \d+ s: ")

    async def test_who_is_not_known(self) -> None:
        await self.start()
        code, _, errors = await self.run_it("tail", "CP1")
        self.assertEqual(code, 2)
        self.assertIn("not known", errors)
