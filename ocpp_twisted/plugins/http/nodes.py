"""Operation: the processes of a distributed system.

Imports the interfaces and its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

from ocpp_twisted.errors import OCPPError
from ocpp_twisted.interfaces import IListsNodes, Node
from ocpp_twisted.plugins.http.operations import Asked, operation
from ocpp_twisted.plugins.http.problems import Problem

__all__ = ["Nodes"]


class Nodes:
    """The gateways and workers.

    :param known: None if this server is alone.
    """

    def __init__(self, known: IListsNodes | None) -> None:
        self._known = known

    @operation(
        "GET",
        "/api/v1/nodes",
        "The gateways and workers that live, by name; none if the server is alone.",
        answer=list[Node],
        problems=("busy",),
    )
    async def nodes(self, asked: Asked) -> Sequence[Node]:
        """With their load and versions."""
        if self._known is None:
            return []
        try:
            return sorted(await self._known.nodes(), key=lambda node: node.node)
        except OCPPError as error:
            raise Problem("busy", f"the nodes are not known now: {error}") from error
