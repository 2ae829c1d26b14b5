"""Operations: the passwords with which charge points come in.

Imports the security's records and rotation, and its neighbours. No password is ever told here,
nor whether one that is entered is a good one.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocpp_twisted.errors import CallErrorReceived, CallFailed, InvalidResponse, LocalProtocolError
from ocpp_twisted.identity import unusable
from ocpp_twisted.interfaces import IActiveCaller
from ocpp_twisted.plugins.http.calls import call_problem
from ocpp_twisted.plugins.http.operations import JSON, Asked, NameQuery, operation
from ocpp_twisted.plugins.http.problems import Problem
from ocpp_twisted.records import IRecords
from ocpp_twisted.security.handshake import Refused
from ocpp_twisted.security.records import IDoorRecords
from ocpp_twisted.security.rotation import rotate

__all__ = ["NewPassword", "Passwords", "Rotated", "door_records"]

_log = Logger()
_T = TypeVar("_T")


class NewPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A charge point's password: one of these.

    :ivar password: as text; in the header it is UTF-8.
    :ivar hex: the bytes, each as two hexadecimal digits: an AuthorizationKey of 1.6.
    """

    password: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    hex: Annotated[str, Meta(pattern="^(?:[0-9A-Fa-f]{2}){1,128}$")] | UnsetType = UNSET

    @property
    def bytes(self) -> bytes:
        """It.

        :raises Problem: if there is none, or two.
        """
        if self.password is not UNSET and self.hex is UNSET:
            return self.password.encode()
        if self.hex is not UNSET and self.password is UNSET:
            return bytes.fromhex(self.hex)
        raise Problem("invalid-request", "give `password`, or `hex`", path="$")


class Rotated(Struct, frozen=True, kw_only=True):
    """What a charge point has answered to its new password.

    :ivar status: ``Accepted``: it is the only one now; ``RebootRequired``: the old one is good,
        too, until it is used; ``CALLERROR``, ``Rejected`` and others: the old one stays.
    """

    status: str


def door_records(records: IRecords | None) -> IDoorRecords:
    """The same records as the door sees them.

    :raises Problem: if there are none.
    """
    if not IDoorRecords.providedBy(records):
        text = "no action plug-in of this server keeps passwords; add --action-plugin local"
        raise Problem("no-records", text)
    return records


class Passwords:
    """The passwords.

    :param records: None if the server keeps none; each operation is a `Problem` then.
    """

    def __init__(self, caller: IActiveCaller, records: IRecords | None) -> None:
        self._caller = caller
        self._records = records

    @operation(
        "PUT",
        "/api/v1/charge-points/{id}/password",
        "Enter a charge point's password; no other is good from then on.",
        query=NameQuery,
        body={JSON: NewPassword},
        problems=("no-records", "busy"),
    )
    async def enter(self, asked: Asked) -> None:
        """It counts when the charge point connects next. The charge point is not told."""
        records, identity = door_records(self._records), asked.identity
        for place, text in (("id", identity.id), ("name", identity.name)):
            if (why := unusable(text)) is not None:
                raise Problem("invalid-request", f"the {place} {why}", path=place)
        await _in_time(records.set_password(identity, asked.body.bytes))
        _log.info("password entered over HTTP: {charge_point!r}", charge_point=str(identity))

    @operation(
        "DELETE",
        "/api/v1/charge-points/{id}/password",
        "Remove a charge point's password.",
        query=NameQuery,
        problems=("no-records", "unknown-charge-point", "busy"),
    )
    async def remove(self, asked: Asked) -> None:
        """Where a password is needed, it does not come in any more."""
        records, identity = door_records(self._records), asked.identity
        if not (await records.door(identity)).known:
            raise Problem("unknown-charge-point", f"{identity} has not been here")
        await _in_time(records.set_password(identity, None))
        _log.info("password removed over HTTP: {charge_point!r}", charge_point=str(identity))

    @operation(
        "POST",
        "/api/v1/charge-points/{id}/password",
        "Give a charge point a new random password, and wait for its answer.",
        query=NameQuery,
        answer=Rotated,
        problems=(
            "no-records",
            "not-connected",
            "call-not-allowed",
            "queue-full",
            "connection-lost",
            "invalid-response",
            "busy",
            "timed-out",
        ),
    )
    async def rotate(self, asked: Asked) -> Rotated:
        """By ChangeConfiguration (1.6) or SetVariables (2.x).

        If there is no answer, both are good until the charge point uses one of them.
        """
        records = door_records(self._records)
        rotated = rotate(self._caller, records, asked.identity)
        try:
            status = await _in_time(Deferred.fromCoroutine(rotated))
        except CallErrorReceived:  # its text may quote what was sent
            status = "CALLERROR"
        except InvalidResponse:  # and so may this
            text = "the charge point's answer cannot be read; it may have taken the password"
            raise Problem("invalid-response", text, sent=True) from None
        except (CallFailed, LocalProtocolError) as error:
            problem, _ = call_problem(error)
            raise problem from None
        _log.info(
            "new password over HTTP: {charge_point!r}: {status}",
            charge_point=str(asked.identity),
            status=status,
        )
        return Rotated(status=status)


async def _in_time(done: Deferred[_T]) -> _T:
    try:
        return await done
    except Refused as refused:
        raise Problem("busy", str(refused), dict(refused.headers)) from None
