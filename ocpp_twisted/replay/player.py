"""Plays a recording: charge points that say what they said, to a central system with plug-ins.

Imports the central system, the recording and its neighbours. What charge points sent is sent
again as it came, apart from the ids that a central system gives out. What the recorded server
called is called again, unless a plug-in does so itself: the answer needs its question.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from math import inf
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import CallFault, OCPPError
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.limits import Limits
from ocpp_twisted.ocppj.message import Request, Send
from ocpp_twisted.quirks import Quirks
from ocpp_twisted.recording.lines import Line
from ocpp_twisted.recording.redaction import HIDDEN
from ocpp_twisted.recording.settings import RecordedSettings
from ocpp_twisted.records import IRecords
from ocpp_twisted.replay.comparison import TransactionIds, difference
from ocpp_twisted.replay.events import Event, given_up, read_events
from ocpp_twisted.replay.known import Entry
from ocpp_twisted.replay.known import learn as learn_from
from ocpp_twisted.replay.played import Played, kind_of
from ocpp_twisted.replay.report import Difference, Report
from ocpp_twisted.replay.settings import config_of, missing, quirks_of
from ocpp_twisted.versions import CATALOGUES

__all__ = ["replay"]

#: Seconds by which a recorded time may be too early: milliseconds are all that is written.
_ROUNDING = 0.001

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def replay(
    lines: Iterable[bytes | str],
    plugins: Sequence[IActionPlugin],
    *,
    quirks: Quirks | None = None,
    plugin_config: Mapping[str, Mapping[str, Any]] | None = None,
    limits: Limits | None = None,
    learn: bool = True,
    ignored: Collection[str] = ("currentTime",),
    clock: Clock | None = None,
    reactor: IReactorTime | None = None,
    patience: float = 5.0,
    places: Iterable[str] | None = None,
) -> Deferred[Report]:
    """Play a recording to plug-ins and compare their answers with those recorded.

    The plug-ins are started before and stopped afterwards. The settings are those that the
    recording tells, as far as no others are given here.

    :param lines: of the recording, for example a file that is open for reading.
    :param plugins: as `CentralSystem` takes them.
    :param quirks: what charge points may do wrong.
    :param plugin_config: plug-in name to what its ``start`` gets besides what was recorded; a key
        that stands in both has this value.
    :param limits: instead of the recorded ones.
    :param learn: whether the tags and charge points that the recorded server knew, as its answers
        tell, are entered into the records (`IRecords`) of plug-ins. Never into those of a plug-in
        that is given a ``store`` here: that one knows what it knows.
    :param ignored: names of fields of our messages that may differ.
    :param clock: goes on as the recording says, from its first time (seconds since 1970); for
        plug-ins that are given their time.
    :param reactor: the one that runs, for handlers that need threads or sockets: an answer that is
        not there when the recorded one was is then waited for. By default nothing is waited for.
    :param patience: seconds of the reactor's time to wait for such an answer.
    :param places: what the report calls the lines; by default ``line 1``, ``line 2``.
    :returns: a Deferred that fires with a `Report`; it has fired already if neither `reactor` nor a
        plug-in's start or stop lets it wait. Its errback is what a plug-in's start failed with.
    """
    player = _Player(
        plugins,
        plugin_config or {},
        clock if clock is not None else Clock(),
        frozenset(ignored),
        reactor,
        patience,
    )
    if places is None:
        places = (f"line {number}" for number in count(1))
    return ensureDeferred(player.play(zip(places, lines, strict=False), quirks, limits, learn))


class _Player:
    _central_system: CentralSystem
    _makers_matter: bool

    def __init__(
        self,
        plugins: Sequence[IActionPlugin],
        plugin_config: Mapping[str, Mapping[str, Any]],
        clock: Clock,
        ignored: Collection[str],
        reactor: IReactorTime | None,
        patience: float,
    ) -> None:
        self._plugins = plugins
        self._plugin_config = plugin_config
        self._clock = clock
        self._ignored = ignored
        self._reactor = reactor
        self._patience = patience
        self._connections: dict[int, Played] = {}
        self._transactions: dict[Identity, TransactionIds] = defaultdict(TransactionIds)
        self._report = Report()
        self._notes: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    async def play(
        self,
        lines: Iterable[tuple[str, bytes | str]],
        quirks: Quirks | None,
        limits: Limits | None,
        learn: bool,
    ) -> Report:
        events = list(read_events(lines, self._note))
        self._report.lines = len(events)
        settings, events = self._recorded(events)
        timeouts = given_up(events)
        then = quirks_of(settings) if settings.quirks else quirks
        now = quirks if quirks is not None else then
        self._makers_matter = now is not None and now.ask_for_makers
        self._central_system = CentralSystem(
            self._plugins,
            self._clock,
            limits=limits if limits is not None else settings.limits,
            quirks=now,
        )
        if events:
            self._advance(events[0].line.seconds)
        started: list[IActionPlugin] = []
        try:
            for plugin in self._plugins:
                config = config_of(plugin, settings, self._plugin_config)
                await maybeDeferred(plugin.start, self._central_system, config)
                started.append(plugin)
            known = learn_from(events, then or Quirks()) if learn else {}
            await self._enter_first(known)
            for index, event in enumerate(events):
                for entry in known.get(index, ()):
                    await self._enter(entry)
                await self._take(event, timeouts.get(index, inf))
            self._end_all("the recording has ended")
        finally:
            for plugin in started:
                await maybeDeferred(plugin.stop)
        self._report.notes = [
            f"{self._first[text]}: {text}" + (f" (and {times - 1} times more)" * (times > 1))
            for text, times in self._notes.items()
        ]
        return self._report

    # -- what the recorded server was told, and knew ------------------------------------------

    def _recorded(self, events: Sequence[Event]) -> tuple[RecordedSettings, list[Event]]:
        """The settings that the recording tells first, and what happened."""
        told = [event for event in events if event.line.settings is not None]
        if not told:
            return RecordedSettings(), list(events)
        where, settings = told[0].where, told[0].line.settings
        assert settings is not None
        for event in told:
            if event.line.settings != settings:
                self._note(event.where, "the recorded server had other settings from here on")
                break
        for plugin in self._plugins:
            if keys := missing(plugin, settings, self._plugin_config.get(plugin.name, {})):
                self._note(
                    where,
                    f"the plug-in {plugin.name} had settings that a recording does not tell: "
                    f"{', '.join(keys)}",
                )
        return settings, [event for event in events if event.line.settings is None]

    async def _enter_first(self, known: Mapping[int, Sequence[Entry]]) -> None:
        """What a tag was at first counts also where its first answer is not in the recording."""
        first: dict[str, Entry] = {}
        for entries in known.values():
            for entry in entries:
                if entry.id_tag:
                    first.setdefault(entry.id_tag.casefold(), entry)
        for entry in first.values():
            await self._enter(entry)

    async def _enter(self, entry: Entry) -> None:
        for plugin in self._plugins:
            own_store = "store" in self._plugin_config.get(plugin.name, {})
            if IRecords.providedBy(plugin) and not own_store:
                await entry.put(plugin)

    # -- what happened then -------------------------------------------------------------------

    async def _take(self, event: Event, timeout: float) -> None:
        where, line = event.where, event.line
        self._advance(line.seconds + (_ROUNDING if line.event == "out" else 0.0))
        if line.event == "start":
            if self._report.connections:
                self._note(where, "the recorded server starts again; the plug-ins do not")
            self._end_all("the recorded server has ended")
        elif line.event == "gap":
            self._note(where, "lines are missing here: what belongs to them is not compared")
            for played in self._connections.values():
                played.calls.clear()
                played.answers.clear()
                played.expected.clear()
                played.whole = False
        elif line.version not in CATALOGUES:
            self._note(where, f"OCPP {line.version!r} is not spoken here: the line is passed over")
        elif line.event == "online":
            self._connect(where, line)
        elif line.event == "offline":
            if line.connection in self._connections:
                played = self._connections.pop(line.connection)
                self._end(where, played, line.reason, complete=True)
        else:
            if line.connection not in self._connections:
                self._note(where, "this connection began before the recording")
                self._connect(where, line)
            played = self._connections[line.connection]
            played.where = where
            if line.event == "close":
                played.was_closed = line.code, line.reason
            elif line.message is None:
                self._note(where, "a message was withheld: it is not played")
                played.whole = False
            elif line.event == "in":
                self._said(played, event, line.message)
            else:
                await self._was_said(played, event, timeout)

    def _connect(self, where: str, line: Line) -> None:
        played = Played(line, where)
        self._report.connections += 1
        self._connections[line.connection] = played
        subprotocol = CATALOGUES[line.version].rules.subprotocol
        played.connection = self._central_system.connection_made(
            played.identity, subprotocol, played
        )

    def _said(self, played: Played, event: Event, message: bytes) -> None:
        """The charge point has sent a message."""
        frame, values = event.frame, event.values
        if event.type == 2 and len(values) > 2:
            played.actions[event.id] = str(values[2])
            played.unanswered.add(event.id)
        if frame is not None and event.type in (2, 6) and len(values) > 3:
            today = self._today(played, values[3])
            if today != values[3]:
                message = _encode([*frame[:3], today, *frame[4:]])
        elif event.type in (3, 4) and event.id in played.ids:
            then, now = _encode(event.id), _encode(played.ids[event.id])
            message = message.replace(then, now, 1)  # the rest may be something that is no JSON
        played.connection.receive(message)
        self._compare_all(played)

    async def _was_said(self, played: Played, event: Event, timeout: float) -> None:
        """The recorded server has sent a message."""
        frame = event.values
        if len(frame) < 3:
            self._note(event.where, "a message of the server is no frame: it is passed over")
            return
        if event.type in (2, 6):
            self._called(played, event.where, frame, timeout)
            return
        if event.type == 5:
            frame[1] = played.ids.get(frame[1], frame[1])
        elif not played.whole and frame[1] not in played.actions:
            return  # its CALL is not in the recording
        played.expected[kind_of(frame)].append((event.where, frame))
        while self._reactor is not None and frame[1] in played.unanswered:
            if not await self._hears(played, self._reactor):
                self._note(event.where, f"no answer came within {self._patience:g} s of real time")
                played.unanswered.discard(frame[1])
        self._compare_all(played)

    async def _hears(self, played: Played, reactor: IReactorTime) -> bool:
        """Wait for the next message to a charge point, on the real clock."""
        played.hears = Deferred()
        try:
            await played.hears.addTimeout(self._patience, reactor)
        except DeferredTimeout:
            played.hears = None
            return False
        return True

    def _called(self, played: Played, where: str, frame: list[Any], timeout: float) -> None:
        """The recorded server has called: a plug-in has done so now too, or it is done here."""
        frame[3:4] = [self._today(played, payload) for payload in frame[3:4]]
        while (call := self._like(played, frame)) is None and played.calls:
            self._not_recorded(played, played.calls.pop(0), where)
        if call is None:
            call = self._call_again(played, where, frame, timeout)
        else:
            self._report.compared += 1
        if call is not None:
            played.calls.remove(call)
            played.ids[frame[1]] = call[1]

    def _like(self, played: Played, frame: list[Any]) -> list[Any] | None:
        """A call of now that is as the recorded one."""
        for call in played.calls:
            if call[0] == frame[0] and difference(frame[2:], call[2:], self._ignored) is None:
                return call
        return None

    def _not_recorded(self, played: Played, call: list[Any], where: str) -> None:
        self._differs(where, played, str(call[2]), "", "no such call", _text(call))
        if call[0] == 2:  # it must not keep the next one waiting
            refusal = [4, call[1], "GenericError", "this call is not in the recording", {}]
            played.connection.receive(_encode(refusal))

    def _call_again(
        self, played: Played, where: str, frame: list[Any], timeout: float
    ) -> list[Any] | None:
        try:
            payload = _encode(frame[3])
            request = CATALOGUES[played.version].read_request(frame[2], payload)
            if isinstance(request, Send):
                played.connection.send(request)
            elif isinstance(request, Request):
                played.connection.call(request, timeout).addErrback(lambda failure: None)
        except (CallFault, OCPPError, IndexError) as error:
            self._note(where, f"this call cannot be made again: {error}")
            return None
        self._report.called += 1
        if not played.calls:
            self._note(
                where, "this call is not sent: an earlier one is open, or the connection is closed"
            )
            return None
        return played.calls[-1]

    # -- then and now -------------------------------------------------------------------------

    def _compare_all(self, played: Played) -> None:
        """Compare the recorded answers with those of now, as far as both are there."""
        for kind in [kind for kind in played.expected if played.answers.get(kind)]:
            expected, answers = played.expected[kind], played.answers[kind]
            while expected and answers:
                where, recorded = expected.pop(0)
                self._compare(played, where, recorded, answers.pop(0))
            if not expected:
                del played.expected[kind]
            if not answers:
                del played.answers[kind]

    def _compare(self, played: Played, where: str, recorded: list[Any], now: list[Any]) -> None:
        self._report.compared += 1
        action = played.actions.get(recorded[1], "")
        text = _text(recorded), _text(now)
        if recorded[0] == now[0] == 4 and HIDDEN in recorded[3:]:
            recorded, now = recorded[:3], now[:3]  # nobody knows the rest
        if recorded[0] == now[0] == 3 and played.version == "1.6" and action == "StartTransaction":
            then = recorded[2].get("transactionId")
            if self._transactions[played.identity].learn(then, now[2].get("transactionId")):
                now = [*now[:2], {**now[2], "transactionId": then}]
        place = difference(recorded, now, self._ignored)
        if place is not None:
            maker = played.connection.remembered.maker
            if self._makers_matter and (recorded[0], now[0]) == (3, 4) and not any(maker):
                self._note(
                    where,
                    f"who made {played.identity} is not told: no profile for a vendor fits it",
                )
            self._differs(where, played, action, place, *text)

    def _today(self, played: Played, payload: Any) -> Any:
        if played.version != "1.6":
            return payload
        return self._transactions[played.identity].translate(payload)

    def _differs(
        self, where: str, played: Played, action: str, place: str, recorded: str, now: str
    ) -> None:
        self._report.differences.append(
            Difference(where, str(played.identity), action, place, recorded, now)
        )

    # -- the rest -----------------------------------------------------------------------------

    def _end_all(self, reason: str) -> None:
        while self._connections:
            _, played = self._connections.popitem()
            self._end(played.where, played, reason, complete=False)

    def _end(self, where: str, played: Played, reason: str, complete: bool) -> None:
        """A connection has ended.

        :param complete: whether all of it was recorded; otherwise answers may be missing there.
        """
        self._compare_all(played)
        played.connection.lost(reason)
        for waiting in played.expected.values():
            for place, frame in waiting:
                action = played.actions.get(frame[1], "")
                self._differs(place, played, action, "", _text(frame), "no answer")
        if not complete:
            return
        for answers in played.answers.values():
            for frame in answers:
                action = played.actions.get(frame[1], "")
                self._differs(where, played, action, "", "no answer", _text(frame))
        for call in played.calls:
            self._differs(where, played, str(call[2]), "", "no such call", _text(call))
        then, now = _closing(played.was_closed), _closing(played.closed)
        if then != now:
            self._differs(where, played, "", "", then, now)

    def _advance(self, to: float) -> None:
        """Let the time go on, from one thing that is due to the next."""
        clock = self._clock
        while calls := clock.getDelayedCalls():
            due = min(call.getTime() for call in calls)
            if due > to:
                break
            # At least a bit: something that is always due at once would keep us here for ever.
            clock.advance(max(due - clock.seconds(), _ROUNDING))
        clock.advance(max(to - clock.seconds(), 0.0))

    def _note(self, where: str, text: str) -> None:
        self._notes[text] += 1
        self._first.setdefault(text, where)


def _closing(closed: tuple[int, str] | None) -> str:
    """The end of a connection by us; that the recorded server stopped is none of its own."""
    return "it stays open" if closed is None or closed[0] == 1001 else f"closed with {closed[0]}"


def _text(frame: Sequence[Any]) -> str:
    return _encode(frame).decode()
