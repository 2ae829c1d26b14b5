"""How the server is, for an operator's programs: ``/metrics``, ``/healthz`` and ``/readyz``.

Imports the interfaces, and its neighbours `guard` and `problems`. What is said there is
`IOperations`'.
"""

from __future__ import annotations

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from ocpp_twisted.interfaces import IOperations
from ocpp_twisted.plugins.http.guard import send_problem
from ocpp_twisted.plugins.http.problems import Problem

__all__ = ["HEALTH", "Shown"]

#: Asked by programs that have no token, and tell nothing but how the server is.
HEALTH = frozenset({b"/healthz", b"/readyz"})


class Shown(Resource):
    """Answers for the operations, and hands all else on.

    :ivar stopping: whether all else is refused, because the server stops.
    """

    isLeaf = True
    stopping = False

    def __init__(self, operations: IOperations | None, otherwise: IResource) -> None:
        super().__init__()
        self._operations = operations
        self._otherwise = otherwise

    def render(self, request: Request) -> bytes | int:
        """Answer, or hand on."""
        answer = None
        if self._operations is not None and request.method in (b"GET", b"HEAD"):
            answer = self._operations.answer(request.path.decode("latin-1"))
        if answer is None and self.stopping:
            text = "this server stops; ask again when it runs, or ask another one"
            return send_problem(request, Problem("stopping", text))
        if answer is None:
            return self._otherwise.render(request)  # type: ignore[no-any-return]
        status, media_type, body = answer
        request.setResponseCode(status)
        request.setHeader("Content-Type", media_type)
        request.setHeader("Content-Length", str(len(body)))
        return body if request.method == b"GET" else b""
