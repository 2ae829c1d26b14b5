"""Starts the processes, leads them through a run, and puts together what they tell.

Imports its neighbours. One stage after the other, each for all processes::

    started -> connecting, until each has tried -> measuring -> finished
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.stress.plan import Plan
from ocpp_twisted.stress.tally import Tally, from_json
from ocpp_twisted.stress.worker import CONNECT, MEASURE, STOP, Told

__all__ = ["Result", "Run"]

#: What is told while it runs: the stage, the tally, and the tally a second or so before.
Watches = Callable[[str, Tally, Tally], None]
#: Seconds for connections to be closed in the end.
_CLOSING = 30.0


@dataclass
class Result:
    """What has come of a run.

    :ivar tally: of all processes.
    :ivar processes: how many there were.
    :ivar complete: whether it went on as long as it was to.
    :ivar troubles: what went wrong with the tool itself, each a sentence.
    """

    tally: Tally
    processes: int
    complete: bool = True
    troubles: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether all has gone well."""
        return self.tally.faultless and not self.troubles


class Run:
    """One run.

    :param plans: one for each process.
    :param watches: is called once a second.
    """

    def __init__(self, reactor: Any, plans: Sequence[Plan], watches: Watches) -> None:
        self._reactor = reactor
        self._workers = [_Worker(plan, self._changed) for plan in plans]
        self._watches = watches
        self._stage = "starting"
        self._stopped = False
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []
        self._before = Tally()
        self._loop = LoopingCall(self._watch)
        self._loop.clock = reactor

    async def result(self, environment: Mapping[str, str] | None = None) -> Result:
        """Do it.

        :param environment: of the processes; None for this one's.
        :raises ConfigurationError: if the processes cannot do what they are to do.
        """
        self._loop.start(1.0, now=False)
        try:
            await self._through(environment)
        finally:
            self._loop.stop()
            for worker in self._workers:
                worker.end()
        await self._until(lambda: all(worker.ended for worker in self._workers))
        troubles = [worker.trouble for worker in self._workers if worker.trouble]
        return Result(self.tally, len(self._workers), not self._stopped, troubles)

    def stop(self) -> None:
        """End it early; what has been measured is the result."""
        if all(worker.over for worker in self._workers):
            return  # there is nothing more to come
        self._stopped = True
        self._tell(STOP)
        self._changed()

    @property
    def tally(self) -> Tally:
        """What is known of all processes."""
        return Tally.of([worker.told.tally for worker in self._workers])

    async def _through(self, environment: Mapping[str, str] | None) -> None:
        workers = self._workers
        for worker in workers:
            worker.start(self._reactor, environment)
        await self._until(lambda: all(each.ready or each.ended for each in workers))
        errors = [each.told.error for each in workers if each.told.error]
        if errors:
            raise ConfigurationError(errors[0])
        self._stage = "connecting"
        self._tell(CONNECT)
        await self._until(lambda: all(each.settled or each.over for each in workers))
        if self.tally.opened and not self._stopped:
            self._stage = "measuring"
            self._tell(MEASURE)
        else:
            self.stop()
        await self._until(lambda: all(each.over for each in workers))
        self._stage = "closing"
        closing = self._reactor.callLater(_CLOSING, self._kill)
        await self._until(lambda: all(each.ended for each in workers))
        if closing.active():
            closing.cancel()

    def _tell(self, word: bytes) -> None:
        for worker in self._workers:
            worker.tell(word)

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def _until(self, condition: Callable[[], bool]) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        self._waiting.append((condition, waiting))
        self._changed()
        return waiting

    def _changed(self) -> None:
        for one in list(self._waiting):
            condition, waiting = one
            if condition():
                self._waiting.remove(one)
                waiting.callback(None)

    def _watch(self) -> None:
        tally = self.tally
        self._watches(self._stage, tally, self._before)
        self._before = tally


class _Worker(ProcessProtocol):
    """One process.

    :ivar told: the last that it has told.
    :ivar ready: whether it has understood its plan.
    :ivar ended: whether it is gone.
    :ivar trouble: a sentence, if it has ended as it should not.
    """

    def __init__(self, plan: Plan, changed: Callable[[], None]) -> None:
        self._plan = plan
        self._changed = changed
        self._received = b""
        self._process: Any = None
        self.told = Told(tally=Tally(asked=len(plan.mine)))
        self.ready = self.ended = False
        self.trouble = ""

    def start(self, reactor: Any, environment: Mapping[str, str] | None) -> None:
        """Start it, and tell it its plan."""
        command = [sys.executable, "-m", "ocpp_twisted.stress.worker"]
        self._process = reactor.spawnProcess(
            self, sys.executable, command, environment, childFDs={0: "w", 1: "r", 2: 2}
        )
        self.tell(msgspec.json.encode(self._plan))

    def tell(self, word: bytes) -> None:
        """A line for it."""
        if not self.ended:
            self._process.write(word + b"\n")

    def end(self) -> None:
        """It has no more to do."""
        if not self.ended and self._process is not None:
            self._process.loseConnection()

    def kill(self) -> None:
        """It does not end by itself."""
        if not self.ended:
            self._process.signalProcess("KILL")

    @property
    def settled(self) -> bool:
        """Whether each of its charge points has tried to connect."""
        return self.ready and self.told.tally.settled == self.told.tally.asked

    @property
    def over(self) -> bool:
        """Whether it will count no more."""
        return self.ended or self.told.finished

    def outReceived(self, data: bytes) -> None:
        """See `ProcessProtocol`."""
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self.told, self.ready = from_json(line, Told), True
        if lines:
            self._changed()

    def processEnded(self, reason: Failure) -> None:
        """See `ProcessProtocol`."""
        self.ended = True
        if not self.told.finished and not self.told.error:
            self.trouble = f"a process of the load has ended too early: {reason.getErrorMessage()}"
        self._changed()
