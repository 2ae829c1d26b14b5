"""What is recorded: a line for everything that happens, and none of the secrets."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from time import process_time
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ocpp_twisted import v16
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import CallErrorReceived, CallFailed, ConfigurationError
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IConnectionOwner, IMessageReceiver, IMessageTransport
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.recording.file import Recording, RecordingFile
from ocpp_twisted.recording.lines import Line, NotALine, encode, read, timestamp
from ocpp_twisted.recording.redaction import Pseudonyms, may_hold_secrets, redacted
from ocpp_twisted.recording.settings import RecordedSettings
from ocpp_twisted.recording.tap import Tap
from tests.support import HEARTBEAT, MemoryTransport

#: 2026-01-02T03:04:05Z
NOON = 1767323045.0


class TapTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOON)
        self.lines: list[Line] = []
        self.central_system = CentralSystem([LocalPlugin()], self.clock)
        self.tap = self.made_tap()

    def made_tap(self, **more: Any) -> Tap:
        return Tap(self.central_system, self.lines.append, now=self.clock.seconds, **more)

    def online(self, charge_point: str | Identity = "CP1", subprotocol: str = "ocpp1.6") -> Any:
        self.transport = MemoryTransport()
        identity = Identity.of(charge_point)
        return self.tap.connection_made(identity, subprotocol, self.transport)

    def told(self) -> list[dict[str, Any]]:
        """The lines since the last time this was asked, as they stand in a file."""
        lines, self.lines[:] = list(self.lines), []
        return [json.loads(encode(line)) for line in lines]

    def said(self, message: str | bytes, subprotocol: str = "ocpp1.6") -> dict[str, Any]:
        """What is told of a message that a charge point sends, without the usual fields."""
        charge_point = self.online(subprotocol=subprotocol)
        self.told()
        charge_point.receive(message.encode() if isinstance(message, str) else message)
        line = self.told()[0]
        for usual in ("time", "event", "connection", "charge_point", "version"):
            del line[usual]
        return line


class TapTests(TapTestCase):
    def test_a_life(self) -> None:
        charge_point = self.online(Identity("CP1", "depot"))
        self.clock.advance(0.6789)
        charge_point.receive(
            b'[2,"a","StatusNotification",'
            b'{"connectorId":1,"errorCode":"NoError","status":"Available"}]'
        )
        self.clock.advance(1)
        charge_point.lost("the charge point closed with 1000")
        usual = {"connection": 1, "charge_point": "CP1", "name": "depot", "version": "1.6"}
        payload = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        second = "2026-01-02T03:04:05"
        self.assertEqual(
            self.told(),
            [
                {"time": f"{second}.000Z", "event": "online", **usual, "peer": "memory"},
                {
                    "time": f"{second}.678Z",
                    "event": "in",
                    **usual,
                    "frame": [2, "a", "StatusNotification", payload],
                },
                {"time": f"{second}.678Z", "event": "out", **usual, "frame": [3, "a", {}]},
                {
                    "time": "2026-01-02T03:04:06.678Z",
                    "event": "offline",
                    **usual,
                    "reason": "the charge point closed with 1000",
                },
            ],
        )
        self.assertEqual(self.transport.sent, ['[3,"a",{}]'])
        self.assertFalse(self.central_system.charge_points)

    def test_our_calls_and_their_answers(self) -> None:
        charge_point = self.online()
        self.told()
        result = self.central_system.call("CP1", v16.ResetRequest(type=v16.ResetType.Soft))
        _, message_id, *_ = json.loads(self.transport.sent[0])
        charge_point.receive(f'[3,"{message_id}",{{"status":"Accepted"}}]'.encode())
        self.assertEqual(self.successResultOf(result).status, "Accepted")
        self.assertEqual(
            [(line["event"], line["frame"][0]) for line in self.told()], [("out", 2), ("in", 3)]
        )

    def test_a_newer_connection(self) -> None:
        old = self.online()
        self.told()
        self.online()
        old.lost("the connection broke")
        told = [(line["event"], line["connection"]) for line in self.told()]
        self.assertEqual(told, [("online", 2), ("close", 1), ("offline", 1)])

    def test_closing_is_told_once(self) -> None:
        self.online()
        self.told()
        connection = self.central_system.charge_points[Identity("CP1")]
        connection.close(1008, "go away")
        connection.close(1008, "go away")
        (line,) = self.told()
        self.assertEqual((line["event"], line["code"], line["reason"]), ("close", 1008, "go away"))
        self.assertEqual(self.transport.closed, (1008, "go away"))

    def test_who_is_not_chosen_is_left_alone(self) -> None:
        self.tap = self.made_tap(chosen=lambda identity: identity.id == "CP2")
        receiver = self.online("CP1")
        self.assertIs(receiver, self.central_system.charge_points[Identity("CP1")])
        self.assertEqual(self.told(), [])
        self.online("CP2")
        self.assertEqual(len(self.told()), 1)

    def test_it_keeps_to_the_interfaces(self) -> None:
        self.assertTrue(verifyObject(IConnectionOwner, self.tap))
        self.assertEqual(self.tap.subprotocols, self.central_system.subprotocols)
        tapped = self.online()
        self.assertTrue(verifyObject(IMessageReceiver, tapped))
        self.assertTrue(verifyObject(IMessageTransport, tapped))
        tapped.pause_receiving()
        self.assertTrue(self.transport.paused)
        tapped.resume_receiving()
        self.assertFalse(self.transport.paused)

    def test_who_listens_badly_does_no_harm(self) -> None:
        def broken(line: Line) -> None:
            raise RuntimeError("no")

        self.tap = Tap(self.central_system, broken)
        self.online().receive(HEARTBEAT.encode())
        self.assertEqual(len(self.transport.sent), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)

    def test_messages_of_all_kinds(self) -> None:
        for message, told in (
            ('[2, "a", "Heartbeat", {}, 1.50]', {"frame": [2, "a", "Heartbeat", {}, 1.5]}),
            ("[2]", {"frame": [2]}),
            ("[2,\n2]", {"text": "[2,\n2]"}),
            ("hello", {"text": "hello"}),
            (b"\xff", {"base64": "/w=="}),
        ):
            self.assertEqual(self.said(message), told)

    def test_as_it_came(self) -> None:
        message = b'[2,"a","Heartbeat", {"a":1.50,"a":12345678901234567890123}]'
        charge_point = self.online()
        charge_point.receive(message)
        self.assertEqual(self.lines[1].message, message)
        self.assertIn(message, encode(self.lines[1]))


class SecretTests(TapTestCase):
    """The word "hush" never gets into a line."""

    def hears_nothing(self, message: str | bytes, subprotocol: str = "ocpp1.6") -> None:
        line = self.said(message, subprotocol)
        self.assertNotIn("hush", json.dumps(line))

    def test_what_cannot_be_read_is_withheld(self) -> None:
        for message in (
            '[2,"a","ChangeConfiguration",{"key":"AuthorizationKey","value":"hush"',
            '{"password":"hush"}',
            '[2,"a","ChangeConfiguration",["AuthorizationKey","hush"]]',
            '[2,"a","ChangeConfiguration","AuthorizationKey=hush"]',
            b'\xff[2,"a","X",{"PassWord":"hush"}]',
            '[2,"a","X",{"\\u0070assword":"hush"}',
            '[2,"a","X",{"key":"AuthorizationKey","value":"hush","key":"a"}]',
        ):
            size = len(message.encode() if isinstance(message, str) else message)
            self.assertEqual(self.said(message), {"withheld": size})

    def test_names_in_other_words(self) -> None:
        for message in (
            '[2,"a","X",{"\\u0070assword":"hush"}]',
            '[2,"a","X",{"location":"ftp:\\/\\/user:hush@host\\/"}]',
            '[5,"zz","FormatViolation","password is hush",{"a":"hush"}]',
        ):
            self.hears_nothing(message)

    def test_an_answer_that_quotes_the_secret(self) -> None:
        charge_point = self.online()
        result = self.central_system.call(
            "CP1", v16.ChangeConfigurationRequest(key="authorizationkey", value="hush")
        )
        _, message_id, *_ = json.loads(self.transport.sent[0])
        charge_point.receive(
            f'[4,"{message_id}","GenericError","hush is short",{{"x":1}}]'.encode()
        )
        self.failureResultOf(result, CallErrorReceived)
        out, answer = self.told()[1:]
        self.assertEqual(
            out["frame"],
            [2, message_id, "ChangeConfiguration", {"key": "authorizationkey", "value": "***"}],
        )
        self.assertEqual(answer["frame"], [4, message_id, "GenericError", "***", {}])

    def test_a_result_that_quotes_the_secret(self) -> None:
        charge_point = self.online()
        self.central_system.call(
            "CP1", v16.ChangeConfigurationRequest(key="AuthorizationKey", value="abcdef12")
        ).addErrback(lambda failure: failure.trap(CallFailed))
        _, message_id, *_ = json.loads(self.transport.sent[0])
        told = {"status": "Rejected", "info": ["0xABCDEF12 is weak"], "abcdef12": 1}
        charge_point.receive(json.dumps([3, message_id, told]).encode())
        clean = {"status": "Rejected", "info": ["***"], "***": 1}
        self.assertEqual(self.told()[-1]["frame"], [3, message_id, clean])

    def test_other_answers_that_quote_it(self) -> None:
        for answer in (
            '[4,"{}","abcdef12","",{{}}]',
            '[4,"{}","X","ABCDEF12",7]',
            '[3,"{}","abcdef12',
        ):
            charge_point = self.online()
            self.central_system.call(
                "CP1", v16.ChangeConfigurationRequest(key="AuthorizationKey", value="abcdef12")
            ).addErrback(lambda failure: failure.trap(CallFailed))
            _, message_id, *_ = json.loads(self.transport.sent[-1])
            charge_point.receive(answer.format(message_id).encode())
            self.assertNotIn("abcdef12", str(self.lines[-1]).lower())

    def test_a_result_that_quotes_nothing_is_told_as_it_came(self) -> None:
        charge_point = self.online()
        self.central_system.call(
            "CP1", v16.ChangeConfigurationRequest(key="AuthorizationKey", value="abcdef12")
        )
        _, message_id, *_ = json.loads(self.transport.sent[0])
        answer = b'[3,  "%b", {"status":"Accepted"}]' % message_id.encode()
        charge_point.receive(answer)
        self.assertEqual(self.lines[-1].message, answer)

    def test_our_own_refusal_that_quotes_it(self) -> None:
        charge_point = self.online()
        charge_point.receive(b'[2,"a","X",{"password":"hush"}]')
        self.assertEqual(self.told()[-1]["frame"][:4], [4, "a", "NotImplemented", "***"])

    def test_an_error_that_quotes_nothing_is_told(self) -> None:
        charge_point = self.online()
        charge_point.receive(b'[2,"a","Nonsense",{}]')
        self.assertIn("has no action", self.told()[-1]["frame"][3])

    def test_data_transfer_and_its_answer_stay(self) -> None:
        charge_point = self.online()
        result = self.central_system.call(
            "CP1", v16.DataTransferRequest(vendorId="v", data="password=x")
        )
        _, message_id, *_ = json.loads(self.transport.sent[0])
        answer = b'[3, "%b", {"status": "Accepted", "data": "secret"}]' % message_id.encode()
        charge_point.receive(answer)
        self.successResultOf(result)
        self.assertEqual([line.message for line in self.lines[2:]], [answer])
        self.assertIn(b"password=x", self.lines[1].message)
        call = b'[2, "a", "DataTransfer", {"vendorId": "v", "data": "password"}]'
        charge_point.receive(call)
        self.assertEqual(self.lines[3].message, call)

    def test_what_is_remembered_is_bounded_and_then_nothing_is_trusted(self) -> None:
        charge_point = self.online()
        result = self.central_system.call("CP1", v16.ClearCacheRequest(), timeout=1)
        _, message_id, *_ = json.loads(self.transport.sent[0])
        for number in range(64):
            charge_point.receive(f'[2,"{number}","Heartbeat",{{}}]'.encode())
        self.told()
        charge_point.receive(f'[4,"{message_id}","GenericError","words",{{}}]'.encode())
        self.failureResultOf(result, CallErrorReceived)
        self.assertEqual(self.told()[0]["frame"][3], "***")

    def test_id_tokens_have_pseudonyms(self) -> None:
        self.tap = self.made_tap(pseudonym=Pseudonyms(b"key"))
        start = '"connectorId":1,"meterStart":0,"timestamp":"2026-01-01T00:00:00Z"'
        first, second = (
            self.said(f'[2,"a","StartTransaction",{{"idTag":"{tag}",{start}}}]')["frame"][3]
            for tag in ("hush", "HUSH")
        )
        self.assertEqual(first, second)
        self.assertRegex(first["idTag"], "^[0-9A-F]{16}$")
        self.assertEqual(first["meterStart"], 0)
        self.hears_nothing('[2,"a","Authorize",{"idTag":["hush",{"idToken":"hush"}]}]')
        self.assertEqual(self.said('[2,"a","Authorize",{"idTag":"hush"'), {"withheld": 34})


def redact_frame(action: str, payload: Any, pseudonym: Any = None) -> Any:
    assert may_hold_secrets(json.dumps([2, "", action, payload]).encode(), pseudonym is not None)
    return redacted(action, payload, pseudonym)


class RedactionTests(SynchronousTestCase):
    def test_configuration_keys_of_1_6(self) -> None:
        for key in ("AuthorizationKey", "AUTHORIZATIONKEY", "WifiPassword", "FtpPasswd", "SimPin"):
            change = {"key": key, "value": "hush"}
            hidden = {"key": key, "value": "***"}
            self.assertEqual(redact_frame("ChangeConfiguration", change), hidden)
            known = {"configurationKey": [{"key": "A", "readonly": True, "value": "1"}, change]}
            clean = redact_frame("GetConfiguration", known)
            self.assertEqual(clean, {"configurationKey": [known["configurationKey"][0], hidden]})
        question = {"key": ["AuthorizationKey", "HeartbeatInterval"]}
        self.assertEqual(redact_frame("GetConfiguration", question), question)

    def test_csrs_and_private_keys(self) -> None:
        asked = {"csr": "-----BEGIN CERTIFICATE REQUEST-----", "certificateType": "V2GCertificate"}
        clean = redact_frame("SignCertificate", asked)
        self.assertEqual(clean, {"csr": "***", "certificateType": "V2GCertificate"})
        for kind in ("PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"):
            told = {"certificateChain": f"-----BEGIN {kind}-----\nhush"}
            clean = redact_frame("CertificateSigned", told)
            self.assertEqual(clean, {"certificateChain": "***"})

    def test_variables_of_2_x(self) -> None:
        of = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
        plain = {"variable": {"name": "Identity"}, "attributeValue": "CP1"}
        for action, field in (
            ("SetVariables", "setVariableData"),
            ("GetVariables", "getVariableResult"),
        ):
            payload = {field: [{**of, "attributeValue": "hush"}, plain]}
            self.assertEqual(
                redact_frame(action, payload), {field: [{**of, "attributeValue": "***"}, plain]}
            )
        event = {"eventData": [{**of, "actualValue": "hush", "eventId": 1}]}
        self.assertEqual(redact_frame("NotifyEvent", event)["eventData"][0]["actualValue"], "***")
        report = {"reportData": [{**of, "variableAttribute": [{"value": "hush"}]}]}
        (data,) = redact_frame("NotifyReport", report)["reportData"]
        self.assertEqual(data["variableAttribute"], [{"value": "***"}])
        of = {"variable": {"name": "Code"}}
        attribute = {"value": "hush", "mutability": "WriteOnly"}
        report = {"reportData": [{**of, "variableAttribute": [attribute]}]}
        self.assertNotIn("hush", str(redact_frame("NotifyReport", report)))

    def test_network_profiles(self) -> None:
        vpn = {"server": "s", "user": "u", "password": "hush", "key": "hush", "type": "IKEv2"}
        apn = {"apn": "a", "apnPassword": "hush", "simPin": 1234, "apnAuthentication": "PAP"}
        data = {"ocppCsmsUrl": "wss://host", "basicAuthPassword": "hush", "vpn": vpn, "apn": apn}
        payload = {"configurationSlot": 1, "connectionData": data}
        clean = redact_frame("SetNetworkProfile", payload)
        self.assertEqual(
            clean,
            {
                "configurationSlot": 1,
                "connectionData": {
                    "ocppCsmsUrl": "wss://host",
                    "basicAuthPassword": "***",
                    "vpn": {**vpn, "password": "***", "key": "***"},
                    "apn": {**apn, "apnPassword": "***", "simPin": 0},
                },
            },
        )
        self.assertEqual(vpn["key"], "hush")  # the argument is as it was

    def test_urls(self) -> None:
        for url, clean in (
            ("ftp://user:hush@host:21/path", "ftp://***@host:21/path"),
            ("ftp://user:hu@sh/hush@host/", "ftp://***@host/"),
            ("https://hush@host", "https://***@host"),
            ("https://host/a?X-Amz-Signature=hush&b=1", "https://host/a?X-Amz-Signature=***&b=1"),
            ("https://host/a?sv=1&sig=hu%2Fsh", "https://host/a?sv=1&sig=***"),
            ("https://host/path?size=1", "https://host/path?size=1"),
        ):
            for action, field in (("GetDiagnostics", "location"), ("GetLog", "remoteLocation")):
                self.assertEqual(redact_frame(action, {field: url}), {field: clean})

    def test_long_texts_are_read_once(self) -> None:
        """In time that grows as their length does: charge points say what they like."""
        for text in ("://", "BEGIN", "://?", "?", "?sig", "?" + "sig" * 10, "&a?key"):
            begun = process_time()
            redacted("Heartbeat", {"a": text * 20_000})
            self.assertLess(process_time() - begun, 1, text)

    def test_data_transfer_is_the_vendors(self) -> None:
        payload = {"vendorId": "v", "data": {"password": "p"}}
        self.assertIs(redacted("DataTransfer", payload, Pseudonyms()), payload)

    def test_id_tokens(self) -> None:
        def pseudonym(token: str) -> str:
            return f"<{token}>"

        tag = {"idTagInfo": {"status": "Accepted", "parentIdTag": "P"}}
        self.assertEqual(redacted("Authorize", tag), tag)
        tag["idTagInfo"]["parentIdTag"] = "<P>"
        plain = {"idTagInfo": {"status": "Accepted", "parentIdTag": "P"}}
        self.assertEqual(redact_frame("Authorize", plain, pseudonym), tag)
        token = {
            "idToken": "T",
            "type": "Central",
            "additionalInfo": [{"additionalIdToken": "A", "type": "x"}],
        }
        clean = redact_frame("Authorize", {"idToken": token, "n": None}, pseudonym)
        self.assertEqual(clean["idToken"]["idToken"], "<T>")
        self.assertEqual(clean["idToken"]["additionalInfo"][0]["additionalIdToken"], "<A>")
        self.assertEqual(clean["idToken"]["type"], "Central")
        for action, payload in (
            ("NotifyCustomerInformation", {"data": "hush", "seqNo": 0}),
            ("MeterValues", {"sampledValue": [{"value": "hush", "format": "SignedData"}]}),
            ("TransactionEvent", {"signedMeterValue": {"signedMeterData": "hush"}}),
        ):
            self.assertIn("hush", str(redacted(action, payload)))
            self.assertNotIn("hush", str(redact_frame(action, payload, pseudonym)))

    def test_pseudonyms(self) -> None:
        ours, theirs = Pseudonyms(), Pseudonyms()
        self.assertEqual(ours("Abc"), ours("aBC"))
        self.assertNotEqual(ours("abc"), ours("abd"))
        self.assertNotEqual(ours("abc"), theirs("abc"))
        self.assertEqual(ours(""), "")


class LineTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        for fields in ({"text": "x\n"}, {"base64": b"\xff"}, {"withheld": 3}, {"lost": 2}):
            line = Line(time=timestamp(NOON), event="in", **fields)
            self.assertEqual(read(encode(line)), line)
            self.assertEqual(encode(line).count(b"\n"), 1)
        self.assertEqual(line.seconds, NOON)

    def test_what_is_no_line(self) -> None:
        for data in (b"", b'{"time":"2026-01', b'{"event":"in"}', b'{"time":"now","event":"in"}'):
            self.assertRaises(NotALine, read, data)

    def test_what_is_new_is_passed_over(self) -> None:
        line = read('{"time":"2026-01-02T03:04:05.000Z","event":"in","colour":"red"}')
        self.assertEqual(line.seconds, NOON)


PART_ONLY = """
import resource, signal, sys
from pathlib import Path
from twisted.internet.task import Clock
from ocpp_twisted.recording.file import Recording, RecordingFile
from ocpp_twisted.recording.lines import Line, timestamp

path, clock = Path(sys.argv[1]), Clock()
file = RecordingFile(Recording(path=path), clock)
file.start()
size = path.stat().st_size
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
file.write(Line(time=timestamp(0), event="in", text="a" * 2000))
clock.advance(1)
if path.stat().st_size == size:
    print("nothing of it is left")
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
clock.advance(10)
"""


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOON)
        self.path = Path(self.mktemp())

    def started(self, settings: RecordedSettings | None = None, **more: Any) -> RecordingFile:
        recording = Recording(path=self.path, **more)
        file = RecordingFile(recording, self.clock, self.clock.seconds, settings)
        file.start()
        self.addCleanup(file.stop)
        return file

    def line(self, text: str) -> Line:
        return Line(time=timestamp(self.clock.seconds()), event="in", text=text)

    def written(self, path: Path | None = None) -> list[Any]:
        """The lines of a file: what happened, or the text."""
        lines = [read(line) for line in (path or self.path).read_bytes().splitlines()]
        return [line.text if line.event == "in" else line.event for line in lines]

    def test_lines_are_written_each_second_and_at_the_end(self) -> None:
        file = self.started()
        self.assertEqual(self.written(), ["start"])
        file.write(self.line("a"))
        self.clock.advance(0.9)
        file.write(self.line("b"))
        self.assertEqual(self.written(), ["start"])
        self.clock.advance(0.1)
        self.assertEqual(self.written(), ["start", "a", "b"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        file.write(self.line("c"))
        file.stop()
        self.assertEqual(self.written(), ["start", "a", "b", "c"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many_lines_are_written_at_once(self) -> None:
        file = self.started()
        file.write(self.line("a" * 70000))
        self.assertEqual(len(self.written()), 2)

    def test_who_may_read_it(self) -> None:
        self.started()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_it_goes_on_where_an_earlier_one_has_ended(self) -> None:
        self.started().stop()
        with self.path.open("ab") as file:
            file.write(b'{"time":"2026')  # a crash
        self.started()
        lines = self.path.read_bytes().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertEqual(read(lines[2]).event, "start")

    def test_it_is_rotated_and_bounded(self) -> None:
        file = self.started(size=1000, files=2)
        for number in range(40):
            file.write(self.line(f"{number:0200d}"))
            self.clock.advance(1)
        files = sorted(self.path.parent.glob(f"{self.path.name}*"))
        self.assertEqual(
            [path.name.removeprefix(self.path.name) for path in files], ["", ".1", ".2", ".lock"]
        )
        for path in files:
            self.assertLessEqual(path.stat().st_size, 1000)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        numbers = [
            int(text) for path in (files[2], files[1], files[0]) for text in self.written(path)
        ]
        self.assertEqual(numbers, list(range(numbers[0], 40)))

    def test_settings_stand_at_the_start_and_in_each_file(self) -> None:
        settings = RecordedSettings(action_plugins=("local",))
        file = self.started(size=1000, files=9, settings=settings)
        for number in range(10):
            file.write(self.line(f"{number:0200d}"))
            self.clock.advance(1)
        file.stop()
        self.started(settings=settings).stop()
        files = sorted(self.path.parent.glob(f"{self.path.name}.[0-9]"))
        self.assertGreater(len(files), 2)
        for path in (self.path, *files):
            first = read(path.read_bytes().splitlines()[0])
            self.assertEqual((first.event, first.settings), ("settings", settings))
        self.assertEqual(self.written()[-2:], ["settings", "start"])
        self.assertEqual(self.written(files[-1])[:2], ["settings", "start"])

    def test_what_is_written_at_once_is_bounded_too(self) -> None:
        file = self.started(size=1000, files=9)
        for number in range(20):
            file.write(self.line(f"{number:0300d}"))
        file.stop()
        files = sorted(self.path.parent.glob(f"{self.path.name}*[!k]"), reverse=True)
        files = [path for path in files if path != self.path] + [self.path]
        self.assertLessEqual(max(path.stat().st_size for path in files), 1000)
        found = [text for path in files for text in self.written(path)]
        self.assertEqual([int(text) for text in found[1:]], list(range(20)))

    def test_a_line_that_no_file_holds(self) -> None:
        file = self.started(size=1000)
        for text in ("a", "b" * 1000, "c"):
            file.write(self.line(text))
        file.stop()
        self.assertEqual(self.written(), ["start", "a", "gap", "c"])
        self.assertEqual(read(self.path.read_bytes().splitlines()[2]).lost, 1)

    def test_two_do_not_write_one_file(self) -> None:
        self.started()
        error = self.assertRaises(ConfigurationError, self.started)
        self.assertIn("another process records into it", str(error))
        self.assertEqual(self.written(), ["start"])

    def test_a_place_that_is_not_there(self) -> None:
        self.path = self.path / "no" / "where"
        error = self.assertRaises(ConfigurationError, self.started)
        self.assertIn(f"cannot record into {self.path}: there is no directory ", str(error))

    def test_a_file_that_cannot_be_written_for_a_while(self) -> None:
        """A directory in its place stands for a disk that is full, also to root."""
        file = self.started()
        self.path.unlink()
        self.path.mkdir()
        with capturedLogs() as logs:
            file.write(self.line("a"))
            file.write(self.line("b"))
            self.clock.advance(1)
            file.write(self.line("c"))
            self.clock.advance(10)
            self.clock.advance(10)
        told = [log for log in logs if log["log_level"] is LogLevel.error]
        self.assertEqual(len(told), 1)
        self.assertIn(str(self.path), told[0]["path"])
        self.path.rmdir()
        self.clock.advance(10)
        file.write(self.line("d"))
        file.stop()
        self.assertEqual(self.written(), ["gap", "d"])
        self.assertEqual(read(self.path.read_bytes().splitlines()[0]).lost, 3)

    def test_a_disk_that_takes_a_part_only(self) -> None:
        """In a process of its own: the limit is for all of its files."""
        done = subprocess.run(
            [sys.executable, "-c", PART_ONLY, self.path],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(done.stdout, "nothing of it is left\n", done.stderr)
        self.assertEqual(self.written(), ["start", "gap"])

    def test_a_directory_that_nothing_can_be_made_in(self) -> None:
        if os.geteuid() == 0:
            self.skipTest("root may")
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "file"
        file = self.started(size=100)
        folder.chmod(0o500)
        self.addCleanup(folder.chmod, 0o700)
        with capturedLogs() as logs:
            for _ in range(3):
                file.write(self.line("a" * 100))
                self.clock.advance(1)
        self.assertIn("cannot be rotated", logs[0]["reason"])
        self.assertEqual(self.written(), ["start"])

    def test_which_charge_points(self) -> None:
        every = Recording(path=self.path)
        some = Recording(path=self.path, charge_points=["DEPOT-*", "CP1"])
        for identity in ("CP1", "CP2", "DEPOT-7", "depot-7"):
            self.assertTrue(every.chooses(Identity(identity)))
        chosen = [
            name for name in ("CP1", "CP2", "DEPOT-7", "depot-7") if some.chooses(Identity(name))
        ]
        self.assertEqual(chosen, ["CP1", "DEPOT-7"])
