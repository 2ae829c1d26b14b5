from __future__ import annotations

from datetime import datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.records import Connector
from tests.plugins.local.wire import NOW, Site, at, at_text, of


def connectors(site: Site, charge_point: str | Identity = "CP1") -> list[Connector]:
    """Those that a charge point has spoken of."""
    return list(of(site.plugin.get_charge_point(charge_point)).connectors)


def connector(
    id: int,  # noqa: A002
    status: str,
    timestamp: datetime,
    error: str | None = None,
    evse: int | None = None,
) -> Connector:
    return Connector(
        evseId=evse, connectorId=id, status=status, timestamp=timestamp, errorCode=error
    )


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
            [
                connector(0, "Available", at(1), "NoError"),
                connector(1, "Faulted", at(3), "GroundFailure"),
            ],
            connectors(self.site),
        )

    def test_without_timestamp_it_is_so_since_now(self) -> None:
        self.notify(1, "Charging")
        [status] = connectors(self.site)
        self.assertEqual(NOW, status.timestamp)

    def test_last_to_come_counts_whatever_its_clock_says(self) -> None:
        self.notify(1, "Charging", timestamp="2038-01-01T00:00:00Z")
        self.notify(1, "Available", timestamp=at_text(1))
        [status] = connectors(self.site)
        self.assertEqual("Available", status.status)

    def test_charge_points_are_told_apart(self) -> None:
        self.notify(1, "Charging")
        self.site.connect("ocpp1.6", "CP2")
        self.site.connect("ocpp1.6", "CP1", "acme")
        self.assertEqual([], connectors(self.site, "CP2"))
        self.assertEqual([], connectors(self.site, Identity("CP1", "acme")))

    def test_all_that_is_told(self) -> None:
        self.notify(1, "Faulted", "OtherError", info="hot", vendorErrorCode="E7")
        [status] = connectors(self.site)
        self.assertEqual(("hot", "E7"), (status.info, status.vendorErrorCode))


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
                [connector(2, "Occupied", at(1), evse=1)],
                connectors(site),
            )

    def test_availability_state_of_a_connector_says_the_same(self) -> None:
        self.assertEqual([connector(2, "Occupied", at(1), evse=1)], self.known_after(event()))

    def test_other_events_are_no_status(self) -> None:
        evse = {"id": 1, "connectorId": 2}
        for other in (
            event(variable={"name": "Problem"}),
            event(component={"name": "EVSE", "evse": evse}),
            event(component={"name": "Connector"}),
            event(actualValue="x" * 2500),
        ):
            self.assertEqual([], self.known_after(other))

    def test_events_are_kept_each_once(self) -> None:
        for version in ("ocpp2.0.1", "ocpp2.1"):
            site = Site()
            charge_point = site.connect(version)
            told = [event(), event(eventId=2, actualValue="Available", timestamp=at_text(2))]
            for _ in range(2):
                charge_point.calls("NotifyEvent", generatedAt=at_text(1), seqNo=0, eventData=told)
            events = of(site.plugin.list_events("NotifyEvent")).items
            self.assertEqual(list(reversed(told)), [each.data for each in events])
            self.assertEqual([at(2), at(1)], [each.timestamp for each in events])
            self.assertEqual("Available", connectors(site)[0].status)

    def known_after(self, notified: dict[str, Any]) -> list[Connector]:
        site = Site()
        answer = site.connect("ocpp2.0.1").calls(
            "NotifyEvent", generatedAt=at_text(1), seqNo=0, eventData=[notified]
        )
        self.assertEqual({}, answer)
        return connectors(site)


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
