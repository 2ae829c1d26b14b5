"""What becomes of a charge point's calls can be counted."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.charge_point import ChargePoint, Target
from ocpp_twisted.errors import CallErrorReceived
from ocpp_twisted.metrics import Messages
from ocpp_twisted.testing import BOOTS, Network


class ObservedTests(SynchronousTestCase):
    def test_its_calls_are_told(self) -> None:
        network, counted = Network(), Messages()
        target = Target.at("ws://central-system", "CP1")
        charge_point = ChargePoint(
            target, [BOOTS["1.6"]], network.clock, dialer=network, observer=counted
        )
        charge_point.start()
        network.run()
        asked = charge_point.call(v16.AuthorizeRequest(idTag="RED"))
        self.assertRaises(CallErrorReceived, network.result, asked)
        (told,) = [
            each.values for each in counted.measures() if each.name == "ocpp_outgoing_calls_total"
        ]
        self.assertEqual(
            dict(told),
            {
                ("1.6", "BootNotification", "CALLRESULT"): 1,
                ("1.6", "Authorize", "NotSupported"): 1,
            },
        )
