"""Training on more rows than memory holds.

One pass over the data brings each row to canonical form and writes it to one of ``_SHARDS`` Parquet
files, chosen by the hash of its text. So duplicates and contradictions of a text lie in one file,
which finds them as memory does; and each file is a fair sample of the whole, however the data was
sorted. Each epoch reads the training part's files in another order through ``tf.data``, whose
buffer shuffles the rows of many of them. Of the validation part and of the test part it holds a
uniform sample.

Memory holds the buffer (in the pass over the data, rows that wait to be written, at most as many),
the two samples (the same) and one file's rows.
"""

import contextlib
import hashlib
import itertools
import random
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stream_detector.events import Kind
from stream_detector.models.lean_tensorflow import tf
from trainer.examples.datasets import Census, check_labels, dataset_of, without_duplicates
from trainer.examples.labelled import Example, Examples, LeakSearch, read_examples
from trainer.examples.readers import DataError
from trainer.training.data import (
    Batch,
    Imbalance,
    TrainingData,
    batches_of,
    malicious_weight,
    texts_to_read,
)
from trainer.training.recipe import Recipe

_SHARDS = 128
"""Files that rows are spread over: with the default buffer enough for 33 million rows."""
_WAITING_ROWS = 65_536
"""Rows that wait to be written, at most: about 512 for each file."""
_READ_ROWS = 8192
_BLOCK_BATCHES = 64
"""Batches whose rows are put together by length: enough that hardly any padding is left."""

# The first fields of ``Example``: the others decide the part, which a row here has.
_SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("label", pa.int8()),
        ("part", pa.string()),
        ("source", pa.string()),
        ("kind", pa.string()),
    ]
)


class StreamedRows(NamedTuple):
    """``TrainingRows`` in Parquet files with the columns ``text`` and ``label``."""

    files: Sequence[Path]
    rows: int
    """Of all files, in an epoch."""
    buffer_rows: int
    """Rows that are held to be shuffled."""

    def batches(
        self, epoch: int, recipe: Recipe, *, kind: Kind, length_max: int
    ) -> Iterator[Batch]:
        """See ``TrainingRows``.

        Raises:
            DataError: a file has changed or gone.
        """
        rng = np.random.default_rng([recipe.seed, epoch])
        draws = random.Random(f"{recipe.seed} {epoch}")  # noqa: S311 - draws rows, guards nothing
        files = [self.files[place] for place in rng.permutation(len(self.files))]
        # All batches but those of the last block are whole: no more steps than the learning rate's
        # schedule counts on. Memory holds three blocks: one in the making, one that waits, one in
        # training.
        block_batches = max(1, min(_BLOCK_BATCHES, self.buffer_rows // (8 * recipe.batch_size)))
        blocks = (
            tf.data.Dataset.from_generator(
                lambda: map(_texts_and_labels, files),
                output_signature=(
                    tf.TensorSpec([None], tf.string),
                    tf.TensorSpec([None], tf.int8),
                ),
            )
            .unbatch()
            .shuffle(self.buffer_rows, seed=int(rng.integers(2**31)))
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
                f"{self.files[0].parent}: the training rows that were written there cannot be "
                f"read again: {error.message}"
            ) from error


@contextlib.contextmanager
def streamed(
    examples: Examples,
    kind: Kind,
    imbalance: Imbalance = "none",
    *,
    folder: Path,
    buffer_rows: int,
    seed: int,
) -> Iterator[TrainingData]:
    """Write ``examples`` to files that a training streams; removes them at the end of the block.

    Args:
        examples: the files; their split must decide the part of a row without the others.
        kind: of their rows.
        imbalance: ``class_weight`` or ``none``: the others need all rows at once.
        folder: where to make a folder for all rows in canonical form.
        buffer_rows: rows that are shuffled at a time, and at most held of the validation part and
            of the test part.
        seed: draws those.

    Raises:
        DataError: as ``read_dataset``; the rows cannot be written; or they are too many for the
            buffer.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            place = stack.enter_context(
                tempfile.TemporaryDirectory(dir=folder, prefix="training-rows-")
            )
            data = _written(examples, kind, imbalance, Path(place), buffer_rows, seed)
        except OSError as error:
            raise DataError(
                f"the rows to train on cannot be written in {folder}: {error.strerror or error}"
            ) from error
        yield data


def _written(
    examples: Examples, kind: Kind, imbalance: Imbalance, folder: Path, buffer_rows: int, seed: int
) -> TrainingData:
    counts: Counter[str] = Counter()
    search = LeakSearch()
    read = (
        one._replace(part=one.part_by(examples.split))
        for one in read_examples(examples, kind, counts, search)
    )
    shards = _spread(read, folder, waiting_rows=min(buffer_rows, _WAITING_ROWS))
    draws = random.Random(seed)  # noqa: S311 - draws rows, guards nothing
    samples = {part: _Sample(buffer_rows, draws) for part in ("val", "test")}
    labels, sources, malicious = Counter[int](), Counter[str](), Counter[str]()
    digest = hashlib.sha256()
    files = []
    for path in shards:
        rows = without_duplicates(_rows(path), counts)
        path.unlink()  # The disk then holds each row once.
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
                samples[row.part].add(row)
        if train:
            labels.update(row.label for row in train)
            # Identifies the rows in a checkpoint: no other data may resume it.
            digest.update("".join(f"{row.label}{row.text}\n" for row in train).encode())
            files.append(path.with_name(f"train-{path.name}"))
            pq.write_table(_table(train), files[-1])
    held = {part: sample.rows for part, sample in samples.items()}
    seen = labels.total() + sum(sample.seen for sample in samples.values())
    check_labels(examples, "train", labels.keys(), rows=seen)
    for part, rows in held.items():
        check_labels(examples, part, {row.label for row in rows}, rows=seen)  # type: ignore[arg-type]
    drawn = [
        f"; of the part {part} {len(rows):,} of {samples[part].seen:,} rows, drawn uniformly"
        for part, rows in held.items()
        if len(rows) < samples[part].seen
    ]
    all_held = [*held["val"], *held["test"]]
    return TrainingData(
        train=StreamedRows(files, labels.total(), buffer_rows),
        held=dataset_of(all_held, [row.part for row in all_held], counts, search),
        census=Census(
            parts={"train": labels.total(), **{part: len(rows) for part, rows in held.items()}},
            sources={name: (rows, malicious[name]) for name, rows in sources.items()},
            remark=f"; streamed through a buffer of {buffer_rows:,} rows" + "".join(drawn),
        ),
        malicious_weight=malicious_weight(labels[0], labels[1], imbalance),
        identity=(digest.hexdigest(), buffer_rows),
        texts=(),
    )


def _spread(rows: Iterator[Example], folder: Path, *, waiting_rows: int) -> list[Path]:
    """Write ``rows`` to files by the hash of their text; at most ``waiting_rows`` are held."""
    files = [folder / f"{number:03}.parquet" for number in range(_SHARDS)]
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(pq.ParquetWriter(path, _SCHEMA)) for path in files]
        while waiting := list(itertools.islice(rows, waiting_rows)):
            of_file: dict[int, list[Example]] = {}
            for row in waiting:
                of_file.setdefault(zlib.crc32(row.text.encode()) % _SHARDS, []).append(row)
            for place, chosen in of_file.items():
                writers[place].write_table(_table(chosen))
    return files


class _Sample:
    """A uniform sample of rows (Vitter 1985, algorithm R)."""

    def __init__(self, size: int, draws: random.Random) -> None:
        self.rows: list[Example] = []
        self.seen = 0
        self._size = size
        self._draws = draws

    def add(self, row: Example) -> None:
        """Take ``row``, once there are enough in the place of another one, or leave it."""
        self.seen += 1
        if len(self.rows) < self._size:
            self.rows.append(row)
        elif (place := self._draws.randrange(self.seen)) < self._size:
            self.rows[place] = row


def _table(rows: Sequence[Example]) -> pa.Table:
    return pa.Table.from_pylist([row._asdict() for row in rows], schema=_SCHEMA)


def _rows(path: Path) -> Iterator[Example]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_READ_ROWS):
            columns = (column.to_pylist() for column in batch.columns)
            yield from map(Example, *columns)


def _texts_and_labels(path: Path) -> tuple[list[bytes], NDArray[np.int8]]:
    """Of all rows of a file, shape ``[rows]`` each."""
    table = pq.read_table(path, columns=["text", "label"])
    return [text.encode() for text in table["text"].to_pylist()], table["label"].to_numpy()
