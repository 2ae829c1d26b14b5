"""OCPP 1.6 without a connection, and without power: what is authorized, queued and told later."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from ocpp_twisted import v16
from ocpp_twisted.charge_point import Backoff, ChargePointOptions
from tests.simulator.case16 import Case, tag_info


class Offline(Case):
    options = ChargePointOptions(
        backoff=Backoff(wait_minimum=10, repeat_times=0, random_range=0),
    )

    def go_offline(self):
        self.network.reachable = False
        self.network.cut()
        self.run_(0)

    def go_online(self):
        self.network.reachable = True
        self.run_(10)

    def put(self, **values):
        for key, value in values.items():
            self.voice.configuration.put(key, value)


class WhoMayCharge(Offline):
    """3.5.1 to 3.5.4."""

    def begins(self, tag):
        self.station.present(tag, 1)
        began = self.state() == "Preparing"
        if began:
            self.station.present(tag, 1)
        return began

    def send_list(self, *entries):
        data = [v16.AuthorizationData(idTag=tag, idTagInfo=info) for tag, info in entries]
        request = v16.SendLocalListRequest(
            listVersion=1, updateType=v16.UpdateType.Full, localAuthorizationList=data
        )
        self.assertEqual(self.asks(request).status, "Accepted")

    def test_who_is_unknown_may_not(self):
        self.go_offline()
        self.assertFalse(self.begins("NEW"))

    def test_unless_unknown_ones_may(self):
        self.sets(AllowOfflineTxForUnknownId="true")
        self.send_list(("OUT", tag_info("Invalid")))
        self.station.present("BAD", 1)
        self.run_(0)
        self.go_offline()
        self.assertTrue(self.begins("NEW"))
        self.assertFalse(self.begins("OUT"))
        self.assertFalse(self.begins("BAD"))  # the cache knows better

    def test_who_is_in_the_cache_may(self):
        self.station.present("RED", 1)
        self.run_(0)
        self.station.present("RED", 1)
        self.go_offline()
        self.assertTrue(self.begins("RED"))
        self.put(LocalAuthorizeOffline="false")
        self.assertFalse(self.begins("RED"))
        self.put(LocalAuthorizeOffline="true", AuthorizationCacheEnabled="false")
        self.assertFalse(self.begins("RED"))

    def test_who_is_in_the_list_may_until_he_expires(self):
        expiry = self.voice.now() + timedelta(hours=1)
        self.send_list(("IN", tag_info(expiryDate=expiry)), ("OUT", tag_info("Blocked")))
        self.go_offline()
        self.assertTrue(self.begins("IN"))
        self.assertFalse(self.begins("OUT"))
        self.run_(3600)
        self.assertFalse(self.begins("IN"))

    def test_who_charges_elsewhere_is_valid_in_the_list(self):
        self.send_list(("IN", tag_info("ConcurrentTx")))
        self.go_offline()
        self.assertTrue(self.begins("IN"))

    def test_the_list_comes_before_the_cache(self):
        self.station.present("RED", 1)
        self.run_(0)
        self.station.present("RED", 1)
        self.send_list(("RED", tag_info("Blocked")))
        self.go_offline()
        self.assertFalse(self.begins("RED"))
        self.put(LocalAuthListEnabled="false")
        self.assertFalse(self.begins("RED"))  # what is in the list is not in the cache

    def test_online_nobody_is_asked_about_who_is_known_if_that_is_wanted(self):
        self.sets(LocalPreAuthorize="true")
        self.send_list(("IN", tag_info()), ("OUT", tag_info("Invalid")))
        self.heard()
        self.station.present("IN", 1)
        self.says("Status 1 Preparing")
        self.station.present("OUT", 2)
        self.says("Authorize OUT")

    def test_a_central_system_that_does_not_answer_is_as_good_as_away(self):
        self.sets(AllowOfflineTxForUnknownId="true")
        self.heard()
        self.network.frames.clear()
        self.station.present("NEW", 1)
        self.network.cut()
        self.run_(10)
        self.assertEqual(self.state(), "Preparing")

    def test_a_contradiction_to_the_list_is_told(self):
        """3.5.2: LocalListConflict."""
        self.send_list(("BAD", tag_info()), ("RED", tag_info()))
        self.heard()
        self.station.present("BAD", 1)
        self.says("Authorize BAD", "Status 0 Available LocalListConflict")
        self.station.present("RED", 1)
        self.says("Authorize RED", "Status 1 Preparing")


class WhatIsQueued(Offline):
    def test_a_whole_transaction(self):
        self.sets(AllowOfflineTxForUnknownId="true")
        self.heard()
        self.go_offline()
        self.station.plug_in(1)
        self.station.present("RED", 1)
        self.run_(70)
        self.station.present("RED", 1)
        self.station.unplug(1)
        begun = self.voice.now() - timedelta(seconds=70)
        self.go_online()
        heard = self.heard()
        self.assertEqual(heard[0].timestamp, begun)
        self.central.heard = heard
        self.says("Start 1 RED 0", "Meter 1 1 183", "Stop 1 Local RED")

    def test_the_id_comes_with_an_answer_that_has_not_come_yet(self):
        self.sets(AllowOfflineTxForUnknownId="true")
        self.central.transactions = 41
        self.go_offline()
        self.station.plug_in(1)
        self.station.present("RED", 1)
        self.run_(60)
        self.heard()
        self.go_online()
        frames = [
            json.loads(each.text) for each in self.network.frames if '"MeterValues"' in each.text
        ]
        self.assertEqual([each[3]["transactionId"] for each in frames], [42])
        self.run_(60)
        self.assertEqual(self.voice.transactions.find(42).tag, "RED")

    def test_one_that_goes_on_is_ended_if_its_tag_is_invalid(self):
        self.sets(AllowOfflineTxForUnknownId="true")
        self.heard()
        self.go_offline()
        self.station.plug_in(1)
        self.station.present("NEW", 1)
        self.go_online()
        self.says(
            "Start 1 NEW 0",
            "Status 1 Charging",
            "Stop 1 DeAuthorized",
            "Status 1 Finishing",
        )

    def test_only_the_last_status_is_told_and_only_if_it_is_news(self):
        """4.9, rules 1 and 3."""
        self.go_offline()
        self.station.plug_in(1)
        self.station.unplug(1)
        self.station.plug_in(2)
        self.go_online()
        self.says("Status 2 Preparing")

    def test_a_status_that_may_not_have_been_heard_is_told_again(self):
        self.network.frames.clear()
        self.station.plug_in(1)
        self.go_offline()
        self.go_online()
        self.says("Status 1 Preparing")


class PowerLoss(Offline):
    def off_and_on(self, seconds=600):
        self.station.stop()
        self.run_(seconds)
        self.station.start()
        self.run_(0)

    def test_transactions_end_with_it(self):
        self.charge()
        self.run_(30)
        self.off_and_on()
        heard = self.heard()
        (stop,) = [each for each in heard if each.ACTION == "StopTransaction"]
        self.assertEqual((stop.transactionId, stop.reason, stop.meterStop), (1, "PowerLoss", 91))
        self.assertEqual(stop.timestamp, datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC))
        self.assertEqual(self.state(), "Preparing")  # the cable is still in
        boots = [each for each in self.network.frames if '"BootNotification"' in each.text]
        self.assertEqual(len(boots), 2)

    def test_nothing_is_said_before_the_boot(self):
        self.charge()
        self.network.frames.clear()
        self.off_and_on()
        calls = [
            json.loads(each.text)[2]
            for each in self.network.frames
            if each.sent_by_charge_point and each.text.startswith("[2")
        ]
        self.assertEqual(calls[0], "BootNotification")
        self.assertIn("StopTransaction", calls)

    def test_one_of_which_the_central_system_knows_nothing_yet(self):
        self.sets(AllowOfflineTxForUnknownId="true")
        self.heard()
        self.go_offline()
        self.station.plug_in(1)
        self.station.present("RED", 1)
        self.run_(20)
        self.station.stop()
        self.run_(10)
        self.network.reachable = True
        self.station.start()
        self.run_(0)
        heard = [each for each in self.heard() if each.ACTION.endswith("Transaction")]
        self.central.heard = heard
        self.says("Start 1 RED 0", "Stop 1 PowerLoss")

    def test_without_power_nothing_happens(self):
        self.station.stop()
        self.run_(10)
        self.station.plug_in(1)
        self.station.present("RED", 1)
        self.run_(1000)
        self.says()
        self.station.start()
        self.says("Status 0 Available", "Status 1 Preparing", "Status 2 Available")

    def test_who_has_not_been_accepted_charges_nobody(self):
        """4.2.1: it is usually advisable."""
        self.voice.configuration.put("AllowOfflineTxForUnknownId", "true")
        self.voice.usage.closed = True
        self.station.present("RED", 1)
        self.run_(10)
        self.assertEqual(self.state(), "Available")

    def test_who_has_been_accepted_once_charges_before_he_is_again(self):
        self.sets(AllowOfflineTxForUnknownId="true")
        self.heard()
        self.station.stop()
        self.run_(10)
        self.network.reachable = False
        self.station.start()
        self.station.plug_in(1)
        self.station.present("RED", 1)
        self.run_(10)
        self.assertEqual(self.state(), "Charging")
        self.go_online()
        heard = [each for each in self.heard() if each.ACTION == "StartTransaction"]
        self.assertEqual(len(heard), 1)

    def test_what_was_unavailable_stays_so(self):
        request = v16.ChangeAvailabilityRequest(
            connectorId=1, type=v16.AvailabilityType.Inoperative
        )
        self.asks(request)
        self.heard()
        self.off_and_on()
        self.says("Status 0 Available", "Status 1 Unavailable", "Status 2 Available")
