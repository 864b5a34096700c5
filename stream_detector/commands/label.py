"""``stream-detector label``: what an analyst or a feed says of URLs and host names."""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.errors import LabelError
from stream_detector.settings.fields import SETTING_GROUPS
from stream_detector.terminal.progress import ShownProgress
from stream_detector.terminal.spreadsheets import text_of

if TYPE_CHECKING:
    from stream_detector.events import Label, UrlEvent

__all__ = ["label"]

_Name = Literal["malicious", "benign", "retracted"]
_NAMES: tuple[_Name, ...] = get_args(_Name)
_NUMBERS: Mapping[str, _Name] = {"1": "malicious", "0": "benign"}
"""What files for training have, those of `stream-trainer labels export` among them."""
_CHOICE = "malicious, benign or retracted"

_STDIN = Path("-")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_COLUMNS = ("url", "host", "label", "source", "labeled_at", "analyst", "feed", "confidence")
_SOURCE_OF_ANALYSTS = "analysts"
_SHOWN_MAX = 20
"""Labels of a file that are printed one by one; of more, their number."""

_TOPIC_OPTIONS = {
    *("topic_prefix", "labels_topic", "feed_labels_topic", "label_feeds", "label_keys"),
    *("input_topics", "input_formats", "json_fields"),
}
_WITHOUT = {*SETTING_GROUPS["Topics"], "group_id", "labels_group_id"} - _TOPIC_OPTIONS


class _Defaults(NamedTuple):
    """What the options say, for labels that do not say it themselves."""

    label: _Name | None
    source: str | None
    analyst: str | None
    feed: str | None
    confidence: float | None
    labeled_at: datetime


@click.command(cls=SettingsCommand, no_args_is_help=True)
@click.argument("words", nargs=-1, metavar="[URL]... [malicious|benign|retracted]")
@click.option("--analyst", metavar="NAME", help="Who labels.")
@click.option("--feed", metavar="NAME", help="Which feed labels, where no person does.")
@click.option(
    "--source",
    metavar="NAME",
    help=f"Which system the label comes from.  [default: {_SOURCE_OF_ANALYSTS}, or the feed]",
)
@click.option("--confidence", type=click.FloatRange(0, 1), help="How sure they are.")
@click.option(
    "--verdict-id",
    "verdict_ids",
    multiple=True,
    metavar="ID",
    help="Label what the verdict with this id is about. Needs the input record to be still in its "
    "topic. If the topic was deleted and made again since the verdict, the id may name a record of "
    "the new topic, unless the worker has another --cluster since then. May be given several "
    "times.",
)
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Label each line of a plain list, or each row of a .csv or .tsv file with columns url or "
    "host, and optionally label, source, labeled_at, analyst, feed, confidence; `stream-trainer "
    "labels export` writes such a file. - is standard input: a table if its first line names a "
    "column url or host, else a plain list. Written only if all can be.",
)
@click.option(
    "--signing-key",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ed25519 private key (PEM) to sign the labels with: proves whose they are to a trainer "
    "that has its public half in label_keys. `stream-trainer models new-key` makes one.",
)
@setting_options({"Kafka: how to reach it", "Topics"}, without=_WITHOUT)
def label(
    words: tuple[str, ...],
    analyst: str | None,
    feed: str | None,
    source: str | None,
    confidence: float | None,
    verdict_ids: tuple[str, ...],
    file: Path | None,
    signing_key: Path | None,
    config: Path | None,
    **flags: object,
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
    each text counts, an analyst's before a feed's. "retracted" takes back what the same --analyst
    or --feed, with the same --source, said of the text before: no training learns it again. A
    model that has learned it may go on saying so; label the opposite to change that.

    Labels that name an analyst go to --labels-topic, those of a feed alone to --feed-labels-topic:
    Kafka's rights on the two topics say who may speak as what. Which analyst or feed it is only a
    signature proves (--signing-key, and label_keys of the trainer).

    Prints each label with its place in Kafka once all replicas have it.

    A verdict id is looked up by reading its input record again. When that has expired, or
    --input-formats or --cluster are not those of the worker, give the URL, which the verdict has
    as observed. Where queries are masked in verdicts, the id is the only way.
    """
    urls, name = _urls_and_label(words)
    if file is None and not urls and not verdict_ids:
        raise click.UsageError("nothing to label: give URLs, --verdict-id or --file")
    if name is None and (file is None or urls or verdict_ids):
        raise click.UsageError(f"say {_CHOICE} as the last word")
    if analyst is None and feed is None and (urls or verdict_ids):
        raise click.UsageError("say who labels, by --analyst or --feed")
    settings, _ = given_settings(config, flags)
    defaults = _Defaults(name, source, analyst, feed, confidence, datetime.now(UTC))
    labels = [_made(defaults, {"url": url}, where=ascii(url)) for url in urls]
    if file is not None:
        labels += _labels_of(file, defaults)
    from stream_detector.kafka.label_topic import write_labels  # noqa: PLC0415 - see the package

    if verdict_ids:
        from stream_detector.kafka.verdict_ids import events_of  # noqa: PLC0415

        for verdict_id, event in zip(verdict_ids, events_of(settings, verdict_ids), strict=True):
            labels.append(_made(defaults, {"url": _url_of(event)}, where=verdict_id))
    with ShownProgress().stage("writing labels", len(labels)) as stage:
        written = write_labels(settings, labels, signing_key=signing_key, on_written=stage.update)
    if len(labels) <= _SHOWN_MAX:
        for one, (topic, partition, offset) in zip(labels, written, strict=True):
            click.echo(f"{one.label:<9}  {one.canonical.text}  in {topic}:{partition}:{offset}")
    else:
        counts = Counter(one.label for one in labels)
        topics = " and ".join(dict.fromkeys(each.topic for each in written))
        click.echo(
            f"{len(labels):,} labels in {topics}: "
            + ", ".join(
                f"{counts[each]:,} {each}" for each in _NAMES if counts[each] or each != "retracted"
            )
        )


def _urls_and_label(words: tuple[str, ...]) -> tuple[list[str], _Name | None]:
    """The URLs, and the label if the last word is one."""
    for name in _NAMES:
        if words and words[-1] == name:
            return list(words[:-1]), name
    return list(words), None


def _made(defaults: _Defaults, given: Mapping[str, str], *, where: str) -> "Label":
    """The label that ``given`` (columns by name) and the options make together.

    Raises:
        click.UsageError: neither says who labels.
        LabelError: it can't be made; the message begins with ``where``.
    """
    from stream_detector.wire.labels import make_label  # noqa: PLC0415

    analyst = given.get("analyst") or None
    feed = given.get("feed") or None
    labeled_at = given.get("labeled_at") or given.get("time")  # As an export calls it.
    if analyst is None and feed is None:
        analyst, feed = defaults.analyst, defaults.feed
    if analyst is None and feed is None:
        raise click.UsageError(
            f"{where}: say who labels, by --analyst or --feed, or by a column; nothing was written"
        )
    try:
        return make_label(
            given["url"],
            _label_name(given.get("label") or defaults.label),
            source=given.get("source")
            or defaults.source
            or (feed if analyst is None else None)
            or _SOURCE_OF_ANALYSTS,
            labeled_at=_time(labeled_at) if labeled_at else defaults.labeled_at,
            analyst=analyst,
            feed=feed,
            confidence=_number(given["confidence"])
            if given.get("confidence")
            else defaults.confidence,
        )
    except LabelError as error:
        raise LabelError(f"{where}: {error}; nothing was written") from error


def _label_name(text: str | None) -> _Name:
    for name in _NAMES:
        if text == name:
            return name
    if not text:
        raise LabelError("no label")
    if text in _NUMBERS:
        return _NUMBERS[text]
    raise LabelError(f"the label is {text!r} and not {_CHOICE}")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise LabelError(f"labeled_at {text!r} is no time such as 2026-11-01T10:00:00Z") from None
    if time.tzinfo is None:
        raise LabelError(f"labeled_at {text!r} has no offset: end it with Z or such as +01:00")
    from stream_detector.wire.labels import AHEAD_MAX  # noqa: PLC0415

    if time - datetime.now(UTC) > AHEAD_MAX:
        raise LabelError(f"labeled_at {text!r} is in the future")
    return time


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise LabelError(f"confidence {text!r} is no number") from None


def _url_of(event: "UrlEvent") -> str:
    """A text that is read as what the event was: a URL that came without a scheme, a host name
    that came with a port.
    """
    from stream_detector.canonical import canonicalise, kind_of  # noqa: PLC0415
    from stream_detector.events import Canonical  # noqa: PLC0415

    if kind_of(event.observed) == event.kind:
        return event.observed
    if event.kind == "url":
        return f"http://{event.observed}"
    canonical = canonicalise("host", event.observed)
    return canonical.text if isinstance(canonical, Canonical) else event.observed


def _labels_of(file: Path, defaults: _Defaults) -> list["Label"]:
    """The labels of a file.

    Raises:
        LabelError: the file, or a line of it, can't be used.
    """
    try:
        with (
            nullcontext(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline=""))
            if file == _STDIN
            else file.open(encoding="utf-8-sig", newline="")
        ) as lines:
            first = next(lines, "")
            delimiter = _delimiter(file, first)
            every = chain([first], lines)
            rows = _plain(every) if delimiter is None else _table(every, delimiter, file)
            labels = [
                _made(defaults, row, where=f"{_shown(file)}, line {number}") for number, row in rows
            ]
    except UnicodeDecodeError as error:
        raise LabelError(f"{_shown(file)} is not UTF-8 text ({error.reason})") from error
    if not labels:
        raise LabelError(f"{_shown(file)} holds nothing to label")
    return labels


def _shown(file: Path) -> str:
    return "standard input" if file == _STDIN else str(file)


def _delimiter(file: Path, first: str) -> str | None:
    """What parts the columns of a table that begins with the line ``first``; None for a list."""
    if file != _STDIN:
        return _DELIMITERS.get(file.suffix.lower())
    delimiter = "\t" if "\t" in first else ","
    names = {name.strip() for name in first.split(delimiter)}
    return delimiter if names & {"url", "host"} else None


def _plain(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, {"url": text}


def _table(
    lines: Iterable[str], delimiter: str, file: Path
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Rows by the names of their columns, a host as ``url``."""
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader, [])]
        if len({"url", "host"} & set(header)) != 1:
            raise LabelError(
                f"{_shown(file)}: its first line has to name a column url or host, and may name "
                f"{', '.join(_COLUMNS[2:])}"
            )
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(header):
                raise LabelError(
                    f"{_shown(file)}, line {reader.line_num}: {len(fields)} columns where the "
                    f"header has {len(header)}; nothing was written"
                )
            texts = (text_of(field.strip()) for field in fields)
            row = dict(zip(header, texts, strict=True))
            yield reader.line_num, {"url": row.get("host", ""), **row}
    except csv.Error as error:
        raise LabelError(
            f"{_shown(file)}, line {reader.line_num}: {error}; nothing was written"
        ) from error
