"""Labels from a file or from options: one row, one label.

A plain list has one URL or host name a line. A table (.csv, .tsv) has a column url or host, and may
have label, source, labeled_at, analyst, feed and confidence; `stream-trainer labels export` writes
such a table.
"""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple, get_args

from stream_detector.canonical import canonicalise, kind_of
from stream_detector.errors import LabelError
from stream_detector.events import Canonical, Label, LabelWord, UrlEvent
from stream_detector.terminal.spreadsheets import text_of
from stream_detector.wire.labels import AHEAD_MAX, make_label

LABEL_WORDS: tuple[LabelWord, ...] = get_args(LabelWord)
_NUMBERS: Mapping[str, LabelWord] = {"1": "malicious", "0": "benign"}
"""As in files for training and in exports of `stream-trainer labels`."""

_STDIN = Path("-")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_COLUMNS = ("url", "host", "label", "source", "labeled_at", "analyst", "feed", "confidence")
_SOURCE_OF_ANALYSTS = "analysts"


class UnknownLabellerError(LabelError):
    """Neither the options nor the row name an analyst or a feed."""

    exit_code = 2


class LabelDefaults(NamedTuple):
    """Values from the options, for rows without their own."""

    label: LabelWord | None
    source: str | None
    analyst: str | None
    feed: str | None
    confidence: float | None
    labeled_at: datetime


def label_of(defaults: LabelDefaults, given: Mapping[str, str], *, where: str) -> Label:
    """The label of a row: ``given`` by name of column, the rest from ``defaults``.

    Raises:
        UnknownLabellerError: neither names an analyst or a feed.
        LabelError: the row is invalid; the message begins with ``where``.
    """
    analyst = given.get("analyst") or None
    feed = given.get("feed") or None
    labeled_at = given.get("labeled_at") or given.get("time")  # As an export calls it.
    if analyst is None and feed is None:
        analyst, feed = defaults.analyst, defaults.feed
    if analyst is None and feed is None:
        raise UnknownLabellerError(
            f"{where}: say who labels, by --analyst or --feed, or by a column; nothing was written"
        )
    try:
        return make_label(
            given["url"],
            _word(given.get("label") or defaults.label),
            source=given.get("source")
            or defaults.source
            or (feed if analyst is None else None)
            or _SOURCE_OF_ANALYSTS,
            labeled_at=_time(labeled_at) if labeled_at else defaults.labeled_at,
            analyst=analyst,
            feed=feed,
            confidence=_number(given["confidence"])
            if given.get("confidence")
            else defaults.confidence,
        )
    except LabelError as error:
        raise LabelError(f"{where}: {error}; nothing was written") from error


def _word(text: str | None) -> LabelWord:
    if not text:
        raise LabelError("no label")
    for word in LABEL_WORDS:
        if word == _NUMBERS.get(text, text):
            return word
    raise LabelError(f"the label is {text!r} and not malicious, benign or retracted")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise LabelError(f"labeled_at {text!r} is not a time like 2026-11-01T10:00:00Z") from None
    if time.tzinfo is None:
        raise LabelError(f"labeled_at {text!r} has no offset: end it with Z or such as +01:00")
    if time - datetime.now(UTC) > AHEAD_MAX:
        raise LabelError(f"labeled_at {text!r} is in the future")
    return time


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise LabelError(f"confidence {text!r} is not a number") from None


def text_of_event(event: UrlEvent) -> str:
    """The event's text, changed where it would count as the other kind.

    These are URLs without a scheme, and host names with a port.
    """
    if kind_of(event.observed) == event.kind:
        return event.observed
    if event.kind == "url":
        return f"http://{event.observed}"
    canonical = canonicalise("host", event.observed)
    return canonical.text if isinstance(canonical, Canonical) else event.observed


def labels_of_file(file: Path, defaults: LabelDefaults) -> list[Label]:
    """The labels of a file.

    Raises:
        UnknownLabellerError: as ``label_of``.
        LabelError: the file or one of its lines is invalid.
    """
    try:
        with (
            nullcontext(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline=""))
            if file == _STDIN
            else file.open(encoding="utf-8-sig", newline="")
        ) as lines:
            first = next(lines, "")
            delimiter = _delimiter(file, first)
            every = chain([first], lines)
            rows = _plain(every) if delimiter is None else _table(every, delimiter, file)
            labels = [
                label_of(defaults, row, where=f"{_shown(file)}, line {number}")
                for number, row in rows
            ]
    except UnicodeDecodeError as error:
        raise LabelError(f"{_shown(file)} is not UTF-8 text ({error.reason})") from error
    if not labels:
        raise LabelError(f"{_shown(file)} holds nothing to label")
    return labels


def _shown(file: Path) -> str:
    return "standard input" if file == _STDIN else str(file)


def _delimiter(file: Path, first: str) -> str | None:
    """The delimiter of a table whose first line is ``first``; None for a plain list."""
    if file != _STDIN:
        return _DELIMITERS.get(file.suffix.lower())
    delimiter = "\t" if "\t" in first else ","
    names = {name.strip() for name in first.split(delimiter)}
    return delimiter if names & {"url", "host"} else None


def _plain(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, {"url": text}


def _table(
    lines: Iterable[str], delimiter: str, file: Path
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Rows by the names of their columns, a host as ``url``."""
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader, [])]
        if len({"url", "host"} & set(header)) != 1:
            raise LabelError(
                f"{_shown(file)}: its first line has to name a column url or host, and may name "
                f"{', '.join(_COLUMNS[2:])}"
            )
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(header):
                raise LabelError(
                    f"{_shown(file)}, line {reader.line_num}: {len(fields)} columns where the "
                    f"header has {len(header)}; nothing was written"
                )
            texts = (text_of(field.strip()) for field in fields)
            row = dict(zip(header, texts, strict=True))
            yield reader.line_num, {"url": row.get("host", ""), **row}
    except csv.Error as error:
        raise LabelError(
            f"{_shown(file)}, line {reader.line_num}: {error}; nothing was written"
        ) from error
