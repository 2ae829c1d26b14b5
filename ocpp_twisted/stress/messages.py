"""What the charge points of a load say, as JSON text.

Imports nothing of the package. A kind is what is sent in turn; the mix is one charging minute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["KINDS", "Message", "boot", "messages"]

#: Action and payload.
Message = tuple[str, bytes]
_Payload = Mapping[str, Any]

#: What `messages` knows.
KINDS = {
    "heartbeat": ("Heartbeat",),
    "meter-values": ("MeterValues",),
    "mix": ("MeterValues", "Heartbeat", "MeterValues", "StatusNotification"),
}

#: Measurand, value, unit, phase.
_SAMPLES = (
    ("Energy.Active.Import.Register", "1234567.5", "Wh", None),
    ("Current.Import", "16.0", "A", "L1"),
    ("Current.Import", "16.1", "A", "L2"),
    ("Voltage", "230.2", "V", "L1-N"),
    ("Power.Active.Import", "11040", "W", None),
)


def messages(kind: str, version: str, time: str) -> Sequence[Message]:
    """The messages of a kind.

    :param time: the timestamp in them, RFC 3339.
    """
    payloads = _PAYLOADS[version]
    return [(action, msgspec.json.encode(payloads[action](time))) for action in KINDS[kind]]


def boot(version: str) -> Message:
    """The BootNotification."""
    return "BootNotification", msgspec.json.encode(_PAYLOADS[version]["BootNotification"](""))


def _samples(of_value: Callable[[str], Any], of_unit: Callable[[str], _Payload]) -> list[_Payload]:
    return [
        {
            "value": of_value(value),
            "context": "Sample.Periodic",
            "measurand": measurand,
            **({} if phase is None else {"phase": phase}),
            **of_unit(unit),
        }
        for measurand, value, unit, phase in _SAMPLES
    ]


_SAMPLED_16 = _samples(str, lambda unit: {"unit": unit})
_SAMPLED_2 = _samples(float, lambda unit: {"unitOfMeasure": {"unit": unit}})

_PAYLOADS_16: Mapping[str, Callable[[str], _Payload]] = {
    "BootNotification": lambda time: {
        "chargePointVendor": "ocpp_twisted",
        "chargePointModel": "stress",
    },
    "Heartbeat": lambda time: {},
    "MeterValues": lambda time: {
        "connectorId": 1,
        "meterValue": [{"timestamp": time, "sampledValue": _SAMPLED_16}],
    },
    "StatusNotification": lambda time: {
        "connectorId": 1,
        "errorCode": "NoError",
        "status": "Charging",
        "timestamp": time,
    },
}
_PAYLOADS_2: Mapping[str, Callable[[str], _Payload]] = {
    "BootNotification": lambda time: {
        "chargingStation": {"vendorName": "ocpp_twisted", "model": "stress"},
        "reason": "PowerUp",
    },
    "Heartbeat": lambda time: {},
    "MeterValues": lambda time: {
        "evseId": 1,
        "meterValue": [{"timestamp": time, "sampledValue": _SAMPLED_2}],
    },
    "StatusNotification": lambda time: {
        "evseId": 1,
        "connectorId": 1,
        "connectorStatus": "Occupied",
        "timestamp": time,
    },
}
_PAYLOADS = {
    "1.6": _PAYLOADS_16,
    "2.0": _PAYLOADS_2,
    "2.0.1": _PAYLOADS_2,
    "2.1": _PAYLOADS_2,
}
