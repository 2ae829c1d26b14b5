"""A payload written as ``field=value``. Imports the standard library only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

__all__ = ["BadPayload", "payload_of"]


class BadPayload(ValueError):
    """It cannot be understood; the text says why."""


class _Json(str):
    """JSON text that stays as it was written."""


def payload_of(fields: Sequence[str], text: str | None) -> str:
    """The payload as JSON text.

    :param fields: each ``name=value`` or ``name.name=value``; a value is JSON, or else a text.
    :param text: the whole payload as JSON, in place of fields.
    :raises BadPayload: if it is neither.
    """
    if text is not None:
        if fields:
            raise BadPayload("--json is the whole payload: leave it out, or leave out the fields")
        try:
            json.loads(text)
        except ValueError as error:
            raise BadPayload(f"--json is no JSON: {error}") from error
        return text
    payload: dict[str, Any] = {}
    for field in fields:
        name, equals, value = field.partition("=")
        *outer, last = name.split(".")
        if not equals or not all((*outer, last)):
            raise BadPayload(f"{field!r} is no field: write name=value")
        inner = payload
        for part in outer:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise BadPayload(f"{part} in {name} has a value already")
        if last in inner:
            raise BadPayload(f"{name} stands there twice")
        inner[last] = _Json(_value(value))
    return _written(payload)


def _value(text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


def _written(value: dict[str, Any] | _Json) -> str:
    if isinstance(value, _Json):
        return value
    members = (f"{json.dumps(name)}:{_written(inner)}" for name, inner in value.items())
    return f"{{{','.join(members)}}}"
