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

from ocpp_twisted.plugins.nats.errors import Disconnected, LinkError, NoAnswer, NoResponders
from ocpp_twisted.plugins.nats.protocol import Message

__all__ = ["Asked", "Promised", "Waiting"]

#: Seconds by which an answer may be missed later than it is due.
_RESOLUTION = 0.1


class Asked:
    """A request that waits for its answer, and what is done with that.

    :ivar subject: where it was sent; empty if we wait for somebody to say something by himself.
    :ivar again: whether it may be handled twice.
    :ivar text: as it is sent, and `size`, that of its headers and payload.
    :ivar reply: the subject where its answer is to go.
    """

    __slots__ = ("again", "deadline", "reply", "size", "subject", "text")

    def __init__(self, subject: str, again: bool) -> None:
        self.subject = subject
        self.again = again
        self.text, self.size = b"", 0
        self.reply = ""
        self.deadline = 0.0

    def answered(self, message: Message) -> None:
        """Its answer has come. Called once, or `failed` is; neither must fail."""
        raise NotImplementedError

    def failed(self, error: LinkError) -> None:
        """There will be no answer."""
        raise NotImplementedError


class Promised(Asked):
    """One whose answer fires a Deferred, which may be cancelled.

    :ivar result: it.
    """

    __slots__ = ("_waiting", "result")

    def __init__(self, waiting: Waiting, subject: str = "", again: bool = False) -> None:
        super().__init__(subject, again)
        self._waiting = waiting
        self.result: Deferred[Message] = Deferred(self._cancelled)

    def answered(self, message: Message) -> None:
        """See `Asked.answered`."""
        self.result.callback(message)

    def failed(self, error: LinkError) -> None:
        """See `Asked.failed`."""
        self.result.errback(Failure(error))

    def _cancelled(self, result: object) -> None:
        self._waiting.forget(self)


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

    def expect(self, asked: Asked, timeout: float) -> str:
        """Wait for an answer, for so many seconds; returns the subject where it is to go."""
        self._number += 1
        reply = asked.reply = f"{self._prefix}{self._number}"
        asked.deadline = self._reactor.seconds() + timeout
        self._asked[reply] = asked
        if self._sweep is None:
            self._sweep = self._reactor.callLater(_RESOLUTION, self._end_late)
        return reply

    def forget(self, asked: Asked) -> None:
        """Wait no longer; nothing is told."""
        self._asked.pop(asked.reply, None)

    def take(self, message: Message) -> None:
        """Something has come on the subject of answers."""
        asked = self._asked.pop(message.subject, None)
        if asked is None:
            return  # it is late, or the second answer to a request that was sent again
        if message.nobody_listens:
            asked.failed(NoResponders(f"nobody listens to {asked.subject}"))
        else:
            asked.answered(message)

    def lose(self, chosen: Callable[[Asked], bool]) -> None:
        """Some requests have lost their answers."""
        for asked in [asked for asked in self._asked.values() if chosen(asked)]:
            self.fail(asked, Disconnected("the connection to NATS was lost", sent=True))

    def again(self) -> list[Asked]:
        """Those that may be handled twice."""
        return [asked for asked in self._asked.values() if asked.again]

    def fail(self, asked: Asked, error: LinkError) -> None:
        """Tell that there will be no answer, if somebody still waits for it."""
        if self._asked.pop(asked.reply, None) is not None:  # else the others may have ended it
            asked.failed(error)

    def stop(self) -> None:
        """All have lost their answers."""
        self.lose(lambda asked: True)
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _end_late(self) -> None:
        self._sweep = None
        now = self._reactor.seconds()
        for asked in [asked for asked in self._asked.values() if asked.deadline <= now]:
            self.fail(asked, NoAnswer(f"there was no answer from {asked.subject} in time"))
        if self._asked and self._sweep is None:
            self._sweep = self._reactor.callLater(_RESOLUTION, self._end_late)
