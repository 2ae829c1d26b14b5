from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.connectors import Connector, ConnectorStatus
from tests.plugins.local.wire import NOW, Site, at, at_text


class V16(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.charge_point = self.site.connect("ocpp1.6")

    def notify(self, connector: int, status: str, error: str = "NoError", **more: Any) -> None:
        answer = self.charge_point.calls(
            "StatusNotification", connectorId=connector, status=status, errorCode=error, **more
        )
        self.assertEqual({}, answer)

    def test_each_connector_has_its_last_status(self) -> None:
        self.notify(0, "Available", timestamp=at_text(1))
        self.notify(1, "Preparing", timestamp=at_text(2))
        self.notify(1, "Faulted", "GroundFailure", timestamp=at_text(3))
        self.assertEqual(
            {
                Connector(None, 0): ConnectorStatus("Available", at(1), "NoError"),
                Connector(None, 1): ConnectorStatus("Faulted", at(3), "GroundFailure"),
            },
            self.site.plugin.connectors.of("CP1"),
        )

    def test_without_timestamp_it_is_so_since_now(self) -> None:
        self.notify(1, "Charging")
        [status] = self.site.plugin.connectors.of("CP1").values()
        self.assertEqual(NOW, status.at)

    def test_last_to_come_counts_whatever_its_clock_says(self) -> None:
        self.notify(1, "Charging", timestamp="2038-01-01T00:00:00Z")
        self.notify(1, "Available", timestamp=at_text(1))
        [status] = self.site.plugin.connectors.of("CP1").values()
        self.assertEqual("Available", status.status)

    def test_charge_points_are_told_apart(self) -> None:
        self.notify(1, "Charging")
        connectors = self.site.plugin.connectors
        self.assertEqual({}, connectors.of("CP2"))
        self.assertEqual({}, connectors.of(Identity("CP1", "acme")))


class V2(SynchronousTestCase):
    def test_status_notification(self) -> None:
        for version in ("ocpp2.0", "ocpp2.0.1", "ocpp2.1"):
            site = Site()
            answer = site.connect(version).calls(
                "StatusNotification",
                timestamp=at_text(1),
                connectorStatus="Occupied",
                evseId=1,
                connectorId=2,
            )
            self.assertEqual({}, answer)
            self.assertEqual(
                {Connector(1, 2): ConnectorStatus("Occupied", at(1))},
                site.plugin.connectors.of("CP1"),
            )

    def test_availability_state_of_a_connector_says_the_same(self) -> None:
        self.assertEqual(
            {Connector(1, 2): ConnectorStatus("Occupied", at(1))}, self.known_after(event())
        )

    def test_other_events_are_heard_only(self) -> None:
        evse = {"id": 1, "connectorId": 2}
        for other in (
            event(variable={"name": "Problem"}),
            event(component={"name": "EVSE", "evse": evse}),
            event(component={"name": "Connector"}),
            event(actualValue="x" * 2500),
        ):
            self.assertEqual({}, self.known_after(other))

    def known_after(self, notified: dict[str, Any]) -> dict[Connector, ConnectorStatus]:
        site = Site()
        answer = site.connect("ocpp2.0.1").calls(
            "NotifyEvent", generatedAt=at_text(1), seqNo=0, eventData=[notified]
        )
        self.assertEqual({}, answer)
        return dict(site.plugin.connectors.of("CP1"))


def event(**changes: Any) -> dict[str, Any]:
    return {
        "eventId": 1,
        "timestamp": at_text(1),
        "trigger": "Delta",
        "actualValue": "Occupied",
        "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 2}},
        "variable": {"name": "AvailabilityState"},
        "eventNotificationType": "HardWiredNotification",
        **changes,
    }
