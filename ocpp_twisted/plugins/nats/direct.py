"""The short road of messages between the socket to NATS and their handlers.

Imports nats-py, of which it uses some private parts, and its neighbour `protocol`.

nats-py connects, proves who we are, pings, and finds another server; it also parses each line with
a row of patterns, and wakes two tasks for each message. So once it is connected, what the socket
brings comes here first: messages of our subscriptions go to their handlers at once, and everything
else to nats-py. Our subscriptions are known here alone.

Everything of ours is written by `Direct.write` in its order, so that a PING after it is answered
when the server has taken it all. nats-py's own `flush` sends its PING past what it still holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from nats.aio.client import Client
from nats.errors import ConnectionClosedError
from nats.protocol.parser import AWAITING_CONTROL_LINE
from twisted.logger import Logger

from ocpp_twisted.plugins.nats.protocol import Message, Reader, sub, unsub

__all__ = ["Direct"]

_log = Logger()
#: Bytes of messages that are written without waiting for more.
_ENOUGH = 65536
#: Messages that follow each other faster are written together, this many seconds later at most:
#: a write to the socket, and what it wakes on the other side, costs more than the message.
_BATCH_SECONDS = 0.001
#: Seconds that the server has to answer a PING.
_FLUSH_SECONDS = 5


class Direct(asyncio.Protocol):
    """Stands between a socket and nats-py, for as long as that socket lasts.

    :param client: see `take_over`.
    :ivar max_payload: bytes of headers and payload that the server takes.
    :ivar is_slow: whether more is written than the server takes away.
    :ivar lost: whether the socket has ended.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._transport: Any = client._transport._io_writer.transport  # type: ignore[union-attr]
        self._theirs: Any = self._transport.get_protocol()
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(self._theirs.data_received)
        self._number = 0
        #: What is written when this millisecond is over, and when something was written last.
        self._batch: list[bytes] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._written = 0.0
        self._flushing: asyncio.Task[None] | None = None
        self.max_payload = client.max_payload
        self.is_slow = False
        self.lost = False

    @classmethod
    async def take_over(cls, client: Client) -> Direct:
        """Begin, when nats-py is connected.

        :raises Exception: of nats-py or asyncio, if it is not any more.
        """
        stream: Any = client._transport
        parser = client._ps
        await _flush(client)
        while parser.state != AWAITING_CONTROL_LINE or parser.buf or stream._io_reader._buffer:
            await _flush(client)  # it has half a line or message
        self = cls(client)
        self._transport.set_protocol(self)
        return self

    @property
    def unsent(self) -> int:
        """Bytes that wait to be written."""
        return self._size + int(self._transport.get_write_buffer_size())

    def subscribe(self, subject: str, queue: str, handler: Callable[[Message], object]) -> bytes:
        """Call `handler`, which must not fail, with what comes on a subject.

        :returns: the number of the subscription.
        """
        self._number += 1
        number = b"o%d" % self._number
        self._reader.handlers[number] = handler
        self.write(sub(subject, queue, number))
        return number

    def unsubscribe(self, number: bytes, ended: Callable[[], object]) -> None:
        """Call `ended` when what the server has sent is handled, and it will send no more.

        Or when it does not say so in time; then what it still sends is handled.
        """

        def flushed(flushing: asyncio.Task[None]) -> None:
            if not flushing.cancelled() and flushing.exception() is None:
                del self._reader.handlers[number]
            ended()

        self.write(unsub(number))
        self._flush_soon().add_done_callback(flushed)

    async def end(self) -> None:
        """End all subscriptions; returns as `flush`."""
        for number in self._reader.handlers:
            self.write(unsub(number))
        await self.flush()

    def write(self, data: bytes) -> None:
        """Send something, soon."""
        if not self._batch:
            now = self._loop.time()
            if now - self._written >= _BATCH_SECONDS:
                self._written = now
                self._transport.write(data)
                return
            self._timer = self._loop.call_later(_BATCH_SECONDS, self.write_now)
        self._batch.append(data)
        self._size += len(data)
        if self._size > _ENOUGH:
            self.write_now()

    def write_now(self) -> None:
        """Send what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._batch, self._size = self._batch, [], 0
        if batch and not self.lost:
            self._written = self._loop.time()
            self._transport.write(b"".join(batch))

    async def flush(self) -> None:
        """Returns when the server has taken what was written before, and we what it sent before.

        :raises nats.errors.Error: if it does not say so.
        """
        await asyncio.shield(self._flush_soon())

    def _flush_soon(self) -> asyncio.Task[None]:
        if self._flushing is None:  # else all of this moment wait for one PING
            self._flushing = self._loop.create_task(self._flush())
        return self._flushing

    async def _flush(self) -> None:
        self._flushing = None
        if self.lost:
            raise ConnectionClosedError
        self.write_now()
        await _flush(self._client)

    # -- the socket ---------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            self._reader.feed(data)
        except (ValueError, IndexError) as error:
            _log.error("NATS: the server says what cannot be read: {error}", error=error)
            self._transport.abort()  # nats-py looks for another one

    def connection_lost(self, why: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self.lost = True
        self.write_now()
        self._theirs.connection_lost(why)

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`."""
        self._theirs.eof_received()
        return False  # the socket is closed

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self.is_slow = True
        self._theirs.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self.is_slow = False
        self._theirs.resume_writing()


async def _flush(client: Client) -> None:
    """nats-py's `flush`, which does nothing when its reading has ended with an error."""
    reading: Any = client._reading_task
    if reading is None or reading.done():
        raise ConnectionClosedError
    await client.flush(_FLUSH_SECONDS)
