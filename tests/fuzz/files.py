"""Files that others write: allow and deny lists, lists of the gate, tables of examples."""

import gzip
import tempfile
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from fuzz.refusals import check_refusal
from stream_detector.canonical import canonicalise
from stream_detector.errors import SettingsError
from stream_detector.events import Canonical
from stream_detector.policy.list_entries import entry_of, read_list
from stream_detector.policy.lists import HostList
from trainer.examples.labelled import Examples, LeakSearch, read_examples
from trainer.examples.readers import DataError, Row, read_rows
from trainer.gate.decision import GateError
from trainer.gate.lists import read_texts

__all__ = ["check_lists", "check_tables"]

_LINES_MAX = 100
_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))


class _Table(NamedTuple):
    name: str
    columns: tuple[str, ...] = ()


_TABLES = (
    _Table("table.csv"),
    _Table("table.tsv"),
    _Table("table.jsonl"),
    _Table("headless.csv", ("url", "label")),
    _Table("study.txt", ("url", "label")),
    _Table("plain.txt"),
)
_IS_GZIP, _IS_DAMAGED_GZIP, _SKIPS_BAD_ROWS = 16, 32, 64


def check_lists(data: bytes) -> None:
    """A list is read, or refused with the line at fault, and each of its entries matches itself."""
    path = _FOLDER / "list"
    path.write_bytes(data)
    for kind in ("url", "host"):
        try:
            for text in read_texts([path], kind):
                again = canonicalise(kind, text)
                assert isinstance(again, Canonical), text
                assert again.text == text, (text, again)
        except GateError as error:
            check_refusal(error)
    try:
        listed = HostList.load(path)
    except SettingsError as error:
        check_refusal(error)
        return
    for text, place in islice(read_list(path), _LINES_MAX):
        entry = entry_of(text, place)
        if isinstance(entry, Canonical):
            assert listed.specificity(entry) > 0, entry


def check_tables(data: bytes) -> None:
    """A table of examples gives rows that a manifest and a report can hold, or names its fault."""
    choice, content = (data[0], data[1:]) if data else (0, b"")
    table = _TABLES[(choice & 15) % len(_TABLES)]
    path = _FOLDER / table.name
    if choice & (_IS_GZIP | _IS_DAMAGED_GZIP):
        path = path.with_name(f"{path.name}.gz")
        content = content if choice & _IS_DAMAGED_GZIP else gzip.compress(content, 1, mtime=0)
    path.write_bytes(content)
    try:
        for row in read_rows(path, names=table.columns):
            assert row.number > 0, row
            if isinstance(row, Row):
                for text in (*row.values, *row.values.values()):
                    text.encode()
            else:
                assert len(row.reason) <= len(content) + 200, row
    except DataError as error:
        check_refusal(error)
    is_plain = table.name == "plain.txt"
    examples = Examples(
        files=() if is_plain else (path,),
        malicious=(path,) if is_plain else (),
        columns=table.columns,
        skip_bad_rows=bool(choice & _SKIPS_BAD_ROWS),
    )
    try:
        for example in read_examples(examples, "url", Counter(), LeakSearch()):
            assert example.label in {0, 1}, example
            f"{example.source}{example.kind}".encode()
    except DataError as error:
        check_refusal(error)
