"""State: the transactions of the charge points, whatever the version.

Imports the identity of charge points and its neighbours that hold state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import NamedTuple

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.bounded import Bounded
from ocpp_twisted.plugins.local.connectors import Connector
from ocpp_twisted.plugins.local.readings import Quantity, Reading, Readings

__all__ = ["Event", "Start", "Stop", "Transaction", "Transactions"]

#: OCPP 1.6 gives ``transactionId`` no size; signed 32 bits are what charge points keep it in.
_HIGHEST_ID = 2**31 - 1


class Start(NamedTuple):
    """A transaction begins, as OCPP 1.6 tells it. Two that are equal tell of the same one.

    :ivar meter: the energy register in Wh.
    """

    connector: Connector
    id_token: str
    at: datetime
    meter: int


class Stop(NamedTuple):
    """A transaction has ended, as OCPP 1.6 tells it.

    :ivar meter: the energy register in Wh.
    :ivar reason: as OCPP 1.6 names it.
    """

    at: datetime
    meter: int
    reason: str


class Event(NamedTuple):
    """Something has happened in a transaction, as OCPP 2.x tells it.

    :ivar seq_no: its number; a duplicate has the same, a later event a higher one.
    :ivar connector: where, if told; so with all fields that may be None.
    :ivar started: when the transaction began, if this event says that it does.
    :ivar stopped: when it ended, if this event says that it does.
    """

    seq_no: int
    connector: Connector | None
    id_token: str | None
    charging_state: str | None
    started: datetime | None
    stopped: datetime | None
    reason: str | None


@dataclass(slots=True)
class Transaction:
    """What is known of a transaction; None is unknown, or not told by this version.

    :ivar id: int in OCPP 1.6, str in 2.x; one charge point's are different from each other.
    :ivar connector: where it is.
    :ivar id_token: who charges: the tag that began it, not the one that ended it.
    :ivar started: by the charge point's clock.
    :ivar stopped: by the charge point's clock; None as long as it goes on.
    :ivar reason: why it was stopped, in the words of the version.
    :ivar meter_start: 1.6: the energy register in Wh.
    :ivar meter_stop: 1.6: the energy register in Wh.
    :ivar charging_state: 2.x, for example ``SuspendedEV``.
    :ivar readings: the newest reading of each quantity.
    """

    id: int | str
    connector: Connector | None = None
    id_token: str | None = None
    started: datetime | None = None
    stopped: datetime | None = None
    reason: str | None = None
    meter_start: int | None = None
    meter_stop: int | None = None
    charging_state: str | None = None
    readings: Readings = field(default_factory=Readings)
    _told_by: dict[str, int] = field(default_factory=dict, repr=False)

    def take(self, event: Event) -> None:
        """Learn from an event: each fact from the latest event that tells it.

        So events may come again and in any order.
        """
        for fact, value in event._asdict().items():
            if fact == "seq_no" or value is None:
                continue
            if event.seq_no >= self._told_by.get(fact, event.seq_no):
                self._told_by[fact] = event.seq_no
                setattr(self, fact, value)


class _Book:
    """The transactions of one charge point."""

    __slots__ = ("finished", "open")

    def __init__(self, most_open: int, most_finished: int) -> None:
        self.open: Bounded[int | str, Transaction] = Bounded(most_open)
        self.finished: Bounded[int | str, Transaction] = Bounded(most_finished)

    def __iter__(self) -> Iterator[Transaction]:
        yield from self.open.values()
        yield from self.finished.values()

    def get(self, transaction_id: int | str) -> Transaction | None:
        return self.open.get(transaction_id) or self.finished.get(transaction_id)

    def keep(self, transaction: Transaction) -> None:
        """Put it where it belongs now."""
        if transaction.stopped is None:
            self.open[transaction.id] = transaction
        else:
            self.open.pop(transaction.id, None)
            self.finished[transaction.id] = transaction


class Transactions:
    """The transactions of all charge points, in memory.

    Kept are those that go on, the last that have ended, and of each the newest reading of every
    quantity; what is beyond a limit is forgotten, oldest first.

    The ids of OCPP 1.6 transactions count from `first_id`. With the seconds since 1970 for it, a
    process gives out none that an earlier one has given out, as long as there is less than one
    transaction a second on average.

    :param first_id: any number that is not below 1.
    :param charge_points: of how many charge points to know; the one heard longest ago goes.
    :param open_each: how many transactions of each may go on.
    :param finished_each: how many ended ones of each to keep: enough to know a retry.
    """

    def __init__(
        self,
        first_id: int,
        charge_points: int = 100_000,
        open_each: int = 64,
        finished_each: int = 8,
    ) -> None:
        self._numbers = count(first_id - 1)
        self._open_each = open_each
        self._finished_each = finished_each
        self._books: Bounded[Identity, _Book] = Bounded(charge_points)

    def __len__(self) -> int:
        """Of how many charge points transactions are known."""
        return len(self._books)

    def of(self, charge_point: str | Identity) -> Sequence[Transaction]:
        """The transactions of a charge point: those that go on, then the ended ones.

        Each in the order of their last change.
        """
        book = self._books.get(Identity.of(charge_point))
        return () if book is None else tuple(book)

    def get(self, charge_point: str | Identity, transaction_id: int | str) -> Transaction | None:
        """A transaction of a charge point; None if it has none of that id, or no longer."""
        book = self._books.get(Identity.of(charge_point))
        return None if book is None else book.get(transaction_id)

    def start(self, charge_point: Identity, start: Start) -> Transaction:
        """An OCPP 1.6 transaction begins; the one that began already if `start` is repeated."""
        book = self._book(charge_point)
        for known in book:
            if (known.connector, known.id_token, known.started, known.meter_start) == start:
                return known
        transaction = Transaction(
            next(self._numbers) % _HIGHEST_ID + 1,
            connector=start.connector,
            id_token=start.id_token,
            started=start.at,
            meter_start=start.meter,
        )
        book.keep(transaction)
        return transaction

    def stop(self, charge_point: Identity, transaction_id: int, stop: Stop) -> bool:
        """An OCPP 1.6 transaction has ended; what is said of one that had ended is ignored.

        :returns: whether the transaction is known.
        """
        transaction = self.get(charge_point, transaction_id)
        if transaction is None:
            return False
        if transaction.stopped is None:
            transaction.stopped, transaction.meter_stop, transaction.reason = stop
            self._book(charge_point).keep(transaction)
        return True

    def event(self, charge_point: Identity, transaction_id: str, event: Event) -> None:
        """Something has happened in an OCPP 2.x transaction, which may be new to us."""
        book = self._book(charge_point)
        transaction = book.get(transaction_id) or Transaction(transaction_id)
        transaction.take(event)
        book.keep(transaction)

    def measured(
        self,
        charge_point: Identity,
        transaction_id: int | str,
        readings: Iterable[tuple[Quantity, Reading]],
    ) -> bool:
        """A meter was read during a transaction.

        :returns: whether the transaction is known.
        """
        transaction = self.get(charge_point, transaction_id)
        if transaction is None:
            return False
        transaction.readings.add(readings)
        return True

    def _book(self, charge_point: Identity) -> _Book:
        return self._books.renew(charge_point, lambda: _Book(self._open_each, self._finished_each))
