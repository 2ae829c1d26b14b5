"""Operation: what happens, as server-sent events (HTML standard, section 9.2).

Imports the hub and its neighbours `operations`, `problems` and `happened`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from ocpp_twisted.hub import Hub
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.http.happened import KINDS, Happened
from ocpp_twisted.plugins.http.operations import Asked, Reply, operation
from ocpp_twisted.plugins.http.problems import Problem

__all__ = ["Events"]

_log = Logger()
_MEDIA_TYPE = "text/event-stream"
#: Seconds between comments, without which proxies take a quiet stream for a dead one.
_COMMENTS = 15.0
#: How many clients may listen.
_STREAMS = 100
#: How many bytes may wait for a client that does not read.
_WAITING = 1024 * 1024


class EventsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events.

    :ivar kinds: with commas between them: connection, status, transaction, message.
    :ivar chargePoint: of which charge point; of all if it is not given.
    :ivar name: under which that charge point connects, if its URL has a name.
    """

    kinds: str = "connection,status,transaction"
    chargePoint: str | None = None
    name: str = ""


class Events:
    """The clients that listen, and what they hear."""

    def __init__(self, hub: Hub, reactor: Any) -> None:
        self._happened = Happened(hub, reactor)
        self._streams: set[_Stream] = set()
        self._comments = LoopingCall(self._comment)
        self._comments.clock = reactor

    @operation(
        "GET",
        "/api/v1/events",
        "What happens, as server-sent events, from now on or from Last-Event-ID on.",
        query=EventsQuery,
        media=(_MEDIA_TYPE,),
        problems=("busy",),
        headers={"Last-Event-ID": "The id of the last event that was heard."},
    )
    def events(self, asked: Asked) -> Any:
        """Without end; an event ``gap`` tells that some are missing."""
        kinds = frozenset(kind for kind in asked.query.kinds.split(",") if kind)
        if unknown := kinds - KINDS.keys():
            text = f"there is no kind {min(unknown)}; there is {', '.join(KINDS)}"
            raise Problem("invalid-request", text, path="kinds")
        request = asked.request
        if request.method == b"HEAD":
            return Reply(media_type=_MEDIA_TYPE)
        if len(self._streams) >= _STREAMS:
            raise Problem("busy", f"{_STREAMS} clients listen already", {"Retry-After": "60"})
        chosen = asked.query.chargePoint
        identity = None if chosen is None else Identity(chosen, asked.query.name)
        request.setHeader("Content-Type", _MEDIA_TYPE)
        request.setHeader("X-Accel-Buffering", "no")
        stream = _Stream(request)
        self._streams.add(stream)
        stop = self._happened.tell(
            stream.write, kinds, identity, request.getHeader("last-event-id")
        )

        def gone(reason: object) -> None:
            stop()
            self._streams.discard(stream)
            if not self._streams and self._comments.running:
                self._comments.stop()

        request.notifyFinish().addBoth(gone)
        if not self._comments.running:
            self._comments.start(_COMMENTS, now=False)
        return NOT_DONE_YET

    def stop(self) -> None:
        """End all streams."""
        for stream in list(self._streams):
            stream.finish()
        self._happened.stop()

    def _comment(self) -> None:
        for stream in list(self._streams):
            stream.write(b":\n\n")


@implementer(IPushProducer)
class _Stream:
    """A client that listens; it is dropped if it does not read."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._waiting: int | None = None
        request.registerProducer(self, True)
        request.write(b"retry: 2000\n\n")

    def write(self, data: bytes) -> None:
        """Send some lines."""
        if self._waiting is not None:
            self._waiting += len(data)
            if self._waiting > _WAITING:
                _log.warn("{client} does not read its events: dropped", client=self._request.client)
                transport: Any = self._request.transport  # of a TCP, TLS or Unix socket
                transport.abortConnection()
                return
        self._request.write(data)

    def finish(self) -> None:
        """The last has been sent."""
        self._request.unregisterProducer()
        self._request.finish()

    def pauseProducing(self) -> None:
        """What is sent from now on waits in the transport's buffer. Told again with each write."""
        if self._waiting is None:
            self._waiting = 0

    def resumeProducing(self) -> None:
        """Nothing waits."""
        self._waiting = None

    def stopProducing(self) -> None:
        """The connection has ended; ``notifyFinish`` tells it too."""
