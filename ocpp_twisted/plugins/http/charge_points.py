"""Operations: who is connected and who is known, their last messages, the end of a connection.

Imports the interfaces, the records and its neighbours.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from ocpp_twisted.errors import NotConnected, RecordsUnavailable
from ocpp_twisted.hub import MessageNotice
from ocpp_twisted.identity import Identity, unusable
from ocpp_twisted.interfaces import ConnectedChargePoint, IActiveCaller, RepairCount
from ocpp_twisted.plugins.http.listing import PageQuery, RecordKeeping
from ocpp_twisted.plugins.http.operations import JSON, Asked, NameQuery, operation
from ocpp_twisted.plugins.http.passwords import door_records
from ocpp_twisted.plugins.http.problems import Problem
from ocpp_twisted.records import Admission, ChargePoint, IRecords, Page
from ocpp_twisted.security.handshake import SecurityProfile

__all__ = ["ChargePointState", "ChargePoints"]


class ChargePointState(ChargePoint, frozen=True, kw_only=True):
    """A charge point: what is recorded of it, if anything is, and its connection.

    :ivar connectedSeconds: how long it has been connected; None if it is not.
    :ivar repairs: what it does wrong and was let through; absent in lists, and if it is not
        connected.
    """

    connected: bool
    connectedSeconds: float | None = None
    repairs: Sequence[RepairCount] | UnsetType = UNSET


class ChargePointsQuery(PageQuery, frozen=True, kw_only=True):
    """Which charge points.

    :ivar connected: only those that are connected, or only those that are not.
    """

    connected: bool | None = None


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator enters of a charge point.

    :ivar admission: the answer to its next BootNotification; Rejected counts at once.
    :ivar securityProfile: with which it may come in at least, though it has used a higher one; as
        it was, if left out.
    :ivar serialNumber: of which its client certificate is, if the rule for certificates asks for
        that; what it tells itself, if none is entered.
    """

    admission: Admission = "Accepted"
    securityProfile: Annotated[int, Meta(ge=0, le=3)] | UnsetType = UNSET
    serialNumber: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET


class ChargePoints(RecordKeeping):
    """The charge points.

    :param messages: the last messages of a charge point.
    """

    def __init__(
        self,
        caller: IActiveCaller,
        records: IRecords | None,
        messages: Callable[[Identity], Sequence[MessageNotice]],
    ) -> None:
        super().__init__(records)
        self._caller = caller
        self._messages = messages

    async def known(self, identity: Identity) -> bool:
        """Whether a charge point is connected, recorded, or has been here not long ago.

        If the records cannot be reached, it may have been.
        """
        if self._messages(identity) or await self._connections(identity):
            return True
        try:
            return self._kept is not None and bool(await self._kept.get_charge_point(identity))
        except RecordsUnavailable:
            return True

    @operation(
        "GET",
        "/api/v1/charge-points",
        "The charge points that are known, or those that are connected.",
        query=ChargePointsQuery,
        answer=Page[ChargePointState],
    )
    async def show_all(self, asked: Asked) -> Page[ChargePointState]:
        """Without records, those that are connected are all that are known."""
        query, connections = asked.query, await self._connections()
        if query.connected or (self._kept is None and query.connected is None):
            chosen, following = _part(sorted(connections, key=_order), query)
            items = [await self._state(identity, connections) for identity in chosen]
            return Page(items=tuple(items), next=following)
        if self._kept is None:
            return Page(items=())
        page = await self.page(self._kept.list_charge_points(query.after, query.limit))
        states = [_state(record, connections) for record in page.items]
        wanted = [state for state in states if query.connected is None or not state.connected]
        return Page(items=tuple(wanted), next=page.next)

    @operation(
        "GET",
        "/api/v1/charge-points/{id}",
        "One charge point.",
        query=NameQuery,
        answer=ChargePointState,
        problems=("unknown-charge-point",),
    )
    async def show(self, asked: Asked) -> ChargePointState:
        """With its connectors, if they are recorded."""
        identity = asked.identity
        if not await self.known(identity):
            raise _unknown(identity)
        connections = await self._connections(identity)
        state = await self._state(identity, connections)
        connection = connections.get(identity)
        return state if connection is None else replace(state, repairs=connection.repairs)

    @operation(
        "PUT",
        "/api/v1/charge-points/{id}",
        "Enter a charge point, or change what was entered of it.",
        query=NameQuery,
        body={JSON: Entry},
        answer=ChargePointState,
        problems=("no-records",),
    )
    async def enter(self, asked: Asked) -> ChargePointState:
        """See `IRecords.put_charge_point` for when it counts."""
        for place, text in (("id", asked.identity.id), ("name", asked.identity.name)):
            if (why := unusable(text)) is not None:
                raise Problem("invalid-request", f"the {place} {why}", path=place)
        entry: Entry = asked.body
        if entry.securityProfile is not UNSET or entry.serialNumber is not UNSET:
            door_records(self._kept)  # if there are none, nothing is entered at all
        record = await self.records.put_charge_point(asked.identity, entry.admission)
        if entry.securityProfile is not UNSET:
            profile = SecurityProfile(entry.securityProfile)
            await door_records(self._kept).allow_profile(asked.identity, profile)
            record = replace(record, securityProfile=entry.securityProfile)
        if entry.serialNumber is not UNSET:
            await door_records(self._kept).set_serial_number(asked.identity, entry.serialNumber)
            record = replace(record, serialNumber=entry.serialNumber)
        return _state(record, await self._connections(asked.identity))

    @operation(
        "DELETE",
        "/api/v1/charge-points/{id}",
        "Forget a charge point; its transactions stay.",
        query=NameQuery,
        problems=("no-records", "unknown-charge-point"),
    )
    async def forget(self, asked: Asked) -> None:
        """Its connection, if it has one, goes on."""
        if not await self.records.delete_charge_point(asked.identity):
            raise _unknown(asked.identity)

    @operation(
        "DELETE",
        "/api/v1/charge-points/{id}/connection",
        "Close a charge point's connection; it may connect again.",
        query=NameQuery,
        problems=("unknown-charge-point", "not-connected"),
    )
    async def disconnect(self, asked: Asked) -> None:
        """With WebSocket's close code 1000."""
        identity = asked.identity
        try:
            await self._caller.disconnect(identity, 1000, "closed by the operator")
        except NotConnected as error:
            if not await self.known(identity):
                raise _unknown(identity) from error
            raise Problem("not-connected", str(error)) from error

    @operation(
        "GET",
        "/api/v1/charge-points/{id}/messages",
        "The last messages of a charge point, the oldest first, without secrets.",
        query=NameQuery,
        answer=list[MessageNotice],
        problems=("unknown-charge-point",),
    )
    async def messages(self, asked: Asked) -> Sequence[MessageNotice]:
        """Some 50, also of connections that have ended."""
        messages = self._messages(asked.identity)
        if not messages and not await self.known(asked.identity):
            raise _unknown(asked.identity)
        return messages

    async def _connections(
        self, identity: Identity | None = None
    ) -> dict[Identity, ConnectedChargePoint]:
        return {one.identity: one for one in await self._caller.connected(identity)}

    async def _state(
        self, identity: Identity, connections: dict[Identity, ConnectedChargePoint]
    ) -> ChargePointState:
        record = None
        if self._kept is not None:
            record = await self._kept.get_charge_point(identity)
        return _state(record or ChargePoint(id=identity.id, name=identity.name), connections)


def _state(
    record: ChargePoint, connections: dict[Identity, ConnectedChargePoint]
) -> ChargePointState:
    fields = msgspec.structs.asdict(record)
    connection = connections.get(Identity(record.id, record.name))
    if connection is not None:
        fields |= {
            "version": connection.version,
            "peer": connection.peer,
            "connectedSeconds": round(connection.seconds, 3),
        }
    return ChargePointState(**fields, connected=connection is not None)


def _order(identity: Identity) -> tuple[str, str]:
    return identity.name, identity.id


def _part(identities: list[Identity], query: PageQuery) -> tuple[list[Identity], str | None]:
    """A page of a list that is sorted by `_order`, and what follows it."""
    if query.after is not None:
        try:
            after = msgspec.json.decode(base64.urlsafe_b64decode(query.after), type=tuple[str, str])
        except ValueError as error:
            text = "this is not the `next` of a page"
            raise Problem("invalid-request", text, path="after") from error
        identities = [identity for identity in identities if _order(identity) > after]
    chosen = identities[: query.limit]
    if len(chosen) == len(identities):
        return chosen, None
    return chosen, base64.urlsafe_b64encode(msgspec.json.encode(_order(chosen[-1]))).decode()


def _unknown(identity: Identity) -> Problem:
    return Problem("unknown-charge-point", f"{identity} is not connected, and has not been here")
