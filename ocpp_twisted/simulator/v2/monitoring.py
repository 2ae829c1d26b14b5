"""Monitors on variables, and the events that they cause (functional block N).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases N02 to N08. Values that change by
themselves are looked at when something happens at an EVSE and when a meter is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.device_model import Key, Variable
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.monitors import CUSTOM, HARD_WIRED, Monitor
from ocpp_twisted.simulator.v2.variables import key_of

__all__ = ["Monitoring"]

_CONTROLLER = "MonitoringCtrlr"
_KINDS = {
    "ThresholdMonitoring": ("UpperThreshold", "LowerThreshold"),
    "DeltaMonitoring": ("Delta",),
    "PeriodicMonitoring": ("Periodic", "PeriodicClockAligned"),
}
_MOST_MONITORS = 200
_MOST_EVENTS = 100
_AT_ONCE = 10


class Monitoring(Block):
    """Watches variables.

    :ivar monitors: by their ids.
    """

    name = "monitoring"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self.monitors: dict[int, Monitor] = {}
        self._events: deque[Any] = deque(maxlen=_MOST_EVENTS)
        self._event_ids = 0
        self._last_id = 0

    def started(self) -> None:
        """See `Block`; faults of connectors are always told of."""
        if not self.monitors:
            for evse in self.voice.evses:
                variable = self.model.find(Key("Connector", "Problem", evse.number, 1))
                assert isinstance(variable, Variable)
                self._add(Monitor(self._new_id(), variable, "Delta", 1, 2, origin=HARD_WIRED))
        for monitor in self.monitors.values():
            self._begin(monitor)

    def online(self) -> None:
        """See `Block`."""
        waiting, self._events = self._events, deque(maxlen=_MOST_EVENTS)
        if waiting:
            self._notify(list(waiting))

    # -- looking ------------------------------------------------------------------------------

    def look(self, variable: Variable | None = None) -> None:
        """See whether a monitor has something to say.

        :param variable: that has changed; None for any that may have.
        """
        for monitor in list(self.monitors.values()):
            if variable is None or monitor.variable is variable:
                for trigger, cleared in monitor.look():
                    self._happened(monitor, trigger, cleared)

    def _begin(self, monitor: Monitor) -> None:
        """Of periodic ones: wait for the first time."""
        seconds = monitor.next_due(self.now())
        if seconds is not None:
            self.voice.timers.later(seconds, lambda: self._due(monitor), monitor)

    def _due(self, monitor: Monitor) -> None:
        self._begin(monitor)
        if not self.voice.streams.takes(monitor):
            self._happened(monitor, "Periodic", None)

    def _happened(self, monitor: Monitor, trigger: str, cleared: bool | None) -> None:
        enabled = self.model.boolean(_CONTROLLER, "Enabled")
        if not enabled or monitor.severity > self.model.integer(
            _CONTROLLER, "ActiveMonitoringLevel"
        ):
            return
        base = self.model.text(_CONTROLLER, "ActiveMonitoringBase")
        if base == "HardWiredOnly" and monitor.origin != HARD_WIRED:
            return
        transaction = self._transaction(monitor.variable)
        if monitor.transaction and transaction is None:
            return
        self._event_ids += 1
        event = self.make(
            "EventDataType",
            eventId=self._event_ids,
            timestamp=self.now(),
            trigger=trigger,
            actualValue=monitor.variable.now,
            cleared=cleared,
            transactionId=transaction,
            component=self.voice.variables.component(monitor.variable.key),
            variable=self.voice.variables.variable(monitor.variable.key),
            eventNotificationType=monitor.origin,
            variableMonitoringId=monitor.id,
            severity=monitor.severity,
        )
        if self.voice.accepted:
            self._notify([event])
        elif monitor.severity <= self.model.integer(_CONTROLLER, "OfflineQueuingSeverity"):
            self._events.append(event)

    def _transaction(self, variable: Variable) -> str | None:
        number = variable.key.evse
        transaction = self.voice.evse(number).transaction if number else None
        return None if transaction is None else transaction.id

    def _notify(self, events: list[Any]) -> None:
        self.call_in_turn(
            self.parts("NotifyEvent", "eventData", events, _AT_ONCE, generatedAt=self.now())
        )

    # -- N04, N06 -----------------------------------------------------------------------------

    @on(*every("SetVariableMonitoring"))
    def set_variable_monitoring(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        results = []
        most = self.model.integer(
            _CONTROLLER, "ItemsPerMessage", variable_instance="SetVariableMonitoring"
        )
        for number, data in enumerate(request.setMonitoringData):
            monitor, status, why = (
                self._set(data) if number < most else (None, "Rejected", "TooManyElements")
            )
            results.append(
                self.make(
                    "SetMonitoringResultType",
                    id=given(data, "id") if monitor is None else monitor.id,
                    status=status,
                    statusInfo=self.reason(why) if why else None,
                    type=data.type,
                    component=data.component,
                    variable=data.variable,
                    severity=data.severity,
                )
            )
        return self.make("SetVariableMonitoringResponse", setMonitoringResult=results)

    def _set(self, data: Any) -> tuple[Monitor | None, str, str | None]:
        found, number = self.model.find(key_of(data.component, data.variable)), given(data, "id")
        if isinstance(found, str):
            return None, found, None
        monitor = Monitor(
            0, found, str(data.type), data.value, data.severity, bool(given(data, "transaction"))
        )
        status, why = monitor.objection()
        if status is not None:
            return None, status, why
        old = None if number is None else self.monitors.get(number)
        if number is not None and (
            old is None or old.origin != CUSTOM or old.variable is not found
        ):
            return None, "Rejected", "NotFound"  # N04.FR.06, FR.10, FR.16
        if any(each.id != number and each.is_like(monitor) for each in self.monitors.values()):
            return None, "Duplicate", None
        if old is None and len(self.monitors) >= _MOST_MONITORS:
            return None, "Rejected", "OutOfStorage"
        monitor.id = self._new_id() if number is None else number
        if old is not None:
            self.voice.timers.cancel(old)
        self._add(monitor)
        self._begin(monitor)
        return monitor, "Accepted", None

    def _add(self, monitor: Monitor) -> None:
        self.monitors[monitor.id] = monitor

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    @after(*every("SetVariableMonitoring"))
    def look_at_new(self, link: Any, request: Any, response: Any) -> None:
        """A threshold may be crossed already (N07.FR.16)."""
        self.look()

    @on(*every("ClearVariableMonitoring"))
    def clear_variable_monitoring(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        results = [
            self.make("ClearMonitoringResultType", id=number, status=self._clear(number))
            for number in request.id
        ]
        return self.make("ClearVariableMonitoringResponse", clearMonitoringResult=results)

    def _clear(self, number: int) -> str:
        monitor = self.monitors.get(number)
        if monitor is None:
            return "NotFound"
        if monitor.origin != CUSTOM:
            return "Rejected"
        self.forget(monitor)
        return "Accepted"

    def forget(self, monitor: Monitor) -> None:
        """Watch no longer."""
        del self.monitors[monitor.id]
        self.voice.timers.cancel(monitor)

    # -- N03, N05 -----------------------------------------------------------------------------

    @on(*every("SetMonitoringBase"))
    def set_monitoring_base(self, link: Any, request: Any) -> Any:
        """See OCPP; nothing but All keeps the custom monitors."""
        base = str(request.monitoringBase)
        if base == "None":  # of 2.0
            base = "HardWiredOnly"
        self.model.put(base, _CONTROLLER, "ActiveMonitoringBase")
        if base != "All":
            for monitor in [each for each in self.monitors.values() if each.origin == CUSTOM]:
                self.forget(monitor)
        return self.make("SetMonitoringBaseResponse", status="Accepted")

    @on(*every("SetMonitoringLevel"))
    def set_monitoring_level(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        good = 0 <= request.severity <= 9
        if good:
            self.model.put(str(request.severity), _CONTROLLER, "ActiveMonitoringLevel")
        return self.make("SetMonitoringLevelResponse", status="Accepted" if good else "Rejected")

    # -- N02 ----------------------------------------------------------------------------------

    @on(*every("GetMonitoringReport"))
    def get_monitoring_report(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        status = "Accepted" if list(self._wanted(request)) else "EmptyResultSet"
        return self.make("GetMonitoringReportResponse", status=status)

    @after(*every("GetMonitoringReport"))
    def notify_monitoring_report(self, link: Any, request: Any, response: Any) -> None:
        """What was asked for, in parts."""
        if response.status != "Accepted":
            return
        by_variable: dict[Key, list[Monitor]] = {}
        for monitor in self._wanted(request):
            by_variable.setdefault(monitor.variable.key, []).append(monitor)
        entries = [
            self.make(
                "MonitoringDataType",
                component=self.voice.variables.component(key),
                variable=self.voice.variables.variable(key),
                variableMonitoring=[self._described(each) for each in monitors],
            )
            for key, monitors in by_variable.items()
        ]
        self.call_in_turn(
            self.parts(
                "NotifyMonitoringReport",
                "monitor",
                entries,
                _AT_ONCE,
                requestId=given(request, "requestId"),
                generatedAt=self.now(),
            )
        )

    def _described(self, monitor: Monitor) -> Any:
        return self.make(
            "VariableMonitoringType",
            id=monitor.id,
            transaction=monitor.transaction,
            value=monitor.value,
            type=monitor.type,
            severity=monitor.severity,
            eventNotificationType=monitor.origin,
        )

    def _wanted(self, request: Any) -> Iterator[Monitor]:
        criteria = given(request, "monitoringCriteria")
        asked = given(request, "componentVariable")
        kinds = [kind for criterion in criteria or _KINDS for kind in _KINDS[criterion]]
        variables = None if asked is None else self.voice.variables.named(asked)
        for monitor in self.monitors.values():
            meant = variables is None or any(each is monitor.variable for each in variables)
            if meant and monitor.type in kinds:
                yield monitor
