"""What is remembered of a charge point from one connection to the next.

Imports its floor and below. In the memory of this process, and bounded. Of what was before,
`ocpp_twisted.recalling` asks others; a charge point of which nobody knows anything is served.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import KnownChargePoint
from ocpp_twisted.limits import Limits
from ocpp_twisted.ocppj.catalogue import Action
from ocpp_twisted.ocppj.events import CallReceived
from ocpp_twisted.ocppj.leniency import Kind, Repair, maker
from ocpp_twisted.registration import Registration, Status

__all__ = ["Memory", "OpenCall", "Remembered"]


class OpenCall:
    """A CALL of the peer that a handler works on.

    :ivar event: the CALL.
    :ivar deadline: seconds on the reactor's clock, when the peer has waited long enough.
    :ivar connection: where its answer goes; None while nobody waits for it.
    """

    __slots__ = ("connection", "deadline", "event")

    def __init__(self, event: CallReceived, deadline: float, connection: Any) -> None:
        self.event = event
        self.deadline = deadline
        self.connection = connection


class Remembered:
    """What is remembered of one charge point.

    A CALL that comes again, with the same message id and the same bytes, is a retry. It gets the
    answer that the first one got, or will get when its handler is done, on whichever connection
    it comes (OCPP 2.1 part 4, section 4.1.4). CALLERRORs are not kept: a retry after one wants
    another try.

    :ivar answers: message id to the CALL's digest, the time until which its CALLRESULT is kept,
        that, and the action; the oldest first.
    :ivar orphans: the CALLs whose handler still works, and for whose answer nobody waits now, by
        message id and digest: another CALL may have the same id. The oldest first.
    :ivar registration: the gate.
    :ivar maker: vendor, model and firmware version, as its last BootNotification had them.
    :ivar repairs: what it does wrong and was let through, with how often.
    :ivar sharing: is told of what other processes should know too; None if there are none.
    :ivar revision: of what was shared last; None if that is not known.
    :ivar unshared: whether there are answers that others know nothing of.
    :ivar working: how many handlers work for it, on whichever connection their CALLs came.
    :ivar since: when its connection was made, if others are told of it: seconds since 1970, and
        later than that of its connection before, at whichever process.
    """

    __slots__ = (
        "answers",
        "maker",
        "orphans",
        "registration",
        "repairs",
        "revision",
        "sharing",
        "since",
        "unshared",
        "waiting",
        "working",
    )

    def __init__(self, sharing: Any = None) -> None:
        self.registration = Registration()
        self.maker = ("", "", "")
        self.repairs: Counter[Repair] = Counter()
        self.answers: dict[str, tuple[int, float, bytes, Action]] = {}
        self.orphans: dict[tuple[str, int], OpenCall] = {}
        self.sharing = sharing
        self.revision: int | None = None
        self.unshared = False
        self.since = 0.0
        self.working = 0
        #: Those who wait until no handler works.
        self.waiting: list[Deferred[None]] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (
            self.answers
            or self.orphans
            or self.repairs
            or any(self.maker)
            or self.registration.status is not Status.UNKNOWN
        )

    def know(self, known: KnownChargePoint | None) -> None:
        """Learn what was known before this process; what it has heard itself counts more."""
        if known is None:
            return
        self.maker = maker(known.boot)
        if known.registration and self.registration.status is Status.UNKNOWN:
            self.registration.boot_answered(known.registration)

    def register(self, status: str) -> None:
        """Its registration is decided anew; what it was told before is told no more."""
        self.registration.boot_answered(status)
        self.answers.clear()

    def idle(self) -> Deferred[None]:
        """Fires when no handler works for it; it may be cancelled."""
        if not self.working:
            return succeed(None)
        idle: Deferred[None] = Deferred()
        self.waiting = [*(self.waiting or ()), idle]
        return idle

    def worked(self) -> None:
        """A handler is done, and what it has returned is answered or kept."""
        self.working -= 1
        if self.waiting and not self.working:
            waiting, self.waiting = self.waiting, None
            for idle in waiting:
                idle.callback(None)

    def answer(self, event: CallReceived, now: float) -> bytes | None:
        """The CALLRESULT that this CALL got before; None if it is new."""
        digest, until, frame, _ = self.answers.get(event.message_id, (None, 0.0, None, None))
        return frame if digest == event.digest and now < until else None

    def adopt(self, event: CallReceived) -> OpenCall | None:
        """The CALL whose handler works on this one already; None if there is none."""
        return self.orphans.pop((event.message_id, event.digest), None)

    def orphan(self, call: OpenCall, limit: int) -> None:
        """Nobody waits for the answer to a CALL any more, until it comes again.

        :param limit: how many of these are remembered.
        """
        call.connection = None
        key = call.event.message_id, call.event.digest
        self.orphans.pop(key, None)  # the newest is the last
        self.orphans[key] = call
        if len(self.orphans) > limit:
            del self.orphans[next(iter(self.orphans))]

    def forget(self, call: OpenCall) -> None:
        """The handler of an orphan is done."""
        key = call.event.message_id, call.event.digest
        if self.orphans.get(key) is call:
            del self.orphans[key]

    def count(self, repairs: Iterable[Repair]) -> list[Repair]:
        """Count what was let through; returns those that are the first of their kind."""
        known = {repair.kind for repair in self.repairs}
        first: dict[Kind, Repair] = {}
        for repair in repairs:
            self.repairs[repair] += 1
            if repair.kind not in known:
                first.setdefault(repair.kind, repair)
        return list(first.values())


class Memory:
    """What is remembered of the charge points that are not connected.

    :param limits: `Limits.remembered` says of how many; those who left first are forgotten first.
    :param sharing: a `ocpp_twisted.sharing.Sharing`, if other processes are to know of it.
    """

    def __init__(self, limits: Limits, sharing: Any = None) -> None:
        self._sharing = sharing
        self._limit = limits.remembered
        self._offline: dict[Identity, Remembered] = {}

    def recall(self, identity: Identity) -> Remembered:
        """What is remembered of a charge point that connects."""
        return self._offline.pop(identity, None) or Remembered(self._sharing)

    def register(self, identity: Identity, status: str) -> None:
        """See `Remembered.register`; nothing for a charge point that is not remembered."""
        remembered = self._offline.get(identity)
        if remembered is not None:
            remembered.register(status)
            if remembered.sharing is not None:
                remembered.sharing.changed(identity, remembered)

    def find(self, identity: Identity) -> Remembered | None:
        """What is remembered of a charge point that is not connected; None if nothing is."""
        return self._offline.get(identity)

    def keep(self, identity: Identity, remembered: Remembered) -> None:
        """A charge point has left. One that has said nothing takes no other's place."""
        if remembered.is_empty:
            return
        if self._sharing is not None and remembered.unshared:
            self._sharing.changed(identity, remembered)
        self._offline[identity] = remembered
        if len(self._offline) > self._limit:
            del self._offline[next(iter(self._offline))]
