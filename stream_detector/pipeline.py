"""Bytes in, outcomes out: a record's way from top to bottom, without Faust and Kafka.

``Pipeline.parts`` reads the records of a batch into events, decides on all events at once, and
makes verdicts, alerts and dead letters, each in order of input.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import NamedTuple

from stream_detector.batch_reading import BatchReader, Reading
from stream_detector.events import Chunk, Comparison, Decision, Outcomes, Rejected, Verdict
from stream_detector.metrics import Metrics
from stream_detector.outcome_counts import count_outcomes
from stream_detector.policy.alert_windows import AlertWindows
from stream_detector.policy.decider import Decider
from stream_detector.policy.shadow import comparison_records
from stream_detector.privacy.outputs import Privacy


def utc_now() -> datetime:
    """The time of day, timezone-aware."""
    return datetime.now(UTC)


class Part(NamedTuple):
    """The outcomes of the next records of a batch."""

    outcomes: Outcomes
    chunks: int
    """Chunks of the batch that end with this part or an earlier one."""


class Pipeline:
    """Turns chunks into outcomes. Synchronous; all calls come from one thread.

    - Each event gives one verdict. Its id is ``cluster:topic:partition:offset:index``, where
      ``index`` counts the record's lines and events from 0, so a replay gives the same id.
      Kafka allows no colon in a topic's name: read from its end, an id has one meaning.
    - A record with a line at fault gives one dead letter, which names the first fault, and the
      verdicts of its good lines. A record that is too long, or has too many lines or events, gives
      only a dead letter.
    - A line of a type that names no URL is only counted.
    - A malicious verdict gives an alert, or adds to the count of one: see ``AlertWindows``.
    - A comparison with a shadow model gives records of its own, and changes none of the above.
    - Every step before the masking sees the original clients and queries: see ``Privacy``.
    """

    def __init__(
        self,
        *,
        reader: BatchReader,
        decider: Decider,
        alert_windows: AlertWindows,
        privacy: Privacy,
        metrics: Metrics,
        batch_records: int,
    ) -> None:
        """``batch_records`` fill a batch. ``assembly`` makes a pipeline from settings."""
        self._reader = reader
        self._decider = decider
        self._alert_windows = alert_windows
        self._privacy = privacy
        self._metrics = metrics
        self._batch_records = batch_records

    def process(self, chunks: Iterable[Chunk]) -> Outcomes:
        """All parts in one. Raises as ``parts``."""
        comparisons: list[Comparison] = []
        whole = Outcomes([], [], [], comparisons)
        for outcomes, _ in self.parts(chunks):
            whole.verdicts.extend(outcomes.verdicts)
            whole.alerts.extend(outcomes.alerts)
            whole.dead_letters.extend(outcomes.dead_letters)
            comparisons.extend(outcomes.comparisons)
        return whole

    def parts(self, chunks: Iterable[Chunk]) -> Iterator[Part]:
        """The outcomes of ``chunks``, part by part. No record is lost, whatever its bytes.

        Most batches are one part. Records with many URLs, or slow to read, make more, and a part
        may end within a record. The next part is read when the caller requests it: this bounds the
        memory and the time of a part.

        Raises:
            ModelError: the model fails on a text known to be good.
            DeviceError: memory or device failed.
        """
        started = perf_counter()
        for reading in self._reader.parts(chunks):
            self._metrics.stage_seconds.labels("parse").observe(perf_counter() - started)
            yield Part(self._outcomes(reading), reading.chunks)
            started = perf_counter()

    def _outcomes(self, reading: Reading) -> Outcomes:
        """Decide, judge, alert, mask, count."""
        started = perf_counter()
        decisions, compared = self._decider.decide(reading.observed)
        verdicts = _judge(reading, decisions)
        alerts = self._alert_windows.alerts(verdicts)
        comparisons = comparison_records(compared, verdicts, batch_id=reading.first)
        outcomes = Outcomes(verdicts, alerts, reading.dead_letters(), comparisons)
        outcomes = self._privacy.masked(outcomes)
        self._metrics.stage_seconds.labels("decide").observe(perf_counter() - started)
        records = len(reading.records)
        self._metrics.batch_records.observe(records)
        self._metrics.batch_fill_ratio.observe(records / self._batch_records)
        count_outcomes(self._metrics, outcomes)
        return outcomes


def _judge(reading: Reading, decisions: Sequence[Decision | Rejected]) -> list[Verdict]:
    """The verdict on each event with a decision; rejected ones become faults of their records."""
    sightings, places, faults = reading.sightings, reading.places, reading.faults
    verdicts: list[Verdict] = []
    for sighting, decision, place in zip(sightings, decisions, places, strict=True):
        # This order, since the answer is mostly yes: a no takes 0.1 us with msgspec's structs.
        if isinstance(decision, Decision):
            verdicts.append(Verdict(sighting, decision))
            continue
        earlier = faults.get(place)
        if earlier is None or sighting.source.index < earlier[0].index:
            faults[place] = (sighting.source, sighting.format, decision)
    return verdicts
