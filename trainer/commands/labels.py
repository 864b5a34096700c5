"""``stream-trainer labels``: collect labels from Kafka, look at them, write them for training."""

import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.settings.fields import SETTING_GROUPS
from stream_detector.terminal.counted import counted
from stream_detector.terminal.progress import Progress
from trainer.commands.label_options import labels_option, trust_option, trusted
from trainer.console import tell
from trainer.shown_progress import ShownProgress

if TYPE_CHECKING:
    from stream_detector.events import Kind
    from trainer.labels.resolution import ResolvedLabel
    from trainer.labels.store import StoredLabel

_STDOUT = Path("-")
_LABELS_AT_ONCE = 1000
"""Labels between two updates of the progress."""
_TOPIC_OPTIONS = {
    *("topic_prefix", "labels_topic", "feed_labels_topic", "label_feeds", "label_keys"),
    "labels_dead_letters_topic",
}
_WITHOUT = {*SETTING_GROUPS["Topics"], "group_id", "cluster"} - _TOPIC_OPTIONS


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
    from trainer.labels.rendering import lines_of_all, lines_of_text  # noqa: PLC0415 - pyarrow
    from trainer.labels.resolution import resolve, retractions  # noqa: PLC0415
    from trainer.labels.store import filled_store  # noqa: PLC0415

    if not urls:
        for line in lines_of_all(*_resolved(store, trust)):
            click.echo(line)
        return
    texts = [_canonical_text(url) for url in urls]
    found = list(filled_store(store).labels_of(texts))
    resolved, retracted = resolve(found, trust=trusted(trust)), retractions(found)
    for text in texts:
        for line in lines_of_text(text, resolved.get(text), retracted.get(text, [])):
            click.echo(line)


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
    from trainer.labels.training_file import write_rows, write_training_file  # noqa: PLC0415

    resolved, _ = _resolved(store, trust)
    of_kind = [each for each in resolved.values() if kind in each.kinds]
    if file == _STDOUT:
        write_rows(sys.stdout, kind, of_kind)
        return
    write_training_file(file, kind, of_kind)
    tell(f"{counted(len(of_kind), 'label')} of kind {kind} in {file}")


def _resolved(store: Path, trust: str) -> "tuple[dict[str, ResolvedLabel], Mapping[str, int]]":
    """What counts by text, and the number of labels collected by day.

    Raises:
        StreamDetectorError: there is no store, or it can't be read.
    """
    from trainer.labels.resolution import resolve  # noqa: PLC0415 - imports much
    from trainer.labels.store import filled_store  # noqa: PLC0415

    filled = filled_store(store)
    days: Counter[str] = Counter()
    with ShownProgress().stage("reading labels") as stage:

        def shown() -> "Iterator[StoredLabel]":
            for number, stored in enumerate(filled.labels(), start=1):
                days[stored.written_at.date().isoformat()] += 1
                if number % _LABELS_AT_ONCE == 0:
                    stage.update(number)
                yield stored

        return resolve(shown(), trust=trusted(trust)), days


def _canonical_text(url: str) -> str:
    from stream_detector.canonical import canonicalise, kind_of  # noqa: PLC0415
    from stream_detector.events import Rejected  # noqa: PLC0415

    canonical = canonicalise(kind_of(url), url)
    if isinstance(canonical, Rejected):
        raise click.UsageError(f"{url!a} is no URL or host name: {canonical.detail}")
    return canonical.text
