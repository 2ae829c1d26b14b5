"""One monitor on a variable. Imports its neighbour `device_model`.

Source: OCPP 2.0.1 part 2, use cases N04, N07 and N08.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ocpp_twisted.simulator.v2.device_model import Variable

__all__ = ["CUSTOM", "HARD_WIRED", "Monitor"]

CUSTOM, HARD_WIRED = "CustomMonitor", "HardWiredMonitor"

_THRESHOLDS = ("UpperThreshold", "LowerThreshold")
_PERIODIC = ("Periodic", "PeriodicClockAligned")
_NUMBERS = ("integer", "decimal")


@dataclass(eq=False)
class Monitor:
    """Watches a variable.

    :ivar type: a MonitorEnumType.
    :ivar value: the threshold, the difference, or the seconds of a period.
    :ivar transaction: whether it watches only while a transaction is going on.
    :ivar origin: an EventNotificationEnumType.
    """

    id: int
    variable: Variable
    type: str
    value: float
    severity: int
    transaction: bool = False
    origin: str = CUSTOM

    def __post_init__(self) -> None:
        self._crossed = False
        self._last = self.variable.now

    def objection(self) -> tuple[str | None, str | None]:
        """Why it cannot be: a status in 2.0's words, and a reason code."""
        variable, number = self.variable, self.variable.type in _NUMBERS
        if not variable.monitored or self.type not in (*_THRESHOLDS, "Delta", *_PERIODIC):
            return "UnsupportedMonitorType", None
        if self.type in _THRESHOLDS and not number:
            return "UnsupportedMonitorType", None
        if not 0 <= self.severity <= 9:
            return "Rejected", "ValueOutOfRange"
        if self.type in _THRESHOLDS:
            low, high = variable.minimum, variable.maximum
            if (low is not None and self.value < low) or (high is not None and self.value > high):
                return "OutOfRange", "ValueOutOfRange"
        elif self.value < 0 or (self.type in _PERIODIC and self.value < 1):
            return "Rejected", "ValuePositiveOnly"
        return None, None

    def is_like(self, other: Monitor) -> bool:
        """Whether there must not be both (N04.FR.07)."""
        return (
            self.variable is other.variable
            and self.type == other.type
            and self.severity == other.severity
        )

    def look(self) -> Iterator[tuple[str, bool | None]]:
        """What it has to say now: the trigger, and whether the matter is over."""
        if self.type in _THRESHOLDS:
            value = float(self.variable.now or 0)
            over = value > self.value if self.type == "UpperThreshold" else value < self.value
            if over != self._crossed:
                self._crossed = over
                yield "Alerting", not over
        elif self.type == "Delta" and self._differs():
            self._last = self.variable.now
            yield "Delta", None

    def _differs(self) -> bool:
        now = self.variable.now
        if self.variable.type not in _NUMBERS:
            return now != self._last
        difference = abs(float(now or 0) - float(self._last or 0))
        return difference > 0 and difference >= self.value

    def next_due(self, now: datetime) -> float | None:
        """Seconds until a periodic one speaks again; None for others."""
        if self.type not in _PERIODIC:
            return None
        if self.type == "Periodic":
            return self.value
        since = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
        return self.value - since.total_seconds() % self.value
