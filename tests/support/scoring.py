"""A scorer whose model is a list of words, for tests that must know each score beforehand."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stream_detector.errors import ScoringError
from stream_detector.events import Kind, ModelRef, Thresholds
from stream_detector.models.base import ServedModel

__all__ = ["WordScorer", "served_by"]

KINDS: tuple[Kind, Kind] = ("url", "host")


def served_by(version: str) -> dict[Kind, ServedModel]:
    """Both models in one version; suspicious from 0.5, malicious from 0.9."""
    return {
        kind: ServedModel(
            ref=ModelRef(name=f"words-{kind}", version=version, sha256="0" * 64),
            thresholds=Thresholds(suspicious=0.5, malicious=0.9),
        )
        for kind in KINDS
    }


class WordScorer:
    """``evil`` in a text scores 0.96875, ``odd`` 0.625, anything else 0.125 (exact floats).

    ``calls`` keeps what ``score`` was asked. A batch that holds a text of ``raises_on`` raises
    ``error``; the texts of ``wrong_on`` get the score given there.
    """

    device = "words"

    def __init__(
        self,
        *,
        raises_on: Collection[str] = (),
        raises_on_all: bool = False,
        wrong_on: Mapping[str, float] | None = None,
    ) -> None:
        self.models: Mapping[Kind, ServedModel] = served_by("1")
        self.raises_on = raises_on
        self.raises_on_all = raises_on_all
        self.wrong_on = wrong_on or {}
        self.error: Exception = ScoringError("told to raise")
        self.calls: list[tuple[Kind, list[str]]] = []

    def warm_up(self) -> None:
        """Words need no compiling."""

    def score(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """The score of each text by the words in it."""
        self.calls.append((kind, list(texts)))
        if self.raises_on_all or any(text in self.raises_on for text in texts):
            raise self.error
        return np.array([self._score(text) for text in texts], dtype=np.float32)

    def _score(self, text: str) -> float:
        if text in self.wrong_on:
            return self.wrong_on[text]
        if "evil" in text:
            return 0.96875
        return 0.625 if "odd" in text else 0.125
