"""A key-value bucket: revisions, and a watch that outlives the connection."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor

from ocpp_twisted.plugins.nats.bucket import Bucket, Entry, WrongRevision
from ocpp_twisted.plugins.nats.link import Disconnected, LinkError
from tests.interop.journal import Journal
from tests.nats.case import NatsCase
from tests.support import until


class Buckets(NatsCase):
    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.server = await self.serve("-js", "-sd", str((self.directory / "js").absolute()))

    async def test_revisions(self) -> None:
        bucket = Bucket(await self.link(), "b")
        self.assertIsNone(await bucket.get("a"))
        first = await bucket.create("a", b"1")
        with self.assertRaises(WrongRevision):
            await bucket.create("a", b"2")
        second = await bucket.put("a", b"2")
        self.assertGreater(second, first)
        with self.assertRaises(WrongRevision):
            await bucket.update("a", b"3", first)
        third = await bucket.update("a", b"3", second)
        self.assertEqual(await bucket.get("a"), Entry("a", b"3", third))
        with self.assertRaises(WrongRevision):
            await bucket.delete("a", second)
        await bucket.delete("a", third)
        self.assertIsNone(await bucket.get("a"))
        self.assertGreater(await bucket.create("a", b"4"), third)

    async def test_two_who_make_it_at_once(self) -> None:
        buckets = [Bucket(await self.link(), "b") for _ in range(2)]
        puts = [bucket.put(f"k{number}", b"x") for number, bucket in enumerate(buckets)]
        self.assertEqual(sorted([await put for put in puts]), [1, 2])

    async def test_a_watch_outlives_the_server(self) -> None:
        link, other = await self.link(), await self.link()
        heard = Journal(reactor)
        bucket = Bucket(link, "b")
        revision = await bucket.put("a.=2E", b"1")
        end = bucket.watch(heard.add, lambda: heard.add("caught up"))
        await heard.when(lambda each: each == "caught up")
        self.assertEqual(heard.entries, [Entry("a.=2E", b"1", revision), "caught up"])
        await Bucket(other, "b").put("c", b"2")
        await heard.when(lambda each: each[0] == "c")
        await self.server.kill()
        await until(lambda: not link.connected and not other.connected, reactor)
        with self.assertRaises(Disconnected):
            await bucket.put("c", b"3")
        heard.entries.clear()
        await self.server.start()
        await heard.when(lambda each: each == "caught up")
        self.assertEqual([each.key for each in heard.entries[:-1]], ["a.=2E", "c"])
        await until(lambda: other.connected, reactor)
        await Bucket(other, "b").delete("c", heard.entries[1].revision)
        await heard.when(lambda each: each[:2] == ("c", None))
        end()

    async def test_a_watch_of_nothing_catches_up(self) -> None:
        heard = Journal(reactor)
        Bucket(await self.link(), "b").watch(heard.add, lambda: heard.add("caught up"))
        await heard.when(lambda each: each == "caught up")
        self.assertEqual(heard.entries, ["caught up"])


class WithoutJetStream(NatsCase):
    async def test_it_is_told(self) -> None:
        with self.assertRaisesRegex(LinkError, "NATS has no JetStream now: start it with -js"):
            await Bucket(await self.link(), "b").put("a", b"1")
