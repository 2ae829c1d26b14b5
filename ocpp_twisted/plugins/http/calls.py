"""Operation: send a charge point a command.

Imports the interfaces, the records, the errors, and its neighbours. The payload goes to the wire,
and that of the answer comes from there, as text: nothing here reads either, but to see whether an
id is to be given out (`given`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFailed,
    CallNotAllowed,
    CallTimedOut,
    ConnectionLost,
    InvalidResponse,
    LocalProtocolError,
    NotConnected,
    QueueFull,
    RecordsUnavailable,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActiveCaller
from ocpp_twisted.plugins.http.given import GIVEN, with_id, without_id
from ocpp_twisted.plugins.http.idempotency import Answers, Outcome
from ocpp_twisted.plugins.http.operations import JSON, Asked, NameQuery, Reply, operation
from ocpp_twisted.plugins.http.problems import Problem
from ocpp_twisted.records import IRecords

__all__ = ["Call", "CallError", "CallResult", "Calls", "call_problem"]

_log = Logger()


class Call(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command.

    :ivar action: of the OCPP version that the charge point speaks, for example ``Reset``.
    :ivar payload: of the action's request, as the version's schema has it. It is sent as it is;
        but where records are kept, an id that is left out, and that a central system gives out
        (reservationId, requestId, remoteStartId; the id of a 2.x ReserveNow), is put at its end.
    :ivar timeout: seconds until the call is given up, waiting for its turn included.
    """

    action: Annotated[str, Meta(min_length=1, max_length=100)]
    payload: Raw | UnsetType = UNSET
    timeout: Annotated[float, Meta(gt=0, le=86400)] | None = None

    @property
    def text(self) -> bytes:
        """The payload as JSON text; an empty object if there is none."""
        return b"{}" if self.payload is UNSET else bytes(self.payload)


class CallResult(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="CALLRESULT"):
    """The charge point has answered.

    :ivar payload: of its CALLRESULT, as it came.
    :ivar given: the id that was given out, by its name in the request; absent if none was.
    """

    payload: Raw
    given: dict[str, int] | UnsetType = UNSET


class CallError(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="CALLERROR"):
    """The charge point has refused the call.

    :ivar errorCode: as it spelled it.
    :ivar given: the id that was given out, by its name in the request; absent if none was.
    """

    errorCode: str
    errorDescription: str
    errorDetails: Any
    given: dict[str, int] | UnsetType = UNSET


#: Why a call failed, to the problem of which the client is told, and whether the call was sent, so
#: that the charge point may have acted on it.
_PROBLEMS: Mapping[type, tuple[str, bool]] = {
    CallNotAllowed: ("call-not-allowed", False),
    ConnectionLost: ("connection-lost", True),
    InvalidResponse: ("invalid-response", True),
    NotConnected: ("not-connected", False),
    QueueFull: ("queue-full", False),
}


class Calls:
    """The commands.

    :param records: give out ids; None if there are none.
    :param known: fires with whether a charge point that is not connected has been here.
    :param answers: to requests with an Idempotency-Key.
    """

    def __init__(
        self,
        caller: IActiveCaller,
        records: IRecords | None,
        known: Callable[[Identity], Awaitable[bool]],
        answers: Answers,
    ) -> None:
        self._caller = caller
        self._records = records
        self._known = known
        self._answers = answers
        # What is kept of a payload, which may hold a password, is of no use to anybody else.
        self._key = secrets.token_bytes(32)

    @operation(
        "POST",
        "/api/v1/charge-points/{id}/calls",
        "Send a charge point a command, and wait for its answer.",
        query=NameQuery,
        body={JSON: Call},
        answer=CallResult | CallError,
        problems=(
            "unknown-charge-point",
            "not-connected",
            "call-not-allowed",
            "key-reused",
            "queue-full",
            "connection-lost",
            "invalid-response",
            "busy",
            "records-unavailable",
            "timed-out",
        ),
        headers={
            "Idempotency-Key": "A text of the client's own, the same for each retry of a request."
        },
    )
    async def call(self, asked: Asked) -> Reply:
        """One CALL, for one answer."""
        key = asked.request.getHeader("idempotency-key")
        if key is None:
            outcome = await self._outcome(asked.identity, asked.body)
        else:
            body = asked.body
            head = msgspec.json.encode((*asked.identity, body.action, body.timeout))
            fingerprint = hashlib.blake2b(head + body.text, key=self._key).digest()
            outcome = await self._answers.once(
                key,
                fingerprint,
                lambda: Deferred.fromCoroutine(self._outcome(asked.identity, body)),
            )
        if isinstance(outcome.answer, Problem):
            raise outcome.answer
        return Reply(body=outcome.answer)

    async def _outcome(self, identity: Identity, call: Call) -> Outcome:
        outcome, told = await self._performed(identity, call)
        _log.info(
            "call over HTTP: {charge_point!r} {action!r}: {told}",
            charge_point=str(identity),
            action=call.action,
            told=told,
        )
        return outcome

    async def _performed(self, identity: Identity, call: Call) -> tuple[Outcome, str]:
        """The outcome, and a word for the log."""
        answer: CallResult | CallError
        given: dict[str, int] | UnsetType = UNSET
        try:
            text, given = await self._complete(identity, call)
            payload = await self._caller.call_json(identity, call.action, text, call.timeout)
            answer = CallResult(payload=Raw(payload), given=given)
            return Outcome(msgspec.json.encode(answer), True), "CALLRESULT"
        except CallErrorReceived as error:
            answer = CallError(
                errorCode=error.code,
                errorDescription=error.description,
                errorDetails=error.details,
                given=given,
            )
            return Outcome(msgspec.json.encode(answer), True), "CALLERROR"
        except (CallFailed, LocalProtocolError) as error:
            problem, effect = await self._problem(identity, error)
        except RecordsUnavailable as error:
            why = f"no id can be given out: {error}"
            problem, effect = Problem("records-unavailable", why, sent=False), False
        except CancelledError:
            raise  # the client has gone: what was not sent yet is not sent any more
        except Exception:
            _log.failure("call over HTTP failed: {charge_point!r}", charge_point=str(identity))
            why = "the call has failed in the server, and may have been sent"
            problem, effect = Problem("internal-error", why), True
        if effect and given is not UNSET:
            problem.more["given"] = given
        return Outcome(problem, effect), problem.kind

    async def _complete(
        self, identity: Identity, call: Call
    ) -> tuple[bytes, dict[str, int] | UnsetType]:
        """The payload, with an id if it needs one; and that id."""
        if self._records is None or all(call.action not in known for known in GIVEN.values()):
            return call.text, UNSET
        for connection in await self._caller.connected(identity):
            path = GIVEN.get(connection.version, {}).get(call.action)
            if path is not None and without_id(call.text, path):
                number = await self._records.new_id()
                return with_id(call.text, path, number), {path[-1]: number}
        return call.text, UNSET

    async def _problem(
        self, identity: Identity, error: CallFailed | LocalProtocolError
    ) -> tuple[Problem, bool]:
        """The problem, and whether the call was sent."""
        if isinstance(error, NotConnected) and not await self._known(identity):
            text = f"{identity} has never been here; see GET /api/v1/charge-points"
            return Problem("unknown-charge-point", text), False
        return call_problem(error)


def call_problem(error: CallFailed | LocalProtocolError) -> tuple[Problem, bool]:
    """The problem that a call without an answer is, and whether it was sent."""
    text = str(error)
    if isinstance(error, LocalProtocolError):
        place, _, wrong = text.partition(": ")
        if not place.startswith("$"):
            return Problem("invalid-request", text, path="$.action"), False
        return Problem("invalid-request", wrong, path=f"$.payload{place[1:]}"), False
    if isinstance(error, CallTimedOut):
        return Problem("timed-out", text, sent=error.sent), error.sent
    kind, sent = next(_PROBLEMS[kind] for kind in type(error).__mro__ if kind in _PROBLEMS)
    return Problem(kind, text, sent=sent), sent
