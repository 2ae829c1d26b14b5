"""Our calls on one connection: one is on the wire, the others wait for their turn.

Imports its floor only. No clock: `now` is an argument, in seconds on the caller's clock. Source:
OCPP-J 1.6 section 4.1.1, OCPP 2.1 part 4 section 4.1.1. A call has two times. Its deadline is
its caller's: then the call has failed for him, in the queue or not. Its turn is the wire's: no
other call is sent until it was answered, or had its whole time since it was sent. So a call that
waited long in the queue does not let the next one go early::

    add() --> QUEUED --next_call()--> WAITING  --CALLRESULT, CALLERROR--> ENDED
                 |                        |
                 +--cancel(), expire(), refuse_queued(), close(): ENDED

An answer that comes after the deadline is told as well: its outcome is news to somebody.
"""

from __future__ import annotations

from collections.abc import Callable

from ocpp_twisted.errors import CallFailed, CallTimedOut, ConnectionLost, NotConnected, QueueFull
from ocpp_twisted.ocppj.events import CallEnded, CallState, OutgoingCall
from ocpp_twisted.ocppj.leniency import Repair

__all__ = ["Calls", "end"]

#: How many calls are remembered after their turn, to tell who listens what became of them.
_LATE_CALLS = 8


class Calls:
    """The calls of one connection.

    :param limit: how many may be queued, the one on the wire not counted.
    """

    __slots__ = ("_late", "_queue", "_waiting", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        # Lists, which are a tenth of a deque's size: idle connections are many.
        self._queue: list[OutgoingCall] = []
        self._late: list[OutgoingCall] = []
        self._waiting: OutgoingCall | None = None

    @property
    def queued(self) -> int:
        """How many have not been sent yet."""
        return len(self._queue)

    def check_room(self) -> None:
        """See whether one more may be queued.

        :raises QueueFull: if not.
        """
        if len(self._queue) >= self.limit:
            raise QueueFull(f"{len(self._queue)} calls wait for this charge point already")

    def add(self, call: OutgoingCall) -> None:
        """Queue a call; `next_call` gives it out when its turn comes."""
        self._queue.append(call)

    def next_call(self, now: float) -> OutgoingCall | None:
        """The next call to send; None while one waits for its answer, or none is queued."""
        if self._waiting is not None or not self._queue:
            return None
        call = self._waiting = self._queue.pop(0)
        call.state = CallState.WAITING
        call.turn_ends = now + call.seconds
        return call

    def cancel(self, call: OutgoingCall) -> None:
        """Forget a queued call. One that was sent stays until its answer or the end of its turn."""
        if call.state is CallState.QUEUED:
            self._queue.remove(call)
            call.state = CallState.ENDED

    def deadline(self) -> float | None:
        """Seconds, on the caller's clock, when `expire` is due; None if nothing waits."""
        times = [call.deadline for call in self._queue]
        waiting = self._waiting
        if waiting is not None:
            ended = waiting.state is CallState.ENDED
            times.append(waiting.turn_ends if ended else min(waiting.deadline, waiting.turn_ends))
        return min(times, default=None)

    def expire(self, now: float) -> list[CallEnded]:
        """End the calls whose time is over; `next_call` may have something to send then."""
        ended: list[CallEnded] = []
        waiting = self._waiting
        if waiting is not None:
            over = waiting.turn_ends <= now
            if waiting.state is CallState.WAITING and (over or waiting.deadline <= now):
                text = f"no answer to {waiting.request.ACTION} in time"
                ended.append(end(waiting, CallTimedOut(text, sent=True)))
            if over:
                self._give_up_waiting(waiting)
        for call in [call for call in self._queue if call.deadline <= now]:
            self._queue.remove(call)
            text = f"{call.request.ACTION} was not sent in time: earlier calls still waited"
            ended.append(end(call, CallTimedOut(text, sent=False)))
        return ended

    def refuse_queued(self, error: Callable[[OutgoingCall], CallFailed | None]) -> list[CallEnded]:
        """End the calls that have not been sent, but for those that `error` says None of."""
        refused = [(call, why) for call in self._queue if (why := error(call)) is not None]
        for call, _ in refused:
            self._queue.remove(call)
        return [end(call, why) for call, why in refused]

    def close(self) -> list[CallEnded]:
        """End all calls, because nothing can be sent any more."""
        ended = []
        waiting, self._waiting, self._late = self._waiting, None, []
        if waiting is not None and waiting.state is CallState.WAITING:
            text = f"the connection ended before the answer to {waiting.request.ACTION}"
            ended.append(end(waiting, ConnectionLost(text)))
        return ended + self.refuse_queued(
            lambda call: NotConnected(f"the connection ended before {call.request.ACTION} was sent")
        )

    def take(self, message_id: str | None) -> OutgoingCall | None:
        """The call that is answered: the waiting one, or one that was given up not long ago."""
        waiting = self._waiting
        if waiting is not None and waiting.message_id == message_id:
            self._waiting = None
            return waiting
        for call in self._late:
            if call.message_id == message_id:
                self._late.remove(call)
                return call
        return None

    def take_unnamed(self) -> OutgoingCall | None:
        """The call that a CALLERROR without a readable id must mean; its answer may still come."""
        waiting = self._waiting
        if waiting is not None:
            self._give_up_waiting(waiting)
        return waiting

    def _give_up_waiting(self, waiting: OutgoingCall) -> None:
        self._waiting = None
        self._late = [*self._late, waiting][-_LATE_CALLS:]


def end(
    call: OutgoingCall,
    error: CallFailed,
    reply: bytes | None = None,
    repairs: list[Repair] | None = None,
) -> CallEnded:
    """The end of a call without a CALLRESULT."""
    call.state = CallState.ENDED
    return CallEnded(call, error, reply, repairs)
