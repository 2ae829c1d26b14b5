"""One connection to the central system, as the handlers of a charge point know it.

Imports connections and what is below them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from ocpp_twisted.connection import Connection
from ocpp_twisted.ocppj.events import Event, Rejected
from ocpp_twisted.ocppj.message import Request, ResponseT_co

__all__ = ["Link"]


class Link(Connection):
    """A connection to the central system; see `ocpp_twisted.interfaces.IChargePoint`.

    :ivar charge_point: the `ocpp_twisted.charge_point.ChargePoint` whose connection it is.
    :ivar silent: whether the central system gets no answer to what it sends: a charge point of
        1.6 that has been rejected SHALL NOT respond (1.6 section 4.2).
    """

    __slots__ = ("charge_point", "silent")

    charge_point: Any
    silent: bool

    def call_again(self, request: Request[ResponseT_co], message_id: str) -> Deferred[ResponseT_co]:
        """See `call`; with a message id of which the central system may know."""
        return self._begin(request, None, None, message_id)

    def admit(self, actions: Any) -> None:
        """Say which actions the central system may send; None for all."""
        self._session.admits = actions

    def _heard(self, event: Event) -> None:
        if self.silent and isinstance(event, Rejected):
            event.reply = None
        super()._heard(event)
