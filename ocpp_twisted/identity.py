"""Who a charge point is. Imports nothing of the package."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Identity", "unusable"]

#: OCPP 2.x allows 48; charge points of 1.6 have no limit there.
_MOST_CHARACTERS = 255


def unusable(text: str) -> str | None:
    """Why a text cannot be an id or a name; None if it can."""
    if len(text) > _MOST_CHARACTERS:
        return f"is longer than {_MOST_CHARACTERS} characters"
    if not text.isprintable():
        return "holds characters that cannot be printed"
    return None


class Identity(NamedTuple):
    """A charge point's id, and the name (a tenant, a site, a customer) under which it connected.

    Two charge points with one id under different names are different charge points. The parts
    are never joined: an id may contain any character that can be printed.

    :ivar id: the last segment of the connection URL, percent-decoded.
    :ivar name: what ``{name}`` in the URL template matched; empty if it has none.
    """

    id: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name}/{self.id}" if self.name else self.id

    @classmethod
    def of(cls, charge_point: str | Identity) -> Identity:
        """The identity that is meant: a plain string is an id without a name."""
        return charge_point if isinstance(charge_point, Identity) else cls(charge_point)
