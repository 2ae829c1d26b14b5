"""What is to be shared while nobody can keep it. With NATS: tests/nats/test_shared.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ocpp_twisted import v16
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import RecordsUnavailable
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import ISharedMemory
from ocpp_twisted.plugin import ActionPlugin, on
from tests.support import online

STATUS = '[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Faulted"}]'


@implementer(ISharedMemory)
class Shelf:
    """Keeps texts, if it is there.

    :ivar texts: by charge point, with their revisions.
    :ivar refused: how often somebody has asked while it was not.
    """

    def __init__(self) -> None:
        self.is_there = True
        self.texts: dict[Identity, tuple[bytes, int]] = {}
        self.refused = 0

    def serve(self, share: Callable[[Identity], Deferred[None]]) -> None:
        self.share = share

    def settle(self, identity: Identity) -> Deferred[None]:
        return succeed(None)

    def recall(self, identity: Identity) -> Deferred[tuple[bytes, int] | None]:
        return succeed(self.texts.get(identity)) if self.is_there else self._refuse()

    def keep(self, identity: Identity, text: bytes, last: int | None) -> Deferred[int]:
        if not self.is_there:
            return self._refuse()
        self.texts[identity] = text, (last or 0) + 1
        return succeed((last or 0) + 1)

    def _refuse(self) -> Deferred[Any]:
        self.refused += 1
        return fail(RecordsUnavailable("it is away"))


class Business(ActionPlugin):
    name = "business"

    @on(v16.StatusNotificationRequest)
    def status(self, charge_point, request):
        return v16.StatusNotificationResponse()


class AwayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.shelf = Clock(), Shelf()
        self.central_system = CentralSystem([Business()], self.clock, shared=self.shelf)

    def comes_and_goes(self, charge_point: str) -> None:
        wire = online(self.central_system, charge_point)
        wire.says(STATUS)
        self.assertEqual(wire.hears(), ['[3,"1",{}]'])
        wire.connection.lost("gone")

    def test_the_shelf_keeps_its_promises(self) -> None:
        self.assertTrue(verifyObject(ISharedMemory, self.shelf))

    def test_one_is_tried_until_it_is_there_again(self) -> None:
        self.shelf.is_there = False
        for charge_point in ("CP1", "CP2", "CP3"):
            self.comes_and_goes(charge_point)
        self.shelf.refused = 0
        self.clock.advance(5)
        self.assertEqual(self.shelf.refused, 1)
        self.shelf.is_there = True
        self.clock.advance(5)
        self.assertEqual({identity.id for identity in self.shelf.texts}, {"CP1", "CP2", "CP3"})
        for text, _ in self.shelf.texts.values():
            self.assertIn(b'"StatusNotification"', text)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_that_waits_is_told_when_it_is_shared(self) -> None:
        wire = online(self.central_system)
        wire.says(STATUS)
        self.assertEqual(self.shelf.texts, {})
        self.successResultOf(self.shelf.share(wire.connection.identity))
        self.assertIn(b'"StatusNotification"', self.shelf.texts[wire.connection.identity][0])
        self.successResultOf(self.shelf.share(Identity("nobody")))
