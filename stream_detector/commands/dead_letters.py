"""``stream-detector dead-letters``: list, show and replay the records that could not be read."""

import functools
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

import click
import msgspec

from stream_detector.commands.options import REACHING_KAFKA, SettingsCommand, with_settings
from stream_detector.errors import StreamDetectorError
from stream_detector.events import RejectReason
from stream_detector.kafka.dead_letters import (
    Outcome,
    letters_since,
    newest_letters,
    replay_dead_letters,
)
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted
from stream_detector.terminal.durations import DURATION
from stream_detector.terminal.printable import printable, printable_bytes
from stream_detector.terminal.progress import ShownProgress
from stream_detector.terminal.table import table_lines, wrapped
from stream_detector.wire.dead_letters import (
    Group,
    LetterFilter,
    StoredLetter,
    Tally,
    letter_document,
    time_of,
)

_SHOWN_DEFAULT = 10
_SHOWN_CHARACTERS_MAX = 400
"""Of a key or value."""
_NOT_REPLAYABLE_SHOWN_MAX = 20
_SETTINGS = {*REACHING_KAFKA, "topic_prefix", "dead_letters_topic", "input_topics"}


class _Choice(NamedTuple):
    """Which dead letters the options choose; an empty field chooses all."""

    since: timedelta | None
    reasons: tuple[str, ...]
    topics: tuple[str, ...]
    """As given: with the topic prefix or without."""
    partitions: tuple[int, ...]

    @property
    def moment(self) -> datetime | None:
        """The time from which letters are meant."""
        return None if self.since is None else datetime.now(UTC) - self.since

    def filter(self, settings: Settings) -> LetterFilter:
        """The same with the topics' full names."""
        full_names = {*self.topics, *map(settings.topic, self.topics)}
        return LetterFilter(
            frozenset(self.reasons), frozenset(full_names), frozenset(self.partitions)
        )

    def tell_no_inputs(self, settings: Settings) -> None:
        """Name on stderr the given topics that are not input topics: likely typos."""
        inputs = settings.input_topic_names
        for name in self.topics:
            if not {name, settings.topic(name)} & {*inputs}:
                click.echo(
                    f"topic {printable(name)} is not among input_topics ({', '.join(inputs)}): "
                    "correct one of the two",
                    err=True,
                )


def _choosing(*, since_is_required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options that choose dead letters; the command gets them as ``choice``."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @click.option(
            "--since",
            type=DURATION,
            required=since_is_required,
            help="Only those that became dead letters within this time, such as 30m, 24h or 7d."
            + ("" if since_is_required else "  [default: all that the topic holds]"),
        )
        @click.option(
            "--reason",
            "reasons",
            multiple=True,
            type=click.Choice([reason.value for reason in RejectReason]),
            metavar="REASON",
            help="Only those with this reason, such as malformed. May be given several times.",
        )
        @click.option(
            "--topic",
            "topics",
            multiple=True,
            metavar="NAME",
            help="Only records of this input topic. May be given several times.",
        )
        @click.option(
            "--partition",
            "partitions",
            multiple=True,
            type=click.IntRange(min=0),
            metavar="NUMBER",
            help="Only this partition of the input topics. May be given several times.",
        )
        @functools.wraps(command)
        def with_choice(**given: Any) -> None:
            command(choice=_Choice(*(given.pop(name) for name in _Choice._fields)), **given)

        return with_choice

    return decorate


@click.group(no_args_is_help=True)
def dead_letters() -> None:
    """List and show the records that could not be read, and replay them into their input topics
    once the cause is fixed.

    \b
    stream-detector dead-letters list --since 24h
    stream-detector dead-letters show --reason malformed
    stream-detector dead-letters replay --since 24h --reason malformed --dry-run
    """


@dead_letters.command("list", cls=SettingsCommand, short_help="Count them by fault.")
@_choosing(since_is_required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line of the table.")
@with_settings(_SETTINGS)
def list_(settings: Settings, choice: _Choice, as_json: bool) -> None:
    """Count dead letters by reason, input topic, format and kind of detail, with the time of the
    first and the last of each.

    \b
    stream-detector dead-letters list
    stream-detector dead-letters list --since 24h --topic url-events
    stream-detector dead-letters list --json

    --json has reason, source_topic, format, detail (N stands for numbers), letters, first, last,
    not_as_read (how many have a key or value that is masked or cut) and replays (how many failed
    again after a replay).
    """
    chosen, moment = choice.filter(settings), choice.moment
    tally, read = Tally(), 0
    topic = settings.dead_letters_topic_name
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
        choice.tell_no_inputs(settings)
    since_when = f" since {_written(moment)}" if moment else ""
    letters = counted(count, "dead letter")
    if count != read:
        letters = f"{count:,} of {read:,} dead letters"
    click.echo(f"{letters} in {topic}{since_when}")


@dead_letters.command(cls=SettingsCommand, short_help="Show the newest of them.")
@_choosing(since_is_required=False)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=_SHOWN_DEFAULT,
    show_default=True,
    help="At most this many, the newest first.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per dead letter, uncut.")
@with_settings(_SETTINGS)
def show(settings: Settings, choice: _Choice, limit: int, as_json: bool) -> None:
    """Show dead letters, the newest first: the fault, the position of the record, its key and the
    beginning of its value, with escapes for characters that are not printable.

    \b
    stream-detector dead-letters show
    stream-detector dead-letters show --reason malformed --topic url-events --limit 3
    stream-detector dead-letters show --limit 1000 --json > letters.jsonl

    --json has key and value as text or, if they are not UTF-8, as key_base64 and value_base64.
    """
    topic = settings.dead_letters_topic_name
    with ShownProgress().stage(f"reading {topic}") as stage:
        letters = newest_letters(
            settings,
            choice.moment,
            chosen=choice.filter(settings),
            limit=limit,
            on_progress=lambda done, total: stage.update(done, total=total),
        )
    if as_json:
        for letter in letters:
            click.echo(json.dumps(letter_document(letter)))
        return
    for letter in letters:
        click.echo("\n".join(_shown(letter, topic)))
    if not letters:
        click.echo(f"no such dead letters in {topic}")
        choice.tell_no_inputs(settings)


@dead_letters.command(cls=SettingsCommand, short_help="Write their originals to the input again.")
@_choosing(since_is_required=True)
@click.option("--dry-run", is_flag=True, help="Show what would be replayed; write nothing.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="At most this many, to try it.  [default: all]"
)
@click.option("--again", is_flag=True, help="Include those that failed again after a replay.")
@with_settings(_SETTINGS)
def replay(
    settings: Settings, choice: _Choice, dry_run: bool, limit: int | None, again: bool
) -> None:
    """Write the original records of dead letters to their input topics again, each to its
    partition. Fix the cause first, and restart the workers.

    \b
    stream-detector dead-letters replay --since 6h --reason malformed --dry-run
    stream-detector dead-letters replay --since 6h --reason malformed --limit 1
    stream-detector dead-letters replay --since 6h --reason malformed

    If privacy settings or the size limit removed part of a key or value, the record is read from
    its input topic, as long as it has not expired there. Later replays skip a record that fails
    again, unless --again is given. The whole record is written: if only one of its lines was at
    fault, the other lines get second verdicts with new ids. Dead letters stay in their topic, so a
    second replay of the same ones also gives second verdicts: choose --since so that it begins
    after the last replay.

    Exits with 1 if some can't be replayed, and names each.
    """
    topic = settings.dead_letters_topic_name
    with ShownProgress().stage(f"replaying {topic}") as stage:
        outcome = replay_dead_letters(
            settings,
            cast(datetime, choice.moment),  # --since is required.
            chosen=choice.filter(settings),
            again=again,
            limit=limit,
            dry_run=dry_run,
            on_progress=lambda done, total: stage.update(done, total=total),
        )
    for line in _told(outcome, topic, dry_run=dry_run):
        click.echo(line)
    if not (outcome.replayed or outcome.left_out or outcome.not_replayable):
        choice.tell_no_inputs(settings)
    if count := len(outcome.not_replayable):
        raise StreamDetectorError(
            f"{counted(count, 'dead letter')} can't be replayed, see above: write the content of "
            "these records to the input topic from its source, or leave it"
        )


def _written(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z"


def _table(groups: Iterable[Group]) -> Iterable[str]:
    """Two lines a group: counts and names, and below them the detail."""
    groups = list(groups)
    rows = [
        (
            f"{group.letters:,}",
            *(printable(name) or "-" for name in (group.reason, group.source_topic, group.format)),
            _written(group.first),
            _written(group.last),
        )
        for group in groups
    ]
    if not groups:
        return
    heading = ("letters", "reason", "source topic", "format", "first", "last")
    first, *lines = table_lines([heading, *rows], right={0})
    yield first
    for group, line in zip(groups, lines, strict=True):
        yield line
        notes = [printable(group.detail) or "no detail"]
        if group.not_as_read:
            notes.append(f"{group.not_as_read:,} not whole")
        if group.replays:
            notes.append(f"{group.replays:,} failed again after a replay")
        yield from wrapped("; ".join(notes), margin=" " * 9)


def _shown(letter: StoredLetter, topic: str) -> Iterable[str]:
    """A dead letter for a person, in lines."""
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
        what = [printable(each) for each in letter.withheld] + [
            "the part beyond the size limit"
        ] * letter.is_cut
        yield f"  withheld  {', '.join(what)}: the record in its input topic has it"
    for name, part in (("key", letter.key), ("value", letter.value)):
        shown = "none"
        if part is not None:
            size = f"{len(part):,} bytes: " if len(part) > _SHOWN_CHARACTERS_MAX else ""
            shown = size + (printable_bytes(part, characters_max=_SHOWN_CHARACTERS_MAX) or "empty")
        yield f"  {name:<8}  {shown}"


def _told(outcome: Outcome, topic: str, *, dry_run: bool) -> Iterable[str]:
    """Lines on the replayed letters, and on those left out or not replayable."""
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
