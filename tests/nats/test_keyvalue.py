"""A key-value bucket: revisions decide who was first."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.internet import reactor

from ocpp_twisted.plugins.nats.keyvalue import Bucket, BucketError, Conflict, Entry
from tests.nats.case import NatsCase
from tests.support import until


class BucketTests(NatsCase):
    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.server = await self.serve("-js", "-sd", str(self.directory.absolute() / "js"))
        self.link_ = await self.link()
        self.bucket = Bucket(self.link_, "b1", told="told.owner")

    async def test_put_and_get(self):
        self.assertIsNone(await self.bucket.get("=.CP1"))
        revision = await self.bucket.put("=.CP1", b'{"a":1}')
        self.assertEqual(await self.bucket.get("=.CP1"), Entry("=.CP1", b'{"a":1}', revision))

    async def test_the_first_one_wins(self):
        first = await self.bucket.put("=.CP1", b"1", last=0)
        with self.assertRaises(Conflict):
            await self.bucket.put("=.CP1", b"2", last=0)
        await self.bucket.put("=.CP2", b"else")
        second = await self.bucket.put("=.CP1", b"3", last=first)
        with self.assertRaises(Conflict):
            await self.bucket.delete("=.CP1", last=first)
        gone = await self.bucket.delete("=.CP1", last=second)
        self.assertEqual(await self.bucket.get("=.CP1"), Entry("=.CP1", None, gone))
        self.assertGreater(await self.bucket.put("=.CP1", b"4", last=gone), gone)

    async def test_all(self):
        self.assertEqual(list(await self.bucket.all()), [])
        await self.bucket.put("=.CP1", b"1")
        await self.bucket.put("a.CP2", b"2")
        await self.bucket.put("a.CP3", b"3")
        await self.bucket.delete("a.CP3")
        found = await self.bucket.all()
        self.assertEqual(
            {entry.key: entry.value for entry in found}, {"=.CP1": b"1", "a.CP2": b"2"}
        )

    async def test_who_reads_makes_none(self):
        self.assertEqual(list(await self.bucket.all()), [])
        answer = await self.link_.request("$JS.API.STREAM.NAMES", timeout=5)
        self.assertEqual(json.loads(answer.data)["total"], 0)

    async def test_what_is_stored_is_told(self):
        told = []
        self.link_.subscribe("told.owner.>", told.append)
        revision = await self.bucket.put("=.CP1", b"1", last=0)
        with self.assertRaises(Conflict):
            await self.bucket.put("=.CP1", b"never stored", last=0)
        await self.bucket.put("=.CP2", b"2")
        await until(lambda: len(told) == 2, reactor)
        self.assertEqual(told[0].subject, "told.owner.=.CP1")
        self.assertEqual(int(told[0].headers["Nats-Sequence"]), revision)
        self.assertEqual([message.data for message in told], [b"1", b"2"])

    async def test_it_is_there_already(self):
        await self.bucket.put("=.CP1", b"1")
        self.assertIsNotNone(await Bucket(self.link_, "b1", seconds=60).get("=.CP1"))

    async def test_nats_has_lost_it(self):
        await self.bucket.put("=.CP1", b"1")
        for use in (self.bucket.get, lambda key: self.bucket.put(key, b"2", 0)):
            await self.link_.request("$JS.API.STREAM.DELETE.KV_b1", timeout=5)
            await use("=.CP2")
            self.assertIsNone(await self.bucket.get("=.CP1"))


class NoJetStreamTests(NatsCase):
    async def test_it_says_what_to_do(self):
        link = await self.link()
        bucket = Bucket(link, "b1")
        for use in (lambda: bucket.put("=.CP1", b"1"), bucket.all):
            with self.assertRaisesRegex(BucketError, "start nats-server with -js"):
                await use()
