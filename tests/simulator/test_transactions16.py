"""Charging by OCPP 1.6: from the cable to StopTransaction."""

from __future__ import annotations

from datetime import UTC, datetime

from ocpp_twisted.simulator.physical import Vehicle
from tests.simulator.case16 import Case, tag_info


class FromCableToCable(Case):
    def test_cable_first(self):
        self.station.plug_in(1)
        self.says("Status 1 Preparing")
        self.station.present("RED", 1)
        self.says("Authorize RED", "Start 1 RED 0", "Status 1 Charging")
        self.run_(30)
        self.station.present("red", 1)  # the same tag: id tags know no capital letters
        self.says("Stop 1 Local red", "Status 1 Finishing")
        self.station.unplug(1)
        self.says("Status 1 Available")

    def test_id_tag_first(self):
        self.station.present("RED", 2)
        self.says("Authorize RED", "Status 2 Preparing")
        self.run_(60)
        self.station.plug_in(2)
        self.says("Start 2 RED 0", "Status 2 Charging")

    def test_the_meter_goes_on(self):
        self.charge(vehicle=Vehicle(power=6000))
        self.run_(600)
        self.heard()
        self.station.present("RED", 1)
        stop = self.heard()[0]
        self.assertEqual(stop.meterStop, 1000)
        self.assertEqual(stop.timestamp, datetime(2026, 1, 1, 0, 10, tzinfo=UTC))
        self.station.unplug(1)
        self.charge("GREEN")
        self.station.present("GREEN", 1)
        self.says("Stop 2 Local GREEN", "Status 1 Finishing")
        self.station.unplug(1)
        self.station.plug_in(1)
        self.heard()
        self.station.present("RED", 1)
        self.says("Authorize RED", "Start 1 RED 1000", "Status 1 Charging")

    def test_another_transaction_without_unplugging(self):
        self.charge()
        self.station.present("RED", 1)
        self.heard()
        self.station.present("GREEN", 1)
        self.says(
            "Authorize GREEN",
            "Status 1 Preparing",
            "Start 1 GREEN 0",
            "Status 1 Charging",
        )

    def test_a_full_battery_suspends(self):
        self.charge(vehicle=Vehicle(power=6000, capacity=1000, charge=900))
        self.run_(61)
        self.says("Meter 1 1 100", "Status 1 SuspendedEV")
        self.assertEqual(self.station.outlet(1).energy, 100)

    def test_who_is_refused_does_not_charge(self):
        self.station.plug_in(1)
        self.heard()
        self.station.present("BAD", 1)
        self.says("Authorize BAD")
        self.assertEqual(self.station.outlet(1).flow, 0)

    def test_somebody_else_cannot_stop_it(self):
        self.charge()
        self.station.present("GREEN", 1)
        self.says()

    def test_somebody_of_the_same_group_can(self):
        self.central.tags["MUM"] = tag_info(parentIdTag="family")
        self.central.tags["DAD"] = tag_info(parentIdTag="FAMILY")
        self.central.tags["AUNT"] = tag_info(parentIdTag="others")
        self.charge("MUM")
        self.station.present("AUNT", 1)
        self.says("Authorize AUNT")
        self.station.present("DAD", 1)
        self.says("Authorize DAD", "Stop 1 Local DAD", "Status 1 Finishing")

    def test_what_is_told_of_who_stops_it_is_remembered(self):
        self.central.stopping = {"RED": tag_info("Expired")}
        self.charge()
        self.station.present("RED", 1)
        self.run_(0)
        self.assertEqual(self.voice.authorizer.known("RED").status, "Expired")

    def test_both_connectors(self):
        self.charge("RED", 1)
        self.charge("GREEN", 2)
        self.station.present("GREEN", 2)
        self.says("Stop 2 Local GREEN", "Status 2 Finishing")
        self.assertEqual(self.state(1), "Charging")


class WhoDoesNotFinish(Case):
    def test_no_cable_in_time(self):
        self.station.present("RED", 1)
        self.heard()
        self.run_(119)
        self.says()
        self.run_(1)
        self.says("Status 1 Available")
        self.station.plug_in(1)
        self.says("Status 1 Preparing")

    def test_no_id_tag_in_time(self):
        self.sets(ConnectionTimeOut=30)
        self.station.plug_in(1)
        self.heard()
        self.run_(30)
        self.says("Status 1 Finishing")
        self.station.present("RED", 1)
        self.says("Authorize RED", "Status 1 Preparing", "Start 1 RED 0", "Status 1 Charging")

    def test_who_shows_his_tag_twice_does_not_want_to_charge(self):
        self.station.present("RED", 1)
        self.heard()
        self.station.present("GREEN", 1)
        self.says()
        self.station.present("RED", 1)
        self.says("Status 1 Available")

    def test_the_time_begins_anew(self):
        self.station.present("RED", 1)
        self.run_(100)
        self.station.present("RED", 1)
        self.run_(10)
        self.station.present("RED", 1)
        self.run_(119)
        self.assertEqual(self.state(), "Preparing")
        self.run_(1)
        self.assertEqual(self.state(), "Available")

    def test_0_is_for_ever(self):
        self.sets(ConnectionTimeOut=0)
        self.station.present("RED", 1)
        self.run_(100_000)
        self.assertEqual(self.state(), "Preparing")


class TheCarDrivesOff(Case):
    """StopTransactionOnEVSideDisconnect, UnlockConnectorOnEVSideDisconnect (4.9, 4.10)."""

    def test_the_transaction_is_stopped_and_the_cable_unlocked(self):
        self.charge()
        self.station.unplug(1)
        self.says(
            "Stop 1 EVDisconnected",
            "Status 1 Finishing EV side disconnected",
            "Status 1 Available",
        )

    def test_the_cable_stays_locked_until_the_owner_comes(self):
        self.sets(UnlockConnectorOnEVSideDisconnect="false")
        self.charge()
        self.station.unplug(1)
        self.says("Stop 1 EVDisconnected", "Status 1 Finishing EV side disconnected")
        self.station.present("GREEN", 1)
        self.says()
        self.station.present("RED", 1)
        self.says("Status 1 Available")

    def test_the_transaction_goes_on_when_he_comes_back(self):
        self.sets(StopTransactionOnEVSideDisconnect="false")
        self.charge()
        self.station.unplug(1)
        self.says("Status 1 SuspendedEV EV side disconnected")
        self.run_(10)
        self.station.plug_in(1)
        self.says("Status 1 Charging")
        self.station.unplug(1)
        self.heard()
        self.station.present("RED", 1)
        self.says("Stop 1 Local RED", "Status 1 Available")

    def test_another_car_comes_that_is_full(self):
        self.sets(StopTransactionOnEVSideDisconnect="false")
        self.charge()
        self.station.unplug(1)
        self.heard()
        self.station.plug_in(1, Vehicle(charge=60_000))
        self.says("Status 1 SuspendedEV")


class AnInvalidTag(Case):
    """StartTransaction says that the id tag is not accepted (errata 3.17)."""

    def setUp(self):
        super().setUp()
        self.central.starting["RED"] = tag_info("Blocked")

    def start(self):
        self.station.plug_in(1)
        self.heard()
        self.station.present("RED", 1)

    def test_it_is_stopped_and_the_cable_locked(self):
        self.start()
        self.says(
            "Authorize RED",
            "Start 1 RED 0",
            "Status 1 Charging",
            "Stop 1 DeAuthorized",
            "Status 1 Finishing",
        )
        self.station.unplug(1)
        self.says()
        self.station.present("GREEN", 1)
        self.says()
        self.station.present("RED", 1)
        self.says("Status 1 Available")

    def test_only_the_energy_stops(self):
        self.sets(StopTransactionOnInvalidId="false")
        self.start()
        self.says("Authorize RED", "Start 1 RED 0", "Status 1 Charging", "Status 1 SuspendedEVSE")
        self.run_(59)
        self.assertEqual(self.station.outlet(1).energy, 0)
        self.station.present("RED", 1)
        self.says("Stop 1 Local RED", "Status 1 Finishing")

    def test_some_energy_is_given_first(self):
        self.sets(MaxEnergyOnInvalidId=100, MeterValueSampleInterval=0)
        self.start()
        self.says("Authorize RED", "Start 1 RED 0", "Status 1 Charging")
        self.run_(32)  # 11 kW
        self.says()
        self.run_(1)
        stop = self.heard()[0]
        self.assertEqual((stop.meterStop, stop.reason), (100, "DeAuthorized"))

    def test_the_energy_is_counted_over_interruptions(self):
        self.sets(MaxEnergyOnInvalidId=100, MeterValueSampleInterval=0)
        self.start()
        self.run_(20)
        for fault in ("GroundFailure", "", "GroundFailure", ""):
            self.station.break_down(fault, 1)
            self.run_(0 if fault else 5)
        self.assertEqual(self.state(), "Charging")
        self.run_(3)
        self.heard()
        self.assertEqual(self.state(), "Finishing")
        self.assertEqual(round(self.station.outlet(1).energy), 100)

    def test_what_is_told_of_it_is_remembered(self):
        self.start()
        self.run_(0)
        self.assertEqual(self.voice.authorizer.known("red").status, "Blocked")

    def test_the_cable_stays_though_the_car_has_gone(self):
        self.sets(StopTransactionOnEVSideDisconnect="false")
        self.network.reachable = False
        self.network.cut()
        self.sets_here(AllowOfflineTxForUnknownId="true")
        self.start()
        self.station.unplug(1)
        self.network.reachable = True
        self.run_(50)
        self.assertEqual(self.state(), "Finishing")
        self.station.present("RED", 1)
        self.assertEqual(self.state(), "Available")

    def test_when_it_is_over_already_nothing_happens(self):
        self.network.reachable = False
        self.network.cut()
        self.sets_here(AllowOfflineTxForUnknownId="true")
        self.start()
        self.station.present("RED", 1)
        self.network.reachable = True
        self.run_(600)
        said = [each.ACTION for each in self.heard()]
        self.assertEqual(said.count("StopTransaction"), 1)

    def sets_here(self, **values):
        for key, value in values.items():
            self.voice.configuration.put(key, value)


class NoId(Case):
    """The central system never tells the id of a transaction (errata 3.18)."""

    def test_messages_about_it_have_minus_1(self):
        self.sets(TransactionMessageAttempts=2, TransactionMessageRetryInterval=10)
        self.central.fails = {"StartTransaction"}
        self.charge()
        self.run_(100)
        self.says("Meter 1 -1 183")
        self.central.fails = set()
        self.station.present("RED", 1)
        self.says("Stop -1 Local RED", "Status 1 Finishing")
