"""The command ``python -m ocpp_twisted.stress``.

Exit codes: 0, nothing has failed; 1, something has; 2, it could not begin.
"""

from __future__ import annotations

import json
import signal
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from twisted.internet.task import react

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.stress.options import parse, plans
from ocpp_twisted.stress.progress import Progress
from ocpp_twisted.stress.report import as_json, as_text
from ocpp_twisted.stress.run import Result, Run


async def main(reactor: Any, options: Namespace) -> None:
    """Run, print the result and exit."""
    progress = Progress(sys.stderr)
    try:
        run = Run(reactor, plans(options), progress.tell)
        reactor.callWhenRunning(_stop_on_signals, reactor, run)
        result = await run.result()
    except ConfigurationError as error:
        print(f"ocpp_twisted.stress: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    finally:
        progress.end()
    raise SystemExit(_tell(options, result))


def _tell(options: Namespace, result: Result) -> int:
    """Print the result; returns the exit status."""
    status = 0 if result.good else 1
    table = sys.stdout
    if options.json == "-":
        table = sys.stderr
        print(json.dumps(as_json(options, result)), flush=True)
    elif options.json is not None:
        try:
            Path(options.json).write_text(json.dumps(as_json(options, result)) + "\n")
        except OSError as error:
            print(f"{options.json} cannot be written: {error.strerror}", file=sys.stderr)
            status = 1
    print("\n".join(as_text(options, result)), file=table)
    return status


def _stop_on_signals(reactor: Any, run: Run) -> None:
    """Ctrl-C and SIGTERM end the run early; a second one ends the program."""

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        reactor.callFromThread(run.stop)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


if __name__ == "__main__":
    react(main, [parse(sys.argv[1:])])
