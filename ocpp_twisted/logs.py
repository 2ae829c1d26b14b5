"""What becomes of log events: text or JSON lines, by level and namespace, to a file or a stream.

Imports Twisted, `excerpt`, `writable`, the errors and the form of recorded lines. Nothing is
global: who wants these logs gives `observer` to Twisted's log beginner, which ``twistd`` does for
itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    formatTime,
)
from twisted.python.logfile import LogFile
from twisted.python.threadable import synchronize

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.recording.lines import Line
from ocpp_twisted.writable import obstacle

__all__ = [
    "FORMATS",
    "FRAMES",
    "LogOptions",
    "check_file",
    "level",
    "log_frame",
    "observer",
    "under_twistd",
]

#: The namespace of the messages themselves, which are logged at debug.
FRAMES = "ocpp_twisted.frames"

#: Characters of one event, and of one line of a traceback: peers have their words in them.
_MOST = 16384
_MOST_LINES = 200

#: Makes the lines of an event.
_Format = Callable[[LogEvent], str | None]
#: What is told of any event.
_KNOWN = ("log_time", "log_level", "log_namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What is logged, and where.

    :ivar levels: namespace to the lowest level that is logged of it, and of what is below it in
        its name; ``""`` for all others, `LogLevel.info` if it is not there.
    :ivar format: one of `FORMATS`.
    :ivar file: the file; None for standard output. Older ones are beside it: ``FILE.1`` is the
        newest of them.
    :ivar size: bytes that a file may have (1024 or more); of a longer event only its length is
        told.
    :ivar files: how many files are kept beside the one that is written. So all of them take
        (files + 1) x size bytes at most.
    """

    levels: Mapping[str, Any] = field(default_factory=dict)
    format: str = "text"
    file: Path | None = None
    size: int = 10 * 1024 * 1024
    files: int = 9

    @property
    def frames(self) -> bool:
        """Whether the messages are logged: only then is it worth while to look at them."""
        lowest = self.predicate().logLevelForNamespace(FRAMES)
        return bool(lowest == LogLevel.debug)

    def predicate(self) -> LogLevelFilterPredicate:
        """Which events are logged."""
        lowest = self.levels.get("", LogLevel.info)
        predicate = LogLevelFilterPredicate(lowest)
        if LogLevel.debug < lowest < LogLevel.error:
            # What Autobahn warns of has a line of ours, which says whose connection it is.
            predicate.setLogLevelForNamespace("autobahn", LogLevel.error)
        for namespace, lowest in self.levels.items():
            predicate.setLogLevelForNamespace(namespace, lowest)
        return predicate


def level(text: str) -> tuple[str, Any]:
    """``info`` or ``ocpp_twisted.websocket=debug``: a namespace (``""`` for all), and its level.

    :raises ValueError: if there is no such level.
    """
    namespace, equals, name = text.rpartition("=")
    names = [known.name for known in LogLevel.iterconstants()]
    if name not in names or (equals and not namespace):
        raise ValueError(
            f"{text!r} is not a level ({', '.join(names)}), nor NAMESPACE=LEVEL "
            "(ocpp_twisted.websocket=debug)"
        )
    return namespace, LogLevel.lookupByName(name)


def observer(options: LogOptions, stream: IO[Any] | None = None) -> ILogObserver:
    """What to log with: ``globalLogBeginner.beginLoggingTo([observer(options)])``.

    :param stream: where the lines go if the options name no file; standard output by default.
    :raises ConfigurationError: if the file cannot be written.
    """
    file: Any = stream if stream is not None else sys.stdout
    formatted = FORMATS[options.format]
    if options.file is not None:
        check_file(options)
        try:
            file = _File(options)
        except OSError as error:
            raise _unusable(options.file, error.strerror) from error
        formatted = _fitting(formatted, options.size)
    write = FileLogObserver(file, formatted)
    return FilteringLogObserver(write, [options.predicate()])


def check_file(options: LogOptions) -> None:
    """See whether the file, if there is one, could be written; nothing is made.

    :raises ConfigurationError: if it could not.
    """
    if options.file is not None and (reason := obstacle(options.file)):
        raise _unusable(options.file, reason)


def _unusable(file: Path, reason: object) -> ConfigurationError:
    return ConfigurationError(f"cannot log into {file}: {reason}; choose another --log-file")


class _File(LogFile):
    """Twisted's, but a new one is begun before what would not fit, and only the user reads it."""

    synchronized = ["write"]  # noqa: RUF012  # what Twisted calls it; threads log too

    def __init__(self, options: LogOptions) -> None:
        assert options.file is not None
        path = options.file.absolute()
        self._limit = options.size
        super().__init__(  # type: ignore[no-untyped-call]
            path.name,
            str(path.parent),
            rotateLength=None,  # it would look before it writes, and let the file grow too long
            defaultMode=None if path.exists() else 0o600,  # who made it has said who may read it
            maxRotatedFiles=options.files,
        )

    def write(self, data: str) -> None:
        """Write an event."""
        encoded = data.encode()
        if self.size and self.size + len(encoded) > self._limit:
            self.rotate()  # type: ignore[no-untyped-call]
        super().write(encoded)  # type: ignore[no-untyped-call]


synchronize(_File)


def _fitting(format_: _Format, size: int) -> _Format:
    """A format whose lines are not longer than that: of a longer event only the length is told."""

    def formatted(event: LogEvent) -> str | None:
        text = format_(event)
        if text is None or len(text) <= size // 4 or (length := len(text.encode())) <= size:
            return text
        known = {key: event[key] for key in _KNOWN if key in event}
        told = "an event of {length} bytes is left out: a file may have {size}"
        return format_({**known, "log_format": told, "length": length, "size": size})

    return formatted


def under_twistd(
    options: LogOptions, asked: Iterable[str], twistd: Mapping[str, Any]
) -> LogOptions | None:
    """What is logged, and where, if twistd's options say something about it too.

    :param asked: the names of our options about logs that were given.
    :param twistd: its options.
    :returns: None for what twistd does by itself.
    :raises ConfigurationError: if its options and ours do not go together.
    """
    for theirs in ("logger", "syslog"):
        if twistd[theirs]:
            for name in asked:
                raise ConfigurationError(
                    f"--{name} does not go together with twistd's --{theirs}: leave out one of them"
                )
            return None
    chosen = _with_their_file(options, twistd)
    for name in asked:
        if name in ("log-size", "log-files") and (chosen is None or chosen.file is None):
            raise ConfigurationError(
                f"--{name} is for a file: add --log-file FILE, or leave it out"
            )
    return chosen


def _with_their_file(options: LogOptions, twistd: Mapping[str, Any]) -> LogOptions | None:
    file = twistd["logfile"] or None
    if options.file is not None:
        if file is not None:
            raise ConfigurationError(
                f"--log-file={options.file} does not go together with twistd's --logfile={file}: "
                "leave out one of them"
            )
        return options
    if not twistd["nodaemon"]:
        if file == "-":
            return None  # twistd says that a daemon has no standard output
        file = file or "twistd.log"
    return options if file in (None, "-") else replace(options, file=Path(file))


# -- the messages -----------------------------------------------------------------------------

_frames = Logger(FRAMES)


def log_frame(line: Line) -> None:
    """Log what a `Tap` tells, if it is a message; connections have lines of their own."""
    if line.event in ("in", "out"):
        message = line.message
        _frames.debug(
            "{charge_point} {way} {frame}",
            charge_point=f"{line.name}/{line.charge_point}" if line.name else line.charge_point,
            way=line.event,
            frame=f"({line.withheld} bytes are withheld)"
            if message is None
            else message.decode(errors="backslashreplace"),
        )


# -- the formats ------------------------------------------------------------------------------


def _text(event: LogEvent) -> str | None:
    """One line; those of a traceback are indented, so that no other can seem to begin."""
    text = excerpt(formatEvent(event), _MOST)
    traceback = _traceback(event)
    if not text and not traceback:
        return None
    source = f"{event.get('log_namespace') or '-'}#{_level(event)}"
    lines = [f"{formatTime(event.get('log_time'))} [{source}] {text}", *traceback]
    return "\n\t".join(lines) + "\n"


def _json(event: LogEvent) -> str | None:
    text = excerpt(formatEvent(event), _MOST)
    traceback = _traceback(event)
    if not text and not traceback:
        return None
    fields = {
        key: _plain(value)
        for key, value in event.items()
        if not key.startswith("log_") and key not in _LEGACY
    }
    moment = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    line = fields | {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": _level(event),
        "namespace": event.get("log_namespace") or "",
        "message": text,
    }
    if traceback:
        line["traceback"] = "\n".join(traceback)
    return _encode(dict(sorted(line.items(), key=lambda item: item[0] not in _FIRST))) + "\n"


#: The formats by their names.
FORMATS: Mapping[str, _Format] = {"text": _text, "json": _json}

_FIRST = ("time", "level", "namespace", "message")
#: What Twisted adds for its older kind of observers.
_LEGACY = frozenset(
    {"message", "time", "system", "format", "isError", "failure", "why", "logLevel", "level"}
)


def _encode(line: dict[str, Any]) -> str:
    return msgspec.json.encode(line).decode()


def _level(event: LogEvent) -> str:
    known: Any = event.get("log_level")
    return "-" if known is None else str(known.name)


def _traceback(event: LogEvent) -> list[str]:
    failure = event.get("log_failure")
    if failure is None:
        return []
    try:
        lines = failure.getTraceback().splitlines()
    except Exception as error:
        lines = [f"(its traceback cannot be told: {type(error).__name__})"]
    if len(lines) > _MOST_LINES:
        half = _MOST_LINES // 2
        lines = [*lines[:half], "...", *lines[-half:]]
    return [excerpt(line, _MOST) for line in lines]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    identity = getattr(value, "identity", None)  # of a charge point
    try:
        return excerpt(str(value if identity is None else identity), _MOST)
    except Exception as error:
        return f"(it cannot be told: {type(error).__name__})"
