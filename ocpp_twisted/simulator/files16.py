"""Firmware, diagnostics and logs: what a simulated charge point of OCPP 1.6 does with files.

Imports its neighbours and the messages of 1.6. Source: OCPP 1.6 sections 4.4, 4.5, 5.9 and 5.19;
the security whitepaper, L01 and N01. No file is really moved; see the module `firmware`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType
from twisted.internet.defer import Deferred

from ocpp_twisted.errors import CallFault, ErrorCode
from ocpp_twisted.plugin import ActionPlugin, after, on
from ocpp_twisted.simulator.firmware import FirmwareOrder, FirmwareUpdate, Upload, name_in
from ocpp_twisted.v16 import (
    DiagnosticsStatus,
    DiagnosticsStatusNotificationRequest,
    FirmwareStatus,
    FirmwareStatusEnumType,
    FirmwareStatusNotificationRequest,
    GetDiagnosticsRequest,
    GetDiagnosticsResponse,
    GetLogRequest,
    GetLogResponse,
    LogStatusEnumType,
    LogStatusNotificationRequest,
    Reason,
    SignedFirmwareStatusNotificationRequest,
    SignedUpdateFirmwareRequest,
    SignedUpdateFirmwareResponse,
    UpdateFirmwareRequest,
    UpdateFirmwareResponse,
    UpdateFirmwareStatusEnumType,
    UploadLogStatusEnumType,
)

if TYPE_CHECKING:
    from ocpp_twisted.simulator.voice16 import Voice16

__all__ = ["Files"]

#: What 1.6 itself calls what it has no word for; other steps it does not tell.
_PLAIN = {"InstallVerificationFailed": "InstallationFailed"}
#: Seconds between two attempts, at the most: a week.
_LONGEST_WAIT = 7 * 86_400
_NOT_TO_BE_STOPPED = ("Installing", "InstallRebooting")
#: The words for a failed upload, of the whitepaper.
_FAILED_UPLOADS = ("BadMessage", "NotSupportedOperation", "PermissionDenied", "UploadFailure")
_FAILED_UPDATES = (
    *("DownloadFailed", "InvalidSignature"),
    *("InstallVerificationFailed", "InstallationFailed"),
)


class Files(ActionPlugin):
    """See above. It is what `ocpp_twisted.simulator.firmware.Installs` wants."""

    name = "files"

    def __init__(self, voice: Voice16) -> None:
        self._voice = voice
        self._update: FirmwareUpdate | None = None
        #: The request id of a signed update; None of a plain one.
        self._update_id: int | None = None
        self._rebooting: Deferred[None] | None = None
        self._diagnostics: Upload | None = None
        self._log: Upload | None = None
        self._log_id = 0

    # -- life's events ------------------------------------------------------------------------

    def started(self) -> None:
        """The charge point has booted, perhaps with new firmware."""
        rebooting, self._rebooting = self._rebooting, None
        if rebooting is not None:
            rebooting.callback(None)

    def transaction_ended(self) -> None:
        """An update may have waited for that."""
        if self._update is not None:
            self._update.transaction_ended()

    def restarted(self) -> None:
        """The charge point starts anew: only an update that has wanted it so goes on."""
        if self._rebooting is None:
            self.stop()

    def stop(self) -> None:
        """Everything ends here."""
        self._rebooting = None
        for each in (self._update, self._diagnostics, self._log):
            if each is not None and not each.over:
                each.cancel()
        self._update = self._diagnostics = self._log = None

    # -- what can be asked for ----------------------------------------------------------------

    def firmware_status(self) -> FirmwareStatusNotificationRequest:
        """How far a plain update is (4.5)."""
        busy = self._update is not None and not self._update.over and self._update_id is None
        status = _plain(self._update.status) if busy and self._update is not None else None
        return FirmwareStatusNotificationRequest(status=status or FirmwareStatus.Idle)

    def signed_firmware_status(self) -> SignedFirmwareStatusNotificationRequest:
        """How far a signed update is (L01.FR.28 and 29)."""
        update = self._update
        if update is None or self._update_id is None or update.status in ("", "Installed"):
            return SignedFirmwareStatusNotificationRequest(status=FirmwareStatusEnumType.Idle)
        return SignedFirmwareStatusNotificationRequest(
            status=FirmwareStatusEnumType(update.status), requestId=self._update_id
        )

    def diagnostics_status(self) -> DiagnosticsStatusNotificationRequest:
        """How far the upload of diagnostics is (4.4)."""
        busy = self._diagnostics is not None and not self._diagnostics.over
        status = DiagnosticsStatus.Uploading if busy else DiagnosticsStatus.Idle
        return DiagnosticsStatusNotificationRequest(status=status)

    def log_status(self) -> LogStatusNotificationRequest:
        """How far the upload of a log is (N01.FR.12)."""
        if self._log is None or self._log.over:
            return LogStatusNotificationRequest(status=UploadLogStatusEnumType.Idle)
        return LogStatusNotificationRequest(
            status=UploadLogStatusEnumType.Uploading, requestId=self._log_id
        )

    # -- firmware -----------------------------------------------------------------------------

    @on(UpdateFirmwareRequest)
    def update(self, link: Any, request: UpdateFirmwareRequest) -> UpdateFirmwareResponse:
        """Where there are security profiles, only signed firmware is installed (L01.FR.20)."""
        if self._voice.station.charge_point.target.security_profile > 0:
            raise CallFault(ErrorCode.NOT_SUPPORTED, "firmware has to be signed")
        return UpdateFirmwareResponse()

    @after(UpdateFirmwareRequest)
    def updates(
        self, link: Any, request: UpdateFirmwareRequest, response: UpdateFirmwareResponse
    ) -> None:
        """As soon as it may."""
        self._begin(
            FirmwareOrder(
                location=request.location,
                retrieve_in=self._until(request.retrieveDate),
                attempts=_attempts(request.retries),
                retry_interval=_interval(request.retryInterval),
                failing=self._failing(request.location, _FAILED_UPDATES, "DownloadFailed"),
            ),
            None,
        )

    @on(SignedUpdateFirmwareRequest)
    def update_signed(
        self, link: Any, request: SignedUpdateFirmwareRequest
    ) -> SignedUpdateFirmwareResponse:
        """The certificate is looked at first (L01.FR.23 to 27)."""
        status = UpdateFirmwareStatusEnumType.Accepted
        if not self._voice.security.signer_is_good(request.firmware.signingCertificate):
            status = UpdateFirmwareStatusEnumType.InvalidCertificate
        elif self._update is not None and not self._update.over:
            status = UpdateFirmwareStatusEnumType.AcceptedCanceled
            if self._update.status in _NOT_TO_BE_STOPPED:
                status = UpdateFirmwareStatusEnumType.Rejected
        return SignedUpdateFirmwareResponse(status=status)

    @after(SignedUpdateFirmwareRequest)
    def updates_signed(
        self,
        link: Any,
        request: SignedUpdateFirmwareRequest,
        response: SignedUpdateFirmwareResponse,
    ) -> None:
        """As soon as it may."""
        firmware, statuses = request.firmware, UpdateFirmwareStatusEnumType
        if response.status is statuses.InvalidCertificate:
            self._voice.security.happened("InvalidFirmwareSigningCertificate", tell=True)
        if response.status not in (statuses.Accepted, statuses.AcceptedCanceled):
            return
        failing = self._failing(firmware.location, _FAILED_UPDATES, "DownloadFailed")
        self._begin(
            FirmwareOrder(
                location=firmware.location,
                retrieve_in=self._until(firmware.retrieveDateTime),
                install_in=(
                    None
                    if firmware.installDateTime is UNSET
                    else self._until(firmware.installDateTime)
                ),
                attempts=_attempts(request.retries),
                retry_interval=_interval(request.retryInterval),
                signed=True,
                failing=failing or ("" if _is_base64(firmware.signature) else "InvalidSignature"),
            ),
            request.requestId,
        )

    def _begin(self, order: FirmwareOrder, request_id: int | None) -> None:
        if self._update is not None and not self._update.over:
            self._update.cancel()
        station = self._voice.station
        self._update_id = request_id
        self._update = FirmwareUpdate(order, self, station.clock, station.random)
        self._update.start()

    # -- see `Installs` -----------------------------------------------------------------------

    def tell(self, status: str) -> None:
        """A step of an update is reached."""
        if self._update_id is not None:
            request = SignedFirmwareStatusNotificationRequest(
                status=FirmwareStatusEnumType(status), requestId=self._update_id
            )
            self._voice.say(request)
        else:
            plain = _plain(status)
            if plain is not None:
                self._voice.say(FirmwareStatusNotificationRequest(status=plain))
        if status == "InvalidSignature":
            self._voice.security.happened("InvalidFirmwareSignature", tell=True)
        elif status == "Installed":
            self._voice.security.happened("FirmwareUpdated", tell=self._update_id is not None)

    def idle(self) -> bool:
        """Whether no transaction is running."""
        return not self._voice.transactions.running

    def block(self, blocked: bool) -> None:
        """Let nobody begin to charge, or let them again (L01.FR.07)."""
        for connector in self._voice.connectors.values():
            if connector.blocked != blocked:
                connector.blocked = blocked
                connector.claim = None
                self._voice.usage.settle(connector)

    def reboot(self, location: str) -> Deferred[None]:
        """Start the new firmware."""
        rebooting: Deferred[None] = Deferred()
        self._rebooting = rebooting
        self._voice.firmware = name_in(location)[:50] or self._voice.firmware
        self._voice.restart(Reason.Reboot)
        return rebooting

    # -- diagnostics and logs -----------------------------------------------------------------

    @on(GetDiagnosticsRequest)
    def get_diagnostics(self, link: Any, request: GetDiagnosticsRequest) -> GetDiagnosticsResponse:
        """What the file will be called."""
        return GetDiagnosticsResponse(fileName=self._file_name("diagnostics"))

    @after(GetDiagnosticsRequest)
    def gets_diagnostics(
        self, link: Any, request: GetDiagnosticsRequest, response: GetDiagnosticsResponse
    ) -> None:
        """The upload goes through its statuses."""
        if self._diagnostics is not None:
            self._diagnostics.cancel()
        failing = self._failing(request.location, _FAILED_UPLOADS, "UploadFailure")
        self._diagnostics = self._upload(
            self._tell_diagnostics,
            request.retries,
            request.retryInterval,
            "UploadFailed" if failing else "",
        )

    @on(GetLogRequest)
    def get_log(self, link: Any, request: GetLogRequest) -> GetLogResponse:
        """A new one cancels the old one (N01.FR.11)."""
        busy = self._log is not None and not self._log.over
        return GetLogResponse(
            status=LogStatusEnumType.AcceptedCanceled if busy else LogStatusEnumType.Accepted,
            filename=self._file_name(request.logType.value),
        )

    @after(GetLogRequest)
    def gets_log(self, link: Any, request: GetLogRequest, response: GetLogResponse) -> None:
        """The upload goes through its statuses."""
        if self._log is not None:
            self._log.cancel()
        self._log_id = request.requestId
        self._log = self._upload(
            self._tell_log,
            request.retries,
            request.retryInterval,
            self._failing(request.log.remoteLocation, _FAILED_UPLOADS, "NotSupportedOperation"),
        )

    def _upload(
        self, tell: Any, retries: int | UnsetType, interval: int | UnsetType, failing: str
    ) -> Upload:
        station = self._voice.station
        upload = Upload(
            tell, station.clock, station.random, _attempts(retries), _interval(interval), failing
        )
        upload.start()
        return upload

    def _tell_diagnostics(self, status: str) -> None:
        request = DiagnosticsStatusNotificationRequest(status=DiagnosticsStatus(status))
        self._voice.say(request)

    def _tell_log(self, status: str) -> None:
        self._voice.say(
            LogStatusNotificationRequest(
                status=UploadLogStatusEnumType(status), requestId=self._log_id
            )
        )

    # -----------------------------------------------------------------------------------------

    def _until(self, when: datetime) -> float:
        return (when - self._voice.now()).total_seconds()

    def _file_name(self, what: str) -> str:
        return f"{what}-{self._voice.now():%Y%m%dT%H%M%SZ}.log"

    def _failing(self, location: str, words: tuple[str, ...], unreachable: str) -> str:
        """How it goes wrong, if it does: as was asked of us, or since the URL is none of ours."""
        voice, scheme = self._voice, location.partition("://")[0].upper()
        if voice.failing in words:
            failing, voice.failing = voice.failing, ""
            return failing
        known = voice.configuration.items("SupportedFileTransferProtocols")
        return "" if scheme in known else unreachable


def _plain(status: str) -> FirmwareStatus | None:
    """1.6's own word for a step; None if it has none."""
    word = _PLAIN.get(status, status)
    return FirmwareStatus(word) if word in FirmwareStatus.__members__ else None


def _attempts(retries: int | UnsetType) -> int:
    return 1 if retries is UNSET else max(retries, 0) + 1


def _interval(seconds: int | UnsetType) -> float | None:
    return None if seconds is UNSET else float(min(max(seconds, 0), _LONGEST_WAIT))


def _is_base64(text: str) -> bool:
    try:
        return bool(b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
