"""What a replay has found. Imports nothing of the package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Difference", "Report"]


@dataclass(frozen=True, slots=True)
class Difference:
    """An answer, or something else of ours, that is not what it was.

    :ivar where: the line of the recording, for example ``line 12``.
    :ivar charge_point: its id, with its name before it if it has one.
    :ivar action: of the CALL; empty for something else.
    :ivar place: the first place in the frame that differs, for example ``$[2].idTagInfo.status``;
        empty if one of the two is missing.
    :ivar recorded: what was recorded.
    :ivar now: what there is now.
    """

    where: str
    charge_point: str
    action: str
    place: str
    recorded: str
    now: str

    def __str__(self) -> str:
        at = f" at {self.place}" if self.place else ""
        what = " ".join(filter(None, [self.charge_point, self.action]))
        return f"{self.where}: {what}{at}\n  recorded: {self.recorded}\n  now:      {self.now}"


@dataclass(slots=True)
class Report:
    """What a replay has found; as a string it can be read.

    :ivar differences: where the answers are not what they were, in the order of their finding.
    :ivar notes: what else is to be known, each a sentence: lines that could not be read, and such.
    :ivar lines: how many lines were read.
    :ivar connections: how many connections were played.
    :ivar compared: how many messages of ours were compared.
    :ivar called: how many calls were made again that the plug-ins did not make themselves.
    """

    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lines: int = 0
    connections: int = 0
    compared: int = 0
    called: int = 0

    def __str__(self) -> str:
        return "\n".join(self._paragraphs())

    def _paragraphs(self) -> Iterator[str]:
        yield from map(str, self.differences)
        yield from (f"note: {note}" for note in self.notes)
        yield (
            f"{len(self.differences)} differences: {self.lines} lines, {self.connections} "
            f"connections, {self.compared} messages compared, {self.called} calls made again"
        )
