"""Certificates, keys, profiles and events: what the security whitepaper adds to OCPP 1.6.

Imports its neighbours, the charge point's side and the messages of 1.6. Source: OCPP 1.6 security
whitepaper A01 to A05 and M03 to M05, chapters 7 and 8.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from msgspec import UNSET
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.charge_point import Target
from ocpp_twisted.errors import CallNotAllowed, ConnectionLost, NotConnected, QueueFull
from ocpp_twisted.plugin import ActionPlugin, after, on
from ocpp_twisted.security.pem import read
from ocpp_twisted.simulator.certificates import Certificates
from ocpp_twisted.v16 import (
    CertificateHashDataType,
    CertificateSignedRequest,
    CertificateSignedResponse,
    CertificateSignedStatusEnumType,
    DeleteCertificateRequest,
    DeleteCertificateResponse,
    DeleteCertificateStatusEnumType,
    GetInstalledCertificateIdsRequest,
    GetInstalledCertificateIdsResponse,
    GetInstalledCertificateStatusEnumType,
    HashAlgorithmEnumType,
    InstallCertificateRequest,
    InstallCertificateResponse,
    InstallCertificateStatusEnumType,
    Reason,
    SecurityEventNotificationRequest,
    SignCertificateRequest,
)

if TYPE_CHECKING:
    from ocpp_twisted.simulator.voice16 import Voice16

__all__ = ["Security"]

_log = Logger()

_ROOT = "CentralSystemRootCertificate"
_MAKER = "ManufacturerRootCertificate"
_OWN = "ChargePointCertificate"
#: Events that are kept, and events that wait to be told.
_MOST_EVENTS = 1000
_MOST_WAITING = 100
#: Seconds to connect with a new security profile, before the old one is tried again (A05.FR.08).
_PROFILE_PATIENCE = 60.0
#: How long before its end a certificate is replaced (A03.FR.02).
_BEFORE_ITS_END = timedelta(days=30)


class Security(ActionPlugin):
    """See above.

    :ivar certificates: those that it trusts, and its own.
    :ivar events: (time, type, more) of the latest security events: the security log.
    """

    name = "security"

    def __init__(self, voice: Voice16) -> None:
        self._voice = voice
        limit = voice.configuration.number("CertificateStoreMaxLength")
        self.certificates = Certificates(limit)
        self.events: deque[tuple[datetime, str, str]] = deque(maxlen=_MOST_EVENTS)
        self._waiting: deque[SecurityEventNotificationRequest] = deque(maxlen=_MOST_WAITING)
        self._telling = False
        self._knows_roots = False
        self._old_target: Target | None = None
        self._giving_up: IDelayedCall | None = None
        self._switching: IDelayedCall | None = None

    # -- life's events ------------------------------------------------------------------------

    def started(self) -> None:
        """The charge point has booted."""
        self.happened("StartupOfTheDevice", tell=self._has_profile())
        self._renew()
        self.online()

    def online(self) -> None:
        """There is a connection: what it was made with has proved to work."""
        self._old_target = None
        self._cancel_giving_up()
        if self._voice.configuration.flag("AdditionalRootCertificateCheck") and self._target.secure:
            self.certificates.drop_fallback(_ROOT)  # M05.FR.12
        self._tell_next()

    def restarted(self, reason: Reason) -> None:
        """It is about to start anew."""
        self.happened("ResetOrReboot", reason.value, tell=self._has_profile())

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._cancel_giving_up()
        if self._switching is not None:
            self._switching.cancel()
            self._switching = None

    # -- events -------------------------------------------------------------------------------

    def happened(self, kind: str, more: str = "", tell: bool = False) -> None:
        """Something has happened that the security log keeps (A04).

        :param kind: the wire's word.
        :param tell: whether the central system is told: it is critical, or has to be told.
        """
        now = self._voice.now()
        self.events.append((now, kind, more))
        if tell:
            self._waiting.append(
                SecurityEventNotificationRequest(
                    type=kind, timestamp=now, techInfo=more[:255] or UNSET
                )
            )
            self._tell_next()

    def _tell_next(self) -> None:
        """A04.FR.02: what could not be told waits for the next connection."""
        if self._waiting and not self._telling and self._voice.online_now():
            self._telling = True
            event = self._waiting[0]
            telling = self._voice.call(event)
            telling.addCallbacks(lambda _: True, self._not_told)
            telling.addCallback(self._told, event)

    def _not_told(self, failure: Failure) -> bool:
        _log.info("SecurityEventNotification has no answer: {error}", error=failure.value)
        return not failure.check(NotConnected, ConnectionLost, CallNotAllowed, QueueFull)

    def _told(self, done: bool, event: SecurityEventNotificationRequest) -> None:
        self._telling = False
        if done:
            if self._waiting and self._waiting[0] is event:
                self._waiting.popleft()
            self._tell_next()

    # -- key and profile (A01, A05) -----------------------------------------------------------

    def may_set_profile(self, value: str) -> bool:
        """Whether all is there that a security profile needs (A05.FR.01 to 05)."""
        profile, target = int(value), self._target
        if profile <= target.security_profile:
            return False
        if profile in (1, 2) and self._password() is None:
            return False
        if profile in (2, 3):
            reachable = target.secure or bool(self._voice.secure_url)
            if not reachable or not list(self._roots(_ROOT)):
                return False
        return profile != 3 or self.certificates.own(_OWN, self._voice.now()) is not None

    def configured(self, key: str) -> None:
        """A value has been changed that the next connection is made with; it has been answered."""
        if key == "authorizationkey":
            self.happened("ReconfigurationOfSecurityParameters", "AuthorizationKey")
            if self._target.security_profile in (1, 2):
                self._reconnect(replace(self._target, password=self._password()))
        elif key == "securityprofile":
            self.happened("ReconfigurationOfSecurityParameters", "SecurityProfile")
            self._old_target = self._target
            profile = self._voice.configuration.number("SecurityProfile")
            self._reconnect(self._target_of(profile))
            self._cancel_giving_up()
            clock = self._voice.station.clock
            self._giving_up = clock.callLater(_PROFILE_PATIENCE, self._give_up)

    def _target_of(self, profile: int) -> Target:
        target, secure_url = self._target, self._voice.secure_url
        url = target.url
        if profile > 1 and secure_url:
            url = Target.at(secure_url, target.id).url
        password = self._password() if profile < 3 else None
        tls = self._tls(profile == 3) if profile > 1 else target.tls
        return replace(target, url=url, password=password, tls=tls)

    def _give_up(self) -> None:
        """A05.FR.08: it cannot connect with the new profile."""
        self._giving_up = None
        if self._old_target is not None:
            old, self._old_target = self._old_target, None
            self._reconnect(old)

    def _cancel_giving_up(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def _reconnect(self, target: Target) -> None:
        self._voice.station.charge_point.target = target
        self._voice.station.charge_point.reconnect()

    def _password(self) -> bytes | None:
        key = self._voice.configuration["AuthorizationKey"]
        return bytes.fromhex(key) if key else self._target.password

    # -- its own certificate (A02, A03) -------------------------------------------------------

    def request_certificate(self) -> None:
        """Make a new key, and ask for a certificate."""
        station, cpo = self._voice.station, self._voice.configuration["CpoName"]
        name = station.hardware.serial or station.id
        self._voice.say(SignCertificateRequest(csr=self.certificates.request(_OWN, name, cpo)))

    def _renew(self) -> None:
        """A03: the certificate ends soon."""
        now = self._voice.now()
        own = self.certificates.own(_OWN, now)
        if not self._voice.configuration["CpoName"]:
            return  # A03, prerequisites
        if own is not None and own.certificate.not_valid_after_utc < now + _BEFORE_ITS_END:
            self.request_certificate()

    @on(CertificateSignedRequest)
    def certificate_signed(
        self, link: Any, request: CertificateSignedRequest
    ) -> CertificateSignedResponse:
        """Taken if it is good (A02.FR.06)."""
        self._roots(_ROOT)
        most = self._voice.configuration.number("CertificateSignedMaxChainSize")
        why = "it is too long"
        if len(request.certificateChain) <= most:
            chain, now = request.certificateChain, self._voice.now()
            why = self.certificates.take(_OWN, chain, _ROOT, now)
        status = CertificateSignedStatusEnumType.Accepted
        if why:
            _log.info("a signed certificate is refused: {why}", why=why)
            status = CertificateSignedStatusEnumType.Rejected
        return CertificateSignedResponse(status=status)

    @after(CertificateSignedRequest)
    def has_certificate(
        self, link: Any, request: CertificateSignedRequest, response: CertificateSignedResponse
    ) -> None:
        """It is used as soon as it is valid (A02.FR.08)."""
        if response.status is not CertificateSignedStatusEnumType.Accepted:
            self.happened("InvalidChargePointCertificate", tell=True)
            return
        first = x509.load_pem_x509_certificate(request.certificateChain.encode())
        seconds = (first.not_valid_before_utc - self._voice.now()).total_seconds()
        if self._switching is not None:
            self._switching.cancel()
        self._switching = self._voice.station.clock.callLater(max(seconds, 0.0), self._switch)

    def _switch(self) -> None:
        self._switching = None
        if self._target.security_profile == 3:
            self._reconnect(replace(self._target, tls=self._tls(True)))

    # -- roots (M03 to M05) -------------------------------------------------------------------

    def signer_is_good(self, certificate: str) -> bool:
        """Whether firmware may be signed with a certificate (L01.FR.23)."""
        return self.certificates.signer_is_good(certificate, _MAKER, self._voice.now())

    @on(GetInstalledCertificateIdsRequest)
    def installed(
        self, link: Any, request: GetInstalledCertificateIdsRequest
    ) -> GetInstalledCertificateIdsResponse:
        """The hashes of those of a use."""
        found = [
            CertificateHashDataType(
                hashAlgorithm=HashAlgorithmEnumType(named.hashAlgorithm),
                issuerNameHash=named.issuerNameHash,
                issuerKeyHash=named.issuerKeyHash,
                serialNumber=named.serialNumber,
            )
            for named in map(self.certificates.named, self._roots(request.certificateType.value))
        ]
        statuses = GetInstalledCertificateStatusEnumType
        return GetInstalledCertificateIdsResponse(
            status=statuses.Accepted if found else statuses.NotFound,
            certificateHashData=found or UNSET,
        )

    @on(InstallCertificateRequest)
    def install(self, link: Any, request: InstallCertificateRequest) -> InstallCertificateResponse:
        """Trusted from now on, if it is good."""
        use, flag = request.certificateType.value, self._voice.configuration.flag
        self._roots(use)
        replacing = use == _ROOT and flag("AdditionalRootCertificateCheck")
        status = self.certificates.install(use, request.certificate, self._voice.now(), replacing)
        if status == "Accepted" and use == _ROOT:
            self._trust_anew()
        return InstallCertificateResponse(status=InstallCertificateStatusEnumType(status))

    @on(DeleteCertificateRequest)
    def delete(self, link: Any, request: DeleteCertificateRequest) -> DeleteCertificateResponse:
        """Not if the connection stands on it (M04.FR.06)."""
        self._roots(_ROOT)
        in_use = [_ROOT] if self._target.secure else []
        status = self.certificates.delete(request.certificateHashData, in_use)
        if status == "Accepted":
            self._trust_anew()
        return DeleteCertificateResponse(status=DeleteCertificateStatusEnumType(status))

    # -----------------------------------------------------------------------------------------

    def _trust_anew(self) -> None:
        """The next connection trusts the roots that are installed now."""
        target = self._target
        if target.secure and target.tls.ca is not None:
            tls = self._tls(target.security_profile == 3)
            self._voice.station.charge_point.target = replace(target, tls=tls)

    @property
    def _target(self) -> Target:
        return self._voice.station.charge_point.target

    def _has_profile(self) -> bool:
        """Whether the central system knows the whitepaper, as far as one can see."""
        return self._target.security_profile > 0

    def _roots(self, use: str) -> list[x509.Certificate]:
        if not self._knows_roots:
            self._knows_roots = True
            path = self._target.tls.ca
            if path is not None:
                maker = read(path, "certificate", x509.load_pem_x509_certificates)
                self.certificates.trust(_ROOT, maker)
        return [each for _, each in self.certificates.roots(use)]

    def _tls(self, with_certificate: bool) -> Any:
        old = self._target.tls
        new = self.certificates.tls(_ROOT, _OWN if with_certificate else "", self._voice.now())
        if with_certificate and new.cert is None:  # it has none but what it was made with
            new = replace(new, cert=old.cert, key=old.key)
        return replace(new, verify=old.verify)
