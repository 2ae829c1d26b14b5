"""Scenarios: what happens to a charge point, told in a TOML file (docs/simulator.md).

Imports the messages, to check those that a file holds, and its neighbours. `play` lets one happen.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from ocpp_twisted.complaints import Complaints
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.simulator.bench import check_word, read_call
from ocpp_twisted.simulator.station import Hardware
from ocpp_twisted.simulator.steps import (
    BY_KEY,
    DOINGS,
    Amount,
    Call,
    Expect,
    Have,
    PlugIn,
    Present,
    Repeat,
    Step,
    VehicleKind,
    WaitFor,
)

__all__ = ["Placed", "Scenario", "load", "parse"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A step and where it stands.

    :ivar place: for people: ``garage.toml: step 3``.
    :ivar steps: those that it repeats.
    """

    step: Step
    place: str
    steps: Sequence[Placed] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens to a charge point.

    :ivar hardware: what it is made of.
    :ivar tokens: of the people who come.
    :ivar vehicles: the kinds of cars that come, by their names.
    :ivar steps: what happens, in its order.
    """

    hardware: Hardware
    tokens: Sequence[str]
    vehicles: Mapping[str, VehicleKind]
    steps: Sequence[Placed]


def load(path: str | Path, version: str) -> Scenario:
    """The scenario in a file, for charge points of a version.

    :raises ConfigurationError: if it cannot be read, or anything in it is unknown or wrong; with a
        line for each, which names file, place and key.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8, as TOML has to be: {error}") from error
    return parse(text, version, str(path))


def parse(text: str, version: str, where: str = "the scenario") -> Scenario:
    """The same of a text.

    :param where: what errors call it.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is not TOML: {error}") from error
    return _Reader(document, version, where).read()


class _Reader:
    """Reads a document, and collects what is wrong with it."""

    def __init__(self, document: dict[str, Any], version: str, where: str) -> None:
        self._document = document
        self._version = version
        self._where = where
        self._wrong = Complaints()
        self._hardware = Hardware()
        self._tokens: list[str] = []
        self._vehicles: dict[str, VehicleKind] = {}

    def read(self) -> Scenario:
        document = dict(self._document)
        station = self._as(_Station, document.pop("station", {}), "station", _Station())
        self._hardware = Hardware(**msgspec.structs.asdict(station))
        if self._hardware.outlets < 1:
            self._complain("station", "outlets is 1 or more")
        if self._hardware.phases not in (1, 2, 3):
            self._complain("station", "phases is 1, 2 or 3")
        self._tokens = self._as(list[str], document.pop("tokens", []), "tokens", [])
        vehicles = self._as(dict[str, Any], document.pop("vehicles", {}), "vehicles", {})
        for name, table in vehicles.items():
            kind = self._as(VehicleKind, table, f"vehicles.{name}", VehicleKind())
            self._vehicles[name] = kind
            for amount in (kind.power, kind.capacity, kind.charge):
                self._check_amount(amount, f"vehicles.{name}")
        steps = self._steps(document.pop("step", []), "step")
        for key in document:
            self._wrong.add(f"{self._where}: {_is_no_key(key, _TOP)}")
        if not steps and not self._wrong.sentences:
            self._complain("step", "there is none: write [[step]] for each thing that happens")
        self._wrong.tell()
        return Scenario(
            hardware=self._hardware, tokens=self._tokens, vehicles=self._vehicles, steps=steps
        )

    # -- steps --------------------------------------------------------------------------------

    def _steps(self, tables: Any, where: str) -> list[Placed]:
        found = []
        for number, table in enumerate(self._as(list[dict[str, Any]], tables, where, []), 1):
            place = f"{where} {number}"
            kind = self._kind(table, place)
            if kind is None:
                continue
            content = {key: value for key, value in table.items() if key != "do"}
            step = self._as(kind, content, place, None)
            if step is None:
                continue
            self._check_step(step, place)
            steps = self._steps(step.step, f"{place}, step") if isinstance(step, Repeat) else ()
            found.append(Placed(step, f"{self._where}: {place}", steps))
        return found

    def _kind(self, table: dict[str, Any], place: str) -> type[Step] | None:
        keys = [key for key in ("do", *BY_KEY) if key in table]
        if keys == ["do", "expect"]:
            keys = ["do"]
        if len(keys) != 1:
            self._complain(place, f"a step has one of these keys: do, {', '.join(BY_KEY)}")
            return None
        if keys != ["do"]:
            return BY_KEY[keys[0]]
        kind = DOINGS.get(table["do"]) if isinstance(table["do"], str) else None
        if kind is None:
            self._complain(
                place, f"there is nothing like do = {table['do']!r}{_near(table['do'], DOINGS)}"
            )
        return kind

    def _check_step(self, step: Step, place: str) -> None:
        if step.at is not None and step.after is not None:
            self._complain(place, "at and after do not go together: leave out one of them")
        for amount in (step.at, step.after):
            if amount is not None:
                self._check_amount(amount, place)
        outlets = getattr(step, "outlet", 1)
        for outlet in outlets if isinstance(outlets, list) else [outlets]:
            if not 1 <= outlet <= self._hardware.outlets:
                self._complain(
                    place, f"there are outlets 1 to {self._hardware.outlets}, not {outlet}"
                )
        match step:
            case PlugIn():
                self._check_vehicle(step, place)
            case Present() if not step.token and not self._tokens:
                self._complain(place, "which token? Write token, or tokens at the beginning")
            case Call():
                self._check(
                    lambda: read_call(
                        self._version, step.action, msgspec.json.encode(step.payload)
                    ),
                    place,
                )
            case WaitFor():
                self._check(lambda: check_word(self._version, step.wait_for), place)
            case Expect():
                self._check(lambda: check_word(self._version, step.expect), place)
            case Have():
                self._check(lambda: step.fault, place)

    def _check_vehicle(self, step: PlugIn, place: str) -> None:
        for name in step.vehicle if isinstance(step.vehicle, list) else [step.vehicle]:
            if name and name not in self._vehicles:
                near = _near(name, self._vehicles)
                self._complain(
                    place, f"there is no vehicle {name!r}{near}: write [vehicles.{name}]"
                )

    def _check_amount(self, amount: Amount, place: str) -> None:
        numbers = amount if isinstance(amount, list) else [amount, amount]
        if len(numbers) != 2 or not 0 <= numbers[0] <= numbers[1] < float("inf"):
            self._complain(
                place, f"{amount!r} is neither a number, 0 or more, nor a range [from, to]"
            )

    def _check(self, of: Callable[[], Any], place: str) -> None:
        try:
            of()
        except ValueError as error:
            self._complain(place, str(error))

    # -- what is wrong ------------------------------------------------------------------------

    def _as(self, kind: Any, value: Any, place: str, default: Any) -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self._complain(place, _told(str(error), kind))
            return default

    def _complain(self, place: str, text: str) -> None:
        self._wrong.add(f"{self._where}: {place}: {text}")


#: `Hardware`, which would take any key.
_Station: Any = msgspec.defstruct(
    "_Station",
    [(each.name, get_type_hints(Hardware)[each.name], each.default) for each in fields(Hardware)],
    forbid_unknown_fields=True,
    kw_only=True,
)
_TOP = ("station", "tokens", "vehicles", "step")


def _told(text: str, kind: Any) -> str:
    """What msgspec says, for people."""
    if match := re.search(r"unknown field `(.*)`", text):
        return _is_no_key(match[1], _keys(kind))
    if match := re.search(r"missing required field `(.*)`", text):
        return f"{match[1]} is missing"
    text, _, path = text.partition(" - at `$")
    text = text[:1].lower() + text[1:]
    at = path.rstrip("`").lstrip(".")
    return f"{at}: {text}" if at else text


def _keys(kind: type[msgspec.Struct]) -> list[str]:
    return [*(["do"] if kind in DOINGS.values() else []), *kind.__struct_fields__]


def _is_no_key(key: str, known: Iterable[str]) -> str:
    return f"there is no key {key!r}{_near(key, known)}"


def _near(word: Any, known: Iterable[str]) -> str:
    near = get_close_matches(str(word), known, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known) or 'none'}"
