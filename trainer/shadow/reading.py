"""The report on shadows: reads comparisons from their topic, without a group; sums them up."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from stream_detector.errors import RecordError, StreamDetectorError
from stream_detector.events import Comparison, Disagreement, LabelName, ModelRef
from stream_detector.kafka.bounded_reading import reading, records_of, spans_between
from stream_detector.settings.fields import Settings
from stream_detector.wire.comparisons import read_comparison
from trainer.labels.resolution import resolve
from trainer.labels.store import filled_store
from trainer.publishing.promotion import announced_now
from trainer.shadow.summary import Gathered, LabelOf, Summary


def shadow_report(
    settings: Settings,
    *,
    since: datetime,
    version: str | None,
    label_store: Path | None,
    trust: Sequence[str],
    top: int,
    remark: Callable[[str], object],
) -> list[Summary]:
    """Sum up the comparisons from ``since`` on.

    Args:
        settings: the way to Kafka, and its topics.
        since: the start of the report.
        version: a sha256, its beginning, or a version; None for the shadows announced now or, if
            there are none, the one compared last.
        label_store: folder of labels that say which model is right, if there are any.
        trust: the order of trust in the sources of labels; see ``resolve``.
        top: at most so many domains and examples of each direction.
        remark: gets sentences on gaps and assumptions of the summaries.

    Raises:
        StreamDetectorError: none that was compared is ``version``, or several are; or as
            ``read_comparisons`` and ``filled_store``.
    """
    gathered = Gathered(read_comparisons(settings, since=since))
    if gathered.unreadable:
        remark(f"{gathered.unreadable:,} records are no comparisons and are left out")
    compared = gathered.shadows()
    if version is not None:
        shadows = [_found(compared, version)]
    else:
        shadows = [one.sha256 for one in announced_now(settings).shadows.values()]
        if not shadows and compared:
            last = list(compared.values())[-1]
            remark(f"no shadow is announced; the last was {last.name} {last.version}")
            shadows = [last.sha256]
    label_of = None
    if label_store is not None:
        label_of = _labels(label_store, trust, gathered.disagreements(shadows))
    return gathered.summaries(shadows, label_of=label_of, top=top)


def _found(compared: Mapping[str, ModelRef], version: str) -> str:
    """The sha256 of the one shadow that is ``version``."""
    found = [
        ref.sha256
        for ref in compared.values()
        if ref.version == version or (version and ref.sha256.startswith(version))
    ]
    if len(found) == 1:
        return found[0]
    raise StreamDetectorError(
        f"{'more than one' if found else 'no'} shadow {version!r} was compared in this time: give "
        f"one of {', '.join(compared) or 'a longer --since'}"
    )


def _labels(store: Path, trust: Sequence[str], disagreements: Iterable[Disagreement]) -> LabelOf:
    """The labels that the store has for the texts of ``disagreements``."""
    texts = {each.canonical for each in disagreements}
    resolved = resolve(filled_store(store).labels_of(texts), trust=trust)

    def label_of(disagreement: Disagreement) -> LabelName | None:
        found = resolved.get(disagreement.canonical)
        return found.label if found is not None and disagreement.kind in found.kinds else None

    return label_of


def read_comparisons(settings: Settings, *, since: datetime) -> Iterator[Comparison | RecordError]:
    """The comparisons from ``since`` up to the present end of the topic.

    In order of offset within each partition, with an error in the place of an unreadable record.

    Raises:
        TopicsError: the topic is missing or may not be read.
        RetryableError: Kafka can't be reached, or gives nothing for a minute though there is more.
        FatalError: it refuses the credentials or a request.
    """
    with reading(settings, settings.shadow_topic) as consumer:
        topic = settings.shadow_topic_name
        for span in list(spans_between(consumer, topic, (since, None))):
            for records, _ in records_of(consumer, span):
                for record in records:
                    try:
                        comparison = read_comparison(record.value)
                    except RecordError as error:
                        yield error
                        continue
                    if comparison.compared_at >= since:
                        yield comparison
