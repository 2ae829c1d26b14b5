"""What gateways remember of charge points, in a bucket of NATS; see `ocpp_twisted.sharing`.

Imports the identity and its neighbours.
"""

from __future__ import annotations

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.nats.keyvalue import Bucket
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.subjects import Subjects, charge_point_key

__all__ = ["SharedMemory"]


class SharedMemory:
    """The bucket, with the key of each charge point."""

    def __init__(self, link: Link, subjects: Subjects, replicas: int) -> None:
        self._bucket = Bucket(link, subjects.bucket("remembered"), replicas=replicas)

    async def recall(self, identity: Identity) -> tuple[bytes, int] | None:
        """See `ocpp_twisted.interfaces.ISharedMemory.recall`."""
        entry = await self._bucket.get(charge_point_key(identity))
        return None if entry is None or entry.value is None else (entry.value, entry.revision)

    async def keep(self, identity: Identity, text: bytes, last: int | None) -> int:
        """See `ocpp_twisted.interfaces.ISharedMemory.keep`."""
        return await self._bucket.put(charge_point_key(identity), text, last)
