"""What the plug-in's configuration may hold, and what is wrong with one.

Imports the complaints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ocpp_twisted.complaints import Complaints

__all__ = ["Configuration", "read"]

#: Of what, the least and the most: of days a century, which every clock can be set back by.
_NUMBERS = {
    "heartbeat_interval": ("seconds", 1, 2**31 - 1),
    "interval_spread": ("percent", 0, 50),
    "keep_events": ("days", 0, 36_500),
    "keep_transactions": ("days", 0, 36_500),
    "certificate_renewal_days": ("days", 0, 36_500),
    "ca_days": ("days", 1, 36_500),
}
_WORDS = {
    "authorize": ("known", "open"),
    "charge_points": ("any", "known"),
    "certificate_authority": ("none", "local"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The options of the plug-in; `LocalPlugin` tells what they are.

    The defaults of numbers are for a small network: 90 days are long enough to look into what has
    happened, and no more than a small disk holds.
    """

    store: str | None = None
    authorize: str = "known"
    charge_points: str = "any"
    heartbeat_interval: int = 300
    interval_spread: int = 0
    keep_events: int = 90
    keep_transactions: int = 0
    certificate_authority: str = "none"
    ca_cert: str | None = None
    ca_key: str | None = None
    ca_organization: str | None = None
    ca_days: int = 365
    certificate_renewal_days: int = 30
    ocsp_responders: tuple[str, ...] = ()


def read(config: Mapping[str, Any], usual: Configuration, wrong: Complaints) -> Configuration:
    """The configuration, with what is usual where it says nothing or something wrong."""
    known = {each.name: config.get(each.name, getattr(usual, each.name)) for each in fields(usual)}
    for option in sorted(config.keys() - known.keys()):
        names = ", ".join(sorted(known))
        wrong.add(f"plug-in local: there is no option {option!r}; it has {names}")
    for option, (what, least, most) in _NUMBERS.items():
        value = known[option]
        if type(value) is not int or not least <= value <= most:
            wrong.add(
                f"plug-in local: {option} is {value!r}; use a whole number of {what}, "
                f"{least} to {most}"
            )
            known[option] = getattr(usual, option)
    for option, words in _WORDS.items():
        if known[option] not in words:
            wrong.add(
                f'plug-in local: {option} is {known[option]!r}; use "{words[0]}" or "{words[1]}"'
            )
            known[option] = getattr(usual, option)
    known["ocsp_responders"] = tuple(known["ocsp_responders"] or ())
    return Configuration(**known)
