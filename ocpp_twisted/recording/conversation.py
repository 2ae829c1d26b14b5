"""One connection's messages, as they may be told: without secrets, an answer's with its CALL's.

Imports frames and its neighbour `redaction`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec
from msgspec import Raw

from ocpp_twisted.ocppj import frames
from ocpp_twisted.ocppj.frames import Call, CallError, CallResult, FrameFault, Send
from ocpp_twisted.recording.redaction import HIDDEN, may_hold_secrets, redacted

__all__ = ["Conversation", "Way"]

#: ``in``: the charge point has sent it; ``out``: it is sent to the charge point.
Way = Literal["in", "out"]

_Secrets = frozenset[str]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
#: Of how many CALLs is remembered what they were about, for their answers to be known.
_REMEMBERED = 64
#: Characters from which on a secret is looked for in the answer: a shorter one stands anywhere.
_SHORTEST = 4


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
        #: Who called (``in`` or ``out``) and the message id, to the action and what its CALL held
        #: that must not be told; None if it held nothing of the kind.
        self._calls: dict[tuple[str, str], tuple[str, _Secrets | None]] = {}

    def content(self, way: Way, data: bytes) -> dict[str, Any]:
        """The fields of a line that hold a message (`ocpp_twisted.recording.lines.Line`)."""
        suspicious = may_hold_secrets(data, self._pseudonym is not None)
        try:
            text = data.decode()
            frame = frames.decode(data)
        except UnicodeDecodeError:
            return {"withheld": len(data)} if suspicious else {"base64": data}
        except FrameFault:
            if suspicious or _unquoted(text, self._secrets()) is not text:
                return {"withheld": len(data)}
            return _as_it_is(data, text)
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
                self._remember(way, frame.id, frame.action, None)
                return None
            payload = _read(frame.payload)
            clean = self._redacted(frame.action, payload)
            secrets = frozenset(_hidden(payload, clean)) if clean != payload else None
            self._remember(way, frame.id, frame.action, secrets)
            return [2 if isinstance(frame, Call) else 6, frame.id, frame.action, clean]
        if isinstance(frame, CallResult):
            action, secrets = self._recall(_OTHER[way], frame.id)
            if not (suspicious or secrets) or action == "DataTransfer":
                return None
            if suspicious and action is None and not self._whole:
                raise ValueError("nobody knows what this answers, and where secrets stand in it")
            payload = _read(frame.payload)
            clean = _unquoted(self._redacted(action, payload), secrets or frozenset())
            return None if clean == payload and not suspicious else [3, frame.id, clean]
        answers_call = isinstance(frame, CallError)
        _, secrets = self._recall(_OTHER[way] if answers_call else way, frame.id)
        if not suspicious and secrets is None:
            return None
        # What is wrong with a secret may be told by quoting it.
        code = _unquoted(frame.code, secrets or frozenset())
        return [4 if answers_call else 5, frame.id, code, HIDDEN, {}]

    def _redacted(self, action: str | None, payload: Any) -> Any:
        if payload is not None and not isinstance(payload, dict):
            raise ValueError("names stand in objects only: nobody knows what this holds")
        return redacted(action, payload, self._pseudonym)

    def _remember(self, way: Way, message_id: str, action: str, secrets: _Secrets | None) -> None:
        self._calls.pop((way, message_id), None)  # the newest come last
        if len(self._calls) >= _REMEMBERED:
            del self._calls[next(iter(self._calls))]
        self._calls[way, message_id] = action, secrets

    def _recall(self, way: Way, message_id: str) -> tuple[str | None, _Secrets | None]:
        """What a CALL was about, and what it held that must not be told.

        An id that is not known (``-1``, or one that is forgotten) may mean any of the CALLs.
        """
        known = self._calls.get((way, message_id))
        if known is not None:
            return known
        forgetful = not self._whole or len(self._calls) >= _REMEMBERED
        secret = forgetful or any(secrets is not None for _, secrets in self._calls.values())
        return None, self._secrets() if secret else None

    def _secrets(self) -> _Secrets:
        """What all the CALLs held that are remembered."""
        return frozenset().union(*(secrets or () for _, secrets in self._calls.values()))


_OTHER: dict[Way, Way] = {"in": "out", "out": "in"}


def _hidden(tree: Any, clean: Any) -> Iterator[str]:
    """The texts that `redacted` has hidden, in small letters; `clean` is what it has left."""
    if isinstance(tree, dict):
        left = clean if isinstance(clean, dict) else {}
        for name, value in tree.items():
            yield from _hidden(value, left.get(name))
    elif isinstance(tree, list):
        for place, value in enumerate(tree):
            yield from _hidden(value, clean[place] if isinstance(clean, list) else None)
    elif isinstance(tree, str) and tree != clean and len(tree) >= _SHORTEST:
        yield tree.casefold()


def _unquoted(tree: Any, secrets: _Secrets) -> Any:
    """An answer without the texts that quote a secret of its CALL, whatever they are there for."""
    if isinstance(tree, str):
        small = tree.casefold()
        return HIDDEN if any(secret in small for secret in secrets) else tree
    if isinstance(tree, list):
        return [_unquoted(value, secrets) for value in tree]
    if isinstance(tree, dict):
        return {_unquoted(name, secrets): _unquoted(each, secrets) for name, each in tree.items()}
    return tree


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
