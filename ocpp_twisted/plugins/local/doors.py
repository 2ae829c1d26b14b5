"""What the door has to know, from the records: `ocpp_twisted.security.records.IDoorRecords`.

Imports the store and the security's records.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store import doors
from ocpp_twisted.plugins.local.store.writer import Runner
from ocpp_twisted.security.records import DoorRecord, DoorRecords

__all__ = ["Doors"]


class Doors(DoorRecords):
    """Reads and changes what is kept of passwords and security profiles."""

    @property
    def store(self) -> Runner:
        """Where jobs run."""
        raise NotImplementedError

    def read_door(self, identity: Identity) -> Deferred[DoorRecord]:
        """See `DoorRecords.read_door`."""
        return self.store.run(doors.read, identity)

    def change_door(
        self, identity: Identity, change: Callable[[DoorRecord], DoorRecord]
    ) -> Deferred[None]:
        """See `DoorRecords.change_door`."""
        return self.store.run(doors.change, identity, change)
