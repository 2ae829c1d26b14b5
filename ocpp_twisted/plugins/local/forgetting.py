"""Deletes what is old, so that the store does not grow for ever.

Imports Twisted and the store. Little is deleted at a time, and others have their turn in between.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ocpp_twisted.errors import RecordsUnavailable
from ocpp_twisted.plugins.local.store.old import forget_events, forget_transactions
from ocpp_twisted.plugins.local.store.writer import Runner

__all__ = ["Forgetting"]

_log = Logger()
#: Seconds until the next look, if nothing was left to delete, and if something was.
_LATER = 3600.0
_SOON = 1.0

_Job = Callable[[Connection, datetime], bool]


class Forgetting:
    """Deletes events and transactions that are older than so many days.

    :param clock: provides `IReactorTime`.
    :param now: the time, with its zone.
    :param keep_events: days; 0 for ever.
    :param keep_transactions: days from their end; 0 for ever. What is open or not complete stays.
    """

    def __init__(
        self,
        store: Runner,
        clock: IReactorTime,
        now: Callable[[], datetime],
        keep_events: int,
        keep_transactions: int,
    ) -> None:
        days = ((forget_events, keep_events), (forget_transactions, keep_transactions))
        self._jobs: list[tuple[_Job, int]] = [(job, number) for job, number in days if number]
        self._store = store
        self._clock = clock
        self._now = now
        self._next: IDelayedCall | None = None
        self._stopped = False

    def start(self) -> None:
        """Delete from now on."""
        if self._jobs:
            self._wait(_SOON)

    def stop(self) -> None:
        """Delete nothing more; what is being deleted may still be."""
        self._stopped = True
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _wait(self, seconds: float) -> None:
        if not self._stopped:
            self._next = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._next = None
        Deferred.fromCoroutine(self._delete()).addCallback(self._wait)

    async def _delete(self) -> float:
        """Delete some; returns in how many seconds to look again."""
        more = False
        for job, days in self._jobs:
            try:
                more |= await self._store.run(job, self._now() - timedelta(days=days))
            except RecordsUnavailable:
                return _LATER  # which has been told
            except Exception:
                _log.failure("what is old cannot be deleted")
                return _LATER
        return _SOON if more else _LATER
