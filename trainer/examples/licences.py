"""Licences of the sources that examples come from, for the manifest of a bundle."""

import csv
from pathlib import Path

from stream_detector.events import Kind
from trainer.examples.readers import DataError


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
