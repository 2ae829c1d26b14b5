"""What an observer of a central system is told, as a monitoring system sees it."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import CallErrorReceived, CallTimedOut, NotConnected, QueueFull
from ocpp_twisted.limits import Limits
from ocpp_twisted.metrics import Messages, Metrics
from ocpp_twisted.plugin import ActionPlugin, on, on_data_transfer
from ocpp_twisted.quirks import BUILT_IN
from tests.support import online
from tests.test_metrics import samples

BOOT = '[2,"b","BootNotification",{"chargePointModel":"m","chargePointVendor":"v"}]'
RESET = v16.ResetRequest(type=v16.ResetType.Soft)


class Business(ActionPlugin):
    name = "business"

    def __init__(self) -> None:
        self.slow: list[Deferred[Any]] = []

    @on(v16.BootNotificationRequest)
    def boot(self, charge_point: Any, request: Any) -> v16.BootNotificationResponse:
        return v16.BootNotificationResponse(
            currentTime=datetime(2026, 1, 2, tzinfo=UTC),
            interval=60,
            status=v16.RegistrationStatus.Accepted,
        )

    @on(v16.AuthorizeRequest)
    def authorize(self, charge_point: Any, request: Any) -> Deferred[Any]:
        self.slow.append(Deferred())
        return self.slow[-1]

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point: Any, request: Any) -> None:
        raise ValueError

    @on_data_transfer("Acme")
    def transfer(self, charge_point: Any, request: Any, data: Any) -> None:
        return None


class ObservedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.business = Clock(), Business()
        self.messages = Messages(self.clock.seconds)
        self.central_system = CentralSystem(
            [self.business],
            self.clock,
            limits=Limits(queued_calls=1, open_calls=2, answer_timeout=20),
            quirks=BUILT_IN["tolerant"],
            observer=self.messages,
        )
        self.wire = online(self.central_system)
        self.wire.says(BOOT)
        self.wire.hears()

    def found(self, name: str) -> dict[str, float]:
        every = samples(Metrics([self.messages.measures]).render())
        return {
            key.removeprefix(f"{name} version=1.6 "): int(value)
            for key, value in every.items()
            if key.split(" ")[0] == name
        }

    def test_calls_by_their_outcome(self) -> None:
        self.wire.says('[2,"1","Heartbeat",{}]')
        self.flushLoggedErrors(ValueError)
        self.wire.says(
            '[2,"2","StatusNotification",{"connectorId":1,"errorCode":"NoError",'
            '"status":"Available"}]'
        )
        self.wire.says('[2,"3","DataTransfer",{"vendorId":"Acme"}]')
        self.assertEqual(
            self.found("ocpp_calls_total"),
            {
                "action=BootNotification outcome=CALLRESULT": 1,
                "action=Heartbeat outcome=InternalError": 1,
                "action=StatusNotification outcome=NotSupported": 1,
                "action=DataTransfer outcome=CALLRESULT": 1,
            },
        )

    def test_what_never_gets_to_a_handler(self) -> None:
        for number in range(3):
            self.wire.says(f'[2,"{number}","MadeUp{number}",{{}}]')
        self.wire.says('[2,"x","Authorize",{}]')
        self.wire.says('[3,"nobody",{}]')
        self.assertEqual(
            self.found("ocpp_messages_refused_total"),
            {"code=NotImplemented": 3, "code=ProtocolError": 1, "code=none": 1},
        )
        text = Metrics([self.messages.measures]).render()
        self.assertNotIn(b"MadeUp", text)

    def test_a_retry(self) -> None:
        self.wire.says(BOOT)
        self.assertEqual(len(self.wire.hears()), 1)
        self.assertEqual(self.found("ocpp_calls_repeated_total"), {"action=BootNotification": 1})

    def test_a_repair(self) -> None:
        self.wire.says('[2,"1","DataTransfer",{"vendorId":"Acme","data":7}]')
        self.assertEqual(sum(self.found("ocpp_repairs_total").values()), 1)

    def test_limits(self) -> None:
        for number in range(3):
            self.wire.says(f'[2,"{number}","Authorize",{{"idTag":"A"}}]')
        self.assertEqual(self.found("ocpp_handlers_running"), {"ocpp_handlers_running": 2})
        for _ in range(2):
            self.central_system.call("CP1", RESET)
        self.failureResultOf(self.central_system.call("CP1", RESET), QueueFull)
        self.clock.pump([1.0] * 21)
        limits = self.found("ocpp_limits_reached_total")
        self.assertEqual(limits["ocpp_limits_reached_total limit=queued_calls"], 1)
        self.assertEqual(limits["ocpp_limits_reached_total limit=answer_timeout"], 2)
        self.assertGreaterEqual(limits["ocpp_limits_reached_total limit=open_calls"], 1)

    def waiting(self) -> int:
        (number,) = self.found("ocpp_outgoing_calls_waiting").values()
        return int(number)

    def test_our_calls(self) -> None:
        good = self.central_system.call("CP1", RESET)
        self.clock.advance(2)
        self.assertEqual(self.waiting(), 1)
        self.wire.says(f'[3,"{self.wire.hears_call()}",{{"status":"Accepted"}}]')
        self.successResultOf(good)
        bad = self.central_system.call("CP1", RESET, inf)
        self.wire.says(f'[4,"{self.wire.hears_call()}","MadeUp","",{{}}]')
        self.failureResultOf(bad, CallErrorReceived)
        self.assertEqual(self.waiting(), 0)
        self.assertEqual(
            self.found("ocpp_outgoing_calls_total"),
            {"action=Reset outcome=CALLRESULT": 1, "action=Reset outcome=other": 1},
        )
        self.assertEqual(self.found("ocpp_outgoing_call_seconds_sum"), {"action=Reset": 2})

    def test_a_call_ends_once(self) -> None:
        late = self.central_system.call("CP1", RESET, 1)
        message_id = self.wire.hears_call()
        self.clock.pump([0.6] * 3)
        self.failureResultOf(late, CallTimedOut)
        self.wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
        sent, queued = (self.central_system.call("CP1", RESET) for _ in range(2))
        for call in (queued, sent):
            call.cancel()
            self.failureResultOf(call, CancelledError)
        self.wire.says(f'[3,"{self.wire.hears_call()}",{{"status":"Accepted"}}]')
        lost = self.central_system.call("CP1", RESET)
        self.wire.hears_call()
        unsent = self.central_system.call("CP1", RESET)
        self.wire.connection.lost("gone")
        self.failureResultOf(lost)
        self.failureResultOf(unsent, NotConnected)
        self.assertEqual(self.waiting(), 0)
        self.assertEqual(
            self.found("ocpp_outgoing_calls_total"),
            {
                "action=Reset outcome=CallTimedOut": 1,
                "action=Reset outcome=CancelledError": 2,
                "action=Reset outcome=ConnectionLost": 1,
                "action=Reset outcome=NotConnected": 1,
            },
        )
