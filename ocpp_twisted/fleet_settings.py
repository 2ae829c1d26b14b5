"""What ``twistd ocpp-charge-points`` is to do: what its options ask for together.

The top floor. Imports the options, and the fleet that comes of them.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory
from twisted.logger import LogLevel

from ocpp_twisted.charge_point import ClientTLS, Target
from ocpp_twisted.complaints import Complaints
from ocpp_twisted.config import Given, value_of
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.fleet_options import FLEET_OPTIONS
from ocpp_twisted.logs import LogOptions
from ocpp_twisted.simulator.drivers import Habits
from ocpp_twisted.simulator.fleet import Plan
from ocpp_twisted.simulator.scenario import Scenario, load
from ocpp_twisted.simulator.station import Hardware
from ocpp_twisted.simulator.voices import voice_for

__all__ = ["FleetSettings", "make"]

#: Files that a process has open besides its sockets.
_OTHER_FILES = 50
#: Of a fleet, what each of its charge points does is not told; of a single one it is.
_LEVELS_OF_MANY = {
    "ocpp_twisted.charge_point": LogLevel.error,
    "ocpp_twisted.connection": LogLevel.error,
    "ocpp_twisted.answering": LogLevel.error,
    "ocpp_twisted.simulator": LogLevel.error,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """What a fleet's process is to do.

    :ivar plan: the fleet.
    :ivar interactive: whether there is a prompt.
    :ivar grace: seconds that messages about transactions have to be sent when it stops.
    :ivar logs: what is logged.
    """

    plan: Plan
    interactive: bool = False
    grace: float = 10.0
    logs: LogOptions = field(default_factory=LogOptions)


def make(given: Mapping[str, Given]) -> FleetSettings:
    """The settings that a command line asks for.

    :raises ConfigurationError: if a value is wrong, or things do not go together; with a line for
        each.
    """
    wrong = Complaints()
    value: dict[str, Any] = {}
    for name, option in FLEET_OPTIONS.items():
        value[name] = value_of(option, None)
        with wrong.collect():
            value[name] = value_of(option, given.get(name))
    _check_together(given, wrong)
    wrong.tell()
    scenario = None if value["scenario"] is None else load(value["scenario"], value["version"])
    levels = dict(value["log-level"])
    targets = _targets(value)
    if len(targets) > 1:
        levels = {**_LEVELS_OF_MANY, **levels}
    return FleetSettings(
        plan=Plan(
            targets=targets,
            voice=voice_for(value["version"]),
            hardware=_hardware(value, scenario),
            ramp=value["ramp"],
            habits=_habits(value, quiet=value["interactive"] or scenario is not None),
            faults=value["fault"],
            scenario=scenario,
            handy=value["interactive"],
            seed=value["seed"],
        ),
        interactive=value["interactive"],
        grace=value["grace"],
        logs=LogOptions(
            levels=levels,
            format=value["log-format"],
            file=value["log-file"],
            size=value["log-size"],
            files=value["log-files"],
        ),
    )


#: Pairs that do not go together.
_STRANGERS = (
    ("ids", "id-format"),
    ("password", "password-file"),
    ("interactive", "count"),
    ("interactive", "scenario"),
    ("scenario", "cars-per-hour"),
    ("scenario", "outlets"),
    ("scenario", "token"),
    ("insecure", "ca"),
)


_NONE = Given("", [""])


def _check_together(given: Mapping[str, Given], wrong: Complaints) -> None:
    if "url" not in given:
        wrong.add(
            "where do they connect to? Give --url, for example --url ws://localhost:9000/ocpp"
        )
    for name in ("ca", "cert", "insecure"):
        if name in given and given.get("url", _NONE).texts[-1].startswith("ws://"):
            wrong.add(f"--{name} is for TLS: give a --url that begins with wss://")
    for one, other in _STRANGERS:
        if one in given and other in given:
            wrong.add(f"--{one} and --{other} do not go together: leave out one of them")
    if ("cert" in given) != ("key" in given):
        wrong.add("--cert and --key go together: give both, or neither")


def _habits(value: Mapping[str, Any], *, quiet: bool) -> Habits | None:
    cars = value["cars-per-hour"]
    if cars is None:
        cars = 0.0 if quiet else Habits().cars_per_hour
    if not cars:
        return None
    return Habits(
        cars_per_hour=cars,
        session=value["session"],
        tokens=value["token"] or ["RED"],
        seed=value["seed"],
    )


def _hardware(value: Mapping[str, Any], scenario: Scenario | None) -> Hardware:
    hardware = Hardware() if scenario is None else scenario.hardware
    return hardware if value["outlets"] is None else replace(hardware, outlets=value["outlets"])


def _targets(value: Mapping[str, Any]) -> list[Target]:
    ids = _ids(value)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if len(ids) + _OTHER_FILES > files:
        raise ConfigurationError(
            f"{len(ids)} charge points need as many sockets, and this process may open {files} "
            f"files: raise that (ulimit -n {len(ids) + _OTHER_FILES}), or start several processes"
        )
    password = _password(value)
    one_for_all = None if _is_for_each(value) else _tls(value, "")
    sources: Sequence[str] = value["source"] or [""]
    targets = [
        replace(
            Target.at(
                value["url"],
                name,
                password if own is None else own,
                _tls(value, name) if one_for_all is None else one_for_all,
            ),
            source=sources[number % len(sources)],
        )
        for number, (name, own) in enumerate(ids)
    ]
    for target in targets if one_for_all is None else targets[:1]:
        if target.secure:  # what is wrong with a file is told now, and not to nobody later
            target.tls.wrap(target.host, Factory())
    return targets


def _ids(value: Mapping[str, Any]) -> list[tuple[str, bytes | None]]:
    """Ids, each with a password of its own or None."""
    count = value["count"]
    if value["ids"] is None:
        numbers = range(1, (1 if count is None else count) + 1)
        return [(value["id-format"].format(number), None) for number in numbers]
    found: dict[str, bytes | None] = {}
    for line in _read(value["ids"]).splitlines():
        name, *own = line.split(maxsplit=1)[:2] or [""]
        if name and not name.startswith("#"):
            found[name] = own[0].strip().encode() if own else None
    if not found:
        raise ConfigurationError(f"--ids: there is no id in {value['ids']}")
    if count is not None and count > len(found):
        raise ConfigurationError(
            f"--ids: {value['ids']} has {len(found)} ids, and --count asks for {count}"
        )
    return list(found.items())[:count]


def _password(value: Mapping[str, Any]) -> bytes | None:
    if value["password-file"] is not None:
        return _read(value["password-file"]).rstrip("\r\n").encode()
    return None if value["password"] is None else value["password"].encode()


def _is_for_each(value: Mapping[str, Any]) -> bool:
    return "{id}" in f"{value['cert']}{value['key']}"


def _tls(value: Mapping[str, Any], name: str) -> ClientTLS:
    def own(path: Path | None) -> Path | None:
        return None if path is None else Path(str(path).replace("{id}", name))

    return ClientTLS(
        ca=value["ca"],
        cert=own(value["cert"]),
        key=own(value["key"]),
        verify=not value["insecure"],
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8: {error}") from error
