"""Leaks: single properties that give the label away, so that a model learns the collection.

Each property is a yes or no of a row's canonical text, the text that models read: it has lost the
scheme, ``www.`` and a lone ``/``. The measure is balanced accuracy, from 0.5 (no leak) to 1.0.
"""

from collections import Counter
from typing import NamedTuple

_SUSPECT = 0.8
_ROWS_MIN = 50
"""Rows of each label below which chance makes leaks."""


class Leak(NamedTuple):
    """A property that gives too much away."""

    what: str
    balanced_accuracy: float

    def __str__(self) -> str:
        return f"{self.what} alone tells the label, balanced accuracy {self.balanced_accuracy:.2f}"


class LeakSearch:
    """Counts how often each property holds among benign and malicious rows."""

    def __init__(self) -> None:
        self._rows: Counter[int] = Counter()
        self._holds: dict[int, Counter[str]] = {0: Counter(), 1: Counter()}

    def add(self, text: str, label: int) -> None:
        """Count a row by its canonical text."""
        self._rows[label] += 1
        holds = self._holds[label]
        if "/" in text:
            holds["a path"] += 1
        marks = {letter for letter in text if not letter.isalnum()} - {"/"}
        holds.update({f"the character {mark!r}" for mark in marks})

    def leaks(self) -> list[Leak]:
        """The leaks, worst first."""
        benign, malicious = self._rows[0], self._rows[1]
        if min(benign, malicious) < _ROWS_MIN:
            return []
        found = []
        for what in set(self._holds[0]) | set(self._holds[1]):
            difference = self._holds[1][what] / malicious - self._holds[0][what] / benign
            accuracy = 0.5 + abs(difference) / 2
            if accuracy >= _SUSPECT:
                found.append(Leak(what, accuracy))
        return sorted(found, key=lambda leak: (-leak.balanced_accuracy, leak.what))
