"""What the recorded server knew of tags and charge points, learnt from what it answered.

Imports the quirks, the records and its neighbours. Records are no part of a recording. But who
was answered Accepted was known, so it can be entered before the same is asked again; then a replay
differs where the plug-ins do, and not because its records are empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import UNSET
from twisted.internet.defer import Deferred

from ocpp_twisted.errors import CallFault
from ocpp_twisted.identity import Identity
from ocpp_twisted.ocppj.leniency import Leniency
from ocpp_twisted.ocppj.leniency import maker as maker_of
from ocpp_twisted.quirks import Quirks
from ocpp_twisted.records import Admission, IdTag, IRecords
from ocpp_twisted.replay.events import Event
from ocpp_twisted.versions import CATALOGUES

__all__ = ["Entry", "learn"]


class Entry(NamedTuple):
    """Something that the recorded server knew.

    :ivar id_tag: the tag that it is about; empty if it is about a charge point.
    :ivar put: enters it into records.
    """

    id_tag: str
    put: Callable[[IRecords], Deferred[Any]]


def learn(events: Sequence[Event], quirks: Quirks) -> dict[int, list[Entry]]:
    """What was known when a CALL came, by the place of that event.

    :param quirks: those of the recorded server, which has read the CALLs so.
    """
    known: dict[int, list[Entry]] = defaultdict(list)
    makers: dict[Identity, tuple[str, str, str]] = {}
    admitted: set[Identity] = set()
    for place, call, answer in _answered(events):
        identity = Identity(call.line.charge_point, call.line.name)
        maker = makers.get(identity, ("", "", ""))
        request = _read(call, quirks.leniency(call.line.version, *maker))
        if request is None:
            continue
        status: Any = None if identity in admitted else "Accepted"  # it was not refused
        if request.ACTION == "BootNotification":
            makers[identity] = maker_of(request)
            status = answer.get("status")
        if status in get_args(Admission):
            admitted.add(identity)
            known[place].append(Entry("", partial(_put_charge_point, identity, status)))
        if (tag := _tag(request, answer)) is not None:
            known[place].append(tag)
    return known


def _answered(events: Sequence[Event]) -> Iterator[tuple[int, Event, dict[str, Any]]]:
    """The CALLs of charge points that got a CALLRESULT: place, event, and what they got."""
    calls: dict[tuple[int, str | None], tuple[int, Event]] = {}
    for index, event in enumerate(events):
        line, key = event.line, (event.line.connection, event.id)
        if line.event == "start":
            calls.clear()  # connections are counted anew
        elif line.event == "in" and event.type == 2 and line.version in CATALOGUES:
            calls[key] = index, event
        elif line.event == "out" and event.type == 3 and key in calls:
            values = event.values
            if len(values) > 2 and isinstance(values[2], dict):
                yield *calls.pop(key), values[2]


def _read(call: Event, leniency: Leniency) -> Any:
    """The request in a CALL; None if it cannot be read, or is none that OCPP has."""
    catalogue = CATALOGUES[call.line.version]
    frame = call.frame or []
    try:
        action = catalogue.actions[msgspec.json.decode(frame[2])]
        try:
            return action.read_request(frame[3])
        except (msgspec.MsgspecError, RecursionError):
            return catalogue.mend(action.name, action.request, frame[3], leniency)[0]
    except (msgspec.MsgspecError, CallFault, LookupError, TypeError):
        return None


def _tag(request: Any, answer: dict[str, Any]) -> Entry | None:
    """What an answer tells of the tag that its request names."""
    id_tag = getattr(request, "idTag", None) or getattr(request, "idToken", None)
    info = answer.get("idTagInfo", answer.get("idTokenInfo"))
    if not id_tag or id_tag is UNSET or info is None or "certificateStatus" in answer:
        return None
    if not isinstance(id_tag, str):  # an IdTokenType of 2.x
        id_tag = id_tag.idToken
    status = info.get("status")
    if status == "Unknown":
        return Entry(id_tag, partial(_delete_id_tag, id_tag))
    record = {
        "idTag": id_tag,
        "status": "Accepted" if status == "ConcurrentTx" else status,
        "expiryDate": info.get("expiryDate", info.get("cacheExpiryDateTime")),
        "parentIdTag": info.get("parentIdTag", info.get("groupIdToken", {}).get("idToken")),
        # Whatever its number is, it had as many transactions.
        "maxTransactions": 0 if status == "ConcurrentTx" else None,
    }
    try:
        return Entry(id_tag, partial(_put_id_tag, msgspec.convert(record, IdTag)))
    except msgspec.ValidationError:
        return None  # no status that an operator decides on


def _put_charge_point(identity: Identity, admission: Admission, records: IRecords) -> Deferred[Any]:
    if admission == "Rejected":  # it was unknown: who is entered as rejected does not get to boot
        return records.delete_charge_point(identity)
    return records.put_charge_point(identity, admission)


def _put_id_tag(tag: IdTag, records: IRecords) -> Deferred[Any]:
    return records.put_id_tags([tag])


def _delete_id_tag(id_tag: str, records: IRecords) -> Deferred[Any]:
    return records.delete_id_tag(id_tag)
