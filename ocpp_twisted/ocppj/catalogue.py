"""What a version of OCPP says: its actions, their messages, and how these read and write JSON.

A catalogue is data made once at import; nothing in it changes afterwards. Imports msgspec and
its neighbours on this floor. Reading is strict first, as the version's JSON schemas say; only
what fails there is looked at again by `ocpp_twisted.ocppj.repairs`. Writing is strict always:
what we send has been read back by the strict reader.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

import msgspec

from ocpp_twisted.errors import CallFault, LocalProtocolError
from ocpp_twisted.ocppj import times
from ocpp_twisted.ocppj.faults import fault_of
from ocpp_twisted.ocppj.leniency import STANDARD, Leniency, Repair
from ocpp_twisted.ocppj.message import CustomDataType, Request, Response, Send
from ocpp_twisted.ocppj.repairs import Mending
from ocpp_twisted.ocppj.rules import Fault, Rules

__all__ = ["Action", "Catalogue", "Sender", "reader"]


class Sender(Enum):
    """Who may send a request."""

    CHARGE_POINT = "charge point"
    CENTRAL_SYSTEM = "central system"
    BOTH = "both"


class Action:
    """One action of one version: who sends it, its messages, and their strict readers.

    :ivar name: as it stands in the CALL, for example ``BootNotification``.
    :ivar sent_by: who may send it.
    :ivar request: the class of its CALL's payload, or of its SEND's.
    :ivar response: the class of its CALLRESULT's payload; None for a SEND.
    :ivar read_request: JSON text (bytes or `msgspec.Raw`) to a request; strict, raises
        `msgspec.MsgspecError`.
    :ivar read_response: the same for the response; absent for a SEND.
    """

    __slots__ = ("name", "read_request", "read_response", "request", "response", "sent_by")

    def __init__(self, sent_by: Sender, request: type[Request[Any]] | type[Send]) -> None:
        self.name = request.ACTION
        self.sent_by = sent_by
        self.request = request
        self.read_request = reader(request)
        self.response: type[Response] | None = None
        if issubclass(request, Request):
            self.response = request.RESPONSE
            self.read_response = reader(self.response)

    def __repr__(self) -> str:
        return f"<Action {self.name}, sent by {self.sent_by.value}>"


class Catalogue:
    """The actions of one version and the rules of its RPC layer.

    :ivar rules: the version's `Rules`.
    :ivar actions: action name to `Action`, in alphabetical order.
    """

    __slots__ = ("_readers", "_writers", "actions", "rules")

    def __init__(self, rules: Rules, actions: Iterable[Action]) -> None:
        self.rules = rules
        self.actions: Mapping[str, Action] = MappingProxyType(
            {action.name: action for action in sorted(actions, key=lambda action: action.name)}
        )
        self._readers: dict[type, Any] = {}
        for action in self.actions.values():
            self._readers[action.request] = action.read_request
            if action.response is not None:
                self._readers[action.response] = action.read_response
        self._writers: dict[type, tuple[Any, Any]] = {}

    def __repr__(self) -> str:
        return f"<Catalogue OCPP {self.rules.version}, {len(self.actions)} actions>"

    @property
    def version(self) -> str:
        """The version as people write it: ``1.6``, ``2.0``, ``2.0.1``, ``2.1``."""
        return self.rules.version

    def extended(self, actions: Iterable[Action]) -> Catalogue:
        """A catalogue that has these actions besides its own; this one stays as it is."""
        return Catalogue(self.rules, [*self.actions.values(), *actions])

    def read_request(self, action: str, payload: bytes) -> Request[Any] | Send:
        """The request in a CALL's or SEND's payload.

        :raises CallFault: with the code that this version has for what is wrong.
        """
        known = self.actions.get(action)
        if known is None:
            raise self.fault(Fault.UNKNOWN_ACTION, f"OCPP {self.version} has no action {action}")
        request: Request[Any] | Send = self._read(action, known.request, payload)
        return request

    def read_response(self, action: str, payload: bytes) -> Response:
        """The response in the payload of a CALLRESULT to a CALL of `action`.

        :raises CallFault: with the code that this version has for what is wrong.
        """
        known = self.actions[action]
        assert known.response is not None
        response: Response = self._read(action, known.response, payload)
        return response

    def write(self, message: Request[Any] | Response | Send) -> bytes:
        """The JSON text of a message: compact, absent fields left out, times in UTC.

        :raises LocalProtocolError: if the message is not of this version, or a value in it is not
            what the version's schema allows.
        """
        kind = type(message)
        try:
            prepare, read = self._writers[kind]
        except KeyError:
            prepare, read = self._writer(kind)
        try:
            text = _encode(message if prepare is None else prepare(message))
            read(text)
        except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise LocalProtocolError(
                f"{kind.__name__} is not what OCPP {self.version} allows: {error}"
            ) from error
        return text

    def read_own(self, action: Action, payload: bytes) -> tuple[Any, bytes]:
        """A request of ours that came as JSON text, and that text without white space.

        The order of members and the spelling of numbers stay as they are.

        :raises LocalProtocolError: if the version's schema does not allow it; the text begins
            with the JSON path.
        """
        try:
            if not payload.isascii():
                payload.decode()  # msgspec does not look into fields that it drops
            return action.read_request(payload), msgspec.json.format(payload, indent=-1)
        except msgspec.MsgspecError as error:
            _, text = fault_of(str(error), _type_info(action.request))
        except UnicodeDecodeError:
            text = "$: expected UTF-8"
        except RecursionError:
            text = "$: expected less deep nesting"
        raise LocalProtocolError(text)

    def mend(
        self, action: str, kind: type, payload: bytes, leniency: Leniency = STANDARD
    ) -> tuple[Any, list[Repair]]:
        """What `payload` means after the strict reader of `kind` refused it.

        A BootNotification is read with the leniency for the vendor that stands in it.

        :param action: of the CALL, or of the CALL that is answered.
        :returns: the message, and what was let through of it.
        :raises CallFault: if it stays refused.
        """
        node: Any = _type_info(kind)
        try:
            tree = self._tree(kind, payload)
            if action == "BootNotification" and issubclass(kind, Request):
                leniency = leniency.towards(tree)
            mending = Mending(action, leniency)
            tree = mending.payload(tree, node)
            message: Any = msgspec.convert(tree, kind, dec_hook=_custom_data)
        except msgspec.MsgspecError as error:
            raise self.fault(*fault_of(str(error), node)) from error
        except RecursionError as error:
            text = "$: expected less deep nesting"
            raise self.fault(Fault.PAYLOAD_NOT_AN_OBJECT, text) from error
        mending.restore(message)
        return message, mending.repairs

    def fault(self, fault: Fault, description: str) -> CallFault:
        """The `CallFault` that this version has for a fault."""
        return CallFault(self.rules.codes[fault], description)

    def _read(self, action: str, kind: type, payload: bytes) -> Any:
        try:
            return self._readers[kind](payload)
        except (msgspec.MsgspecError, RecursionError):
            return self.mend(action, kind, payload)[0]

    @staticmethod
    def _tree(kind: type, payload: bytes) -> Any:
        """The JSON value of a payload."""
        try:
            return _decode(payload)
        except (msgspec.MsgspecError, RecursionError):
            reader(kind)(payload)  # knows in which field it is, if in any
            raise

    def _writer(self, kind: type) -> tuple[Any, Any]:
        """What prepares a message of this kind for the encoder, and what checks its text."""
        if kind not in self._readers:
            raise LocalProtocolError(f"{kind.__qualname__} is not a message of OCPP {self.version}")
        writer = times.preparer(_type_info(kind)), self._readers[kind]
        self._writers[kind] = writer
        return writer


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
#: Costs up to 2 ms a message class: too much for each message of a charge point that needs mending.
_type_info = functools.cache(msgspec.inspect.type_info)


def reader(kind: Any) -> Callable[[bytes], Any]:
    """A strict reader of JSON text for a type that msgspec knows, OCPP's datatypes among them.

    It raises `msgspec.MsgspecError` or RecursionError.

    :raises TypeError: if msgspec cannot read that type.
    """
    return msgspec.json.Decoder(kind, dec_hook=_custom_data).decode


def _custom_data(kind: type, value: Any) -> Any:
    """Read the one class here that msgspec does not know: its ``dec_hook``."""
    if kind is not CustomDataType:
        raise NotImplementedError(kind)
    if not isinstance(value, dict):
        raise ValueError(f"Expected `object`, got `{_json_name(value)}`")
    vendor_id = value.get("vendorId")
    if "vendorId" not in value:
        raise ValueError("Object missing required field `vendorId`")
    if not isinstance(vendor_id, str):
        raise ValueError(f"Expected `str`, got `{_json_name(vendor_id)}` in `vendorId`")
    if len(vendor_id) > 255:
        raise ValueError("Expected `str` of length <= 255 in `vendorId`")
    return CustomDataType(value)


def _json_name(value: Any) -> str:
    """What msgspec calls the type of a JSON value."""
    name = type(value).__name__
    return {"list": "array", "dict": "object", "NoneType": "null"}.get(name, name)
