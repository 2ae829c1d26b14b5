"""What an operator enters as Rejected can do nothing from then on."""

from __future__ import annotations

import json

from twisted.internet.defer import fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import CallNotAllowed, NotConnected, RecordsUnavailable
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.local.store.writer import Immediate
from tests.plugins.local.databases import empty_database
from tests.support import Wire, online

BOOT = '[2,"boot","BootNotification",{"chargePointVendor":"v","chargePointModel":"m"}]'
HEARTBEAT = '[2,"beat","Heartbeat",{}]'


class RejectedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = Immediate(empty_database())
        self.start()

    def start(self, **config: str) -> None:
        """A server, perhaps another one, on the same records."""
        self.plugin = LocalPlugin(store=self.store)
        self.central_system = CentralSystem([self.plugin], Clock())
        self.plugin.start(self.central_system, config)

    def decides(self, admission: str) -> None:
        self.successResultOf(self.plugin.put_charge_point("CP1", admission))

    def told(self, wire: Wire, message: str) -> str:
        """The status of an answer, an error code, or the type of the answer."""
        wire.says(message)
        (answer,) = wire.hears()
        frame = json.loads(answer)
        word: str = frame[2] if frame[0] == 4 else frame[2].get("status", "answered")
        return word

    def accepted(self) -> Wire:
        wire = online(self.central_system)
        self.assertEqual("Accepted", self.told(wire, BOOT))
        return wire

    def shut_out(self, wire: Wire) -> None:
        self.assertEqual("SecurityError", self.told(wire, HEARTBEAT))
        called = self.central_system.call("CP1", v16.ClearCacheRequest())
        self.failureResultOf(called, CallNotAllowed)

    def test_its_connection_is_closed_and_its_gate_too(self) -> None:
        wire = self.accepted()
        queued = [self.central_system.call("CP1", v16.ClearCacheRequest()) for _ in range(2)]
        self.decides("Rejected")
        self.assertEqual((1008, "rejected by the operator"), wire.transport.closed)
        self.failureResultOf(queued[1], CallNotAllowed)
        self.failureResultOf(queued[0])
        wire.connection.lost("closed")
        again = online(self.central_system)
        self.shut_out(again)
        # Also for the same BootNotification, which had another answer before.
        self.assertEqual("Rejected", self.told(again, BOOT))
        self.shut_out(again)

    def test_one_that_is_not_connected(self) -> None:
        self.accepted().connection.lost("gone")
        self.decides("Rejected")
        self.shut_out(online(self.central_system))

    def test_after_a_restart(self) -> None:
        self.decides("Rejected")
        self.start()
        self.plugin.heed_rejected()
        self.shut_out(online(self.central_system))

    def test_another_process_is_told(self) -> None:
        wire = self.accepted()
        other = LocalPlugin(store=self.store)
        for admission in ("Rejected", "Accepted"):
            self.successResultOf(other.put_charge_point("CP1", admission))
            self.plugin.heed_rejected()
            wire.connection.lost("closed")
            wire = online(self.central_system)
            if admission == "Rejected":
                self.shut_out(wire)
        self.assertEqual("answered", self.told(wire, HEARTBEAT))

    def test_let_in_again(self) -> None:
        for decide in (
            lambda: self.decides("Accepted"),
            lambda: self.successResultOf(self.plugin.delete_charge_point("CP1")),
        ):
            self.accepted()
            self.decides("Rejected")
            wire = online(self.central_system)
            self.shut_out(wire)
            decide()
            self.assertEqual("answered", self.told(wire, HEARTBEAT))
            self.assertIsNone(wire.transport.closed)
            called = self.central_system.call("CP1", v16.ClearCacheRequest())
            called.addErrback(lambda failure: None)  # the next one takes its place
            self.assertEqual(1, len(wire.hears()))

    def test_forgotten_where_only_those_entered_may_come(self) -> None:
        self.start(charge_points="known")
        self.decides("Rejected")
        wire = online(self.central_system)
        self.successResultOf(self.plugin.delete_charge_point("CP1"))
        self.shut_out(wire)

    def test_what_is_not_rejected_counts_from_the_next_boot_on(self) -> None:
        wire = self.accepted()
        for admission in ("Pending", "Accepted"):
            self.decides(admission)
            self.assertEqual("answered", self.told(wire, HEARTBEAT))
        self.assertIsNone(wire.transport.closed)

    def test_nobody_to_reject(self) -> None:
        self.decides("Rejected")
        self.plugin.heed_rejected()
        self.patch(self.store, "run", lambda *job: fail(RecordsUnavailable("away")))
        self.plugin.heed_rejected()


class RegisterTests(SynchronousTestCase):
    """`IActiveCaller.register`."""

    def test_who_has_never_been_here(self) -> None:
        system = CentralSystem([], Clock())
        self.successResultOf(system.register("CP1", "Rejected"))
        online(system)
        self.successResultOf(system.register("CP1", "Rejected"))
        refused = system.call("CP1", v16.ClearCacheRequest())
        self.failureResultOf(refused, CallNotAllowed)
        self.failureResultOf(system.call("CP2", v16.ClearCacheRequest()), NotConnected)
