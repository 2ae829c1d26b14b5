"""A device model: components and their variables, whoever asks for them.

Imports nothing of the package. Source: OCPP 2.0.1 part 1, chapter 4 (device model), part 2, B05 to
B08; names are case-insensitive. Words are the wire's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

__all__ = ["READ_ONLY", "READ_WRITE", "WRITE_ONLY", "DeviceModel", "Key", "Variable"]

READ_ONLY, READ_WRITE, WRITE_ONLY = "ReadOnly", "ReadWrite", "WriteOnly"

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_DECIMAL = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?")
_LISTS = ("OptionList", "MemberList", "SequenceList")


class Key(NamedTuple):
    """Which variable of which component; numbers and instances are None where there are none."""

    component: str
    variable: str
    evse: int | None = None
    connector: int | None = None
    component_instance: str | None = None
    variable_instance: str | None = None

    @property
    def folded(self) -> Key:
        """To compare by."""
        return _folded(self)

    @property
    def place(self) -> tuple[str, int | None, int | None, str | None]:
        """The component."""
        return self.component, self.evse, self.connector, self.component_instance


@lru_cache(maxsize=4096)  # a fleet has the same ones over and over
def _folded(key: Key) -> Key:
    return Key(*(each.lower() if isinstance(each, str) else each for each in key))  # type: ignore[arg-type]


@dataclass(slots=True, kw_only=True, eq=False)
class Variable:
    """A variable, with its value as text.

    :ivar type: a DataEnumType.
    :ivar minimum: of a number; of a text or a list how long it is at least.
    :ivar maximum: likewise.
    :ivar values: that a list may have.
    :ivar reboot: whether a new value counts from the next start on.
    :ivar read: what makes the value when it is asked for, if it changes by itself.
    :ivar summary: whether it tells of availability or of a problem (SummaryInventory).
    """

    key: Key
    type: str = "string"
    value: str = ""
    mutability: str = READ_ONLY
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    values: Sequence[str] = ()
    reboot: bool = False
    read: Callable[[], str] | None = None
    summary: bool = False
    accepts: Callable[[str], bool] | None = field(default=None)

    @property
    def now(self) -> str:
        """Its value."""
        return self.value if self.read is None else self.read()

    @property
    def monitored(self) -> bool:
        """Whether monitors may be set on it: it is a number, or a state that changes."""
        return self.read is not None or self.type in ("integer", "decimal")

    def objection(self, text: str) -> tuple[str, str] | None:
        """Why a value cannot be: OCPP 2.0's status for it, and the reason code of later ones."""
        if self.type in _LISTS:
            return self._list_objection(text)
        if self.type == "string":
            long = (self.minimum or 0) <= len(text) <= (self.maximum or len(text))
            return None if long and self._accepted(text) else ("OutOfRange", "ValueOutOfRange")
        if not _FORMATS[self.type](text) or not self._accepted(text):
            return "InvalidValue", "InvalidValue"
        if self.type in ("integer", "decimal"):
            if self.minimum is not None and float(text) < self.minimum:
                return "OutOfRange", "ValueTooLow"
            if self.maximum is not None and float(text) > self.maximum:
                return "OutOfRange", "ValueTooHigh"
        return None

    def _accepted(self, text: str) -> bool:
        return self.accepts is None or self.accepts(text)

    def _list_objection(self, text: str) -> tuple[str, str] | None:
        members = [text] if self.type == "OptionList" else members_of(text)
        if len(set(members)) != len(members) or not set(members) <= set(self.values):
            return "InvalidValue", "InvalidValue"
        if self.type != "OptionList" and not (
            (self.minimum or 0) <= len(members) <= (self.maximum or len(members))
        ):
            return "OutOfRange", "ValueOutOfRange"
        return None if self._accepted(text) else ("InvalidValue", "InvalidValue")


def members_of(text: str) -> list[str]:
    """The members of a list."""
    return [each.strip() for each in text.split(",")] if text.strip() else []


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


_FORMATS: Mapping[str, Callable[[str], object]] = {
    "integer": _INTEGER.fullmatch,
    "decimal": _DECIMAL.fullmatch,
    "boolean": lambda text: text.lower() in ("true", "false"),
    "dateTime": _is_time,
}


class DeviceModel:
    """All variables of a charge point.

    :ivar changed: is called with a variable that has a new value, whoever has set it.
    """

    def __init__(self) -> None:
        self.changed: list[Callable[[Variable], None]] = []
        self._variables: dict[Key, Variable] = {}
        self._waiting: dict[Key, str] = {}

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._variables.values())

    def add(self, variable: Variable) -> Variable:
        """One more variable."""
        self._variables[variable.key.folded] = variable
        return variable

    def remove(self, key: Key) -> None:
        """One fewer; does nothing if there is none."""
        self._variables.pop(key.folded, None)

    def find(self, key: Key) -> Variable | str:
        """A variable, or ``UnknownComponent`` or ``UnknownVariable``."""
        folded = key.folded
        found = self._variables.get(folded)
        if found is not None:
            return found
        known = any(each.place == folded.place for each in self._variables)
        return "UnknownVariable" if known else "UnknownComponent"

    def matching(self, key: Key, variable: bool = True) -> list[Variable]:
        """The variables that a report is asked for: what is absent in `key` may be anything.

        :param variable: whether the variable is named too.
        """
        wanted = key.folded
        return [
            each
            for folded, each in self._variables.items()
            if folded.component == wanted.component
            and wanted.evse in (None, folded.evse)
            and wanted.connector in (None, folded.connector)
            and wanted.component_instance in (None, folded.component_instance)
            and (not variable or folded.variable == wanted.variable)
            and (not variable or wanted.variable_instance in (None, folded.variable_instance))
        ]

    # -- for the charge point itself ----------------------------------------------------------

    def text(self, component: str, variable: str, **where: int | str) -> str:
        """A value.

        :param where: the rest of its `Key`.
        """
        return self._variables[Key(component, variable, **where).folded].now  # type: ignore[arg-type]

    def integer(self, component: str, variable: str, **where: int | str) -> int:
        """A value that is an integer."""
        return int(self.text(component, variable, **where) or 0)

    def boolean(self, component: str, variable: str) -> bool:
        """A value that is true or false; false if there is no such variable."""
        found = self._variables.get(Key(component, variable).folded)
        return found is not None and found.now.lower() == "true"

    def members(self, component: str, variable: str) -> list[str]:
        """The members of a list."""
        return members_of(self.text(component, variable))

    def put(self, text: str, component: str, variable: str, **where: int | str) -> None:
        """Set a value, from within."""
        self._put(self._variables[Key(component, variable, **where).folded], text)  # type: ignore[arg-type]

    # -- for the central system ---------------------------------------------------------------

    def set(self, variable: Variable, text: str) -> tuple[str, str | None]:
        """Set a value as SetVariables does.

        :returns: the status in 2.0's words, and the reason code if it is refused.
        """
        if variable.mutability == READ_ONLY:
            return "Rejected", "ReadOnly"
        objection = variable.objection(text)
        if objection is not None:
            return objection
        if variable.type == "boolean":
            text = text.lower()
        if variable.reboot:
            self._waiting[variable.key.folded] = text
            return "RebootRequired", None
        self._put(variable, text)
        return "Accepted", None

    def restarted(self) -> None:
        """What waits for a start counts from now on."""
        waiting, self._waiting = self._waiting, {}
        for key, text in waiting.items():
            if key in self._variables:
                self._put(self._variables[key], text)

    def _put(self, variable: Variable, text: str) -> None:
        if text != variable.value:
            variable.value = text
            for changed in self.changed:
                changed(variable)
