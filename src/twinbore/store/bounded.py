"""A mapping that keeps the entries that were put into it last, for what can be made again at a price."""

from __future__ import annotations

from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(Generic[Key, Value]):
    """At most `most` entries; the oldest go first. Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: dict[Key, Value] = {}
        self._lock = Lock()
        self.get = self._kept.get

    def put(self, key: Key, value: Value) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = value
            while len(self._kept) > self.most:
                del self._kept[next(iter(self._kept))]

    def __len__(self) -> int:
        return len(self._kept)
