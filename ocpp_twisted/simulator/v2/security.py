"""Certificates, passwords and security events (functional blocks A and M).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases A01 to A04, M03 to M05.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from typing import Any

from cryptography import x509
from twisted.internet.interfaces import IDelayedCall

from ocpp_twisted.plugin import after, on
from ocpp_twisted.security.pem import read
from ocpp_twisted.simulator.certificates import Certificates
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.device_model import Key, Variable
from ocpp_twisted.simulator.v2.dialect import every, given

__all__ = ["Security"]

#: Kind of an own certificate to the use of the roots that it leads to.
_ROOTS = {
    "ChargingStationCertificate": "CSMSRootCertificate",
    "V2GCertificate": "V2GRootCertificate",
    "V2G20Certificate": "V2GRootCertificate",
}
_CSMS = "CSMSRootCertificate"
_STATION = "ChargingStationCertificate"
_MOST_EVENTS = 100
_MOST_ROOTS = 20
#: A passwordString (2.0.1 part 2, section 2.1.3).
_PASSWORD = re.compile(r"[A-Za-z0-9*\-_=:+|@.]*")


class Security(Block):
    """What is secret, what is trusted, and what is told of both."""

    name = "security"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self.certificates = Certificates(_MOST_ROOTS)
        self._events: deque[Any] = deque(maxlen=_MOST_EVENTS)
        self._signing: IDelayedCall | None = None
        self._knows_roots = False
        self._new_password = False
        self._requests = 0
        voice.live(
            "SecurityCtrlr",
            "CertificateEntries",
            lambda: str(sum(1 for _ in self.certificates.roots())),
        )
        voice.live(
            "SecurityCtrlr",
            "SecurityProfile",
            lambda: str(self.station.charge_point.target.security_profile),
        )
        password = self.model.find(Key("SecurityCtrlr", "BasicAuthPassword"))
        assert isinstance(password, Variable)
        password.accepts = lambda text: _PASSWORD.fullmatch(text) is not None

    def started(self) -> None:
        """See `Block`."""
        self.event("StartupOfTheDevice")

    def online(self) -> None:
        """See `Block`: what has happened meanwhile is told (A04)."""
        waiting, self._events = self._events, deque(maxlen=_MOST_EVENTS)
        self.call_in_turn(waiting)

    def powered_off(self) -> None:
        """See `Block`."""
        self._signing = None

    def event(self, kind: str, more: str | None = None) -> None:
        """Tell of a security event; if nobody hears it, later."""
        request = self.make(
            "SecurityEventNotificationRequest", type=kind, timestamp=self.now(), techInfo=more
        )
        if self.station.charge_point.connected:
            self.send(request)
        else:
            self._events.append(request)

    # -- passwords ----------------------------------------------------------------------------

    def watch(self, component: str, variable: str) -> None:
        """The central system has given another password."""
        if (component, variable) == ("SecurityCtrlr", "BasicAuthPassword"):
            charge_point = self.station.charge_point
            secret = self.model.text(component, variable).encode()
            charge_point.target = replace(charge_point.target, password=secret)
            self._new_password = True

    @after(*every("SetVariables"))
    def variables_set(self, link: Any, request: Any, response: Any) -> None:
        """With a new password it connects anew (A01.FR.10 and FR.11)."""
        if self._new_password:
            self._new_password = False
            self.event("ReconfigurationOfSecurityParameters")
            self.station.charge_point.reconnect()

    # -- its own certificates (A02, A03) ------------------------------------------------------

    def sign(self, kind: str | None = _STATION, attempt: int = 0) -> None:
        """Ask for a certificate for a new key; again if none comes (A02.FR.17 to FR.19)."""
        own = kind if kind is not None else _STATION
        name = self.station.id if own == _STATION else self.station.hardware.serial
        organization = self.model.text("SecurityCtrlr", "OrganizationName")
        csr = self.certificates.request(own, name or self.station.id, organization)
        self._requests += 1
        asked = self.call(
            "SignCertificate", csr=csr, certificateType=kind, requestId=self._requests
        )
        asked.addCallback(self._asked, kind, attempt)

    def _asked(self, response: Any, kind: str | None, attempt: int) -> None:
        repeats = self.model.integer("SecurityCtrlr", "CertSigningRepeatTimes")
        if response is None or response.status != "Accepted" or attempt >= repeats:
            return
        seconds = self.model.integer("SecurityCtrlr", "CertSigningWaitMinimum") * 2**attempt
        self._stop_waiting()
        self._signing = self.later(seconds, lambda: self.sign(kind, attempt + 1))

    def _stop_waiting(self) -> None:
        if self._signing is not None:
            self.voice.timers.stop(self._signing)
            self._signing = None

    @on(*every("CertificateSigned"))
    def certificate_signed(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        self._know_roots()
        kind = str(given(request, "certificateType") or _STATION)
        wrong = self.certificates.take(
            kind, request.certificateChain, _ROOTS.get(kind, _CSMS), self.now()
        )
        if not wrong:
            self._stop_waiting()
        return self.make(
            "CertificateSignedResponse",
            status="Rejected" if wrong else "Accepted",
            statusInfo=self.reason("InvalidCertificate", wrong) if wrong else None,
        )

    @after(*every("CertificateSigned"))
    def certificate_taken(self, link: Any, request: Any, response: Any) -> None:
        """A bad one is told of; a good one is shown as soon as it is valid (A02.FR.08)."""
        if response.status != "Accepted":
            self.event("InvalidChargingStationCertificate")
            return
        first = x509.load_pem_x509_certificate(request.certificateChain.encode())
        self.later((first.not_valid_before_utc - self.now()).total_seconds(), self._show_newest)

    def _show_newest(self) -> None:
        if self.station.charge_point.target.security_profile == 3:
            self._trust_and_show()
            self.station.charge_point.reconnect()

    def _trust_and_show(self) -> None:
        """The next connection trusts what is installed now, and shows the newest certificate."""
        charge_point, now = self.station.charge_point, self.now()
        old, shows = charge_point.target.tls, charge_point.target.security_profile == 3
        tls = replace(
            self.certificates.tls(_CSMS, _STATION if shows else "", now), verify=old.verify
        )
        if shows and tls.cert is None:  # it has none but what it was made with
            tls = replace(tls, cert=old.cert, key=old.key)
        charge_point.target = replace(charge_point.target, tls=tls)

    def _know_roots(self) -> None:
        """What it was made with is installed, too."""
        path = self.station.charge_point.target.tls.ca
        if path is not None and not self._knows_roots:
            self.certificates.trust(_CSMS, read(path, "root", x509.load_pem_x509_certificates))
        self._knows_roots = True

    def _trust_anew(self) -> None:
        target = self.station.charge_point.target
        if target.secure and target.tls.ca is not None:
            self._trust_and_show()

    # -- whom it trusts (M03 to M05) ----------------------------------------------------------

    @on(*every("InstallCertificate"))
    def install_certificate(self, link: Any, request: Any) -> Any:
        """See OCPP, M05."""
        self._know_roots()
        use = str(request.certificateType)
        status = self.certificates.install(use, request.certificate, self.now())
        if status == "Accepted" and use == _CSMS:
            self._trust_anew()
        return self.make("InstallCertificateResponse", status=status)

    @on(*every("DeleteCertificate"))
    def delete_certificate(self, link: Any, request: Any) -> Any:
        """See OCPP, M04; its own one it keeps (M04.FR.06)."""
        self._know_roots()
        wanted = request.certificateHashData
        own = self.certificates.own(_STATION, self.now())
        if own is not None and self._is(own.certificate, wanted):
            status = "Failed"
        else:
            in_use = [_CSMS] if self.station.charge_point.target.secure else []
            status = self.certificates.delete(wanted, in_use)
            if status == "Accepted":
                self._trust_anew()
        return self.make("DeleteCertificateResponse", status=status)

    def _is(self, certificate: Any, wanted: Any) -> bool:
        named = self.certificates.named(certificate, str(wanted.hashAlgorithm))
        serial_number: str = wanted.serialNumber.lower().lstrip("0")
        return named.serialNumber == serial_number and (
            named.issuerKeyHash == str(wanted.issuerKeyHash).lower()
        )

    @on(*every("GetInstalledCertificateIds"))
    def get_installed(self, link: Any, request: Any) -> Any:
        """See OCPP, M03; those that the version cannot name are left out."""
        self._know_roots()
        wanted = given(request, "certificateType")
        chains = [
            self._chain(use, [certificate])
            for use, certificate in self.certificates.roots()
            if (wanted is None or use in wanted)
            and len(f"{certificate.serial_number:x}") <= self.voice.dialect.serial_number
        ]
        v2g = self.certificates.own("V2GCertificate", self.now())
        if v2g is not None and (wanted is None or "V2GCertificateChain" in wanted):
            chains.append(self._chain("V2GCertificateChain", v2g.chain))
        return self.make(
            "GetInstalledCertificateIdsResponse",
            status="Accepted" if chains else "NotFound",
            certificateHashDataChain=chains or None,
        )

    def _chain(self, use: str, chain: Any) -> Any:
        first, *more = (
            self.make("CertificateHashDataType", **self.certificates.named(each)._asdict())
            for each in chain
        )
        made = self.make(
            "CertificateHashDataChainType",
            certificateType=use,
            certificateHashData=first,
            childCertificateHashData=more or None,
        )
        return first if made is None else made  # 2.0 has no chains
