"""Labels are read exactly if they follow their schema and name a URL or host; else a reason says
why."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stream_detector.errors import LabelError
from stream_detector.events import Label, Rejected, RejectReason
from stream_detector.name_rules import name_fault
from stream_detector.settings.fields import DATA_FOLDER
from stream_detector.wire.labels import label_message, make_label, read_label

SCHEMA = Draft202012Validator(json.loads((DATA_FOLDER / "schemas" / "url-label.json").read_text()))

LABEL = {
    "url": "http://www.Evil.com/x",
    "label": "malicious",
    "source": "soc",
    "labeled_at": "2026-11-01T10:00:00+01:00",
    "analyst": "kim",
}

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200).filter(
    lambda text: name_fault(text) is None
)
urls = st.sampled_from(["http://evil.com/x?y=ü", "evil.com", "[2001:db8::1]", "evil.com:8080"])
labels = st.builds(
    make_label,
    urls,
    st.sampled_from(["malicious", "benign", "retracted"]),
    source=names,
    labeled_at=st.datetimes(
        datetime(1990, 1, 1), datetime(9999, 1, 1), timezones=st.just(timezone(timedelta(hours=2)))
    ),
    analyst=names,
    feed=st.none() | names,
    confidence=st.none() | st.floats(0, 1),
)


def read(fields: dict[str, Any]) -> Label | Rejected:
    return read_label(json.dumps(fields).encode())


@given(labels)
def test_every_label_follows_its_schema_and_is_read_as_it_was_written(label: Label) -> None:
    key, value, headers = label_message(label)

    SCHEMA.validate(json.loads(value or b""))
    assert read_label(value) == label
    assert (key, headers) == (label.canonical.text.encode(), [])


def test_a_label_holds_no_user_name_and_no_password() -> None:
    url = "http://kim:pASSWORDp@evil.com/?u=http://kim:pASSWORDp@evil.net/"
    made = make_label(url, "malicious", source="a", labeled_at=datetime.now(UTC), analyst="kim")
    labels = made, read({**LABEL, "url": url})

    for label in labels:
        assert isinstance(label, Label)
        assert label.url == "http://***@evil.com/?u=http://***@evil.net/"
        assert label.canonical.text == "evil.com/?u=http://***@evil.net/"
    assert all("pASSWORDp" not in str(part) for part in label_message(made))


@pytest.mark.parametrize("url", ["http://evil.com/?a=1&b=***", "evil.com/?***", "a.b/?***#***"])
def test_a_text_with_a_masked_query_can_not_be_labelled(url: str) -> None:
    with pytest.raises(LabelError, match="--verdict-id"):
        make_label(url, "malicious", source="a", labeled_at=datetime.now(UTC), analyst="kim")


wrong = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just([])
times = st.sampled_from(["2026-11-01T10:00:00Z", "2026-11-01T10:00:00.25-05:30"])
of_field = {
    "url": urls,
    "label": st.sampled_from(["malicious", "benign", "retracted", "phishing", ""]),
    "source": st.text(st.characters(codec="ascii"), max_size=5) | st.just("x" * 201),
    "labeled_at": times,
    "analyst": st.text(max_size=3),
    "feed": st.just("x" * 200) | st.just("x" * 201),
    "confidence": st.sampled_from([0, 1, 0.5, -0.1, 1.1]),
    "ticket": st.just("SOC-17"),
}


@given(st.fixed_dictionaries({}, optional={name: s | wrong for name, s in of_field.items()}))
def test_a_label_is_read_exactly_if_it_follows_its_schema(fields: dict[str, Any]) -> None:
    assert isinstance(read(fields), Label) is SCHEMA.is_valid(fields)


@given(st.binary() | st.text().map(str.encode) | st.none())
def test_whatever_the_bytes_there_is_an_answer(value: bytes | None) -> None:
    assert isinstance(read_label(value), Rejected)


def test_a_label_has_its_time_in_utc_and_its_text_in_canonical_form() -> None:
    label = read(LABEL)

    assert isinstance(label, Label)
    assert label.labeled_at == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert label.labeled_at.tzinfo is UTC
    assert (label.canonical.kind, label.canonical.text) == ("url", "evil.com/x")
    assert (label.analyst, label.feed, label.confidence) == ("kim", None, None)


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"label": "phishing"}, RejectReason.WRONG_TYPE, "phishing"),
        ({"label": "x" * 9999}, RejectReason.WRONG_TYPE, "xxx"),
        ({"confidence": 1.5}, RejectReason.WRONG_TYPE, "confidence"),
        ({"labeled_at": "2026-11-01T10:00:00"}, RejectReason.WRONG_TYPE, "timezone"),
        ({"labeled_at": "yesterday"}, RejectReason.WRONG_TYPE, "labeled_at"),
        ({"labeled_at": "0001-01-01T00:00:00+05:00"}, RejectReason.MALFORMED, "years"),
        ({"url": "http://"}, RejectReason.INVALID_URL, ""),
        ({"url": "x" * 70_000}, RejectReason.TOO_LONG, "70000"),
        ({"url": " "}, RejectReason.EMPTY, ""),
        ({"analyst": "k\u202emi"}, RejectReason.MALFORMED, "analyst holds a control"),
        ({"feed": "a\nb"}, RejectReason.MALFORMED, "feed holds a control"),
        ({"source": "x" * 201}, RejectReason.WRONG_TYPE, "source"),
    ],
)
def test_why_a_label_cannot_be_used(
    changes: dict[str, Any], reason: RejectReason, said: str
) -> None:
    rejected = read(LABEL | changes)

    assert isinstance(rejected, Rejected)
    assert rejected.reason is reason
    assert said in rejected.detail
    assert len(rejected.detail) <= 200


@pytest.mark.parametrize("field", ["url", "label", "source", "labeled_at", "analyst"])
def test_a_missing_field_is_named(field: str) -> None:
    rejected = read({name: value for name, value in LABEL.items() if name != field})

    assert isinstance(rejected, Rejected)
    assert rejected.reason is RejectReason.MALFORMED
    assert field in rejected.detail


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": ""}, "source"),
        ({"analyst": "x" * 257}, "analyst"),
        ({"analyst": None}, "analyst or a feed"),
        ({"confidence": float("nan")}, "confidence"),
        ({"labeled_at": datetime(2026, 1, 1)}, "labeled_at"),
        ({"analyst": "\ud800"}, "surrogate"),
    ],
)
def test_no_label_is_made_that_would_not_be_read(changes: dict[str, Any], said: str) -> None:
    parts = LABEL | {"labeled_at": datetime(2026, 1, 1, tzinfo=UTC)} | changes
    with pytest.raises(LabelError, match=said):
        make_label(parts.pop("url"), parts.pop("label"), **parts)
