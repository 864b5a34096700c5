"""Two windows of verdicts, compared: what tests of drift have in common."""

from datetime import timedelta

from stream_detector.events import ModelRef
from stream_detector.settings.fields import Settings
from support.drifting import END, verdict_record
from trainer.drift.comparing import compare
from trainer.drift.findings import Window
from trainer.drift.references import References
from trainer.drift.verdicts import Verdicts

__all__ = ["BEFORE", "RECENT", "UNKNOWN", "drift_of", "high", "low", "of_statistics", "only_model"]

UNKNOWN = ModelRef("url-model", "3", "a" * 64)
"""A model whose bundle is nowhere."""
BEFORE, RECENT = (24.1, 8 * 24), (0.01, 23.9)
"""The windows, as hours before the end."""

_WINDOWS = (
    Window(END - timedelta(days=1), END),
    Window(END - timedelta(days=8), END - timedelta(days=1)),
)


def drift_of(*records, references=None, groups_shown=5):
    """What is found by all ``records`` together."""
    verdicts = Verdicts()
    verdicts.add(value for part in records for _, value in part)
    references = references or References([], Settings())
    return compare(verdicts, *_WINDOWS, references, groups_shown=groups_shown)


def only_model(*records, **options):
    """The same, of the one model that they are of."""
    (model,) = drift_of(*records, **options).models
    return model


def of_statistics(model):
    """By name."""
    return {one.name: one for one in model.statistics}


def low(domain, count, hours):
    """Benign verdicts of one domain, with a score of 0.01."""
    return [
        verdict_record(f"{domain}/low{n}", domain, hours_ago=sum(hours) / 2, model=UNKNOWN)
        for n in range(count)
    ]


def high(domain, count, hours, *, model=UNKNOWN):
    """Suspicious ones, with a score of 0.6."""
    return [
        verdict_record(f"{domain}/hig{n}", domain, hours_ago=sum(hours) / 2, model=model, score=0.6)
        for n in range(count)
    ]
