"""The standard variables of a simulated charge point, as data.

Imports its neighbour `device_model`. Source: OCPP 2.0.1 and 2.1 part 2 appendices, chapters 3 and
4; what is required: 2.0.1 part 6, TC_B_53_CS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from ocpp_twisted.simulator.v2.device_model import READ_ONLY, READ_WRITE, WRITE_ONLY, Key, Variable

__all__ = ["AVAILABILITY", "MEASURANDS", "station_variables", "variables_of_21"]

RO, RW, WO = READ_ONLY, READ_WRITE, WRITE_ONLY

AVAILABILITY = ("Available", "Occupied", "Reserved", "Unavailable", "Faulted")
#: What the meters measure.
MEASURANDS = (
    "Energy.Active.Import.Register",
    "Energy.Active.Import.Interval",
    "Power.Active.Import",
    "Power.Offered",
    "Current.Import",
    "Current.Offered",
    "Voltage",
    "Frequency",
    "SoC",
)
#: Where transactions start and stop (E01, E06): what this hardware notices.
TX_POINTS = (
    "ParkingBayOccupancy",
    "EVConnected",
    "Authorized",
    "PowerPathClosed",
    "EnergyTransfer",
)
_REGISTER = "Energy.Active.Import.Register"
_SIGNIFICANT = f"{_REGISTER},Power.Active.Import"
_DAY = 86_400

_Row = tuple[str, str, str, str, str, Mapping[str, Any]]


def _measurands(value: str) -> Mapping[str, Any]:
    return {"value": value, "values": MEASURANDS, "maximum": len(MEASURANDS)}


def _seconds(value: int, minimum: int = 0, maximum: int | None = None) -> Mapping[str, Any]:
    return {"value": str(value), "unit": "s", "minimum": minimum, "maximum": maximum}


def _number(value: int, minimum: int = 0, maximum: int | None = None) -> Mapping[str, Any]:
    return {"value": str(value), "minimum": minimum, "maximum": maximum}


_TRUE: Mapping[str, Any] = {"value": "true"}
_FALSE: Mapping[str, Any] = {"value": "false"}

#: Component, variable, its instance, type, mutability, and the rest.
_ROWS: Sequence[_Row] = (
    ("AlignedDataCtrlr", "Available", "", "boolean", RO, _TRUE),
    ("AlignedDataCtrlr", "Enabled", "", "boolean", RW, _TRUE),
    ("AlignedDataCtrlr", "Interval", "", "integer", RW, _seconds(0, 0, _DAY)),
    ("AlignedDataCtrlr", "Measurands", "", "MemberList", RW, _measurands(_REGISTER)),
    ("AlignedDataCtrlr", "SendDuringIdle", "", "boolean", RW, _FALSE),
    ("AlignedDataCtrlr", "TxEndedInterval", "", "integer", RW, _seconds(0, 0, _DAY)),
    ("AlignedDataCtrlr", "TxEndedMeasurands", "", "MemberList", RW, _measurands(_REGISTER)),
    ("AuthCacheCtrlr", "Available", "", "boolean", RO, _TRUE),
    ("AuthCacheCtrlr", "DisablePostAuthorize", "", "boolean", RW, _FALSE),
    ("AuthCacheCtrlr", "Enabled", "", "boolean", RW, _TRUE),
    ("AuthCacheCtrlr", "LifeTime", "", "integer", RW, _seconds(_DAY)),
    ("AuthCacheCtrlr", "Policy", "", "OptionList", RO, {"value": "LRU", "values": ("LRU",)}),
    ("AuthCacheCtrlr", "Storage", "", "integer", RO, {"unit": "B", "maximum": 100_000}),
    ("AuthCtrlr", "AuthorizeRemoteStart", "", "boolean", RW, _FALSE),
    ("AuthCtrlr", "DisableRemoteAuthorization", "", "boolean", RW, _FALSE),
    ("AuthCtrlr", "Enabled", "", "boolean", RW, _TRUE),
    ("AuthCtrlr", "LocalAuthorizeOffline", "", "boolean", RW, _TRUE),
    ("AuthCtrlr", "LocalPreAuthorize", "", "boolean", RW, _FALSE),
    ("AuthCtrlr", "MasterPassGroupId", "", "string", RW, {"maximum": 36}),
    ("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "", "boolean", RW, _FALSE),
    ("ClockCtrlr", "DateTime", "", "dateTime", RO, {}),
    ("ClockCtrlr", "TimeAdjustmentReportingThreshold", "", "integer", RW, _seconds(20)),
    (
        "ClockCtrlr",
        "TimeSource",
        "",
        "SequenceList",
        RW,
        {"value": "Heartbeat", "values": ("Heartbeat", "RealTimeClock")},
    ),
    ("CustomizationCtrlr", "CustomImplementationEnabled", "ocpp_twisted", "boolean", RW, _TRUE),
    ("DeviceDataCtrlr", "BytesPerMessage", "GetReport", "integer", RO, _number(65_536)),
    ("DeviceDataCtrlr", "BytesPerMessage", "GetVariables", "integer", RO, _number(65_536)),
    ("DeviceDataCtrlr", "BytesPerMessage", "SetVariables", "integer", RO, _number(65_536)),
    ("DeviceDataCtrlr", "ItemsPerMessage", "GetReport", "integer", RO, _number(50)),
    ("DeviceDataCtrlr", "ItemsPerMessage", "GetVariables", "integer", RO, _number(50)),
    ("DeviceDataCtrlr", "ItemsPerMessage", "SetVariables", "integer", RO, _number(50)),
    ("DisplayMessageCtrlr", "Available", "", "boolean", RO, _TRUE),
    ("DisplayMessageCtrlr", "DisplayMessages", "", "integer", RO, {"maximum": 20}),
    ("DisplayMessageCtrlr", "Enabled", "", "boolean", RW, _TRUE),
    ("DisplayMessageCtrlr", "PersonalMessageSize", "", "integer", RO, _number(512)),
    (
        "DisplayMessageCtrlr",
        "SupportedFormats",
        "",
        "MemberList",
        RO,
        {"value": "ASCII,UTF8", "values": ("ASCII", "HTML", "URI", "UTF8")},
    ),
    (
        "DisplayMessageCtrlr",
        "SupportedPriorities",
        "",
        "MemberList",
        RO,
        {
            "value": "AlwaysFront,InFront,NormalCycle",
            "values": ("AlwaysFront", "InFront", "NormalCycle"),
        },
    ),
    ("LocalAuthListCtrlr", "Available", "", "boolean", RO, _TRUE),
    ("LocalAuthListCtrlr", "BytesPerMessage", "", "integer", RO, _number(65_536)),
    ("LocalAuthListCtrlr", "DisablePostAuthorize", "", "boolean", RW, _FALSE),
    ("LocalAuthListCtrlr", "Enabled", "", "boolean", RW, _TRUE),
    ("LocalAuthListCtrlr", "Entries", "", "integer", RO, {"maximum": 1_000}),
    ("LocalAuthListCtrlr", "ItemsPerMessage", "", "integer", RO, _number(100)),
    (
        "MonitoringCtrlr",
        "ActiveMonitoringBase",
        "",
        "OptionList",
        RO,
        {"value": "All", "values": ("All", "FactoryDefault", "HardWiredOnly")},
    ),
    ("MonitoringCtrlr", "ActiveMonitoringLevel", "", "integer", RO, _number(9, 0, 9)),
    ("MonitoringCtrlr", "Available", "", "boolean", RO, _TRUE),
    ("MonitoringCtrlr", "BytesPerMessage", "SetVariableMonitoring", "integer", RO, _number(65_536)),
    ("MonitoringCtrlr", "Enabled", "", "boolean", RW, _TRUE),
    ("MonitoringCtrlr", "ItemsPerMessage", "SetVariableMonitoring", "integer", RO, _number(50)),
    ("MonitoringCtrlr", "ItemsPerMessage", "ClearVariableMonitoring", "integer", RO, _number(50)),
    ("MonitoringCtrlr", "OfflineQueuingSeverity", "", "integer", RW, _number(3, 0, 9)),
    ("OCPPCommCtrlr", "ActiveNetworkProfile", "", "string", RO, {"value": "1"}),
    (
        "OCPPCommCtrlr",
        "FileTransferProtocols",
        "",
        "MemberList",
        RO,
        {"value": "HTTP,HTTPS,FTP", "values": ("FTP", "FTPS", "HTTP", "HTTPS", "SFTP")},
    ),
    ("OCPPCommCtrlr", "HeartbeatInterval", "", "integer", RW, _seconds(300, 1)),
    ("OCPPCommCtrlr", "MessageAttemptInterval", "TransactionEvent", "integer", RW, _seconds(60)),
    ("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent", "integer", RW, _number(3, 1)),
    ("OCPPCommCtrlr", "MessageTimeout", "Default", "integer", RO, _seconds(30)),
    (
        "OCPPCommCtrlr",
        "NetworkConfigurationPriority",
        "",
        "SequenceList",
        RW,
        {"value": "1", "values": ("1", "2", "3", "4", "5"), "minimum": 1, "reboot": True},
    ),
    ("OCPPCommCtrlr", "NetworkProfileConnectionAttempts", "", "integer", RW, _number(3, 1)),
    ("OCPPCommCtrlr", "OfflineThreshold", "", "integer", RW, _seconds(60)),
    ("OCPPCommCtrlr", "ResetRetries", "", "integer", RW, _number(0)),
    ("OCPPCommCtrlr", "RetryBackOffRandomRange", "", "integer", RW, _seconds(10)),
    ("OCPPCommCtrlr", "RetryBackOffRepeatTimes", "", "integer", RW, _number(5, 0, 20)),
    ("OCPPCommCtrlr", "RetryBackOffWaitMinimum", "", "integer", RW, _seconds(5, 1)),
    ("OCPPCommCtrlr", "UnlockOnEVSideDisconnect", "", "boolean", RW, _TRUE),
    (
        "OCPPCommCtrlr",
        "WebSocketPingInterval",
        "",
        "integer",
        RW,
        {**_seconds(60), "reboot": True},
    ),
    ("ReservationCtrlr", "Available", "", "boolean", RO, _TRUE),
    ("ReservationCtrlr", "Enabled", "", "boolean", RW, _TRUE),
    ("ReservationCtrlr", "NonEvseSpecific", "", "boolean", RO, _TRUE),
    ("SampledDataCtrlr", "Available", "", "boolean", RO, _TRUE),
    ("SampledDataCtrlr", "Enabled", "", "boolean", RW, _TRUE),
    ("SampledDataCtrlr", "RegisterValuesWithoutPhases", "", "boolean", RO, _TRUE),
    ("SampledDataCtrlr", "TxEndedInterval", "", "integer", RW, _seconds(0, 0, _DAY)),
    ("SampledDataCtrlr", "TxEndedMeasurands", "", "MemberList", RW, _measurands(_REGISTER)),
    ("SampledDataCtrlr", "TxStartedMeasurands", "", "MemberList", RW, _measurands(_REGISTER)),
    ("SampledDataCtrlr", "TxUpdatedInterval", "", "integer", RW, _seconds(60, 0, _DAY)),
    ("SampledDataCtrlr", "TxUpdatedMeasurands", "", "MemberList", RW, _measurands(_SIGNIFICANT)),
    (
        "SecurityCtrlr",
        "BasicAuthPassword",
        "",
        "string",
        WO,
        {"minimum": 16, "maximum": 40},
    ),
    ("SecurityCtrlr", "CertSigningRepeatTimes", "", "integer", RW, _number(3)),
    ("SecurityCtrlr", "CertSigningWaitMinimum", "", "integer", RW, _seconds(60, 1)),
    ("SecurityCtrlr", "CertificateEntries", "", "integer", RO, {"maximum": 20}),
    ("SecurityCtrlr", "Identity", "", "string", RO, {"maximum": 48}),
    (
        "SecurityCtrlr",
        "OrganizationName",
        "",
        "string",
        RW,
        {"value": "Example", "minimum": 1, "maximum": 64},
    ),
    ("SecurityCtrlr", "SecurityProfile", "", "integer", RO, _number(0, 0, 3)),
    ("SmartChargingCtrlr", "Available", "", "boolean", RO, _TRUE),
    ("SmartChargingCtrlr", "Enabled", "", "boolean", RW, _TRUE),
    ("SmartChargingCtrlr", "Entries", "ChargingProfiles", "integer", RO, {"maximum": 50}),
    ("SmartChargingCtrlr", "ExternalControlSignalsEnabled", "", "boolean", RW, _TRUE),
    (
        "SmartChargingCtrlr",
        "LimitChangeSignificance",
        "",
        "decimal",
        RW,
        {"value": "1.0", "unit": "Percent", "minimum": 0, "maximum": 100},
    ),
    ("SmartChargingCtrlr", "NotifyChargingLimitWithSchedules", "", "boolean", RW, _FALSE),
    ("SmartChargingCtrlr", "PeriodsPerSchedule", "", "integer", RO, _number(100)),
    ("SmartChargingCtrlr", "ProfileStackLevel", "", "integer", RO, _number(9)),
    ("SmartChargingCtrlr", "RateUnit", "", "MemberList", RO, {"value": "A,W", "values": "AW"}),
    ("TariffCostCtrlr", "Available", "Cost", "boolean", RO, _TRUE),
    ("TariffCostCtrlr", "Available", "Tariff", "boolean", RO, _TRUE),
    ("TariffCostCtrlr", "Currency", "", "string", RW, {"value": "EUR", "maximum": 3}),
    ("TariffCostCtrlr", "Enabled", "Cost", "boolean", RW, _TRUE),
    ("TariffCostCtrlr", "Enabled", "Tariff", "boolean", RW, _TRUE),
    ("TariffCostCtrlr", "TariffFallbackMessage", "", "string", RW, {"maximum": 255}),
    ("TariffCostCtrlr", "TotalCostFallbackMessage", "", "string", RW, {"maximum": 255}),
    ("TxCtrlr", "EVConnectionTimeOut", "", "integer", RW, _seconds(60)),
    ("TxCtrlr", "MaxEnergyOnInvalidId", "", "integer", RW, {"value": "0", "unit": "Wh"}),
    ("TxCtrlr", "StopTxOnEVSideDisconnect", "", "boolean", RW, _TRUE),
    ("TxCtrlr", "StopTxOnInvalidId", "", "boolean", RW, _TRUE),
    ("TxCtrlr", "TxBeforeAcceptedEnabled", "", "boolean", RW, _FALSE),
    (
        "TxCtrlr",
        "TxStartPoint",
        "",
        "MemberList",
        RW,
        {"value": "PowerPathClosed", "values": TX_POINTS, "minimum": 1},
    ),
    (
        "TxCtrlr",
        "TxStopPoint",
        "",
        "MemberList",
        RW,
        {"value": "EVConnected,Authorized", "values": TX_POINTS, "minimum": 1},
    ),
)

#: What 2.1 adds.
_ROWS_OF_21: Sequence[_Row] = (
    ("ACDERCtrlr", "Available", "", "boolean", RO, _FALSE),
    ("CustomizationCtrlr", "CustomTriggers", "", "MemberList", RO, {"values": ()}),
    ("DisplayMessageCtrlr", "Language", "", "OptionList", RO, {"value": "en", "values": ("en",)}),
    (
        "DisplayMessageCtrlr",
        "SupportedStates",
        "",
        "MemberList",
        RO,
        {
            "value": "Charging,Faulted,Idle,Unavailable",
            "values": ("Charging", "Faulted", "Idle", "Unavailable", "Suspended", "Discharging"),
        },
    ),
    ("SecurityCtrlr", "AllowSecurityProfileDowngrade", "", "boolean", RO, _FALSE),
    ("TxCtrlr", "ResumptionTimeout", "", "integer", RW, _seconds(0)),
)


def station_variables() -> Iterator[Variable]:
    """The variables of the controllers."""
    return _made(_ROWS)


def variables_of_21() -> Iterator[Variable]:
    """Those that 2.1 adds."""
    return _made(_ROWS_OF_21)


def _made(rows: Sequence[_Row]) -> Iterator[Variable]:
    for component, name, instance, kind, mutability, rest in rows:
        key = _key(component, name, instance)
        yield Variable(key=key, type=kind, mutability=mutability, **rest)


@cache  # by the rows above
def _key(component: str, name: str, instance: str) -> Key:
    return Key(component, name, variable_instance=instance or None)
