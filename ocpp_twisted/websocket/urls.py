"""What a connection URL says of the charge point.

Imports the identity only. Source: OCPP-J 1.6 section 3.1.1, OCPP 2.1 part 4 section 3.1.1: the
last segment of the path is the charge point's id, percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from ocpp_twisted.identity import Identity, unusable

__all__ = ["DEFAULT_TEMPLATES", "BadId", "Templates", "UnknownPath"]

#: What works with nothing configured.
DEFAULT_TEMPLATES = ("/ocpp/{name}/{id}", "/ocpp/{id}", "/{id}")

_ORIGIN = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class UnknownPath(ValueError):
    """No template fits the path: HTTP 404."""


class BadId(ValueError):
    """The path names no id that can be used: HTTP 400."""


class Templates:
    """URL path templates, of which the first that fits decides.

    :param templates: paths of literal segments, at most one ``{name}``, and ``{id}`` at the end.
    :raises ValueError: if one of them is not of that form; the text says how it should be.
    """

    def __init__(self, templates: Iterable[str] = DEFAULT_TEMPLATES) -> None:
        self.templates = tuple(templates)
        self._parsed = [_parse(template) for template in self.templates]

    def identify(self, target: str) -> Identity:
        """The charge point that the target of an HTTP request names.

        :param target: as it stands in the request line; a query is not looked at.
        :raises UnknownPath: if no template fits.
        :raises BadId: if the id is no UTF-8 text, too long, or holds what cannot be printed.
        """
        path = _ORIGIN.sub("", target).partition("?")[0]
        segments = path.split("/")[1:]
        for template in self._parsed:
            found = _match(template, segments)
            if found is not None:
                return Identity(_decode(found["{id}"]), _decode(found.get("{name}", "")))
        raise UnknownPath(f"no charge point has this URL: it is {' or '.join(self.templates)}")


def _parse(template: str) -> list[str]:
    segments = template.split("/")[1:]
    literals = [segment for segment in segments if segment not in ("{name}", "{id}")]
    if (
        not template.startswith("/")
        or segments[-1:] != ["{id}"]
        or segments.count("{id}") != 1
        or segments.count("{name}") > 1
        or any(not literal or set(literal) & set("{}?#") for literal in literals)
    ):
        raise ValueError(
            f"{template!r} is not a URL template: write a path that ends in {{id}}, "
            "with {name} at most once before it, for example /ocpp/{name}/{id}"
        )
    return segments


def _match(template: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(template) != len(segments) or not all(segments):
        return None
    found = {}
    for expected, segment in zip(template, segments, strict=True):
        if expected in ("{id}", "{name}"):
            found[expected] = segment
        elif expected != segment:
            return None
    return found


def _decode(segment: str) -> str:
    if _STRAY_PERCENT.search(segment):
        raise BadId("the charge point's id is not percent-encoded: % stands alone")
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeError:
        raise BadId("the charge point's id is not percent-encoded UTF-8") from None
    why = unusable(text)
    if why is not None:
        raise BadId(f"the charge point's id {why}")
    return text
