"""Transactions, from the first TransactionEvent to the last (functional block E).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases E01 to E15 and C15; part 6 for the
order of messages. Each change is taken in steps: what people do, then the power path, then the
energy. In each step, points that come may start a transaction (TxStartPoint), points that go may
end it (TxStopPoint); otherwise it is told of the change.
"""

from __future__ import annotations

import uuid
from typing import Any

from ocpp_twisted.simulator.physical import Outlet
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import given
from ocpp_twisted.simulator.v2.evse import Evse, Permit, Transaction

__all__ = ["Transactions"]

_CHANGED = "ChargingStateChanged"


class Transactions(Block):
    """What happens at the EVSEs, and when that starts and ends transactions."""

    name = "transactions"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self._busy: set[Evse] = set()
        self._dirty: set[Evse] = set()
        self._plugged: set[Evse] = set()
        #: Where a transaction would have begun before BootNotification was accepted.
        self._too_early: set[Evse] = set()
        self._lost_power_at: float | None = None

    # -- what happens -------------------------------------------------------------------------

    def changed(self, outlet: Outlet) -> None:
        """A cable, the flow, a limit or a fault has changed."""
        evse = self.voice.evse(outlet.number)
        self._dirty.add(evse)
        self._settle(evse)

    def permit(self, evse: Evse, permit: Permit) -> None:
        """Somebody may charge."""
        self._busy.add(evse)
        evse.permit, evse.suspended, evse.stopped_reason = permit, False, None
        self._step(evse, permit.trigger)
        if evse.outlet.vehicle is None:
            self._await_cable(evse)
        self._go_on(evse)

    def withdraw(
        self, evse: Evse, trigger: str, reason: str, token: Any = None, together: bool = False
    ) -> None:
        """He may no longer.

        :param token: that was shown for it.
        :param together: whether the power path opens in the same step.
        """
        self._busy.add(evse)
        self._forget_cable(evse)
        evse.permit, evse.stopped_reason = None, reason
        if together:
            self._open(evse)
        self._step(evse, trigger, token)
        self._go_on(evse)

    def suspend(self, evse: Evse, trigger: str, suspended: bool = True) -> None:
        """Let no power through, or let it again, whoever may charge."""
        self._busy.add(evse)
        evse.suspended = suspended
        if suspended:
            self._open(evse)
            self._step(evse, trigger)
        self._go_on(evse)

    def end(self, evse: Evse, trigger: str, reason: str) -> None:
        """End a transaction, whatever the stop points are; does nothing if there is none."""
        self._busy.add(evse)
        self._forget_cable(evse)
        evse.permit, evse.stopped_reason, evse.suspended = None, reason, False
        self._open(evse)
        evse.points, evse.state = evse.look()
        if evse.transaction is not None:
            self._end(evse, trigger)
        self._go_on(evse)

    def powered_off(self) -> None:
        """See `Block`: relays open; what is to be said is said when there is power again."""
        self._lost_power_at = self.station.clock.seconds()
        for evse in self.voice.evses:
            self._busy.add(evse)
            evse.waits_for_cable = None
            if evse.transaction is None:
                evse.permit = None
            self._open(evse)
            self._busy.discard(evse)

    def started(self) -> None:
        """See `Block`; what has waited for it begins."""
        self._power_is_back()
        early, self._too_early = self._too_early, set()
        for evse in early:
            if evse.transaction is None and evse.points & self._start_points():
                self._begin(evse, "CablePluggedIn")

    def _power_is_back(self) -> None:
        """A transaction that was cut off ends, or goes on (2.1, TxCtrlr.ResumptionTimeout)."""
        if self._lost_power_at is None:
            return
        gone, self._lost_power_at = self.station.clock.seconds() - self._lost_power_at, None
        for evse in self.voice.evses:
            if evse.transaction is None:
                self.changed(evse.outlet)
            elif gone <= self.voice.resumption_timeout:
                evse.points, evse.state = evse.look()
                self.voice.telling.tell(evse, "TxResumed")
                self.changed(evse.outlet)
            else:
                self.end(evse, "AbnormalCondition", "PowerLoss")

    # -- in steps -----------------------------------------------------------------------------

    def _go_on(self, evse: Evse) -> None:
        self._busy.discard(evse)
        self._dirty.add(evse)
        self._settle(evse)
        self.voice.evse_changed(evse)

    def _settle(self, evse: Evse) -> None:
        if evse in self._busy:
            return
        self._busy.add(evse)
        try:
            while evse in self._dirty:
                self._dirty.discard(evse)
                self._cable(evse)
                self._path(evse)
        finally:
            self._busy.discard(evse)

    def _cable(self, evse: Evse) -> None:
        plugged = evse.outlet.vehicle is not None
        if plugged and evse not in self._plugged:
            self._plugged.add(evse)
            self._forget_cable(evse)
            self._step(evse, "CablePluggedIn")
        elif not plugged and evse in self._plugged:
            self._plugged.discard(evse)
            self._unplugged(evse)

    def _unplugged(self, evse: Evse) -> None:
        if self.model.boolean("TxCtrlr", "StopTxOnEVSideDisconnect"):
            evse.permit = None
        if evse.stopped_reason is None:
            evse.stopped_reason = "EVDisconnected"
        self._open(evse)
        evse.suspended = False
        self._step(evse, "EVCommunicationLost")
        evse.stopped_reason = None
        if evse.transaction is not None and evse.permit is not None:
            self._await_cable(evse)

    def _path(self, evse: Evse) -> None:
        if evse.path_allowed and not evse.path:
            evse.path = True
            self._step(evse, _CHANGED, quiet=True)
            if evse.path:  # nothing has ended it meanwhile
                evse.outlet.switch(True)
        elif evse.path and not evse.path_allowed:
            self._open(evse)
        self._step(evse, "AbnormalCondition" if evse.outlet.fault else _CHANGED, changes=True)

    def _open(self, evse: Evse) -> None:
        evse.path = False
        evse.outlet.switch(False)

    def _step(
        self,
        evse: Evse,
        trigger: str,
        token: Any = None,
        quiet: bool = False,
        changes: bool = False,
    ) -> None:
        """Look what holds now, and start, end or tell.

        :param quiet: only start or end.
        :param changes: tell only if the charging state has changed.
        """
        points, state = evse.look()
        was, evse.points = evse.points, points
        before = evse.state
        if not quiet or evse.transaction is None:
            evse.state = state
        self.voice.telling.count_charging(evse)
        transaction = evse.transaction
        if transaction is None:
            if (points - was) & self._start_points():
                self._begin_if_it_may(evse, trigger)
        elif (was - points) & set(self.model.members("TxCtrlr", "TxStopPoint")):
            evse.state = state
            self._end(evse, trigger, token)
        elif not quiet and (not changes or state != before):
            self.voice.telling.tell(evse, trigger, token=token)

    def _start_points(self) -> set[str]:
        return set(self.model.members("TxCtrlr", "TxStartPoint"))

    def _begin_if_it_may(self, evse: Evse, trigger: str) -> None:
        if self.voice.may_charge:
            self._begin(evse, trigger)
        else:
            self._too_early.add(evse)

    # -- waiting for the cable (E03.FR.05, F02) -----------------------------------------------

    def _await_cable(self, evse: Evse) -> None:
        self._forget_cable(evse)
        seconds = self.model.integer("TxCtrlr", "EVConnectionTimeOut")
        if seconds > 0:
            evse.waits_for_cable = self.later(seconds, lambda: self._no_cable(evse))

    def _forget_cable(self, evse: Evse) -> None:
        if evse.waits_for_cable is not None:
            self.voice.timers.stop(evse.waits_for_cable)
            evse.waits_for_cable = None

    def _no_cable(self, evse: Evse) -> None:
        evse.waits_for_cable = None
        self.withdraw(evse, "EVConnectTimeout", "Timeout")

    # -- what is told -------------------------------------------------------------------------

    def _begin(self, evse: Evse, trigger: str) -> None:
        number = uuid.UUID(int=self.station.random.getrandbits(128), version=4)
        transaction = Transaction(str(number), self.now(), evse.outlet.energy)
        evse.transaction = transaction
        self.voice.telling.known[transaction.id] = transaction
        transaction.tariff = given(self.voice.tariffs.of(evse), "tariffId")
        self.voice.telling.count_charging(evse)
        meter_values = self.voice.metering.configured(
            evse, "Transaction.Begin", "SampledDataCtrlr", "TxStartedMeasurands"
        )
        transaction.samples += self.voice.metering.configured(
            evse, "Transaction.Begin", "SampledDataCtrlr", "TxEndedMeasurands"
        )
        self.voice.telling.event(evse, "Started", trigger, None, meter_values)
        self.voice.metering.begin(evse)

    def _end(self, evse: Evse, trigger: str, token: Any = None) -> None:
        transaction = evse.transaction
        assert transaction is not None
        reason = evse.stopped_reason or _reason(evse)
        values = transaction.samples + self.voice.metering.configured(
            evse, "Transaction.End", "SampledDataCtrlr", "TxEndedMeasurands"
        )
        self.voice.telling.event(evse, "Ended", trigger, token, values, reason)
        evse.transaction = evse.permit = evse.stopped_reason = None
        evse.suspended = False
        self._forget_cable(evse)
        self._open(evse)
        evse.points, evse.state = evse.look()
        self.voice.telling.ended(transaction)
        self.voice.transaction_ended(evse, transaction)

    # -- tokens that are no good ----------------------------------------------------------------

    def deauthorize(self, evse: Evse) -> None:
        """The token is no good after all (E05, C10, C12)."""
        if evse.permit is None or evse.suspended:
            return
        if self.model.boolean("TxCtrlr", "StopTxOnInvalidId"):
            allowed = 0
        else:
            allowed = self.model.integer("TxCtrlr", "MaxEnergyOnInvalidId")
        if allowed > 0 and evse.outlet.flow > 0:
            transaction, seconds = evse.transaction, allowed / evse.outlet.flow * 3600
            self.later(seconds, lambda: self._enough(evse, transaction))
        elif self.model.boolean("TxCtrlr", "StopTxOnInvalidId"):
            self.withdraw(evse, "Deauthorized", "DeAuthorized", together=True)
        else:
            self.suspend(evse, _CHANGED)

    def _enough(self, evse: Evse, transaction: Transaction | None) -> None:
        if evse.transaction is transaction and not evse.suspended:
            self.suspend(evse, _CHANGED)


def _reason(evse: Evse) -> str:
    """Why a transaction ends that nobody has ended."""
    if evse.outlet.fault:
        return "Other"
    return "EVDisconnected" if evse.outlet.vehicle is None else "StoppedByEV"
