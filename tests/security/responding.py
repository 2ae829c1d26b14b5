"""An OCSP responder on HTTP."""

from __future__ import annotations

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from tests.security.certificates import Responder


class Page(Resource):
    isLeaf = True
    status = 200
    location: bytes | None = None
    silent = False
    waiting = 0

    def __init__(self, responder: Responder) -> None:
        self.responder = responder
        self.body: bytes | None = None

    def render_POST(self, request):
        assert request.getHeader("content-type") == "application/ocsp-request"
        if self.silent:
            self.waiting += 1
            return NOT_DONE_YET
        request.setResponseCode(self.status)
        if self.location is not None:
            request.setHeader("location", self.location)
        answer = self.responder.answer(request.content.read())
        return answer if self.body is None else self.body
