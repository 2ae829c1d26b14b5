"""A charge point's own certificate: kept when it has accepted it, and renewed before it ends.

Imports the plug-in base and the store. Sources: 1.6 security whitepaper A02 and section 6.14; OCPP
2.x use case A02. A charge point asks by itself a month before the end (A03.FR.02), if it follows
the text; the central system asks those that do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from sqlalchemy import Connection
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.errors import CallFailed, LocalProtocolError, RecordsUnavailable
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActiveCaller, IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import on_result
from ocpp_twisted.plugins.local.signing import Signing
from ocpp_twisted.plugins.local.store import facts
from ocpp_twisted.security.authority import common_name, read_certificate

__all__ = ["Renewal"]

_log = Logger()

#: The kind of fact, with the type of certificate as its key.
_KIND = "chargePointCertificate"
_USUAL = "ChargingStationCertificate"
#: How many charge points' certificates are looked at in a step.
_STEP = 500

_TRIGGERS: dict[str, Request[Any]] = {
    "1.6": v16.ExtendedTriggerMessageRequest(
        requestedMessage=v16.MessageTriggerEnumType.SignChargePointCertificate
    ),
    "2.0": v20.TriggerMessageRequest(
        requestedMessage=v20.MessageTriggerEnumType.SignChargingStationCertificate
    ),
    "2.0.1": v201.TriggerMessageRequest(
        requestedMessage=v201.MessageTriggerEnumType.SignChargingStationCertificate
    ),
    "2.1": v21.TriggerMessageRequest(
        requestedMessage=v21.MessageTriggerEnumType.SignChargingStationCertificate
    ),
}


class Renewal(Signing):
    """Keeps when charge points' certificates end, and has them renewed in time.

    :ivar renewal_days: how many days before its end a certificate is renewed; 0 for never.
    """

    renewal_days = 30
    caller: IActiveCaller | None

    def __init__(self) -> None:
        super().__init__()
        self._renewing: Iterator[tuple[Identity, str]] = iter(())
        self._renewed: date | None = None

    @on_result(
        v16.CertificateSignedRequest,
        v20.CertificateSignedRequest,
        v201.CertificateSignedRequest,
        v21.CertificateSignedRequest,
    )
    def certificate_answered(
        self, charge_point: IChargePoint, request: Any, outcome: Any
    ) -> Deferred[Any] | None:
        """The certificate is kept if it was accepted, whoever has sent it."""
        if not isinstance(outcome, Response):
            return None
        told: Any = outcome
        if told.status != "Accepted":
            _log.warn(
                "security event: {charge_point} rejects the certificate that it was sent",
                charge_point=charge_point,
            )
            return None
        sent = msgspec.to_builtins(request)
        kind = sent.get("certificateType", sent.get("typeOfCertificate", _USUAL))
        text = sent["cert"][0] if "cert" in sent else sent["certificateChain"]
        try:
            known = _told_of(read_certificate(text))
        except ValueError:
            return None  # it has accepted what nobody can read
        _log.info(
            "{charge_point} has a certificate until {end}",
            charge_point=charge_point,
            end=known["validTo"],
        )
        return self.note(facts.is_so, charge_point.identity, _KIND, {kind: known}, self.now())

    @inlineCallbacks
    def renew_certificates(self) -> Any:
        """A step of the daily round: look at some charge points that are connected.

        Those whose certificate ends soon are asked to send a CSR (A02). One that cannot be asked
        today is asked tomorrow.
        """
        caller = self.caller
        if self.certificate_authority is None or caller is None or not self.renewal_days:
            return
        today = self.now().date()
        if self._renewed != today:
            self._renewed = today
            connected = yield caller.connected()
            self._renewing = iter([(each.identity, each.version) for each in connected])
        some = dict(islice(self._renewing, _STEP))
        if not some:
            return
        last = self.now() + timedelta(days=self.renewal_days)
        try:
            ending = yield self.store.run(_ending, list(some), last)
        except RecordsUnavailable:
            return
        for identity, end in ending:
            if identity not in self._signing:
                _log.info(
                    "the certificate of {identity} ends at {end}: it is asked to renew it",
                    identity=identity,
                    end=end,
                )
                asked = caller.call(identity, _TRIGGERS[some[identity]])
                asked.addCallback(_triggered, identity).addErrback(_not_triggered, identity)


def _ending(db: Connection, some: list[Identity], last: datetime) -> list[tuple[Identity, str]]:
    """Whose certificate has ended at `last`, and when it ends. A job."""
    found = []
    for identity in some:
        known = facts.get(db, identity, _KIND, _USUAL)
        if known is not None and datetime.fromisoformat(known["validTo"]) <= last:
            found.append((identity, known["validTo"]))
    return found


def _triggered(response: Any, identity: Identity) -> None:
    if response.status != "Accepted":
        _log.warn(
            "{identity} does not renew its certificate: {status}",
            identity=identity,
            status=str(response.status),
        )


def _not_triggered(failure: Failure, identity: Identity) -> None:
    failure.trap(CallFailed, LocalProtocolError)
    _log.info(
        "{identity} cannot be asked to renew its certificate: {reason}",
        identity=identity,
        reason=failure.getErrorMessage(),
    )


def _told_of(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "commonName": common_name(certificate.subject),
        "issuer": certificate.issuer.rfc4514_string(),
        "serialNumber": f"{certificate.serial_number:X}",
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        "validFrom": certificate.not_valid_before_utc.isoformat(),
        "validTo": certificate.not_valid_after_utc.isoformat(),
    }
