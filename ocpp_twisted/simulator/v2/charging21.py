"""What 2.1 adds to charging: priority, and schedules that change (functional block K).

Imports its neighbours. Source: OCPP 2.1 part 2, use cases K21, K22 (priority charging) and K28, K29
(dynamic charging profiles).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from msgspec import structs

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.v2.charging import Charging
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.evse import Evse

__all__ = ["Charging21"]

_PRIORITY = "PriorityCharging"
#: Above all that the central system may set.
_ABOVE = 1_000


class Charging21(Charging):
    """Profiles of 2.1."""

    # -- priority -----------------------------------------------------------------------------

    @on(*every("UsePriorityCharging"))
    def use_priority_charging(self, link: Any, request: Any) -> Any:
        """See OCPP, K21."""
        evse = self.voice.telling.evse_of(request.transactionId)
        if evse is None:
            status = "Rejected"
        elif request.activate and not self._priority(evse):
            status = "NoProfile"
        else:
            status = "Accepted"
            self._prefer(evse, request.activate)
        return self.make("UsePriorityChargingResponse", status=status)

    def prefer(self, evse: Evse, activated: bool) -> None:
        """The driver wants it, or no longer (K22)."""
        transaction = evse.transaction
        if transaction is not None and (not activated or self._priority(evse)):
            self._prefer(evse, activated)
            self.call("NotifyPriorityCharging", transactionId=transaction.id, activated=activated)

    def _priority(self, evse: Evse) -> list[int]:
        return [
            number
            for number, (place, _, wire) in self.wires.items()
            if wire.chargingProfilePurpose == _PRIORITY and place in (0, evse.number)
        ]

    def _prefer(self, evse: Evse, activated: bool) -> None:
        profiles, transaction = self.allotment.profiles, evse.transaction
        if transaction is None:
            return
        for number in self._priority(evse):
            if activated:
                _, _, wire = self.wires[number]
                profile = self._profile(evse.number, wire, transaction.id)
                level = profile.level + _ABOVE
                profiles.set(replace(profile, id=-number, purpose="TxProfile", level=level))
            else:
                profiles.clear(ids=[-number])
        self.allotment.settle()

    # -- schedules that change ----------------------------------------------------------------

    def _install(self, evse: int, wire: Any, source: str, transaction: str | None = None) -> None:
        super()._install(evse, wire, source, transaction)
        interval = given(wire, "dynUpdateInterval")
        if wire.chargingProfileKind == "Dynamic" and interval:
            self.later(interval, lambda: self._pull(wire.id, interval))

    def _pull(self, number: int, interval: int) -> None:
        if number in self.wires:
            asked = self.call("PullDynamicScheduleUpdate", chargingProfileId=number)
            asked.addCallback(self._pulled, number, interval)

    def _pulled(self, response: Any, number: int, interval: int) -> None:
        if response is not None and response.status == "Accepted":
            update = given(response, "scheduleUpdate")
            if update is not None:
                self._update(number, update)
        self.later(interval, lambda: self._pull(number, interval))

    @on(*every("UpdateDynamicSchedule"))
    def update_dynamic_schedule(self, link: Any, request: Any) -> Any:
        """See OCPP, K28."""
        known = self._is_dynamic(request.chargingProfileId)
        return self.make(
            "UpdateDynamicScheduleResponse",
            status="Accepted" if known else "Rejected",
            statusInfo=None if known else self.reason("InvalidProfile"),
        )

    @after(*every("UpdateDynamicSchedule"))
    def schedule_updated(self, link: Any, request: Any, response: Any) -> None:
        """It counts from now on."""
        self._update(request.chargingProfileId, request.scheduleUpdate)

    def _is_dynamic(self, number: int) -> bool:
        known = self.wires.get(number)
        return known is not None and known[2].chargingProfileKind == "Dynamic"

    def _update(self, number: int, update: Any) -> None:
        if not self._is_dynamic(number):
            return
        evse, source, wire = self.wires[number]
        schedule = wire.chargingSchedule[0]
        first, *more = schedule.chargingSchedulePeriod
        names = set(update.__struct_fields__) - {"customData"}
        new = {name: given(update, name) for name in names if given(update, name) is not None}
        period = structs.replace(first, **new)
        changed = structs.replace(schedule, chargingSchedulePeriod=[period, *more])
        wire = structs.replace(wire, chargingSchedule=[changed], dynUpdateTime=self.now())
        old = next((each for each in self.allotment.profiles if each.id == number), None)
        self.allotment.profiles.set(
            self._profile(evse, wire, None if old is None else _text(old.transaction))
        )
        self.wires[number] = evse, source, wire
        self.allotment.settle()


def _text(value: object) -> str | None:
    return None if value is None else str(value)
