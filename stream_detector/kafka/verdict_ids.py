"""From a verdict's id back to the event that it judged.

An id names the cluster, topic, partition and offset of the input record, and the index of its
event. The record is read once more, as the worker read it: one read, however many verdicts there
are. An id works as long as the input topic keeps the record, perhaps shorter than its verdict.
"""

import re
from collections.abc import Sequence

from kafka.errors import KafkaError

from stream_detector.errors import MissingRecordError, TopicsError, VerdictIdError
from stream_detector.events import SourcePosition, UrlEvent
from stream_detector.kafka.admin import as_ours
from stream_detector.kafka.bounded_reading import RecordLookup, record_lookup
from stream_detector.kafka.rights import Right
from stream_detector.kafka.topics import cluster_id, right_problems
from stream_detector.settings.fields import Settings
from stream_detector.sources.json_fields import chosen_fields
from stream_detector.sources.reading import read_record
from stream_detector.sources.registry import source_named

# Kafka allows no colon in the name of a topic; the name of a cluster may hold some.
_ID = re.compile(
    r"(?P<cluster>.*):(?P<topic>[A-Za-z0-9._-]+):"
    r"(?P<partition>[0-9]{1,9}):(?P<offset>[0-9]{1,18}):(?P<index>[0-9]{1,9})",
    re.DOTALL,
)
_INSTEAD = "give the URL itself, which the verdict has as observed unless queries are masked"


def events_of(settings: Settings, verdict_ids: Sequence[str]) -> list[UrlEvent]:
    """The events that the verdicts with these ids judged, in order.

    ``input_formats``, ``json_fields`` and ``cluster`` have to be those of the worker.

    Raises:
        VerdictIdError: an id is malformed or of another cluster, or its record has expired or holds
            no such event.
        RetryableError: Kafka can't be reached, or does not send the record.
        TopicsError: a topic may not be read.
        FatalError: Kafka refuses the credentials.
    """
    positions = [_position(verdict_id) for verdict_id in verdict_ids]
    cluster = settings.cluster or cluster_id(settings)
    for verdict_id, (of_id, _) in zip(verdict_ids, positions, strict=True):
        if of_id != cluster:
            raise VerdictIdError(
                f"{verdict_id} is of cluster {of_id!r}, and this is {cluster!r}: set "
                f"bootstrap_servers, or cluster, or {_INSTEAD}"
            )
    topics = dict.fromkeys(position.topic for _, position in positions)
    rights = [Right("topic", topic, "READ") for topic in topics]
    if problems := right_problems(settings, rights, missing_too=False):
        raise TopicsError("; ".join(problems))
    try:
        with record_lookup(settings) as lookup:
            return [_event(settings, lookup, position) for _, position in positions]
    except (KafkaError, OSError) as error:
        raise as_ours(error, settings, rights=rights) from error


def _position(verdict_id: str) -> tuple[str, SourcePosition]:
    """The cluster and the position that an id names."""
    match = _ID.fullmatch(verdict_id)
    if match is None:
        raise VerdictIdError(
            f"{verdict_id!r} is no verdict id, which is cluster:topic:partition:offset:index"
        )
    return match["cluster"], SourcePosition(
        match["topic"], int(match["partition"]), int(match["offset"]), int(match["index"])
    )


def _event(settings: Settings, lookup: RecordLookup, position: SourcePosition) -> UrlEvent:
    try:
        record = lookup.record(position.topic, position.partition, position.offset)
    except MissingRecordError as error:
        raise VerdictIdError(f"{error}: check the id, or {_INSTEAD}") from error
    value = record.value or b""
    if len(value) <= settings.record_bytes_max:
        name = settings.formats_by_topic.get(position.topic)
        results = read_record(
            value,
            source=source_named(name) if name else None,
            json_fields=chosen_fields(settings.json_fields),
        )
        if position.index < len(results):
            event = results[position.index][1]
            if isinstance(event, UrlEvent):
                return event
    raise VerdictIdError(
        f"record {position.offset} in partition {position.partition} of {position.topic} holds no "
        f"URL or host name at index {position.index}: set input_formats as for the worker, or "
        f"{_INSTEAD}"
    )
