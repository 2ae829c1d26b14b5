"""Reset, boot, and the network profiles (functional block B, but for variables).

Imports its neighbours, targets and errors. Source: OCPP 2.0.1 part 2, use cases B09 to B12.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as Impatience

from ocpp_twisted.charge_point import Target
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.device_model import Key, Variable, members_of
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.evse import Evse

__all__ = ["Resetting"]

_SLOTS = range(1, 6)
#: Seconds that the central system has to answer what ends before a reset.
_PATIENCE = 10.0
#: Seconds that the reset of an EVSE takes.
_EVSE_RESET = 5.0


class Resetting(Block):
    """Reset and SetNetworkProfile.

    :ivar scheduled: what is reset as soon as it is idle: 0 for the station, or EVSEs.
    """

    name = "resetting"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self.scheduled: set[int] = set()
        self._profiles: dict[int, Any] = {}
        self._first: Target | None = None
        self._telling: Deferred[None] | None = None
        priority = self.model.find(Key("OCPPCommCtrlr", "NetworkConfigurationPriority"))
        assert isinstance(priority, Variable)
        priority.accepts = lambda text: all(
            int(slot) == 1 or int(slot) in self._profiles for slot in members_of(text)
        )

    # -- B11, B12 -----------------------------------------------------------------------------

    @on(*every("Reset"))
    def reset(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        number = given(request, "evseId") or 0
        if not 0 <= number <= len(self.voice.evses):
            return self.make(
                "ResetResponse", status="Rejected", statusInfo=self.reason("UnknownEvse")
            )
        idle = request.type == "OnIdle" and any(each.transaction for each in self._evses(number))
        return self.make("ResetResponse", status="Scheduled" if idle else "Accepted")

    @after(*every("Reset"))
    def reset_now(self, link: Any, request: Any, response: Any) -> None:
        """Now, or when it is idle."""
        number = given(request, "evseId") or 0
        if response.status == "Scheduled":
            self.scheduled.add(number)
        elif response.status == "Accepted":
            self._reset(number, resume=request.type == "ImmediateAndResume")

    def transaction_ended(self) -> None:
        """Perhaps it was the last one that a reset waits for."""
        for number in sorted(self.scheduled):
            if not any(each.transaction for each in self._evses(number)):
                self.scheduled.discard(number)
                self.voice.timers.later(0, lambda number=number: self._reset(number))  # type: ignore[misc]
                return

    def _evses(self, number: int) -> list[Evse]:
        return [each for each in self.voice.evses if number in (0, each.number)]

    def _reset(self, number: int, resume: bool = False) -> None:
        evses = self._evses(number)
        if not resume:
            for evse in evses:
                self.voice.transactions.end(evse, "ResetCommand", "ImmediateReset")
        if number:
            (evse,) = evses
            self.voice.availability.block(evse, True)
            self.later(_EVSE_RESET, lambda: self.voice.availability.block(evse, False))
            return
        self.scheduled.clear()
        self.voice.security.event("ResetOrReboot")
        telling = self._telling = self.voice.telling.told()
        telling.addTimeout(_PATIENCE, self.station.clock)
        telling.addErrback(lambda failure: failure.trap(Impatience) and None)
        telling.addCallbacks(self._restart, lambda failure: failure.trap(CancelledError) and None)

    def _restart(self, result: None) -> None:
        self._telling = None
        self.voice.restart("RemoteReset")

    def powered_off(self) -> None:
        """See `Block`: a reset is none any more."""
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.cancel()

    # -- B09, B10 -----------------------------------------------------------------------------

    @on(*every("SetNetworkProfile"))
    def set_network_profile(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        why = self._objection(request)
        if why is None:
            if self._first is None:  # slot 1 is what it has been started with
                self._first = self.station.charge_point.target
            self._profiles[request.configurationSlot] = request.connectionData
        return self.make(
            "SetNetworkProfileResponse",
            status="Accepted" if why is None else "Rejected",
            statusInfo=None if why is None else self.reason(why),
        )

    def _objection(self, request: Any) -> str | None:
        data = request.connectionData
        profile = given(data, "securityProfile") or 0
        if request.configurationSlot not in _SLOTS:
            return "InvalidValue"
        if profile < self.station.charge_point.target.security_profile:
            return "InvalidValue"
        if data.ocppTransport != "JSON" or self._target(data) is None:
            return "InvalidURL"
        return None

    def _target(self, data: Any) -> Target | None:
        now = self.station.charge_point.target
        password = given(data, "basicAuthPassword")
        try:
            there = Target.at(data.ocppCsmsUrl, given(data, "identity") or now.id)
            secret = now.password if password is None else password.encode()
            return replace(now, url=there.url, password=secret)
        except ConfigurationError:
            return None

    def watch(self, component: str, variable: str) -> None:
        """A new order of profiles counts from the next start on."""
        if (component, variable) == ("OCPPCommCtrlr", "NetworkConfigurationPriority"):
            self._use(self.model.members(component, variable)[0])

    def unreachable(self, failed: int) -> None:
        """It could not connect so often in a row: the next profile is tried (B10.FR.03, FR.07)."""
        most = self.model.integer("OCPPCommCtrlr", "NetworkProfileConnectionAttempts")
        slots = self.model.members("OCPPCommCtrlr", "NetworkConfigurationPriority")
        if failed % most == 0 and len(slots) > 1:
            active = self.model.text("OCPPCommCtrlr", "ActiveNetworkProfile")
            place = slots.index(active) if active in slots else -1
            self._use(slots[(place + 1) % len(slots)])

    def _use(self, slot: str) -> None:
        charge_point, data = self.station.charge_point, self._profiles.get(int(slot))
        if data is not None:
            target = self._target(data)
        else:  # slot 1, as it has been started
            target = self._first and replace(charge_point.target, url=self._first.url)
        if target is not None:
            charge_point.target = target
            self.model.put(slot, "OCPPCommCtrlr", "ActiveNetworkProfile")
