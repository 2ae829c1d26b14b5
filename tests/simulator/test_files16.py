"""Firmware, diagnostics and logs of a simulated charge point of OCPP 1.6, and triggers."""

from __future__ import annotations

import json
from datetime import timedelta

from ocpp_twisted import v16
from ocpp_twisted.charge_point import Target
from ocpp_twisted.errors import CallErrorReceived
from tests.certificates import Authority, pem
from tests.simulator.case16 import Case

TRIGGERS, MORE_TRIGGERS = v16.MessageTrigger, v16.MessageTriggerEnumType


class Firmware(Case):
    def update(self, location="ftp://files/simulated-2.0.bin", seconds=0, **more):
        retrieve = self.voice.now() + timedelta(seconds=seconds)
        self.asks(v16.UpdateFirmwareRequest(location=location, retrieveDate=retrieve, **more))

    def test_from_the_download_to_the_new_version(self):
        self.update()
        self.run_(100)
        self.says(
            "Firmware Downloading",
            "Firmware Downloaded",
            "Status 1 Unavailable",
            "Status 2 Unavailable",
            "Firmware Installing",
            "Status 0 Available",
            "Status 1 Unavailable",
            "Status 2 Unavailable",
            "Firmware Installed",
            "Status 1 Available",
            "Status 2 Available",
        )
        boots = [each.text for each in self.network.frames if '"BootNotification"' in each.text]
        self.assertIn('"firmwareVersion":"simulated-2.0.bin"', boots[-1])

    def test_not_before_its_time(self):
        self.update(seconds=300)
        self.run_(299)
        self.says()
        self.run_(1)
        self.says("Firmware Downloading")

    def test_it_waits_for_transactions_and_lets_no_new_one_begin(self):
        self.charge()
        self.update()
        self.run_(30)
        self.says("Firmware Downloading", "Firmware Downloaded", "Status 2 Unavailable")
        self.station.present("GREEN", 2)
        self.says()
        self.station.present("RED", 1)
        self.run_(1)
        self.says("Stop 1 Local RED", "Status 1 Finishing", "Firmware Installing")

    def test_failures(self):
        for failing, said in (
            ("DownloadFailed", ["Firmware Downloading", "Firmware DownloadFailed"]),
            ("InstallationFailed", ["Firmware Installing", "Firmware InstallationFailed"]),
            ("InstallVerificationFailed", ["Firmware Downloaded", "Firmware InstallationFailed"]),
        ):
            self.voice.failing = failing
            self.update()
            self.run_(100)
            heard = [each for each in self.heard() if "Firmware" in each.ACTION]
            self.assertEqual([f"Firmware {each.status}" for each in heard][-2:], said)
            self.assertEqual(self.state(), "Available")

    def test_a_location_that_nobody_can_fetch(self):
        self.update("gopher://files/a", retries=1, retryInterval=10)
        self.run_(100)
        self.says("Firmware Downloading", "Firmware DownloadFailed")

    def test_another_order_replaces_the_first(self):
        self.update(seconds=60)
        self.update("ftp://files/other.bin", seconds=30)
        self.run_(150)
        self.assertEqual([each.ACTION for each in self.heard()].count("BootNotification"), 0)
        self.assertEqual(self.voice.firmware, "other.bin")

    def test_a_reset_ends_it(self):
        self.update(seconds=60)
        self.asks(v16.ResetRequest(type=v16.ResetType.Hard))
        self.run_(100)
        heard = [each for each in self.heard() if "Firmware" in each.ACTION]
        self.assertEqual(heard, [])


class SignedFirmware(Case):
    target = Target.at("ws://central-system", "CP1", b"sixteen bytes or more")

    at_the_true_time = True

    def says(self, *expected):
        """Without StartupOfTheDevice, which each boot brings."""
        heard = [each for each in self.heard() if getattr(each, "type", "") != "StartupOfTheDevice"]
        self.central.heard = heard
        super().says(*expected)

    def install_maker(self):
        self.maker = Authority("Maker")
        request = v16.InstallCertificateRequest(
            certificateType=v16.CertificateUseEnumType.ManufacturerRootCertificate,
            certificate=pem(self.maker.certificate).decode(),
        )
        self.assertEqual(self.asks(request).status, "Accepted")

    def update(self, number=1, seconds=0, install=None, signer=None, signature="AAAA"):
        now = self.voice.now()
        more = {} if install is None else {"installDateTime": now + timedelta(seconds=install)}
        signer = signer or self.maker.issue("Firmware")
        request = v16.SignedUpdateFirmwareRequest(
            requestId=number,
            firmware=v16.FirmwareType(
                location="https://files/signed-3.0.bin",
                retrieveDateTime=now + timedelta(seconds=seconds),
                signingCertificate=pem(signer.certificate).decode(),
                signature=signature,
                **more,
            ),
        )
        return self.asks(request).status

    def test_from_the_download_to_the_new_version(self):
        self.install_maker()
        self.assertEqual(self.update(), "Accepted")
        self.run_(100)
        heard = [each for each in self.heard() if "SignedFirmware" in each.ACTION]
        self.assertEqual(
            [each.status.value for each in heard],
            [
                "Downloading",
                "Downloaded",
                "SignatureVerified",
                "Installing",
                "InstallRebooting",
                "Installed",
            ],
        )
        self.assertEqual({each.requestId for each in heard}, {1})
        self.assertEqual(self.voice.firmware, "signed-3.0.bin")

    def test_the_events_of_it(self):
        self.install_maker()
        self.update()
        self.run_(100)
        events = [short.type for short in self.heard() if "SecurityEvent" in short.ACTION]
        self.assertEqual(events, ["ResetOrReboot", "StartupOfTheDevice", "FirmwareUpdated"])

    def test_times(self):
        self.install_maker()
        self.update(seconds=60, install=300)
        self.run_(200)
        self.says(
            "SignedFirmware DownloadScheduled",
            "SignedFirmware Downloading",
            "SignedFirmware Downloaded",
            "SignedFirmware SignatureVerified",
            "SignedFirmware InstallScheduled",
        )

    def test_a_stranger_s_certificate(self):
        self.install_maker()
        stranger = Authority("Stranger").issue("Firmware")
        self.assertEqual(self.update(signer=stranger), "InvalidCertificate")
        self.run_(100)
        self.says("Event InvalidFirmwareSigningCertificate")

    def test_a_signature_that_is_none(self):
        self.install_maker()
        self.update(signature="?")
        self.run_(100)
        self.says(
            "SignedFirmware Downloading",
            "SignedFirmware Downloaded",
            "SignedFirmware InvalidSignature",
            "Event InvalidFirmwareSignature",
        )

    def test_a_new_order_cancels_the_old_one_while_it_can(self):
        self.install_maker()
        self.update(1, seconds=60)
        self.assertEqual(self.update(2), "AcceptedCanceled")
        self.run_(5)
        self.assertEqual({each.requestId for each in self.heard()}, {1, 2})
        self.run_(100)
        self.heard()
        self.update(3)
        while not self.heard_status("Installing"):
            self.run_(1)
        self.assertEqual(self.update(4), "Rejected")

    def heard_status(self, status):
        return any(getattr(each, "status", "") == status for each in self.heard())

    def test_after_a_reset_there_is_none(self):
        self.install_maker()
        self.update(seconds=60)
        self.asks(v16.ResetRequest(type=v16.ResetType.Hard))
        self.run_(100)
        self.heard()
        request = v16.ExtendedTriggerMessageRequest(
            requestedMessage=MORE_TRIGGERS.FirmwareStatusNotification
        )
        self.asks(request)
        self.says("SignedFirmware Idle")

    def test_unsigned_firmware_is_refused(self):
        """L01.FR.20."""
        with self.assertRaises(CallErrorReceived) as raised:
            self.asks(
                v16.UpdateFirmwareRequest(location="ftp://f/a", retrieveDate=self.voice.now())
            )
        self.assertEqual(raised.exception.code, "NotSupported")

    def test_how_far_it_is(self):
        self.install_maker()
        request = v16.ExtendedTriggerMessageRequest(
            requestedMessage=MORE_TRIGGERS.FirmwareStatusNotification
        )
        self.asks(request)
        self.says("SignedFirmware Idle")
        self.update()
        self.run_(1)
        self.says("SignedFirmware Downloading")
        self.asks(request)
        (status,) = self.heard()
        self.assertEqual((status.status, status.requestId), ("Downloading", 1))
        self.run_(100)
        self.heard()
        self.asks(request)
        self.says("SignedFirmware Idle")  # L01.FR.28


class Uploads(Case):
    def diagnostics(self, location="ftp://files/"):
        return self.asks(v16.GetDiagnosticsRequest(location=location))

    def log(self, number=1, location="ftp://files/", kind="SecurityLog"):
        return self.asks(
            v16.GetLogRequest(
                log=v16.LogParametersType(remoteLocation=location),
                logType=v16.LogEnumType(kind),
                requestId=number,
            )
        )

    def test_diagnostics(self):
        answer = self.diagnostics()
        self.assertEqual(answer.fileName, "diagnostics-20260101T000000Z.log")
        self.says("Diagnostics Uploading")
        self.run_(10)
        self.says("Diagnostics Uploaded")

    def test_diagnostics_that_cannot_be_uploaded(self):
        self.voice.failing = "UploadFailure"
        self.diagnostics()
        self.run_(10)
        self.says("Diagnostics Uploading", "Diagnostics UploadFailed")
        self.diagnostics()
        self.run_(10)
        self.says("Diagnostics Uploading", "Diagnostics Uploaded")

    def test_a_log(self):
        answer = self.log(7)
        self.assertEqual(answer.status, "Accepted")
        self.assertEqual(answer.filename, "SecurityLog-20260101T000000Z.log")
        self.run_(10)
        heard = self.heard()
        told = [(each.status.value, each.requestId) for each in heard]
        self.assertEqual(told, [("Uploading", 7), ("Uploaded", 7)])

    def test_a_new_one_cancels_the_old_one(self):
        self.log(1)
        self.assertEqual(self.log(2).status, "AcceptedCanceled")
        self.run_(10)
        told = [(each.status.value, each.requestId) for each in self.heard()]
        self.assertEqual(told, [("Uploading", 1), ("Uploading", 2), ("Uploaded", 2)])

    def test_to_where_nobody_can_send_it(self):
        self.log(location="sftp://files/")
        self.run_(10)
        self.says("Log Uploading", "Log NotSupportedOperation")


class Triggered(Case):
    def trigger(self, message, **more):
        request = v16.TriggerMessageRequest(requestedMessage=TRIGGERS(message), **more)
        return self.asks(request).status

    def trigger_more(self, message, **more):
        request = v16.ExtendedTriggerMessageRequest(requestedMessage=MORE_TRIGGERS(message), **more)
        return self.asks(request).status

    def test_statuses(self):
        self.assertEqual(self.trigger("StatusNotification", connectorId=2), "Accepted")
        self.says("Status 2 Available")
        self.assertEqual(self.trigger("StatusNotification", connectorId=0), "Accepted")
        self.says("Status 0 Available")
        self.assertEqual(self.trigger_more("StatusNotification"), "Accepted")
        self.says("Status 0 Available", "Status 1 Available", "Status 2 Available")
        self.assertEqual(self.trigger("StatusNotification", connectorId=3), "Rejected")

    def test_meter_values(self):
        self.charge()
        self.run_(30)
        self.assertEqual(self.trigger("MeterValues"), "Accepted")
        heard = self.heard()
        contexts = {each.meterValue[0].sampledValue[0].context for each in heard}
        self.assertEqual(contexts, {"Trigger"})
        self.central.heard = heard
        self.says("Meter 0 91", "Meter 1 1 91", "Meter 2 0")
        self.assertEqual(self.trigger_more("MeterValues", connectorId=1), "Accepted")
        self.says("Meter 1 1 91")
        self.assertEqual(self.trigger("MeterValues", connectorId=3), "Rejected")

    def test_heartbeat(self):
        self.network.frames.clear()
        self.assertEqual(self.trigger("Heartbeat"), "Accepted")
        self.run_(0)
        ours = [json.loads(each.text) for each in self.network.frames if each.sent_by_charge_point]
        self.assertEqual([each[0] for each in ours], [3, 2])
        self.assertEqual(ours[1][2], "Heartbeat")

    def test_who_has_been_accepted_boots_no_more(self):
        """Errata 3.35."""
        request = v16.TriggerMessageRequest(requestedMessage=TRIGGERS.BootNotification)
        handlers = [each.request_handler("1.6", request.ACTION) for each in self.voice.handlers]
        (handler,) = [each for each in handlers if each is not None]
        self.assertEqual(handler(None, request).status, "Rejected")

    def test_who_is_pending_says_what_is_asked_for_and_no_more(self):
        self.central.registration = "Pending"
        self.asks(v16.ResetRequest(type=v16.ResetType.Hard))
        self.run_(10)
        self.says()
        self.station.plug_in(1)
        self.station.present("RED", 2)
        self.says()
        self.assertEqual(self.trigger("StatusNotification", connectorId=1), "Accepted")
        self.says("Status 1 Preparing")
        answer = self.asks(v16.GetConfigurationRequest(key=["HeartbeatInterval"]))
        self.assertEqual(len(answer.configurationKey), 1)
        self.central.registration = "Accepted"
        self.assertEqual(self.trigger("BootNotification"), "Accepted")
        self.says("Status 0 Available", "Status 1 Preparing", "Status 2 Available")

    def test_how_far_things_are(self):
        for message, told in (
            ("FirmwareStatusNotification", "Firmware Idle"),
            ("DiagnosticsStatusNotification", "Diagnostics Idle"),
        ):
            self.assertEqual(self.trigger(message), "Accepted")
            self.says(told)
        self.assertEqual(self.trigger_more("LogStatusNotification"), "Accepted")
        self.says("Log Idle")
        self.asks(v16.GetDiagnosticsRequest(location="ftp://f/"))
        retrieve = self.voice.now()
        self.asks(v16.UpdateFirmwareRequest(location="ftp://f/a", retrieveDate=retrieve))
        self.run_(1)
        self.heard()
        self.trigger("DiagnosticsStatusNotification")
        self.trigger("FirmwareStatusNotification")
        self.says("Diagnostics Uploading", "Firmware Downloading")

    def test_a_connector_that_does_not_matter_is_ignored(self):
        self.assertEqual(self.trigger("FirmwareStatusNotification", connectorId=9), "Accepted")
