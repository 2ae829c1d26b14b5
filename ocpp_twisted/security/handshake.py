"""What is known of a charge point that asks to come in, and the answer that it may not.

Imports the identity and cryptography's certificates. Source: OCPP 1.6 security whitepaper,
section 2 (A00); OCPP 2.x part 2, use case A00.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from cryptography import x509

from ocpp_twisted.identity import Identity

__all__ = ["Handshake", "Refused", "SecurityProfile"]


class SecurityProfile(IntEnum):
    """How charge points prove who they are (A00, tables 1 and 2).

    The whitepaper counts from 1; 0 is that they do not.
    """

    NONE = 0
    BASIC = 1
    TLS_BASIC = 2
    CLIENT_CERTIFICATE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A WebSocket handshake that is well-formed so far.

    :ivar identity: who the charge point says it is, by its URL.
    :ivar profile: what its listener demands.
    :ivar peer: where it connects from, for logs; behind a proxy, what the proxy says.
    :ivar origin: what that address is counted as; empty if it is not counted.
    :ivar authorization: the Authorization header; empty if there is none.
    :ivar certificate: the client's, its chain verified by TLS; None if it has none.
    :ivar names: the names in a certificate that a proxy has verified; None if there is no such
        proxy, or it told none.
    """

    identity: Identity
    profile: SecurityProfile = SecurityProfile.NONE
    peer: str = ""
    origin: str = ""
    authorization: str = field(default="", repr=False)
    certificate: x509.Certificate | None = None
    names: Sequence[str] | None = None


class Refused(Exception):
    """A handshake is answered with an HTTP status instead of the upgrade.

    :param status: for example 401.
    :param reason: a sentence that the peer gets and the log.
    :param headers: further headers of the answer.
    :param detail: what only the log gets.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        headers: Sequence[tuple[str, str]] = (),
        detail: str = "",
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)
        self.detail = detail
