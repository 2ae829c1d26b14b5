"""What one socket may use: frames a second, time for each step, memory for what it does not read.

Imports Twisted's names and its neighbours. How many sockets there are is `turnstile`'s.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.interfaces import IMessageReceiver
from ocpp_twisted.security.handshake import Refused
from ocpp_twisted.websocket.pace import SIZE_OF_ONE, Account
from ocpp_twisted.websocket.turnstile import come_back

__all__ = ["Bounded"]

#: Seconds for which a charge point may be slowed without a pause of its own.
_LONGEST_SLOWED = 300.0


class Bounded:
    """A mix-in before Autobahn's server protocol."""

    #: Frames that may come before the account is asked; the factory sets the first.
    credit = 0
    _receiver: IMessageReceiver | None
    begun_at: float | None
    _account: Account | None = None
    #: Ends the time in which nothing is read, because too much has come.
    _slowed: IDelayedCall | None = None
    #: What its address is counted as.
    _origin = ""
    _awaits_tls = False

    # -- coming and going ---------------------------------------------------------------------

    def connectionMade(self: Any) -> None:
        """A socket, which has passed the turnstile."""
        self._count_in(str(getattr(self.transport.getPeer(), "host", "")))
        super().connectionMade()  # type: ignore[misc]
        if ISSLTransport.providedBy(self.transport) and self.openHandshakeTimeoutCall is not None:
            self._awaits_tls = True
            self.openHandshakeTimeoutCall.reset(self.factory.options.tls_handshake_timeout)

    def handshakeCompleted(self: Any) -> None:
        """TLS is there: time for the WebSocket handshake begins."""
        self._awaits_tls = False
        if self.openHandshakeTimeoutCall is not None:
            self.openHandshakeTimeoutCall.reset(self.factory.options.handshake_timeout)

    def connectionLost(self: Any, reason: Failure = connectionDone) -> None:
        """The socket has gone."""
        super().connectionLost(reason)  # type: ignore[misc]
        if self._slowed is not None:
            self._slowed.cancel()
            self._slowed = None
        self.factory.addresses.leave(self._origin)
        if self._identity is not None:
            self.factory.closing.ends(self._identity, self)
        if self.wasOpenHandshakeTimeout:
            self.factory.counts.late += 1
            limit = "tls-handshake-timeout" if self._awaits_tls else "handshake-timeout"
            self._limit(limit, "the handshake was not finished in time")

    def count_address(self: Any, host: str) -> None:
        """The address is known that a proxy brings.

        :raises Refused: if there are too many sockets of it.
        """
        if self._origin:
            return
        addresses = self.factory.addresses
        if not addresses.have_room(addresses.origin(host)):
            self.factory.limited.count("max-connections-per-address", host, "turned away")
            raise Refused(503, "too many connections from this address", [come_back()])
        self._count_in(host)

    def _count_in(self: Any, host: str) -> None:
        origin = self.factory.addresses.origin(host)
        if origin:
            self._origin = origin
            self.factory.addresses.enter(origin)

    def sendCloseFrame(self: Any, *arguments: Any, **more: Any) -> None:
        """All closing handshakes begin here."""
        super().sendCloseFrame(*arguments, **more)  # type: ignore[misc]
        self.factory.closing.begins(self._identity, self)

    def hurry(self: Any) -> None:
        """Too many sockets of this charge point are closing: end this one now."""
        self._limit("max-closing-per-id", "one that was still closing is dropped")
        self.transport.abortConnection()

    # -- how much comes -----------------------------------------------------------------------

    def onMessageEnd(self: Any) -> None:
        """The end of a message that has come on Autobahn's road."""
        self.credit -= self.message_data_total_length // SIZE_OF_ONE  # once inflated
        super().onMessageEnd()  # type: ignore[misc]

    def onFrameEnd(self: Any) -> bool | None:
        """The end of a frame that has come on Autobahn's road; a message has ended with it?"""
        outcome: bool | None = super().onFrameEnd()  # type: ignore[misc]
        self.credit -= 1
        if not self.inside_message:
            self.begun_at = None
        return outcome

    def consumeData(self: Any) -> None:
        """Work through what has come, but not so much that others have to wait."""
        if self._slowed is not None and self.state == self.STATE_OPEN:
            return
        going = True
        while going and self.state == self.STATE_OPEN:
            going = self.processData()
            if self.credit <= 0 and self.credit_used_up(going):
                return
        if going:
            super().consumeData()  # type: ignore[misc]

    def credit_used_up(self: Any, more: bool = False) -> bool:
        """Look how many more frames may come.

        :param more: whether there are more in what has been read.
        :returns: whether nothing more is to be done with them now.
        """
        if self.state != self.STATE_OPEN:
            return False
        if self._slowed is not None:
            return True
        factory = self.factory
        now = factory.reactor.seconds()
        if self._account is None:
            self._account = Account(factory.pace, now)
        wait = self._account.draw(now)
        if not wait:
            self.credit = factory.pace.block
            if not more:
                return False
        elif self._account.slowed_since == now:
            self._limit("max-messages-per-second", "it sends too much, and is read more slowly")
        elif now - self._account.slowed_since >= _LONGEST_SLOWED:
            self._limit("max-messages-per-second", "it goes on to send too much, and is sent away")
            self._fail_connection(1008, f"more than {factory.pace.rate} messages a second")
            return False
        self._slowed = factory.reactor.callLater(wait, self._go_on)
        self._pace_reading()
        return True

    def _go_on(self: Any) -> None:
        self._slowed = None
        if self.credit <= 0 and self.credit_used_up():
            return
        self.heard = True
        self._pace_reading()
        if self.data:
            self.consumeData()

    # -- how slowly it comes ------------------------------------------------------------------

    @property
    def unfinished(self: Any) -> bool:
        """See `ocpp_twisted.websocket.keepalive.Watched`."""
        begun = self.data or self.inside_message or self.current_frame is not None
        return bool(begun) and not self._reading_is_paused

    def too_slow(self: Any) -> None:
        """See `ocpp_twisted.websocket.keepalive.Watched`."""
        self._drop("message-timeout", "the end of a message has not come in time")

    def expect_first_message(self: Any) -> None:
        """A charge point that nobody knows must not only hold a socket."""
        if not self._receiver.registered:
            self._receiver = _FirstMessage(self._receiver, self)

    def too_quiet(self: Any) -> None:
        """See `ocpp_twisted.websocket.keepalive.Watched`."""
        if isinstance(self._receiver, _FirstMessage):
            self._limit("first-message-timeout", "it says nothing, and is sent away")
            self.close(1008, "no message has come")

    # -- what it does not read ----------------------------------------------------------------

    def sendData(self: Any, data: bytes, *arguments: Any, **more: Any) -> None:
        """All bytes for the socket come here, those of the fast path aside."""
        if self._writing_is_paused:
            self._unsent += len(data)
            if self._unsent > self.factory.options.max_write_buffer:
                self._drop("max-write-buffer", "it does not read what is sent to it")
                return
        super().sendData(data, *arguments, **more)  # type: ignore[misc]

    # -----------------------------------------------------------------------------------------

    def _limit(self: Any, limit: str, text: str) -> None:
        who = self._identity or getattr(self.transport.getPeer(), "host", "a local socket")
        self.factory.limited.count(limit, str(who), text)

    def _drop(self: Any, limit: str, why: str) -> None:
        if self.state != self.STATE_CLOSED:
            self._limit(limit, f"dropped: {why}")
            self.wasClean = False
            self.wasNotCleanReason = why
            self.dropConnection(abort=True)


@implementer(IMessageReceiver)
class _FirstMessage:
    """Before the receiver until it has got its first message, which then costs no more."""

    __slots__ = ("_protocol", "_receiver")
    registered = False

    def __init__(self, receiver: IMessageReceiver, protocol: Any) -> None:
        self._receiver = receiver
        self._protocol = protocol
        protocol.factory.keepalive.expect(protocol)

    def receive(self, data: bytes) -> None:
        """See `IMessageReceiver.receive`."""
        self._protocol._receiver = self._receiver
        self._protocol.factory.keepalive.has_spoken(self._protocol)
        self._receiver.receive(data)

    def closing(self) -> None:
        """See `IMessageReceiver.closing`."""
        self._receiver.closing()

    def lost(self, reason: str) -> None:
        """See `IMessageReceiver.lost`."""
        self._receiver.lost(reason)
