"""From the records of a batch to the events that they name, part by part."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from operator import attrgetter, itemgetter
from time import perf_counter

from stream_detector.decisions import Observed
from stream_detector.errors import SettingsError
from stream_detector.events import (
    Chunk,
    RawRecord,
    Rejected,
    RejectReason,
    Sighting,
    SourcePosition,
    UnreadRecord,
    UrlEvent,
)
from stream_detector.limits import (
    CLIENT_CHARACTERS_MAX,
    LOG_ID_CHARACTERS_MAX,
    PART_EVENTS,
    PART_MILLISECONDS,
)
from stream_detector.metrics import Metrics
from stream_detector.settings import Settings
from stream_detector.sources import EventResult, Source, chosen_fields, read_record, source_named

__all__ = ["BatchReader", "Reading", "sources_by_topic"]

_UNREAD = "not decompressed: its record batch is damaged, or larger than the worker decompresses"
_FORMAT = attrgetter("format")
_KIND = itemgetter(0)

Faults = dict[int, tuple[SourcePosition, str, Rejected]]
"""The first fault of each record at fault, by the record's place in the part: where, and the
format of the line."""


class Reading:
    """What a part of a batch says, event by event: three lists of one length, and the faults."""

    def __init__(self) -> None:
        self._ends_at = perf_counter() + PART_MILLISECONDS / 1000
        self.records: list[RawRecord] = []
        self.sightings: list[Sighting] = []
        self.observed: list[Observed] = []
        self.places: list[int] = []
        """The place in ``records`` of each event's record."""
        self.faults: Faults = {}
        self.first = ""
        """The first record, as verdict ids begin."""
        self.chunks = 0
        """As ``Part.chunks``."""

    def is_full(self) -> bool:
        """Do the next records go into another part?"""
        return len(self.sightings) >= PART_EVENTS or perf_counter() >= self._ends_at


class BatchReader:
    """Reads batches; a part ends with the record that reaches ``PART_EVENTS`` or
    ``PART_MILLISECONDS``.

    Raises:
        SettingsError: as ``sources_by_topic``.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        metrics: Metrics,
        cluster: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._sources = sources_by_topic(settings)
        self._json_fields = chosen_fields(settings.json_fields)
        self._metrics = metrics
        self._cluster = cluster
        self._clock = clock

    def parts(self, chunks: Iterable[Chunk]) -> Iterator[Reading]:
        """The events of all records, part by part, and the first fault of each that has one.

        The next part is read when it is asked for, and a chunk is taken when it is read.
        """
        reading = Reading()
        for number, chunk in enumerate(chunks, start=1):
            start = 0
            while start < len(chunk.records):
                start = self._read_chunk(reading, chunk, start)
                reading.chunks = number - (start < len(chunk.records))
                if reading.is_full():
                    yield reading
                    reading = Reading()
        if reading.records:
            yield reading

    def _read_chunk(self, reading: Reading, chunk: Chunk, start: int) -> int:
        """Read on from the record at ``start`` until the part is full; returns where it stopped."""
        topic, partition, records = chunk
        bytes_max, lines_max = self._settings.record_bytes_max, self._settings.record_lines_max
        detected_at = self._clock()
        json_fields, source = self._json_fields, self._sources.get(topic)
        sightings, observed, places = reading.sightings, reading.observed, reading.places
        id_start = f"{self._cluster}:{topic}:{partition}:"
        if not reading.records:
            reading.first = f"{id_start}{records[start].offset}"
        ignored: list[str] = []
        events_before, records_before = len(sightings), len(reading.records)
        for place, record in enumerate(islice(records, start, None), start=records_before):
            if place and reading.is_full():
                break
            reading.records.append(record)
            offset, value = record.offset, record.value or b""
            if len(value) > bytes_max:
                results = _too_large(value, bytes_max)
            elif not value and isinstance(record, UnreadRecord):
                results = _unread(record)
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
                            client and client[:CLIENT_CHARACTERS_MAX],
                            log_id and log_id[:LOG_ID_CHARACTERS_MAX],
                        )
                    )
                    observed.append((result.kind, result.observed))
                    places.append(place)
                elif isinstance(result, Rejected):
                    reading.faults.setdefault(place, (position, name, result))
                else:
                    ignored.append(name)
        read = len(reading.records) - records_before
        self._metrics.records.labels(topic).inc(read)
        self._count_lines(topic, sightings[events_before:], observed[events_before:], ignored)
        return start + read

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


def _unread(record: UnreadRecord) -> list[tuple[str, EventResult]]:
    first = record.offset - record.records + 1
    detail = _UNREAD if record.records == 1 else f"offsets {first} to {record.offset} {_UNREAD}"
    return [("", Rejected(RejectReason.TOO_LARGE, detail))]


def _too_large(value: bytes, bytes_max: int) -> list[tuple[str, EventResult]]:
    detail = f"{len(value)} bytes; record_bytes_max is {bytes_max}"
    return [("", Rejected(RejectReason.TOO_LARGE, detail))]


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
