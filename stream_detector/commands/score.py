"""``stream-detector score``: scores by hand and in bulk, without Kafka.

A table for people, JSON lines for programs.
"""

import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

import click
import msgspec

from stream_detector.assembly import decider_of
from stream_detector.bulk_scoring import ListScorer, LogRow, LogScorer, Row
from stream_detector.commands.options import SettingsCommand, is_given, settings_of, with_settings
from stream_detector.events import Kind, Thresholds
from stream_detector.models.serving import load_scorer
from stream_detector.settings.fields import Settings
from stream_detector.sources.json_fields import chosen_fields
from stream_detector.sources.registry import source_named
from stream_detector.system.lines import BLOCK_LINES, Block, blocks_of
from stream_detector.terminal.counted import counted
from stream_detector.terminal.printable import printable
from stream_detector.terminal.progress import Progress, ShownProgress

_STDIN = "-"
_AUTO = "auto"
_COLOURS = {"malicious": "red", "suspicious": "yellow", "benign": "green", "rejected": "magenta"}
_SHOWN_CHARACTERS_MAX = 200
"""Of a line that was rejected."""

_encoder = msgspec.json.Encoder()

# JSON allows these characters, but to some readers, such as str.splitlines, they end a line.
_LINE_ENDS = {character.encode(): b"\\u%04x" % ord(character) for character in "\x85\u2028\u2029"}

_STDIN_PATH = Path("/dev/stdin")

_Input = tuple[Path | None, Iterator[Block]]
"""A file, None where the lines are arguments, and its lines."""
_SETTINGS = {"json_fields", *settings_of("Model", "Policy")} - {"alert_window"}


@click.command(cls=SettingsCommand)
@click.argument("urls", nargs=-1, metavar="[URL or log file]...")
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Score each line of this file; - is stdin. Compressed files (gzip, zstd, bzip2, xz) are "
    "unpacked.",
)
@click.option(
    "--format",
    "log_format",
    metavar="NAME",
    help="Read log files, named as arguments or by --file, in this format, a name that "
    "stream-detector formats lists; auto finds it line by line, as the worker does.",
)
@click.option(
    "--kind",
    type=click.Choice([_AUTO, "url", "host"]),
    default=_AUTO,
    show_default=True,
    help="How to read the input without --format; auto: a host name unless it has a scheme, port "
    "or path.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per line of input, or event of a log."
)
@with_settings(_SETTINGS)
def score(
    urls: tuple[str, ...],
    file: str | None,
    log_format: str | None,
    kind: Literal["auto", "url", "host"],
    as_json: bool,
    settings: Settings,
) -> None:
    """Score URLs, the lines of a --file, or with - the lines of stdin. With --format, score the
    URLs and host names in log files.

    The score is the probability that a URL or host name is malicious. The model computes it from
    the characters alone: it looks up and visits nothing.

    \b
    stream-detector score example.com/login http://198.51.100.7/gate.php
    stream-detector score --file urls.txt > scores.txt
    stream-detector score --format squid access.log
    stream-detector score --format auto --json dns.log.gz eve.json > scores.jsonl
    tail -f proxy.urls | stream-detector score --json -

    --json writes exactly one line per line of input, in order: input, canonical, kind, score,
    rejected, verdict, model, reason, inner. If score is null, rejected says why, or reason names
    the list that decided (allow_list, deny_list). A URL gets the worst score of itself and of the
    URLs inside it, where a redirector or tracking link leads; inner names the one that decided.

    With --format it writes one line per event and per rejected line, and adds file, line, format,
    client, time, log_id and detail (the fault). Lines without a URL or host name are only counted;
    the counts go to stderr at the end.
    """
    if log_format is not None and is_given("kind"):
        raise click.UsageError("--kind is for lists of URLs: a log line says what it names")
    if file is not None and urls:
        raise click.UsageError("give either arguments or --file, not both")
    names = urls if file is None else (file,)
    inputs = _list_inputs(names, file) if log_format is None else _log_inputs(names)
    # A wrong format is an error before TensorFlow is loaded.
    source = None if log_format in {None, _AUTO} else source_named(log_format)
    decider = decider_of(load_scorer(settings), settings=settings, metrics=None)
    scorer: ListScorer | LogScorer = ListScorer(decider, kind)
    if log_format is not None:
        scorer = LogScorer(
            decider,
            source,
            line_bytes_max=settings.record_bytes_max,
            json_fields=chosen_fields(settings.json_fields),
        )
    of_logs = isinstance(scorer, LogScorer)
    write = _json_lines if as_json else _RowTable(decider.thresholds, of_logs=of_logs).lines
    progress, total = _progress([path for path, _ in inputs if path is not None])
    done_bytes = done_lines = 0
    with progress.stage("scoring", total, "bytes") as stage:
        for path, blocks in inputs:
            if isinstance(scorer, LogScorer):
                scorer.begin(None if path in {None, _STDIN_PATH} else str(path))
            for lines, consumed in blocks:
                sys.stdout.buffer.write(write(scorer.rows(lines)))
                # At once: `tail -f ... | score -` shows a row before the next line arrives.
                sys.stdout.buffer.flush()
                done_bytes += consumed
                done_lines += len(lines)
                stage.update(done_bytes, f"{done_lines:,} lines")
    if isinstance(scorer, LogScorer):
        _tell_counts(scorer)


def _list_inputs(urls: Sequence[str], file: str | None) -> list[_Input]:
    """Lines that are a URL or host name each: arguments, or those of a file or stdin."""
    if not urls:
        raise click.UsageError("nothing to score: give URLs, --file FILE, or - for stdin")
    if file is not None or tuple(urls) == (_STDIN,):
        return [_lines_of(urls[0])]
    if _STDIN in urls:
        raise click.UsageError("- stands for stdin: give no other argument")
    # An argument that is not UTF-8 gets its bytes back, and is rejected as a line would be.
    lines = [os.fsencode(url) for url in urls]
    starts = range(0, len(lines), BLOCK_LINES)
    return [(None, ((lines[start : start + BLOCK_LINES], 0) for start in starts))]


def _log_inputs(names: Sequence[str]) -> list[_Input]:
    """The lines of log files."""
    if not names:
        raise click.UsageError("nothing to score: give log files, or - for stdin")
    for name in names:
        if name != _STDIN and not Path(name).exists():
            raise click.UsageError(
                f"there is no log file {name!r}: with --format the arguments are log files"
            )
        if name != _STDIN and Path(name).is_dir():
            raise click.UsageError(f"{name!r} is a folder: give the log files in it")
    return [_lines_of(name) for name in names]


def _lines_of(name: str) -> _Input:
    return (_STDIN_PATH if name == _STDIN else Path(name)), blocks_of(name)


def _tell_counts(scorer: LogScorer) -> None:
    counts = scorer.counts
    things = "URL or host name" if counts["events"] == 1 else "URLs and host names"
    click.echo(
        f"{counted(counts['lines'], 'line')}: {counts['events']:,} {things}, "
        f"{counts['rejected']:,} rejected, {counted(counts['nameless'], 'line')} with neither",
        err=True,
    )


def _json_lines(rows: Sequence[Row]) -> bytes:
    """One JSON object a row, each on a line of its own."""
    text = _encoder.encode_lines(rows)
    for line_end, escaped in _LINE_ENDS.items():
        text = text.replace(line_end, escaped)
    return text


class _RowTable:
    """Rows as aligned text, coloured on a terminal; the head comes with the first block.

    Its columns have fixed widths, since rows are printed before the last one is known. The head
    names the thresholds, which differ from kind to kind.
    """

    def __init__(self, thresholds: Mapping[Kind, Thresholds], *, of_logs: bool) -> None:
        self._thresholds = thresholds
        self._of_logs = of_logs
        self._is_terminal = sys.stdout.isatty()
        self._is_coloured = self._is_terminal and not os.environ.get("NO_COLOR")
        self._has_head = False

    def lines(self, rows: Sequence[Row]) -> bytes:
        """The text of a block."""
        lines = list(map(self._line, rows))
        if lines and not self._has_head:
            lines[:0] = self._head()
            self._has_head = True
        return "".join(f"{line}\n" for line in lines).encode()

    def _head(self) -> list[str]:
        """A line of thresholds per kind, which fits in 80 columns, and the names of the columns."""
        thresholds = [
            f"# {kind}: suspicious from {of_kind.suspicious:.4f}, malicious from "
            f"{of_kind.malicious:.4f}"
            for kind, of_kind in self._thresholds.items()
        ]
        number = f"  {'line':>8}" if self._of_logs else ""
        return [
            *thresholds,
            f"{'score':>6}  {'verdict':<10}  {'kind':<4}{number}  canonical form",
        ]

    def _line(self, row: Row) -> str:
        verdict = row.verdict or "rejected"
        score = "-"
        if row.score is not None:
            score = f"{row.score:.4f}"
        elif row.verdict is not None:
            score = "list"
        number, why = "", f"{row.rejected}"
        if self._of_logs:
            log_row = cast(LogRow, row)
            number = f"  {log_row.line:>8}"
            why += f" ({log_row.detail})"
        if row.rejected is None:
            text = (row.canonical or "") + (f"  inside: {row.inner}" if row.inner else "")
        else:
            # Escaped: a hostile line may hold control sequences for the terminal.
            text = printable(f"{why}: ") + ascii(row.input[:_SHOWN_CHARACTERS_MAX])
        line = f"{score:>6}  {verdict:<10}  {row.kind or '-':<4}{number}  {text}"
        if self._is_terminal and len(line) > (width := shutil.get_terminal_size().columns):
            line = line[: width - 3] + "..."
        return click.style(line, fg=_COLOURS[verdict]) if self._is_coloured else line


def _progress(paths: Sequence[Path]) -> tuple[Progress, int]:
    """Progress on stderr, and the bytes of all files.

    Shows nothing for pipes, whose size is unknown, nor if the rows appear on the same terminal.
    """
    sizes = [status.st_size for path in paths if stat.S_ISREG((status := path.stat()).st_mode)]
    is_shown = paths and len(sizes) == len(paths)
    if not is_shown or (sys.stderr.isatty() and sys.stdout.isatty()):
        return Progress(), 0
    return ShownProgress(), sum(sizes)
