"""Twisted's epoll reactor without a log context around each event: ``twistd --reactor=ocpp``.

Imports nothing of the package. Twisted names the connection in a context for the log of each
event, which costs as much as to decode, check and answer a Heartbeat; nothing here reads it.
``twistd ocpp`` takes this reactor on Linux if none is asked for.
"""

from __future__ import annotations

from select import EPOLLIN
from typing import Any

from twisted.internet import epollreactor
from twisted.internet.main import installReactor
from twisted.logger import Logger

__all__ = ["EPollReactor", "install"]

_log = Logger()

#: Events that are handed out before the next look. epoll puts those that it has told behind the
#: others, so that in a storm somebody with a message does not wait for thousands that come or go.
_MOST_EVENTS = 64


class EPollReactor(epollreactor.EPollReactor):
    """The same reactor with a shorter way from an event to what reads it, and a few at a time."""

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, at most `timeout` seconds (None: for ever), and hand them out."""
        selectables = self._selectables
        for fd, event in self._poller.poll(-1 if timeout is None else timeout, _MOST_EVENTS):
            selectable = selectables.get(fd)
            if selectable is None:
                continue  # an event before this one has ended it
            if event != EPOLLIN:
                self._doReadOrWrite(selectable, fd, event)
                continue
            try:
                why: Any = selectable.doRead()
            except BaseException as error:
                _log.failure("cannot read from {selectable}", selectable=selectable)
                why = error
            if why:
                self._disconnectSelectable(selectable, why, True)

    doIteration = doPoll


def install() -> None:
    """Make it the reactor of this process."""
    installReactor(EPollReactor())
