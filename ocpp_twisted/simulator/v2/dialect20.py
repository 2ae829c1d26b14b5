"""What OCPP 2.0 says otherwise than 2.0.1 and 2.1, as tables.

Imports the messages. Source: the JSON schemas of 2.0 against those of 2.0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocpp_twisted import v20, v201
from ocpp_twisted.simulator.v2.dialect import Dialect, Reading, Shape, given

__all__ = ["OCPP_20"]

_Fields = dict[str, Any]


# -- what it says -----------------------------------------------------------------------------


def _always(**defaults: Any) -> Shape:
    """2.0 requires what later versions may leave out."""

    def shape(fields: _Fields) -> _Fields:
        return defaults | {key: value for key, value in fields.items() if value is not None}

    return shape


def _one_schedule(fields: _Fields) -> _Fields:
    (schedule,) = fields["chargingSchedule"]
    return fields | {"chargingSchedule": schedule}


def _composite(fields: _Fields) -> _Fields:
    schedule = v20.ReportedChargingScheduleType(
        chargingRateUnit=fields["chargingRateUnit"],
        startSchedule=fields["scheduleStart"],
        duration=fields["duration"],
        chargingSchedulePeriod=fields["chargingSchedulePeriod"],
    )
    return {"startDateTime": fields["scheduleStart"], "chargingSchedule": schedule}


def _one_location(fields: _Fields) -> _Fields:
    locations = fields.get("location")
    return fields | {"location": locations[0] if locations else None}


_SHAPES: Mapping[str, Shape] = {
    "ChargingProfileType": _one_schedule,
    "CompositeScheduleType": _composite,
    "EventDataType": _always(cleared=False),
    "FirmwareStatusNotificationRequest": _always(requestId=0),
    "LogStatusNotificationRequest": _always(requestId=0),
    "NotifyCustomerInformationRequest": _always(tbc=False),
    "NotifyDisplayMessagesRequest": _always(tbc=False, messageInfo=[]),
    "NotifyEventRequest": _always(tbc=False),
    "NotifyMonitoringReportRequest": _always(tbc=False, monitor=[]),
    "NotifyReportRequest": _always(tbc=False, reportData=[]),
    "PublishFirmwareStatusNotificationRequest": _one_location,
    "VariableAttributeType": _always(value="", persistent=False, constant=False),
}

_RENAMED = {
    ("GetInstalledCertificateIdsResponse", "certificateHashDataChain"): "certificateHashData",
    ("SignCertificateRequest", "certificateType"): "typeOfCertificate",
    ("TransactionEventRequest", "transactionInfo"): "transactionData",
    ("TransactionType", "transactionId"): "id",
    ("VariableAttributeType", "persistent"): "persistence",
}

_WORDS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("ChargingNeedsType", "requestedEnergyTransfer"): {
        "AC_single_phase": "AC_single_phase_core",
        "AC_two_phase": "AC_three_phase_core",
        "AC_three_phase": "AC_three_phase_core",
    },
    ("GetBaseReportResponse", "status"): {"EmptyResultSet": "Rejected"},
    ("GetMonitoringReportResponse", "status"): {"EmptyResultSet": "Rejected"},
    ("GetReportResponse", "status"): {"EmptyResultSet": "Rejected"},
    ("InstallCertificateResponse", "status"): {
        "Rejected": "SignatureError",
        "Failed": "CertChainError",
    },
    ("LogStatusNotificationRequest", "status"): {"AcceptedCanceled": "UploadFailure"},
    ("TransactionEventRequest", "triggerReason"): {
        "AbnormalCondition": "EVCommunicationLost",
        "ResetCommand": "RemoteStop",
    },
    ("TransactionType", "chargingState"): {"EVConnected": "EVDetected", "Idle": "EVDetected"},
    ("UnlockConnectorResponse", "status"): {
        "OngoingAuthorizedTransaction": "UnlockFailed",
        "UnknownConnector": "UnlockFailed",
    },
    ("UpdateFirmwareResponse", "status"): {
        "InvalidCertificate": "Rejected",
        "RevokedCertificate": "Rejected",
    },
}


# -- what it hears ----------------------------------------------------------------------------


def _evse(number: int) -> Any:
    return v201.EVSEType(id=number) if number else None


def _certificate_signed(request: v20.CertificateSignedRequest) -> Any:
    return v201.CertificateSignedRequest(
        certificateChain="\n".join(request.cert),
        **_present(certificateType=given(request, "typeOfCertificate")),
    )


def _change_availability(request: v20.ChangeAvailabilityRequest) -> Any:
    return v201.ChangeAvailabilityRequest(
        operationalStatus=v201.OperationalStatusEnumType(request.operationalStatus),
        **_present(evse=_evse(request.evseId)),
    )


def _clear_profile(request: v20.ClearChargingProfileRequest) -> Any:
    criteria = given(request, "chargingProfile")
    return v201.ClearChargingProfileRequest(
        **_present(
            chargingProfileId=given(criteria, "id"),
            chargingProfileCriteria=v201.ClearChargingProfileType(
                **_present(
                    evseId=given(request, "evseId"),
                    chargingProfilePurpose=given(criteria, "chargingProfilePurpose"),
                    stackLevel=given(criteria, "stackLevel"),
                )
            ),
        )
    )


#: Certificates that 2.0 calls otherwise.
_CERTIFICATES = {"V2GRootCertficate": "V2GRootCertificate"}


def _installed(request: v20.GetInstalledCertificateIdsRequest) -> Any:
    asked = request.typeOfCertificate.value
    return v201.GetInstalledCertificateIdsRequest(
        certificateType=[_CERTIFICATES.get(asked, asked)]  # type: ignore[list-item]
    )


def _install(request: v20.InstallCertificateRequest) -> Any:
    kind = request.certificateType.value
    return v201.InstallCertificateRequest(
        certificateType=_CERTIFICATES.get(kind, kind),  # type: ignore[arg-type]
        certificate=request.certificate,
    )


def _reserve(request: v20.ReserveNowRequest) -> Any:
    reservation = request.reservation
    return v201.ReserveNowRequest(
        id=reservation.id,
        expiryDateTime=reservation.expiryDateTime,
        idToken=request.idToken,  # type: ignore[arg-type]
        **_present(
            evseId=reservation.evse.id or None,
            groupIdToken=given(request, "groupIdToken"),
            connectorType=given(reservation, "connectorCode"),
        ),
    )


def _profile(profile: v20.ChargingProfileType) -> Any:
    fields = {
        name: getattr(profile, name)
        for name in profile.__struct_fields__
        if name in v201.ChargingProfileType.__struct_fields__
    }
    return v201.ChargingProfileType(**fields | {"chargingSchedule": [profile.chargingSchedule]})


def _set_profile(request: v20.SetChargingProfileRequest) -> Any:
    return v201.SetChargingProfileRequest(
        evseId=request.evseId, chargingProfile=_profile(request.chargingProfile)
    )


def _start(request: v20.RequestStartTransactionRequest) -> Any:
    profile = given(request, "chargingProfile")
    return v201.RequestStartTransactionRequest(
        idToken=request.idToken,  # type: ignore[arg-type]
        remoteStartId=request.remoteStartId,
        **_present(
            evseId=given(request, "evseId"),
            chargingProfile=None if profile is None else _profile(profile),
        ),
    )


def _present(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


_READINGS: Mapping[str, Reading] = {
    "CertificateSigned": _certificate_signed,
    "ChangeAvailability": _change_availability,
    "ClearChargingProfile": _clear_profile,
    "GetInstalledCertificateIds": _installed,
    "InstallCertificate": _install,
    "RequestStartTransaction": _start,
    "ReserveNow": _reserve,
    "SetChargingProfile": _set_profile,
}

OCPP_20 = Dialect(
    version="2.0",
    module=v20,
    renamed=_RENAMED,
    words=_WORDS,
    shapes=_SHAPES,
    readings=_READINGS,
    serial_number=20,
)
