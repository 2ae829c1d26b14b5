"""A simulated charge point of 2.x to which anything happens in any order.

Whatever that is: it answers all that the central system asks, each transaction is told once from
its begin to its end, nothing flows without somebody who may charge, and no timer outlasts it.
`OCPP_TEST_LONG=20` plays twenty times as many games.
"""

from __future__ import annotations

import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from ocpp_twisted.errors import OCPPError
from ocpp_twisted.simulator.physical import Vehicle
from tests.simulator.case2 import each

GAMES = 6 * int(os.environ.get("OCPP_TEST_LONG", "1"))
TOKENS = ("RED", "GREEN", "BAD", "MUM", "DAD")
POINTS = ("Authorized", "EVConnected", "PowerPathClosed", "EnergyTransfer")


class Life:
    def test_anything_in_any_order(self):
        for seed in range(GAMES):
            if seed:
                self.doCleanups()
                self.setUp()
            try:
                self.play(Random(seed))
            except BaseException:
                print(f"game {seed}")
                raise

    def play(self, random: Random) -> None:
        self.random = random
        self.central.answers["Authorize"] = lambda request: self.m.AuthorizeResponse(
            idTokenInfo=self.info_of(request.idToken)
        )
        self.central.answers["TransactionEvent"] = self.takes
        self.events: dict[str, dict[int, Any]] = defaultdict(dict)
        happenings = [
            getattr(self, name)
            for name, weight in (
                ("plugs", 8),
                ("presents", 8),
                ("waits", 10),
                ("breaks", 2),
                ("is_cut", 1),
                ("loses_power", 1),
                ("is_asked", 14),
            )
            for _ in range(weight)
        ]
        for _ in range(120):
            random.choice(happenings)()
            self.is_sound()
        self.settles_up()

    def info_of(self, token: Any) -> Any:
        kind = self.m.GroupIdTokenType if self.version == "2.0" else self.m.IdTokenType
        family = token.idToken in ("MUM", "DAD")
        group = {"groupIdToken": kind(idToken="family", type="Central")} if family else {}
        status = "Blocked" if token.idToken == "BAD" else "Accepted"
        return self.m.IdTokenInfoType(status=status, **group)

    def takes(self, request: Any) -> Any:
        """A TransactionEvent; some tokens prove bad only here."""
        if hasattr(request.idToken, "idToken") and request.idToken.idToken == "GREEN":
            status = self.random.choice(["Accepted", "Invalid"])
            return self.m.TransactionEventResponse(
                idTokenInfo=self.m.IdTokenInfoType(status=status)
            )
        return self.m.TransactionEventResponse()

    def is_sound(self) -> None:
        for evse in self.voice.evses:
            if evse.permit is None or evse.suspended or evse.outlet.fault:
                self.assertEqual(evse.outlet.flow, 0)
        for event in self.heard("TransactionEvent"):
            known = self.events[self.info(event)["transactionId"]]
            number = event["seqNo"]
            if number in known:  # the answer was lost
                self.assertEqual(known[number]["timestamp"], event["timestamp"])
            self.assertEqual(event["eventType"] == "Started", number == 0)
            known[number] = event

    def settles_up(self) -> None:
        """In the end all transactions are over, and the central system knows it."""
        self.network.reachable = True
        self.network.result(self.station.stop())
        self.run_for(100)
        self.station.start()
        self.run_for(3600)
        for number in (1, 2):
            self.station.unplug(number)
        self.set("TxCtrlr", "TxStopPoint", "EVConnected,Authorized")
        self.network.result(self.station.stop())
        self.run_for(100)
        self.station.start()
        self.run_for(3600)
        self.is_sound()
        self.assertEqual(self.station.charge_point.queued, 0)
        self.assertEqual(self.voice.telling.known, {})
        for known in self.events.values():
            self.assertEqual(sorted(known), list(range(len(known))))
            kinds = [known[number]["eventType"] for number in sorted(known)]
            self.assertEqual(kinds[1:-1], ["Updated"] * len(kinds[1:-1]))
            self.assertEqual(kinds[-1], "Ended")
            times = [datetime.fromisoformat(known[number]["timestamp"]) for number in sorted(known)]
            self.assertEqual(times, sorted(times))

        self.assertGreater(len(self.events), 0)
        self.network.result(self.station.stop())
        self.run_for(1)
        waiting = [call.func.__module__ for call in self.network.clock.getDelayedCalls()]
        self.assertEqual([each for each in waiting if "simulator" in each], [])

    # -- what happens -------------------------------------------------------------------------

    def plugs(self) -> None:
        number = self.random.choice([1, 2])
        if self.station.outlet(number).vehicle is None:
            charge = self.random.choice([0, 50_000, 59_999, 60_000])
            self.station.plug_in(number, Vehicle(charge=charge))
        else:
            self.station.unplug(number)

    def presents(self) -> None:
        self.station.present(self.random.choice(TOKENS), self.random.choice([1, 2]))

    def waits(self) -> None:
        self.run_for(self.random.choice([0, 0, 1, 20, 150, 1000]))

    def breaks(self) -> None:
        fault = self.random.choice(["", "", "GroundFailure"])
        self.station.break_down(fault, self.random.choice([1, 2]))

    def is_cut(self) -> None:
        self.random.choice([self.plugs, self.presents])()
        self.network.clock.advance(0)
        self.network.reachable = self.random.choice([True, False])
        if "CP1" in self.network.central_system.charge_points:
            self.network.cut()
        self.run_for(self.random.choice([0, 100]))
        self.network.reachable = True

    def loses_power(self) -> None:
        self.station.stop()
        self.waits()
        self.station.start()

    def is_asked(self) -> None:
        name, fields = self.random.choice(self.requests())
        request = getattr(self.m, f"{name}Request")(**fields)
        try:
            self.answer(request)
        except OCPPError as error:
            self.assertNotIn("InternalError", str(error), request)
        self.assertEqual(self.flushLoggedErrors(), [], request)

    def requests(self) -> list[tuple[str, dict[str, Any]]]:
        random, m, number = self.random, self.m, self.random.choice([1, 2])
        now = datetime.fromtimestamp(self.network.clock.seconds(), UTC)
        token = self.token(random.choice(TOKENS))
        until = now + timedelta(seconds=random.choice([-1, 10, 500]))
        old = self.version == "2.0"
        reservation = {"id": random.choice([1, 2]), "expiryDateTime": until}
        schedule = m.ChargingScheduleType(
            chargingRateUnit="W",
            chargingSchedulePeriod=[
                m.ChargingSchedulePeriodType(startPeriod=0, limit=random.choice([0, 5000])),
                m.ChargingSchedulePeriodType(startPeriod=60, limit=3000),
            ],
            **({} if old else {"id": 1}),
        )
        profile = m.ChargingProfileType(
            id=number,
            stackLevel=0,
            chargingProfilePurpose="TxDefaultProfile",
            chargingProfileKind="Relative",
            chargingSchedule=schedule if old else [schedule],
        )
        firmware = m.FirmwareType(location="https://f/a.bin", retrieveDateTime=now)
        settings = [
            ("TxCtrlr", "TxStartPoint", ",".join(random.sample(POINTS, 2))),
            ("TxCtrlr", "TxStopPoint", ",".join(random.sample(POINTS, 2))),
            ("TxCtrlr", "EVConnectionTimeOut", random.choice(["0", "30"])),
            ("TxCtrlr", "StopTxOnEVSideDisconnect", random.choice(["true", "false"])),
            ("TxCtrlr", "StopTxOnInvalidId", random.choice(["true", "false"])),
            ("TxCtrlr", "MaxEnergyOnInvalidId", random.choice(["0", "100"])),
            ("AuthCtrlr", "LocalPreAuthorize", random.choice(["true", "false"])),
            ("AuthCtrlr", "OfflineTxForUnknownIdEnabled", random.choice(["true", "false"])),
            ("SampledDataCtrlr", "TxUpdatedInterval", random.choice(["0", "60"])),
            ("SampledDataCtrlr", "TxEndedInterval", random.choice(["0", "60"])),
            ("AlignedDataCtrlr", "Interval", random.choice(["0", "900"])),
        ]
        component, variable, value = random.choice(settings)
        set_variable = m.SetVariableDataType(
            component=m.ComponentType(name=component),
            variable=m.VariableType(name=variable),
            attributeValue=value,
        )
        transactions = [each.transaction.id for each in self.voice.evses if each.transaction]
        return [
            *[("SetVariables", {"setVariableData": [set_variable]})] * 6,
            (
                "RequestStartTransaction",
                {"idToken": token, "remoteStartId": 1, "evseId": number},
            ),
            (
                "RequestStopTransaction",
                {"transactionId": random.choice([*transactions, "another"])},
            ),
            ("Reset", {"type": random.choice(["Immediate", "OnIdle"])}),
            *([] if old else [("Reset", {"type": "Immediate", "evseId": number})]),
            ("UnlockConnector", {"evseId": number, "connectorId": 1}),
            (
                "ChangeAvailability",
                {
                    "operationalStatus": random.choice(["Operative", "Operative", "Inoperative"]),
                    **({"evseId": number} if old else {"evse": m.EVSEType(id=number)}),
                },
            ),
            (
                "ReserveNow",
                {
                    "idToken": token,
                    **(
                        {
                            "reservation": m.ReservationType(
                                evse=m.EVSEType(id=number), **reservation
                            )
                        }
                        if old
                        else {"evseId": number, **reservation}
                    ),
                },
            ),
            ("CancelReservation", {"reservationId": random.choice([1, 2])}),
            ("SetChargingProfile", {"evseId": number, "chargingProfile": profile}),
            ("TriggerMessage", {"requestedMessage": "TransactionEvent"}),
            ("UpdateFirmware", {"requestId": 1, "firmware": firmware}),
            ("ClearCache", {}),
        ]


globals().update(each(Life))
