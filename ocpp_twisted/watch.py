"""A watch: it keeps the last messages of charge points, and publishes messages that are wanted.

Imports the interfaces, recordings and the hub. A server that nobody asks for messages has none.
A message that passes costs a place in a list; it is read, and secrets are taken out, when somebody
asks for it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from twisted.logger import Logger
from zope.interface import implementer

from ocpp_twisted.hub import Hub, MessageNotice
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IConnectionOwner, IMessageReceiver, IMessageTransport
from ocpp_twisted.recording.between import Between
from ocpp_twisted.recording.conversation import Conversation, Way
from ocpp_twisted.recording.lines import timestamp

__all__ = ["Recent", "Watch"]

_log = Logger()
#: What a message that is kept costs besides its own bytes, roughly.
_OVERHEAD = 200


#: A message as it passed: seconds since 1970, the connection's number, its version, the message.
_Said = tuple[float, int, str, Way, bytes]


class _Kept:
    """The last messages of one charge point, and what they cost.

    :ivar spoke: whether it has said something since it was last asked.
    :ivar forgotten: whether it was thrown away, so that another one is to be asked for.
    """

    __slots__ = ("forgotten", "identity", "messages", "size", "spoke")

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.messages: deque[_Said] = deque()
        self.size = 0
        self.spoke = True
        self.forgotten = False


class Recent:
    """The last messages of each charge point, within bounds.

    :param each: how many messages of one charge point are kept.
    :param size: bytes that all of them may have; of those who are silent, the one that was here
        first is forgotten first.
    """

    def __init__(self, each: int = 50, size: int = 32 * 1024 * 1024) -> None:
        self._each = each
        self._size = size
        self._used = 0
        self._kept: dict[Identity, _Kept] = {}

    def kept(self, identity: Identity) -> _Kept:
        """Where a charge point's messages go."""
        kept = self._kept.get(identity)
        if kept is None:
            kept = self._kept[identity] = _Kept(identity)
            self._used += _OVERHEAD
            kept.size = _OVERHEAD
        return kept

    def add(self, kept: _Kept, said: _Said) -> None:
        """Keep a message, where `kept` has said."""
        messages = kept.messages
        messages.append(said)
        cost = len(said[4]) + _OVERHEAD
        if len(messages) > self._each:
            cost -= len(messages.popleft()[4]) + _OVERHEAD
        kept.size += cost
        kept.spoke = True
        self._used += cost
        if self._used > self._size:
            self._forget()

    def _forget(self) -> None:
        """Make room; who has spoken since the last time has another turn."""
        while self._used > self._size:
            first = self._kept.pop(next(iter(self._kept)))
            if first.spoke and self._kept:
                first.spoke = False
                self._kept[first.identity] = first
            else:
                first.forgotten = True
                self._used -= first.size

    def of(self, identity: Identity) -> Sequence[MessageNotice]:
        """The last messages of a charge point, without secrets, the oldest first."""
        kept = self._kept.get(identity)
        return [] if kept is None else list(_told(identity, kept.messages))


def _conversation(kept: _Kept, connection: int) -> Conversation:
    """One that has read what is kept of a connection."""
    conversation = Conversation(None, whole=False)
    for _, number, _, way, data in kept.messages:
        if number == connection:
            conversation.content(way, data)
    return conversation


def _told(identity: Identity, messages: Sequence[_Said]) -> Iterator[MessageNotice]:
    conversations: dict[int, Conversation] = {}
    for said in messages:
        conversation = conversations.setdefault(said[1], Conversation(None, whole=False))
        yield _notice(identity, said, conversation)


def _notice(identity: Identity, said: _Said, conversation: Conversation) -> MessageNotice:
    seconds, _, version, way, data = said
    try:
        content = conversation.content(way, data)
    except Exception:
        _log.failure("cannot read a message of {charge_point}", charge_point=identity)
        content = {"withheld": len(data)}
    return MessageNotice(
        time=timestamp(seconds),
        chargePoint=identity.id,
        name=identity.name,
        way=way,
        version=version,
        **content,
    )


@implementer(IConnectionOwner)
class Watch:
    """An owner of connections that hands them on to another one, and looks at their messages.

    :param owner: provides `IConnectionOwner`.
    :param now: seconds since 1970.
    :ivar recent: `Recent`, the last messages.
    """

    def __init__(
        self, owner: IConnectionOwner, hub: Hub, now: Callable[[], float] = time.time
    ) -> None:
        self._owner = owner
        self._numbers = count(1)
        self.hub = hub
        self.now = now
        self.recent = Recent()

    @property
    def subprotocols(self) -> Sequence[str]:
        """See `IConnectionOwner.subprotocols`."""
        subprotocols: Sequence[str] = self._owner.subprotocols
        return subprotocols

    def connection_made(
        self, identity: Identity, subprotocol: str, transport: IMessageTransport
    ) -> IMessageReceiver:
        """See `IConnectionOwner.connection_made`."""
        version = subprotocol.removeprefix("ocpp")
        watched = _Watched(self, next(self._numbers), identity, version, transport)
        watched.receiver = self._owner.connection_made(identity, subprotocol, watched)
        return watched


class _Watched(Between):
    """One connection under a watch."""

    __slots__ = ("_conversation", "_identity", "_kept", "_number", "_version", "_watch")

    def __init__(
        self,
        watch: Watch,
        number: int,
        identity: Identity,
        version: str,
        transport: IMessageTransport,
    ) -> None:
        super().__init__(transport)
        self._watch = watch
        self._number = number
        self._identity = identity
        self._version = version
        self._kept = watch.recent.kept(identity)
        self._conversation: Conversation | None = None

    def receive(self, data: bytes) -> None:
        """See `IMessageReceiver.receive`."""
        self._passes("in", data)
        self.receiver.receive(data)

    def send_message(self, data: bytes) -> None:
        """See `IMessageTransport.send_message`."""
        self._passes("out", data)
        self.transport.send_message(data)

    def _passes(self, way: Way, data: bytes) -> None:
        watch, kept = self._watch, self._kept
        if kept.forgotten:
            kept = self._kept = watch.recent.kept(self._identity)
        said = (watch.now(), self._number, self._version, way, data)
        if not watch.hub.wants(MessageNotice, self._identity):
            self._conversation = None
        else:
            if self._conversation is None:
                self._conversation = _conversation(kept, self._number)
            watch.hub.publish(_notice(self._identity, said, self._conversation))
        watch.recent.add(kept, said)
