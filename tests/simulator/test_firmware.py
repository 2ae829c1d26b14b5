"""Firmware updates and uploads, step by step."""

from __future__ import annotations

from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.simulator.firmware import FirmwareOrder, FirmwareUpdate, Upload, name_in


class AStation:
    """Where firmware is installed: it writes down what it is told."""

    def __init__(self):
        self.said = []
        self.is_idle = True
        self.reboots = []

    def tell(self, status):
        self.said.append(status)

    def idle(self):
        return self.is_idle

    def block(self, blocked):
        self.said.append("blocked" if blocked else "free")

    def reboot(self, location):
        self.said.append(f"reboot {location}")
        self.reboots.append(Deferred())
        return self.reboots[-1]


class Updating(SynchronousTestCase):
    def setUp(self):
        self.clock, self.station = Clock(), AStation()

    def update(self, **order):
        update = FirmwareUpdate(
            FirmwareOrder(location="ftp://f/a.bin", **order), self.station, self.clock, Random(1)
        )
        update.start()
        return update

    def pass_(self, seconds):
        self.clock.pump([1.0] * int(seconds))

    def says(self, *expected):
        said, self.station.said = self.station.said, []
        self.assertEqual(said, list(expected))

    def test_from_the_download_to_the_reboot(self):
        update = self.update()
        self.pass_(100)
        self.says(
            "Downloading",
            "Downloaded",
            "blocked",
            "Installing",
            "InstallRebooting",
            "reboot ftp://f/a.bin",
        )
        self.assertFalse(update.over)
        self.station.reboots[0].callback(None)
        self.says("Installed", "free")
        self.assertTrue(update.over)

    def test_not_before_its_time(self):
        self.update(retrieve_in=60, install_in=300, signed=True)
        self.says("DownloadScheduled")
        self.pass_(59)
        self.says()
        self.pass_(50)
        self.says("Downloading", "Downloaded", "SignatureVerified", "InstallScheduled")
        self.pass_(190)
        self.says()
        self.pass_(2)
        self.says("blocked", "Installing")

    def test_it_waits_for_the_last_transaction(self):
        self.station.is_idle = False
        update = self.update()
        self.pass_(100)
        self.says("Downloading", "Downloaded", "blocked")
        update.transaction_ended()
        self.pass_(100)
        self.says()
        self.station.is_idle = True
        update.transaction_ended()
        update.transaction_ended()
        self.pass_(1)
        self.says("Installing")

    def test_what_cannot_be_downloaded_is_tried_again(self):
        update = self.update(failing="DownloadFailed", attempts=3, retry_interval=100)
        self.pass_(200)
        self.says("Downloading")
        self.assertFalse(update.over)
        self.pass_(100)
        self.says("DownloadFailed", "free")
        self.assertTrue(update.over)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_else_can_go_wrong(self):
        for failing, last in (
            ("InvalidSignature", "Downloaded"),
            ("InstallVerificationFailed", "blocked"),
            ("InstallationFailed", "Installing"),
        ):
            update = self.update(failing=failing, signed=True)
            self.pass_(100)
            self.assertEqual(self.station.said[-3:], [last, failing, "free"])
            self.assertEqual((update.over, update.status), (True, failing))
            self.station.said.clear()

    def test_cancelled_it_says_nothing_more(self):
        self.station.is_idle = False
        update = self.update()
        self.pass_(100)
        update.cancel()
        self.station.is_idle = True
        update.transaction_ended()
        self.pass_(100)
        self.says("Downloading", "Downloaded", "blocked", "free")
        self.assertTrue(update.over)


class Uploading(SynchronousTestCase):
    def upload(self, **more):
        self.clock, self.said = Clock(), []
        upload = Upload(self.said.append, self.clock, Random(1), **more)
        upload.start()
        return upload

    def test_well(self):
        upload = self.upload()
        self.assertEqual((self.said, upload.over), (["Uploading"], False))
        self.clock.advance(10)
        self.assertEqual((self.said, upload.over), (["Uploading", "Uploaded"], True))

    def test_badly_after_some_attempts(self):
        self.upload(failing="UploadFailure", attempts=2, retry_interval=60)
        self.clock.pump([1.0] * 60)
        self.assertEqual(self.said, ["Uploading"])
        self.clock.pump([1.0] * 20)
        self.assertEqual(self.said, ["Uploading", "UploadFailure"])

    def test_cancelled(self):
        upload = self.upload()
        upload.cancel()
        self.clock.advance(100)
        self.assertEqual((self.said, upload.over), (["Uploading"], True))


class Names(SynchronousTestCase):
    def test_the_last_part_of_the_path(self):
        self.assertEqual(name_in("ftp://user:pw@host/a/b-1.2.bin?x=/y"), "b-1.2.bin")
        self.assertEqual(name_in("http://host"), "")
        self.assertEqual(name_in("http://host/a/"), "")
