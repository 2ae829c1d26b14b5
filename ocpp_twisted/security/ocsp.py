"""Asks OCSP responders whether certificates are good, on behalf of charge points.

Imports cryptography and Twisted. Sources: RFC 6960; OCPP 2.x use cases M06 and C07, and the schema
of OCSPRequestDataType. A charge point says which responder to ask, and so could make this server
send requests to wherever it likes: only those are asked that the operator has allowed, redirects
are not followed, and time, size and number are bounded.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Literal, Protocol
from urllib.parse import SplitResult, urlsplit, urlunsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from twisted.internet import protocol
from twisted.internet.defer import Deferred, DeferredSemaphore, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.client import FileBodyProducer, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

__all__ = ["Answer", "Hashes", "NoAnswer", "Responders", "responder"]

_ALGORITHMS: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}
_STATUSES: dict[ocsp.OCSPCertStatus, Literal["Good", "Revoked", "Unknown"]] = {
    ocsp.OCSPCertStatus.GOOD: "Good",
    ocsp.OCSPCertStatus.REVOKED: "Revoked",
    ocsp.OCSPCertStatus.UNKNOWN: "Unknown",
}
_HEADERS = Headers(
    {"Content-Type": ["application/ocsp-request"], "Accept": ["application/ocsp-response"]}
)
#: Clocks differ.
_SKEW = timedelta(minutes=5)
#: The longest that an answer is kept, whatever its responder says.
_KEPT = timedelta(days=1)
#: What a URL can consist of: nothing that one program reads in another way than the next.
_URL = re.compile(r"https?://[A-Za-z0-9._\-\[\]:]+(?:[/?][!-\[\]-~]*)?", re.IGNORECASE)

#: RFC 5280 section 4.1.2.2 allows 20 bytes.
_SERIAL = re.compile("[0-9A-Fa-f]{1,40}")


class NoAnswer(Exception):
    """Nobody says whether the certificate is good; the sentence says why."""


class Hashes(Protocol):
    """Which certificate: the first fields of OCSPRequestDataType and of CertificateHashDataType.

    The hashes and the serial number are hexadecimal digits.
    """

    @property
    def hashAlgorithm(self) -> Any: ...
    @property
    def issuerNameHash(self) -> str: ...
    @property
    def issuerKeyHash(self) -> str: ...
    @property
    def serialNumber(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a responder has answered.

    :ivar der: the whole OCSPResponse (RFC 6960 section 4.2.1). Its signature has not been checked:
        who has the certificates of the issuers can.
    :ivar next_update: when there will be news; None if the responder does not say.
    """

    der: bytes
    status: Literal["Good", "Revoked", "Unknown"]
    next_update: datetime | None


def responder(text: str) -> SplitResult:
    """A URL that a responder may have, or with which such URLs begin.

    :raises ValueError: if it is none; the text says how it should be.
    """
    parts = urlsplit(text)
    if not _URL.fullmatch(text) or not parts.hostname or ".." in parts.path:
        raise ValueError(f"{text!r} is no URL of a responder: write it like http://ocsp.example/")
    parts.port  # noqa: B018 - raises ValueError if it is no number
    return parts


class Responders:
    """The responders that may be asked.

    :param allowed: URLs with which theirs begin (``http://ocsp.example/v2g``: that path and those
        below it); ``*`` stands for all.
    :param agent: provides `IAgent`, and follows no redirects.
    :param clock: for the timeout.
    :param now: the time, with its zone.
    :param timeout: seconds that an answer may take, the wait for its turn included.
    :param size: bytes that it may have.
    :param at_once: how many are asked at the same time.
    :param waiting: how many more may wait for their turn.
    :param kept: how many answers are kept, each until its `Answer.next_update`, and a day at most.
    """

    def __init__(
        self,
        allowed: Sequence[str],
        agent: IAgent,
        clock: IReactorTime,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        timeout: float = 10.0,
        size: int = 16 * 1024,
        at_once: int = 8,
        waiting: int = 100,
        kept: int = 1000,
    ) -> None:
        self._everybody = "*" in allowed
        self._listed = [responder(each) for each in allowed if each != "*"]
        self._agent = agent
        self._clock = clock
        self._now = now
        self._timeout = timeout
        self._size = size
        self._turns = DeferredSemaphore(at_once)
        self._waiting = waiting
        self._most_kept = kept
        self._kept: OrderedDict[tuple[str, ...], tuple[Answer, datetime]] = OrderedDict()

    def allows(self, url: str) -> bool:
        """Whether the responder of this URL may be asked."""
        try:
            parts = responder(url)
        except ValueError:
            return False
        return self._everybody or self._is_listed(parts)

    def lists(self, url: str) -> bool:
        """Whether the operator has named the responder of this URL: ``*`` names nobody."""
        try:
            return self._is_listed(responder(url))
        except ValueError:
            return False

    def _is_listed(self, asked: SplitResult) -> bool:
        return any(
            _place(asked) == _place(known)
            and f"{asked.path}/".startswith(f"{known.path.rstrip('/')}/")
            for known in self._listed
        )

    def ask(self, certificate: Hashes, url: str) -> Deferred[Answer]:
        """Ask a responder.

        :returns: a Deferred that fires with its answer, which is successful, of now, and about
            this certificate. Its errback is `NoAnswer`.
        """
        if not self.allows(url):
            return fail(NoAnswer("the operator has not allowed this responder: --ocsp-responder"))
        try:
            request = _request(certificate)
        except ValueError as error:
            return fail(NoAnswer(f"these are no hashes and serial number: {error}"))
        key = (
            str(certificate.hashAlgorithm),
            certificate.issuerNameHash.lower(),
            certificate.issuerKeyHash.lower(),
            certificate.serialNumber.lower(),
            url,
        )
        if (known := self._kept.get(key)) is not None and known[1] > self._now():
            return succeed(known[0])
        if len(self._turns.waiting) >= self._waiting:
            return fail(NoAnswer("too many wait for an answer of a responder"))
        asked: Deferred[Answer] = self._turns.run(
            lambda: Deferred.fromCoroutine(self._post(request, url))
        )
        asked.addTimeout(self._timeout, self._clock, _late)
        return asked.addCallbacks(self._keep, _no_answer, callbackArgs=(key,))

    async def _post(self, request: ocsp.OCSPRequest, url: str) -> Answer:
        body = FileBodyProducer(BytesIO(request.public_bytes(Encoding.DER)))
        # Built anew, so that what is asked is what was looked at.
        parts = responder(url)
        target = urlunsplit((parts.scheme, parts.netloc, parts.path or "/", parts.query, ""))
        response = await self._agent.request(b"POST", target.encode(), _HEADERS, body)
        return _read(await _body(response, self._size), request, self._now())

    def _keep(self, answer: Answer, key: tuple[str, ...]) -> Answer:
        if answer.next_update is not None:
            until = min(answer.next_update, self._now() + _KEPT)
            self._kept[key] = answer, until
            self._kept.move_to_end(key)
            if len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)
        return answer


def _place(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _request(certificate: Hashes) -> ocsp.OCSPRequest:
    """:raises ValueError: if something is no number, or has not the length that it must have."""
    if not _SERIAL.fullmatch(certificate.serialNumber):
        raise ValueError("the serial number is to be hexadecimal digits")
    algorithm = _ALGORITHMS[str(certificate.hashAlgorithm)]()
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        bytes.fromhex(certificate.issuerNameHash),
        bytes.fromhex(certificate.issuerKeyHash),
        int(certificate.serialNumber, 16),
        algorithm,
    )
    return builder.build()


def _read(der: bytes, request: ocsp.OCSPRequest, now: datetime) -> Answer:
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise NoAnswer(f"the responder says {response.response_status.name}")
        for one in response.responses:
            if (one.serial_number, one.issuer_name_hash, one.issuer_key_hash) == (
                request.serial_number,
                request.issuer_name_hash,
                request.issuer_key_hash,
            ):
                break
        else:
            raise NoAnswer("the responder has answered for another certificate")
        next_update = one.next_update_utc
        is_new = next_update is None or next_update > now
        if one.this_update_utc > now + _SKEW or not is_new:
            raise NoAnswer("the responder's answer is not of now")
        return Answer(der, _STATUSES[one.certificate_status], next_update)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NoAnswer(f"the responder's answer is no OCSP: {error}") from error


def _late(outcome: object, timeout: float) -> Failure:
    return Failure(NoAnswer(f"the responder has not answered in {timeout:g} seconds"))


def _no_answer(failure: Failure) -> Failure:
    if failure.check(NoAnswer):
        return failure
    return Failure(NoAnswer(f"the responder cannot be asked: {failure.getErrorMessage()}"))


def _body(response: Any, size: int) -> Deferred[bytes]:
    """The body of an HTTP response."""
    body = _Body(size)
    response.deliverBody(body)
    if response.code != 200:
        body.give_up(f"the responder answers with HTTP status {response.code}")
    return body.whole


class _Body(protocol.Protocol):
    """Gathers a body that is not too large."""

    def __init__(self, size: int) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._end())
        self._size = size
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > self._size:
            self.give_up(f"the responder's answer has more than {self._size} bytes")

    def give_up(self, why: str) -> None:
        """Want no more of it."""
        self._data.clear()
        if not self.whole.called:
            self.whole.errback(NoAnswer(why))
        self._end()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        if self.whole.called:
            return
        if reason.check(ResponseDone):
            self.whole.callback(bytes(self._data))
        else:
            self.whole.errback(reason)

    def _end(self) -> None:
        # A response that came whole has no connection any more.
        if (abort := getattr(self.transport, "abortConnection", None)) is not None:
            abort()
