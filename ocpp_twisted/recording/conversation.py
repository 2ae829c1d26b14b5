"""One connection's messages, as they may be told: without secrets, an answer's with its CALL's.

Imports frames and its neighbour `redaction`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Raw

from ocpp_twisted.ocppj import frames
from ocpp_twisted.ocppj.frames import Call, CallError, CallResult, FrameFault, Send
from ocpp_twisted.recording.redaction import HIDDEN, may_hold_secrets, redacted

__all__ = ["Conversation", "Way"]

#: ``in``: the charge point has sent it; ``out``: it is sent to the charge point.
Way = Literal["in", "out"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
#: Of how many CALLs is remembered what they were about, for their answers to be known.
_REMEMBERED = 64


class Conversation:
    """Reads the messages of one connection in their order.

    :param pseudonym: makes another word of an id token; None if id tokens may be told.
    :param whole: whether it reads them from the first one on. If not, an answer may belong to a
        CALL that it has not seen.
    """

    __slots__ = ("_calls", "_pseudonym", "_whole")

    def __init__(self, pseudonym: Callable[[str], str] | None, whole: bool = True) -> None:
        self._pseudonym = pseudonym
        self._whole = whole
        #: Who called (``in`` or ``out``) and the message id, to the action and whether its CALL
        #: held something that must not be told.
        self._calls: dict[tuple[str, str], tuple[str, bool]] = {}

    def content(self, way: Way, data: bytes) -> dict[str, Any]:
        """The fields of a line that hold a message (`ocpp_twisted.recording.lines.Line`)."""
        suspicious = may_hold_secrets(data, self._pseudonym is not None)
        try:
            text = data.decode()
            frame = frames.decode(data)
        except UnicodeDecodeError:
            return {"withheld": len(data)} if suspicious else {"base64": data}
        except FrameFault:
            return {"withheld": len(data)} if suspicious else _as_it_is(data, text)
        try:
            clean = self._clean(way, frame, suspicious)
            if clean is None:
                return _as_it_is(data, text)
            return {"frame": Raw(_encode(clean))}
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return {"withheld": len(data)}

    def _clean(self, way: Way, frame: frames.Frame, suspicious: bool) -> list[Any] | None:
        """The frame without what must not be told; None if it can be told as it is."""
        if isinstance(frame, Call | Send):
            if not suspicious or frame.action == "DataTransfer":
                self._remember(way, frame.id, frame.action, False)
                return None
            payload = _read(frame.payload)
            clean = self._redacted(frame.action, payload)
            self._remember(way, frame.id, frame.action, clean != payload)
            return [2 if isinstance(frame, Call) else 6, frame.id, frame.action, clean]
        if isinstance(frame, CallResult):
            action, _ = self._recall(_OTHER[way], frame.id)
            if not suspicious or action == "DataTransfer":
                return None
            if action is None and not self._whole:
                raise ValueError("nobody knows what this answers, and where secrets stand in it")
            return [3, frame.id, self._redacted(action, _read(frame.payload))]
        answers_call = isinstance(frame, CallError)
        action, secret = self._recall(_OTHER[way] if answers_call else way, frame.id)
        if not suspicious and not secret:
            return None
        # What is wrong with a secret may be told by quoting it.
        return [4 if answers_call else 5, frame.id, frame.code, HIDDEN, {}]

    def _redacted(self, action: str | None, payload: Any) -> Any:
        if payload is not None and not isinstance(payload, dict):
            raise ValueError("names stand in objects only: nobody knows what this holds")
        return redacted(action, payload, self._pseudonym)

    def _remember(self, way: Way, message_id: str, action: str, secret: bool) -> None:
        self._calls.pop((way, message_id), None)  # the newest come last
        if len(self._calls) >= _REMEMBERED:
            del self._calls[next(iter(self._calls))]
        self._calls[way, message_id] = action, secret

    def _recall(self, way: Way, message_id: str) -> tuple[str | None, bool]:
        """What a CALL was about, and whether it held a secret.

        An id that is not known (``-1``, or one that is forgotten) may mean any of the CALLs.
        """
        known = self._calls.get((way, message_id))
        if known is not None:
            return known
        forgetful = not self._whole or len(self._calls) >= _REMEMBERED
        return None, forgetful or any(secret for _, secret in self._calls.values())


_OTHER: dict[Way, Way] = {"in": "out", "out": "in"}


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
