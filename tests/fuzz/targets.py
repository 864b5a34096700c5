"""What is fuzzed: each target takes bytes and raises AssertionError where a promise is broken."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from fuzz.batches import check_batches
from fuzz.files import check_lists, check_tables
from fuzz.models import check_models
from fuzz.outputs import check_outputs
from fuzz.refusals import REFUSAL_CHARACTERS_MAX
from stream_detector.canonical import canonicalise
from stream_detector.events import (
    Canonical,
    DeadLetter,
    Ignored,
    Kind,
    Rejected,
    SourcePosition,
    UrlEvent,
)
from stream_detector.limits import CANONICAL_CHARACTERS_MAX, LOG_TEXT_CHARACTERS_MAX
from stream_detector.logs.redaction import Redaction
from stream_detector.privacy.letter_bytes import letter_without_credentials, without_credentials
from stream_detector.privacy.urls import (
    observed_without_credentials,
    with_query_masked,
    without_nested_credentials,
)
from stream_detector.settings.fields import Settings
from stream_detector.sources.reading import read_record
from stream_detector.sources.registry import SOURCES
from stream_detector.wire.labels import label_message, read_label
from support.private_records import FORMATS

__all__ = ["TARGETS", "Target"]

_LINES_MAX = 100
_PASSWORD = "pASSWORDp"
_SECRET = "hUNTER2-of-kafka"
_KINDS: tuple[Kind, Kind] = ("url", "host")
_WRITTEN = datetime(2026, 11, 1, tzinfo=UTC)


class Target(NamedTuple):
    """What is fuzzed, and how long its inputs get."""

    name: str
    check: Callable[[bytes], None]
    bytes_max: int


def _chosen(data: bytes) -> tuple[int, bytes]:
    """The first byte chooses what is done with the rest."""
    return (data[0], data[1:]) if data else (0, b"")


def _sources(data: bytes) -> None:
    """A record of any format becomes events, refusals or nothing, within its bounds."""
    choice, value = _chosen(data)
    sources = (None, *SOURCES.values())
    results = read_record(value, source=sources[choice % len(sources)], lines_max=_LINES_MAX)
    assert len(results) <= _LINES_MAX, len(results)
    for _, result in results:
        assert isinstance(result, UrlEvent | Rejected | Ignored), result
        if isinstance(result, UrlEvent):
            assert len(result.observed) <= len(value) + len("http://"), result
        elif isinstance(result, Rejected):
            assert len(result.detail) <= REFUSAL_CHARACTERS_MAX, result


def _canonical(data: bytes) -> None:
    """A text is refused, or has one form, printable ASCII, that is its own form."""
    choice, rest = _chosen(data)
    kind = _KINDS[choice % len(_KINDS)]
    form = canonicalise(kind, rest.decode(errors="replace"))
    if isinstance(form, Rejected):
        assert len(form.detail) <= REFUSAL_CHARACTERS_MAX, form
        return
    assert 0 < len(form.text) <= CANONICAL_CHARACTERS_MAX, form
    assert all(" " < character <= "~" for character in form.text), form
    assert form.text.startswith(form.host), form
    assert f".{form.host}".endswith(f".{form.registered_domain}"), form
    again = canonicalise(kind, form.text)
    assert isinstance(again, Canonical), again
    assert (again.text, again.host) == (form.text, form.host), again


def _masking(data: bytes) -> None:
    """No password of a URL is in what is written of a record that holds it."""
    choice, rest = _chosen(data)
    place, rest = _chosen(rest)
    text = rest.decode(errors="replace")
    # libFuzzer learns texts from what the code compares, these too; what it writes without a login
    # around it is no password.
    if _PASSWORD in text or _SECRET in text:
        return
    before, after = text[: place % (len(text) + 1)], text[place % (len(text) + 1) :]
    levels = ("", "%", "%25")
    percent = levels[choice % len(levels)]
    colon, at = (f"{percent}3A", f"{percent}40") if percent else (":", "@")
    login = f"user{colon}{_PASSWORD}{at}"
    own = bool(choice & 128)
    url = f"user:{_PASSWORD}@h.com/{before}{after}" if own else f"h.com/{before}/{login}{after}"
    formats = sorted(FORMATS)
    record = FORMATS[formats[choice // len(levels) % len(formats)]](url)
    for _, result in read_record(record, source=None, lines_max=_LINES_MAX):
        if isinstance(result, UrlEvent):
            _check_masked(result)
    assert _PASSWORD not in without_nested_credentials(f"http://h.com/{before}/{login}{after}")
    line = _REDACTION.text(f"{before} http://user:{_PASSWORD}@h.com/ {_SECRET} {after}")
    assert _PASSWORD not in line, line
    assert _SECRET not in line, line
    assert len(line) <= 2 * LOG_TEXT_CHARACTERS_MAX, len(line)
    masked = without_credentials(f"{before} http://user:{_PASSWORD}@h.com/{after}".encode())
    assert masked is None or _PASSWORD.encode() not in masked, masked


def _check_masked(event: UrlEvent) -> None:
    form = canonicalise(event.kind, event.observed)
    if isinstance(form, Rejected):
        return
    observed = observed_without_credentials(event.observed, form)
    written = without_nested_credentials(form.text)
    assert _PASSWORD not in observed, observed
    assert _PASSWORD not in written, written
    assert with_query_masked(with_query_masked(written)) == with_query_masked(written), written


_REDACTION = Redaction(Settings(sasl_password=_SECRET))


def _labels(data: bytes) -> None:
    """A record is a label that reads the same when written again, or a bounded dead letter."""
    label = read_label(data, written_at=_WRITTEN)
    if isinstance(label, Rejected):
        assert len(label.detail) <= REFUSAL_CHARACTERS_MAX, label
        letter = DeadLetter(
            data, data, label.reason, label.detail, SourcePosition("url-labels", 0, 0, 0), 0
        )
        masked = letter_without_credentials(letter)
        assert len(masked.value or b"") <= 2 * len(data) + 16, masked
        return
    again = read_label(label_message(label)[1], written_at=_WRITTEN)
    assert not isinstance(again, Rejected), (label, again)
    assert again.canonical == label.canonical, (label, again)
    assert (again.label, again.analyst, again.feed) == (label.label, label.analyst, label.feed)


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target("sources", _sources, 4096),
        Target("canonical", _canonical, 1024),
        Target("masking", _masking, 1024),
        Target("outputs", check_outputs, 2048),
        Target("models", check_models, 4096),
        Target("labels", _labels, 2048),
        Target("lists", check_lists, 2048),
        Target("tables", check_tables, 4096),
        Target("batches", check_batches, 2048),
    )
}
"""By name."""
