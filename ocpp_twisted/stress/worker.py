"""One process of the stress tool: ``python -m ocpp_twisted.stress.worker``.

Imports the load, and what makes a process fit for many connections. Standard input tells it what
to do: a `Plan` as a line of JSON, then the words `CONNECT`, `MEASURE` and `STOP`, a line each.
Standard output tells a `Told` as a line of JSON, once a second and when it has finished. It ends
when its input does, so that it does not outlive who has started it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.garbage import settle
from ocpp_twisted.stress.load import Load
from ocpp_twisted.stress.plan import Plan
from ocpp_twisted.stress.room import raise_limit
from ocpp_twisted.stress.tally import Tally, to_json

__all__ = ["CONNECT", "MEASURE", "STOP", "Lines", "Told", "main"]

CONNECT, MEASURE, STOP = b"connect", b"measure", b"stop"
#: Bytes of a line: a tally has some ten thousand.
_LONGEST_LINE = 1 << 20
_MEMORY = Path("/proc/self/statm")


class Told(msgspec.Struct, kw_only=True):
    """What a process tells.

    :ivar finished: nothing more will be counted.
    :ivar error: why it cannot do what it is to do; empty if it can.
    """

    tally: Tally = msgspec.field(default_factory=Tally)
    finished: bool = False
    error: str = ""


class Lines(LineOnlyReceiver):
    """Standard input and output.

    :param reactor: is stopped in the end.
    """

    delimiter = b"\n"
    MAX_LENGTH = _LONGEST_LINE

    transport: Any

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._load: Load | None = None
        self._memory_before = 0
        self._tells = LoopingCall(self._tell)
        self._tells.clock = reactor

    def lineReceived(self, line: bytes) -> None:
        """See the head of this module."""
        load = self._load
        if load is None:
            self._prepare(line)
        elif line == CONNECT:
            load.start()
        elif line == MEASURE:
            settle()
            load.measure()
        else:
            load.stop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nobody is there any more."""
        if self._reactor.running:
            self._reactor.stop()

    def _prepare(self, line: bytes) -> None:
        try:
            raise_limit()
            load = Load(msgspec.json.decode(line, type=Plan), self._reactor, perf_counter)
        except (ConfigurationError, OSError, ValueError) as error:
            self._write(Told(error=str(error)))
            return
        self._load = load
        self._memory_before = _resident()
        load.finished.addCallback(self._finished)
        self._tells.start(1.0)

    def _tell(self, finished: bool = False) -> None:
        if self._load is not None:
            tally = self._load.look()
            tally.memory, tally.memory_before = _resident(), self._memory_before
            self._write(Told(tally=tally, finished=finished))

    def _finished(self, _: object) -> None:
        self._tells.stop()
        self._tell(finished=True)
        if self._load is not None:
            self._load.close().addCallback(self._end)

    def _end(self, _: object) -> None:
        self.transport.loseConnection()

    def _write(self, told: Told) -> None:
        self.sendLine(to_json(told))


def _resident() -> int:
    """Bytes of memory; 0 where that cannot be read."""
    try:
        pages = int(_MEMORY.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run until standard input ends."""
    # They are for the process that has started this one, which asks for the last tally.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        from ocpp_twisted import epoll_reactor

        epoll_reactor.install()
    from twisted.internet import reactor as installed

    reactor: Any = installed
    level = LogLevelFilterPredicate(LogLevel.warn)
    # It warns of each connection that is not to be had; these are counted.
    level.setLogLevelForNamespace("autobahn", LogLevel.critical)
    warnings = FilteringLogObserver(textFileLogObserver(sys.stderr), [level])
    globalLogBeginner.beginLoggingTo([warnings], redirectStandardIO=False)
    StandardIO(Lines(reactor), reactor=reactor)
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    main()
