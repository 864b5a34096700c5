"""The label store: every label that was collected, one row each, in Parquet files by day.

::

    label-store/
      .lock                               held by the one process that writes
      day=2026-11-24/labels.parquet       rows in order of topic, partition and offset

The day is that on which the label was written to Kafka (UTC, the record's own timestamp), not the
day it speaks of: it never changes for a record, so one that is read again meets its own row; it
grows with the offsets, so new labels touch one file or two, also where a feed brings years of
history at once. ``labeled_at`` is a column.

A file is never changed in place: the new one is written beside it, forced to disk and renamed.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stream_detector.canonical import canonicalise
from stream_detector.errors import FatalError
from stream_detector.events import Canonical, Kind, Label
from trainer.locking import LockedError, exclusive

__all__ = ["LabelStore", "LabelStoreError", "StoredLabel"]

_FILE = "labels.parquet"
_DRAFT = ".labels.parquet.draft"
_LOCK = ".lock"
_READ_ROWS = 8192

_SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("written_at", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("canonical", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("registered_domain", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("labeled_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("analyst", pa.string()),
        pa.field("feed", pa.string()),
        pa.field("confidence", pa.float64()),
    ]
)

_Place = tuple[str, int, int]


class LabelStoreError(FatalError):
    """The store can't be read or written, is empty, or another process writes to it."""


class StoredLabel(NamedTuple):
    """A label, and the record of Kafka that it was."""

    label: Label
    topic: str
    partition: int
    offset: int
    written_at: datetime
    """The record's timestamp, UTC, to the millisecond."""

    @property
    def place(self) -> _Place:
        """Topic, partition and offset."""
        return self.topic, self.partition, self.offset


class LabelStore:
    """Labels in ``folder``; any number of processes may read it, one at a time may write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store's lock for the block; it goes with the process, however that ends.

        Makes the folder if it is missing, and removes what a killed process left unfinished.

        Raises:
            LabelStoreError: another process holds it, or the folder can't be written.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(exclusive(self.folder / _LOCK))
            except LockedError as error:
                raise LabelStoreError(
                    f"another process collects into {self.folder}: end it first, or name another "
                    "store and another labels_group_id"
                ) from error
            except OSError as error:
                raise self._fault(self.folder, error) from error
            for draft in self.folder.glob(f"day=*/{_DRAFT}"):
                draft.unlink(missing_ok=True)
            yield

    def add(self, labels: Iterable[StoredLabel]) -> int:
        """Add those that are not there yet, by topic, partition and offset; returns their number.

        When it returns, they are on disk. When it does not, each day's file is the old or the new
        one. The caller is in ``writing``.

        Raises:
            LabelStoreError: a file can't be read or written; or a place holds another record than
                before, because its topic was deleted and made anew.
        """
        days: defaultdict[str, dict[_Place, StoredLabel]] = defaultdict(dict)
        for label in labels:
            days[label.written_at.date().isoformat()][label.place] = label
        return sum(self._add_to_day(day, of_day) for day, of_day in sorted(days.items()))

    def is_empty(self) -> bool:
        """Is there no label? A folder that is missing holds none."""
        return not self._files()

    def check_filled(self) -> None:
        """Tell how to fill a store that has no label.

        Raises:
            LabelStoreError: there is none.
        """
        if self.is_empty():
            raise LabelStoreError(
                f"{self.folder} holds no labels: fill it by `stream-trainer labels collect --store "
                f"{self.folder}`"
            )

    def count(self, kind: Kind) -> int:
        """How many labels of ``kind`` there are; fast, whatever their number.

        Raises:
            LabelStoreError: a file can't be read.
        """
        return sum(self._count(path, kind) for path in self._files())

    def labels(self) -> Iterator[StoredLabel]:
        """All labels, day by day; of a day in order of topic, partition and offset.

        Texts are brought to today's canonical form; those that it refuses are left out.

        Raises:
            LabelStoreError: a file can't be read.
        """
        for path in self._files():
            try:
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(_READ_ROWS):
                        for row in batch.to_pylist():
                            label = _stored(row)
                            if label is not None:
                                yield label
            except (OSError, pa.ArrowException, KeyError) as error:
                raise self._fault(path, error) from error

    def _count(self, path: Path, kind: Kind) -> int:
        try:
            kinds = pq.read_table(path, columns=["kind"], partitioning=None)["kind"]
        except (OSError, pa.ArrowException, KeyError) as error:
            raise self._fault(path, error) from error
        found = pc.sum(pc.equal(kinds, kind)).as_py()
        return int(found or 0)

    def _files(self) -> Sequence[Path]:
        return sorted(self.folder.glob(f"day=*/{_FILE}"))

    def _add_to_day(self, day: str, labels: Mapping[_Place, StoredLabel]) -> int:
        path = self.folder / f"day={day}" / _FILE
        try:
            there = (
                pq.read_table(path, schema=_SCHEMA, partitioning=None) if path.exists() else None
            )
            known = _known(there, min(label.offset for label in labels.values()))
            for place, written_at in known.items():
                if place in labels and labels[place].written_at != written_at:
                    topic, partition, offset = place
                    raise LabelStoreError(
                        f"{path} has another record at offset {offset} of {topic}, partition "
                        f"{partition}: the topic was made anew; collect into a new store"
                    )
            new = [label for place, label in labels.items() if place not in known]
            if new:
                rows = pa.Table.from_pylist(list(map(_row, new)), schema=_SCHEMA)
                table = rows if there is None else pa.concat_tables([there, rows])
                order = [(name, "ascending") for name in ("topic", "partition", "offset")]
                _write(path, table.sort_by(order))
        except (OSError, pa.ArrowException) as error:
            raise self._fault(path, error) from error
        return len(new)

    def _fault(self, path: Path, error: Exception) -> LabelStoreError:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, KeyError):
            reason = f"it has no column {error}, so it holds no labels"
        return LabelStoreError(f"the label store's {path} can't be used: {reason}")


def _known(table: Any, offset_min: int) -> dict[_Place, datetime]:
    """When the rows from ``offset_min`` on were written, by their places."""
    if table is None:
        return {}
    rows = table.select(["topic", "partition", "offset", "written_at"])
    rows = rows.filter(pc.greater_equal(rows["offset"], offset_min))
    return {
        (row["topic"], row["partition"], row["offset"]): row["written_at"].astimezone(UTC)
        for row in rows.to_pylist()
    }


def _write(path: Path, table: Any) -> None:
    """Put ``table`` in the place of the file, which readers and a crash see whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(_DRAFT)
    with draft.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    # The names, too, have to be on disk before an offset is committed.
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _row(stored: StoredLabel) -> dict[str, object]:
    label, canonical = stored.label, stored.label.canonical
    return {
        "topic": stored.topic,
        "partition": stored.partition,
        "offset": stored.offset,
        "written_at": stored.written_at,
        "url": label.url,
        "canonical": canonical.text,
        "kind": canonical.kind,
        "registered_domain": canonical.registered_domain,
        "label": label.label,
        "source": label.source,
        "labeled_at": label.labeled_at,
        "analyst": label.analyst,
        "feed": label.feed,
        "confidence": label.confidence,
    }


def _stored(row: Mapping[str, Any]) -> StoredLabel | None:
    """The label of a row; None where its text is refused, by rules newer than the row."""
    canonical = canonicalise(cast(Kind, row["kind"]), row["url"])
    if not isinstance(canonical, Canonical):
        return None
    label = Label(
        row["url"],
        canonical,
        row["label"],
        row["source"],
        row["labeled_at"].astimezone(UTC),
        row["analyst"],
        row["feed"],
        row["confidence"],
    )
    written_at = row["written_at"].astimezone(UTC)
    return StoredLabel(label, row["topic"], row["partition"], row["offset"], written_at)
