"""The versions 2.0, 2.0.1 and 2.1 as data: one set of names for all, and what 2.0 calls otherwise.

Imports the messages. The simulator says and reads everything as 2.1 does. What a version does not
have is left out; what it has elsewhere stands in the tables of `dialect20`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from ocpp_twisted import v20, v21, v201
from ocpp_twisted.ocppj.message import Request

__all__ = ["Dialect", "every", "given"]

_MODULES: Mapping[str, Any] = {"2.0": v20, "2.0.1": v201, "2.1": v21}


def every(*actions: str) -> list[Any]:
    """The request classes of these actions, in each version that has them: for `@on`."""
    names = [f"{action}Request" for action in actions]
    found = [
        getattr(module, name)
        for module in _MODULES.values()
        for name in names
        if hasattr(module, name)
    ]
    if len({each.__name__ for each in found}) != len(names):
        raise TypeError(f"no version 2.x has one of {actions}")
    return found


def given(message: Any, name: str) -> Any:
    """A field of a message; None if it is absent, or unknown to the version."""
    value = getattr(message, name, UNSET)
    return None if value is UNSET else value


def _known_fields() -> Mapping[str, frozenset[str]]:
    """Type name to the fields that any of the versions has."""
    found: dict[str, set[str]] = {}
    for module in _MODULES.values():
        for name in module.__all__:
            fields = getattr(getattr(module, name), "__struct_fields__", None)
            if fields is not None:
                found.setdefault(name, set()).update(fields)
    return {name: frozenset(fields) for name, fields in found.items()}


_KNOWN = _known_fields()

#: Makes of the fields of a type, as 2.1 has them, those of a version.
Shape = Callable[[dict[str, Any]], dict[str, Any]]
#: Makes of a request of a version what the later ones would have sent.
Reading = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One version.

    :ivar module: its messages.
    :ivar renamed: (type, field) to what the version calls the field.
    :ivar words: (type, field) to words of enumerations that the version has not, and its own.
    :ivar shapes: type to what changes more than names.
    :ivar readings: action to what makes of its requests those of 2.0.1.
    :ivar serial_number: characters that a certificate's serial number may have.
    """

    version: str
    module: Any
    renamed: Mapping[tuple[str, str], str] = field(default_factory=dict)
    words: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    serial_number: int = 40

    def make(self, name: str, /, **fields: Any) -> Any:
        """An object of a message type.

        :param name: of the type.
        :param fields: as 2.1 calls them; None for an absent one. Those that the version does not
            have are left out.
        :returns: None if the version has no such type.
        """
        if not fields.keys() <= _KNOWN[name]:
            raise TypeError(f"{name} has no {', '.join(fields.keys() - _KNOWN[name])}")
        cls = getattr(self.module, name, None)
        if cls is None:
            return None
        if name in self.shapes:
            fields = self.shapes[name](fields)
        kept = {}
        for key, value in fields.items():
            if value is None:
                continue
            words = self.words.get((name, key))
            if words is not None:
                value = words.get(value, value)
            key = self.renamed.get((name, key), key)
            if key in cls.__struct_fields__:
                kept[key] = value
        return cls(**kept)

    def reason(self, code: str, more: str = "") -> Any:
        """A statusInfo (2.0.1 part 2 appendices, chapter 5); None in 2.0, which has none."""
        return self.make("StatusInfoType", reasonCode=code, additionalInfo=more or None)

    def read(self, request: Request[Any]) -> Any:
        """A request as 2.0.1 or 2.1 has it."""
        reading = self.readings.get(request.ACTION)
        return request if reading is None else reading(request)

    def knows(self, name: str, field: str) -> bool:
        """Whether the version has a field in a type."""
        return field in getattr(getattr(self.module, name, None), "__struct_fields__", ())
