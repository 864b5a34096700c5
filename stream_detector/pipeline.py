"""Bytes in, outcomes out: the way of a record, from top to bottom, free of Faust and Kafka.

``Pipeline.process`` reads the records of a batch into events, has all events decided at once,
and makes of them verdicts, alerts and dead letters, each in order of input.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from time import perf_counter

import msgspec

from stream_detector.decisions import Decider, Decision
from stream_detector.errors import SettingsError
from stream_detector.events import (
    Alert,
    Chunk,
    DeadLetter,
    Kind,
    Outcomes,
    RawRecord,
    Rejected,
    RejectReason,
    SourcePosition,
    UrlEvent,
    Verdict,
)
from stream_detector.metrics import Metrics
from stream_detector.policy.suppression import AlertWindows
from stream_detector.settings import Settings
from stream_detector.sources import EventResult, Source, read_record, source_named

__all__ = ["Pipeline", "utc_now"]

_CLIENT_CHARACTERS_MAX = 256
_LOG_ID_CHARACTERS_MAX = 256
"""Longer ones are cut, so that no log line makes a verdict too large for Kafka (1 MB)."""

_Faults = dict[int, tuple[RawRecord, SourcePosition, Rejected]]
"""The first fault of each record at fault, by the record's place in the batch."""


def utc_now() -> datetime:
    """The time of day, timezone-aware."""
    return datetime.now(UTC)


class _Sighting(msgspec.Struct, frozen=True, gc=False):
    """An event and where it was seen."""

    event: UrlEvent
    format: str
    position: SourcePosition
    place: int
    """Its record's place in the batch."""
    record: RawRecord


class Pipeline:
    """Makes outcomes of chunks. Synchronous; all calls come from one thread.

    - Each event becomes one verdict. Its id is ``cluster:topic:partition:offset:index``, where
      ``index`` counts the record's lines and events from 0, so a replay gives the same id.
      Kafka allows no colon in a topic's name: read from its end, an id has one meaning.
    - A record with a line at fault becomes one dead letter, which names the first fault,
      besides the verdicts of its good lines. So does a record longer than
      ``settings.record_bytes_max``, which is not parsed.
    - A line that by its nature names no URL gives nothing but a count.
    - A malicious verdict gives an alert, or is folded into one: see ``AlertWindows``.

    Raises:
        SettingsError: ``settings.input_formats`` names an unknown format, or a topic that is
            not an input topic.
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
        self._sources = _sources_by_topic(settings)
        self._decider = decider
        self._metrics = metrics
        self._cluster = cluster
        self._clock = clock
        self._alert_windows = AlertWindows(
            seconds=settings.alert_window, keys_max=settings.alert_keys_max
        )

    def process(self, chunks: Sequence[Chunk]) -> Outcomes:
        """What the records of ``chunks`` become. No record is lost, whatever its bytes.

        Raises:
            ModelError: the model fails on a text known to be good.
            DeviceError: memory or device failed.
        """
        started = perf_counter()
        sightings, faults = self._read(chunks)
        parsed = perf_counter()
        decisions = self._decider.decide(
            [(seen.event.kind, seen.event.observed) for seen in sightings]
        )
        verdicts = self._judge(sightings, decisions, faults)
        alerts = self._raise_alerts(verdicts)
        dead_letters = _dead_letters(faults)
        decided = perf_counter()

        self._metrics.stage_seconds.labels("parse").observe(parsed - started)
        self._metrics.stage_seconds.labels("decide").observe(decided - parsed)
        records = sum(len(chunk.records) for chunk in chunks)
        self._metrics.batch_records.observe(records)
        self._metrics.batch_fill_ratio.observe(records / self._settings.batch_records)
        self._count_outcomes(verdicts, alerts, dead_letters)
        return Outcomes(verdicts, alerts, dead_letters)

    def _read(self, chunks: Iterable[Chunk]) -> tuple[list[_Sighting], _Faults]:
        """The events of all records, and the first fault of each record that has one."""
        bytes_max, lines_max = self._settings.record_bytes_max, self._settings.record_lines_max
        sightings: list[_Sighting] = []
        faults: _Faults = {}
        records_before = 0
        for topic, partition, records in chunks:
            source = self._sources.get(topic)
            ignored: list[str] = []
            sightings_before = len(sightings)
            for place, record in enumerate(records, start=records_before):
                offset, value = record.offset, record.value or b""
                if len(value) > bytes_max:
                    results = _too_large(value, bytes_max)
                else:
                    results = read_record(value, source=source, lines_max=lines_max)
                for index, (name, result) in enumerate(results):
                    position = SourcePosition(topic, partition, offset, index)
                    if isinstance(result, UrlEvent):
                        sightings.append(_Sighting(result, name, position, place, record))
                    elif isinstance(result, Rejected):
                        faults.setdefault(place, (record, position, result))
                    else:
                        ignored.append(name)
            records_before += len(records)
            self._count_lines(topic, len(records), sightings[sightings_before:], ignored)
        return sightings, faults

    def _judge(
        self,
        sightings: Iterable[_Sighting],
        decisions: Iterable[Decision | Rejected],
        faults: _Faults,
    ) -> list[Verdict]:
        """The verdict on each event that got a decision; the others' faults go to ``faults``."""
        detected_at = self._clock()
        cluster = self._cluster
        verdicts: list[Verdict] = []
        for seen, decision in zip(sightings, decisions, strict=True):
            position = seen.position
            # Asked so that the answer is mostly yes: a no takes msgspec's structs 0.1 us.
            if not isinstance(decision, Decision):
                earlier = faults.get(seen.place)
                if earlier is None or position.index < earlier[1].index:
                    faults[seen.place] = (seen.record, position, decision)
                continue
            event = seen.event
            canonical = decision.canonical
            verdicts.append(
                Verdict(
                    f"{cluster}:{position.topic}:{position.partition}:{position.offset}"
                    f":{position.index}",
                    event.observed,
                    canonical.text,
                    canonical.kind,
                    canonical.host,
                    canonical.registered_domain,
                    decision.score,
                    decision.verdict,
                    decision.reason,
                    decision.thresholds,
                    decision.model,
                    event.time,
                    detected_at,
                    position,
                    seen.format,
                    event.client and event.client[:_CLIENT_CHARACTERS_MAX],
                    event.log_id and event.log_id[:_LOG_ID_CHARACTERS_MAX],
                    canonical.notes,
                )
            )
        return verdicts

    def _raise_alerts(self, verdicts: Iterable[Verdict]) -> list[Alert]:
        """The alerts of the malicious ones among ``verdicts``."""
        alerts: list[Alert] = []
        for verdict in verdicts:
            if verdict.verdict == "malicious":
                alert = self._alert_windows.admit(verdict)
                if alert is not None:
                    alerts.append(alert)
        return alerts

    # Counted a batch at a time: a label lookup for each record would cost more than its parsing.

    def _count_lines(
        self, topic: str, records: int, sightings: Iterable[_Sighting], ignored: Iterable[str]
    ) -> None:
        self._metrics.records.labels(topic).inc(records)
        events = Counter([(seen.format, seen.event.kind) for seen in sightings])
        for (name, kind), count in events.items():
            self._metrics.events.labels(topic, name, kind).inc(count)
        for name, count in Counter(ignored).items():
            self._metrics.ignored.labels(topic, name).inc(count)

    def _count_outcomes(
        self,
        verdicts: Iterable[Verdict],
        alerts: Iterable[Alert],
        dead_letters: Iterable[DeadLetter],
    ) -> None:
        metrics = self._metrics
        by_verdict = Counter([(v.kind, v.verdict, v.model.name, v.reason) for v in verdicts])
        folded: Counter[Kind] = Counter()
        for labels, count in by_verdict.items():
            metrics.verdicts.labels(*labels).inc(count)
            if labels[1] == "malicious":
                folded[labels[0]] += count
        for kind, count in Counter(alert.verdict.kind for alert in alerts).items():
            metrics.alerts.labels(kind).inc(count)
            folded[kind] -= count
        for kind, count in folded.items():
            metrics.alerts_folded.labels(kind).inc(count)
        reasons = Counter((letter.source.topic, letter.reason) for letter in dead_letters)
        for (topic, reason), count in reasons.items():
            metrics.dead_letters.labels(topic, reason.value).inc(count)


def _too_large(value: bytes, bytes_max: int) -> list[tuple[str, EventResult]]:
    detail = f"{len(value)} bytes; record_bytes_max is {bytes_max}"
    return [("", Rejected(RejectReason.TOO_LARGE, detail))]


def _dead_letters(faults: _Faults) -> list[DeadLetter]:
    """One dead letter for each record at fault, in order of input."""
    return [
        DeadLetter(record.key, record.value, fault.reason, fault.detail, position, record.timestamp)
        for _, (record, position, fault) in sorted(faults.items(), key=lambda item: item[0])
    ]


def _sources_by_topic(settings: Settings) -> dict[str, Source]:
    """The formats that ``settings.input_formats`` sets, by full topic name."""
    for topic in settings.input_formats:
        if topic not in settings.input_topics:
            raise SettingsError(
                f"input_formats sets a format for {topic!r}, which is not among input_topics "
                f"({', '.join(settings.input_topics)}): correct one of the two"
            )
    return {
        settings.topic(topic): source_named(name) for topic, name in settings.input_formats.items()
    }
