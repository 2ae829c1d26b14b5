"""Quirk profiles: which charge points may do what wrong, read from TOML.

Imports `versions` and the floors below. How a profile is written stands in docs/quirks.md; what
becomes of a fault is decided by `ocpp_twisted.ocppj.leniency`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import inspect

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.ocppj.faults import node_at
from ocpp_twisted.ocppj.leniency import ACCEPTABLE, Kind, Leniency, Treatment
from ocpp_twisted.versions import CATALOGUES

__all__ = ["BUILT_IN", "Profile", "Quirks", "from_document", "load", "parse"]

_Treatments = Mapping[Kind, Treatment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What some charge points may do wrong.

    :ivar makers: patterns for vendor, model and firmware version, as the shell has them and in
        small letters: one of each must fit, and anybody fits where there are none.
    :ivar versions: of OCPP; empty for all.
    :ivar kinds: the treatment of kinds wherever they are.
    :ivar places: action to path to the treatment of kinds there and below.
    """

    makers: tuple[tuple[str, ...], ...] = ((), (), ())
    versions: frozenset[str] = frozenset()
    kinds: _Treatments = field(default_factory=dict)
    places: Mapping[str, Mapping[str, _Treatments]] = field(default_factory=dict)

    def fits(self, version: str, *maker: str) -> bool:
        """Whether it is for a charge point of this OCPP version, vendor, model and firmware."""
        return (not self.versions or version in self.versions) and all(
            not patterns or any(fnmatchcase(name.casefold(), pattern) for pattern in patterns)
            for patterns, name in zip(self.makers, maker, strict=True)
        )

    def as_table(self) -> dict[str, Any]:
        """The profile as it could stand in a file."""
        table: dict[str, Any] = {
            name: list(patterns)
            for name, patterns in zip(_MAKERS, self.makers, strict=True)
            if patterns
        }
        if self.versions:
            table["version"] = sorted(self.versions)
        places = {
            action: {path: _by_treatment(kinds) for path, kinds in paths.items()}
            for action, paths in self.places.items()
        }
        return table | _by_treatment(self.kinds) | ({"at": places} if places else {})


class Quirks:
    """Profiles in their order.

    :param profiles: of those that fit, all count. A longer path counts more than a shorter one,
        a path more than none, and then a later profile more than an earlier one.
    """

    def __init__(self, profiles: Iterable[Profile] = ()) -> None:
        self._profiles = tuple(profiles)
        self._made: dict[tuple[str, tuple[int, ...]], Leniency] = {}

    def as_document(self) -> dict[str, Any]:
        """What `from_document` makes the same profiles of; it can be written as JSON."""
        return {"profile": [profile.as_table() for profile in self._profiles]}

    @property
    def ask_for_makers(self) -> bool:
        """Whether it matters who made a charge point."""
        return any(any(profile.makers) for profile in self._profiles)

    def leniency(
        self, version: str, vendor: str = "", model: str = "", firmware: str = ""
    ) -> Leniency:
        """The leniency towards such a charge point; the same object if the same profiles fit.

        :param version: of OCPP, for example ``2.0.1``.
        :param vendor: as its BootNotification has it; ``""`` for what is not known yet.
        """
        fitting = tuple(
            index
            for index, profile in enumerate(self._profiles)
            if profile.fits(version, vendor, model, firmware)
        )
        found = self._made.get((version, fitting))
        if found is None:
            found = self._made[version, fitting] = self._make(version, fitting)
        return found

    def _make(self, version: str, fitting: tuple[int, ...]) -> Leniency:
        kinds: dict[Kind, Treatment] = {}
        places: dict[str, dict[str, dict[Kind, Treatment]]] = {}
        for profile in (self._profiles[index] for index in fitting):
            kinds.update(profile.kinds)
            for action, paths in profile.places.items():
                for path, treatments in paths.items():
                    places.setdefault(action, {}).setdefault(path, {}).update(treatments)

        def towards(vendor: str, model: str, firmware: str) -> Leniency:
            return self.leniency(version, vendor, model, firmware)

        return Leniency(kinds, places, towards)


#: By name: ``standard`` is what holds without any profile, ``tolerant`` repairs all that can be
#: repaired, ``strict`` keeps to the letter.
BUILT_IN: Mapping[str, Quirks] = MappingProxyType(
    {
        "standard": Quirks(),
        "tolerant": Quirks([Profile(kinds=dict.fromkeys(Kind, Treatment.REPAIR))]),
        "strict": Quirks([Profile(kinds=dict.fromkeys(Kind, Treatment.REJECT))]),
    }
)


def load(path: str | Path) -> Quirks:
    """The profiles in a TOML file.

    :raises ConfigurationError: if it cannot be read, or anything in it is not known; the text
        names the file and what it is.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the quirk profiles in {path} cannot be read: {error}") from error
    return parse(text, str(path))


def parse(text: str, where: str = "quirks") -> Quirks:
    """The profiles in a TOML text.

    :param where: what errors call it.
    :raises ConfigurationError: as `load`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is not TOML: {error}") from error
    return from_document(document, where)


def from_document(document: Mapping[str, Any], where: str) -> Quirks:
    """The profiles in what has been read from TOML: a table with ``profile`` in it.

    :raises ConfigurationError: as `load`.
    """
    _refuse_unknown(document, ("profile",), where)
    profiles = document.get("profile", [])
    if not isinstance(profiles, list):
        raise ConfigurationError(f"{where}: write [[profile]], in double brackets")
    return Quirks(
        _profile(_table(profile, f"{where}, profile {number}"), f"{where}, profile {number}")
        for number, profile in enumerate(profiles, 1)
    )


_MAKERS = ("vendor", "model", "firmware")


def _profile(table: Mapping[str, Any], where: str) -> Profile:
    _refuse_unknown(table, (*_MAKERS, "version", *Treatment, "at"), where)
    versions = _strings(table, "version", where)
    for version in versions:
        if version not in CATALOGUES:
            known = ", ".join(CATALOGUES)
            raise ConfigurationError(f"{where}: there is no OCPP {version}; there are {known}")
    places = {
        action: {
            path: _treatments(setting, f"{where}: {action} {path}")
            for path, setting in _table(paths, f"{where}: {action}").items()
        }
        for action, paths in _table(table.get("at", {}), f"{where}: at").items()
    }
    for action, paths in places.items():
        _check_paths(action, paths, versions or list(CATALOGUES), where)
    return Profile(
        makers=tuple(
            tuple(pattern.casefold() for pattern in _strings(table, name, where))
            for name in _MAKERS
        ),
        versions=frozenset(versions),
        kinds=_by_kind({each: table[each] for each in Treatment if each in table}, where),
        places=places,
    )


def _treatments(setting: Any, where: str) -> _Treatments:
    """What stands at a path: one word for all kinds, or a table as that of the profile."""
    if isinstance(setting, str):
        setting = {setting: "all"}
    table = _table(setting, where)
    _refuse_unknown(table, tuple(Treatment), where)
    return _by_kind(table, where)


def _by_treatment(kinds: _Treatments) -> dict[str, list[str]]:
    """The kinds of each treatment: the way back from `_by_kind`."""
    table: dict[str, list[str]] = {}
    for kind, treatment in kinds.items():
        table.setdefault(treatment.value, []).append(kind.value)
    return table


def _by_kind(table: Mapping[str, Any], where: str) -> _Treatments:
    """Kinds by treatment, turned round. ``all`` is what no other treatment names."""
    everything: dict[Kind, Treatment] = {}
    named: dict[Kind, Treatment] = {}
    for treatment in map(Treatment, table):
        possible = ACCEPTABLE if treatment is Treatment.ACCEPT else frozenset(Kind)
        names = _strings(table, treatment, where)
        if names == ["all"]:
            if everything:
                raise ConfigurationError(f'{where}: only one treatment can have "all"')
            everything = dict.fromkeys(possible, treatment)
            continue
        for name in names:
            if name not in set(Kind):
                kinds = ", ".join(Kind)
                raise ConfigurationError(f'{where}: there is no kind "{name}"; there are {kinds}')
            kind = Kind(name)
            if kind not in possible:
                accepted = ", ".join(sorted(ACCEPTABLE))
                raise ConfigurationError(
                    f'{where}: "{name}" cannot be accepted as it came, only repaired or rejected; '
                    f"what can be is {accepted}"
                )
            if kind in named:
                raise ConfigurationError(f'{where}: "{name}" stands there twice')
            named[kind] = treatment
    return everything | named


def _check_paths(action: str, paths: Iterable[str], versions: Iterable[str], where: str) -> None:
    known = [
        CATALOGUES[version].actions[action]
        for version in versions
        if action in CATALOGUES[version].actions
    ]
    if not known:
        raise ConfigurationError(f"{where}: OCPP {', '.join(versions)} has no action {action}")
    nodes = [
        inspect.type_info(kind)
        for each in known
        for kind in (each.request, each.response)
        if kind is not None
    ]
    for path in paths:
        if re.search(r"\[\d", path):
            raise ConfigurationError(f"{where}: write [*] for the index in {action} {path}")
        if not any(node_at(node, path) for node in nodes):
            raise ConfigurationError(
                f"{where}: {action} of OCPP {', '.join(versions)} has no {path}"
            )


def _strings(table: Mapping[str, Any], key: str, where: str) -> list[str]:
    """One string, or a list of them."""
    value = table.get(key, [])
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise ConfigurationError(f"{where}: {key} is a string or a list of strings")
    return values


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where} is a table, not {value!r}")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise ConfigurationError(f'{where}: "{key}" is not known; known are {", ".join(known)}')
