"""Counts the outcomes of a batch in the metrics, and logs its dead letters."""

import logging
from collections import Counter
from collections.abc import Iterable
from operator import attrgetter

from stream_detector.events import DeadLetter, Kind, Outcomes
from stream_detector.metrics import Metrics
from stream_detector.terminal.counted import counted

logger = logging.getLogger(__name__)

_LABELS = attrgetter("decision.labels")


def count_outcomes(metrics: Metrics, outcomes: Outcomes) -> None:
    """Count verdicts, alerts, folded alerts and dead letters.

    Once a batch: a label lookup for each record would cost more than its parsing.
    """
    folded: Counter[Kind] = Counter()
    for labels, count in Counter(map(_LABELS, outcomes.verdicts)).items():
        metrics.verdicts.labels(*labels).inc(count)
        if labels[1] == "malicious":
            folded[labels[0]] += count
    alerts = Counter(alert.verdict.decision.canonical.kind for alert in outcomes.alerts)
    for kind, count in alerts.items():
        metrics.alerts.labels(kind).inc(count)
    for kind, count in (folded - alerts).items():
        metrics.alerts_folded.labels(kind).inc(count)
    if outcomes.dead_letters:
        _count_dead_letters(metrics, outcomes.dead_letters)


def _count_dead_letters(metrics: Metrics, dead_letters: Iterable[DeadLetter]) -> None:
    letters: dict[tuple[str, str], list[DeadLetter]] = {}
    for letter in dead_letters:
        letters.setdefault((letter.source.topic, letter.reason.value), []).append(letter)
    for (topic, reason), alike in letters.items():
        metrics.dead_letters.labels(topic, reason).inc(len(alike))
    count = sum(map(len, letters.values()))
    logger.warning(
        "%s became %s",
        counted(count, "record"),
        "a dead letter" if count == 1 else "dead letters",
        extra={
            # One list and not a field for each topic and reason: a log index keeps every name of
            # a field for ever.
            "counts": [
                {
                    "topic": topic,
                    "reason": reason,
                    "count": len(alike),
                    "first_partition": alike[0].source.partition,
                    "first_offset": alike[0].source.offset,
                }
                for (topic, reason), alike in letters.items()
            ]
        },
    )
