"""The versions of OCPP that this library speaks, each with its catalogue of messages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.ocppj.catalogue import Catalogue
from ocpp_twisted.ocppj.message import Request

__all__ = ["CATALOGUES", "version_of"]

#: Version to catalogue, oldest first: ``CATALOGUES["2.0.1"]``.
CATALOGUES: Mapping[str, Catalogue] = MappingProxyType(
    {
        catalogue.version: catalogue
        for catalogue in (v16.CATALOGUE, v20.CATALOGUE, v201.CATALOGUE, v21.CATALOGUE)
    }
)


@cache
def version_of(request: type[Request[Any]]) -> str | None:
    """The version that a class of requests is of; None for a custom action."""
    for version, catalogue in CATALOGUES.items():
        action = catalogue.actions.get(request.ACTION)
        if action is not None and action.request is request:
            return version
    return None
