"""A new password for a charge point: AuthorizationKey in 1.6, BasicAuthPassword in 2.x.

Imports the messages, the interfaces and its neighbour `records`. Sources: OCPP 1.6 security
whitepaper, A01 and A00.FR.205; OCPP 2.0.1 errata (2023-06) section 2.17.3, 2.1 part 2 appendices
section 3.1.16. The charge point itself ends its connection and comes back with the new password
(A01, scenario); the central system only does not take the old one any more.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from string import ascii_letters, digits
from types import ModuleType
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallNotAllowed,
    CallTimedOut,
    InvalidResponse,
    LocalProtocolError,
    NotConnected,
    QueueFull,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActiveCaller
from ocpp_twisted.ocppj.message import Request
from ocpp_twisted.security.records import IDoorRecords

__all__ = ["heed_answer", "rotate"]

_log = Logger()

#: In small letters, as charge points may spell them.
_KEY = "authorizationkey"
_VARIABLE = ("securityctrlr", "basicauthpassword")
_V2: dict[str, ModuleType] = {"2.0": v20, "2.0.1": v201, "2.1": v21}
#: Of the 16 to 40 characters that 2.x allows; these of all that it allows, for nobody reads them
#: wrong: 190 bits.
_ALPHABET, _LENGTH = ascii_letters + digits, 32
#: 1.6: 20 bytes, told as 40 hexadecimal digits (OCPP-J 1.6 section 6.2.1).
_BYTES = 20


async def rotate(
    caller: IActiveCaller,
    records: IDoorRecords,
    charge_point: str | Identity,
    timeout: float | None = None,
) -> str:
    """Give a charge point a new random password.

    It is kept before it is sent: whether an answer comes or not, the charge point comes in with
    whichever it has. What it answers is heeded by who keeps the records (`heed_answer`).

    :param timeout: seconds for the answer, as `IActiveCaller.call`.
    :returns: the status of the answer: ``Accepted``, ``RebootRequired``, ``Rejected``...
    :raises CallFailed: if there is no answer, or none that says so.
    :raises RecordsUnavailable: if the password cannot be kept; it was not sent then.
    """
    identity = Identity.of(charge_point)
    connected = {one.identity: one.version for one in await caller.connected()}
    if identity not in connected:
        raise NotConnected(f"{identity} is not connected")
    request, password = _new(connected[identity])
    await records.expect_password(identity, password)
    try:
        response: Any = await caller.call(identity, request, timeout)
    except (CallNotAllowed, LocalProtocolError, NotConnected, QueueFull):
        await records.password_refused(identity, password)
        raise
    except CallTimedOut as error:
        if not error.sent:
            await records.password_refused(identity, password)
        raise
    [(_, status)] = _statuses(request, response)
    return status


def heed_answer(
    records: IDoorRecords, charge_point: Identity, request: Request[Any], outcome: object
) -> None:
    """Heed what a charge point has answered, if it was told a password.

    :param outcome: as `IActionPlugin.response_handler` gets it.
    """
    for password, status in _statuses(request, outcome):
        if status == "Accepted":
            change = records.password_accepted(charge_point, password)
        elif status in ("RebootRequired", ""):  # perhaps
            change = records.expect_password(charge_point, password)
        else:
            change = records.password_refused(charge_point, password)
        change.addErrback(_not_kept, charge_point, status or "something unreadable")


def _not_kept(failure: Failure, charge_point: Identity, status: str) -> None:
    # What failed may hold the password: its text does not say more than this.
    _log.error(
        "{charge_point} was told a password and has answered {status}, which cannot be kept "
        "({error}): if it does not come in any more, enter its password again",
        charge_point=charge_point,
        status=status,
        error=type(failure.value).__name__,
    )


def _new(version: str) -> tuple[Request[Any], bytes]:
    """The request that tells a new password, and the password."""
    if version not in _V2:
        key = secrets.token_hex(_BYTES)
        request = v16.ChangeConfigurationRequest(key="AuthorizationKey", value=key)
        return request, bytes.fromhex(key)
    messages = _V2[version]
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    item = messages.SetVariableDataType(
        component=messages.ComponentType(name="SecurityCtrlr"),
        variable=messages.VariableType(name="BasicAuthPassword"),
        attributeValue=text,
    )
    return messages.SetVariablesRequest(setVariableData=[item]), text.encode()


def _statuses(request: Any, outcome: Any) -> Iterator[tuple[bytes, str]]:
    """The passwords that a request tells, and what became of each.

    That is ``Rejected`` for a CALLERROR, and empty if the answer does not say.
    """
    refused = "Rejected" if isinstance(outcome, CallErrorReceived) else ""
    said = not isinstance(outcome, CallErrorReceived | InvalidResponse)
    if request.ACTION == "ChangeConfiguration":
        if request.key.lower() == _KEY:
            yield request.value.encode(), str(outcome.status) if said else refused
    elif request.ACTION == "SetVariables":
        told = [each for each in request.setVariableData if _is_password(each)]
        results = [each for each in outcome.setVariableResult if _is_password(each)] if said else []
        for index, each in enumerate(told):
            status = str(results[index].attributeStatus) if index < len(results) else refused
            yield each.attributeValue.encode(), status


def _is_password(item: Any) -> bool:
    of_itself = str(item.attributeType or "Actual") == "Actual"
    return of_itself and (item.component.name.lower(), item.variable.name.lower()) == _VARIABLE
