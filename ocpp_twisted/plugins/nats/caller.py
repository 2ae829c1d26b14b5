"""Calls charge points from any process: an `IActiveCaller` over NATS.

Imports the interfaces, the versions and its neighbours. A call is one request to the subject of its
charge point, where the gateway that holds it listens; if nobody does, it is offline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.errors import (
    CallFault,
    CallTimedOut,
    ConnectionLost,
    InvalidResponse,
    LocalProtocolError,
    NotConnected,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import ConnectedChargePoint, IActiveCaller
from ocpp_twisted.ocppj.message import Request, ResponseT_co
from ocpp_twisted.plugins.nats.asking import (
    Ask,
    Close,
    Found,
    Register,
    call_head,
    headers_to,
    outcome_of,
    read,
)
from ocpp_twisted.plugins.nats.directory import Directory
from ocpp_twisted.plugins.nats.errors import (
    Disconnected,
    LinkError,
    NoAnswer,
    NoResponders,
    TooLarge,
)
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.payloads import read_response, response_reader, write
from ocpp_twisted.plugins.nats.protocol import Message
from ocpp_twisted.plugins.nats.subjects import Subjects
from ocpp_twisted.plugins.nats.wire import WireError
from ocpp_twisted.versions import CATALOGUES, version_of

__all__ = ["NatsCaller"]

_encode = msgspec.json.Encoder().encode
#: Seconds that the gateway's own time-out may take to come here.
_ON_THE_WAY = 2.0
#: Seconds that a gateway has to answer what it need not ask the charge point for.
_SHORT = 5.0


@implementer(IActiveCaller)
class NatsCaller:
    """See `IActiveCaller`.

    A `CallTimedOut` that comes because no gateway has answered counts as sent. Where NATS is not
    there it is `NotConnected`, and `ConnectionLost` if it went away while a call was open.

    :param link: has been started.
    :param timeout: of calls that name none, in seconds.
    """

    def __init__(self, link: Link, subjects: Subjects, timeout: float = 30.0) -> None:
        self._link = link
        self._subjects = subjects
        self._timeout = timeout
        self._directory = Directory(link, subjects)

    def call(
        self,
        charge_point: str | Identity,
        request: Request[ResponseT_co],
        timeout: float | None = None,
    ) -> Deferred[ResponseT_co]:
        """See `IActiveCaller.call`. Cancelling it does not take back what was asked for."""
        if not isinstance(request, Request):
            text = f"{type(request).__name__} is no request: it cannot be called"
            return fail(LocalProtocolError(text))
        kind: type[Request[Any]] = type(request)
        version = version_of(kind)
        try:
            payload = write(request) if version is None else CATALOGUES[version].write(request)
        except LocalProtocolError:
            return fail()
        called: Deferred[Any] = self._call(charge_point, kind.ACTION, payload, timeout, version)
        return called.addCallback(lambda answer: _response(answer, kind, version))

    def call_json(
        self,
        charge_point: str | Identity,
        action: str,
        payload: bytes,
        timeout: float | None = None,
    ) -> Deferred[bytes]:
        """See `IActiveCaller.call_json`. Cancelling it does not take back what was asked for."""
        if not action.isascii() or not action.isprintable():
            return fail(LocalProtocolError(f"no version of OCPP has a CALL {action!r}"))
        return self._call(charge_point, action, payload, timeout, None)

    def connected(
        self, charge_point: str | Identity | None = None
    ) -> Deferred[Sequence[ConnectedChargePoint]]:
        """See `IActiveCaller.connected`.

        One charge point's gateway is asked; for all, the directory of owners is read.
        """
        if charge_point is None:
            return Deferred.fromCoroutine(self._directory.all())
        identity = Identity.of(charge_point)
        asked: Deferred[Any] = self._ask(identity, b"", headers_to(Ask.CONNECTED), _SHORT)
        return asked.addCallbacks(
            lambda payload: [_found(identity, read(Found, payload))],
            lambda failure: failure.trap(NotConnected) and [],
        )

    def disconnect(
        self, charge_point: str | Identity, code: int = 1000, reason: str = ""
    ) -> Deferred[None]:
        """See `IActiveCaller.disconnect`."""
        payload, headers = _encode(Close(code, reason)), headers_to(Ask.DISCONNECT)
        asked: Deferred[Any] = self._ask(charge_point, payload, headers, _SHORT)
        return asked.addCallback(lambda _: None)

    def register(self, charge_point: str | Identity, status: str) -> Deferred[None]:
        """See `IActiveCaller.register`: for a charge point that is connected."""
        payload, headers = _encode(Register(status)), headers_to(Ask.REGISTER)
        asked: Deferred[Any] = self._ask(charge_point, payload, headers, _SHORT)
        return asked.addCallbacks(
            lambda _: None, lambda failure: failure.trap(NotConnected) and None
        )

    def _call(
        self,
        charge_point: str | Identity,
        action: str,
        payload: bytes,
        timeout: float | None,
        version: str | None,
    ) -> Deferred[bytes]:
        seconds = self._timeout if timeout is None else timeout
        if not 0 <= seconds < float("inf"):
            text = f"a timeout is a number of seconds from 0 on, not {seconds}"
            return fail(LocalProtocolError(text))
        head = call_head(action, version, seconds)
        return self._ask(charge_point, payload, head, seconds + _ON_THE_WAY)

    def _ask(
        self,
        charge_point: str | Identity,
        payload: bytes,
        headers: Mapping[str, str] | bytes,
        seconds: float,
    ) -> Deferred[bytes]:
        subject = self._subjects.call(charge_point)
        asked: Deferred[Any] = self._link.request(subject, payload, headers, timeout=seconds)
        return asked.addCallbacks(
            _outcome,
            lambda failure: _unanswered(failure, charge_point),
        )


def _outcome(message: Message) -> bytes:
    try:
        return outcome_of(message)
    except WireError as error:
        raise InvalidResponse(f"the gateway's answer: {error}") from error


def _unanswered(failure: Failure, charge_point: str | Identity) -> bytes:
    failure.trap(LinkError)
    error = failure.value
    match error:
        case NoResponders():
            raise NotConnected(f"{charge_point} is not connected") from error
        case NoAnswer():
            text = f"{charge_point}: its gateway has not answered in time"
            raise CallTimedOut(text, sent=True) from error
        case Disconnected(sent=True):
            raise ConnectionLost(f"{charge_point}: {error}") from error
        case TooLarge():
            raise LocalProtocolError(str(error)) from error
    raise NotConnected(f"{charge_point} cannot be reached: {error}") from error


def _response(payload: bytes, request: type[Request[Any]], version: str | None) -> Any:
    try:
        if version is not None:
            return read_response(CATALOGUES[version], request.ACTION, payload)
        return response_reader(request)(payload)
    except (CallFault, msgspec.MsgspecError, RecursionError) as error:
        raise InvalidResponse(str(error)) from error


def _found(identity: Identity, found: Found) -> ConnectedChargePoint:
    return ConnectedChargePoint(
        identity=identity,
        version=found.version,
        peer=found.peer,
        seconds=found.seconds,
        repairs=found.repairs,
    )
