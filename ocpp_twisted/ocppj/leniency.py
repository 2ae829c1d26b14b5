"""How much of what a charge point does wrong is let through: kinds of faults, and treatments.

Imports msgspec only. A `Leniency` says for each kind, and where it is told so for a place
in a message, whether a value is accepted as it came, repaired, or rejected with the error code of
the version. It never changes; many connections share one. `repairs` obeys it, and tells what it
did as `Repair`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from msgspec import UNSET, Struct

__all__ = [
    "ACCEPTABLE",
    "LETTER",
    "STANDARD",
    "TOLERANT",
    "Kind",
    "Leniency",
    "Repair",
    "Treatment",
    "maker",
]


class Kind(StrEnum):
    """What charge points do wrong, by the names that profiles, logs and counts use."""

    TIME = "time"
    WHOLE_NUMBER = "whole-number"
    NUMBER_AS_STRING = "number-as-string"
    STRING_AS_NUMBER = "string-as-number"
    ENUM_SPELLING = "enum-spelling"
    EMPTY_VALUE = "empty-value"
    NULL_VALUE = "null-value"
    SURPLUS_FIELD = "surplus-field"
    TOO_LONG = "too-long"
    DECIMAL_NOISE = "decimal-noise"
    NULL_PAYLOAD = "null-payload"
    SHORT_CALLERROR = "short-callerror"


class Treatment(StrEnum):
    """What becomes of a fault."""

    ACCEPT = "accept"  #: taken as it came, although the schema refuses it
    REPAIR = "repair"  #: made what the schema wants
    REJECT = "reject"  #: refused, as the schema says


#: The kinds whose values the fields of our messages can hold as they came.
ACCEPTABLE = frozenset({Kind.ENUM_SPELLING, Kind.SURPLUS_FIELD, Kind.TOO_LONG, Kind.DECIMAL_NOISE})


class Repair(Struct, frozen=True, eq=False, gc=False):
    """One kind of fault at one place of one message, let through; any number of times.

    Two are equal, and have one hash, if kind, action and path are: so they can be counted. There
    are only so many of them, whatever a charge point sends.

    :ivar kind: what was wrong.
    :ivar action: of the CALL, or of the CALL that was answered.
    :ivar path: where, without indices: ``$.meterValue[*].timestamp``.
    :ivar text: a sentence for the log that tells of the first time in the message.
    """

    kind: Kind
    action: str
    path: str
    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Repair) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        return self.text

    @property
    def _key(self) -> tuple[Kind, str, str]:
        return self.kind, self.action, self.path


#: A setting for some kinds.
Treatments = Mapping[Kind, Treatment]

_STANDARD: Treatments = {
    **dict.fromkeys(Kind, Treatment.REJECT),
    # The meaning is beyond doubt: see docs/deviations.md.
    Kind.TIME: Treatment.REPAIR,
    Kind.WHOLE_NUMBER: Treatment.REPAIR,
    Kind.DECIMAL_NOISE: Treatment.REPAIR,
    Kind.NULL_PAYLOAD: Treatment.REPAIR,
    Kind.SHORT_CALLERROR: Treatment.REPAIR,
}


class Leniency:
    """What is let through from one sort of charge point.

    :param kinds: the treatment of each kind that shall differ from `STANDARD`.
    :param places: action to path (without indices) to the treatment of kinds at that path and
        below it. The longest path counts, and any path more than `kinds`.
    :param towards: finds the leniency for a vendor, a model and a firmware version.
    """

    __slots__ = ("_kinds", "_places", "_towards")

    def __init__(
        self,
        kinds: Treatments = _STANDARD,
        places: Mapping[str, Mapping[str, Treatments]] | None = None,
        towards: Callable[[str, str, str], Leniency] | None = None,
    ) -> None:
        self._kinds = {**_STANDARD, **kinds}
        self._places = places or {}
        self._towards = towards

    def treatment(self, kind: Kind, action: str, path: str) -> Treatment:
        """What becomes of this kind of fault at `path`, written without indices."""
        places = self._places.get(action)
        if places is not None:
            while path:
                found = places.get(path, {}).get(kind)
                if found is not None:
                    return found
                path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self._kinds[kind]

    def towards(self, boot: Any) -> Leniency:
        """The leniency for who sends this BootNotification.

        :param boot: a ``BootNotificationRequest`` of any version, or the JSON value of a payload
            that may be none.
        """
        if self._towards is None:
            return self
        return self._towards(*maker(boot))


def maker(boot: Any) -> tuple[str, str, str]:
    """Vendor, model and firmware version in a BootNotification; what cannot be read is ``""``.

    :param boot: as for `Leniency.towards`.
    """
    station = _field(boot, "chargingStation")
    if station is UNSET:  # OCPP 1.6
        names, station = ("chargePointVendor", "chargePointModel"), boot
    else:
        names = ("vendorName", "model")
    vendor, model, firmware = (
        value if isinstance(value, str) else ""
        for value in (_field(station, name) for name in (*names, "firmwareVersion"))
    )
    return vendor, model, firmware


def _field(value: Any, name: str) -> Any:
    return value.get(name, UNSET) if isinstance(value, dict) else getattr(value, name, UNSET)


#: Without any profile: what leaves no doubt is repaired, all else is rejected.
STANDARD = Leniency()
#: All that can be repaired is.
TOLERANT = Leniency(dict.fromkeys(Kind, Treatment.REPAIR))
#: Nothing is let through.
LETTER = Leniency(dict.fromkeys(Kind, Treatment.REJECT))
