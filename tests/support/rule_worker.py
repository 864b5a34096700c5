"""A worker process whose model is a rule, so that tests can slow it down and make it fail.

``python -m support.rule_worker`` takes its settings from the environment as any worker does,
and these besides: ``RULE_SECONDS`` (how long a call of ``score`` takes), ``RULE_RAISES_ON``
(a text in canonical form), ``RULE_RAISES_ALWAYS`` (``1``: on everything, known-good texts too).
"""

import os
import sys
import time
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stream_detector.errors import ScoringError
from stream_detector.events import Kind, ModelRef, Thresholds
from stream_detector.logs.setup import configure_logging
from stream_detector.models.base import ServedModel
from stream_detector.settings.loading import load_settings
from stream_detector.worker.process import run_worker

__all__ = ["RuleScorer"]


class RuleScorer:
    """Scores by a hash of the text: the same text always has the same score."""

    device = "rule"

    def __init__(
        self, *, seconds: float = 0.0, raises_on: str = "", raises_always: bool = False
    ) -> None:
        self._seconds = seconds
        self._raises_on = raises_on
        self._raises_always = raises_always
        served = ServedModel(
            ref=ModelRef(name="rule", version="1", sha256="0" * 64),
            thresholds=Thresholds(suspicious=0.9, malicious=0.99),
        )
        self.models: Mapping[Kind, ServedModel] = {"url": served, "host": served}

    def warm_up(self) -> None:
        """A rule has nothing to compile."""

    def score(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """``crc32(text) / 2**32``."""
        time.sleep(self._seconds)
        if self._raises_always or (self._raises_on and self._raises_on in texts):
            raise ScoringError("the rule was told to raise")
        return np.array([zlib.crc32(text.encode()) / 2**32 for text in texts], dtype=np.float32)


if __name__ == "__main__":
    settings, _ = load_settings({}, os.environ, None)
    configure_logging(settings)
    sys.exit(
        run_worker(
            settings,
            scorer=RuleScorer(
                seconds=float(os.environ.get("RULE_SECONDS", "0")),
                raises_on=os.environ.get("RULE_RAISES_ON", ""),
                raises_always=os.environ.get("RULE_RAISES_ALWAYS") == "1",
            ),
        )
    )
