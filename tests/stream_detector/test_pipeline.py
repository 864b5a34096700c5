import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.errors import SettingsError
from stream_detector.events import (
    Outcomes,
    RejectReason,
)
from stream_detector.wire.outcomes import encode
from support.pipelines import START, Bench, chunk, line
from support.scoring import WordScorer


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

    def test_a_verdict_holds_the_text_its_place_and_the_model(self) -> None:
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

    def test_a_remembered_text_is_not_scored_again(self) -> None:
        bench = Bench()
        bench.process([b"a.com"])
        bench.process([b"a.com"], first=1)
        assert len(bench.scorer.calls) == 1
        assert bench.metric("cache_lookups_total", result="hit") == 1


class TestIgnoredLines:
    def test_a_line_of_a_type_without_a_url_is_only_counted(self) -> None:
        bench = Bench()
        value = b'{"timestamp":"2026-11-01T10:00:00.000000+0000","event_type":"flow","flow_id":1}'
        assert bench.process([value]) == Outcomes([], [], [], [])
        labels = {"topic": "url-events", "format": "suricata"}
        assert bench.metric("ignored_lines_total", **labels) == 1


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

    def test_chosen_json_fields_give_verdicts_among_other_formats(self) -> None:
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
