"""Control from afar in 2.x: start, stop, unlock, trigger, reset (blocks B and F)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred

from tests.simulator.case2 import Case, each


class Control:
    def start(self, token: str = "AA", number: int | None = 1, **more: Any) -> dict[str, Any]:
        where = {} if number is None else {"evseId": number}
        answer: dict[str, Any] = self.ask(
            "RequestStartTransaction",
            idToken=self.token(token),
            remoteStartId=42,
            **where,
            **more,
        )
        self.run_for(1)
        return answer

    def test_start_then_the_cable(self):
        self.assertEqual(self.start()["status"], "Accepted")
        (status,) = self.heard("StatusNotification")
        self.assertEqual(status["connectorStatus"], "Occupied")
        self.station.plug_in()
        self.run_for(1)
        started, _ = self.heard("TransactionEvent")
        self.assertEqual(started["triggerReason"], "RemoteStart")
        self.assertEqual(self.info(started)["remoteStartId"], 42)
        self.assertEqual(started["idToken"]["idToken"], "AA")

    def test_the_cable_then_start(self):
        self.set("TxCtrlr", "TxStartPoint", "EVConnected")
        self.station.plug_in()
        self.run_for(1)
        (event,) = self.heard("TransactionEvent")
        answer = self.start()
        self.assertEqual(answer["transactionId"], self.info(event)["transactionId"])
        event, _ = self.heard("TransactionEvent")
        self.assertEqual((event["eventType"], event["triggerReason"]), ("Updated", "RemoteStart"))

    def test_no_cable_comes(self):
        self.set("TxCtrlr", "TxStartPoint", "Authorized")
        self.start()
        self.run_for(60)
        *_, event = self.heard("TransactionEvent")
        self.assertEqual(
            (event["eventType"], event["triggerReason"]), ("Ended", "EVConnectTimeout")
        )

    def test_any_evse_where_a_car_waits(self):
        self.station.plug_in(2)
        self.assertEqual(self.start(number=None)["status"], "Accepted")
        self.assertGreater(self.station.outlets[1].flow, 0)

    def test_what_cannot_start(self):
        self.assertEqual(self.start(number=3)["status"], "Rejected")
        self.charge()
        self.assertEqual(self.start()["status"], "Rejected")
        self.station.break_down("GroundFailure", 2)
        self.assertEqual(self.start(number=None)["status"], "Rejected")

    def test_it_is_authorized_first_if_that_is_wanted(self):
        self.set("AuthCtrlr", "AuthorizeRemoteStart", "true")
        self.central.answers["Authorize"] = lambda request: self.m.AuthorizeResponse(
            idTokenInfo=self.m.IdTokenInfoType(status="Blocked")
        )
        self.station.plug_in()
        self.assertEqual(self.start()["status"], "Accepted")
        self.assertEqual(self.station.outlets[0].flow, 0)
        self.set("AuthCtrlr", "AuthorizeRemoteStart", "false")
        self.start()
        self.assertGreater(self.station.outlets[0].flow, 0)

    def test_stop(self):
        transaction = self.charge()
        self.heard()
        stop = "RequestStopTransaction"
        self.assertEqual(self.ask(stop, transactionId="another")["status"], "Rejected")
        self.assertEqual(self.ask(stop, transactionId=transaction)["status"], "Accepted")
        self.run_for(1)
        (event,) = self.heard("TransactionEvent")
        self.assertEqual((event["eventType"], event["triggerReason"]), ("Ended", "RemoteStop"))
        self.assertEqual(self.info(event)["stoppedReason"], "Remote")

    def unlock(self, number: int, connector: int) -> str:
        answer = self.ask("UnlockConnector", evseId=number, connectorId=connector)
        status: str = answer["status"]
        return status

    def test_unlock(self):
        refused = self.version == "2.0"
        self.assertEqual(self.unlock(1, 1), "Unlocked")
        for place in ((3, 1), (1, 2)):
            expected = "UnlockFailed" if refused else "UnknownConnector"
            self.assertEqual(self.unlock(*place), expected)
        self.charge()
        expected = "UnlockFailed" if refused else "OngoingAuthorizedTransaction"
        self.assertEqual(self.unlock(1, 1), expected)


class Triggered:
    def trigger(self, message: str, evse: Any = None) -> tuple[str, list[tuple[str, Any]]]:
        """The answer, and what follows it."""
        self.heard()
        more = {} if evse is None else {"evse": evse}
        status = self.ask("TriggerMessage", requestedMessage=message, **more)["status"]
        self.run_for(1)
        return status, list(self.central.heard)

    def test_what_is_idle_says_so(self):
        for message in ("LogStatusNotification", "FirmwareStatusNotification"):
            status, [(action, payload)] = self.trigger(message)
            self.assertEqual((status, action), ("Accepted", message))
            self.assertEqual(payload["status"], "Idle")

    def heartbeats(self) -> int:
        return sum(
            frame.sent_by_charge_point and '"Heartbeat"' in frame.text
            for frame in self.network.frames
        )

    def test_heartbeat(self):
        status, _ = self.trigger("Heartbeat")
        self.assertEqual((status, self.heartbeats()), ("Accepted", 1))

    def test_meter_values(self):
        _, heard = self.trigger("MeterValues")
        self.assertEqual([payload["evseId"] for _, payload in heard], [1, 2])
        _, [(_, payload)] = self.trigger("MeterValues", self.m.EVSEType(id=2))
        self.assertEqual(payload["meterValue"][0]["sampledValue"][0]["context"], "Trigger")

    def test_status(self):
        evse = self.m.EVSEType
        status, [(_, payload)] = self.trigger("StatusNotification", evse(id=2, connectorId=1))
        self.assertEqual((status, payload["evseId"]), ("Accepted", 2))
        for place in (evse(id=2), evse(id=3, connectorId=1), evse(id=1, connectorId=2)):
            self.assertEqual(self.trigger("StatusNotification", place), ("Rejected", []))

    def test_transaction_event(self):
        self.assertEqual(self.trigger("TransactionEvent"), ("Rejected", []))
        self.charge()
        status, [(_, event)] = self.trigger("TransactionEvent")
        self.assertEqual((status, event["triggerReason"]), ("Accepted", "Trigger"))
        self.assertIn("meterValue", event)

    def test_boot_is_not_sent_twice(self):
        self.assertEqual(self.trigger("BootNotification"), ("Rejected", []))

    def test_certificates(self):
        status, [(action, payload)] = self.trigger("SignChargingStationCertificate")
        self.assertEqual((status, action), ("Accepted", "SignCertificate"))
        self.assertIn("BEGIN CERTIFICATE REQUEST", payload["csr"])


class Pending:
    def setUp(self):
        self.status = "Accepted"
        super().setUp()
        self.status = "Pending"
        self.ask("Reset", type="OnIdle")
        self.run_for(5)
        self.heard()

    def boot_status(self, request: Any) -> Any:
        now = datetime.fromtimestamp(self.network.clock.seconds(), UTC)
        return self.m.BootNotificationResponse(currentTime=now, interval=1000, status=self.status)

    def test_it_says_nothing_but_can_be_asked(self):
        self.station.plug_in()
        self.run_for(10)
        self.assertEqual(self.heard(), [])
        self.assertEqual(self.get("TxCtrlr", "EVConnectionTimeOut"), "60")
        self.ask("GetBaseReport", requestId=1, reportBase="SummaryInventory")
        self.run_for(1)
        self.assertEqual(self.heard_actions(), ["NotifyReport"])

    def test_nobody_charges(self):
        self.set("TxCtrlr", "TxStartPoint", "EVConnected")
        self.set("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "true")
        self.station.plug_in()
        self.station.present("AA")
        self.run_for(1)
        self.assertEqual(self.station.outlets[0].flow, 0)
        # Our central system would not send it.
        (handlers,) = self.voice.handlers
        handler = handlers.request_handler(self.version, "RequestStartTransaction")
        start = self.m.RequestStartTransactionRequest(
            idToken=self.token(), remoteStartId=1, evseId=1
        )
        self.assertEqual(handler(None, start).status, "Rejected")
        self.status = "Accepted"
        self.ask("TriggerMessage", requestedMessage="BootNotification")
        self.run_for(1)
        (event,) = self.heard("TransactionEvent")
        self.assertEqual(
            (event["eventType"], event["triggerReason"]), ("Started", "CablePluggedIn")
        )

    def test_unless_they_may(self):
        self.set("TxCtrlr", "TxBeforeAcceptedEnabled", "true")
        self.set("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "true")
        self.station.plug_in()
        self.station.present("AA")
        self.run_for(1)
        self.assertGreater(self.station.outlets[0].flow, 0)

    def test_it_boots_again_when_asked(self):
        self.status = "Accepted"
        answer = self.ask("TriggerMessage", requestedMessage="BootNotification")
        self.assertEqual(answer["status"], "Accepted")
        self.run_for(1)
        boots = [f.text for f in self.network.frames if '"BootNotification",{"ch' in f.text]
        self.assertIn('"reason":"Triggered"', boots[-1])
        self.assertIn("StatusNotification", self.heard_actions())


class TriggeredLater(Case):
    version = "2.1"

    def test_what_is_not_implemented(self):
        answer = self.ask("TriggerMessage", requestedMessage="CustomTrigger", customTrigger="x")
        self.assertEqual(answer["status"], "NotImplemented")


class Resets:
    def reset(self, kind: str, **more: Any) -> str:
        status: str = self.ask("Reset", type=kind, **more)["status"]
        return status

    def boots(self) -> list[str]:
        return [
            frame.text
            for frame in self.network.frames
            if '"BootNotification"' in frame.text and frame.sent_by_charge_point
        ]

    def test_at_once(self):
        self.charge()
        self.heard()
        self.assertEqual(self.reset("Immediate"), "Accepted")
        self.run_for(5)
        (event,) = self.heard("TransactionEvent")
        self.assertEqual(event["eventType"], "Ended")
        self.assertEqual(self.info(event)["stoppedReason"], "ImmediateReset")
        self.assertNotIn("idToken", event)
        self.assertIn('"reason":"RemoteReset"', self.boots()[-1])
        self.assertEqual(len(self.boots()), 2)

    def test_a_central_system_that_does_not_answer(self):
        self.charge()
        self.central.answers["TransactionEvent"] = lambda request: Deferred()
        self.reset("Immediate")
        self.run_for(9)
        self.assertEqual(len(self.boots()), 1)
        self.run_for(2)
        self.assertEqual(len(self.boots()), 2)

    def test_power_goes_before_it_resets(self):
        self.charge()
        self.central.answers["TransactionEvent"] = lambda request: Deferred()
        self.reset("Immediate")
        self.run_for(5)
        self.network.result(self.station.stop())
        self.run_for(60)
        self.assertEqual(len(self.boots()), 1)

    def test_statuses_after_a_reset(self):
        self.station.plug_in(1)
        self.run_for(1)
        self.heard()
        self.assertEqual(self.reset("OnIdle"), "Accepted")
        self.run_for(5)
        statuses = {
            each["evseId"]: each["connectorStatus"] for each in self.heard("StatusNotification")
        }
        self.assertEqual(statuses, {1: "Occupied", 2: "Available"})

    def test_when_idle(self):
        self.charge(number=1)
        self.charge(number=2)
        self.assertEqual(self.reset("OnIdle"), "Scheduled")
        self.station.present("AA", 1)
        self.run_for(5)
        self.assertEqual(len(self.boots()), 1)
        self.station.present("AA", 2)
        self.run_for(5)
        self.assertEqual(len(self.boots()), 2)

    def test_security_events_tell_of_it(self):
        self.reset("OnIdle")
        self.run_for(5)
        kinds = [each["type"] for each in self.heard("SecurityEventNotification")]
        self.assertEqual(kinds, ["ResetOrReboot", "StartupOfTheDevice"])


class ResetsOfEvses:
    def test_at_once(self):
        self.charge()
        self.heard()
        self.assertEqual(self.ask("Reset", type="Immediate", evseId=1)["status"], "Accepted")
        self.run_for(1)
        *_, status = self.heard("StatusNotification")
        self.assertEqual((status["evseId"], status["connectorStatus"]), (1, "Unavailable"))
        self.run_for(10)
        *_, status = self.heard("StatusNotification")
        self.assertEqual((status["evseId"], status["connectorStatus"]), (1, "Occupied"))

    def test_when_idle(self):
        self.charge(number=1)
        self.charge(number=2)
        self.heard()
        self.assertEqual(self.ask("Reset", type="OnIdle", evseId=1)["status"], "Scheduled")
        self.station.present("AA", 1)
        self.run_for(1)
        statuses = [
            (each["evseId"], each["connectorStatus"]) for each in self.heard("StatusNotification")
        ]
        self.assertIn((1, "Unavailable"), statuses)
        self.assertGreater(self.station.outlets[1].flow, 0)

    def test_an_evse_that_there_is_not(self):
        self.assertEqual(self.ask("Reset", type="OnIdle", evseId=3)["status"], "Rejected")


class Resumes(Case):
    version = "2.1"

    def test_a_transaction_goes_on_after_a_reset(self):
        self.set("TxCtrlr", "ResumptionTimeout", "60")
        transaction = self.charge()
        self.heard()
        self.assertEqual(self.ask("Reset", type="ImmediateAndResume")["status"], "Accepted")
        self.run_for(10)
        event, *_ = self.heard("TransactionEvent")
        self.assertEqual(event["triggerReason"], "TxResumed")
        self.assertEqual(event["transactionInfo"]["transactionId"], transaction)


globals().update(each(Control))
globals().update(each(Triggered))
globals().update(each(Pending))
globals().update(each(Resets))
globals().update(each(ResetsOfEvses, "2.0.1", "2.1"))
