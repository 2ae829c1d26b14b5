"""Transactions of 2.x: when they start and end, and what is told of them (block E)."""

from __future__ import annotations

from typing import Any

from ocpp_twisted.simulator.physical import Vehicle
from tests.simulator.case2 import Case, each

CHANGED = "ChargingStateChanged"


class StartAndStop:
    """The states are 2.0.1's; 2.0 has one word for two of them."""

    def points(self, start: str, stop: str) -> None:
        self.set("SampledDataCtrlr", "TxUpdatedInterval", "0")
        self.set("TxCtrlr", "TxStartPoint", start)
        self.set("TxCtrlr", "TxStopPoint", stop)
        self.heard()

    def assert_events(self, *expected: tuple[str, str, str]) -> None:
        words = {"EVConnected": "EVDetected", "Idle": "EVDetected"}
        triggers = {"ResetCommand": "RemoteStop", "AbnormalCondition": "EVCommunicationLost"}
        if self.version == "2.0":
            expected = tuple(
                (kind, triggers.get(trigger, trigger), words.get(state, state))
                for kind, trigger, state in expected
            )
        self.assertEqual(self.events(), list(expected))

    def plug_in(self, **car: Any) -> None:
        self.station.plug_in(1, Vehicle(**car))
        self.run_for(1)

    def present(self, token: str = "AA") -> None:
        self.station.present(token)
        self.run_for(1)

    def unplug(self) -> None:
        self.station.unplug()
        self.run_for(1)

    def test_by_closing_the_power_path(self):
        self.points("PowerPathClosed", "Authorized")
        self.plug_in()
        self.assert_events()
        self.present()
        self.assert_events(("Started", CHANGED, "SuspendedEVSE"), ("Updated", CHANGED, "Charging"))
        self.present()
        self.assert_events(("Ended", "StopAuthorized", "EVConnected"))

    def test_by_the_cable(self):
        self.points("EVConnected", "EVConnected")
        self.plug_in()
        self.assert_events(("Started", "CablePluggedIn", "EVConnected"))
        self.present()
        self.assert_events(
            ("Updated", "Authorized", "SuspendedEVSE"), ("Updated", CHANGED, "Charging")
        )
        self.present()
        self.assert_events(("Updated", "StopAuthorized", "EVConnected"))
        self.unplug()
        self.assert_events(("Ended", "EVCommunicationLost", "Idle"))

    def test_by_authorization(self):
        self.points("Authorized", "Authorized")
        self.present()
        self.assert_events(("Started", "Authorized", "Idle"))
        self.plug_in()
        self.assert_events(
            ("Updated", "CablePluggedIn", "SuspendedEVSE"), ("Updated", CHANGED, "Charging")
        )

    def test_by_energy(self):
        self.points("EnergyTransfer", "EnergyTransfer")
        self.plug_in(power=11_000.0, capacity=10_000.0, charge=9_989.0)
        self.assert_events()
        self.present()
        self.assert_events(("Started", CHANGED, "Charging"))
        self.run_for(5)  # 11 Wh at 11 kW take 3.6 s
        self.assert_events(("Ended", CHANGED, "SuspendedEV"))

    def test_a_full_battery(self):
        self.points("PowerPathClosed", "Authorized")
        self.plug_in(power=11_000.0, capacity=10_000.0, charge=9_989.0)
        self.present()
        self.heard()
        self.run_for(5)
        self.assert_events(("Updated", CHANGED, "SuspendedEV"))

    def test_by_opening_the_power_path(self):
        self.points("PowerPathClosed", "PowerPathClosed")
        self.plug_in()
        self.present()
        self.heard()
        self.present()
        self.assert_events(
            ("Updated", "StopAuthorized", "EVConnected"), ("Ended", CHANGED, "EVConnected")
        )

    def test_no_cable_in_time(self):
        self.points("Authorized", "Authorized")
        self.set("TxCtrlr", "EVConnectionTimeOut", "20")
        self.present()
        self.heard()
        self.run_for(20)
        (event,) = self.heard("TransactionEvent")
        self.assertEqual(
            (event["eventType"], event["triggerReason"]), ("Ended", "EVConnectTimeout")
        )
        self.assertEqual(self.info(event)["stoppedReason"], "Timeout")
        self.assertIsNone(self.voice.evses[0].permit)

    def test_a_cable_taken_away_ends_it(self):
        self.points("PowerPathClosed", "Authorized")
        self.plug_in()
        self.present()
        self.heard()
        self.unplug()
        (event,) = self.heard("TransactionEvent")
        self.assertEqual(event["triggerReason"], "EVCommunicationLost")
        self.assertEqual(self.info(event)["stoppedReason"], "EVDisconnected")

    def test_a_cable_taken_away_suspends_it(self):
        self.points("PowerPathClosed", "Authorized")
        self.set("TxCtrlr", "StopTxOnEVSideDisconnect", "false")
        self.plug_in()
        self.present()
        self.heard()
        self.unplug()
        self.assert_events(("Updated", "EVCommunicationLost", "Idle"))
        self.plug_in()
        self.assert_events(
            ("Updated", "CablePluggedIn", "SuspendedEVSE"), ("Updated", CHANGED, "Charging")
        )
        self.unplug()
        self.heard()
        self.run_for(60)
        self.assert_events(("Ended", "EVConnectTimeout", "Idle"))

    def test_a_fault_opens_the_power_path(self):
        self.points("PowerPathClosed", "Authorized")
        self.plug_in()
        self.present()
        self.heard()
        self.station.break_down("GroundFailure")
        self.run_for(1)
        self.assert_events(("Updated", "AbnormalCondition", "SuspendedEVSE"))
        self.station.break_down("")
        self.run_for(1)
        self.assert_events(("Updated", CHANGED, "Charging"))

    def test_a_fault_ends_it(self):
        self.points("PowerPathClosed", "PowerPathClosed")
        self.plug_in()
        self.present()
        self.heard()
        self.station.break_down("GroundFailure")
        self.run_for(1)
        (event,) = self.heard("TransactionEvent")
        self.assertEqual(self.info(event)["stoppedReason"], "Other")

    def test_who_was_authorized_before_power_went_is_not_after(self):
        self.present()
        self.network.result(self.station.stop())
        self.station.start()
        self.run_for(5)
        self.points("Authorized", "Authorized")
        self.present()
        self.assert_events(("Started", "Authorized", "Idle"))


class Told:
    def test_each_message_has_its_number_and_the_token_comes_once(self):
        transaction = self.charge()
        self.run_for(60)
        self.station.present("AA")
        self.run_for(1)
        events = self.heard("TransactionEvent")
        self.assertEqual([each["seqNo"] for each in events], [0, 1, 2, 3])
        self.assertEqual({self.info(each)["transactionId"] for each in events}, {transaction})
        self.assertEqual(["idToken" in each for each in events], [True, False, False, True])
        self.assertEqual(self.info(events[-1])["stoppedReason"], "Local")
        self.assertEqual(self.info(events[-1])["timeSpentCharging"], 61)
        self.assertEqual({each["evse"]["connectorId"] for each in events}, {1})

    def values(self, event: dict[str, Any]) -> list[tuple[str, str, float]]:
        return [
            (each["context"], each["measurand"], each["value"])
            for meter in event.get("meterValue", ())
            for each in meter["sampledValue"]
        ]

    def test_meter_values_are_sampled(self):
        register = "Energy.Active.Import.Register"
        self.set("SampledDataCtrlr", "TxUpdatedInterval", "30")
        self.charge()
        self.run_for(35)
        self.station.present("AA")
        self.run_for(1)
        started, _, sampled, ended = self.heard("TransactionEvent")
        self.assertEqual(self.values(started), [("Transaction.Begin", register, 0.0)])
        self.assertEqual(sampled["triggerReason"], "MeterValuePeriodic")
        self.assertEqual(
            self.values(sampled),
            [
                ("Sample.Periodic", register, 91.667),
                ("Sample.Periodic", "Power.Active.Import", 11_000.0),
            ],
        )
        self.assertEqual(
            [context for context, _, _ in self.values(ended)],
            ["Transaction.Begin", "Transaction.End"],
        )

    def test_the_last_message_has_those_in_between(self):
        self.set("SampledDataCtrlr", "TxUpdatedInterval", "0")
        self.set("SampledDataCtrlr", "TxEndedInterval", "10")
        self.charge()
        self.run_for(3600)
        self.station.present("AA")
        self.run_for(1)
        _, _, ended = self.heard("TransactionEvent")
        contexts = [context for context, _, _ in self.values(ended)]
        self.assertEqual(contexts[0], "Transaction.Begin")
        self.assertEqual(contexts[-1], "Transaction.End")
        self.assertTrue(50 <= len(contexts) <= 102, len(contexts))  # of 360: there is a bound

    def test_aligned_values_come_by_the_clock(self):
        self.charge()
        self.heard()
        self.set("SampledDataCtrlr", "TxUpdatedInterval", "0")
        self.set("AlignedDataCtrlr", "Interval", "900")
        self.run_for(900)
        heard = self.central.heard
        (event,) = [payload for action, payload in heard if action == "TransactionEvent"]
        (values,) = [payload for action, payload in heard if action == "MeterValues"]
        self.assertEqual(event["triggerReason"], "MeterValueClock")
        self.assertEqual(str(event["timestamp"]), "2026-01-01T00:15:00Z")
        self.assertEqual(values["evseId"], 2)
        self.heard()
        self.set("AlignedDataCtrlr", "SendDuringIdle", "true")
        self.run_for(900)
        self.assertEqual(self.heard("TransactionEvent", "MeterValues"), [])

    def test_offline_it_goes_on_and_is_told_later(self):
        self.set("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "true")
        self.set("OCPPCommCtrlr", "RetryBackOffRandomRange", "0")
        self.network.reachable = False
        self.network.cut()
        self.charge()
        self.run_for(60)
        self.assertEqual(self.heard(), [])
        self.network.reachable = True
        self.run_for(200)
        events = self.heard("TransactionEvent")
        self.assertEqual([each.get("offline", False) for each in events[:2]], [True, True])
        self.assertEqual([each["seqNo"] for each in events], list(range(len(events))))
        self.assertFalse(events[-1].get("offline", False))

    def test_what_the_central_system_does_not_take_comes_again(self):
        self.set("OCPPCommCtrlr", "MessageAttemptInterval", "5", "TransactionEvent")
        refused = [True, True]

        def answer(request: Any) -> Any:
            if refused:
                refused.pop()
                raise ValueError("the database is away")
            return self.m.TransactionEventResponse()

        self.central.answers["TransactionEvent"] = answer
        self.charge()
        self.run_for(20)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        self.assertEqual([each["seqNo"] for each in self.heard("TransactionEvent")], [0, 0, 0, 1])

    def test_its_status(self):
        transaction = self.charge()
        ask = "GetTransactionStatus"
        self.assertEqual(
            self.ask(ask, transactionId=transaction),
            {"ongoingIndicator": True, "messagesInQueue": False},
        )
        self.assertEqual(self.ask(ask), {"messagesInQueue": False})
        self.station.present("AA")
        self.run_for(1)
        self.assertEqual(
            self.ask(ask, transactionId=transaction),
            {"ongoingIndicator": False, "messagesInQueue": False},
        )
        self.assertEqual(self.voice.telling.known, {})

    def test_costs_are_kept(self):
        transaction = self.charge()
        self.assertEqual(self.ask("CostUpdated", totalCost=3.5, transactionId=transaction), {})
        self.assertEqual(self.voice.telling.known[transaction].cost, 3.5)

    def test_without_power_it_ends_when_power_is_back(self):
        self.charge()
        self.heard()
        self.network.result(self.station.stop())
        energy = self.station.outlets[0].energy
        self.run_for(600)
        self.assertEqual(self.station.outlets[0].energy, energy)
        self.assertEqual(self.heard("TransactionEvent"), [])
        self.station.start()
        self.run_for(5)
        (event,) = self.heard("TransactionEvent")
        self.assertEqual(event["eventType"], "Ended")
        self.assertEqual(self.info(event)["stoppedReason"], "PowerLoss")
        self.assertIsNone(self.voice.evses[0].transaction)


class InvalidTokens:
    def charge_with_a_token_that_proves_bad(self) -> None:
        def answer(request: Any) -> Any:
            if not hasattr(request.idToken, "idToken"):
                return self.m.TransactionEventResponse()
            info = self.m.IdTokenInfoType(status="Invalid")
            return self.m.TransactionEventResponse(idTokenInfo=info)

        self.central.answers["TransactionEvent"] = answer
        self.station.plug_in()
        self.station.present("AA")
        self.run_for(1)

    def test_it_is_stopped(self):
        self.charge_with_a_token_that_proves_bad()
        *_, event = self.heard("TransactionEvent")
        self.assertEqual((event["eventType"], event["triggerReason"]), ("Ended", "Deauthorized"))
        self.assertEqual(self.info(event)["stoppedReason"], "DeAuthorized")
        self.assertEqual(self.station.outlets[0].flow, 0)

    def test_it_is_suspended(self):
        self.set("TxCtrlr", "StopTxOnInvalidId", "false")
        self.charge_with_a_token_that_proves_bad()
        self.run_for(10)
        states = [state for _, _, state in self.events()]
        self.assertEqual(states, ["SuspendedEVSE", "Charging", "SuspendedEVSE"])
        self.assertEqual(self.station.outlets[0].flow, 0)

    def test_it_gets_so_much(self):
        self.set("TxCtrlr", "StopTxOnInvalidId", "false")
        self.set("TxCtrlr", "MaxEnergyOnInvalidId", "500")
        self.charge_with_a_token_that_proves_bad()
        self.assertGreater(self.station.outlets[0].flow, 0)
        self.run_for(3600)
        self.assertAlmostEqual(self.station.outlets[0].energy, 500, 3)
        self.assertIsNotNone(self.voice.evses[0].transaction)


class Resumed(Case):
    version = "2.1"

    def test_after_a_short_time_without_power_it_goes_on(self):
        self.set("TxCtrlr", "ResumptionTimeout", "60")
        transaction = self.charge()
        self.heard()
        self.network.result(self.station.stop())
        self.run_for(30)
        self.station.start()
        self.run_for(5)
        events = self.heard("TransactionEvent")
        self.assertEqual([each["triggerReason"] for each in events], ["TxResumed", CHANGED])
        self.assertEqual({self.info(each)["transactionId"] for each in events}, {transaction})
        self.assertGreater(self.station.outlets[0].flow, 0)
        self.run_for(60)
        events = self.heard("TransactionEvent")
        self.assertEqual([each["triggerReason"] for each in events], ["MeterValuePeriodic"])


globals().update(each(StartAndStop))
globals().update(each(Told))
globals().update(each(InvalidTokens))
