"""Labels as lines of text for a terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from stream_detector.terminal.printable import printable
from stream_detector.terminal.table import table_lines
from stream_detector.wire.labels import voice_of
from trainer.labels.resolution import ResolvedLabel
from trainer.labels.store import StoredLabel


def lines_of_text(
    text: str, found: ResolvedLabel | None, retracted: Sequence[StoredLabel]
) -> Iterator[str]:
    """The label of ``text`` that counts, then each of its labels, the retracted ones last."""
    if found is None:
        yield f"{text}: not labelled"
    else:
        disagreeing = len(found.disagreeing)
        yield f"{text}: {found.label}" + (
            f", {disagreeing} of {len(found.standing)} voices disagree" if disagreeing else ""
        )
    for stored in (*(found.standing if found else ()), *retracted):
        label = stored.label
        who = voice_of(label) + (", signed" if stored.signed else "")
        sure = "" if label.confidence is None else f", confidence {label.confidence:g}"
        place = f"{stored.topic}:{stored.partition}:{stored.offset}"
        line = f"{label.label:<9}  {moment(label.labeled_at)}  {who}, source {label.source}{sure}"
        yield f"  {printable(line)}  in {place}"


def lines_of_all(resolved: Mapping[str, ResolvedLabel], days: Mapping[str, int]) -> Iterator[str]:
    """All labels in numbers. ``days`` counts those that were collected, by day."""
    of_label = Counter(each.label for each in resolved.values())
    disputed = sum(bool(each.disagreeing) for each in resolved.values())
    yield f"{sum(days.values()):,} labels collected, from {min(days)} to {max(days)}"
    contradicting = "no labels contradict each other"
    if disputed:
        have = "texts have" if disputed > 1 else "text has"
        contradicting = f"{disputed:,} {have} labels that contradict each other"
    yield (
        f"{len(resolved):,} texts: {of_label['malicious']:,} malicious, {of_label['benign']:,} "
        f"benign; {contradicting}"
    )
    standing: Counter[str] = Counter()
    counting: Counter[str] = Counter()
    overruled: Counter[str] = Counter()
    for each in resolved.values():
        counting[each.winner.label.source] += 1
        standing.update(stored.label.source for stored in each.standing)
        overruled.update(stored.label.source for stored in each.disagreeing)
    rows = [("source", "standing", "counting", "overruled")]
    for source, count in standing.most_common():
        cells = f"{count:,}", f"{counting[source]:,}", f"{overruled[source]:,}"
        rows.append((printable(source), *cells))
    yield from table_lines(rows, right={1, 2, 3})


def moment(time: datetime) -> str:
    """RFC 3339, to the second."""
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"
