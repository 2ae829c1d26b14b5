"""What a charge point must not lose: its messages about transactions, in their order.

Imports the messages' base class and the errors. Source: OCPP 1.6 section 3.7 (Start- and
StopTransaction, MeterValues of a transaction), OCPP 2.x part 2 use cases E04, E12 and E13
(TransactionEvent).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.errors import (
    CallErrorReceived,
    CallNotAllowed,
    CallTimedOut,
    ConnectionLost,
    InvalidResponse,
    NotConnected,
    QueueFull,
)
from ocpp_twisted.ocppj.message import Request, ResponseT_co

__all__ = ["Retries", "TransactionMessages"]

_log = Logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a message about a transaction is sent that the central system does not take.

    :ivar attempts: how often in all (1.6 TransactionMessageAttempts, 2.x MessageAttempts).
    :ivar interval: seconds before it is sent again, times how often it has been sent
        (TransactionMessageRetryInterval, MessageAttemptInterval).
    """

    attempts: int = 3
    interval: float = 60.0


class _Message:
    """One that waits.

    :ivar message_id: of its CALL, the same each time that it is sent.
    :ivar refused: how often the central system has failed to take it.
    """

    __slots__ = ("expendable", "make", "message_id", "refused", "result")

    def __init__(self, make: Callable[[], Request[Any]], message_id: str, expendable: bool) -> None:
        self.make = make
        self.message_id = message_id
        self.expendable = expendable
        self.refused = 0
        self.result: Deferred[Any] = Deferred()


class TransactionMessages:
    """A queue that is sent in its order, one after the other, when `go_on` says that it may be.

    :param send: sends a CALL with a message id.
    :param new_id: makes message ids.
    :param limit: how many may wait.
    :ivar retries: may be replaced at any time.
    """

    def __init__(
        self,
        send: Callable[[Request[Any], str], Deferred[Any]],
        new_id: Callable[[], str],
        clock: IReactorTime,
        retries: Retries,
        limit: int,
    ) -> None:
        self.retries = retries
        self._send = send
        self._new_id = new_id
        self._clock = clock
        self._limit = limit
        self._queue: list[_Message] = []
        self._sent: _Message | None = None
        self._again: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def add(
        self, make: Callable[[], Request[ResponseT_co]], expendable: bool
    ) -> Deferred[ResponseT_co]:
        """Queue a message.

        :param make: makes it when it is sent: what it says may depend on earlier answers.
        :param expendable: whether it may be dropped if there is no room.
        :returns: a Deferred of its answer. Its errback is what the last attempt met, or
            `QueueFull`, also later.
        """
        if len(self._queue) >= self._limit and not self._make_room():
            text = f"{len(self._queue)} messages about transactions wait already"
            return fail(QueueFull(text))
        message = _Message(make, self._new_id(), expendable)
        self._queue.append(message)
        self.go_on()
        return message.result

    def go_on(self) -> None:
        """Send the next one, if none is on its way and none has to wait for its retry."""
        if self._sent is not None or self._again is not None or not self._queue:
            return
        message = self._sent = self._queue[0]
        try:
            sending = self._send(message.make(), message.message_id)
        except Exception:
            sending = fail()
        sending.addBoth(self._outcome, message)

    def stop(self) -> None:
        """Send nothing before the next `go_on`; what waits goes on waiting."""
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _outcome(self, outcome: Any, message: _Message) -> None:
        self._sent = None
        if isinstance(outcome, Failure):
            if outcome.check(NotConnected, ConnectionLost, CallNotAllowed):
                return  # it is sent again when there is a connection
            if outcome.check(CallErrorReceived, InvalidResponse, CallTimedOut):
                message.refused += 1
                if message.refused < self.retries.attempts:
                    self._wait(self.retries.interval * message.refused)
                    return
            elif outcome.check(QueueFull):  # other calls of ours wait: it was not sent
                self._wait(self.retries.interval)
                return
            _log.error("a message about a transaction is lost: {error}", error=outcome.value)
        self._queue.remove(message)
        message.result.callback(outcome)
        self.go_on()

    def _wait(self, seconds: float) -> None:
        self._again = self._clock.callLater(seconds, self._try_again)

    def _try_again(self) -> None:
        self._again = None
        self.go_on()

    def _make_room(self) -> bool:
        """Drop every second of those that may be dropped (2.x part 2, E04), but none on its way."""
        expendable = [
            message for message in self._queue if message.expendable and message is not self._sent
        ]
        for message in expendable[::2]:
            self._queue.remove(message)
            message.result.errback(Failure(QueueFull("dropped to make room for later messages")))
        return bool(expendable)
