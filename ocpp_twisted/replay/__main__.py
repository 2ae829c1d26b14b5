"""The command ``python -m ocpp_twisted.replay``.

Exit codes: 0, nothing differs; 1, something does; 2, a file or a plug-in cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
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

from ocpp_twisted.discovery import choose, look_in
from ocpp_twisted.errors import OCPPError
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.recording.lines import NotALine, read
from ocpp_twisted.replay.player import replay

__all__ = ["main"]


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
        "--action-plugin",
        metavar="NAME",
        action="append",
        help="a plug-in that answers, as for twistd ocpp; repeatable [default: local]",
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
        plugins = choose(IActionPlugin, options.action_plugin or ["local"])
        report = await replay(
            lines, plugins, ignored=options.ignore, reactor=reactor, places=places
        )
    except OCPPError as error:
        raise _failed(str(error)) from None
    print(report)
    if not report.lines:
        raise _failed("there is no line of a recording in it")
    raise SystemExit(1 if report.differences else 0)


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
