"""What charge points answer to our calls is kept."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.plugins.local.wire import Line, Site, at, at_text, of
from tests.security.certificates import certificate, ec_key, name, pem

TOKEN = {"idToken": "ANNA", "type": "ISO14443"}
HASH = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "n",
    "issuerKeyHash": "k",
    "serialNumber": "1",
}
V2 = ("ocpp2.0.1", "ocpp2.1")


class Commanded(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.lines: dict[str, Line] = {}

    def command(
        self, subprotocol: str, action: str, asked: dict[str, Any], told: dict[str, Any]
    ) -> None:
        """Send CP1 a command, which it answers."""
        if subprotocol not in self.lines:
            self.lines[subprotocol] = self.site.connect(subprotocol)
        line = self.lines[subprotocol]
        called = self.site.central_system.call_json("CP1", action, json.dumps(asked).encode())
        _, message_id, sent, _ = json.loads(line.sent[-1])
        self.assertEqual(action, sent)
        line.says(json.dumps([3, message_id, told]))
        self.successResultOf(called)


class Reservations(Commanded):
    def reserve(self, subprotocol: str, number: int, status: str = "Accepted") -> None:
        if subprotocol == "ocpp1.6":
            asked: dict[str, Any] = {
                "connectorId": 1,
                "expiryDate": at_text(30),
                "idTag": "ANNA",
                "parentIdTag": "FAMILY",
                "reservationId": number,
            }
        else:
            asked = {
                "id": number,
                "expiryDateTime": at_text(30),
                "idToken": TOKEN,
                "groupIdToken": {**TOKEN, "idToken": "FAMILY"},
                "evseId": 1,
            }
        if subprotocol == "ocpp2.0":
            del asked["id"], asked["expiryDateTime"], asked["evseId"]
            asked["reservation"] = {
                "id": number,
                "expiryDateTime": at_text(30),
                "evse": {"id": 1},
            }
        self.command(subprotocol, "ReserveNow", asked, {"status": status})

    def status(self) -> list[str]:
        """The statuses of all reservations, the newest first."""
        return [each.status for each in of(self.site.plugin.list_reservations("CP1")).items]

    def test_accepted(self) -> None:
        for subprotocol in ("ocpp1.6", "ocpp2.0", *V2):
            self.setUp()
            self.reserve(subprotocol, 5)
            [kept] = of(self.site.plugin.list_reservations(is_active=True)).items
            told = (kept.reservationId, kept.idTag, kept.parentIdTag, kept.expiryDate, kept.status)
            self.assertEqual((5, "ANNA", "FAMILY", at(30), "Accepted"), told)

    def test_refused(self) -> None:
        self.reserve("ocpp1.6", 5, "Occupied")
        self.assertEqual([], self.status())

    def test_expired(self) -> None:
        self.reserve("ocpp1.6", 5)
        self.site.time = at(30)
        self.assertEqual(["Expired"], self.status())
        self.assertEqual((), of(self.site.plugin.list_reservations(is_active=True)).items)

    def test_cancelled(self) -> None:
        for subprotocol in ("ocpp1.6", "ocpp2.0", *V2):
            self.setUp()
            self.reserve(subprotocol, 5)
            self.command(
                subprotocol, "CancelReservation", {"reservationId": 5}, {"status": "Accepted"}
            )
            self.assertEqual(["Cancelled"], self.status())

    def test_used_by_a_transaction(self) -> None:
        self.reserve("ocpp1.6", 5)
        self.lines["ocpp1.6"].calls(
            "StartTransaction",
            connectorId=1,
            idTag="ANNA",
            meterStart=0,
            timestamp=at_text(1),
            reservationId=5,
        )
        self.assertEqual(["Used"], self.status())

    def test_used_by_a_transaction_of_v2(self) -> None:
        for subprotocol in V2:
            self.setUp()
            self.reserve(subprotocol, 5)
            self.lines[subprotocol].calls(
                "TransactionEvent",
                eventType="Started",
                timestamp=at_text(1),
                triggerReason="Authorized",
                seqNo=0,
                transactionInfo={"transactionId": "T1"},
                reservationId=5,
            )
            self.assertEqual(["Used"], self.status())

    def test_charge_point_says_that_it_is_over(self) -> None:
        for subprotocol in V2:
            self.setUp()
            self.reserve(subprotocol, 5)
            self.lines[subprotocol].calls(
                "ReservationStatusUpdate", reservationId=5, reservationUpdateStatus="Removed"
            )
            self.assertEqual(["Removed"], self.status())

    def test_first_reason_counts(self) -> None:
        self.reserve("ocpp2.0.1", 5)
        self.command("ocpp2.0.1", "CancelReservation", {"reservationId": 5}, {"status": "Accepted"})
        self.lines["ocpp2.0.1"].calls(
            "ReservationStatusUpdate", reservationId=5, reservationUpdateStatus="Expired"
        )
        self.assertEqual(["Cancelled"], self.status())

    def test_ids_are_given_out_once(self) -> None:
        first, second = of(self.site.plugin.new_id()), of(self.site.plugin.new_id())
        self.assertEqual(first + 1, second)


class Profiles(Commanded):
    def profile(self, subprotocol: str, number: int, level: int = 0) -> dict[str, Any]:
        schedule: dict[str, Any] = {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
        }
        rest = {
            "stackLevel": level,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
        }
        if subprotocol == "ocpp1.6":
            return {"chargingProfileId": number, **rest, "chargingSchedule": schedule}
        return {"id": number, **rest, "chargingSchedule": [{"id": 1, **schedule}]}

    def set(self, subprotocol: str, number: int, level: int, status: str = "Accepted") -> None:
        profile = self.profile(subprotocol, number, level)
        asked = (
            {"connectorId": 1, "csChargingProfiles": profile}
            if subprotocol == "ocpp1.6"
            else {"evseId": 1, "chargingProfile": profile}
        )
        self.command(subprotocol, "SetChargingProfile", asked, {"status": status})

    def ids(self) -> list[int]:
        found = of(self.site.plugin.list_charging_profiles("CP1")).items
        return sorted(each.chargingProfileId for each in found)

    def test_set(self) -> None:
        for subprotocol in ("ocpp1.6", *V2):
            self.setUp()
            self.set(subprotocol, 1, 0)
            self.set(subprotocol, 2, 1)
            self.set(subprotocol, 3, 2, status="Rejected")
            self.assertEqual([1, 2], self.ids())
            # One of the same purpose and level takes its place.
            self.set(subprotocol, 4, 1)
            self.assertEqual([1, 4], self.ids())

    def test_cleared(self) -> None:
        for subprotocol, by_id, by_level in (
            ("ocpp1.6", {"id": 1}, {"stackLevel": 1}),
            *(
                (each, {"chargingProfileId": 1}, {"chargingProfileCriteria": {"stackLevel": 1}})
                for each in V2
            ),
        ):
            self.setUp()
            for number in (1, 2, 3):
                self.set(subprotocol, number, number - 1)
            for asked, left in ((by_id, [2, 3]), (by_level, [3]), ({}, [])):
                self.command(subprotocol, "ClearChargingProfile", asked, {"status": "Accepted"})
                self.assertEqual(left, self.ids())

    def test_composite_schedule(self) -> None:
        told = {"status": "Accepted", "connectorId": 1, "scheduleStart": at_text(1)}
        asked = {"connectorId": 1, "duration": 60}
        self.command("ocpp1.6", "GetCompositeSchedule", asked, told)
        self.assertEqual({"1": told}, self.site.facts("compositeSchedule"))


class Configuration(Commanded):
    def test_v16(self) -> None:
        keys = [
            {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
            {"key": "AuthorizationKey", "readonly": False, "value": "secret"},
        ]
        self.command("ocpp1.6", "GetConfiguration", {}, {"configurationKey": keys})
        for key, status in (("HeartbeatInterval", "Accepted"), ("AuthorizationKey", "Accepted")):
            asked = {"key": key, "value": "60"}
            self.command("ocpp1.6", "ChangeConfiguration", asked, {"status": status})
        [(key, known)] = self.site.facts("configuration").items()
        self.assertEqual(("HeartbeatInterval", "60"), (key, known["value"]))

    def test_v2(self) -> None:
        for subprotocol in ("ocpp2.0", *V2):
            self.setUp()
            names = ("HeartbeatInterval", "BasicAuthPassword", "Unknown")
            about = [{"component": {"name": "Ctrlr"}, "variable": {"name": name}} for name in names]
            statuses = ("Accepted", "Accepted", "UnknownVariable")
            told = [
                {**each, "attributeStatus": status, "attributeValue": "300"}
                for each, status in zip(about, statuses, strict=True)
            ]
            self.command(
                subprotocol,
                "GetVariables",
                {"getVariableData": about},
                {"getVariableResult": told},
            )
            self.assertEqual("300", self.value())
            self.command(
                subprotocol,
                "SetVariables",
                {"setVariableData": [{**each, "attributeValue": "60"} for each in about]},
                {
                    "setVariableResult": [
                        {**each, "attributeStatus": status}
                        for each, status in zip(about, statuses, strict=True)
                    ]
                },
            )
            self.assertEqual("60", self.value())

    def value(self) -> str:
        """That of the only variable that is known."""
        [(key, known)] = self.site.facts("variable").items()
        self.assertEqual("Ctrlr/HeartbeatInterval", key)
        [attribute] = known["variableAttribute"]
        value: str = attribute["value"]
        return value


class Others(Commanded):
    def test_local_list(self) -> None:
        for subprotocol, field in (("ocpp1.6", "listVersion"), ("ocpp2.0.1", "versionNumber")):
            self.setUp()
            asked = {field: 3, "updateType": "Full"}
            self.command(subprotocol, "SendLocalList", asked, {"status": "Accepted"})
            self.assertEqual({"": {"version": 3}}, self.site.facts("localList"))
            failed = {"status": "Failed"}
            self.command(subprotocol, "SendLocalList", {**asked, field: 4}, failed)
            self.assertEqual({"": {"version": 3}}, self.site.facts("localList"))
            self.command(subprotocol, "GetLocalListVersion", {}, {field: 9})
            self.assertEqual({"": {"version": 9}}, self.site.facts("localList"))

    def test_certificates(self) -> None:
        chain = {"certificateType": "CSMSRootCertificate", "certificateHashData": HASH}
        self.command(
            "ocpp2.0.1",
            "GetInstalledCertificateIds",
            {},
            {"status": "Accepted", "certificateHashDataChain": [chain]},
        )
        self.assertEqual({"n/k/1": chain}, self.site.facts("certificate"))
        asked = {"certificateHashData": HASH}
        self.command("ocpp2.0.1", "DeleteCertificate", asked, {"status": "Accepted"})
        self.assertEqual({}, self.site.facts("certificate"))

    def listed(self, subprotocol: str, kind: str | None, *hashes: dict[str, Any]) -> None:
        """CP1 lists its certificates of a kind, or all."""
        told: dict[str, Any] = {"status": "Accepted" if hashes else "NotFound"}
        if subprotocol in V2:
            asked = {} if kind is None else {"certificateType": [kind]}
            chains = [
                {"certificateType": kind or "MORootCertificate", "certificateHashData": each}
                for each in hashes
            ]
            if chains:
                told["certificateHashDataChain"] = chains
        else:
            field = "certificateType" if subprotocol == "ocpp1.6" else "typeOfCertificate"
            asked = {field: kind}
            if hashes:
                told["certificateHashData"] = list(hashes)
        self.command(subprotocol, "GetInstalledCertificateIds", asked, told)

    def test_certificates_of_a_type(self) -> None:
        other = {**HASH, "serialNumber": "2A"}
        for subprotocol, first, second in (
            ("ocpp1.6", "CentralSystemRootCertificate", "ManufacturerRootCertificate"),
            ("ocpp2.0", "CSMSRootCertificate", "ManufacturerRootCertificate"),
            ("ocpp2.0.1", "CSMSRootCertificate", "ManufacturerRootCertificate"),
            ("ocpp2.1", "CSMSRootCertificate", "OEMRootCertificate"),
        ):
            self.setUp()
            self.listed(subprotocol, first, HASH)
            self.listed(subprotocol, second, other)
            expected = {
                "n/k/1": {"certificateType": first, "certificateHashData": HASH},
                "n/k/2a": {"certificateType": second, "certificateHashData": other},
            }
            self.assertEqual(expected, self.site.facts("certificate"))
            self.listed(subprotocol, first)
            self.assertEqual(["n/k/2a"], list(self.site.facts("certificate")))

    def test_no_certificate_at_all(self) -> None:
        self.listed("ocpp2.1", None, HASH)
        self.listed("ocpp2.1", None)
        self.assertEqual({}, self.site.facts("certificate"))

    def test_a_certificate_that_was_not_there(self) -> None:
        for subprotocol in ("ocpp1.6", "ocpp2.0", *V2):
            for status, left in (("Failed", 1), ("NotFound", 0)):
                self.setUp()
                self.listed(subprotocol, "ManufacturerRootCertificate", HASH)
                asked = {"certificateHashData": HASH}
                self.command(subprotocol, "DeleteCertificate", asked, {"status": status})
                self.assertEqual(left, len(self.site.facts("certificate")))

    def test_installed(self) -> None:
        root = certificate(ec_key(), name(cn="Root"))
        other = certificate(ec_key(1), name(cn="Sub"), name(cn="Root"), ec_key())
        kind = "ManufacturerRootCertificate"
        for subprotocol in ("ocpp1.6", "ocpp2.0", *V2):
            for status, found, count in (
                ("Rejected" if subprotocol != "ocpp2.0" else "CertChainError", root, 0),
                ("Accepted", other, 0),
                ("Accepted", root, 1),
            ):
                asked = {"certificateType": kind, "certificate": pem(found)}
                self.command(subprotocol, "InstallCertificate", asked, {"status": status})
                known = self.site.facts("certificate")
                self.assertEqual(count, len(known), (subprotocol, status))
            [told] = known.values()
            self.assertEqual(kind, told["certificateType"])
            self.assertEqual(
                hex(root.serial_number)[2:], told["certificateHashData"]["serialNumber"]
            )
            if subprotocol != "ocpp2.0":  # which has no room for this serial number
                # It is the same that the charge point lists.
                self.listed(subprotocol, kind, told["certificateHashData"])
                self.assertEqual(known, self.site.facts("certificate"))
            self.setUp()

    def test_display_messages(self) -> None:
        content = {"format": "UTF8", "content": "hello"}
        message = {"id": 5, "priority": "AlwaysFront", "message": content}
        for subprotocol in ("ocpp2.0", *V2):
            self.setUp()
            accepted = {"status": "Accepted"}
            self.command(subprotocol, "SetDisplayMessage", {"message": message}, accepted)
            self.assertEqual({"5": message}, self.site.facts("displayMessage"))
            self.command(subprotocol, "ClearDisplayMessage", {"id": 5}, accepted)
            self.assertEqual({}, self.site.facts("displayMessage"))

    def test_tariffs(self) -> None:
        tariff = {"tariffId": "T", "currency": "EUR"}
        self.command(
            "ocpp2.1",
            "SetDefaultTariff",
            {"evseId": 1, "tariff": tariff},
            {"status": "Accepted"},
        )
        self.assertEqual({"default/1": tariff}, self.site.facts("tariff"))
        self.command(
            "ocpp2.1",
            "ClearTariffs",
            {},
            {"clearTariffsResult": [{"tariffId": "T", "status": "Accepted"}]},
        )
        self.assertEqual({}, self.site.facts("tariff"))

    def test_availability(self) -> None:
        asked = {"connectorId": 1, "type": "Inoperative"}
        self.command("ocpp1.6", "ChangeAvailability", asked, {"status": "Scheduled"})
        self.assertEqual({"1": {**asked, "status": "Scheduled"}}, self.site.facts("availability"))

    def test_refusal_by_an_error_changes_nothing(self) -> None:
        line = self.site.connect("ocpp1.6")
        called = self.site.central_system.call_json(
            "CP1", "SendLocalList", b'{"listVersion":3,"updateType":"Full"}'
        )
        _, message_id, _, _ = json.loads(line.sent[-1])
        line.says(json.dumps([4, message_id, "NotSupported", "", {}]))
        self.failureResultOf(called)
        self.assertEqual({}, self.site.facts("localList"))
