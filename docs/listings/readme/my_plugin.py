from ocpp_twisted import v16
from ocpp_twisted.plugin import ActionPlugin, on


class MyPlugin(ActionPlugin):
    name = "mine"

    @on(v16.AuthorizeRequest)
    def authorize(self, charge_point, request):
        known = request.idTag in ("RED", "GREEN")
        status = v16.AuthorizationStatus.Accepted if known else v16.AuthorizationStatus.Invalid
        return v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status=status))
