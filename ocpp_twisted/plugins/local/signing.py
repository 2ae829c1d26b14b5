"""Actions: charge points' certificates, from the CSR to the signed certificate that they get.

Imports the certificate authority's interface, the plug-in base and the store. Sources: 1.6
security whitepaper A02, A03 and sections 5.1, 5.17 and 7.3; OCPP 2.x use cases A02 and A03, and the
variables MaxCertificateChainSize and CertSigningWaitMinimum of SecurityCtrlr.

What is being signed is kept in the memory of the process, one request for each charge point and
type of certificate: the newest. If the process ends, the charge point has to ask again: one of 2.x
does so by itself (CertSigningWaitMinimum), one of 1.6 when it is asked to.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import UNSET, UnsetType
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFailed,
    CertificateRefused,
    InvalidResponse,
    LocalProtocolError,
    RecordsUnavailable,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import after, on
from ocpp_twisted.plugins.local.keeping import Keeping
from ocpp_twisted.plugins.local.messages import answer, requests
from ocpp_twisted.plugins.local.store import facts
from ocpp_twisted.security.authority import (
    CertificateRequest,
    ICertificateAuthority,
    read_csr,
)
from ocpp_twisted.versions import CATALOGUES

__all__ = ["Signing"]

_log = Logger()

#: What is meant if a charge point names no type.
_USUAL = "ChargingStationCertificate"
#: How often a charge point may ask on one day (UTC), and of how many a request is kept: if there
#: are more, the oldest is forgotten.
_MOST_A_DAY = 20
_MOST_AT_ONCE = 10_000
#: Of how many it is counted how often they have asked.
_MOST_COUNTED = 100_000
#: The longest certificateChain there is, and where a charge point tells of its own limit.
_LONGEST_CHAIN = 10_000
_LIMIT_V16 = "CertificateSignedMaxChainSize"
_LIMIT_V2 = "SecurityCtrlr/MaxCertificateChainSize"
#: The longest additionalInfo of a StatusInfo in all versions.
_INFO = 512


@dataclass(slots=True, eq=False)
class _Asked:
    """A request that is being signed, or whose certificate waits to be sent.

    :ivar told_type: the certificate type that the charge point named; UNSET if it named none.
    :ivar hexadecimal: whether its CSR was DER in hexadecimal digits, and so is the certificate.
    :ivar charge_point: its newest connection.
    :ivar signing: what the authority has returned; None as long as it has not.
    :ivar refusal: why it is not signed.
    :ivar chain: the certificates, when they are there.
    :ivar is_open: whether the certificate may be sent: the request has its answer.
    :ivar is_being_sent: whether it is on its way.
    """

    request: CertificateRequest
    told_type: str | UnsetType
    hexadecimal: bool
    charge_point: IChargePoint
    signing: Deferred[Any] | None = None
    refusal: str | None = None
    chain: list[x509.Certificate] | None = None
    is_open: bool = False
    is_being_sent: bool = False


class Signing(Keeping):
    """Has certificates signed, and sends them.

    :ivar certificate_authority: who signs; None for nobody.
    """

    certificate_authority: ICertificateAuthority | None = None

    def __init__(self) -> None:
        super().__init__()
        self._signing: dict[Identity, dict[str, _Asked]] = {}
        self._today: tuple[date, Counter[Identity]] = (date.min, Counter())

    # -- what the charge point asks for -------------------------------------------------------

    @on(*requests("SignCertificate"))
    def sign_certificate(self, charge_point: IChargePoint, request: Request[Any]) -> Response:
        """Accepted if an authority signs it, or is about to (A02.FR.11, 12; A03.FR.11, 12).

        A stranger who could have a certificate for any id would come back with it.
        """
        if self.certificate_authority is None:
            return answer(request, status="Rejected")
        try:
            if not charge_point.security_profile:
                raise CertificateRefused(
                    "it has not proved who it is: certificates are for listeners with a "
                    "--security-profile"
                )
            self._ask(charge_point, request, self.certificate_authority)
        except CertificateRefused as refused:
            _log.warn(
                "certificate refused: {charge_point}: {reason}",
                charge_point=charge_point,
                reason=str(refused),
            )
            why: Any = {"reasonCode": "InvalidCSR", "additionalInfo": str(refused)[:_INFO]}
            if not hasattr(request.RESPONSE, "statusInfo"):
                why = UNSET
            return answer(request, status="Rejected", statusInfo=why)
        return answer(request, status="Accepted")

    def _ask(
        self, charge_point: IChargePoint, request: Any, authority: ICertificateAuthority
    ) -> None:
        """:raises CertificateRefused: if the request is refused at once."""
        identity = charge_point.identity
        self._count(identity)
        told = _told_type(request)
        kind = _USUAL if told is UNSET else told
        request_id = getattr(request, "requestId", UNSET)
        asked = _Asked(
            CertificateRequest(
                identity=identity,
                version=charge_point.version,
                certificate_type=kind,
                csr=read_csr(request.csr),
                request_id=None if request_id is UNSET else request_id,
            ),
            told,
            "-----BEGIN" not in request.csr,
            charge_point,
        )
        mine = self._signing.setdefault(identity, {})
        older, mine[kind] = mine.get(kind), asked
        if older is not None:
            _take_back(older)  # the charge point has made another key since
        if len(self._signing) > _MOST_AT_ONCE:
            for oldest in self._signing.pop(next(iter(self._signing))).values():
                _take_back(oldest)
        signing: Deferred[str] = maybeDeferred(authority.sign, asked.request)
        asked.signing = signing.addCallback(self._signed, asked)
        asked.signing.addErrback(self._refused, asked)
        if asked.refusal is not None:
            raise CertificateRefused(asked.refusal)

    def _count(self, identity: Identity) -> None:
        """:raises CertificateRefused: if that was too often."""
        today = self.now().date()
        if self._today[0] != today:
            self._today = today, Counter()
        if len(self._today[1]) >= _MOST_COUNTED:
            self._today[1].clear()
        self._today[1][identity] += 1
        if self._today[1][identity] > _MOST_A_DAY:
            raise CertificateRefused(f"it has asked more than {_MOST_A_DAY} times today")

    @after(*(each for each in requests("SignCertificate") if issubclass(each, Request)))
    def certificate_is_asked_for(
        self, charge_point: IChargePoint, request: Request[Any], response: Any
    ) -> None:
        """CertificateSigned follows the answer, never the other way round."""
        told = _told_type(request)
        kind = _USUAL if told is UNSET else told
        asked = self._signing.get(charge_point.identity, {}).get(kind)
        if response.status == "Accepted" and asked is not None:
            asked.is_open = True
            self._send(asked)

    # -- what the authority says --------------------------------------------------------------

    def _signed(self, pem: str, asked: _Asked) -> None:
        chain = x509.load_pem_x509_certificates(pem.encode())
        if chain[0].public_key() != asked.request.csr.public_key():
            raise CertificateRefused("the authority has signed another key than that of the CSR")
        asked.chain = chain
        self._send(asked)

    def _refused(self, failure: Failure, asked: _Asked) -> None:
        """Somebody has to look at it: the charge point will not be told (A02, error handling)."""
        if not self._is_newest(asked):
            return
        self._forget(asked)
        asked.refusal = "the certificate authority failed"
        if failure.check(CertificateRefused):
            asked.refusal = failure.getErrorMessage()
        else:
            _log.failure(
                "the certificate authority failed: {charge_point}",
                failure=failure,
                charge_point=asked.charge_point,
            )
        if asked.is_open:
            _log.error(
                "the certificate authority does not sign: {charge_point}: {reason}",
                charge_point=asked.charge_point,
                reason=asked.refusal,
            )

    # -- the certificate goes to the charge point ---------------------------------------------

    def certificates_wait_no_more(self, charge_point: IChargePoint) -> None:
        """It is online: what has been signed meanwhile is sent."""
        for asked in list(self._signing.get(charge_point.identity, {}).values()):
            asked.charge_point = charge_point
            asked.is_open = True
            self._send(asked)

    def _send(self, asked: _Asked) -> None:
        if asked.chain is None or not asked.is_open or asked.is_being_sent:
            return
        if not asked.charge_point.connected:
            return
        asked.is_being_sent = True
        limit = self._longest_chain(asked.charge_point)
        limit.addCallback(lambda longest: self._call(asked, longest))
        limit.addCallbacks(self._sent, self._not_sent, callbackArgs=(asked,), errbackArgs=(asked,))

    def _call(self, asked: _Asked, longest: int) -> Deferred[Any]:
        if not self._is_newest(asked):
            raise CertificateRefused("it has asked again meanwhile")
        return asked.charge_point.call(_certificate_signed(asked, longest))

    def _sent(self, response: object, asked: _Asked) -> None:
        self._forget(asked)  # what was answered is heard in `renewal`

    def _not_sent(self, failure: Failure, asked: _Asked) -> None:
        asked.is_being_sent = False
        final = failure.check(
            CallErrorReceived, InvalidResponse, LocalProtocolError, CertificateRefused
        )
        if not final and not failure.check(CallFailed):
            _log.failure("CertificateSigned cannot be sent", failure=failure)
            final = True
        if final:
            self._forget(asked)
        _log.warn(
            "CertificateSigned has not come to {charge_point}: {reason}",
            charge_point=asked.charge_point,
            reason=failure.getErrorMessage(),
        )

    def _longest_chain(self, charge_point: IChargePoint) -> Deferred[int]:
        kind, key = "variable", _LIMIT_V2
        if charge_point.version == "1.6":
            kind, key = "configuration", _LIMIT_V16
        found = self.store.run(facts.get, charge_point.identity, kind, key)
        return found.addCallbacks(_limit, _usual_limit)

    def _is_newest(self, asked: _Asked) -> bool:
        mine = self._signing.get(asked.request.identity, {})
        return mine.get(asked.request.certificate_type) is asked

    def _forget(self, asked: _Asked) -> None:
        if self._is_newest(asked):
            mine = self._signing[asked.request.identity]
            del mine[asked.request.certificate_type]
            if not mine:
                del self._signing[asked.request.identity]

    def stop_signing(self) -> None:
        """Take back what the authority was asked for."""
        signing, self._signing = self._signing, {}
        for mine in signing.values():
            for asked in mine.values():
                _take_back(asked)


def _take_back(asked: _Asked) -> None:
    if asked.signing is not None:
        asked.signing.cancel()


def _told_type(request: Any) -> str | UnsetType:
    told = getattr(request, "certificateType", getattr(request, "typeOfCertificate", UNSET))
    return told if told is UNSET else str(told)


def _certificate_signed(asked: _Asked, longest: int) -> Request[Any]:
    """The request of the version that the charge point speaks now.

    :raises CertificateRefused: if not even its own certificate fits.
    """
    assert asked.chain is not None
    # Roots need not be sent: "the necessary sub CA certificates" (whitepaper, section 5.1).
    first, *above = asked.chain
    chain = [first, *(each for each in above if each.issuer != each.subject)]
    texts = [_text(each, asked.hexadecimal) for each in chain]
    while sum(map(len, texts)) > longest:
        texts.pop()
        if not texts:
            raise CertificateRefused(
                f"its certificate is longer than the {longest} characters that it takes"
            )
    told: dict[str, Any] = {
        "certificateChain": "".join(texts),
        "certificateType": asked.told_type,
        "requestId": UNSET if asked.request.request_id is None else asked.request.request_id,
        "cert": texts,
        "typeOfCertificate": asked.told_type,
    }
    kind: Any = CATALOGUES[asked.charge_point.version].actions["CertificateSigned"].request
    fields = {
        name: told[name]
        for name in kind.__struct_fields__
        if name in told and told[name] is not UNSET
    }
    try:
        request: Request[Any] = msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise CertificateRefused(f"its certificate does not fit its version: {error}") from error
    return request


def _text(certificate: x509.Certificate, hexadecimal: bool) -> str:
    if hexadecimal:
        return certificate.public_bytes(Encoding.DER).hex()
    return certificate.public_bytes(Encoding.PEM).decode()


def _limit(known: Any) -> int:
    """The limit that a charge point has told: of its configuration (1.6), or a variable (2.x)."""
    if known is None:
        return _LONGEST_CHAIN
    values: list[Any] = [known.get("value")]
    values += [each.get("value") for each in known.get("variableAttribute", ())]
    numbers = [int(each) for each in values if str(each).isdecimal()]
    return min([_LONGEST_CHAIN, *(number for number in numbers if number)])


def _usual_limit(failure: Failure) -> int:
    failure.trap(RecordsUnavailable)
    return _LONGEST_CHAIN
