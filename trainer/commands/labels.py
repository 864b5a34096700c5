"""``stream-trainer labels``: collect labels from Kafka, look at them, write them for training."""

import csv
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import IO, TYPE_CHECKING

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.errors import StreamDetectorError
from stream_detector.settings.fields import SETTING_GROUPS
from stream_detector.terminal.counted import counted
from stream_detector.terminal.spreadsheets import cell_of
from trainer.console import printable, tell
from trainer.files.private import open_private
from trainer.shown_progress import Progress, ShownProgress, Stage

if TYPE_CHECKING:
    from stream_detector.events import Kind
    from trainer.labels.resolution import ResolvedLabel
    from trainer.labels.store import LabelStore, StoredLabel

__all__ = ["labels", "labels_option", "trust_option", "trusted"]

_STORE = Path("label-store")
_STDOUT = Path("-")
_LABELS_AT_ONCE = 1000
"""Labels between two updates of the progress."""
_TOPIC_OPTIONS = {
    *("topic_prefix", "labels_topic", "feed_labels_topic", "label_feeds", "label_keys"),
    "labels_dead_letters_topic",
}
_WITHOUT = {*SETTING_GROUPS["Topics"], "group_id", "cluster"} - _TOPIC_OPTIONS

labels_option = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=_STORE,
    show_default=True,
    help="Folder of the labels.",
)
trust_option = click.option(
    "--trust",
    metavar="A,B",
    default="",
    help="Sources of analysts, and feeds, by trust, the most trusted first: goes before the time "
    "of labels.",
)


@click.group(no_args_is_help=True, short_help="Collect labels, show them, write them for training.")
def labels() -> None:
    """Collect what analysts and feeds label, look at it, and write it for training.

    \b
    stream-detector label http://evil.example/x malicious --analyst kim
    stream-trainer labels collect
    stream-trainer labels show http://evil.example/x
    stream-trainer labels export labelled.csv
    stream-trainer train --kind url --data urls.csv --data labelled.csv --output bundles/url

    Of several labels of one text, in canonical form, one counts: of each voice (source, analyst
    and feed) the latest stands, unless that takes the label back (retracted); of those an analyst's
    goes before a feed's, then a signed one before others, then --trust decides, then the time.
    """


@labels.command(cls=SettingsCommand, short_help="Read labels from Kafka into the store.")
@labels_option
@click.option("--follow", is_flag=True, help="Go on until SIGTERM or Ctrl-C; else up to the end.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    show_default=True,
    help="With --follow: seconds that a label waits for more before all are stored.",
)
@click.option(
    "--from-beginning",
    is_flag=True,
    help="Read all that the topic still holds, whatever the group has read; what the store has is "
    "not stored twice. An empty store is always filled so.",
)
@setting_options({"Kafka: how to reach it", "Topics"}, without=_WITHOUT)
def collect(
    store: Path,
    follow: bool,
    interval: float,
    from_beginning: bool,
    config: Path | None,
    **flags: object,
) -> None:
    """Read the topics of labels as a consumer group, into Parquet files by day of collection.

    Each record is stored once, whatever is killed when: offsets are committed when its row is on
    disk. What can't be used goes to the dead-letter topic with its reason. One process at a time
    writes to a store, and each store needs a --labels-group-id of its own.

    \b
    stream-trainer labels collect --bootstrap-servers kafka-1:9092
    stream-trainer labels collect --follow --store /srv/labels
    """
    settings, _ = given_settings(config, flags)
    stopped = Event()
    if follow:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
    from trainer.labels.collecting import collect_labels  # noqa: PLC0415 - imports much
    from trainer.labels.store import LabelStore  # noqa: PLC0415

    # Followed for days, a log shall have what comes and nothing else.
    progress = Progress() if follow else ShownProgress()
    with progress.stage("reading labels from Kafka"):
        done = collect_labels(
            settings,
            LabelStore(store),
            follow=follow,
            interval=interval,
            from_beginning=from_beginning,
            stopped=stopped.is_set,
            tell=tell,
        )
    click.echo(f"{done}; the store is {store}")


@labels.command(short_help="Show what is held of URLs, or of all in numbers.")
@click.argument("urls", nargs=-1, metavar="[URL]...")
@labels_option
@trust_option
def show(urls: tuple[str, ...], store: Path, trust: str) -> None:
    """Show each label of URLs or host names, the one that counts first and those that were taken
    back last; without, all in numbers.

    \b
    stream-trainer labels show
    stream-trainer labels show http://evil.example/x evil.example --trust soc,urlhaus
    """
    from trainer.labels.resolution import resolve, retractions  # noqa: PLC0415 - imports much

    if not urls:
        _show_all(*_resolved(store, trust))
        return
    texts = [_canonical_text(url) for url in urls]
    labels = [stored for stored in _opened(store).labels() if stored.label.canonical.text in texts]
    resolved, retracted = resolve(labels, trust=trusted(trust)), retractions(labels)
    for text in texts:
        _show_one(text, resolved.get(text), retracted.get(text, []))


@labels.command(short_help="Write what counts as a file for training.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--kind", type=click.Choice(["url", "host"]), default="url", show_default=True)
@labels_option
@trust_option
def export(file: Path, kind: "Kind", store: Path, trust: str) -> None:
    """Write one row for each text: what `train --data` and `--extra` read. - is standard output.

    CSV with the columns url (or host, by --kind), label (1 malicious, 0 benign), source, time (of
    labelling), analyst, feed, confidence, and disagreeing: how many other voices say otherwise.
    Texts that were labelled as both kinds are in the file of each. The file is its owner's alone
    (mode 0600). A cell that a spreadsheet would take for a formula begins with ', which `train` and
    `stream-detector label --file` take off again.

    \b
    stream-trainer labels export labelled.csv
    stream-trainer train --kind url --data urls.csv --extra labelled.csv --output bundles/url
    """
    resolved, _ = _resolved(store, trust)
    of_kind = [each for each in resolved.values() if kind in each.kinds]
    if file == _STDOUT:
        _write(sys.stdout, kind, of_kind)
        return
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    try:
        try:
            with open_private(draft, "w", encoding="utf-8", newline="") as output:
                _write(output, kind, of_kind)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StreamDetectorError(f"{file} can't be written: {error.strerror}") from error
    tell(f"{counted(len(of_kind), 'label')} of kind {kind} in {file}")


def _resolved(store: Path, trust: str) -> tuple[dict[str, "ResolvedLabel"], Mapping[str, int]]:
    """What counts by text, and the number of labels collected by day.

    Raises:
        StreamDetectorError: there is no store, or it can't be read.
    """
    from trainer.labels.resolution import resolve  # noqa: PLC0415 - imports much

    opened = _opened(store)
    days: Counter[str] = Counter()

    def counted(stage: Stage) -> "Iterable[StoredLabel]":
        for number, stored in enumerate(opened.labels(), start=1):
            days[stored.written_at.date().isoformat()] += 1
            if number % _LABELS_AT_ONCE == 0:
                stage.update(number)
            yield stored

    with ShownProgress().stage("reading labels") as stage:
        return resolve(counted(stage), trust=trusted(trust)), days


def _opened(store: Path) -> "LabelStore":
    """The store, which is there and holds labels.

    Raises:
        StreamDetectorError: it does not.
    """
    from trainer.labels.store import LabelStore  # noqa: PLC0415 - imports much

    opened = LabelStore(store)
    opened.check_filled()
    return opened


def trusted(trust: str) -> tuple[str, ...]:
    """Names of sources in the order of trust, from the option."""
    return tuple(name.strip() for name in trust.split(",") if name.strip())


def _canonical_text(url: str) -> str:
    from stream_detector.canonical import canonicalise, kind_of  # noqa: PLC0415
    from stream_detector.events import Rejected  # noqa: PLC0415

    canonical = canonicalise(kind_of(url), url)
    if isinstance(canonical, Rejected):
        raise click.UsageError(f"{url!a} is no URL or host name: {canonical.detail}")
    return canonical.text


def _show_one(text: str, found: "ResolvedLabel | None", retracted: "Sequence[StoredLabel]") -> None:
    from stream_detector.wire.label_signatures import voice_of  # noqa: PLC0415 - imports much

    if found is None:
        click.echo(f"{text}: not labelled")
    else:
        disagreeing = len(found.disagreeing)
        click.echo(
            f"{text}: {found.label}"
            + (f", {disagreeing} of {len(found.standing)} voices disagree" if disagreeing else "")
        )
    for stored in (*(found.standing if found else ()), *retracted):
        label = stored.label
        who = voice_of(label) + (", signed" if stored.signed else "")
        sure = "" if label.confidence is None else f", confidence {label.confidence:g}"
        place = f"{stored.topic}:{stored.partition}:{stored.offset}"
        line = f"{label.label:<9}  {_moment(label.labeled_at)}  {who}, source {label.source}{sure}"
        click.echo(f"  {printable(line)}  in {place}")


def _show_all(resolved: Mapping[str, "ResolvedLabel"], days: Mapping[str, int]) -> None:
    standing = [stored for each in resolved.values() for stored in each.standing]
    of_label = Counter(each.label for each in resolved.values())
    disputed = sum(bool(each.disagreeing) for each in resolved.values())
    click.echo(f"{sum(days.values()):,} labels collected, from {min(days)} to {max(days)}")
    click.echo(
        f"{len(resolved):,} texts: {of_label['malicious']:,} malicious, {of_label['benign']:,} "
        f"benign; {_disputed(disputed)}"
    )
    won = Counter(each.winner.label.source for each in resolved.values())
    overruled = Counter(
        stored.label.source for each in resolved.values() for stored in each.disagreeing
    )
    by_source = Counter(stored.label.source for stored in standing)
    width = max(len(name) for name in ("source", *map(printable, by_source)))
    click.echo(f"{'source':<{width}}  {'standing':>9}  {'counting':>9}  {'overruled':>9}")
    for source, count in by_source.most_common():
        click.echo(
            f"{printable(source):<{width}}  {count:>9,}  {won[source]:>9,}  {overruled[source]:>9,}"
        )


def _write(output: IO[str], kind: "Kind", resolved: Iterable["ResolvedLabel"]) -> None:
    rows = csv.writer(output, lineterminator="\n")
    columns = (kind, "label", "source", "time", "analyst", "feed", "confidence", "disagreeing")
    rows.writerow(columns)
    for each in resolved:
        label = each.winner.label
        rows.writerow(
            (
                cell_of(each.text),
                int(each.label == "malicious"),
                cell_of(label.source),
                _moment(label.labeled_at),
                cell_of(label.analyst or ""),
                cell_of(label.feed or ""),
                "" if label.confidence is None else f"{label.confidence:g}",
                len(each.disagreeing),
            )
        )


def _disputed(texts: int) -> str:
    if not texts:
        return "no labels contradict each other"
    return f"{texts:,} text{'s have' if texts > 1 else ' has'} labels that contradict each other"


def _moment(time: datetime) -> str:
    """RFC 3339, to the second."""
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"
