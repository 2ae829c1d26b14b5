"""Twisted's asyncio reactor on uvloop's event loop: ``twistd --reactor=uvloop``.

Imports nothing of the package. Twisted calls `install` when somebody chooses this reactor. Like
our epoll reactor it has no log context around each event.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.error import ConnectionFdescWentAway
from twisted.internet.main import installReactor
from twisted.logger import Logger

__all__ = ["UvloopReactor", "install"]

_log = Logger()


class UvloopReactor(AsyncioSelectorReactor):
    """The same reactor with a shorter way from an event to what reads it.

    :raises ImportError: if uvloop is not installed.
    """

    def __init__(self) -> None:
        try:
            import uvloop
        except ImportError:
            text = "uvloop is not installed: pip install 'ocpp-twisted[uvloop]'"
            raise ImportError(text) from None
        super().__init__(uvloop.new_event_loop())

    def addReader(self, reader: Any) -> None:
        """Call `doRead` of `reader` when there is something to read."""
        if reader in self._readers:
            return
        base: Any = super()
        base.addReader(reader)
        if (fd := self._readers.get(reader)) is not None:
            self._asyncioEventloop.add_reader(fd, self._read, reader)

    def _read(self, reader: Any) -> None:
        disconnect: Any = self._disconnectSelectable
        try:
            why = ConnectionFdescWentAway() if reader.fileno() == -1 else reader.doRead()
        except Exception as error:
            _log.failure("cannot read from {selectable}", selectable=reader)
            why = error
        if why:
            disconnect(reader, why, True)


def install() -> None:
    """Make it the reactor of this process.

    :raises ImportError: if uvloop is not installed.
    """
    installReactor(UvloopReactor())
