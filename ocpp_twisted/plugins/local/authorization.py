"""Actions: Authorize, of every version; and what is told of a tag in any answer.

Sources: OCPP 1.6 section 4.1; OCPP 2.x use cases C01 to C08, with 2.0.1 errata 2.4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, UnsetType
from twisted.internet.defer import Deferred, DeferredList

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
    """Says who may charge."""

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
        """What is decided of the token, once its contract certificate is known to be good."""
        return self._authorized(charge_point, request, UNSET)

    @on(v201.AuthorizeRequest, v21.AuthorizeRequest)
    def authorize(
        self, charge_point: IChargePoint, request: v201.AuthorizeRequest | v21.AuthorizeRequest
    ) -> Response | Deferred[Response]:
        """What is decided of the token, once its contract certificate is known to be good."""
        return self._authorized(charge_point, request, request.certificate)

    def _authorized(
        self,
        charge_point: IChargePoint,
        request: v20.AuthorizeRequest | v201.AuthorizeRequest | v21.AuthorizeRequest,
        chain: str | UnsetType,
    ) -> Response | Deferred[Response]:
        hashes = request.iso15118CertificateHashData
        if chain is not UNSET:
            # A chain that the charge point could not verify itself: no root is known here, either.
            return answer(request, **_REFUSED["Unknown"])

        def decide(token: Token | None) -> Deferred[Response]:
            assert token is not None
            return self.keep(authorize, token, request.idToken.type, self.now()).addCallback(
                lambda decision: answer(
                    request,
                    idTokenInfo=id_token_info(decision),
                    certificateStatus=UNSET if hashes is UNSET else _of_good(decision),
                )
            )

        def go_on(status: str) -> Response | Deferred[Response]:
            if status != "Good":
                return answer(request, **_REFUSED[status])
            return self.with_token(charge_point, request.idToken.idToken, request, decide)

        if hashes is UNSET:
            return go_on("Good")
        return Deferred.fromCoroutine(self._worst(hashes)).addCallback(go_on)

    async def _worst(self, chain: Sequence[Any]) -> str:
        """The worst status of a contract certificate and those above it."""
        responders = self.responders
        # OCPP 2.0 may leave a URL out.
        urls = ["" if each.responderURL is UNSET else each.responderURL for each in chain]
        # What is asked here decides on money: `*` is not enough, since anybody can set up a
        # responder.
        if responders is None or not all(map(responders.lists, urls)):
            return "Unknown"
        asked = [responders.ask(each, url) for each, url in zip(chain, urls, strict=True)]
        found = [
            told.status for done, told in await DeferredList(asked, consumeErrors=True) if done
        ]
        if "Revoked" in found:
            return "Revoked"
        return "Good" if found == ["Good"] * len(chain) else "Unknown"


#: What is told of a contract certificate that is not good: C07.FR.16 and 17.
_REFUSED: dict[str, dict[str, Any]] = {
    "Revoked": {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertificateRevoked"},
    "Unknown": {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"},
}


def _of_good(decision: Decision) -> str:
    """What is told of a contract certificate that is good: C07.FR.13 and 14."""
    refused = decision.status in ("Blocked", "Expired", "Invalid", "Unknown")
    return "ContractCancelled" if refused else "Accepted"
