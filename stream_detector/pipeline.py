"""Bytes in, outcomes out: the way of a record, from top to bottom, free of Faust and Kafka.

``Pipeline.process`` reads the records of a batch into events, has all events decided at once,
and makes of them verdicts, alerts and dead letters, each in order of input.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter, itemgetter
from time import perf_counter
from typing import NamedTuple

from stream_detector.comparisons import Comparison, Counts, Disagreement, pairs_of
from stream_detector.counted import counted
from stream_detector.decisions import Decider, Observed
from stream_detector.errors import SettingsError
from stream_detector.events import (
    Alert,
    Chunk,
    DeadLetter,
    Decision,
    Kind,
    Outcomes,
    RawRecord,
    Rejected,
    RejectReason,
    Sighting,
    SourcePosition,
    UrlEvent,
    Verdict,
)
from stream_detector.masking.urls import without_nested_credentials
from stream_detector.metrics import Metrics
from stream_detector.policy.suppression import AlertWindows
from stream_detector.privacy import Privacy
from stream_detector.settings import Settings
from stream_detector.shadow import Compared
from stream_detector.sources import EventResult, Source, chosen_fields, read_record, source_named
from stream_detector.wire import REPLAY_OF

__all__ = ["Pipeline", "sources_by_topic", "utc_now"]

logger = logging.getLogger(__name__)

_FORMAT = attrgetter("format")
_KIND = itemgetter(0)
_LABELS = attrgetter("decision.labels")

_CLIENT_CHARACTERS_MAX = 256
_LOG_ID_CHARACTERS_MAX = 256
"""Longer ones are cut, so that no log line makes a verdict too large for Kafka (1 MB)."""

_REPLAY_OF_BYTES_MAX = 300
"""A topic's name is 249 characters at most, and two numbers follow."""

_Faults = dict[int, tuple[SourcePosition, str, Rejected]]
"""The first fault of each record at fault, by the record's place in the batch: where, and the
format of the line."""


def utc_now() -> datetime:
    """The time of day, timezone-aware."""
    return datetime.now(UTC)


class _Reading(NamedTuple):
    """What a batch says, event by event: three lists of one length, and the faults."""

    sightings: list[Sighting]
    observed: list[Observed]
    places: list[int]
    """The place in the batch of each event's record."""
    faults: _Faults


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
        self._sources = sources_by_topic(settings)
        self._json_fields = chosen_fields(settings.json_fields)
        self._decider = decider
        self._metrics = metrics
        self._cluster = cluster
        self._clock = clock
        self._alert_windows = AlertWindows(
            seconds=settings.alert_window, keys_max=settings.alert_keys_max
        )
        self._privacy = Privacy(settings)

    def process(self, chunks: Sequence[Chunk]) -> Outcomes:
        """What the records of ``chunks`` become. No record is lost, whatever its bytes.

        Raises:
            ModelError: the model fails on a text known to be good.
            DeviceError: memory or device failed.
        """
        started = perf_counter()
        reading = self._read(chunks)
        parsed = perf_counter()
        decisions = self._decider.decide(reading.observed)
        verdicts = _judge(reading, decisions)
        alerts = self._raise_alerts(verdicts)
        dead_letters = self._privacy.dead_letters(_dead_letters(chunks, reading.faults))
        decided = perf_counter()

        self._metrics.stage_seconds.labels("parse").observe(parsed - started)
        self._metrics.stage_seconds.labels("decide").observe(decided - parsed)
        records = sum(len(chunk.records) for chunk in chunks)
        self._metrics.batch_records.observe(records)
        self._metrics.batch_fill_ratio.observe(records / self._settings.batch_records)
        self._count_outcomes(verdicts, alerts, dead_letters)
        written = self._privacy.verdicts(verdicts)
        compared = self._decider.take_comparisons()
        if not compared:
            return Outcomes(written, alerts, dead_letters)
        batch_id, compared_at = self._batch_id(chunks), verdicts[0].sighting.detected_at
        comparisons: list[Comparison] = [
            *(_counts(each, batch_id, compared_at) for each in compared),
            *map(self._privacy.disagreement, _disagreements(compared, verdicts)),
        ]
        return Outcomes(written, alerts, dead_letters, comparisons)

    def _batch_id(self, chunks: Iterable[Chunk]) -> str:
        """The first record of the batch, as verdict ids begin."""
        first = next(chunk for chunk in chunks if chunk.records)
        return f"{self._cluster}:{first.topic}:{first.partition}:{first.records[0].offset}"

    def _read(self, chunks: Iterable[Chunk]) -> _Reading:
        """The events of all records, and the first fault of each record that has one."""
        bytes_max, lines_max = self._settings.record_bytes_max, self._settings.record_lines_max
        detected_at = self._clock()
        json_fields = self._json_fields
        reading = _Reading([], [], [], {})
        sightings, observed, places, faults = reading
        records_before = 0
        for topic, partition, records in chunks:
            source = self._sources.get(topic)
            id_start = f"{self._cluster}:{topic}:{partition}:"
            ignored: list[str] = []
            events_before = len(sightings)
            for place, record in enumerate(records, start=records_before):
                offset, value = record.offset, record.value or b""
                if len(value) > bytes_max:
                    results = _too_large(value, bytes_max)
                else:
                    results = read_record(
                        value, source=source, lines_max=lines_max, json_fields=json_fields
                    )
                for index, (name, result) in enumerate(results):
                    position = SourcePosition(topic, partition, offset, index)
                    if isinstance(result, UrlEvent):
                        client, log_id = result.client, result.log_id
                        sightings.append(
                            Sighting(
                                f"{id_start}{offset}:{index}",
                                result.time,
                                detected_at,
                                position,
                                name,
                                client and client[:_CLIENT_CHARACTERS_MAX],
                                log_id and log_id[:_LOG_ID_CHARACTERS_MAX],
                            )
                        )
                        observed.append((result.kind, result.observed))
                        places.append(place)
                    elif isinstance(result, Rejected):
                        faults.setdefault(place, (position, name, result))
                    else:
                        ignored.append(name)
            records_before += len(records)
            self._metrics.records.labels(topic).inc(len(records))
            self._count_lines(topic, sightings[events_before:], observed[events_before:], ignored)
        return reading

    def _raise_alerts(self, verdicts: Iterable[Verdict]) -> list[Alert]:
        """The alerts of the malicious ones among ``verdicts``."""
        alerts: list[Alert] = []
        for verdict in verdicts:
            if verdict.decision.verdict == "malicious":
                alert = self._alert_windows.admit(self._privacy.alerting(verdict))
                if alert is not None:
                    alerts.append(alert)
        return alerts

    # Counted a batch at a time: a label lookup for each record would cost more than its parsing.

    def _count_lines(
        self,
        topic: str,
        sightings: Iterable[Sighting],
        observed: Iterable[Observed],
        ignored: Iterable[str],
    ) -> None:
        events = Counter(zip(map(_FORMAT, sightings), map(_KIND, observed), strict=True))
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


def _too_large(value: bytes, bytes_max: int) -> list[tuple[str, EventResult]]:
    detail = f"{len(value)} bytes; record_bytes_max is {bytes_max}"
    return [("", Rejected(RejectReason.TOO_LARGE, detail))]


def _judge(reading: _Reading, decisions: Sequence[Decision | Rejected]) -> list[Verdict]:
    """The verdict on each event that got a decision; the others' faults join those of reading."""
    sightings, _, places, faults = reading
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


def _dead_letters(chunks: Iterable[Chunk], faults: _Faults) -> list[DeadLetter]:
    """One dead letter for each record at fault, in order of input."""
    if not faults:
        return []
    records = list(chain.from_iterable(chunk.records for chunk in chunks))
    letters: list[DeadLetter] = []
    for place, (position, log_format, fault) in sorted(faults.items(), key=itemgetter(0)):
        record = records[place]
        letters.append(
            DeadLetter(
                record.key,
                record.value,
                fault.reason,
                fault.detail,
                position,
                record.timestamp,
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
            return value[:_REPLAY_OF_BYTES_MAX]
    return b""


def sources_by_topic(settings: Settings) -> dict[str, Source]:
    """The formats that ``settings.input_formats`` sets, by full topic name.

    Raises:
        SettingsError: an unknown format, or a topic that is not an input topic.
    """
    for topic in settings.input_formats:
        if topic not in settings.input_topics:
            raise SettingsError(
                f"input_formats sets a format for {topic!r}, which is not among input_topics "
                f"({', '.join(settings.input_topics)}): correct one of the two"
            )
    return {
        settings.topic(topic): source_named(name) for topic, name in settings.input_formats.items()
    }
