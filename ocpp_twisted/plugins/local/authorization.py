"""Actions: Authorize, of every version.

Sources: OCPP 1.6 section 4.1; OCPP 2.x use cases C01 to C08, with 2.0.1 errata 2.4.1.
"""

from __future__ import annotations

from msgspec import UNSET

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Response
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.local.messages import answer

__all__ = ["ACCEPTED", "Authorization"]

#: An IdTagInfo (1.6) or IdTokenInfo (2.x): the tag may charge.
ACCEPTED = {"status": "Accepted"}


class Authorization(ActionPlugin):
    """Accepts every tag, but vouches for no certificate."""

    @on(v16.AuthorizeRequest)
    def authorize_tag(self, charge_point: IChargePoint, request: v16.AuthorizeRequest) -> Response:
        """Accepted."""
        return answer(request, idTagInfo=ACCEPTED)

    @on(v20.AuthorizeRequest)
    def authorize_v20(self, charge_point: IChargePoint, request: v20.AuthorizeRequest) -> Response:
        """Accepted, unless a contract certificate is to be checked."""
        return _authorized(request, certificate=request.iso15118CertificateHashData is not UNSET)

    @on(v201.AuthorizeRequest, v21.AuthorizeRequest)
    def authorize(
        self, charge_point: IChargePoint, request: v201.AuthorizeRequest | v21.AuthorizeRequest
    ) -> Response:
        """Accepted, unless a contract certificate is to be checked."""
        hashes, chain = request.iso15118CertificateHashData, request.certificate
        return _authorized(request, certificate=hashes is not UNSET or chain is not UNSET)


def _authorized(
    request: v20.AuthorizeRequest | v201.AuthorizeRequest | v21.AuthorizeRequest,
    certificate: bool,
) -> Response:
    if certificate:
        # C07.FR.17 (2.0.1 errata 2.4.1): for a chain that cannot be verified, exactly these two.
        return answer(
            request, idTokenInfo={"status": "Invalid"}, certificateStatus="CertChainError"
        )
    return answer(request, idTokenInfo=ACCEPTED)
