"""Which charge points this gateway holds, so that no two gateways serve one at the same time.

Imports the identity and its neighbours. Who holds a charge point stands in a bucket; the revision
of that entry is the fencing token: a higher one is younger. A charge point's calls come to a
subject of its own, which its owner alone subscribes to::

    connects --> put over what is there --> ask the owner before us to let go --> subscribe, serve
    a higher revision of another gateway --> unsubscribe, close the socket

Who puts an entry knows whom it puts it over, because a put names the revision that it found. The
owner before answers when what was sent to it has been handled; if it does not answer within
`_FENCE_SECONDS`, or nobody is there, it is taken for dead. One that was only cut off from NATS sees
what has happened before it serves again: after each reconnect every entry is looked at, and calls
wait meanwhile.

Of two connections that were made while NATS was away, the later one wins, by the gateways' clocks.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ocpp_twisted.identity import Identity
from ocpp_twisted.measuring import Counted
from ocpp_twisted.plugins.nats.directory import Owner, owner_of
from ocpp_twisted.plugins.nats.errors import LinkError
from ocpp_twisted.plugins.nats.keyvalue import Bucket, Conflict
from ocpp_twisted.plugins.nats.link import Link, Subscription
from ocpp_twisted.plugins.nats.protocol import Message
from ocpp_twisted.plugins.nats.subjects import Subjects, charge_point_key

__all__ = ["Ownership"]

_log = Logger()
_encode = msgspec.json.Encoder().encode

#: Seconds in which the owner before lets go.
_FENCE_SECONDS = 1.0
#: Seconds until what could not be claimed, because of NATS, is tried again.
_AGAIN_SECONDS = 1.0
#: Charge points that are looked up at once.
_AT_ONCE = 200
#: Calls of one charge point that may wait until it is known who holds it.
_MOST_WAITING = 64
#: Seconds that they do.
_LONGEST_WAIT = 5.0
#: Entries to be deleted when NATS is back; more of them stay until their charge points connect.
_MOST_RELEASED = 50_000


class _Fence(Struct, frozen=True):
    """The payload of a request to an owner: somebody holds a charge point by a later right."""

    key: str
    revision: int


_read_fence = msgspec.json.Decoder(_Fence).decode


class _Held:
    """A charge point that is connected here.

    :ivar revision: of our entry; 0 while there is none.
    :ivar seen: the highest revision of another gateway that we were told of.
    :ivar before: who held it, and is still to be told that it is ours now.
    :ivar fresh: whether it has just connected, so that no other connection can be younger.
    :ivar busy: whether its entry is being looked at.
    :ivar settled: whether its entry has been looked at, and is that of its present connection.
    :ivar served: whether calls are passed on, because it is certain that it is ours.
    :ivar waiting: calls that wait until that is certain, with the time when they came.
    """

    __slots__ = (
        "before",
        "busy",
        "connection",
        "fresh",
        "identity",
        "key",
        "owner",
        "revision",
        "seen",
        "served",
        "settled",
        "subscription",
        "waiting",
    )

    def __init__(self, identity: Identity, key: str) -> None:
        self.identity = identity
        self.key = key
        self.owner: Owner
        self.revision = 0
        self.seen = 0
        self.before: Owner | None = None
        self.fresh = True
        self.busy = self.settled = self.served = False
        self.subscription: Subscription | None = None
        self.waiting: list[tuple[float, Message]] = []  # an empty deque is ten times as large


class Ownership:
    """The charge points of one gateway, from `start` to `stop`.

    :param bucket: of `Owner`.
    :param serve: is called with each message to a charge point that is held, and with the OCPP
        version of its connection.
    :param refuse: is called with each that comes when another gateway has just taken it over.
    :param evict: is called with a charge point that another gateway holds now.
    """

    def __init__(
        self,
        link: Link,
        subjects: Subjects,
        node: str,
        bucket: Bucket,
        serve: Callable[[Identity, str, Message], None],
        refuse: Callable[[Identity, Message], None],
        evict: Callable[[Identity], None],
        clock: IReactorTime,
    ) -> None:
        self.session = secrets.token_hex(8)
        self._link = link
        self._subjects = subjects
        self._node = node
        self._bucket = bucket
        self._serve = serve
        self._refuse = refuse
        self._evict = evict
        self._clock = clock
        self._connections = 0
        self._held: dict[str, _Held] = {}
        #: Those whose entries are to be looked at, and how many are being.
        self._queue: dict[_Held, None] = {}
        self._looking = 0
        self._going_on = False
        #: Those that are to be tried again.
        self._failed: list[_Held] = []
        self._releasing: set[Deferred[Any]] = set()
        #: Entries of ours to be deleted when NATS is back: key to revision.
        self._released: dict[str, int] = {}
        self._later: IDelayedCall | None = None
        self._lost = 0
        self._trouble = ""

    def start(self) -> None:
        """Before the link is started."""
        self._link.listen(self._up, self._down)
        self._link.subscribe(self._subjects.fence(self._node), self._fenced)
        self._link.subscribe(f"{self._subjects.owner}.>", self._told)

    def stop(self) -> Deferred[Any]:
        """Fires when what is being released is released; before the link is stopped."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._queue.clear()
        return DeferredList(list(self._releasing))

    def trouble(self) -> str:
        """Why charge points cannot be claimed, a sentence; the empty text if they can."""
        return self._trouble

    def measures(self) -> Iterable[Counted]:
        """See `ocpp_twisted.interfaces.IMeasured.measures`."""
        served = sum(held.served for held in self._held.values())
        text = "Charge points that this gateway holds, and can be called through NATS."
        yield Counted.one("ocpp_nats_owned", text, served)
        text = "Charge points that another gateway has taken over."
        yield Counted.one("ocpp_nats_taken_over_total", text, self._lost)

    def __len__(self) -> int:
        return len(self._held)

    # -- what happens to charge points --------------------------------------------------------

    def online(self, identity: Identity, version: str, peer: str) -> None:
        """A charge point has connected here, maybe while its old connection is still here."""
        key = charge_point_key(identity)
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held(identity, key)
        self._connections += 1
        held.owner = Owner(
            self._node, self.session, self._connections, version, peer, round(time.time(), 3)
        )
        held.fresh = self._link.connected
        self._look_at(held)

    def offline(self, identity: Identity) -> None:
        """A charge point has no connection here any more."""
        held = self._held.pop(charge_point_key(identity), None)
        if held is None:
            return  # another gateway has it
        self._queue.pop(held, None)
        self._let_go(held)
        if not held.busy:
            self._release(held.key, held.revision)

    def _let_go(self, held: _Held) -> Deferred[None]:
        """Take no more calls; fires when those that were sent already have been handled."""
        subscription, held.subscription = held.subscription, None
        return succeed(None) if subscription is None else subscription.stop()

    def _lose(self, held: _Held) -> Deferred[None]:
        """Another gateway holds it."""
        self._lost += 1
        del self._held[held.key]
        held.served = False
        held.waiting.clear()  # the other one has got them too
        _log.info(
            "{charge_point} is connected to another gateway now", charge_point=str(held.identity)
        )

        def close(_: object) -> None:
            if held.key not in self._held:
                self._evict(held.identity)

        return self._let_go(held).addBoth(close)

    def _release(self, key: str, revision: int) -> None:
        if not revision:
            return
        if not self._link.connected:
            if len(self._released) < _MOST_RELEASED:
                self._released[key] = revision
            return

        async def delete() -> None:
            try:
                await self._bucket.delete(key, last=revision)
            except Conflict:
                pass  # it is another one's, or a later connection's
            except LinkError as error:
                _log.debug("{key} is not released: {error}", key=key, error=error)
                self._released[key] = revision

        releasing = Deferred.fromCoroutine(delete())
        self._releasing.add(releasing)
        releasing.addBoth(lambda _: self._releasing.discard(releasing))

    # -- what NATS says -----------------------------------------------------------------------

    def _up(self) -> None:
        self._trouble = ""
        released, self._released = self._released, {}
        for key, revision in released.items():
            self._release(key, revision)
        for held in list(self._held.values()):
            self._look_at(held)

    def _down(self) -> None:
        for held in self._held.values():
            held.served = held.fresh = False

    def _fenced(self, message: Message) -> None:
        """Another gateway asks to let go of a charge point; the answer says that this was done."""
        fence = _read_fence(message.data)
        held = self._held.get(fence.key)
        # If it was let go just now, NATS has to know of that before the other gateway.
        gone = self._link.flush() if held is None else self._outdated(held, fence.revision)

        def answer(_: object) -> None:
            try:
                self._link.publish(message.reply, b"{}")
            except LinkError as error:
                _log.debug("a fence is not answered: {error}", error=error)

        gone.addBoth(answer)

    def _told(self, message: Message) -> None:
        """An entry has been stored, by whomever."""
        held = self._held.get(message.subject[len(self._subjects.owner) + 1 :])
        if held is None:
            return
        owner = owner_of(message.data)
        if owner is not None and owner.session != self.session:
            self._outdated(held, int(message.headers["Nats-Sequence"]))

    def _outdated(self, held: _Held, revision: int) -> Deferred[None]:
        """Another gateway has an entry of this revision; fires when it has nothing to fear."""
        held.seen = max(held.seen, revision)
        if not held.settled:  # it is looked at, and then it is known who is younger
            return self._let_go(held)
        return succeed(None) if held.revision > revision else self._lose(held)

    def _take(self, held: _Held, message: Message) -> None:
        if held.served:
            self._serve(held.identity, held.owner.version, message)
        elif self._held.get(held.key) is not held:
            # Perhaps the other gateway has got it too. If so, it is done there, once.
            self._refuse(held.identity, message)
        elif len(held.waiting) < _MOST_WAITING:
            held.waiting.append((self._clock.seconds(), message))

    # -- claims -------------------------------------------------------------------------------

    def _look_at(self, held: _Held) -> None:
        held.settled = False
        self._queue[held] = None
        self._go_on()

    def _go_on(self) -> None:
        if self._going_on:
            return  # one of those below was done at once
        self._going_on = True
        while self._queue and self._looking < _AT_ONCE and self._link.connected:
            held = next((one for one in self._queue if not one.busy), None)
            if held is None:
                break
            del self._queue[held]
            held.busy = True
            self._looking += 1
            Deferred.fromCoroutine(self._settle(held)).addErrback(
                lambda failure: _log.failure("a charge point cannot be claimed", failure=failure)
            )
        self._going_on = False

    async def _settle(self, held: _Held) -> None:
        """Find out whether a charge point is ours, or make it so."""
        try:
            revision = await self._claim(held, held.owner)
            self._trouble = ""
        except LinkError as error:
            held.fresh = False
            if self._link.connected:
                self._trouble = f"charge points cannot be claimed: {error}"
            if self._held.get(held.key) is held:
                self._failed.append(held)
            else:
                self._release(held.key, held.revision)
            if self._failed and self._later is None:
                self._later = self._clock.callLater(_AGAIN_SECONDS, self._try_again)
        else:
            self._decided(held, revision)
        finally:
            held.busy = False
            self._looking -= 1
        self._go_on()

    def _try_again(self) -> None:
        self._later = None
        self._trouble = ""
        failed, self._failed = self._failed, []
        for held in failed:
            if self._held.get(held.key) is held:
                self._queue[held] = None
        self._go_on()

    async def _claim(self, held: _Held, mine: Owner) -> int:
        """The revision of our entry; 0 if the charge point has left us."""
        while self._held.get(held.key) is held:
            entry = await self._bucket.get(held.key)
            owner = None if entry is None else owner_of(entry.value)
            last = 0 if entry is None else entry.revision
            if owner == mine:
                revision = last  # it was put before, and nothing else since
            else:
                if owner is not None and owner.session != self.session:
                    if not held.fresh and (owner.since > mine.since or 0 < held.revision < last):
                        held.seen = last
                        return 0
                    held.before = owner
                try:
                    revision = await self._bucket.put(held.key, _encode(mine), last)
                except Conflict:
                    continue
            if held.before is not None:
                await self._fence(held.before, held.key, revision)
                held.before = None
            return revision
        return 0

    async def _fence(self, owner: Owner, key: str, revision: int) -> None:
        subject = self._subjects.fence(owner.node)
        try:
            fence = _encode(_Fence(key, revision))
            await self._link.request(subject, fence, timeout=_FENCE_SECONDS)
        except LinkError as error:
            _log.debug("{node} lets nothing go: {error}", node=owner.node, error=error)

    def _decided(self, held: _Held, revision: int) -> None:
        held.revision = revision or held.revision
        if self._held.get(held.key) is not held:  # it has gone meanwhile
            self._release(held.key, held.revision)
        elif held in self._queue:
            pass  # it has connected again, or NATS was away
        elif held.seen > held.revision:
            self._lose(held)
        else:
            self._serve_calls(held)

    def _serve_calls(self, held: _Held) -> None:
        held.fresh = False
        held.settled = held.served = True
        if held.subscription is None:
            held.subscription = self._link.subscribe(
                self._subjects.call(held.identity), lambda message: self._take(held, message)
            )
        now = self._clock.seconds()
        waiting, held.waiting = held.waiting, []
        for since, message in waiting:
            if now - since < _LONGEST_WAIT:  # nobody waits any more for what is older
                self._serve(held.identity, held.owner.version, message)
