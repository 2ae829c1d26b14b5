"""Actions: what asks for a certificate, or for the status of one. There is no authority here.

Sources: 1.6 security whitepaper A02.FR.12; OCPP 2.x use cases A02, M01, M02 and M06. The
chapters on 2.1's vehicle certificates are not among the texts here: its schemas decide.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ocpp_twisted import v20, v21, v201
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.local.messages import answer, requests
from ocpp_twisted.plugins.local.refusals import UNSUPPORTED

__all__ = ["Certificates"]

_V2CertificateRequest = v201.Get15118EVCertificateRequest | v21.Get15118EVCertificateRequest


class Certificates(ActionPlugin):
    """Signs nothing, fetches nothing, and vouches for nothing."""

    now: Callable[[], datetime]

    @on(*requests("SignCertificate"))
    def sign_certificate(self, charge_point: IChargePoint, request: Request[Any]) -> Response:
        """Rejected: "it is NOT able to process the request" (A02.FR.12)."""
        return answer(request, status="Rejected")

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

    @on(v201.GetCertificateStatusRequest, v21.GetCertificateStatusRequest)
    def get_certificate_status(
        self,
        charge_point: IChargePoint,
        request: v201.GetCertificateStatusRequest | v21.GetCertificateStatusRequest,
    ) -> Response:
        """Failed: no OCSP responder was asked."""
        return answer(request, status="Failed", statusInfo=UNSUPPORTED)

    @on(v20.GetCertificateStatusRequest)
    def get_certificate_status_v20(
        self, charge_point: IChargePoint, request: v20.GetCertificateStatusRequest
    ) -> Response:
        """Rejected, which is how OCPP 2.0 spells Failed."""
        return answer(request, status="Rejected")

    @on(v21.GetCertificateChainStatusRequest)
    def get_certificate_chain_status(
        self, charge_point: IChargePoint, request: v21.GetCertificateChainStatusRequest
    ) -> Response:
        """Failed for each; `nextUpdate` is now: this is nothing to remember."""
        now = self.now()
        return v21.GetCertificateChainStatusResponse(
            certificateStatus=[
                v21.CertificateStatusType(
                    certificateHashData=asked.certificateHashData,
                    source=asked.source,
                    status=v21.CertificateStatusEnumType.Failed,
                    nextUpdate=now,
                )
                for asked in request.certificateStatusRequests
            ]
        )
