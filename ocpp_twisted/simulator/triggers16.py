"""Messages that the central system asks a simulated charge point of OCPP 1.6 for.

Imports its neighbours and the messages of 1.6. Source: OCPP 1.6 section 5.17 with errata 3.35 and
3.46; the security whitepaper, 5.5 and 6.14. What is asked for is sent after the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from ocpp_twisted.plugin import ActionPlugin, after, on
from ocpp_twisted.registration import Status as Registration
from ocpp_twisted.simulator.metering16 import Meter
from ocpp_twisted.v16 import (
    ExtendedTriggerMessageRequest,
    ExtendedTriggerMessageResponse,
    MeterValuesRequest,
    ReadingContext,
    TriggerMessageRequest,
    TriggerMessageResponse,
    TriggerMessageStatus,
    TriggerMessageStatusEnumType,
)

if TYPE_CHECKING:
    from ocpp_twisted.simulator.voice16 import Voice16

__all__ = ["Triggers"]

#: What is about connectors.
_OF_CONNECTORS = ("MeterValues", "StatusNotification")


class Triggers(ActionPlugin):
    """See above."""

    name = "triggers"

    def __init__(self, voice: Voice16) -> None:
        self._voice = voice

    @on(TriggerMessageRequest)
    def trigger(self, link: Any, request: TriggerMessageRequest) -> TriggerMessageResponse:
        """Whether it will be sent."""
        status = self._status(request.requestedMessage.value, request.connectorId)
        return TriggerMessageResponse(status=TriggerMessageStatus(status))

    @after(TriggerMessageRequest)
    def triggers(
        self, link: Any, request: TriggerMessageRequest, response: TriggerMessageResponse
    ) -> None:
        """It is sent."""
        if response.status is not TriggerMessageStatus.Accepted:
            return
        files = self._voice.files
        match request.requestedMessage.value:
            case "DiagnosticsStatusNotification":
                self._voice.say(files.diagnostics_status())
            case "FirmwareStatusNotification":
                self._voice.say(files.firmware_status())
            case message:
                self._send(message, request.connectorId)

    @on(ExtendedTriggerMessageRequest)
    def trigger_more(
        self, link: Any, request: ExtendedTriggerMessageRequest
    ) -> ExtendedTriggerMessageResponse:
        """Whether it will be sent."""
        status = self._status(request.requestedMessage.value, request.connectorId)
        return ExtendedTriggerMessageResponse(status=TriggerMessageStatusEnumType(status))

    @after(ExtendedTriggerMessageRequest)
    def triggers_more(
        self,
        link: Any,
        request: ExtendedTriggerMessageRequest,
        response: ExtendedTriggerMessageResponse,
    ) -> None:
        """It is sent."""
        if response.status is not TriggerMessageStatusEnumType.Accepted:
            return
        files = self._voice.files
        match request.requestedMessage.value:
            case "LogStatusNotification":
                self._voice.say(files.log_status())
            case "FirmwareStatusNotification":
                self._voice.say(files.signed_firmware_status())
            case "SignChargePointCertificate":
                self._voice.security.request_certificate()
            case message:
                self._send(message, request.connectorId)

    def _status(self, message: str, connector: int | UnsetType) -> str:
        voice = self._voice
        if message in _OF_CONNECTORS and connector not in (UNSET, 0, *voice.connectors):
            return "Rejected"
        accepted = voice.station.charge_point.registration is Registration.ACCEPTED
        if message == "BootNotification" and accepted:
            return "Rejected"  # errata 3.35
        if message == "SignChargePointCertificate" and not voice.configuration["CpoName"]:
            return "Rejected"  # A02, prerequisites
        return "Accepted"

    def _send(self, message: str, connector: int | UnsetType) -> None:
        voice = self._voice
        numbers = [0, *voice.connectors] if connector is UNSET else [connector]
        match message:
            case "BootNotification":
                voice.station.charge_point.boot()
            case "Heartbeat":
                beating = voice.station.charge_point.heartbeat()
                beating.addErrback(lambda failure: None)  # the next one is due soon
            case "StatusNotification":
                for number in numbers:
                    reported = voice.connectors[number].reported if number else voice.reported
                    voice.say(reported.request())
            case "MeterValues":
                for number in numbers:
                    self._send_meter_values(number)

    def _send_meter_values(self, number: int) -> None:
        """What MeterValuesSampledData asks for, as it is now (errata 3.46)."""
        voice = self._voice
        outlets: Sequence[Any] = voice.station.outlets
        meter = voice.transactions.meter(outlets[number - 1]) if number else Meter(outlets)
        wanted = voice.configuration.items("MeterValuesSampledData")
        reading = meter.read(wanted, ReadingContext.Trigger, voice.now())
        transaction = voice.connectors[number].transaction if number else None
        number_of = UNSET if transaction is None or transaction.id is None else transaction.id
        if reading is not None:
            voice.say(
                MeterValuesRequest(
                    connectorId=number, meterValue=[reading], transactionId=number_of
                )
            )
