"""Actions: the status of certificates, and the certificates of vehicles, of which there are none.

Imports the OCSP client and the plug-in base. Sources: OCPP 2.x use cases M01, M02 and M06. The
chapters on 2.1's vehicle certificates are not among the texts here: its schemas decide.
"""

from __future__ import annotations

import base64
from typing import Any

from msgspec import UNSET
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from ocpp_twisted import v20, v21, v201
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import on
from ocpp_twisted.plugins.local.keeping import Keeping
from ocpp_twisted.plugins.local.messages import answer, requests
from ocpp_twisted.plugins.local.refusals import UNSUPPORTED
from ocpp_twisted.security.ocsp import NoAnswer

__all__ = ["Certificates"]

_log = Logger()

#: How long ocspResult may be.
_LONGEST_RESULT = {"2.0": 5500, "2.0.1": 5500, "2.1": 18000}
#: How long additionalInfo may be in all versions.
_INFO = 512

_V2CertificateRequest = v201.Get15118EVCertificateRequest | v21.Get15118EVCertificateRequest


class Certificates(Keeping):
    """Asks OCSP responders, and fetches no certificates."""

    @on(v201.Get15118EVCertificateRequest, v21.Get15118EVCertificateRequest)
    def get_15118_ev_certificate(
        self, charge_point: IChargePoint, request: _V2CertificateRequest
    ) -> Response:
        """Failed. An answer for the EV is required by the schema; there is none to give."""
        return answer(request, status="Failed", statusInfo=UNSUPPORTED, exiResponse="")

    @on(v20.Get15118EVCertificateRequest)
    def get_15118_ev_certificate_v20(
        self, charge_point: IChargePoint, request: v20.Get15118EVCertificateRequest
    ) -> Response:
        """Failed. OCPP 2.0's schema also requires two certificate chains; they are empty."""
        nothing = {"certificate": ""}
        return answer(
            request,
            status="Failed",
            exiResponse="",
            saProvisioningCertificateChain=nothing,
            contractSignatureCertificateChain=nothing,
        )

    @on(v20.Update15118EVCertificateRequest)
    def update_15118_ev_certificate(
        self, charge_point: IChargePoint, request: v20.Update15118EVCertificateRequest
    ) -> Response:
        """Failed."""
        return answer(request, status="Failed")

    @on(*requests("GetCertificateStatus"))
    async def get_certificate_status(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Response:
        """What the certificate's OCSP responder answers, if it may be asked (M06).

        The charge point reads the answer, and checks its signature. 2.0 spells Failed as Rejected.
        """
        version = charge_point.version
        failed = "Rejected" if version == "2.0" else "Failed"
        if self.responders is None:
            return answer(request, status=failed, statusInfo=UNSUPPORTED)
        asked: Any = request
        hashes = asked.ocspRequestData
        try:
            # OCPP 2.0 may leave the URL out.
            url = "" if hashes.responderURL is UNSET else hashes.responderURL
            found = await self.responders.ask(hashes, url)
            result = base64.b64encode(found.der).decode()
            if len(result) > _LONGEST_RESULT[version]:
                raise NoAnswer("the responder's answer is longer than the version allows")
        except NoAnswer as why:
            _tell(charge_point, why)
            info = {"reasonCode": "InternalError", "additionalInfo": str(why)[:_INFO]}
            return answer(request, status=failed, statusInfo=info)
        return answer(request, status="Accepted", ocspResult=result)

    @on(v21.GetCertificateChainStatusRequest)
    async def get_certificate_chain_status(
        self, charge_point: IChargePoint, request: v21.GetCertificateChainStatusRequest
    ) -> Response:
        """The status of each, of the first of its responders that may be asked.

        Failed for those of which nobody says anything, and for those whose source is a CRL;
        their `nextUpdate` is now: this is nothing to remember.
        """
        asked = request.certificateStatusRequests
        found = [Deferred.fromCoroutine(self._status(charge_point, each)) for each in asked]
        return v21.GetCertificateChainStatusResponse(certificateStatus=await gatherResults(found))

    async def _status(
        self, charge_point: IChargePoint, asked: v21.CertificateStatusRequestInfoType
    ) -> v21.CertificateStatusType:
        status, next_update = v21.CertificateStatusEnumType.Failed, self.now()
        responders = self.responders
        if responders is not None and asked.source is v21.CertificateStatusSourceEnumType.OCSP:
            url = next((each for each in asked.urls if responders.allows(each)), asked.urls[0])
            try:
                found = await responders.ask(asked.certificateHashData, url)
                status = v21.CertificateStatusEnumType(found.status)
                next_update = found.next_update or next_update
            except NoAnswer as why:
                _tell(charge_point, why)
        return v21.CertificateStatusType(
            certificateHashData=asked.certificateHashData,
            source=asked.source,
            status=status,
            nextUpdate=next_update,
        )


def _tell(charge_point: IChargePoint, why: NoAnswer) -> None:
    _log.info(
        "no status of a certificate: {charge_point}: {reason}",
        charge_point=charge_point,
        reason=str(why),
    )
