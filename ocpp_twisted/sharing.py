"""What is remembered of a charge point, shared with other processes.

Imports its floor and below. Registration, maker, and the answers to messages about transactions are
shared, as JSON text; other answers are good for a minute at most, and what is done wrong is counted
by each process for itself. It is written after the answer has gone out: a process that dies in
between has done something twice at most. Answers to MeterValues, which say nothing, go along with
the next that is written: that values come twice can be seen from the values.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
from msgspec import Raw, Struct
from twisted.internet.defer import Deferred
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
#: Answers that others have no use for.
_BRIEF_SECONDS = 60.0


class _Answer(Struct, frozen=True, rename="camel"):
    """An answer that is kept; `until`: seconds since 1970."""

    message_id: str
    digest: int
    until: float
    action: str
    frame: Raw


class _Kept(Struct, frozen=True, omit_defaults=True):
    """What is shared of a charge point. Absent: what is not known."""

    registration: str = Status.UNKNOWN.value
    asked: dict[str, int] = {}
    maker: tuple[str, str, str] = ("", "", "")
    answers: tuple[_Answer, ...] = ()


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
        #: What is being kept, or could not be; with whether it has changed meanwhile.
        self._changed: dict[Identity, tuple[Remembered, bool]] = {}
        #: ... and with what was perhaps kept all the same.
        self._failed: dict[Identity, tuple[Remembered, bytes]] = {}
        self._later: IDelayedCall | None = None
        self._stopped = False

    def changed(self, identity: Identity, remembered: Remembered) -> None:
        """Others should know what is remembered now."""
        if identity in self._changed:
            self._changed[identity] = remembered, True
            return
        self._changed[identity] = remembered, False
        Deferred.fromCoroutine(self._keep(identity, remembered)).addErrback(
            lambda failure: _log.failure("what is remembered cannot be shared", failure=failure)
        )

    def recall(
        self, identity: Identity, remembered: Remembered, catalogue: Catalogue
    ) -> Deferred[None]:
        """Learn what others know of a charge point that connects.

        :returns: a Deferred that always fires, soon.
        """
        self._stopped = False
        if identity in self._changed or identity in self._failed:
            done: Deferred[None] = Deferred()
            done.callback(None)  # this process knows best
            return done
        asked: Deferred[Any] = self._memory.recall(identity)
        asked.addTimeout(_RECALL_SECONDS, self._clock)
        asked.addCallback(self._recalled, remembered, catalogue)
        return asked.addErrback(
            lambda failure: _log.info(
                "what others know of {charge_point} is not known: {error}",
                charge_point=str(identity),
                error=failure.value,
            )
        )

    async def _keep(self, identity: Identity, remembered: Remembered) -> None:
        _, before = self._failed.pop(identity, (None, None))
        text = self._dump(remembered)
        try:
            if before is not None:
                found = await self._memory.recall(identity)
                if found is not None and found[0] == before:
                    remembered.revision = found[1]
            remembered.revision = await self._memory.keep(identity, text, remembered.revision)
        except Outdated as error:
            # It has connected elsewhere since: what is known there counts.
            _log.debug("{charge_point}: {error}", charge_point=str(identity), error=error)
        except Exception as error:
            _log.debug("{charge_point}: {error}", charge_point=str(identity), error=error)
            self._try_later(identity, remembered, before or text)
        _, again = self._changed.pop(identity)
        if again and identity not in self._failed:
            self.changed(identity, remembered)

    def _try_later(self, identity: Identity, remembered: Remembered, text: bytes) -> None:
        if len(self._failed) < self._limits.remembered:
            self._failed[identity] = remembered, text
        if self._later is None and not self._stopped:
            self._later = self._clock.callLater(_AGAIN_SECONDS, self._try_again)

    def _try_again(self) -> None:
        self._later = None
        for identity, (remembered, _) in list(self._failed.items()):
            self.changed(identity, remembered)

    def stop(self) -> None:
        """Try no more, until a charge point connects again."""
        self._stopped = True
        if self._later is not None:
            self._later.cancel()
            self._later = None

    # -- as text ------------------------------------------------------------------------------

    def _dump(self, remembered: Remembered) -> bytes:
        now, wall = self._clock.seconds(), time.time()
        answers = tuple(
            _Answer(message_id, digest, round(wall + until - now, 3), action.name, Raw(frame))
            for message_id, (digest, until, frame, action) in remembered.answers.items()
            if until - now > _BRIEF_SECONDS
        )
        registration = remembered.registration
        asked = dict(registration.asked)
        return _encode(_Kept(registration.status.value, asked, remembered.maker, answers))

    def _recalled(
        self, found: tuple[bytes, int] | None, remembered: Remembered, catalogue: Catalogue
    ) -> None:
        if found is None:
            remembered.revision = 0
            return
        text, remembered.revision = found
        kept = _read(text)
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
