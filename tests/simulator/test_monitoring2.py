"""Monitors, logs, customers and displays in 2.x (blocks N and O), DataTransfer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulator.case2 import Case, each


class Monitors:
    def evse(self, variable: str, number: int = 1) -> dict[str, Any]:
        return {
            "component": self.m.ComponentType(name="EVSE", evse=self.m.EVSEType(id=number)),
            "variable": self.m.VariableType(name=variable),
        }

    def monitor(
        self, kind: str, value: float, variable: str = "Power", severity: int = 4, **more: Any
    ) -> dict[str, Any]:
        where = more.pop("of", self.evse(variable))
        data = self.m.SetMonitoringDataType(
            type=kind, value=value, severity=severity, **where, **more
        )
        (result,) = self.ask("SetVariableMonitoring", setMonitoringData=[data])[
            "setMonitoringResult"
        ]
        self.run_for(1)
        return result

    def events(self) -> list[dict[str, Any]]:
        return [event for each in self.heard("NotifyEvent") for event in each["eventData"]]

    def test_a_threshold_is_crossed_and_crossed_back(self):
        result = self.monitor("UpperThreshold", 5000)
        self.assertEqual(result["status"], "Accepted")
        self.charge()
        self.station.present("AA")
        self.run_for(1)
        over, back = self.events()
        self.assertEqual((over["trigger"], over["cleared"]), ("Alerting", False))
        self.assertEqual(over["actualValue"], "11000.0")
        self.assertEqual((back["trigger"], back["cleared"]), ("Alerting", True))
        if self.version != "2.0":
            self.assertEqual(over["variableMonitoringId"], result["id"])
            self.assertEqual(over["eventNotificationType"], "CustomMonitor")
            self.assertIn("transactionId", over)

    def test_from_below(self):
        self.monitor("LowerThreshold", 5000)
        (event,) = self.events()
        self.assertEqual((event["actualValue"], event["cleared"]), ("0.0", False))

    def test_a_difference(self):
        self.monitor("Delta", 10_000)
        self.charge()
        (event,) = self.events()
        self.assertEqual((event["trigger"], event["actualValue"]), ("Delta", "11000.0"))

    def test_a_state_that_changes(self):
        self.monitor("Delta", 1, "AvailabilityState")
        self.station.plug_in()
        self.run_for(1)
        (event,) = self.events()
        self.assertEqual(event["actualValue"], "Occupied")

    def test_a_variable_that_is_set(self):
        of = {
            "component": self.m.ComponentType(name="OCPPCommCtrlr"),
            "variable": self.m.VariableType(name="OfflineThreshold"),
        }
        self.monitor("UpperThreshold", 100, of=of)
        self.set("OCPPCommCtrlr", "OfflineThreshold", "101")
        self.run_for(1)
        (event,) = self.events()
        self.assertEqual(event["actualValue"], "101")

    def test_now_and_then(self):
        self.monitor("Periodic", 10)
        self.run_for(30)
        events = self.events()
        self.assertEqual([each["trigger"] for each in events], ["Periodic"] * 3)
        self.monitor("PeriodicClockAligned", 60, severity=5)
        self.run_for(60)
        aligned = [each for each in self.events() if str(each["timestamp"])[17:19] == "00"]
        self.assertTrue(aligned)

    def test_only_while_a_transaction_goes_on(self):
        self.monitor("Periodic", 10, transaction=True)
        self.run_for(30)
        self.assertEqual(self.events(), [])
        self.charge()
        self.run_for(10)
        self.assertEqual(len(self.events()), 1)

    def test_faults_are_always_told(self):
        self.station.break_down("GroundFailure", 2)
        self.run_for(1)
        (event,) = self.events()
        self.assertEqual(event["component"]["name"], "Connector")
        self.assertEqual((event["variable"]["name"], event["actualValue"]), ("Problem", "true"))

    def test_what_cannot_be(self):
        for outcome, result in (
            ("UnsupportedMonitorType", self.monitor("UpperThreshold", 1, "AvailabilityState")),
            ("UnknownVariable", self.monitor("UpperThreshold", 1, "Nothing")),
            ("Rejected", self.monitor("UpperThreshold", 1, severity=10)),
            ("Rejected", self.monitor("Periodic", 0)),
            ("Rejected", self.monitor("UpperThreshold", 1, id=99)),
        ):
            self.assertEqual(result["status"], outcome)
        too_high = self.monitor("UpperThreshold", 99_999)["status"]
        self.assertEqual(too_high, "OutOfRange" if self.version == "2.0" else "Rejected")
        first = self.monitor("UpperThreshold", 1)
        self.assertEqual(self.monitor("UpperThreshold", 2)["status"], "Duplicate")
        replaced = self.monitor("UpperThreshold", 2, id=first["id"])
        self.assertEqual((replaced["status"], replaced["id"]), ("Accepted", first["id"]))

    def test_they_are_cleared(self):
        number = self.monitor("Periodic", 10)["id"]
        wired = min(self.voice.monitoring.monitors)
        results = self.ask("ClearVariableMonitoring", id=[number, wired, 99])[
            "clearMonitoringResult"
        ]
        statuses = [each["status"] for each in results]
        self.assertEqual(statuses, ["Accepted", "Rejected", "NotFound"])
        self.run_for(30)
        self.assertEqual(self.events(), [])

    def test_the_level_and_the_base(self):
        self.assertEqual(self.ask("SetMonitoringLevel", severity=10)["status"], "Rejected")
        self.assertEqual(self.ask("SetMonitoringLevel", severity=3)["status"], "Accepted")
        self.monitor("Periodic", 10)
        self.run_for(20)
        self.assertEqual(self.events(), [])
        self.ask("SetMonitoringLevel", severity=9)
        self.run_for(10)
        self.assertEqual(len(self.events()), 1)
        answer = self.ask("SetMonitoringBase", monitoringBase="FactoryDefault")
        self.assertEqual(answer["status"], "Accepted")
        self.run_for(30)
        self.assertEqual(self.events(), [])

    def test_offline_what_matters_is_kept(self):
        self.set("OCPPCommCtrlr", "RetryBackOffRandomRange", "0")
        self.set("OCPPCommCtrlr", "RetryBackOffRepeatTimes", "0")
        self.monitor("Periodic", 15, severity=3)
        self.monitor("Periodic", 14, severity=4)
        self.network.reachable = False
        self.network.cut()
        self.run_for(20)
        self.network.reachable = True
        self.run_for(6)
        self.assertEqual(len(self.events()), 1)

    def report(self, **criteria: Any) -> tuple[str, list[Any]]:
        status = self.ask("GetMonitoringReport", requestId=4, **criteria)["status"]
        self.run_for(1)
        reports = self.heard("NotifyMonitoringReport")
        return status, [entry for each in reports for entry in each["monitor"]]

    def test_they_are_reported(self):
        self.monitor("UpperThreshold", 5000)
        self.monitor("Periodic", 1000)
        status, entries = self.report()
        self.assertEqual((status, len(entries)), ("Accepted", 3))
        status, [entry] = self.report(monitoringCriteria=["PeriodicMonitoring"])
        self.assertEqual(entry["variableMonitoring"][0]["value"], 1000)
        asked = self.m.ComponentVariableType(**self.evse("Power"))
        status, [entry] = self.report(componentVariable=[asked])
        self.assertEqual(len(entry["variableMonitoring"]), 2)
        asked = self.m.ComponentVariableType(**self.evse("SupplyPhases"))
        status, entries = self.report(componentVariable=[asked])
        self.assertEqual(status, "Rejected" if self.version == "2.0" else "EmptyResultSet")


class Logs:
    def log(self, number: int = 1, scheme: str = "https", **more: Any) -> dict[str, Any]:
        parameters = self.m.LogParametersType(remoteLocation=f"{scheme}://logs.example/")
        answer: dict[str, Any] = self.ask(
            "GetLog", log=parameters, logType="DiagnosticsLog", requestId=number, **more
        )
        return answer

    def statuses(self) -> list[tuple[str, int]]:
        return [(each["status"], each["requestId"]) for each in self.heard("LogStatusNotification")]

    def test_one_is_uploaded(self):
        answer = self.log()
        self.assertEqual(answer["status"], "Accepted")
        self.assertIn("diagnostics", answer["filename"])
        self.run_for(60)
        self.assertEqual(self.statuses(), [("Uploading", 1), ("Uploaded", 1)])

    def test_it_says_so_when_asked(self):
        self.log(3)
        self.run_for(1)
        self.heard()
        self.ask("TriggerMessage", requestedMessage="LogStatusNotification")
        self.run_for(0)
        self.assertEqual(self.statuses(), [("Uploading", 3)])

    def test_another_takes_its_place(self):
        self.log(1)
        self.run_for(1)
        self.assertEqual(self.log(2)["status"], "AcceptedCanceled")
        self.run_for(60)
        cancelled = "UploadFailure" if self.version == "2.0" else "AcceptedCanceled"
        self.assertEqual(
            self.statuses(),
            [("Uploading", 1), (cancelled, 1), ("Uploading", 2), ("Uploaded", 2)],
        )

    def test_it_fails(self):
        self.voice.diagnostics.failing = "PermissionDenied"
        self.log(retries=1, retryInterval=5)
        self.run_for(60)
        self.assertEqual(self.statuses(), [("Uploading", 1), ("PermissionDenied", 1)])
        self.log(scheme="gopher")
        self.run_for(60)
        self.assertEqual(self.statuses()[-1], ("NotSupportedOperation", 1))

    def customer(self, report: bool, clear: bool, **who: Any) -> tuple[str, str]:
        status = self.ask("CustomerInformation", requestId=8, report=report, clear=clear, **who)[
            "status"
        ]
        self.run_for(1)
        parts = self.heard("NotifyCustomerInformation")
        self.assertEqual([each["seqNo"] for each in parts], list(range(len(parts))))
        self.assertEqual([each["tbc"] for each in parts][-1:], [False] if parts else [])
        return status, "".join(each["data"] for each in parts)

    def test_what_is_known_of_a_customer(self):
        self.charge()
        who = {"idToken": self.token()}
        status, data = self.customer(True, False, **who)
        self.assertEqual(status, "Accepted")
        self.assertIn("cache: Accepted", data)
        self.assertIn("transaction", data)
        self.assertEqual(self.customer(False, True, **who), ("Accepted", "cleared"))
        self.station.present("AA")
        self.run_for(1)
        self.assertEqual(self.customer(True, True, **who), ("Accepted", "no data"))
        self.assertEqual(self.customer(True, False, customerIdentifier="x")[1], "no data")
        self.assertEqual(self.customer(False, False, **who)[0], "Rejected")
        self.assertEqual(self.customer(True, False), ("Invalid", ""))

    def transfer(self, vendor: str, message: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask(
            "DataTransfer", vendorId=vendor, messageId=message, data={"a": [1]}
        )
        return answer

    def test_vendors_data(self):
        self.assertEqual(self.transfer("nobody", "Echo")["status"], "UnknownVendorId")
        self.assertEqual(self.transfer("ocpp_twisted", "x")["status"], "UnknownMessageId")
        answer = self.transfer("ocpp_twisted", "Echo")
        self.assertEqual(answer, {"status": "Accepted", "data": {"a": [1]}})


class Messages:
    def message(self, number: int = 1, **more: Any) -> str:
        fields = {"priority": "NormalCycle", "format": "UTF8"} | more
        content = self.m.MessageContentType(format=fields.pop("format"), content="Hello")
        info = self.m.MessageInfoType(id=number, message=content, **fields)
        status: str = self.ask("SetDisplayMessage", message=info)["status"]
        return status

    def shown(self, **criteria: Any) -> tuple[str, list[int]]:
        status = self.ask("GetDisplayMessages", requestId=6, **criteria)["status"]
        self.run_for(1)
        parts = self.heard("NotifyDisplayMessages")
        return status, [info["id"] for each in parts for info in each["messageInfo"]]

    def test_they_are_set_shown_and_cleared(self):
        self.assertEqual(self.shown(), ("Unknown", []))
        for number in range(1, 8):
            self.assertEqual(self.message(number), "Accepted")
        self.assertEqual(self.shown(), ("Accepted", [1, 2, 3, 4, 5, 6, 7]))
        self.assertEqual(self.shown(id=[2, 9]), ("Accepted", [2]))
        self.assertEqual(self.get("DisplayMessageCtrlr", "DisplayMessages"), "7")
        self.assertEqual(self.ask("ClearDisplayMessage", id=2)["status"], "Accepted")
        self.assertEqual(self.ask("ClearDisplayMessage", id=2)["status"], "Unknown")
        self.assertEqual(self.shown(id=[2]), ("Unknown", []))

    def test_one_is_always_in_front(self):
        self.message(1, priority="AlwaysFront")
        self.message(2, priority="AlwaysFront", state="Charging")
        self.assertEqual(self.shown(), ("Accepted", [2]))
        self.assertEqual(self.shown(priority="InFront"), ("Unknown", []))
        self.assertEqual(self.shown(state="Charging"), ("Accepted", [2]))

    def test_they_end(self):
        end = datetime.fromtimestamp(self.network.clock.seconds(), UTC) + timedelta(seconds=60)
        transaction = self.charge()
        self.message(1, endDateTime=end)
        self.message(2, transactionId=transaction)
        self.assertEqual(self.shown(), ("Accepted", [1, 2]))
        self.run_for(60)
        self.assertEqual(self.shown(), ("Accepted", [2]))
        self.station.present("AA")
        self.run_for(1)
        self.assertEqual(self.shown(), ("Unknown", []))

    def test_what_cannot_be_shown(self):
        self.assertEqual(self.message(format="HTML"), "NotSupportedMessageFormat")
        self.assertEqual(self.message(transactionId="x"), "UnknownTransaction")
        for number in range(20):
            self.message(number)
        self.assertEqual(self.message(20), "Rejected")
        self.assertEqual(self.message(19), "Accepted")
        self.set("DisplayMessageCtrlr", "Enabled", "false")
        self.assertEqual(self.message(19), "Rejected")


class Later(Case):
    version = "2.1"

    def test_states_that_there_are_not(self):
        content = self.m.MessageContentType(format="UTF8", content="Hello")
        info = self.m.MessageInfoType(
            id=1, message=content, priority="InFront", state="Discharging"
        )
        self.assertEqual(self.ask("SetDisplayMessage", message=info)["status"], "NotSupportedState")

    def test_logs_that_there_are_not(self):
        parameters = self.m.LogParametersType(remoteLocation="https://logs.example/")
        answer = self.ask("GetLog", log=parameters, logType="DataCollectorLog", requestId=1)
        self.assertEqual(answer["status"], "Rejected")


globals().update(each(Monitors))
globals().update(each(Logs))
globals().update(each(Messages))
