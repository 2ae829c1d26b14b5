"""The transactions of OCPP 1.6: begun and ended, metered meanwhile, and told in their order.

Imports its neighbours, the charge point's side and the messages of 1.6. Source: OCPP 1.6 sections
3.7, 3.16, 4.7, 4.8 and 4.10 with errata 3.14 to 3.18.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.simulator.authorizing16 import Authorizer
from ocpp_twisted.simulator.configuration16 import Configuration
from ocpp_twisted.simulator.metering16 import Meter, register
from ocpp_twisted.simulator.physical import Outlet
from ocpp_twisted.v16 import (
    AuthorizationStatus,
    MeterValue,
    MeterValuesRequest,
    ReadingContext,
    Reason,
    StartTransactionRequest,
    StopTransactionRequest,
    TransactionData,
)

__all__ = ["NO_ID", "Transaction", "Transactions"]

_log = Logger()

#: Of a transaction of which the central system has never told the id (errata 3.18).
NO_ID = -1
#: Readings that are kept for a StopTransaction: one that no central system can take is lost money.
_MOST_READINGS = 100
#: Seconds that a timer may be too early, or is made late.
_A_MOMENT = 0.001


class Transaction:
    """One transaction.

    :ivar id: as the central system calls it; None until it has.
    :ivar parent: the parent id tag of who has started it; empty for none.
    :ivar over: whether it has been stopped.
    :ivar data: readings for StopTransaction.
    :ivar most: what the meter may show at most, once the id tag is invalid; None for anything.
    """

    def __init__(self, outlet: Outlet, tag: str, parent: str, begun: datetime) -> None:
        self.outlet = outlet
        self.tag = tag
        self.parent = parent
        self.begun = begun
        self.id: int | None = None
        self.over = False
        self.data: list[MeterValue] = []
        self.most: float | None = None
        self.sampling: IDelayedCall | None = None
        self.watching: IDelayedCall | None = None


class Transactions:
    """Begins and ends them, and tells the central system.

    :param charge_point: gives the charge point.
    :param invalid: is called when one has to end because its id tag is not accepted.
    :ivar running: those that are not over.
    """

    def __init__(
        self,
        charge_point: Callable[[], Any],
        clock: Any,
        configuration: Configuration,
        authorizer: Authorizer,
        invalid: Callable[[Transaction], None],
    ) -> None:
        self.running: list[Transaction] = []
        self._charge_point = charge_point
        self._clock = clock
        self._configuration = configuration
        self._authorizer = authorizer
        self._invalid = invalid
        self._meters: dict[int, Meter] = {}

    def find(self, number: int) -> Transaction | None:
        """The one of an id that is running."""
        return next((each for each in self.running if each.id == number), None)

    def meter(self, outlet: Outlet) -> Meter:
        """The meter of a connector."""
        return self._meters.setdefault(outlet.number, Meter([outlet]))

    def begin(
        self, outlet: Outlet, tag: str, parent: str, reservation: int | None = None
    ) -> Transaction:
        """Cable and authorization are there. The relay is switched by who calls this."""
        transaction = Transaction(outlet, tag, parent, self._charge_point().now())
        self.running.append(transaction)
        self.meter(outlet).mark(ReadingContext.Sample_Periodic)
        self._keep(transaction, ReadingContext.Transaction_Begin)
        starting: Deferred[Any] = self._charge_point().queue(
            StartTransactionRequest(
                connectorId=outlet.number,
                idTag=tag,
                meterStart=register(outlet),
                timestamp=transaction.begun,
                reservationId=UNSET if reservation is None else reservation,
            )
        )
        starting.addCallbacks(
            self._started,
            self._not_started,
            callbackArgs=(transaction,),
            errbackArgs=(transaction,),
        )
        self._await_sample(transaction)
        return transaction

    def end(self, transaction: Transaction, reason: Reason, tag: str = "") -> Deferred[None]:
        """It is over.

        :param tag: of who has ended it; empty if nobody has.
        :returns: a Deferred that fires when the central system has taken that, or never will.
        """
        transaction.over = True
        self.running.remove(transaction)
        for timer in (transaction.sampling, transaction.watching):
            if timer is not None:
                timer.cancel()
        transaction.sampling = transaction.watching = None
        self._keep(transaction, ReadingContext.Transaction_End)
        now, meter = self._charge_point().now(), register(transaction.outlet)
        data = [
            TransactionData(timestamp=each.timestamp, sampledValue=each.sampledValue)
            for each in transaction.data
        ]

        def make() -> StopTransactionRequest:
            return StopTransactionRequest(
                meterStop=meter,
                timestamp=now,
                transactionId=_id(transaction),
                idTag=tag or UNSET,
                reason=reason,
                transactionData=data or UNSET,
            )

        stopping: Deferred[Any] = self._charge_point().queue(make)
        stopping.addCallbacks(self._stopped, self._not_stopped, callbackArgs=(tag,))
        return stopping

    def watch_energy(self, transaction: Transaction) -> None:
        """End one whose id tag is invalid when it has had its energy (MaxEnergyOnInvalidId)."""
        if transaction.watching is not None:
            transaction.watching.cancel()
            transaction.watching = None
        if transaction.most is None or transaction.over:
            return
        outlet = transaction.outlet
        missing = transaction.most - outlet.energy
        if missing <= 0:
            transaction.most = None
            self._invalid(transaction)
        elif outlet.flow:
            seconds = missing / outlet.flow * 3600 + _A_MOMENT
            transaction.watching = self._clock.callLater(seconds, self._had_energy, transaction)

    def intervals_changed(self) -> None:
        """Another MeterValueSampleInterval counts from now on."""
        for transaction in self.running:
            self._await_sample(transaction)

    def aligned(self, outlets: list[Outlet], now: datetime) -> None:
        """It is time for clock-aligned values (3.16.2)."""
        context = ReadingContext.Sample_Clock
        for outlet in outlets:
            running = next((each for each in self.running if each.outlet is outlet), None)
            wanted = self._configuration.items("MeterValuesAlignedData")
            self._tell(outlet, running, self.meter(outlet).read(wanted, context, now))
            if running is not None:
                wanted = self._configuration.items("StopTxnAlignedData")
                self._add(running, self.meter(outlet).read(wanted, context, now))
            self.meter(outlet).mark(context)

    # -- what the central system says ---------------------------------------------------------

    def _started(self, response: Any, transaction: Transaction) -> None:
        transaction.id = response.transactionId
        info = response.idTagInfo
        self._authorizer.learn(transaction.tag, info)
        if info.status is AuthorizationStatus.Accepted:
            if info.parentIdTag is not UNSET:
                transaction.parent = info.parentIdTag
            return
        if not transaction.over:
            allowed = self._configuration.number("MaxEnergyOnInvalidId")
            transaction.most = transaction.outlet.energy + allowed
            self.watch_energy(transaction)

    def _not_started(self, failure: Failure, transaction: Transaction) -> None:
        _log.warn("a transaction has no id: {error}", error=failure.value)
        transaction.id = NO_ID

    def _stopped(self, response: Any, tag: str) -> None:
        if tag:
            self._authorizer.learn(tag, response.idTagInfo)

    def _not_stopped(self, failure: Failure) -> None:
        """The queue has told it."""

    def _had_energy(self, transaction: Transaction) -> None:
        transaction.watching = None
        self.watch_energy(transaction)

    # -- metering -----------------------------------------------------------------------------

    def _await_sample(self, transaction: Transaction) -> None:
        if transaction.sampling is not None:
            transaction.sampling.cancel()
            transaction.sampling = None
        interval = self._configuration.number("MeterValueSampleInterval")
        if interval:
            since = (self._charge_point().now() - transaction.begun).total_seconds()
            seconds = interval - since % interval
            if seconds <= _A_MOMENT:  # the clock is a little early
                seconds += interval
            transaction.sampling = self._clock.callLater(seconds, self._sample, transaction)

    def _sample(self, transaction: Transaction) -> None:
        transaction.sampling = None
        outlet, now = transaction.outlet, self._charge_point().now()
        wanted = self._configuration.items("MeterValuesSampledData")
        reading = self.meter(outlet).read(wanted, ReadingContext.Sample_Periodic, now)
        self._tell(outlet, transaction, reading)
        self._keep(transaction, ReadingContext.Sample_Periodic)
        self.meter(outlet).mark(ReadingContext.Sample_Periodic)
        self._await_sample(transaction)

    def _tell(
        self, outlet: Outlet, transaction: Transaction | None, reading: MeterValue | None
    ) -> None:
        if reading is None:
            return

        def make() -> MeterValuesRequest:
            return MeterValuesRequest(
                connectorId=outlet.number,
                meterValue=[reading],
                transactionId=UNSET if transaction is None else _id(transaction),
            )

        telling: Deferred[Any] = self._charge_point().queue(make, expendable=True)
        telling.addErrback(lambda failure: None)  # the queue has told it

    def _keep(self, transaction: Transaction, context: ReadingContext) -> None:
        wanted = self._configuration.items("StopTxnSampledData")
        outlet, now = transaction.outlet, self._charge_point().now()
        self._add(transaction, self.meter(outlet).read(wanted, context, now))

    def _add(self, transaction: Transaction, reading: MeterValue | None) -> None:
        if reading is None:
            return
        data = transaction.data
        if len(data) >= _MOST_READINGS:
            # Errata 3.14: those of the begin and the end are the last to be dropped.
            data[1:] = data[2::2]
        data.append(reading)


def _id(transaction: Transaction) -> int:
    return NO_ID if transaction.id is None else transaction.id
