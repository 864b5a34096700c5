"""``stream-detector label``: writes labels of URLs and host names to Kafka."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from stream_detector.commands.options import REACHING_KAFKA, SettingsCommand, with_settings
from stream_detector.kafka.label_topic import write_labels
from stream_detector.kafka.verdict_ids import events_of
from stream_detector.settings.fields import Settings
from stream_detector.terminal.progress import ShownProgress
from stream_detector.wire.label_files import (
    LABEL_WORDS,
    LabelDefaults,
    label_of,
    labels_of_file,
    text_of_event,
)

_SHOWN_MAX = 20
"""Labels that are printed one by one; of more, their number."""

_SETTINGS = {
    *REACHING_KAFKA,
    *("cluster", "topic_prefix", "labels_topic", "feed_labels_topic", "label_feeds", "label_keys"),
    *("input_topics", "input_formats", "json_fields"),
}


@click.command(cls=SettingsCommand, no_args_is_help=True)
@click.argument("words", nargs=-1, metavar="[URL]... [malicious|benign|retracted]")
@click.option("--analyst", metavar="NAME", help="Who labels.")
@click.option("--feed", metavar="NAME", help="Which feed labels, where no person does.")
@click.option(
    "--source",
    metavar="NAME",
    help="Which system the label comes from.  [default: analysts, or the feed]",
)
@click.option("--confidence", type=click.FloatRange(0, 1), help="How sure they are.")
@click.option(
    "--verdict-id",
    "verdict_ids",
    multiple=True,
    metavar="ID",
    help="Label the URL or host name of the verdict with this id. The input record must still be "
    "in its topic. If the topic was deleted and created again after the verdict, the id may name a "
    "record of the new topic, unless the worker has had another --cluster since. May be given "
    "several times.",
)
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Label each line of a plain list, or each row of a .csv or .tsv file with a column url or "
    "host, and optionally label, source, labeled_at, analyst, feed, confidence; `stream-trainer "
    "labels export` writes such a file. - is standard input: a table if its first line names a "
    "column url or host, else a plain list. If one row is wrong, no label is written.",
)
@click.option(
    "--signing-key",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ed25519 private key (PEM) to sign the labels with. The signature proves who labelled "
    "to a trainer that has the public key in label_keys. `stream-trainer models new-key` makes "
    "both keys.",
)
@with_settings(_SETTINGS)
def label(
    words: tuple[str, ...],
    analyst: str | None,
    feed: str | None,
    source: str | None,
    confidence: float | None,
    verdict_ids: tuple[str, ...],
    file: Path | None,
    signing_key: Path | None,
    settings: Settings,
) -> None:
    """Write labels of URLs and host names to Kafka, for the trainer to learn from.

    \b
    stream-detector label http://evil.example/login malicious --analyst kim
    stream-detector label benign --verdict-id 'k2Xf:url-events:3:17:0' --analyst kim
    stream-detector label malicious --file urls.txt --feed urlhaus --confidence 0.9
    stream-detector label --file labels.csv --analyst kim
    zcat urls.gz | stream-detector label malicious --file - --feed urlhaus
    stream-detector label http://evil.example/login retracted --analyst kim
    stream-detector label evil.example malicious --analyst kim --signing-key kim.key

    The last word is the label; only a file with a column label needs none. The latest label of
    each text counts, and an analyst's label overrules a feed's. "retracted" withdraws the earlier
    label of the same --analyst or --feed with the same --source: later trainings ignore it. A
    model that has learned it keeps its score; label the opposite to change that.

    Labels that name an analyst go to --labels-topic, labels that name only a feed to
    --feed-labels-topic: Kafka's ACLs on the two topics decide who may label as what. Only a
    signature proves which analyst or feed it was (--signing-key, and label_keys of the trainer).

    Prints each label with its topic, partition and offset once all in-sync replicas have it.

    A verdict id is resolved by reading its input record again. If the record has expired, or if
    --input-formats or --cluster differ from the worker's, give the URL: it is "observed" in the
    verdict. If verdicts mask query strings, only the id works.
    """
    word = next((each for each in LABEL_WORDS if words[-1:] == (each,)), None)
    urls = words if word is None else words[:-1]
    if file is None and not urls and not verdict_ids:
        raise click.UsageError("nothing to label: give URLs, --verdict-id or --file")
    if word is None and (file is None or urls or verdict_ids):
        raise click.UsageError("say malicious, benign or retracted as the last word")
    if analyst is None and feed is None and (urls or verdict_ids):
        raise click.UsageError("say who labels, by --analyst or --feed")
    defaults = LabelDefaults(word, source, analyst, feed, confidence, datetime.now(UTC))
    labels = [label_of(defaults, {"url": url}, where=ascii(url)) for url in urls]
    if file is not None:
        labels += labels_of_file(file, defaults)
    events = events_of(settings, verdict_ids) if verdict_ids else []
    for verdict_id, event in zip(verdict_ids, events, strict=True):
        text = text_of_event(event)
        labels.append(label_of(defaults, {"url": text}, where=verdict_id))
    with ShownProgress().stage("writing labels", len(labels)) as stage:
        written = write_labels(settings, labels, signing_key=signing_key, on_written=stage.update)
    if len(labels) <= _SHOWN_MAX:
        for one, (topic, partition, offset) in zip(labels, written, strict=True):
            click.echo(f"{one.label:<9}  {one.canonical.text}  in {topic}:{partition}:{offset}")
        return
    counts = Counter(one.label for one in labels)
    topics = " and ".join(dict.fromkeys(each.topic for each in written))
    parts = [
        f"{counts[each]:,} {each}" for each in LABEL_WORDS if counts[each] or each != "retracted"
    ]
    click.echo(f"{len(labels):,} labels in {topics}: {', '.join(parts)}")
