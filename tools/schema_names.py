"""The names that the schema files do not give, and where the texts define what is named.

The schemas of OCPP 1.6 name no datatype or enumeration, except in the security extension; those
of 2.0 leave the enumerations of a message's own fields without a name. A key is ``Class.field``,
or ``field`` alone where the field has the same type wherever it stands.
"""

from __future__ import annotations

#: As OCPP 1.6 (edition 2), chapter 7, names them.
NAMES_16 = {
    "BootNotificationResponse.status": "RegistrationStatus",
    "CancelReservationResponse.status": "CancelReservationStatus",
    "ChangeAvailabilityRequest.type": "AvailabilityType",
    "ChangeAvailabilityResponse.status": "AvailabilityStatus",
    "ChangeConfigurationResponse.status": "ConfigurationStatus",
    "ClearCacheResponse.status": "ClearCacheStatus",
    "ClearChargingProfileResponse.status": "ClearChargingProfileStatus",
    "DataTransferResponse.status": "DataTransferStatus",
    "DiagnosticsStatusNotificationRequest.status": "DiagnosticsStatus",
    "FirmwareStatusNotificationRequest.status": "FirmwareStatus",
    "GetCompositeScheduleResponse.status": "GetCompositeScheduleStatus",
    "IdTagInfo.status": "AuthorizationStatus",
    "RemoteStartTransactionResponse.status": "RemoteStartStopStatus",
    "RemoteStopTransactionResponse.status": "RemoteStartStopStatus",
    "ReserveNowResponse.status": "ReservationStatus",
    "ResetRequest.type": "ResetType",
    "ResetResponse.status": "ResetStatus",
    "SendLocalListResponse.status": "UpdateStatus",
    "SetChargingProfileResponse.status": "ChargingProfileStatus",
    "StatusNotificationRequest.status": "ChargePointStatus",
    # A MeterValue, but here the schema allows an empty sampledValue: it has a class of its own.
    "StopTransactionRequest.transactionData": "TransactionData",
    "TriggerMessageRequest.requestedMessage": "MessageTrigger",
    "TriggerMessageResponse.status": "TriggerMessageStatus",
    "UnlockConnectorResponse.status": "UnlockStatus",
    "chargingProfile": "ChargingProfile",
    "chargingProfileKind": "ChargingProfileKindType",
    "chargingProfilePurpose": "ChargingProfilePurposeType",
    "chargingRateUnit": "ChargingRateUnitType",
    "chargingSchedule": "ChargingSchedule",
    "chargingSchedulePeriod": "ChargingSchedulePeriod",
    "configurationKey": "KeyValue",
    "context": "ReadingContext",
    "csChargingProfiles": "ChargingProfile",
    "errorCode": "ChargePointErrorCode",
    "format": "ValueFormat",
    "idTagInfo": "IdTagInfo",
    "localAuthorizationList": "AuthorizationData",
    "location": "Location",
    "measurand": "Measurand",
    "meterValue": "MeterValue",
    "phase": "Phase",
    "reason": "Reason",
    "recurrencyKind": "RecurrencyKindType",
    "sampledValue": "SampledValue",
    "unit": "UnitOfMeasure",
    "updateType": "UpdateType",
}

#: As the schemas of OCPP 2.0.1 name the same field; where it has none, as they name its like.
NAMES_20 = {
    "BootNotificationResponse.status": "RegistrationStatusEnumType",
    "CancelReservationResponse.status": "CancelReservationStatusEnumType",
    "CertificateSignedRequest.typeOfCertificate": "CertificateSigningUseEnumType",
    "CertificateSignedResponse.status": "CertificateSignedStatusEnumType",
    "ChangeAvailabilityRequest.operationalStatus": "OperationalStatusEnumType",
    "ChangeAvailabilityResponse.status": "ChangeAvailabilityStatusEnumType",
    "ClearCacheResponse.status": "ClearCacheStatusEnumType",
    "ClearChargingProfileResponse.status": "ClearChargingProfileStatusEnumType",
    "ClearDisplayMessageResponse.status": "ClearMessageStatusEnumType",
    "ClearedChargingLimitRequest.chargingLimitSource": "ChargingLimitSourceEnumType",
    "CustomerInformationResponse.status": "CustomerInformationStatusEnumType",
    "DataTransferResponse.status": "DataTransferStatusEnumType",
    "DeleteCertificateResponse.status": "DeleteCertificateStatusEnumType",
    "FirmwareStatusNotificationRequest.status": "FirmwareStatusEnumType",
    "GetBaseReportRequest.reportBase": "ReportBaseEnumType",
    "GetBaseReportResponse.status": "GenericDeviceModelStatusEnumType",
    "GetCertificateStatusResponse.status": "GetCertificateStatusEnumType",
    "GetChargingProfilesResponse.status": "GetChargingProfileStatusEnumType",
    "GetCompositeScheduleRequest.chargingRateUnit": "ChargingRateUnitEnumType",
    "GetDisplayMessagesRequest.priority": "MessagePriorityEnumType",
    "GetDisplayMessagesRequest.state": "MessageStateEnumType",
    "GetDisplayMessagesResponse.status": "GetDisplayMessagesStatusEnumType",
    "GetInstalledCertificateIdsRequest.typeOfCertificate": "CertificateUseEnumType",
    "GetLogResponse.status": "LogStatusEnumType",
    "GetMonitoringReportResponse.status": "GenericDeviceModelStatusEnumType",
    "GetReportResponse.status": "GenericDeviceModelStatusEnumType",
    "InstallCertificateRequest.certificateType": "CertificateUseEnumType",
    "InstallCertificateResponse.status": "InstallCertificateStatusEnumType",
    "LogStatusNotificationRequest.status": "UploadLogStatusEnumType",
    "NotifyCentralChargingNeedsResponse.status": "GenericStatusEnumType",
    "NotifyEVChargingNeedsResponse.status": "NotifyEVChargingNeedsStatusEnumType",
    "NotifyEVChargingScheduleResponse.status": "GenericStatusEnumType",
    "PublishFirmwareResponse.status": "GenericStatusEnumType",
    "PublishFirmwareStatusNotificationRequest.status": "PublishFirmwareStatusEnumType",
    "Renegotiate15118ScheduleResponse.status": "GenericStatusEnumType",
    "RequestStartTransactionResponse.status": "RequestStartStopStatusEnumType",
    "RequestStopTransactionResponse.status": "RequestStartStopStatusEnumType",
    "ReservationStatusUpdateRequest.reservationUpdateStatus": "ReservationUpdateStatusEnumType",
    "ReserveNowResponse.status": "ReserveNowStatusEnumType",
    "ResetRequest.type": "ResetEnumType",
    "ResetResponse.status": "ResetStatusEnumType",
    "SecurityEventNotificationRequest.type": "SecurityEventEnumType",
    "SendLocalListResponse.status": "SendLocalListStatusEnumType",
    "SetChargingProfileResponse.status": "ChargingProfileStatusEnumType",
    "SetDisplayMessageResponse.status": "DisplayMessageStatusEnumType",
    "SetMonitoringBaseRequest.monitoringBase": "MonitoringBaseEnumType",
    "SetMonitoringBaseResponse.status": "GenericDeviceModelStatusEnumType",
    "SetMonitoringLevelResponse.status": "GenericStatusEnumType",
    "SetNetworkProfileResponse.status": "SetNetworkProfileStatusEnumType",
    "SignCertificateRequest.typeOfCertificate": "CertificateSigningUseEnumType",
    "SignCertificateResponse.status": "GenericStatusEnumType",
    "StatusNotificationRequest.connectorStatus": "ConnectorStatusEnumType",
    "TriggerMessageResponse.status": "TriggerMessageStatusEnumType",
    "UnlockConnectorResponse.status": "UnlockStatusEnumType",
    "UnpublishFirmwareResponse.status": "UnpublishFirmwareStatusEnumType",
    "Update15118EVCertificateResponse.status": "Iso15118EVCertificateStatusEnumType",
    "UpdateFirmwareResponse.status": "UpdateFirmwareStatusEnumType",
    "15118EVCertificateStatusEnumType": "Iso15118EVCertificateStatusEnumType",
    # Definitions that differ from what their name means in the other schemas. A schedule that
    # the charging station reports may come without its periods; one that is set may not.
    "GetCompositeScheduleResponse.ChargingScheduleType": "ReportedChargingScheduleType",
    "NotifyEVChargingScheduleRequest.ChargingScheduleType": "ReportedChargingScheduleType",
}

#: Wire names that are no Python identifiers, and the names that OCPP 2.0.1 gave these fields.
FIELD_NAMES = {
    "15118CertificateHashData": "iso15118CertificateHashData",
    "15118SchemaVersion": "iso15118SchemaVersion",
}


def _words(text: str) -> list[str]:
    return text.split()


_CHAPTER_6 = _words(
    "Authorize BootNotification CancelReservation ChangeAvailability ChangeConfiguration "
    "ClearCache ClearChargingProfile DataTransfer DiagnosticsStatusNotification "
    "FirmwareStatusNotification GetCompositeSchedule GetConfiguration GetDiagnostics "
    "GetLocalListVersion Heartbeat MeterValues RemoteStartTransaction RemoteStopTransaction "
    "ReserveNow Reset SendLocalList SetChargingProfile StartTransaction StatusNotification "
    "StopTransaction TriggerMessage UnlockConnector UpdateFirmware"
)

_CHAPTER_7 = _words(
    "AuthorizationData AuthorizationStatus AvailabilityStatus AvailabilityType "
    "CancelReservationStatus ChargePointErrorCode ChargePointStatus ChargingProfile "
    "ChargingProfileKindType ChargingProfilePurposeType ChargingProfileStatus "
    "ChargingRateUnitType ChargingSchedule ChargingSchedulePeriod CiString20Type CiString25Type "
    "CiString50Type CiString255Type CiString500Type ClearCacheStatus ClearChargingProfileStatus "
    "ConfigurationStatus DataTransferStatus DiagnosticsStatus FirmwareStatus "
    "GetCompositeScheduleStatus IdTagInfo IdToken KeyValue Location Measurand MessageTrigger "
    "MeterValue Phase ReadingContext Reason RecurrencyKindType RegistrationStatus "
    "RemoteStartStopStatus ReservationStatus ResetStatus ResetType SampledValue "
    "TriggerMessageStatus UnitOfMeasure UnlockStatus UpdateStatus UpdateType ValueFormat"
)

_WHITEPAPER_CHAPTER_5 = _words(
    "CertificateSigned DeleteCertificate ExtendedTriggerMessage GetInstalledCertificateIds GetLog "
    "InstallCertificate LogStatusNotification SecurityEventNotification SignCertificate "
    "SignedFirmwareStatusNotification SignedUpdateFirmware"
)

_WHITEPAPER_CHAPTER_6 = _words(
    "CertificateHashDataType CertificateSignedStatusEnumType CertificateStatusEnumType "
    "CertificateUseEnumType DeleteCertificateStatusEnumType FirmwareStatusEnumType FirmwareType "
    "GenericStatusEnumType GetInstalledCertificateStatusEnumType HashAlgorithmEnumType "
    "LogEnumType LogParametersType LogStatusEnumType MessageTriggerEnumType "
    "TriggerMessageStatusEnumType UpdateFirmwareStatusEnumType UploadLogStatusEnumType"
)


def _messages(actions: list[str]) -> list[str]:
    return [action + suffix for action in actions for suffix in ("Request", "Response")]


def _sections(text: str, chapter: int, names: list[str]) -> dict[str, str]:
    return {name: f"{text}, section {chapter}.{n}" for n, name in enumerate(names, start=1)}


#: The section that defines a message (``.req`` or ``.conf`` there), datatype or enumeration.
SECTIONS_16 = {
    **_sections("OCPP 1.6", 6, _messages(_CHAPTER_6)),
    **_sections("OCPP 1.6", 7, _CHAPTER_7),
    **_sections("OCPP 1.6 security whitepaper", 5, _messages(_WHITEPAPER_CHAPTER_5)),
    **_sections("OCPP 1.6 security whitepaper", 6, _WHITEPAPER_CHAPTER_6),
    "TransactionData": 'OCPP 1.6, section 7.33, "MeterValue"',
}

#: What charge points send, in any version; `EITHER` both sides send, the central system the rest.
CHARGE_POINT = frozenset(
    _words(
        # 1.6 with its security extension, and 2.x
        "Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification "
        "Heartbeat LogStatusNotification MeterValues SecurityEventNotification SignCertificate "
        "SignedFirmwareStatusNotification StartTransaction StatusNotification StopTransaction "
        # 2.0 and later
        "ClearedChargingLimit Get15118EVCertificate GetCertificateStatus NotifyChargingLimit "
        "NotifyCustomerInformation NotifyDisplayMessages NotifyEVChargingNeeds "
        "NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport NotifyReport "
        "PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate "
        "TransactionEvent Update15118EVCertificate "
        # 2.1
        "BatterySwap ClosePeriodicEventStream GetCertificateChainStatus NotifyDERAlarm "
        "NotifyDERStartStop NotifyPeriodicEventStream NotifyPriorityCharging NotifySettlement "
        "OpenPeriodicEventStream PullDynamicScheduleUpdate ReportDERControl "
        "VatNumberValidation"
    )
)
EITHER = frozenset({"DataTransfer"})
