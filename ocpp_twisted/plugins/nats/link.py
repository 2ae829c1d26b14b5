"""One connection to NATS, which comes back by itself: requests, subscriptions, and its state.

Imports Twisted's names, nats-py, the errors and the measures. Works on the asyncio reactor only.

nats-py's own `request` makes a task and a timer for each; here a request is an entry in a
dictionary, answers come to one inbox, one timer looks for what is late, and messages that come
thick and fast are written together. Nothing is written to
the log for a message, only when the connection comes and goes.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg as Message
from nats.aio.subscription import Subscription as NatsSubscription
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.errors import ConfigurationError, OCPPError
from ocpp_twisted.measuring import Counted

__all__ = [
    "Disconnected",
    "Link",
    "LinkError",
    "LinkOptions",
    "Message",
    "NoAnswer",
    "NoResponders",
    "Subscription",
    "TooLarge",
    "check_reactor",
]

_log = Logger()
_T = TypeVar("_T")

#: Bytes that may wait to be written to NATS; nats-py waits for room at twice as many.
_MOST_UNSENT = 16 * 1024 * 1024
#: Messages that follow each other faster are written together, this many seconds later at most:
#: a write to the socket, and what it wakes on the other side, costs more than the message.
_BATCH_SECONDS = 0.001
#: What the headers of a message may have, at least, beside the largest payload.
_ROOM_FOR_HEADERS = 4096
#: Seconds by which an answer may be missed later than it is due.
_RESOLUTION = 0.1
#: Different complaints of nats-py that are written to the log, until it is connected again.
_MOST_TOLD = 20
#: Seconds that ending the connection may take.
_STOP_SECONDS = 5.0


class LinkError(OCPPError):
    """A message could not be sent over NATS, or has no answer."""


class Disconnected(LinkError):
    """There is no connection to NATS, or it was lost after the request was sent.

    :ivar sent: whether the request was sent, so that somebody may have acted on it.
    """

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.sent = sent


class NoResponders(LinkError):
    """Nobody listens there: nobody has seen the request."""


class NoAnswer(LinkError):
    """There was no answer in time; somebody may have acted on the request."""


class TooLarge(LinkError):
    """The message is larger than the NATS server takes; it was not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """How to reach NATS.

    :ivar servers: URLs: ``nats://HOST:4222``, ``tls://HOST``, ``nats://USER:PASSWORD@HOST``. One is
        chosen at random; others of its cluster are learnt from it.
    :ivar name: by which the server's monitoring shows this connection.
    :ivar credentials: a file with a user's JWT and seed (``.creds``).
    :ivar token: a file with a token; it is read for each connection.
    :ivar tls_ca: a PEM file with who signs servers' certificates; None for the system's.
    :ivar tls_cert: a PEM file with this client's certificate, with `tls_key`, its key.
    :ivar reconnect_wait: seconds between two attempts to connect to a server.
    :ivar ping_interval: seconds between pings; a server that answers none of two is left.
    """

    servers: Sequence[str] = ("nats://127.0.0.1:4222",)
    name: str = ""
    credentials: Path | None = None
    token: Path | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    reconnect_wait: float = 1.0
    ping_interval: float = 5.0

    def context(self) -> ssl.SSLContext | None:
        """The TLS context; None if nothing asks for TLS.

        :raises ConfigurationError: if a file cannot be used.
        """
        by_url = any(server.startswith("tls://") for server in self.servers)
        if not by_url and self.tls_ca is None and self.tls_cert is None:
            return None
        try:
            context = ssl.create_default_context(cafile=self.tls_ca)
            if self.tls_cert is not None:
                context.load_cert_chain(self.tls_cert, self.tls_key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(each) for each in (self.tls_ca, self.tls_cert, self.tls_key))
            raise ConfigurationError(f"the files for TLS to NATS ({files}): {error}") from error
        return context

    def check(self) -> None:
        """See whether the files are there.

        :raises ConfigurationError: if one is not.
        """
        self.context()
        for file in (self.credentials, self.token):
            if file is not None and not file.is_file():
                raise ConfigurationError(f"there is no file {file}, which NATS is to be shown")


class Subscription:
    """Messages on a subject, for one handler, over all connections of a link until `stop`."""

    __slots__ = ("_handler", "_inner", "_link", "queue", "subject")

    def __init__(
        self, link: Link, subject: str, queue: str, handler: Callable[[Message], object]
    ) -> None:
        self.subject = subject
        self.queue = queue
        self._link = link
        self._handler = handler
        self._inner: NatsSubscription | None = None

    def stop(self) -> Deferred[None]:
        """End it; what the server has sent already is still handled before this fires."""
        return self._link._end(self)

    async def _begin(self, client: Client) -> None:
        self._inner = await client.subscribe(self.subject, self.queue, cb=self._take)

    async def _drain(self, client: Client) -> None:
        inner, self._inner = self._inner, None
        if inner is not None:
            # nats-py sends its PING past what it still holds, and lets go when the PONG is there:
            # what the server sent before it knew of the end would be lost.
            await client._send_unsubscribe(inner._id)
            await client._flush_pending(force_flush=True)
            await inner.drain()

    async def _take(self, message: Message) -> None:
        try:
            self._handler(message)
        except Exception:
            _log.failure("NATS: the handler of {subject} has failed", subject=self.subject)


class _Waiting:
    """A request that waits for its answer."""

    __slots__ = ("again", "deadline", "headers", "payload", "result", "subject")

    def __init__(
        self,
        result: Deferred[Message],
        deadline: float,
        subject: str,
        payload: bytes,
        headers: dict[str, str] | None,
        again: bool,
    ) -> None:
        self.result = result
        self.deadline = deadline
        self.subject = subject
        self.payload = payload
        self.headers = headers
        self.again = again


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
        self._up = False
        self._task: asyncio.Task[None] | None = None
        self._begun: IDelayedCall | None = None
        self._subscriptions: dict[Subscription, None] = {}
        self._listeners: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self._inbox = f"_INBOX.{secrets.token_hex(11)}."
        self._number = 0
        self._waiting: dict[str, _Waiting] = {}
        self._sweep: IDelayedCall | None = None
        #: What is written when this millisecond is over, and when something was sent last.
        self._batch: list[tuple[str, bytes, str, dict[str, str] | None]] = []
        self._batched: IDelayedCall | None = None
        self._published = 0.0
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
            self._lose(lambda waiting: True)
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
        """Whether messages can be sent now."""
        return self._up and self._client is not None and self._client.is_connected

    @property
    def client(self) -> Client:
        """The client of the present connection, for what is not here; another one may follow.

        :raises Disconnected: if there is no connection.
        """
        client = self._client
        if client is None or not self._up or not client.is_connected:
            raise Disconnected(self.trouble(), sent=False)
        return client

    def trouble(self) -> str:
        """What is wrong with the connection, a sentence; the empty text if all is well."""
        if self.connected:
            return self._denied
        servers = ", ".join(_without_secrets(server) for server in self._options.servers)
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
        headers: dict[str, str] | None = None,
        *,
        reply: str = "",
    ) -> None:
        """Send a message to whoever listens; nobody says whether somebody does.

        :raises Disconnected: if there is no connection.
        :raises TooLarge: if the server does not take so much.
        """
        self._send(self.client, subject, payload, headers, reply)

    def _send(
        self,
        client: Client,
        subject: str,
        payload: bytes,
        headers: dict[str, str] | None,
        reply: str,
    ) -> None:
        if len(payload) + _ROOM_FOR_HEADERS > client.max_payload:
            _check_size(payload, headers, client.max_payload)
        if client.pending_data_size > _MOST_UNSENT:
            raise Disconnected("NATS does not take what is sent to it", sent=False)
        now = self._reactor.seconds()
        if self._batch:
            self._batch.append((subject, payload, reply, headers))
        elif now - self._published < _BATCH_SECONDS:
            self._batch.append((subject, payload, reply, headers))
            self._batched = self._reactor.callLater(_BATCH_SECONDS, self._write_batch)
        else:
            self._write(client, subject, payload, reply, headers)
        self._published = now

    def request(
        self,
        subject: str,
        payload: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        timeout: float,
        again: bool = False,
    ) -> Deferred[Message]:
        """Send a message that is answered.

        :param timeout: seconds until `NoAnswer`.
        :param again: whether it may be handled twice. Then it waits for a connection, if there is
            none, and is sent again after a connection was lost.
        :returns: a Deferred that fires with the first answer. Its errbacks are `NoResponders`,
            `NoAnswer`, `Disconnected` and `TooLarge`. Cancel it to wait no longer.
        """
        result, reply = self._expect(timeout, subject, payload, headers, again)
        if not again or self.connected:
            try:
                self._send(self.client, subject, payload, headers, reply)
            except LinkError:
                del self._waiting[reply[len(self._inbox) :]]
                return fail()
        return result

    def expect(self, timeout: float) -> tuple[Deferred[Message], str]:
        """A message that somebody is going to send us.

        :param timeout: seconds until `NoAnswer`.
        :returns: a Deferred as from `request`, and the subject where the message is to go.
        """
        return self._expect(timeout, "", b"", None, False)

    def subscribe(
        self, subject: str, handler: Callable[[Message], object], queue: str = ""
    ) -> Subscription:
        """Call `handler` with each message on a subject, in their order.

        :param subject: may have wildcards.
        :param queue: of all subscribers with the same queue one gets each message.
        """
        subscription = Subscription(self, subject, queue, handler)
        self._subscriptions[subscription] = None
        if self._client is not None and self._up:
            try:
                _at_once(subscription._begin(self._client))
            except nats.errors.Error as error:  # it is just being lost; the next one has it
                _log.debug("NATS: {subject}: {error}", subject=subject, error=error)
        return subscription

    def flush(self) -> Deferred[None]:
        """Fires when the server has taken all that was sent and subscribed before."""
        try:
            client = self.client
            self._write_batch_now()
            return self.run(client.flush(5))
        except Disconnected:
            return fail()

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        """A coroutine of asyncio as a Deferred, for what nats-py can besides."""
        return Deferred.fromFuture(asyncio.ensure_future(coroutine))

    # -- requests that wait -------------------------------------------------------------------

    def _expect(
        self,
        timeout: float,
        subject: str,
        payload: bytes,
        headers: dict[str, str] | None,
        again: bool,
    ) -> tuple[Deferred[Message], str]:
        self._number += 1
        token = str(self._number)

        def forget(_: object) -> None:
            self._waiting.pop(token, None)

        result: Deferred[Message] = Deferred(forget)
        deadline = self._reactor.seconds() + timeout
        self._waiting[token] = _Waiting(result, deadline, subject, payload, headers, again)
        if self._sweep is None:
            self._sweep = self._reactor.callLater(_RESOLUTION, self._end_late)
        return result, self._inbox + token

    async def _answer(self, message: Message) -> None:
        """Something has come to the inbox."""
        waiting = self._waiting.pop(message.subject[len(self._inbox) :], None)
        if waiting is None:
            return  # it is late, or the second answer to a request that was sent again
        headers = message.headers
        if headers and not message.data and headers.get("Status") == "503":
            text = f"nobody listens to {waiting.subject}"
            waiting.result.errback(Failure(NoResponders(text)))
        else:
            waiting.result.callback(message)

    def _write_batch_now(self) -> None:
        if self._batched is not None and self._batched.active():
            self._batched.cancel()
        self._write_batch()

    def _write_batch(self) -> None:
        batch, self._batch = self._batch, []
        client = self._client
        if client is not None:
            for message in batch:
                self._write(client, *message)

    @staticmethod
    def _write(
        client: Client, subject: str, payload: bytes, reply: str, headers: dict[str, str] | None
    ) -> None:
        try:
            _at_once(client.publish(subject, payload, reply, headers))
        except nats.errors.Error as error:
            # The connection is being lost: what waits for an answer will hear of that.
            _log.debug("NATS: {subject}: {error}", subject=subject, error=error)

    def _end_late(self) -> None:
        self._sweep = None
        now = self._reactor.seconds()
        late = [token for token, waiting in self._waiting.items() if waiting.deadline <= now]
        for token in late:
            waiting = self._waiting.pop(token, None)
            if waiting is not None:  # one of the others may have ended it
                text = f"there was no answer from {waiting.subject} in time"
                waiting.result.errback(Failure(NoAnswer(text)))
        if self._waiting and self._sweep is None:
            self._sweep = self._reactor.callLater(_RESOLUTION, self._end_late)

    def _lose(self, chosen: Callable[[_Waiting], bool]) -> None:
        """Requests have lost their answers."""
        lost = [token for token, waiting in self._waiting.items() if chosen(waiting)]
        for token in lost:
            waiting = self._waiting.pop(token, None)
            if waiting is not None:
                error = Disconnected("the connection to NATS was lost", sent=True)
                waiting.result.errback(Failure(error))

    def _send_again(self) -> None:
        for token, waiting in list(self._waiting.items()):
            if waiting.again and token in self._waiting:
                try:
                    self.publish(
                        waiting.subject,
                        waiting.payload,
                        waiting.headers,
                        reply=self._inbox + token,
                    )
                except LinkError:
                    del self._waiting[token]
                    waiting.result.errback(Failure())

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
        await client.connect(
            servers=list(options.servers),
            name=options.name or None,
            error_cb=self._complain,
            disconnected_cb=self._went_down,
            reconnected_cb=self._went_up,
            closed_cb=gone,
            max_reconnect_attempts=-1,
            reconnect_time_wait=options.reconnect_wait,  # type: ignore[arg-type] # any number
            ping_interval=options.ping_interval,  # type: ignore[arg-type]
            pending_size=2 * _MOST_UNSENT,
            tls=options.context(),
            user_credentials=options.credentials,
            token=self._token if options.token is not None else None,
        )
        await client.subscribe(f"{self._inbox}*", cb=self._answer)
        for subscription in self._subscriptions:
            subscription._inner = None
        await self._went_up()

    def _token(self) -> str:
        assert self._options.token is not None
        return self._options.token.read_text(encoding="utf-8").strip()

    async def _went_up(self) -> None:
        assert self._client is not None
        for subscription in list(self._subscriptions):
            if subscription._inner is None:
                await subscription._begin(self._client)
        await self._client.flush()
        self._up, self._denied, self._why = True, "", "the server does not answer"
        self._told.clear()
        self._connections += 1
        url = self._client.connected_url
        _log.info("NATS: connected to {server}", server=url and f"{url.hostname}:{url.port}")
        self._send_again()
        for up, _ in list(self._listeners):
            _tell(up)

    async def _went_down(self) -> None:
        if not self._up:
            return
        self._up = False
        _log.warn("NATS: the connection is lost: {why}", why=self._why)
        self._lose(lambda waiting: bool(waiting.subject) and not waiting.again)
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
        self._write_batch_now()
        self._up = False
        task.cancel()
        await asyncio.wait([task])
        if (client := self._client) is not None:
            for ending in (client.drain, client.close):
                try:
                    await asyncio.wait_for(ending(), _STOP_SECONDS)
                except Exception as error:  # what cannot be drained is closed
                    _log.debug("NATS: {error}", error=error)
        self._client, self._task = None, None
        self._lose(lambda waiting: True)
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _end(self, subscription: Subscription) -> Deferred[None]:
        if self._subscriptions.pop(subscription, subscription) is subscription:
            return succeed(None)  # it has been ended before
        return self.run(self._drain(subscription))

    async def _drain(self, subscription: Subscription) -> None:
        client = self._client
        if client is None:
            return  # all have ended
        try:
            await subscription._drain(client)
        except Exception as error:
            _log.debug("NATS: {subject}: {error}", subject=subscription.subject, error=error)
            await client.close()  # it would subscribe again: begin with another one


def check_reactor(reactor: Any, command: str) -> None:
    """See whether nats-py can work here.

    :param command: what is to be typed after ``twistd --reactor=asyncio -n``.
    :raises ConfigurationError: if the reactor is another than asyncio's.
    """
    if not isinstance(reactor, AsyncioSelectorReactor):
        raise ConfigurationError(
            f"NATS needs the asyncio reactor: type twistd --reactor=asyncio -n {command} "
            "(or --reactor=uvloop)"
        )


def _check_size(payload: bytes, headers: Mapping[str, str] | None, limit: int) -> None:
    size = len(payload)
    if headers is not None:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        size += len("\r\n".join(["NATS/1.0", *lines, "", ""]).encode())
    if size > limit:
        raise TooLarge(
            f"a message of {size} bytes is more than the NATS server takes ({limit}): raise its "
            "max_payload"
        )


def _tell(listener: Callable[[], None]) -> None:
    try:
        listener()
    except Exception:
        _log.failure("NATS: a listener has failed: {listener}", listener=listener)


def _at_once(coroutine: Coroutine[Any, Any, object]) -> None:
    """Run what nats-py writes into its buffer: it waits only for room, and that there is.

    So it needs no task, and is written before this returns, in its order.
    """
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()


def _without_secrets(url: str) -> str:
    scheme, separator, rest = url.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]
