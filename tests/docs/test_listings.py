"""The listings of the documentation: each is run, and does what its page says.

The tutorial has a test of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer
from types import ModuleType
from typing import Any

import msgspec
from cryptography import x509
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.protocols.basic import LineOnlyReceiver
from twisted.trial.unittest import SynchronousTestCase, TestCase
from websockets.sync.client import connect
from zope.interface import implementer

from ocpp_twisted import quirks
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActionPlugin, IMessageTransport
from ocpp_twisted.ocppj.leniency import STANDARD, Kind
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.records import Transaction
from ocpp_twisted.security.authority import read_csr
from ocpp_twisted.security.local_authority import LocalAuthority
from ocpp_twisted.versions import CATALOGUES
from tests.security.certificates import csr, pem, request

ROOT = Path(__file__).resolve().parents[2]
LISTINGS = ROOT / "docs" / "listings"


@implementer(IMessageTransport)
class Memory:
    """A transport that keeps what is sent."""

    peer = "memory"
    security_profile = 2

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send_message(self, data: bytes) -> None:
        self.sent.append(json.loads(data))

    def close(self, code: int, reason: str) -> None:
        pass

    def pause_receiving(self) -> None:
        pass

    def resume_receiving(self) -> None:
        pass


class ListingCase(SynchronousTestCase):
    """Runs a listing's plug-in in memory."""

    def listing(self, folder: str, module: str) -> ModuleType:
        """Import a module of a listing, and forget it after the test."""
        self.patch(sys, "path", [str(LISTINGS / folder), *sys.path])
        before = set(sys.modules)
        self.addCleanup(lambda: [sys.modules.pop(name) for name in set(sys.modules) - before])
        return importlib.import_module(module)

    def connect(self, *plugins: IActionPlugin) -> None:
        """CP1 connects with OCPP 1.6."""
        self.central_system = CentralSystem(plugins, Clock())
        for plugin in plugins:
            plugin.start(self.central_system, {})
        self.transport = Memory()
        self.connection = self.central_system.connection_made(
            Identity("CP1"), "ocpp1.6", self.transport
        )

    def say(self, *message: Any) -> list[Any]:
        """What comes back when CP1 says `message`."""
        self.transport.sent.clear()
        self.connection.receive(json.dumps(message).encode())
        return self.transport.sent


class ReadmeTests(ListingCase):
    def test_the_readme_shows_the_listing(self) -> None:
        readme = (ROOT / "README.md").read_text()
        for name in ("my_plugin.py", "twisted/plugins/my_plugins.py"):
            self.assertIn(f"```python\n{(LISTINGS / 'readme' / name).read_text()}```", readme)

    def test_it_knows_its_tags(self) -> None:
        self.connect(self.listing("readme", "my_plugin").MyPlugin(), LocalPlugin())
        for tag, status in (("RED", "Accepted"), ("BLUE", "Invalid")):
            answer = [3, "1", {"idTagInfo": {"status": status}}]
            self.assertEqual(self.say(2, "1", "Authorize", {"idTag": tag}), [answer])


class QuirksTests(SynchronousTestCase):
    def treatment(self, listing: str, kind: Kind, *charge_point: str, at: str = "") -> str:
        action, _, path = at.partition(" ")
        profiles = quirks.load(LISTINGS / "quirks" / listing)
        return profiles.leniency(*charge_point).treatment(kind, action, path)

    def test_acme(self) -> None:
        one = ("1.6", "ACME Ltd", "One", "1.0")
        status = "StatusNotification $.status"
        tag = "Authorize $.idTag"
        for kind, charge_point, at, treatment in (
            (Kind.NUMBER_AS_STRING, one, "", "repair"),
            (Kind.NULL_VALUE, one, "", "repair"),
            (Kind.NULL_VALUE, (*one[:3], "2.1"), "", "reject"),
            (Kind.NUMBER_AS_STRING, ("1.6", "Other", "One", "1.0"), "", "reject"),
            (Kind.SURPLUS_FIELD, one, "", "accept"),
            (Kind.ENUM_SPELLING, one, status, "accept"),
            (Kind.ENUM_SPELLING, one, "", "reject"),
            (Kind.TOO_LONG, one, "MeterValues $.meterValue[*].sampledValue[*].value", "repair"),
            (Kind.TOO_LONG, one, tag, "reject"),
            (Kind.TOO_LONG, (*one[:3], "2.1"), tag, "accept"),
        ):
            told = self.treatment("acme.toml", kind, *charge_point, at=at)
            self.assertEqual(told, treatment, (kind, charge_point, at))

    def test_tolerant(self) -> None:
        for kind in Kind:
            told = self.treatment("tolerant.toml", kind, "2.1", "Vendor of Yesterday")
            self.assertEqual(told, "repair")

    def test_strict(self) -> None:
        self.assertEqual(self.treatment("strict.toml", Kind.TIME, "2.1"), "reject")
        self.assertEqual(self.treatment("strict.toml", Kind.TIME, "1.6"), "repair")

    def test_read(self) -> None:
        folder = LISTINGS / "quirks"
        told = subprocess.run(
            [sys.executable, folder / "read.py", folder / "acme.toml"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(
            told.stdout.splitlines(),
            [
                "1 Free",
                "number-as-string $.connectorId: a string, read as a number",
                'enum-spelling $.status: "Free" is not a value of OCPP, taken as it came',
            ],
        )

    def test_the_page_has_every_kind_with_its_default(self) -> None:
        page = (ROOT / "docs" / "quirks.md").read_text()
        rows = dict(re.findall(r"^\| `([\w-]+)` \|.*\| (repair|reject) \|", page, re.MULTILINE))
        standard = {kind: STANDARD.treatment(kind, "Heartbeat", "$") for kind in Kind}
        self.assertEqual(rows, standard)


class PassiveTests(ListingCase):
    def setUp(self) -> None:
        self.connect(self.listing("depot", "depot.passive").Depot(), LocalPlugin())

    def test_it_answers_a_heartbeat_of_each_version(self) -> None:
        for subprotocol in ("ocpp1.6", "ocpp2.0.1"):
            self.connection = self.central_system.connection_made(
                Identity("CP1"), subprotocol, self.transport
            )
            ((kind, _, payload),) = self.say(2, "1", "Heartbeat", {})
            self.assertEqual((kind, list(payload)), (3, ["currentTime"]))

    def test_a_coroutine_answers(self) -> None:
        for tag, status in (("BUS-1", "Accepted"), ("CAR-1", "Invalid")):
            answer = [3, "1", {"idTagInfo": {"status": status}}]
            self.assertEqual(self.say(2, "1", "Authorize", {"idTag": tag}), [answer])

    def test_a_fault_becomes_a_callerror(self) -> None:
        error = [4, "1", "NotSupported", "no data of ACME here", {}]
        self.assertEqual(self.say(2, "1", "DataTransfer", {"vendorId": "ACME"}), [error])

    def test_a_call_follows_the_answer_to_the_boot(self) -> None:
        boot = {"chargePointVendor": "ACME", "chargePointModel": "One"}
        answer, call = self.say(2, "1", "BootNotification", boot)
        self.assertEqual((answer[0], answer[2]["status"]), (3, "Accepted"))
        wanted = {"requestedMessage": "StatusNotification"}
        self.assertEqual((call[0], call[2:]), (2, ["TriggerMessage", wanted]))
        self.assertEqual(self.say(4, call[1], "NotSupported", "", {}), [])


class RulesTests(ListingCase):
    def test_guests(self) -> None:
        self.connect(self.listing("rules", "my_rules").Mine())
        for tag, status in (("GUEST-1", "Accepted"), ("OTHER", "Invalid")):
            answer = [3, tag, {"idTagInfo": {"status": status}}]
            self.assertEqual(self.say(2, tag, "Authorize", {"idTag": tag}), [answer])

    def test_cost(self) -> None:
        tariff = self.listing("rules", "my_rules").PerKilowattHour()
        transaction = Transaction(
            id=1,
            chargePoint="CP1",
            name="",
            version="2.0.1",
            transactionId="T",
            meterStart=1000.0,
            meterStop=11000.0,
        )
        self.assertEqual(tariff.cost(transaction), 3.0)


class CertificatesTests(ListingCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.authority = LocalAuthority.in_directory(self.directory)

    def test_an_authority_elsewhere(self) -> None:
        listing = self.listing("certificates", "my_authority")
        self.patch(listing, "deferToThread", maybeDeferred)
        for own, signed in (("CP1", 1), ("CP2", 0)):

            def ask(text: str, own: str = own) -> str:
                asked = request(read_csr(text), identity=Identity(own))
                return self.successResultOf(self.authority.sign(asked))

            self.connect(listing.Mine(ask))
            heard = self.say(2, "1", "SignCertificate", {"csr": pem(csr(cn="CP1"))})
            status = {"status": "Accepted" if signed else "Rejected"}
            self.assertEqual(heard[0], [3, "1", status])
            self.assertEqual([each[2] for each in heard[1:]], ["CertificateSigned"] * signed)

    def test_revoked(self) -> None:
        self.listing("certificates", "revoke").main(str(self.directory), "2A")
        crl = x509.load_pem_x509_crl((self.directory / "ca-crl.pem").read_bytes())
        self.assertEqual([each.serial_number for each in crl], [42])

    def test_firmware_is_signed(self) -> None:
        file = self.directory / "firmware"
        file.write_bytes(b"firmware")
        names = [str(self.directory / name) for name in ("ca-key.pem", "ca-cert.pem")]
        sign_firmware = self.listing("certificates", "sign_firmware")
        told = json.loads(sign_firmware.command(str(file), "https://depot.example/f", *names))
        for version, action in (
            ("1.6", told["action"]),
            ("2.0.1", "UpdateFirmware"),
            ("2.1", "UpdateFirmware"),
        ):
            kind: Any = CATALOGUES[version].actions[action].request
            msgspec.convert(told["payload"], kind)


class RecordsTests(TestCase):
    timeout = 30
    listing = ListingCase.listing

    async def test_tags_are_entered(self) -> None:
        enter_tags = self.listing("records", "enter_tags")
        printed: list[tuple[str, str]] = []
        enter_tags.__dict__["print"] = lambda *words: printed.append(words)
        store = f"sqlite:///{Path(self.mktemp()).absolute()}"
        for _ in range(2):
            await enter_tags.main(reactor, store, "tcp:0:interface=127.0.0.1")
        self.assertEqual(printed, [("04A1B2C3", "Accepted"), ("ANNA", "Accepted")] * 2)


class VendorTests(ListingCase):
    def setUp(self) -> None:
        self.connect(self.listing("vendor", "acme").Acme(), LocalPlugin())

    def transfer(self, message: str, data: Any) -> Any:
        request = {"vendorId": "com.acme", "messageId": message, "data": json.dumps(data)}
        ((_, _, answer),) = self.say(2, "1", "DataTransfer", request)
        return answer

    def test_typed_data(self) -> None:
        for rpm, setpoint in (([900], '{"celsius":45.0}'), ([900, 2100], '{"celsius":40.0}')):
            answer = {"status": "Accepted", "data": setpoint}
            self.assertEqual(self.transfer("fans", {"rpm": rpm}), answer)
        for wrong in ({"rpm": []}, {"rpm": ["fast"]}):
            self.assertEqual(self.transfer("fans", wrong), {"status": "Rejected"})

    def test_any_other_message(self) -> None:
        self.assertEqual(self.transfer("other", {}), {"status": "UnknownMessageId"})

    def test_an_action_of_its_own(self) -> None:
        ((kind, message_id, *call),) = self.say(2, "1", "AcmeLock", {"connectorId": 1})
        wanted = {"vendorId": "com.acme", "messageId": "may-lock"}
        self.assertEqual((kind, call), (2, ["DataTransfer", wanted]))
        answer = self.say(3, message_id, {"status": "Accepted", "data": "true"})
        self.assertEqual(answer, [[3, "1", {"locked": True}]])


class ActiveTests(ListingCase):
    def test_a_line_becomes_a_call(self) -> None:
        self.connect()
        operator = self.listing("depot", "depot.active").Commands(self.central_system)
        lines: list[bytes] = []
        self.patch(operator, "sendLine", lines.append)
        self.transport.sent.clear()
        operator.lineReceived(b"reset CP1")
        ((kind, message_id, *call),) = self.transport.sent
        self.assertEqual((kind, call), (2, ["Reset", {"type": "Soft"}]))
        self.say(3, message_id, {"status": "Accepted"})
        operator.lineReceived(b"reset CP2")
        operator.lineReceived(b"help")
        told = [b"Accepted", b"NotConnected: CP2 is not connected", b"write: reset CHARGE_POINT_ID"]
        self.assertEqual(lines, told)


class Line(LineOnlyReceiver):
    """Sends a line and fires with the answer."""

    delimiter = b"\n"

    def __init__(self) -> None:
        self.answer: Deferred[bytes] = Deferred()
        self.ended: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.sendLine(b"reset CP1")

    def lineReceived(self, line: bytes) -> None:
        self.answer.callback(line)
        self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self.ended.callback(None)


class ActiveSocketTests(TestCase):
    timeout = 30

    async def test_it_listens_between_start_and_stop(self) -> None:
        self.patch(sys, "path", [str(LISTINGS / "depot"), *sys.path])
        active = importlib.import_module("depot.active")
        central_system = CentralSystem([], reactor)
        plugin = active.CommandLine(reactor, "tcp:0:interface=127.0.0.1")
        await plugin.start(central_system, {})
        port = plugin.port.getHost().port
        client = clientFromString(reactor, f"tcp:127.0.0.1:{port}")
        line = await client.connect(Factory.forProtocol(Line))
        self.assertEqual(await line.answer, b"NotConnected: CP1 is not connected")
        await line.ended
        await plugin.stop()


class AnnouncementTests(SynchronousTestCase):
    def found(self, listing: str) -> list[str]:
        """The rows of ``twistd ocpp --list-plugins``, the listing's folder on Python's path."""
        copy = Path(self.mktemp())
        shutil.copytree(LISTINGS / listing, copy)
        twistd = "from twisted.scripts.twistd import run; run()"
        done = subprocess.run(
            [sys.executable, "-c", twistd, "ocpp", "--list-plugins"],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy.resolve())},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return [" ".join(row.split()) for row in done.stdout.splitlines()]

    def test_the_readme_s(self) -> None:
        self.assertIn("mine action twisted.plugins.my_plugins", self.found("readme"))

    def test_the_depot_s(self) -> None:
        rows = self.found("depot")
        self.assertIn("depot action twisted.plugins.depot_plugins", rows)
        self.assertIn("depot-commands active twisted.plugins.depot_plugins", rows)


class LibraryTests(SynchronousTestCase):
    def test_the_central_system_without_a_socket(self) -> None:
        program = [sys.executable, str(LISTINGS / "library" / "own_transport.py")]
        done = subprocess.run(program, capture_output=True, text=True, timeout=60)
        answer = '[3,"1",{"currentTime":"2026-01-01T12:00:00Z"}]'
        self.assertEqual(done.stdout, f"{answer}\nno answer to Reset in time\n", done.stderr)

    def test_the_server(self) -> None:
        self.serves("server.py")

    def test_the_server_on_asyncio(self) -> None:
        self.serves("asyncio_server.py")

    def test_the_server_that_a_file_tells(self) -> None:
        file = Path(self.mktemp())
        file.write_text('ws = "tcp:0:interface=127.0.0.1"\nlog-format = "json"\n')
        self.serves("configured_server.py", str(file))

    def serves(self, listing: str, argument: str = "tcp:0:interface=127.0.0.1") -> None:
        """Start it, send a Heartbeat, and stop it as Ctrl-C does."""
        program = [sys.executable, str(LISTINGS / "library" / listing)]
        server = subprocess.Popen(
            [*program, argument],
            stderr=subprocess.PIPE,
            text=True,
            # A shell lets what it runs in the background ignore Ctrl-C, and children inherit it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        too_late = Timer(60, server.kill)  # which ends its log, and so the wait below
        self.addCleanup(too_late.cancel)
        too_late.start()
        assert server.stderr is not None
        self.addCleanup(server.stderr.close)
        url = None
        for line in server.stderr:
            if url := re.search(r"ws://127\.0\.0\.1:\d+", line):
                break
        assert url is not None, "the server has ended"
        with connect(f"{url[0]}/ocpp/CP1", subprotocols=["ocpp1.6"], open_timeout=20) as socket:
            socket.send('[2,"1","Heartbeat",{}]')
            kind, _, payload = json.loads(socket.recv(timeout=20))
        self.assertEqual((kind, list(payload)), (3, ["currentTime"]))
        server.send_signal(signal.SIGINT)
        server.wait(timeout=20)
