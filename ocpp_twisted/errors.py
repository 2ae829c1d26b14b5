"""Every error of the library, and who is wrong when it is raised.

::

    OCPPError
     +-- ConfigurationError        the operator: an option, a file or a plug-in cannot be used
     +-- LocalProtocolError        we: this program asked for something that OCPP does not allow
     +-- RemoteProtocolError       the peer: it sent something that OCPP does not allow
     |    +-- InvalidResponse      ... as the answer to a call of ours (also a CallFailed)
     +-- CannotConnect             a charge point: its central system is away, or lets it not in
     +-- Outdated                  another process has changed what they share
     +-- RecordsUnavailable        the store of records cannot be read or written now
     +-- CertificateRefused        a certificate authority does not sign, or a CSR cannot be signed
     +-- CallFault                 the business: the CALL is answered with this CALLERROR
     +-- CallFailed                a call of ours has no CALLRESULT
          +-- CallErrorReceived    the peer answered it with a CALLERROR
          +-- CallTimedOut         it has no answer in time
          +-- NotConnected         it was not sent: the charge point is offline
          +-- ConnectionLost       it was sent, the connection ended first; the outcome is unknown
          +-- CallNotAllowed       it was not sent: the charge point's registration forbids it now
          +-- QueueFull            it was not sent: too many calls wait for this charge point
          +-- InvalidResponse      the peer answered it with something unreadable

Imports its neighbour `excerpt` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ocpp_twisted.excerpt import excerpt

__all__ = [
    "CallErrorReceived",
    "CallFailed",
    "CallFault",
    "CallNotAllowed",
    "CallTimedOut",
    "CannotConnect",
    "CertificateRefused",
    "ConfigurationError",
    "ConnectionLost",
    "ErrorCode",
    "InvalidResponse",
    "LocalProtocolError",
    "NotConnected",
    "OCPPError",
    "Outdated",
    "QueueFull",
    "RecordsUnavailable",
    "RemoteProtocolError",
]


class ErrorCode(StrEnum):
    """The RPC error codes, in the spelling of OCPP 2.x (2.1 part 4, section 4.3).

    OCPP 1.6 spells two of them otherwise and lacks the two of the RPC framework; what goes to
    the wire is the version's own (`ocpp_twisted.ocppj.rules`).
    """

    FORMAT_VIOLATION = "FormatViolation"
    GENERIC_ERROR = "GenericError"
    INTERNAL_ERROR = "InternalError"
    MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    OCCURRENCE_CONSTRAINT_VIOLATION = "OccurrenceConstraintViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    PROTOCOL_ERROR = "ProtocolError"
    RPC_FRAMEWORK_ERROR = "RpcFrameworkError"
    SECURITY_ERROR = "SecurityError"
    TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"


class OCPPError(Exception):
    """The root of this library's errors."""


class ConfigurationError(OCPPError):
    """An option, a file or a plug-in cannot be used; the text says which, why, and what to do."""


class LocalProtocolError(OCPPError):
    """Our own program asked for something that OCPP does not allow; nothing was sent."""


class RemoteProtocolError(OCPPError):
    """The peer sent something that OCPP does not allow."""


class CannotConnect(OCPPError):
    """A central system cannot be reached, or does not let this charge point in.

    :ivar status: the HTTP status that it has answered the handshake with; None if it has not.
    :ivar retry_after: seconds after which it wants to be asked again; 0 if it does not say.
    """

    def __init__(self, text: str, status: int | None = None, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


class RecordsUnavailable(OCPPError):
    """The store of records cannot be read or written now; nothing was changed. Try again later."""


class CertificateRefused(OCPPError):
    """A certificate is not signed; the sentence says why."""


class Outdated(OCPPError):
    """Another process has changed what this one knows in an older state; nothing was done."""


class CallFault(OCPPError):
    """Raise it in a handler to answer the CALL with a CALLERROR.

    :param code: an `ErrorCode`; a version without that code sends its nearest one.
    :param description: what is wrong, for the people at the other end; OCPP 2.x carries 255
        characters of it.
    :param details: a JSON object with more, sent as it is.
    """

    def __init__(
        self,
        code: ErrorCode,
        description: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, description)
        self.code = ErrorCode(code)
        self.description = "" if description is None else str(description)
        self.details = dict(details) if details is not None else {}

    def __str__(self) -> str:
        return f"{self.code}: {self.description}"


class CallFailed(OCPPError):
    """A call of ours has no CALLRESULT; the subclass says why."""


class CallErrorReceived(CallFailed):
    """The peer answered our call with a CALLERROR.

    :ivar code: the error code as the peer spelled it, whatever it is.
    :ivar description: the peer's description, maybe empty.
    :ivar details: the peer's details, a JSON value (an object, if the peer keeps to OCPP).
    """

    def __init__(self, code: str, description: str = "", details: Any = None) -> None:
        super().__init__(code, description, details)
        self.code = code
        self.description = description
        self.details = details if details is not None else {}

    def __str__(self) -> str:
        return f"the peer answered {excerpt(self.code, 50)}: {excerpt(self.description)}"


class CallTimedOut(CallFailed):
    """The call has no answer in time.

    :ivar sent: whether it was sent, so that the peer may have acted on it; False if earlier
        calls kept it in the queue all the time.
    """

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.sent = sent


class NotConnected(CallFailed):
    """The charge point is not connected, or its connection ended before the call was sent."""


class CallNotAllowed(CallFailed):
    """The call was not sent: the charge point has not been accepted (OCPP 1.6 section 4.2)."""


class ConnectionLost(CallFailed):
    """The connection ended after the call was sent; the peer may have acted on it."""


class QueueFull(CallFailed):
    """Too many calls wait for this charge point already; the call was not sent."""


class InvalidResponse(CallFailed, RemoteProtocolError):
    """The peer answered the call with something that is not an answer to it."""
