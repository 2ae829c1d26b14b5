"""Events over HTTP: streams, what was missed, and those who do not read."""

from __future__ import annotations

import json

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.hub import Hub, MessageNotice
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.http import events
from ocpp_twisted.plugins.http.happened import Happened
from tests.plugins.http.case import API, HTTPTestCase
from tests.support import HEARTBEAT, close_frame, frame, until, upgraded
from tests.test_hub import CP1, CP2, notice


class Listener(Protocol):
    """A client that listens to events."""

    def __init__(self) -> None:
        self.received = b""
        self.over: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason) -> None:
        self.over.callback(None)

    @property
    def events(self) -> list[dict[str, str]]:
        """The fields of the events that have come."""
        body = self.received.partition(b"\r\n\r\n")[2].decode()
        lines = [line for line in body.split("\n") if "\r" not in line]
        blocks = "\n".join(lines).split("\n\n")
        fields = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
        return [event for event in fields if "data" in event]

    def datas(self) -> list[dict]:
        return [json.loads(event["data"]) for event in self.events]


class EventsCase(HTTPTestCase):
    async def listens(self, query: str = "", last: str | None = None) -> Listener:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        client = await connectProtocol(endpoint, Listener())
        self.addCleanup(client.transport.abortConnection)
        header = "" if last is None else f"Last-Event-ID: {last}\r\n"
        head = f"GET {API}/events{query} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n"
        client.transport.write(head.encode())
        await until(lambda: b"retry:" in client.received, reactor)
        return client


class StreamTests(EventsCase):
    async def test_who_comes_and_goes(self) -> None:
        await self.start()
        client, other = await self.listens(), await self.listens("?chargePoint=CP2")
        self.assertIn(b"Content-Type: text/event-stream\r\n", client.received)
        self.online().connection.lost("gone")
        last = self.online("CP2")
        await until(lambda: len(client.events) == 3, reactor)
        kinds = [event["event"] for event in client.events]
        self.assertEqual(kinds, ["connection"] * 3)
        told = [(data["chargePoint"], data["event"]) for data in client.datas()]
        self.assertEqual(told, [("CP1", "online"), ("CP1", "offline"), ("CP2", "online")])
        await until(lambda: other.events, reactor)
        self.assertEqual([data["chargePoint"] for data in other.datas()], ["CP2"])
        last.connection.lost("gone")
        await self.server.stopService()
        await client.over

    async def test_messages_if_they_are_asked_for(self) -> None:
        await self.start(ws=["tcp:0:interface=127.0.0.1"])
        (address,) = self.server.addresses
        client = await self.listens("?kinds=message&chargePoint=CP1")
        peers = [
            await upgraded(reactor, address.port, target=f"/ocpp/{name}") for name in ("CP2", "CP1")
        ]
        for peer in peers:
            peer.transport.write(frame(HEARTBEAT))
            await until(peer.hears, reactor)
        await until(lambda: len(client.events) == 2, reactor)
        sent, answered = client.datas()
        self.assertEqual((sent["way"], sent["frame"]), ("in", json.loads(HEARTBEAT)))
        self.assertEqual((answered["way"], answered["chargePoint"]), ("out", "CP1"))
        kept = await self.get("/charge-points/CP1/messages")
        self.assertEqual(kept.json, client.datas())
        for peer in peers:
            peer.transport.write(close_frame())
            await peer.over
        self.assertEqual((await self.get("/charge-points/CP1/messages")).json, client.datas())
        self.assertEqual((await self.call("ClearCache")).problem, (409, "not-connected"))
        never = await self.get("/charge-points/CP3/messages")
        self.assertEqual(never.problem, (404, "unknown-charge-point"))

    async def test_what_was_missed(self) -> None:
        await self.start()
        client = await self.listens()
        self.online()
        await until(lambda: client.events, reactor)
        client.transport.loseConnection()
        await client.over
        self.online("CP2")
        again = await self.listens(last=client.events[0]["id"])
        await until(lambda: again.events, reactor)
        self.assertEqual([data["chargePoint"] for data in again.datas()], ["CP2"])

    async def test_who_does_not_read_is_dropped(self) -> None:
        await self.start()
        client = await self.listens()
        client.transport.pauseProducing()
        streams = self.http._events._streams
        (stream,) = streams
        large = notice(reason="x" * 100_000)
        for _ in range(200):  # more than the sockets' buffers and what may wait
            self.server.hub.publish(large)
        await until(lambda: not streams, reactor)
        self.assertIsNotNone(stream)

    async def test_a_quiet_stream_is_no_dead_one(self) -> None:
        self.patch(events, "_COMMENTS", 0.01)
        await self.start()
        client = await self.listens()
        await until(lambda: client.received.count(b":\n\n") > 1, reactor)
        client.transport.abortConnection()
        await until(lambda: not self.http._events._comments.running, reactor)

    async def test_so_many_streams(self) -> None:
        self.patch(events, "_STREAMS", 1)
        await self.start()
        await self.listens()
        self.assertEqual((await self.get("/events")).problem, (503, "busy"))

    async def test_a_stream_for_nobody(self) -> None:
        await self.start()
        wrong = await self.get("/events?kinds=connection,weather")
        self.assertEqual((wrong.problem, wrong.json["path"]), ((400, "invalid-request"), "kinds"))
        head = await self.ask("HEAD", f"{API}/events")
        self.assertEqual((head.status, head["content-type"]), (200, "text/event-stream"))
        self.assertEqual(self.http._events._streams, set())


class HappenedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hub = Hub()
        self.clock = Clock()
        self.happened = Happened(self.hub, self.clock, events=2, messages=3)
        self.lines: list[bytes] = []

    def since(self, last: str | None) -> list[str]:
        """The reasons of the connection events that are told again; ``gap``."""
        lines: list[bytes] = []
        self.happened.tell(lines.append, {"connection"}, CP1, last)()
        events = [event for event in b"".join(lines).split(b"\n\n") if event]
        datas = [json.loads(event.split(b"data: ")[1]) for event in events]
        return [data.get("reason", data["kind"]) for data in datas]

    def ids(self) -> list[str]:
        return [line.split(b"\n")[0].decode().removeprefix("id: ") for line in self.lines]

    def test_from_the_last_on(self) -> None:
        self.happened.tell(self.lines.append, {"connection"}, None, None)
        self.hub.publish(notice(reason="a"))
        self.hub.publish(notice(reason="b"))
        first, second = self.ids()
        self.assertEqual(self.since(None), [])
        self.assertEqual(self.since(first), ["b"])
        self.assertEqual(self.since(second), [])
        self.hub.publish(notice(CP2, "other"))
        self.assertEqual(self.since(first), ["b"])
        self.hub.publish(notice(reason="c"))
        self.assertEqual(self.since(second), ["c"])
        self.assertEqual(self.since(first), ["gap", "c"])
        for strange in ("", "x", "00000000-1", first + "0", first + "0" * 5000):
            self.assertEqual(self.since(strange), ["gap", "c"])


def message(charge_point: Identity, text: str) -> MessageNotice:
    whose = {"chargePoint": charge_point.id, "name": charge_point.name}
    return MessageNotice(time="", **whose, way="in", version="1.6", text=text)


class MessagesTests(SynchronousTestCase):
    """A client that is told of messages goes away and comes back."""

    def setUp(self) -> None:
        self.hub = Hub()
        self.clock = Clock()
        self.happened = Happened(self.hub, self.clock, messages=3)

    def told(self, last: str | None = None, identity: Identity | None = CP1, *texts: str):
        """What is told from `last` on while these messages pass, and the id of the last of it."""
        lines: list[bytes] = []
        kinds = {"connection", "message"}
        stop = self.happened.tell(lines.append, kinds, identity, last)
        self.say(*texts)
        stop()
        events = [event for event in b"".join(lines).decode().split("\n\n") if event]
        datas = [json.loads(event.split("data: ")[1]) for event in events]
        ids = [event.split("\n")[0].removeprefix("id: ") for event in events]
        return [data.get("text", data["kind"]) for data in datas], ids[-1] if ids else last

    def say(self, *texts: str, charge_point: Identity = CP1) -> None:
        for text in texts:
            if self.hub.wants(MessageNotice, charge_point):
                self.hub.publish(message(charge_point, text))

    def test_what_was_said_meanwhile(self) -> None:
        _, last = self.told(None, CP1, "a")
        self.say("b")
        self.hub.publish(notice())
        self.say("other", charge_point=CP2)
        self.say("c")
        told, last = self.told(last, CP1, "d")
        self.assertEqual(told, ["b", "connection", "c", "d"])
        self.assertEqual(self.told(last)[0], [])

    def test_more_than_is_kept(self) -> None:
        _, last = self.told(None, CP1, "a")
        self.say(*"bcde")
        self.assertEqual(self.told(last)[0], ["gap", *"cde"])

    def test_nobody_hears_for_ever(self) -> None:
        _, last = self.told(None, CP1, "a")
        self.clock.advance(59)
        self.say("b")
        _, last = self.told(last)
        self.clock.advance(59)
        self.assertTrue(self.hub.wants(MessageNotice, CP1))
        self.clock.advance(1)
        self.assertFalse(self.hub.wants(MessageNotice, CP1))
        self.assertEqual(self.told(last)[0], ["gap"])
        self.assertEqual(len(self.happened._messages.events), 0)

    def test_another_charge_point_was_not_heard(self) -> None:
        _, last = self.told(None, CP1, "a")
        self.assertEqual(self.told(last, CP2)[0], ["gap"])
        self.assertEqual(self.told(last, None)[0], ["gap"])

    def test_who_heard_all_heard_each(self) -> None:
        _, last = self.told(None, None, "a")
        self.say("b")
        self.say("other", charge_point=CP2)
        self.assertEqual(self.told(last, CP1)[0], ["b"])

    def test_some_are_heard_for_nobody(self) -> None:
        charge_points = [Identity(f"CP{number}") for number in range(102)]
        for each in charge_points:
            self.told(None, each)
        heard = [each for each in charge_points if self.hub.wants(MessageNotice, each)]
        self.assertEqual(heard, charge_points[2:])

    def test_the_end(self) -> None:
        self.told(None, CP1, "a")
        stop = self.happened.tell(lambda lines: None, {"message"}, CP2, None)
        self.happened.stop()
        stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.hub.wants(MessageNotice, CP2))
