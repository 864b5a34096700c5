"""``stream-detector score``: scores by hand and in bulk, without Kafka."""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.lines import BLOCK_LINES, Block, line_blocks

if TYPE_CHECKING:
    from stream_detector.decisions import Decider
    from stream_detector.events import Kind, ModelRef, RejectReason, Thresholds
    from stream_detector.settings import Settings

__all__ = ["score"]

_STDIN = "-"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COLOURS = {"malicious": "red", "suspicious": "yellow", "benign": "green", "rejected": "magenta"}
_SHOWN_CHARACTERS_MAX = 200
"""Of a line that was rejected, in the table."""


@click.command(cls=SettingsCommand)
@click.argument("urls", nargs=-1)
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Score each line of this file; - is stdin.",
)
@click.option(
    "--kind",
    type=click.Choice(["auto", "url", "host"]),
    default="auto",
    show_default=True,
    help="How to read the input; auto: a host name unless it has a scheme, port or path.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line of input.")
@setting_options({"Model", "Policy"}, without={"alert_window", "alert_keys_max"})
def score(
    urls: tuple[str, ...],
    file: str | None,
    kind: Literal["auto", "url", "host"],
    as_json: bool,
    config: Path | None,
    **flags: object,
) -> None:
    """Score URLS, the lines of a --file, or with - the lines of stdin.

    The score is the probability that a URL or host name is malicious, as the model has it from
    the characters alone: nothing is looked up or visited.

    \b
    stream-detector score example.com/login http://198.51.100.7/gate.php
    stream-detector score --file urls.txt > scores.txt
    tail -f proxy.urls | stream-detector score --json -

    --json writes exactly one line per line of input, in order: input, canonical, kind, score,
    rejected, verdict, model. Where there is no score, rejected says why; a verdict without a
    score is that of --allow-list or --deny-list.
    """
    blocks = _input(urls, file)
    path = None if file is None or file == _STDIN else Path(file)
    settings, _ = given_settings(config, flags)
    decider = _decider(settings)
    write = _json_lines if as_json else _Table(decider.thresholds).lines
    output = sys.stdout.buffer
    with ExitStack() as stack:
        advance = _progress(stack, path)
        for lines, consumed in blocks:
            output.write(write(_rows(decider, kind, lines)))
            output.flush()
            advance(consumed)


class _Row(msgspec.Struct, frozen=True, gc=False):
    """What one line of input became; as JSON, its fields in this order."""

    input: str
    canonical: str | None = None
    kind: "Kind | None" = None
    score: float | None = None
    rejected: "RejectReason | None" = None
    verdict: str | None = None
    model: "ModelRef | None" = None


def _input(urls: tuple[str, ...], file: str | None) -> Iterator[Block]:
    """Blocks of lines from wherever they were asked for."""
    if file is not None and urls:
        raise click.UsageError("give either URLs or --file, not both")
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


def _blocks_of(file: Path) -> Iterator[Block]:
    with file.open("rb", buffering=0) as opened:
        yield from line_blocks(opened.fileno())


def _decider(settings: "Settings") -> "Decider":
    from stream_detector.decisions import Decider  # noqa: PLC0415 - see the package's docstring
    from stream_detector.models.serving import load_scorer  # noqa: PLC0415

    return Decider(load_scorer(settings), settings=settings, metrics=None)


def _rows(decider: "Decider", kind: str, lines: Sequence[bytes]) -> list[_Row]:
    """What each of ``lines`` became, in order; one call of the model for all."""
    from stream_detector.canonical import kind_of  # noqa: PLC0415
    from stream_detector.events import Rejected, RejectReason  # noqa: PLC0415

    rows: list[_Row] = []
    observed: list[tuple[Kind, str]] = []
    places: list[int] = []
    for line in lines:
        try:
            text = line.removeprefix(_BYTE_ORDER_MARK).decode()
        except UnicodeDecodeError:
            text = line.decode(errors="replace")
            rows.append(_Row(text, rejected=RejectReason.NOT_UTF8))
            continue
        if "\0" in text:
            rows.append(_Row(text, rejected=RejectReason.NOT_UTF8))
        elif not text or text.isspace():
            rows.append(_Row(text, rejected=RejectReason.EMPTY))
        else:
            places.append(len(rows))
            rows.append(_Row(text))
            observed.append((kind_of(text) if kind == "auto" else kind, text))  # type: ignore[arg-type]
    decisions = decider.decide(observed)
    for place, (read_as, text), decision in zip(places, observed, decisions, strict=True):
        if isinstance(decision, Rejected):
            rows[place] = _Row(text, kind=read_as, rejected=decision.reason)
        else:
            rows[place] = _Row(
                text,
                decision.canonical.text,
                decision.canonical.kind,
                decision.score,
                None,
                decision.verdict,
                None if decision.score is None else decision.model,
            )
    return rows


_encoder = msgspec.json.Encoder()

# JSON lets them stand as they are, but to some readers, such as str.splitlines, they end a line.
_LINE_ENDS = {character.encode(): b"\\u%04x" % ord(character) for character in "\x85\u2028\u2029"}


def _json_lines(rows: Sequence[_Row]) -> bytes:
    text = _encoder.encode_lines(rows)
    for line_end, escaped in _LINE_ENDS.items():
        text = text.replace(line_end, escaped)
    return text


class _Table:
    """Rows as aligned text, coloured on a terminal; the head comes with the first block.

    It says where verdicts change, which differs from kind to kind.
    """

    def __init__(self, thresholds: "Mapping[Kind, Thresholds]") -> None:
        self._thresholds = ", ".join(
            f"{kind} suspicious from {of_kind.suspicious:.4f}, malicious from "
            f"{of_kind.malicious:.4f}"
            for kind, of_kind in thresholds.items()
        )
        self._is_terminal = sys.stdout.isatty()
        self._is_coloured = self._is_terminal and not os.environ.get("NO_COLOR")
        self._has_head = False

    def lines(self, rows: Sequence[_Row]) -> bytes:
        """The text of a block."""
        lines = list(map(self._line, rows))
        if not self._has_head:
            lines.insert(0, self._fitted(f"# {self._thresholds}"))
            lines.insert(1, f"{'score':>6}  {'verdict':<10}  {'kind':<4}  canonical form")
            self._has_head = True
        return ("\n".join(lines) + "\n").encode()

    def _line(self, row: _Row) -> str:
        score = "-" if row.score is None else f"{row.score:.4f}"
        verdict = row.verdict or "rejected"
        if row.rejected is None:
            text = row.canonical or ""
        else:
            # Escaped: what is no URL may be made to play with the terminal.
            shown = ascii(row.input[:_SHOWN_CHARACTERS_MAX])
            text = f"{row.rejected}: {shown}"
        line = f"{score:>6}  {verdict:<10}  {row.kind or '-':<4}  {text}"
        line = self._fitted(line)
        return click.style(line, fg=_COLOURS[verdict]) if self._is_coloured else line

    def _fitted(self, line: str) -> str:
        """``line``, cut to the terminal's width where there is one."""
        width = shutil.get_terminal_size().columns if self._is_terminal else len(line)
        return line if len(line) <= width else line[: width - 3] + "..."


def _progress(stack: ExitStack, file: Path | None) -> Callable[[int], object]:
    """Show a bar on stderr where it disturbs nobody; returns what takes the bytes done."""
    if file is None or not sys.stderr.isatty() or sys.stdout.isatty():
        return lambda _: None
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        return lambda _: None
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    progress = stack.enter_context(Progress(console=Console(stderr=True)))
    task = progress.add_task(file.name, total=status.st_size)
    return lambda done: progress.advance(task, done)
