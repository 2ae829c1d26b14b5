"""While nothing can be kept, a charge point is told to try again; then it goes on."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import RecordsUnavailable
from ocpp_twisted.plugins.local.store.writer import Runner
from tests.plugins.local.wire import NOW_TEXT, Site, of

STATION = {"model": "One", "vendorName": "Acme"}
STATUS = {"connectorId": 1, "evseId": 1, "connectorStatus": "Available", "timestamp": NOW_TEXT}
EVENT = {
    "eventType": "Started",
    "timestamp": NOW_TEXT,
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "T1"},
}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("ocpp1.6", "BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"}),
    ("ocpp1.6", "Authorize", {"idTag": "A"}),
    (
        "ocpp1.6",
        "StartTransaction",
        {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": NOW_TEXT},
    ),
    (
        "ocpp1.6",
        "StopTransaction",
        {"transactionId": 1, "meterStop": 0, "timestamp": NOW_TEXT},
    ),
    ("ocpp1.6", "FirmwareStatusNotification", {"status": "Idle"}),
    *(
        (f"ocpp{version}", action, payload)
        for version in ("2.0.1", "2.1")
        for action, payload in (
            ("BootNotification", {"reason": "PowerUp", "chargingStation": STATION}),
            ("StatusNotification", STATUS),
            ("TransactionEvent", EVENT),
        )
    ),
]


class Breaking:
    """Runs jobs, or none as long as it is broken."""

    def __init__(self, runner: Runner) -> None:
        self.healthy = True
        self.runner = runner

    def run(self, job: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        if not self.healthy:
            return fail(RecordsUnavailable("the disk is full"))
        return self.runner.run(job, *args, **kwargs)

    def stop(self) -> Deferred[None]:
        return self.runner.stop()


class Unavailable(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.store = self.site.plugin._store = Breaking(self.site.plugin.store)

    def test_charge_point_is_to_try_again(self) -> None:
        for subprotocol, action, payload in CALLS:
            charge_point = self.site.connect(subprotocol)
            self.store.healthy = False
            refused = charge_point.says(json.dumps([2, "same id", action, payload]))
            self.assertEqual(
                [
                    4,
                    "same id",
                    "InternalError",
                    "nothing can be kept now: try again later",
                    {},
                ],
                json.loads(refused or "[]"),
            )
            self.store.healthy = True
            accepted = charge_point.says(json.dumps([2, "same id", action, payload]))
            self.assertEqual([3, "same id"], json.loads(accepted or "[]")[:2], action)

    def test_heartbeat_needs_no_store(self) -> None:
        self.store.healthy = False
        self.assertIn("currentTime", self.site.connect("ocpp1.6").calls("Heartbeat"))

    def test_health_and_records(self) -> None:
        self.assertTrue(self.site.plugin.healthy)
        self.store.healthy = False
        self.assertFalse(self.site.plugin.healthy)
        self.failureResultOf(self.site.plugin.list_transactions(), RecordsUnavailable)

    def test_who_was_heard_meanwhile_is_not_an_error(self) -> None:
        self.store.healthy = False
        self.site.connect("ocpp1.6")
        self.site.plugin.write_heard()
        self.store.healthy = True
        self.assertIsNone(of(self.site.plugin.get_charge_point("CP1")))
