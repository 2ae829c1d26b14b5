"""What a simulated charge point of OCPP 1.6 answers to the messages of the profile Core.

Imports its neighbours and the messages of 1.6. Source: OCPP 1.6 sections 4.3, 5.2 to 5.4, 5.8,
5.11, 5.12, 5.14 and 5.18, with errata 3.23, 3.32, 3.33, 3.36, 3.41 and 3.42.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from twisted.internet.defer import DeferredList

from ocpp_twisted.errors import CallFault, ErrorCode
from ocpp_twisted.plugin import ActionPlugin, after, on
from ocpp_twisted.simulator.charging16 import read
from ocpp_twisted.simulator.connectors16 import Connector
from ocpp_twisted.v16 import (
    AvailabilityStatus,
    AvailabilityType,
    ChangeAvailabilityRequest,
    ChangeAvailabilityResponse,
    ChangeConfigurationRequest,
    ChangeConfigurationResponse,
    ChargePointStatus,
    ChargingProfilePurposeType,
    ClearCacheRequest,
    ClearCacheResponse,
    ClearCacheStatus,
    ConfigurationStatus,
    DataTransferRequest,
    DataTransferResponse,
    DataTransferStatus,
    GetConfigurationRequest,
    GetConfigurationResponse,
    KeyValue,
    Reason,
    RemoteStartStopStatus,
    RemoteStartTransactionRequest,
    RemoteStartTransactionResponse,
    RemoteStopTransactionRequest,
    RemoteStopTransactionResponse,
    ResetRequest,
    ResetResponse,
    ResetStatus,
    ResetType,
    UnlockConnectorRequest,
    UnlockConnectorResponse,
    UnlockStatus,
)

if TYPE_CHECKING:
    from ocpp_twisted.simulator.voice16 import Voice16

__all__ = ["Core"]

#: Seconds that a soft reset waits for the answers to StopTransaction.
_PATIENCE = 30.0


class Core(ActionPlugin):
    """See above."""

    name = "core"

    def __init__(self, voice: Voice16) -> None:
        self._voice = voice

    # -- availability and configuration -------------------------------------------------------

    @on(ChangeAvailabilityRequest)
    def change_availability(
        self, link: Any, request: ChangeAvailabilityRequest
    ) -> ChangeAvailabilityResponse:
        """Answered before the status is told: see `changes_availability`."""
        voice, operative = self._voice, request.type is AvailabilityType.Operative
        if request.connectorId not in (0, *voice.connectors):
            return ChangeAvailabilityResponse(status=AvailabilityStatus.Rejected)
        in_use = any(each.transaction for each in self._connectors(request.connectorId))
        status = AvailabilityStatus.Accepted
        if in_use and not operative:
            status = AvailabilityStatus.Scheduled
        return ChangeAvailabilityResponse(status=status)

    @after(ChangeAvailabilityRequest)
    def changes_availability(
        self, link: Any, request: ChangeAvailabilityRequest, response: ChangeAvailabilityResponse
    ) -> None:
        """It happens, now or after the transaction."""
        if response.status is AvailabilityStatus.Rejected:
            return
        operative = request.type is AvailabilityType.Operative
        if request.connectorId == 0:
            self._voice.set_available(operative)
        self._voice.usage.change_availability(self._connectors(request.connectorId), operative)

    @on(GetConfigurationRequest)
    def get_configuration(
        self, link: Any, request: GetConfigurationRequest
    ) -> GetConfigurationResponse:
        """All keys, or those that are asked for."""
        configuration = self._voice.configuration
        self._voice.refresh()
        keys = request.key or []
        if len(keys) > configuration.number("GetConfigurationMaxKeys"):
            raise CallFault(
                ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
                f"{len(keys)} keys are more than GetConfigurationMaxKeys",
            )
        known, unknown = configuration.entries(keys)
        return GetConfigurationResponse(
            configurationKey=[
                KeyValue(key=key, readonly=readonly, value=UNSET if value is None else value)
                for key, readonly, value in known
            ],
            unknownKey=unknown or UNSET,
        )

    @on(ChangeConfigurationRequest)
    def change_configuration(
        self, link: Any, request: ChangeConfigurationRequest
    ) -> ChangeConfigurationResponse:
        """Changed, or not."""
        self._voice.refresh()
        status = self._voice.configuration.change(request.key, request.value)
        return ChangeConfigurationResponse(status=ConfigurationStatus(status))

    @after(ChangeConfigurationRequest)
    def has_changed_configuration(
        self, link: Any, request: ChangeConfigurationRequest, response: ChangeConfigurationResponse
    ) -> None:
        """What concerns the connection itself comes after the answer (A01, A05)."""
        if response.status is ConfigurationStatus.Accepted:
            self._voice.security.configured(request.key.lower())

    @on(ClearCacheRequest)
    def clear_cache(self, link: Any, request: ClearCacheRequest) -> ClearCacheResponse:
        """Errata 3.23: Rejected if there is no cache."""
        if not self._voice.configuration.flag("AuthorizationCacheEnabled"):
            return ClearCacheResponse(status=ClearCacheStatus.Rejected)
        self._voice.authorizer.cache.clear()
        return ClearCacheResponse(status=ClearCacheStatus.Accepted)

    @on(DataTransferRequest)
    def data_transfer(self, link: Any, request: DataTransferRequest) -> DataTransferResponse:
        """No vendor is known here (4.3)."""
        return DataTransferResponse(status=DataTransferStatus.UnknownVendorId)

    # -- transactions -------------------------------------------------------------------------

    @on(RemoteStartTransactionRequest)
    def remote_start(
        self, link: Any, request: RemoteStartTransactionRequest
    ) -> RemoteStartTransactionResponse:
        """Whether an attempt will be made."""
        accepted = self._remote_connector(request) is not None and self._profile_is_good(request)
        status = RemoteStartStopStatus.Accepted if accepted else RemoteStartStopStatus.Rejected
        return RemoteStartTransactionResponse(status=status)

    @after(RemoteStartTransactionRequest)
    def starts_remotely(
        self,
        link: Any,
        request: RemoteStartTransactionRequest,
        response: RemoteStartTransactionResponse,
    ) -> None:
        """As if somebody had shown the id tag, or as if he had been accepted (5.11)."""
        connector = self._remote_connector(request)
        if response.status is not RemoteStartStopStatus.Accepted or connector is None:
            return
        profile = None
        if request.chargingProfile is not UNSET:
            profile = read(request.chargingProfile, connector.number, self._voice.now())
        authorized = not self._voice.configuration.flag("AuthorizeRemoteTxRequests")
        self._voice.usage.start(request.idTag, connector, authorized, profile)

    @on(RemoteStopTransactionRequest)
    def remote_stop(
        self, link: Any, request: RemoteStopTransactionRequest
    ) -> RemoteStopTransactionResponse:
        """Whether there is such a transaction."""
        found = self._voice.transactions.find(request.transactionId) is not None
        status = RemoteStartStopStatus.Accepted if found else RemoteStartStopStatus.Rejected
        return RemoteStopTransactionResponse(status=status)

    @after(RemoteStopTransactionRequest)
    def stops_remotely(
        self,
        link: Any,
        request: RemoteStopTransactionRequest,
        response: RemoteStopTransactionResponse,
    ) -> None:
        """It is stopped."""
        transaction = self._voice.transactions.find(request.transactionId)
        if transaction is not None:
            connector = self._voice.connectors[transaction.outlet.number]
            self._voice.usage.end(connector, Reason.Remote)

    @on(UnlockConnectorRequest)
    def unlock(self, link: Any, request: UnlockConnectorRequest) -> UnlockConnectorResponse:
        """A transaction is ended first (5.18)."""
        connector = self._voice.connectors.get(request.connectorId)
        if connector is None:
            return UnlockConnectorResponse(status=UnlockStatus.NotSupported)
        if connector.outlet.fault == "ConnectorLockFailure":
            return UnlockConnectorResponse(status=UnlockStatus.UnlockFailed)
        if connector.transaction is not None:
            self._voice.usage.end(connector, Reason.UnlockCommand)
        elif connector.locked_for is not None:
            connector.locked_for, connector.info = None, ""
            connector.finishing = connector.plugged
            self._voice.usage.settle(connector)
        return UnlockConnectorResponse(status=UnlockStatus.Unlocked)

    @on(ResetRequest)
    def reset(self, link: Any, request: ResetRequest) -> ResetResponse:
        """Accepted, unless it is about to restart already."""
        status = ResetStatus.Rejected if self._voice.restarting else ResetStatus.Accepted
        return ResetResponse(status=status)

    @after(ResetRequest)
    def resets(self, link: Any, request: ResetRequest, response: ResetResponse) -> None:
        """Off and on again (5.14)."""
        if response.status is not ResetStatus.Accepted:
            return
        voice = self._voice
        if request.type is ResetType.Hard:
            voice.restart(Reason.HardReset)
            return
        voice.usage.closed = voice.restarting = True
        stopping = DeferredList(voice.usage.end_all(Reason.SoftReset))
        stopping.addTimeout(_PATIENCE, voice.station.clock)
        stopping.addBoth(lambda _: voice.restart(Reason.SoftReset))

    # -----------------------------------------------------------------------------------------

    def _connectors(self, number: int) -> list[Connector]:
        connectors = self._voice.connectors
        return list(connectors.values()) if number == 0 else [connectors[number]]

    def _remote_connector(self, request: RemoteStartTransactionRequest) -> Connector | None:
        """The one that is asked for, or the best one, if it can be used."""
        connectors, wanted = self._voice.connectors, request.connectorId
        if self._voice.usage.closed:
            return None
        candidates = list(connectors.values())
        if wanted is not UNSET:
            candidates = [each for each in candidates if each.number == wanted]
        usable = [each for each in candidates if self._can_start(each, request.idTag)]
        return max(usable, key=lambda each: each.plugged, default=None)

    def _can_start(self, connector: Connector, tag: str) -> bool:
        if not connector.usable or connector.claim is not None:
            return False
        if connector.status is not ChargePointStatus.Reserved:
            return True
        # For a group it can only be known when the tag is authorized.
        reservation = self._voice.reservations.at(connector.number)
        return reservation is None or (
            reservation.group is not None or reservation.is_for(tag.lower(), None)
        )

    def _profile_is_good(self, request: RemoteStartTransactionRequest) -> bool:
        """5.16.2: of the purpose TxProfile, and without an id."""
        profile = request.chargingProfile
        if profile is UNSET:
            return True
        purpose = profile.chargingProfilePurpose
        return (
            purpose is ChargingProfilePurposeType.TxProfile
            and profile.transactionId is UNSET
            and self._voice.charging.objection(profile) == ""
        )
