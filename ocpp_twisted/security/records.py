"""What the door has to know of charge points, and who knows it.

Imports zope.interface, Twisted's Deferreds, who a charge point is, and its neighbours. An action
plug-in that keeps such records provides `IDoorRecords`; ``local`` does.

A charge point has a password that is in force, and others that are perhaps, because what became of
the message that told it is not known. Whichever of them it uses next decides: it is in force then,
and those before it are dropped. Those behind it stay: the charge point may take one at its next
start (RebootRequired), or have it in a queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, succeed
from zope.interface import Interface, implementer

from ocpp_twisted.identity import Identity
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.security.passwords import Passwords

__all__ = ["DoorRecord", "DoorRecords", "IDoorRecords", "MemoryDoorRecords"]

_T = TypeVar("_T")

#: How many passwords are perhaps in force: with more unanswered messages the oldest is dropped.
_MOST_PERHAPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorRecord:
    """What is known of a charge point that asks to come in.

    :ivar known: whether there is any record of it.
    :ivar entered: whether an operator has entered it.
    :ivar profile: the highest security profile that it has used, or what an operator has put in
        its place.
    :ivar password: the hash of the one that is in force; empty if none is.
    :ivar perhaps: the hashes of those that may be in force, the newest last.
    :ivar serial_number: what an operator has entered, else what it told when it booted last; None
        if neither is known.
    """

    known: bool = False
    entered: bool = False
    profile: SecurityProfile = SecurityProfile.NONE
    password: str = field(default="", repr=False)
    perhaps: tuple[str, ...] = field(default=(), repr=False)
    serial_number: str | None = None

    @property
    def passwords(self) -> tuple[str, ...]:
        """The hashes of all that are good."""
        return tuple(each for each in (self.password, *self.perhaps) if each)

    def after_use(self, profile: SecurityProfile, password: str) -> DoorRecord:
        """The same after the charge point has come in.

        :param profile: how.
        :param password: the hash of the one that it used; empty if it used none of these.
        """
        used = replace(self, profile=max(profile, self.profile))
        if password not in self.perhaps:
            return used
        later = self.perhaps[self.perhaps.index(password) + 1 :]
        return replace(used, password=password, perhaps=later)

    def expecting(self, password: str) -> DoorRecord:
        """The same with one more password that is perhaps in force."""
        return replace(self, perhaps=(*self.perhaps, password)[-_MOST_PERHAPS:])

    def without(self, password: str) -> DoorRecord:
        """The same after the charge point has refused a password; the one in force stays."""
        perhaps = tuple(each for each in self.perhaps if each != password)
        return replace(self, perhaps=perhaps)


class IDoorRecords(Interface):
    """Keeps `DoorRecord`. For the reactor thread.

    Every Deferred fires after what it changed is safe, and fails with
    `ocpp_twisted.errors.RecordsUnavailable` while the records cannot be reached. A charge point is
    an id (str) or an `Identity`. Passwords are bytes, and kept as hashes; hexadecimal digits are
    the same as the bytes for which they stand (`ocpp_twisted.security.passwords`).

    Who keeps these records also hears what charge points answer to a new password
    (ChangeConfiguration of AuthorizationKey; SetVariables of SecurityCtrlr.BasicAuthPassword),
    whoever has sent it.
    """

    def door(charge_point: str | Identity) -> Deferred[DoorRecord]:
        """What is known of a charge point."""

    def connected_with(
        charge_point: str | Identity, profile: SecurityProfile, password: str
    ) -> Deferred[None]:
        """A charge point has proved who it is; see `DoorRecord.after_use`."""

    def allow_profile(charge_point: str | Identity, profile: SecurityProfile) -> Deferred[None]:
        """An operator says which security profile a charge point has to use at least."""

    def set_serial_number(charge_point: str | Identity, serial_number: str) -> Deferred[None]:
        """An operator says which serial number a charge point has, whatever it tells itself."""

    def set_password(charge_point: str | Identity, password: bytes | None) -> Deferred[None]:
        """An operator says which password is good, and no other; None for none.

        A charge point that nobody has entered is entered with it.
        """

    def expect_password(charge_point: str | Identity, password: bytes) -> Deferred[None]:
        """A charge point is told a password now, or may have taken one: it is good, too."""

    def password_accepted(charge_point: str | Identity, password: bytes) -> Deferred[None]:
        """A charge point has accepted a password: no other is good any more (A01.FR.03)."""

    def password_refused(charge_point: str | Identity, password: bytes) -> Deferred[None]:
        """A charge point has refused a password, or was not told it: the others stay (A01.FR.04).

        The one in force stays as well, even if it is this one.
        """


@implementer(IDoorRecords)
class DoorRecords:
    """How `IDoorRecords` is provided by whoever can read and change a `DoorRecord`.

    What changes a charge point's passwords is done in the order in which it was asked for, though
    hashes take their time: and who comes meanwhile is looked up after that.

    :ivar passwords: makes the hashes.
    """

    passwords: Passwords
    #: Whose passwords are being changed.
    _turns: dict[Identity, DeferredLock]

    def read_door(self, identity: Identity) -> Deferred[DoorRecord]:
        """Fires with what is known of a charge point."""
        raise NotImplementedError

    def change_door(
        self, identity: Identity, change: Callable[[DoorRecord], DoorRecord]
    ) -> Deferred[None]:
        """Change what is known of a charge point, and nobody else changes it meanwhile.

        :param change: makes the new record of that which is there; it may be called twice.
        """
        raise NotImplementedError

    def door(self, charge_point: str | Identity) -> Deferred[DoorRecord]:
        """See `IDoorRecords.door`."""
        identity = Identity.of(charge_point)
        if identity not in self._turns:
            return self.read_door(identity)
        return self._in_turn(identity, lambda: self.read_door(identity))

    def connected_with(
        self, charge_point: str | Identity, profile: SecurityProfile, password: str
    ) -> Deferred[None]:
        """See `IDoorRecords.connected_with`."""
        identity = Identity.of(charge_point)
        return self.change_door(identity, lambda record: record.after_use(profile, password))

    def allow_profile(
        self, charge_point: str | Identity, profile: SecurityProfile
    ) -> Deferred[None]:
        """See `IDoorRecords.allow_profile`."""
        identity = Identity.of(charge_point)
        return self.change_door(identity, lambda record: replace(record, profile=profile))

    def set_serial_number(self, charge_point: str | Identity, serial_number: str) -> Deferred[None]:
        """See `IDoorRecords.set_serial_number`."""
        identity = Identity.of(charge_point)
        return self.change_door(
            identity, lambda record: replace(record, serial_number=serial_number)
        )

    def set_password(self, charge_point: str | Identity, password: bytes | None) -> Deferred[None]:
        """See `IDoorRecords.set_password`."""
        identity = Identity.of(charge_point)

        async def change() -> None:
            new = "" if password is None else await self.passwords.hashed(password)
            await self.change_door(
                identity,
                lambda record: replace(
                    record, password=new, perhaps=(), entered=record.entered or bool(new)
                ),
            )

        return self._in_turn(identity, lambda: Deferred.fromCoroutine(change()))

    def expect_password(self, charge_point: str | Identity, password: bytes) -> Deferred[None]:
        """See `IDoorRecords.expect_password`."""
        identity = Identity.of(charge_point)

        async def change() -> None:
            known = (await self.read_door(identity)).perhaps
            if not (known and await self.passwords.fitting(password, known)):
                new = await self.passwords.hashed(password)
                await self.change_door(identity, lambda record: record.expecting(new))

        return self._in_turn(identity, lambda: Deferred.fromCoroutine(change()))

    def password_accepted(self, charge_point: str | Identity, password: bytes) -> Deferred[None]:
        """See `IDoorRecords.password_accepted`."""
        identity = Identity.of(charge_point)

        async def change() -> None:
            new = await self.passwords.hashed(password)
            await self.change_door(
                identity, lambda record: replace(record, password=new, perhaps=())
            )

        return self._in_turn(identity, lambda: Deferred.fromCoroutine(change()))

    def password_refused(self, charge_point: str | Identity, password: bytes) -> Deferred[None]:
        """See `IDoorRecords.password_refused`."""
        identity = Identity.of(charge_point)

        async def change() -> None:
            known = (await self.read_door(identity)).perhaps
            if known and (found := await self.passwords.fitting(password, known)):
                await self.change_door(identity, lambda record: record.without(found))

        return self._in_turn(identity, lambda: Deferred.fromCoroutine(change()))

    def _in_turn(self, identity: Identity, do: Callable[[], Deferred[_T]]) -> Deferred[_T]:
        lock = self._turns.setdefault(identity, DeferredLock())

        def over(outcome: Any) -> Any:
            if not lock.locked:  # nobody waits
                self._turns.pop(identity, None)
            return outcome

        return lock.run(do).addBoth(over)


class MemoryDoorRecords(DoorRecords):
    """Records that end with the process, for a server whose plug-ins keep none.

    They hold those charge points only that have proved who they are, or were given a password.
    """

    def __init__(self, passwords: Passwords) -> None:
        self.passwords = passwords
        self._turns = {}
        self._records: dict[Identity, DoorRecord] = {}

    def read_door(self, identity: Identity) -> Deferred[DoorRecord]:
        """See `DoorRecords.read_door`."""
        return succeed(self._records.get(identity, DoorRecord()))

    def change_door(
        self, identity: Identity, change: Callable[[DoorRecord], DoorRecord]
    ) -> Deferred[None]:
        """See `DoorRecords.change_door`."""
        record = self._records.get(identity, DoorRecord())
        self._records[identity] = replace(change(record), known=True)
        return succeed(None)
