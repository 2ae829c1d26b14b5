"""The garbage collector's setting, and that ended connections are none of its business."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IProtocolFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.garbage import settle
from ocpp_twisted.websocket.server import OCPPServerFactory
from ocpp_twisted.websocket.tls import TLSFactory, development_certificate, server_context
from tests.support import close_frame, frame, until, upgraded


class SettleTests(SynchronousTestCase):
    def test_what_exists_is_left_alone_from_then_on(self) -> None:
        self.addCleanup(gc.unfreeze)
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        before = gc.get_threshold()
        settle()
        self.assertGreater(gc.get_freeze_count(), 10_000)
        self.assertGreater(gc.get_threshold()[0], before[0])


class EndedConnectionTests(TestCase):
    """A connection is freed when it ends, without the collector."""

    def setUp(self) -> None:
        self.factory = OCPPServerFactory(CentralSystem([], reactor), reactor)

    async def freed(self, listening: IProtocolFactory, tls: bool, rude: bool) -> None:
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        port = await endpoint.listen(listening)
        self.addCleanup(port.stopListening)
        client = await upgraded(reactor, port.getHost().port, tls=tls)
        client.transport.write(frame('[2,"1","Heartbeat",{}]'))
        await until(lambda: client.hears(), reactor)
        (protocol,) = self.factory.open
        kept = [weakref.ref(protocol), weakref.ref(protocol._receiver)]
        del protocol
        gc.collect()
        self.addCleanup(gc.enable)
        gc.disable()
        if rude:
            client.transport.abortConnection()
        else:
            client.transport.write(close_frame())
        await client.over
        await until(lambda: not self.factory.open, reactor)
        await until(lambda: [ref() for ref in kept] == [None, None], reactor, timeout=2)

    async def test_ws(self) -> None:
        await self.freed(self.factory, tls=False, rude=False)

    async def test_ws_that_breaks(self) -> None:
        await self.freed(self.factory, tls=False, rude=True)

    async def test_wss(self) -> None:
        await self.freed(self.secure(), tls=True, rude=False)

    async def test_wss_that_breaks(self) -> None:
        await self.freed(self.secure(), tls=True, rude=True)

    def secure(self) -> IProtocolFactory:
        files = development_certificate(Path(self.mktemp()))
        return TLSFactory(server_context(*files), False, self.factory)
