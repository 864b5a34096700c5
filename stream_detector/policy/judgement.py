"""What a list or the model says of one text."""

from collections.abc import Mapping
from typing import NamedTuple

from stream_detector.events import VerdictName

_SEVERITY: Mapping[VerdictName, int] = {"benign": 0, "suspicious": 1, "malicious": 2}


class Judgement(NamedTuple):
    """On one text."""

    verdict: VerdictName
    score: float | None
    """None where a list decided."""
    reason: str
    """As in ``Decision``."""

    @property
    def severity(self) -> tuple[int, float]:
        """Greater is worse; between equal verdicts, a list is surer than the model."""
        return _SEVERITY[self.verdict], 1.0 if self.score is None else self.score


DENIED = Judgement("malicious", None, "deny_list")
ALLOWED = Judgement("benign", None, "allow_list")
