"""The labels that count as a CSV file, which ``train`` reads."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.system.atomic_files import atomic_file
from stream_detector.terminal.spreadsheets import cell_of
from trainer.labels.rendering import moment
from trainer.labels.resolution import ResolvedLabel


def write_training_file(path: Path, kind: Kind, labels: Iterable[ResolvedLabel]) -> None:
    """Replace the file ``path``; only its owner may read it: labels tell who visited what.

    Raises:
        StreamDetectorError: it can't be written.
    """
    try:
        with atomic_file(path, mode=0o600) as file:
            output = io.TextIOWrapper(file, encoding="utf-8", newline="")
            write_rows(output, kind, labels)
            output.detach()
    except OSError as error:
        raise StreamDetectorError(f"{path} can't be written: {error.strerror}") from error


def write_rows(output: IO[str], kind: Kind, labels: Iterable[ResolvedLabel]) -> None:
    """Write the heading and a row for each of ``labels``."""
    rows = csv.writer(output, lineterminator="\n")
    columns = (kind, "label", "source", "time", "analyst", "feed", "confidence", "disagreeing")
    rows.writerow(columns)
    for each in labels:
        label = each.winner.label
        rows.writerow(
            (
                cell_of(each.text),
                int(each.label == "malicious"),
                cell_of(label.source),
                moment(label.labeled_at),
                cell_of(label.analyst or ""),
                cell_of(label.feed or ""),
                "" if label.confidence is None else f"{label.confidence:g}",
                len(each.disagreeing),
            )
        )
