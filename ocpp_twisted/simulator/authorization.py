"""What a charge point knows of tokens itself: the local authorization list, and the cache.

Imports nothing of the package. Source: OCPP 1.6 sections 3.5.1 to 3.5.3, 5.15, 6.41 and 7.47; OCPP
2.x use cases C10, C12 to C14, D01 and D02. A token is known by a key: in 1.6 its id tag in small
letters, in 2.x its value and type. Both last over restarts, as memory that keeps them would.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

__all__ = ["Cache", "LocalList", "Standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a token.

    :ivar status: the version's word for it: ``Accepted``, ``Blocked``, ...
    :ivar expiry: from then on it is ``Expired``.
    :ivar group: its parent id tag, or group id token, as a key; None for none.
    :ivar info: the version's object that said so.
    """

    status: str
    expiry: datetime | None = None
    group: Hashable = None
    info: Any = None

    @property
    def accepted(self) -> bool:
        """Whether it may charge."""
        return self.status == "Accepted"

    def at(self, now: datetime) -> Standing:
        """What it is at a time."""
        if self.expiry is None or now < self.expiry or not self.accepted:
            return self
        return replace(self, status="Expired")


class LocalList:
    """The local authorization list, which only the central system changes.

    :ivar limit: how many tokens it can hold.
    :ivar at_once: how many one message may bring.
    """

    def __init__(self, limit: int, at_once: int) -> None:
        self.limit = limit
        self.at_once = at_once
        self._version = 0
        self._entries: dict[Hashable, Standing] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._entries)

    @property
    def version(self) -> int:
        """What the central system calls it; 0 if it is empty."""
        return self._version if self._entries else 0

    def get(self, token: Hashable, now: datetime) -> Standing | None:
        """What it says of a token; None if it does not know it."""
        entry = self._entries.get(token)
        return None if entry is None else entry.at(now)

    def replace(self, version: int, entries: Iterable[tuple[Hashable, Standing | None]]) -> str:
        """Take a full list.

        :returns: the wire's word: ``Accepted``, or ``Failed``; then nothing has changed.
        """
        pairs = list(entries)
        new = {token: standing for token, standing in pairs if standing is not None}
        if not self._can_be(version, pairs) or len(new) < len(pairs):
            return "Failed"
        return self._become(version, new)

    def update(self, version: int, entries: Iterable[tuple[Hashable, Standing | None]]) -> str:
        """Take changes: tokens to add or update, or, where there is nothing to say, to delete.

        :returns: the wire's word: ``Accepted``, ``VersionMismatch`` if it is not newer, or
            ``Failed``; then nothing has changed.
        """
        pairs = list(entries)
        if version <= self.version:
            return "VersionMismatch"
        if not self._can_be(version, pairs):
            return "Failed"
        new = dict(self._entries)
        for token, standing in pairs:
            if standing is not None:
                new[token] = standing
            else:
                new.pop(token, None)
        return self._become(version, new)

    def _can_be(self, version: int, pairs: list[tuple[Hashable, Standing | None]]) -> bool:
        """No token twice, no more than may be sent, and no version that means something else."""
        tokens = {token for token, _ in pairs}
        return version > 0 and len(tokens) == len(pairs) <= self.at_once

    def _become(self, version: int, new: Mapping[Hashable, Standing]) -> str:
        if len(new) > self.limit:
            return "Failed"
        self._version, self._entries = version, dict(new)
        return "Accepted"


class Cache:
    """The authorization cache: what the central system has said of tokens, good and bad.

    :param limit: how many tokens it holds.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[Hashable, Standing] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, token: Hashable, now: datetime) -> Standing | None:
        """What is known of a token; None if nothing is."""
        entry = self._entries.get(token)
        return None if entry is None else entry.at(now)

    def put(self, token: Hashable, standing: Standing, now: datetime) -> None:
        """Remember what the central system has said.

        When it is full, tokens that may not charge go first, then those known longest.
        """
        self._entries.pop(token, None)
        if len(self._entries) >= self._limit:
            valid = {each: known for each, known in self._entries.items() if known.at(now).accepted}
            self._entries = valid
            while len(valid) >= self._limit:
                del valid[next(iter(valid))]
        self._entries[token] = standing

    def forget(self, tokens: Iterable[Hashable]) -> None:
        """Remove some: those in the local list do not belong here."""
        for token in tokens:
            self._entries.pop(token, None)

    def clear(self) -> None:
        """Remove all."""
        self._entries.clear()
