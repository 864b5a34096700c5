"""``stream-detector scan``: whole log files, on all cores, without Kafka."""

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from stream_detector.assembly import decider_of
from stream_detector.commands.options import SettingsCommand, settings_of, with_settings
from stream_detector.errors import StreamDetectorError
from stream_detector.models.serving import load_scorer
from stream_detector.policy.decider import Decider
from stream_detector.scanning import Found, Scan, scan_lines
from stream_detector.settings.fields import Settings
from stream_detector.sources.base import Source
from stream_detector.sources.json_fields import JsonFields, chosen_fields
from stream_detector.sources.log_file import LogFile
from stream_detector.sources.registry import source_named
from stream_detector.system.cores import usable_cores
from stream_detector.system.lines import blocks_of
from stream_detector.terminal.counted import counted
from stream_detector.terminal.printable import printable
from stream_detector.terminal.progress import ShownProgress
from stream_detector.terminal.table import table_lines

_ONE_PROCESS_BYTES = 32 * 1024 * 1024
"""Smaller input is scanned by this process alone: others take seconds to load the models."""
_SETTINGS = {"json_fields", *settings_of("Model", "Policy")} - {"alert_window"}
_SHOWN_CLIENTS = 3


class _Block(NamedTuple):
    """Lines of one file, and the header lines (``#``) that describe them."""

    header: list[bytes]
    lines: list[bytes]
    consumed: int
    """Bytes of the file."""


@click.command(cls=SettingsCommand)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE...",
)
@click.option(
    "--format",
    "log_format",
    metavar="NAME",
    help="Read the files in this format; without it, the format is found line by line.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many registered domains to show.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=None,
    help="Processes that read and score; by default one a core, and one for small files.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per registered domain.")
@with_settings(_SETTINGS)
def scan(
    files: tuple[str, ...],
    log_format: str | None,
    top: int,
    processes: int | None,
    as_json: bool,
    settings: Settings,
) -> None:
    """Score all URLs and host names in log files and show the worst registered domains.

    No Kafka is needed. Compressed files (gzip, zstd, bzip2, xz) are unpacked; - is stdin. Memory
    does not grow with the files.

    \b
    stream-detector scan access.log
    stream-detector scan --top 100 --json dns.log.gz eve.json > worst.jsonl
    zcat dns.log.gz | stream-detector scan -

    --json writes for each domain: domain, score (the highest), verdict, events (suspicious or
    malicious ones), clients, more_clients, first, last, and examples (text and score). Counts of
    lines and formats go to stderr.
    """
    source = None if log_format is None else source_named(log_format)
    total = _bytes_of(files)
    if processes is None:
        processes = 1 if total is not None and total < _ONE_PROCESS_BYTES else usable_cores()
    if processes > 1:
        # Each process has its own graph: more threads than cores would only wait.
        settings = settings.model_copy(update={"model_threads": settings.model_threads or 1})
    found = Scan()
    progress = ShownProgress()
    with progress.stage("scanning", total, "bytes") as stage:
        done = 0
        for part, consumed in _scans(files, source, settings, processes):
            found.add(part)
            done += consumed
            stage.update(done, f"{found.counts['lines']:,} lines")
    if not found.counts["lines"]:
        raise StreamDetectorError("the files have no lines")
    worst = found.worst(top)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.Encoder().encode_lines(worst))
    elif worst:
        for line in _table(worst):
            click.echo(line)
    elif found.counts["events"]:
        click.echo("nothing is suspicious")
    _tell(found, shown=len(worst))
    if not found.counts["events"] and found.counts["rejected"]:
        raise StreamDetectorError(
            f"nothing could be read: stream-detector inspect {files[0]} says why, line by line"
        )


def _scans(
    files: Sequence[str], source: Source | None, settings: Settings, processes: int
) -> Iterator[tuple[Scan, int]]:
    """What each block of lines holds, and the bytes that it took."""
    fields = chosen_fields(settings.json_fields)
    if processes == 1:
        decider = decider_of(load_scorer(settings), settings=settings, metrics=None)
        for file in files:
            log = LogFile(source, line_bytes_max=settings.record_bytes_max, json_fields=fields)
            for block in _blocks(file):
                yield scan_lines(log, block.lines, decider), block.consumed
        return
    # A forked process would share TensorFlow's threads, which do not survive a fork.
    context = multiprocessing.get_context("spawn")
    waiting: deque[tuple[Future[Scan], int]] = deque()
    begin = partial(_begin, settings, None if source is None else source.name)
    with ProcessPoolExecutor(processes, context, initializer=begin) as pool:
        for file in files:
            for block in _blocks(file):
                waiting.append((pool.submit(_scan_block, block), block.consumed))
                # Two for each process: one in work, one that waits. More would only fill memory.
                if len(waiting) >= 2 * processes:
                    future, consumed = waiting.popleft()
                    yield future.result(), consumed
        for future, consumed in waiting:
            yield future.result(), consumed


class _Own:
    """What a process of the pool has."""

    decider: Decider
    source: Source | None
    fields: JsonFields | None
    line_bytes_max: int


def _begin(settings: Settings, source: str | None) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _Own.decider = decider_of(load_scorer(settings), settings=settings, metrics=None)
    _Own.source = None if source is None else source_named(source)
    _Own.fields = chosen_fields(settings.json_fields)
    _Own.line_bytes_max = settings.record_bytes_max


def _scan_block(block: _Block) -> Scan:
    log = LogFile(_Own.source, line_bytes_max=_Own.line_bytes_max, json_fields=_Own.fields)
    for line in block.header:
        log.read(line)
    return scan_lines(log, block.lines, _Own.decider)


def _blocks(file: str) -> Iterator[_Block]:
    header: list[bytes] = []
    for lines, consumed in blocks_of(file):
        yield _Block(header, lines, consumed)
        header = _header_after(header, lines)


def _header_after(header: list[bytes], lines: Sequence[bytes]) -> list[bytes]:
    """The last header lines up to the end of ``lines``."""
    last = next(
        (place for place in range(len(lines) - 1, -1, -1) if lines[place][:1] == b"#"), None
    )
    if last is None:
        return header
    first = last
    while first and lines[first - 1][:1] == b"#":
        first -= 1
    return [*(header if first == 0 else []), *lines[first : last + 1]]


def _bytes_of(files: Sequence[str]) -> int | None:
    """Bytes of all files; None where one is a pipe."""
    if any(file == "-" or not Path(file).is_file() for file in files):
        return None
    return sum(Path(file).stat().st_size for file in files)


def _table(worst: Sequence[Found]) -> Iterator[str]:
    rows = [("score", "verdict", "events", "clients", "first", "last", "domain", "example")]
    for found in worst:
        clients = ", ".join(found.clients[:_SHOWN_CLIENTS])
        if len(found.clients) > _SHOWN_CLIENTS or found.more_clients:
            rest = len(found.clients) - _SHOWN_CLIENTS
            clients += f" and {rest}{'+' if found.more_clients else ''} more"
        rows.append(
            (
                f"{found.score:.4f}",
                found.verdict,
                f"{found.events:,}",
                printable(clients) or "-",
                f"{found.first:%Y-%m-%d %H:%M}" if found.first else "-",
                f"{found.last:%Y-%m-%d %H:%M}" if found.last else "-",
                found.domain,
                printable(found.examples[0].text),
            )
        )
    yield from table_lines(rows, right=(2,), wraps=True)


def _tell(found: Scan, *, shown: int) -> None:
    counts = found.counts
    formats = ", ".join(f"{count:,} {name}" for name, count in found.formats.most_common(5))
    faults = ", ".join(f"{count:,} {reason}" for reason, count in found.faults.most_common(5))
    click.echo(
        f"{counted(counts['lines'], 'line')}: {counts['events']:,} URLs and host names"
        f"{f' ({formats})' if formats else ''}, {counts['malicious']:,} malicious, "
        f"{counts['suspicious']:,} suspicious in {counted(len(found.domains), 'domain')}"
        f"{f' ({shown} shown)' if shown < len(found.domains) else ''}, "
        f"{counts['rejected']:,} rejected{f' ({faults})' if faults else ''}, "
        f"{counted(counts['nameless'], 'line')} without a URL or host name",
        err=True,
    )
