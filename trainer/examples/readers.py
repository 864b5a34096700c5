"""Readers of labelled files: rows as names and texts, whatever the format.

The file's suffix, without ``.gz``, decides the format: ``.csv``, ``.tsv``, ``.jsonl`` (or
``.ndjson``), ``.parquet``; anything else is a plain list, one URL or host name a line. Memory holds
one row (of Parquet, a batch of rows).
"""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.terminal.spreadsheets import text_of

_ENCODING = "utf-8-sig"
"""UTF-8, also with the byte-order mark that spreadsheets write."""

_PARQUET_BATCH_ROWS = 8192
_PARQUET_BUFFER_BYTES = 1 << 20
"""Read-ahead for each column: without it, pyarrow reads the whole column of a row group."""
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON = frozenset({".jsonl", ".ndjson"})
_PARQUET = ".parquet"


class DataError(StreamDetectorError):
    """A file of examples cannot be used; the message has file, line and reason."""


class Row(NamedTuple):
    """One example as its file has it."""

    number: int
    """Line in the file, from 1; of Parquet, the row."""
    values: Mapping[str, str]


class BadRow(NamedTuple):
    """A row that cannot be read."""

    number: int
    reason: str


def has_columns(path: Path) -> bool:
    """Whether the file's suffix is of a format with columns."""
    return _format(path) in {*_DELIMITERS, *_JSON, _PARQUET}


def read_rows(path: Path, *, names: Sequence[str] = ()) -> Iterator[Row | BadRow]:
    """All rows of ``path``.

    Args:
        path: a file of one of the formats above.
        names: the columns of a CSV or TSV file without a header, or of a file without a known
            suffix, which is then CSV. Surplus commas belong to the first column: the study's
            ``url,label`` files quote nothing. A single name makes it a plain list.

    Raises:
        DataError: the file cannot be read, or does not have the format of its suffix.
    """
    kind = _format(path)
    try:
        if kind in _DELIMITERS or (len(names) > 1 and not has_columns(path)):
            yield from _delimited(path, _DELIMITERS.get(kind, ","), names)
        elif kind in _JSON:
            yield from _json_lines(path)
        elif kind == _PARQUET:
            yield from _parquet(path)
        else:
            yield from _plain(path, names[0] if names else "url")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} cannot be read: it is not UTF-8 text ({error.reason} at byte {error.start} of "
            "the last block); convert it, for example with: iconv -f latin1 -t utf-8"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read: {reason}") from error


def _format(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _open(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=_ENCODING, newline="")
    return path.open(encoding=_ENCODING, newline="")


def _delimited(path: Path, delimiter: str, names: Sequence[str]) -> Iterator[Row | BadRow]:
    with _open(path) as file:
        if names:
            yield from _headerless(file, delimiter, names)
            return
        reader = csv.reader(file, delimiter=delimiter)
        try:
            header = next(reader, [])
        except csv.Error as error:
            raise DataError(f"{path}, line 1: {error}") from error
        if not header:
            raise DataError(f"{path} is empty: it needs a header line, or --columns")
        # Not a for loop: an error would end it, but the rows after a faulty one can be read.
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(reader.line_num, str(error))
                continue
            if not fields:
                continue
            if len(fields) != len(header):
                yield BadRow(
                    reader.line_num, f"{len(fields)} columns where the header has {len(header)}"
                )
                continue
            yield Row(reader.line_num, dict(zip(header, map(text_of, fields), strict=True)))


def _headerless(file: IO[str], delimiter: str, names: Sequence[str]) -> Iterator[Row | BadRow]:
    for number, line in enumerate(file, start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            continue
        # A line that begins with a quote is quoted CSV; in others quotes are plain characters.
        quoted = text.startswith('"')
        fields = (
            next(csv.reader([text], delimiter=delimiter))
            if quoted
            else text.rsplit(delimiter, len(names) - 1)
        )
        if len(fields) != len(names):
            yield BadRow(number, f"{len(fields)} columns where {len(names)} are named")
            continue
        yield Row(number, dict(zip(names, fields, strict=True)))


def _json_lines(path: Path) -> Iterator[Row | BadRow]:
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
                if not isinstance(values, dict):
                    yield BadRow(number, "not a JSON object")
                    continue
                row = {name: _text(value) for name, value in values.items()}
                # JSON can escape one half of a UTF-16 pair, which no manifest or report can hold.
                "".join((*row, *row.values())).encode()
            except UnicodeEncodeError:
                yield BadRow(number, "holds half of a UTF-16 pair, which is not a character")
            except (ValueError, RecursionError) as error:
                yield BadRow(number, f"not JSON: {error}")
            else:
                yield Row(number, row)


def _parquet(path: Path) -> Iterator[Row | BadRow]:
    try:
        number = 0
        with pq.ParquetFile(path, buffer_size=_PARQUET_BUFFER_BYTES) as file:
            for batch in file.iter_batches(_PARQUET_BATCH_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(number, {name: _text(value) for name, value in values.items()})
    except pa.ArrowException as error:
        raise DataError(f"{path} cannot be read: it is not a Parquet file ({error})") from error


def _plain(path: Path, name: str) -> Iterator[Row | BadRow]:
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            text = line.strip()
            if text and not text.startswith("#"):
                yield Row(number, {name: text})


def _text(value: object) -> str:
    """As in a CSV file: whole numbers without a decimal point, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def read_licences(path: Path, kind: Kind) -> dict[str, tuple[str, str]]:
    """(licence, origin) by source, from a CSV file with columns ``source`` and ``licence``.

    Optional columns: ``repository`` (the origin) and ``file`` (rows with the file of another kind
    are skipped). One row may name several sources, separated by commas.

    Raises:
        DataError: the file cannot be read or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not rows or not {"source", "licence"} <= set(rows[0]):
        raise DataError(f"{path}: it needs the columns source and licence")
    licences: dict[str, tuple[str, str]] = {}
    for row in rows:
        if (row.get("file") or f"{kind}s") == f"{kind}s":
            for source in (row["source"] or "").split(","):
                licences[source.strip()] = (row["licence"] or "", row.get("repository") or "")
    return licences
