"""What the central system may have sent at once, and what vendors say (F06 and P).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases F06, P01 and P02.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.evse import Evse

__all__ = ["Triggers"]

_OUR_VENDOR = "ocpp_twisted"


class Triggers(Block):
    """TriggerMessage and DataTransfer."""

    name = "triggers"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self._sends: dict[str, Callable[[list[Evse]], object]] = {
            "BootNotification": lambda evses: voice.boot_again(),
            "LogStatusNotification": lambda evses: voice.diagnostics.tell_status(),
            "FirmwareStatusNotification": lambda evses: voice.firmware.tell_status(),
            "PublishFirmwareStatusNotification": lambda evses: voice.firmware.tell_publication(),
            "Heartbeat": lambda evses: self._heartbeat(),
            "MeterValues": self._meter_values,
            "StatusNotification": self._statuses,
            "TransactionEvent": self._transaction_events,
            "SignChargingStationCertificate": lambda evses: voice.security.sign(),
            "SignV2GCertificate": lambda evses: voice.security.sign("V2GCertificate"),
            "SignCombinedCertificate": lambda evses: voice.security.sign(None),
        }

    @on(*every("TriggerMessage"))
    def trigger_message(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        return self.make("TriggerMessageResponse", status=self._status(request))

    @after(*every("TriggerMessage"))
    def send_it(self, link: Any, request: Any, response: Any) -> None:
        """What was asked for."""
        if response.status == "Accepted":
            self._sends[request.requestedMessage](self._evses(request))

    def _status(self, request: Any) -> str:
        wanted, evse = str(request.requestedMessage), given(request, "evse")
        if wanted not in self._sends:
            return "NotImplemented"
        if evse is not None and not 0 <= evse.id <= len(self.voice.evses):
            return "Rejected"
        if wanted == "BootNotification" and self.voice.accepted:
            return "Rejected"  # F06.FR.17
        if wanted == "TransactionEvent" and not any(
            each.transaction for each in self._evses(request)
        ):
            return "Rejected"
        if wanted == "StatusNotification" and evse is not None:
            named = given(evse, "connectorId")  # F06.FR.12
            return "Accepted" if evse.id and named == 1 else "Rejected"
        return "Accepted"

    def _evses(self, request: Any) -> list[Evse]:
        evse = given(request, "evse")
        return [each for each in self.voice.evses if evse is None or evse.id in (0, each.number)]

    def _heartbeat(self) -> None:
        self.station.charge_point.heartbeat().addErrback(lambda failure: None)

    def _meter_values(self, evses: list[Evse]) -> None:
        for evse in evses:
            values = self._triggered(evse, "AlignedDataCtrlr", "Measurands")
            if values:
                self.call("MeterValues", evseId=evse.number, meterValue=values)

    def _statuses(self, evses: list[Evse]) -> None:
        for evse in evses:
            self.voice.availability.tell(evse)

    def _transaction_events(self, evses: list[Evse]) -> None:
        for evse in evses:
            if evse.transaction is not None:
                values = self._triggered(evse, "SampledDataCtrlr", "TxUpdatedMeasurands")
                self.voice.telling.tell(evse, "Trigger", meter_values=values)

    def _triggered(self, evse: Evse, controller: str, variable: str) -> list[Any]:
        return self.voice.metering.configured(evse, "Trigger", controller, variable)

    # -- P01 ----------------------------------------------------------------------------------

    @on(*every("DataTransfer"))
    def data_transfer(self, link: Any, request: Any) -> Any:
        """See OCPP: of our own vendor it knows one message, which it sends back."""
        if request.vendorId != _OUR_VENDOR:
            status, data = "UnknownVendorId", None
        elif given(request, "messageId") == "Echo":
            status, data = "Accepted", given(request, "data")
        else:
            status, data = "UnknownMessageId", None
        return self.make("DataTransferResponse", status=status, data=data)
