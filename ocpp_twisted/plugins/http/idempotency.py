"""The header Idempotency-Key: a retry gets the answer of the first request.

Imports its neighbour `problems`. Source: draft-ietf-httpapi-idempotency-key-header. Only what may
have had an effect is remembered: if nothing was sent, a retry is a new attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred

from ocpp_twisted.plugins.http.problems import Problem

__all__ = ["Answers", "Outcome"]

_LONGEST_KEY = 255


class Outcome(NamedTuple):
    """What became of a request.

    :ivar answer: the body of the response, or the problem.
    :ivar effect: whether the request may have had an effect, so that it must not be done again.
    """

    answer: bytes | Problem
    effect: bool


class _Known:
    """A request with a key: under way as long as it has no outcome."""

    __slots__ = ("expires", "fingerprint", "outcome", "waiting")

    def __init__(self, fingerprint: bytes) -> None:
        self.fingerprint = fingerprint
        self.outcome: Outcome | None = None
        self.waiting: list[Deferred[Outcome]] = []
        self.expires = 0.0

    @property
    def size(self) -> int:
        answer = self.outcome.answer if self.outcome is not None else b""
        return len(answer) if isinstance(answer, bytes) else 0

    def wait(self) -> Deferred[Outcome]:
        waits: Deferred[Outcome] = Deferred(self.waiting.remove)
        if self.outcome is None:
            self.waiting.append(waits)
        else:
            waits.callback(self.outcome)
        return waits

    def came(self, outcome: Outcome) -> None:
        self.outcome = outcome
        waiting, self.waiting = self.waiting, []
        for waits in waiting:
            waits.callback(outcome)


class Answers:
    """The answers of the last requests that had a key.

    :param now: seconds, on any clock that goes on.
    :param seconds: how long an answer is kept after it came.
    :param keys: how many are kept at most, those under way included.
    :param size: how many bytes of answers are kept at most; the oldest go first.
    """

    def __init__(
        self,
        now: Callable[[], float],
        seconds: float = 3600.0,
        keys: int = 10_000,
        size: int = 16 * 1024 * 1024,
    ) -> None:
        self._now = now
        self._seconds = seconds
        self._keys = keys
        self._size = size
        self._kept = 0
        self._under_way: dict[str, _Known] = {}
        #: In the order in which their answers came.
        self._answered: dict[str, _Known] = {}

    def once(
        self, key: str, fingerprint: bytes, do: Callable[[], Deferred[Outcome]]
    ) -> Deferred[Outcome]:
        """The outcome of `do`, which is called for the first request with a key only.

        A client that goes away does not end what is under way: its retry gets the answer.

        :param fingerprint: what the request is; a key that was used for another one is refused.
        :param do: returns a Deferred that does not fail.
        :raises Problem: if the key cannot be used, or too many requests are under way.
        """
        if not 0 < len(key) <= _LONGEST_KEY:
            text = f"an Idempotency-Key has 1 to {_LONGEST_KEY} characters"
            raise Problem("invalid-request", text, path="Idempotency-Key")
        self._forget_the_oldest()
        known = self._under_way.get(key) or self._answered.get(key)
        if known is None:
            if len(self._under_way) >= self._keys:
                text = "too many requests with an Idempotency-Key are under way"
                raise Problem("busy", text, {"Retry-After": "5"})
            known = self._under_way[key] = _Known(fingerprint)
            do().addCallback(self._came, key, known)
        elif known.fingerprint != fingerprint:
            text = "this Idempotency-Key came with another request before: use a new one"
            raise Problem("key-reused", text)
        return known.wait()

    def _came(self, outcome: Outcome, key: str, known: _Known) -> None:
        del self._under_way[key]
        known.came(outcome)
        if outcome.effect:
            known.expires = self._now() + self._seconds
            self._answered[key] = known
            self._kept += known.size
            self._forget_the_oldest()

    def _forget_the_oldest(self) -> None:
        now = self._now()
        while self._answered:
            key, oldest = next(iter(self._answered.items()))
            few = len(self._answered) + len(self._under_way) <= self._keys
            if oldest.expires > now and few and self._kept <= self._size:
                return
            del self._answered[key]
            self._kept -= oldest.size
