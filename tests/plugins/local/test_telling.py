"""What has been kept is told to who listens: status and transactions."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.hub import Hub, Notice, StatusNotice, TransactionNotice
from ocpp_twisted.plugins.local import LocalPlugin
from tests.support import online

STATUS = '[2,"s","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Charging"}]'
START = (
    '[2,"a","StartTransaction",'
    '{"connectorId":1,"idTag":"T","meterStart":0,"timestamp":"2026-01-01T00:00:00Z"}]'
)
METER = (
    '[2,"m","MeterValues",{"connectorId":1,"transactionId":%d,"meterValue":'
    '[{"timestamp":"2026-01-01T00:01:00Z","sampledValue":[{"value":"7"}]}]}]'
)
STOP = (
    '[2,"b","StopTransaction",'
    '{"transactionId":%d,"meterStop":9,"timestamp":"2026-01-01T01:00:00Z"}]'
)
EVENT = (
    '[2,"%s","TransactionEvent",{"eventType":"%s","timestamp":"2026-01-01T00:00:00Z",'
    '"triggerReason":"CablePluggedIn","seqNo":%d,"transactionInfo":{"transactionId":"X"}}]'
)


class TellingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hub = Hub()
        self.plugin = LocalPlugin()
        self.plugin.hub = self.hub
        self.addCleanup(self.plugin.stop)
        self.system = CentralSystem([self.plugin], Clock())
        self.notices: list[Any] = []

    def listens(self, kind: type[Notice]) -> None:
        self.addCleanup(self.hub.listen(self.notices.append, [kind]))

    def test_status(self) -> None:
        self.listens(StatusNotice)
        online(self.system).says(STATUS)
        (notice,) = self.notices
        connector = notice.connector
        self.assertEqual((notice.chargePoint, connector.connectorId), ("CP1", 1))
        self.assertEqual(connector.status, "Charging")

    def test_a_transaction_of_1_6(self) -> None:
        self.listens(TransactionNotice)
        cp1 = online(self.system)
        cp1.says(START)
        number = int(self.notices[0].transaction.transactionId)
        cp1.says(METER % number)
        cp1.says(STOP % number)
        told = [(notice.event, notice.transaction.transactionId) for notice in self.notices]
        self.assertEqual(told, [(event, number) for event in ("started", "updated", "ended")])
        self.assertIsNotNone(self.notices[-1].transaction.stopped)

    def test_a_transaction_of_2_0_1(self) -> None:
        self.listens(TransactionNotice)
        cp1 = online(self.system, "CP1", "2.0.1")
        for number, event in enumerate(("Started", "Updated", "Ended")):
            cp1.says(EVENT % (number, event, number))
        told = [(notice.event, notice.transaction.transactionId) for notice in self.notices]
        self.assertEqual(told, [(event, "X") for event in ("started", "updated", "ended")])

    def test_one_that_an_operator_closes(self) -> None:
        online(self.system).says(START)
        self.listens(TransactionNotice)
        (transaction,) = self.successResultOf(self.plugin.list_transactions()).items
        for _ in range(2):
            self.successResultOf(self.plugin.close_transaction(transaction.id))
        self.assertEqual([notice.event for notice in self.notices], ["ended"])

    def test_nobody_listens(self) -> None:
        cp1 = online(self.system)
        for message in (STATUS, START):
            cp1.says(message)
        self.assertEqual(len(cp1.hears()), 2)

    def test_connectors_that_nobody_has(self) -> None:
        cp1 = online(self.system)
        for number in (1, 200, 201, 10**20):
            cp1.says(
                STATUS.replace('"s"', f'"{number}"').replace(
                    '"connectorId":1', f'"connectorId":{number}'
                )
            )
        self.assertEqual(len(cp1.hears()), 4)
        found = self.successResultOf(self.plugin.get_charge_point("CP1"))
        assert found is not None
        self.assertEqual(sorted(each.connectorId for each in found.connectors), [1, 200])
