import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector import batch_reading
from stream_detector.assembly import decider_of, pipeline_of, shadows_of
from stream_detector.errors import DeviceError, ModelError, SettingsError
from stream_detector.events import (
    Chunk,
    ModelRef,
    RejectReason,
    SourcePosition,
    Thresholds,
    UnreadRecord,
)
from stream_detector.logs.record_fields import fields_of
from stream_detector.metrics import Metrics
from stream_detector.models.announcement import Announcement
from stream_detector.models.base import ServedModel
from stream_detector.settings.fields import Settings
from stream_detector.wire.comparisons import Counts, Disagreement, VerdictPair
from stream_detector.wire.outcomes import Outcomes, dead_letter_headers, encode
from support.scoring import WordScorer

START = datetime(2026, 11, 1, tzinfo=UTC)


class Record(NamedTuple):
    """A Kafka record as the core needs it."""

    offset: int
    value: bytes | None
    timestamp: int | None = 1_700_000_000_000
    key: bytes | None = b"key"
    headers: tuple[tuple[str, bytes], ...] = ()


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Bench:
    """A pipeline with a scorer, metrics and a clock that the test holds."""

    def __init__(self, scorer: WordScorer | None = None, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.scorer = scorer or WordScorer()
        self.metrics = Metrics()
        self.clock = Clock()
        self.shadows = shadows_of(settings=self.settings, metrics=self.metrics)
        self.pipeline = pipeline_of(
            settings=self.settings,
            decider=decider_of(
                self.scorer, settings=self.settings, metrics=self.metrics, shadows=self.shadows
            ),
            metrics=self.metrics,
            cluster="lab",
            clock=self.clock,
        )

    def process(
        self, values: Iterable[bytes | None], *, topic: str = "url-events", first: int = 0
    ) -> Outcomes:
        return self.pipeline.process([chunk(values, topic=topic, first=first)])

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"stream_detector_{name}", labels) or 0.0


def chunk(
    values: Iterable[bytes | None], *, topic: str = "url-events", partition: int = 0, first: int = 0
) -> Chunk:
    return Chunk(topic, partition, [Record(first + n, value) for n, value in enumerate(values)])


def line(url: str, **fields: str) -> bytes:
    return json.dumps({"url": url, **fields}).encode()


class TestVerdicts:
    def test_each_record_becomes_a_verdict_in_order_of_input(self) -> None:
        bench = Bench()
        outcomes = bench.pipeline.process(
            [
                chunk([line("http://fine.com/"), b"evil.com"], partition=1, first=7),
                chunk([line("http://odd.com/x")], topic="other.topic_2", partition=0, first=9),
            ]
        )
        assert [v.sighting.id for v in outcomes.verdicts] == [
            "lab:url-events:1:7:0",
            "lab:url-events:1:8:0",
            "lab:other.topic_2:0:9:0",
        ]
        assert [v.decision.verdict for v in outcomes.verdicts] == [
            "benign",
            "malicious",
            "suspicious",
        ]
        assert [v.decision.canonical.kind for v in outcomes.verdicts] == ["url", "host", "url"]
        assert outcomes.dead_letters == []

    def test_all_records_of_a_batch_are_scored_in_one_call_a_kind(self) -> None:
        bench = Bench()
        bench.pipeline.process([chunk([b"a.com", b"b.com"]), chunk([b"c.com"], partition=1)])
        assert bench.scorer.calls == [("host", ["a.com", "b.com", "c.com"])]

    def test_a_verdict_tells_what_was_seen_where_and_by_which_model(self) -> None:
        bench = Bench()
        value = line(
            "HTTP://User@WWW.Evil.CO.UK:80/#top",
            client="10.0.0.1",
            time="2026-10-31T23:59:58Z",
            id="abc",
        )
        (verdict,) = bench.process([value]).verdicts
        assert verdict.decision.observed == "HTTP://***@WWW.Evil.CO.UK:80/#top"
        assert verdict.decision.canonical.text == "evil.co.uk"
        assert verdict.decision.canonical.host == "evil.co.uk"
        assert verdict.decision.canonical.registered_domain == "evil.co.uk"
        assert set(verdict.decision.canonical.notes) >= {"userinfo", "fragment"}
        assert (verdict.decision.score, verdict.decision.reason) == (0.96875, "model")
        assert verdict.decision.model.name == "words-url"
        assert verdict.decision.thresholds.malicious == 0.9
        assert verdict.sighting.client == "10.0.0.1"
        assert verdict.sighting.log_id == "abc"
        assert verdict.sighting.event_time == datetime(2026, 10, 31, 23, 59, 58, tzinfo=UTC)
        assert verdict.sighting.detected_at == START
        assert verdict.sighting.format == "json"
        assert verdict.sighting.source.topic == "url-events"

    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("http://kim:SECRET@proxy.example/", "http://***@proxy.example/"),
            ("kim:SECRET@10.0.0.1", "***@10.0.0.1"),
            ("kim%3ASECRET%40proxy.example", "***%40proxy.example"),
            ("kim:" + "SECRET" * 100 + "@10.0.0.1", "***@10.0.0.1"),
            ("kim@CORP.EXAMPLE", "kim@CORP.EXAMPLE"),
            ("x" * 300, "x" * 256),
        ],
    )
    def test_a_client_and_an_id_hold_no_password(self, written: str, kept: str) -> None:
        value = json.dumps({"url": "http://a.example/", "client": written, "id": written}).encode()
        (verdict,) = Bench().process([value]).verdicts
        assert (verdict.sighting.client, verdict.sighting.log_id) == (kept, kept)

    def test_a_replay_gives_the_same_bytes(self) -> None:
        values = [b"a.com\nevil.com", line("http://odd.com/"), b"not a host at all"]
        bench, other = Bench(), Bench()
        first, again = bench.process(values), bench.process(values)
        assert encode(first).verdicts == encode(again).verdicts
        assert encode(first).verdicts == encode(other.process(values)).verdicts

    def test_an_empty_batch_gives_nothing(self) -> None:
        assert Bench().pipeline.process([]) == Outcomes([], [], [], [])

    def test_lists_decide_before_the_model(self, tmp_path: Path) -> None:
        (tmp_path / "deny").write_text("fine.com\n")
        bench = Bench(deny_list=tmp_path / "deny")
        outcomes = bench.process([b"a.fine.com", b"other.com"])
        assert [v.decision.reason for v in outcomes.verdicts] == ["deny_list", "model"]
        assert outcomes.verdicts[0].decision.score is None
        assert len(outcomes.alerts) == 1

    def test_thresholds_of_the_settings_count(self) -> None:
        bench = Bench(host_malicious_threshold=0.6)
        assert bench.process([b"odd.com"]).verdicts[0].decision.verdict == "malicious"

    def test_what_was_decided_before_is_not_scored_again(self) -> None:
        bench = Bench()
        bench.process([b"a.com"])
        bench.process([b"a.com"], first=1)
        assert len(bench.scorer.calls) == 1
        assert bench.metric("cache_lookups_total", result="hit") == 1


class TestRecordsOfSeveralLines:
    def test_each_line_has_its_index(self) -> None:
        outcomes = Bench().process([b"a.com\nb.com\nhttp://c.com/x"])
        assert [v.sighting.id for v in outcomes.verdicts] == [
            f"lab:url-events:0:0:{n}" for n in range(3)
        ]

    def test_a_line_at_fault_makes_one_dead_letter_beside_the_others_verdicts(self) -> None:
        value = b"a.com\nexa mple\nb.com\nhttp://\nc.com"
        outcomes = Bench().process([value])
        assert [v.decision.canonical.text for v in outcomes.verdicts] == ["a.com", "b.com", "c.com"]
        (letter,) = outcomes.dead_letters
        assert letter.value == value
        assert letter.source.index == 1

    def test_a_log_line_says_how_many_became_dead_letters(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench = Bench()
        bench.process([b"exa mple"])
        bench.process([b"exa mple", b"http://"])
        assert caplog.messages == ["1 record became a dead letter", "2 records became dead letters"]

    def test_the_counts_of_a_log_line_are_one_list_whatever_the_topics_are_called(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        Bench().process([b"a.com", b"exa mple", b"", b"http://"], first=7)
        (record,) = caplog.records
        fields = fields_of(record)
        assert list(fields) == ["counts"]
        assert [(each["topic"], each["reason"], each["count"]) for each in fields["counts"]] == [
            ("url-events", "unknown_format", 1),
            ("url-events", "empty", 1),
            ("url-events", "invalid_url", 1),
        ]
        assert [(e["first_partition"], e["first_offset"]) for e in fields["counts"]] == [
            (0, 8),
            (0, 9),
            (0, 10),
        ]

    def test_a_fault_of_the_model_counts_if_it_comes_first(self) -> None:
        bench = Bench(WordScorer(raises_on=["b.com"]))
        (letter,) = bench.process([b"a.com\nb.com\nexa mple"]).dead_letters
        assert (letter.reason, letter.source.index) == (RejectReason.MODEL_ERROR, 1)

    def test_a_fault_of_the_model_does_not_hide_an_earlier_one(self) -> None:
        bench = Bench(WordScorer(raises_on=["b.com"]))
        (letter,) = bench.process([b"a.com\nexa mple\nb.com"]).dead_letters
        assert (letter.reason is RejectReason.MODEL_ERROR, letter.source.index) == (False, 1)

    def test_more_lines_than_allowed_make_a_dead_letter(self) -> None:
        (letter,) = Bench(record_lines_max=2).process([b"a.com\nb.com\nc.com"]).dead_letters
        assert letter.reason is RejectReason.TOO_MANY


class TestDeadLetters:
    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (None, RejectReason.EMPTY),
            (b"", RejectReason.EMPTY),
            (b" \r\n ", RejectReason.EMPTY),
            (b"\xff\xfe\xfd", RejectReason.NOT_UTF8),
            (b'{"url": "http://a.com/"', RejectReason.MALFORMED),
            (b"[" * 100_000, None),
            (b'{"url": ["http://a.com/"]}', RejectReason.WRONG_TYPE),
            (b'{"url": "http:///"}', RejectReason.NO_URL),
            (b'{"host": "a..b c"}', RejectReason.INVALID_HOST),
            (b'{"url": "http://a.com/%s"}' % (b"x" * 70_000), RejectReason.TOO_LONG),
        ],
    )
    def test_poison_becomes_a_dead_letter_and_its_neighbours_go_on(
        self, value: bytes | None, reason: RejectReason | None
    ) -> None:
        bench = Bench()
        outcomes = bench.process([b"a.com", value, b"b.com"])
        assert [v.sighting.source.offset for v in outcomes.verdicts] == [0, 2]
        (letter,) = outcomes.dead_letters
        assert letter.value == value
        assert letter.key == b"key"
        assert letter.record_time == 1_700_000_000_000
        assert (letter.source.offset, letter.source.index) == (1, 0)
        assert reason is None or letter.reason is reason
        assert letter.detail
        labels = {"topic": "url-events", "reason": letter.reason.value}
        assert bench.metric("dead_letters_total", **labels) == 1

    def test_a_record_that_is_too_long_is_not_parsed(self) -> None:
        bench = Bench(record_bytes_max=100)
        longest = line("http://a.com/").ljust(100)
        outcomes = bench.process([longest, longest + b" "])
        assert [v.sighting.source.offset for v in outcomes.verdicts] == [0]
        (letter,) = outcomes.dead_letters
        assert letter.reason is RejectReason.TOO_LARGE
        assert letter.value == longest + b" "
        assert "record_bytes_max" in letter.detail

    def test_a_url_whose_canonical_form_is_too_long_for_kafka_is_refused(self) -> None:
        bench = Bench()
        outcomes = bench.process([line("http://evil.com/" + "\U0001f600" * 65_000)])
        assert [letter.reason for letter in outcomes.dead_letters] == [RejectReason.TOO_LONG]
        assert bench.scorer.calls == []

    def test_whatever_a_record_says_its_outputs_fit_into_kafka(self) -> None:
        values = [
            line("http://evil.com/" + "\\" * 60_000, client="\x01" * 100_000),
            line("http://evil.com/x?" + "a" * 65_000, client="c", id="\x01" * 150_000),
            line("\x01" * 65_000 + "evil.com", client="d"),
        ]
        encoded = encode(Bench().process(values))
        assert len(encoded.verdicts) == len(encoded.alerts) == len(values)
        for key, value, _ in encoded.verdicts + encoded.alerts:
            assert len(key or b"") < 1000
            assert len(value or b"") < 1_000_000

    def test_dead_letters_come_in_order_of_input_whoever_found_the_fault(self) -> None:
        bench = Bench(WordScorer(raises_on=["model-fault.com"]))
        outcomes = bench.process([b"model-fault.com", None, b"http://", b"a.com"])
        assert [letter.source.offset for letter in outcomes.dead_letters] == [0, 1, 2]
        assert [v.sighting.source.offset for v in outcomes.verdicts] == [3]

    def test_a_dead_letter_says_the_format_of_the_line_and_whether_it_is_a_replay(self) -> None:
        bench = Bench()
        replayed = Record(7, b"http://", headers=(("replay-of", b"url-events-dlq:3:17"),))
        first = bench.process([b'{"neither": 1}', b"\xff", b"http://"]).dead_letters
        (second,) = bench.pipeline.process([Chunk("url-events", 0, [replayed])]).dead_letters
        assert [letter.format for letter in first] == ["json", "", "plain"]
        assert {letter.replay_of for letter in first} == {b""}
        assert (second.format, second.replay_of) == ("plain", b"url-events-dlq:3:17")


class TestIgnoredLines:
    def test_a_line_that_names_no_url_by_its_nature_gives_a_count_alone(self) -> None:
        bench = Bench()
        value = b'{"timestamp":"2026-11-01T10:00:00.000000+0000","event_type":"flow","flow_id":1}'
        assert bench.process([value]) == Outcomes([], [], [], [])
        labels = {"topic": "url-events", "format": "suricata"}
        assert bench.metric("ignored_lines_total", **labels) == 1


class TestFaultsOfTheModel:
    def test_the_record_at_fault_is_a_dead_letter_and_the_others_get_verdicts(self) -> None:
        bench = Bench(WordScorer(raises_on=["h33.com"]))
        outcomes = bench.process(f"h{number}.com".encode() for number in range(100))
        assert [letter.source.offset for letter in outcomes.dead_letters] == [33]
        assert outcomes.dead_letters[0].reason is RejectReason.MODEL_ERROR
        assert [v.sighting.source.offset for v in outcomes.verdicts] == [
            n for n in range(100) if n != 33
        ]

    def test_a_model_that_fails_on_all_blames_no_record(self) -> None:
        with pytest.raises(ModelError):
            Bench(WordScorer(raises_on_all=True)).process([b"a.com"])

    def test_a_failing_device_blames_no_record(self) -> None:
        scorer = WordScorer(raises_on_all=True)
        scorer.error = DeviceError("out of memory")
        with pytest.raises(DeviceError):
            Bench(scorer).process([b"a.com"])


class TestAlerts:
    def test_one_alert_a_client_and_domain_and_window(self) -> None:
        bench = Bench()
        values = [
            line("http://a.evil.com/1", client="10.0.0.1"),
            line("http://b.evil.com/2", client="10.0.0.1"),
            line("http://a.evil.com/3", client="10.0.0.2"),
            line("http://odd.com/", client="10.0.0.1"),
        ]
        outcomes = bench.process(values)
        assert [a.verdict.sighting.source.offset for a in outcomes.alerts] == [0, 2]
        bench.clock.now += timedelta(hours=1)
        (later,) = bench.process(values[:2], first=10).alerts
        assert later.folded == 1
        assert bench.metric("alerts_total", kind="url") == 3
        assert bench.metric("alerts_folded_total", kind="url") == 2

    def test_a_batch_that_was_dropped_unpublished_alerts_again_when_it_replays(self) -> None:
        bench = Bench()
        values = [line("http://evil.com/", client="10.0.0.1")] * 3
        dropped = bench.process(values)
        replayed = bench.process(values)
        assert [a.verdict.sighting.id for a in replayed.alerts] == [
            a.verdict.sighting.id for a in dropped.alerts
        ]
        assert encode(replayed).alerts == encode(dropped).alerts


class TestFormats:
    def test_a_format_set_for_a_topic_is_not_guessed(self) -> None:
        bench = Bench(topic_prefix="lab.", input_topics=["dns"], input_formats={"dns": "dnsmasq"})
        (letter,) = bench.process([line("http://a.com/")], topic="lab.dns").dead_letters
        assert letter.reason is RejectReason.MALFORMED

    def test_chosen_json_fields_give_verdicts_beside_other_formats(self) -> None:
        bench = Bench(json_fields={"host": "dns.name", "client": "src"})
        outcomes = bench.process(
            [
                b'{"dns":{"name":"evil.com"},"src":"10.0.0.7","host":"collector-1","message":"x"}',
                line("http://fine.com/"),
                b'{"host":"collector-1","message":"10.0.0.7 asked for evil.com"}',
            ]
        )
        chosen, other = outcomes.verdicts
        assert (chosen.decision.canonical.text, chosen.sighting.client) == ("evil.com", "10.0.0.7")
        assert other.decision.canonical.text == "fine.com"
        (letter,) = outcomes.dead_letters
        assert letter.reason is RejectReason.UNKNOWN_FORMAT
        assert "'message'" in letter.detail

    def test_an_unknown_format_is_refused_by_name(self) -> None:
        with pytest.raises(SettingsError, match="zeek_typo"):
            Bench(input_formats={"url-events": "zeek_typo"})

    def test_a_format_for_a_topic_that_is_not_read_is_refused(self) -> None:
        with pytest.raises(SettingsError, match=r"'typo'.*url-events"):
            Bench(input_formats={"typo": "json"})


def test_metrics_count_records_events_and_verdicts() -> None:
    bench = Bench()
    bench.process([b"a.com", line("http://evil.com/"), b"b.com\nc.com", None])
    assert bench.metric("records_total", topic="url-events") == 4
    lines = {"topic": "url-events", "format": "plain", "kind": "host"}
    assert bench.metric("events_total", **lines) == 3
    labels = {"verdict": "malicious", "model": "words-url", "reason": "model", "kind": "url"}
    assert bench.metric("verdicts_total", **labels) == 1
    assert bench.metric("batch_records_sum") == 4
    for stage in ("parse", "decide", "score"):
        assert bench.metric("stage_seconds_count", stage=stage) >= 1


url_like = st.sampled_from(
    [b"a.com", b"http://evil.com/x", b'{"url":"http://odd.com"}', b"http://", b"\n", b"exa mple"]
)
values = st.none() | st.binary(max_size=200) | st.lists(url_like, max_size=5).map(b"\n".join)


@given(st.lists(values, max_size=20))
def test_every_record_gives_verdicts_a_dead_letter_or_an_ignored_line(
    values: list[bytes | None],
) -> None:
    bench = Bench(WordScorer(raises_on=["a.com"]))
    outcomes = bench.process(values)
    encode(outcomes)
    judged = {v.sighting.source.offset for v in outcomes.verdicts}
    dead = [letter.source.offset for letter in outcomes.dead_letters]
    assert dead == sorted(set(dead))
    ids = [v.sighting.id for v in outcomes.verdicts]
    assert len(ids) == len(set(ids))
    for offset, value in enumerate(values):
        if offset not in judged and offset not in dead:
            assert Bench().process([value]) == Outcomes([], [], [], [])
            ignored = Bench()
            ignored.process([value])
            samples = [
                sample
                for family in ignored.metrics.registry.collect()
                for sample in family.samples
                if sample.name == "stream_detector_ignored_lines_total"
            ]
            assert sum(sample.value for sample in samples) >= 1


class TestShadow:
    """What a shadow adds to the outcomes."""

    REF = ModelRef("shadow", "2", "1" * 64)
    THRESHOLDS = Thresholds(0.5, 0.9)

    def served(self) -> ServedModel:
        return ServedModel(self.REF, self.THRESHOLDS)

    def with_shadow(self) -> Bench:
        """A bench whose shadow finds everything suspicious."""

        class Suspicious:
            served = self.served()

            def score(self, texts: Any) -> Any:
                return np.full(len(texts), 0.75, np.float32)

        bench = Bench()
        announcement = Announcement(
            self.REF.name,
            "url",
            self.REF.version,
            self.REF.sha256,
            "",
            self.THRESHOLDS,
            START,
            role="shadow",
            share=1.0,
        )
        bench.shadows.start(announcement, Suspicious())
        return bench

    VALUES = (
        b"not a url, nor a host",
        line("http://odd.com/x"),
        line("http://a.com/x") + b"\n" + line("http://www.evil.com/x"),
        line("https://evil.com/x"),
    )

    def test_disagreements_name_the_first_event_with_their_text(self) -> None:
        outcomes = self.with_shadow().process(self.VALUES, first=7)

        counts, *disagreements = outcomes.comparisons
        assert isinstance(counts, Counts)
        assert (counts.id, counts.texts, counts.share) == ("lab:url-events:0:7:url", 3, 1.0)
        assert counts.verdicts == (
            VerdictPair("benign", "suspicious", 1),
            VerdictPair("malicious", "suspicious", 1),
            VerdictPair("suspicious", "suspicious", 1),
        )
        assert [(each.canonical, each.id) for each in disagreements] == [
            ("a.com/x", "lab:url-events:0:9:0"),
            ("evil.com/x", "lab:url-events:0:9:1"),
        ]
        evil = disagreements[1]
        assert isinstance(evil, Disagreement)
        assert evil.source == SourcePosition("url-events", 0, 9, 1)
        assert (evil.host, evil.registered_domain, evil.compared_at) == ("evil.com",) * 2 + (START,)
        assert (evil.served.verdict, evil.shadow.verdict) == ("malicious", "suspicious")
        assert evil.shadow.model == self.REF

    def test_all_else_is_as_it_would_be(self) -> None:
        outcomes, without = self.with_shadow().process(self.VALUES), Bench().process(self.VALUES)

        assert outcomes[:3] == without[:3]
        assert (without.comparisons, len(outcomes.comparisons)) == ([], 3)

    def test_the_counts_of_a_record_in_several_parts_do_not_take_each_other_s_place(self) -> None:
        urls = b"\n".join(b"http://h%d.example/" % number for number in range(2_000))
        outcomes = self.with_shadow().process([urls])
        counts = [each for each in outcomes.comparisons if isinstance(each, Counts)]
        assert [each.id for each in counts] == [
            "lab:url-events:0:0:url",
            "lab:url-events:0:0:1024:url",
        ]
        assert sum(each.texts for each in counts) == 2_000

    def test_a_replay_gives_the_same_records_and_a_repetition_none(self) -> None:
        bench = self.with_shadow()
        first = encode(bench.process(self.VALUES, first=3)).comparisons

        assert bench.process(self.VALUES, first=10).comparisons == []
        replayed = encode(self.with_shadow().process(self.VALUES, first=3)).comparisons
        assert replayed == first
        assert [key for key, _, _ in first] == [b"counts/url", b"a.com", b"evil.com"]


class TestParts:
    """Batches whose records name many hosts."""

    LINES = b"\n".join(b"h%d.example" % number for number in range(600))
    MANY_LINES = b"\n".join(b"h%d.example" % number for number in range(9_999))

    @pytest.fixture(autouse=True)
    def _slow_machine(self, monkeypatch):
        monkeypatch.setattr(batch_reading, "PART_MILLISECONDS", 60_000)

    def parts(self, chunks):
        return list(Bench().pipeline.parts(chunks))

    def test_a_usual_batch_is_one_part(self):
        chunks = [chunk([b"a.com"] * 2000), chunk([b"b.com"] * 2000, partition=1)]
        ((outcomes, ended),) = self.parts(chunks)
        assert (len(outcomes.verdicts), ended) == (4000, 2)

    def test_a_part_ends_within_the_record_that_fills_it(self):
        chunks = [chunk([self.LINES] * 2), chunk([self.LINES, None, b"last.com"], partition=1)]
        parts = self.parts(chunks)
        assert [len(outcomes.verdicts) for outcomes, _ in parts] == [1_025, 776]
        assert [ended for _, ended in parts] == [0, 2]
        assert [len(outcomes.dead_letters) for outcomes, _ in parts] == [0, 1]
        assert parts[1][0].dead_letters[0].source.offset == 1

    def test_the_events_of_one_record_are_parts_with_the_same_ids_in_order(self):
        parts = self.parts([chunk([self.MANY_LINES])])
        assert [len(outcomes.verdicts) for outcomes, _ in parts] == [1_024] * 9 + [783]
        assert [ended for _, ended in parts] == [0] * 9 + [1]
        ids = [verdict.sighting.id for outcomes, _ in parts for verdict in outcomes.verdicts]
        assert ids == [f"lab:url-events:0:0:{number}" for number in range(9_999)]

    @pytest.mark.parametrize("fault", [b"what is this", b"http://[/"])
    def test_a_record_in_several_parts_is_one_letter_that_names_its_first_fault(self, fault):
        lines = self.MANY_LINES.splitlines()
        lines[10] = lines[20] = lines[9_000] = fault
        bench = Bench()
        parts = list(bench.pipeline.parts([chunk([b"\n".join(lines), b"a.com", None])]))
        assert sum(len(outcomes.verdicts) for outcomes, _ in parts) == 9_999 - 3 + 1
        letters = [outcomes.dead_letters for outcomes, _ in parts]
        assert not any(letters[:-1])
        assert [(each.source.offset, each.source.index) for each in letters[-1]] == [
            (0, 10),
            (2, 0),
        ]
        assert bench.metric("records_total", topic="url-events") == 3

    def test_a_record_whose_last_event_fills_a_part_ends_with_it(self):
        lines = b"\n".join(self.MANY_LINES.splitlines()[:1_024])
        parts = self.parts([chunk([lines]), chunk([b"a.com"], partition=1)])
        assert [(len(outcomes.verdicts), ended) for outcomes, ended in parts] == [
            (1_024, 1),
            (1, 2),
        ]

    def test_a_part_ends_with_the_record_that_takes_too_long_to_read(self, monkeypatch):
        monkeypatch.setattr(batch_reading, "PART_MILLISECONDS", 0)
        parts = self.parts([chunk([b"a.com"] * 3), chunk([b"b.com"], partition=1)])
        assert [len(outcomes.verdicts) for outcomes, _ in parts] == [1, 1, 1, 1]
        assert [ended for _, ended in parts] == [0, 0, 1, 2]

    def test_a_part_ends_with_the_text_that_fills_it_also_within_a_record(self):
        lines = b"\n".join(b"http://a.com/%d" % number + b":@/" * 20_000 for number in range(12))
        parts = self.parts([chunk([lines] * 2), chunk([b"b.com"], partition=1)])
        assert [len(outcomes.verdicts) for outcomes, _ in parts] == [9, 9, 7]
        assert [ended for _, ended in parts] == [0, 0, 2]
        ids = [verdict.sighting.id for outcomes, _ in parts for verdict in outcomes.verdicts]
        assert len(set(ids)) == 25

    def test_a_part_ends_with_dead_letters_that_take_long_to_mask(self):
        large = b"a.b\n" * 200_000
        parts = self.parts([chunk([large] * 3), chunk([b"what is this"] * 50, partition=1)])
        assert [len(outcomes.dead_letters) for outcomes, _ in parts] == [1, 1, 1, 50]
        assert [ended for _, ended in parts] == [0, 0, 1, 2]

    def test_all_parts_together_are_what_the_batch_becomes(self):
        chunks = [chunk([self.LINES] * 4 + [None])]
        whole = Bench().pipeline.process(chunks)
        assert (len(whole.verdicts), len(whole.dead_letters)) == (2_400, 1)


def test_a_record_that_was_not_decompressed_is_a_letter_that_a_replay_reads_again():
    (letter,) = Bench().pipeline.process([Chunk("url-events", 0, [UnreadRecord(5)])]).dead_letters
    assert letter.reason is RejectReason.TOO_LARGE
    assert (letter.source.offset, letter.withheld) == (5, ("contents",))
    assert b"not decompressed" in dict(dead_letter_headers(letter))["detail"]


def test_records_that_come_as_one_are_a_letter_that_says_which_they_are():
    chunk = Chunk("url-events", 0, [UnreadRecord(1_000_004, records=1_000_000)])
    (letter,) = Bench().pipeline.process([chunk]).dead_letters
    assert letter.source.offset == 1_000_004
    assert "offsets 5 to 1000004 not decompressed" in letter.detail
