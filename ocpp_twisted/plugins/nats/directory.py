"""Which gateways there are, and which one holds which charge point: two buckets that anybody reads.

Imports msgspec, the interfaces and its neighbours. `ownership` writes the one, `nodes` the other.
An owner that is none of the nodes that live is one that died, and could not say so.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from ocpp_twisted.interfaces import ConnectedChargePoint, Node
from ocpp_twisted.plugins.nats.keyvalue import Bucket
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.subjects import Subjects, charge_point_of

__all__ = ["NODE_SECONDS", "Directory", "Owner", "nodes_bucket", "owner_of", "owners_bucket"]

#: How long a node counts as living after it was heard last.
NODE_SECONDS = 15.0


class Owner(Struct, frozen=True):
    """Who holds a charge point; the JSON in the bucket of owners, under the charge point's key.

    :ivar node: the gateway's name.
    :ivar session: one run of that gateway.
    :ivar connection: a number that a run gives to each connection.
    :ivar version: the OCPP version of the connection.
    :ivar peer: where the charge point connects from.
    :ivar since: when it connected, in seconds since 1970 by the gateway's clock.
    """

    node: str
    session: str
    connection: int
    version: str
    peer: str
    since: float


def owner_of(value: bytes | None) -> Owner | None:
    """What an entry says; None if it says nothing that can be read."""
    try:
        return None if value is None else _read_owner(value)
    except msgspec.MsgspecError:
        return None


_read_owner = msgspec.json.Decoder(Owner).decode
_read_node = msgspec.json.Decoder(Node).decode


def owners_bucket(link: Link, subjects: Subjects, replicas: int = 1) -> Bucket:
    """The bucket of `Owner`."""
    return Bucket(link, subjects.bucket("owners"), replicas=replicas, told=subjects.owner)


def nodes_bucket(link: Link, subjects: Subjects, replicas: int = 1) -> Bucket:
    """The bucket of `Node`, as JSON under the token of its name.

    Who is not heard of for `NODE_SECONDS` disappears.
    """
    name = subjects.bucket("nodes")
    return Bucket(link, name, seconds=NODE_SECONDS, replicas=replicas)


class Directory:
    """Reads both buckets."""

    def __init__(self, link: Link, subjects: Subjects) -> None:
        self._owners = owners_bucket(link, subjects)
        self._nodes = nodes_bucket(link, subjects)

    async def all(self) -> Sequence[ConnectedChargePoint]:
        """Who is connected to gateways that live. It reads the whole bucket.

        :raises LinkError: if it cannot be read.
        """
        living = {node.session for node in await self.nodes()}
        now, found = time.time(), []
        for entry in await self._owners.all():
            owner = owner_of(entry.value)
            if owner is not None and owner.session in living:
                one = ConnectedChargePoint(
                    identity=charge_point_of(entry.key),
                    version=owner.version,
                    peer=owner.peer,
                    seconds=max(0.0, now - owner.since),
                )
                found.append(one)
        return found

    async def nodes(self) -> Sequence[Node]:
        """The gateways and workers that live.

        :raises LinkError: if it cannot be read.
        """
        return [_read_node(entry.value or b"") for entry in await self._nodes.all()]
