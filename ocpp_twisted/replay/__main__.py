"""The command ``python -m ocpp_twisted.replay``.

Exit codes: 0, nothing differs; 1, something does; 2, a file or a plug-in cannot be used. The
settings are those of the recording; over them come those of ``--config``, and over these the
command line's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.task import react
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from ocpp_twisted.complaints import Complaints
from ocpp_twisted.config import Document, Given, Settings, load, make
from ocpp_twisted.discovery import look_in
from ocpp_twisted.errors import OCPPError
from ocpp_twisted.options import OPTIONS, RECORDS
from ocpp_twisted.recording.lines import NotALine, read
from ocpp_twisted.recording.settings import RecordedSettings
from ocpp_twisted.records import IRecords
from ocpp_twisted.replay.player import replay
from ocpp_twisted.replay.settings import recorded

__all__ = ["main"]

#: The options of the server that decide what it answers; a replay has them as well.
_ANSWERING = (
    "action-plugin",
    "quirks",
    "heartbeat-interval",
    "authorize",
    "charge-points",
    "call-timeout",
)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ocpp_twisted.replay",
        description="Plays the charge points' side of a recording to plug-ins, and shows where "
        "their answers are not those recorded.",
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="what twistd ocpp --record has written; several (FILE, FILE.1) in any order",
    )
    parser.add_argument(
        "--config",
        metavar="TOML",
        type=Path,
        help="the file that the server was configured with: plug-ins, their tables, and the "
        "options below are taken from it, but for the store [default: what the recording tells]",
    )
    for name in _ANSWERING:
        parser.add_argument(
            f"--{name}",
            metavar="VALUE",
            action="append" if OPTIONS[name].several else "store",
            help="as for twistd ocpp"
            + ", repeatable" * OPTIONS[name].several
            + " [default: as recorded]",
        )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="a COPY of the server's records, which the replay will change "
        "(sqlite:////copy/of/records.db) [default: in memory, with the tags and charge points "
        "that the recording shows to be known]",
    )
    parser.add_argument(
        "--ignore",
        metavar="FIELD",
        action="append",
        default=["currentTime"],
        help="a field of the answers that may differ, besides currentTime; repeatable",
    )
    return parser.parse_args(arguments)


async def main(reactor: Any, *arguments: str) -> None:
    """Play, print and exit."""
    options = _arguments(arguments)
    look_in(Path.cwd())
    try:
        places, lines = _lines(options.files)
        report = await replay(
            lines,
            **_settings(options, recorded(lines) or RecordedSettings()),
            ignored=options.ignore,
            reactor=reactor,
            places=places,
        )
    except OCPPError as error:
        raise _failed(str(error)) from None
    print(report)
    if not report.lines:
        raise _failed("there is no line of a recording in it")
    raise SystemExit(1 if report.differences else 0)


def _settings(options: argparse.Namespace, then: RecordedSettings) -> dict[str, Any]:
    """The arguments of `replay` that options and file ask for; the rest is as recorded.

    :raises ConfigurationError: if something in them is wrong.
    """
    document = load(options.config) if options.config is not None else Document()
    given = {name: document.given[name] for name in _ANSWERING if name in document.given}
    for name in (*_ANSWERING, "store"):
        value = getattr(options, name.replace("-", "_"))
        if value is not None:
            given[name] = Given(f"--{name}", value if OPTIONS[name].several else [value])
    names = then.action_plugins or ("local",)
    plugins = given.setdefault("action-plugin", Given("the recording", names)).texts
    tables = {name: table for name, table in document.plugins.items() if name in plugins}
    # What else stands in the file, a token for example, need not be at hand here.
    document = replace(document, given={}, plugins=tables)
    wrong = Complaints()
    settings = make(given, document, wrong, active_plugins=(), listening=False)
    wrong.tell()
    with_quirks = "quirks" in given or document.quirks is not None
    timeout = settings.limits.call_timeout
    return {
        "plugins": settings.action_plugins,
        "quirks": settings.quirks if with_quirks else None,
        "plugin_config": _plugin_config(settings, given),
        "limits": replace(then.limits, call_timeout=timeout) if "call-timeout" in given else None,
    }


def _plugin_config(settings: Settings, given: Mapping[str, Given]) -> dict[str, dict[str, Any]]:
    """The configuration of the plug-ins without the defaults: of these the recording knows more.

    So there is no store either, unless one is given: not the one that the server has.
    """
    config = {name: dict(table) for name, table in settings.plugin_config.items()}
    for plugin in settings.action_plugins:
        for name, option in OPTIONS.items():
            if option.plugin is None or name in given:
                continue
            kind, key = option.plugin
            if kind == RECORDS and IRecords.providedBy(plugin):
                del config[plugin.name][key]
    return config


def _lines(paths: Sequence[Path]) -> tuple[list[str], list[bytes]]:
    """The lines of all files, oldest file first: where each stands, and each."""
    contents = []
    for path in paths:
        try:
            contents.append((path, path.read_bytes().split(b"\n")))
        except OSError as error:
            raise _failed(f"{path} cannot be read: {error.strerror or error}") from None
    contents.sort(key=lambda content: _begins(content[1]))
    places, found = [], []
    for path, lines in contents:
        file = f"{path}, " if len(contents) > 1 else ""
        places += [f"{file}line {number}" for number in range(1, len(lines) + 1)]
        found += lines
    return places, found


def _begins(lines: Sequence[bytes]) -> str:
    """The first time in a file; later than all if it has none."""
    for line in lines:
        try:
            return read(line).time
        except NotALine:
            continue
    return "~"


def _failed(text: str) -> SystemExit:
    print(f"ocpp_twisted.replay: {text}", file=sys.stderr)
    return SystemExit(2)


if __name__ == "__main__":
    warnings = FilteringLogObserver(
        textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)]
    )
    globalLogBeginner.beginLoggingTo([warnings], redirectStandardIO=False)
    react(main, sys.argv[1:])
