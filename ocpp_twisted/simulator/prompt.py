"""A prompt for one simulated charge point: a line is a command. In a terminal, or in a pipe.

Imports its neighbours, and of the shell how a payload is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from inspect import signature
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.errors import CallFailed
from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.shell.payload import payload_of
from ocpp_twisted.simulator.bench import Bench, check_word
from ocpp_twisted.simulator.faults import FAULTS, fault_of_words
from ocpp_twisted.simulator.physical import Vehicle

__all__ = ["Commands", "Prompt"]

_log = Logger()

_WELCOME = "help lists the commands, quit ends it"
#: Characters of a message that are shown: the peer may have written it.
_MOST = 100_000
#: Seconds between two looks at what is waited for.
_LOOK_EVERY = 0.1

_Command = Callable[..., Any]


class Commands:
    """What can be said to a charge point, a line each.

    :param write: is called with each line of what there is to say.
    """

    def __init__(self, bench: Bench, write: Callable[[str], None], clock: IReactorTime) -> None:
        self._bench = bench
        self._station = bench.station
        self._write = write
        self._clock = clock

    async def obey(self, line: str) -> None:
        """Do what a line says; what is wrong with it is written."""
        name, _, rest = line.strip().partition(" ")
        if not name or name.startswith("#"):
            return
        known = self._KNOWN.get(name)
        if known is None:
            near = get_close_matches(name, self._KNOWN, 1)
            self._write(f"there is no command {name!r}; {f'{near[0]}?' if near else 'see help'}")
            return
        command, usage, _ = known
        # What is sent as it is may have blanks that count.
        words = [rest] if name == "send" and rest else rest.split()
        try:
            signature(command).bind(self, *words)
        except TypeError:
            self._write(f"write: {usage}")
            return
        try:
            outcome = command(self, *words)
            if hasattr(outcome, "__await__"):
                await outcome
        except (ValueError, CallFailed) as error:
            self._write(excerpt(str(error), _MOST))

    # -- the commands -------------------------------------------------------------------------

    def _help(self) -> None:
        width = max(len(usage) for _, usage, _ in self._KNOWN.values())
        for _, usage, text in self._KNOWN.values():
            self._write(f"{usage:<{width}}  {text}")

    def _status(self) -> None:
        charge_point, modem = self._station.charge_point, self._bench.modem
        registration = charge_point.registration.value
        power = "" if self._bench.powered else ", no power"
        network = "" if modem.online else ", no network"
        self._write(
            f"{charge_point.id}: OCPP {self._bench.version}, {charge_point.state.value}, "
            f"{registration}, {charge_point.queued} messages wait{power}{network}"
        )
        for outlet in self._station.outlets:
            car = outlet.vehicle
            battery = "no car" if car is None else f"a car, {car.state_of_charge:.0f} % full"
            self._write(
                f"{outlet.number}: {self._bench.status(outlet.number)}, {outlet.flow:.0f} W, "
                f"{outlet.energy:.0f} Wh, {battery}"
            )
        for fault in modem.faults.values():
            self._write(f"fault: {fault}")

    def _plug(self, *words: str) -> None:
        number, rest = _number(words)
        self._station.plug_in(number, Vehicle(**_vehicle(rest)))

    def _unplug(self, number: str = "1") -> None:
        self._station.unplug(_whole(number))

    def _present(self, token: str, number: str = "1") -> None:
        self._station.present(token, _whole(number))

    def _break(self, fault: str, number: str = "1") -> None:
        self._station.break_down(fault, _whole(number))

    def _mend(self, number: str = "1") -> None:
        self._station.break_down("", _whole(number))

    def _offline(self) -> None:
        self._bench.go_offline()

    def _online(self) -> None:
        self._bench.go_online()

    def _power(self, which: str) -> Any:
        if which == "off":
            return self._bench.power_off()
        if which != "on":
            raise ValueError("write: power on, or power off")
        self._bench.power_on()
        return None

    def _reset(self) -> Any:
        return self._station.restart()

    async def _call(self, action: str, *words: str) -> None:
        text = " ".join(words) if words and words[0].startswith("{") else None
        payload = payload_of([] if text is not None else words, text)
        answer = await self._bench.call(action, payload.encode())
        self._write(excerpt(answer.decode(), _MOST))

    def _send(self, text: str) -> None:
        self._bench.modem.send_as_it_is(text.encode())

    def _fault(self, *words: str) -> None:
        modem = self._bench.modem
        if words == ("none",):
            modem.switch_all_off()
        elif words:
            modem.switch_on(fault_of_words(words))
        else:
            for name, known in FAULTS.items():
                self._write(f"{modem.faults.get(name, name)}: {known.help}")

    def _frames(self, which: str) -> None:
        if which not in ("on", "off"):
            raise ValueError("write: frames on, or frames off")
        self._bench.modem.listener = self._frame if which == "on" else None

    def _frame(self, sent: bool, message: bytes) -> None:
        text = excerpt(message.decode(errors="backslashreplace"), _MOST)
        self._write(f"{'->' if sent else '<-'} {text}")

    async def _wait(self, word: str, *words: str) -> None:
        check_word(self._bench.version, word)
        number, rest = _number(words)
        within = _amount("seconds", rest[0].removeprefix("seconds=")) if rest else 60.0
        end = self._clock.seconds() + within
        while not self._bench.stands_at(word, number):
            if self._clock.seconds() >= end:
                raise ValueError(f"it is not {word} in {within:g} seconds")
            await self._sleep(str(_LOOK_EVERY))

    def _sleep(self, seconds: str) -> Deferred[None]:
        return deferLater(self._clock, _amount("seconds", seconds), lambda: None)

    #: Name to command, how it is written, and what it does.
    _KNOWN: ClassVar[Mapping[str, tuple[_Command, str, str]]] = {
        "help": (_help, "help", "list the commands"),
        "status": (_status, "status", "how it is: connection, outlets, faults"),
        "plug": (
            _plug,
            "plug [OUTLET] [power=W] [phases=N] [capacity=WH] [charge=WH]",
            "a car comes",
        ),
        "unplug": (_unplug, "unplug [OUTLET]", "the cable is taken out of the car"),
        "present": (_present, "present TOKEN [OUTLET]", "hold a token to the reader"),
        "break": (_break, "break FAULT [OUTLET]", "an outlet has a fault, a word of the version"),
        "mend": (_mend, "mend [OUTLET]", "it is right again"),
        "offline": (_offline, "offline", "the network goes away"),
        "online": (_online, "online", "it is back"),
        "power": (_power, "power on|off", "start or stop it"),
        "reset": (_reset, "reset", "let it start anew"),
        "call": (_call, "call ACTION [NAME=VALUE...]", "send a message; or: call ACTION {JSON}"),
        "send": (_send, "send TEXT", "send a text as it is, whatever it is"),
        "fault": (_fault, "fault [NAME [NAME=VALUE...]]", "let it do wrong; fault none ends it"),
        "frames": (_frames, "frames on|off", "show all messages"),
        "wait": (_wait, "wait WORD [OUTLET] [seconds=60]", "until it is accepted, charging..."),
        "sleep": (_sleep, "sleep SECONDS", "let time pass"),
        "quit": (lambda commands: None, "quit", "end it"),
    }


@implementer(IHalfCloseableProtocol)
class Prompt(LineOnlyReceiver):
    """Reads commands from what it is connected to, and obeys one after the other.

    :param shown: whether there is a person, who wants to see that a command may be typed.
    :ivar ended: a Deferred that fires when there are no more, or after ``quit``.
    """

    delimiter = b"\n"
    MAX_LENGTH = 1024 * 1024

    def __init__(self, bench: Bench, clock: IReactorTime, shown: bool) -> None:
        self.ended: Deferred[None] = Deferred()
        self._modem = bench.modem
        self._commands = Commands(bench, self._say, clock)
        self._shown = shown
        self._lines: DeferredQueue[str] = DeferredQueue()

    def connectionMade(self) -> None:
        """See `twisted.internet.interfaces.IProtocol`."""
        if self._shown:
            self._say(_WELCOME)
        Deferred.fromCoroutine(self._obey())

    def lineReceived(self, line: bytes) -> None:
        """A command."""
        self._lines.put(line.decode(errors="replace").strip())

    def readConnectionLost(self) -> None:
        """No more commands come; those that have come are obeyed."""
        self._lines.put("quit")

    def writeConnectionLost(self) -> None:
        """Nobody reads what there is to say."""
        self._transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `twisted.internet.interfaces.IProtocol`."""
        self._modem.listener = None
        if not self.ended.called:
            self.ended.callback(None)

    async def _obey(self) -> None:
        while True:
            if self._shown:
                self._transport.write(b"> ")
            line = await self._lines.get()
            if line == "quit":
                break
            try:
                await self._commands.obey(line)
            except Exception as error:
                _log.failure("a command fails: {line}", line=line)
                self._say(f"it fails: {error!r}")
        self._transport.loseConnection()  # when all is written

    def _say(self, line: str) -> None:
        self._transport.write(line.encode(errors="replace") + b"\n")

    @property
    def _transport(self) -> Any:
        return self.transport


def _number(words: Sequence[str]) -> tuple[int, Sequence[str]]:
    """The outlet that stands first, else the first outlet; and the other words."""
    if words and "=" not in words[0]:
        return _whole(words[0]), words[1:]
    return 1, words


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no number, like 1")
    return int(text)


def _vehicle(words: Sequence[str]) -> dict[str, Any]:
    known = [each.name for each in fields(Vehicle)]
    found: dict[str, Any] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in known:
            raise ValueError(f"a car has no {name!r}; it has: {', '.join(known)}")
        found[name] = _phases(text) if name == "phases" else _amount(name, text)
    return found


def _phases(text: str) -> int:
    if text not in ("1", "2", "3"):
        raise ValueError(f"phases: {text!r} is not 1, 2 or 3")
    return int(text)


def _amount(what: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError(f"{what}: {text!r} is not a number, 0 or more")
    return number
