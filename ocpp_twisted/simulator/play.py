"""Lets a scenario happen to a charge point. Imports its neighbours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any

from msgspec import UNSET
from msgspec.json import encode
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ocpp_twisted.errors import CallErrorReceived, CallFailed
from ocpp_twisted.simulator.bench import Bench
from ocpp_twisted.simulator.scenario import Placed, Scenario
from ocpp_twisted.simulator.steps import (
    BreakDown,
    Call,
    Expect,
    Have,
    Mend,
    Offline,
    Online,
    PlugIn,
    PowerOff,
    PowerOn,
    Present,
    Repeat,
    Reset,
    Step,
    Unplug,
    WaitFor,
    chosen,
    drawn,
)

__all__ = ["Failed", "Play", "is_part_of"]

_log = Logger()

#: Seconds between two looks at what is waited for.
_LOOK_EVERY = 0.25


class Failed(Exception):
    """A scenario has not gone as it should: what it expects is not so, or cannot be done."""


class Play:
    """A scenario that happens to one charge point.

    :param bench: the charge point; it is for others to give it power.
    :param random: draws what the scenario leaves to chance.
    """

    def __init__(
        self, scenario: Scenario, bench: Bench, clock: IReactorTime, random: Random
    ) -> None:
        self._scenario = scenario
        self._bench = bench
        self._clock = clock
        self._random = random

    def begin(self) -> Deferred[None]:
        """Let it happen.

        :returns: a Deferred that fires when all of it has happened. Its errback is `Failed`, with
            a sentence that names the step. Cancel it to end early.
        """
        return Deferred.fromCoroutine(self._steps(self._scenario.steps))

    async def _steps(self, steps: Sequence[Placed]) -> None:
        begun = self._clock.seconds()
        for placed in steps:
            step = placed.step
            if step.after is not None:
                await self._sleep(drawn(step.after, self._random))
            elif step.at is not None:
                due = begun + drawn(step.at, self._random)
                await self._sleep(due - self._clock.seconds())
            try:
                await self._do(placed, step)
            except ValueError as error:  # what cannot be done to this charge point now
                raise Failed(self._about(placed, str(error))) from error

    async def _do(self, placed: Placed, step: Step) -> None:
        _log.debug("{charge_point}: {step}", charge_point=self._bench.station.id, step=step)
        bench, station = self._bench, self._bench.station
        outlet = chosen(getattr(step, "outlet", 1), self._random)
        match step:
            case Repeat():
                for _ in range(step.repeat) if step.repeat else count():
                    await self._steps(placed.steps)
                    await self._sleep(0)  # a round may take no time
            case WaitFor():
                await self._wait(placed, step)
            case Expect():
                if not bench.stands_at(step.expect, step.outlet):
                    raise Failed(self._about(placed, self._state(step.expect, step.outlet)))
            case PlugIn():
                name = chosen(step.vehicle, self._random)
                kind = self._scenario.vehicles.get(name)
                station.plug_in(outlet, None if kind is None else kind.vehicle(self._random))
            case Unplug():
                station.unplug(outlet)
            case Present():
                token = step.token or list(self._scenario.tokens)
                station.present(chosen(token, self._random), outlet)
            case BreakDown():
                station.break_down(step.fault, outlet)
            case Mend():
                station.break_down("", outlet)
            case Offline():
                bench.go_offline()
            case Online():
                bench.go_online()
            case PowerOff():
                await bench.power_off()
            case PowerOn():
                bench.power_on()
            case Reset():
                await station.restart()
            case Have():
                if (fault := step.fault) is None:
                    bench.modem.switch_all_off()
                else:
                    bench.modem.switch_on(fault)
            case Call():
                await self._call(placed, step)

    async def _wait(self, placed: Placed, step: WaitFor) -> None:
        end = self._clock.seconds() + step.within
        while not self._bench.stands_at(step.wait_for, step.outlet):
            if self._clock.seconds() >= end:
                text = self._state(step.wait_for, step.outlet)
                raise Failed(self._about(placed, f"{text}, in {step.within:g} seconds"))
            await self._sleep(_LOOK_EVERY)

    async def _call(self, placed: Placed, step: Call) -> None:
        outcome: Any
        try:
            outcome = json.loads(await self._bench.call(step.action, encode(step.payload)))
        except CallErrorReceived as error:
            outcome = error.code
        except CallFailed as error:
            outcome = type(error).__name__
        if step.expect is not UNSET and not is_part_of(step.expect, outcome):
            text = f"{step.action}: the answer is {outcome}, and not {step.expect}"
            raise Failed(self._about(placed, text))

    def _sleep(self, seconds: float) -> Deferred[None]:
        return deferLater(self._clock, max(seconds, 0.0), lambda: None)

    def _state(self, expected: str, number: int) -> str:
        if expected in ("connected", "accepted", "offline"):
            return f"it is not {expected}"
        if expected == "charging":
            return f"no power flows at outlet {number}, which is {self._bench.status(number)}"
        return f"outlet {number} is {self._bench.status(number)}, and not {expected}"

    def _about(self, placed: Placed, text: str) -> str:
        return f"{placed.place}: {self._bench.station.id}: {text}"


def is_part_of(expected: Any, found: Any) -> bool:
    """Whether all that is expected has been found; objects may have more in them."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(
            key in found and is_part_of(value, found[key]) for key, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(found, list):
        pairs = zip(expected, found, strict=False)
        return len(expected) == len(found) and all(is_part_of(one, other) for one, other in pairs)
    return bool(expected == found)
