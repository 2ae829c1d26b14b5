"""Charging by OCPP 1.6: from the cable to StopTransaction, and what is metered meanwhile."""

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


class Metered(Case):
    def test_samples_are_taken_from_the_begin_of_the_transaction(self):
        self.sets(MeterValueSampleInterval=20)
        self.run_(7)
        self.charge(vehicle=Vehicle(power=3600))
        self.run_(19)
        self.says()
        self.run_(21)
        self.says("Meter 1 1 20", "Meter 1 1 40")

    def test_another_interval_counts_at_once(self):
        self.charge(vehicle=Vehicle(power=3600))
        self.run_(25)
        self.sets(MeterValueSampleInterval=10)
        self.run_(5)
        self.says("Meter 1 1 30")
        self.sets(MeterValueSampleInterval=0)
        self.run_(1000)
        self.says()

    def test_all_that_the_meter_has(self):
        self.sets(
            MeterValuesSampledData="Energy.Active.Import.Register,Energy.Active.Import.Interval,"
            "Power.Active.Import,Power.Offered,Current.Import,Current.Offered,Voltage,SoC"
        )
        self.charge(vehicle=Vehicle(power=6900, capacity=10_000, charge=5000))
        self.run_(120)
        first, second = self.heard()
        self.assertEqual(first.meterValue[0].sampledValue[1].value, "115")
        values = [
            (each.measurand, each.phase or "", each.value, each.unit)
            for each in second.meterValue[0].sampledValue
        ]
        self.assertEqual(
            values,
            [
                ("Energy.Active.Import.Register", "", "230", "Wh"),
                ("Energy.Active.Import.Interval", "", "115", "Wh"),
                ("Power.Active.Import", "", "6900", "W"),
                ("Power.Offered", "", "22000", "W"),
                ("Current.Import", "L1", "10", "A"),
                ("Current.Import", "L2", "10", "A"),
                ("Current.Import", "L3", "10", "A"),
                ("Current.Offered", "", "31.9", "A"),
                ("Voltage", "L1-N", "230", "V"),
                ("Voltage", "L2-N", "230", "V"),
                ("Voltage", "L3-N", "230", "V"),
                ("SoC", "", "52.3", "Percent"),
            ],
        )

    def test_the_phases_that_a_car_uses(self):
        self.sets(MeterValuesSampledData="Current.Import,Voltage.L1")
        self.charge(vehicle=Vehicle(power=2300, phases=1))
        self.run_(60)
        (told,) = self.heard()
        values = [(each.phase, each.value) for each in told.meterValue[0].sampledValue]
        self.assertEqual(values, [("L1", "10"), ("L1", "230")])

    def test_clock_aligned_values_of_all_connectors(self):
        self.sets(ClockAlignedDataInterval=900, MeterValueSampleInterval=0)
        self.run_(100)
        self.charge(vehicle=Vehicle(power=3600))
        self.run_(799)
        self.says()
        self.run_(2)
        first, second = self.heard()
        self.assertEqual((first.connectorId, first.transactionId), (1, 1))
        self.assertEqual((second.connectorId, second.transactionId or None), (2, None))
        (value,) = first.meterValue
        self.assertEqual(value.timestamp, datetime(2026, 1, 1, 0, 15, tzinfo=UTC))
        self.assertEqual(value.sampledValue[0].context, "Sample.Clock")
        self.run_(900)
        self.says("Meter 1 1 1700", "Meter 2 0")

    def test_no_clock_aligned_values(self):
        self.sets(ClockAlignedDataInterval=900)
        self.sets(ClockAlignedDataInterval=0)
        self.run_(2000)
        self.says()

    def test_readings_in_stop_transaction(self):
        self.sets(StopTxnSampledData="Energy.Active.Import.Register", MeterValuesSampledData="")
        self.charge(vehicle=Vehicle(power=3600))
        self.run_(130)
        self.station.present("RED", 1)
        stop, _ = self.heard()
        values = [
            (each.sampledValue[0].context, each.sampledValue[0].value)
            for each in stop.transactionData
        ]
        self.assertEqual(
            values,
            [
                ("Transaction.Begin", "0"),
                ("Sample.Periodic", "60"),
                ("Sample.Periodic", "120"),
                ("Transaction.End", "130"),
            ],
        )

    def test_clock_aligned_ones_too(self):
        self.sets(
            StopTxnAlignedData="Power.Active.Import",
            ClockAlignedDataInterval=60,
            MeterValuesAlignedData="",
            MeterValueSampleInterval=0,
        )
        self.run_(30)
        self.charge(vehicle=Vehicle(power=3600))
        self.run_(60)
        self.station.present("RED", 1)
        (data,) = self.heard()[0].transactionData
        self.assertEqual(data.timestamp, datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
        self.assertEqual(data.sampledValue[0].value, "3600")

    def test_without_them_there_are_none(self):
        self.charge()
        self.run_(70)
        self.station.present("RED", 1)
        stop = self.heard()[1]
        self.assertFalse(stop.transactionData)

    def test_the_readings_are_bounded_but_keep_both_ends(self):
        self.sets(StopTxnSampledData="Energy.Active.Import.Register", MeterValueSampleInterval=1)
        self.charge(vehicle=Vehicle(power=3600))
        self.run_(1000)
        self.heard()
        self.station.present("RED", 1)
        data = self.heard()[0].transactionData
        self.assertLessEqual(len(data), 101)
        contexts = [each.sampledValue[0].context for each in (data[0], data[-1])]
        self.assertEqual(contexts, ["Transaction.Begin", "Transaction.End"])


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
