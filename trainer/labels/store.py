"""The label store: every collected label, one row each, in Parquet files by day.

::

    label-store/
      .lock                                    held by the one process that writes
      day=2026-11-24/labels.parquet            rows in order of topic, partition and offset
      day=2026-11-24/labels-1.parquet          where the first has 200,000 rows

The day is the day of collection (UTC, this machine's clock): whoever writes a record chooses its
timestamp, and could otherwise create a folder for each day since 1970. Stores by the day of
``written_at``, an earlier layout, are read and extended without a change.

A file is never changed in place: a new one takes its name when it is on disk.
Labels show who visited what: folders have mode 0700 and files 0600, whatever the umask.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stream_detector.canonical import canonicalise
from stream_detector.errors import FatalError
from stream_detector.events import Canonical, Kind, Label
from stream_detector.system.atomic_files import atomic_file, sync_folder
from trainer.files import LockedError, exclusive, make_private_folder

_FILES = "day=*/labels*.parquet"
_DRAFTS = "day=*/.labels*.draft"
"""Left by a killed process: see ``atomic_file``."""
_FILE_ROWS = 200_000
"""At which a day's next file begins: each batch of labels reads and writes one as a whole, about
30 MB of memory."""
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
        # Stores of earlier versions lack it: nothing in them was signed.
        pa.field("signed", pa.bool_()),
    ]
)

_Place = tuple[str, int, int]
_Partition = tuple[str, int]


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
    signed: bool = False
    """Whether the key of its analyst or feed signed it."""

    @property
    def place(self) -> _Place:
        """Topic, partition and offset."""
        return self.topic, self.partition, self.offset


def _today() -> date:
    return datetime.now(UTC).date()


class LabelStore:
    """Labels in ``folder``; any number of processes may read it, one at a time may write.

    ``today`` says the day of collection, UTC.
    """

    def __init__(self, folder: Path, *, today: Callable[[], date] = _today) -> None:
        self.folder = folder
        self._today = today
        self._ends: dict[_Partition, int] | None = None
        """The greatest offset of each partition; None where that is not known yet."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store's lock for the block; remove the drafts that a killed process left.

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
            for draft in self.folder.glob(_DRAFTS):
                draft.unlink(missing_ok=True)
            self._ends = None
            yield

    def add(self, labels: Iterable[StoredLabel]) -> int:
        """Add those that are not there yet, by topic, partition and offset; returns their number.

        They are on disk when it returns; after an error the day's file is the old or the new one.
        The caller is in ``writing``.

        Raises:
            LabelStoreError: a file can't be read or written; or a place holds another record than
                before, because its topic was deleted and created again.
        """
        by_place = {label.place: label for label in labels}
        known = self._known(by_place.values())
        for place, written_at in known.items():
            if by_place[place].written_at != written_at:
                topic, partition, offset = place
                raise LabelStoreError(
                    f"{self.folder} has another record at offset {offset} of {topic}, partition "
                    f"{partition}: the topic was deleted and created again; collect into a new "
                    "store"
                )
        new = [label for place, label in by_place.items() if place not in known]
        if new:
            self._write_to_day(new)
        return len(new)

    def is_empty(self) -> bool:
        """Whether it holds no label; a missing folder holds none."""
        return not self._files()

    def count(self, kind: Kind) -> int:
        """The number of labels of ``kind``; fast for large stores too.

        Raises:
            LabelStoreError: a file can't be read.
        """
        total = 0
        for path in self._files():
            try:
                kinds = pq.read_table(path, columns=["kind"], partitioning=None)["kind"]
            except (OSError, pa.ArrowException, KeyError) as error:
                raise self._fault(path, error) from error
            total += int(pc.sum(pc.equal(kinds, kind)).as_py() or 0)
        return total

    def labels(self) -> Iterator[StoredLabel]:
        """All labels, day by day; of a day in order of topic, partition and offset.

        Texts are in today's canonical form; labels of texts that it refuses are left out.

        Raises:
            LabelStoreError: a file can't be read.
        """
        for path in self._files():
            for rows in self._batches(path):
                for row in rows.to_pylist():
                    try:
                        label = _stored(row)
                    except KeyError as error:
                        raise self._fault(path, error) from error
                    if label is not None:
                        yield label

    def labels_of(self, texts: Collection[str]) -> Iterator[StoredLabel]:
        """The labels of canonical ``texts``; as ``labels``."""
        return (stored for stored in self.labels() if stored.label.canonical.text in texts)

    def _files(self) -> Sequence[Path]:
        return sorted(self.folder.glob(_FILES))

    def _known(self, labels: Collection[StoredLabel]) -> dict[_Place, datetime]:
        """When those of ``labels`` that are there were written, by their places."""
        if self._ends is None:
            self._ends = self._read_ends()
        # Mostly none, so no file is read: offsets come again only after a kill.
        offsets: defaultdict[_Partition, set[int]] = defaultdict(set)
        for label in labels:
            partition = label.topic, label.partition
            if label.offset <= self._ends.get(partition, -1):
                offsets[partition].add(label.offset)
        known: dict[_Place, datetime] = {}
        for path in self._files() if offsets else ():
            for rows in self._batches(path, ["topic", "partition", "offset", "written_at"]):
                for row in rows.to_pylist():
                    topic, partition, offset = row["topic"], row["partition"], row["offset"]
                    if offset in offsets.get((topic, partition), ()):
                        known[topic, partition, offset] = row["written_at"].astimezone(UTC)
        return known

    def _read_ends(self) -> dict[_Partition, int]:
        ends: dict[_Partition, int] = {}
        for path in self._files():
            for rows in self._batches(path, ["topic", "partition", "offset"]):
                of_batch = pa.Table.from_batches([rows]).group_by(["topic", "partition"])
                for row in of_batch.aggregate([("offset", "max")]).to_pylist():
                    partition = row["topic"], row["partition"]
                    ends[partition] = max(ends.get(partition, -1), row["offset_max"])
        return ends

    def _batches(self, path: Path, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The rows of a file, some at a time."""
        try:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(_READ_ROWS, columns=columns)
        except (OSError, pa.ArrowException, KeyError) as error:
            raise self._fault(path, error) from error

    def _write_to_day(self, labels: Sequence[StoredLabel]) -> None:
        folder = self.folder / f"day={self._today().isoformat()}"
        path = folder / "labels.parquet"
        try:
            number = 0
            while path.exists() and pq.read_metadata(path).num_rows >= _FILE_ROWS:
                number += 1
                path = folder / f"labels-{number}.parquet"
            table = pa.Table.from_pylist(list(map(_row, labels)), schema=_SCHEMA)
            if path.exists():
                there = pq.read_table(path, schema=_SCHEMA, partitioning=None)
                table = pa.concat_tables([there, table])
            order = [(name, "ascending") for name in ("topic", "partition", "offset")]
            _write(path, table.sort_by(order))
        except (OSError, pa.ArrowException) as error:
            raise self._fault(path, error) from error
        ends = self._ends = self._ends or {}
        for label in labels:
            partition = label.topic, label.partition
            ends[partition] = max(ends.get(partition, -1), label.offset)

    def _fault(self, path: Path, error: Exception) -> LabelStoreError:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, KeyError):
            reason = f"it has no column {error}, so it holds no labels"
        return LabelStoreError(f"the label store's {path} can't be used: {reason}")


def filled_store(folder: Path) -> LabelStore:
    """The store in ``folder``; LabelStoreError where it holds no labels."""
    store = LabelStore(folder)
    if store.is_empty():
        raise LabelStoreError(
            f"{folder} holds no labels: fill it by `stream-trainer labels collect --store {folder}`"
        )
    return store


def _write(path: Path, table: Any) -> None:
    """Replace the file with ``table``; readers and a crash see it whole or not at all."""
    make_private_folder(path.parent)
    with atomic_file(path, mode=0o600) as file:
        pq.write_table(table, file, compression="zstd")
    # The folder's own name must be on disk too before an offset is committed.
    sync_folder(path.parent.parent)


def _row(stored: StoredLabel) -> dict[str, object]:
    label = msgspec.structs.asdict(stored.label)
    canonical = label.pop("canonical")
    columns = {"kind": canonical.kind, "registered_domain": canonical.registered_domain}
    return stored._asdict() | label | columns | {"canonical": canonical.text}


def _stored(row: Mapping[str, Any]) -> StoredLabel | None:
    """The label of a row; None where newer rules than the row's refuse its text."""
    canonical = canonicalise(cast(Kind, row["kind"]), row["url"])
    if not isinstance(canonical, Canonical):
        return None
    columns = {
        name: row[name] for name in ("url", "label", "source", "analyst", "feed", "confidence")
    }
    label = Label(canonical=canonical, labeled_at=row["labeled_at"].astimezone(UTC), **columns)
    written_at = row["written_at"].astimezone(UTC)
    signed = bool(row.get("signed"))
    return StoredLabel(label, row["topic"], row["partition"], row["offset"], written_at, signed)
