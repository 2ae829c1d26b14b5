"""What can be asked over HTTP, as data: an operation is a method, a path, types and a handler.

Imports msgspec, who a charge point is, and its neighbour `problems`. From the operations come the
routes (`app`) and the OpenAPI document (`openapi`); what a client sends is read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from twisted.web.server import Request

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.http.problems import Problem

__all__ = [
    "Asked",
    "NameQuery",
    "Operation",
    "Reply",
    "operation",
    "operations_of",
    "parameters_of",
    "read",
    "where",
]

_Handler = TypeVar("_Handler", bound=Callable[..., Any])
JSON = "application/json"


class NameQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query parameter of a charge point's path.

    :ivar name: under which it connects, if its URL has a name.
    """

    name: str = ""


class NoQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No query parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something that can be asked.

    :ivar method: of HTTP.
    :ivar path: with parameters in braces, as OpenAPI has it.
    :ivar summary: a sentence.
    :ivar handler: is called with an `Asked`; returns what is sent as JSON, a `Reply`, None for
        nothing, or a Deferred or a coroutine of one of these. It may raise `Problem`.
    :ivar query: the Struct of its query parameters.
    :ivar body: media type to the type of the body (`bytes` is as it comes); none if empty.
    :ivar answer: the type of what the handler returns; None for nothing.
    :ivar status: of the response if all goes well.
    :ivar media: further media types of the response.
    :ivar problems: which kinds of problems it has of its own.
    :ivar headers: request headers to what they mean.
    """

    method: str
    path: str
    summary: str
    handler: Callable[[Asked], Any]
    query: type[Struct] = NoQuery
    body: Mapping[str, Any] = field(default_factory=dict)
    answer: Any = None
    status: int = 200
    media: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, read.

    :ivar path: the parameters of the path, percent-decoded.
    :ivar query: an `Operation.query`.
    :ivar body: of a type of `Operation.body`; None if it has none.
    :ivar media_type: that of the body.
    :ivar request: as it came.
    """

    path: Mapping[str, str]
    query: Any
    body: Any
    media_type: str
    request: Request

    @property
    def identity(self) -> Identity:
        """The charge point of the path and of the query parameter ``name``."""
        return Identity(self.path["id"], self.query.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A response that is not just a value as JSON.

    :ivar body: as it is sent.
    """

    body: bytes = b""
    media_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def operation(method: str, path: str, summary: str, **more: Any) -> Callable[[_Handler], _Handler]:
    """Make a method an operation; the parameters are the fields of `Operation`."""

    def mark(handler: _Handler) -> _Handler:
        handler.operation = {  # type: ignore[attr-defined]
            "method": method,
            "path": path,
            "summary": summary,
            **more,
        }
        return handler

    return mark


def operations_of(resource: object) -> Iterator[Operation]:
    """The operations among the methods of an object, in the order of their definition."""
    for name, function in vars(type(resource)).items():
        if (fields := getattr(function, "operation", None)) is not None:
            yield Operation(handler=getattr(resource, name), **fields)


def read(known: Operation, path: Mapping[str, str], request: Any, content: bytes) -> Asked:
    """What is asked.

    :raises Problem: if the query or the body is not what the operation wants.
    """
    media_type, body = _read_body(known, request, content)
    query = _read_query(known, request.uri.partition(b"?")[2])
    return Asked(path=path, query=query, body=body, media_type=media_type, request=request)


def _read_query(known: Operation, text: bytes) -> Any:
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError:
        raise Problem("invalid-request", "the query is not percent-encoded UTF-8") from None
    given = dict(pairs)
    if len(given) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)[:50]
        raise Problem("invalid-request", f"{twice!r} stands there twice: give it once", path=twice)
    try:
        return msgspec.convert(given, known.query, strict=False)
    except msgspec.ValidationError as error:
        parameters = ", ".join(known.query.__struct_fields__) or "none"
        if (name := _unknown(str(error))) is not None:
            text_, path = f"there is no query parameter {name[:50]!r}; there is {parameters}", name
        else:
            text_, path = where(str(error))
            text_ = f"{text_} (query parameters: {parameters})"
            path = path.removeprefix("$").removeprefix(".")
        raise Problem("invalid-request", text_, path=path[:50] or None) from error


def _read_body(known: Operation, request: Any, content: bytes) -> tuple[str, Any]:
    if not known.body:
        return "", None
    header = request.getHeader("content-type") or ""
    media_type = header.partition(";")[0].strip().lower()
    if media_type not in known.body:
        supported = " or ".join(known.body)
        raise Problem(
            "unsupported-media-type",
            f"send the body as {supported}, not as {media_type or 'nothing named'}: "
            f'for example with the header "Content-Type: {next(iter(known.body))}"',
        )
    kind = known.body[media_type]
    if kind is bytes:
        return media_type, content
    try:
        content.decode()  # what stays text (`msgspec.Raw`) is not looked at by the decoder
        return media_type, msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        text, path = where(str(error))
        if (name := _unknown(text)) is not None:
            text = f"there is no field {name[:50]!r}; there is {', '.join(_fields(kind))}"
            path = f"{path}.{name[:50]}"
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text, path = f"the body is not JSON: {error}", "$"
        if (place := _half_character(content)) is not None:
            text, path = "a half of a surrogate pair (\\ud800 to \\udfff) is no character", place
    except RecursionError:
        text, path = "the body is nested too deeply", "$"
    raise Problem("invalid-request", text, path=path)


def _unknown(error: str) -> str | None:
    """The field that an error of msgspec says is not known."""
    match = re.match(r"Object contains unknown field `(.*?)`(?: - at `|$)", error, re.DOTALL)
    return None if match is None else match[1]


def _fields(kind: Any) -> tuple[str, ...]:
    """Those of a Struct, or of the Structs in a list."""
    struct: type[Struct] = next(iter(get_args(kind)), kind)
    return struct.__struct_fields__


def _half_character(content: bytes) -> str | None:
    """The JSON path of a text with half of a surrogate pair, which msgspec takes for no JSON.

    None if that is not what is wrong.
    """
    try:
        left = [("$", json.loads(content))]
    except (ValueError, RecursionError):
        return None
    while left:
        path, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{path}.{name}", inner) for name, inner in value.items()]
            left += [(path, name) for name in value]
        elif isinstance(value, list):
            left += [(f"{path}[{index}]", inner) for index, inner in enumerate(value)]
        elif isinstance(value, str) and re.search("[\ud800-\udfff]", value):
            return path.encode(errors="replace").decode()
    return None


def where(error: str) -> tuple[str, str]:
    """The text of an error of msgspec, and the JSON path that stands in it."""
    text, at, path = error.rpartition(" - at `")
    return (text, path.removesuffix("`")) if at else (error, "$")


def parameters_of(path: str) -> list[str]:
    """The names of the parameters in an operation's path."""
    return re.findall(r"{(\w+)}", path)
