"""What a charge point can do wrong on demand, by name; `modem` does it.

Imports its neighbour `spoiling` only. All of them have been seen in the field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf
from typing import Any

from ocpp_twisted.simulator.spoiling import SPOILING

__all__ = ["FAULTS", "Fault", "fault_of_words"]


@dataclass(frozen=True, slots=True)
class _Known:
    """A fault that there is.

    :ivar help: a sentence for people.
    :ivar defaults: its parameters.
    """

    help: str
    defaults: Mapping[str, float | str]


#: The faults, by their names.
FAULTS: Mapping[str, _Known] = {
    "never-answer": _Known("Calls of the central system have no answer.", {"share": 1.0}),
    "answer-late": _Known("They are answered `seconds` late.", {"seconds": 60.0, "share": 1.0}),
    "answer-twice": _Known("Each answer is sent twice.", {"share": 1.0}),
    "wrong-ids": _Known("Answers have message ids that nobody has used.", {"share": 1.0}),
    "off-spec": _Known(
        "Messages are not what OCPP says, in the `way` that is named, or else in any.",
        {"share": 1.0, "way": ""},
    ),
    "half-open": _Known(
        "`alive` seconds after it was opened a connection goes dead, and one that is open already "
        "at once: nothing is read or written any more, and the socket stays. `seconds` later the "
        "charge point notices and connects anew; 0 for never.",
        {"alive": 30.0, "seconds": 30.0},
    ),
    "reconnect-loop": _Known(
        "A connection is closed after `seconds`, and another one opened at once.",
        {"seconds": 1.0},
    ),
    "slow-reading": _Known("Nothing is read for `seconds` after each message.", {"seconds": 1.0}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault with its parameters; those that it does not have are of no use.

    :ivar name: one of `FAULTS`.
    :ivar share: of the messages that it concerns, from 0 to 1.
    :ivar seconds: see `FAULTS`.
    :ivar alive: see `FAULTS`.
    :ivar way: one of `SPOILING`, or empty.
    """

    name: str
    share: float = 1.0
    seconds: float = 0.0
    alive: float = 0.0
    way: str = ""

    @classmethod
    def of(cls, name: str, parameters: Mapping[str, Any] | None = None) -> Fault:
        """A fault by its name.

        :param parameters: those that shall not have their default.
        :raises ValueError: if there is no such fault, or a parameter is not what it can be.
        """
        known = FAULTS.get(name)
        if known is None:
            near = get_close_matches(name, FAULTS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(FAULTS)}"
            raise ValueError(f"there is no fault {name!r}; {hint}")
        given = dict(parameters or {})
        for parameter in given.keys() - known.defaults.keys():
            has = " and ".join(known.defaults)
            raise ValueError(f"the fault {name} has no parameter {parameter!r}; it has {has}")
        fault = cls(name=name, **{**known.defaults, **given})
        fault._check()
        return fault

    def __str__(self) -> str:
        parameters = (f"{each}={getattr(self, each)}" for each in FAULTS[self.name].defaults)
        return " ".join([self.name, *(each for each in parameters if not each.endswith("="))])

    def _check(self) -> None:
        for parameter in ("share", "seconds", "alive"):
            number = getattr(self, parameter)
            known = isinstance(number, int | float) and not isinstance(number, bool)
            if not known or not 0 <= number < inf:
                raise ValueError(f"{self.name}: {parameter} is a number, 0 or more, not {number!r}")
        if self.share > 1:
            raise ValueError(f"{self.name}: share is at most 1, which is all, not {self.share!r}")
        if self.way and self.way not in SPOILING:
            ways = ", ".join(SPOILING)
            raise ValueError(f"{self.name}: there is no way {self.way!r}; there are: {ways}")


def fault_of_words(words: Iterable[str]) -> Fault:
    """A fault as people write it: ``answer-late seconds=20 share=0.5``.

    :raises ValueError: as `Fault.of`, and if the words are no such.
    """
    name, *rest = words
    parameters: dict[str, Any] = {}
    for word in rest:
        parameter, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} is no parameter: write it like seconds=20")
        try:
            parameters[parameter] = text if parameter == "way" else float(text)
        except ValueError:
            raise ValueError(f"{parameter} is a number, not {text!r}") from None
    return Fault.of(name, parameters)
