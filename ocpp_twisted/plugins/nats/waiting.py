"""Requests over NATS that wait for their answers.

Imports Twisted's names and its neighbours `errors` and `protocol`. nats-py's own `request` makes a
task and a timer for each; here one is an entry in a dictionary, answers come to one subject, and
one timer looks for what is late.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ocpp_twisted.plugins.nats.errors import Disconnected, NoAnswer, NoResponders
from ocpp_twisted.plugins.nats.protocol import Message

__all__ = ["Asked", "Waiting"]

#: Seconds by which an answer may be missed later than it is due.
_RESOLUTION = 0.1


class Asked:
    """A request that waits for its answer.

    :ivar subject: where it was sent; empty if we wait for somebody to say something by himself.
    :ivar text: as it is sent, and `size`, that of its headers and payload.
    :ivar again: whether it may be handled twice.
    """

    __slots__ = ("_deadline", "_result", "again", "size", "subject", "text")

    def __init__(
        self, result: Deferred[Message], deadline: float, subject: str, again: bool
    ) -> None:
        self._result = result
        self._deadline = deadline
        self.subject = subject
        self.text, self.size = b"", 0
        self.again = again


class Waiting:
    """All of one link.

    :param reactor: the clock.
    :ivar subject: where the answers come, with a wildcard.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._prefix = f"_INBOX.{secrets.token_hex(11)}."
        self.subject = f"{self._prefix}*"
        self._number = 0
        self._asked: dict[str, Asked] = {}
        self._sweep: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._asked)

    def expect(
        self, timeout: float, subject: str = "", again: bool = False
    ) -> tuple[Deferred[Message], str, Asked]:
        """Wait for an answer.

        :returns: a Deferred that fires with it, and can be cancelled; the subject where it is to
            go; and what waits.
        """
        self._number += 1
        reply = f"{self._prefix}{self._number}"

        def forget(_: object) -> None:
            self._asked.pop(reply, None)

        result: Deferred[Message] = Deferred(forget)
        asked = Asked(result, self._reactor.seconds() + timeout, subject, again)
        self._asked[reply] = asked
        if self._sweep is None:
            self._sweep = self._reactor.callLater(_RESOLUTION, self._end_late)
        return result, reply, asked

    def forget(self, reply: str) -> None:
        """Wait no longer; its Deferred is left alone."""
        del self._asked[reply]

    def take(self, message: Message) -> None:
        """Something has come on the subject of answers."""
        asked = self._asked.pop(message.subject, None)
        if asked is None:
            return  # it is late, or the second answer to a request that was sent again
        if message.nobody_listens:
            error = NoResponders(f"nobody listens to {asked.subject}")
            asked._result.errback(Failure(error))
        else:
            asked._result.callback(message)

    def lose(self, chosen: Callable[[Asked], bool]) -> None:
        """Some requests have lost their answers."""
        for reply in [reply for reply, asked in self._asked.items() if chosen(asked)]:
            self.fail(reply, Disconnected("the connection to NATS was lost", sent=True))

    def again(self) -> list[tuple[str, Asked]]:
        """Those that may be handled twice, with where their answers go."""
        return [(reply, asked) for reply, asked in self._asked.items() if asked.again]

    def fail(self, reply: str, error: Exception) -> None:
        """Tell that there will be no answer, if somebody still waits for it."""
        asked = self._asked.pop(reply, None)
        if asked is not None:  # else one of the others may have ended it
            asked._result.errback(Failure(error))

    def stop(self) -> None:
        """All have lost their answers."""
        self.lose(lambda asked: True)
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _end_late(self) -> None:
        self._sweep = None
        now = self._reactor.seconds()
        for reply in [reply for reply, asked in self._asked.items() if asked._deadline <= now]:
            if asked := self._asked.get(reply):
                self.fail(reply, NoAnswer(f"there was no answer from {asked.subject} in time"))
        if self._asked and self._sweep is None:
            self._sweep = self._reactor.callLater(_RESOLUTION, self._end_late)
