"""``stream-trainer labels``: collect labels from Kafka, look at them, write them for training."""

import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event

import click

from stream_detector.canonical import canonicalise, kind_of
from stream_detector.commands.options import SettingsCommand
from stream_detector.events import Kind, Rejected
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted
from stream_detector.terminal.progress import Progress
from trainer.commands import options
from trainer.console import ShownProgress, show, tell
from trainer.labels.collecting import collect_labels
from trainer.labels.rendering import lines_of_all, lines_of_text
from trainer.labels.resolution import ResolvedLabel, resolve, retractions
from trainer.labels.store import LabelStore, StoredLabel, filled_store
from trainer.labels.training_file import write_rows, write_training_file

_STDOUT = Path("-")
_LABELS_AT_ONCE = 1000
"""Labels between two updates of the progress."""


@click.group(no_args_is_help=True)
def labels() -> None:
    """Collect the labels of analysts and feeds, look at them, and write them for training.

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
@options.label_store
@click.option("--follow", is_flag=True, help="Go on until SIGTERM or Ctrl-C; else up to the end.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    help="With --follow: seconds that a label waits for more before all are stored.",
)
@click.option(
    "--from-beginning",
    is_flag=True,
    help="Read all that the topic still holds, even if the group has read it; the store takes no "
    "label twice. An empty store is always filled this way.",
)
@options.kafka(
    *("labels_group_id", "topic_prefix", "labels_topic", "feed_labels_topic", "label_feeds"),
    *("label_keys", "labels_dead_letters_topic"),
)
def collect(
    store: Path, follow: bool, interval: float, from_beginning: bool, settings: Settings
) -> None:
    """Read the topics of labels as a consumer group, into Parquet files by day of collection.

    Each record is stored once, even if a process is killed: offsets are committed when its row is
    on disk. Labels that can't be used go to the dead-letter topic with their reason. One process
    at a time writes to a store, and each store needs its own --labels-group-id.

    \b
    stream-trainer labels collect --bootstrap-servers kafka-1:9092
    stream-trainer labels collect --follow --store /srv/labels
    """
    stopped = Event()
    if follow:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
    # A log of days must not fill with progress.
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


@labels.command("show", short_help="Show the labels of URLs, or all in numbers.")
@click.argument("urls", nargs=-1, metavar="[URL]...")
@options.label_store
@options.trust
def show_labels(urls: tuple[str, ...], store: Path, trust: tuple[str, ...]) -> None:
    """Show each label of URLs or host names, the one that counts first and those that were taken
    back last; without, all in numbers.

    \b
    stream-trainer labels show
    stream-trainer labels show http://evil.example/x evil.example --trust soc,urlhaus
    """
    if not urls:
        show(lines_of_all(*_resolved(store, trust)))
        return
    texts = [_canonical_text(url) for url in urls]
    found = list(filled_store(store).labels_of(texts))
    resolved, retracted = resolve(found, trust=trust), retractions(found)
    for text in texts:
        show(lines_of_text(text, resolved.get(text), retracted.get(text, [])))


@labels.command(short_help="Write the labels that count as a file for training.")
@click.argument("file", type=options.FILE)
@click.option("--kind", type=options.KIND, default="url")
@options.label_store
@options.trust
def export(file: Path, kind: Kind, store: Path, trust: tuple[str, ...]) -> None:
    """Write one row for each text, for `train --data` and `--extra`. - is standard output.

    CSV with the columns url (or host, by --kind), label (1 malicious, 0 benign), source, time (of
    labelling), analyst, feed, confidence, and disagreeing: how many other voices say otherwise.
    Texts that were labelled as both kinds are in the file of each. Only its owner can read the file
    (mode 0600). A cell that a spreadsheet would take for a formula begins with ', which `train` and
    `stream-detector label --file` take off again.

    \b
    stream-trainer labels export labelled.csv
    stream-trainer train --kind url --data urls.csv --extra labelled.csv --output bundles/url
    """
    resolved, _ = _resolved(store, trust)
    of_kind = [each for each in resolved.values() if kind in each.kinds]
    if file == _STDOUT:
        write_rows(sys.stdout, kind, of_kind)
        return
    write_training_file(file, kind, of_kind)
    tell(f"{counted(len(of_kind), 'label')} of kind {kind} in {file}")


def _resolved(
    store: Path, trust: tuple[str, ...]
) -> tuple[dict[str, ResolvedLabel], Mapping[str, int]]:
    """The label that counts by text, and the number of labels collected by day."""
    filled = filled_store(store)
    days: Counter[str] = Counter()
    with ShownProgress().stage("reading labels") as stage:

        def shown() -> Iterator[StoredLabel]:
            for number, stored in enumerate(filled.labels(), start=1):
                days[stored.written_at.date().isoformat()] += 1
                if number % _LABELS_AT_ONCE == 0:
                    stage.update(number)
                yield stored

        return resolve(shown(), trust=trust), days


def _canonical_text(url: str) -> str:
    canonical = canonicalise(kind_of(url), url)
    if isinstance(canonical, Rejected):
        raise click.UsageError(f"{url!a} is not a URL or host name: {canonical.detail}")
    return canonical.text
