"""What can happen to a charge point in a scenario: a class for each, whose fields are its keys.

Imports msgspec, which reads them, and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Annotated, Any, ClassVar, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field

from ocpp_twisted.simulator.faults import Fault
from ocpp_twisted.simulator.physical import Vehicle

__all__ = [
    "BY_KEY",
    "DOINGS",
    "Amount",
    "BreakDown",
    "Call",
    "Choice",
    "Expect",
    "Have",
    "Mend",
    "Offline",
    "Online",
    "PlugIn",
    "PowerOff",
    "PowerOn",
    "Present",
    "Repeat",
    "Reset",
    "Step",
    "Unplug",
    "VehicleKind",
    "WaitFor",
    "Which",
    "chosen",
    "drawn",
]

#: A number, or a range of which chance takes one: ``[3700, 11000]``.
Amount: TypeAlias = float | list[float]
#: A word, or several of which chance takes one.
Choice: TypeAlias = str | Annotated[list[str], Meta(min_length=1)]
#: The number of an outlet, or several of which chance takes one.
Which: TypeAlias = int | Annotated[list[int], Meta(min_length=1)]
_Phases: TypeAlias = Annotated[int, Meta(ge=1, le=3)]


def drawn(amount: Amount, random: Random) -> float:
    """A number: the one that is given, or one of the range."""
    return random.uniform(*amount) if isinstance(amount, list) else amount


def chosen(choice: Any, random: Random) -> Any:
    """The one that is given, or one of several."""
    return random.choice(choice) if isinstance(choice, list) else choice


class Step(Struct, kw_only=True, forbid_unknown_fields=True):
    """Something that happens, and when: at once, unless it says something else.

    :cvar key: what stands in the file for it: ``do`` with its name, or a key of its own.
    :ivar at: seconds after the scenario, or a round of a repetition, has begun.
    :ivar after: seconds after the step before.
    """

    key: ClassVar[str] = "do"

    at: Amount | None = None
    after: Amount | None = None


class PlugIn(Step):
    """A car comes; ``vehicle`` is one of the scenario's ``vehicles``."""

    outlet: Which = 1
    vehicle: Choice = ""


class Unplug(Step):
    """The cable is taken out of the car."""

    outlet: Which = 1


class Present(Step):
    """Somebody shows a token; if none is named, one of the scenario's ``tokens``."""

    token: Choice = ""
    outlet: Which = 1


class BreakDown(Step):
    """An outlet has a fault, by the version's word for it."""

    fault: str
    outlet: Which = 1


class Mend(Step):
    """It is right again."""

    outlet: Which = 1


class Offline(Step):
    """The network goes away."""


class Online(Step):
    """The network is back."""


class PowerOff(Step):
    """The charge point has no power any more."""


class PowerOn(Step):
    """It has power again."""


class Reset(Step):
    """It starts anew."""


class Call(Step):
    """It sends a message.

    :ivar expect: what the answer has to have in it; or the code of the CALLERROR, or the error
        that it has to come to. What comes of it does not matter if nothing is expected.
    """

    action: str
    payload: dict[str, Any] = field(default_factory=dict)
    expect: dict[str, Any] | str | UnsetType = UNSET


class Have(Step):
    """It has a fault from now on; ``none`` ends them all."""

    name: str
    share: float | UnsetType = UNSET
    seconds: float | UnsetType = UNSET
    alive: float | UnsetType = UNSET
    way: str | UnsetType = UNSET

    @property
    def fault(self) -> Fault | None:
        """The fault; None for an end of all.

        :raises ValueError: if there is no such fault.
        """
        if self.name == "none":
            return None
        given = {each: getattr(self, each) for each in ("share", "seconds", "alive", "way")}
        return Fault.of(
            self.name, {key: value for key, value in given.items() if value is not UNSET}
        )


class WaitFor(Step):
    """Wait until it is as it should be; it fails after ``within`` seconds."""

    key: ClassVar[str] = "wait_for"

    wait_for: str
    outlet: int = 1
    within: Annotated[float, Meta(ge=0)] = 60.0


class Expect(Step):
    """It has to be so now."""

    key: ClassVar[str] = "expect"

    expect: str
    outlet: int = 1


class Repeat(Step):
    """Steps that happen several times; 0 times is for ever."""

    key: ClassVar[str] = "repeat"

    repeat: Annotated[int, Meta(ge=0)]
    step: list[dict[str, Any]]


#: What stands after ``do``.
DOINGS: Mapping[str, type[Step]] = {
    "plug_in": PlugIn,
    "unplug": Unplug,
    "present": Present,
    "break_down": BreakDown,
    "mend": Mend,
    "offline": Offline,
    "online": Online,
    "power_off": PowerOff,
    "power_on": PowerOn,
    "reset": Reset,
    "call": Call,
    "fault": Have,
}
#: Those with a key of their own.
BY_KEY: Mapping[str, type[Step]] = {each.key: each for each in (WaitFor, Expect, Repeat)}


class VehicleKind(Struct, kw_only=True, forbid_unknown_fields=True):
    """Cars of a kind; see `Vehicle`."""

    power: Amount = 11_000.0
    phases: _Phases | Annotated[list[_Phases], Meta(min_length=1)] = 3
    capacity: Amount = 60_000.0
    charge: Amount = 12_000.0

    def vehicle(self, random: Random) -> Vehicle:
        """One of them."""
        return Vehicle(
            power=drawn(self.power, random),
            phases=chosen(self.phases, random),
            capacity=drawn(self.capacity, random),
            charge=drawn(self.charge, random),
        )
