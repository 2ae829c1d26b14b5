"""What a charge point may send and be sent, by the answer to its last BootNotification.

Imports messages' base classes only. The rules (docs/protocol.md, "Registration"): OCPP 1.6
section 4.2, OCPP-J 1.6 errata 3.8, OCPP 1.6 errata 3.40; OCPP 2.x use cases B02 and B03 with
2.0.1 errata 2.3.1. A charge point that has not been answered is served: one that reconnects is
told not to send BootNotification again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from enum import Enum
from typing import Any

from ocpp_twisted.ocppj.message import Request

__all__ = ["Registration", "Status"]

_BOOT = "BootNotification"
_BOOT_ONLY = frozenset({_BOOT})
#: What a report that we ask for comes as.
_REPORTS = {"GetBaseReport": "NotifyReport", "GetReport": "NotifyReport"}
_TRIGGERS = frozenset({"TriggerMessage", "ExtendedTriggerMessage"})
#: What a trigger brings, where it is not the action of that name (1.6 security whitepaper
#: section 6.14; 2.x part 2, MessageTriggerEnumType).
_TRIGGERED = {
    "FirmwareStatusNotification": (
        "FirmwareStatusNotification",
        "SignedFirmwareStatusNotification",
    ),
    "SignChargePointCertificate": ("SignCertificate",),
    "SignChargingStationCertificate": ("SignCertificate",),
    "SignV2GCertificate": ("SignCertificate",),
    "SignV2G20Certificate": ("SignCertificate",),
    "SignCombinedCertificate": ("SignCertificate",),
}
#: A trigger that does not say what it brings (2.1).
_CUSTOM = "CustomTrigger"
_STARTS_AND_STOPS = frozenset(
    {
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "RequestStartTransaction",
        "RequestStopTransaction",
    }
)
_REFUSALS = frozenset({"Rejected", "NotImplemented", "NotSupported", "EmptyResultSet"})


class Status(Enum):
    """The answer to the last BootNotification, as far as this process knows."""

    UNKNOWN = "not known"
    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class Registration:
    """The gate of one charge point; it outlives the connection."""

    __slots__ = ("_asked", "status")

    def __init__(self) -> None:
        self.status = Status.UNKNOWN
        #: While pending: what may be sent to us, with how often it was asked for.
        self._asked: Counter[str] | None = None

    @property
    def admits(self) -> Container[str] | None:
        """The actions that the charge point may send; None for all.

        To be asked again after `boot_answered`, `sent` and `answered`.
        """
        if self.status is Status.REJECTED:
            return _BOOT_ONLY
        if self._asked is None or _CUSTOM in self._asked:
            return None
        return self._asked

    @property
    def asked(self) -> Mapping[str, int]:
        """While pending: what may be sent to us, with how often it was asked for."""
        return self._asked or {}

    def restore(self, status: Status, asked: Mapping[str, int]) -> None:
        """Be as another one was."""
        self.status = status
        self._asked = Counter(asked) if status is Status.PENDING else None

    def boot_answered(self, status: str) -> None:
        """A BootNotification has been answered: its RegistrationStatus decides from now on."""
        self.status = Status(status)
        if self.status is not Status.PENDING:
            self._asked = None
        elif self._asked is None:
            self._asked = Counter(_BOOT_ONLY)

    def objection(self, request: Request[Any], accepted_may_be_asked_to_boot: bool) -> str | None:
        """Why a request must not be sent now; None if it may.

        :param accepted_may_be_asked_to_boot: whether the version lets an accepted charge point be
            sent a trigger for BootNotification.
        """
        status, action = self.status, request.ACTION
        if status is Status.REJECTED:
            return "its BootNotification has been rejected: nothing may be sent before its next one"
        if status is Status.PENDING and action in _STARTS_AND_STOPS:
            return f"its BootNotification is pending: {action} has to wait until it is accepted"
        if (
            status is Status.ACCEPTED
            and not accepted_may_be_asked_to_boot
            and action in _TRIGGERS
            and _BOOT in _follow_ups(request)
        ):
            return "it has been accepted: it must not be asked for another BootNotification"
        return None

    def sent(self, request: Request[Any]) -> None:
        """A request has gone out: what it asks for may come now."""
        if self._asked is not None:
            self._asked.update(_follow_ups(request))

    def answered(self, request: Request[Any], answer: object) -> None:
        """The charge point has answered a request.

        :param answer: the response, or an error. If it refuses, what was asked for does not come.
        """
        asked = Counter(_follow_ups(request))
        if self._asked is None or not asked:
            return
        if isinstance(answer, Exception) or getattr(answer, "status", None) in _REFUSALS:
            self._asked = self._asked - asked | Counter(_BOOT_ONLY)


def _follow_ups(request: Request[Any]) -> Iterable[str]:
    """The actions that a charge point sends because of a request of ours."""
    if request.ACTION in _REPORTS:
        return (_REPORTS[request.ACTION],)
    if request.ACTION in _TRIGGERS:
        trigger = getattr(request, "requestedMessage", None)
        if isinstance(trigger, str):  # a custom action of that name may have none
            return _TRIGGERED.get(trigger, (trigger,))
    return ()
