"""A bounded memory of what was decided before."""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

__all__ = ["Memo"]

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """Remembers at most ``entries`` values, in two generations.

    New and re-used entries go into the young generation; when it holds half of ``entries`` it
    becomes the old one, and the old one is forgotten. What is used at least once in a
    generation's life stays, as under an LRU, and a hit costs one dict lookup and no
    bookkeeping. Not safe for several threads. Values may not be None.
    """

    def __init__(self, entries: int) -> None:
        self._generation_entries = entries // 2
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: Key) -> Value | None:
        """The value remembered for ``key``, or None."""
        value = self._young.get(key)
        return self._promoted(key) if value is None else value

    def get_all(self, keys: Iterable[Key]) -> list[Value | None]:
        """``[get(key) for key in keys]``, without a Python call for each hit."""
        keys = list(keys)
        values = list(map(self._young.get, keys))
        if self._old:
            for place, value in enumerate(values):
                if value is None:
                    values[place] = self._promoted(keys[place])
        return values

    def put(self, key: Key, value: Value) -> None:
        """Remember ``value``; forgets the old generation when the young one is full."""
        if self._generation_entries == 0:
            return
        if len(self._young) >= self._generation_entries:
            self._old = self._young
            self._young = {}
        self._young[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._young = {}
        self._old = {}

    def _promoted(self, key: Key) -> Value | None:
        value = self._old.get(key)
        if value is not None:
            self.put(key, value)
        return value
