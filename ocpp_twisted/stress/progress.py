"""What is told while a run goes on: a line that is written over and over, or one now and then.

Imports its neighbours.
"""

from __future__ import annotations

from typing import TextIO

from ocpp_twisted.stress.report import milliseconds, thousands
from ocpp_twisted.stress.tally import Tally

__all__ = ["Progress"]

#: Seconds between two lines where they cannot be written over.
_RARELY = 5
_SHOWN = (("p50", 0.5), ("p99", 0.99))


class Progress:
    """Tells how a run goes.

    :param stream: where to; a terminal has one line that is written over.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._over = stream.isatty()
        self._seconds = 0
        self._told = False

    def tell(self, stage: str, now: Tally, before: Tally) -> None:
        """How things stand; to be called once a second."""
        self._seconds += 1
        if self._over:
            self._stream.write(f"\r\x1b[K{_line(stage, now, before)}")
            self._told = True
        elif self._seconds % _RARELY == 1:
            self._stream.write(f"{_line(stage, now, before)}\n")
        self._stream.flush()

    def end(self) -> None:
        """Nothing more is told."""
        if self._told:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _line(stage: str, now: Tally, before: Tally) -> str:
    parts = [stage, f"{thousands(now.open)} of {thousands(now.asked)} open"]
    if now.due:
        lately = now.latency.since(before.latency)
        parts[0] = f"{stage} {now.seconds:.0f} s"
        parts.append(f"{thousands(now.answered)} answered, {thousands(lately.count)} just now")
        if lately.count:
            parts += (f"{name} {milliseconds(lately.quantile(share))}" for name, share in _SHOWN)
        parts.append(f"{thousands(now.failed.total())} failed")
    for name, reasons in (("refused", now.refused), ("lost", now.lost)):
        if reasons:
            parts.append(f"{thousands(reasons.total())} {name}")
    return ", ".join(parts)
