"""Meter values of OCPP 1.6: sampled, aligned to the clock, and in StopTransaction."""

from __future__ import annotations

from datetime import UTC, datetime

from ocpp_twisted.simulator.physical import Vehicle
from tests.simulator.case16 import Case


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
        locations = [each.location for each in second.meterValue[0].sampledValue]
        self.assertEqual({*locations[:-1]}, {"Outlet"})
        self.assertEqual(locations[-1], "EV")

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
        self.sets(MeterValuesAlignedData="Energy.Active.Import.Interval")
        self.run_(900)
        self.says("Meter 1 1 900", "Meter 2 0")

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
