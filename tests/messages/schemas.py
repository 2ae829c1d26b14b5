"""The JSON schemas as the tests see them: where they are, and who judges a payload by them.

jsonschema is the judge. It reads numbers as exact decimals where a schema asks for multiples of
0.1, because as floats 0.3 is none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.ocppj.catalogue import Catalogue
from ocpp_twisted.ocppj.message import Request, Response, Send

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = Path(os.environ.get("OCPP_SCHEMAS", ROOT / "build" / "schemas"))

#: The reason for trial to skip what needs the schemas; None if they are there.
ABSENT = None if SCHEMAS.is_dir() else f"no schemas in {SCHEMAS}: run tools/fetch_schemas.py"

CATALOGUES = {
    "v16": v16.CATALOGUE,
    "v20": v20.CATALOGUE,
    "v201": v201.CATALOGUE,
    "v21": v21.CATALOGUE,
}

#: The unit that the generator adds to StopTransaction of 1.6 (docs/deviations.md).
ADDED_UNIT = "Hertz"


@dataclass(frozen=True)
class Message:
    """One message of one version: its schema, and our way of reading and writing it."""

    catalogue: Catalogue
    action: str
    is_request: bool
    path: Path

    def __str__(self) -> str:
        return f"OCPP {self.catalogue.version} {self.path.stem}"

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The schema, put right where docs/deviations.md says that the generator does so."""
        text = self.path.read_text(encoding="utf-8-sig")
        # Some of 2.0's references lack their first slash and lead nowhere.
        schema: dict[str, Any] = json.loads(text.replace('"#definitions/', '"#/definitions/'))
        if self.path.parts[-2:] == ("v16", "StopTransaction.json"):
            data = schema["properties"]["transactionData"]["items"]
            sampled = data["properties"]["sampledValue"]["items"]
            sampled["properties"]["unit"]["enum"].append(ADDED_UNIT)
        return schema

    @property
    def is_draft_4(self) -> bool:
        """Whether the schema is in draft 4, where 1.0 is no integer."""
        return "draft-04" in self.schema["$schema"]

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        """The schema node that `node` refers to, or itself."""
        while "$ref" in node:
            node = self.schema["definitions"][node["$ref"].removeprefix("#/definitions/")]
        return node

    def is_valid(self, text: bytes) -> bool:
        """Whether the schema, in its own draft, allows a JSON text."""
        return bool(self._judge.is_valid(self._exactly(text)))

    def read(self, text: bytes) -> Request[Any] | Response | Send:
        """What the catalogue makes of a JSON text."""
        if self.is_request:
            return self.catalogue.read_request(self.action, text)
        return self.catalogue.read_response(self.action, text)

    @cached_property
    def _judge(self) -> Any:
        schema = self.schema
        if self.is_draft_4:
            schema = json.loads(json.dumps(schema), parse_float=Decimal)
        return jsonschema.validators.validator_for(schema)(schema)

    def _exactly(self, text: bytes) -> Any:
        return json.loads(text, parse_float=Decimal if self.is_draft_4 else None)


def messages(package: str) -> Iterator[Message]:
    """All messages of a version, by the schema files that there are."""
    catalogue = CATALOGUES[package]
    for path in sorted((SCHEMAS / package).glob("*.json")):
        name = path.stem.removesuffix("_v1p0")
        is_request = not name.endswith("Response")
        action = name.removesuffix("Response").removesuffix("Request")
        yield Message(catalogue, action, is_request, path)


def message(package: str, action: str, is_request: bool = True) -> Message:
    """One of `messages`."""
    (found,) = (
        each for each in messages(package) if (each.action, each.is_request) == (action, is_request)
    )
    return found
