"""Which handlers an action has: asked of the plug-ins once, then a look-up in a dictionary.

Imports the interfaces, the catalogues and `data_transfer`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ocpp_twisted.data_transfer import DataTransfers
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.interfaces import (
    AnsweredHandler,
    IActionPlugin,
    IObserver,
    RefusedHandler,
    RequestHandler,
    ResponseHandler,
)
from ocpp_twisted.ocppj.catalogue import Action, Catalogue, Sender
from ocpp_twisted.ocppj.message import Request, Response, Send
from ocpp_twisted.ocppj.rules import MessageType
from ocpp_twisted.versions import CATALOGUES

__all__ = ["Route", "is_decided", "routes", "with_custom_actions"]


class Route:
    """The handlers of one action of one version.

    :ivar request: answers it; None if nobody does.
    :ivar answered: are told when the CALLRESULT has been written.
    :ivar response: are told what our own calls of it were answered.
    :ivar refused: are told that the peer refuses our CALLRESULT.
    :ivar boot: whether it is the action that registers a charge point.
    :ivar fresh_seconds: how long an answer is good for a CALL that comes again.
    :ivar shared: whether its answers are of use to other processes.
    :ivar decides: whether they are told of one at once, if `is_decided` says so of the request.
    """

    __slots__ = (
        "answered",
        "boot",
        "decides",
        "fresh_seconds",
        "refused",
        "request",
        "response",
        "shared",
    )

    def __init__(
        self,
        request: RequestHandler | None,
        answered: tuple[AnsweredHandler, ...],
        response: tuple[ResponseHandler, ...],
        refused: tuple[RefusedHandler, ...],
        boot: bool,
        fresh_seconds: float,
        shared: bool,
        decides: bool,
    ) -> None:
        self.boot = boot
        self.shared = shared
        self.decides = decides
        self.fresh_seconds = fresh_seconds
        self.request = request
        self.answered = answered
        self.response = response
        self.refused = refused


def routes(
    catalogue: Catalogue,
    plugins: Sequence[IActionPlugin],
    observer: IObserver | None = None,
) -> Mapping[str, Route]:
    """Action name to `Route`, for all actions of the catalogue.

    The first plug-in that has a handler for a request answers it; all of them hear the rest. A
    DataTransfer goes to the one who takes that message (`IActionPlugin.data_transfer_handlers`).
    With an observer, each request goes through `IObserver.watched`.
    """
    found = {
        name: _route(catalogue.version, action, plugins)
        for name, action in catalogue.actions.items()
    }
    transfer = found["DataTransfer"]
    transfer.request = DataTransfers(catalogue, plugins, transfer.request)
    if observer is not None:
        for name, route in found.items():
            if route.request is not None:
                route.request = observer.watched(catalogue.version, name, route.request)
    return found


#: What begins, changes or ends a transaction.
_OF_TRANSACTIONS = frozenset({"StartTransaction", "StopTransaction", "TransactionEvent"})
#: What charge points keep while they are offline, and send again when they are back.
_KEPT_FOR_LATER = _OF_TRANSACTIONS | {"MeterValues"}
#: Other answers are soon wrong: a tag is blocked, a status has changed and changed back.
_SECONDS_OF_AN_ANSWER = 60.0
#: And one that tells the time even sooner.
_SECONDS_OF_A_TIME = 10.0


def _route(version: str, action: Action, plugins: Sequence[IActionPlugin]) -> Route:
    requests = [plugin.request_handler(version, action.name) for plugin in plugins]
    answered = [plugin.answered_handler(version, action.name) for plugin in plugins]
    response = [plugin.response_handler(version, action.name) for plugin in plugins]
    refused = [plugin.refused_handler(version, action.name) for plugin in plugins]
    fresh_seconds = _SECONDS_OF_AN_ANSWER
    if action.name in _KEPT_FOR_LATER:
        fresh_seconds = math.inf
    elif hasattr(action.response, "currentTime"):
        fresh_seconds = _SECONDS_OF_A_TIME
    return Route(
        next((handler for handler in requests if handler is not None), None),
        tuple(handler for handler in answered if handler is not None),
        tuple(handler for handler in response if handler is not None),
        tuple(handler for handler in refused if handler is not None),
        boot=action.name == "BootNotification",
        fresh_seconds=fresh_seconds,
        shared=fresh_seconds > _SECONDS_OF_A_TIME,
        decides=action.name in _OF_TRANSACTIONS,
    )


def is_decided(request: Request[Any]) -> bool:
    """Whether the answer to a message about a transaction decides something.

    It does not if that one only brings values: most of a charge point's messages are such.
    """
    return getattr(request, "eventType", None) != "Updated"


def with_custom_actions(
    catalogues: Iterable[Catalogue], plugins: Sequence[IActionPlugin]
) -> list[Catalogue]:
    """The catalogues, and in them the plug-ins' `IActionPlugin.custom_actions`.

    :raises ConfigurationError: if one of these cannot be used; it says whose.
    """
    for plugin in plugins:
        for version in plugin.custom_actions.keys() - CATALOGUES:
            raise ConfigurationError(
                f"plug-in {plugin.name!r} has custom actions for OCPP {version!r}; "
                f"the versions are: {', '.join(CATALOGUES)}"
            )
    return [_with_custom_actions(catalogue, plugins) for catalogue in catalogues]


def _with_custom_actions(catalogue: Catalogue, plugins: Sequence[IActionPlugin]) -> Catalogue:
    actions = {name: (action, "OCPP") for name, action in catalogue.actions.items()}
    custom: list[Action] = []
    for plugin in plugins:
        for request in plugin.custom_actions.get(catalogue.version, ()):
            whose = f"plug-in {plugin.name!r}"
            action = _custom_action(catalogue, whose, request)
            known, owner = actions.setdefault(action.name, (action, whose))
            if known is action:
                custom.append(action)
            elif known.request is not request:
                raise ConfigurationError(
                    f"{whose}: {_named(request)} is for the action {action.name!r} of OCPP "
                    f"{catalogue.version}, for which {owner} has {_named(known.request)}: "
                    "give it another ACTION, or leave one of the two out"
                )
    return catalogue.extended(custom) if custom else catalogue


def _custom_action(catalogue: Catalogue, whose: str, request: Any) -> Action:
    why = None
    if not (isinstance(request, type) and issubclass(request, Request | Send)):
        why = "it is not derived from Request or Send"
    elif not isinstance(getattr(request, "ACTION", None), str):
        why = "it has no ACTION, the name that goes to the wire"
    elif issubclass(request, Send):
        if MessageType.SEND not in catalogue.rules.message_types:
            why = "that version has no SEND"
    elif not issubclass(getattr(request, "RESPONSE", object), Response):
        why = "its RESPONSE is not a class derived from Response"
    if why is None:
        try:
            return Action(Sender.BOTH, request)
        except (TypeError, RuntimeError) as error:
            why = str(error)
    raise ConfigurationError(
        f"{whose}: {request!r} cannot be an action of OCPP {catalogue.version}: {why}"
    )


def _named(request: type) -> str:
    return f"{request.__module__}.{request.__qualname__}"
