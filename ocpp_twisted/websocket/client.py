"""The WebSocket client: from a charge point to its central system.

Knows who wants the connection by two callables only. Source: OCPP-J 1.6 chapter 3, OCPP 2.1
part 4 chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.types import ConnectingRequest, ConnectionResponse
from OpenSSL import SSL
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
)
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from ocpp_twisted.errors import CannotConnect, ConfigurationError
from ocpp_twisted.interfaces import IMessageReceiver, IMessageTransport
from ocpp_twisted.websocket.fastpath import read_unmasked, write_masked
from ocpp_twisted.websocket.keepalive import KeepAlive
from ocpp_twisted.websocket.options import Counts
from ocpp_twisted.websocket.target import Target
from ocpp_twisted.websocket.transport import (
    MessageTransport,
    Timer,
    share_options,
    why_tls_broke,
)

__all__ = ["Dialer"]

#: Makes what takes the messages of a connection that is open: it gets the subprotocol that was
#: agreed on, and the transport.
Opened = Callable[[str, IMessageTransport], IMessageReceiver]
#: A response head is a few hundred bytes.
_MAX_RESPONSE_HEAD = 16384


class OCPPClientProtocol(MessageTransport, WebSocketClientProtocol):
    """One WebSocket of a charge point, at its own end."""

    peer_name = "the central system"
    read_frame = staticmethod(read_unmasked)
    write_frame = staticmethod(write_masked)

    factory: Dialer
    #: How many messages may come before the server's end would ask: here, any number.
    credit = math.inf
    serverConnectionDropTimeoutCall: IDelayedCall | None

    def __init__(
        self, target: Target, subprotocols: Sequence[str], opened: Opened, result: Deferred[None]
    ) -> None:
        super().__init__()
        self.security_profile = target.security_profile
        #: See `keepalive`.
        self.pinged_by: KeepAlive | None = None
        self._target = target
        self._subprotocols = list(subprotocols)
        self._opened = opened
        #: Tells whether the connection has been opened; None once it has told.
        self._result: Deferred[None] | None = result

    @property
    def keepalive(self) -> KeepAlive:
        """Who pings it: as its target wants it, or as all others."""
        return super().keepalive if self.pinged_by is None else self.pinged_by

    def credit_used_up(self) -> None:
        """See `ocpp_twisted.websocket.bounds.Bounded`; it never is."""

    def startHandshake(self) -> None:
        """Ask to come in.

        Autobahn's own prints the transport's details first, for a log entry that nobody sees: a
        fifth of what a handshake costs.
        """
        target = self._target
        self._actuallyStartHandshake(
            ConnectingRequest(
                host=f"[{target.host}]" if ":" in target.host else target.host,
                port=target.port,
                resource=target.resource,
                headers=target.request_headers,
                useragent=self.factory.useragent,
                protocols=self._subprotocols,
            )
        )

    def processHandshake(self) -> None:
        """Bound what is kept of a response that does not end; Autobahn does not."""
        head, end, _ = self.data.partition(b"\r\n\r\n")
        if len(head) > _MAX_RESPONSE_HEAD:
            self.failHandshake("its answer is no HTTP response, or too long a one")
        elif end and not head.isascii():
            self.failHandshake("its answer has letters in it that no header has")
        else:
            super().processHandshake()

    def failHandshake(self, reason: str) -> None:
        """The central system does not let us in."""
        status, retry_after = None, 0.0
        fields = getattr(self, "http_status_line", "").split(None, 2)
        if len(fields) > 1 and fields[1].isdigit() and fields[1] != "101":
            status = int(fields[1])
            phrase = fields[2] if len(fields) > 2 else ""
            reason = f"it answers {status} {phrase}".rstrip()
            after = self.http_headers.get("retry-after", "")
            retry_after = float(after) if after.isdigit() else 0.0
        self._fail(reason, status, retry_after)
        self.transport.abortConnection()

    def onConnect(self, response: ConnectionResponse) -> None:
        """The central system has chosen a version: Autobahn has asked for any that we ever offer.

        Source: RFC 6455 section 4.1: the connection fails otherwise.
        """
        if response.protocol is not None and response.protocol not in self._subprotocols:
            self._fail(f"it chooses {response.protocol[:50]!r}, which was not offered")
            self.transport.abortConnection()

    def onOpen(self) -> None:
        """The handshake is done."""
        subprotocol = self.websocket_protocol_in_use
        if self._result is None:
            return  # it has chosen what was not offered, or nobody wants the connection any more
        if subprotocol is None:
            # OCPP-J 1.6 section 3.1.2, 2.1 part 4 section 3.3.
            offered = ", ".join(self._subprotocols)
            self._fail(f"it speaks none of the versions that were offered ({offered})")
            self.close(1002, "no common OCPP version")
            return
        self.carry_messages()
        result, self._result = self._result, None
        self._receiver = self._opened(subprotocol, self)
        result.callback(None)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool | None:
        """The peer says goodbye. If it does not hang up, we do after a while.

        Autobahn would wait for that on the reactor of the process, not on the one that was given.
        """
        we_began = self.state == self.STATE_CLOSING
        outcome: bool | None = super().onCloseFrame(code, reasonRaw)
        if we_began and self.serverConnectionDropTimeoutCall is None:
            self.serverConnectionDropTimeoutCall = self.factory.reactor.callLater(
                self.factory.close_timeout, self.onServerConnectionDropTimeout
            )
        return outcome

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The socket has gone."""
        if isinstance(reason.value, SSL.Error):
            self._fail(why_tls_broke(reason.value))
        super().connectionLost(reason)
        if self._result is not None:
            late = self.wasOpenHandshakeTimeout
            self._fail("it does not answer the handshake in time" if late else "it hangs up")

    def ping(self) -> None:
        """Ask for a sign of life, unless it could not be heard: nothing is read now.

        So a socket that a simulator leaves half-open is silent, as a real one would be.
        """
        if not self._receiving_is_paused:
            super().ping()

    def tls_failed(self, why: object) -> None:
        """TLS has not come so far as to carry anything."""
        self._fail(why_tls_broke(why) if isinstance(why, SSL.Error) else f"TLS: {why}")

    def unreached(self, failure: Failure) -> None:
        """There is no socket to it."""
        self._fail(failure.getErrorMessage())

    def abort(self) -> None:
        """Nobody wants the connection any more."""
        self._result = None
        if self.transport is not None:
            self.transport.abortConnection()

    def _fail(self, why: str, status: int | None = None, retry_after: float = 0.0) -> None:
        result, self._result = self._result, None
        if result is not None:
            text = f"{self._target.url}: {why}"
            result.errback(Failure(CannotConnect(text, status, retry_after)))


class Dialer(WebSocketClientFactory):
    """Opens connections of any number of charge points.

    :param reactor: provides `IReactorTime`, `IReactorTCP` and `IReactorPluggableNameResolver`.
    :param ping_interval: seconds of silence before a ping; 0 for none. A target may want others.
    :param ping_timeout: seconds after a ping until a central system that stays silent is given up.
    :param open_timeout: seconds for a connection, and again for its handshake.
    :param close_timeout: seconds for the peer's answer to our closing.
    :param max_message_size: bytes of a message; larger ones end the connection with 1009.
    :ivar counts: what has become of the sockets.
    """

    noisy = False
    isServer = False
    protocols: list[str]

    def __init__(
        self,
        reactor: Any,
        *,
        ping_interval: float = 60.0,
        ping_timeout: float = 30.0,
        open_timeout: float = 20.0,
        close_timeout: float = 5.0,
        max_message_size: int = 1024 * 1024,
    ) -> None:
        super().__init__(reactor=reactor, useragent="ocpp_twisted")
        self.counts = Counts()
        self.close_timeout = close_timeout
        self.keepalive = KeepAlive(reactor, ping_interval, ping_timeout)
        self._ping_timeout = ping_timeout
        #: Those that targets want for themselves, as long as somebody uses them.
        self._others: WeakValueDictionary[float, KeepAlive] = WeakValueDictionary()
        self._open_timeout = open_timeout
        self._batched_timer = Timer(reactor)
        self.setProtocolOptions(
            failByDrop=False,
            openHandshakeTimeout=open_timeout,
            closeHandshakeTimeout=close_timeout,
            serverConnectionDropTimeout=0,  # see `onCloseFrame`
            maxMessagePayloadSize=max_message_size,
            maxFramePayloadSize=max_message_size,
            tcpNoDelay=True,
        )

        class Configured(OCPPClientProtocol):
            pass

        share_options(Configured, self)
        self.protocol = Configured

    def connect(
        self, target: Target, subprotocols: Sequence[str], opened: Opened
    ) -> Deferred[None]:
        """Open a connection.

        :param subprotocols: the preferred one first, for example ``["ocpp2.0.1", "ocpp1.6"]``.
        :param opened: is called once, as soon as messages can be sent.
        :returns: a Deferred that fires after `opened` was called. Its errback is `CannotConnect`,
            or a `ConfigurationError` if files for TLS cannot be used. Cancel it to give up.
        """

        def cancel(_: object) -> None:
            protocol.abort()
            connecting.cancel()

        result: Deferred[None] = Deferred(cancel)
        protocol: OCPPClientProtocol = self.protocol(target, subprotocols, opened, result)
        protocol.factory = self
        protocol.pinged_by = self._pinger(target.ping_interval)
        self.protocols = list({*self.protocols, *subprotocols})
        factory: Any = _One(protocol)
        if target.secure:
            try:
                factory = target.tls.wrap(target.host, factory)
            except ConfigurationError:
                return fail()
        connecting: Deferred[Any] = self._endpoint(target).connect(factory)
        # Its result would be the protocol, which would wait for the garbage collector.
        connecting.addCallbacks(lambda _: None, protocol.unreached)
        return result

    def _pinger(self, interval: float | None) -> KeepAlive | None:
        if interval is None:
            return None
        keepalive = self._others.get(interval)
        if keepalive is None:
            keepalive = KeepAlive(self.reactor, interval, self._ping_timeout)
            self._others[interval] = keepalive
        return keepalive

    def _endpoint(self, target: Target) -> Any:
        source = (target.source, 0) if target.source else None
        kind: Any = HostnameEndpoint
        if isIPAddress(target.host):  # no thread has to look it up
            kind = TCP4ClientEndpoint
        elif isIPv6Address(target.host):
            kind = TCP6ClientEndpoint
        return kind(self.reactor, target.host, target.port, self._open_timeout, source)


class _One(Factory):
    """Makes the one protocol that there is."""

    noisy = False

    def __init__(self, protocol: OCPPClientProtocol) -> None:
        self._protocols = [protocol]

    def buildProtocol(self, addr: object) -> OCPPClientProtocol:
        """See `twisted.internet.interfaces.IProtocolFactory`; it is kept here no longer."""
        return self._protocols.pop()
