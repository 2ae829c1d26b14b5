"""What the four versions consist of, and the error code that each has for each kind of fault."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.errors import CallFault, LocalProtocolError
from ocpp_twisted.ocppj.catalogue import Catalogue, Sender
from ocpp_twisted.ocppj.message import UNSET, Request, Response, Send
from tests.messages.schemas import CATALOGUES

#: What charge points send; DataTransfer, which both sides send, is not among it.
FROM_CHARGE_POINTS_16 = """
    Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat
    LogStatusNotification MeterValues SecurityEventNotification SignCertificate
    SignedFirmwareStatusNotification StartTransaction StatusNotification StopTransaction
"""
FROM_CHARGE_POINTS_201 = """
    Authorize BootNotification ClearedChargingLimit FirmwareStatusNotification
    Get15118EVCertificate GetCertificateStatus Heartbeat LogStatusNotification MeterValues
    NotifyChargingLimit NotifyCustomerInformation NotifyDisplayMessages NotifyEVChargingNeeds
    NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport NotifyReport
    PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate
    SecurityEventNotification SignCertificate StatusNotification TransactionEvent
"""
FROM_CHARGE_POINTS_20 = f"{FROM_CHARGE_POINTS_201} Update15118EVCertificate"
FROM_CHARGE_POINTS_21 = f"""{FROM_CHARGE_POINTS_201}
    BatterySwap ClosePeriodicEventStream GetCertificateChainStatus NotifyDERAlarm
    NotifyDERStartStop NotifyPeriodicEventStream NotifyPriorityCharging NotifySettlement
    OpenPeriodicEventStream PullDynamicScheduleUpdate ReportDERControl VatNumberValidation
"""

#: One fault of each kind: unknown action; no object; unknown field; missing field; too few
#: items; wrong type; bad value.
FAULTS_16 = (
    ("NoSuchAction", b"{}"),
    ("Heartbeat", b"[]"),
    ("Heartbeat", b'{"noSuchField":1}'),
    ("Authorize", b"{}"),
    ("MeterValues", b'{"connectorId":1,"meterValue":[]}'),
    ("Authorize", b'{"idTag":1}'),
    ("Reset", b'{"type":"Medium"}'),
)
FAULTS_2 = (
    *FAULTS_16[:4],
    ("MeterValues", b'{"evseId":1,"meterValue":[]}'),
    ("Authorize", b'{"idToken":{"idToken":1,"type":"Central"}}'),
    ("Reset", b'{"type":"Medium"}'),
)


class CatalogueTests(SynchronousTestCase):
    def test_the_number_of_actions(self) -> None:
        counts = {package: len(each.actions) for package, each in CATALOGUES.items()}
        self.assertEqual(counts, {"v16": 39, "v20": 67, "v201": 64, "v21": 91})

    def test_who_sends_what(self) -> None:
        for catalogue, from_charge_points in (
            (v16.CATALOGUE, FROM_CHARGE_POINTS_16),
            (v20.CATALOGUE, FROM_CHARGE_POINTS_20),
            (v201.CATALOGUE, FROM_CHARGE_POINTS_201),
            (v21.CATALOGUE, FROM_CHARGE_POINTS_21),
        ):
            senders = {
                sender: {name for name, a in catalogue.actions.items() if a.sent_by is sender}
                for sender in Sender
            }
            self.assertEqual(senders[Sender.CHARGE_POINT], set(from_charge_points.split()))
            self.assertEqual(senders[Sender.BOTH], {"DataTransfer"})

    def test_every_class_knows_its_action_and_its_answer(self) -> None:
        for package in (v16, v20, v201, v21):
            for name, action in package.CATALOGUE.actions.items():
                self.assertEqual(action.request.ACTION, name)
                if issubclass(action.request, Request):
                    self.assertIs(action.request, getattr(package, f"{name}Request"))
                    self.assertIs(action.request.RESPONSE, getattr(package, f"{name}Response"))
                    self.assertIs(action.response, action.request.RESPONSE)
                    self.assertTrue(issubclass(action.request.RESPONSE, Response))

    def test_one_action_is_a_send(self) -> None:
        sends = [
            action.request
            for catalogue in CATALOGUES.values()
            for action in catalogue.actions.values()
            if issubclass(action.request, Send)
        ]
        self.assertEqual(sends, [v21.NotifyPeriodicEventStream])
        self.assertIsNone(v21.CATALOGUE.actions["NotifyPeriodicEventStream"].response)

    def test_a_name_that_python_cannot_write(self) -> None:
        request = v20.Update15118EVCertificateRequest(iso15118SchemaVersion="1", exiRequest="x")
        text = v20.CATALOGUE.write(request)
        self.assertEqual(text, b'{"15118SchemaVersion":"1","exiRequest":"x"}')
        self.assertEqual(v20.CATALOGUE.read_request(request.ACTION, text), request)

    def test_schema_defaults_are_not_applied(self) -> None:
        request = v201.CATALOGUE.read_request(
            "GetVariables",
            b'{"getVariableData":[{"component":{"name":"a"},"variable":{"name":"b"}}]}',
        )
        assert isinstance(request, v201.GetVariablesRequest)
        self.assertIs(request.getVariableData[0].attributeType, UNSET)

    def test_null_is_a_value_where_any_value_is(self) -> None:
        for package in (v20, v201, v21):
            text = b'{"vendorId":"x","data":null}'
            request = package.CATALOGUE.read_request("DataTransfer", text)
            self.assertIsNone(request.data)
            self.assertEqual(package.CATALOGUE.write(request), text)

    def test_a_message_of_another_version_is_not_written(self) -> None:
        self.assertRaises(LocalProtocolError, v16.CATALOGUE.write, v201.HeartbeatRequest())

    def test_what_the_schema_forbids_is_not_written(self) -> None:
        for wrong in (
            v16.AuthorizeRequest(idTag="x" * 21),
            v16.AuthorizeRequest(idTag=UNSET),  # type: ignore[arg-type]
            v16.AuthorizeRequest(idTag=1),  # type: ignore[arg-type]
            v16.ResetRequest(type="Medium"),  # type: ignore[arg-type]
            v16.MeterValuesRequest(connectorId=1, meterValue=[]),
        ):
            self.assertRaises(LocalProtocolError, v16.CATALOGUE.write, wrong)

    def test_celsius_in_both_spellings(self) -> None:
        self.assertEqual(v16.UnitOfMeasure("Celsius"), v16.UnitOfMeasure.Celsius)
        self.assertEqual(v16.UnitOfMeasure("Celcius"), v16.UnitOfMeasure.Celcius)


class FaultCodeTests(SynchronousTestCase):
    """The code, in the version's own spelling, for one fault of each kind."""

    def assert_codes(
        self, catalogue: Catalogue, faults: Iterable[tuple[str, bytes]], expected: str
    ) -> None:
        codes = [self._code(catalogue, action, text) for action, text in faults]
        self.assertEqual(codes, expected.split())

    def _code(self, catalogue: Catalogue, action: str, text: bytes) -> str:
        try:
            catalogue.read_request(action, text)
        except CallFault as fault:
            return catalogue.rules.spell(fault.code)
        return "accepted"

    def test_1_6(self) -> None:
        self.assert_codes(
            v16.CATALOGUE,
            FAULTS_16,
            "NotImplemented FormationViolation FormationViolation ProtocolError "
            "OccurenceConstraintViolation TypeConstraintViolation PropertyConstraintViolation",
        )

    def test_2_0(self) -> None:
        # Unknown fields are allowed in 2.0.
        self.assert_codes(
            v20.CATALOGUE,
            FAULTS_2,
            "NotImplemented FormatViolation accepted OccurrenceConstraintViolation "
            "OccurrenceConstraintViolation TypeConstraintViolation PropertyConstraintViolation",
        )

    def test_2_0_1(self) -> None:
        self.assert_codes(
            v201.CATALOGUE,
            FAULTS_2,
            "NotImplemented FormatViolation ProtocolError OccurrenceConstraintViolation "
            "OccurrenceConstraintViolation TypeConstraintViolation PropertyConstraintViolation",
        )

    def test_2_1(self) -> None:
        self.assert_codes(
            v21.CATALOGUE,
            FAULTS_2,
            "NotImplemented FormatViolation ProtocolError OccurrenceConstraintViolation "
            "OccurrenceConstraintViolation TypeConstraintViolation PropertyConstraintViolation",
        )
