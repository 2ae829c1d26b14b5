"""What goes wrong, as problem details (RFC 9457): a table of kinds, and the error that names one.

Imports msgspec only.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

__all__ = ["KINDS", "MEDIA_TYPE", "Kind", "Problem", "ProblemDetails"]

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """A kind of problem.

    :ivar status: of the HTTP response.
    :ivar title: the same for every problem of the kind.
    :ivar meaning: a sentence or two for those who look the kind up.
    """

    status: int
    title: str
    meaning: str


#: The last segment of a problem's type, to what it is.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "invalid-request": Kind(
            400,
            "The request is not valid",
            "`path` is the JSON path, or the query parameter, that is wrong. Nothing was sent.",
        ),
        "unauthorized": Kind(
            401,
            "A bearer token is needed",
            "Send `Authorization: Bearer TOKEN`. The token was given with --http-token-file or "
            "OCPP_TOKEN; else it is in the file http-token of the data directory.",
        ),
        "forbidden-host": Kind(
            403,
            "The Host header is not a loopback name",
            "Without a token the server answers to localhost, 127.0.0.1 and [::1] only, so that "
            "no web site can reach it under a name of its own.",
        ),
        "forbidden-origin": Kind(
            403,
            "The origin is not allowed",
            "A web page of another origin asks. Allow it with --http-cors ORIGIN.",
        ),
        "not-found": Kind(404, "There is no such thing", "`detail` says what is not there."),
        "unknown-charge-point": Kind(
            404, "The charge point is not known", "It is not connected, and has not been here."
        ),
        "method-not-allowed": Kind(
            405, "The method is not allowed", "The header Allow has those that are."
        ),
        "not-connected": Kind(
            409, "The charge point is not connected", "Nothing was sent. Try when it is."
        ),
        "call-not-allowed": Kind(
            409,
            "The charge point must not be called now",
            "Its BootNotification is Pending or Rejected (OCPP 1.6 section 4.2). Nothing was sent.",
        ),
        "too-large": Kind(
            413, "The body is too large", "The connection is closed; `detail` has the limit."
        ),
        "unsupported-media-type": Kind(
            415, "The body's media type is not supported", "`detail` names those that are."
        ),
        "key-reused": Kind(
            422,
            "The Idempotency-Key belongs to another request",
            "Each request needs a key of its own; only a retry repeats it.",
        ),
        "queue-full": Kind(
            429, "Too many calls wait for the charge point", "Nothing was sent. Try again later."
        ),
        "internal-error": Kind(500, "The server has failed", "Its log has more."),
        "no-records": Kind(
            501,
            "No records are kept",
            "No action plug-in of this server keeps records; --action-plugin local does.",
        ),
        "connection-lost": Kind(
            502,
            "The connection was lost after the call was sent",
            "The charge point may have acted on it.",
        ),
        "invalid-response": Kind(
            502, "The charge point's answer cannot be read", "It may have acted on the call."
        ),
        "records-unavailable": Kind(
            503, "The records cannot be reached now", "Nothing was changed. Try again later."
        ),
        "stopping": Kind(503, "The server is stopping", "Nothing was done. Try again later."),
        "busy": Kind(503, "The server is busy", "`detail` says with what. Try again later."),
        "timed-out": Kind(
            504,
            "The charge point has not answered in time",
            "`sent` says whether the call was sent, so that it may have acted on it.",
        ),
    }
)


class ProblemDetails(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The body of a response that tells of a problem (RFC 9457).

    :ivar type: ``/problems/...``: a page of this server that says what it means.
    :ivar title: the same for every problem of a type.
    :ivar status: of the response.
    :ivar detail: what is wrong this time, and what to do.
    :ivar path: the JSON path or the query parameter that is wrong.
    :ivar sent: whether the call was sent.
    :ivar given: the id that was given out to the call that may have been sent, by its name.
    """

    type: str
    title: str
    status: int
    detail: str
    path: str | None = None
    sent: bool | None = None
    given: dict[str, int] | None = None


class Problem(Exception):
    """Raised by who handles a request: the response tells of this problem.

    :param kind: a key of `KINDS`.
    :param detail: a sentence.
    :param headers: more headers of the response.
    :param more: further members of `ProblemDetails`.
    """

    def __init__(
        self, kind: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.status, self.title, _ = KINDS[kind]
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def encode(self) -> bytes:
        """The body of the response."""
        return msgspec.json.encode(
            ProblemDetails(
                type=f"/problems/{self.kind}",
                title=self.title,
                status=self.status,
                detail=self.detail,
                **self.more,
            )
        )
