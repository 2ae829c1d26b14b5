"""What was known of a charge point before this process: to other processes, and to records.

Imports its floor and below. A charge point that reconnects says neither that it is registered nor
who made it; without this, a restart of the server would open the gate of one that is pending, and
take their quirk profiles away from all.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IKnowsChargePoints
from ocpp_twisted.ocppj.catalogue import Catalogue
from ocpp_twisted.remembered import Remembered
from ocpp_twisted.sharing import Sharing

__all__ = ["Recalling"]

_log = Logger()
#: Seconds that a charge point waits until the records have told what they know of it.
_RECALL_SECONDS = 2.0


class Recalling:
    """Asks others what they know of a charge point that connects.

    :param sharing: what other processes share; it counts more. None if there are none.
    :param records: a plug-in that keeps it; None if none does.
    """

    def __init__(
        self, sharing: Sharing | None, records: IKnowsChargePoints | None, clock: IReactorTime
    ) -> None:
        self._sharing = sharing
        self._records = records
        self._clock = clock

    def is_due(self, remembered: Remembered) -> bool:
        """Whether there is somebody to be asked."""
        return self._sharing is not None or self._records_may_know_more(remembered)

    def recall(
        self, identity: Identity, remembered: Remembered, catalogue: Catalogue
    ) -> Deferred[None]:
        """Put what others know into `remembered`.

        :returns: a Deferred that always fires, soon.
        """
        shared: Deferred[None] = succeed(None)
        if self._sharing is not None:
            shared = self._sharing.recall(identity, remembered, catalogue)
        return shared.addCallback(lambda _: self._ask_records(identity, remembered))

    def _records_may_know_more(self, remembered: Remembered) -> bool:
        # Whoever has booted in this process has told who made it.
        return self._records is not None and not any(remembered.maker)

    def _ask_records(self, identity: Identity, remembered: Remembered) -> Deferred[None] | None:
        if not self._records_may_know_more(remembered):
            return None
        assert self._records is not None
        asked: Deferred[Any] = self._records.known_charge_point(identity)
        asked.addTimeout(_RECALL_SECONDS, self._clock)
        asked.addCallback(remembered.know)
        return asked.addErrback(
            lambda failure: _log.info(
                "what the records know of {charge_point} is not known: {error}",
                charge_point=str(identity),
                error=failure.value,
            )
        )
