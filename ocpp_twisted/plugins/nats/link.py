"""One connection to NATS, which comes back by itself: requests, subscriptions, and its state.

Imports Twisted's names, nats-py, the measures and its neighbours. It works on the asyncio reactor
only.

Nothing is written to the log for a message, only when the connection comes and goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

from nats.aio.client import Client
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ocpp_twisted.measuring import Counted
from ocpp_twisted.plugins.nats.direct import Direct
from ocpp_twisted.plugins.nats.errors import Disconnected, LinkError, TooLarge
from ocpp_twisted.plugins.nats.protocol import Message, block, pub
from ocpp_twisted.plugins.nats.reach import LinkOptions, without_secrets
from ocpp_twisted.plugins.nats.waiting import Asked, Promised, Waiting

__all__ = ["Link", "Subscription"]

_log = Logger()
_T = TypeVar("_T")

#: Bytes that may wait to be written to NATS.
_MOST_UNSENT = 16 * 1024 * 1024
#: Different complaints of nats-py that are written to the log, until it is connected again.
_MOST_TOLD = 20
#: Seconds that ending the connection may take.
_STOP_SECONDS = 5.0


class Subscription:
    """Messages on a subject, for one handler, over all connections of a link until `stop`."""

    __slots__ = ("_handler", "_link", "_number", "queue", "subject")

    def __init__(
        self, link: Link, subject: str, queue: str, handler: Callable[[Message], object]
    ) -> None:
        self.subject = subject
        self.queue = queue
        self._link = link
        self._handler = handler
        self._number = b""

    def stop(self) -> Deferred[None]:
        """End it; what the server has sent already is still handled before this fires."""
        return self._link._end(self)

    def _begin(self, direct: Direct) -> None:
        self._number = direct.subscribe(self.subject, self.queue, self._take)

    def _take(self, message: Message) -> None:
        try:
            self._handler(message)
        except Exception:
            _log.failure("NATS: the handler of {subject} has failed", subject=self.subject)


class Link:
    """A connection to NATS, from `start` to `stop`.

    It is made again for ever when it cannot be made, or is lost. Subscriptions may be made at any
    time, and last.

    :param reactor: the asyncio reactor.
    """

    def __init__(self, options: LinkOptions, reactor: Any) -> None:
        self._options = options
        self._reactor = reactor
        self._client: Client | None = None
        self._direct: Direct | None = None
        self._up = False
        self._task: asyncio.Task[None] | None = None
        self._begun: IDelayedCall | None = None
        self._subscriptions: dict[Subscription, None] = {}
        self._listeners: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self._waiting = Waiting(reactor)
        self._why = "no server has answered yet"
        self._denied = ""
        self._told: set[str] = set()
        self._connections = 0

    # -- its life -----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect; whether NATS is there or not."""
        self._begun = self._reactor.callLater(0, self._begin)

    def stop(self) -> Deferred[None]:
        """End the connection once what was published is written.

        Requests that still wait fail with `Disconnected`. It takes a few seconds at most.
        """
        if self._begun is not None and self._begun.active():
            self._begun.cancel()
        listeners, self._listeners = self._listeners, []
        if self._up:
            for _, down in listeners:
                _tell(down)
        if self._task is None:
            self._waiting.stop()
            return succeed(None)
        return self.run(self._finish(self._task))

    def listen(self, up: Callable[[], None], down: Callable[[], None]) -> None:
        """Be told when the connection is there, also again, and when it is lost or `stop` ends it.

        When `up` is called all subscriptions are in force again, and what was published while
        there was no connection is lost.
        """
        self._listeners.append((up, down))

    @property
    def connected(self) -> bool:
        """Whether messages can be sent now, and all subscriptions are in force."""
        return self._up and self._direct is not None and not self._direct.lost

    def _there(self) -> Direct:
        direct = self._direct
        if direct is None or direct.lost:
            raise Disconnected(self.trouble(), sent=False)
        return direct

    def trouble(self) -> str:
        """What is wrong with the connection, a sentence; the empty text if all is well."""
        if self.connected:
            return self._denied
        servers = ", ".join(without_secrets(server) for server in self._options.servers)
        return f"there is no connection to NATS ({servers}): {self._why}"

    def measures(self) -> list[Counted]:
        """See `ocpp_twisted.interfaces.IMeasured.measures`."""
        text = "How often NATS was connected to."
        open_text = "Requests over NATS that wait for their answer."
        return [
            Counted.one("ocpp_nats_connections_total", text, self._connections),
            Counted.one("ocpp_nats_requests_open", open_text, len(self._waiting)),
        ]

    # -- messages -----------------------------------------------------------------------------

    def publish(
        self,
        subject: str,
        payload: bytes = b"",
        headers: Mapping[str, str] | bytes = b"",
        *,
        reply: str = "",
    ) -> None:
        """Send a message to whoever listens; nobody says whether somebody does.

        :param headers: or a `block` of them.
        :raises Disconnected: if there is no connection.
        :raises TooLarge: if the server does not take so much.
        """
        head = headers if isinstance(headers, bytes) else block(headers)
        self._send(pub(subject, reply, head, payload), len(head) + len(payload))

    def request(
        self,
        subject: str,
        payload: bytes = b"",
        headers: Mapping[str, str] | bytes = b"",
        *,
        timeout: float,
        again: bool = False,
    ) -> Deferred[Message]:
        """Send a message that is answered.

        :param headers: or a `block` of them.
        :param timeout: seconds until `NoAnswer`.
        :param again: whether it may be handled twice. Then it waits for a connection, if there is
            none, and is sent again after a connection was lost.
        :returns: a Deferred that fires with the first answer. Its errbacks are `NoResponders`,
            `NoAnswer`, `Disconnected` and `TooLarge`. Cancel it to wait no longer.
        """
        head = headers if isinstance(headers, bytes) else block(headers)
        asked = Promised(self._waiting, subject, again)
        try:
            self.ask(asked, payload, head, timeout)
        except LinkError:
            return fail()
        return asked.result

    def ask(self, asked: Asked, payload: bytes, head: bytes, timeout: float) -> None:
        """As `request`, without a Deferred: `asked` says where, and hears what comes of it.

        :raises Disconnected: or `TooLarge`; then `asked` hears nothing.
        """
        reply = self._waiting.expect(asked, timeout)
        text = asked.text = pub(asked.subject, reply, head, payload)
        size = asked.size = len(head) + len(payload)
        if not asked.again or self.connected:
            try:
                self._send(text, size)
            except LinkError:
                self._waiting.forget(asked)
                raise

    def expect(self, timeout: float) -> tuple[Deferred[Message], str]:
        """A message that somebody is going to send us.

        :param timeout: seconds until `NoAnswer`.
        :returns: a Deferred as from `request`, and the subject where the message is to go.
        """
        asked = Promised(self._waiting)
        return asked.result, self._waiting.expect(asked, timeout)

    def subscribe(
        self, subject: str, handler: Callable[[Message], object], queue: str = ""
    ) -> Subscription:
        """Call `handler` with each message on a subject, in their order.

        :param subject: may have wildcards.
        :param queue: of all subscribers with the same queue one gets each message.
        """
        subscription = Subscription(self, subject, queue, handler)
        self._subscriptions[subscription] = None
        if self._direct is not None:
            subscription._begin(self._direct)
        return subscription

    def flush(self) -> Deferred[None]:
        """Fires when the server has taken all that was sent and subscribed before."""
        try:
            return self.run(self._there().flush())
        except Disconnected:
            return fail()

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        """A coroutine of asyncio as a Deferred, for what nats-py can besides."""
        return Deferred.fromFuture(asyncio.ensure_future(coroutine))

    def _send(self, text: bytes, size: int) -> None:
        direct = self._there()
        if size > direct.max_payload:
            raise TooLarge(
                f"a message of {size} bytes is more than the NATS server takes "
                f"({direct.max_payload}): raise its max_payload"
            )
        if direct.is_slow and direct.unsent > _MOST_UNSENT:
            raise Disconnected("NATS does not take what is sent to it", sent=False)
        direct.write(text)

    def _send_again(self) -> None:
        for asked in self._waiting.again():
            try:
                self._send(asked.text, asked.size)
            except LinkError as error:
                self._waiting.fail(asked, error)

    # -- the connection -----------------------------------------------------------------------

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._keep())

    async def _keep(self) -> None:
        """Be connected, for ever. nats-py gives a client up when a server has refused it."""
        while True:
            closed = asyncio.Event()
            try:
                await self._connect(closed)
                await closed.wait()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                await self._complain(error)
            await asyncio.sleep(self._options.reconnect_wait)

    async def _connect(self, closed: asyncio.Event) -> None:
        options = self._options

        async def gone() -> None:
            closed.set()

        self._client = client = Client()
        try:
            await client.connect(
                servers=list(options.servers),
                name=options.name or None,
                error_cb=self._complain,
                disconnected_cb=self._went_down,
                reconnected_cb=partial(self._went_up, client),
                closed_cb=gone,
                max_reconnect_attempts=-1,
                reconnect_time_wait=options.reconnect_wait,  # type: ignore[arg-type] # any number
                ping_interval=options.ping_interval,  # type: ignore[arg-type]
                tls=options.context(),
                user_credentials=options.credentials,
                token=self._token if options.token is not None else None,
            )
            await self._went_up(client)
        except Exception:
            await client.close()  # or it goes on by itself
            raise

    def _token(self) -> str:
        assert self._options.token is not None
        return self._options.token.read_text(encoding="utf-8").strip()

    async def _went_up(self, client: Client) -> None:
        self._direct = direct = await Direct.take_over(client)
        direct.subscribe(self._waiting.subject, "", self._waiting.take)
        for subscription in list(self._subscriptions):
            subscription._begin(direct)
        await direct.flush()
        self._up, self._denied, self._why = True, "", "the server does not answer"
        self._told.clear()
        self._connections += 1
        url = client.connected_url
        _log.info("NATS: connected to {server}", server=url and f"{url.hostname}:{url.port}")
        self._send_again()
        for up, _ in list(self._listeners):
            _tell(up)

    async def _went_down(self) -> None:
        self._direct = None
        if not self._up:
            return
        self._up = False
        _log.warn("NATS: the connection is lost: {why}", why=self._why)
        self._waiting.lose(lambda asked: bool(asked.subject) and not asked.again)
        for _, down in list(self._listeners):
            _tell(down)

    async def _complain(self, error: Exception) -> None:
        """nats-py tells of an error: while it is connected, or tries to be."""
        self._why = str(error) or type(error).__name__
        if "permissions violation" in self._why:
            self._denied = f"NATS does not allow what is asked of it: {self._why}"
        if self._why not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(self._why)
            _log.warn("NATS: {why}", why=self._why)

    async def _finish(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait([task])
        self._up = False
        endings: list[Callable[[], Coroutine[Any, Any, object]]] = []
        if self._direct is not None:
            endings.append(self._direct.end)
        if self._client is not None:
            endings.append(self._client.close)
        for ending in endings:
            try:
                await asyncio.wait_for(ending(), _STOP_SECONDS)
            except Exception as error:  # what cannot be written is lost
                _log.debug("NATS: {error}", error=error)
        self._client, self._direct, self._task = None, None, None
        self._waiting.stop()

    def _end(self, subscription: Subscription) -> Deferred[None]:
        if self._subscriptions.pop(subscription, subscription) is subscription:
            return succeed(None)  # it has been ended before
        if self._direct is None:
            return succeed(None)  # the next connection does not begin it
        ended: Deferred[None] = Deferred()
        self._direct.unsubscribe(subscription._number, lambda: ended.callback(None))
        return ended


def _tell(listener: Callable[[], None]) -> None:
    try:
        listener()
    except Exception:
        _log.failure("NATS: a listener has failed: {listener}", listener=listener)
