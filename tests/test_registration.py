"""What a charge point may send and be sent, by the answer to its last BootNotification.

The sources are OCPP 1.6 section 4.2, OCPP-J 1.6 errata 3.8, OCPP 1.6 errata 3.40, and OCPP 2.x use
cases B02 and B03 with 2.0.1 errata 2.3.1; the tests of OCPP 2.0.1 part 6 are named where there is
one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import CallFault, CallNotAllowed, ErrorCode
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin, after, on
from ocpp_twisted.registration import Status
from tests.support import Wire, online, wire

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MODULES: dict[str, Any] = {"1.6": v16, "2.0": v20, "2.0.1": v201, "2.1": v21}
NEWER = ("2.0", "2.0.1", "2.1")
REFUSED = '[4,"s","SecurityError","BootNotification has not been accepted",{}]'
OLD_STATUS = (
    '[2,"s","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]'
)
NEW_STATUS = (
    '[2,"s","StatusNotification",{"timestamp":"2026-01-01T00:00:00Z","connectorStatus":"Available",'
    '"evseId":1,"connectorId":1}]'
)
REPORT = (
    '[2,"r","NotifyReport",'
    '{"requestId":1,"generatedAt":"2026-01-01T00:00:00Z","seqNo":0,"tbc":false}]'
)
OLD_REPORT = REPORT.replace(
    "}]",
    ',"reportData":[{"component":{"name":"C"},"variable":{"name":"V"},'
    '"variableAttribute":[{"value":"1","persistence":true,"constant":false}]}]}]',
)


class Desk(ActionPlugin):
    """Answers BootNotification with `status`, and counts all else."""

    name = "desk"

    def __init__(self, status: str | CallFault = "Pending") -> None:
        self.status = status
        self.handled: list[str] = []

    @on(*(module.BootNotificationRequest for module in MODULES.values()))
    def boot(self, charge_point, request):
        if isinstance(self.status, CallFault):
            raise self.status
        response = type(request).RESPONSE
        return response(currentTime=NOON, interval=30, status=self.status)

    @on(
        *(module.StatusNotificationRequest for module in MODULES.values()),
        *(module.MeterValuesRequest for module in MODULES.values()),
        *(module.NotifyReportRequest for module in (v20, v201, v21)),
        v16.SignCertificateRequest,
        v201.SignCertificateRequest,
        v16.SignedFirmwareStatusNotificationRequest,
        v201.NotifyMonitoringReportRequest,
    )
    def handle(self, charge_point, request):
        self.handled.append(request.ACTION)
        response = type(request).RESPONSE
        return response(status="Accepted") if request.ACTION == "SignCertificate" else response()

    @on(v21.NotifyPeriodicEventStream)
    def stream(self, charge_point, message):
        self.handled.append("NotifyPeriodicEventStream")


def boot(version: str, message_id: str = "b") -> str:
    """A BootNotification."""
    station = '{"chargingStation":{"vendorName":"V","model":"M"},"reason":"PowerUp"}'
    if version == "1.6":
        station = '{"chargePointVendor":"V","chargePointModel":"M"}'
    return f'[2,"{message_id}","BootNotification",{station}]'


def status(version: str) -> str:
    """A StatusNotification with the id ``s``."""
    return OLD_STATUS if version == "1.6" else NEW_STATUS


class RegistrationTestCase(SynchronousTestCase):
    def registered(self, version: str, answer: str | CallFault = "Pending") -> Wire:
        """A charge point whose BootNotification has been answered so."""
        self.desk = Desk(answer)
        self.clock = Clock()
        cp1 = wire(self.desk, self.clock, version)
        cp1.says(boot(version))
        cp1.hears()
        return cp1

    def accepts(self, cp1: Wire, result: Any, message_id: str, answer: str = "Accepted") -> None:
        cp1.says(f'[3,"{message_id}",{{"status":"{answer}"}}]')
        self.successResultOf(result)

    def handles(self, cp1: Wire, message: str) -> bool:
        """Whether a CALL reaches its handler; otherwise it is refused."""
        before = len(self.desk.handled)
        cp1.says(message)
        (answer,) = (json.loads(frame) for frame in cp1.hears())
        handled = len(self.desk.handled) > before
        if not handled:
            self.assertEqual(answer[2:4], json.loads(REFUSED)[2:4])
        return handled


class GateTests(RegistrationTestCase):
    """What comes in."""

    def test_pending_and_rejected_refuse_what_was_not_asked_for(self) -> None:
        """TC_B_30_CSMS."""
        for version in MODULES:
            for answer in ("Pending", "Rejected"):
                cp1 = self.registered(version, answer)
                cp1.says(status(version))
                self.assertEqual((cp1.hears(), self.desk.handled), ([REFUSED], []))
                self.assertIsNone(cp1.transport.closed)

    def test_whatever_is_in_the_payload(self) -> None:
        for version in MODULES:
            cp1 = self.registered(version)
            for message in ('[2,"s","StatusNotification",{}]', '[2,"s","Nonsense",{}]'):
                cp1.says(message)
                self.assertEqual(cp1.hears(), [REFUSED])

    def test_a_malformed_message_is_answered_as_ever(self) -> None:
        cp1 = self.registered("2.0.1")
        cp1.says('[2,"s","StatusNotification"]')
        (answer,) = cp1.hears()
        self.assertIn("RpcFrameworkError", answer)

    def test_the_next_boot_opens_it(self) -> None:
        """TC_B_02_CSMS."""
        for version in MODULES:
            for answer in ("Pending", "Rejected"):
                cp1 = self.registered(version, answer)
                self.desk.status = "Accepted"
                cp1.says(boot(version, "b2"))
                self.assertIn('"status":"Accepted"', *cp1.hears())
                self.assertTrue(self.handles(cp1, status(version)))

    def test_a_boot_that_fails_changes_nothing(self) -> None:
        cp1 = self.registered("2.0.1", CallFault(ErrorCode.INTERNAL_ERROR))
        self.assertTrue(self.handles(cp1, NEW_STATUS))
        self.desk.status = "Pending"
        cp1.says(boot("2.0.1", "b2"))
        cp1.hears()
        self.desk.status = CallFault(ErrorCode.INTERNAL_ERROR)
        cp1.says(boot("2.0.1", "b3"))
        cp1.hears()
        self.assertFalse(self.handles(cp1, NEW_STATUS))

    def test_who_has_not_been_answered_is_served(self) -> None:
        for version in MODULES:
            self.desk = Desk()
            cp1 = wire(self.desk, version=version)
            self.assertTrue(self.handles(cp1, status(version)))
            self.assertIs(cp1.connection.registration, Status.UNKNOWN)

    def test_who_was_accepted_may_be_rejected_later(self) -> None:
        cp1 = self.registered("1.6", "Accepted")
        self.assertTrue(self.handles(cp1, OLD_STATUS))
        self.desk.status = "Rejected"
        cp1.says(boot("1.6", "b2"))
        cp1.hears()
        self.assertFalse(self.handles(cp1, OLD_STATUS.replace('"s"', '"s2"')))
        self.assertIs(cp1.connection.registration, Status.REJECTED)

    def test_a_send_is_dropped_without_an_answer(self) -> None:
        cp1 = self.registered("2.1")
        cp1.says(
            '[6,"s","NotifyPeriodicEventStream",'
            '{"id":1,"pending":0,"basetime":"2026-01-01T00:00:00Z","data":[{"t":1,"v":"2"}]}]'
        )
        self.assertEqual((cp1.hears(), self.desk.handled), ([], []))


class AskedForTests(RegistrationTestCase):
    """What passes while pending, because it was asked for."""

    def asks(self, cp1: Wire, request: Any, answer: str | None = "Accepted") -> None:
        result = cp1.connection.call(request)
        message_id = cp1.hears_call()
        if answer is None:
            result.addErrback(lambda failure: None)
        else:
            self.accepts(cp1, result, message_id, answer)

    def test_what_a_trigger_brings(self) -> None:
        for version, module in MODULES.items():
            cp1 = self.registered(version)
            self.asks(cp1, module.TriggerMessageRequest(requestedMessage="StatusNotification"))
            for number in (1, 2):
                message = status(version).replace('"s"', f'"s{number}"')
                self.assertTrue(self.handles(cp1, message))
            self.assertFalse(self.handles(cp1, '[2,"s","MeterValues",{}]'))

    def test_nothing_if_the_trigger_is_refused(self) -> None:
        for answer in ("Rejected", "NotImplemented"):
            cp1 = self.registered("1.6")
            trigger = v16.TriggerMessageRequest(requestedMessage="StatusNotification")
            self.asks(cp1, trigger, answer)
            self.assertFalse(self.handles(cp1, OLD_STATUS))

    def test_nothing_if_it_is_answered_with_an_error(self) -> None:
        cp1 = self.registered("1.6")
        result = cp1.connection.call(
            v16.TriggerMessageRequest(requestedMessage="StatusNotification")
        )
        cp1.says(f'[4,"{cp1.hears_call()}","NotSupported","",{{}}]')
        self.failureResultOf(result)
        self.assertFalse(self.handles(cp1, OLD_STATUS))

    def test_a_refusal_takes_nothing_from_another_trigger(self) -> None:
        cp1 = self.registered("1.6")
        trigger = v16.TriggerMessageRequest(requestedMessage="StatusNotification")
        self.asks(cp1, trigger)
        self.asks(cp1, trigger, "Rejected")
        self.assertTrue(self.handles(cp1, OLD_STATUS))

    def test_a_trigger_without_an_answer_may_have_arrived(self) -> None:
        cp1 = self.registered("1.6")
        trigger = v16.TriggerMessageRequest(requestedMessage="StatusNotification")
        self.asks(cp1, trigger, None)
        self.clock.advance(31)
        self.assertTrue(self.handles(cp1, OLD_STATUS))

    def test_a_trigger_that_waits_in_the_queue_has_not_arrived(self) -> None:
        cp1 = self.registered("1.6")
        cp1.connection.call(v16.ClearCacheRequest())
        cp1.hears_call()
        cp1.connection.call(v16.TriggerMessageRequest(requestedMessage="StatusNotification"))
        self.assertFalse(self.handles(cp1, OLD_STATUS))

    def test_triggers_that_bring_something_of_another_name(self) -> None:
        csr = '[2,"c","SignCertificate",{"csr":"x"}]'
        cp1 = self.registered("2.0.1")
        self.asks(cp1, v201.TriggerMessageRequest(requestedMessage="SignV2GCertificate"))
        self.assertTrue(self.handles(cp1, csr))
        cp1 = self.registered("1.6")
        trigger = v16.ExtendedTriggerMessageRequest(requestedMessage="SignChargePointCertificate")
        self.asks(cp1, trigger)
        self.assertTrue(self.handles(cp1, csr))
        firmware = '[2,"f","SignedFirmwareStatusNotification",{"status":"Idle"}]'
        self.assertFalse(self.handles(cp1, firmware))
        trigger = v16.ExtendedTriggerMessageRequest(requestedMessage="FirmwareStatusNotification")
        self.asks(cp1, trigger)
        self.assertTrue(self.handles(cp1, firmware))

    def test_a_custom_trigger_may_bring_anything(self) -> None:
        cp1 = self.registered("2.1")
        trigger = v21.TriggerMessageRequest(requestedMessage="CustomTrigger", customTrigger="x")
        self.asks(cp1, trigger)
        self.assertTrue(self.handles(cp1, NEW_STATUS))

    def test_reports(self) -> None:
        for version in NEWER:
            module = MODULES[version]
            for request in (
                module.GetBaseReportRequest(requestId=1, reportBase="FullInventory"),
                module.GetReportRequest(requestId=1),
            ):
                cp1 = self.registered(version)
                self.asks(cp1, request)
                for number in (1, 2):
                    report = OLD_REPORT if version == "2.0" else REPORT
                    message = report.replace('"r"', f'"r{number}"')
                    self.assertTrue(self.handles(cp1, message))

    def test_an_empty_report(self) -> None:
        cp1 = self.registered("2.0.1")
        self.asks(cp1, v201.GetReportRequest(requestId=1), "EmptyResultSet")
        self.assertFalse(self.handles(cp1, REPORT))

    def test_other_requests_open_nothing(self) -> None:
        cp1 = self.registered("2.0.1")
        self.asks(cp1, v201.GetMonitoringReportRequest(requestId=1))
        message = REPORT.replace("NotifyReport", "NotifyMonitoringReport")
        self.assertFalse(self.handles(cp1, message))

    def test_it_ends_with_pending(self) -> None:
        cp1 = self.registered("2.0.1")
        self.asks(cp1, v201.GetBaseReportRequest(requestId=1, reportBase="FullInventory"))
        self.desk.status = "Rejected"
        cp1.says(boot("2.0.1", "b2"))
        cp1.hears()
        self.assertFalse(self.handles(cp1, REPORT))


class CallTests(RegistrationTestCase):
    """What goes out."""

    def refused(self, result: Any) -> str:
        return str(self.failureResultOf(result, CallNotAllowed).value)

    def test_pending_may_be_configured(self) -> None:
        cp1 = self.registered("1.6")
        cp1.connection.call(v16.GetConfigurationRequest())
        cp1.hears_call()
        cp1 = self.registered("2.0.1")
        cp1.connection.call(v201.GetBaseReportRequest(requestId=1, reportBase="FullInventory"))
        cp1.hears_call()

    def test_pending_starts_and_stops_no_transaction(self) -> None:
        token = {"idToken": "T", "type": "Local"}
        for version, request in (
            ("1.6", v16.RemoteStartTransactionRequest(idTag="T")),
            ("1.6", v16.RemoteStopTransactionRequest(transactionId=1)),
            (
                "2.0.1",
                v201.RequestStartTransactionRequest(
                    idToken=v201.IdTokenType(**token), remoteStartId=1
                ),
            ),
            ("2.1", v21.RequestStopTransactionRequest(transactionId="1")),
        ):
            cp1 = self.registered(version)
            self.assertIn(
                f"{request.ACTION} has to wait", self.refused(cp1.connection.call(request))
            )
            self.assertEqual(cp1.hears(), [])

    def test_pending_may_be_asked_to_boot(self) -> None:
        """TC_B_31_CSMS."""
        for version, module in MODULES.items():
            cp1 = self.registered(version)
            request = module.TriggerMessageRequest(requestedMessage="BootNotification")
            result = cp1.connection.call(request)
            self.accepts(cp1, result, cp1.hears_call())
            self.desk.status = "Accepted"
            cp1.says(boot(version, "b2"))
            cp1.hears()
            self.assertTrue(self.handles(cp1, status(version)))

    def test_rejected_hears_nothing(self) -> None:
        for version, module in MODULES.items():
            cp1 = self.registered(version, "Rejected")
            for request in (
                module.ClearCacheRequest(),
                module.TriggerMessageRequest(requestedMessage="BootNotification"),
            ):
                self.assertIn("has been rejected", self.refused(cp1.connection.call(request)))
            self.assertEqual(cp1.hears(), [])
        point = v21.StreamDataElementType(t=1, v="2")
        stream = v21.NotifyPeriodicEventStream(id=1, pending=0, basetime=NOON, data=[point])
        self.assertRaises(CallNotAllowed, cp1.connection.send, stream)
        self.assertEqual(cp1.hears(), [])

    def test_what_waited_when_it_was_rejected_is_not_sent(self) -> None:
        self.desk = Desk("Rejected")
        cp1 = wire(self.desk)
        sent = cp1.connection.call(v16.ClearCacheRequest())
        queued = cp1.connection.call(v16.ClearCacheRequest())
        message_id = cp1.hears_call()
        cp1.says(boot("1.6"))
        self.assertEqual(len(cp1.hears()), 1)
        self.refused(queued)
        self.accepts(cp1, sent, message_id)
        self.assertEqual(cp1.hears(), [])

    def test_who_was_accepted_is_not_asked_to_boot_again_in_1_6(self) -> None:
        cp1 = self.registered("1.6", "Accepted")
        for request in (
            v16.TriggerMessageRequest(requestedMessage="BootNotification"),
            v16.ExtendedTriggerMessageRequest(requestedMessage="BootNotification"),
        ):
            self.assertIn("must not be asked", self.refused(cp1.connection.call(request)))
        self.assertEqual(cp1.hears(), [])
        cp1 = self.registered("2.0.1", "Accepted")
        cp1.connection.call(v201.TriggerMessageRequest(requestedMessage="BootNotification"))
        cp1.hears_call()

    def test_who_was_accepted_may_be_called(self) -> None:
        cp1 = self.registered("1.6", "Accepted")
        cp1.connection.call(v16.RemoteStartTransactionRequest(idTag="T"))
        cp1.hears_call()

    def test_a_call_from_the_handler_of_the_written_answer(self) -> None:
        class Asking(Desk):
            @after(v16.BootNotificationRequest)
            def booted(self, charge_point, request, response):
                charge_point.call(v16.TriggerMessageRequest(requestedMessage="StatusNotification"))

        self.desk = Asking()
        cp1 = wire(self.desk)
        cp1.says(boot("1.6"))
        answer, call = (json.loads(frame) for frame in cp1.hears())
        self.assertEqual((answer[0], call[2]), (3, "TriggerMessage"))
        self.assertTrue(self.handles(cp1, OLD_STATUS))


class MemoryTests(RegistrationTestCase):
    """It outlives the connection."""

    def setUp(self) -> None:
        self.desk = Desk()
        self.system = CentralSystem([self.desk], Clock(), limits=Limits(remembered=2))

    def reconnected(self, cp1: Wire, version: str) -> Wire:
        cp1.connection.lost("gone")
        return online(self.system, cp1.connection.id, version)

    def test_each_status(self) -> None:
        for version in MODULES:
            for answer, open_ in (("Pending", False), ("Rejected", False), ("Accepted", True)):
                self.desk.status = answer
                cp1 = online(self.system, f"{version}{answer}", version)
                cp1.says(boot(version))
                cp1.hears()
                cp1 = self.reconnected(cp1, version)
                self.assertEqual(cp1.connection.registration.value, answer)
                self.assertEqual(self.handles(cp1, status(version)), open_)

    def test_what_was_asked_for(self) -> None:
        cp1 = online(self.system, "CP1", "2.0.1")
        cp1.says(boot("2.0.1"))
        cp1.hears()
        cp1.connection.call(v201.GetReportRequest(requestId=1)).addErrback(lambda failure: None)
        cp1 = self.reconnected(cp1, "2.0.1")
        self.assertTrue(self.handles(cp1, REPORT))

    def test_a_newer_connection_beside_the_old_one(self) -> None:
        cp1 = online(self.system, "CP1")
        cp1.says(boot("1.6"))
        cp1.hears()
        cp1 = online(self.system, "CP1")
        self.assertFalse(self.handles(cp1, OLD_STATUS))

    def test_another_charge_point(self) -> None:
        cp1 = online(self.system, "CP1")
        cp1.says(boot("1.6"))
        cp1.hears()
        self.assertTrue(self.handles(online(self.system, "CP2"), OLD_STATUS))

    def test_it_is_bounded(self) -> None:
        for number in range(3):
            cp = online(self.system, f"CP{number}")
            cp.says(boot("1.6"))
            cp.connection.lost("gone")
        known = [online(self.system, f"CP{number}").connection.registration for number in range(3)]
        self.assertEqual(known, [Status.UNKNOWN, Status.PENDING, Status.PENDING])


class SecondLookTests(RegistrationTestCase):
    """What is asked for, sent and refused in odd orders."""

    def test_custom_trigger_at_once_and_refused(self):
        cp1 = self.registered("2.1")
        r = cp1.connection.call(
            v21.TriggerMessageRequest(requestedMessage="CustomTrigger", customTrigger="x")
        )
        message_id = cp1.hears_call()
        self.assertTrue(self.handles(cp1, NEW_STATUS))
        self.accepts(cp1, r, message_id, "Rejected")
        self.assertFalse(self.handles(cp1, NEW_STATUS.replace('"s"', '"s2"')))

    def test_every_trigger_for_a_certificate(self):
        for version, names in (
            ("2.0.1", ("SignChargingStationCertificate", "SignCombinedCertificate")),
            ("2.1", ("SignV2G20Certificate",)),
        ):
            for name in names:
                cp1 = self.registered(version)
                cp1.connection.call(MODULES[version].TriggerMessageRequest(requestedMessage=name))
                cp1.hears()
                cp1.says('[2,"c","SignCertificate",{"csr":"x"}]')
                self.assertNotIn("SecurityError", *cp1.hears())

    def test_an_accepted_one_may_be_asked_for_all_else(self):
        cp1 = self.registered("1.6", "Accepted")
        cp1.connection.call(v16.TriggerMessageRequest(requestedMessage="Heartbeat"))
        cp1.hears_call()

    def test_pending_again_keeps_what_was_asked_for(self):
        cp1 = self.registered("2.0.1")
        r = cp1.connection.call(v201.GetReportRequest(requestId=1))
        self.accepts(cp1, r, cp1.hears_call())
        cp1.says(boot("2.0.1", "b2"))
        cp1.hears()
        self.assertTrue(self.handles(cp1, REPORT))

    def test_boot_is_always_admitted(self):
        self.desk = Desk()
        cp1 = wire(self.desk)
        r = cp1.connection.call(v16.TriggerMessageRequest(requestedMessage="BootNotification"))
        m = cp1.hears_call()
        cp1.says(boot("1.6"))
        cp1.hears()
        self.accepts(cp1, r, m, "Rejected")
        cp1.says(boot("1.6", "b2"))
        self.assertNotIn("SecurityError", *cp1.hears())

    def test_report_not_supported(self):
        cp1 = self.registered("2.0.1")
        r = cp1.connection.call(v201.GetReportRequest(requestId=1))
        self.accepts(cp1, r, cp1.hears_call(), "NotSupported")
        self.assertFalse(self.handles(cp1, REPORT))

    def test_pending_refuses_queue(self):
        cp1 = wire(Desk())
        cp1.connection.call(v16.ClearCacheRequest())
        m = cp1.hears_call()
        r = cp1.connection.call(v16.RemoteStartTransactionRequest(idTag="T"))
        cp1.connection.call(v16.ClearCacheRequest())
        cp1.says(boot("1.6"))
        cp1.hears()
        self.failureResultOf(r, CallNotAllowed)
        cp1.says(f'[3,"{m}",{{"status":"Accepted"}}]')
        self.assertIn("ClearCache", *cp1.hears())

    def test_a_boot_that_nobody_heard(self):
        for status in ("Pending", "Rejected"):
            d = Deferred()

            class P(ActionPlugin):
                @on(v16.BootNotificationRequest)
                def boot(self, charge_point, request, d=d):
                    return d

            s = CentralSystem([P()], Clock())
            cp1 = online(s)
            cp1.says(boot("1.6"))
            cp1.connection.lost("x")
            d.callback(v16.BootNotificationResponse(currentTime=NOON, interval=1, status=status))
            cp1 = online(s)
            cp1.says(boot("1.6"))
            self.assertEqual(cp1.connection.registration.value, status)
            cp1.hears()
            cp1.says(OLD_STATUS)
            self.assertIn("SecurityError", *cp1.hears())

    def test_calls_that_were_held_when_it_was_rejected(self):
        late = Deferred()

        class Slow(Desk):
            @on(v16.BootNotificationRequest)
            def boot(self, charge_point, request):
                return late

        self.desk = Slow()
        cp1 = wire(self.desk, limits=Limits(open_calls=1))
        cp1.says(boot("1.6"))
        cp1.says(OLD_STATUS)
        late.callback(v16.BootNotificationResponse(currentTime=NOON, interval=1, status="Rejected"))
        self.assertEqual((cp1.hears()[1:], self.desk.handled), ([REFUSED], []))

    def test_who_says_nothing_takes_nobodys_place_in_the_memory(self):
        system = CentralSystem([Desk()], Clock(), limits=Limits(remembered=2))
        cp1 = online(system, "CP1")
        cp1.says(boot("1.6"))
        cp1.connection.lost("gone")
        for number in range(2, 9):
            online(system, f"CP{number}").connection.lost("gone")
        self.assertIs(online(system, "CP1").connection.registration, Status.PENDING)
