"""The OpenAPI 3.1 document, made of the operations and their types; and what problems mean.

Imports msgspec and its neighbours `operations` and `problems`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from ocpp_twisted.plugins.http.operations import (
    JSON,
    Asked,
    Operation,
    Reply,
    operation,
    parameters_of,
)
from ocpp_twisted.plugins.http.problems import KINDS, MEDIA_TYPE, Problem, ProblemDetails

__all__ = ["Description", "document"]

#: What may come of every operation.
_ALWAYS = (
    "invalid-request",
    "unauthorized",
    "forbidden-host",
    "forbidden-origin",
    "internal-error",
    "stopping",
)
#: Problems of every operation that has a body.
_OF_BODIES = ("too-large", "unsupported-media-type")


class Description:
    """Operations that tell of the operations."""

    def __init__(self) -> None:
        self.document = b""

    @operation("GET", "/openapi.json", "This document.", media=(JSON,))
    def openapi(self, asked: Asked) -> Reply:
        """OpenAPI 3.1."""
        return Reply(body=self.document)

    @operation("GET", "/problems/{kind}", "What a type of problem means.", media=("text/plain",))
    def problem(self, asked: Asked) -> Reply:
        """The type of a problem is the address of this page."""
        kind = KINDS.get(asked.path["kind"])
        if kind is None:
            raise Problem("not-found", f"there is no such problem; there is: {', '.join(KINDS)}")
        text = f"{kind.status} {kind.title}.\n\n{kind.meaning}\n"
        return Reply(body=text.encode(), media_type="text/plain; charset=utf-8")


def document(operations: Sequence[Operation]) -> bytes:
    """The document, as JSON."""
    types = [ProblemDetails, *_types(operations)]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    for component in components.values():
        _tell_fields(component)
    # Unions and the like have no hash: they are found by their place.
    schema_of = {repr(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for known in operations:
        paths.setdefault(known.path, {})[known.method.lower()] = _described(
            known, schema_of, components
        )
    for known in operations:
        components.pop(known.query.__name__, None)  # they are parameters
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "ocpp_twisted",
                "summary": "Charge points, commands and records of an OCPP central system.",
                "version": version("ocpp-twisted"),
            },
            "security": [{"token": []}, {}],
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "Not needed if the server listens for its machine only.",
                    }
                },
            },
        }
    )


def _types(operations: Iterable[Operation]) -> Iterable[Any]:
    for known in operations:
        yield known.query
        yield from (kind for kind in known.body.values() if kind is not bytes)
        if known.answer is not None:
            yield known.answer


def _described(
    known: Operation, schema_of: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in parameters_of(known.path)
    ]
    query = components.get(known.query.__name__, {})
    parameters += [
        {
            "name": name,
            "in": "query",
            "required": name in query.get("required", ()),
            **_parameter(schema),
        }
        for name, schema in query.get("properties", {}).items()
    ]
    parameters += [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in known.headers.items()
    ]
    described: dict[str, Any] = {
        "operationId": _name(known),
        "summary": known.summary,
        "responses": _responses(known, schema_of),
    }
    if parameters:
        described["parameters"] = parameters
    if known.body:
        content = {
            media: {} if kind is bytes else {"schema": schema_of[repr(kind)]}
            for media, kind in known.body.items()
        }
        described["requestBody"] = {"required": True, "content": content}
    return described


def _tell_fields(schema: dict[str, Any]) -> None:
    """Give what a docstring says of the fields (``:ivar name: text``) to the fields."""
    text, *told = re.split(r"\s*:ivar (\w+): ", schema.get("description", ""))
    schema["description"] = " ".join(text.split())
    for name, meaning in zip(told[::2], told[1::2], strict=True):
        if name in schema.get("properties", ()):
            schema["properties"][name]["description"] = " ".join(meaning.split())


def _parameter(schema: dict[str, Any]) -> dict[str, Any]:
    """A field as a parameter of the query: it is there or it is not, but never null."""
    described = dict(schema)
    text = described.pop("description", None)
    kinds = [kind for kind in described.pop("anyOf", ()) if kind != {"type": "null"}]
    if kinds:
        described |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if described.get("default", ...) is None:
        del described["default"]
    return {"schema": described} | ({"description": text} if text else {})


def _responses(known: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {media: {} for media in known.media}
    if known.answer is not None:
        content[JSON] = {"schema": schema_of[repr(known.answer)]}
    status = known.status if content else 204
    responses: dict[str, Any] = {str(status): {"description": HTTPStatus(status).phrase}}
    if content:
        responses[str(status)]["content"] = content
    kinds = [*known.problems, *_ALWAYS, *(_OF_BODIES if known.body else ())]
    if parameters_of(known.path):
        kinds.append("not-found")
    for kind in kinds:
        told = responses.setdefault(str(KINDS[kind].status), {"description": ""})
        titles = [*filter(None, told["description"].split("; ")), f"{kind}: {KINDS[kind].title}"]
        told["description"] = "; ".join(titles)
        told["content"] = {MEDIA_TYPE: {"schema": schema_of[repr(ProblemDetails)]}}
    return dict(sorted(responses.items()))


def _name(known: Operation) -> str:
    """``getChargePointsById``: the method, and the path without the API's version."""
    path = re.sub(r"{(\w+)}", r"by-\1", known.path.removeprefix("/api/v1"))
    words = re.findall(r"\w+", path)
    return known.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)
