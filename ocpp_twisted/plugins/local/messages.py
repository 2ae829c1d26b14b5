"""How the handlers here read optional fields, and answer in the version that they were asked in.

Imports the messages' base classes only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from ocpp_twisted.ocppj.message import Request, Response, Send
from ocpp_twisted.versions import CATALOGUES

__all__ = ["SECRETS", "answer", "given", "requests", "without_secret"]

#: What no charge point should tell, and what we may set: never kept (small letters).
SECRETS = frozenset({"authorizationkey", "basicauthpassword"})

_Value = TypeVar("_Value")


def answer(request: Request[Any], /, **fields: Any) -> Response:
    """The response to `request`, of its own version.

    :param fields: the response's fields by their wire names; datatypes are given as
        dictionaries, enumerations as strings. Left out is what is `UNSET`, and what OCPP 2.0
        does not know: its schemas allow it, so its classes drop it.
    """
    known = {name: value for name, value in fields.items() if value is not UNSET}
    return msgspec.convert(known, type(request).RESPONSE)


def given(value: _Value | UnsetType) -> _Value | None:
    """The value of an optional field, None if it is absent."""
    return None if value is UNSET else value


def requests(*actions: str) -> Iterable[type[Request[Any]] | type[Send]]:
    """The requests of these actions in every version that has them."""
    return [
        catalogue.actions[action].request
        for catalogue in CATALOGUES.values()
        for action in actions
        if action in catalogue.actions
    ]


def without_secret(told: dict[str, Any]) -> dict[str, Any]:
    """What is told of a variable (an element of reportData or eventData), for keeping.

    A charge point's password has no value then.
    """
    if told["variable"]["name"].lower() not in SECRETS:
        return told
    clean = {name: value for name, value in told.items() if name != "actualValue"}
    if "variableAttribute" in clean:
        clean["variableAttribute"] = [
            {name: value for name, value in attribute.items() if name != "value"}
            for attribute in clean["variableAttribute"]
        ]
    return clean
