"""The HTTP server's protocol: twisted.web's, with a bound to what a client may send.

Imports Twisted, and its neighbour `problems`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from ocpp_twisted.plugins.http.problems import MEDIA_TYPE, Problem

__all__ = ["BoundedSite"]

_log = Logger()
#: How many connections of clients there may be.
_CONNECTIONS = 500
#: Seconds that a client may take to send a request, however it drips in.
_PATIENCE = 60.0


class _BoundedRequest(Request):
    """Refuses a body that is too large as soon as that is known, and ends the connection."""

    channel: _Channel

    def __init__(self, *arguments: Any, **more: Any) -> None:
        # Forms are of no use here: what parses them never sees a body.
        super().__init__(*arguments, **more, parsePOSTFormSubmission=False)
        self._received = 0
        self._refused = False

    def gotLength(self, length: int | None) -> None:
        """The head is there."""
        super().gotLength(0)  # the body is small: it stays in memory
        if (length or 0) > self.channel.site.body_limit:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body is there."""
        self._received += len(data)
        if self._refused:
            return
        if self._received > self.channel.site.body_limit:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The body is there."""
        if not self._refused:
            super().requestReceived(command, path, version)

    def _refuse(self) -> None:
        self._refused = True
        self.requestHeaders.removeHeader(b"expect")  # nobody shall ask for the body
        limit = self.channel.site.body_limit
        problem = Problem("too-large", f"the body may have {limit} bytes")
        body = problem.encode()
        head = (
            f"HTTP/1.1 {problem.status} Content Too Large\r\nContent-Type: {MEDIA_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        assert self.channel.transport is not None
        self.channel.transport.write(head.encode() + body)
        self.channel.loseConnection()


class _Channel(HTTPChannel):
    """A client's connection, which the site knows of."""

    site: BoundedSite

    _slow: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Too many are too many: this one is closed then. So is one that never ends its request."""
        super().connectionMade()
        self._wait_for_request()
        self.site.channels.add(self)
        if len(self.site.channels) > _CONNECTIONS:
            _log.warn("HTTP connection refused: there are {count}", count=_CONNECTIONS)
            self.forceAbortClient()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection has ended."""
        self.site.ended(self)
        self._stop_waiting()
        super().connectionLost(reason)

    def allContentReceived(self) -> None:
        """A request has come."""
        self._stop_waiting()
        super().allContentReceived()

    def requestDone(self, request: HTTPRequest) -> None:
        """It is answered: another may come."""
        super().requestDone(request)
        if self.site is not None and self in self.site.channels:
            self._wait_for_request()

    def _wait_for_request(self) -> None:
        self._stop_waiting()
        self._slow = self.site.reactor.callLater(_PATIENCE, self.forceAbortClient)

    def _stop_waiting(self) -> None:
        slow, self._slow = self._slow, None
        if slow is not None and slow.active():
            slow.cancel()

    def finish(self) -> None:
        """End the connection, after the response if one is due."""
        if self.requests:
            self.persistent = False
        else:
            self.loseConnection()


class BoundedSite(Site):
    """Serves a resource.

    :param body_limit: bytes that the body of a request may have.
    :ivar channels: the connections that are open.
    """

    noisy = False
    protocol = _Channel  # type: ignore[assignment]  # HTTP/1 is all that is needed

    def __init__(self, resource: IResource, body_limit: int, reactor: Any) -> None:
        super().__init__(resource, requestFactory=_BoundedRequest, reactor=reactor)
        self.displayTracebacks = False
        self.body_limit = body_limit
        self.channels: set[_Channel] = set()
        self._finished: Deferred[None] | None = None

    def finish(self) -> Deferred[None]:
        """End all connections, each after the response that is due.

        :returns: fires when they have ended. If it is cancelled, they end at once.
        """
        finished: Deferred[None] = Deferred(lambda _: self._abort())
        self._finished = finished
        for channel in list(self.channels):
            channel.finish()
        self._tell_if_finished()
        return finished

    def ended(self, channel: _Channel) -> None:
        """A connection has ended."""
        self.channels.discard(channel)
        self._tell_if_finished()

    def _tell_if_finished(self) -> None:
        if self._finished is not None and not self.channels:
            finished, self._finished = self._finished, None
            finished.callback(None)

    def _abort(self) -> None:
        for channel in list(self.channels):
            channel.forceAbortClient()
        self.channels.clear()
        self._tell_if_finished()

    def log(self, request: HTTPRequest) -> None:
        """A line of the log, without the query: id tags may stand there."""
        _log.debug(
            "{method} {path} {status}",
            method=request.method.decode("latin-1"),
            path=request.path.decode("latin-1"),
            status=request.code,
        )
