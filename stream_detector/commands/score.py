"""``stream-detector score``: scores by hand and in bulk, without Kafka."""

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.settings.fields import SETTING_GROUPS
from stream_detector.system.lines import BLOCK_LINES, Block, line_blocks
from stream_detector.terminal.counted import counted
from stream_detector.terminal.progress import ShownProgress, Stage

if TYPE_CHECKING:
    from stream_detector.bulk_scoring import LogScorer
    from stream_detector.policy.decider import Decider
    from stream_detector.settings.fields import Settings

__all__ = ["score"]

_STDIN = "-"
_AUTO = "auto"
_WITHOUT = {*SETTING_GROUPS["Topics"], "alert_window", "alert_keys_max"} - {"json_fields"}


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
    help="Read log files, named as arguments or by --file, in this format: json, plain, zeek_http, "
    "zeek_dns, squid, dnsmasq or suricata; auto finds it line by line, as the worker does.",
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
@setting_options({"Topics", "Model", "Policy"}, without=_WITHOUT)
def score(
    urls: tuple[str, ...],
    file: str | None,
    log_format: str | None,
    kind: Literal["auto", "url", "host"],
    as_json: bool,
    config: Path | None,
    **flags: object,
) -> None:
    """Score URLs, the lines of a --file, or with - the lines of stdin. With --format, score what
    the lines of log files name.

    The score is the probability that a URL or host name is malicious, as the model has it from
    the characters alone: nothing is looked up or visited.

    \b
    stream-detector score example.com/login http://198.51.100.7/gate.php
    stream-detector score --file urls.txt > scores.txt
    stream-detector score --format squid access.log
    stream-detector score --format auto --json dns.log.gz eve.json > scores.jsonl
    tail -f proxy.urls | stream-detector score --json -

    --json writes exactly one line per line of input, in order: input, canonical, kind, score,
    rejected, verdict, model, reason. Where there is no score, rejected says why, or reason which
    list decided (allow_list, deny_list).

    With --format it writes one line per event and per rejected line, with file, line, format,
    client, time, log_id and detail (what was wrong) besides. Lines that name no URL or host are
    only counted; the counts come on stderr at the end.
    """
    if log_format is not None and _is_given("kind"):
        raise click.UsageError("--kind is for lists of URLs: a log line says what it names")
    if file is not None and urls:
        raise click.UsageError("give either arguments or --file, not both")
    settings, _ = given_settings(config, flags)
    if log_format is None:
        _score_list(settings, urls, file, kind, as_json=as_json)
    else:
        names = urls if file is None else (file,)
        _score_logs(settings, log_format, _log_files(names), as_json=as_json)


def _is_given(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is not click.core.ParameterSource.DEFAULT


def _score_list(
    settings: "Settings",
    urls: tuple[str, ...],
    file: str | None,
    kind: Literal["auto", "url", "host"],
    *,
    as_json: bool,
) -> None:
    """Score arguments, or the lines of a file or of stdin, that are a URL or host name each."""
    blocks = _input(urls, file)
    from stream_detector.bulk_scoring import ListScorer  # noqa: PLC0415 - see the package's docstring
    from stream_detector.commands.score_output import RowTable, json_lines  # noqa: PLC0415

    decider = _decider(settings)
    scorer = ListScorer(decider, kind)
    write = json_lines if as_json else RowTable(decider.thresholds, of_logs=False).lines
    paths = [] if file is None else [_path_of(file)]
    with ExitStack() as stack:
        progress = _Progress(stack, paths)
        for lines, consumed in blocks:
            sys.stdout.buffer.write(write(scorer.rows(lines)))
            sys.stdout.buffer.flush()
            progress.advance(len(lines), consumed)


def _input(urls: tuple[str, ...], file: str | None) -> Iterator[Block]:
    """Blocks of lines from wherever they were asked for."""
    if file == _STDIN or urls == (_STDIN,):
        return line_blocks(sys.stdin.fileno())
    if file is not None:
        return _blocks_of(Path(file))
    if _STDIN in urls:
        raise click.UsageError("- stands for stdin, and is given alone")
    if not urls:
        raise click.UsageError("nothing to score: give URLs, --file FILE, or - for stdin")
    # An argument that is no UTF-8 has its bytes back, and is rejected as a line would be.
    lines = [os.fsencode(url) for url in urls]
    starts = range(0, len(lines), BLOCK_LINES)
    return ((lines[start : start + BLOCK_LINES], 0) for start in starts)


def _log_files(names: Sequence[str]) -> list[Path | None]:
    """The files of these names, None for stdin."""
    if not names:
        raise click.UsageError("nothing to score: give log files, or - for stdin")
    for name in names:
        if name != _STDIN and not Path(name).exists():
            raise click.UsageError(
                f"there is no log file {name!r}: with --format the arguments are log files"
            )
        if name != _STDIN and Path(name).is_dir():
            raise click.UsageError(f"{name!r} is a folder: give the log files in it")
    return [None if name == _STDIN else Path(name) for name in names]


def _score_logs(
    settings: "Settings", log_format: str, files: Sequence[Path | None], *, as_json: bool
) -> None:
    """Score what the lines of log files name."""
    from stream_detector.sources.reading import chosen_fields, source_named  # noqa: PLC0415 - see the package's docstring

    source = None if log_format == _AUTO else source_named(log_format)
    from stream_detector.bulk_scoring import LogScorer  # noqa: PLC0415
    from stream_detector.commands.score_output import RowTable, json_lines  # noqa: PLC0415

    decider = _decider(settings)
    scorer = LogScorer(
        decider,
        source,
        line_bytes_max=settings.record_bytes_max,
        json_fields=chosen_fields(settings.json_fields),
    )
    write = json_lines if as_json else RowTable(decider.thresholds, of_logs=True).lines
    with ExitStack() as stack:
        progress = _Progress(stack, [_path_of(file) for file in files])
        for file in files:
            scorer.begin(None if file is None else os.fsdecode(file))
            blocks = line_blocks(sys.stdin.fileno()) if file is None else _blocks_of(file)
            for lines, consumed in blocks:
                sys.stdout.buffer.write(write(scorer.rows(lines)))
                sys.stdout.buffer.flush()
                progress.advance(len(lines), consumed)
    _tell_counts(scorer)


def _tell_counts(scorer: "LogScorer") -> None:
    counts = scorer.counts
    things = "URL or host name" if counts["events"] == 1 else "URLs and host names"
    events = f"{counts['events']:,} {things}"
    click.echo(
        f"{counted(counts['lines'], 'line')}: {events}, {counts['rejected']:,} rejected, "
        f"{counted(counts['nameless'], 'line')} with neither",
        err=True,
    )


def _blocks_of(file: Path) -> Iterator[Block]:
    with file.open("rb", buffering=0) as opened:
        yield from line_blocks(opened.fileno())


def _decider(settings: "Settings") -> "Decider":
    from stream_detector.assembly import decider_of  # noqa: PLC0415 - see the package's docstring
    from stream_detector.models.serving import load_scorer  # noqa: PLC0415

    return decider_of(load_scorer(settings), settings=settings, metrics=None)


def _path_of(file: str | Path | None) -> Path:
    """What to ask for a size."""
    return Path("/dev/stdin") if file is None or file == _STDIN else Path(file)


class _Progress:
    """Shows on stderr how far files are scored, where that disturbs nobody.

    Pipes have no end that is known, and rows on a terminal show by themselves how far it is.
    """

    def __init__(self, stack: ExitStack, paths: Sequence[Path]) -> None:
        self._stage: Stage | None = None
        self._total = self._done = self._lines = 0
        if not paths or (sys.stderr.isatty() and sys.stdout.isatty()):
            return
        sizes = [status.st_size for path in paths if stat.S_ISREG((status := path.stat()).st_mode)]
        if len(sizes) == len(paths):
            self._total = sum(sizes)
            stage = ShownProgress().stage("scoring", self._total, "bytes")
            self._stage = stack.enter_context(stage)

    def advance(self, lines: int, consumed: int) -> None:
        """So many lines more are scored, which stood in so many bytes of input."""
        self._lines += lines
        self._done += consumed
        if self._stage is not None:
            self._stage.update(self._done, f"{self._lines:,} lines")
