"""Why a TLS handshake has failed: in a word to count, and in words for the log.

Imports pyOpenSSL and how names are compared. A log line for each failure would let strangers fill
the disk: `Sparing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from OpenSSL import SSL, crypto

from ocpp_twisted.websocket.certificates import PlainName, plain

__all__ = ["Sparing", "Why", "verifier", "why"]

#: OpenSSL's numbers for what is wrong with a certificate (x509_vfy.h, public since long ago).
_FAULTS = {
    9: ("not yet valid", "is not yet valid: one clock may be wrong"),
    10: ("expired", "has expired"),
    26: ("purpose", "is not made for TLS clients"),
    66: ("weak", "has a key that is too weak"),
    67: ("weak", "is of a CA with a key that is too weak"),
    68: ("weak", "is signed with a hash that is too weak"),
}


class Why(NamedTuple):
    """Why a handshake has failed.

    :ivar kind: one of a few words.
    :ivar text: for people.
    """

    kind: str
    text: str


class Sparing:
    """Lets a few through in a time, and counts the others.

    :param seconds: the time now, on a clock of the caller's.
    """

    def __init__(self, seconds: Callable[[], float], most: int = 20, span: float = 60.0) -> None:
        self._seconds, self._most, self._span = seconds, most, span
        self._ends, self._let, self._kept = 0.0, 0, 0

    def take(self) -> str | None:
        """What to say of those that were kept back; None if this one is kept back as well."""
        now = self._seconds()
        if now >= self._ends:
            self._ends, self._let = now + self._span, 0
        if self._let >= self._most:
            self._kept += 1
            return None
        self._let += 1
        kept, self._kept = self._kept, 0
        return f" ({kept} more were not logged)" if kept else ""


def verifier(
    revoked: Mapping[PlainName, frozenset[int]],
) -> Callable[[SSL.Connection, crypto.X509, int, int, int], bool]:
    """OpenSSL's callback for each certificate of a client's chain.

    Every certificate whose issuer has a CRL is looked up in it, not the client's own alone. The
    reason of a refusal is kept with the connection, for `why`. Source: OCPP 1.6 security
    whitepaper, A00.FR.403 and A00.FR.407.

    :param revoked: see `Loaded`.
    """

    def verify(
        connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
    ) -> bool:
        try:
            found = certificate.to_cryptography()
            subject = repr(found.subject.rfc4514_string()[:255])
            is_revoked = found.serial_number in revoked.get(plain(found.issuer), ())
        except Exception:  # in whichever way it is broken, it is a stranger's
            text = "the client certificate cannot be read"
            connection.set_app_data(Why("unreadable", text))
            return False
        if not ok:
            untrusted = ("untrusted", f"is issued by nobody in --tls-client-ca (error {error})")
            kind, text = _FAULTS.get(error, untrusted)
        elif is_revoked:
            kind, text = "revoked", "is revoked"
        else:
            return True
        connection.set_app_data(Why(kind, f"the client certificate {subject} {text}"))
        return False

    return verify


def why(connection: Any, error: SSL.Error) -> Why | None:
    """Why a handshake has failed; None if the peer has only hung up."""
    found = connection.get_app_data()
    if isinstance(found, Why):
        return found
    if isinstance(error, SSL.SysCallError):
        return None
    details = error.args[0] if error.args else ()
    text = ", ".join(str(each[-1]) for each in details) or "OpenSSL says no more"
    if "unexpected eof" in text:
        return None
    if "did not return a certificate" in text:
        return Why("none given", "no client certificate is given, and this listener demands one")
    for part, kind in _KINDS.items():
        if part in text:
            return Why(kind, text)
    return Why("other", text)


#: A part of OpenSSL's text to our word for it.
_KINDS = {
    " alert ": "by the peer",
    "no shared cipher": "suites",
    "no suitable signature algorithm": "suites",
    "unsupported protocol": "version",
    "version too low": "version",
    "wrong version number": "not TLS",
    "http request": "not TLS",
    "https proxy request": "not TLS",
    "packet length too long": "not TLS",
    "bad record type": "not TLS",
}
