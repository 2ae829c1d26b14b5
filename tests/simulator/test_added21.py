"""What OCPP 2.1 adds: tariffs, controls of energy resources, event streams, and what is refused."""

from __future__ import annotations

import json
from typing import Any

from tests.simulator.case2 import Case


class Case21(Case):
    version = "2.1"


class Tariffs(Case21):
    def tariff(self, number: str = "T1", currency: str = "EUR", price: float = 0.3) -> Any:
        return self.m.TariffType(
            tariffId=number,
            currency=currency,
            energy=self.m.TariffEnergyType(prices=[self.m.TariffEnergyPriceType(priceKwh=price)]),
        )

    def assigned(self, evse: int = 0) -> list[tuple[str, str, list[int]]]:
        answer = self.ask("GetTariffs", evseId=evse)
        return [
            (each["tariffKind"], each["tariffId"], each["evseIds"])
            for each in answer.get("tariffAssignments", ())
        ]

    def test_of_all_evses_and_of_one(self):
        self.assertEqual(self.ask("GetTariffs", evseId=0), {"status": "NoTariff"})
        for evse, tariff in ((0, self.tariff("T1")), (2, self.tariff("T2"))):
            answer = self.ask("SetDefaultTariff", evseId=evse, tariff=tariff)
            self.assertEqual(answer["status"], "Accepted")
        self.assertEqual(
            self.assigned(), [("DefaultTariff", "T1", [1]), ("DefaultTariff", "T2", [2])]
        )
        self.assertEqual(self.assigned(2), [("DefaultTariff", "T2", [2])])
        self.assertEqual(self.ask("GetTariffs", evseId=3)["status"], "Rejected")
        answer = self.ask("SetDefaultTariff", evseId=3, tariff=self.tariff())
        self.assertEqual(answer["status"], "Rejected")

    def test_a_transaction_has_one(self):
        self.ask("SetDefaultTariff", evseId=0, tariff=self.tariff("T1"))
        transaction = self.charge()
        event, *_ = self.heard("TransactionEvent")
        self.assertEqual(event["transactionInfo"]["tariffId"], "T1")
        answer = self.ask("SetDefaultTariff", evseId=0, tariff=self.tariff("T1", price=0.9))
        self.assertEqual(answer["status"], "DuplicateTariffId")
        change = "ChangeTransactionTariff"
        for number, currency, status in (
            ("x", "EUR", "TxNotFound"),
            (transaction, "USD", "NoCurrencyChange"),
            (transaction, "EUR", "Accepted"),
        ):
            tariff = self.tariff("T2", currency)
            answer = self.ask(change, transactionId=number, tariff=tariff)
            self.assertEqual(answer["status"], status)
        self.run_for(1)
        (event,) = self.heard("TransactionEvent")
        self.assertEqual(event["triggerReason"], "TariffChanged")
        self.assertEqual(event["transactionInfo"]["tariffId"], "T2")
        self.assertIn(("DriverTariff", "T2", [1]), self.assigned())
        self.station.present("AA")
        self.run_for(1)
        self.assertEqual(self.assigned(), [("DefaultTariff", "T1", [1, 2])])

    def test_a_driver_has_his_own(self):
        self.ask("SetDefaultTariff", evseId=0, tariff=self.tariff("T1"))
        self.central.answers["Authorize"] = lambda request: self.m.AuthorizeResponse(
            idTokenInfo=self.m.IdTokenInfoType(status="Accepted"), tariff=self.tariff("D")
        )
        self.charge()
        event, *_ = self.heard("TransactionEvent")
        self.assertEqual(event["transactionInfo"]["tariffId"], "D")
        self.assertIn(("DriverTariff", "D", [1]), self.assigned())

    def clear(self, **which: Any) -> list[tuple[str | None, str]]:
        results = self.ask("ClearTariffs", **which)["clearTariffsResult"]
        return [(each.get("tariffId"), each["status"]) for each in results]

    def test_they_are_cleared(self):
        self.assertEqual(self.clear(), [(None, "NoTariff")])
        self.ask("SetDefaultTariff", evseId=1, tariff=self.tariff("T1"))
        self.ask("SetDefaultTariff", evseId=2, tariff=self.tariff("T2"))
        self.assertEqual(
            self.clear(tariffIds=["T2", "T3"]), [("T2", "Accepted"), ("T3", "NoTariff")]
        )
        self.assertEqual(self.clear(evseId=2), [(None, "NoTariff")])
        self.assertEqual(self.clear(evseId=1), [("T1", "Accepted")])


class Controls(Case21):
    def put(self, number: str, priority: int = 0, default: bool = True) -> dict[str, Any]:
        return self.ask(
            "SetDERControl",
            isDefault=default,
            controlId=number,
            controlType="FreqDroop",
            freqDroop=self.m.FreqDroopType(
                priority=priority,
                overFreq=50.2,
                underFreq=49.8,
                overDroop=5.0,
                underDroop=5.0,
                responseTime=1.0,
            ),
        )

    def reported(self, **which: Any) -> tuple[str, dict[str, list[tuple[str, bool]]]]:
        status = self.ask("GetDERControl", requestId=9, **which)["status"]
        self.run_for(1)
        found: dict[str, list[tuple[str, bool]]] = {}
        for report in self.heard("ReportDERControl"):
            for name, value in report.items():
                if isinstance(value, list):
                    found.setdefault(name, []).extend(
                        (each["id"], each["isSuperseded"]) for each in value
                    )
        return status, found

    def test_the_highest_priority_prevails(self):
        self.assertEqual(self.put("A", 2), {"status": "Accepted"})
        self.assertEqual(self.put("B", 1), {"status": "Accepted", "supersededIds": ["A"]})
        self.assertEqual(self.put("C", 3), {"status": "Accepted"})
        self.assertEqual(
            self.reported(), ("Accepted", {"freqDroop": [("A", True), ("B", False), ("C", True)]})
        )
        self.assertEqual(
            self.ask("ClearDERControl", isDefault=True, controlId="B")["status"], "Accepted"
        )
        self.assertEqual(self.reported(), ("Accepted", {"freqDroop": [("A", False), ("C", True)]}))

    def test_a_curve(self):
        curve = self.m.DERCurveType(
            priority=0, yUnit="PctMaxVar", curveData=[self.m.DERCurvePointsType(x=1.0, y=2.0)]
        )
        ask = {"isDefault": False, "controlId": "V", "controlType": "VoltVar"}
        self.assertEqual(self.ask("SetDERControl", **ask)["status"], "Rejected")
        self.assertEqual(self.ask("SetDERControl", **ask, curve=curve)["status"], "Accepted")
        self.assertEqual(
            self.reported(controlType="VoltVar"), ("Accepted", {"curve": [("V", False)]})
        )

    def test_many_are_reported_in_parts(self):
        for number in range(30):
            self.put(str(number), number)
        status, found = self.reported()
        self.assertEqual((status, len(found["freqDroop"])), ("Accepted", 30))

    def test_there_are_none(self):
        self.assertEqual(self.reported(), ("NotFound", {}))
        self.assertEqual(self.ask("ClearDERControl", isDefault=True)["status"], "NotFound")


class Streams(Case21):
    def open(self, interval: int | None = 30, values: int | None = None) -> int:
        given = {"interval": interval, "values": values}
        data = self.m.SetMonitoringDataType(
            type="Periodic",
            value=10,
            severity=5,
            component=self.m.ComponentType(name="EVSE", evse=self.m.EVSEType(id=1)),
            variable=self.m.VariableType(name="Power"),
            periodicEventStream=self.m.PeriodicEventStreamParamsType(
                **{key: value for key, value in given.items() if value is not None}
            ),
        )
        (result,) = self.ask("SetVariableMonitoring", setMonitoringData=[data])[
            "setMonitoringResult"
        ]
        self.run_for()
        number: int = result["id"]
        return number

    def sent(self) -> list[dict[str, Any]]:
        frames, self.network.frames[:] = list(self.network.frames), []
        return [
            json.loads(frame.text)[3]
            for frame in frames
            if '"NotifyPeriodicEventStream"' in frame.text
        ]

    def test_values_come_at_the_interval(self):
        monitor = self.open()
        (opened,) = self.heard("OpenPeriodicEventStream")
        self.assertEqual(
            opened["constantStreamData"],
            {"id": 1, "params": {"interval": 30}, "variableMonitoringId": monitor},
        )
        self.run_for(60)
        first, _second = self.sent()
        self.assertEqual(
            [each["t"] for each in first["data"]], [0.0, 10.0, 20.0][: len(first["data"])]
        )
        self.assertEqual(first["data"][0]["v"], "0.0")
        self.assertEqual(self.heard("NotifyEvent"), [])

    def test_or_when_there_are_so_many(self):
        self.open(None, 2)
        self.run_for(45)
        self.assertEqual([len(each["data"]) for each in self.sent()], [2, 2])

    def test_they_are_told_of_changed_and_closed(self):
        monitor = self.open()
        get = "GetPeriodicEventStream"
        (stream,) = self.ask(get)["constantStreamData"]
        self.assertEqual(stream["params"], {"interval": 30})
        params = self.m.PeriodicEventStreamParamsType(interval=10)
        adjust = "AdjustPeriodicEventStream"
        self.assertEqual(self.ask(adjust, id=stream["id"], params=params)["status"], "Accepted")
        self.assertEqual(self.ask(adjust, id=99, params=params)["status"], "Rejected")
        self.run_for(35)
        self.assertEqual(len(self.sent()), 3)
        self.ask("ClearVariableMonitoring", id=[monitor])
        self.run_for(60)
        self.assertEqual(self.heard("ClosePeriodicEventStream"), [{"id": stream["id"]}])
        self.assertEqual(self.sent(), [])
        self.assertEqual(self.ask(get), {})
        self.assertEqual(self.timers(), 0)

    def timers(self) -> int:
        return sum(
            "simulator" in call.func.__module__ for call in self.network.clock.getDelayedCalls()
        )

    def test_after_a_reset_it_goes_on(self):
        self.open()
        self.ask("Reset", type="OnIdle")
        self.run_for(5)
        self.sent()
        self.run_for(60)
        self.assertEqual(len(self.sent()), 2)

    def test_not_all_of_a_long_time_is_kept(self):
        self.set("OCPPCommCtrlr", "RetryBackOffRepeatTimes", "0")
        self.open()
        self.network.reachable = False
        self.network.cut()
        self.run_for(12_000)
        self.network.reachable = True
        self.run_for(60)
        message, *_ = self.sent()
        self.assertEqual(len(message["data"]), 1_000)

    def test_a_stream_that_the_central_system_does_not_want(self):
        self.central.answers["OpenPeriodicEventStream"] = lambda request: (
            self.m.OpenPeriodicEventStreamResponse(status="Rejected")
        )
        self.open()
        self.run_for(60)
        self.assertEqual(self.sent(), [])
        self.assertNotEqual(self.heard("NotifyEvent"), [])

    def test_offline_values_wait(self):
        self.set("OCPPCommCtrlr", "RetryBackOffRandomRange", "0")
        self.set("OCPPCommCtrlr", "RetryBackOffRepeatTimes", "0")
        self.open()
        self.network.reachable = False
        self.network.cut()
        self.run_for(50)
        self.network.reachable = True
        self.run_for(15)
        values = [value for each in self.sent() for value in each["data"]]
        self.assertGreaterEqual(len(values), 5)


class Refused(Case21):
    def test_what_there_is_no_hardware_for(self):
        transaction = self.charge()
        now = self.voice.now()
        for answer in (
            self.ask("AFRRSignal", timestamp=now, signal=1),
            self.ask("RequestBatterySwap", idToken=self.token(), requestId=1),
            self.ask(
                "NotifyAllowedEnergyTransfer",
                transactionId=transaction,
                allowedEnergyTransfer=["DC"],
            ),
        ):
            self.assertEqual(answer["status"], "Rejected")
        self.assertEqual(self.ask("NotifyWebPaymentStarted", evseId=1, timeout=60), {})


class Refused20(Case):
    version = "2.0"

    def test_what_there_is_no_hardware_for(self):
        answer = self.ask("Renegotiate15118Schedule", evse=self.m.EVSEType(id=1))
        self.assertEqual(answer, {"status": "Rejected"})
