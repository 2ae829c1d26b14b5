"""The options of ``twistd ocpp-charge-points``, each told once.

The top floor. Those about logs are the server's own. `ocpp_twisted.fleet_settings` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType

from ocpp_twisted.charge_point import Target
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.options import OPTIONS, Option
from ocpp_twisted.simulator.faults import Fault, fault_of_words
from ocpp_twisted.simulator.voices import VOICES
from ocpp_twisted.values import one_of, whole

__all__ = ["FLEET_OPTIONS"]


def _url(text: str) -> str:
    try:
        Target.at(text, "ID")
    except ConfigurationError:
        raise ValueError(
            f"{text!r} is no central system: write ws://HOST:PORT/PATH or wss://HOST:PORT/PATH, "
            "to which the ids are added"
        ) from None
    return text


def _id_format(text: str) -> str:
    try:
        good = text.format(1) != text.format(2)
    except (ValueError, IndexError, KeyError, AttributeError):
        good = False
    if not good:
        raise ValueError(f"{text!r} has no place for a number: write it like CP{{:05}}")
    return text


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise ValueError(f"{text!r} is not a number above 0")
    return rate


def _many(text: str) -> float:
    return 0.0 if text == "0" else _rate(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _range(text: str) -> tuple[float, float]:
    low, dash, high = text.partition("-")
    try:
        found = float(low), float(high if dash else low)
    except ValueError:
        found = -1.0, -1.0
    if not 0 <= found[0] <= found[1] < float("inf"):
        raise ValueError(f"{text!r} is no time: write seconds (600), or from and to (600-3600)")
    return found


def _fault(text: str) -> tuple[Fault, float]:
    first, *parameters = text.split(",")
    name, equals, number = first.partition("=")
    try:
        share = float(number) if equals else 1.0
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{first!r}: the share of charge points is a number from 0 to 1")
    return fault_of_words([name, *parameters]), share


def _address(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address of this machine, like 127.0.0.2") from None
    return text


_FLAG, _NUMBER = (bool,), (int, float)

#: The options by their names.
FLEET_OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "url": Option(
            help="The central system: ws://HOST:PORT/PATH or wss://HOST:PORT/PATH, without the "
            "charge points' ids.",
            check=_url,
        ),
        "count": Option(
            help="How many charge points. [default: 1, or all of --ids]",
            check=whole("charge points"),
            types=_NUMBER,
        ),
        "version": Option(
            help="The OCPP version that they speak: 1.6, 2.0, 2.0.1 or 2.1.",
            check=one_of(*VOICES),
            default="1.6",
        ),
        "id-format": Option(
            help="Their ids, with a place for the number, which begins at 1.",
            check=_id_format,
            default="CP{:05}",
        ),
        "ids": Option(
            help="File with an id a line, and the password of its own behind it, if it has one.",
            check=Path,
        ),
        "password": Option(help="Their password (AuthorizationKey, BasicAuthPassword)."),
        "password-file": Option(help="File that holds the password.", check=Path),
        "ca": Option(
            help="PEM file: who signs the central system's certificate. [default: whom this "
            "machine trusts]",
            check=Path,
        ),
        "cert": Option(
            help="PEM file: the certificate that they show, with {id} in its name for one each.",
            check=Path,
        ),
        "key": Option(help="PEM file: the key of --cert, with {id} likewise.", check=Path),
        "insecure": Option(
            help="Take any certificate of the central system, for tries only.", types=_FLAG
        ),
        "source": Option(
            help="An address of this machine to connect from; several take turns.",
            check=_address,
            several=True,
        ),
        "outlets": Option(
            help="How many cars can be plugged in at each. [default: 2]",
            check=whole("outlets"),
            types=_NUMBER,
        ),
        "ramp": Option(
            help="How many start in a second.", check=_rate, types=_NUMBER, default="50"
        ),
        "seed": Option(
            help="A number; what happens by chance happens again with the same one.",
            check=_seed,
            types=_NUMBER,
            default="1",
        ),
        "token": Option(
            help="A token (id tag) that people show. [default: RED]",
            several=True,
        ),
        "cars-per-hour": Option(
            help="How many cars come to a charge point in an hour; 0 for none. [default: 2; none "
            "with --scenario and --interactive]",
            check=_many,
            types=_NUMBER,
        ),
        "session": Option(
            help="Seconds that a car stays, from and to.",
            check=_range,
            default="600-3600",
        ),
        "fault": Option(
            help="NAME=SHARE: a share of the charge points has a fault, and always the same ones: "
            "never-answer=0.05, or answer-late=0.05,seconds=20. --list-faults tells them.",
            check=_fault,
            several=True,
        ),
        "scenario": Option(
            help="TOML file: what happens to each charge point (docs/simulator.md). It ends when "
            "all of it has happened, with 1 if an expectation fails.",
            check=Path,
        ),
        "interactive": Option(
            help="One charge point, and a prompt for what happens to it.", types=_FLAG
        ),
        "grace": replace(
            OPTIONS["grace"],
            help="Seconds that messages about transactions have to be sent when it stops.",
        ),
        **{name: option for name, option in OPTIONS.items() if name.startswith("log-")},
    }
)
