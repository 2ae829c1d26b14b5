"""A tap: between the connections of a server and their owner, it hears what both sides say.

Imports the interfaces and its neighbours. A server without a tap pays nothing for it,
and neither does a charge point that was not chosen. Whoever listens gets lines without secrets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IConnectionOwner, IMessageReceiver, IMessageTransport
from ocpp_twisted.recording.between import Between
from ocpp_twisted.recording.conversation import Conversation, Way
from ocpp_twisted.recording.lines import Line, timestamp

__all__ = ["Sink", "Tap"]

#: What listens: is called with each line, must not block, and may keep the line.
Sink = Callable[[Line], None]

_log = Logger()


@implementer(IConnectionOwner)
class Tap:
    """An owner of connections that hands them on to another one, and tells what happens.

    :param owner: provides `IConnectionOwner`.
    :param sink: gets a `Line` for each connection, message and end, in their order.
    :param chosen: of which charge points to tell; of all by default.
    :param pseudonym: makes another word of an id token, for example `Pseudonyms`; None if id
        tokens may be told.
    :param now: seconds since 1970.
    """

    def __init__(
        self,
        owner: IConnectionOwner,
        sink: Sink,
        *,
        chosen: Callable[[Identity], bool] = lambda identity: True,
        pseudonym: Callable[[str], str] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._owner = owner
        self._sink = sink
        self._chosen = chosen
        self._pseudonym = pseudonym
        self._now = now
        self._numbers = count(1)

    @property
    def subprotocols(self) -> Sequence[str]:
        """See `IConnectionOwner.subprotocols`."""
        subprotocols: Sequence[str] = self._owner.subprotocols
        return subprotocols

    def connection_made(
        self, identity: Identity, subprotocol: str, transport: IMessageTransport
    ) -> IMessageReceiver:
        """See `IConnectionOwner.connection_made`."""
        if not self._chosen(identity):
            return self._owner.connection_made(identity, subprotocol, transport)
        version = subprotocol.removeprefix("ocpp")
        conversation = Conversation(self._pseudonym)
        tapped = _Tapped(self, next(self._numbers), identity, version, transport, conversation)
        tapped.tell("online", peer=transport.peer)
        tapped.receiver = self._owner.connection_made(identity, subprotocol, tapped)
        return tapped

    def tell(self, event: Any, connection: _Tapped, more: dict[str, Any]) -> None:
        """Hand a line to who listens. What goes wrong there does the charge point no harm."""
        try:
            identity = connection.identity
            line = Line(
                time=timestamp(self._now()),
                event=event,
                connection=connection.number,
                charge_point=identity.id,
                name=identity.name,
                version=connection.version,
                **more,
            )
            self._sink(line)
        except Exception:
            _log.failure("a line of {charge_point} is lost", charge_point=connection.identity)

    def tell_message(self, way: Way, connection: _Tapped, data: bytes) -> None:
        """Hand on a message."""
        try:
            content = connection.conversation.content(way, data)
        except Exception:
            _log.failure("cannot read what {charge_point} says", charge_point=connection.identity)
            content = {"withheld": len(data)}
        self.tell(way, connection, content)


class _Tapped(Between):
    """Tells a tap."""

    __slots__ = ("_closed", "_tap", "conversation", "identity", "number", "version")

    def __init__(
        self,
        tap: Tap,
        number: int,
        identity: Identity,
        version: str,
        transport: IMessageTransport,
        conversation: Conversation,
    ) -> None:
        super().__init__(transport)
        self._tap = tap
        self.number = number
        self.identity = identity
        self.version = version
        self.conversation = conversation
        self._closed = False

    def tell(self, event: str, **more: Any) -> None:
        self._tap.tell(event, self, more)

    def receive(self, data: bytes) -> None:
        """See `IMessageReceiver.receive`."""
        self._tap.tell_message("in", self, data)
        self.receiver.receive(data)

    def lost(self, reason: str) -> None:
        """See `IMessageReceiver.lost`."""
        self.tell("offline", reason=reason)
        self.receiver.lost(reason)

    def send_message(self, data: bytes) -> None:
        """See `IMessageTransport.send_message`."""
        self._tap.tell_message("out", self, data)
        self.transport.send_message(data)

    def close(self, code: int, reason: str) -> None:
        """See `IMessageTransport.close`."""
        if not self._closed:
            self._closed = True
            self.tell("close", code=code, reason=reason)
        self.transport.close(code, reason)
