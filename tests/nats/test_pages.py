"""A consumer is read to its end, whatever the server sends when."""

from __future__ import annotations

import json
import re
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList

from ocpp_twisted.plugins.nats.keyvalue import Bucket
from ocpp_twisted.plugins.nats.pages import Pages, PagesError
from ocpp_twisted.plugins.nats.protocol import Message
from tests.nats.case import NatsCase
from tests.nats.scripted import ScriptedServer
from tests.support import until

ASKED = rb"PUB \$JS.API.CONSUMER.MSG.NEXT.S.C _INBOX"


class PagesTests(NatsCase):
    """What a server says, in its words."""

    async def setUp(self) -> None:
        self.server = ScriptedServer()
        port = await self.server.listen()
        self.addCleanup(port.stopListening)
        self.link_ = await self.link()

    async def read(self, seconds: float = 10) -> Deferred[list[tuple[int, Message]]]:
        """Begin; fires when the server has been asked."""
        self.server.heard.clear()
        reading = Deferred.fromCoroutine(Pages(self.link_, "S", "C", seconds).all())
        await until(
            lambda: self.heard(rb"PUB \$JS\.API\.CONSUMER\.MSG\.NEXT\.S\.C _INBOX"), reactor
        )
        return reading

    def heard(self, pattern: bytes) -> list[tuple[bytes, ...]]:
        return re.findall(pattern, b"\n".join(self.server.heard))

    def tells(self, reply: str, head: str, payload: bytes) -> None:
        ((inbox, number),) = self.heard(rb"SUB (_INBOX\S+) +(\S+)")
        to = b"%b %b %b" % (inbox, number, reply.encode()) if reply else b"%b %b" % (inbox, number)
        size = len(head) + len(payload)
        text = b"HMSG %b %d %d\r\n%b%b\r\n"
        self.server.says(text % (to, len(head), size, head.encode(), payload))

    def sends(self, number: int, left: int, before: str = "", after: str = "") -> None:
        """A message of the consumer; it says how many are left."""
        reply = f"$JS.ACK.{before}S.C.1.{number}.1.1700000000.{left}{after}"
        self.tells(reply, "NATS/1.0\r\n\r\n", b"%d" % number)

    def says(self, status: str) -> None:
        self.tells("", f"NATS/1.0 {status}\r\n\r\n", b"")

    async def deleted(self) -> None:
        """Fires when the consumer has been."""
        await until(lambda: self.heard(rb"PUB \$JS.API.CONSUMER.DELETE.S.C 0"), reactor)

    async def test_what_is_on_its_way_is_waited_for(self):
        reading = await self.read()
        self.sends(3, 1)
        await self.link_.flush()
        self.assertNoResult(reading)
        self.sends(7, 0)
        found = [(number, message.data) for number, message in await reading]
        self.assertEqual(found, [(3, b"3"), (7, b"7")])
        await self.deleted()

    async def test_there_is_none(self):
        for status in ("404 No Messages", "408 Request Timeout"):
            reading = await self.read()
            self.says(status)
            self.assertEqual(await reading, [])

    async def test_of_a_domain(self):
        reading = await self.read()
        self.sends(5, 1, "hub.ACCOUNT.", ".token")
        self.sends(6, 0, "hub.ACCOUNT.")
        self.assertEqual([number for number, _ in await reading], [5, 6])

    async def test_the_server_does_not_know_of_the_consumer_yet(self):
        reading = await self.read()
        self.says("503")
        await until(lambda: len(self.heard(ASKED)) == 2, reactor)
        self.sends(1, 0)
        self.assertEqual([number for number, _ in await reading], [1])

    async def test_it_is_interrupted(self):
        reading = await self.read()
        self.sends(1, 1)
        self.says("409 Leadership Change")
        with self.assertRaisesRegex(PagesError, "409 Leadership Change"):
            await reading

    async def test_nothing_more_comes(self):
        reading = await self.read(0.05)
        self.sends(1, 1)
        with self.assertRaisesRegex(PagesError, "in time"):
            await reading
        await self.deleted()


class ManyTests(NatsCase):
    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.server = await self.serve("-js", "-sd", str(self.directory.absolute() / "js"))

    async def test_more_than_a_page(self):
        link = await self.link()
        bucket = Bucket(link, "b1")
        await bucket.put("=.CP0", b"0")
        await DeferredList([bucket.put(f"=.CP{number}", b"1") for number in range(1, 2001)])
        await bucket.put("=.CP7", b"2")
        await bucket.delete("=.CP2000")
        found = await bucket.all()
        self.assertEqual(len({entry.key for entry in found}), 2000)
        self.assertEqual(found[-1].value, b"2")
        self.assertEqual(found[-1].revision, (await bucket.get("=.CP7")).revision)
        answer = await link.request("$JS.API.CONSUMER.NAMES.KV_b1", timeout=5)
        self.assertEqual(json.loads(answer.data)["consumers"], [])
