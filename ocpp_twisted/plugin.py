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

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ocpp_twisted.interfaces import (
    AnsweredHandler,
    IActionPlugin,
    IActiveCaller,
    IChargePoint,
    RequestHandler,
    ResponseHandler,
)
from ocpp_twisted.ocppj.message import Request, Send
from ocpp_twisted.versions import CATALOGUES

__all__ = ["ActionPlugin", "after", "on", "on_result"]

_Message = type[Request[Any]] | type[Send]
_Method = TypeVar("_Method", bound=Callable[..., Any])

_ON = "on"
_AFTER = "after"
_ON_RESULT = "on_result"
#: Where the decorators leave what a method handles: a list of (decorator, message class).
_MARKS = "_ocpp_marks"


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

    def mark(method: _Method) -> _Method:
        marks = getattr(method, _MARKS, [])
        setattr(method, _MARKS, [*marks, *((decorator, request) for request in requests)])
        return method

    return mark


def _marked(cls: type) -> dict[tuple[str, _Message], str]:
    """What the class itself marks: (decorator, message class) to the method's name."""
    found: dict[tuple[str, _Message], str] = {}
    for attribute, value in vars(cls).items():
        for mark in getattr(value, _MARKS, ()):
            if mark in found:
                decorator, request = mark
                raise TypeError(
                    f"{cls.__name__}.{found[mark]} and .{attribute} are both marked "
                    f"@{decorator}({request.__name__}): only one of them can be"
                )
            found[mark] = attribute
    return found


@implementer(IActionPlugin)
class ActionPlugin:
    """A passive plug-in made of methods marked with `on`, `after` and `on_result`.

    A subclass may override a method by its name, or mark another for the same request.
    """

    name: str
    _methods: ClassVar[Mapping[tuple[str, _Message], str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        methods: dict[tuple[str, _Message], str] = {}
        for base in reversed(cls.__mro__):
            methods.update(_marked(base))
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

    def answered_handler(self, version: str, action: str) -> AnsweredHandler | None:
        """The method marked ``@after`` for this action of this version."""
        return self._method(_AFTER, version, action)

    def response_handler(self, version: str, action: str) -> ResponseHandler | None:
        """The method marked ``@on_result`` for this action of this version."""
        return self._method(_ON_RESULT, version, action)

    def _method(self, decorator: str, version: str, action: str) -> Callable[..., Any] | None:
        request = CATALOGUES[version].actions[action].request
        attribute = self._methods.get((decorator, request))
        if attribute is None:
            return None
        method: Callable[..., Any] = getattr(self, attribute)
        return method
