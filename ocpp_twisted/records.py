"""What is kept of charge points, tags and transactions: the records, and how to get at them.

Imports zope.interface, msgspec, Twisted's names and who a charge point is. An action plug-in that
keeps records provides `IRecords`; ``local`` does. Other plug-ins find it among the action plug-ins
with ``IRecords.providedBy``, and need not know where the records are.

Names are OCPP's where OCPP has one; where 1.6 and 2.x differ, they are 1.6's (``idTag``,
``meterStart``). All times are aware. None is "not told". The records are as they come out as JSON
with `msgspec.json.encode`, and `IdTag` is also read from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ocpp_twisted.identity import Identity

__all__ = [
    "Admission",
    "ChargePoint",
    "ChargingProfile",
    "Connector",
    "Event",
    "Fact",
    "IRecords",
    "IdTag",
    "IdTagStatus",
    "MeterSample",
    "Page",
    "Reservation",
    "Transaction",
]

_Record = TypeVar("_Record")

#: What an operator decides of a charge point: the answer to its BootNotification.
Admission = Literal["Accepted", "Pending", "Rejected"]
#: What an operator decides of a tag. All versions have these.
IdTagStatus = Literal["Accepted", "Blocked", "Expired", "Invalid"]
#: The text of a tag. Not every database keeps a NUL.
Tag = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]


class Page(Struct, Generic[_Record], frozen=True, kw_only=True):
    """Some of the records that were asked for.

    :ivar items: the records, in an order that stays.
    :ivar next: give it as `after` to get those that follow; None if there are none.
    """

    items: tuple[_Record, ...]
    next: str | None = None


class Connector(Struct, frozen=True, kw_only=True):
    """What a charge point last said of a connector.

    :ivar evseId: None in 1.6, which has no EVSEs.
    :ivar connectorId: of the EVSE in 2.x; of the charge point in 1.6, where 0 is itself.
    :ivar status: as the version names it: ``Charging`` (1.6), ``Occupied`` (2.x).
    :ivar timestamp: since when, by the charge point's clock if it told.
    :ivar errorCode: of 1.6, and so the two that follow.
    """

    evseId: int | None
    connectorId: int | None
    status: str
    timestamp: datetime
    errorCode: str | None = None
    info: str | None = None
    vendorErrorCode: str | None = None


class ChargePoint(Struct, frozen=True, kw_only=True):
    """A charge point that was entered, or has been here.

    :ivar id: the last segment of its connection URL.
    :ivar name: what ``{name}`` in the URL template matched; empty if it has none.
    :ivar admission: what the operator has entered; None if it was not entered.
    :ivar registrationStatus: the last answer to its BootNotification.
    :ivar version: of the OCPP that it spoke last.
    :ivar versions: all that it has spoken.
    :ivar peer: where it last connected from.
    :ivar bootReason: of 2.x.
    :ivar boot: its last BootNotification, as on the wire.
    :ivar lastBoot: when that came.
    :ivar lastSeen: when it was last heard, to some minutes.
    :ivar serialNumber: what the operator has entered, else what it told when it booted.
    :ivar connectors: of those that it has spoken of.
    :ivar securityProfile: the highest that it has used, or what an operator has put in its place:
        it does not come in with a lower one.
    :ivar hasPassword: whether one is kept for it.
    """

    id: str
    name: str = ""
    admission: Admission | None = None
    registrationStatus: str | None = None
    version: str | None = None
    versions: tuple[str, ...] = ()
    peer: str | None = None
    vendorName: str | None = None
    model: str | None = None
    serialNumber: str | None = None
    firmwareVersion: str | None = None
    bootReason: str | None = None
    boot: dict[str, Any] | None = None
    lastBoot: datetime | None = None
    lastSeen: datetime | None = None
    connectors: tuple[Connector, ...] = ()
    securityProfile: int = 0
    hasPassword: bool = False


class IdTag(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may charge: an id tag of 1.6, an id token of 2.x.

    :ivar idTag: as entered; capital and small letters are the same. Its format is not judged.
    :ivar expiryDate: from then on it is Expired; may be past.
    :ivar parentIdTag: the parent (1.6) or group (2.x).
    :ivar maxTransactions: how many transactions it may have at a time; more are ConcurrentTx.
    """

    idTag: Tag
    status: IdTagStatus = "Accepted"
    expiryDate: Annotated[datetime, Meta(tz=True)] | None = None
    parentIdTag: Tag | None = None
    maxTransactions: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None


class Transaction(Struct, frozen=True, kw_only=True):
    """A transaction of any version. It is open as long as `stopped` is None.

    :ivar id: ours, unlike that of any other record.
    :ivar transactionId: OCPP's: int in 1.6, str in 2.x; unique for the charge point only.
    :ivar idTag: who began it; a tag that ended it may be another.
    :ivar idTagStatus: what the charge point was told of `idTag`.
    :ivar started: by the charge point's clock; None if we were only told how it went on or ended.
    :ivar stopped: by the charge point's clock.
    :ivar reason: why it ended, in the words of the version.
    :ivar closed: when an operator closed it here, because the charge point did not say that it
        ended; `stopped` is the same then.
    :ivar meterStart: the energy register at the start, Wh.
    :ivar meterStop: the energy register at the end, Wh.
    :ivar chargingState: of 2.x, for example ``SuspendedEV``.
    :ivar complete: of 2.x: whether it has ended and every event of it has come; None in 1.6.
    :ivar totalCost: what it cost, where that is known.
    """

    id: int
    chargePoint: str
    name: str
    version: str
    transactionId: int | str
    evseId: int | None = None
    connectorId: int | None = None
    idTag: str | None = None
    idTagStatus: str | None = None
    stopIdTag: str | None = None
    started: datetime | None = None
    stopped: datetime | None = None
    reason: str | None = None
    closed: datetime | None = None
    meterStart: float | None = None
    meterStop: float | None = None
    chargingState: str | None = None
    reservationId: int | None = None
    remoteStartId: int | None = None
    complete: bool | None = None
    totalCost: float | None = None


class MeterSample(Struct, frozen=True, kw_only=True):
    """One value of a meter. What OCPP has a default for is filled in.

    :ivar value: a number, with the multiplier applied; a str if it is none.
    :ivar unit: as the charge point says; ``Wh`` if it does not and it is energy.
    :ivar signed: the signed value: 2.x's SignedMeterValueType as on the wire; in 1.6 ``True`` says
        that `value` is signed data.
    """

    timestamp: datetime
    value: float | str
    measurand: str
    phase: str | None = None
    location: str
    context: str
    unit: str
    signed: dict[str, Any] | bool | None = None


class Reservation(Struct, frozen=True, kw_only=True):
    """A reservation that a charge point has accepted.

    :ivar evseId: 2.x: None for any EVSE.
    :ivar connectorId: 1.6: 0 for any connector.
    :ivar status: ``Accepted`` as long as it holds; then ``Used``, ``Cancelled``, ``Expired`` or
        ``Removed`` (2.x).
    """

    id: int
    chargePoint: str
    name: str
    reservationId: int
    evseId: int | None = None
    connectorId: int | None = None
    connectorType: str | None = None
    idTag: str
    parentIdTag: str | None = None
    expiryDate: datetime
    status: str


class ChargingProfile(Struct, frozen=True, kw_only=True):
    """A charging profile that a charge point has accepted, or reported.

    :ivar evseId: 2.x's evseId, 1.6's connectorId; 0 is the whole charge point; None if it is not
        told.
    :ivar profile: the ChargingProfile as on the wire.
    :ivar timestamp: when it was accepted or reported.
    """

    id: int
    chargePoint: str
    name: str
    evseId: int | None
    chargingProfileId: int
    stackLevel: int
    chargingProfilePurpose: str
    profile: dict[str, Any]
    timestamp: datetime


class Event(Struct, frozen=True, kw_only=True):
    """Something that a charge point told once.

    :ivar kind: the action: ``SecurityEventNotification``, ``NotifyEvent``, ``NotifyDERAlarm``...
    :ivar timestamp: when, by the charge point's clock if it told.
    :ivar data: the payload as on the wire; of NotifyEvent one element of ``eventData``.
    """

    id: int
    chargePoint: str
    name: str
    kind: str
    timestamp: datetime
    data: dict[str, Any]


class Fact(Struct, frozen=True, kw_only=True):
    """Something that is so at a charge point until it says otherwise.

    :ivar kind: what it is about: ``configuration`` (key: its name), ``variable``, ``monitor``,
        ``certificate``, ``displayMessage``, ``tariff``, ``derControl``, ``localList``,
        ``firmware``, ``diagnostics``, ``log``, ``customerInformation``, ``compositeSchedule``,
        ``chargingLimit``, ``chargingNeeds``...; docs/local.md has them all.
    :ivar key: which of that kind; empty where there is one only.
    :ivar timestamp: when we were told.
    :ivar data: as on the wire.
    """

    chargePoint: str
    name: str
    kind: str
    key: str
    timestamp: datetime
    data: Any


class IRecords(Interface):
    """Reads and changes records. For the reactor thread; nothing here waits.

    Every Deferred fires after what it changed is safe, and fails with
    `ocpp_twisted.errors.RecordsUnavailable` while the records cannot be reached. `limit` is how
    many items a page has, 1 to 1000, and `after` is a `Page.next`; another `after` fails with
    ValueError. A charge point is an id (str) or an `Identity`.
    """

    healthy = Attribute("Whether the records can be reached, as of the last attempt (bool).")

    def list_charge_points(
        after: str | None = None, limit: int = 100
    ) -> Deferred[Page[ChargePoint]]:
        """All that were entered or have been here, by name and id."""

    def get_charge_point(charge_point: str | Identity) -> Deferred[ChargePoint | None]:
        """One of them; None if it was neither entered nor here."""

    def put_charge_point(
        charge_point: str | Identity, admission: Admission = "Accepted"
    ) -> Deferred[ChargePoint]:
        """Enter a charge point, or change what was entered.

        Rejected counts at once: it may send nothing but a BootNotification, and be sent nothing,
        and its connection is closed. So does the end of that; all else from its next boot on.
        """

    def delete_charge_point(charge_point: str | Identity) -> Deferred[bool]:
        """Forget a charge point and its facts; its transactions and events stay.

        :returns: fires with whether it was known.
        """

    def list_id_tags(after: str | None = None, limit: int = 100) -> Deferred[Page[IdTag]]:
        """All tags, in the order of their small letters."""

    def get_id_tag(id_tag: str) -> Deferred[IdTag | None]:
        """A tag, in whatever letters."""

    def put_id_tags(tags: Sequence[IdTag]) -> Deferred[int]:
        """Enter tags, or replace those that are there: all of them or, if that fails, none.

        Fails with ValueError for a tag with a NUL or with half of a surrogate pair.

        :returns: fires with how many of them are new.
        """

    def delete_id_tag(id_tag: str) -> Deferred[bool]:
        """Remove a tag; fires with whether it was there."""

    def list_transactions(
        charge_point: str | Identity | None = None,
        id_tag: str | None = None,
        is_open: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Deferred[Page[Transaction]]:
        """Transactions, the newest record first.

        :param is_open: those that go on (True) or have ended (False); None for both.
        :param since: those that were told to us at this time or later.
        :param until: those that were told to us before this time.
        """

    def get_transaction(id: int) -> Deferred[Transaction | None]:  # noqa: A002
        """A transaction by our own `Transaction.id`."""

    def find_transaction(
        charge_point: str | Identity, transaction_id: int | str
    ) -> Deferred[Transaction | None]:
        """A transaction of a charge point by OCPP's transactionId."""

    def close_transaction(id: int) -> Deferred[Transaction | None]:  # noqa: A002
        """Close a transaction that the charge point has left open; None if there is none.

        One that has ended stays as it is. If the charge point tells of its end after all, that
        counts.
        """

    def meter_values(
        id: int,  # noqa: A002
        after: str | None = None,
        limit: int = 1000,
    ) -> Deferred[Page[MeterSample]]:
        """The meter values of a transaction, those of the start and the end included.

        In the order of their times. `limit` counts points in time: the samples of one stay
        together.
        """

    def list_reservations(
        charge_point: str | Identity | None = None,
        is_active: bool | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Deferred[Page[Reservation]]:
        """Reservations, the newest first.

        :param is_active: those that hold (True) or are over (False); None for both.
        """

    def list_charging_profiles(
        charge_point: str | Identity | None = None, after: str | None = None, limit: int = 100
    ) -> Deferred[Page[ChargingProfile]]:
        """Charging profiles, the newest first."""

    def list_events(
        kind: str | None = None,
        charge_point: str | Identity | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Deferred[Page[Event]]:
        """Events, the newest first; security events are of kind ``SecurityEventNotification``.

        :param since: those that came at this time or later.
        :param until: those that came before this time.
        """

    def list_facts(
        charge_point: str | Identity,
        kind: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Deferred[Page[Fact]]:
        """What is so at a charge point, by kind and key."""

    def new_id() -> Deferred[int]:
        """A number that was not given out before, from 1 to 2**31 - 1.

        For what a command needs and its sender does not care about: ``reservationId``,
        ``remoteStartId``, ``requestId``, ``chargingProfileId``.
        """
