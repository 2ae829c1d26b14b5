"""Passwords and security profiles in the store, and new passwords for charge points (A01)."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import CallErrorReceived, CallTimedOut, ConnectionLost, NotConnected
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store.database import open_database
from ocpp_twisted.plugins.local.store.writer import Immediate
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.security.passwords import Passwords
from ocpp_twisted.security.records import DoorRecord
from ocpp_twisted.security.rotation import rotate
from tests.plugins.local.wire import NOW_TEXT, Line, Site, of

OLD = b"the old password"
NEW = "000102030405060708090A0B0C0D0E0F10111213"
V2 = ("ocpp2.0", "ocpp2.0.1", "ocpp2.1")


class DoorTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        of(self.site.plugin.set_password("CP1", OLD))

    def record(self) -> DoorRecord:
        return of(self.site.plugin.door("CP1"))

    def good(self, *passwords: bytes | str) -> list[bool]:
        """Which of these are good now."""
        known = self.record().passwords
        sent = [each.encode() if isinstance(each, str) else each for each in passwords]
        return [bool(of(Passwords().fitting(each, known))) for each in sent]

    def heard(self, line: Line) -> tuple[str, dict[str, Any]]:
        """The message id and the payload of the last CALL that the charge point has got."""
        _, message_id, _, payload = json.loads(line.sent[-1])
        return message_id, payload


class StoreTests(DoorTestCase):
    def test_whom_nobody_knows(self) -> None:
        self.assertEqual(of(self.site.plugin.door("CP9")), DoorRecord())

    def test_entered_with_a_password(self) -> None:
        record = self.record()
        self.assertEqual((record.known, record.entered, record.profile), (True, True, 0))
        self.assertEqual((len(record.passwords), self.good(OLD)), (1, [True]))
        known = of(self.site.plugin.get_charge_point("CP1"))
        self.assertEqual((known.admission, known.hasPassword), ("Accepted", True))

    def test_who_was_rejected_stays_so(self) -> None:
        of(self.site.plugin.put_charge_point("CP1", "Rejected"))
        of(self.site.plugin.set_password("CP1", b"p"))
        self.assertEqual(of(self.site.plugin.get_charge_point("CP1")).admission, "Rejected")

    def test_removed(self) -> None:
        of(self.site.plugin.set_password("CP1", None))
        self.assertEqual(self.record().passwords, ())
        self.assertFalse(of(self.site.plugin.get_charge_point("CP1")).hasPassword)

    def test_forgotten_with_the_charge_point(self) -> None:
        of(self.site.plugin.allow_profile("CP1", SecurityProfile.TLS_BASIC))
        of(self.site.plugin.delete_charge_point("CP1"))
        self.assertEqual(self.record(), DoorRecord())
        of(self.site.plugin.put_charge_point("CP1"))
        self.assertEqual(self.record(), DoorRecord(known=True, entered=True))

    def test_the_highest_profile(self) -> None:
        for profile in (2, 3, 1):
            of(self.site.plugin.connected_with("CP2", SecurityProfile(profile), ""))
        record = of(self.site.plugin.door("CP2"))
        self.assertEqual(record, DoorRecord(known=True, profile=SecurityProfile(3)))
        self.assertEqual(of(self.site.plugin.get_charge_point("CP2")).securityProfile, 3)
        of(self.site.plugin.allow_profile("CP2", SecurityProfile(1)))
        self.assertEqual(of(self.site.plugin.door("CP2")).profile, 1)

    def test_the_serial_number_of_the_last_boot(self) -> None:
        line = self.site.connect("ocpp1.6")
        boot = {"chargePointVendor": "V", "chargePointModel": "M"}
        line.calls("BootNotification", **boot, chargePointSerialNumber="S1")
        self.assertEqual(self.record().serial_number, "S1")
        of(self.site.plugin.allow_profile("CP1", SecurityProfile(1)))
        line.calls("BootNotification", **boot, chargePointSerialNumber="S2")
        self.assertEqual(self.record().serial_number, "S2")

    def test_the_serial_number_that_an_operator_has_entered(self) -> None:
        of(self.site.plugin.set_serial_number("CP1", "S1"))
        line = self.site.connect("ocpp1.6")
        boot = {"chargePointVendor": "V", "chargePointModel": "M"}
        line.calls("BootNotification", **boot, chargePointSerialNumber="S2")
        of(self.site.plugin.connected_with("CP1", SecurityProfile(3), ""))
        self.assertEqual(self.record().serial_number, "S1")
        self.assertEqual(of(self.site.plugin.get_charge_point("CP1")).serialNumber, "S1")

    def test_only_hashes_are_kept(self) -> None:
        of(self.site.plugin.expect_password("CP1", b"another one"))

        def all_rows(db):
            return [
                str(db.exec_driver_sql(f"SELECT * FROM {table}").all())
                for table in ("doors", "charge_points", "facts", "settings")
            ]

        rows = "".join(of(self.site.plugin.store.run(all_rows)))
        self.assertEqual(rows.count("scrypt$ln=12"), 2)
        for password in (OLD.decode(), OLD.hex(), "another one"):
            self.assertNotIn(password, rows)

    def test_a_store_that_was_made_before(self) -> None:
        url = f"sqlite:///{self.mktemp()}"
        engine = open_database(url)
        with engine.begin() as db:
            db.exec_driver_sql("DROP TABLE doors")
        engine.dispose()
        store = Immediate(open_database(url))
        self.site.plugin._store = store
        of(self.site.plugin.set_password("CP1", b"p"))
        self.assertEqual(self.good(b"p"), [True])

    def test_what_changes_a_password_is_done_in_its_order(self) -> None:
        plugin, jobs = self.site.plugin, []

        def later(job, whose):
            done = Deferred()
            jobs.append(lambda: done.callback(job()))
            return done

        plugin.passwords = Passwords(later)
        plugin.password_accepted(Identity("CP1"), b"first")
        plugin.password_accepted(Identity("CP1"), b"second")
        record = plugin.door("CP1")  # whoever comes meanwhile
        self.assertEqual(len(jobs), 1)
        jobs[0]()
        self.assertNoResult(record)
        jobs[1]()
        known = self.successResultOf(record).passwords
        self.assertEqual(of(Passwords().fitting(b"second", known)), known[0])
        self.assertEqual(plugin._turns, {})


class ToldTests(DoorTestCase):
    """Any call that tells a password counts, whoever sends it."""

    def tells(self, subprotocol: str, status: str, password: str = NEW) -> None:
        line = self.site.connect(subprotocol)
        self.send(subprotocol, password)
        message_id, asked = self.heard(line)
        line.says(json.dumps([3, message_id, self.answer(asked, status)]))

    def send(self, subprotocol: str, password: str) -> None:
        if subprotocol == "ocpp1.6":
            action, asked = "ChangeConfiguration", {"key": "AuthorizationKey", "value": password}
        else:
            action = "SetVariables"
            names = (("ClockCtrlr", "TimeZone"), ("SecurityCtrlr", "BasicAuthPassword"))
            asked = {
                "setVariableData": [
                    {
                        "component": {"name": component},
                        "variable": {"name": variable},
                        "attributeValue": password,
                    }
                    for component, variable in names
                ]
            }
        payload = json.dumps(asked).encode()
        self.outcome = self.site.central_system.call_json("CP1", action, payload)
        self.outcome.addErrback(lambda failure: failure.value)

    def answer(self, asked: dict[str, Any], status: str) -> dict[str, Any]:
        if "key" in asked:
            return {"status": status}
        statuses = ("Rejected" if status == "Accepted" else "Accepted", status)
        return {
            "setVariableResult": [
                {
                    "component": each["component"],
                    "variable": each["variable"],
                    "attributeStatus": each_status,
                }
                for each, each_status in zip(asked["setVariableData"], statuses, strict=True)
            ]
        }

    def test_accepted(self) -> None:
        for subprotocol in ("ocpp1.6", *V2):
            self.setUp()
            self.tells(subprotocol, "Accepted")
            self.assertEqual(self.good(OLD, NEW), [False, True], subprotocol)

    def test_the_key_is_the_bytes(self) -> None:
        self.tells("ocpp1.6", "Accepted")
        self.assertEqual(self.good(bytes.fromhex(NEW), NEW.lower()), [True, True])

    def test_reboot_required(self) -> None:
        for subprotocol in ("ocpp1.6", *V2):
            self.setUp()
            self.tells(subprotocol, "RebootRequired")
            self.assertEqual(self.good(OLD, NEW), [True, True], subprotocol)

    def test_refused(self) -> None:
        for subprotocol, status in (
            ("ocpp1.6", "Rejected"),
            ("ocpp1.6", "NotSupported"),
            *((version, "Rejected") for version in V2),
        ):
            self.setUp()
            of(self.site.plugin.expect_password("CP1", NEW.encode()))
            of(self.site.plugin.expect_password("CP1", b"of another message"))
            self.tells(subprotocol, status)
            self.assertEqual(self.good(OLD, NEW, "of another message"), [True, False, True])

    def test_a_callerror(self) -> None:
        of(self.site.plugin.expect_password("CP1", NEW.encode()))
        line = self.site.connect("ocpp1.6")
        self.send("ocpp1.6", NEW)
        line.says(json.dumps([4, self.heard(line)[0], "InternalError", "", {}]))
        self.assertIsInstance(of(self.outcome), CallErrorReceived)
        self.assertEqual(self.good(OLD, NEW), [True, False])

    def test_an_answer_that_says_nothing(self) -> None:
        line = self.site.connect("ocpp1.6")
        self.send("ocpp1.6", NEW)
        line.says(json.dumps([3, self.heard(line)[0], {"status": "Perhaps"}]))
        self.assertEqual(self.good(OLD, NEW), [True, True])

    def test_another_attribute(self) -> None:
        line = self.site.connect("ocpp2.1")
        about = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
        item = {**about, "attributeType": "Target"}
        asked = {"setVariableData": [{**item, "attributeValue": NEW}]}
        self.site.central_system.call_json("CP1", "SetVariables", json.dumps(asked).encode())
        answer = {"setVariableResult": [{**item, "attributeStatus": "Accepted"}]}
        line.says(json.dumps([3, self.heard(line)[0], answer]))
        self.assertEqual(self.good(OLD, NEW), [True, False])

    def test_another_key(self) -> None:
        line = self.site.connect("ocpp1.6")
        asked = {"key": "HeartbeatInterval", "value": "300"}
        self.site.central_system.call_json("CP1", "ChangeConfiguration", json.dumps(asked).encode())
        line.says(json.dumps([3, self.heard(line)[0], {"status": "Accepted"}]))
        self.assertEqual(self.good(OLD, "300"), [True, False])

    def test_it_cannot_be_kept(self) -> None:
        def broken(job, whose):
            raise OSError(NEW)

        self.site.plugin.passwords = Passwords(broken)
        with capturedLogs() as events:
            self.tells("ocpp1.6", "Accepted")
        self.assertIn("enter its password again", str(events))
        self.assertNotIn(NEW, str(events))
        self.assertEqual(self.good(OLD), [True])


class RotationTests(DoorTestCase):
    def rotate(self, version: str = "ocpp1.6") -> Deferred[str]:
        self.line = self.site.connect(version)
        rotated = rotate(self.site.central_system, self.site.plugin, "CP1")
        return Deferred.fromCoroutine(rotated)

    def told(self) -> str:
        """The password that the charge point has got."""
        _, payload = self.heard(self.line)
        return payload["value"] if "value" in payload else self.item()["attributeValue"]

    def item(self) -> dict[str, Any]:
        [item] = self.heard(self.line)[1]["setVariableData"]
        return item

    def answer(self, status: str) -> None:
        message_id, payload = self.heard(self.line)
        answer = {"status": status}
        if "value" not in payload:
            item = {key: self.item()[key] for key in ("component", "variable")}
            answer = {"setVariableResult": [{**item, "attributeStatus": status}]}
        self.line.says(json.dumps([3, message_id, answer]))

    def test_v16(self) -> None:
        rotated = self.rotate()
        self.assertEqual(self.heard(self.line)[1]["key"], "AuthorizationKey")
        new = self.told()
        self.assertEqual(len(bytes.fromhex(new)), 20)
        self.assertEqual(self.good(OLD, new), [True, True])  # it is kept before it is sent
        self.answer("Accepted")
        self.assertEqual(self.successResultOf(rotated), "Accepted")
        self.assertEqual(self.good(OLD, new, bytes.fromhex(new)), [False, True, True])

    def test_v2(self) -> None:
        for version in V2:
            self.setUp()
            rotated = self.rotate(version)
            self.assertEqual(self.item()["component"], {"name": "SecurityCtrlr"})
            self.assertEqual(self.item()["variable"], {"name": "BasicAuthPassword"})
            new = self.told()
            self.assertRegex(new, "^[A-Za-z0-9]{32}$")
            self.answer("Accepted")
            self.assertEqual(self.successResultOf(rotated), "Accepted")
            self.assertEqual(self.good(OLD, new), [False, True])

    def test_each_is_another(self) -> None:
        told = set()
        for _ in range(3):
            self.rotate().addErrback(lambda failure: failure.trap(ConnectionLost))
            told.add(self.told())
        self.assertEqual(len(told), 3)

    def test_refused(self) -> None:
        rotated = self.rotate()
        self.answer("Rejected")
        self.assertEqual(self.successResultOf(rotated), "Rejected")
        self.assertEqual(self.good(OLD, self.told()), [True, False])
        self.assertEqual(self.record().perhaps, ())

    def test_reboot_required(self) -> None:
        rotated = self.rotate()
        self.answer("RebootRequired")
        self.assertEqual(self.successResultOf(rotated), "RebootRequired")
        self.assertEqual(self.good(OLD, self.told()), [True, True])
        self.assertEqual(len(self.record().passwords), 2)

    def test_no_answer(self) -> None:
        rotated = self.rotate()
        new = self.told()
        self.site.connect("ocpp1.6")
        self.failureResultOf(rotated, ConnectionLost)
        self.assertEqual(self.good(OLD, new), [True, True])

    def test_a_late_answer(self) -> None:
        rotated = self.rotate()
        self.site.central_system._clock.advance(31)
        self.failureResultOf(rotated, CallTimedOut)
        self.assertEqual(self.good(OLD, self.told()), [True, True])
        self.answer("Accepted")
        self.assertEqual(self.good(OLD, self.told()), [False, True])

    def test_not_sent(self) -> None:
        self.line = self.site.connect("ocpp1.6")
        self.site.central_system.call_json("CP1", "ClearCache", b"{}")  # it does not answer this
        rotated = Deferred.fromCoroutine(
            rotate(self.site.central_system, self.site.plugin, "CP1", 5)
        )
        self.assertEqual(len(self.record().perhaps), 1)
        self.site.central_system._clock.advance(6)
        self.failureResultOf(rotated, CallTimedOut)
        self.assertEqual(self.record().perhaps, ())

    def test_not_connected(self) -> None:
        rotated = rotate(self.site.central_system, self.site.plugin, "CP1")
        self.failureResultOf(Deferred.fromCoroutine(rotated), NotConnected)
        self.assertEqual(self.record().perhaps, ())

    def test_the_log_and_the_facts(self) -> None:
        with capturedLogs() as events:
            for status in ("Accepted", "Rejected"):
                self.rotate()
                self.answer(status)
                self.assertNotIn(self.told(), str(events))
        self.assertEqual(self.site.facts("configuration"), {})


class ToldByTheChargePointTests(DoorTestCase):
    """It must not tell its password; what is told is not kept."""

    ABOUT = {  # noqa: RUF012
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": "BasicAuthPassword"},
    }

    def test_in_a_report(self) -> None:
        for version in V2[1:]:
            self.setUp()
            attribute = {"type": "Actual", "value": NEW}
            self.site.connect(version).calls(
                "NotifyReport",
                requestId=1,
                generatedAt=NOW_TEXT,
                seqNo=0,
                reportData=[{**self.ABOUT, "variableAttribute": [attribute]}],
            )
            [kept] = self.site.facts("variable").values()
            self.assertEqual(kept["variableAttribute"], [{"type": "Actual"}])

    def test_in_an_event(self) -> None:
        for version in V2[1:]:
            self.setUp()
            event = {
                "eventId": 1,
                "timestamp": NOW_TEXT,
                "trigger": "Delta",
                "actualValue": NEW,
                "eventNotificationType": "CustomMonitor",
                **self.ABOUT,
            }
            self.site.connect(version).calls(
                "NotifyEvent", generatedAt=NOW_TEXT, seqNo=0, eventData=[event]
            )
            [kept] = of(self.site.plugin.list_events()).items
            self.assertNotIn(NEW, str(kept))
            self.assertEqual(kept.data["variable"], {"name": "BasicAuthPassword"})
