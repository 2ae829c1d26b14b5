"""Many simulated charge points in one process: they start one by one, and live their lives.

Imports its neighbours, and what counts calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.charge_point import ChargePointOptions, Connects, Target
from ocpp_twisted.deadlines import Deadlines
from ocpp_twisted.interfaces import IMessageReceiver, IMessageTransport
from ocpp_twisted.metrics import Messages
from ocpp_twisted.simulator.bench import Bench
from ocpp_twisted.simulator.drivers import Drivers, Habits
from ocpp_twisted.simulator.faults import Fault
from ocpp_twisted.simulator.modem import Modem
from ocpp_twisted.simulator.play import Failed, Play
from ocpp_twisted.simulator.scenario import Scenario
from ocpp_twisted.simulator.station import Hardware, Station, Voice

__all__ = ["Counts", "Fleet", "Plan"]

_log = Logger()

#: Seconds between two looks at what is waited for.
_LOOK_EVERY = 0.1
#: Seconds between two groups that start.
_START_EVERY = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a fleet is to be.

    :ivar targets: where its charge points connect to, and as whom.
    :ivar voice: makes the voice of each.
    :ivar hardware: what each is made of.
    :ivar ramp: how many start in a second.
    :ivar habits: how people charge there; None for nobody.
    :ivar faults: each with the share of charge points that have it.
    :ivar scenario: what happens to each of them; None for nothing.
    :ivar handy: whether all can be done to them that a `Bench` can: it costs some memory.
    :ivar seed: for what is left to chance.
    """

    targets: Sequence[Target]
    voice: Callable[[Station], Voice]
    hardware: Hardware = field(default_factory=Hardware)
    ramp: float = 50.0
    habits: Habits | None = None
    faults: Sequence[tuple[Fault, float]] = ()
    scenario: Scenario | None = None
    handy: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How a fleet is.

    :ivar started: how many charge points have been started.
    :ivar connected: how many are connected.
    :ivar accepted: how many of them have been accepted.
    :ivar charging: at how many outlets power flows.
    :ivar waiting: messages about transactions that wait.
    :ivar calls: how many calls were made since the last time, by their outcome: ``CALLRESULT``, an
        error code, or why there was no answer.
    :ivar unreached: why connections could not be opened since the last time, and how many.
    """

    started: int
    connected: int
    accepted: int
    charging: int
    waiting: int
    calls: Mapping[str, int]
    unreached: Mapping[str, int]


class Fleet:
    """Charge points, from `start` to `stop`.

    :param dialer: opens the connections of all.
    :ivar benches: those that have been started with a scenario, a fault, or because the plan says
        so; by id.
    :ivar over: a Deferred that fires when the scenario has happened to all, with a sentence for
        each charge point at which it has failed. It never fires without a scenario.
    """

    def __init__(self, plan: Plan, reactor: IReactorTime, dialer: Connects) -> None:
        self.plan = plan
        self.benches: dict[str, Bench] = {}
        self.over: Deferred[list[str]] = Deferred()
        self._clock = reactor
        self._dialer = _Counting(dialer)
        self._deadlines = Deadlines(reactor)
        self._messages = Messages()
        self._told: Counter[str] = Counter()
        self._stations: list[Station] = []
        self._drivers: list[Drivers] = []
        self._playing: list[Deferred[None]] = []
        self._failed: list[str] = []
        self._begun_at = 0.0
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Let the first ones start."""
        self._begun_at = self._clock.seconds()
        self._start_some()

    def stop(self, grace: float) -> Deferred[Any]:
        """Let the cars leave, send what waits, and disconnect.

        :param grace: seconds that messages about transactions have to be sent.
        :returns: a Deferred that fires when all connections have ended.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for playing in list(self._playing):
            playing.cancel()
        for drivers in self._drivers:
            drivers.stop()
        self._drivers.clear()
        return Deferred.fromCoroutine(self._stop(self._clock.seconds() + grace))

    def counts(self) -> Counts:
        """How it is now, and what has happened since this was asked the last time."""
        ended = self._ended()
        calls, self._told = ended - self._told, ended
        unreached, self._dialer.unreached = self._dialer.unreached, Counter()
        charge_points = [station.charge_point for station in self._stations]
        connected = [each for each in charge_points if each.connected]
        outlets = [outlet for station in self._stations for outlet in station.outlets]
        return Counts(
            started=len(self._stations),
            connected=len(connected),
            accepted=sum(each.registration.value == "Accepted" for each in connected),
            charging=sum(outlet.flow > 0 for outlet in outlets),
            waiting=sum(each.queued for each in charge_points),
            calls=calls,
            unreached=unreached,
        )

    # -----------------------------------------------------------------------------------------

    def _start_some(self) -> None:
        self._timer = None
        since = self._clock.seconds() - self._begun_at
        due = min(int(since * self.plan.ramp) + 1, len(self.plan.targets))
        for target in self.plan.targets[len(self._stations) : due]:
            self._start_one(target)
        if due < len(self.plan.targets):
            self._timer = self._clock.callLater(_START_EVERY, self._start_some)

    def _start_one(self, target: Target) -> None:
        plan = self.plan
        faults = [fault for fault, share in plan.faults if self._chance(target, fault) < share]
        dialer: Connects = self._dialer
        modem = None
        if faults or plan.scenario is not None or plan.handy:
            dialer = modem = Modem(dialer, self._clock, Random(f"{plan.seed}/{target.id}/modem"))
            for fault in faults:
                modem.switch_on(fault)
        station = Station(
            target,
            plan.voice,
            self._clock,
            plan.hardware,
            ChargePointOptions(),
            dialer,
            self._deadlines,
            Random(f"{plan.seed}/{target.id}"),
            self._messages,
        )
        self._stations.append(station)
        if modem is None:
            station.start()
        else:
            bench = self.benches[target.id] = Bench(station, modem)
            bench.power_on()
            if plan.scenario is not None:
                self._play(plan.scenario, bench)
        if plan.habits is not None:
            for outlet in station.outlets:
                drivers = Drivers(station, outlet.number, plan.habits, self._clock)
                self._drivers.append(drivers)
                drivers.start()

    def _chance(self, target: Target, fault: Fault) -> float:
        """The same for the same seed, however many charge points there are."""
        return Random(f"{self.plan.seed}/{target.id}/{fault.name}").random()

    def _play(self, scenario: Scenario, bench: Bench) -> None:
        random = Random(f"{self.plan.seed}/{bench.station.id}/scenario")
        playing = Play(scenario, bench, self._clock, random).begin()
        self._playing.append(playing)
        playing.addErrback(self._has_failed)
        playing.addCallback(lambda _: self._has_ended(playing))

    def _has_failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if not failure.check(Failed):
            _log.failure("a scenario breaks", failure=failure)
        self._failed.append(failure.getErrorMessage())

    def _has_ended(self, playing: Deferred[None]) -> None:
        self._playing.remove(playing)
        if not self._playing and len(self._stations) == len(self.plan.targets):
            self.over.callback(self._failed)

    def _ended(self) -> Counter[str]:
        """All calls that have ended, by their outcome."""
        found: Counter[str] = Counter()
        for measure in self._messages.measures():
            if measure.name == "ocpp_outgoing_calls_total":
                for (_, _, outcome), number in measure.values.items():
                    found[outcome] += int(number)  # type: ignore[arg-type]
        return found

    async def _stop(self, end: float) -> None:
        while self._clock.seconds() < end and self._something_to_send():
            await deferLater(self._clock, _LOOK_EVERY)
        stopping = [bench.stop() for bench in self.benches.values()]
        others = [station for station in self._stations if station.id not in self.benches]
        await DeferredList([*stopping, *(station.stop() for station in others)])

    def _something_to_send(self) -> bool:
        charge_points = (station.charge_point for station in self._stations)
        return any(each.queued and each.connected for each in charge_points)


class _Counting:
    """A dialer that counts why connections cannot be opened."""

    def __init__(self, dialer: Connects) -> None:
        self.unreached: Counter[str] = Counter()
        self._dialer = dialer

    def connect(
        self,
        target: Target,
        subprotocols: Sequence[str],
        opened: Callable[[str, IMessageTransport], IMessageReceiver],
    ) -> Deferred[None]:
        """See `ocpp_twisted.charge_point.Connects`."""
        return self._dialer.connect(target, subprotocols, opened).addErrback(self._count, target)

    def _count(self, failure: Failure, target: Target) -> Failure:
        if not failure.check(CancelledError):
            # The reason, without the URL, in which the charge point's id is.
            self.unreached[failure.getErrorMessage().removeprefix(f"{target.url}: ")] += 1
        return failure
