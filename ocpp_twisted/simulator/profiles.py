"""Charging profiles of any version: which are kept, which prevails, and what it lets through.

Imports nothing of the package. Source: OCPP 1.6 sections 3.13, 5.5, 5.7, 5.16, 7.8 and 7.12 to 7.14
with errata 3.7, 3.25, 3.34, 3.43, 3.44 and 3.68; what 2.x adds (external constraints, several
schedules in one profile) is here too.

The limit of an outlet is the minimum over the rows of this table, and within a row the first kind
of profile that says something at the time:

====================================  ==========================================================
ChargingStationExternalConstraints    highest stack level, of the outlet and of the whole station
ChargePoint-, ChargingStationMax...   highest stack level, of the outlet and of the whole station
TxProfile, else TxDefaultProfile      highest stack level; an outlet's own default profile
                                      replaces the whole station's of the same level
====================================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf

__all__ = ["Period", "Profile", "Profiles", "Schedule", "WattsPerAmpere"]

_EACH = {"Daily": timedelta(days=1), "Weekly": timedelta(weeks=1)}
#: Purpose to whether it bounds a station, rather than a transaction; see the head of this module.
_ROWS: Sequence[tuple[bool, Sequence[str]]] = (
    (True, ("ChargingStationExternalConstraints",)),
    (True, ("ChargePointMaxProfile", "ChargingStationMaxProfile")),
    (False, ("TxProfile", "TxDefaultProfile")),
)

#: Says how many watts one ampere is, over so many phases.
WattsPerAmpere = Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Period:
    """What holds from a time on.

    :ivar start: seconds from the schedule's begin.
    :ivar limit: in the schedule's unit: amperes of each phase, or watts in all.
    :ivar phases: that may be used.
    """

    start: float
    limit: float
    phases: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Limits over time.

    :ivar unit: ``A`` or ``W``.
    :ivar periods: in their order; the first one starts at 0.
    :ivar duration: seconds; None for no end.
    :ivar start: None for relative ones.
    :ivar minimum: the lowest rate that makes sense, in the unit.
    """

    unit: str
    periods: Sequence[Period]
    duration: float | None = None
    start: datetime | None = None
    minimum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A charging profile, with the wire's words.

    :ivar outlet: its connector or EVSE; 0 for the whole station.
    :ivar installed: from then on counts what has no start and belongs to no transaction.
    """

    id: int
    purpose: str
    level: int
    kind: str
    schedules: Sequence[Schedule]
    outlet: int = 0
    recurrency: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction: str | int | None = None
    installed: datetime | None = None

    @property
    def for_station(self) -> bool:
        """Whether it bounds the station, not a transaction."""
        return any(self.purpose in purposes for station, purposes in _ROWS if station)

    def period(self, now: datetime, begun: datetime | None) -> tuple[Schedule, Period] | None:
        """What it says at a time; None if it says nothing."""
        if self.valid_from is not None and now < self.valid_from:
            return None
        if self.valid_to is not None and now >= self.valid_to:
            return None
        schedule = self.schedules[0]
        seconds = (now - self._run(schedule, now, begun)).total_seconds()
        if seconds < 0 or (schedule.duration is not None and seconds >= schedule.duration):
            return None
        each = [period for period in schedule.periods if period.start <= seconds]
        return (schedule, each[-1]) if each else None

    def instants(self, now: datetime, begun: datetime | None) -> Iterator[datetime]:
        """When it may begin or cease to say something, or say something else."""
        if self.valid_from is not None:
            yield self.valid_from
        if self.valid_to is not None:
            yield self.valid_to
        schedule = self.schedules[0]
        if self._start(schedule, begun) is None:
            return  # it begins when a transaction does
        start = self._run(schedule, now, begun)
        each = self._each
        following = 0.0 if each is None else each.total_seconds()
        for run in {start, _later(start, following)}:
            for period in schedule.periods:
                yield _later(run, period.start)
            if schedule.duration is not None:
                yield _later(run, schedule.duration)

    def _run(self, schedule: Schedule, now: datetime, begun: datetime | None) -> datetime:
        """The begin of the run of a schedule that is on now, or will be."""
        start, each = self._start(schedule, begun), self._each
        if start is None:
            return now
        return start if each is None or now < start else now - (now - start) % each

    def _start(self, schedule: Schedule, begun: datetime | None) -> datetime | None:
        """The begin of its first run; None if that is when a transaction begins."""
        if self.kind != "Relative" and schedule.start is not None:
            return schedule.start
        return begun if begun is not None and not self.for_station else self.installed

    @property
    def _each(self) -> timedelta | None:
        """How long one run takes, if there are many."""
        if self.kind != "Recurring" or self.recurrency is None:
            return None
        return _EACH[self.recurrency]


class Profiles:
    """The profiles that are installed.

    `begun`, wherever it is asked for, is when the transaction began that is bounded; None for one
    that would begin now.
    """

    def __init__(self) -> None:
        self._installed: list[Profile] = []

    def __len__(self) -> int:
        return len(self._installed)

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._installed)

    def set(self, profile: Profile) -> None:
        """Install one; it replaces one of its id, or of its purpose, level and outlet."""
        self._installed = [each for each in self._installed if not _replaces(profile, each)]
        self._installed.append(profile)

    def replaces(self, profile: Profile) -> bool:
        """Whether `set` would replace one, so that there are no more of them."""
        return any(_replaces(profile, each) for each in self._installed)

    def found(
        self,
        ids: Container[int] | None = None,
        outlet: int | None = None,
        purpose: str | None = None,
        level: int | None = None,
    ) -> list[Profile]:
        """Those that match all that is given."""
        return [
            each
            for each in self._installed
            if (ids is None or each.id in ids)
            and outlet in (None, each.outlet)
            and purpose in (None, each.purpose)
            and level in (None, each.level)
        ]

    def clear(
        self,
        ids: Container[int] | None = None,
        outlet: int | None = None,
        purpose: str | None = None,
        level: int | None = None,
    ) -> int:
        """Remove what `found` finds.

        :returns: how many.
        """
        gone = self.found(ids, outlet, purpose, level)
        self._installed = [each for each in self._installed if each not in gone]
        return len(gone)

    def limit_watts(
        self,
        outlet: int,
        now: datetime,
        begun: datetime | None,
        watts_per_ampere: WattsPerAmpere,
    ) -> float:
        """Watts that may flow; infinity if no profile says anything.

        :param outlet: 0 for what the whole station may take together.
        """
        return self._limit(outlet, now, begun, watts_per_ampere)[0]

    def composite(
        self,
        outlet: int,
        now: datetime,
        begun: datetime | None,
        duration: float,
        unit: str,
        watts_per_ampere: WattsPerAmpere,
        most: float = inf,
    ) -> list[Period]:
        """The limits from now on, as if nothing were to change; adjacent ones differ.

        :param duration: seconds.
        :param unit: of the limits.
        :param most: watts that there are without any profile.
        """
        periods: list[Period] = []
        end = now + timedelta(seconds=duration)
        at: datetime | None = now
        # A transaction that would begin now has begun in the later periods.
        begun = now if begun is None else begun
        while at is not None and at < end:
            watts, phases = self._limit(outlet, at, begun, watts_per_ampere)
            watts = min(watts, most)
            limit = watts if unit == "W" else watts / watts_per_ampere(phases)
            if not periods or (periods[-1].limit, periods[-1].phases) != (limit, phases):
                periods.append(Period((at - now).total_seconds(), limit, phases))
            at = self.next_change(outlet, at, begun)
        return periods

    def next_change(self, outlet: int, now: datetime, begun: datetime | None) -> datetime | None:
        """When the limit of an outlet may be another one; None for never."""
        instants = (
            instant
            for profile in self._installed
            if profile.outlet in (0, outlet)
            for instant in profile.instants(now, begun)
            if instant > now
        )
        return min(instants, default=None)

    # -----------------------------------------------------------------------------------------

    def _limit(
        self, outlet: int, now: datetime, begun: datetime | None, watts_per_ampere: WattsPerAmpere
    ) -> tuple[float, int]:
        limit, phases = inf, 3
        for for_station, purposes in _ROWS:
            if outlet == 0 and not for_station:
                continue
            for purpose in purposes:
                prevailing = self._prevailing(purpose, outlet, now, begun, not for_station)
                for schedule, period in prevailing:
                    ampere = 1.0 if schedule.unit == "W" else watts_per_ampere(period.phases)
                    if period.limit * ampere < limit:
                        limit, phases = period.limit * ampere, period.phases
                if prevailing:
                    break
        return limit, phases

    def _prevailing(
        self, purpose: str, outlet: int, now: datetime, begun: datetime | None, replaces: bool
    ) -> list[tuple[Schedule, Period]]:
        """What the profiles of the highest level say; two if the station has a say beside."""
        own = self.found(outlet=outlet, purpose=purpose) if outlet else []
        everywhere = self.found(outlet=0, purpose=purpose)
        if not replaces:
            return _highest(own, now, begun) + _highest(everywhere, now, begun)
        taken = {each.level for each in own}
        others = [each for each in everywhere if each.level not in taken]
        return _highest([*own, *others], now, begun)


def _later(when: datetime, seconds: float) -> datetime:
    """So many seconds later; the end of time if that is sooner."""
    try:
        return when + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _highest(
    profiles: Sequence[Profile], now: datetime, begun: datetime | None
) -> list[tuple[Schedule, Period]]:
    said = [(each.level, each.period(now, begun)) for each in profiles]
    saying = [(level, period) for level, period in said if period is not None]
    return [max(saying, key=lambda pair: pair[0])[1]] if saying else []


def _replaces(new: Profile, old: Profile) -> bool:
    return new.id == old.id or (new.purpose, new.level, new.outlet) == (
        old.purpose,
        old.level,
        old.outlet,
    )
