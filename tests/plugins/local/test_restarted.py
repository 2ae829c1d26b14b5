"""Charge points that reconnect to a server that has been started again, without booting."""

from __future__ import annotations

import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import quirks, v16, v21
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import CallNotAllowed
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IKnowsChargePoints
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.local.store.writer import Immediate
from tests.plugins.local.databases import empty_database
from tests.support import Wire, online

BOOTS = {
    "1.6": '[2,"b","BootNotification",{"chargePointVendor":"Acme","chargePointModel":"m"}]',
    "2.1": (
        '[2,"b","BootNotification",'
        '{"reason":"PowerUp","chargingStation":{"vendorName":"Acme","model":"m"}}]'
    ),
}
STARTS = {
    "1.6": v16.RemoteStartTransactionRequest(idTag="RED"),
    "2.1": v21.RequestStartTransactionRequest(
        remoteStartId=1,
        idToken=v21.IdTokenType(idToken="RED", type="Central"),
    ),
}
HEARTBEAT = '[2,"h","Heartbeat",{}]'
ACME = quirks.parse('[[profile]]\nvendor = "Acme"\nrepair = "number-as-string"')
FAULTY = '[2,"f","StatusNotification",{"connectorId":"1","errorCode":"NoError","status":"Faulted"}]'


class RestartedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = Immediate(empty_database())
        self.start()

    def start(self, **config: str) -> None:
        """A server, perhaps another one, on the same records."""
        self.plugin = LocalPlugin(store=self.store)
        self.central_system = CentralSystem([self.plugin], Clock(), quirks=ACME)
        self.plugin.start(self.central_system, config)
        self.plugin.heed_rejected()

    def decides(self, admission: str) -> None:
        self.successResultOf(self.plugin.put_charge_point("CP1", admission))

    def boots(self, version: str = "1.6") -> Wire:
        wire = online(self.central_system, version=version)
        wire.says(BOOTS[version])
        wire.hears()
        return wire

    def answer(self, wire: Wire, message: str = HEARTBEAT) -> str:
        """An error code, or the type of the answer."""
        wire.says(message)
        (answer,) = wire.hears()
        frame = json.loads(answer)
        word: str = frame[2] if frame[0] == 4 else "answered"
        return word

    def test_pending_it_stays_pending(self) -> None:
        for version in BOOTS:
            self.decides("Pending")
            self.boots(version)
            self.start()
            wire = online(self.central_system, version=version)
            self.assertEqual("SecurityError", self.answer(wire))
            started = self.central_system.call("CP1", STARTS[version])
            self.failureResultOf(started, CallNotAllowed)
            self.decides("Accepted")  # which counts from its next boot on
            self.assertEqual("SecurityError", self.answer(wire))
            wire.says(BOOTS[version])
            wire.hears()
            self.assertEqual("answered", self.answer(wire))

    def test_accepted_it_stays_accepted(self) -> None:
        self.boots()
        self.start()
        wire = online(self.central_system)
        self.assertEqual("answered", self.answer(wire))
        self.assertTrue(wire.connection.registered)

    def test_rejected_and_then_let_in(self) -> None:
        for admission in ("Accepted", "Pending"):
            self.decides("Rejected")
            self.boots()
            self.decides(admission)
            self.start()
            status = online(self.central_system).connection.registration
            self.assertEqual(admission, status.value)

    def test_rejected_and_then_deleted(self) -> None:
        self.decides("Rejected")
        self.boots()
        self.successResultOf(self.plugin.delete_charge_point("CP1"))
        self.start()
        self.assertEqual("answered", self.answer(online(self.central_system)))

    def test_rejected_it_stays_rejected(self) -> None:
        self.decides("Rejected")
        self.start()
        self.assertEqual("SecurityError", self.answer(online(self.central_system)))

    def test_its_makers_quirks_hold(self) -> None:
        self.assertEqual("answered", self.answer(self.boots(), FAULTY))
        self.start()
        self.assertEqual("answered", self.answer(online(self.central_system), FAULTY))

    def test_who_has_never_been_here(self) -> None:
        wire = online(self.central_system)
        self.assertEqual("TypeConstraintViolation", self.answer(wire, FAULTY))
        self.assertEqual("answered", self.answer(wire))

    def test_one_that_was_entered_and_has_not_booted(self) -> None:
        self.decides("Pending")
        self.assertEqual("answered", self.answer(online(self.central_system)))

    def test_what_it_tells_counts_more_than_the_records(self) -> None:
        """It has another vendor's firmware now; the old one's profile is of no use."""
        self.boots()
        self.start()
        wire = online(self.central_system)
        wire.says(BOOTS["1.6"].replace("Acme", "Other"))
        wire.hears()
        self.assertEqual("TypeConstraintViolation", self.answer(wire, FAULTY))
        wire.connection.lost("gone")
        again = online(self.central_system)
        self.assertEqual("TypeConstraintViolation", self.answer(again, FAULTY))

    def test_local_says_that_it_knows(self) -> None:
        self.assertTrue(IKnowsChargePoints.providedBy(self.plugin))
        known = self.plugin.known_charge_point(Identity("nobody"))
        self.assertIsNone(self.successResultOf(known))
