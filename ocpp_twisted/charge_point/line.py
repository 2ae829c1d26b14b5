"""A charge point's line to its central system: opened, lost, and opened again.

Imports its neighbours, the errors and the interfaces; opens connections through `Connects` only.
What it does when is a table::

    STOPPED --start()--> CONNECTING --opened--> OPEN --ended--> WAITING --time--> CONNECTING ...
       ^                     |                   |                 ^
       +------ stop() -------+-------------------+                 |
                             +-- it cannot be opened --------------+

Source: OCPP 2.1 part 4, section 5.4 (2.0.1 section 5.3); OCPP-J 1.6 section 5.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from random import Random
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.charge_point.backoff import Backoff
from ocpp_twisted.charge_point.link import Link
from ocpp_twisted.errors import CannotConnect
from ocpp_twisted.interfaces import IMessageReceiver, IMessageTransport
from ocpp_twisted.websocket.target import Target

__all__ = ["Connects", "Line", "State"]

_log = Logger()


class Connects(Protocol):
    """What opens connections: a `Dialer`, or `ocpp_twisted.testing` in memory."""

    def connect(
        self,
        target: Target,
        subprotocols: Sequence[str],
        opened: Callable[[str, IMessageTransport], IMessageReceiver],
    ) -> Deferred[None]:
        """See `Dialer.connect`."""


class State(Enum):
    """See the head of this module."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    OPEN = "open"
    WAITING = "waiting"


class Line:
    """A connection that is there again when it has ended, from `start` to `stop`.

    :param subprotocols: the preferred one first.
    :param make_link: makes the `Link` of a connection that has been opened, by its subprotocol.
    :param online: is told of a link that is open.
    :param offline: is told of a link that has ended, and why.
    :ivar target: where it leads; another one counts from the next connection on.
    :ivar backoff: how long it waits before it connects again.
    :ivar link: the one that is there; None if there is none.
    :ivar unreachable: is told how often in a row it could not be opened; it may change `target`.
    """

    def __init__(
        self,
        target: Target,
        subprotocols: Sequence[str],
        make_link: Callable[[str, IMessageTransport], Link],
        online: Callable[[Link], None],
        offline: Callable[[Link, str], None],
        dialer: Connects,
        clock: IReactorTime,
        backoff: Backoff,
        random: Random,
    ) -> None:
        self.target = target
        self.backoff = backoff
        self.link: Link | None = None
        self.unreachable: Callable[[int], object] = lambda failed: None
        self.state = State.STOPPED
        self._subprotocols = subprotocols
        self._make_link = make_link
        self._online = online
        self._offline = offline
        self._dialer = dialer
        self._clock = clock
        self._random = random
        self._opening: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        #: How often it has waited and failed since it was open, and when to come again.
        self._waits = 0
        self._failed = 0
        self._retry_after = 0.0
        #: Whether it is opened anew as soon as the old connection has ended.
        self._at_once = False
        self._stopped: list[Deferred[None]] = []

    def start(self) -> None:
        """Open it, and keep it open. Does nothing if it has been started."""
        if self.state is State.STOPPED and self.link is None:
            self._connect()
        elif self.state is State.STOPPED:  # the old connection is still closing
            self.state, self._at_once = State.WAITING, True

    def stop(self, reason: str) -> Deferred[None]:
        """Close it, and leave it so; fires when the connection has ended."""
        self.state, self._at_once = State.STOPPED, False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._opening is not None:
            self._opening.cancel()
        if self.link is None:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopped.append(stopped)
        self.link.close(1000, reason)
        return stopped

    def reconnect(self) -> None:
        """Close the connection, if there is one, and open another one at once."""
        if self.state is State.OPEN and self.link is not None:
            self._at_once = True
            self.link.close(1000, "the charge point connects anew")
        elif self.state is State.WAITING and self._timer is not None:
            self._timer.reset(0)

    def ended(self, link: Link, reason: str) -> None:
        """A link has ended; called by it."""
        self.link = None
        self._offline(link, reason)
        if self._at_once:
            self._at_once = False
            self._connect()
        elif self.state is not State.STOPPED:
            self._wait()
        stopped, self._stopped = self._stopped, []
        for each in stopped:
            each.callback(None)

    def _connect(self) -> None:
        self._timer = None
        self.state = State.CONNECTING
        opening = self._opening = self._dialer.connect(
            self.target, self._subprotocols, self._opened
        )
        opening.addCallbacks(self._is_open, self._cannot_connect)

    def _opened(self, subprotocol: str, transport: IMessageTransport) -> IMessageReceiver:
        self.link = self._make_link(subprotocol, transport)
        return self.link

    def _is_open(self, result: None) -> None:
        self._opening = None
        if self.link is not None:  # else it has been closed at once
            self.state = State.OPEN
            self._waits, self._failed, self._retry_after = 0, 0, 0.0
            self._online(self.link)

    def _cannot_connect(self, failure: Failure) -> None:
        self._opening = None
        if self.state is State.STOPPED:
            return
        _log.warn("cannot connect: {why}", why=failure.value)
        if isinstance(failure.value, CannotConnect):
            self._retry_after = failure.value.retry_after
        self._wait()
        self._failed += 1
        self.unreachable(self._failed)

    def _wait(self) -> None:
        self.state = State.WAITING
        seconds = self.backoff.seconds(self._waits, self._random)
        self._waits += 1
        seconds, self._retry_after = max(seconds, self._retry_after), 0.0
        self._timer = self._clock.callLater(seconds, self._connect)
