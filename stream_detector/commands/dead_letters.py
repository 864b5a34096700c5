"""``stream-detector dead-letters``: what could not be read, and the way back into the input."""

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.errors import StreamDetectorError
from stream_detector.events import RejectReason
from stream_detector.settings.fields import SETTING_GROUPS, Settings
from stream_detector.terminal.counted import counted
from stream_detector.terminal.durations import DURATION
from stream_detector.terminal.printable import printable, printable_bytes
from stream_detector.terminal.progress import ShownProgress

if TYPE_CHECKING:
    from stream_detector.kafka.dead_letter_replay import Outcome
    from stream_detector.wire.dead_letters import Group, LetterFilter, StoredLetter

__all__ = ["dead_letters"]

Command = TypeVar("Command", bound=Callable[..., Any])

_SHOWN_DEFAULT = 10
_SHOWN_CHARACTERS_MAX = 400
"""Of a key or value."""
_NOT_REPLAYABLE_SHOWN_MAX = 20

_READING = {"topic_prefix", "dead_letters_topic"}
_REPLAYING = _READING | {"input_topics"}
_NOT_USED = {*SETTING_GROUPS["Topics"], "group_id", "labels_group_id", "cluster"}


def _choosing(*, since_is_required: bool) -> Callable[[Command], Command]:
    """Options that say which dead letters are meant."""
    options = [
        click.option(
            "--since",
            type=DURATION,
            required=since_is_required,
            help="How far back, such as 30m, 24h or 7d, by when they became dead letters."
            + ("" if since_is_required else "  [default: as far as the topic goes]"),
        ),
        click.option(
            "--reason",
            "reasons",
            multiple=True,
            type=click.Choice([reason.value for reason in RejectReason]),
            metavar="REASON",
            help="Only of this reason, such as malformed. May be given several times.",
        ),
        click.option(
            "--topic",
            "topics",
            multiple=True,
            metavar="NAME",
            help="Only of records of this input topic. May be given several times.",
        ),
        click.option(
            "--partition",
            "partitions",
            multiple=True,
            type=click.IntRange(min=0),
            metavar="NUMBER",
            help="Only of this partition of the input topics. May be given several times.",
        ),
    ]

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group(no_args_is_help=True)
def dead_letters() -> None:
    """Look at the records that could not be read, and write them to their input topics again
    when the cause is put right.

    \b
    stream-detector dead-letters list --since 24h
    stream-detector dead-letters show --reason malformed
    stream-detector dead-letters replay --since 24h --reason malformed --dry-run
    """


@dead_letters.command("list", cls=SettingsCommand, short_help="Count them by what was wrong.")
@_choosing(since_is_required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line of the table.")
@setting_options({"Kafka: how to reach it", "Topics"}, without=_NOT_USED - _READING)
def list_(
    since: timedelta | None,
    reasons: tuple[str, ...],
    topics: tuple[str, ...],
    partitions: tuple[int, ...],
    as_json: bool,
    config: Path | None,
    **flags: object,
) -> None:
    """Count dead letters by reason, input topic, format and kind of detail, with the time of the
    first and the last of each.

    \b
    stream-detector dead-letters list
    stream-detector dead-letters list --since 24h --topic url-events
    stream-detector dead-letters list --json

    --json has reason, source_topic, format, detail (N stands for numbers), letters, first, last,
    not_as_read (something in key or value is withheld or cut) and replays (they failed again
    after a replay).
    """
    settings, _ = given_settings(config, flags)
    from stream_detector.kafka.dead_letter_topic import letters_since  # noqa: PLC0415
    from stream_detector.wire.dead_letters import Tally  # noqa: PLC0415 - see the package

    chosen = _chosen(settings, reasons, topics, partitions)
    moment, tally, read = _moment(since), Tally(), 0
    topic = settings.topic(settings.dead_letters_topic)
    with ShownProgress().stage(f"reading {topic}") as stage:
        for letter in letters_since(
            settings,
            moment,
            on_progress=lambda done, total: stage.update(done, total=total),
        ):
            read += 1
            if chosen.admits(letter):
                tally.add(letter)
    groups = tally.groups()
    if as_json:
        for group in groups:
            click.echo(json.dumps(msgspec.to_builtins(group)))
        return
    for line in _table(groups):
        click.echo(line)
    count = sum(group.letters for group in groups)
    if not count:
        _tell_no_inputs(settings, topics)
    of_all = "" if count == read else f" of {read:,}"
    since_when = f" since {_written(moment)}" if moment else ""
    letters = f"{count:,}{of_all} dead letters" if of_all else counted(count, "dead letter")
    click.echo(f"{letters} in {topic}{since_when}")


@dead_letters.command(cls=SettingsCommand, short_help="Show the newest of them.")
@_choosing(since_is_required=False)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=_SHOWN_DEFAULT,
    show_default=True,
    help="At most so many, the newest first.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per dead letter, whole.")
@setting_options({"Kafka: how to reach it", "Topics"}, without=_NOT_USED - _READING)
def show(
    since: timedelta | None,
    reasons: tuple[str, ...],
    topics: tuple[str, ...],
    partitions: tuple[int, ...],
    limit: int,
    as_json: bool,
    config: Path | None,
    **flags: object,
) -> None:
    """Show dead letters, the newest first: what was wrong, where the record lies, its key and the
    begin of its value, with escapes for all that is not printable.

    \b
    stream-detector dead-letters show
    stream-detector dead-letters show --reason malformed --topic url-events --limit 3
    stream-detector dead-letters show --limit 1000 --json > letters.jsonl

    --json has key and value as text, or, where they are no UTF-8, as key_base64 and value_base64.
    """
    settings, _ = given_settings(config, flags)
    from stream_detector.kafka.dead_letter_topic import newest_letters  # noqa: PLC0415
    from stream_detector.wire.dead_letters import letter_document  # noqa: PLC0415

    topic = settings.topic(settings.dead_letters_topic)
    with ShownProgress().stage(f"reading {topic}") as stage:
        letters = newest_letters(
            settings,
            _moment(since),
            chosen=_chosen(settings, reasons, topics, partitions),
            limit=limit,
            on_progress=lambda done, total: stage.update(done, total=total),
        )
    if as_json:
        for letter in letters:
            click.echo(json.dumps(letter_document(letter)))
    elif not letters:
        click.echo(f"no such dead letters in {topic}")
        _tell_no_inputs(settings, topics)
    for letter in () if as_json else letters:
        click.echo("\n".join(_shown(letter, topic)))


@dead_letters.command(cls=SettingsCommand, short_help="Write their originals to the input again.")
@_choosing(since_is_required=True)
@click.option("--dry-run", is_flag=True, help="Say what would be replayed; write nothing.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="At most so many, to try it.  [default: all]"
)
@click.option(
    "--again", is_flag=True, help="Those too that became dead letters again after a replay."
)
@setting_options({"Kafka: how to reach it", "Topics"}, without=_NOT_USED - _REPLAYING)
def replay(
    since: timedelta,
    reasons: tuple[str, ...],
    topics: tuple[str, ...],
    partitions: tuple[int, ...],
    dry_run: bool,
    limit: int | None,
    again: bool,
    config: Path | None,
    **flags: object,
) -> None:
    """Write the records that became dead letters to their input topics again, each to its
    partition. First put right what was wrong, and restart the workers.

    \b
    stream-detector dead-letters replay --since 6h --reason malformed --dry-run
    stream-detector dead-letters replay --since 6h --reason malformed --limit 1
    stream-detector dead-letters replay --since 6h --reason malformed

    Where privacy settings, or the size, left a dead letter without its whole key or value, the
    record is read from its input topic, as long as that keeps it. A record that becomes a dead
    letter again is left out of later replays, unless --again asks for it. The whole record is
    written: if one of its lines was at fault, the others, judged before, get second verdicts with
    ids of their own. The dead letters stay in their topic, and a second replay of the same ones
    gives second verdicts too: choose --since so that it begins after the last replay.

    Exits with 1 if some can't be replayed; each is named.
    """
    settings, _ = given_settings(config, flags)
    from stream_detector.kafka.dead_letter_replay import replay_dead_letters  # noqa: PLC0415

    topic = settings.topic(settings.dead_letters_topic)
    with ShownProgress().stage(f"replaying {topic}") as stage:
        outcome = replay_dead_letters(
            settings,
            datetime.now(UTC) - since,
            chosen=_chosen(settings, reasons, topics, partitions),
            again=again,
            limit=limit,
            dry_run=dry_run,
            on_progress=lambda done, total: stage.update(done, total=total),
        )
    for line in _told(outcome, topic, dry_run=dry_run):
        click.echo(line)
    if not (outcome.replayed or outcome.left_out or outcome.not_replayable):
        _tell_no_inputs(settings, topics)
    if count := len(outcome.not_replayable):
        raise StreamDetectorError(
            f"{counted(count, 'dead letter')} can't be replayed, see above: write what was in "
            "the records to the input topic from its source, or leave it"
        )


def _chosen(
    settings: Settings,
    reasons: tuple[str, ...],
    topics: tuple[str, ...],
    partitions: tuple[int, ...],
) -> "LetterFilter":
    """The filter of these options; topics may be named with their prefix or without."""
    from stream_detector.wire.dead_letters import LetterFilter  # noqa: PLC0415

    full_names = {*topics, *map(settings.topic, topics)}
    return LetterFilter(frozenset(reasons), frozenset(full_names), frozenset(partitions))


def _tell_no_inputs(settings: Settings, topics: tuple[str, ...]) -> None:
    """Where nothing is found: say which of ``topics`` are no input, on stderr."""
    inputs = settings.input_topic_names
    for name in topics:
        if not {name, settings.topic(name)} & {*inputs}:
            click.echo(
                f"topic {printable(name)} is not among input_topics ({', '.join(inputs)}): "
                "correct one of the two",
                err=True,
            )


def _moment(since: timedelta | None) -> datetime | None:
    return None if since is None else datetime.now(UTC) - since


def _written(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z"


def _table(groups: "Iterable[Group]") -> Iterable[str]:
    """Two lines a group: counts and names, and below them the detail."""
    groups = list(groups)
    if not groups:
        return
    names = [
        [printable(part) or "-" for part in (g.reason, g.source_topic, g.format)] for g in groups
    ]
    heads = ["reason", "source topic", "format"]
    widths = [max(map(len, column)) for column in zip(heads, *names, strict=True)]
    yield _row("letters", heads, widths, "first", "last")
    for group, parts in zip(groups, names, strict=True):
        yield _row(f"{group.letters:,}", parts, widths, _written(group.first), _written(group.last))
        notes = [printable(group.detail) or "no detail"]
        if group.not_as_read:
            notes.append(f"{group.not_as_read:,} not whole")
        if group.replays:
            notes.append(f"{group.replays:,} failed again after a replay")
        yield from _wrapped("; ".join(notes), indent=11)


def _row(count: str, parts: list[str], widths: list[int], first: str, last: str) -> str:
    names = (f"{part:<{width}}" for part, width in zip(parts, widths, strict=True))
    return "  ".join([f"{count:>9}", *names, f"{first:<20}", last])


def _wrapped(text: str, *, indent: int) -> Iterable[str]:
    """``text`` in lines of the terminal's width where there is one, else in one line."""
    margin = " " * indent
    if not sys.stdout.isatty():
        return [margin + text]
    width = max(shutil.get_terminal_size().columns, 2 * indent)
    return textwrap.wrap(
        text, width, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    )


def _shown(letter: "StoredLetter", topic: str) -> Iterable[str]:
    """A dead letter for a person, in lines."""
    from stream_detector.wire.dead_letters import time_of  # noqa: PLC0415

    log_format = f" ({printable(letter.format)})" if letter.format else ""
    yield (
        f"{topic}:{letter.partition}:{letter.offset}  {_written(letter.time)}  "
        f"{printable(letter.reason) or 'no reason'}{log_format}"
    )
    yield f"  detail    {printable(letter.detail) or '-'}"
    if (source := letter.source) is not None:
        written = letter.source_timestamp
        when = "" if written is None else f", written {_written(time_of(written))}"
        yield (
            f"  record    {printable(source.topic)}:{source.partition}:{source.offset}, "
            f"line {source.index + 1}{when}"
        )
    if letter.replay_of:
        yield f"  replay    of {printable(letter.replay_of)}"
    if not letter.is_as_read:
        what = [printable(each) for each in letter.withheld] + ["what is too long"] * letter.is_cut
        yield f"  withheld  {', '.join(what)}: the record in its input topic has it"
    for name, part in (("key", letter.key), ("value", letter.value)):
        shown = "none"
        if part is not None:
            size = f"{len(part):,} bytes: " if len(part) > _SHOWN_CHARACTERS_MAX else ""
            shown = size + (printable_bytes(part, characters_max=_SHOWN_CHARACTERS_MAX) or "empty")
        yield f"  {name:<8}  {shown}"


def _told(outcome: "Outcome", topic: str, *, dry_run: bool) -> Iterable[str]:
    """What was replayed, or would be, and what not."""
    verb = "would be replayed" if dry_run else "replayed"
    count = outcome.replayed.total()
    yield f"{counted(count, 'dead letter')} of {topic} {verb}"
    for (source_topic, reason), of_them in outcome.replayed.most_common():
        yield f"{of_them:>9,}  {reason} to {source_topic}"
    for left_out, of_them in outcome.left_out.most_common():
        yield f"{of_them:>9,}  left out: they {left_out}"
    for letter, why in outcome.not_replayable[:_NOT_REPLAYABLE_SHOWN_MAX]:
        place = f"{topic}:{letter.partition}:{letter.offset}"
        yield f"can't be replayed: {place} ({printable(letter.reason)}): {printable(why)}"
    if (more := len(outcome.not_replayable) - _NOT_REPLAYABLE_SHOWN_MAX) > 0:
        yield f"can't be replayed: {more:,} more"
