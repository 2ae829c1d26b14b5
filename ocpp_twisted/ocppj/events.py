"""What a session says of a message: who asks, who answers, what ends.

Imports its floor only.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from msgspec import Raw, Struct

from ocpp_twisted.errors import CallErrorReceived, CallFailed
from ocpp_twisted.ocppj.catalogue import Action
from ocpp_twisted.ocppj.leniency import Repair
from ocpp_twisted.ocppj.message import Request, Response, Send

__all__ = [
    "CallAnswered",
    "CallEnded",
    "CallReceived",
    "CallState",
    "Event",
    "OutgoingCall",
    "Rejected",
    "ResultRefused",
    "SendReceived",
]


class CallState(Enum):
    """Where a call of ours stands."""

    QUEUED = "queued"
    WAITING = "waiting"
    ENDED = "ended"


class OutgoingCall:
    """A call of ours on its way.

    :ivar request: what is asked.
    :ivar seconds: how long it has, from the beginning and from when it was sent.
    :ivar deadline: seconds on the caller's clock when it has failed for its caller.
    :ivar turn_ends: seconds on the caller's clock until which no other call is sent; the deadline
        until it is sent.
    :ivar state: see `CallState`.
    :ivar owner: whatever the caller keeps with it.
    :ivar as_json: whether the caller wants JSON text, as the request was.
    """

    __slots__ = (
        "as_json",
        "begun",
        "deadline",
        "frame",
        "message_id",
        "owner",
        "request",
        "seconds",
        "state",
        "turn_ends",
    )

    def __init__(
        self,
        message_id: str,
        request: Request[Any],
        frame: bytes,
        now: float,
        seconds: float,
        owner: Any,
        as_json: bool = False,
    ) -> None:
        self.message_id = message_id
        self.request = request
        self.frame = frame
        self.begun = now
        self.seconds = seconds
        self.deadline = self.turn_ends = now + seconds
        self.owner = owner
        self.as_json = as_json
        self.state = CallState.QUEUED


class CallReceived(Struct, gc=False):
    """The peer calls: answer it with `Session.result` or `Session.error`, once.

    :ivar digest: a number that the same message has again, in any process, and hardly any other.
    :ivar payload: the request's JSON text as it came.
    :ivar repairs: what the schema does not allow and was let through; None if it was all right.
    """

    message_id: str
    action: Action
    request: Request[Any]
    digest: int
    payload: Raw
    repairs: list[Repair] | None = None


class SendReceived(Struct):
    """The peer sends something that it wants no answer to (OCPP 2.1)."""

    action: Action
    message: Send
    repairs: list[Repair] | None = None


class CallAnswered(Struct):
    """A call of ours has its CALLRESULT.

    :ivar payload: the response's JSON text as it came.
    """

    call: OutgoingCall
    response: Response
    payload: Raw
    repairs: list[Repair] | None = None


class CallEnded(Struct):
    """A call of ours has ended without a CALLRESULT.

    :ivar reply: a CALLRESULTERROR to send, if the version has it and the answer was unreadable.
    """

    call: OutgoingCall
    error: CallFailed
    reply: bytes | None = None
    repairs: list[Repair] | None = None


class ResultRefused(Struct):
    """The peer could not read our CALLRESULT (CALLRESULTERROR, OCPP 2.1)."""

    message_id: str
    error: CallErrorReceived


class Rejected(Struct):
    """The peer sent something that goes no further.

    :ivar why: a sentence for the log.
    :ivar reply: the CALLERROR to send; None where the version wants silence.
    :ivar limit: the limit that it has reached, if that is why.
    """

    why: str
    reply: bytes | None = None
    limit: str = ""


Event = CallReceived | SendReceived | CallAnswered | CallEnded | ResultRefused | Rejected
