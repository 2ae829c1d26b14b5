"""A plug-in that lets the tags of one car park charge."""

from __future__ import annotations

from ocpp_twisted import v16
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.plugin import ActionPlugin, on


class ParkingPlugin(ActionPlugin):
    name = "parking"

    def __init__(self, tags: set[str]) -> None:
        self.tags = {tag.casefold() for tag in tags}

    @on(v16.AuthorizeRequest)
    def authorize(
        self, charge_point: IChargePoint, request: v16.AuthorizeRequest
    ) -> v16.AuthorizeResponse:
        known = request.idTag.casefold() in self.tags
        status = v16.AuthorizationStatus.Accepted if known else v16.AuthorizationStatus.Invalid
        return v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status=status))
