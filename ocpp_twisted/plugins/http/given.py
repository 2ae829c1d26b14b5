"""Ids that a central system gives out: where they stand, and how one gets into a payload.

Imports msgspec only. What is in the table is required by the schema of its version, and any number
will do that was not used before. What means something to who sends it is not there: the ids of
charging profiles, transactions, monitors, and of the reservation that is to be cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Raw

__all__ = ["GIVEN", "with_id", "without_id"]

_REQUEST = ("requestId",)
_V2: Mapping[str, tuple[str, ...]] = {
    "CustomerInformation": _REQUEST,
    "GetBaseReport": _REQUEST,
    "GetDisplayMessages": _REQUEST,
    "GetLog": _REQUEST,
    "RequestStartTransaction": ("remoteStartId",),
    "UpdateFirmware": _REQUEST,
}
_V201: Mapping[str, tuple[str, ...]] = {
    **_V2,
    "GetChargingProfiles": _REQUEST,
    "GetMonitoringReport": _REQUEST,
    "GetReport": _REQUEST,
    "PublishFirmware": _REQUEST,
    "ReserveNow": ("id",),
}
#: Version to action to the path of the id in its payload.
GIVEN: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "1.6": {
            "GetLog": _REQUEST,
            "ReserveNow": ("reservationId",),
            "SignedUpdateFirmware": _REQUEST,
        },
        "2.0": {**_V2, "ReserveNow": ("reservation", "id")},
        "2.0.1": _V201,
        "2.1": {**_V201, "GetDERControl": _REQUEST, "RequestBatterySwap": _REQUEST},
    }
)


def without_id(payload: bytes, path: tuple[str, ...]) -> bool:
    """Whether there is no id in a payload that has a place for it.

    :param payload: JSON text; if it is none, somebody else will say so.
    """
    *outer, last = path
    try:
        for name in outer:
            payload = bytes(_members(payload)[name])
        return last not in _members(payload)
    except (msgspec.DecodeError, KeyError):
        return False


def with_id(payload: bytes, path: tuple[str, ...], number: int) -> bytes:
    """A payload that is `without_id`, with an id as the last member of its object.

    What else there is stays as it was written.
    """
    first, *inner = path
    members = _members(payload)
    if inner:
        members[first] = Raw(with_id(bytes(members[first]), tuple(inner), number))
        return msgspec.json.encode(members)
    text = payload.rstrip()[:-1].rstrip()
    comma = b"," if members else b""
    return b'%s%s"%s":%d}' % (text, comma, first.encode(), number)


def _members(payload: bytes) -> dict[str, Raw]:
    return msgspec.json.decode(payload, type=dict[str, Raw])
