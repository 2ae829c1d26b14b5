"""Publishes what happens at a server: who comes and goes, status, transactions, and messages.

Imports msgspec, the hub and its neighbours. What is published is the hub's notice as JSON, for
whoever listens; what happens while NATS is away is not published later. A stream of JetStream over
the subjects keeps them, if somebody makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
from ocpp_twisted.measuring import Counted
from ocpp_twisted.plugins.nats.errors import LinkError
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.subjects import Subjects

__all__ = ["Events"]

_encode = msgspec.json.Encoder().encode
_ALWAYS = (ConnectionNotice, StatusNotice, TransactionNotice)
_NAMES: dict[type[Notice], str] = {
    ConnectionNotice: "connection",
    StatusNotice: "status",
    TransactionNotice: "transaction",
    MessageNotice: "message",
}
#: Charge points whose messages are published at once; who asks for more is not heard.
_MOST_WATCHED = 100
_LONGEST_WATCH = 3600.0


class Events:
    """Publishes notices.

    :param node: this process's name; it stands in the header ``Ocpp-Node``.
    """

    def __init__(self, link: Link, subjects: Subjects, node: str, clock: IReactorTime) -> None:
        self._link = link
        self._subjects = subjects
        self._headers = {"Ocpp-Wire": "1", "Ocpp-Node": node}
        self._clock = clock
        self._hub: Hub | None = None
        self._watched: dict[Identity, tuple[IDelayedCall, Callable[[], None]]] = {}
        self._lost = 0

    def listen(self, hub: Hub) -> None:
        """Publish what this hub tells."""
        self._hub = hub
        hub.listen(self._publish, _ALWAYS)

    def watch(self, identity: Identity, seconds: float) -> bool:
        """Publish the messages of a charge point for a while, too; for 0 seconds: no longer.

        :returns: whether it is done.
        """
        later, end = self._watched.pop(identity, (None, None))
        if later is not None and later.active():
            later.cancel()
        if end is not None:
            end()
        if seconds <= 0:
            return True
        if self._hub is None or len(self._watched) >= _MOST_WATCHED:
            return False
        self._watched[identity] = (
            self._clock.callLater(min(seconds, _LONGEST_WATCH), self.watch, identity, 0),
            self._hub.listen(self._publish, (MessageNotice,), identity),
        )
        return True

    def stop(self) -> None:
        """Publish no more messages of charge points."""
        for identity in list(self._watched):
            self.watch(identity, 0)

    def measures(self) -> Iterable[Counted]:
        """See `ocpp_twisted.interfaces.IMeasured.measures`."""
        text = "Events that were not published, because NATS was away."
        yield Counted.one("ocpp_nats_events_lost_total", text, self._lost)

    def _publish(self, notice: Notice) -> None:
        identity = Identity(notice.chargePoint, notice.name)
        subject = self._subjects.event(_NAMES[type(notice)], identity)
        try:
            self._link.publish(subject, _encode(notice), self._headers)
        except LinkError:
            self._lost += 1
