"""One end of a WebSocket that carries text messages: what server and client have in common.

Autobahn's protocol does frames and handshakes; this keeps to what `IMessageTransport` promises, and
bounds what a peer may use. Imports the interfaces and its neighbours. Source: RFC 6455, RFC 7692.
"""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketAdapterProtocol
from autobahn.util import encode_truncate
from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.interfaces import IMessageReceiver, IMessageTransport
from ocpp_twisted.websocket.deflate import ToTheByte
from ocpp_twisted.websocket.fastpath import FastPath
from ocpp_twisted.websocket.keepalive import KeepAlive

__all__ = ["MessageTransport", "Timer", "share_options", "why_tls_broke"]

#: A message of 1 MiB comes in 128 reads.
_MOST_PIECES = 4096
#: The opcode of a close frame.
_CLOSE = 8


def why_tls_broke(error: SSL.Error) -> str:
    """What OpenSSL says of a connection that it has ended."""
    queue = error.args[0] if error.args else None
    return f"TLS broke: {queue[0][-1] if isinstance(queue, list) and queue else error}"


def share_options(protocol: type[MessageTransport], factory: Any) -> None:
    """Make Autobahn's options attributes of a class, as the factory has them.

    Autobahn copies 36 options into each protocol, and pretty-prints them for a log entry that
    nobody sees: half of what a handshake costs.

    :param protocol: a class that the factory alone uses.
    """
    for option in protocol.CONFIG_ATTRS:
        setattr(protocol, option, getattr(factory, option))
    protocol.CONFIG_ATTRS = ()


class Timer:
    """Autobahn's timers on the reactor that is given: by itself it takes the process's."""

    def __init__(self, reactor: IReactorTime) -> None:
        self.call_later = reactor.callLater


@implementer(IMessageTransport, IPushProducer)
class MessageTransport(FastPath, WebSocketAdapterProtocol):
    """A mix-in before one of Autobahn's protocols.

    Its factory has a ``reactor``, a ``close_timeout`` in seconds, a ``keepalive``, and ``counts``.

    :cvar peer_name: who is at the other end, for logs.
    """

    peer_name = "the peer"
    security_profile = 0

    #: For `KeepAlive`.
    heard = True
    silent_since = 0.0
    pinged = False
    begun_at: float | None = None

    factory: Any
    CONFIG_ATTRS: Any
    _receiver: IMessageReceiver | None = None
    wasNotCleanReason: Any
    _lingering: IDelayedCall | None = None
    closeHandshakeTimeoutCall: IDelayedCall | None
    current_frame: Any
    websocket_extensions_in_use: list[Any]
    _perMessageCompress: Any
    _writing_is_paused = False
    _receiving_is_paused = False
    #: Bytes that the peer has not read, beyond what the transport wants to keep.
    _unsent = 0

    # -- Twisted's and Autobahn's hooks -------------------------------------------------------

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The socket has gone."""
        if isinstance(reason.value, SSL.Error):
            # Autobahn logs this as an error of ours, once for each that a stranger makes.
            self.wasNotCleanReason = self.wasNotCleanReason or why_tls_broke(reason.value)
            reason = Failure(ConnectionLost())
        super().connectionLost(reason)
        # Autobahn's two Deferreds hold this protocol, which would wait for the garbage collector.
        self.is_open = self.is_closed = None

    def carry_messages(self) -> None:
        """The opening handshake is done: messages may come and go from now on."""
        if self._perMessageCompress is not None:
            self._perMessageCompress = ToTheByte.like(self._perMessageCompress)
            self.websocket_extensions_in_use = []  # the other one is not needed any more
        self.transport.registerProducer(self, True)
        self.fast_path_opened()
        self.keepalive.watch(self)

    def _dataReceived(self, data: bytes) -> None:
        if self.state != self.STATE_CLOSED:  # Autobahn would keep what nobody reads any more
            super()._dataReceived(data)

    def onMessageFrameBegin(self, length: int) -> None:
        """Bound the pieces of a message: each costs far more memory than the bytes in it."""
        super().onMessageFrameBegin(length)
        if len(self.message_data) >= _MOST_PIECES and not self.failedByMe:
            self._fail_connection(1008, "a message in too many fragments")

    def onFrameData(self, payload: bytes) -> bool | None:
        """Keep nothing after a failure: Autobahn collects control frames, however long they are."""
        return None if self.failedByMe else super().onFrameData(payload)

    def onFrameEnd(self) -> bool | None:
        """The end of a frame; after a failure only the peer's close frame means anything."""
        if self.failedByMe:
            opcode, self.current_frame, self.inside_message = self.current_frame.opcode, None, False
            if opcode == _CLOSE:
                self.onCloseFrame(None, None)
            return None
        outcome: bool | None = super().onFrameEnd()
        # A peer may end a message with a final DEFLATE block (RFC 7692 section 7.2.3.4). Autobahn
        # would inflate nothing after it.
        deflate = self._perMessageCompress
        if deflate is not None and deflate._decompressor and deflate._decompressor.eof:
            deflate._decompressor = None
        return outcome

    def dropConnection(self, abort: bool = False) -> None:
        """Hang up; after a closing handshake in good order, for our close frame must get through.

        Autobahn would reset the connection whenever the peer's close frame answers ours.
        """
        super().dropConnection(abort and not self.wasClean)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Take one message. OCPP-J says text; a binary one that holds JSON is taken as well."""
        # Once we close no answer can be sent: what still comes is for the peer to send again.
        if self._receiver is not None and self.state == self.STATE_OPEN:
            self._receiver.receive(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The WebSocket has ended, in whichever way."""
        receiver, self._receiver = self._receiver, None
        self.keepalive.forget(self)
        # Autobahn lets it run, and keep this protocol, if the socket ends first.
        if self.closeHandshakeTimeoutCall is not None:
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        if self._lingering is not None and self._lingering.active():
            self._lingering.cancel()
        if receiver is not None:
            receiver.lost(self._why(wasClean, code, reason))

    # -- IMessageTransport --------------------------------------------------------------------

    def send_text(self, data: bytes) -> None:
        """Send a text message on Autobahn's road, compressed if that was agreed on.

        Not with its sendMessage(), which holds our messages to the limit that is for the peer's.
        """
        deflate = self._perMessageCompress
        if deflate is not None:
            deflate.start_compress_message()
            data = deflate.compress_message_data(data) + deflate.end_compress_message()
        self.sendFrame(opcode=1, payload=data, rsv=0 if deflate is None else 4)

    def sendCloseFrame(self, *arguments: Any, **more: Any) -> None:
        """All closing handshakes begin here, ours and our answers to the peer's."""
        super().sendCloseFrame(*arguments, **more)
        if self._receiver is not None:
            self._receiver.closing()

    def close(self, code: int, reason: str) -> None:
        """See `IMessageTransport.close`."""
        # Autobahn's sendClose() refuses the codes that are for servers, 1001 among them.
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, encode_truncate(reason, 123))
            self._pace_reading()

    def pause_receiving(self) -> None:
        """See `IMessageTransport.pause_receiving`."""
        self._receiving_is_paused = True
        self._pace_reading()

    def resume_receiving(self) -> None:
        """See `IMessageTransport.resume_receiving`."""
        self._receiving_is_paused = False
        self.heard = True  # the silence was ours
        self._pace_reading()

    # -- IPushProducer: the socket's write buffer is full, or empty again ---------------------

    def pauseProducing(self) -> None:
        """Read nothing more that would have to be answered: the peer does not read either."""
        self._writing_is_paused = True
        self._frames_here = False
        self._pace_reading()

    def resumeProducing(self) -> None:
        """Read on: the peer has read."""
        self._writing_is_paused = False
        self._frames_here = self._perMessageCompress is None
        self._unsent = 0
        self._pace_reading()

    def stopProducing(self) -> None:
        """The socket is gone; Autobahn's onClose follows."""

    # -- KeepAlive ----------------------------------------------------------------------------

    @property
    def keepalive(self) -> KeepAlive:
        """Who pings it, and gives it up."""
        keepalive: KeepAlive = self.factory.keepalive
        return keepalive

    def ping(self) -> None:
        """Ask for a sign of life."""
        self.sendPing()

    def give_up(self) -> None:
        """Drop a peer that is silent after a ping, or does not read what is sent to it."""
        if self._receiving_is_paused:
            return  # we are the ones who do not listen
        self.factory.counts.silent += 1
        self.wasClean = False
        self.wasNotCleanReason = (
            "it does not read what is sent to it"
            if self._writing_is_paused
            else "nothing was heard after a ping"
        )
        self.dropConnection(abort=True)

    # -----------------------------------------------------------------------------------------

    def _closeConnection(self, abort: bool = False) -> None:
        # What is still to be written first (over TLS, the peer's goodbye too) may never be done.
        super()._closeConnection(abort)
        if not abort:
            self._lingering = self.factory.reactor.callLater(
                self.factory.close_timeout, self.transport.abortConnection
            )

    @property
    def _reading_is_paused(self) -> bool:
        return self._writing_is_paused or self._receiving_is_paused or self._slowed is not None

    def _pace_reading(self) -> None:
        self.begun_at = None  # the time is ours
        # While closing, the peer's close frame must get through.
        if self._reading_is_paused and self.state == self.STATE_OPEN:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()

    def _why(self, wasClean: bool, code: int | None, reason: str | None) -> str:
        if not wasClean and not self.failedByMe:  # else what we sent it away for says more
            return str(self.wasNotCleanReason or "the connection broke")
        by = "we" if self.closedByMe else self.peer_name
        code = self.localCloseCode if self.closedByMe else code
        text = self.localCloseReason if self.closedByMe else reason
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        return f"{by} closed with {code or 'no code'}" + (f": {excerpt(text)}" if text else "")
