"""State: the connectors of the charge points, and what these last said of them.

Imports the identity of charge points and `bounded`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.bounded import Bounded

__all__ = ["Connector", "ConnectorStatus", "Connectors"]


class Connector(NamedTuple):
    """Which connector of a charge point is meant.

    :ivar evse: the EVSE's id; None in OCPP 1.6, which has none.
    :ivar id: the connector's id: of the EVSE in 2.x, of the charge point in 1.6, where 0 is the
        charge point itself; None if a 2.x charge point names the EVSE only.
    """

    evse: int | None
    id: int | None


class ConnectorStatus(NamedTuple):
    """What a charge point said of a connector.

    :ivar status: as the version names it, for example ``Charging`` (1.6), ``Occupied`` (2.x).
    :ivar at: when it became so, by the charge point's clock if it told.
    :ivar error_code: 1.6 only, else empty.
    """

    status: str
    at: datetime
    error_code: str = ""


class Connectors:
    """The last status of every connector, in memory.

    The status that arrived last counts, not the one with the latest time: charge points report
    in order (1.6 section 4.9), and a clock that once was wrong must not freeze a connector.

    :param charge_points: of how many charge points to know; the one heard longest ago goes.
    :param each: of how many connectors of each; the one reported longest ago goes.
    """

    def __init__(self, charge_points: int = 100_000, each: int = 128) -> None:
        self._each = each
        self._known: Bounded[Identity, Bounded[Connector, ConnectorStatus]] = Bounded(charge_points)

    def __len__(self) -> int:
        """Of how many charge points something is known."""
        return len(self._known)

    def of(self, charge_point: str | Identity) -> Mapping[Connector, ConnectorStatus]:
        """The connectors of a charge point that it has spoken of; read-only."""
        return MappingProxyType(self._known.get(Identity.of(charge_point), {}))

    def report(self, charge_point: Identity, connector: Connector, status: ConnectorStatus) -> None:
        """A charge point says how a connector is."""
        self._known.renew(charge_point, lambda: Bounded(self._each))[connector] = status
