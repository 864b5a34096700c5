"""``stream-detector inspect``: what is read from the lines of a log file, and why not."""

from collections import Counter
from itertools import chain, islice
from typing import Any

import click
import msgspec

from stream_detector.commands.options import SettingsCommand, with_settings
from stream_detector.events import Ignored, UrlEvent
from stream_detector.settings.fields import Settings
from stream_detector.sources.base import EventResult
from stream_detector.sources.json_fields import chosen_fields
from stream_detector.sources.log_file import LogFile
from stream_detector.sources.registry import source_named
from stream_detector.system.lines import blocks_of
from stream_detector.terminal.counted import counted
from stream_detector.terminal.printable import printable

_SHOWN_CHARACTERS_MAX = 120


@click.command(cls=SettingsCommand)
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), metavar="FILE"
)
@click.option(
    "--lines",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many lines to read, from the first.",
)
@click.option(
    "--format",
    "log_format",
    metavar="NAME",
    help="Read the file in this format, as a topic with input_formats is read.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per result.")
@with_settings({"json_fields"})
def inspect(
    file: str, lines: int, log_format: str | None, as_json: bool, settings: Settings
) -> None:
    """Show which format the lines of FILE have, what is read from each, and why a line is rejected.

    Nothing is scored, and no Kafka is needed: - is stdin, and compressed files are unpacked.

    \b
    stream-detector inspect access.log
    stream-detector inspect --lines 1000 --json eve.json > read.jsonl
    zcat dns.log.gz | stream-detector inspect --format zeek_dns -
    """
    log = LogFile(
        None if log_format is None else source_named(log_format),
        line_bytes_max=settings.record_bytes_max,
        json_fields=chosen_fields(settings.json_fields),
    )
    counts: Counter[str] = Counter()
    number = 0
    for number, line in enumerate(
        islice(chain.from_iterable(block for block, _ in blocks_of(file)), lines), start=1
    ):
        for name, result in log.read(line):
            row = _row(number, name, result)
            counts[f"{row['result']} {name}".rstrip()] += 1
            if as_json:
                click.echo(msgspec.json.encode(row))
            else:
                click.echo(_text(row, line))
    if not as_json:
        found = ", ".join(f"{count:,} {what}" for what, count in counts.most_common())
        click.echo(f"{counted(number, 'line')}: {found or 'nothing'}", err=True)


def _row(number: int, name: str, result: EventResult) -> dict[str, Any]:
    row: dict[str, Any] = {"line": number, "format": name or None}
    if isinstance(result, UrlEvent):
        row |= {"result": result.kind, **msgspec.structs.asdict(result)}
    elif isinstance(result, Ignored):
        row |= {"result": "passed over", "detail": result.what}
    else:
        row |= {"result": "rejected", "reason": result.reason, "detail": result.detail}
    return row


def _text(row: dict[str, Any], line: bytes) -> str:
    head = f"{row['line']:>6}  {row['format'] or '-':<14}  {row['result']:<11}"
    if "observed" in row:
        facts = [f"client {row['client']}" if row["client"] else "no client"]
        facts.append(f"{row['time']:%Y-%m-%dT%H:%M:%SZ}" if row["time"] else "no time")
        if row["unwrapped"]:
            facts.append("inside " + ", ".join(row["unwrapped"]))
        return f"{head}  {printable(row['observed'])}  ({printable(', '.join(facts))})"
    why = f"{row['reason']}: {row['detail']}" if "reason" in row else row["detail"]
    shown = ascii(line.decode(errors="replace")[:_SHOWN_CHARACTERS_MAX])
    return f"{head}  {printable(why)}: {shown}"
