"""A list that a test can wait for."""

from __future__ import annotations

from collections.abc import Callable
from pprint import pformat
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError  # noqa: A004
from twisted.python.failure import Failure

__all__ = ["Journal"]

#: Seconds: long enough for a busy machine, short enough for the person who waits for a failure.
_PATIENCE = 20


class Journal:
    """What happened, in its order.

    :param reactor: provides `IReactorTime`.
    """

    def __init__(self, reactor: Any) -> None:
        self.entries: list[Any] = []
        self._reactor = reactor
        self._waiting: list[tuple[Callable[[Any], bool], Deferred[Any]]] = []

    def add(self, entry: Any) -> None:
        """Something happened."""
        self.entries.append(entry)
        for pair in list(self._waiting):
            wanted, waiting = pair
            if wanted(entry):
                self._waiting.remove(pair)
                waiting.callback(entry)

    def when(self, wanted: Callable[[Any], bool]) -> Deferred[Any]:
        """Fires with the first entry that is wanted, be it there or still to come."""
        waiting: Deferred[Any] = Deferred(lambda _: self._waiting.remove(pair))
        pair = (wanted, waiting)
        for entry in self.entries:
            if wanted(entry):
                waiting.callback(entry)
                return waiting
        self._waiting.append(pair)
        return waiting.addTimeout(_PATIENCE, self._reactor, self._told)

    def end(self, reason: str) -> None:
        """Nothing more will happen."""
        waiting, self._waiting = self._waiting, []
        for _, each in waiting:
            each.errback(AssertionError(f"{reason}\n{pformat(self.entries)}"))

    def _told(self, result: Any, seconds: float) -> Any:
        if isinstance(result, Failure):
            raise TimeoutError(f"not within {seconds} s; there was: {pformat(self.entries)}")
        return result
