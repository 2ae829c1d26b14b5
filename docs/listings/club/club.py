from twisted.logger import Logger

from ocpp_twisted import v16
from ocpp_twisted.plugin import ActionPlugin, after, on

log = Logger()


class Club(ActionPlugin):
    name = "club"

    @on(v16.AuthorizeRequest)
    def authorize(self, charge_point, request):
        status = "Accepted" if request.idTag in ("ANNA", "BRUNO") else "Invalid"
        return v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status=status))

    @after(v16.MeterValuesRequest)
    async def stop_at_5000(self, charge_point, request, response):
        meter = int(request.meterValue[0].sampledValue[0].value)
        log.info("{id}: the meter is at {meter} Wh", id=charge_point.id, meter=meter)
        if meter >= 5000:
            stop = v16.RemoteStopTransactionRequest(transactionId=request.transactionId)
            answer = await charge_point.call(stop)
            log.info("{id}: asked to stop: {status}", id=charge_point.id, status=answer.status)
