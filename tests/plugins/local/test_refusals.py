"""What a central system without a feature says, word for word."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.versions import CATALOGUES
from tests.plugins.local.samples import payload
from tests.plugins.local.wire import NOW_TEXT, Site

UNSUPPORTED = {"statusInfo": {"reasonCode": "UnsupportedRequest"}}
REJECTED = {"status": "Rejected"}
FAILED = {"status": "Failed"}


class Refusals(SynchronousTestCase):
    def answers(self, action: str, answers: dict[str, dict[str, Any]]) -> None:
        """The answers to an action's smallest request, by version."""
        for version, expected in answers.items():
            catalogue = CATALOGUES[version]
            request = payload(catalogue.actions[action].request, full=False)
            charge_point = Site().connect(catalogue.rules.subprotocol)
            self.assertEqual(expected, charge_point.calls(action, **request), version)

    def test_data_transfer(self) -> None:
        unknown = {"status": "UnknownVendorId"}
        self.answers("DataTransfer", dict.fromkeys(CATALOGUES, unknown))

    def test_sign_certificate(self) -> None:
        self.answers(
            "SignCertificate",
            dict.fromkeys(CATALOGUES, REJECTED),
        )

    def test_get_15118_ev_certificate(self) -> None:
        failed = {**FAILED, "exiResponse": ""}
        chains = {
            "saProvisioningCertificateChain": {"certificate": ""},
            "contractSignatureCertificateChain": {"certificate": ""},
        }
        self.answers(
            "Get15118EVCertificate",
            {
                "2.0": {**failed, **chains},
                "2.0.1": {**failed, **UNSUPPORTED},
                "2.1": {**failed, **UNSUPPORTED},
            },
        )

    def test_update_15118_ev_certificate(self) -> None:
        self.answers("Update15118EVCertificate", {"2.0": FAILED})

    def test_get_certificate_status(self) -> None:
        failed = {**FAILED, **UNSUPPORTED}
        self.answers("GetCertificateStatus", {"2.0": REJECTED, "2.0.1": failed, "2.1": failed})

    def test_get_certificate_chain_status(self) -> None:
        hashes = {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": "n",
            "issuerKeyHash": "k",
            "serialNumber": "1",
        }
        asked = [
            {"certificateHashData": hashes, "source": "OCSP", "urls": ["http://a"]},
            {"certificateHashData": {**hashes, "serialNumber": "2"}, "source": "CRL", "urls": [""]},
        ]
        answer = (
            Site()
            .connect("ocpp2.1")
            .calls("GetCertificateChainStatus", certificateStatusRequests=asked)
        )
        self.assertEqual(
            [("1", "OCSP", "Failed", NOW_TEXT), ("2", "CRL", "Failed", NOW_TEXT)],
            [
                (
                    each["certificateHashData"]["serialNumber"],
                    each["source"],
                    each["status"],
                    each["nextUpdate"],
                )
                for each in answer["certificateStatus"]
            ],
        )

    def test_notify_ev_charging_needs(self) -> None:
        rejected = {**REJECTED, **UNSUPPORTED}
        self.answers("NotifyEVChargingNeeds", {"2.0": REJECTED, "2.0.1": rejected, "2.1": rejected})

    def test_notify_ev_charging_schedule_is_read(self) -> None:
        accepted = {"status": "Accepted"}
        self.answers("NotifyEVChargingSchedule", dict.fromkeys(("2.0", "2.0.1", "2.1"), accepted))

    def test_features_of_v21(self) -> None:
        rejected = {**REJECTED, **UNSUPPORTED}
        self.answers("OpenPeriodicEventStream", {"2.1": rejected})
        self.answers("PullDynamicScheduleUpdate", {"2.1": rejected})
        for action in ("BatterySwap", "NotifySettlement", "ClosePeriodicEventStream"):
            self.answers(action, {"2.1": {}})

    def test_vat_number_is_given_back_unchecked(self) -> None:
        charge_point = Site().connect("ocpp2.1")
        rejected = {**REJECTED, **UNSUPPORTED, "vatNumber": "NL1"}
        self.assertEqual(rejected, charge_point.calls("VatNumberValidation", vatNumber="NL1"))
        self.assertEqual(
            {**rejected, "evseId": 2},
            charge_point.calls("VatNumberValidation", vatNumber="NL1", evseId=2),
        )

    def test_periodic_event_stream_is_not_answered(self) -> None:
        self.assertIsNone(
            Site()
            .connect("ocpp2.1")
            .says(
                '[6,"1","NotifyPeriodicEventStream",{"id":1,"pending":0,'
                '"basetime":"2024-05-01T12:00:00Z","data":[{"t":0.1,"v":"1"}]}]'
            )
        )
