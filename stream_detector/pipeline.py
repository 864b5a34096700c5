"""Bytes in, outcomes out: the way of a record, from top to bottom, free of Faust and Kafka.

``Pipeline.process`` reads the records of a batch into events, has all events decided at once,
and makes of them verdicts, alerts and dead letters, each in order of input.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from operator import attrgetter, itemgetter
from time import perf_counter
from typing import NamedTuple

from stream_detector.batch_reading import BatchReader, Reading
from stream_detector.events import (
    Alert,
    Chunk,
    DeadLetter,
    Decision,
    Kind,
    Outcomes,
    RawRecord,
    Rejected,
    UnreadRecord,
    Verdict,
)
from stream_detector.limits import REPLAY_OF_BYTES_MAX
from stream_detector.metrics import Metrics
from stream_detector.policy.alert_windows import AlertWindows
from stream_detector.policy.decider import Decider
from stream_detector.policy.shadow import Compared
from stream_detector.privacy.outputs import Privacy
from stream_detector.privacy.urls import without_nested_credentials
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted
from stream_detector.wire.comparisons import Comparison, Counts, Disagreement, pairs_of
from stream_detector.wire.outcomes import REPLAY_OF

__all__ = ["Part", "Pipeline", "utc_now"]

logger = logging.getLogger(__name__)

_LABELS = attrgetter("decision.labels")


def utc_now() -> datetime:
    """The time of day, timezone-aware."""
    return datetime.now(UTC)


class Part(NamedTuple):
    """What the next records of a batch became."""

    outcomes: Outcomes
    chunks: int
    """Chunks of the batch that are at their end with this part, those of the parts before too."""


class Pipeline:
    """Makes outcomes of chunks. Synchronous; all calls come from one thread.

    - Each event becomes one verdict. Its id is ``cluster:topic:partition:offset:index``, where
      ``index`` counts the record's lines and events from 0, so a replay gives the same id.
      Kafka allows no colon in a topic's name: read from its end, an id has one meaning.
    - A record with a line at fault becomes one dead letter, which names the first fault,
      besides the verdicts of its good lines. So does a record longer than
      ``settings.record_bytes_max``, which is not parsed, and one of more than
      ``settings.record_lines_max`` lines or events, which gets no verdict.
    - A line that by its nature names no URL gives nothing but a count.
    - A malicious verdict gives an alert, or is folded into one: see ``AlertWindows``.
    - What a shadow model was compared on gives comparisons, and changes none of the above.
    - Clients and queries are read, and decided on, as they are; what comes out holds of them what
      the settings allow: see ``Privacy``.

    Raises:
        SettingsError: ``settings.input_formats`` names an unknown format, or a topic that is
            not an input topic.
        OSError: the file of the key of pseudonyms can't be read.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        decider: Decider,
        metrics: Metrics,
        cluster: str,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._reader = BatchReader(settings=settings, metrics=metrics, cluster=cluster, clock=clock)
        self._decider = decider
        self._metrics = metrics
        self._alert_windows = AlertWindows(
            seconds=settings.alert_window, keys_max=settings.alert_keys_max
        )
        self._privacy = Privacy(settings)

    def process(self, chunks: Iterable[Chunk]) -> Outcomes:
        """What the records of ``chunks`` become, all at once. Raises as ``parts``."""
        whole = Outcomes([], [], [])
        for outcomes, _ in self.parts(chunks):
            whole.verdicts.extend(outcomes.verdicts)
            whole.alerts.extend(outcomes.alerts)
            whole.dead_letters.extend(outcomes.dead_letters)
            if outcomes.comparisons:
                whole = whole._replace(comparisons=[*whole.comparisons, *outcomes.comparisons])
        return whole

    def parts(self, chunks: Iterable[Chunk]) -> Iterator[Part]:
        """What the records of ``chunks`` become. No record is lost, whatever its bytes.

        Most batches are one part. Records that name many URLs or take long to read make more, and
        a part may end within a record: the next part is read when it is asked for, so that memory
        and time of a part have a bound.

        Raises:
            ModelError: the model fails on a text known to be good.
            DeviceError: memory or device failed.
        """
        started = perf_counter()
        for reading in self._reader.parts(chunks):
            yield Part(self._decide(reading, started), reading.chunks)
            started = perf_counter()

    def _decide(self, reading: Reading, started: float) -> Outcomes:
        """What a part becomes that was read since ``started``."""
        parsed = perf_counter()
        decisions = self._decider.decide(reading.observed)
        verdicts = _judge(reading, decisions)
        alerts = self._raise_alerts(verdicts)
        dead_letters = self._privacy.dead_letters(_dead_letters(reading))
        decided = perf_counter()

        self._metrics.stage_seconds.labels("parse").observe(parsed - started)
        self._metrics.stage_seconds.labels("decide").observe(decided - parsed)
        records = len(reading.records)
        self._metrics.batch_records.observe(records)
        self._metrics.batch_fill_ratio.observe(records / self._settings.batch_records)
        self._count_outcomes(verdicts, alerts, dead_letters)
        written = self._privacy.verdicts(verdicts)
        compared = self._decider.take_comparisons()
        if not compared:
            return Outcomes(written, alerts, dead_letters)
        batch_id, compared_at = reading.first, verdicts[0].sighting.detected_at
        comparisons: list[Comparison] = [
            *(_counts(each, batch_id, compared_at) for each in compared),
            *map(self._privacy.disagreement, _disagreements(compared, verdicts)),
        ]
        return Outcomes(written, alerts, dead_letters, comparisons)

    def _raise_alerts(self, verdicts: Iterable[Verdict]) -> list[Alert]:
        """The alerts of the malicious ones among ``verdicts``."""
        alerts: list[Alert] = []
        for verdict in verdicts:
            if verdict.decision.verdict == "malicious":
                alert = self._alert_windows.admit(self._privacy.alerting(verdict))
                if alert is not None:
                    alerts.append(alert)
        return alerts

    def _count_outcomes(
        self,
        verdicts: Iterable[Verdict],
        alerts: Iterable[Alert],
        dead_letters: Iterable[DeadLetter],
    ) -> None:
        metrics = self._metrics
        by_verdict = Counter(map(_LABELS, verdicts))
        folded: Counter[Kind] = Counter()
        for labels, count in by_verdict.items():
            metrics.verdicts.labels(*labels).inc(count)
            if labels[1] == "malicious":
                folded[labels[0]] += count
        for kind, count in Counter(
            alert.verdict.decision.canonical.kind for alert in alerts
        ).items():
            metrics.alerts.labels(kind).inc(count)
            folded[kind] -= count
        for kind, count in folded.items():
            metrics.alerts_folded.labels(kind).inc(count)
        self._count_dead_letters(dead_letters)

    def _count_dead_letters(self, dead_letters: Iterable[DeadLetter]) -> None:
        """Count them by topic and reason, and log the counts with where the first of each is."""
        letters: dict[tuple[str, str], list[DeadLetter]] = {}
        for letter in dead_letters:
            letters.setdefault((letter.source.topic, letter.reason.value), []).append(letter)
        for (topic, reason), alike in letters.items():
            self._metrics.dead_letters.labels(topic, reason).inc(len(alike))
        if count := sum(map(len, letters.values())):
            logger.warning(
                "%s became %s",
                counted(count, "record"),
                "a dead letter" if count == 1 else "dead letters",
                extra={
                    # One list and not a field for each topic and reason: a log index keeps every
                    # name of a field for ever.
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


def _judge(reading: Reading, decisions: Sequence[Decision | Rejected]) -> list[Verdict]:
    """The verdict on each event that got a decision; the others' faults join those of reading."""
    sightings, places, faults = reading.sightings, reading.places, reading.faults
    verdicts: list[Verdict] = []
    for sighting, decision, place in zip(sightings, decisions, places, strict=True):
        # Asked so that the answer is mostly yes: a no takes msgspec's structs 0.1 us.
        if isinstance(decision, Decision):
            verdicts.append(Verdict(sighting, decision))
            continue
        earlier = faults.get(place)
        if earlier is None or sighting.source.index < earlier[0].index:
            faults[place] = (sighting.source, sighting.format, decision)
    return verdicts


def _counts(each: Compared, batch_id: str, compared_at: datetime) -> Counts:
    """The record of how many texts were compared."""
    return Counts(
        f"{batch_id}:{each.kind}",
        compared_at,
        each.kind,
        each.served,
        each.shadow,
        each.share,
        each.texts,
        each.passed_over,
        pairs_of(each.verdicts),
        each.score_difference,
    )


def _disagreements(
    compared: Iterable[Compared], verdicts: Iterable[Verdict]
) -> Iterator[Disagreement]:
    """The texts that two models disagree on, each with the first event that it was seen in."""
    differing = {
        (each.kind, without_nested_credentials(text)): opinions
        for each in compared
        for text, opinions in each.disagreements.items()
    }
    for verdict in verdicts:
        if not differing:
            return
        sighting, canonical = verdict.sighting, verdict.decision.canonical
        opinions = differing.pop((canonical.kind, canonical.text), None)
        if opinions is not None:
            yield Disagreement(
                sighting.id,
                sighting.detected_at,
                canonical.kind,
                canonical.text,
                canonical.host,
                canonical.registered_domain,
                *opinions,
                sighting.source,
            )


def _dead_letters(reading: Reading) -> list[DeadLetter]:
    """One dead letter for each record at fault, in order of input.

    A record that goes on gets its own with its last events: one before those may be at fault.
    """
    records = reading.records
    unfinished = len(records) - 1 if reading.goes_on else None
    letters: list[DeadLetter] = []
    for place, (position, log_format, fault) in sorted(reading.faults.items(), key=itemgetter(0)):
        if place == unfinished:
            continue
        record = records[place]
        letters.append(
            DeadLetter(
                record.key,
                record.value,
                fault.reason,
                fault.detail,
                position,
                record.timestamp,
                withheld=("contents",) if isinstance(record, UnreadRecord) else (),
                format=log_format,
                replay_of=_replay_of(record),
            )
        )
    return letters


def _replay_of(record: RawRecord) -> bytes:
    """What ``dead-letters replay`` notes in a record that it writes: a letter that it becomes says
    so, lest it be replayed again and again."""
    for name, value in record.headers:
        if name == REPLAY_OF and value:  # Kafka allows a header without a value.
            return value[:REPLAY_OF_BYTES_MAX]
    return b""
