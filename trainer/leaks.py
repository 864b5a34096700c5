"""Things that tell the label alone: a model that finds them has learned the collection.

Each is a yes or no of a row as it was read. What is told is balanced accuracy: 0.5 says nothing,
1.0 says all.
"""

import re
from collections import Counter
from typing import NamedTuple

__all__ = ["Leak", "LeakSearch"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SUSPECT = 0.8
_ROWS_MIN = 50
"""Of each label, below which chance makes leaks."""


class Leak(NamedTuple):
    """One yes-or-no that tells more than it should."""

    what: str
    balanced_accuracy: float

    def __str__(self) -> str:
        return f"{self.what} alone tells the label, balanced accuracy {self.balanced_accuracy:.2f}"


class LeakSearch:
    """Counts how often each candidate holds among benign and malicious rows."""

    def __init__(self) -> None:
        self._rows: Counter[int] = Counter()
        self._holds: dict[int, Counter[str]] = {0: Counter(), 1: Counter()}

    def add(self, observed: str, label: int) -> None:
        """Count a row as it was read, before it is made canonical."""
        self._rows[label] += 1
        holds = self._holds[label]
        scheme = _SCHEME.match(observed)
        rest = observed[scheme.end() :] if scheme else observed
        host, slash, path = rest.partition("/")
        holds[f"the scheme {scheme[1].lower()}" if scheme else "no scheme"] += 1
        if host.startswith("www."):
            holds["www."] += 1
        if path.strip("/"):
            holds["a path"] += 1
        elif slash:
            holds["a lone / at the end"] += 1
        holds.update({f"the character {letter!r}" for letter in rest if not letter.isalnum()})

    def leaks(self) -> list[Leak]:
        """What tells the label well alone, worst first."""
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
