"""Reads the records of a batch into events, part by part."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter, itemgetter
from time import perf_counter
from typing import NamedTuple

from stream_detector.events import (
    Chunk,
    DeadLetter,
    Observed,
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
    LETTER_VALUE_BYTES_MAX,
    LOG_ID_CHARACTERS_MAX,
    PART_CHARACTERS,
    PART_EVENTS,
    PART_MILLISECONDS,
    REPLAY_OF_BYTES_MAX,
)
from stream_detector.metrics import Metrics
from stream_detector.privacy.urls import may_hold_credentials, without_nested_credentials
from stream_detector.sources.base import EventResult, Source
from stream_detector.sources.json_fields import JsonFields
from stream_detector.sources.reading import RecordReader
from stream_detector.wire.outcomes import REPLAY_OF

_UNREAD = "not decompressed: its record batch is damaged, or larger than the worker decompresses"
_FORMAT = attrgetter("format")
_KIND = itemgetter(0)

Faults = dict[int, tuple[SourcePosition, str, Rejected]]
"""The first fault of each record at fault, by the record's place in the part: the line's position
and format, and the fault."""


class _Rest(NamedTuple):
    """The results of a record that are for the next part, where a part ended within the record."""

    results: Sequence[tuple[str, EventResult]]
    first: int
    """Index of the first result in the record."""


_NO_REST = _Rest((), 0)


class Reading:
    """One part of a batch: its events in three lists of one length, and its faults."""

    def __init__(self) -> None:
        self._ends_at = perf_counter() + PART_MILLISECONDS / 1000
        self.records: list[RawRecord] = []
        """The first may have begun in the part before, the last may continue in the next."""
        self.sightings: list[Sighting] = []
        self.observed: list[Observed] = []
        self.places: list[int] = []
        """The place in ``records`` of each event's record."""
        self.faults: Faults = {}
        self.characters = 0
        """Of the observed texts."""
        self.letter_bytes = 0
        """Of the values of the records at fault."""
        self.rest = _NO_REST
        """The part of the last record that is for the next part."""
        self.first = ""
        """The record, or the event within it, where the part begins, written as a verdict id."""
        self.chunks = 0
        """Chunks of the batch that end with this part or an earlier one."""

    def is_full(self) -> bool:
        """Whether the next events go into another part."""
        # Each limit bounds a cost of one part: memory, time to read, to decide, to mask. Other
        # partitions get their turn between parts.
        return (
            len(self.sightings) - len(self.records) >= PART_EVENTS
            or self.characters >= PART_CHARACTERS
            or self.letter_bytes >= LETTER_VALUE_BYTES_MAX
            or perf_counter() >= self._ends_at
            or self.goes_on
        )

    @property
    def goes_on(self) -> bool:
        """Whether the last record has more events, for the next part."""
        return self.rest is not _NO_REST

    def cut(
        self, results: Sequence[tuple[str, EventResult]], first: int
    ) -> Sequence[tuple[str, EventResult]]:
        """The ``results`` of its last record that fit into this part; the rest waits.

        ``first`` is the index of the first result in the record.
        """
        room = PART_EVENTS + len(self.records) - len(self.sightings)
        characters = self.characters
        for count, (_, result) in enumerate(results[:room], start=1):
            if isinstance(result, UrlEvent):
                characters += len(result.observed)
                if characters >= PART_CHARACTERS:
                    room = count
                    break
        if len(results) > room:
            self.rest = _Rest(results[room:], first + room)
        return results[:room]

    def dead_letters(self) -> list[DeadLetter]:
        """One dead letter for each record at fault, in order of input.

        A record that continues in the next part gets its dead letter there.
        """
        unfinished = len(self.records) - 1 if self.goes_on else None
        letters: list[DeadLetter] = []
        for place, (position, log_format, fault) in sorted(self.faults.items(), key=itemgetter(0)):
            if place == unfinished:
                continue
            record = self.records[place]
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

    def next(self) -> "Reading":
        """An empty next part; a record that continues in it takes its fault along."""
        reading = Reading()
        last = len(self.records) - 1
        if self.goes_on and last in self.faults:
            reading.faults[0] = self.faults.pop(last)
        return reading


class BatchReader:
    """Reads batches. A part ends at ``PART_EVENTS`` or ``PART_CHARACTERS``, also within a record,
    with the record that reaches ``PART_MILLISECONDS``, or when its dead letters take as long to
    mask as one of the largest.
    """

    def __init__(
        self,
        *,
        sources: Mapping[str, Source],
        json_fields: JsonFields | None,
        bytes_max: int,
        metrics: Metrics,
        cluster: str,
        clock: Callable[[], datetime],
    ) -> None:
        """``sources`` are the set formats by topic, ``json_fields`` the chosen fields.

        ``bytes_max`` bounds a record, ``cluster`` begins the ids of verdicts.
        """
        self._sources = sources
        self._json_fields = json_fields
        self._bytes_max = bytes_max
        self._readers: dict[str, RecordReader] = {}
        self._metrics = metrics
        self._cluster = cluster
        self._clock = clock

    def parts(self, chunks: Iterable[Chunk]) -> Iterator[Reading]:
        """Read part by part: a part when it is requested, a chunk when its first record is read."""
        reading = Reading()
        for number, chunk in enumerate(chunks, start=1):
            start, rest = 0, _NO_REST
            while start < len(chunk.records):
                start = self._read_chunk(reading, chunk, start, rest)
                reading.chunks = number - (start < len(chunk.records))
                rest = reading.rest
                if reading.is_full():
                    yield reading
                    reading = reading.next()
        if reading.records:
            yield reading

    def _read_chunk(self, reading: Reading, chunk: Chunk, start: int, rest: _Rest) -> int:
        """Read from the record at ``start``, whose unread results are ``rest``, until the part is
        full; returns the place of the next record.
        """
        topic, partition, records = chunk
        bytes_max, read = self._bytes_max, self._reader(topic).read
        detected_at = self._clock()
        sightings, observed, places = reading.sightings, reading.observed, reading.places
        id_start = f"{self._cluster}:{topic}:{partition}:"
        if not reading.records:
            event = f":{rest.first}" if rest.results else ""
            reading.first = f"{id_start}{records[start].offset}{event}"
        ignored: list[str] = []
        events_before, records_before = len(sightings), len(reading.records)
        begun_before = bool(rest.results)
        for place, record in enumerate(islice(records, start, None), start=records_before):
            if place and reading.is_full():
                break
            reading.records.append(record)
            offset, value = record.offset, record.value or b""
            results: Sequence[tuple[str, EventResult]]
            first = 0
            if rest.results:
                (results, first), rest = rest, _NO_REST
            elif len(value) > bytes_max:
                results = _too_large(f"{len(value)} bytes; record_bytes_max is {bytes_max}")
            elif not value and isinstance(record, UnreadRecord):
                results = _unread(record)
            else:
                results = read(value)
            if len(results) > 1:
                results = reading.cut(results, first)
            for index, (name, result) in enumerate(results, first):
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
                            client and _shortened(client, CLIENT_CHARACTERS_MAX),
                            log_id and _shortened(log_id, LOG_ID_CHARACTERS_MAX),
                            result.unwrapped,
                        )
                    )
                    observed.append((result.kind, result.observed))
                    reading.characters += len(result.observed)
                    places.append(place)
                elif isinstance(result, Rejected):
                    reading.letter_bytes += 0 if place in reading.faults else len(value)
                    reading.faults.setdefault(place, (position, name, result))
                else:
                    ignored.append(name)
        count = len(reading.records) - records_before
        self._metrics.records.labels(topic).inc(count - begun_before)
        self._count_lines(topic, sightings[events_before:], observed[events_before:], ignored)
        return start + count - reading.goes_on

    def _reader(self, topic: str) -> RecordReader:
        reader = self._readers.get(topic)
        if reader is None:
            reader = self._readers[topic] = RecordReader(
                self._sources.get(topic),
                json_fields=self._json_fields,
            )
        return reader

    def _count_lines(
        self,
        topic: str,
        sightings: Iterable[Sighting],
        observed: Iterable[Observed],
        ignored: Iterable[str],
    ) -> None:
        # Once a chunk: a label lookup for each record would cost more than its parsing.
        events = Counter(zip(map(_FORMAT, sightings), map(_KIND, observed), strict=True))
        for (name, kind), count in events.items():
            self._metrics.events.labels(topic, name, kind).inc(count)
        for name, count in Counter(ignored).items():
            self._metrics.ignored.labels(topic, name).inc(count)


def _shortened(text: str, characters_max: int) -> str:
    """``text`` cut; credentials in it are masked."""
    if may_hold_credentials(text):
        # Masked before it is cut: without the at sign a password would not be recognised.
        text = without_nested_credentials(text[: 4 * characters_max])
    return text[:characters_max]


def _too_large(detail: str) -> list[tuple[str, EventResult]]:
    return [("", Rejected(RejectReason.TOO_LARGE, detail))]


def _unread(record: UnreadRecord) -> list[tuple[str, EventResult]]:
    first = record.offset - record.records + 1
    offsets = "" if record.records == 1 else f"offsets {first} to {record.offset} "
    return _too_large(offsets + _UNREAD)


def _replay_of(record: RawRecord) -> bytes:
    """The header of ``dead-letters replay``, by which a record is not replayed for ever."""
    for name, value in record.headers:
        if name == REPLAY_OF and value:  # Kafka allows a header without a value.
            return value[:REPLAY_OF_BYTES_MAX]
    return b""
