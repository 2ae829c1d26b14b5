"""What is wrong with a payload, told from what msgspec says of it.

Imports `rules` and `excerpt`. msgspec's errors have no codes, only texts: this is the one place
that reads them, and its test holds every wording. What the peer is told is said in words of our
own: the JSON path, and what was expected there.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import inspect

from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.ocppj.rules import Fault

__all__ = ["fault_of", "node_at"]

#: How much of a peer's own words is repeated to it.
_ECHO = 50

_STEP = re.compile(r"\.(\w+)|\[(?:\d+|\*)\]")


def node_at(node: inspect.Type, path: str) -> inspect.Type | None:
    """The type that `path` leads to, for example ``$.meterValue[*].timestamp``; None if nowhere.

    :param node: the type of the payload, ``$``. An index may be a number or ``*``.
    """
    if not path.startswith("$"):
        return None
    position = 1
    found: inspect.Type | None = node
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return None
        position = step.end()
        match found:
            case inspect.StructType(fields=fields) if step[1]:
                found = next((field.type for field in fields if field.encode_name == step[1]), None)
            case inspect.ListType(item_type=item) if not step[1]:
                found = item
            case _:
                return None
    return found


def fault_of(text: str, node: inspect.Type) -> tuple[Fault, str]:
    """What fault msgspec's error `text` tells of, and a sentence for the peer.

    :param node: the type of the payload.
    :returns: the fault; and a sentence that begins with the JSON path and says what was expected:
        ``$.idTag: expected a string of at most 20 characters``.
    """
    path = "$"
    if text.endswith("`"):
        # A peer's field name may end like a place: only what leads somewhere is one.
        words, _, place = text[:-1].rpartition(" - at `")
        if words and node_at(node, place) is not None:
            text, path = words, place
    for wording, fault, say in _WORDINGS:
        match = wording.fullmatch(text)
        if match is not None:
            if fault is Fault.WRONG_TYPE and path == "$" and match[1] == "object":
                fault = Fault.PAYLOAD_NOT_AN_OBJECT
            below, sentence = say(match, node_at(node, path))
            return fault, f"{path}{below}: {sentence}"
    return Fault.PAYLOAD_NOT_AN_OBJECT, "$: expected JSON that can be read"


#: What is below the path, and the rest of the sentence.
_Said = tuple[str, str]

_WANTED = {
    "int": "an integer",
    "float": "a number",
    "int | float": "a number",
    "str": "a string",
    "bool": "true or false",
    "datetime": "a string with a date and time",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_GOT = _WANTED | {"float": "a number with a decimal point"}
_TYPES = "|".join(map(re.escape, _WANTED))


def _unknown_field(match: re.Match[str], node: inspect.Type | None) -> _Said:
    names = [field.encode_name for field in getattr(node, "fields", ())]
    expected = f"only {', '.join(names)}" if names else "none"
    return f".{excerpt(match[1], _ECHO)}", f"unknown field, expected {expected}"


def _missing_field(match: re.Match[str], node: inspect.Type | None) -> _Said:
    return f".{match[1]}", "required, but absent"


def _item_count(match: re.Match[str], node: inspect.Type | None) -> _Said:
    limit = "at least" if match[1] == ">=" else "at most"
    return "", f"expected an array of {limit} {match[2]} {'item' if match[2] == '1' else 'items'}"


def _length(match: re.Match[str], node: inspect.Type | None) -> _Said:
    return _below(match[2]), f"expected a string of at most {match[1]} characters"


def _range(match: re.Match[str], node: inspect.Type | None) -> _Said:
    limit = match[3].removesuffix(".0")
    return "", f"expected {_WANTED[match[1]]}, {limit} or {'more' if match[2] == '>=' else 'less'}"


def _decimals(match: re.Match[str], node: inspect.Type | None) -> _Said:
    return _below(match[2]), f"expected at most {match[1]} decimal, got {match[3]}"


def _enumeration(match: re.Match[str], node: inspect.Type | None) -> _Said:
    names = (
        ", ".join(name.value for name in node.cls)
        if isinstance(node, inspect.EnumType)
        else "the values allowed"
    )
    return "", f'"{excerpt(match[1], _ECHO)}" is not one of {names}'


def _time(match: re.Match[str], node: inspect.Type | None) -> _Said:
    return "", "expected a date and time with its zone, for example 2024-01-31T12:00:00Z"


def _size(match: re.Match[str], node: inspect.Type | None) -> _Said:
    return "", "expected a number of a size that can be read"


def _type(match: re.Match[str], node: inspect.Type | None) -> _Said:
    return _below(match[3]), f"expected {_WANTED[match[1]]}, got {_GOT[match[2]]}"


def _below(name: str | None) -> str:
    return "" if name is None else f".{name}"


_IN = r"(?: in `(\w+)`)?"

#: The first wording that fits decides. The ones with ``in`` are our own: those of `CustomDataType`
#: and of `check_decimals`.
_WORDINGS: tuple[
    tuple[re.Pattern[str], Fault, Callable[[re.Match[str], inspect.Type | None], _Said]], ...
] = tuple(
    (re.compile(wording, re.DOTALL), fault, say)
    for wording, fault, say in (
        (r"Object contains unknown field `(.*)`", Fault.UNKNOWN_FIELD, _unknown_field),
        (r"Object missing required field `(\w+)`", Fault.MISSING_FIELD, _missing_field),
        (r"Expected `array` of length ([<>]=) (\d+)", Fault.ITEM_COUNT, _item_count),
        (rf"Expected `str` of length <= (\d+){_IN}", Fault.BAD_VALUE, _length),
        (r"Expected `(int|float)` ([<>]=) (-?[\d.e+-]+)", Fault.BAD_VALUE, _range),
        (
            rf"Expected at most (\d) decimal\(s\){_IN}, got (-?[\d.e+-]+)",
            Fault.BAD_VALUE,
            _decimals,
        ),
        (r"Invalid enum value '(.*)'", Fault.BAD_VALUE, _enumeration),
        (r"Invalid RFC3339 encoded datetime", Fault.BAD_VALUE, _time),
        (r"Expected `datetime` with a timezone component", Fault.BAD_VALUE, _time),
        (r"(?:Number|Integer value) out of range", Fault.BAD_VALUE, _size),
        (
            rf"Expected `({_TYPES})`, got `({_TYPES})`{_IN}",
            Fault.WRONG_TYPE,
            _type,
        ),
    )
)
