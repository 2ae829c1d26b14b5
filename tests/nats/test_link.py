"""The connection to NATS: requests, subscriptions, and what happens when the server goes away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from ocpp_twisted.plugins.nats.errors import Disconnected, NoAnswer, NoResponders, TooLarge
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.protocol import Message
from tests.interop.journal import Journal
from tests.nats.case import NatsCase
from tests.support import until


def echo(link: Link) -> Any:
    """A handler that answers with what it gets."""
    return lambda message: link.publish(message.reply, message.data, message.headers)


class Messages(NatsCase):
    async def test_a_request_is_answered(self) -> None:
        here, there = await self.link(), await self.link()
        there.subscribe("a.*", echo(there))
        await there.flush()
        answer = await here.request("a.b", b"question", {"Is": "so"}, timeout=5)
        self.assertEqual((answer.data, answer.headers), (b"question", {"Is": "so"}))

    async def test_each_request_gets_its_own_answer(self) -> None:
        here, there = await self.link(), await self.link()
        kept: list[Message] = []
        there.subscribe("a", kept.append)
        await there.flush()
        asked = [here.request("a", b"%d" % number, timeout=5) for number in range(3)]
        await until(lambda: len(kept) == 3, reactor)
        for message in reversed(kept):
            there.publish(message.reply, message.data)
        answers = await gatherResults(asked)
        self.assertEqual([answer.data for answer in answers], [b"0", b"1", b"2"])

    async def test_nobody_listens(self) -> None:
        link = await self.link()
        with self.assertRaisesRegex(NoResponders, r"nobody listens to a\.b"):
            await link.request("a.b", timeout=5)

    async def test_no_answer(self) -> None:
        link = await self.link()
        link.subscribe("a", lambda message: None)
        await link.flush()
        with self.assertRaisesRegex(NoAnswer, "no answer from a in time"):
            await link.request("a", timeout=0.2)

    async def test_a_late_answer_and_a_second_one_change_nothing(self) -> None:
        link = await self.link()
        kept: list[Message] = []
        link.subscribe("a", kept.append)
        await link.flush()
        with self.assertRaises(NoAnswer):
            await link.request("a", timeout=0.2)
        asked = link.request("a", timeout=5)
        await until(lambda: len(kept) == 2, reactor)
        for message in (kept[0], kept[1], kept[1]):
            link.publish(message.reply, b"yes")
        self.assertEqual((await asked).data, b"yes")

    async def test_a_request_that_is_cancelled_is_forgotten(self) -> None:
        link = await self.link()
        link.subscribe("a", lambda message: None)
        asked = link.request("a", timeout=5)
        asked.addErrback(lambda failure: None)
        asked.cancel()
        self.assertEqual(link.measures()[1].values[()], 0)

    async def test_a_message_that_was_announced(self) -> None:
        here, there = await self.link(), await self.link()
        told, subject = here.expect(5)
        there.publish(subject, b"news")
        self.assertEqual((await told).data, b"news")

    async def test_one_of_a_queue_gets_each_message(self) -> None:
        links = [await self.link() for _ in range(3)]
        got: list[list[Message]] = [[], []]
        for link, messages in zip(links, got, strict=False):
            link.subscribe("a.>", messages.append, queue="q")
            await link.flush()
        for _ in range(100):
            links[2].publish("a.b")
        await until(lambda: len(got[0]) + len(got[1]) >= 100, reactor)
        self.assertEqual(len(got[0]) + len(got[1]), 100)
        self.assertTrue(got[0])
        self.assertTrue(got[1])

    async def test_what_is_on_its_way_is_handled_when_a_subscription_ends(self) -> None:
        here, there = await self.link(), await self.link()
        got: list[Message] = []
        subscription = there.subscribe("a", got.append)
        await there.flush()
        for _ in range(2000):
            here.publish("a", b"x" * 5000)  # more than is read at once
        await here.flush()
        await subscription.stop()
        self.assertEqual(len(got), 2000)
        with self.assertRaises(NoResponders):
            await here.request("a", timeout=5)
        await subscription.stop()

    async def test_what_comes_while_a_subscription_ends_is_handled_or_has_no_listener(self) -> None:
        here, there = await self.link(), await self.link()
        outcomes: list[Any] = []
        for number in range(1000):
            subject = f"a.{number}"
            subscription = there.subscribe(subject, echo(there))
            await there.flush()
            ended = subscription.stop()
            asked: Deferred[Any] = here.request(subject, timeout=5)
            outcomes.append(asked.addErrback(lambda failure: failure.trap(NoResponders)))
            await ended
        await gatherResults(outcomes)

    async def test_a_handler_that_fails_is_told_of(self) -> None:
        link = await self.link()

        def fails(message: Message) -> None:
            if message.data == b"bad":
                raise ZeroDivisionError
            echo(link)(message)

        link.subscribe("a", fails)
        link.publish("a", b"bad")
        self.assertEqual((await link.request("a", b"good", timeout=5)).data, b"good")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class Sizes(NatsCase):
    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir(parents=True)
        file = self.directory / "small.conf"
        file.write_text("max_payload: 1000\n")
        self.server = await self.serve("-c", str(file.absolute()))

    async def test_what_is_too_large_is_refused_with_a_sentence(self) -> None:
        link = await self.link()
        link.subscribe("a", echo(link))
        text = "a message of 1001 bytes is more than the NATS server takes .1000.: raise its max_pa"
        with self.assertRaisesRegex(TooLarge, text):
            await link.request("a", b"x" * 1001, timeout=5)
        with self.assertRaises(TooLarge):
            link.publish("a", b"x" * 980, {"A": "b" * 100})
        headers = {"A": "é", "Bc": "d"}
        size = len("NATS/1.0\r\nA: é\r\nBc: d\r\n\r\n".encode())
        answer = await link.request("a", b"x" * (1000 - size), headers, timeout=5)
        self.assertEqual((len(answer.data), answer.headers), (1000 - size, headers))
        with self.assertRaises(TooLarge):
            link.publish("a", b"x" * (1001 - size), headers)
        self.assertTrue(link.connected)


class Coming(NatsCase):
    """The server goes away and comes back."""

    async def test_a_server_that_comes_later(self) -> None:
        url = self.server.url
        await self.server.kill()
        link = self.new_link()
        link.subscribe("a", echo(link))
        await until(lambda: "Connect call failed" in link.trouble(), reactor)
        self.assertRegex(link.trouble(), f"no connection to NATS \\({url}\\): ")
        with self.assertRaises(Disconnected):
            await link.request("a", timeout=5)
        waits = link.request("a", b"patient", timeout=10, again=True)
        await self.server.start()
        self.assertEqual((await waits).data, b"patient")
        self.assertEqual((link.connected, link.trouble()), (True, ""))

    async def test_a_server_that_is_killed_and_comes_back(self) -> None:
        heard = Journal(reactor)
        link, other = await self.link(), await self.link()
        link.listen(lambda: heard.add("up"), lambda: heard.add("down"))
        asked: list[Message] = []
        other.subscribe("a", asked.append)
        await other.flush()
        once = link.request("a", b"once", timeout=20)
        twice = link.request("a", b"twice", timeout=20, again=True)
        await until(lambda: len(asked) == 2, reactor)
        await self.server.kill()
        failed = await once.addErrback(lambda failure: failure.value)
        self.assertIsInstance(failed, Disconnected)
        self.assertTrue(failed.sent)
        await heard.when(lambda word: word == "down")
        link.subscribe("b", echo(link))
        with self.assertRaises(Disconnected) as caught:
            link.publish("a")
        self.assertFalse(caught.exception.sent)
        await self.server.start()
        await heard.when(lambda word: word == "up")
        self.assertEqual((await link.request("b", b"new", timeout=5)).data, b"new")
        await until(lambda: other.connected, reactor)
        if not twice.called:  # it may have come before its subscriber: then it says so
            await until(lambda: len(asked) == 3, reactor)
            other.publish(asked[-1].reply, b"here")
            self.assertEqual((await twice).data, b"here")
        else:
            twice.addErrback(lambda failure: failure.trap(NoResponders))

    async def test_a_server_that_hangs_is_left(self) -> None:
        servers = [self.server, await self.serve()]
        for number, server in enumerate(servers):
            there = await self.link(server.url)
            there.subscribe(f"at.{number}", echo(there))
            await there.flush()
        link = await self.link(*(server.url for server in servers), ping_interval=0.2)
        hangs = 1 if await self.is_at(1, link) else 0
        servers[hangs].signal("STOP")
        while not await self.is_at(1 - hangs, link):
            pass  # it has waited
        servers[hangs].signal("CONT")

    @staticmethod
    async def is_at(number: int, link: Link) -> bool:
        """Whether it is connected to the server where somebody answers to this number."""
        try:
            await link.request(f"at.{number}", timeout=0.2, again=True)
        except (NoResponders, NoAnswer):
            return False
        return True

    async def test_to_stop_without_a_server(self) -> None:
        await self.server.kill()
        link = self.new_link()
        waits = link.request("a", timeout=5, again=True)
        await until(lambda: "Connect call failed" in link.trouble(), reactor)
        await link.stop()
        with self.assertRaises(Disconnected):
            await waits

    async def test_to_stop_before_it_has_begun(self) -> None:
        link = self.new_link()
        await link.stop()
        self.assertFalse(link.connected)

    async def test_what_was_published_is_written_before_it_stops(self) -> None:
        here, there = await self.link(), await self.link()
        got: list[Message] = []
        there.subscribe("a", got.append)
        await there.flush()
        for _ in range(1000):
            here.publish("a", b"x" * 1000)
        await here.stop()
        await until(lambda: len(got) == 1000, reactor)

    async def test_who_has_stopped_gets_nothing_that_is_lost(self) -> None:
        other = await self.link()
        outcomes: list[Any] = []
        for number in range(100):
            link, subject = await self.link(), f"a.{number}"
            link.subscribe(subject, echo(link))
            await link.flush()
            await link.stop()
            asked: Deferred[Any] = other.request(subject, timeout=5)
            outcomes.append(asked.addErrback(lambda failure: failure.trap(NoResponders)))
        await gatherResults(outcomes)

    async def test_a_subscription_that_ends_while_the_server_is_away(self) -> None:
        link, other = await self.link(), await self.link()
        subscription = link.subscribe("a", echo(link))
        await link.flush()
        await self.server.kill()
        await until(lambda: not link.connected, reactor)
        ended: Deferred[None] = subscription.stop()
        await self.server.start()
        await ended
        await until(lambda: link.connected and other.connected, reactor)
        with self.assertRaises(NoResponders):
            await other.request("a", timeout=5)


class Secrets(NatsCase):
    arguments = ("--user", "u", "--pass", "geheim")

    async def test_user_and_password(self) -> None:
        url = self.server.url.replace("nats://", "nats://u:geheim@")
        link = await self.link(url)
        self.assertTrue(link.connected)

    async def test_a_wrong_password_is_told_without_it(self) -> None:
        link = self.new_link(self.server.url.replace("nats://", "nats://u:falsch@"))
        await until(lambda: "uthorization" in link.trouble(), reactor)
        self.assertNotIn("falsch", link.trouble())


class Tokens(NatsCase):
    arguments = ("--auth", "geheim")

    async def test_a_token_in_a_file_is_read_for_each_connection(self) -> None:
        file = self.directory / "token"
        file.write_text("alt\n")
        link = self.new_link(token=file)
        await until(lambda: "uthorization" in link.trouble(), reactor)
        file.write_text("geheim\n")
        await until(lambda: link.connected, reactor)
