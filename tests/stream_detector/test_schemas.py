"""The schemas in ``data/schemas`` hold for whatever the encoders write."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from stream_detector.errors import RecordError, RefusedModelError
from stream_detector.events import (
    Alert,
    Counts,
    Disagreement,
    Inner,
    ModelRef,
    Opinion,
    ScoreDifference,
    SourcePosition,
    Thresholds,
    UrlEvent,
    Verdict,
    VerdictPair,
)
from stream_detector.models.announcement import (
    Announcement,
    ShadowEnd,
    announcement_key,
    decode_announcement,
    encode_announcement,
)
from stream_detector.settings.fields import DATA_FOLDER
from stream_detector.sources.reading import read_record
from stream_detector.sources.registry import source_named
from stream_detector.wire.comparisons import encode_comparison, read_comparison
from stream_detector.wire.outcomes import encode_alert, verdict_message
from support.verdicts import verdict_with

SCHEMAS = DATA_FOLDER / "schemas"


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text()))


VERDICTS = validator("url-verdict")
ALERTS = validator("url-alert")
LABELS = validator("url-label")
EVENTS = validator("url-event")
MODELS = validator("url-model")
COMPARISONS = validator("url-shadow")

ascii_text = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)
any_text = st.text(st.characters(), max_size=50)
cluster_names = st.text(st.characters(codec="utf-8"), max_size=50)
"""From the settings or from Kafka: never with a lone surrogate."""
probability = st.floats(0, 1)
times = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC)
)
topics = st.from_regex(r"[a-zA-Z0-9._-]{1,20}", fullmatch=True)
number = st.integers(0, 2**63 - 1)
inners = st.none() | st.builds(Inner, ascii_text, ascii_text, st.booleans())
hosts = ascii_text | st.sampled_from(["evil.com", "192.0.2.7", "[2001:db8::1]"])
decided = st.tuples(probability, st.just("model")) | st.tuples(
    st.none(), st.sampled_from(["allow_list", "deny_list"])
)


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    source = SourcePosition(draw(topics), draw(number), draw(number), draw(number))
    score, reason = draw(decided)
    return verdict_with(
        id=f"{draw(cluster_names)}:{source.topic}:{source.partition}:{source.offset}:{source.index}",
        observed=draw(any_text),
        canonical=draw(ascii_text),
        kind=draw(st.sampled_from(["url", "host"])),
        host=draw(hosts),
        registered_domain=draw(hosts),
        score=score,
        verdict=draw(st.sampled_from(["malicious", "suspicious", "benign"])),
        reason=reason,
        thresholds=Thresholds(draw(probability), draw(probability)),
        model=ModelRef("model", "1", "0123456789abcdef" * 4),
        event_time=draw(st.none() | times),
        detected_at=draw(times),
        source=source,
        format=draw(st.sampled_from(["json", "zeek_dns"])),
        client=draw(st.none() | any_text | st.ip_addresses().map(str)),
        log_id=draw(st.none() | any_text),
        notes=draw(st.lists(ascii_text, max_size=3).map(tuple)),
        inner=draw(inners),
    )


@pytest.mark.parametrize("schema", [VERDICTS, ALERTS, LABELS, EVENTS, MODELS, COMPARISONS])
def test_schemas_are_valid_and_described(schema: Draft202012Validator) -> None:
    Draft202012Validator.check_schema(schema.schema)
    assert schema.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema.schema["description"]


@given(verdicts())
def test_every_verdict_follows_its_schema(verdict: Verdict) -> None:
    VERDICTS.validate(json.loads(verdict_message(verdict)[1]))


@given(verdicts(), st.integers(0, 10**9), st.floats(0.001, 1e9))
def test_every_alert_follows_its_schema(verdict: Verdict, folded: int, seconds: float) -> None:
    reason = "model" if verdict.decision.reason == "model" else "deny_list"
    decision = msgspec.structs.replace(verdict.decision, verdict="malicious", reason=reason)
    malicious = Verdict(verdict.sighting, decision)
    alert = Alert(verdict=malicious, folded=folded, window_seconds=seconds)
    ALERTS.validate(json.loads(encode_alert(alert)))


OPTIONAL = {"unwrapped", "inner", "inner_registered_domain"}


def test_a_verdicts_schema_names_exactly_its_fields() -> None:
    verdict = verdict_with(unwrapped=("message",), inner=Inner("bad.org/x", "bad.org", True))
    written = json.loads(verdict_message(verdict)[1])
    VERDICTS.validate(written)
    assert set(VERDICTS.schema["properties"]) == set(written)
    assert set(VERDICTS.schema["required"]) == set(written) - OPTIONAL


@given(verdicts(), st.data())
def test_a_verdict_without_a_field_or_with_another_is_refused(
    verdict: Verdict, data: st.DataObject
) -> None:
    written = json.loads(verdict_message(verdict)[1])
    field = data.draw(st.sampled_from(sorted(written)))
    with pytest.raises(ValidationError):
        VERDICTS.validate({name: value for name, value in written.items() if name != field})
    with pytest.raises(ValidationError):
        VERDICTS.validate({**written, "another": 1})


LABEL = {
    "url": "http://evil.com/x",
    "label": "malicious",
    "source": "soc",
    "labeled_at": "2026-11-01T10:00:00+01:00",
    "analyst": "kim",
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"confidence": 0.7},
        {"label": "benign", "feed": "urlhaus"},
        {"label": "retracted"},
        {"ticket": "SOC-17"},
    ],
)
def test_labels_of_analysts_and_feeds_follow_their_schema(changes: dict[str, Any]) -> None:
    LABELS.validate(LABEL | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"label": "phishing"},
        {"confidence": 1.5},
        {"url": ""},
        {"url": None},
        {"analyst": 7},
    ],
)
def test_broken_labels_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LABELS.validate(LABEL | changes)


@pytest.mark.parametrize("field", ["url", "label", "source", "labeled_at", "analyst"])
def test_labels_without_a_field_they_need_are_refused(field: str) -> None:
    with pytest.raises(ValidationError):
        LABELS.validate({name: value for name, value in LABEL.items() if name != field})


fields = st.none() | st.text(max_size=5) | st.integers(-(2**40), 2**40) | st.floats(-1e12, 1e12)
targets = st.sampled_from(["http://a.example/b", "a.example/b", "a.example:80", "/b", "b", "-"])
ENVELOPES = ["message", "log", "event.original"]
"""A line of another format may be in these: the schema does not describe it."""
events = st.dictionaries(
    st.sampled_from([*sorted(EVENTS.schema["properties"]), *ENVELOPES]),
    fields | targets,
)


@given(events)
def test_an_event_that_follows_its_schema_is_read(event: dict[str, Any]) -> None:
    ((_, result),) = read_record(
        json.dumps(event).encode(), source=source_named("json"), lines_max=1
    )
    if EVENTS.is_valid(event):
        assert isinstance(result, UrlEvent)
    elif not any(isinstance(event.get(name), str) for name in ("url", "host", *ENVELOPES)):
        assert not isinstance(result, UrlEvent)


@given(events)
def test_an_event_without_url_and_host_does_not_follow_its_schema(event: dict[str, Any]) -> None:
    named = {name: value for name, value in event.items() if name not in {"url", "host"}}
    assert not EVENTS.is_valid(named)
    assert not EVENTS.is_valid(named | {"url": "/login", "message": "GET /login"})


sha256s = st.text("0123456789abcdef", min_size=64, max_size=64)
shares = st.floats(0, 1, exclude_min=True)
announcements = st.builds(
    Announcement,
    name=ascii_text,
    kind=st.sampled_from(["url", "host"]),
    version=ascii_text,
    sha256=sha256s,
    url=ascii_text,
    thresholds=st.builds(Thresholds, probability, probability),
    announced_at=times,
    previous=st.lists(sha256s, max_size=3).map(tuple),
    gate=st.none() | st.dictionaries(ascii_text, probability, max_size=2),
) | st.builds(
    Announcement,
    name=ascii_text,
    kind=st.sampled_from(["url", "host"]),
    version=ascii_text,
    sha256=sha256s,
    url=ascii_text,
    thresholds=st.builds(Thresholds, probability, probability),
    announced_at=times,
    role=st.just("shadow"),
    share=shares,
)


@given(announcements)
def test_every_announcement_follows_its_schema_and_is_read_as_written(
    announcement: Announcement,
) -> None:
    value = encode_announcement(announcement)

    MODELS.validate(json.loads(value))
    assert decode_announcement(announcement_key(announcement), value) == announcement


def test_an_announcements_schema_names_exactly_its_fields() -> None:
    assert set(MODELS.schema["properties"]) == set(Announcement.__struct_fields__)


@given(announcements, st.data())
def test_an_announcement_is_read_exactly_if_it_follows_its_schema(
    announcement: Announcement, data: st.DataObject
) -> None:
    written = json.loads(encode_announcement(announcement))
    field = data.draw(st.sampled_from(sorted(MODELS.schema["properties"])))
    written[field] = data.draw(st.none() | st.integers() | st.just("x") | st.just(["y"]))
    if field in {"kind", "announced_at"} and isinstance(written[field], str):
        return  # Another kind has another key; formats of times are not checked by the schema.
    if field == "share" and isinstance(written[field], int):
        written[field] = data.draw(st.sampled_from([-1, 0, 0.5, 1, 1.5, 2]))
    try:
        decode_announcement(announcement_key(announcement), json.dumps(written).encode())
        is_read = True
    except RefusedModelError:
        is_read = False
    assert is_read is MODELS.is_valid(written)


def test_announcements_that_concern_no_served_model_are_ignored() -> None:
    assert decode_announcement(b"url", None) is None
    assert decode_announcement(None, b"{}") is None
    assert decode_announcement(b"url/another", b"of a later version") is None


def test_a_shadow_ends_by_a_record_without_a_value() -> None:
    assert decode_announcement(b"shadow/url", None) == ShadowEnd("url")


def test_a_shadow_without_a_share_or_under_the_key_of_what_serves_is_refused() -> None:
    shadow = Announcement(
        "m",
        "url",
        "1",
        "0" * 64,
        "",
        Thresholds(0.5, 0.9),
        datetime(2026, 1, 1, tzinfo=UTC),
        role="shadow",
        share=0.5,
    )
    value = encode_announcement(shadow)
    with pytest.raises(RefusedModelError, match="key url is for kind url, to shadow"):
        decode_announcement(b"url", value)
    without = msgspec.structs.replace(shadow, share=None)
    assert not MODELS.is_valid(json.loads(encode_announcement(without)))
    with pytest.raises(RefusedModelError, match=r"names no share: .* models shadow"):
        decode_announcement(b"shadow/url", encode_announcement(without))


def test_an_announcement_under_another_kinds_key_is_refused() -> None:
    value = encode_announcement(
        Announcement(
            "m", "url", "1", "0" * 64, "", Thresholds(0.5, 0.9), datetime(2026, 1, 1, tzinfo=UTC)
        )
    )
    with pytest.raises(RefusedModelError, match="key host is for kind url"):
        decode_announcement(b"host", value)


refs = st.builds(ModelRef, ascii_text, ascii_text, sha256s)
verdict_names = st.sampled_from(["malicious", "suspicious", "benign"])
kinds = st.sampled_from(["url", "host"])
opinions = st.builds(
    Opinion, refs, st.builds(Thresholds, probability, probability), probability, verdict_names
)
positions = st.builds(SourcePosition, topics, number, number, number)


@st.composite
def disagreements(draw: st.DrawFn) -> Disagreement:
    source = draw(positions)
    place = f"{source.topic}:{source.partition}:{source.offset}:{source.index}"
    return Disagreement(
        id=f"{draw(cluster_names)}:{place}",
        compared_at=draw(times),
        kind=draw(kinds),
        canonical=draw(ascii_text),
        host=draw(hosts),
        registered_domain=draw(hosts),
        served=draw(opinions),
        shadow=draw(opinions),
        source=source,
    )


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    kind = draw(kinds)
    place = f"{draw(topics)}:{draw(number)}:{draw(number)}"
    return Counts(
        id=f"{draw(cluster_names)}:{place}:{kind}",
        compared_at=draw(times),
        kind=kind,
        served=draw(refs),
        shadow=draw(refs),
        share=draw(shares),
        texts=draw(st.integers(1, 10**9)),
        passed_over=draw(st.integers(0, 10**9)),
        verdicts=tuple(
            draw(
                st.lists(
                    st.builds(VerdictPair, verdict_names, verdict_names, st.integers(1, 10**9)),
                    max_size=3,
                )
            )
        ),
        score_difference=ScoreDifference(
            draw(st.floats(-1, 1)), draw(probability), draw(probability)
        ),
    )


@given(disagreements() | counts())
def test_every_comparison_follows_its_schema_and_is_read_as_written(
    comparison: Disagreement | Counts,
) -> None:
    value = encode_comparison(comparison)

    COMPARISONS.validate(json.loads(value))
    assert read_comparison(value) == comparison


@pytest.mark.parametrize(("name", "kind"), [("disagreement", Disagreement), ("counts", Counts)])
def test_a_comparisons_schema_names_exactly_its_fields(name: str, kind: type) -> None:
    schema = COMPARISONS.schema["$defs"][name]
    assert set(schema["properties"]) == {"type", *kind.__struct_fields__}
    assert set(schema["required"]) == set(schema["properties"])


@given(disagreements() | counts(), st.data())
def test_a_comparison_without_a_field_is_refused_by_schema_and_reader(
    comparison: Disagreement | Counts, data: st.DataObject
) -> None:
    written = json.loads(encode_comparison(comparison))
    del written[data.draw(st.sampled_from(sorted(written)))]
    assert not COMPARISONS.is_valid(written)
    with pytest.raises(RecordError):
        read_comparison(json.dumps(written).encode())


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{", b"\xff", b'{"type":"another"}'])
def test_a_record_that_is_not_a_comparison_is_an_error(value: bytes | None) -> None:
    with pytest.raises(RecordError, match="not a comparison"):
        read_comparison(value)
