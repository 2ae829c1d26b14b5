"""What an operator should look at is in the log."""

from __future__ import annotations

from twisted.logger import LogEvent, LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.plugins.local.wire import Site, at_text


class Warnings(SynchronousTestCase):
    def warnings(self, subprotocol: str, text: str) -> list[LogEvent]:
        charge_point = Site().connect(subprotocol)
        with capturedLogs() as events:
            charge_point.says(text)
        return [event for event in events if event["log_level"] is LogLevel.warn]

    def test_security_event(self) -> None:
        payload = f'{{"type":"TamperDetectionActivated","timestamp":"{at_text(1)}"}}'
        for subprotocol in ("ocpp1.6", "ocpp2.0.1", "ocpp2.1"):
            [event] = self.warnings(subprotocol, f'[2,"1","SecurityEventNotification",{payload}]')
            self.assertEqual("TamperDetectionActivated", event["type"])
            self.assertEqual("CP1", event["charge_point"].id)

    def test_end_of_an_unknown_transaction(self) -> None:
        payload = f'{{"transactionId":-1,"meterStop":8000,"timestamp":"{at_text(1)}"}}'
        [event] = self.warnings("ocpp1.6", f'[2,"1","StopTransaction",{payload}]')
        self.assertEqual((-1, 8000), (event["transaction_id"], event["meter"]))
