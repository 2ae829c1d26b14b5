"""The configuration keys of a charge point of OCPP 1.6.

Imports nothing of the package. Source: OCPP 1.6 chapter 9 with errata 3.79, 3.80 and 3.83, section
5.3 (which answer when), section 8 (SupportedFileTransferProtocols); the security whitepaper,
chapter 7. Values last over restarts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

__all__ = ["PHASES", "PROFILES", "SUPPORTED", "Configuration", "Entry"]

#: What the meter of a simulated charge point measures (3.16.4), and the phases of which (9.1.17).
SUPPORTED = (
    "Energy.Active.Import.Register",
    "Energy.Active.Import.Interval",
    "Power.Active.Import",
    "Power.Offered",
    "Current.Import",
    "Current.Offered",
    "Voltage",
    "SoC",
)
PHASES = {"Current.Import": ("L1", "L2", "L3"), "Voltage": ("L1-N", "L2-N", "L3-N")}
#: The feature profiles (chapter 3.3).
PROFILES = (
    "Core",
    "FirmwareManagement",
    "LocalAuthListManagement",
    "Reservation",
    "SmartCharging",
    "RemoteTrigger",
)
_ROTATIONS = "NotApplicable|Unknown|RST|RTS|SRT|STR|TRS|TSR"
#: As many as a value has room for.
_MOST_ROTATIONS = 70
#: What a list of measurands can hold: each of them, alone or of one phase.
_MEASURANDS = frozenset(
    {
        *SUPPORTED,
        *(f"{name}.{phase}" for name, phases in PHASES.items() for phase in phases),
        *(f"{name}.{phase[:2]}" for name, phases in PHASES.items() for phase in phases),
    }
)
#: The most seconds that an interval or a time can have: a week.
_WEEK = 7 * 86_400
_INTEGER = re.compile(r"-?[0-9]{1,9}")
#: 16 to 20 bytes in hexadecimal digits (whitepaper 7.2).
_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")

#: Whether a value is one that the key can have.
_Check = Callable[[str], bool]


def _boolean(value: str) -> bool:
    return value.lower() in ("true", "false")


def _between(least: int, most: int) -> _Check:
    return lambda value: bool(_INTEGER.fullmatch(value)) and least <= int(value) <= most


def _measurands(value: str) -> bool:
    items = _items(value)
    return len({*items}) == len(items) and {*items} <= _MEASURANDS


def _rotations(connectors: int) -> _Check:
    item = re.compile(rf"([0-9]{{1,3}})\.(?:{_ROTATIONS})")

    def check(value: str) -> bool:
        found = [item.fullmatch(each) for each in _items(value)]
        numbers = [int(each[1]) for each in found if each is not None]
        known = all(each <= connectors for each in numbers)
        return known and len(numbers) == len(found) <= _MOST_ROTATIONS

    return check


def _text(most: int) -> _Check:
    return lambda value: len(value) <= most


def _items(value: str) -> list[str]:
    return [each.strip() for each in value.split(",") if each.strip()]


class Entry(NamedTuple):
    """A key as GetConfiguration tells of it.

    :ivar value: None if it can only be written.
    """

    key: str
    readonly: bool
    value: str | None


@dataclass(frozen=True, slots=True)
class _Setting:
    """A key.

    :ivar value: that it has at first.
    :ivar check: whether it may be changed to a value; None if it may not be changed.
    :ivar reboot: whether a change counts from the next start on.
    """

    key: str
    value: str
    check: _Check | None = None
    reboot: bool = False
    secret: bool = False


@cache
def _table(connectors: int) -> Mapping[str, _Setting]:
    """All keys, in small letters; charge points with as many connectors share it."""
    return {each.key.lower(): each for each in _settings(connectors)}


def _settings(connectors: int) -> Iterator[_Setting]:
    """All keys: in the order of chapter 9, then those of the whitepaper."""
    seconds = _between(0, _WEEK)
    # 9.1, core
    yield _Setting("AllowOfflineTxForUnknownId", "false", _boolean)
    yield _Setting("AuthorizationCacheEnabled", "true", _boolean)
    yield _Setting("AuthorizeRemoteTxRequests", "true", _boolean)
    yield _Setting("BlinkRepeat", "3", _between(0, 100))
    yield _Setting("ClockAlignedDataInterval", "0", _between(0, 86_400))
    yield _Setting("ConnectionTimeOut", "120", seconds)
    told = min(connectors, _MOST_ROTATIONS - 1)
    rotations = ",".join(f"{number}.RST" for number in range(told + 1))
    yield _Setting("ConnectorPhaseRotation", rotations, _rotations(connectors), reboot=True)
    yield _Setting("ConnectorPhaseRotationMaxLength", str(told + 1))
    yield _Setting("GetConfigurationMaxKeys", "50")
    yield _Setting("HeartbeatInterval", "300", seconds)
    yield _Setting("LightIntensity", "100", _between(0, 100))
    yield _Setting("LocalAuthorizeOffline", "true", _boolean)
    yield _Setting("LocalPreAuthorize", "false", _boolean)
    yield _Setting("MaxEnergyOnInvalidId", "0", _between(0, 100_000_000))
    yield _Setting("MeterValuesAlignedData", "Energy.Active.Import.Register", _measurands)
    yield _Setting("MeterValuesAlignedDataMaxLength", str(len(_MEASURANDS)))
    yield _Setting("MeterValuesSampledData", "Energy.Active.Import.Register", _measurands)
    yield _Setting("MeterValuesSampledDataMaxLength", str(len(_MEASURANDS)))
    yield _Setting("MeterValueSampleInterval", "60", seconds)
    yield _Setting("MinimumStatusDuration", "0", seconds)
    yield _Setting("NumberOfConnectors", str(connectors))
    yield _Setting("ResetRetries", "0", _between(0, 100))
    yield _Setting("StopTransactionOnEVSideDisconnect", "true", _boolean)
    yield _Setting("StopTransactionOnInvalidId", "true", _boolean)
    yield _Setting("StopTxnAlignedData", "", _measurands)
    yield _Setting("StopTxnAlignedDataMaxLength", str(len(_MEASURANDS)))
    yield _Setting("StopTxnSampledData", "", _measurands)
    yield _Setting("StopTxnSampledDataMaxLength", str(len(_MEASURANDS)))
    yield _Setting("SupportedFeatureProfiles", ",".join(PROFILES))
    yield _Setting("SupportedFeatureProfilesMaxLength", str(len(PROFILES)))
    yield _Setting("TransactionMessageAttempts", "3", _between(1, 1000))
    yield _Setting("TransactionMessageRetryInterval", "60", seconds)
    yield _Setting("UnlockConnectorOnEVSideDisconnect", "true", _boolean)
    yield _Setting("WebSocketPingInterval", "60", seconds, reboot=True)
    # 9.2 to 9.4
    yield _Setting("LocalAuthListEnabled", "true", _boolean)
    yield _Setting("LocalAuthListMaxLength", "1000")
    yield _Setting("SendLocalListMaxLength", "100")
    yield _Setting("ReserveConnectorZeroSupported", "true")
    yield _Setting("ChargeProfileMaxStackLevel", "10")
    yield _Setting("ChargingScheduleAllowedChargingRateUnit", "Current,Power")
    yield _Setting("ChargingScheduleMaxPeriods", "100")
    yield _Setting("ConnectorSwitch3to1PhaseSupported", "true")
    yield _Setting("MaxChargingProfilesInstalled", "50")
    # chapter 8, and the whitepaper's chapter 7
    yield _Setting("SupportedFileTransferProtocols", "FTP,FTPS,HTTP,HTTPS")
    yield _Setting("AdditionalRootCertificateCheck", "false")
    yield _Setting("AuthorizationKey", "", lambda value: bool(_KEY.fullmatch(value)), secret=True)
    yield _Setting("CertificateSignedMaxChainSize", "10000")
    yield _Setting("CertificateStoreMaxLength", "20")
    yield _Setting("CpoName", "", _text(64))
    yield _Setting("SecurityProfile", "0", _between(0, 3))


class Configuration:
    """Values by their keys, which are known in capital and small letters (7.17, 7.29).

    :param connectors: how many there are.
    :param may: is asked before a value of the right form is taken, with key and value.
    :param changed: is told after a change, with the key.
    """

    def __init__(
        self,
        connectors: int,
        may: Callable[[str, str], bool],
        changed: Callable[[str], None],
    ) -> None:
        self._may = may
        self._changed = changed
        self._settings = _table(connectors)
        #: What has been changed, by keys in small letters.
        self._values: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        key = key.lower()
        return self._values[key] if key in self._values else self._settings[key].value

    def flag(self, key: str) -> bool:
        """The value of a key that is a boolean."""
        return self[key] == "true"

    def number(self, key: str) -> int:
        """The value of a key that is an integer."""
        return int(self[key])

    def items(self, key: str) -> list[str]:
        """The value of a key that is a list."""
        return _items(self[key])

    def put(self, key: str, value: str) -> None:
        """Set a value of our own accord."""
        self._values[key.lower()] = value

    def entries(self, keys: Iterable[str]) -> tuple[list[Entry], list[str]]:
        """Those of some keys, or of all if none is named, and the keys that there are not."""
        wanted = list(keys)
        known = [self._settings[key.lower()] for key in wanted if key.lower() in self._settings]
        unknown = [key for key in wanted if key.lower() not in self._settings]
        return [
            Entry(each.key, each.check is None, None if each.secret else self[each.key])
            for each in (known if wanted else self._settings.values())
        ], unknown

    def change(self, key: str, value: str) -> str:
        """The central system wants another value.

        :returns: the wire's word (5.3).
        """
        setting = self._settings.get(key.lower())
        if setting is None:
            return "NotSupported"
        if setting.check is None or not setting.check(value) or not self._may(setting.key, value):
            return "Rejected"
        self.put(key, value.lower() if setting.check is _boolean else value)
        self._changed(setting.key)
        return "RebootRequired" if setting.reboot else "Accepted"
