"""The contract between the scorer and the code that needs scores."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_detector.events import Kind, ModelRef, Thresholds
from stream_detector.models.reference import Reference

CANARIES: Mapping[Kind, str] = {"url": "example.com/index.html", "host": "example.com"}
"""Texts that any working model can score."""


class ServedModel(msgspec.Struct, frozen=True):
    """The facts about a model that verdicts and metrics show."""

    ref: ModelRef
    thresholds: Thresholds
    reference: Reference | None = None
    """The distribution that traffic is compared with; None if the bundle has none."""
    created_at: datetime | None = None
    """When it was trained; None if it does not come from a bundle."""


class TextScorer(Protocol):
    """Scores canonical texts. All calls come from one thread, the scorer's owner.

    ``warm_up`` is called once, before the first ``score``. A text's score depends only on
    that text, to 1e-5, and not on the other texts of its batch.
    """

    @property
    def device(self) -> str:
        """Where the models run, as TensorFlow names it."""
        ...

    @property
    def models(self) -> Mapping[Kind, ServedModel]:
        """The model that serves each kind."""
        ...

    def warm_up(self) -> None:
        """Compile every shape that ``score`` will use."""
        ...

    def score(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated probabilities that ``texts`` are malicious, shape ``[len(texts)]``.

        Raises:
            ScoringError: the model raised; splitting the batch finds the text at fault.
            DeviceError: memory or device failed; no text is at fault.
        """
        ...
