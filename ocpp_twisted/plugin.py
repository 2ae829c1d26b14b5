"""The usual way to write a passive plug-in: a class whose methods say what they handle.

::

    class MyPlugin(ActionPlugin):
        name = "mine"

        @on(v16.HeartbeatRequest)
        def heartbeat(self, charge_point, request):
            return v16.HeartbeatResponse(currentTime=datetime.now(UTC))

Imports the interfaces, the messages and what is below them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ocpp_twisted.interfaces import (
    AnsweredHandler,
    DataTransferHandler,
    IActionPlugin,
    IActiveCaller,
    IChargePoint,
    ITellsConfig,
    RefusedHandler,
    RequestHandler,
    ResponseHandler,
)
from ocpp_twisted.ocppj.catalogue import reader
from ocpp_twisted.ocppj.message import Request, Send
from ocpp_twisted.versions import CATALOGUES

__all__ = ["ActionPlugin", "after", "on", "on_data_transfer", "on_refused", "on_result"]

_Message = type[Request[Any]] | type[Send]
#: A vendorId, and a messageId or None for all that have no handler of their own.
_Transfer = tuple[str, str | None]
_Method = TypeVar("_Method", bound=Callable[..., Any])

_ON = "on"
_AFTER = "after"
_ON_RESULT = "on_result"
_ON_REFUSED = "on_refused"
_ON_DATA_TRANSFER = "on_data_transfer"
#: Where the decorators leave what a method handles: a list of (decorator, message class or
#: transfer, the type of the transfer's data).
_MARKS = "_ocpp_marks"
#: The message classes that OCPP itself has.
_STANDARD = {
    action.request for catalogue in CATALOGUES.values() for action in catalogue.actions.values()
}


def on(*requests: _Message) -> Callable[[_Method], _Method]:
    """Let a method answer these requests, or take these SENDs; several versions may share one.

    The method is called and answers as `IActionPlugin.request_handler` says.
    """
    return _mark(_ON, requests)


def after(*requests: type[Request[Any]]) -> Callable[[_Method], _Method]:
    """Call a method when the CALLRESULT to these requests has been written.

    It gets ``(charge_point, request, response)``. The place for calls that must not come before
    the answer, for example after a BootNotification.
    """
    return _mark(_AFTER, requests)


def on_result(*requests: type[Request[Any]]) -> Callable[[_Method], _Method]:
    """Call a method with what charge points answer to these requests of ours.

    It gets ``(charge_point, request, outcome)``, where outcome is the typed response, a
    `CallErrorReceived` or an `InvalidResponse`.
    """
    return _mark(_ON_RESULT, requests)


def on_refused(*requests: type[Request[Any]]) -> Callable[[_Method], _Method]:
    """Call a method when a charge point refuses our CALLRESULT to these requests (OCPP 2.1).

    It gets ``(charge_point, response, error)``: the typed response that was sent, and a
    `CallErrorReceived`; see `IActionPlugin.refused_handler`.
    """
    return _mark(_ON_REFUSED, requests)


def on_data_transfer(
    vendor_id: str, message_id: str | None = None, data: Any = Any
) -> Callable[[_Method], _Method]:
    """Let a method take a vendor's DataTransfer, in all versions.

    The method is called and answers as `IActionPlugin.data_transfer_handlers` says.

    :param message_id: None for all messages of the vendor that no method of any plug-in names.
    :param data: the type of its data, for example a msgspec Struct; `Any` for data as it came.
    """
    transfer = (vendor_id, message_id)
    if not isinstance(vendor_id, str) or not isinstance(message_id, str | None):
        raise TypeError(f"@on_data_transfer{transfer}: name a vendorId, and a messageId or None")
    try:
        reader(data)
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"@on_data_transfer{transfer}: data={data!r}: {error}") from error
    return _marking((_ON_DATA_TRANSFER, transfer, data))


def _mark(decorator: str, requests: tuple[_Message, ...]) -> Callable[[_Method], _Method]:
    kinds = (Request, Send) if decorator == _ON else Request  # a SEND has no answer
    for request in requests:
        known = isinstance(request, type) and issubclass(request, kinds)
        if not known or not hasattr(request, "ACTION"):
            raise TypeError(
                f"@{decorator}({request!r}): name request classes, for example v16.HeartbeatRequest"
            )
    if not requests:
        raise TypeError(f"@{decorator} needs at least one request class")
    return _marking(*((decorator, request, None) for request in requests))


def _marking(*marks: tuple[str, _Message | _Transfer, Any]) -> Callable[[_Method], _Method]:
    def mark(method: _Method) -> _Method:
        setattr(method, _MARKS, [*getattr(method, _MARKS, []), *marks])
        return method

    return mark


#: (decorator, what the method handles) to (the method's name, the type of a transfer's data).
_Methods = dict[tuple[str, _Message | _Transfer], tuple[str, Any]]


def _marked(cls: type) -> _Methods:
    """What the class itself marks."""
    found: _Methods = {}
    for attribute, value in vars(cls).items():
        for decorator, subject, data in getattr(value, _MARKS, ()):
            if (decorator, subject) in found:
                other, _ = found[decorator, subject]
                named = subject if isinstance(subject, tuple) else f"({subject.__name__})"
                raise TypeError(
                    f"{cls.__name__}.{other} and .{attribute} are both marked "
                    f"@{decorator}{named}: only one of them can be"
                )
            found[decorator, subject] = attribute, data
    return found


@implementer(IActionPlugin, ITellsConfig)
class ActionPlugin:
    """A passive plug-in made of methods that are marked with the decorators of this module.

    A subclass may override a method by its name, or mark another for the same request.

    :cvar custom_actions: see `IActionPlugin.custom_actions`; there are none unless a subclass
        has some. What is marked for a class that stands in no version must be among them.
    :cvar recorded_config: see `ITellsConfig`; nothing is told unless a subclass names it.
    """

    name: str
    custom_actions: ClassVar[Mapping[str, Sequence[_Message]]] = {}
    recorded_config: ClassVar[Collection[str]] = ()
    _methods: ClassVar[_Methods] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        methods: _Methods = {}
        for base in reversed(cls.__mro__):
            methods.update(_marked(base))
        known = _STANDARD.union(*cls.custom_actions.values())
        for (decorator, subject), (attribute, _) in methods.items():
            if not isinstance(subject, tuple) and subject not in known:
                raise TypeError(
                    f"{cls.__name__}.{attribute} is marked @{decorator}({subject.__name__}), "
                    "which no version has: name it in custom_actions"
                )
        cls._methods = methods

    def start(self, caller: IActiveCaller, config: Mapping[str, Any]) -> Deferred[None] | None:
        """See `IActionPlugin.start`; does nothing here."""
        return None

    def stop(self) -> Deferred[None] | None:
        """See `IActionPlugin.stop`; does nothing here."""
        return None

    def charge_point_online(self, charge_point: IChargePoint) -> None:
        """See `IActionPlugin.charge_point_online`; does nothing here."""

    def charge_point_offline(self, charge_point: IChargePoint, reason: str, seconds: float) -> None:
        """See `IActionPlugin.charge_point_offline`; does nothing here."""

    def request_handler(self, version: str, action: str) -> RequestHandler | None:
        """The method marked ``@on`` for this action of this version."""
        return self._method(_ON, version, action)

    def data_transfer_handlers(self) -> Mapping[_Transfer, tuple[DataTransferHandler, Any]]:
        """The methods marked ``@on_data_transfer``."""
        return {
            transfer: (getattr(self, attribute), data)
            for (_, transfer), (attribute, data) in self._methods.items()
            if isinstance(transfer, tuple)
        }

    def answered_handler(self, version: str, action: str) -> AnsweredHandler | None:
        """The method marked ``@after`` for this action of this version."""
        return self._method(_AFTER, version, action)

    def response_handler(self, version: str, action: str) -> ResponseHandler | None:
        """The method marked ``@on_result`` for this action of this version."""
        return self._method(_ON_RESULT, version, action)

    def refused_handler(self, version: str, action: str) -> RefusedHandler | None:
        """The method marked ``@on_refused`` for this action of this version."""
        return self._method(_ON_REFUSED, version, action)

    def _method(self, decorator: str, version: str, action: str) -> Callable[..., Any] | None:
        standard = CATALOGUES[version].actions.get(action)
        requests = [standard.request] if standard else self.custom_actions.get(version, ())
        for request in requests:
            if action == request.ACTION and (decorator, request) in self._methods:
                attribute, _ = self._methods[decorator, request]
                method: Callable[..., Any] = getattr(self, attribute)
                return method
        return None
