"""Which handlers an action has: asked of the plug-ins once, then a look-up in a dictionary.

Imports the interfaces and the catalogues.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ocpp_twisted.interfaces import (
    AnsweredHandler,
    IActionPlugin,
    RequestHandler,
    ResponseHandler,
)
from ocpp_twisted.ocppj.catalogue import Catalogue

__all__ = ["Route", "routes"]


class Route:
    """The handlers of one action of one version.

    :ivar request: answers it; None if nobody does.
    :ivar answered: are told when the CALLRESULT has been written.
    :ivar response: are told what our own calls of it were answered.
    """

    __slots__ = ("answered", "request", "response")

    def __init__(
        self,
        request: RequestHandler | None,
        answered: tuple[AnsweredHandler, ...],
        response: tuple[ResponseHandler, ...],
    ) -> None:
        self.request = request
        self.answered = answered
        self.response = response


def routes(catalogue: Catalogue, plugins: Sequence[IActionPlugin]) -> Mapping[str, Route]:
    """Action name to `Route`, for all actions of the catalogue.

    The first plug-in that has a handler for a request answers it; all of them hear the rest.
    """
    return {action: _route(catalogue.version, action, plugins) for action in catalogue.actions}


def _route(version: str, action: str, plugins: Sequence[IActionPlugin]) -> Route:
    requests = [plugin.request_handler(version, action) for plugin in plugins]
    answered = [plugin.answered_handler(version, action) for plugin in plugins]
    response = [plugin.response_handler(version, action) for plugin in plugins]
    return Route(
        next((handler for handler in requests if handler is not None), None),
        tuple(handler for handler in answered if handler is not None),
        tuple(handler for handler in response if handler is not None),
    )
