"""Messages of a JetStream consumer, page by page, until there are no more.

Imports the link and its neighbours. A consumer of a cluster is on one server and we are at another,
so nothing is said by what has not come yet: each message tells how many are left, and if there are
none the server says so. Nor does it say anything that nobody listens: our server may not know of
the consumer yet. Source: NATS documentation, "JetStream wire API reference", and ADR-37, "JetStream
Simplification".
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from ocpp_twisted.plugins.nats.errors import LinkError
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.protocol import Message

__all__ = ["Pages", "PagesError"]

#: Messages that are on their way at once.
_AT_ONCE = 1000
_MORE = b'{"batch":%d,"no_wait":true}' % _AT_ONCE
#: Seconds until a server that did not know of the consumer is asked again.
_AGAIN_SECONDS = 0.02
#: What the server says instead of a message: there is none, or none after those that have come.
_NO_MORE = ("404", "408")


class PagesError(LinkError):
    """The messages cannot be read to their end; the text says why."""


class Pages:
    """Reads a consumer once. It has to be a pull consumer that wants no acknowledgements.

    :param consumer: its name. It is deleted.
    :param seconds: how long the server may take for a page.
    """

    def __init__(self, link: Link, stream: str, consumer: str, seconds: float) -> None:
        self._link = link
        self._of = f"{stream}.{consumer}"
        self._seconds = seconds
        self._found: list[tuple[int, Message]] = []
        self._came = 0
        self._more = True
        self._page = asyncio.Event()
        self._why = ""

    async def all(self) -> list[tuple[int, Message]]:
        """All messages, each with its number in the stream.

        :raises LinkError: if they cannot be read.
        """
        inbox = f"_INBOX.{secrets.token_hex(11)}"
        subscription = self._link.subscribe(inbox, self._take)
        try:
            while self._more:
                await self._link.run(self._read_page(inbox))
        finally:
            subscription.stop()
            with suppress(LinkError):  # then it is forgotten by itself
                self._link.publish(f"$JS.API.CONSUMER.DELETE.{self._of}")
        return self._found

    async def _read_page(self, inbox: str) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                self._came = 0
                while not self._came and self._more:
                    self._page.clear()
                    self._link.publish(f"$JS.API.CONSUMER.MSG.NEXT.{self._of}", _MORE, reply=inbox)
                    await self._page.wait()
                    if not self._came and self._more:
                        await asyncio.sleep(_AGAIN_SECONDS)
        except TimeoutError as error:
            raise PagesError("JetStream does not show all of it in time") from error
        if self._why:
            raise PagesError(self._why)

    def _take(self, message: Message) -> None:
        if message.reply:
            number, left = _place(message.reply)
            self._found.append((number, message))
            self._came += 1
            self._more = left > 0
        elif message.nobody_listens:
            self._page.set()
        else:
            self._more = False
            if message.headers.get("Status") not in _NO_MORE:
                self._why = f"JetStream says {message.head.decode(errors='replace').strip()!r}"
        if not self._more or self._came == _AT_ONCE:
            self._page.set()


def _place(reply: str) -> tuple[int, int]:
    """A message's number in the stream, and how many the consumer has after it (ADR-15).

    ``$JS.ACK.STREAM.CONSUMER.deliveries.number.order.time.left``, or with ``DOMAIN.ACCOUNT`` before
    the stream, and then maybe with more at the end.
    """
    tokens = reply.split(".")
    first = 2 if len(tokens) == 9 else 4
    return int(tokens[first + 3]), int(tokens[first + 6])
