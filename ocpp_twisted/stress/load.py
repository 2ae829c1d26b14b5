"""All charge points of one process, from their first connection to the last answer.

Imports its neighbours, the versions, and of `websocket` the client. Its life::

    start() -> they connect -> measure() -> requests, each in its turn -> the duration is over,
    or stop() -> answers are waited for -> `finished` -> close()
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from os import times
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from ocpp_twisted.charge_point import Connects
from ocpp_twisted.charge_point.backoff import Backoff
from ocpp_twisted.ocppj.session import Session
from ocpp_twisted.stress.load_point import LoadPoint
from ocpp_twisted.stress.messages import Message, boot, messages
from ocpp_twisted.stress.opening import Opening
from ocpp_twisted.stress.plan import Plan
from ocpp_twisted.stress.tally import Tally
from ocpp_twisted.stress.wheel import Wheel
from ocpp_twisted.versions import CATALOGUES
from ocpp_twisted.websocket.client import Dialer
from ocpp_twisted.websocket.client_tls import ClientTLS
from ocpp_twisted.websocket.target import Target

__all__ = ["Load"]

_BACKOFF = Backoff(wait_minimum=1.0, repeat_times=5, random_range=1.0)
#: Seconds between two looks at what is overdue, at most.
_SWEEP = 1.0
#: Seconds between two looks whether the last answers have come.
_LOOK = 0.05
#: Closings that begin at once, and seconds until the next ones.
_CLOSINGS, _CLOSING_STEP = 50, 0.01


class Load:
    """What one process does.

    :param plan: what that is.
    :param reactor: for the connections and timers.
    :param now: the time in seconds that latencies are measured with.
    :param random: for the time until they come again.
    :param dialer: opens the connections.
    :ivar tally: what has been counted.
    :ivar opening: who connects when.
    :ivar ended: whether connections are not to come again.
    :ivar ids: what their message ids begin with, before a number of `numbers`: none of them has
        ever been.
    :ivar finished: fires when nothing more will be counted.
    """

    def __init__(
        self,
        plan: Plan,
        reactor: Any,
        now: Callable[[], float],
        random: Random | None = None,
        dialer: Connects | None = None,
    ) -> None:
        self._plan = plan
        self._clock = reactor
        self._random = random if random is not None else Random()
        self._catalogue = CATALOGUES[plan.version]
        self._tls = ClientTLS(
            ca=_path(plan.ca), cert=_path(plan.cert), key=_path(plan.key), verify=plan.verify
        )
        self._password = None if plan.password is None else plan.password.encode()
        self.now = now
        self.period = 1.0 / plan.rate
        if dialer is None:
            dialer = Dialer(reactor, open_timeout=plan.timeout)
        self.dialer: Connects = dialer
        self.subprotocol = self._catalogue.rules.subprotocol
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.tails = [_tail(each) for each in messages(plan.kind, plan.version, stamp)]
        self.boot = _tail(boot(plan.version)) if plan.boot else b""
        self.tally = Tally(asked=len(plan.mine))
        #: Seconds, for the tally's histograms, which `look` puts them into.
        self.latencies: list[float] = []
        self.services: list[float] = []
        self.ended = False
        self.finished: Deferred[None] = Deferred()
        self.ids = f"{plan.run}-{plan.first:x}-".encode()
        self.numbers = count()
        names = plan.names()
        self._points = [LoadPoint(self, *each) for each in zip(plan.mine, names, strict=True)]
        self.opening = Opening(reactor, plan.ramp / plan.step)
        self._sweep = LoopingCall(self._look_for_overdue)
        self._sweep.clock = reactor
        self._wheel: Wheel | None = None
        self._begun_at = self._used_before = 0.0
        self._measured = False
        self._drained = LoopingCall(self._look_for_the_last)
        self._drained.clock = reactor
        self._drain_until = 0.0
        self._closing: set[LoadPoint] = set()

    # -- for those who drive it ---------------------------------------------------------------

    def start(self) -> None:
        """Let all of them connect."""
        self.opening.begin(self._points)
        self._sweep.start(min(_SWEEP, self._plan.timeout / 4), now=False)

    def measure(self) -> None:
        """Let them send what the plan says, for its duration."""
        plan = self._plan
        self._begun_at = begin = self.now()
        self._used_before = _used()
        self._wheel = Wheel(
            self._clock,
            self.now,
            self._points,
            self.period,
            begin + plan.first * self.period / plan.connections,
            begin + plan.duration,
            self.stop,
        )

    def stop(self) -> None:
        """No more requests; as soon as the last ones have their answers, it is finished."""
        if self._measured:
            return
        self._measured = True
        if self._wheel is not None:
            self._wheel.stop()
        self.opening.stop()
        self.tally.answered_in_time = self.look().answered
        self._drain_until = self.now() + self._plan.timeout
        self._drained.start(_LOOK)

    def look(self) -> Tally:
        """The tally, with what is not counted as it happens."""
        tally = self.tally
        tally.latency.record(self.latencies)
        tally.service.record(self.services)
        tally.answered += len(self.latencies)
        self.latencies.clear()
        self.services.clear()
        if self._wheel is not None and not self._drain_until:
            tally.due = self._wheel.turns
            tally.seconds = min(self.now() - self._begun_at, self._plan.duration)
            tally.cpu = _used() - self._used_before
        return tally

    def close(self) -> Deferred[None]:
        """Close all connections; the Deferred fires when they have ended."""
        self.ended = True
        left = list(self._points)

        def some() -> None:
            now, left[:] = left[:_CLOSINGS], left[_CLOSINGS:]
            self._closing.update(now)
            for each in now:
                if not each.close():
                    self._closing.discard(each)
            if not left and not self._closing:
                closings.stop()

        closings = LoopingCall(some)
        closings.clock = self._clock
        return closings.start(_CLOSING_STEP).addCallback(lambda _: None)

    # -- for its charge points ----------------------------------------------------------------

    def target(self, number: int, name: str) -> Target:
        """Where a charge point connects to."""
        plan = self._plan
        source = plan.sources[number % len(plan.sources)] if plan.sources else ""
        url = plan.urls[number % len(plan.urls)]
        return Target.at(url, name, self._password, self._tls, source)

    def session(self) -> Session:
        """What reads and answers a message of the server."""
        return Session(self._catalogue, lambda: "")

    def again(self, one: LoadPoint, failed: int, seconds: float) -> None:
        """One of them has no connection.

        :param failed: attempts in a row that have failed.
        :param seconds: what the server wants it to wait, at least.
        """
        self._closing.discard(one)
        seconds = max(seconds, _BACKOFF.seconds(max(0, failed - 1), self._random))
        self.opening.after(seconds, one)

    # -----------------------------------------------------------------------------------------

    def _look_for_overdue(self) -> None:
        before = self.now() - self._plan.timeout
        for one in self._points:
            one.overdue(before)

    def _look_for_the_last(self) -> None:
        tally = self.look()
        if self.now() > self._drain_until:
            for one in self._points:
                one.give_up()
        elif tally.answered + tally.failed.total() < tally.due:
            return
        self._drained.stop()
        self._sweep.stop()
        self.finished.callback(None)


def _tail(message: Message) -> bytes:
    """A CALL from the comma after its id on."""
    action, payload = message
    return b',"%b",%b]' % (action.encode(), payload)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _used() -> float:
    """Processor time of this process so far, in seconds."""
    spent = times()
    return spent.user + spent.system
