"""What charge points tell and ask nothing for, in one message or in parts."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.plugins.local.wire import NOW, NOW_TEXT, Site, at, at_text, of

V2 = ("ocpp2.0", "ocpp2.0.1", "ocpp2.1")
EVENTS = {
    "NotifyDERAlarm": {"controlType": "Gradients", "timestamp": at_text(1)},
    "NotifyDERStartStop": {"controlId": "c", "started": True, "timestamp": at_text(1)},
    "NotifyPriorityCharging": {"transactionId": "T1", "activated": True},
}


def variable(name: str, value: str, version: str = "") -> dict[str, Any]:
    # 2.0 requires more of an attribute than the others.
    more = {"persistence": False, "constant": False} if version == "ocpp2.0" else {}
    return {
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "variable": {"name": name},
        "variableAttribute": [{"value": value, **more}],
    }


class Parts(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.charge_point = self.site.connect("ocpp2.0.1")

    def part(self, seq_no: int, more: bool, *variables: dict[str, Any], version: str = "") -> None:
        charge_point = self.site.connect(version) if version else self.charge_point
        answer = charge_point.calls(
            "NotifyReport",
            requestId=7,
            generatedAt=NOW_TEXT,
            seqNo=seq_no,
            tbc=more,
            reportData=list(variables),
        )
        self.assertEqual({}, answer)

    def complete(self) -> bool:
        complete: bool = self.site.facts("report")["NotifyReport 7"]["complete"]
        return complete

    def test_variables(self) -> None:
        for version in V2:
            self.setUp()
            first, second = variable("A", "1", version), variable("B", "2", version)
            self.part(0, True, first, version=version)
            self.assertFalse(self.complete())
            self.part(1, False, second, version=version)
            self.assertTrue(self.complete())
            expected = {"EVSE.1/A": first, "EVSE.1/B": second}
            self.assertEqual(expected, self.site.facts("variable"))

    def test_in_any_order_and_twice(self) -> None:
        self.part(2, False, variable("C", "3"))
        self.part(0, True, variable("A", "1"))
        self.part(0, True, variable("A", "1"))
        self.assertFalse(self.complete())
        self.part(1, True, variable("B", "2"))
        self.assertTrue(self.complete())
        self.assertEqual(3, len(self.site.facts("variable")))

    def test_a_number_that_no_report_has(self) -> None:
        for last in (2**31, 2**62, -(2**31)):
            self.part(last, False, variable("A", "1"))
            self.assertFalse(self.complete())

    def test_another_report_of_the_same_id(self) -> None:
        self.part(0, True, variable("A", "1"))
        self.part(1, False, variable("B", "2"))
        self.part(0, True, variable("A", "9"))
        self.assertFalse(self.complete())
        self.assertEqual(variable("A", "9"), self.site.facts("variable")["EVSE.1/A"])

    def test_monitors(self) -> None:
        monitor = {"id": 3, "transaction": False, "value": 1, "type": "Delta", "severity": 4}
        about = {"component": {"name": "EVSE"}, "variable": {"name": "A"}}
        self.charge_point.calls(
            "NotifyMonitoringReport",
            requestId=1,
            seqNo=0,
            generatedAt=NOW_TEXT,
            monitor=[{**about, "variableMonitoring": [monitor]}],
        )
        self.assertEqual(
            {"3": {**about, "variableMonitoring": monitor}}, self.site.facts("monitor")
        )

    def test_customer_information_is_joined(self) -> None:
        for version in V2:
            self.setUp()
            charge_point = self.site.connect(version)
            for seq_no, text in ((1, "Anna"), (0, "I am "), (1, "Anna")):
                charge_point.calls(
                    "NotifyCustomerInformation",
                    requestId=1,
                    seqNo=seq_no,
                    data=text,
                    generatedAt=NOW_TEXT,
                    tbc=not seq_no,
                )
            known = self.site.facts("customerInformation")["1"]
            self.assertEqual(("I am Anna", True), (known["data"], known["complete"]))

    def test_customer_information_without_end(self) -> None:
        for seq_no in range(600):
            self.charge_point.calls(
                "NotifyCustomerInformation",
                requestId=1,
                seqNo=seq_no,
                data="x",
                generatedAt=NOW_TEXT,
                tbc=seq_no < 599,
            )
        known = self.site.facts("customerInformation")["1"]
        self.assertEqual((500, False), (len(known["data"]), known["complete"]))

    def test_display_messages(self) -> None:
        message = {
            "id": 5,
            "priority": "AlwaysFront",
            "message": {"format": "UTF8", "content": "hello"},
        }
        for version in V2:
            self.site.connect(version).calls(
                "NotifyDisplayMessages", requestId=1, tbc=False, messageInfo=[message]
            )
            self.assertEqual({"5": message}, self.site.facts("displayMessage"))

    def test_charging_profiles(self) -> None:
        schedule = {
            "id": 1,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
        }
        profile = {
            "id": 8,
            "stackLevel": 2,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": [schedule],
        }
        for version in ("ocpp2.0.1", "ocpp2.1"):
            site = Site()
            for _ in range(2):
                site.connect(version).calls(
                    "ReportChargingProfiles",
                    requestId=1,
                    chargingLimitSource="CSO",
                    evseId=1,
                    chargingProfile=[profile],
                )
            [kept] = of(site.plugin.list_charging_profiles("CP1")).items
            self.assertEqual((1, 8, 2), (kept.evseId, kept.chargingProfileId, kept.stackLevel))
            self.assertEqual(profile, kept.profile)

    def test_controls_of_the_grid(self) -> None:
        control = {
            "gradient": {"priority": 0, "gradient": 1, "softGradient": 1},
            "id": "g1",
        }
        self.site.connect("ocpp2.1").calls("ReportDERControl", requestId=1, gradient=[control])
        self.assertEqual(["gradient/g1"], list(self.site.facts("derControl")))


class Notified(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()

    def test_states(self) -> None:
        for version, action, kind in (
            ("ocpp1.6", "DiagnosticsStatusNotification", "diagnostics"),
            ("ocpp1.6", "FirmwareStatusNotification", "firmware"),
            ("ocpp1.6", "SignedFirmwareStatusNotification", "firmware"),
            ("ocpp1.6", "LogStatusNotification", "log"),
            ("ocpp2.0", "FirmwareStatusNotification", "firmware"),
            ("ocpp2.0.1", "FirmwareStatusNotification", "firmware"),
            ("ocpp2.1", "FirmwareStatusNotification", "firmware"),
            ("ocpp2.0.1", "LogStatusNotification", "log"),
            ("ocpp2.1", "PublishFirmwareStatusNotification", "publishFirmware"),
        ):
            self.setUp()
            charge_point = self.site.connect(version)
            more = {} if action in _WITHOUT_ID and version == "ocpp1.6" else {"requestId": 4}
            for status in ("Idle", _LATER[kind]):
                self.assertEqual({}, charge_point.calls(action, status=status, **more))
            self.assertEqual({"": {"status": _LATER[kind], **more}}, self.site.facts(kind))

    def test_firmware_that_is_not_what_was_signed(self) -> None:
        """L01.FR.03: the state stays, with the update that it is of."""
        for version, action in (
            ("ocpp1.6", "SignedFirmwareStatusNotification"),
            ("ocpp2.0", "FirmwareStatusNotification"),
            ("ocpp2.0.1", "FirmwareStatusNotification"),
            ("ocpp2.1", "FirmwareStatusNotification"),
        ):
            self.setUp()
            told = {"status": "InvalidSignature", "requestId": 4}
            self.site.connect(version).calls(action, **told)
            self.assertEqual({"": told}, self.site.facts("firmware"))

    def test_security_events(self) -> None:
        event = {"type": "TamperDetectionActivated", "timestamp": at_text(1), "techInfo": "door"}
        for version in ("ocpp1.6", "ocpp2.0.1", "ocpp2.1"):
            site = Site()
            for _ in range(2):
                site.connect(version).calls("SecurityEventNotification", **event)
            [kept] = of(site.plugin.list_events("SecurityEventNotification")).items
            self.assertEqual((event, at(1)), (kept.data, kept.timestamp))

    def test_events_of_v21(self) -> None:
        for action, payload in EVENTS.items():
            self.site.connect("ocpp2.1").calls(action, **payload)
            [kept] = of(self.site.plugin.list_events(action, "CP1")).items
            self.assertEqual(payload, kept.data)

    def test_charging_limits(self) -> None:
        for version in V2:
            self.setUp()
            charge_point = self.site.connect(version)
            for evse in (1, 2):
                limit = {"chargingLimitSource": "EMS"}
                charge_point.calls("NotifyChargingLimit", chargingLimit=limit, evseId=evse)
            charge_point.calls("ClearedChargingLimit", chargingLimitSource="EMS", evseId=1)
            self.assertEqual(["EMS/2"], list(self.site.facts("chargingLimit")))

    def test_when_it_came(self) -> None:
        self.site.connect("ocpp1.6").calls("FirmwareStatusNotification", status="Installed")
        [fact] = of(self.site.plugin.list_facts("CP1", "firmware")).items
        self.assertEqual(NOW, fact.timestamp)


_WITHOUT_ID = ("DiagnosticsStatusNotification", "FirmwareStatusNotification")
_LATER = {
    "diagnostics": "Uploaded",
    "firmware": "Downloaded",
    "log": "Uploaded",
    "publishFirmware": "Downloaded",
}
