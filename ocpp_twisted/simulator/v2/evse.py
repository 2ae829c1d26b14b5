"""An EVSE: who may charge there, its transaction, and what of it counts as start or stop point.

Imports its neighbour `physical`. One EVSE has one connector here, and one outlet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from ocpp_twisted.simulator.physical import Outlet

__all__ = ["Evse", "Permit", "Transaction"]


@dataclass(slots=True, eq=False)
class Permit:
    """Somebody may charge.

    :ivar token: the IdTokenType; None if nobody has to show one.
    :ivar group: the groupIdToken's text, folded; empty for none.
    :ivar trigger: what the first message about it is triggered by.
    :ivar told: whether a message has told of it.
    """

    token: Any
    group: str = ""
    trigger: str = "Authorized"
    remote_start_id: int | None = None
    reservation: int | None = None
    told: bool = False


@dataclass(slots=True, eq=False)
class Transaction:
    """A transaction.

    :ivar sequence: the seqNo of its next message.
    :ivar unsent: how many of its messages have no answer yet.
    :ivar remote_start_id: of the RequestStartTransaction that it is due to.
    :ivar samples: what is kept for its last message.
    """

    id: str
    begun: datetime
    energy: float
    token: Any = None
    group: str = ""
    remote_start_id: int | None = None
    sequence: int = 0
    unsent: int = 0
    ongoing: bool = True
    cost: float | None = None
    tariff: str | None = None
    charged_seconds: float = 0.0
    charging_since: float | None = None
    samples: list[Any] = field(default_factory=list)


class Evse:
    """One EVSE.

    :ivar permit: who may charge; None for nobody.
    :ivar suspended: whether the charge point lets no power through, though somebody may charge.
    :ivar path: whether the power path is closed, so that a car gets what it draws.
    :ivar points: the start and stop points (TxStartPoint) that hold.
    :ivar state: its chargingState.
    :ivar stopped_reason: why the transaction ends, if it has been decided.
    """

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.number = outlet.number
        self.permit: Permit | None = None
        self.transaction: Transaction | None = None
        self.suspended = False
        self.path = False
        self.points: frozenset[str] = frozenset()
        self.state = "Idle"
        self.stopped_reason: str | None = None
        self.waits_for_cable: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<Evse {self.number}, {self.state}>"

    @property
    def path_allowed(self) -> bool:
        """Whether the power path is to be closed."""
        free = not self.suspended and not self.outlet.fault
        return free and self.permit is not None and self.outlet.vehicle is not None

    def look(self) -> tuple[frozenset[str], str]:
        """The points that hold now, and the charging state."""
        points = set()
        if self.outlet.vehicle is not None:
            points |= {"EVConnected", "ParkingBayOccupancy"}
        if self.permit is not None:
            points.add("Authorized")
        if self.path:
            points.add("PowerPathClosed")
        if self.outlet.flow > 0:
            points.add("EnergyTransfer")
        return frozenset(points), self._state()

    def _state(self) -> str:
        outlet = self.outlet
        if outlet.vehicle is None:
            return "Idle"
        if self.permit is None and not self.suspended:
            return "EVConnected"
        if outlet.flow > 0:
            return "Charging"
        throttled = not outlet.closed or outlet.limit <= 0 or bool(outlet.fault)
        return "SuspendedEVSE" if throttled else "SuspendedEV"
