from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.plugins.local import LocalPlugin
from tests.plugins.local.wire import Site


class Wire(SynchronousTestCase):
    def test_boot_notification_v16(self) -> None:
        answer = (
            Site()
            .connect("ocpp1.6")
            .says(
                '[2,"1","BootNotification",{"chargePointVendor":"Acme","chargePointModel":"One"}]'
            )
        )
        self.assertEqual(
            '[3,"1",{"status":"Accepted","currentTime":"2024-05-01T12:00:00Z","interval":300}]',
            answer,
        )

    def test_boot_notification_v2(self) -> None:
        station = {"model": "One", "vendorName": "Acme"}
        for version in ("ocpp2.0", "ocpp2.0.1", "ocpp2.1"):
            charge_point = Site().connect(version)
            answer = charge_point.calls(
                "BootNotification", reason="PowerUp", chargingStation=station
            )
            self.assertEqual(
                {"currentTime": "2024-05-01T12:00:00Z", "interval": 300, "status": "Accepted"},
                answer,
            )

    def test_heartbeat(self) -> None:
        for version in ("ocpp1.6", "ocpp2.0", "ocpp2.0.1", "ocpp2.1"):
            self.assertEqual(
                '[3,"1",{"currentTime":"2024-05-01T12:00:00Z"}]',
                Site().connect(version).says('[2,"1","Heartbeat",{}]'),
            )


class Configuration(SynchronousTestCase):
    def test_plugin_keeps_its_promises(self) -> None:
        self.assertTrue(verifyObject(IActionPlugin, LocalPlugin()))

    def test_heartbeat_interval(self) -> None:
        site = Site()
        site.plugin.start(site.central_system, {"heartbeat_interval": 60, "authorize": "open"})
        answer = site.connect("ocpp1.6").calls(
            "BootNotification", chargePointVendor="Acme", chargePointModel="One"
        )
        self.assertEqual(60, answer["interval"])

    def test_refuses_what_it_cannot_use(self) -> None:
        self.refuses({"heartbeat_interval": 0}, "heartbeat_interval is 0;")
        self.refuses({"heartbeat_interval": "60"}, "heartbeat_interval is '60';")
        self.refuses({"heartbeat_interval": True}, "heartbeat_interval is True;")
        self.refuses({"authorize": "list"}, "authorize is 'list'; \"open\" is all")
        self.refuses({"hartbeat": 60}, "there is no option 'hartbeat'")

    def refuses(self, config: dict[str, Any], text: str) -> None:
        site = Site()
        error = self.assertRaises(
            ConfigurationError, site.plugin.start, site.central_system, config
        )
        self.assertIn(text, str(error))
