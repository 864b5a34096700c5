"""Training on more rows than memory holds.

One pass over the data brings each row to canonical form and writes it to one of ``_SHARDS`` Parquet
files, chosen by the hash of its text. So a text's duplicates and contradictions lie in one file and
are found there, as they are in memory; and each file is a fair sample of the whole, however the
data was sorted. Each epoch reads the training part's files in another order through ``tf.data``,
whose buffer shuffles the rows of many of them. Of the validation and of the test part a uniform
sample is held.

What is in memory at any time: the buffer (in the pass over the data, rows that wait to be written,
at most as many), the two samples (the same) and one file's rows.
"""

import contextlib
import hashlib
import random
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stream_detector.events import Kind
from stream_detector.models.lean_tensorflow import tf
from trainer.examples.datasets import (
    Census,
    DataError,
    Dataset,
    Examples,
    check_labels,
    part_of,
    read_examples,
    without_duplicates,
)
from trainer.examples.leaks import LeakSearch
from trainer.examples.splits import Split
from trainer.training.fitting import Batch, Recipe, batches_of, texts_to_read

__all__ = ["STREAMED_SPLITS", "Streamed", "StreamedRows", "streamed"]

STREAMED_SPLITS: frozenset[Split] = frozenset({"column", "domain", "random"})
"""Those that tell a row's part by the row alone."""

_SHARDS = 128
"""Files that rows are spread over: with the default buffer enough for 33 million rows."""
_WAITING_ROWS = 65_536
"""Rows that wait to be written, at most: about 512 for each file."""
_READ_ROWS = 8192
_BLOCK_BATCHES = 64
"""Batches whose rows are put together by length: enough that hardly any padding is left."""

_SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("label", pa.int8()),
        ("part", pa.string()),
        ("source", pa.string()),
        ("kind", pa.string()),
    ]
)


class _Row(NamedTuple):
    """A row of ``_SCHEMA``."""

    text: str
    label: int
    part: str
    source: str
    kind: str


class StreamedRows:
    """``training.TrainingRows`` in Parquet files with the columns ``text`` and ``label``."""

    def __init__(self, files: Sequence[Path], *, rows: int, buffer_rows: int) -> None:
        """``rows`` are in all ``files``; ``buffer_rows`` of them are held to be shuffled."""
        self._files = files
        self._rows = rows
        self._buffer_rows = buffer_rows

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return self._rows

    def batches(
        self, epoch: int, recipe: Recipe, *, kind: Kind, length_max: int
    ) -> Iterator[Batch]:
        """See ``training.TrainingRows``.

        Raises:
            DataError: a file is no longer what it was.
        """
        rng = np.random.default_rng([recipe.seed, epoch])
        draws = random.Random(f"{recipe.seed} {epoch}")  # noqa: S311 - draws rows, guards nothing
        files = [self._files[place] for place in rng.permutation(len(self._files))]
        # Whole batches but for the last block's: no more steps than the schedule counts on.
        # Three blocks are in memory at a time: one is made, one waits, one is trained on.
        block_batches = max(1, min(_BLOCK_BATCHES, self._buffer_rows // (8 * recipe.batch_size)))
        blocks = (
            tf.data.Dataset.from_generator(
                lambda: map(_texts_and_labels, files),
                output_signature=(
                    tf.TensorSpec([None], tf.string),
                    tf.TensorSpec([None], tf.int8),
                ),
            )
            .unbatch()
            .shuffle(self._buffer_rows, seed=int(rng.integers(2**31)))
            .batch(block_batches * recipe.batch_size)
            .prefetch(1)
        )
        try:
            for texts, labels in blocks.as_numpy_iterator():
                read = [text.decode() for text in texts]
                read = texts_to_read(read, kind, length_max, recipe, draws)
                yield from batches_of(read, labels, recipe.batch_size, length_max, rng)
        except tf.errors.OpError as error:
            raise DataError(
                f"{self._files[0].parent}: the training rows that were written there cannot be "
                f"read any more: {error.message}"
            ) from error


class Streamed(NamedTuple):
    """What a pass over the data made of it."""

    train: StreamedRows
    labels: tuple[int, int]
    """Benign and malicious rows to train on."""
    held: Dataset
    """The validation and test part, or as much of them as is held."""
    census: Census
    """Of all rows to train on, and those held."""
    digest: str
    """SHA-256, in hex, of the rows to train on."""


@contextlib.contextmanager
def streamed(
    examples: Examples, kind: Kind, *, folder: Path, buffer_rows: int, seed: int
) -> Iterator[Streamed]:
    """Make ``examples`` ready to be streamed, once; what is written is removed at the end.

    Args:
        examples: what to read, split by one of ``STREAMED_SPLITS``.
        kind: what its rows are.
        folder: where a folder for all rows in canonical form is made.
        buffer_rows: rows that are shuffled at a time, and at most held of the validation and of
            the test part.
        seed: draws those.

    Raises:
        DataError: as ``read_dataset``; the rows cannot be written; or they are too many for the
            buffer.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            place = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(dir=folder, prefix="training-rows-")
                )
            )
            made = _made(examples, kind, place, buffer_rows, seed)
        except OSError as error:
            raise DataError(
                f"the rows to train on cannot be written in {folder}: {error.strerror or error}"
            ) from error
        yield made


def _made(examples: Examples, kind: Kind, folder: Path, buffer_rows: int, seed: int) -> Streamed:
    counts: Counter[str] = Counter()
    search = LeakSearch()
    spread = _Spread(folder, waiting_rows=min(buffer_rows, _WAITING_ROWS))
    with spread:
        for example in read_examples(examples, kind, counts, search):
            part = part_of(example, examples.split)
            spread.add(_Row(example.text, example.label, part, example.source, example.kind))
    sample = random.Random(seed)  # noqa: S311 - draws rows, guards nothing
    parts = {part: _Part(buffer_rows, sample) for part in ("val", "test")}
    labels, sources, malicious = Counter[int](), Counter[str](), Counter[str]()
    digest = hashlib.sha256()
    files = []
    for path in spread.files:
        rows = without_duplicates(_rows(path), counts)
        path.unlink()
        if len(rows) > buffer_rows:
            needed = 2 * counts["read"] // _SHARDS
            raise DataError(
                f"{examples}: a buffer of {buffer_rows:,} rows cannot shuffle so much data: give "
                f"--buffer-rows {needed} or more"
            )
        sources.update(row.source for row in rows)
        malicious.update(row.source for row in rows if row.label)
        train = [row for row in rows if row.part == "train"]
        for row in rows:
            if row.part != "train":
                parts[row.part].add(row)
        if train:
            labels.update(row.label for row in train)
            digest.update("".join(f"{row.label}{row.text}\n" for row in train).encode())
            files.append(path.with_name(f"train-{path.name}"))
            pq.write_table(_table(train), files[-1])
    dataset = _dataset(
        [row for part in parts.values() for row in part.rows],
        dict(counts),
        tuple(str(leak) for leak in search.leaks()),
    )
    seen = {"train": labels.total(), **{name: part.seen for name, part in parts.items()}}
    check_labels(examples, "train", labels.keys(), rows=sum(seen.values()))
    for name in parts:
        of_part = set(dataset.labels[dataset.parts == name].tolist())
        check_labels(examples, name, of_part, rows=sum(seen.values()))  # type: ignore[arg-type]
    held = {name: len(part.rows) for name, part in parts.items()}
    return Streamed(
        train=StreamedRows(files, rows=labels.total(), buffer_rows=buffer_rows),
        labels=(labels[0], labels[1]),
        held=dataset,
        census=Census(
            parts={"train": labels.total(), **held},
            sources={name: (rows, malicious[name]) for name, rows in sources.items()},
            remark=_remark(buffer_rows, seen, held),
        ),
        digest=digest.hexdigest(),
    )


def _remark(buffer_rows: int, seen: dict[str, int], held: dict[str, int]) -> str:
    drawn = [
        f"; of the part {name} {rows:,} of {seen[name]:,} rows, drawn uniformly"
        for name, rows in held.items()
        if rows < seen[name]
    ]
    return f"; streamed through a buffer of {buffer_rows:,} rows" + "".join(drawn)


class _Spread:
    """Parquet files that rows are spread over by the hash of their text; written as they come."""

    def __init__(self, folder: Path, *, waiting_rows: int) -> None:
        self.files = [folder / f"{number:03}.parquet" for number in range(_SHARDS)]
        self._waiting: list[list[_Row]] = [[] for _ in self.files]
        self._count = 0
        self._waiting_rows = waiting_rows
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> None:
        # Should a file fail to open, those before it are closed.
        with contextlib.ExitStack() as stack:
            self._writers = [
                stack.enter_context(pq.ParquetWriter(path, _SCHEMA)) for path in self.files
            ]
            self._stack = stack.pop_all()

    def __exit__(self, *exception: object) -> None:
        with self._stack:
            if exception[0] is None:
                self._write()

    def add(self, row: _Row) -> None:
        """Write ``row``, now or with later ones."""
        self._waiting[zlib.crc32(row.text.encode()) % _SHARDS].append(row)
        self._count += 1
        if self._count >= self._waiting_rows:
            self._write()

    def _write(self) -> None:
        for writer, rows in zip(self._writers, self._waiting, strict=True):
            if rows:
                writer.write_table(_table(rows))
            rows.clear()
        self._count = 0


class _Part:
    """A uniform sample of the rows of a part (Vitter 1985, algorithm R)."""

    def __init__(self, size: int, draws: random.Random) -> None:
        self.rows: list[_Row] = []
        self.seen = 0
        self._size = size
        self._draws = draws

    def add(self, row: _Row) -> None:
        """Take ``row``, in place of another one where there are enough, or leave it."""
        self.seen += 1
        if len(self.rows) < self._size:
            self.rows.append(row)
        elif (place := self._draws.randrange(self.seen)) < self._size:
            self.rows[place] = row


def _table(rows: Sequence[_Row]) -> pa.Table:
    return pa.Table.from_arrays(
        [
            pa.array(column, field.type)
            for column, field in zip(zip(*rows, strict=True), _SCHEMA, strict=True)
        ],
        schema=_SCHEMA,
    )


def _rows(path: Path) -> Iterator[_Row]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_READ_ROWS):
            columns = (column.to_pylist() for column in batch.columns)
            yield from map(_Row, *columns)


def _texts_and_labels(path: Path) -> tuple[list[bytes], NDArray[np.int8]]:
    """Of all rows of a file, shape ``[rows]`` each."""
    table = pq.read_table(path, columns=["text", "label"])
    return [text.encode() for text in table["text"].to_pylist()], table["label"].to_numpy()


def _dataset(rows: Sequence[_Row], counts: dict[str, int], leaks: tuple[str, ...]) -> Dataset:
    def words(column: Iterable[str]) -> NDArray[np.str_]:
        return np.array(list(column), dtype=np.str_)

    return Dataset(
        texts=[row.text for row in rows],
        labels=np.array([row.label for row in rows], dtype=np.int8),
        parts=words(row.part for row in rows),
        sources=words(row.source for row in rows),
        kinds=words(row.kind for row in rows),
        counts=counts,
        leaks=leaks,
    )
