"""Statuses, availability and reservations in 2.x (blocks G and H; B04)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulator.case2 import Case, each


class Statuses:
    def statuses(self) -> list[tuple[int, str]]:
        return [
            (each["evseId"], each["connectorStatus"]) for each in self.heard("StatusNotification")
        ]

    def test_they_are_told_of(self):
        self.station.plug_in(2)
        self.run_for(1)
        self.assertEqual(self.statuses(), [(2, "Occupied")])
        self.station.break_down("GroundFailure", 2)
        self.run_for(1)
        self.assertEqual(self.statuses(), [(2, "Faulted")])
        self.station.break_down("", 2)
        self.station.unplug(2)
        self.run_for(1)
        self.assertEqual(self.statuses()[-1], (2, "Available"))

    def away(self, seconds: float) -> None:
        """Without connection for a time, in which a car comes to EVSE 1."""
        self.set("OCPPCommCtrlr", "OfflineThreshold", "60")
        self.set("OCPPCommCtrlr", "RetryBackOffRandomRange", "0")
        self.set("OCPPCommCtrlr", "RetryBackOffRepeatTimes", "0")
        self.heard()
        self.network.reachable = False
        self.network.cut()
        self.station.plug_in(1)
        self.run_for(seconds)
        self.network.reachable = True
        self.run_for(10)

    def test_after_a_short_time_offline_only_what_has_changed(self):
        self.away(20)
        self.assertEqual(self.statuses(), [(1, "Occupied")])

    def test_after_a_long_time_offline_all(self):
        self.away(100)
        self.assertEqual(self.statuses(), [(1, "Occupied"), (2, "Available")])

    # -- availability -------------------------------------------------------------------------

    def change(self, operative: bool, number: int = 0, connector: int | None = None) -> str:
        status = "Operative" if operative else "Inoperative"
        if self.version == "2.0":
            where: dict[str, Any] = {"evseId": number}
        elif number:
            more = {} if connector is None else {"connectorId": connector}
            where = {"evse": self.m.EVSEType(id=number, **more)}
        else:
            where = {}
        answer: str = self.ask("ChangeAvailability", operationalStatus=status, **where)["status"]
        self.run_for(1)
        return answer

    def test_the_whole_station(self):
        self.assertEqual(self.change(False), "Accepted")
        self.assertEqual(self.statuses(), [(1, "Unavailable"), (2, "Unavailable")])
        self.assertEqual(self.get("ChargingStation", "AvailabilityState"), "Unavailable")
        self.station.plug_in(1)
        self.station.present("AA", 1)
        self.run_for(1)
        self.assertEqual(self.heard("Authorize", "TransactionEvent"), [])
        self.assertEqual(self.change(True), "Accepted")
        self.assertEqual(self.statuses(), [(1, "Occupied"), (2, "Available")])

    def test_one_evse(self):
        self.assertEqual(self.change(False, 2), "Accepted")
        self.assertEqual(self.change(False, 2), "Accepted")
        self.assertEqual(self.statuses(), [(2, "Unavailable")])
        self.assertEqual(self.change(False, 3), "Rejected")

    def test_when_the_transaction_has_ended(self):
        self.charge()
        self.heard()
        self.assertEqual(self.change(False), "Scheduled")
        self.assertEqual(self.statuses(), [(2, "Unavailable")])  # which nobody uses
        self.station.present("AA")
        self.run_for(1)
        self.assertEqual(self.statuses(), [(1, "Unavailable")])

    def test_it_lasts_over_a_reset(self):
        self.change(False, 1)
        self.ask("Reset", type="OnIdle")
        self.run_for(5)
        self.assertIn((1, "Unavailable"), self.statuses())

    # -- reservations -------------------------------------------------------------------------

    def reserve(
        self,
        number: int,
        evse: int = 1,
        token: str = "AA",
        seconds: float = 600,
        group: str = "",
        **more: Any,
    ) -> str:
        until = datetime.fromtimestamp(self.network.clock.seconds(), UTC) + timedelta(
            seconds=seconds
        )
        if group:
            more["groupIdToken"] = self.token(group)
        if self.version == "2.0":
            kind = {"connectorCode": more.pop("connectorType")} if "connectorType" in more else {}
            reservation = self.m.ReservationType(
                id=number, evse=self.m.EVSEType(id=evse), expiryDateTime=until, **kind
            )
            more |= {"reservation": reservation}
        else:
            more |= {"id": number, "expiryDateTime": until} | ({"evseId": evse} if evse else {})
        status: str = self.ask("ReserveNow", idToken=self.token(token), **more)["status"]
        self.run_for(1)
        return status

    def test_an_evse_is_kept(self):
        self.assertEqual(self.reserve(1), "Accepted")
        self.assertEqual(self.statuses(), [(1, "Reserved")])
        self.station.plug_in(1)
        self.station.present("BB", 1)
        self.run_for(1)
        self.assertEqual(self.station.outlets[0].flow, 0)
        self.station.present("AA", 1)
        self.run_for(1)
        event, *_ = self.heard("TransactionEvent")
        self.assertEqual(event["reservationId"], 1)
        self.assertEqual(self.heard("ReservationStatusUpdate"), [])

    def test_or_somebody_of_the_group(self):
        self.central.answers["Authorize"] = lambda request: self.m.AuthorizeResponse(
            idTokenInfo=self.m.IdTokenInfoType(
                status="Accepted",
                groupIdToken=(
                    self.m.GroupIdTokenType if self.version == "2.0" else self.m.IdTokenType
                )(idToken="G", type="Central"),
            )
        )
        self.reserve(1, group="G")
        self.charge("BB")
        event, *_ = self.heard("TransactionEvent")
        self.assertEqual(event["reservationId"], 1)

    def test_not_longer_than_asked(self):
        self.reserve(5, seconds=100)
        self.run_for(100)
        (update,) = self.heard("ReservationStatusUpdate")
        self.assertEqual(
            (update["reservationId"], update["reservationUpdateStatus"]), (5, "Expired")
        )
        self.assertEqual(self.voice.state(self.station.outlets[0]), "Available")

    def test_not_if_it_breaks(self):
        self.reserve(5)
        self.station.break_down("GroundFailure")
        self.run_for(1)
        (update,) = self.heard("ReservationStatusUpdate")
        self.assertEqual(update["reservationUpdateStatus"], "Removed")

    def test_cancelled(self):
        self.reserve(5)
        self.heard()
        cancel = "CancelReservation"
        self.assertEqual(self.ask(cancel, reservationId=4)["status"], "Rejected")
        self.assertEqual(self.ask(cancel, reservationId=5)["status"], "Accepted")
        self.run_for(1)
        self.assertEqual(self.statuses(), [(1, "Available")])

    def test_what_cannot_be_kept(self):
        self.assertEqual(self.reserve(1, seconds=-5), "Rejected")
        self.assertEqual(self.reserve(1, evse=3), "Rejected")
        self.assertEqual(self.reserve(1, connectorType="cCCS2"), "Rejected")
        self.assertEqual(self.reserve(1, token="AA"), "Accepted")
        self.assertEqual(self.reserve(2, token="BB"), "Occupied")
        self.assertEqual(self.reserve(1, token="BB"), "Accepted")  # it replaces the first
        self.station.plug_in(2)
        self.assertEqual(self.reserve(2, evse=2), "Occupied")
        self.change(False, 2)
        self.assertEqual(self.reserve(2, evse=2), "Unavailable")
        self.station.break_down("GroundFailure", 2)
        self.assertEqual(self.reserve(2, evse=2), "Faulted")
        self.set("ReservationCtrlr", "Enabled", "false")
        self.assertEqual(self.reserve(1), "Rejected")

    def test_any_evse(self):
        self.assertEqual(self.reserve(1, evse=0), "Accepted")
        self.assertEqual(self.statuses(), [])  # there are two
        self.station.plug_in(1)
        self.run_for(1)
        self.assertEqual(self.statuses(), [(1, "Occupied"), (2, "Reserved")])
        self.station.present("BB", 2)
        self.run_for(1)
        self.assertEqual(self.voice.state(self.station.outlets[1]), "Reserved")


class Connectors(Case):
    def change(self, status: str, connector: int) -> str:
        evse = self.m.EVSEType(id=1, connectorId=connector)
        answer: str = self.ask("ChangeAvailability", operationalStatus=status, evse=evse)["status"]
        self.run_for(1)
        return answer

    def test_a_connector(self):
        self.assertEqual(self.change("Inoperative", 1), "Accepted")
        self.assertEqual(self.voice.state(self.station.outlets[0]), "Unavailable")
        self.assertEqual(self.change("Operative", 1), "Accepted")
        self.assertEqual(self.voice.state(self.station.outlets[0]), "Available")
        self.assertEqual(self.change("Inoperative", 2), "Rejected")


globals().update(each(Statuses))
