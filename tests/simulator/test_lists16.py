"""Local lists and reservations of a simulated charge point of OCPP 1.6."""

from __future__ import annotations

from datetime import timedelta

from ocpp_twisted import v16
from tests.simulator.case16 import Case, tag_info

FULL, DIFFERENTIAL = v16.UpdateType.Full, v16.UpdateType.Differential
INOPERATIVE = v16.AvailabilityType.Inoperative


class LocalLists(Case):
    def send(self, version, kind, **entries):
        request = v16.SendLocalListRequest(
            listVersion=version,
            updateType=kind,
            localAuthorizationList=[
                v16.AuthorizationData(idTag=tag, idTagInfo=info)
                if info is not None
                else v16.AuthorizationData(idTag=tag)
                for tag, info in entries.items()
            ],
        )
        return self.asks(request).status

    def version(self):
        return self.asks(v16.GetLocalListVersionRequest()).listVersion

    def test_a_full_list_and_changes(self):
        self.assertEqual(self.version(), 0)
        self.assertEqual(self.send(5, FULL, A=tag_info(), B=tag_info()), "Accepted")
        self.assertEqual(self.send(6, DIFFERENTIAL, A=None, B=tag_info("Blocked")), "Accepted")
        self.assertEqual(self.version(), 6)
        self.assertIsNone(self.voice.authorizer.known("A"))
        self.assertEqual(self.voice.authorizer.known("b").status, "Blocked")

    def test_an_old_version(self):
        self.send(5, FULL, A=tag_info())
        self.assertEqual(self.send(5, DIFFERENTIAL, A=None), "VersionMismatch")
        self.assertEqual(self.send(1, FULL, A=tag_info()), "Accepted")

    def test_an_empty_list(self):
        self.send(5, FULL, A=tag_info())
        empty = v16.SendLocalListRequest(listVersion=6, updateType=FULL)
        self.assertEqual(self.asks(empty).status, "Accepted")
        self.assertEqual(self.version(), 0)

    def test_what_cannot_be(self):
        for version, kind, entries in (
            (0, FULL, {"A": tag_info()}),
            (-1, FULL, {"A": tag_info()}),
            (1, FULL, {"A": None}),
            (1, FULL, {"A": tag_info(), "a": tag_info()}),
            (1, FULL, {f"T{number}": tag_info() for number in range(101)}),
        ):
            self.assertEqual(self.send(version, kind, **entries), "Failed")
        self.assertEqual(self.version(), 0)

    def test_no_list(self):
        self.sets(LocalAuthListEnabled="false")
        self.assertEqual(self.version(), -1)
        self.assertEqual(self.send(1, FULL, A=tag_info()), "NotSupported")


class Reserving(Case):
    def reserve(self, connector=1, number=1, tag="RED", seconds=600, **more):
        request = v16.ReserveNowRequest(
            connectorId=connector,
            expiryDate=self.voice.now() + timedelta(seconds=seconds),
            idTag=tag,
            reservationId=number,
            **more,
        )
        return self.asks(request).status

    def cancel(self, number=1):
        return self.asks(v16.CancelReservationRequest(reservationId=number)).status


class Reserved(Reserving):
    def test_until_its_time_is_over(self):
        self.assertEqual(self.reserve(seconds=60), "Accepted")
        self.says("Status 1 Reserved")
        self.run_(59)
        self.says()
        self.run_(1)
        self.says("Status 1 Available")

    def test_until_it_is_cancelled(self):
        self.reserve()
        self.assertEqual(self.cancel(2), "Rejected")
        self.assertEqual(self.cancel(1), "Accepted")
        self.says("Status 1 Reserved", "Status 1 Available")
        self.assertEqual(self.cancel(1), "Rejected")

    def test_for_whom_it_is(self):
        self.reserve()
        self.heard()
        self.station.present("GREEN", 1)
        self.says("Authorize GREEN")
        self.station.present("red", 1)
        self.says("Authorize red", "Status 1 Preparing")
        self.station.plug_in(1)
        self.says("Start 1 red 0 reservation 1", "Status 1 Charging")
        self.assertEqual(len(self.voice.reservations), 0)

    def test_a_cable_alone_does_not_use_it(self):
        self.reserve()
        self.heard()
        self.station.plug_in(1)
        self.says()
        self.station.present("RED", 1)
        self.says(
            "Authorize RED",
            "Status 1 Preparing",
            "Start 1 RED 0 reservation 1",
            "Status 1 Charging",
        )

    def test_for_a_group(self):
        self.central.tags["DAD"] = tag_info(parentIdTag="family")
        self.reserve(parentIdTag="FAMILY")
        self.heard()
        self.station.present("DAD", 1)
        self.says("Authorize DAD", "Status 1 Preparing")

    def test_by_remote_start(self):
        self.sets(AuthorizeRemoteTxRequests="false")
        self.reserve()
        start = v16.RemoteStartTransactionRequest
        self.assertEqual(self.asks(start(idTag="GREEN", connectorId=1)).status, "Rejected")
        self.assertEqual(self.asks(start(idTag="RED", connectorId=1)).status, "Accepted")
        self.station.plug_in(1)
        self.says(
            "Status 1 Reserved",
            "Status 1 Preparing",
            "Start 1 RED 0 reservation 1",
            "Status 1 Charging",
        )

    def test_by_remote_start_for_a_group_the_tag_is_authorized(self):
        self.sets(AuthorizeRemoteTxRequests="false")
        self.central.tags["DAD"] = tag_info(parentIdTag="family")
        self.reserve(parentIdTag="family")
        self.heard()
        self.asks(v16.RemoteStartTransactionRequest(idTag="DAD", connectorId=1))
        self.says("Authorize DAD", "Status 1 Preparing")

    def test_where_it_cannot_be(self):
        self.station.plug_in(1)
        self.assertEqual(self.reserve(1), "Occupied")
        self.reserve(2, number=5)
        self.assertEqual(self.reserve(2, number=6), "Occupied")
        self.assertEqual(self.reserve(3), "Rejected")
        self.assertEqual(self.reserve(2, seconds=-1), "Rejected")
        self.station.break_down("GroundFailure", 2)
        self.assertEqual(self.reserve(2), "Faulted")
        self.asks(v16.ChangeAvailabilityRequest(connectorId=1, type=INOPERATIVE))
        self.assertEqual(self.reserve(1), "Unavailable")

    def test_the_same_id_replaces(self):
        self.reserve(1, seconds=60)
        self.assertEqual(self.reserve(1, seconds=600), "Accepted")
        self.run_(100)
        self.says("Status 1 Reserved")
        self.assertEqual(self.reserve(2, seconds=600), "Accepted")
        self.says("Status 1 Available", "Status 2 Reserved")

    def test_a_fault_ends_it(self):
        self.reserve()
        self.station.break_down("GroundFailure", 1)
        self.station.break_down("", 1)
        self.says("Status 1 Reserved", "Status 1 Faulted GroundFailure", "Status 1 Available")

    def test_so_does_unavailability(self):
        self.reserve()
        self.asks(v16.ChangeAvailabilityRequest(connectorId=1, type=INOPERATIVE))
        self.says("Status 1 Reserved", "Status 1 Unavailable")
        self.assertEqual(self.cancel(), "Rejected")


class ReservedSomewhere(Reserving):
    """Connector 0: one of all is kept."""

    def test_one_is_left_for_him(self):
        self.assertEqual(self.reserve(0), "Accepted")
        self.says()
        self.station.present("GREEN", 1)
        self.says("Authorize GREEN", "Status 1 Preparing")
        self.station.present("BLUE", 2)
        self.central.tags["BLUE"] = tag_info()
        self.station.present("BLUE", 2)
        self.says("Authorize BLUE", "Authorize BLUE")
        self.station.present("RED", 2)
        self.station.plug_in(2)
        self.says(
            "Authorize RED",
            "Status 2 Preparing",
            "Start 2 RED 0 reservation 1",
            "Status 2 Charging",
        )

    def test_no_more_than_there_are(self):
        outcomes = [self.reserve(0, number=number) for number in (1, 2, 3)]
        self.assertEqual(outcomes, ["Accepted", "Accepted", "Occupied"])
        self.assertEqual(self.reserve(1, number=4), "Occupied")
        self.assertEqual(self.reserve(0, number=2), "Accepted")

    def test_none_is_left(self):
        self.station.plug_in(1)
        self.station.break_down("GroundFailure", 2)
        self.assertEqual(self.reserve(0), "Occupied")
        self.station.break_down("GroundFailure", 1)
        self.assertEqual(self.reserve(0), "Faulted")
        self.station.break_down("", 1)
        self.station.break_down("", 2)
        self.asks(v16.ChangeAvailabilityRequest(connectorId=0, type=INOPERATIVE))
        self.assertEqual(self.reserve(0), "Unavailable")

    def test_it_ends_when_the_charge_point_is_unavailable(self):
        self.reserve(0)
        self.asks(v16.ChangeAvailabilityRequest(connectorId=0, type=INOPERATIVE))
        self.run_(0)
        self.assertEqual(self.cancel(), "Rejected")
