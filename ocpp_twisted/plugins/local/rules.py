"""The business rules that a user may replace one by one, as interfaces.

Imports zope.interface and the records. `LocalPlugin` has an attribute for each of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import Interface

from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.records import Transaction

__all__ = ["UNDECIDED", "Decision", "IAuthorizer", "ITariff"]


class Decision(NamedTuple):
    """Whether a tag may charge.

    :ivar status: ``Accepted``, ``Blocked``, ``Expired``, ``Invalid``, ``Unknown`` or
        ``ConcurrentTx``; 1.6 is told ``Invalid`` for ``Unknown``.
    :ivar expiry: until when this may be kept by the charge point.
    :ivar parent: the tag's parent (1.6) or group (2.x).
    """

    status: str
    expiry: datetime | None = None
    parent: str | None = None


#: Nobody knows: nothing is told of the tag. Compared by identity.
UNDECIDED = Decision("Unknown")


class IAuthorizer(Interface):
    """Decides who may charge, for example by asking another system."""

    def authorize(
        charge_point: IChargePoint, id_tag: str, request: Any
    ) -> Decision | Deferred[Decision | None] | None:
        """May this tag charge?

        :param request: the AuthorizeRequest, StartTransactionRequest, StopTransactionRequest or
            TransactionEventRequest that names the tag, of any version.
        :returns: a `Decision`, or None to leave it to the records; or a Deferred of either. If it
            fails, the charge point gets a CALLERROR, and will ask again; but the end of a
            transaction is kept and answered without a word of its tag.
        """


class ITariff(Interface):
    """Knows what a transaction costs (2.x: ``totalCost`` of TransactionEventResponse)."""

    def cost(transaction: Transaction) -> float | None:
        """What a transaction costs, so far or in the end; None if that is not known.

        Called in the thread of the store: it must not wait, and knows what it is given only. If it
        fails, or what it returns is no finite number, the cost is not known.

        :param transaction: as it is now; while it goes on, `meterStop` is the newest reading.
        :returns: in the currency that the charge point shows.
        """
