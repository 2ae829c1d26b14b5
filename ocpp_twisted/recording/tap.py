"""A tap: between the connections of a server and their owner, it hears what both sides say.

Imports the interfaces, frames and its neighbours. A server without a tap pays nothing for it,
and neither does a charge point that was not chosen. Whoever listens gets lines without secrets.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Literal

import msgspec
from msgspec import Raw
from twisted.logger import Logger
from zope.interface import implementer

from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IConnectionOwner, IMessageReceiver, IMessageTransport
from ocpp_twisted.ocppj import frames
from ocpp_twisted.ocppj.frames import Call, CallError, CallResult, FrameFault, Send
from ocpp_twisted.recording.lines import Line, timestamp
from ocpp_twisted.recording.redaction import HIDDEN, may_hold_secrets, redacted

__all__ = ["Sink", "Tap"]

#: What listens: is called with each line, must not block, and may keep the line.
Sink = Callable[[Line], None]

_Way = Literal["in", "out"]

_log = Logger()
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
#: Of how many CALLs a connection remembers what they were about, for their answers to be known.
_REMEMBERED = 64


@implementer(IConnectionOwner)
class Tap:
    """An owner of connections that hands them on to another one, and tells what happens.

    :param owner: provides `IConnectionOwner`.
    :param sink: gets a `Line` for each connection, message and end, in their order.
    :param chosen: of which charge points to tell; of all by default.
    :param pseudonym: makes another word of an id token, for example `Pseudonyms`; None if id
        tokens may be told.
    :param now: seconds since 1970.
    """

    def __init__(
        self,
        owner: IConnectionOwner,
        sink: Sink,
        *,
        chosen: Callable[[Identity], bool] = lambda identity: True,
        pseudonym: Callable[[str], str] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._owner = owner
        self._sink = sink
        self._chosen = chosen
        self._pseudonym = pseudonym
        self._now = now
        self._numbers = count(1)

    @property
    def subprotocols(self) -> Sequence[str]:
        """See `IConnectionOwner.subprotocols`."""
        subprotocols: Sequence[str] = self._owner.subprotocols
        return subprotocols

    def connection_made(
        self, identity: Identity, subprotocol: str, transport: IMessageTransport
    ) -> IMessageReceiver:
        """See `IConnectionOwner.connection_made`."""
        if not self._chosen(identity):
            return self._owner.connection_made(identity, subprotocol, transport)
        version = subprotocol.removeprefix("ocpp")
        tapped = _Tapped(self, next(self._numbers), identity, version, transport)
        tapped.tell("online", peer=transport.peer)
        tapped.receiver = self._owner.connection_made(identity, subprotocol, tapped)
        return tapped

    def tell(self, event: Any, connection: _Tapped, more: dict[str, Any]) -> None:
        """Hand a line to who listens. What goes wrong there does the charge point no harm."""
        try:
            identity = connection.identity
            line = Line(
                time=timestamp(self._now()),
                event=event,
                connection=connection.number,
                charge_point=identity.id,
                name=identity.name,
                version=connection.version,
                **more,
            )
            self._sink(line)
        except Exception:
            _log.failure("a line of {charge_point} is lost", charge_point=connection.identity)

    def tell_message(self, way: _Way, connection: _Tapped, data: bytes) -> None:
        """Hand on a message."""
        try:
            content = self._content(connection, way, data)
        except Exception:
            _log.failure("cannot read what {charge_point} says", charge_point=connection.identity)
            content = {"withheld": len(data)}
        self.tell(way, connection, content)

    def _content(self, connection: _Tapped, way: _Way, data: bytes) -> dict[str, Any]:
        """The fields of a line that hold a message, without what must not be told."""
        suspicious = may_hold_secrets(data, self._pseudonym is not None)
        try:
            text = data.decode()
            frame = frames.decode(data)
        except UnicodeDecodeError:
            return {"withheld": len(data)} if suspicious else {"base64": data}
        except FrameFault:
            return {"withheld": len(data)} if suspicious else _as_it_is(data, text)
        try:
            clean = self._clean(connection, way, frame, suspicious)
            if clean is None:
                return _as_it_is(data, text)
            return {"frame": Raw(_encode(clean))}
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return {"withheld": len(data)}

    def _clean(
        self, connection: _Tapped, way: _Way, frame: frames.Frame, suspicious: bool
    ) -> list[Any] | None:
        """The frame without what must not be told; None if it can be told as it is."""
        if isinstance(frame, Call | Send):
            if not suspicious or frame.action == "DataTransfer":
                connection.remember(way, frame.id, frame.action, False)
                return None
            payload = _read(frame.payload)
            clean = self._redacted(frame.action, payload)
            connection.remember(way, frame.id, frame.action, clean != payload)
            return [2 if isinstance(frame, Call) else 6, frame.id, frame.action, clean]
        if isinstance(frame, CallResult):
            action, _ = connection.recall(_OTHER[way], frame.id)
            if not suspicious or action == "DataTransfer":
                return None
            return [3, frame.id, self._redacted(action, _read(frame.payload))]
        answers_call = isinstance(frame, CallError)
        action, secret = connection.recall(_OTHER[way] if answers_call else way, frame.id)
        if not suspicious and not secret:
            return None
        # What is wrong with a secret may be told by quoting it.
        return [4 if answers_call else 5, frame.id, frame.code, HIDDEN, {}]

    def _redacted(self, action: str | None, payload: Any) -> Any:
        if payload is not None and not isinstance(payload, dict):
            raise ValueError("names stand in objects only: nobody knows what this holds")
        return redacted(action, payload, self._pseudonym)


_OTHER: dict[_Way, _Way] = {"in": "out", "out": "in"}


def _read(payload: Raw) -> Any:
    """A payload in which secrets are to be looked for.

    :raises ValueError: if a name stands in it twice: what is in the first would not be seen.
    """
    json.loads(bytes(payload), object_pairs_hook=_once)
    return _decode(payload)


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice")


def _as_it_is(data: bytes, text: str) -> dict[str, Any]:
    if "\n" in text or "\r" in text:
        return {"text": text}  # it would not stay one line
    try:
        _decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return {"text": text}
    return {"frame": Raw(data)}


@implementer(IMessageTransport, IMessageReceiver)
class _Tapped:
    """The owner's transport and the transport's receiver in one, each handed on to the other."""

    __slots__ = (
        "_calls",
        "_closed",
        "_tap",
        "_transport",
        "identity",
        "number",
        "receiver",
        "version",
    )

    receiver: IMessageReceiver

    def __init__(
        self, tap: Tap, number: int, identity: Identity, version: str, transport: IMessageTransport
    ) -> None:
        self._tap = tap
        self.number = number
        self.identity = identity
        self.version = version
        self._transport = transport
        self._closed = False
        #: Who called (``in`` or ``out``) and the message id, to the action and whether its CALL
        #: held something that must not be told.
        self._calls: dict[tuple[str, str], tuple[str, bool]] = {}

    def tell(self, event: str, **more: Any) -> None:
        self._tap.tell(event, self, more)

    def remember(self, way: str, message_id: str, action: str, secret: bool) -> None:
        self._calls.pop((way, message_id), None)  # the newest come last
        if len(self._calls) >= _REMEMBERED:
            del self._calls[next(iter(self._calls))]
        self._calls[way, message_id] = action, secret

    def recall(self, way: str, message_id: str) -> tuple[str | None, bool]:
        """What a CALL was about, and whether it held a secret.

        An id that is not known (``-1``, or one that is forgotten) may mean any of the CALLs.
        """
        known = self._calls.get((way, message_id))
        if known is not None:
            return known
        forgetful = len(self._calls) >= _REMEMBERED
        return None, forgetful or any(secret for _, secret in self._calls.values())

    # -- IMessageReceiver, for the transport --------------------------------------------------

    def receive(self, data: bytes) -> None:
        """See `IMessageReceiver.receive`."""
        self._tap.tell_message("in", self, data)
        self.receiver.receive(data)

    def closing(self) -> None:
        """See `IMessageReceiver.closing`."""
        self.receiver.closing()

    def lost(self, reason: str) -> None:
        """See `IMessageReceiver.lost`."""
        self.tell("offline", reason=reason)
        self.receiver.lost(reason)

    # -- IMessageTransport, for the owner -----------------------------------------------------

    @property
    def peer(self) -> str:
        """See `IMessageTransport.peer`."""
        peer: str = self._transport.peer
        return peer

    def send_message(self, data: bytes) -> None:
        """See `IMessageTransport.send_message`."""
        self._tap.tell_message("out", self, data)
        self._transport.send_message(data)

    def close(self, code: int, reason: str) -> None:
        """See `IMessageTransport.close`."""
        if not self._closed:
            self._closed = True
            self.tell("close", code=code, reason=reason)
        self._transport.close(code, reason)

    def pause_receiving(self) -> None:
        """See `IMessageTransport.pause_receiving`."""
        self._transport.pause_receiving()

    def resume_receiving(self) -> None:
        """See `IMessageTransport.resume_receiving`."""
        self._transport.resume_receiving()
