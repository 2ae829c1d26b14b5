"""What makes two messages of ours the same, although the one was sent then and the other now.

Imports the recording's redaction. The times that are told and the ids that a central system
gives out (message ids, OCPP 1.6 transaction ids) are never the same again.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ocpp_twisted.recording.redaction import HIDDEN

__all__ = ["TransactionIds", "difference"]


class TransactionIds:
    """The transaction ids of one OCPP 1.6 charge point: the recorded ones, and those of now.

    In 2.x charge points give them out themselves, so nothing is to be translated there.
    """

    def __init__(self) -> None:
        self._now: dict[Any, Any] = {}

    def learn(self, recorded: Any, now: Any) -> bool:
        """A StartTransaction was answered with these.

        :returns: whether it agrees with what was known.
        """
        return bool(self._now.setdefault(recorded, now) == now)

    def translate(self, tree: Any) -> Any:
        """A recorded payload as it would be today; the same object if nothing is to be changed."""
        if not self._now:
            return tree
        if isinstance(tree, list):
            return [self.translate(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        return {
            name: self._now.get(value, value)
            if name == "transactionId" and isinstance(value, int)
            else self.translate(value)
            for name, value in tree.items()
        }


def difference(recorded: Any, now: Any, ignored: Collection[str], place: str = "$") -> str | None:
    """The first place where two JSON values differ; None if they do not.

    What was hidden in the recorded one may be anything now.

    :param ignored: names of fields that may differ, wherever they stand, if both are there.
    """
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in [*recorded, *(now.keys() - recorded.keys())]:
            at = f"{place}.{name}"
            if name not in recorded or name not in now:
                return at
            if name not in ignored:
                found = difference(recorded[name], now[name], ignored, at)
                if found is not None:
                    return found
        return None
    if isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        for number, pair in enumerate(zip(recorded, now, strict=True)):
            found = difference(*pair, ignored, f"{place}[{number}]")
            if found is not None:
                return found
        return None
    if isinstance(recorded, str) and isinstance(now, str) and HIDDEN in recorded:
        told = ".*".join(map(re.escape, recorded.split(HIDDEN)))
        return None if re.fullmatch(told, now, re.DOTALL) else place
    return None if recorded == now and type(recorded) is type(now) else place
