"""Simulated charge points as a program: ``twistd ocpp-charge-points``.

The top floor.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from zope.interface import implementer

from ocpp_twisted.charge_point import Connects, Dialer, Target
from ocpp_twisted.command_line import install_reactor, taker
from ocpp_twisted.config import Given
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.fleet_options import FLEET_OPTIONS
from ocpp_twisted.fleet_settings import FleetSettings, make
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IConnectionOwner, IMessageReceiver, IMessageTransport
from ocpp_twisted.logs import LogOptions, log_frame, observer, under_twistd
from ocpp_twisted.recording.tap import Tap
from ocpp_twisted.service import obey_signals
from ocpp_twisted.simulator.faults import FAULTS
from ocpp_twisted.simulator.fleet import Counts, Fleet
from ocpp_twisted.simulator.prompt import Prompt

__all__ = ["FleetService", "Options", "makeService"]

_log = Logger()

#: Seconds between two lines that tell how a fleet is.
_TELL_EVERY = 60.0


class Options(usage.Options):
    """See ``twistd ocpp-charge-points --help``.

    :ivar given: the options of `FLEET_OPTIONS` that were given.
    :ivar settings: what they ask for; there once they have been parsed.
    :ivar logs: what is logged, and where; None if twistd logs as its own options say.
    """

    synopsis = "--url URL [--count NUMBER] [options]"
    longdesc = (
        "Runs simulated charge points, to which cars come, or a scenario happens, or what you type "
        "(docs/simulator.md). Try: twistd -n ocpp-charge-points --url ws://localhost:9000/ocpp "
        "--count 100"
    )

    settings: FleetSettings
    logs: LogOptions | None = None

    def __init__(self) -> None:
        super().__init__()
        self.docs = {option: " ".join(text.split()) for option, text in self.docs.items()}
        self.given: dict[str, Given] = {}

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line; what is wrong with it ends the program with a sentence each."""
        if self.parent is not None:
            install_reactor()
        try:
            super().parseOptions(options)
        except (usage.UsageError, ConfigurationError) as error:
            told = "\n".join(
                f"twistd ocpp-charge-points: {line}" for line in str(error).split("\n")
            )
            raise SystemExit(f"{told}\n(all options: twistd ocpp-charge-points --help)") from error

    def opt_list_faults(self) -> None:
        """List the faults that charge points can have, and exit."""
        for name, known in FAULTS.items():
            print(f"{name}: {known.help}")
            print("".join(f"    {key}={value}" for key, value in known.defaults.items()))
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Make the settings, and see whether they and twistd's own options go together."""
        self.settings = make(self.given)
        asked = [name for name in self.given if name.startswith("log-")]
        if self.parent is not None:
            if self.settings.interactive and not self.parent["nodaemon"]:
                raise ConfigurationError("--interactive: a daemon has no terminal; use twistd -n")
            self.logs = under_twistd(self.settings.logs, asked, self.parent)


for _name, _option in FLEET_OPTIONS.items():
    setattr(Options, "opt_" + _name.replace("-", "_"), taker(_name, _option))


class FleetService(Service):
    """A fleet from `startService` to `stopService`.

    :ivar fleet: the charge points.
    """

    def __init__(self, settings: FleetSettings, reactor: Any) -> None:
        self.settings = settings
        dialer: Connects = Dialer(reactor)
        if settings.logs.frames:
            dialer = _Tapped(dialer)
        self.fleet = Fleet(settings.plan, reactor, dialer)
        self._telling = LoopingCall(self.tell)
        self._telling.clock = reactor

    def startService(self) -> None:
        """Let the first ones start; the others follow."""
        super().startService()
        self.fleet.start()
        if not self.settings.interactive:
            self._telling.start(_TELL_EVERY, now=False)

    def stopService(self) -> Deferred[Any]:
        """Let the cars leave, send what waits, and disconnect; fires when all is done.

        It takes no longer than `FleetSettings.grace` and the WebSockets' close timeout.
        """
        super().stopService()
        if self._telling.running:
            self._telling.stop()
            self.tell()
        return self.fleet.stop(self.settings.grace)

    def tell(self) -> None:
        """Log how the fleet is, and what has happened since this was done the last time."""
        _log.info("{told}", told=told(self.fleet.counts(), len(self.settings.plan.targets)))


def told(counts: Counts, planned: int) -> str:
    """How a fleet is, in one line."""
    done = counts.calls.get("CALLRESULT", 0)
    failed = {name: number for name, number in counts.calls.items() if name != "CALLRESULT"}
    parts = [
        f"{counts.connected} of {planned} connected, {counts.accepted} accepted",
        f"{counts.charging} charging",
        f"{done} calls answered, {sum(failed.values())} failed{_reasons(failed)}",
    ]
    if counts.waiting:
        parts.append(f"{counts.waiting} messages about transactions wait")
    if counts.unreached:
        number = sum(counts.unreached.values())
        parts.append(f"{number} could not connect{_reasons(counts.unreached)}")
    return "; ".join(parts)


def _reasons(numbers: Any) -> str:
    most = sorted(numbers.items(), key=lambda each: (-each[1], each[0]))[:3]
    return f" ({', '.join(f'{number} {name}' for name, number in most)})" if most else ""


class _Tapped:
    """A dialer that has the messages logged, without secrets."""

    def __init__(self, dialer: Connects) -> None:
        self._dialer = dialer

    def connect(
        self,
        target: Target,
        subprotocols: Sequence[str],
        opened: Callable[[str, IMessageTransport], IMessageReceiver],
    ) -> Deferred[None]:
        """See `ocpp_twisted.charge_point.Connects`."""
        tap = Tap(_Owner(opened), log_frame)

        def tapped(subprotocol: str, transport: IMessageTransport) -> IMessageReceiver:
            return tap.connection_made(Identity(target.id), subprotocol, transport)

        return self._dialer.connect(target, subprotocols, tapped)


@implementer(IConnectionOwner)
class _Owner:
    """A charge point, as a `Tap` knows owners of connections."""

    subprotocols = ()

    def __init__(self, opened: Callable[[str, IMessageTransport], IMessageReceiver]) -> None:
        self._opened = opened

    def connection_made(
        self, identity: Identity, subprotocol: str, transport: IMessageTransport
    ) -> IMessageReceiver:
        """See `IConnectionOwner`."""
        return self._opened(subprotocol, transport)


class _TwistdFleet(FleetService):
    """A fleet that is the whole program, which ends with its scenario or its prompt."""

    def __init__(self, settings: FleetSettings, reactor: Any, log: ILogObserver | None) -> None:
        super().__init__(settings, reactor)
        self._reactor = reactor
        self._log = log

    def setServiceParent(self, parent: Any) -> None:
        super().setServiceParent(parent)
        if self._log is not None:
            # Where twistd looks for what to log with, when it has made its application.
            parent.setComponent(ILogObserver, self._log)

    def startService(self) -> None:
        self._reactor.callWhenRunning(obey_signals, self._reactor)
        super().startService()
        self.fleet.over.addCallback(self._over)
        if self.settings.interactive:
            (bench,) = self.fleet.benches.values()
            prompt = Prompt(bench, self._reactor, shown=sys.stdin.isatty())
            prompt.ended.addCallback(lambda _: self._end())
            StandardIO(prompt, reactor=self._reactor)

    def _over(self, failed: Sequence[str]) -> None:
        if not self.running:
            return
        for sentence in failed:
            _log.critical("{sentence}", sentence=sentence)
        if failed:
            # twistd has no other way to end with this exit code.
            atexit.register(os._exit, 1)
        else:
            _log.info("the scenario has happened to all charge points")
        self._end()

    def _end(self) -> None:
        if self.running:
            self._reactor.callWhenRunning(self._reactor.stop)


def makeService(options: Options) -> FleetService:
    """The charge points that the command line asks for; called by ``twistd ocpp-charge-points``."""
    from twisted.internet import reactor  # only now has twistd installed the one that was asked for

    settings = options.settings
    # What is typed and answered is not to be mixed with the log.
    stream = sys.stderr if settings.interactive else None
    try:
        log = None if options.logs is None else observer(options.logs, stream)
        return _TwistdFleet(settings, reactor, log)
    except ConfigurationError as error:
        raise SystemExit(f"ocpp-charge-points: {error}") from error
