from club import Club
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.testing import Network


class Wallbox(ActionPlugin):
    """What the charge point does when it is called."""

    name = "wallbox"
    stopped = None

    @on(v16.RemoteStopTransactionRequest)
    def remote_stop(self, link, request):
        self.stopped = request.transactionId
        return v16.RemoteStopTransactionResponse(status="Accepted")


class Rest(ActionPlugin):
    """Answers what the club leaves to the plug-in local."""

    name = "rest"

    @on(v16.MeterValuesRequest)
    def meter_values(self, charge_point, request):
        return v16.MeterValuesResponse()


class ClubTests(SynchronousTestCase):
    def setUp(self):
        self.network = Network(Club(), Rest())
        self.wallbox = Wallbox()
        self.charge_point = self.network.charge_point("CP1", "1.6", self.wallbox)

    def says(self, request):
        return self.network.result(self.charge_point.call(request))

    def meters(self, watt_hours):
        sampled = v16.SampledValue(value=str(watt_hours))
        value = v16.MeterValue(timestamp=self.charge_point.now(), sampledValue=[sampled])
        self.says(v16.MeterValuesRequest(connectorId=1, transactionId=7, meterValue=[value]))

    def test_members_may_charge(self):
        for tag, status in (("ANNA", "Accepted"), ("ZOE", "Invalid")):
            answer = self.says(v16.AuthorizeRequest(idTag=tag))
            self.assertEqual(answer.idTagInfo.status, status)

    def test_nobody_gets_more_than_5_kwh(self):
        self.meters(4999)
        self.network.run()
        self.assertIsNone(self.wallbox.stopped)
        self.meters(5000)
        self.network.run()
        self.assertEqual(self.wallbox.stopped, 7)

    def test_a_connection_that_is_lost_is_there_again(self):
        self.network.cut("CP1")
        self.assertFalse(self.charge_point.connected)
        self.network.run(seconds=60)
        self.assertTrue(self.charge_point.connected)
