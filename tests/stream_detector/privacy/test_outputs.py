"""No client, query value or user info in the bytes of any output, whatever the log format."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from numpy.typing import NDArray

from stream_detector.assembly import decider_of, pipeline_of, shadows_of
from stream_detector.events import Chunk, Kind, ModelRef, RawRecord, Thresholds, UrlEvent
from stream_detector.metrics import Metrics
from stream_detector.models.announcement import Announcement
from stream_detector.models.base import ServedModel
from stream_detector.pipeline import Pipeline
from stream_detector.privacy.pseudonyms import Pseudonyms
from stream_detector.settings.fields import DATA_FOLDER, Settings
from stream_detector.sources.reading import read_record
from stream_detector.wire.outcomes import Encoded, Message, encode
from support.private_records import (
    BREAKS,
    CLIENT,
    FORMATS,
    FRAGMENT,
    PASSWORD,
    QUERY_VALUE,
    USER,
    as_json,
    as_json_with_slashes_escaped,
    as_plain,
    as_squid,
    broken,
    lines,
    urls,
)
from support.scoring import WordScorer

KEY = "a key of more than sixteen bytes"
CLIENTS = ["verdicts", "alerts", "dead_letters"]
QUERIES = [*CLIENTS, "comparisons"]
OUTPUTS = ("verdicts", "alerts", "dead_letters", "comparisons")

SCHEMAS = {
    output: Draft202012Validator(json.loads((DATA_FOLDER / "schemas" / f"{name}.json").read_text()))
    for output, name in [
        ("verdicts", "url-verdict"),
        ("alerts", "url-alert"),
        ("comparisons", "url-shadow"),
    ]
}


class Record(msgspec.Struct):
    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class AllSuspicious:
    """A shadow that disagrees on whatever is not suspicious."""

    served = ServedModel(ModelRef("shadow", "2", "1" * 64), Thresholds(0.5, 0.9))

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.full(len(texts), 0.625, dtype=np.float32)


def outputs_of(
    values: Iterable[bytes | None], *, key: bytes | None = None, times: int = 1, **settings: Any
) -> Encoded:
    """What a batch of records becomes, as messages; the last time of ``times`` batches."""
    pipeline = pipeline_with(**settings)
    records: list[RawRecord] = [Record(offset, value, key) for offset, value in enumerate(values)]
    for _ in range(times):
        encoded = encode(pipeline.process([Chunk("url-events", 0, records)]))
    return encoded


def pipeline_with(scorer: WordScorer | None = None, **given: Any) -> Pipeline:
    settings, metrics = Settings(**given), Metrics()
    shadows = shadows_of(settings=settings, metrics=metrics)
    model = AllSuspicious.served
    kinds: tuple[Kind, Kind] = ("url", "host")
    for kind in kinds:
        announcement = Announcement(
            model.ref.name,
            kind,
            model.ref.version,
            model.ref.sha256,
            "",
            model.thresholds,
            datetime(2026, 11, 1, tzinfo=UTC),
            role="shadow",
            share=1.0,
        )
        shadows.start(announcement, AllSuspicious())
    decider = decider_of(
        scorer or WordScorer(), settings=settings, metrics=metrics, shadows=shadows
    )
    return pipeline_of(settings=settings, decider=decider, metrics=metrics, cluster="lab")


def parts(messages: Iterable[Message]) -> Iterable[bytes]:
    """All bytes of messages, JSON also with its escapes undone."""
    for key, value, headers in messages:
        yield key or b""
        yield value or b""
        yield from (content for _, content in headers)
        try:
            yield json.dumps(json.loads(value or b""), ensure_ascii=False).encode(errors="replace")
        except ValueError:
            continue


def assert_free_of(encoded: Encoded, *words: str, but: Iterable[str] = ()) -> None:
    for output in set(OUTPUTS) - set(but):
        for part in parts(getattr(encoded, output)):
            # UTF-16 too.
            text = part.replace(b"\0", b"").decode(errors="replace").lower()
            for word in words:
                assert word.lower() not in text, (output, word, part)


def assert_valid(encoded: Encoded) -> None:
    for output, schema in SCHEMAS.items():
        for _, value, _ in getattr(encoded, output):
            schema.validate(json.loads(value))


# --- records of all formats -----------------------------------------------------------------

records = st.lists(lines | broken, min_size=1, max_size=6)
keys = st.sampled_from([None, CLIENT.encode(), f"x?{QUERY_VALUE}".encode()])
many = hypothesis_settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow]
)


@many
@given(records, keys)
def test_no_client_and_no_query_value_is_in_any_output_when_all_are_masked(
    values: list[bytes], key: bytes | None
) -> None:
    encoded = outputs_of(
        values, key=key, client_key=KEY, client_pseudonyms=CLIENTS, mask_queries=QUERIES
    )
    assert_free_of(encoded, CLIENT, QUERY_VALUE, FRAGMENT)
    assert_valid(encoded)


@many
@given(records, keys)
def test_no_output_holds_a_query_value_when_only_queries_are_masked(
    values: list[bytes], key: bytes | None
) -> None:
    assert_free_of(outputs_of(values, key=key, mask_queries=QUERIES), QUERY_VALUE, FRAGMENT)


def test_a_fragment_behind_a_space_is_in_no_dead_letter_when_queries_are_masked() -> None:
    encoded = outputs_of([f'{{"url":"http://a b/p #{FRAGMENT}"}}'.encode()], mask_queries=QUERIES)
    assert len(encoded.dead_letters) == 1
    assert_free_of(encoded, FRAGMENT)


@many
@given(records)
def test_no_output_holds_a_client_when_only_clients_are_masked(values: list[bytes]) -> None:
    encoded = outputs_of(values, key=CLIENT.encode(), client_key=KEY, client_pseudonyms=CLIENTS)
    assert_free_of(encoded, CLIENT)


@many
@given(
    st.lists(
        st.builds(
            lambda value, breaks, place: breaks(value, place),
            st.builds(
                lambda write, info, url: write(f"{info}@{url}"),
                st.sampled_from([as_json, as_json_with_slashes_escaped, as_plain, as_squid]),
                st.sampled_from([f"{USER}:{PASSWORD}", f"{USER}:{PASSWORD}@x", f":{PASSWORD}"]),
                urls(),
            ),
            st.sampled_from([lambda value, _: value, *BREAKS]),
            st.integers(0, 2000),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_no_password_of_a_url_is_in_any_output_whatever_is_set(values: list[bytes]) -> None:
    assert_free_of(outputs_of(values), PASSWORD)


ENCODED_URLS = [
    f"http%3A%2F%2F{USER}%3A{PASSWORD}%40h.com",
    f"http%253A%252F%252F{USER}%253A{PASSWORD}%2540h.com%252F",
    f"http%253A%252F%252F{USER}%2540h.com",
    f"http://{USER}%253A{PASSWORD}%2540h.com",
    f"{USER}%3A{PASSWORD}%252F{PASSWORD}%40h.com",
]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"dnsmasq"}))
def test_no_user_info_encoded_in_a_url_is_in_any_output(name: str) -> None:
    read = [
        FORMATS[name](f"evil.com/{place}{url}")
        for url in ENCODED_URLS
        for place in ("?to=", "to/", "?a=1#")
    ]
    unread = [breaks(line, len(line) - 2) for line in read for breaks in BREAKS]
    assert_free_of(outputs_of([*read, *unread]), USER, PASSWORD)


@pytest.mark.parametrize("at", ["%4\n0", "%\t40", "%2\r\n540", "%25\n4\n0", "%4\t0", "\n@"])
@pytest.mark.parametrize("place", ["?to=", "#to=", "to/"])
@pytest.mark.parametrize("end", ["", "}"])
def test_a_line_break_hides_no_at_sign(end: str, place: str, at: str) -> None:
    line = as_json(f"evil.com/{place}http://{USER}%3A{PASSWORD}{at}h.com/") + end.encode()
    encoded = outputs_of([line])
    assert len(encoded.verdicts) == (not end)
    assert len(encoded.dead_letters) == bool(end)
    assert_free_of(encoded, USER, PASSWORD)


@pytest.mark.parametrize("cut", [0, 60])
def test_no_escape_of_zeek_hides_an_at_sign_or_a_query(cut: int) -> None:
    line = FORMATS["zeek_tsv"](f"evil.com/http:COLON{USER}:{PASSWORD}AT@h.com/QUERYq={QUERY_VALUE}")
    for plain, escaped in [
        (b"@", b""),
        (b"COLON", b"\\x2f\\x2f"),
        (b"AT", b"\\x40"),
        (b"QUERY", b"\\x3f"),
    ]:
        line = line.replace(plain, escaped)
    encoded = outputs_of([line[cut:]], mask_queries=QUERIES)
    assert bool(encoded.dead_letters) == bool(cut)
    assert_free_of(encoded, USER, PASSWORD, QUERY_VALUE)


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_yields_the_texts_to_mask(name: str) -> None:
    encoded = outputs_of([FORMATS[name](f"evil.com/path?name={QUERY_VALUE}#{FRAGMENT}")])
    assert len(encoded.verdicts) == len(encoded.alerts) == len(encoded.comparisons) - 1 == 1
    (verdict,) = (value or b"" for _, value, _ in encoded.verdicts)
    assert (QUERY_VALUE.encode() in verdict) == (name != "dnsmasq")
    assert (CLIENT.encode() in verdict) == (name != "plain")


# --- by setting -----------------------------------------------------------------------------

LINE = as_json(f"evil.com/path?name={QUERY_VALUE}")
BROKEN = LINE[:-1]


def without(names: list[str], name: str) -> list[str]:
    return [other for other in names if other != name]


@pytest.mark.parametrize("output", CLIENTS)
def test_clients_are_masked_only_in_the_named_outputs(output: str) -> None:
    encoded = outputs_of([LINE, BROKEN], client_key=KEY, client_pseudonyms=without(CLIENTS, output))
    assert_free_of(encoded, CLIENT, but=[output])
    assert any(CLIENT.encode() in part for part in parts(getattr(encoded, output)))


@pytest.mark.parametrize("output", QUERIES)
def test_queries_are_masked_only_in_the_named_outputs(output: str) -> None:
    encoded = outputs_of([LINE, BROKEN], mask_queries=without(QUERIES, output))
    assert_free_of(encoded, QUERY_VALUE, but=[output])
    assert any(QUERY_VALUE.encode() in part for part in parts(getattr(encoded, output)))


def test_nothing_but_the_masks_is_different() -> None:
    plain = outputs_of([LINE])
    masked = outputs_of(
        [LINE], client_key=KEY, client_pseudonyms=CLIENTS, mask_queries=QUERIES, times=2
    )
    pseudonym = Pseudonyms(KEY.encode()).of(CLIENT)
    (before,), (after,) = (
        [json.loads(value or b"") for _, value, _ in encoded.verdicts]
        for encoded in (plain, masked)
    )
    assert after == before | {
        "detected_at": after["detected_at"],
        "observed": "http://evil.com/path?name=***",
        "canonical": "evil.com/path?name=***",
        "client": pseudonym,
        "notes": ["query_masked"],
    }
    ((key, value, _),) = masked.alerts
    alert = json.loads(value or b"")
    assert key == f"{pseudonym}|evil.com".encode()
    assert alert["client"] == {"address": pseudonym}
    assert alert["url"]["original"] == "http://evil.com/path?name=***"
    assert alert["threat"]["indicator"]["name"] == "evil.com/path?name=***"
    assert alert["stream_detector"]["canonical"] == "evil.com/path?name=***"


def test_the_model_reads_texts_that_its_verdict_masks() -> None:
    scorer = WordScorer()
    pipeline = pipeline_with(scorer, mask_queries=QUERIES)
    pipeline.process([Chunk("url-events", 0, [Record(0, LINE)])])
    assert scorer.calls == [("url", [f"evil.com/path?name={QUERY_VALUE}"])]


def test_alerts_of_one_client_are_folded_under_its_pseudonym() -> None:
    records = [LINE, LINE.replace(b"path", b"other"), LINE.replace(b"100.77", b"100.78")]
    encoded = outputs_of(records, client_key=KEY, client_pseudonyms=["alerts"])
    assert len(encoded.verdicts) == 3
    of = Pseudonyms(KEY.encode()).of
    assert [key for key, _, _ in encoded.alerts] == [
        f"{of('198.51.100.77')}|evil.com".encode(),
        f"{of('198.51.100.78')}|evil.com".encode(),
    ]


def test_alert_windows_use_the_original_client() -> None:
    """Two spellings of one client have one pseudonym and two windows."""
    records = [LINE, LINE.replace(b"198.51.100.77", b"::ffff:198.51.100.77")]
    encoded = outputs_of(records, client_key=KEY, client_pseudonyms=["alerts"])
    key = f"{Pseudonyms(KEY.encode()).of('198.51.100.77')}|evil.com".encode()
    assert [alert_key for alert_key, _, _ in encoded.alerts] == [key, key]


def test_a_dead_letter_names_its_masked_parts_and_the_place_of_the_record() -> None:
    of = Pseudonyms(KEY.encode()).of

    def letter(**settings: Any) -> tuple[bytes | None, bytes | None, str | None]:
        ((key, value, headers),) = outputs_of(
            [BROKEN], key=CLIENT.encode(), **settings
        ).dead_letters
        named = dict(headers)
        assert named["source-offset"] == b"0"
        return key, value, named.get("withheld", b"").decode()

    assert letter() == (CLIENT.encode(), BROKEN, "")
    assert letter(mask_queries=["dead_letters"]) == (
        CLIENT.encode(),
        b'{"url": "http://evil.com/path?',
        "queries",
    )
    assert letter(
        client_key=KEY, client_pseudonyms=["dead_letters"], mask_queries=["dead_letters"]
    ) == (of(CLIENT).encode(), b"", "clients")


def test_a_tombstone_is_one_still() -> None:
    ((key, value, headers),) = outputs_of(
        [None], client_key=KEY, client_pseudonyms=CLIENTS, mask_queries=QUERIES
    ).dead_letters
    assert (key, value) == (None, None)
    assert "withheld" not in dict(headers)


# --- the sample logs ------------------------------------------------------------------------


@cache
def samples() -> list[bytes]:
    logs = [
        path
        for path in (DATA_FOLDER / "samples").iterdir()
        if path.suffix in {".log", ".json", ".txt"}
    ]
    return [chunk for log in sorted(logs) for chunk in _headed(log)]


def _headed(log: Path) -> list[bytes]:
    """Lines of a log with a query, and some others, each after the log's header lines."""
    every = log.read_bytes().splitlines()
    header = [line for line in every[:20] if line.startswith(b"#")]
    return [
        b"\n".join([*header, line])
        for number, line in enumerate(every[len(header) :])
        if b"?" in line or number % 10 == 0
    ]


def test_no_client_and_no_query_value_of_the_sample_logs_is_in_any_output() -> None:
    clients: set[str] = set()
    values: set[str] = set()
    hosts: set[str] = set()
    for record in samples():
        for _, event in read_record(record, source=None, lines_max=100):
            if isinstance(event, UrlEvent):
                clients.add(event.client or "")
                query = event.observed.partition("#")[0].partition("?")[2]
                values.update(re.findall(r"(?<==)[^&]{8,}", query))
                hosts.add(event.observed)
    assert len(clients) > 50
    assert len(values) > 50
    encoded = outputs_of(samples(), client_key=KEY, client_pseudonyms=CLIENTS, mask_queries=QUERIES)
    assert len(encoded.verdicts) > 400
    assert_valid(encoded)
    text = b"\n".join(
        part for output in OUTPUTS for part in parts(getattr(encoded, output))
    ).decode(errors="replace")
    words = set(re.findall(r"[^\s\"|,/?&=]+", text))
    assert not {client for client in clients if client in words and client not in hosts}
    assert not {value for value in values if f"={value}" in text}
