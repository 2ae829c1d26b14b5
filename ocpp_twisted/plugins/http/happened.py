"""What has happened, numbered and kept for a while, so that who was away a moment misses nothing.

Imports msgspec, the hub and who a charge point is.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

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


class Happened:
    """The events of a hub.

    Messages are heard as long as somebody is told of them, and not kept: a server has the last
    ones of each charge point anyway.

    :param events: how many are kept.
    :param size: how many bytes they may have.
    """

    def __init__(self, hub: Hub, events: int = 1000, size: int = 4 * 1024 * 1024) -> None:
        self._hub = hub
        self._start = secrets.token_hex(4)
        self._number = 0
        self._events = events
        self._size = size
        self._kept: deque[_Event] = deque()
        self._used = 0
        #: The number of the last event that is not kept any more.
        self._lost = 0
        self._listening: list[_Listening] = []
        usual = [kind for kind in KINDS.values() if kind is not MessageNotice]
        self._stop = hub.listen(self._heard, usual)

    def stop(self) -> None:
        """Hear nothing more."""
        self._stop()

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
        if last is not None:
            self._catch_up(listening, last)
        stop_messages = None
        if "message" in kinds:
            stop_messages = self._hub.listen(self._heard, [MessageNotice], identity)
        self._listening.append(listening)

        def stop() -> None:
            self._listening.remove(listening)
            if stop_messages is not None:
                stop_messages()

        return stop

    def _catch_up(self, listening: _Listening, last: str) -> None:
        start, _, number = last.partition("-")
        known = start == self._start and number.isdecimal() and int(number) <= self._number
        after = int(number) if known else -1
        if after < self._lost or "message" in listening.kinds:
            listening.tell(_GAP)
        for event in self._kept:
            if event.number > after and listening.wants(event):
                listening.tell(event.lines)

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
        if kind != "message":
            self._keep(event)
        for listening in list(self._listening):
            if listening.wants(event):
                listening.tell(lines)

    def _keep(self, event: _Event) -> None:
        self._kept.append(event)
        self._used += len(event.lines)
        while len(self._kept) > self._events or self._used > self._size:
            oldest = self._kept.popleft()
            self._used -= len(oldest.lines)
            self._lost = oldest.number
