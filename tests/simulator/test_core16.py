"""What a simulated charge point of OCPP 1.6 answers: availability and commands; its statuses."""

from __future__ import annotations

import json

from ocpp_twisted import v16
from ocpp_twisted.ocppj.catalogue import Sender
from tests.simulator.case16 import Case

OPERATIVE, INOPERATIVE = v16.AvailabilityType.Operative, v16.AvailabilityType.Inoperative


class EveryAction(Case):
    def test_every_action_has_an_answer(self):
        asked = []
        for action in v16.CATALOGUE.actions.values():
            if action.sent_by is not Sender.CHARGE_POINT:
                handlers = [
                    each.request_handler("1.6", action.name) for each in self.voice.handlers
                ]
                self.assertEqual(sum(each is not None for each in handlers), 1, action.name)
                asked.append(action.name)
        self.assertEqual(len(asked), 26)


class Availability(Case):
    def change(self, connector, kind):
        request = v16.ChangeAvailabilityRequest(connectorId=connector, type=kind)
        return self.asks(request).status

    def test_one_connector(self):
        self.assertEqual(self.change(1, INOPERATIVE), "Accepted")
        self.says("Status 1 Unavailable")
        self.station.plug_in(1)
        self.station.present("RED", 1)
        self.says()
        self.assertEqual(self.change(1, INOPERATIVE), "Accepted")
        self.says()
        self.assertEqual(self.change(1, OPERATIVE), "Accepted")
        self.says("Status 1 Preparing")

    def test_all(self):
        self.assertEqual(self.change(0, INOPERATIVE), "Accepted")
        self.says("Status 0 Unavailable", "Status 1 Unavailable", "Status 2 Unavailable")
        self.assertEqual(self.change(0, OPERATIVE), "Accepted")
        self.says("Status 0 Available", "Status 1 Available", "Status 2 Available")

    def test_after_the_transaction(self):
        self.charge(number=2)
        self.assertEqual(self.change(2, INOPERATIVE), "Scheduled")
        self.says()
        self.station.present("RED", 2)
        self.says("Stop 1 Local RED", "Status 2 Finishing")
        self.station.unplug(2)
        self.says("Status 2 Unavailable")

    def test_all_of_which_one_is_in_use(self):
        self.charge(number=2)
        self.assertEqual(self.change(0, INOPERATIVE), "Scheduled")
        self.says("Status 0 Unavailable", "Status 1 Unavailable")

    def test_what_was_scheduled_can_be_taken_back(self):
        self.charge()
        self.change(1, INOPERATIVE)
        self.assertEqual(self.change(1, OPERATIVE), "Accepted")
        self.station.present("RED", 1)
        self.station.unplug(1)
        self.says("Stop 1 Local RED", "Status 1 Finishing", "Status 1 Available")

    def test_who_was_about_to_charge_does_not(self):
        self.station.present("RED", 1)
        self.heard()
        self.change(1, INOPERATIVE)
        self.says("Status 1 Available", "Status 1 Unavailable")  # there is no B8

    def test_a_connector_that_is_not_there(self):
        self.assertEqual(self.change(3, INOPERATIVE), "Rejected")
        self.assertEqual(self.change(-1, INOPERATIVE), "Rejected")

    def test_the_answer_comes_before_the_status(self):
        self.network.frames.clear()
        self.change(1, INOPERATIVE)
        self.run_(0)
        ours = [json.loads(each.text) for each in self.network.frames if each.sent_by_charge_point]
        self.assertEqual([each[0] for each in ours], [3, 2])


class Statuses(Case):
    def test_faults(self):
        self.station.break_down("GroundFailure", 1)
        self.says("Status 1 Faulted GroundFailure")
        self.station.break_down("", 1)
        self.says("Status 1 Available")

    def test_a_fault_in_a_transaction(self):
        self.charge()
        self.station.break_down("OverCurrentFailure", 1)
        self.says("Status 1 Faulted OverCurrentFailure")
        self.assertEqual(self.station.outlet(1).flow, 0)
        self.station.break_down("", 1)
        self.says("Status 1 Charging")

    def test_a_fault_that_has_no_word(self):
        self.station.break_down("Mice", 2)
        self.says("Status 2 Faulted OtherError Mice")

    def test_a_car_that_is_not_understood_is_a_warning(self):
        """7.6: it goes to SuspendedEVSE; 4.9: never with Available."""
        self.station.break_down("EVCommunicationError", 1)
        self.says()
        self.station.break_down("", 1)
        self.charge()
        self.station.break_down("EVCommunicationError", 1)
        self.says("Status 1 SuspendedEVSE EVCommunicationError")
        self.station.plug_in(2)
        self.station.break_down("EVCommunicationError", 2)
        self.says("Status 2 Preparing", "Status 2 Preparing EVCommunicationError")
        self.station.break_down("", 1)
        self.says("Status 1 Charging")

    def test_a_status_has_to_last(self):
        self.sets(MinimumStatusDuration=10)
        self.station.plug_in(1)
        self.run_(9)
        self.says()
        self.run_(1)
        self.says("Status 1 Preparing")
        self.station.unplug(1)
        self.run_(5)
        self.station.plug_in(1)
        self.run_(60)
        self.says()
        self.station.unplug(1)
        self.run_(5)
        self.station.present("RED", 1)
        self.run_(1)
        self.station.plug_in(1)
        self.run_(9)
        self.says("Authorize RED", "Start 1 RED 0")
        self.run_(1)
        self.says("Status 1 Charging")


class Commands(Case):
    def test_clear_cache(self):
        self.station.present("RED", 1)
        self.run_(0)
        self.assertIsNotNone(self.voice.authorizer.known("RED"))
        self.assertEqual(self.asks(v16.ClearCacheRequest()).status, "Accepted")
        self.assertIsNone(self.voice.authorizer.known("RED"))
        self.sets(AuthorizationCacheEnabled="false")
        self.assertEqual(self.asks(v16.ClearCacheRequest()).status, "Rejected")

    def test_no_vendor_is_known(self):
        request = v16.DataTransferRequest(vendorId="com.example")
        self.assertEqual(self.asks(request).status, "UnknownVendorId")

    def test_unlock(self):
        self.charge(number=2)
        unlock = v16.UnlockConnectorRequest
        self.assertEqual(self.asks(unlock(connectorId=2)).status, "Unlocked")
        self.says("Stop 1 UnlockCommand", "Status 2 Finishing")
        self.assertEqual(self.asks(unlock(connectorId=1)).status, "Unlocked")
        for number in (0, 3):
            self.assertEqual(self.asks(unlock(connectorId=number)).status, "NotSupported")
        self.station.break_down("ConnectorLockFailure", 1)
        self.assertEqual(self.asks(unlock(connectorId=1)).status, "UnlockFailed")

    def test_unlock_lets_a_locked_cable_go(self):
        self.sets(UnlockConnectorOnEVSideDisconnect="false")
        self.charge()
        self.station.unplug(1)
        self.heard()
        self.asks(v16.UnlockConnectorRequest(connectorId=1))
        self.says("Status 1 Available")


class RemoteTransactions(Case):
    def start(self, tag="RED", **more):
        return self.asks(v16.RemoteStartTransactionRequest(idTag=tag, **more)).status

    def test_the_tag_is_authorized_like_a_local_one(self):
        self.station.plug_in(2)
        self.heard()
        self.assertEqual(self.start(), "Accepted")  # where a cable is
        self.says("Authorize RED", "Start 2 RED 0", "Status 2 Charging")
        self.assertEqual(self.start("BAD", connectorId=1), "Accepted")
        self.says("Authorize BAD")

    def test_it_need_not_be(self):
        self.sets(AuthorizeRemoteTxRequests="false")
        self.assertEqual(self.start(connectorId=1), "Accepted")
        self.says("Status 1 Preparing")
        self.station.plug_in(1)
        self.says("Start 1 RED 0", "Status 1 Charging")

    def test_where_it_cannot_be_it_is_rejected(self):
        self.charge(number=1)
        self.assertEqual(self.start(connectorId=1), "Rejected")
        self.assertEqual(self.start(connectorId=0), "Rejected")
        self.assertEqual(self.start(connectorId=3), "Rejected")
        self.station.break_down("GroundFailure", 2)
        self.assertEqual(self.start(connectorId=2), "Rejected")
        self.assertEqual(self.start(), "Rejected")

    def test_stop(self):
        self.charge()
        stop = v16.RemoteStopTransactionRequest
        self.assertEqual(self.asks(stop(transactionId=2)).status, "Rejected")
        self.assertEqual(self.asks(stop(transactionId=1)).status, "Accepted")
        self.says("Stop 1 Remote", "Status 1 Finishing")
        self.assertEqual(self.asks(stop(transactionId=1)).status, "Rejected")


class Resets(Case):
    def reset(self, kind):
        self.network.frames.clear()
        self.assertEqual(self.asks(v16.ResetRequest(type=kind)).status, "Accepted")
        self.run_(10)

    def calls(self):
        return [
            json.loads(each.text)[2]
            for each in self.network.frames
            if each.sent_by_charge_point and each.text.startswith("[2")
        ]

    def test_a_soft_one_ends_transactions_first(self):
        self.charge()
        self.reset(v16.ResetType.Soft)
        self.says(
            "Stop 1 SoftReset",
            "Status 1 Finishing",
            "Status 0 Available",
            "Status 1 Preparing",
            "Status 2 Available",
        )
        calls = self.calls()
        self.assertLess(calls.index("StopTransaction"), calls.index("BootNotification"))

    def test_a_hard_one_tells_of_them_afterwards(self):
        self.charge()
        self.reset(v16.ResetType.Hard)
        calls = self.calls()
        self.assertLess(calls.index("BootNotification"), calls.index("StopTransaction"))
        stop = next(each for each in self.heard() if each.ACTION == "StopTransaction")
        self.assertEqual((stop.transactionId, stop.reason), (1, "HardReset"))

    def test_a_soft_one_does_not_wait_for_ever(self):
        self.charge()
        self.central.fails = {"StopTransaction"}
        self.reset(v16.ResetType.Soft)
        self.assertNotIn("BootNotification", self.calls())
        self.central.fails = set()
        self.run_(30)
        self.assertIn("BootNotification", self.calls())
        stop = next(each for each in self.heard() if each.ACTION == "StopTransaction")
        self.assertEqual(stop.reason, "SoftReset")

    def test_who_has_plugged_in_has_his_time_again(self):
        self.station.plug_in(1)
        self.run_(100)
        self.reset(v16.ResetType.Hard)
        self.run_(109)
        self.assertEqual(self.state(), "Preparing")
        self.run_(1)
        self.assertEqual(self.state(), "Finishing")

    def test_it_connects_anew(self):
        self.reset(v16.ResetType.Soft)
        self.assertEqual(self.central.connections, 2)

    def test_meanwhile_nobody_begins_who_might(self):
        self.charge()
        self.station.present("GREEN", 2)
        self.run_(0)
        self.central.fails = {"StopTransaction"}
        self.reset(v16.ResetType.Soft)
        self.heard()
        self.station.plug_in(2)
        self.says()

    def test_meanwhile_nobody_begins(self):
        self.charge()
        self.central.fails = {"StopTransaction"}
        self.reset(v16.ResetType.Soft)
        self.heard()
        self.station.plug_in(2)
        self.station.present("GREEN", 2)
        self.says("Status 2 Preparing")
        answer = self.asks(v16.ResetRequest(type=v16.ResetType.Hard))
        self.assertEqual(answer.status, "Rejected")
