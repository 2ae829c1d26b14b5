from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.plugins.local.store.writer import Runner
from ocpp_twisted.records import ChargePoint, IRecords
from tests.plugins.local.wire import NOW, Site, at, of


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


class Admission(SynchronousTestCase):
    """Who is accepted when it boots."""

    def boots(self, site: Site, subprotocol: str = "ocpp1.6", name: str = "CP1") -> str:
        charge_point = site.connect(subprotocol, name)
        if subprotocol == "ocpp1.6":
            boot: dict[str, Any] = {"chargePointVendor": "Acme", "chargePointModel": "One"}
        else:
            station = {"model": "One", "vendorName": "Acme"}
            boot = {"reason": "PowerUp", "chargingStation": station}
        status: str = charge_point.calls("BootNotification", **boot)["status"]
        return status

    def test_any(self) -> None:
        site = Site()
        of(site.plugin.put_charge_point("CP2", "Rejected"))
        of(site.plugin.put_charge_point("CP3", "Pending"))
        told = [self.boots(site, name=name) for name in ("CP1", "CP2", "CP3")]
        self.assertEqual(["Accepted", "Rejected", "Pending"], told)

    def test_known(self) -> None:
        for subprotocol in ("ocpp1.6", "ocpp2.0", "ocpp2.0.1", "ocpp2.1"):
            site = Site(charge_points="known")
            self.assertEqual("Rejected", self.boots(site, subprotocol))
            of(site.plugin.put_charge_point("CP1"))
            self.assertEqual("Accepted", self.boots(site, subprotocol))
            of(site.plugin.delete_charge_point("CP1"))
            self.assertEqual("Rejected", self.boots(site, subprotocol))

    def test_what_is_rejected_may_say_nothing_else(self) -> None:
        site = Site(charge_points="known")
        self.boots(site)
        answer = site.connect("ocpp1.6").says('[2,"x","Authorize",{"idTag":"A"}]')
        self.assertIn("SecurityError", answer or "")

    def test_who_does_not_boot_may_send_nothing_either(self) -> None:
        heartbeat = '[2,"%d","Heartbeat",{}]'
        for subprotocol in ("ocpp1.6", "ocpp2.0.1"):
            site = Site(charge_points="known")
            charge_point = site.connect(subprotocol)
            self.assertIn("SecurityError", charge_point.says(heartbeat % 1))
            of(site.plugin.put_charge_point("CP1"))
            self.assertIn("currentTime", charge_point.says(heartbeat % 2))
            of(site.plugin.put_charge_point("CP1", "Rejected"))
            self.assertIsNone(charge_point.says(heartbeat % 3))  # its connection is closed
            charge_point = site.connect(subprotocol)
            self.assertIn("SecurityError", charge_point.says(heartbeat % 3))
            of(site.plugin.delete_charge_point("CP1"))
            self.assertIn("SecurityError", charge_point.says(heartbeat % 4))


class Known(SynchronousTestCase):
    """What is known of a charge point."""

    def test_v16(self) -> None:
        site = Site()
        boot = {
            "chargePointVendor": "Acme",
            "chargePointModel": "One",
            "chargePointSerialNumber": "S1",
            "firmwareVersion": "1.0",
        }
        site.connect("ocpp1.6").calls("BootNotification", **boot)
        expected = ChargePoint(
            id="CP1",
            registrationStatus="Accepted",
            version="1.6",
            versions=("1.6",),
            peer="192.0.2.1",
            vendorName="Acme",
            model="One",
            serialNumber="S1",
            firmwareVersion="1.0",
            boot=boot,
            lastBoot=NOW,
            lastSeen=NOW,
        )
        self.assertEqual(expected, of(site.plugin.get_charge_point("CP1")))

    def test_v2(self) -> None:
        for version in ("2.0", "2.0.1", "2.1"):
            site = Site()
            station = {"model": "One", "vendorName": "Acme", "serialNumber": "S1"}
            boot = {"reason": "PowerUp", "chargingStation": station}
            site.connect(f"ocpp{version}").calls("BootNotification", **boot)
            known = of(site.plugin.get_charge_point("CP1"))
            self.assertEqual(boot, known.boot)
            told = (known.vendorName, known.model, known.serialNumber, known.bootReason)
            self.assertEqual(("Acme", "One", "S1", "PowerUp"), told)
            self.assertEqual((version, (version,)), (known.version, known.versions))

    def test_versions_add_up(self) -> None:
        site = Site()
        for subprotocol in ("ocpp2.1", "ocpp1.6"):
            site.connect(subprotocol).calls("Heartbeat")
            known = of(site.plugin.get_charge_point("CP1"))
        self.assertEqual(("1.6", ("1.6", "2.1")), (known.version, known.versions))

    def test_those_who_are_written_together_are_told_apart(self) -> None:
        site = Site()
        for subprotocol, name in (("ocpp2.1", "a"), ("ocpp1.6", "b"), ("ocpp2.0.1", "a")):
            site.connect(subprotocol, name=name).calls("Heartbeat")
        known = [of(site.plugin.get_charge_point(Identity("CP1", name))) for name in "ab"]
        self.assertEqual(["2.0.1", "1.6"], [each.version for each in known])
        site.connect("ocpp1.6", name="a").calls("Heartbeat")
        site.connect("ocpp1.6", name="b").calls("Heartbeat")
        known = [of(site.plugin.get_charge_point(Identity("CP1", name))) for name in "ab"]
        self.assertEqual([("1.6", "2.0.1"), ("1.6",)], [each.versions for each in known])

    def test_heartbeat_is_written_later(self) -> None:
        site = Site()
        charge_point = site.connect("ocpp1.6")
        of(site.plugin.get_charge_point("CP1"))
        jobs = []
        site.plugin._store = Counting(site.plugin.store, jobs)
        site.time = at(5)
        charge_point.calls("Heartbeat")
        self.assertEqual([], jobs)
        self.assertEqual(at(5), of(site.plugin.get_charge_point("CP1")).lastSeen)

    def test_what_waits_to_be_written_has_an_end(self) -> None:
        site = Site()
        for number in range(10_001):
            site.connect("ocpp1.6", f"CP{number}")
        self.assertEqual(1, len(site.plugin._last_heard))


class Counting:
    """Runs jobs, and counts them."""

    healthy = True

    def __init__(self, runner: Runner, jobs: list[Any]) -> None:
        self._runner, self._jobs = runner, jobs

    def run(self, job: Any, *args: Any, **kwargs: Any) -> Any:
        self._jobs.append(job)
        return self._runner.run(job, *args, **kwargs)

    def stop(self) -> Any:
        return self._runner.stop()


class Configuration(SynchronousTestCase):
    def test_plugin_keeps_its_promises(self) -> None:
        self.assertTrue(verifyObject(IActionPlugin, LocalPlugin()))
        self.assertTrue(verifyObject(IRecords, LocalPlugin()))

    def test_intervals_that_are_spread(self) -> None:
        site = Site()
        site.plugin.start(site.central_system, {"interval_spread": 20, "authorize": "open"})
        boot = {"chargePointVendor": "Acme", "chargePointModel": "One"}
        found = [
            site.connect("ocpp1.6", f"CP{number % 100}").calls("BootNotification", **boot)
            for number in range(200)
        ]
        intervals = [answer["interval"] for answer in found]
        self.assertEqual(intervals[:100], intervals[100:])
        self.assertTrue(240 <= min(intervals) < 260 and 340 < max(intervals) <= 360)
        self.assertGreater(len(set(intervals)), 40)

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
        self.refuses({"authorize": "list"}, 'authorize is \'list\'; use "known" or "open"')
        self.refuses({"charge_points": "no"}, 'charge_points is \'no\'; use "any" or "known"')
        self.refuses({"store": "here"}, "the store is no URL")
        self.refuses({"hartbeat": 60}, "there is no option 'hartbeat'")

    def refuses(self, config: dict[str, Any], text: str) -> None:
        site = Site()
        error = self.assertRaises(
            ConfigurationError, site.plugin.start, site.central_system, config
        )
        self.assertIn(text, str(error))
