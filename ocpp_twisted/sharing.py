"""What is remembered of a charge point, shared with other processes.

Imports its floor and below. Registration, maker and answers are shared, as JSON text; what is done
wrong is counted by each process for itself. What decides something is written as soon as it is
answered: a process that dies in between has done it twice at most. All other answers are written
together, when the charge point leaves, or when the process where it connects next asks for them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ocpp_twisted.errors import Outdated
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import ISharedMemory
from ocpp_twisted.limits import Limits
from ocpp_twisted.ocppj.catalogue import Catalogue
from ocpp_twisted.registration import Status
from ocpp_twisted.remembered import Remembered

__all__ = ["Sharing"]

_log = Logger()
#: Seconds that a charge point waits until others have told what they know of it.
_RECALL_SECONDS = 2.0
#: Seconds until what could not be kept is tried again.
_AGAIN_SECONDS = 5.0
#: Answers that are good for so long only are of no use to others.
_BRIEF_SECONDS = 10.0
#: Seconds by which a connection is later than the one before it, whatever the clocks say.
_LATER = 0.001
#: How often something is put over what another process has put meanwhile.
_ATTEMPTS = 3


class _Answer(Struct, frozen=True, rename="camel"):
    """An answer that is kept; `until`: seconds since 1970."""

    message_id: str
    digest: int
    until: float
    action: str
    frame: Raw


class _Kept(Struct, frozen=True, omit_defaults=True):
    """What is shared of a charge point. Absent: what is not known.

    :ivar since: of the connection that it is of, see `Remembered.since`.
    """

    registration: str = Status.UNKNOWN.value
    asked: dict[str, int] = {}
    maker: tuple[str, str, str] = ("", "", "")
    answers: Sequence[_Answer] = ()
    since: float = 0.0


class _Keeping:
    """What is being kept.

    :ivar again: whether it has changed meanwhile.
    :ivar waiting: those who want to know when it is kept.
    """

    __slots__ = ("again", "remembered", "waiting")

    def __init__(self, remembered: Remembered) -> None:
        self.remembered = remembered
        self.again = False
        self.waiting: list[Deferred[None]] = []


_encode = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(_Kept).decode


class Sharing:
    """Lets other processes know, and asks them.

    :param limits: `Limits.remembered` says how many changes may wait to be kept.
    """

    def __init__(self, memory: ISharedMemory, limits: Limits, clock: IReactorTime) -> None:
        self._memory = memory
        self._limits = limits
        self._clock = clock
        self._keeping: dict[Identity, _Keeping] = {}
        #: What could not be kept, and what was perhaps kept all the same.
        self._failed: dict[Identity, tuple[Remembered, bytes]] = {}
        self._later: IDelayedCall | None = None
        self._stopped = False

    def changed(self, identity: Identity, remembered: Remembered) -> None:
        """Others should know what is remembered now."""
        keeping = self._keeping.get(identity)
        if keeping is not None:
            keeping.remembered, keeping.again = remembered, True
            return
        keeping = self._keeping[identity] = _Keeping(remembered)
        Deferred.fromCoroutine(self._keep(identity, keeping)).addErrback(
            lambda failure: _log.failure("what is remembered cannot be shared", failure=failure)
        )

    def share(self, identity: Identity, remembered: Remembered) -> Deferred[None]:
        """Another process is to know what is remembered now.

        :returns: a Deferred that fires when it can be known, or could not be kept.
        """
        if remembered.unshared or identity in self._failed:
            self.changed(identity, remembered)
        keeping = self._keeping.get(identity)
        if keeping is None:
            return succeed(None)
        kept: Deferred[None] = Deferred()
        keeping.waiting.append(kept)
        return kept

    def recall(
        self, identity: Identity, remembered: Remembered, catalogue: Catalogue
    ) -> Deferred[None]:
        """Learn what others know of a charge point that connects.

        :returns: a Deferred that always fires, soon.
        """
        self._stopped = False
        remembered.since = max(time.time(), remembered.since)
        if identity in self._keeping or identity in self._failed:
            return succeed(None)  # this process knows best
        asked: Deferred[Any] = self._memory.settle(identity)
        asked.addCallback(lambda _: self._memory.recall(identity))
        asked.addTimeout(_RECALL_SECONDS, self._clock)
        asked.addCallback(self._recalled, remembered, catalogue)
        return asked.addErrback(
            lambda failure: _log.info(
                "what others know of {charge_point} is not known: {error}",
                charge_point=str(identity),
                error=failure.value,
            )
        )

    async def _keep(self, identity: Identity, keeping: _Keeping) -> None:
        try:
            while True:
                keeping.again = False
                await self._put(identity, keeping.remembered)
                if not keeping.again or identity in self._failed:
                    break
        finally:
            del self._keeping[identity]
            for kept in keeping.waiting:
                kept.callback(None)

    async def _put(self, identity: Identity, remembered: Remembered) -> None:
        _, before = self._failed.pop(identity, (None, None))
        text = self._dump(remembered)
        try:
            if before is not None:
                found = await self._memory.recall(identity)
                if found is not None and found[0] == before:
                    remembered.revision = found[1]
            for _ in range(_ATTEMPTS):
                try:
                    last = remembered.revision
                    remembered.revision = await self._memory.keep(identity, text, last)
                    return
                except Outdated:
                    found = await self._memory.recall(identity)
                    if found is None:
                        raise
                    kept = _read(found[0])
                    if kept.since > remembered.since:
                        # It has connected elsewhere since: what is known there counts.
                        _log.debug("{charge_point} is elsewhere", charge_point=str(identity))
                        return
                    text = self._dump(remembered, kept.answers)
                    remembered.revision = found[1]
            raise Outdated("somebody else keeps something all the time")
        except Exception as error:
            _log.debug("{charge_point}: {error}", charge_point=str(identity), error=error)
            self._try_later(identity, remembered, before or text)

    def _try_later(self, identity: Identity, remembered: Remembered, text: bytes) -> None:
        remembered.unshared = True
        if len(self._failed) < self._limits.remembered:
            self._failed[identity] = remembered, text
        if self._later is None and not self._stopped:
            self._later = self._clock.callLater(_AGAIN_SECONDS, self._try_again)

    def _try_again(self) -> None:
        self._later = None
        for identity, (remembered, _) in list(self._failed.items()):
            self.changed(identity, remembered)
            if identity in self._failed:  # at once: there is nobody to keep anything, still
                break

    def stop(self) -> None:
        """Try no more, until a charge point connects again."""
        self._stopped = True
        if self._later is not None:
            self._later.cancel()
            self._later = None

    # -- as text ------------------------------------------------------------------------------

    def _dump(self, remembered: Remembered, others: Iterable[_Answer] = ()) -> bytes:
        """What is remembered, and answers that other processes have given, as far as they fit."""
        remembered.unshared = False
        now, wall = self._clock.seconds(), time.time()
        ours = remembered.answers
        answers = [
            answer for answer in others if answer.until > wall and answer.message_id not in ours
        ]
        answers += [
            _Answer(message_id, digest, int(wall + until - now), action.name, Raw(frame))
            for message_id, (digest, until, frame, action) in ours.items()
            if until - now > _BRIEF_SECONDS
        ]
        del answers[: -self._limits.kept_answers]
        registration = remembered.registration
        status, asked = registration.status.value, dict(registration.asked)
        return _encode(_Kept(status, asked, remembered.maker, answers, remembered.since))

    def _recalled(
        self, found: tuple[bytes, int] | None, remembered: Remembered, catalogue: Catalogue
    ) -> None:
        if found is None:
            remembered.revision = 0
            return
        text, remembered.revision = found
        kept = _read(text)
        remembered.since = max(remembered.since, kept.since + _LATER)
        now, wall = self._clock.seconds(), time.time()
        remembered.registration.restore(Status(kept.registration), kept.asked)
        remembered.maker = kept.maker
        for answer in kept.answers:
            until, action = now + answer.until - wall, catalogue.actions.get(answer.action)
            if until > now and action is not None:
                remembered.answers[answer.message_id] = (
                    answer.digest,
                    until,
                    bytes(answer.frame),
                    action,
                )
        while len(remembered.answers) > self._limits.kept_answers:
            del remembered.answers[next(iter(remembered.answers))]
