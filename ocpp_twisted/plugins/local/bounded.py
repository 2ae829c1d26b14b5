"""A dictionary that cannot grow without end. Imports nothing of the package."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Bounded"]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Bounded(OrderedDict[_Key, _Value]):
    """A dictionary of at most `limit` keys: the one that was set longest ago is forgotten."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __setitem__(self, key: _Key, value: _Value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._limit:
            self.popitem(last=False)

    def renew(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """The value of `key`, made if there is none; it counts as set now."""
        value = self[key] if key in self else make()
        self[key] = value
        return value
