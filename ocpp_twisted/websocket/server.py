"""The WebSocket server: Autobahn's protocol between a socket and a connection of OCPP.

Knows its owner by interface only (`IConnectionOwner`). Source: OCPP-J 1.6 chapter 3, OCPP 2.1
part 4 chapter 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.interfaces import (
    IConnectionOwner,
)
from ocpp_twisted.security.handshake import Handshake, Refused, SecurityProfile
from ocpp_twisted.websocket.bounds import Bounded
from ocpp_twisted.websocket.crowding import (
    Addresses,
    Closing,
    most_connections,
    most_of_one_address,
)
from ocpp_twisted.websocket.deflate import accept_compression, can_be_read
from ocpp_twisted.websocket.fastpath import read_masked, write_unmasked
from ocpp_twisted.websocket.keepalive import KeepAlive
from ocpp_twisted.websocket.limited import Limited
from ocpp_twisted.websocket.options import Counts, WebSocketOptions
from ocpp_twisted.websocket.pace import Pace
from ocpp_twisted.websocket.refusals import Sparing
from ocpp_twisted.websocket.transport import MessageTransport, Timer, share_options
from ocpp_twisted.websocket.turnstile import Line
from ocpp_twisted.websocket.urls import BadId, UnknownPath

__all__ = ["Counts", "Entrance", "OCPPServerFactory", "OCPPServerProtocol", "WebSocketOptions"]

_log = Logger()

#: Lines a minute of those who do not come in.
_MOST_LINES = 100
#: The close code for a message that is too large.
_TOO_BIG = 1009
#: A handshake is a few hundred bytes; cookies and tokens make it a few thousand.
_MAX_REQUEST_HEAD = 16384
#: What Autobahn, which splits a head as text, does not read as others do: a folded header, space
#: before a colon, and characters that end a line for Python only.
_AMBIGUOUS = re.compile(rb"\n[ \t]|\n[^:\n]*[ \t]:|[\x0b\x0c\x1c-\x1e\x85]")


@implementer(IHandshakeListener)
class OCPPServerProtocol(MessageTransport, Bounded, WebSocketServerProtocol):
    """One WebSocket of a charge point."""

    factory: OCPPServerFactory
    #: What the listener demands.
    security_profile = SecurityProfile.NONE

    peer_name = "the charge point"
    read_frame = staticmethod(read_masked)
    write_frame = staticmethod(write_unmasked)

    _identity: Any = None  # an `Identity` once it has been asked for
    #: What the doorkeeper has still to decide.
    _decision: Deferred[Any] | None = None
    _refusal: Refused | None = None
    websocket_extensions: list[tuple[str, Any]]

    # -- Twisted's and Autobahn's hooks -------------------------------------------------------

    def connectionMade(self) -> None:
        """A socket."""
        self.factory.open.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The socket has gone."""
        super().connectionLost(reason)
        if self._decision is not None:
            self._decision.cancel()
        self.factory.gone(self)

    def processHandshake(self) -> None:
        """Bound what is kept of a request that does not end, and refuse headers of two readings.

        Autobahn does neither. Source: RFC 9112 sections 5.1 and 5.2.
        """
        if self._decision is not None:  # it may not send before it has our answer
            if len(self.data) > _MAX_REQUEST_HEAD:
                self.failHandshake("more than a request, before the answer to it")
            return
        head, end, _ = self.data.partition(b"\r\n\r\n")
        if not end and len(head) > _MAX_REQUEST_HEAD:
            self.failHandshake("the request is too long", 431)
        elif end and _AMBIGUOUS.search(head):
            self.failHandshake("a header is folded, or its lines do not end where they should")
        elif self.factory.options.proxies.tell_identity_twice(head):
            self.failHandshake("the header with the names in a certificate stands there twice")
        else:
            super().processHandshake()

    def onConnect(self, request: ConnectionRequest) -> Any:
        """Decide who the charge point is, whether it may come in, and which version it speaks.

        :returns: the first that it prefers, or a Deferred of it; None if we speak none of its.
        """
        self._may_go_on()
        try:
            self._identity = self.factory.options.templates.identify(self.http_request_uri)
        except UnknownPath as error:
            raise ConnectionDeny(404, str(error)) from None
        except BadId as error:
            raise ConnectionDeny(400, str(error)) from None
        self.websocket_extensions = [
            offer for offer in self.websocket_extensions if can_be_read(*offer)
        ]
        ours = self.factory.owner.subprotocols
        subprotocol = next((offered for offered in request.protocols if offered in ours), None)
        try:
            decision = self._ask(request.headers)
        except Exception as error:
            raise self._denied(error) from None
        if decision is None:
            return subprotocol
        self._decision = decision
        return decision.addBoth(self._decided, subprotocol)

    def _ask(self, headers: Mapping[str, str]) -> Deferred[None] | None:
        """Ask the doorkeeper."""
        options = self.factory.options
        forwarded = options.proxies.forwarded(self.transport.getPeer(), headers)
        self.peer = forwarded.peer
        self.count_address(forwarded.host)
        secure = ISSLTransport.providedBy(self.transport)
        # With the PROXY protocol the address is the charge point's; `listen` has seen the proxy's.
        proxied = forwarded.proxied or isinstance(self.transport, HAProxyProtocolWrapper)
        if self.security_profile > SecurityProfile.BASIC and not secure and not proxied:
            raise Refused(403, "come over TLS")
        if options.doorkeeper is None:
            return None
        certificate = self.transport.getPeerCertificate() if secure else None
        handshake = Handshake(
            identity=self._identity,
            profile=self.security_profile,
            peer=self.peer,
            origin=self._origin,
            authorization=headers.get("authorization", ""),
            certificate=None if certificate is None else certificate.to_cryptography(),
            names=forwarded.names,
        )
        decision: Deferred[None] | None = options.doorkeeper.admit(handshake)
        return decision

    def _decided(self, outcome: Any, subprotocol: str | None) -> str | None:
        self._decision = None
        if self.state != self.STATE_CONNECTING:
            return None  # it has gone; whatever was decided is for nobody
        if isinstance(outcome, Failure):
            raise self._denied(outcome.value)
        self._may_go_on()
        return subprotocol

    def _may_go_on(self) -> None:
        if not self.factory.accepting:
            raise ConnectionDeny(503, "the server is starting or stopping")

    def _denied(self, why: BaseException | None) -> ConnectionDeny:
        if isinstance(why, Refused):
            self._refusal = why  # Autobahn has no room for its headers
            return ConnectionDeny(why.status, why.reason)
        _log.failure("the doorkeeper has failed", failure=Failure(why))
        return ConnectionDeny(500, "the server cannot say who may come in; its log says why")

    def succeedHandshake(self, res: Any) -> None:
        """Let it in, unless it has gone while that was decided."""
        if self.state == self.STATE_CONNECTING:
            super().succeedHandshake(res)

    def failHandshake(
        self,
        reason: str,
        code: int = 400,
        responseHeaders: list[tuple[str, str]] | None = None,
    ) -> None:
        """Refuse before the upgrade, with the reason in the log and in the response's body."""
        if self.state != self.STATE_CONNECTING:
            return  # it has gone while that was decided
        refusal = self._refusal
        self.factory.counts.refused[code] += 1
        self._tell(
            "handshake refused: {peer} {target!r}: {code} {reason}{others}",
            target=getattr(self, "http_request_uri", "")[:255],
            code=code,
            reason=reason if refusal is None else refusal.detail or reason,
        )
        body = f"{reason}\n".encode()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
            *(responseHeaders or ()),
            *(refusal.headers if refusal is not None else ()),
        ]
        if code == 426:
            headers += [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
        if code == 405:
            headers += [("Allow", "GET")]
        phrase = _PHRASES.get(code, "Refused")
        head = f"HTTP/1.1 {code} {phrase}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers)
        self.wasNotCleanReason = reason
        self.sendData(head.encode() + b"\r\n" + body)
        self.dropConnection(abort=False)

    def _tell(self, text: str, **more: Any) -> None:
        """Log why it does not come in, but not without end: strangers would fill the disk."""
        others = self.factory.sparing.take()
        if others is not None:
            _log.warn(text, peer=self.peer, others=others, **more)

    def onOpen(self) -> None:
        """The handshake is done."""
        subprotocol = self.websocket_protocol_in_use
        if subprotocol is None:
            # OCPP-J 1.6 section 3.1.2, 2.1 part 4 section 3.3: finish it, then close at once.
            self._tell(
                "no common version: {charge_point} at {peer} offers {offered}, we speak {ours}"
                "{others}",
                charge_point=self._identity,
                offered=str(self.websocket_protocols or "no subprotocol")[:255],
                ours=list(self.factory.owner.subprotocols),
            )
            self.close(1002, "no common OCPP version")
            return
        self.carry_messages()
        kind = self._kind()
        self.factory.counts.open[kind] += 1
        self.factory.counts.opened[kind] += 1
        self._receiver = self.factory.owner.connection_made(self._identity, subprotocol, self)
        if self._receiver is not None:
            self.expect_first_message()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The WebSocket has ended, in whichever way."""
        if self._receiver is not None:
            self.factory.counts.open[self._kind()] -= 1
        super().onClose(wasClean, code, reason)

    # -----------------------------------------------------------------------------------------

    def _fail_connection(self, code: int, reason: str) -> None:
        self.factory.counts.failed[code] += 1
        if code == _TOO_BIG:
            self._limit("max-message-size", "a message is too large")
        super()._fail_connection(code, reason)

    def _kind(self) -> tuple[str, str, int]:
        secure = ISSLTransport.providedBy(self.transport)
        return (
            self.websocket_protocol_in_use or "",
            "wss" if secure else "ws",
            self.security_profile,
        )


_PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class OCPPServerFactory(WebSocketServerFactory):
    """Makes an `OCPPServerProtocol` for each charge point that connects.

    :param owner: to whom the connections belong.
    :param reactor: provides `IReactorTime`.
    :ivar accepting: whether charge points are let in. Otherwise new sockets are closed at once,
        and a handshake that is under way ends with 503.
    :ivar open: the protocols of all sockets that are open.
    :ivar counts: what has become of the sockets.
    """

    protocol = OCPPServerProtocol
    noisy = False
    accepting = True

    def __init__(
        self,
        owner: IConnectionOwner,
        reactor: IReactorTime,
        options: WebSocketOptions | None = None,
    ) -> None:
        self.owner = owner
        self.options = options = options if options is not None else WebSocketOptions()
        self.close_timeout = options.close_timeout
        self.open: set[OCPPServerProtocol] = set()
        self.limited = Limited(reactor)
        self.sparing = Sparing(reactor.seconds, most=_MOST_LINES)
        self.counts = Counts(limited=self.limited.counts)
        self.closing = Closing(options.max_closing_per_id)
        doorkeeper = options.doorkeeper
        self.line = Line(
            reactor,
            options.max_handshakes,
            lambda: doorkeeper is not None and doorkeeper.busy,
        )
        self.most = options.max_connections or most_connections()
        of_one = options.max_connections_per_address or most_of_one_address(self.most)
        self.addresses = Addresses(of_one, options.proxies)
        self.pace = Pace(options.max_messages_per_second)
        self._all_gone: list[Deferred[None]] = []
        self.keepalive = KeepAlive(
            reactor,
            options.ping_interval,
            options.ping_timeout,
            options.message_timeout,
            options.first_message_timeout,
        )
        super().__init__(reactor=reactor, server="", protocols=list(owner.subprotocols))
        self._batched_timer = Timer(reactor)
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            failByDrop=False,
            echoCloseCodeReason=True,
            openHandshakeTimeout=options.handshake_timeout,
            closeHandshakeTimeout=options.close_timeout,
            maxMessagePayloadSize=options.max_message_size,
            maxFramePayloadSize=options.max_message_size,
            perMessageCompressionAccept=accept_compression,
            tcpNoDelay=True,
        )

        class Configured(OCPPServerProtocol):
            credit = self.pace.block

        share_options(Configured, self)
        Configured.perMessageCompressionAccept = staticmethod(accept_compression)
        self.protocol = Configured

    def buildProtocol(self, addr: IAddress | None) -> OCPPServerProtocol | None:
        """A protocol for a new socket."""
        protocol: OCPPServerProtocol | None = None
        if self.accepting:
            protocol = super().buildProtocol(addr)
        return protocol

    def drop_all(self) -> Deferred[None]:
        """Drop every socket that is still there; fires when all have gone."""
        self.line.drop_all()
        if not self.open:
            return succeed(None)
        all_gone: Deferred[None] = Deferred()
        self._all_gone.append(all_gone)
        for protocol in list(self.open):
            protocol.transport.abortConnection()
        return all_gone

    def gone(self, protocol: OCPPServerProtocol) -> None:
        """A socket has gone; called by its protocol."""
        self.open.discard(protocol)
        if not self.open:
            waiting, self._all_gone = self._all_gone, []
            for all_gone in waiting:
                all_gone.callback(None)


class Entrance(ServerFactory):
    """What listens: lets sockets in to the server, by its own security profile.

    One for each listener (A00.FR.006: one profile is in use per port).

    :param inside: makes the protocols.
    :param profile: what a charge point has to prove here.
    """

    noisy = False

    def __init__(self, inside: OCPPServerFactory, profile: SecurityProfile) -> None:
        self._inside = inside
        self._profile = profile

    @property
    def counts(self) -> Counts:
        """See `OCPPServerFactory.counts`."""
        return self._inside.counts

    def buildProtocol(self, addr: IAddress | None) -> OCPPServerProtocol | None:
        """A protocol for a new socket; None if nobody is let in now."""
        protocol = self._inside.buildProtocol(addr)
        if protocol is not None and self._profile:
            protocol.security_profile = self._profile
        return protocol
