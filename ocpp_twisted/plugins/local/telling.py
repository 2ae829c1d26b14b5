"""What has been kept is told to whoever listens: how connectors are, how transactions go on.

Imports the hub, the records and its neighbours. Told after the commit, so that nobody hears of
what may still be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Literal

from twisted.internet.defer import Deferred

from ocpp_twisted.errors import RecordsUnavailable
from ocpp_twisted.hub import Hub, StatusNotice, TransactionNotice
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store import transactions
from ocpp_twisted.plugins.local.store.writer import Runner
from ocpp_twisted.records import Connector, Transaction

__all__ = ["Telling"]

_Happening = Literal["started", "updated", "ended"]


class Telling:
    """Publishes notices.

    :ivar hub: where; None if there is nobody to tell.
    :ivar now: the time, with its zone.
    """

    hub: Hub | None = None
    now: Callable[[], datetime]

    @property
    def store(self) -> Runner:
        """Where jobs run."""
        raise NotImplementedError

    def tell_connectors(self, identity: Identity, connectors: Iterable[Connector]) -> None:
        """The connectors of a charge point are so."""
        if self.hub is None or not self.hub.wants(StatusNotice, identity):
            return
        for connector in connectors:
            self.hub.publish(
                StatusNotice(
                    time=self._time(),
                    chargePoint=identity.id,
                    name=identity.name,
                    connector=connector,
                )
            )

    def tell_transaction(
        self, identity: Identity, event: _Happening, transaction_id: int | str
    ) -> None:
        """Something has happened in a transaction; it is read only if somebody listens."""
        if self.hub is None or not self.hub.wants(TransactionNotice, identity):
            return

        def tell(transaction: Transaction | None) -> None:
            if transaction is not None:
                self.tell_of(transaction, event)

        found: Deferred[Transaction | None]
        found = self.store.run(transactions.find, identity, transaction_id)
        found.addCallback(tell).addErrback(lambda failure: failure.trap(RecordsUnavailable))

    def tell_of(self, transaction: Transaction, event: _Happening) -> None:
        """Something has happened in this transaction."""
        if self.hub is not None:
            self.hub.publish(
                TransactionNotice(
                    time=self._time(),
                    chargePoint=transaction.chargePoint,
                    name=transaction.name,
                    event=event,
                    transaction=transaction,
                )
            )

    def _time(self) -> str:
        moment = self.now().astimezone(UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
