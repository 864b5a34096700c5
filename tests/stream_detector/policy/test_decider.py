import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.assembly import decider_of
from stream_detector.errors import DeviceError, ModelError, SettingsError
from stream_detector.events import Decision, Kind, Observed, Rejected, RejectReason
from stream_detector.metrics import Metrics
from stream_detector.policy.decider import Decider
from stream_detector.settings.fields import Settings
from support.scoring import WordScorer, served_by

URL: Kind = "url"
HOST: Kind = "host"


class Deciding:
    """A decider of which the test asks decisions alone."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider

    def decide(self, observed: Sequence[Observed]) -> list[Decision | Rejected]:
        return self._decider.decide(observed).decisions


def decider(
    scorer: WordScorer | None = None, *, metrics: Metrics | None = None, **settings: Any
) -> Deciding:
    scorer = scorer or WordScorer()
    return Deciding(decider_of(scorer, settings=Settings(**settings), metrics=metrics))


def scored(decision: Decision | Rejected) -> Decision:
    assert isinstance(decision, Decision)
    return decision


def texts_of(scorer: WordScorer) -> list[str]:
    return [text for _, texts in scorer.calls for text in texts]


def test_decisions_come_in_order_each_kind_in_one_call() -> None:
    scorer = WordScorer()
    decisions = decider(scorer).decide(
        [
            (URL, "http://fine.com/a"),
            (HOST, "evil.com"),
            (URL, "https://www.odd.com/"),
            (HOST, "fine.org"),
        ]
    )
    assert [scored(d).verdict for d in decisions] == ["benign", "malicious", "suspicious", "benign"]
    assert [scored(d).score for d in decisions] == [0.125, 0.96875, 0.625, 0.125]
    assert [scored(d).model.name for d in decisions] == [
        "words-url",
        "words-host",
        "words-url",
        "words-host",
    ]
    assert {scored(d).reason for d in decisions} == {"model"}
    assert scorer.calls == [
        ("url", ["fine.com/a", "odd.com"]),
        ("host", ["evil.com", "fine.org"]),
    ]


def test_nothing_observed_asks_nothing() -> None:
    scorer = WordScorer()
    assert decider(scorer).decide([]) == []
    assert scorer.calls == []


def test_a_text_that_is_not_a_url_is_rejected_in_its_place() -> None:
    decisions = decider().decide([(URL, "http://a.com/"), (URL, "http://"), (HOST, "b.com")])
    assert isinstance(decisions[1], Rejected)
    assert decisions[1].reason is RejectReason.INVALID_URL
    assert scored(decisions[0]).canonical.text == "a.com"
    assert scored(decisions[2]).canonical.text == "b.com"


def test_a_host_and_a_url_of_the_same_text_go_to_their_own_models() -> None:
    scorer = WordScorer()
    decider(scorer).decide([(HOST, "a.com"), (URL, "a.com")])
    assert sorted(scorer.calls) == [("host", ["a.com"]), ("url", ["a.com"])]


class TestMemory:
    def test_the_same_text_is_scored_once_in_a_batch_and_once_in_all(self) -> None:
        scorer = WordScorer()
        decide = decider(scorer).decide
        first = decide([(URL, "http://a.com/x")] * 3)
        second = decide([(URL, "http://a.com/x")])
        assert texts_of(scorer) == ["a.com/x"]
        assert first == second * 3

    def test_one_canonical_form_is_scored_once_however_it_was_observed(self) -> None:
        scorer = WordScorer()
        decide = decider(scorer).decide
        decide([(URL, "http://a.com/x"), (URL, "https://www.a.com/x")])
        (later,) = decide([(URL, "HTTP://A.com:80/x#part")])
        assert texts_of(scorer) == ["a.com/x"]
        assert scored(later).score == 0.125
        assert "fragment" in scored(later).canonical.notes

    def test_without_cache_entries_each_batch_is_scored_again(self) -> None:
        scorer = WordScorer()
        decide = decider(scorer, cache_entries=0).decide
        decide([(URL, "http://a.com/x")] * 2)
        decide([(URL, "http://a.com/x")])
        assert texts_of(scorer) == ["a.com/x"] * 2

    def test_long_texts_are_scored_each_time(self) -> None:
        scorer = WordScorer()
        decide = decider(scorer).decide
        long = "http://a.com/" + "x" * 5000
        decide([(URL, long)])
        decide([(URL, long)])
        assert len(scorer.calls) == 2

    def test_another_model_forgets_earlier_decisions(self) -> None:
        scorer = WordScorer()
        decide = decider(scorer).decide
        (before,) = decide([(URL, "http://a.com/x")])
        scorer.models = served_by("2")
        (after,) = decide([(URL, "http://a.com/x")])
        assert (scored(before).model.version, scored(after).model.version) == ("1", "2")
        assert texts_of(scorer) == ["a.com/x"] * 2

    def test_hits_and_misses_are_counted(self) -> None:
        metrics = Metrics()
        decide = decider(metrics=metrics).decide
        decide([(URL, "http://a.com/"), (URL, "http://b.com/")])
        decide([(URL, "http://a.com/"), (URL, "http://c.com/"), (URL, "http://b.com/")])
        value = metrics.registry.get_sample_value
        assert value("stream_detector_cache_lookups_total", {"result": "hit"}) == 2
        assert value("stream_detector_cache_lookups_total", {"result": "miss"}) == 3
        assert value("stream_detector_score_count", {"kind": "url"}) == 3

    @given(
        st.lists(
            st.lists(
                st.tuples(
                    st.sampled_from(["url", "host"]),
                    st.sampled_from(["evil.com", "odd.net", "a.org", "www.a.org", "", "b..c"]),
                )
            ),
            max_size=5,
        ),
        st.integers(0, 6),
    )
    def test_remembering_changes_no_decision(
        self, batches: list[list[tuple[Kind, str]]], entries: int
    ) -> None:
        remembering, forgetful = decider(cache_entries=entries), decider(cache_entries=0)
        for batch in batches:
            assert remembering.decide(batch) == forgetful.decide(batch)


class TestThresholds:
    def test_the_settings_override_the_bundle(self) -> None:
        decide = decider(url_suspicious_threshold=0.1, url_malicious_threshold=0.5).decide
        found = decide([(URL, "http://a.com/"), (URL, "http://odd.com/"), (HOST, "odd.com")])
        assert [scored(d).verdict for d in found] == ["suspicious", "malicious", "suspicious"]
        assert scored(found[0]).thresholds.malicious == 0.5

    def test_a_contradiction_is_refused_before_anything_is_read(self) -> None:
        with pytest.raises(SettingsError, match="url_suspicious_threshold"):
            decider(url_suspicious_threshold=0.95)


class TestLists:
    def write(self, tmp_path: Path, **lists: str) -> dict[str, Any]:
        paths: dict[str, Any] = {}
        for name, text in lists.items():
            paths[name] = tmp_path / name
            paths[name].write_text(text)
        return paths

    def test_a_list_decides_without_the_model(self, tmp_path: Path) -> None:
        scorer = WordScorer()
        lists = self.write(tmp_path, allow_list="evil.com", deny_list="fine.com")
        found = decider(scorer, **lists).decide([(HOST, "a.evil.com"), (URL, "http://fine.com/x")])
        allowed, denied = map(scored, found)
        assert (allowed.verdict, allowed.reason, allowed.score) == ("benign", "allow_list", None)
        assert (denied.verdict, denied.reason, denied.score) == ("malicious", "deny_list", None)
        assert denied.model.name == "words-url"
        assert scorer.calls == []

    def test_the_more_specific_entry_wins_and_of_equals_the_deny_list(self, tmp_path: Path) -> None:
        lists = self.write(
            tmp_path,
            allow_list="both.com\ngood.bad.com\nhttp://shared.com/fine",
            deny_list="both.com\nbad.com\nshared.com\nhttp://good.bad.com/page",
        )
        observed: list[tuple[Kind, str]] = [
            (HOST, "both.com"),
            (HOST, "x.bad.com"),
            (HOST, "x.good.bad.com"),
            (URL, "http://good.bad.com/page"),
            (URL, "http://shared.com/fine"),
            (URL, "http://shared.com/else"),
        ]
        assert [scored(d).reason for d in decider(**lists).decide(observed)] == [
            "deny_list",
            "deny_list",
            "allow_list",
            "deny_list",
            "allow_list",
            "deny_list",
        ]

    def test_a_broken_list_is_refused_at_the_start(self, tmp_path: Path) -> None:
        lists = self.write(tmp_path, deny_list="not a host")
        with pytest.raises(SettingsError, match="deny_list, line 1"):
            decider(**lists)


class TestFaults:
    @pytest.mark.parametrize(
        "culprits", [["h0.com"], ["h15.com"], ["h7.com", "h8.com"], ["h3.com", "h4.com", "h12.com"]]
    )
    def test_texts_at_fault_are_rejected_and_the_others_scored(self, culprits: list[str]) -> None:
        metrics = Metrics()
        scorer = WordScorer(raises_on=culprits)
        hosts = [f"h{number}.com" for number in range(16)]
        found = decider(scorer, metrics=metrics).decide([(HOST, host) for host in hosts])
        for host, decision in zip(hosts, found, strict=True):
            if host in culprits:
                assert isinstance(decision, Rejected)
                assert decision.reason is RejectReason.MODEL_ERROR
            else:
                assert scored(decision).score == 0.125
        count = metrics.registry.get_sample_value("stream_detector_score_count", {"kind": "host"})
        assert count == 16 - len(culprits)

    def test_finding_one_text_at_fault_takes_few_calls(self) -> None:
        scorer = WordScorer(raises_on=["h500.com"])
        decider(scorer).decide([(HOST, f"h{number}.com") for number in range(1024)])
        assert len(scorer.calls) <= 1 + 2 * 10 + 11

    @pytest.mark.parametrize("score", [math.nan, math.inf, -0.5, 1.5])
    def test_a_score_that_is_not_a_probability_is_a_fault(self, score: float) -> None:
        scorer = WordScorer(wrong_on={"b.com": score})
        found = decider(scorer).decide([(HOST, "a.com"), (HOST, "b.com"), (HOST, "evil.com")])
        assert [isinstance(d, Rejected) for d in found] == [False, True, False]

    def test_a_text_at_fault_is_scored_the_next_time(self) -> None:
        scorer = WordScorer(raises_on=["b.com"], wrong_on={"c.com": math.nan})
        decide = decider(scorer).decide
        first = decide([(HOST, "b.com"), (HOST, "c.com")])
        assert all(isinstance(decision, Rejected) for decision in first)
        scorer.raises_on, scorer.wrong_on = [], {}
        for again in decide([(HOST, "b.com"), (HOST, "B.com."), (HOST, "c.com")]):
            assert scored(again).score == 0.125

    def test_a_model_that_fails_on_everything_stops_the_process(self) -> None:
        scorer = WordScorer(raises_on_all=True)
        with pytest.raises(ModelError, match=r"example\.com.*told to raise.*host_bundle"):
            decider(scorer).decide([(HOST, f"h{number}.com") for number in range(1000)])
        assert len(scorer.calls) == 2

    def test_a_model_that_scores_nothing_but_nan_stops_the_process(self) -> None:
        scorer = WordScorer(wrong_on={"a.com/x": math.nan, "example.com/index.html": math.nan})
        with pytest.raises(ModelError, match="its score is nan"):
            decider(scorer).decide([(URL, "http://a.com/x")])

    def test_a_failing_device_blames_no_text(self) -> None:
        scorer = WordScorer(raises_on=["a.com"])
        scorer.error = DeviceError("out of memory")
        with pytest.raises(DeviceError):
            decider(scorer).decide([(HOST, "a.com"), (HOST, "b.com")])

    def test_after_a_fatal_error_nothing_of_the_batch_is_remembered(self) -> None:
        scorer = WordScorer(raises_on_all=True)
        subject = decider(scorer)
        with pytest.raises(ModelError):
            subject.decide([(HOST, "a.com")])
        scorer.raises_on_all = False
        assert scored(subject.decide([(HOST, "a.com")])[0]).score == 0.125
