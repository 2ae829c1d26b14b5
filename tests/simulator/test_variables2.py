"""The device model as the central system sees it (B05 to B08)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail

from ocpp_twisted.errors import CannotConnect
from tests.simulator.case2 import Case, each

#: What 2.0.1 part 6 requires (TC_B_53_CS): component, variable, instance, mutability, type.
REQUIRED = """
AlignedDataCtrlr Interval - ReadWrite integer
AlignedDataCtrlr Measurands - ReadWrite MemberList
AlignedDataCtrlr TxEndedInterval - ReadWrite integer
AlignedDataCtrlr TxEndedMeasurands - ReadWrite MemberList
AuthCtrlr AuthorizeRemoteStart - ReadWrite boolean
AuthCtrlr LocalAuthorizeOffline - ReadWrite boolean
AuthCtrlr LocalPreAuthorize - ReadWrite boolean
ChargingStation AvailabilityState - ReadOnly OptionList
ChargingStation Available - ReadOnly boolean
ChargingStation SupplyPhases - ReadOnly integer
ClockCtrlr DateTime - ReadOnly dateTime
ClockCtrlr TimeSource - ReadWrite SequenceList
Connector AvailabilityState - ReadOnly OptionList
Connector Available - ReadOnly boolean
Connector ConnectorType - ReadOnly string
Connector SupplyPhases - ReadOnly integer
DeviceDataCtrlr BytesPerMessage GetReport ReadOnly integer
DeviceDataCtrlr BytesPerMessage GetVariables ReadOnly integer
DeviceDataCtrlr BytesPerMessage SetVariables ReadOnly integer
DeviceDataCtrlr ItemsPerMessage GetReport ReadOnly integer
DeviceDataCtrlr ItemsPerMessage GetVariables ReadOnly integer
DeviceDataCtrlr ItemsPerMessage SetVariables ReadOnly integer
EVSE AvailabilityState - ReadOnly OptionList
EVSE Available - ReadOnly boolean
EVSE Power - ReadOnly decimal
EVSE SupplyPhases - ReadOnly integer
OCPPCommCtrlr FileTransferProtocols - ReadOnly MemberList
OCPPCommCtrlr MessageTimeout Default ReadOnly integer
OCPPCommCtrlr MessageAttemptInterval TransactionEvent ReadWrite integer
OCPPCommCtrlr MessageAttempts TransactionEvent ReadWrite integer
OCPPCommCtrlr NetworkConfigurationPriority - ReadWrite SequenceList
OCPPCommCtrlr NetworkProfileConnectionAttempts - ReadWrite integer
OCPPCommCtrlr OfflineThreshold - ReadWrite integer
OCPPCommCtrlr ResetRetries - ReadWrite integer
OCPPCommCtrlr UnlockOnEVSideDisconnect - ReadWrite boolean
SampledDataCtrlr TxEndedInterval - ReadWrite integer
SampledDataCtrlr TxEndedMeasurands - ReadWrite MemberList
SampledDataCtrlr TxStartedMeasurands - ReadWrite MemberList
SampledDataCtrlr TxUpdatedInterval - ReadWrite integer
SampledDataCtrlr TxUpdatedMeasurands - ReadWrite MemberList
SecurityCtrlr CertificateEntries - ReadOnly integer
SecurityCtrlr OrganizationName - ReadWrite string
SecurityCtrlr SecurityProfile - ReadOnly integer
TxCtrlr EVConnectionTimeOut - ReadWrite integer
TxCtrlr StopTxOnEVSideDisconnect - ReadWrite boolean
TxCtrlr StopTxOnInvalidId - ReadWrite boolean
TxCtrlr TxStartPoint - ReadWrite MemberList
TxCtrlr TxStopPoint - ReadWrite MemberList
DisplayMessageCtrlr DisplayMessages - ReadOnly integer
DisplayMessageCtrlr SupportedFormats - ReadOnly MemberList
DisplayMessageCtrlr SupportedPriorities - ReadOnly MemberList
LocalAuthListCtrlr BytesPerMessage - ReadOnly integer
LocalAuthListCtrlr Entries - ReadOnly integer
LocalAuthListCtrlr ItemsPerMessage - ReadOnly integer
MonitoringCtrlr BytesPerMessage SetVariableMonitoring ReadOnly integer
SmartChargingCtrlr Entries ChargingProfiles ReadOnly integer
SmartChargingCtrlr LimitChangeSignificance - ReadWrite decimal
SmartChargingCtrlr PeriodsPerSchedule - ReadOnly integer
SmartChargingCtrlr ProfileStackLevel - ReadOnly integer
SmartChargingCtrlr RateUnit - ReadOnly MemberList
TariffCostCtrlr Currency - ReadWrite string
TariffCostCtrlr TariffFallbackMessage - ReadWrite string
TariffCostCtrlr TotalCostFallbackMessage - ReadWrite string
"""


class GetAndSet:
    m: Any

    def result(self, component: str, variable: str, **more: Any) -> dict[str, Any]:
        data = self.m.GetVariableDataType(
            component=self.m.ComponentType(name=component, **more.pop("of", {})),
            variable=self.m.VariableType(name=variable),
            **more,
        )
        (result,) = self.ask("GetVariables", getVariableData=[data])["getVariableResult"]
        return result

    def test_names_are_case_insensitive(self):
        self.assertEqual(self.get("txctrlr", "EVCONNECTIONTIMEOUT"), "60")

    def test_what_is_not_there(self):
        for component, variable, status in (
            ("Nothing", "Interval", "UnknownComponent"),
            ("TxCtrlr", "Interval", "UnknownVariable"),
        ):
            result = self.result(component, variable)
            self.assertEqual(result["attributeStatus"], status)
            self.assertNotIn("attributeValue", result)
            self.assertEqual(self.set(component, variable, "1"), status)

    def test_only_actual_values_are_supported(self):
        result = self.result("TxCtrlr", "EVConnectionTimeOut", attributeType="MaxSet")
        self.assertEqual(result["attributeStatus"], "NotSupportedAttributeType")

    def test_a_secret_is_not_read(self):
        result = self.result("SecurityCtrlr", "BasicAuthPassword")
        self.assertEqual(result["attributeStatus"], "Rejected")
        self.assertNotIn("attributeValue", result)

    def test_values_change_and_keep_to_their_limits(self):
        self.assertEqual(self.set("OCPPCommCtrlr", "OfflineThreshold", "7"), "Accepted")
        self.assertEqual(self.get("OCPPCommCtrlr", "OfflineThreshold"), "7")
        refused = {"Rejected", "InvalidValue", "OutOfRange"}
        for component, variable, value in (
            ("OCPPCommCtrlr", "OfflineThreshold", "-1"),
            ("OCPPCommCtrlr", "OfflineThreshold", "7.5"),
            ("OCPPCommCtrlr", "OfflineThreshold", "soon"),
            ("OCPPCommCtrlr", "RetryBackOffRepeatTimes", "21"),
            ("TxCtrlr", "StopTxOnInvalidId", "yes"),
            ("TxCtrlr", "TxStartPoint", ""),
            ("TxCtrlr", "TxStartPoint", "Authorized,DataSigned"),
            ("TxCtrlr", "TxStartPoint", "Authorized,Authorized"),
            ("SecurityCtrlr", "BasicAuthPassword", "short"),
            ("SecurityCtrlr", "BasicAuthPassword", "a b c d e f g h i j"),
            ("SmartChargingCtrlr", "LimitChangeSignificance", "100.1"),
            ("ClockCtrlr", "DateTime", "2026-01-01T00:00:00Z"),
        ):
            self.assertIn(self.set(component, variable, value), refused, (variable, value))
        self.assertEqual(self.get("OCPPCommCtrlr", "OfflineThreshold"), "7")

    def network_profile(self, slot: int, url: str) -> str:
        data = self.m.NetworkConnectionProfileType(
            ocppVersion="OCPP20",
            ocppTransport="JSON",
            ocppCsmsUrl=url,
            messageTimeout=30,
            ocppInterface="Wired0",
            **({"securityProfile": 0} if self.version != "2.0" else {}),
        )
        return self.ask("SetNetworkProfile", configurationSlot=slot, connectionData=data)["status"]

    def test_some_values_count_after_a_restart(self):
        priority = "OCPPCommCtrlr", "NetworkConfigurationPriority"
        self.assertIn(self.set(*priority, "2,1"), ("Rejected", "InvalidValue"))
        self.assertEqual(self.network_profile(2, "ws://elsewhere"), "Accepted")
        self.assertEqual(self.set(*priority, "2,1"), "RebootRequired")
        self.assertEqual(self.get(*priority), "1")
        self.ask("Reset", type="OnIdle")
        self.run_for(5)
        self.assertEqual(self.get(*priority), "2,1")
        self.assertEqual(self.get("OCPPCommCtrlr", "ActiveNetworkProfile"), "2")
        self.assertEqual(self.station.charge_point.target.url, "ws://elsewhere/CP1")

    def test_where_nobody_is_it_does_not_stay(self):
        connect, tried = self.network.connect, []

        def only_here(target: Any, *more: Any) -> Any:
            tried.append(target.host)
            if target.host == "elsewhere":
                return fail(CannotConnect("nobody is there"))
            return connect(target, *more)

        self.network.connect = only_here
        self.network_profile(2, "ws://elsewhere")
        self.set("OCPPCommCtrlr", "NetworkConfigurationPriority", "2,1")
        self.set("OCPPCommCtrlr", "RetryBackOffRandomRange", "0")
        self.ask("Reset", type="OnIdle")
        self.run_for(60)
        self.assertEqual(tried, ["elsewhere"] * 3 + ["central-system"])
        self.assertEqual(self.get("OCPPCommCtrlr", "ActiveNetworkProfile"), "1")

    def test_profiles_that_cannot_be(self):
        self.assertEqual(self.network_profile(999, "ws://elsewhere"), "Rejected")
        self.assertEqual(self.network_profile(2, "http://elsewhere"), "Rejected")

    def test_more_than_fit_are_rejected(self):
        data = self.m.GetVariableDataType(
            component=self.m.ComponentType(name="TxCtrlr"),
            variable=self.m.VariableType(name="EVConnectionTimeOut"),
        )
        results = self.ask("GetVariables", getVariableData=[data] * 51)["getVariableResult"]
        statuses = [each["attributeStatus"] for each in results]
        self.assertEqual(statuses, ["Accepted"] * 50 + ["Rejected"])

    def test_they_act(self):
        charge_point = self.station.charge_point
        self.set("OCPPCommCtrlr", "HeartbeatInterval", "17")
        self.set("OCPPCommCtrlr", "RetryBackOffWaitMinimum", "3")
        self.set("OCPPCommCtrlr", "MessageAttempts", "9", "TransactionEvent")
        self.set("OCPPCommCtrlr", "MessageAttemptInterval", "4", "TransactionEvent")
        self.assertEqual(charge_point.heartbeat_interval, 17)
        self.assertEqual(charge_point.backoff.wait_minimum, 3)
        self.assertEqual((charge_point.retries.attempts, charge_point.retries.interval), (9, 4))

    def test_the_ping_interval_counts_from_the_next_start_on(self):
        status = self.set("OCPPCommCtrlr", "WebSocketPingInterval", "20")
        self.assertEqual(status, "RebootRequired")
        self.assertIsNone(self.station.charge_point.target.ping_interval)
        self.ask("Reset", type="OnIdle")
        self.run_for(5)
        self.assertEqual(self.station.charge_point.target.ping_interval, 20)

    def test_boot_tells_the_heartbeat_interval(self):
        self.assertEqual(self.get("OCPPCommCtrlr", "HeartbeatInterval"), "300")


class Reports:
    def report(self) -> list[dict[str, Any]]:
        parts = self.heard("NotifyReport")
        self.assertEqual([each["seqNo"] for each in parts], list(range(len(parts))))
        self.assertEqual([each["tbc"] for each in parts], [True] * (len(parts) - 1) + [False])
        self.assertEqual({each["requestId"] for each in parts}, {7})
        return [entry for part in parts for entry in part["reportData"]]

    def base(self, base: str) -> list[dict[str, Any]]:
        answer = self.ask("GetBaseReport", requestId=7, reportBase=base)
        self.assertEqual(answer["status"], "Accepted")
        self.run_for(5)
        return self.report()

    def test_the_full_inventory_has_what_is_required(self):
        found = {
            (
                entry["component"]["name"],
                entry["variable"]["name"],
                entry["variable"].get("instance", "-"),
                entry["variableAttribute"][0]["mutability"],
                entry["variableCharacteristics"]["dataType"],
            )
            for entry in self.base("FullInventory")
        }
        required = {tuple(line.split()) for line in REQUIRED.split("\n") if line}
        self.assertEqual(required - found, set())

    def test_the_configuration_is_what_can_be_set(self):
        mutabilities = {
            entry["variableAttribute"][0]["mutability"]
            for entry in self.base("ConfigurationInventory")
        }
        self.assertEqual(mutabilities, {"ReadWrite", "WriteOnly"})

    def test_the_summary_tells_of_availability(self):
        self.station.plug_in(2)
        states = {
            (entry["component"]["name"], entry["component"].get("evse", {}).get("id")): entry[
                "variableAttribute"
            ][0]["value"]
            for entry in self.base("SummaryInventory")
            if entry["variable"]["name"] == "AvailabilityState"
        }
        self.assertEqual(states["ChargingStation", None], "Available")
        self.assertEqual(states["EVSE", 1], "Available")
        self.assertEqual(states["Connector", 2], "Occupied")

    def ask_report(self, *pairs: tuple[Any, str], **more: Any) -> str:
        asked = [
            self.m.ComponentVariableType(
                component=component, variable=self.m.VariableType(name=variable)
            )
            for component, variable in pairs
        ]
        more |= {"componentVariable": asked} if asked else {}
        status: str = self.ask("GetReport", requestId=7, **more)["status"]
        self.run_for(5)
        return status

    def test_what_is_not_named_may_be_anything(self):
        component = self.m.ComponentType
        self.assertEqual(self.ask_report((component(name="EVSE"), "Power")), "Accepted")
        self.assertEqual(len(self.report()), 2)
        one = component(name="EVSE", evse=self.m.EVSEType(id=1))
        self.assertEqual(self.ask_report((one, "Power")), "Accepted")
        (entry,) = self.report()
        self.assertEqual(entry["component"]["evse"]["id"], 1)

    def test_nothing_is_found(self):
        status = self.ask_report((self.m.ComponentType(name="Nothing"), "Power"))
        self.assertEqual(status, "Rejected" if self.version == "2.0" else "EmptyResultSet")
        self.assertEqual(self.heard("NotifyReport"), [])

    def test_what_has_a_problem(self):
        self.station.break_down("GroundFailure", 2)
        self.assertEqual(self.ask_report(componentCriteria=["Problem"]), "Accepted")
        names = {
            (entry["component"]["name"], entry["component"].get("evse", {}).get("id"))
            for entry in self.report()
        }
        self.assertEqual(names, {("ChargingStation", None), ("EVSE", 2), ("Connector", 2)})


class WholeComponents(Case):
    def test_all_variables_of_a_component(self):
        asked = self.m.ComponentVariableType(component=self.m.ComponentType(name="TxCtrlr"))
        self.ask("GetReport", requestId=1, componentVariable=[asked])
        self.run_for(5)
        (report,) = self.heard("NotifyReport")
        names = {entry["component"]["name"] for entry in report["reportData"]}
        self.assertEqual((names, len(report["reportData"])), ({"TxCtrlr"}, 7))

    def test_why_it_is_rejected(self):
        data = self.m.SetVariableDataType(
            component=self.m.ComponentType(name="OCPPCommCtrlr"),
            variable=self.m.VariableType(name="HeartbeatInterval"),
            attributeValue="0",
        )
        (result,) = self.ask("SetVariables", setVariableData=[data])["setVariableResult"]
        self.assertEqual(result["attributeStatus"], "Rejected")
        self.assertEqual(result["attributeStatusInfo"]["reasonCode"], "ValueTooLow")


globals().update(each(GetAndSet))
globals().update(each(Reports))
