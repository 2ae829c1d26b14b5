"""What is wrong with a payload, told from what msgspec says of it.

Imports `rules`. msgspec's errors have no codes, only texts: this is the one place that reads
them, and its test holds every wording.
"""

from __future__ import annotations

import re

from ocpp_twisted.ocppj.rules import Fault

__all__ = ["fault_of"]

#: In this order: the first pattern that fits decides.
_WORDINGS: tuple[tuple[re.Pattern[str], Fault], ...] = (
    (re.compile(r"Object contains unknown field "), Fault.UNKNOWN_FIELD),
    (re.compile(r"Object missing required field "), Fault.MISSING_FIELD),
    (re.compile(r"Expected `array` of length "), Fault.ITEM_COUNT),
    (re.compile(r"Expected `\w+` (of length|[<>]|matching|with) ?"), Fault.BAD_VALUE),
    (re.compile(r"Expected at most "), Fault.BAD_VALUE),
    (re.compile(r"Invalid enum value "), Fault.BAD_VALUE),
    (re.compile(r"Invalid RFC3339 encoded "), Fault.BAD_VALUE),
    (re.compile(r"(Number|Integer value) out of range"), Fault.BAD_VALUE),
    (re.compile(r"Expected `object`, got `\w+`$"), Fault.PAYLOAD_NOT_AN_OBJECT),
    (re.compile(r"Expected `.*`, got "), Fault.WRONG_TYPE),
)

_PLACE = re.compile(r" - at `(.*)`$", re.DOTALL)


def fault_of(text: str) -> tuple[Fault, str]:
    """What fault msgspec's error `text` tells of, and a sentence for the peer that names the place.

    The sentence begins with the JSON path where there is one: ``$.idTag: Expected `str` of
    length <= 20``.
    """
    fault = next(
        (fault for wording, fault in _WORDINGS if wording.match(text)),
        Fault.PAYLOAD_NOT_AN_OBJECT,
    )
    place = _PLACE.search(text)
    return fault, text if place is None else f"{place[1]}: {text[: place.start()]}"
