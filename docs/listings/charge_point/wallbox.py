"""A charge point of OCPP 1.6 that charges one car, and obeys."""

import sys

from twisted.internet import defer, reactor
from twisted.internet.task import deferLater, react

from ocpp_twisted import v16
from ocpp_twisted.charge_point import ChargePoint
from ocpp_twisted.plugin import ActionPlugin, on


class Wallbox(ActionPlugin):
    name = "wallbox"

    def __init__(self):
        self.told_to_stop = defer.Deferred()

    @on(v16.RemoteStopTransactionRequest)
    def remote_stop(self, link, request):
        print("told to stop")
        self.told_to_stop.callback(None)
        return v16.RemoteStopTransactionResponse(status="Accepted")

    def charge_point_offline(self, link, reason, seconds):
        print("offline:", reason)


async def charge(charge_point, wallbox, tag):
    await charge_point.accepted()
    print("accepted, OCPP", charge_point.version)

    authorized = await charge_point.call(v16.AuthorizeRequest(idTag=tag))
    print(f"authorize {tag}:", authorized.idTagInfo.status)
    if authorized.idTagInfo.status != "Accepted":
        return

    started = await charge_point.queue(
        v16.StartTransactionRequest(
            connectorId=1, idTag=tag, meterStart=0, timestamp=charge_point.now()
        )
    )
    transaction, meter = started.transactionId, 0
    while not wallbox.told_to_stop.called:
        meter += 2500
        value = v16.MeterValue(
            timestamp=charge_point.now(), sampledValue=[v16.SampledValue(value=str(meter))]
        )
        await charge_point.queue(
            v16.MeterValuesRequest(connectorId=1, transactionId=transaction, meterValue=[value]),
            expendable=True,
        )
        await deferLater(reactor, 0.5)
    await charge_point.queue(
        v16.StopTransactionRequest(
            transactionId=transaction, meterStop=meter, timestamp=charge_point.now()
        )
    )
    print("stopped at", meter, "Wh")


async def main(reactor, url, tag):
    wallbox = Wallbox()
    boot = v16.BootNotificationRequest(chargePointVendor="Example", chargePointModel="One")
    charge_point = ChargePoint(url, [boot], reactor, [wallbox])
    charge_point.start()
    await charge(charge_point, wallbox, tag)
    await charge_point.stop()


react(lambda *arguments: defer.ensureDeferred(main(*arguments)), sys.argv[1:])
