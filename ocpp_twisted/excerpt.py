"""Somebody else's words in a line of our log. Imports nothing."""

from __future__ import annotations

__all__ = ["excerpt"]


def excerpt(text: str, limit: int = 255) -> str:
    """At most `limit` characters of a text, with what is not printable escaped.

    What a peer sends could otherwise fill the log, begin a line of its own there, or drive the
    terminal of who reads it.
    """
    cut = text if len(text) <= limit else f"{text[:limit]}..."
    if cut.isprintable():
        return cut
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in cut
    )
