"""One plug-in made of blocks: making many charge points is cheap then. Imports its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ocpp_twisted.answering import run_handler
from ocpp_twisted.interfaces import AnsweredHandler, RequestHandler
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.simulator.v2.block import Block

__all__ = ["Switchboard"]


class Switchboard(ActionPlugin):
    """Asks for each action only the blocks that handle it."""

    name = "switchboard"

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks: dict[str, list[Block]] = {}
        for block in blocks:
            for action in block.actions:
                self._blocks.setdefault(action, []).append(block)

    def request_handler(self, version: str, action: str) -> RequestHandler | None:
        """See `IActionPlugin`."""
        for block in self._blocks.get(action, ()):
            handler = block.request_handler(version, action)
            if handler is not None:
                return handler
        return None

    def answered_handler(self, version: str, action: str) -> AnsweredHandler | None:
        """See `IActionPlugin`; all blocks hear it, in their order."""
        found = [block.answered_handler(version, action) for block in self._blocks.get(action, ())]
        handlers = [handler for handler in found if handler is not None]
        if len(handlers) < 2:
            return handlers[0] if handlers else None

        def all_of_them(link: Any, request: Any, response: Any) -> None:
            for handler in handlers:
                run_handler(handler, link, request, response)

        return all_of_them
