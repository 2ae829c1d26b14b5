"""The versions of OCPP that this library speaks, each with its catalogue of messages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.ocppj.catalogue import Catalogue

__all__ = ["CATALOGUES"]

#: Version to catalogue, oldest first: ``CATALOGUES["2.0.1"]``.
CATALOGUES: Mapping[str, Catalogue] = MappingProxyType(
    {
        catalogue.version: catalogue
        for catalogue in (v16.CATALOGUE, v20.CATALOGUE, v201.CATALOGUE, v21.CATALOGUE)
    }
)
