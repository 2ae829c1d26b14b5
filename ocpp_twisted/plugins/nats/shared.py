"""What gateways remember of charge points, in a bucket of NATS; see `ocpp_twisted.sharing`.

Imports the identity and its neighbours.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.nats.asking import Ask, headers_to
from ocpp_twisted.plugins.nats.errors import LinkError
from ocpp_twisted.plugins.nats.keyvalue import Bucket, Entry
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.protocol import block
from ocpp_twisted.plugins.nats.subjects import Subjects, charge_point_key

__all__ = ["SharedMemory"]

#: Seconds that the gateway before has.
_SETTLE_SECONDS = 1.0
_SHARE = block(headers_to(Ask.SHARE))


class SharedMemory:
    """The bucket, with the key of each charge point."""

    def __init__(self, link: Link, subjects: Subjects, replicas: int) -> None:
        self._link = link
        self._subjects = subjects
        self._bucket = Bucket(link, subjects.bucket("remembered"), replicas=replicas)

    def settle(self, identity: Identity) -> Deferred[None]:
        """See `ocpp_twisted.interfaces.ISharedMemory.settle`: who holds it listens to its calls."""
        asked: Deferred[Any] = self._link.request(
            self._subjects.call(identity), b"", _SHARE, timeout=_SETTLE_SECONDS
        )
        return asked.addCallbacks(lambda _: None, lambda failure: failure.trap(LinkError) and None)

    def recall(self, identity: Identity) -> Deferred[tuple[bytes, int] | None]:
        """See `ocpp_twisted.interfaces.ISharedMemory.recall`."""
        found: Deferred[Any] = self._bucket.get(charge_point_key(identity))
        return found.addCallback(_text)

    def keep(self, identity: Identity, text: bytes, last: int | None) -> Deferred[int]:
        """See `ocpp_twisted.interfaces.ISharedMemory.keep`."""
        return self._bucket.put(charge_point_key(identity), text, last)


def _text(entry: Entry | None) -> tuple[bytes, int] | None:
    return None if entry is None or entry.value is None else (entry.value, entry.revision)
