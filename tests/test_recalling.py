"""What a plug-in still knows of a charge point that reconnects after a restart."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ocpp_twisted import quirks, v16
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import RecordsUnavailable
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IKnowsChargePoints, KnownChargePoint
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.registration import Status
from tests.support import Wire, online

BEAT = '[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Faulted"}]'
REFUSED = '[4,"1","SecurityError","BootNotification has not been accepted",{}]'
PENDING = KnownChargePoint(
    registration="Pending", boot={"chargePointVendor": "v", "chargePointModel": "m"}
)


@implementer(IKnowsChargePoints)
class Archive(ActionPlugin):
    """Knows charge points, after a while.

    :ivar asked: the Deferreds of those who have asked.
    """

    name = "archive"

    def __init__(self) -> None:
        self.asked: list[Deferred[KnownChargePoint | None]] = []

    def known_charge_point(self, identity: Identity) -> Deferred[KnownChargePoint | None]:
        self.asked.append(Deferred())
        return self.asked[-1]

    @on(v16.StatusNotificationRequest)
    def status(self, charge_point: Any, request: Any) -> v16.StatusNotificationResponse:
        return v16.StatusNotificationResponse()


class RecallingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.archive = Archive()
        self.central_system = CentralSystem([ActionPlugin(), self.archive], self.clock)

    def reconnects(self) -> Wire:
        wire = online(self.central_system)
        wire.says(BEAT)
        return wire

    def test_what_it_says_waits(self) -> None:
        wire = self.reconnects()
        self.assertEqual([], wire.hears())
        self.assertTrue(wire.transport.paused)
        self.archive.asked[0].callback(PENDING)
        self.assertEqual([REFUSED], wire.hears())
        self.assertFalse(wire.transport.paused)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_what_it_says_is_read_by_what_is_known(self) -> None:
        profile = quirks.parse('[[profile]]\nvendor = "v"\nrepair = "number-as-string"')
        self.central_system = CentralSystem([self.archive], self.clock, quirks=profile)
        wire = online(self.central_system)
        wire.says(BEAT.replace('"connectorId":1', '"connectorId":"1"'))
        wire.says("[2]")
        wire.says('[2,"2","Nothing",{}]')
        self.assertEqual([], wire.hears())
        self.archive.asked[0].callback(KnownChargePoint(registration="Accepted", boot=PENDING.boot))
        result, error = wire.hears()
        self.assertEqual('[3,"1",{}]', result)
        self.assertIn('[4,"2","NotImplemented"', error)

    def test_nobody_knows_it(self) -> None:
        wire = self.reconnects()
        self.archive.asked[0].callback(None)
        self.assertEqual(['[3,"1",{}]'], wire.hears())

    def test_the_records_cannot_be_reached(self) -> None:
        wire = self.reconnects()
        self.archive.asked[0].errback(RecordsUnavailable("the disk is gone"))
        self.assertEqual(['[3,"1",{}]'], wire.hears())

    def test_the_records_say_nothing(self) -> None:
        wire = self.reconnects()
        self.clock.advance(1.9)
        self.assertEqual([], wire.hears())
        self.clock.advance(0.2)
        self.assertEqual(['[3,"1",{}]'], wire.hears())

    def test_the_server_stops_meanwhile(self) -> None:
        wire = self.reconnects()
        wire.says(BEAT.replace('"1"', '"2"'))
        self.central_system.stop(10.0)
        self.assertIsNone(wire.transport.closed)
        self.archive.asked[0].callback(None)
        self.assertEqual(['[3,"1",{}]', '[3,"2",{}]'], wire.hears())
        self.assertEqual((1001, "the central system stops"), wire.transport.closed)

    def test_what_was_decided_meanwhile_counts_more(self) -> None:
        wire = online(self.central_system)
        self.central_system.register("CP1", "Rejected")
        self.archive.asked[0].callback(PENDING)
        self.assertIs(Status.REJECTED, wire.connection.registration)

    def test_it_is_gone_before_that_is_known(self) -> None:
        wire = self.reconnects()
        wire.connection.lost("gone")
        self.archive.asked[0].callback(PENDING)
        self.assertEqual([], wire.hears())

    def test_what_is_known_is_not_asked_for_again(self) -> None:
        wire = self.reconnects()
        self.archive.asked[0].callback(PENDING)
        wire.connection.lost("gone")
        again = self.reconnects()
        self.assertEqual(1, len(self.archive.asked))
        self.assertEqual([REFUSED], again.hears())
