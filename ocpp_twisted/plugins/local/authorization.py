"""Actions: Authorize, of every version; and what is told of a tag in any answer.

Sources: OCPP 1.6 section 4.1; OCPP 2.x use cases C01 to C08, with 2.0.1 errata 2.4.1.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from twisted.internet.defer import Deferred

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Response
from ocpp_twisted.plugin import on
from ocpp_twisted.plugins.local.keeping import Keeping
from ocpp_twisted.plugins.local.messages import answer
from ocpp_twisted.plugins.local.rules import Decision
from ocpp_twisted.plugins.local.store.transactions import Token, authorize

__all__ = ["Authorization", "id_tag_info", "id_token_info"]

#: How long a token may be: 1.6's IdToken, 2.0's and 2.0.1's (2.1 takes 255).
_MOST_V16 = 20
_MOST_V2 = 36


def id_tag_info(decision: Decision) -> dict[str, Any]:
    """A decision as OCPP 1.6 tells it: without Unknown, and without a parent that is too long."""
    info: dict[str, Any] = {
        "status": "Invalid" if decision.status == "Unknown" else decision.status
    }
    if decision.expiry is not None:
        info["expiryDate"] = decision.expiry
    if decision.parent is not None and len(decision.parent) <= _MOST_V16:
        info["parentIdTag"] = decision.parent
    return info


def id_token_info(decision: Decision) -> dict[str, Any]:
    """A decision as OCPP 2.x tells it. A group that is too long is left out."""
    info: dict[str, Any] = {"status": decision.status}
    if decision.expiry is not None:
        info["cacheExpiryDateTime"] = decision.expiry
    if decision.parent is not None and len(decision.parent) <= _MOST_V2:
        info["groupIdToken"] = {"idToken": decision.parent, "type": "Central"}
    return info


class Authorization(Keeping):
    """Says who may charge, but vouches for no certificate."""

    @on(v16.AuthorizeRequest)
    def authorize_tag(
        self, charge_point: IChargePoint, request: v16.AuthorizeRequest
    ) -> Deferred[Response]:
        """What is decided of the tag."""

        def decide(token: Token | None) -> Deferred[Response]:
            assert token is not None
            return self.keep(authorize, token, "", self.now()).addCallback(
                lambda decision: answer(request, idTagInfo=id_tag_info(decision))
            )

        return self.with_token(charge_point, request.idTag, request, decide)

    @on(v20.AuthorizeRequest)
    def authorize_v20(
        self, charge_point: IChargePoint, request: v20.AuthorizeRequest
    ) -> Response | Deferred[Response]:
        """What is decided of the token, unless a contract certificate is to be checked."""
        certificate = request.iso15118CertificateHashData is not UNSET
        return self._authorized(charge_point, request, certificate)

    @on(v201.AuthorizeRequest, v21.AuthorizeRequest)
    def authorize(
        self, charge_point: IChargePoint, request: v201.AuthorizeRequest | v21.AuthorizeRequest
    ) -> Response | Deferred[Response]:
        """What is decided of the token, unless a contract certificate is to be checked."""
        hashes, chain = request.iso15118CertificateHashData, request.certificate
        return self._authorized(charge_point, request, hashes is not UNSET or chain is not UNSET)

    def _authorized(
        self,
        charge_point: IChargePoint,
        request: v20.AuthorizeRequest | v201.AuthorizeRequest | v21.AuthorizeRequest,
        certificate: bool,
    ) -> Response | Deferred[Response]:
        if certificate:
            # C07.FR.17 (2.0.1 errata 2.4.1): for a chain that cannot be verified, just these two.
            return answer(
                request, idTokenInfo={"status": "Invalid"}, certificateStatus="CertChainError"
            )

        def decide(token: Token | None) -> Deferred[Response]:
            assert token is not None
            return self.keep(authorize, token, request.idToken.type, self.now()).addCallback(
                lambda decision: answer(request, idTokenInfo=id_token_info(decision))
            )

        return self.with_token(charge_point, request.idToken.idToken, request, decide)
