"""A bounded memory of earlier results."""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """Remembers at most ``entries`` values, in two generations.

    New and re-used entries go into the young generation; when it holds half of ``entries`` it
    becomes the old one, and the old one is forgotten. An entry that is used at least once in a
    generation's life stays, as under an LRU, but a hit costs one dict lookup and no
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
        return self.get_all([key])[0]

    def get_all(self, keys: Sequence[Key]) -> list[Value | None]:
        """The value remembered for each of ``keys``, or None."""
        values = list(map(self._young.get, keys))
        if self._old:
            old = self._old
            for place, value in enumerate(values):
                if value is None:
                    found = old.get(keys[place])
                    if found is not None:
                        values[place] = found
                        self.put(keys[place], found)
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
