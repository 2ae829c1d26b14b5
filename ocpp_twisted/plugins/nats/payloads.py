"""OCPP messages on their way between gateway and worker, as JSON text.

Imports the catalogue's reader and writer of times, leniency and the messages' base classes. What a
quirk profile of the gateway has let through as it came passes: the worker's plug-ins get what they
would get in the gateway's process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from ocpp_twisted.ocppj import times
from ocpp_twisted.ocppj.catalogue import Catalogue, reader
from ocpp_twisted.ocppj.leniency import ACCEPTABLE, Leniency, Treatment
from ocpp_twisted.ocppj.message import Request, Response, Send

__all__ = ["read_request", "read_response", "response_reader", "write"]

_encode = msgspec.json.Encoder().encode
#: Of the rest the gateway has made what the schema wants.
_AS_IT_CAME = Leniency(dict.fromkeys(ACCEPTABLE, Treatment.ACCEPT))


def write(message: Request[Any] | Response | Send) -> bytes:
    """The JSON text of a message that was read before, without checking it again."""
    prepare = _preparer(type(message))
    return _encode(message if prepare is None else prepare(message))


def read_request(catalogue: Catalogue, action: str, payload: bytes) -> Request[Any] | Send:
    """A charge point's request that a gateway has read.

    :raises CallFault: if it is none.
    """
    known = catalogue.actions[action]
    try:
        request: Request[Any] | Send = known.read_request(payload)
    except (msgspec.MsgspecError, RecursionError):
        request, _ = catalogue.mend(action, known.request, payload, _AS_IT_CAME)
    return request


def read_response(catalogue: Catalogue, action: str, payload: bytes) -> Response:
    """A charge point's response that a gateway has read.

    :raises CallFault: if it is none.
    """
    known = catalogue.actions[action]
    assert known.response is not None
    try:
        response: Response = known.read_response(payload)
    except (msgspec.MsgspecError, RecursionError):
        response, _ = catalogue.mend(action, known.response, payload, _AS_IT_CAME)
    return response


@cache
def response_reader(request: type[Request[Any]]) -> Callable[[bytes], Response]:
    """The strict reader of the responses to a class of requests.

    It raises `msgspec.MsgspecError` or RecursionError.
    """
    return reader(request.RESPONSE)


@cache
def _preparer(kind: type) -> Callable[[Any], Any] | None:
    return times.preparer(msgspec.inspect.type_info(kind))
