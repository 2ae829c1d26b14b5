"""The application: operations made routes of klein, and what they return made responses.

Imports klein, twisted.web, msgspec, and its neighbours `operations`, `problems` and `guard`.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import iscoroutine
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from klein import Klein
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.server import NOT_DONE_YET, Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter, ValidationError

from ocpp_twisted.errors import RecordsUnavailable
from ocpp_twisted.plugins.http.guard import send_problem
from ocpp_twisted.plugins.http.operations import Asked, Operation, Reply, parameters_of, read
from ocpp_twisted.plugins.http.problems import Problem

__all__ = ["application"]

_log = Logger()


class _Segment(BaseConverter):
    """A segment of the path that comes percent-encoded (see `guard`), and may hold a slash."""

    def to_python(self, value: str) -> str:
        try:
            text = unquote_to_bytes(value).decode()
        except UnicodeDecodeError:
            raise ValidationError from None
        if not text:
            raise ValidationError
        return text


def application(operations: Iterable[Operation]) -> Klein:
    """A klein application that serves these operations."""
    app = Klein()
    app.url_map.converters = {**app.url_map.converters, "segment": _Segment}
    for number, known in enumerate(operations):
        path = known.path
        for name in parameters_of(path):
            path = path.replace(f"{{{name}}}", f"<segment:{name}>")
        app.route(path, methods=[known.method], endpoint=str(number))(_handler(known))

    @app.handle_errors(Exception)
    def failed(request: IRequest, failure: Failure) -> bytes:
        assert isinstance(request, Request)
        return _failed(request, failure)

    return app


def _handler(known: Operation) -> Any:
    def handle(request: Request, **path: str) -> Deferred[Any]:
        assert request.content is not None
        asked = read(known, path, request, request.content.read())
        return maybeDeferred(_run, known, asked).addCallback(_respond, known, request)

    return handle


def _run(known: Operation, asked: Asked) -> Any:
    result = known.handler(asked)
    return Deferred.fromCoroutine(result) if iscoroutine(result) else result


def _respond(result: Any, known: Operation, request: Request) -> bytes:
    if result is NOT_DONE_YET:
        # The handler answers by itself, as long as the client listens.
        return Deferred()  # type: ignore[return-value]
    if result is None:
        reply = Reply(status=204)
    elif isinstance(result, Reply):
        reply = result
    else:
        reply = Reply(body=msgspec.json.encode(result), status=known.status)
    request.setResponseCode(reply.status)
    if reply.status != 204:
        request.setHeader("Content-Type", reply.media_type)
        request.setHeader("Content-Length", str(len(reply.body)))
    for name, value in reply.headers.items():
        request.setHeader(name, value)
    return reply.body


def _failed(request: Request, failure: Failure) -> bytes:
    error = failure.value
    if isinstance(error, Problem):
        return send_problem(request, error)
    if isinstance(error, CancelledError):
        return b""  # the client has gone
    if isinstance(error, MethodNotAllowed):
        return _other_method(request, error)
    if isinstance(error, HTTPException):
        path = request.path.decode("latin-1")[:200]
        return send_problem(
            request, Problem("not-found", f"there is no {path}; /openapi.json has what there is")
        )
    if isinstance(error, RecordsUnavailable):
        problem = Problem("records-unavailable", str(error), {"Retry-After": "5"})
        return send_problem(request, problem)
    _log.failure("{method} {path} failed", failure, method=request.method, path=request.path)
    return send_problem(request, Problem("internal-error", "the server's log has more"))


def _other_method(request: Request, error: MethodNotAllowed) -> bytes:
    allowed = ", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"}))
    if request.method == b"OPTIONS":
        request.setHeader("Allow", allowed)
        request.setResponseCode(204)
        return b""
    method = request.method.decode("latin-1")[:20]
    problem = Problem("method-not-allowed", f"{method} is not, but {allowed}", {"Allow": allowed})
    return send_problem(request, problem)
