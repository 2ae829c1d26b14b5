"""What has happened, numbered and kept for a while, so that who was away a moment misses nothing.

Imports msgspec, Twisted's names, the hub and who a charge point is.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Collection, Mapping
from heapq import merge
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ocpp_twisted.hub import (
    ConnectionNotice,
    Hub,
    MessageNotice,
    Notice,
    StatusNotice,
    TransactionNotice,
)
from ocpp_twisted.identity import Identity

__all__ = ["KINDS", "Happened"]

#: The kinds of events, by the names that clients use.
KINDS: Mapping[str, type[Notice]] = MappingProxyType(
    {
        "connection": ConnectionNotice,
        "status": StatusNotice,
        "transaction": TransactionNotice,
        "message": MessageNotice,
    }
)
_NAMES = {kind: name for name, kind in KINDS.items()}
_GAP = b'event: gap\ndata: {"kind":"gap"}\n\n'
_encode = msgspec.json.Encoder().encode
#: Seconds for which messages are still heard after the last who was told of them has gone.
_LINGER = 60.0
#: Of how many charge points messages are heard at most while nobody is told of them.
_MOST_LINGERING = 100

Teller = Callable[[bytes], None]


class _Event(NamedTuple):
    number: int
    kind: str
    identity: Identity
    lines: bytes


class _Listening(NamedTuple):
    """Somebody who is told."""

    tell: Teller
    kinds: Collection[str]
    identity: Identity | None

    def wants(self, event: _Event) -> bool:
        return event.kind in self.kinds and self.identity in (None, event.identity)


class _Kept:
    """The last events, within bounds.

    :param events: how many are kept.
    :param size: how many bytes they may have.
    :ivar lost: the number of the last event that is not kept any more.
    """

    def __init__(self, events: int, size: int) -> None:
        self.events: deque[_Event] = deque()
        self.lost = 0
        self._most = events
        self._size = size
        self._used = 0

    def add(self, event: _Event) -> None:
        self.events.append(event)
        self._used += len(event.lines)
        while len(self.events) > self._most or self._used > self._size:
            oldest = self.events.popleft()
            self._used -= len(oldest.lines)
            self.lost = oldest.number

    def clear(self) -> None:
        if self.events:
            self.lost = self.events[-1].number
            self.events.clear()
            self._used = 0


class _Hearing:
    """The messages of a charge point, or of all, are heard.

    :ivar since: the number of the last event before that.
    :ivar listeners: how many are told of them.
    :ivar end: ends it once nobody has been told of them for a while.
    """

    __slots__ = ("end", "listeners", "since", "stop")

    def __init__(self, since: int, stop: Callable[[], None]) -> None:
        self.since = since
        self.stop = stop
        self.listeners = 0
        self.end: IDelayedCall | None = None


class Happened:
    """The events of a hub.

    Messages are heard and kept as long as somebody is told of them, and a minute longer, so that
    who comes back misses none. Else they cost nothing.

    :param clock: provides `IReactorTime`.
    :param events: how many are kept, messages aside.
    :param messages: how many messages are kept.
    :param size: how many bytes either of them may have.
    """

    def __init__(
        self,
        hub: Hub,
        clock: IReactorTime,
        events: int = 1000,
        messages: int = 5000,
        size: int = 4 * 1024 * 1024,
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._start = secrets.token_hex(4)
        self._number = 0
        self._events = _Kept(events, size)
        self._messages = _Kept(messages, size)
        #: Charge point (None for all) to what is heard; who was left last by all is the last.
        self._hearing: dict[Identity | None, _Hearing] = {}
        self._listening: list[_Listening] = []
        usual = [kind for kind in KINDS.values() if kind is not MessageNotice]
        self._stop = hub.listen(self._heard, usual)

    def stop(self) -> None:
        """Hear nothing more."""
        self._stop()
        for identity in list(self._hearing):
            self._end(identity)

    def tell(
        self,
        teller: Teller,
        kinds: Collection[str],
        identity: Identity | None,
        last: str | None,
    ) -> Callable[[], None]:
        """Tell what happens from now on, and first what has happened since the event `last`.

        :param teller: is called with the lines of server-sent events (bytes).
        :param kinds: names of `KINDS`.
        :param identity: of which charge point; None for all.
        :param last: the id of an event; None for none.
        :returns: what ends it, to be called once.
        """
        listening = _Listening(teller, kinds, identity)
        if last is not None and (missed := self._missed(listening, last)):
            teller(missed)
        if "message" in kinds:
            self._hear(identity)
        self._listening.append(listening)

        def stop() -> None:
            self._listening.remove(listening)
            if "message" in kinds:
                self._leave(identity)

        return stop

    def _missed(self, listening: _Listening, last: str) -> bytes:
        """What has happened since, in one piece: to write it piece by piece fills no buffer."""
        start, _, number = last.partition("-")
        is_ours = start == self._start and len(number) < 20 and number.isdecimal()
        after = int(number) if is_ours and int(number) <= self._number else -1
        lost = after < self._events.lost
        if "message" in listening.kinds:
            lost |= after < self._messages_lost(listening.identity)
        events = merge(self._events.events, self._messages.events)
        missed = [
            event.lines for event in events if event.number > after and listening.wants(event)
        ]
        return (_GAP if lost else b"") + b"".join(missed)

    def _messages_lost(self, identity: Identity | None) -> int:
        """The number of the last event after which messages of a charge point may be missing."""
        heard = [self._hearing[one].since for one in {identity, None} if one in self._hearing]
        return max(min(heard, default=self._number + 1), self._messages.lost)

    # -- whose messages are heard ---------------------------------------------------------------

    def _hear(self, identity: Identity | None) -> None:
        hearing = self._hearing.get(identity)
        if hearing is None:
            stop = self._hub.listen(self._heard, [MessageNotice], identity)
            hearing = self._hearing[identity] = _Hearing(self._number, stop)
        elif hearing.end is not None:
            hearing.end.cancel()
            hearing.end = None
        hearing.listeners += 1

    def _leave(self, identity: Identity | None) -> None:
        hearing = self._hearing.get(identity)
        if hearing is None:
            return  # everything has been stopped
        hearing.listeners -= 1
        if not hearing.listeners:
            self._hearing[identity] = self._hearing.pop(identity)
            hearing.end = self._clock.callLater(_LINGER, self._end, identity)
            left = [one for one, heard in self._hearing.items() if not heard.listeners]
            if len(left) > _MOST_LINGERING:
                self._end(left[0])

    def _end(self, identity: Identity | None) -> None:
        hearing = self._hearing.pop(identity)
        hearing.stop()
        if hearing.end is not None and hearing.end.active():
            hearing.end.cancel()
        if not self._hearing:
            self._messages.clear()

    # -- what happens -----------------------------------------------------------------------------

    def _heard(self, notice: Notice) -> None:
        self._number += 1
        kind = _NAMES[type(notice)]
        lines = b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (
            self._start.encode(),
            self._number,
            kind.encode(),
            _encode(notice),
        )
        identity = Identity(notice.chargePoint, notice.name)
        event = _Event(self._number, kind, identity, lines)
        (self._messages if kind == "message" else self._events).add(event)
        for listening in list(self._listening):
            if listening.wants(event):
                listening.tell(lines)
