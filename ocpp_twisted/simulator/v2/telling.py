"""What is told of transactions, and what the central system answers (functional block E).

Imports its neighbours and errors. Source: OCPP 2.0.1 part 2, TransactionEvent and use cases E04,
E12 to E14.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from ocpp_twisted.errors import CallFailed
from ocpp_twisted.plugin import on
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.evse import Evse, Transaction

__all__ = ["Telling"]


class Telling(Block):
    """TransactionEvents.

    :ivar known: the transactions that go on, or of which messages wait to be sent, by their ids.
    """

    name = "telling"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self.known: dict[str, Transaction] = {}
        self._waiting: list[Deferred[None]] = []

    def tell(
        self,
        evse: Evse,
        trigger: str,
        token: Any = None,
        meter_values: list[Any] | None = None,
        **more: Any,
    ) -> None:
        """Send an Updated, of the transaction that goes on."""
        self.event(evse, "Updated", trigger, token, meter_values or [], **more)

    def event(
        self,
        evse: Evse,
        kind: str,
        trigger: str,
        token: Any,
        meter_values: list[Any],
        reason: str | None = None,
        **more: Any,
    ) -> None:
        """Send a TransactionEvent, as soon as that can be done.

        :param kind: Started, Updated or Ended.
        :param token: that was shown; of one that has just been authorized it tells by itself.
        :param reason: the stoppedReason.
        :param more: further fields.
        """
        transaction, permit = evse.transaction, evse.permit
        assert transaction is not None
        reservation = None
        if permit is not None and not permit.told:
            permit.told = True
            token, transaction.token, transaction.group = permit.token, permit.token, permit.group
            self.voice.tariffs.apply(transaction)
            transaction.remote_start_id = permit.remote_start_id
            reservation = permit.reservation
            if permit.trigger == "RemoteStart":
                trigger = permit.trigger
        self.count_charging(evse)
        request = self.make(
            "TransactionEventRequest",
            eventType=kind,
            timestamp=self.now(),
            triggerReason=trigger,
            seqNo=transaction.sequence,
            transactionInfo=self.make(
                "TransactionType",
                transactionId=transaction.id,
                chargingState=evse.state,
                timeSpentCharging=int(transaction.charged_seconds),
                stoppedReason=reason,
                remoteStartId=transaction.remote_start_id,
                tariffId=transaction.tariff,
            ),
            meterValue=meter_values or None,
            numberOfPhasesUsed=evse.outlet.used_phases if evse.outlet.vehicle else None,
            reservationId=reservation,
            evse=self.make("EVSEType", id=evse.number, connectorId=1),
            idToken=token,
            **more,
        )
        transaction.sequence += 1
        transaction.unsent += 1
        queued = self.station.charge_point.queue(request, expendable=kind == "Updated")
        queued.addCallbacks(
            self._answered, lambda failure: failure.trap(CallFailed) and None, (evse, transaction)
        )
        queued.addBoth(self._sent, transaction)

    def _sent(self, _: Any, transaction: Transaction) -> None:
        transaction.unsent -= 1
        self._forget(transaction)
        if not self._unsent():
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)

    def _unsent(self) -> bool:
        return any(transaction.unsent for transaction in self.known.values())

    def told(self) -> Deferred[None]:
        """Fires when the central system has been told all, at once if it has."""
        if not self._unsent():
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def ended(self, transaction: Transaction) -> None:
        """It is known no longer than messages of it wait."""
        transaction.ongoing = False
        self._forget(transaction)

    def _forget(self, transaction: Transaction) -> None:
        if not transaction.ongoing and transaction.unsent == 0:
            self.known.pop(transaction.id, None)

    def count_charging(self, evse: Evse) -> None:
        """Power flows, or flows no longer: a transaction tells how long it did."""
        transaction, now = evse.transaction, self.station.clock.seconds()
        if transaction is None:
            return
        if transaction.charging_since is not None:
            transaction.charged_seconds += now - transaction.charging_since
        transaction.charging_since = now if evse.outlet.flow > 0 else None

    # -- what is answered ---------------------------------------------------------------------

    def _answered(self, response: Any, evse: Evse, transaction: Transaction) -> None:
        cost = given(response, "totalCost")
        if cost is not None:
            transaction.cost = cost
        info = given(response, "idTokenInfo")
        if info is None or transaction.token is None:
            return
        self.voice.authorization.learn(transaction.token, info)
        if info.status != "Accepted" and evse.transaction is transaction:
            self.voice.transactions.deauthorize(evse)

    def evse_of(self, transaction: str) -> Evse | None:
        """Where a transaction is going on; None if it is not."""
        return next(
            (
                each
                for each in self.voice.evses
                if each.transaction is not None and each.transaction.id == transaction
            ),
            None,
        )

    # -- what is asked ------------------------------------------------------------------------

    @on(*every("GetTransactionStatus"))
    def get_transaction_status(self, link: Any, request: Any) -> Any:
        """See OCPP, E14."""
        wanted = given(request, "transactionId")
        if wanted is None:
            waiting = self.station.charge_point.queued > 0
            return self.make("GetTransactionStatusResponse", messagesInQueue=waiting)
        found = self.known.get(wanted)
        return self.make(
            "GetTransactionStatusResponse",
            ongoingIndicator=found is not None and found.ongoing,
            messagesInQueue=found is not None and found.unsent > 0,
        )
