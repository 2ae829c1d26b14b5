"""One charge point of a load: one connection, and one CALL on it at a time.

Imports what is below it: the session for what is not the answer that is waited for. An answer
is known by its first bytes, `[3,"` and the id of the CALL, and that it ends as an array does; its
payload is not read. What it does when is a table::

    AWAY --connect()--> CONNECTING --opened--> BOOTING --Accepted--> READY --turn--> CALLING
     ^                      |                    |                     ^               |
     +---- refused ---------+--------------------+                     +---- answer ---+
     +---- lost ---------------------------------------------- READY, CALLING

Without a boot, and when it comes again, it is READY at once. A turn that comes while it is CALLING
waits, for OCPP-J allows one CALL at a time (1.6 section 4.1.1); one that comes before it is READY
fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.errors import CallFault, CannotConnect, ErrorCode
from ocpp_twisted.interfaces import IMessageReceiver, IMessageTransport
from ocpp_twisted.ocppj import frames
from ocpp_twisted.ocppj.events import CallReceived, Rejected
from ocpp_twisted.stress.tally import count

if TYPE_CHECKING:
    from ocpp_twisted.stress.load import Load

__all__ = ["LoadPoint"]

#: Why requests fail, besides the codes of CALLERRORs.
NO_ANSWER = "no answer in time"
NOT_CONNECTED = "not connected when due"
CONNECTION_LOST = "connection lost"
NEVER_SENT = "never sent: the one before had no answer"


@implementer(IMessageReceiver)
class LoadPoint:
    """A charge point; see the head of this module.

    :param number: among all of the load.
    :param name: its id.
    """

    __slots__ = (
        "_awaited",
        "_behind",
        "_behind_since",
        "_booting",
        "_due",
        "_ending",
        "_failed",
        "_known",
        "_load",
        "_name",
        "_number",
        "_open",
        "_place",
        "_retry_after",
        "_sent_at",
        "_settled",
        "_transport",
    )

    #: For `IMessageReceiver`; it is the server's end that asks.
    registered = True

    def __init__(self, load: Load, number: int, name: str) -> None:
        self._load = load
        self._number = number
        self._name = name
        #: None unless it is BOOTING, READY or CALLING.
        self._transport: IMessageTransport | None = None
        self._booting = False
        #: Whether it is READY or CALLING; whether it was, and its end has begun; whether it has
        #: been so once.
        self._open = self._ending = self._known = False
        #: Whether its first attempt to connect has ended.
        self._settled = False
        #: Attempts that have failed since it was connected last, and what the server wants.
        self._failed = 0
        self._retry_after = 0.0
        #: The id of the CALL that waits for its answer, with the quote after it; else empty.
        self._awaited = b""
        self._due = self._sent_at = 0.0
        #: Turns that wait, and when the first of them was due.
        self._behind = 0
        self._behind_since = 0.0
        #: How many messages it has sent: that says which one is next.
        self._place = number

    # -- connecting ---------------------------------------------------------------------------

    def connect(self) -> None:
        """Open a connection."""
        load = self._load
        target = load.target(self._number, self._name)
        connecting = load.dialer.connect(target, [load.subprotocol], self._opened)
        connecting.addErrback(self._cannot_connect, target.url)

    def close(self) -> bool:
        """Say goodbye; returns whether there is a connection to be closed."""
        if self._transport is None:
            return False
        self._transport.close(1000, "the load has ended")
        return True

    def _opened(self, subprotocol: str, transport: IMessageTransport) -> LoadPoint:
        self._transport = transport
        if self._load.ended:
            transport.close(1000, "the load has ended")
        elif self._load.boot and not self._known:  # to be registered outlives a connection
            self._booting = True
            self._call(self._load.boot, self._load.now())
        else:
            self._ready()
        return self

    def _ready(self) -> None:
        tally = self._load.tally
        self._booting, self._open, self._failed = False, True, 0
        tally.open += 1
        if self._known:
            tally.reopened += 1
        else:
            self._known = True
            tally.opened += 1
        self._settle()

    def _settle(self) -> None:
        self._load.opening.ended()
        if not self._settled:
            self._settled = True
            self._load.tally.settled += 1

    def _cannot_connect(self, failure: Failure, url: str) -> None:
        error: Any = failure.value
        retry_after = error.retry_after if isinstance(error, CannotConnect) else 0.0
        self._refused(str(error).removeprefix(f"{url}: "), retry_after)
        self._load.again(self, self._failed, retry_after)

    def _refused(self, why: str, retry_after: float) -> None:
        if not self._load.ended:
            count(self._load.tally.refused, why)
        self._failed += 1
        self._retry_after = retry_after
        self._settle()

    def _not_accepted(self, why: str, retry_after: float = 0.0) -> None:
        transport, self._transport = self._transport, None
        self._booting, self._awaited = False, b""
        self._refused(f"BootNotification: {why}", retry_after)
        if transport is not None:
            transport.close(1000, "BootNotification is not accepted")

    # -- calling ------------------------------------------------------------------------------

    def turn(self, due: float) -> None:
        """A request is due."""
        if not self._open:
            count(self._load.tally.failed, NOT_CONNECTED)
        elif self._awaited:
            if not self._behind:
                self._behind_since = due
            self._behind += 1
        else:
            self._request(due)

    def overdue(self, before: float) -> None:
        """What was sent before that time has had its time for an answer."""
        if not self._awaited or self._sent_at > before:
            return
        if self._booting:
            self._not_accepted(NO_ANSWER)
        else:
            self._failed_for(NO_ANSWER)

    def give_up(self) -> None:
        """What is still open has failed: the load ends."""
        if self._open and self._awaited:
            self._awaited = b""
            count(self._load.tally.failed, NO_ANSWER)
        self._drop_behind(NEVER_SENT)

    def _request(self, due: float) -> None:
        tails = self._load.tails
        self._place += 1
        self._call(tails[self._place % len(tails)], due)
        self._load.tally.sent += 1

    def _call(self, tail: bytes, due: float) -> None:
        load = self._load
        self._awaited = awaited = b'%b%x"' % (load.ids, next(load.numbers))
        self._due = due
        self._sent_at = load.now()
        self._transport.send_message(b'[2,"' + awaited + tail)  # type: ignore[union-attr]

    def _next(self) -> None:
        if self._behind:
            due, self._behind = self._behind_since, self._behind - 1
            self._behind_since = due + self._load.period
            self._request(due)

    def _failed_for(self, reason: str) -> None:
        self._awaited = b""
        count(self._load.tally.failed, reason)
        self._next()

    def _drop_behind(self, reason: str) -> None:
        if self._behind:
            count(self._load.tally.failed, reason, self._behind)
            self._behind = 0

    # -- IMessageReceiver ---------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """See `IMessageReceiver.receive`."""
        if (
            self._awaited
            and data.startswith(self._awaited, 4)
            and data.startswith(b'[3,"')
            and data.endswith(b"]")
            and not self._booting
        ):
            load = self._load
            now = load.now()
            self._awaited = b""
            load.latencies.append(now - self._due)
            load.services.append(now - self._sent_at)
            if self._behind:
                self._next()
        else:
            self._look_closer(data)

    def closing(self) -> None:
        """See `IMessageReceiver.closing`."""
        self._transport = None
        if self._booting:
            self._not_accepted("the connection ended before its answer")
        if self._open:
            self._open, self._ending = False, True
            self._load.tally.open -= 1
            if self._awaited:
                self._awaited = b""
                count(self._load.tally.failed, CONNECTION_LOST)
            self._drop_behind(CONNECTION_LOST)

    def lost(self, reason: str) -> None:
        """See `IMessageReceiver.lost`."""
        if self._transport is not None:
            self.closing()
        if self._ending and not self._load.ended:
            count(self._load.tally.lost, reason)
        self._ending = False
        self._load.again(self, self._failed, self._retry_after)
        self._retry_after = 0.0

    # -----------------------------------------------------------------------------------------

    def _look_closer(self, data: bytes) -> None:
        """What is not simply the answer: an answer written otherwise, a CALL, or nonsense."""
        load = self._load
        try:
            frame = frames.decode(data)
        except frames.FrameFault:
            load.tally.unreadable += 1
            self._reply(data)
            return
        if not isinstance(frame, frames.CallResult | frames.CallError):
            load.tally.called += 1
            self._reply(data)
        elif not self._awaited or frame.id.encode() != self._awaited[:-1]:
            load.tally.unexpected += 1
        elif self._booting:
            self._boot_answered(frame)
        elif isinstance(frame, frames.CallError):
            self._failed_for(f"CALLERROR {frame.code}")
        else:
            self.receive(b'[3,"%b]' % self._awaited)

    def _boot_answered(self, frame: frames.CallResult | frames.CallError) -> None:
        if isinstance(frame, frames.CallError):
            self._not_accepted(f"CALLERROR {frame.code}")
            return
        try:
            answer = _read_boot(frame.payload)
        except msgspec.MsgspecError as error:
            self._not_accepted(f"its answer cannot be read: {error}")
            return
        if answer.status == "Accepted":
            self._awaited = b""
            self._ready()
        else:
            self._not_accepted(answer.status, answer.interval)

    def _reply(self, data: bytes) -> None:
        """Answer as a charge point does that knows nothing: in the version's own form."""
        session = self._load.session()
        event = session.receive(data)
        reply = None
        if isinstance(event, CallReceived):
            text = f"{event.action.name} is not supported here"
            reply = session.error(event.message_id, CallFault(ErrorCode.NOT_SUPPORTED, text))
        elif isinstance(event, Rejected):
            reply = event.reply
        if reply is not None and self._transport is not None:
            self._transport.send_message(reply)


class _Boot(msgspec.Struct):
    """What counts of an answer to BootNotification."""

    status: str
    interval: float = 0.0


_read_boot = msgspec.json.Decoder(_Boot).decode
