"""Certificates, passwords, security events and firmware in 2.x (blocks A, L and M)."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from ocpp_twisted.charge_point import ClientTLS, Target
from ocpp_twisted.simulator.v2.dialect import given
from tests.certificates import Authority, pem
from tests.simulator.case2 import each

CSMS = "CSMSRootCertificate"
MAKER = "ManufacturerRootCertificate"


class _Public:
    """A key of which only the public half is known."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def public_key(self) -> Any:
        return self._key


class Certificates:
    begin = datetime.now(UTC)

    def install(self, authority: Authority, use: str = CSMS) -> str:
        text = pem(authority.certificate).decode()
        status: str = self.ask("InstallCertificate", certificateType=use, certificate=text)[
            "status"
        ]
        return status

    def installed(self, use: str) -> list[Any]:
        kind = {"typeOfCertificate": use} if self.version == "2.0" else {"certificateType": [use]}
        calling = self.network.central_system.call(
            "CP1", self.m.GetInstalledCertificateIdsRequest(**kind)
        )
        answer = self.network.result(calling)
        hashes = given(answer, "certificateHashData")
        if hashes is not None:
            return list(hashes)
        chains = given(answer, "certificateHashDataChain") or []
        return [chain.certificateHashData for chain in chains]

    def test_roots_come_and_go(self):
        self.assertEqual(self.installed(CSMS), [])
        self.assertEqual(self.install(Authority("A")), "Accepted")
        self.assertEqual(self.install(Authority("B"), MAKER), "Accepted")
        if self.version == "2.0":  # it has no room for serial numbers of 20 bytes
            self.assertEqual(self.installed(CSMS), [])
            return
        (found,) = self.installed(CSMS)
        self.assertEqual(self.get("SecurityCtrlr", "CertificateEntries"), "2")
        ask = "DeleteCertificate"
        self.assertEqual(self.ask(ask, certificateHashData=found)["status"], "Accepted")
        self.assertEqual(self.ask(ask, certificateHashData=found)["status"], "NotFound")
        self.assertEqual(self.installed(CSMS), [])

    def test_what_is_none_is_rejected(self):
        status = self.ask("InstallCertificate", certificateType=CSMS, certificate="x")["status"]
        self.assertEqual(status, "SignatureError" if self.version == "2.0" else "Rejected")

    def sign(self) -> dict[str, Any]:
        self.ask("TriggerMessage", requestedMessage="SignChargingStationCertificate")
        self.run_for(1)
        (request,) = self.heard("SignCertificate")
        return request

    def signed(self, request: dict[str, Any], authority: Authority) -> str:
        key = x509.load_pem_x509_csr(request["csr"].encode()).public_key()
        text = pem(authority.issue("CP1", key=_Public(key)).certificate).decode()
        chain = {"cert": [text]} if self.version == "2.0" else {"certificateChain": text}
        status: str = self.ask("CertificateSigned", **chain)["status"]
        self.run_for(1)
        return status

    def test_its_own_is_signed(self):
        authority = Authority("A")
        self.install(authority)
        request = self.sign()
        csr = x509.load_pem_x509_csr(request["csr"].encode())
        self.assertEqual(csr.subject.rfc4514_string(), "O=Example,CN=CP1")
        self.assertEqual(self.signed(request, authority), "Accepted")
        self.run_for(1000)
        self.assertEqual(self.heard("SignCertificate", "SecurityEventNotification"), [])

    def connected_with(self, authority: Authority) -> None:
        """It has been made with a certificate, and knows who has signed the central system's."""
        directory = Path(self.mktemp())
        cert, key = authority.issue("CP1").write(directory / "old.pem")
        ca = directory / "ca.pem"
        ca.write_bytes(pem(authority.certificate))
        self.station.charge_point.target = Target(
            url="wss://central-system/CP1", tls=ClientTLS(ca=ca, cert=cert, key=key)
        )
        self.old = cert

    def tls(self) -> Any:
        return self.station.charge_point.target.tls

    def trusted(self) -> list[str]:
        found = x509.load_pem_x509_certificates(self.tls().ca.read_bytes())
        return [each.subject.rfc4514_string() for each in found]

    def test_a_new_one_is_shown_at_once(self):
        authority = Authority("A")
        self.connected_with(authority)
        self.assertEqual(self.get("SecurityCtrlr", "SecurityProfile"), "3")
        connections = len(self.central.online)
        self.assertEqual(self.signed(self.sign(), authority), "Accepted")
        self.assertEqual(len(self.central.online), connections + 1)
        shown = x509.load_pem_x509_certificate(self.tls().cert.read_bytes())
        self.assertNotEqual(self.tls().cert, self.old)
        self.assertEqual(shown.issuer.rfc4514_string(), "CN=A")
        self.assertEqual(self.trusted(), ["CN=A"])

    def test_roots_that_are_installed_are_trusted(self):
        self.connected_with(Authority("A"))
        self.install(Authority("B"))
        self.assertEqual(self.trusted(), ["CN=A", "CN=B"])
        self.assertEqual(self.tls().cert, self.old)
        if self.version == "2.0":
            return
        first, second = self.installed(CSMS)
        delete = "DeleteCertificate"
        self.assertEqual(self.ask(delete, certificateHashData=first)["status"], "Accepted")
        self.assertEqual(self.trusted(), ["CN=B"])
        # the connection stands on the last one
        self.assertEqual(self.ask(delete, certificateHashData=second)["status"], "Failed")

    def test_by_somebody_unknown(self):
        self.install(Authority("A"))
        self.assertEqual(self.signed(self.sign(), Authority("B")), "Rejected")
        (event,) = self.heard("SecurityEventNotification")
        self.assertEqual(event["type"], "InvalidChargingStationCertificate")

    def test_it_asks_again_if_none_comes(self):
        self.set("SecurityCtrlr", "CertSigningWaitMinimum", "10")
        self.set("SecurityCtrlr", "CertSigningRepeatTimes", "2")
        self.sign()
        self.sign()  # only the last one is waited for
        requests = []
        for seconds in (11, 21, 1000):
            self.run_for(seconds)
            requests.append(len(self.heard("SignCertificate")))
        self.assertEqual(requests, [1, 1, 0])


class Passwords:
    def test_a_new_password_counts_at_once(self):
        password = "0123456789ABCDEF"
        connections = len(self.central.online)
        self.assertEqual(self.set("SecurityCtrlr", "BasicAuthPassword", password), "Accepted")
        self.run_for(1)
        self.assertEqual(len(self.central.online), connections + 1)
        header = self.station.charge_point.target.request_headers["Authorization"]
        self.assertEqual(header, f"Basic {b64encode(b'CP1:' + password.encode()).decode()}")
        (event,) = self.heard("SecurityEventNotification")
        self.assertEqual(event["type"], "ReconfigurationOfSecurityParameters")

    def test_events_of_a_time_offline_come_later(self):
        self.set("OCPPCommCtrlr", "RetryBackOffRandomRange", "0")
        self.network.reachable = False
        self.network.cut()
        self.voice.security.event("TamperDetectionActivated")
        self.run_for(1)
        self.network.reachable = True
        self.run_for(60)
        (event,) = self.heard("SecurityEventNotification")
        self.assertEqual(event["type"], "TamperDetectionActivated")


class Updates:
    begin = datetime.now(UTC)

    def update(self, number: int = 5, retrieve: float = 0, **more: Any) -> str:
        when = datetime.fromtimestamp(self.network.clock.seconds(), UTC)
        firmware = self.m.FirmwareType(
            location="https://maker.example/firmware-2.1.bin",
            retrieveDateTime=when + timedelta(seconds=retrieve),
            **more,
        )
        status: str = self.ask("UpdateFirmware", requestId=number, firmware=firmware)["status"]
        return status

    def statuses(self) -> list[str]:
        reports = self.heard("FirmwareStatusNotification")
        self.assertEqual({each["requestId"] for each in reports}, {5})
        return [each["status"] for each in reports]

    def test_from_the_order_to_the_boot(self):
        self.assertEqual(self.update(retrieve=60), "Accepted")
        self.run_for(300)
        events = [
            payload["type"]
            for action, payload in self.central.heard
            if action == "SecurityEventNotification"
        ]
        self.assertEqual(
            self.statuses(),
            [
                "DownloadScheduled",
                "Downloading",
                "Downloaded",
                "Installing",
                "InstallRebooting",
                "Installed",
            ],
        )
        self.assertIn("FirmwareUpdated", events)
        boot = [f.text for f in self.network.frames if '"BootNotification"' in f.text][-1]
        self.assertIn('"firmwareVersion":"firmware-2.1.bin"', boot)
        self.assertIn('"reason":"FirmwareUpdate"', boot)
        self.assertEqual(self.voice.state(self.station.outlets[0]), "Available")

    def test_it_waits_for_transactions(self):
        self.charge()
        self.update()
        self.run_for(300)
        self.assertEqual(self.statuses(), ["Downloading", "Downloaded"])
        self.station.present("AA")
        self.run_for(60)
        self.assertEqual(self.statuses(), ["Installing", "InstallRebooting", "Installed"])

    def test_nobody_else_begins_meanwhile(self):
        self.set("ChargingStation", "AllowNewSessionsPendingFirmwareUpdate", "false")
        self.charge()
        self.update()
        self.run_for(60)
        self.assertEqual(self.voice.state(self.station.outlets[1]), "Unavailable")

    def test_another_order_takes_its_place(self):
        self.update(4)
        self.run_for(1)
        self.heard()
        self.assertEqual(self.update(5), "AcceptedCanceled")
        self.run_for(300)
        self.assertEqual(self.statuses()[-1], "Installed")

    def test_what_goes_wrong(self):
        self.voice.firmware.failing = "InvalidSignature"
        self.update(signature="x")
        self.run_for(100)
        events = [
            payload["type"]
            for action, payload in self.central.heard
            if action == "SecurityEventNotification"
        ]
        self.assertEqual(self.statuses(), ["Downloading", "Downloaded", "InvalidSignature"])
        self.assertEqual(events, ["InvalidFirmwareSignature"])

    def test_a_signer_that_nobody_knows(self):
        maker = Authority("Maker")
        text = pem(maker.issue("Signer").certificate).decode()
        status = self.update(signingCertificate=text, signature="x")
        self.assertEqual(status, "Rejected" if self.version == "2.0" else "InvalidCertificate")
        self.run_for(1)
        (event,) = self.heard("SecurityEventNotification")
        self.assertEqual(event["type"], "InvalidFirmwareSigningCertificate")
        self.ask(
            "InstallCertificate",
            certificateType="ManufacturerRootCertificate",
            certificate=pem(maker.certificate).decode(),
        )
        self.assertEqual(self.update(signingCertificate=text, signature="x"), "Accepted")
        self.run_for(100)
        self.assertIn("SignatureVerified", self.statuses())

    def test_firmware_is_published(self):
        number = {} if self.version == "2.0" else {"requestId": 6}
        location, checksum = "https://maker.example/1.bin", "abc"
        ask = {"location": location, "checksum": checksum, **number}
        self.assertEqual(self.ask("PublishFirmware", **ask)["status"], "Accepted")
        self.assertEqual(self.ask("PublishFirmware", **ask)["status"], "Rejected")
        unpublish = "UnpublishFirmware"
        self.assertEqual(self.ask(unpublish, checksum=checksum)["status"], "DownloadOngoing")
        self.run_for(60)
        statuses = [each["status"] for each in self.heard("PublishFirmwareStatusNotification")]
        self.assertEqual(statuses, ["Downloading", "Downloaded", "ChecksumVerified", "Published"])
        self.assertEqual(self.ask(unpublish, checksum=checksum)["status"], "Unpublished")
        self.assertEqual(self.ask(unpublish, checksum=checksum)["status"], "NoFirmware")


globals().update(each(Certificates))
globals().update(each(Passwords))
globals().update(each(Updates))
