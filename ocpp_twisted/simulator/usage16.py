"""Who uses a connector of OCPP 1.6, and when: cables and id tags make transactions, and end them.

Imports its neighbours and the messages of 1.6. Source: OCPP 1.6 sections 3.5.4, 3.10, 3.11, 4.8 to
4.10, 5.2, 5.11 to 5.13 and 5.18, with errata 3.17, 3.20 and 3.21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ocpp_twisted.simulator.allotment import Allotment
from ocpp_twisted.simulator.authorization import Standing
from ocpp_twisted.simulator.authorizing16 import Authorizer, same_tag
from ocpp_twisted.simulator.configuration16 import Configuration
from ocpp_twisted.simulator.connectors16 import EV_SIDE, Claim, Connector
from ocpp_twisted.simulator.physical import Outlet
from ocpp_twisted.simulator.profiles import Profile
from ocpp_twisted.simulator.reservations import Reservation, Reservations
from ocpp_twisted.simulator.transactions16 import Transaction, Transactions
from ocpp_twisted.v16 import ChargePointStatus, Reason

__all__ = ["Usage"]

_log = Logger()


class Usage:
    """What people and the central system do with connectors.

    :param ended: is called when a transaction has ended.
    :ivar closed: whether nobody can begin to charge: it is about to restart, or has not booted.
    """

    def __init__(
        self,
        connectors: Mapping[int, Connector],
        configuration: Configuration,
        authorizer: Authorizer,
        transactions: Transactions,
        reservations: Reservations,
        allotment: Allotment,
        clock: Any,
        ended: Callable[[], None],
    ) -> None:
        self.closed = False
        self._connectors = connectors
        self._configuration = configuration
        self._authorizer = authorizer
        self._transactions = transactions
        self._reservations = reservations
        self._allotment = allotment
        self._clock = clock
        self._ended = ended
        #: Connector to the timer of its status Preparing (ConnectionTimeOut).
        self._preparing: dict[int, IDelayedCall] = {}

    # -- cables -------------------------------------------------------------------------------

    def changed(self, outlet: Outlet) -> None:
        """A cable, the flow or a fault."""
        connector = self._connectors[outlet.number]
        plugged = outlet.vehicle is not None
        if plugged != connector.plugged:
            connector.plugged = plugged
            if plugged:
                self._plugged_in(connector)
            else:
                self._unplugged(connector)
        if connector.transaction is not None:
            self._transactions.watch_energy(connector.transaction)
        self.settle(connector)
        self._allotment.settle()

    def _plugged_in(self, connector: Connector) -> None:
        if connector.transaction is not None:
            connector.info = ""
        elif connector.claim is not None and connector.usable and not self.closed:
            self._begin(connector, connector.claim)

    def _unplugged(self, connector: Connector) -> None:
        flag, transaction = self._configuration.flag, connector.transaction
        if transaction is None:
            connector.finishing = connector.locked_for is not None
        elif not flag("StopTransactionOnEVSideDisconnect"):
            connector.info = EV_SIDE
        else:
            self.end(connector, Reason.EVDisconnected, info=EV_SIDE)
            if flag("UnlockConnectorOnEVSideDisconnect"):
                connector.finishing, connector.info = False, ""
            else:
                connector.locked_for = transaction

    # -- id tags ------------------------------------------------------------------------------

    def presented(self, tag: str, connector: Connector) -> None:
        """Somebody shows his id tag."""
        if connector.transaction is not None:
            self._presented_to_stop(tag, connector, connector.transaction)
        elif connector.locked_for is not None:
            if same_tag(tag, connector.locked_for.tag):
                connector.locked_for, connector.info = None, ""
                connector.finishing = connector.plugged
                self.settle(connector)
        elif connector.claim is not None:
            if same_tag(tag, connector.claim.tag):  # B1: he does not want to charge after all
                connector.claim = None
                self.settle(connector)
        elif connector.usable and not self.closed:
            self.start(tag, connector, authorized=False)
        else:
            _log.info("{tag} cannot charge at connector {n}", tag=tag, n=connector.number)

    def start(
        self, tag: str, connector: Connector, authorized: bool, profile: Profile | None = None
    ) -> None:
        """Somebody wants to charge.

        :param authorized: whether he need not be asked about.
        """
        claim = Claim(tag=tag, profile=profile)
        own = self._reservations.at(connector.number)
        if authorized and (own is None or own.is_for(tag.lower(), None)):
            self._authorized(Standing(status="Accepted"), claim, connector)
        else:
            asking = self._authorizer.authorize(tag)
            asking.addCallback(self._authorized, claim, connector)

    def _authorized(self, standing: Standing, claim: Claim, connector: Connector) -> None:
        if not standing.accepted or not self.may_use(connector, claim.tag, standing.group):
            _log.info("{tag} may not charge: {status}", tag=claim.tag, status=standing.status)
        elif connector.usable and connector.claim is None and not self.closed:
            connector.claim = claim = replace(claim, parent=str(standing.group or ""))
            connector.finishing = False  # F2
            self.settle(connector)
            if connector.plugged:
                self._begin(connector, claim)

    def may_use(self, connector: Connector, tag: str, group: Any) -> bool:
        """Whether reservations leave a connector to somebody (5.13)."""
        own = self._reservations.at(connector.number)
        if own is not None:
            return own.is_for(tag.lower(), group)
        if self._reservations.of(connector.number, tag.lower(), group) is not None:
            return True
        others = [
            each
            for each in self._connectors.values()
            if each is not connector and each.status is ChargePointStatus.Available
        ]
        return len(others) >= self._reservations.for_any()

    def _presented_to_stop(self, tag: str, connector: Connector, transaction: Transaction) -> None:
        if same_tag(tag, transaction.tag):
            self.end(connector, Reason.Local, tag)
        elif transaction.parent:

            def authorized(standing: Standing) -> None:
                same = standing.group == transaction.parent.lower()
                if standing.accepted and same and connector.transaction is transaction:
                    self.end(connector, Reason.Local, tag)

            self._authorizer.authorize(tag).addCallback(authorized)

    # -- transactions -------------------------------------------------------------------------

    def _begin(self, connector: Connector, claim: Claim) -> None:
        parent = claim.parent.lower() or None
        reservation = self._reservations.of(connector.number, claim.tag.lower(), parent)
        if reservation is not None:
            self._reservations.cancel(reservation.id)
        connector.transaction = self._transactions.begin(
            connector.outlet,
            claim.tag,
            claim.parent,
            None if reservation is None else reservation.id,
        )
        connector.claim, connector.info = None, ""
        if claim.profile is not None:
            self._allotment.profiles.set(claim.profile)
        self._allotment.settle()
        connector.outlet.switch(True)  # of which `changed` hears

    def end(
        self, connector: Connector, reason: Reason, tag: str = "", info: str = ""
    ) -> Deferred[None]:
        """End the transaction of a connector, which has one; see `Transactions.end`."""
        transaction = connector.transaction
        assert transaction is not None
        connector.transaction = None
        connector.finishing = connector.plugged or bool(info)
        connector.info = info
        ending = self._transactions.end(transaction, reason, tag)
        self._allotment.profiles.clear(purpose="TxProfile", outlet=connector.number)
        connector.outlet.switch(False)
        self.settle(connector)
        self._allotment.settle()
        self._ended()
        return ending

    def end_all(self, reason: Reason) -> list[Deferred[None]]:
        """End all transactions that there are."""
        running = [each for each in self._connectors.values() if each.transaction is not None]
        return [self.end(connector, reason) for connector in running]

    def invalid(self, transaction: Transaction) -> None:
        """The central system does not accept an id tag, and has given no more energy (3.5.4)."""
        connector = self._connectors[transaction.outlet.number]
        if self._configuration.flag("StopTransactionOnInvalidId"):
            connector.locked_for = transaction
            self.end(connector, Reason.DeAuthorized)
            connector.finishing = True
            self.settle(connector)
        else:
            transaction.outlet.switch(False)

    # -- availability and reservations --------------------------------------------------------

    def reservation_ended(self, reservation: Reservation) -> None:
        """Its time is over, or it has been cancelled."""
        if reservation.outlet:
            self.settle(self._connectors[reservation.outlet])

    def change_availability(self, connectors: Sequence[Connector], operative: bool) -> str:
        """Let connectors be used, or not any more.

        :returns: the wire's word (5.2).
        """
        scheduled = False
        for connector in connectors:
            if operative:
                connector.unavailable = connector.scheduled = False
            elif connector.transaction is not None:
                connector.scheduled = scheduled = True
            else:
                connector.unavailable, connector.claim = True, None
            self.settle(connector)
        return "Scheduled" if scheduled else "Accepted"

    # -- its status ---------------------------------------------------------------------------

    def settle(self, connector: Connector) -> None:
        """Something about a connector has changed."""
        if connector.scheduled and connector.transaction is None and not connector.finishing:
            connector.scheduled, connector.unavailable = False, True  # F8
        if connector.faulted or connector.unavailable:
            reservation = self._reservations.at(connector.number)
            if reservation is not None:
                self._reservations.cancel(reservation.id)
        connector.settle()
        preparing = connector.status is ChargePointStatus.Preparing
        if preparing and connector.number not in self._preparing:
            seconds = self._configuration.number("ConnectionTimeOut")
            if seconds:
                timer = self._clock.callLater(seconds, self._timed_out, connector)
                self._preparing[connector.number] = timer
        elif not preparing:
            self._prepares_no_more(connector.number)

    def restarted(self) -> None:
        """The charge point starts anew."""
        for connector in self._connectors.values():
            self._prepares_no_more(connector.number)
            connector.restarted()
            self.settle(connector)

    def stop(self) -> None:
        """Wait for nothing any more."""
        for number in list(self._preparing):
            self._prepares_no_more(number)

    def _prepares_no_more(self, number: int) -> None:
        timer = self._preparing.pop(number, None)
        if timer is not None:
            timer.cancel()

    def _timed_out(self, connector: Connector) -> None:
        del self._preparing[connector.number]
        connector.claim = None  # B1
        connector.finishing = connector.plugged  # B6
        self.settle(connector)
