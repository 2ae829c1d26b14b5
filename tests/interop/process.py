"""Programs in processes of their own: charge points, and the server as people start it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tests.interop.journal import Journal

__all__ = ["ROOT", "ChargePointProcess", "Program", "TwistdProcess"]

ROOT = Path(__file__).resolve().parents[2]

_CALL = 2


class Program(ProcessProtocol):
    """A Python program, running.

    :param arguments: those of the interpreter.
    :param directory: where it runs.
    :param environment: is added to our own.
    :ivar lines: a `Journal` of the lines on its standard output.
    :ivar ended: a Deferred that fires with all these lines when it has ended with 0; otherwise
        its errback is an AssertionError with what it complained of.
    """

    def __init__(
        self,
        reactor: Any,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.lines = Journal(reactor)
        self.ended: Deferred[list[Any]] = Deferred()
        self._complaints = b""
        self._line = b""
        reactor.spawnProcess(
            self,
            sys.executable,
            [sys.executable, *arguments],
            env={**os.environ, **(environment or {})},
            path=str(directory),
        )

    def read(self, line: bytes) -> Any:
        """What an entry of `lines` is to be."""
        return line.decode()

    def stop(self) -> Deferred[list[Any]]:
        """End its standard input; fires as `ended`."""
        self.transport.closeStdin()
        return self.ended

    def freeze(self) -> None:
        """Let it do nothing any more, its sockets left open: a charge point without power."""
        self.transport.signalProcess("STOP")

    def kill(self) -> None:
        """End it now, if it still runs."""
        if self.transport.pid is not None:
            self.transport.signalProcess("KILL")

    def outReceived(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self.lines.add(self.read(line))

    def errReceived(self, data: bytes) -> None:
        self._complaints += data

    def processEnded(self, reason: Failure) -> None:
        complaints = f"{reason.getErrorMessage()}\n{self._complaints.decode()}"
        self.lines.end(complaints)
        if reason.check(ProcessDone):
            self.ended.callback(self.lines.entries)
        else:
            self.ended.errback(AssertionError(complaints))


class ChargePointProcess(Program):
    """One of the programs in ``charge_points``; `lines` are those of their ``transcript``.

    :param program: its module's name there.
    :param arguments: those of its command line.
    """

    def __init__(self, reactor: Any, program: str, *arguments: str) -> None:
        module = f"tests.interop.charge_points.{program}"
        super().__init__(reactor, ["-m", module, *arguments], ROOT)

    def read(self, line: bytes) -> Any:
        return json.loads(line)

    def opened(self) -> Deferred[Any]:
        """Fires with the line about the open WebSocket."""
        return self.lines.when(lambda line: "opened" in line)

    def charged(self) -> Deferred[Any]:
        """Fires when it has charged its car."""
        return self.lines.when(lambda line: line.get("step") == "charged")

    def received(self, action: str) -> Deferred[Any]:
        """Fires when it has received a CALL."""
        return self.lines.when(lambda line: line.get("received", ["", "", ""])[2] == action)

    def exchanges(self, asked: str = "sent", answered: str = "received") -> list[tuple[Any, ...]]:
        """Its CALLs as (action, payload, answer), each with its answer, without message ids.

        :param asked: "received" for our CALLs, with "sent" for `answered`.
        """
        frames = [(way, frame) for line in self.lines.entries for way, frame in line.items()]
        answers = {
            frame[1]: [frame[0], *frame[2:]]
            for way, frame in frames
            if way == answered and frame[0] != _CALL
        }
        return [
            (frame[2], frame[3], answers.get(frame[1]))
            for way, frame in frames
            if way == asked and frame[0] == _CALL
        ]


class TwistdProcess(Program):
    """``twistd -n ocpp``, with its data in `directory`; `lines` are those of its log."""

    def __init__(
        self,
        reactor: Any,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        twistd = str(Path(sys.executable).with_name("twistd"))
        data = {"XDG_DATA_HOME": str(directory.absolute() / "share")}
        super().__init__(
            reactor,
            [twistd, "-n", "--pidfile=", "ocpp", *arguments],
            directory,
            {**data, **(environment or {})},
        )

    async def ports(self) -> list[int]:
        """Where it listens, as it says itself: those for WS, then those for WSS."""
        line = await self.lines.when(lambda line: "action plug-ins" in line)
        return [int(port) for port in re.findall(r"wss?://\S+?:(\d+)", line)]

    def terminate(self) -> Deferred[list[Any]]:
        """Send SIGTERM, as an init system does; fires as `ended`."""
        self.transport.signalProcess("TERM")
        return self.ended
