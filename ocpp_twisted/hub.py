"""What happens at a server, told to whoever listens: connections, status, transactions, messages.

Imports msgspec, the records' types and the plug-in base. Who knows of something publishes a
notice; who wants to know listens. Nobody waits for anybody, and a kind of notice to which nobody
listens costs nothing: `Hub.wants` says so before one is made. As JSON, a notice names its kind::

    {"kind":"connection","time":"2026-01-02T03:04:05.678Z","chargePoint":"CP1","name":"",
     "event":"online","version":"1.6","peer":"10.0.0.7:54321"}
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType
from twisted.logger import Logger

from ocpp_twisted import records
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.recording.lines import timestamp

__all__ = [
    "ConnectionNotice",
    "Herald",
    "Hub",
    "MessageNotice",
    "Notice",
    "StatusNotice",
    "TransactionNotice",
]

_log = Logger()


class Notice(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Something that has happened.

    :ivar time: when, by the server's clock: RFC 3339 in UTC, with milliseconds.
    :ivar chargePoint: the charge point's id.
    :ivar name: under which it connected; empty if its URL has none.
    """

    time: str
    chargePoint: str
    name: str = ""


class ConnectionNotice(Notice, frozen=True, kw_only=True, tag="connection"):
    """A charge point has connected, or has no connection any more.

    One that connects again while its old connection stands is online twice, and not offline.

    :ivar reason: of its going offline.
    :ivar seconds: how long it was connected, when it goes offline.
    """

    event: Literal["online", "offline"]
    version: str
    peer: str
    reason: str | None = None
    seconds: float | None = None


class StatusNotice(Notice, frozen=True, kw_only=True, tag="status"):
    """A charge point has told how a connector is."""

    connector: records.Connector


class TransactionNotice(Notice, frozen=True, kw_only=True, tag="transaction"):
    """A transaction has started, gone on or ended: published when that is safe.

    :ivar event: ``ended`` also if an operator has closed it.
    """

    event: Literal["started", "updated", "ended"]
    transaction: records.Transaction


class MessageNotice(Notice, frozen=True, kw_only=True, tag="message"):
    """A charge point has sent a message, or is sent one.

    :ivar way: ``in``: the charge point has sent it; ``out``: it is sent to the charge point.
    :ivar frame: the message if it is JSON: as it was, or without secrets.
    :ivar text: the message if it is not JSON, but text.
    :ivar base64: the message if it is not even that.
    :ivar withheld: the length, in bytes, of a message in which a secret may stand somewhere.
    """

    way: Literal["in", "out"]
    version: str
    frame: Raw | UnsetType = UNSET
    text: str | UnsetType = UNSET
    base64: bytes | UnsetType = UNSET
    withheld: int | UnsetType = UNSET


#: Is called with each notice in the reactor's thread, and must not block.
Listener = Callable[[Notice], None]


class Hub:
    """Tells notices to listeners, at once and in the order in which they are published."""

    def __init__(self) -> None:
        #: Kind to charge point (None for all) to those who listen.
        self._listeners: dict[type[Notice], dict[Identity | None, tuple[Listener, ...]]] = {}

    def wants(self, kind: type[Notice], charge_point: Identity) -> bool:
        """Whether anybody listens to notices of a kind of a charge point."""
        chosen = self._listeners.get(kind)
        return chosen is not None and (None in chosen or charge_point in chosen)

    def publish(self, notice: Notice) -> None:
        """Tell a notice, once to each listener. What one does wrong does the others no harm."""
        chosen = self._listeners.get(type(notice), {})
        of_this = chosen.get(Identity(notice.chargePoint, notice.name), ())
        for listener in dict.fromkeys((*chosen.get(None, ()), *of_this)):
            try:
                listener(notice)
            except Exception:
                _log.failure("a listener has failed: {listener}", listener=listener)

    def listen(
        self,
        listener: Listener,
        kinds: Collection[type[Notice]],
        charge_point: Identity | None = None,
    ) -> Callable[[], None]:
        """Listen to notices of these kinds.

        :param charge_point: of which to hear; of all by default.
        :returns: what ends it, to be called once.
        """
        for kind in kinds:
            chosen = self._listeners.setdefault(kind, {})
            chosen[charge_point] = (*chosen.get(charge_point, ()), listener)

        def stop() -> None:
            for kind in kinds:
                chosen = self._listeners[kind]
                left = list(chosen[charge_point])
                left.remove(listener)
                chosen[charge_point] = tuple(left)
                if not left:
                    del chosen[charge_point]

        return stop


class Herald(ActionPlugin):
    """Publishes who comes and goes.

    :param now: seconds since 1970.
    """

    name = "herald"

    def __init__(self, hub: Hub, now: Callable[[], float] = time.time) -> None:
        self._hub = hub
        self._now = now

    def charge_point_online(self, charge_point: IChargePoint) -> None:
        """See `IActionPlugin.charge_point_online`."""
        self._tell(charge_point, "online")

    def charge_point_offline(self, charge_point: IChargePoint, reason: str, seconds: float) -> None:
        """See `IActionPlugin.charge_point_offline`."""
        self._tell(charge_point, "offline", reason, seconds)

    def _tell(
        self,
        charge_point: IChargePoint,
        event: Literal["online", "offline"],
        reason: str | None = None,
        seconds: float | None = None,
    ) -> None:
        identity = charge_point.identity
        if self._hub.wants(ConnectionNotice, identity):
            notice = ConnectionNotice(
                time=timestamp(self._now()),
                chargePoint=identity.id,
                name=identity.name,
                event=event,
                version=charge_point.version,
                peer=charge_point.peer,
                reason=reason,
                seconds=seconds,
            )
            self._hub.publish(notice)
