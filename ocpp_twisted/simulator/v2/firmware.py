"""Firmware: updates, and what is published for others (functional block L).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases L01 to L04.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.firmware import FirmwareOrder, FirmwareUpdate, name_in
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given

__all__ = ["Firmware"]

#: The steps of a publication, and the seconds between them.
_PUBLISHING = ("Downloading", "Downloaded", "ChecksumVerified", "Published")
_STEP = 5.0
_MOST_PUBLISHED = 20
#: Security events that a step causes.
_EVENTS = {"InvalidSignature": "InvalidFirmwareSignature", "Installed": "FirmwareUpdated"}


class Firmware(Block):
    """Updates itself.

    :ivar failing: how the next updates end; see `FirmwareOrder`.
    """

    name = "firmware"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self.failing = ""
        self._update: FirmwareUpdate | None = None
        self._number: int | None = None
        self._booted: Deferred[None] | None = None
        self._published: dict[str, str] = {}
        self._publishing: tuple[str, IDelayedCall] | None = None
        self._publication = "Idle"

    # -- L01, L02 -----------------------------------------------------------------------------

    @on(*every("UpdateFirmware"))
    def update_firmware(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        signer = given(request.firmware, "signingCertificate")
        if signer is not None and not self.voice.security.certificates.signer_is_good(
            signer, "ManufacturerRootCertificate", self.now()
        ):
            status = "InvalidCertificate"
        else:
            running = self._update is not None and not self._update.over
            status = "AcceptedCanceled" if running else "Accepted"
        return self.make("UpdateFirmwareResponse", status=status)

    @after(*every("UpdateFirmware"))
    def begin_update(self, link: Any, request: Any, response: Any) -> None:
        """As it was ordered."""
        if not str(response.status).startswith("Accepted"):
            self.voice.security.event("InvalidFirmwareSigningCertificate")
            return
        if self._update is not None:
            self._update.cancel()
        firmware, now = request.firmware, self.now()
        install = given(firmware, "installDateTime")
        interval = given(request, "retryInterval")
        order = FirmwareOrder(
            location=firmware.location,
            retrieve_in=max((firmware.retrieveDateTime - now).total_seconds(), 0.0),
            install_in=None if install is None else (install - now).total_seconds(),
            attempts=1 + (given(request, "retries") or 0),
            retry_interval=interval,
            signed=given(firmware, "signature") is not None,
            failing=self.failing,
        )
        self._number = request.requestId
        self._update = FirmwareUpdate(order, self, self.station.clock, self.station.random)
        self._update.start()

    def tell(self, status: str) -> None:
        """See `Installs`."""
        if status == "Installing":
            self._block_all(True)
        self.call("FirmwareStatusNotification", status=status, requestId=self._number)
        if status in _EVENTS:
            self.voice.security.event(_EVENTS[status])

    def tell_status(self) -> None:
        """What a trigger asks for."""
        running = self._update is not None and not self._update.over
        status = self._update.status if self._update is not None and running else ""
        self.call(
            "FirmwareStatusNotification",
            status=status or "Idle",
            requestId=self._number if status else None,
        )

    def idle(self) -> bool:
        """See `Installs`."""
        return not any(evse.transaction for evse in self.voice.evses)

    def block(self, blocked: bool) -> None:
        """See `Installs`; whether others may come in meanwhile is configured."""
        station = self.model.boolean("ChargingStation", "AllowNewSessionsPendingFirmwareUpdate")
        if not blocked or not station:
            self._block_all(blocked)

    def _block_all(self, blocked: bool) -> None:
        for evse in self.voice.evses:
            self.voice.availability.block(evse, blocked)

    def reboot(self, location: str) -> Deferred[None]:
        """See `Installs`."""
        self._booted = Deferred()
        self.voice.firmware_version = name_in(location)[:50] or self.voice.firmware_version
        self.voice.restart("FirmwareUpdate")
        return self._booted

    def started(self) -> None:
        """See `Block`."""
        booted, self._booted = self._booted, None
        if booted is not None:
            booted.callback(None)

    def transaction_ended(self) -> None:
        """Perhaps the update waits for it."""
        if self._update is not None:
            self._update.transaction_ended()

    def switched_off(self) -> None:
        """Power is gone: nothing goes on by itself."""
        if self._update is not None:
            self._update.cancel()
            self._update = None

    # -- L03, L04 -----------------------------------------------------------------------------

    @on(*every("PublishFirmware"))
    def publish_firmware(self, link: Any, request: Any) -> Any:
        """See OCPP; one at a time."""
        busy = self._publishing is not None or len(self._published) >= _MOST_PUBLISHED
        status = "Rejected" if busy else "Accepted"
        return self.make("PublishFirmwareResponse", status=status)

    @after(*every("PublishFirmware"))
    def publish(self, link: Any, request: Any, response: Any) -> None:
        """Download it, check it, publish it."""
        if response.status == "Accepted":
            self._publish(request, 0)

    def _publish(self, request: Any, step: int) -> None:
        status = self._publication = _PUBLISHING[step]
        location = f"http://{self.station.id}/firmware/{name_in(request.location)}"
        published = status == "Published"
        self.call(
            "PublishFirmwareStatusNotification",
            status=status,
            requestId=given(request, "requestId"),
            location=[location] if published else None,
        )
        if published:
            self._published[request.checksum] = location
            self._publishing = None
        else:
            timer = self.later(_STEP, lambda: self._publish(request, step + 1))
            self._publishing = request.checksum, timer

    def powered_off(self) -> None:
        """See `Block`."""
        self._publishing = None

    def tell_publication(self) -> None:
        """What a trigger asks for."""
        running = self._publishing is not None
        self.call(
            "PublishFirmwareStatusNotification", status=self._publication if running else "Idle"
        )

    @on(*every("UnpublishFirmware"))
    def unpublish_firmware(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        if self._publishing is not None and self._publishing[0] == request.checksum:
            status = "DownloadOngoing"
        elif self._published.pop(request.checksum, None) is not None:
            status = "Unpublished"
        else:
            status = "NoFirmware"
        return self.make("UnpublishFirmwareResponse", status=status)
