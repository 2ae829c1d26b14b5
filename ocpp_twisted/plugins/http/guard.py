"""Who may ask: the token, the Host header, and web pages of other origins.

Imports twisted.web and its neighbour `problems`. Everything passes here before it is routed.

Without a token the server is there for the machine itself. A web page may still reach it through
the browser of somebody who sits there: under a name that the page's owner points to 127.0.0.1
(DNS rebinding), which the Host header tells, or across origins, which the header Origin tells.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Container, Sequence
from urllib.parse import quote

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from ocpp_twisted.plugins.http.problems import MEDIA_TYPE, Problem

__all__ = ["Guard", "is_loopback", "send_problem"]

_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(:[0-9]*)?")


def is_loopback(address: IAddress) -> bool:
    """Whether only this machine can reach a listening address."""
    if isinstance(address, IPv4Address | IPv6Address):
        return ipaddress.ip_address(address.host.partition("%")[0]).is_loopback
    return True  # a Unix socket


def send_problem(request: Request, problem: Problem) -> bytes:
    """Set the head of a response that tells of a problem, and return its body."""
    body = problem.encode()
    request.setResponseCode(problem.status)
    request.setHeader("Content-Type", MEDIA_TYPE)
    request.setHeader("Content-Length", str(len(body)))
    for name, value in problem.headers.items():
        request.setHeader(name, value)
    return body


class Guard(Resource):
    """Hands what may pass to a resource.

    :param token: the bearer token that is needed; None if the server is for this machine only.
    :param origins: of web pages that may ask, for example ``https://depot.example``.
    :param free: paths that anybody may ask for.
    :ivar token: as above; it may be set.
    """

    isLeaf = True

    def __init__(
        self,
        resource: IResource,
        token: str | None,
        origins: Sequence[str] = (),
        free: Container[bytes] = (),
    ) -> None:
        super().__init__()
        self._free = free
        self._resource = resource
        self.token = token
        self._origins = frozenset(origins)

    def render(self, request: Request) -> bytes | int:
        """Answer, or hand on."""
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("X-Content-Type-Options", "nosniff")
        try:
            _check_headers(request)
            if self._answers_preflight(request):
                request.setResponseCode(204)
                return b""
            if request.path in self._free:
                pass
            elif self.token is None:
                _check_host(request)
            else:
                _check_token(request, self.token)
        except Problem as problem:
            return send_problem(request, problem)
        # klein routes by the unquoted path, where an id's %2F would be a slash: hand it the path
        # as it came; `app` decodes the parameters. It also reads Host, which plays no part.
        request.postpath = quote(request.path, safe="/%:@!$&'()*+,;=~").encode()[1:].split(b"/")
        request.requestHeaders.setRawHeaders("Host", ["localhost"])
        return self._resource.render(request)  # type: ignore[no-any-return]

    def _answers_preflight(self, request: Request) -> bool:
        """Let listed origins pass, and tell whether this only asks whether it may.

        :raises Problem: if another origin asks.
        """
        if self._origins:
            request.setHeader("Vary", "Origin")
        origin = request.getHeader("origin")
        if origin is None or origin in _own_origins(request):
            return False
        if origin not in self._origins:
            text = f"web pages of {origin[:200]} may not ask; allow them with --http-cors"
            raise Problem("forbidden-origin", text)
        request.setHeader("Access-Control-Allow-Origin", origin)
        if request.method != b"OPTIONS":
            return False
        request.setHeader("Access-Control-Allow-Methods", _METHODS)
        request.setHeader("Access-Control-Allow-Headers", _HEADERS)
        request.setHeader("Access-Control-Max-Age", "600")
        return True


def _check_headers(request: Request) -> None:
    for name, values in request.requestHeaders.getAllRawHeaders():
        try:
            b"".join(values).decode()
        except UnicodeDecodeError:
            text = f"the header {name.decode('latin-1')} is not UTF-8"
            raise Problem("invalid-request", text) from None


def _check_token(request: Request, token: str) -> None:
    given = request.getHeader("authorization") or ""
    scheme, _, credentials = given.partition(" ")
    right = hmac.compare_digest(credentials.strip().encode(), token.encode())
    if scheme.lower() != "bearer" or not right:
        text = "this token is not the server's" if given else "there is no bearer token"
        raise Problem("unauthorized", text, {"WWW-Authenticate": 'Bearer realm="ocpp"'})


def _own_origins(request: Request) -> tuple[str, str]:
    host = request.getHeader("host") or ""
    return f"http://{host}", f"https://{host}"


def _check_host(request: Request) -> None:
    hosts = request.requestHeaders.getRawHeaders("host", [])
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    name = match[1].lower().rstrip(".") if match is not None else ""
    try:
        loopback = ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        loopback = name == "localhost" or name.endswith(".localhost")
    if not loopback:
        text = "without a token only localhost, 127.0.0.1 and [::1] may stand in the Host header"
        raise Problem("forbidden-host", text)
