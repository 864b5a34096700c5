"""Shadows see a share of what is scored, and have no part in what is decided."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.assembly import decider_of
from stream_detector.events import Decision, ModelRef, Thresholds
from stream_detector.metrics import Metrics
from stream_detector.models.announcement import Announcement
from stream_detector.models.base import ServedModel
from stream_detector.models.thresholds import threshold_overrides
from stream_detector.policy.shadow import Compared, Shadows, is_sampled
from stream_detector.settings.fields import Settings
from support.scoring import WordScorer

THRESHOLDS = Thresholds(suspicious=0.25, malicious=0.75)
REF = ModelRef("shadow", "2", "1" * 64)
URLS = [("url", f"http://{name}.com/") for name in ("evil", "odd", "fine", "other")]


def announced(share: float = 1.0, **changes) -> Announcement:
    fields = {
        "name": REF.name,
        "kind": "url",
        "version": REF.version,
        "sha256": REF.sha256,
        "url": "",
        "thresholds": THRESHOLDS,
        "announced_at": datetime(2026, 11, 1, tzinfo=UTC),
        "role": "shadow",
        "share": share,
    }
    return Announcement(**(fields | changes))


class Model:
    """Scores every text alike, or does worse; keeps what it was asked."""

    def __init__(self, score=0.5, *, ref=REF, error=None, count=None) -> None:
        self.served = ServedModel(ref, THRESHOLDS)
        self._score, self._error, self._count = score, error, count
        self.calls: list[list[str]] = []

    def score(self, texts):
        self.calls.append(list(texts))
        if self._error is not None:
            raise self._error
        return np.full(self._count or len(texts), self._score, np.float32)


class Bench:
    def __init__(self, clock: Iterator[float] | None = None, **changes) -> None:
        self.metrics = Metrics()
        self.scorer = WordScorer()
        set_so = Settings(**changes)
        clocks = {} if clock is None else {"clock": lambda: next(clock)}
        self.shadows = Shadows(
            overrides=threshold_overrides(set_so), metrics=self.metrics, **clocks
        )
        self.decider = decider_of(
            self.scorer, settings=set_so, metrics=self.metrics, shadows=self.shadows
        )

        self.compared: list[Compared] = []

    def decide(self, observed):
        decisions, compared = self.decider.decide(observed)
        self.compared += compared
        return decisions

    def take_comparisons(self) -> list[Compared]:
        """What was compared since this was last called."""
        compared, self.compared = self.compared, []
        return compared

    def value(self, name: str, /, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"stream_detector_{name}", labels)


def test_opinions_of_both_models_are_counted_and_differing_ones_kept() -> None:
    bench = Bench()
    bench.shadows.start(announced(), Model(0.5))

    bench.decide(URLS)

    (compared,) = bench.take_comparisons()
    assert (compared.kind, compared.shadow, compared.texts) == ("url", REF, 4)
    assert compared.verdicts == {
        ("malicious", "suspicious"): 1,
        ("suspicious", "suspicious"): 1,
        ("benign", "suspicious"): 2,
    }
    assert set(compared.disagreements) == {"evil.com", "fine.com", "other.com"}
    served, shadow = compared.disagreements["evil.com"]
    assert (served.score, served.verdict, served.thresholds) == (
        0.96875,
        "malicious",
        Thresholds(0.5, 0.9),
    )
    assert (shadow.score, shadow.verdict, shadow.thresholds) == (0.5, "suspicious", THRESHOLDS)
    assert compared.score_difference.mean == pytest.approx((-0.46875 - 0.125 + 0.375 * 2) / 4)
    assert compared.score_difference.max_absolute == 0.46875
    assert bench.value("shadow_texts_total", kind="url") == 4
    assert (
        bench.value("shadow_disagreements_total", kind="url", served="benign", shadow="suspicious")
        == 2
    )
    assert bench.take_comparisons() == []


def test_the_settings_thresholds_hold_for_both_models() -> None:
    bench = Bench(url_malicious_threshold=0.6)
    bench.shadows.start(announced(), Model(0.65))

    bench.decide(URLS[1:2])

    (compared,) = bench.take_comparisons()
    assert compared.verdicts == {("malicious", "malicious"): 1}


@pytest.mark.parametrize(
    "model",
    [
        Model(error=RuntimeError("told\nto raise")),
        Model(error=MemoryError()),
        Model(float("nan")),
        Model(1.5),
        Model(count=1),
    ],
    ids=["raises", "no memory", "no score", "no probability", "too few"],
)
def test_a_shadow_that_fails_costs_nothing_but_itself(model: Model, caplog) -> None:
    bench = Bench()
    bench.shadows.start(announced(), model)

    decisions = bench.decide(URLS)

    assert decisions == Bench().decide(URLS)
    assert bench.take_comparisons() == []
    assert bench.shadows.running("url") is None
    assert bench.shadows.failed("url") == announced()
    assert bench.value("shadow_errors_total", kind="url") == 1
    info = {"kind": "url", "name": "shadow", "version": "2", "sha256": "1" * 64}
    assert bench.value("shadow_info", **info) is None
    (line,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert line.startswith("shadow dropped, verdicts go on as before: url model shadow 2")
    assert "\n" not in line
    bench.decide([("url", "http://new.com/")])
    assert len(model.calls) == 1


def test_a_dropped_shadow_is_known_as_failed_before_it_is_gone(monkeypatch) -> None:
    bench, seen = Bench(), []
    shadows = bench.shadows
    monkeypatch.setattr(
        bench.metrics,
        "hide_shadow",
        lambda kind, _: seen.append((shadows.running(kind), shadows.failed(kind))),
    )
    shadows.start(announced(), Model(error=RuntimeError()))

    bench.decide(URLS)

    assert seen == [(None, announced())]


texts = st.text(st.characters(min_codepoint=0x61, max_codepoint=0x7A), min_size=1, max_size=8)


@settings(deadline=None)  # The first of all loads the public suffixes.
@given(st.lists(st.lists(texts, max_size=5), max_size=5), st.floats(0.01, 1), st.floats(0, 1))
def test_decisions_are_the_same_with_a_shadow_and_without(
    batches: list[list[str]], share: float, score: float
) -> None:
    with_shadow, without = Bench(), Bench()
    with_shadow.shadows.start(announced(share), Model(score))
    for batch in batches:
        observed = [("url", f"http://{text}.com/") for text in batch]
        assert with_shadow.decide(observed) == without.decide(observed)
    assert with_shadow.scorer.calls == without.scorer.calls


def test_only_the_share_is_scored_and_nothing_twice() -> None:
    bench, model = Bench(), Model()
    bench.shadows.start(announced(0.3), model)
    urls = [("url", f"http://h{number}.com/") for number in range(2000)]

    bench.decide(urls)
    bench.decide(urls)

    (asked,) = model.calls
    assert set(asked) == {
        f"h{number}.com" for number in range(2000) if is_sampled(f"h{number}.com", 0.3)
    }
    assert 500 < len(asked) < 700


def test_texts_scored_before_the_shadow_started_are_not_scored_again() -> None:
    bench, model = Bench(), Model()
    bench.decide(URLS)
    bench.shadows.start(announced(), model)

    bench.decide([*URLS, ("url", "http://new.com/")])

    assert model.calls == [["new.com"]]
    assert len(bench.scorer.calls) == 2


@given(texts, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_has_all_of_a_smaller_one(text: str, one: float, other: float) -> None:
    if is_sampled(text, min(one, other)):
        assert is_sampled(text, max(one, other))
    assert is_sampled(text, 1.0)
    assert not is_sampled(text, 0.0)


def test_which_texts_are_in_a_share_is_the_same_everywhere_and_always() -> None:
    names = [f"h{number}.com" for number in range(12)]

    assert [name for name in names if is_sampled(name, 0.3)] == [
        "h0.com",
        "h1.com",
        "h6.com",
        "h10.com",
    ]


def test_a_text_that_the_served_model_fails_on_is_not_compared() -> None:
    bench = Bench()
    bench.scorer.wrong_on = {"odd.com": float("nan")}
    bench.shadows.start(announced(), Model())

    decisions = bench.decide(URLS)

    assert [isinstance(decision, Decision) for decision in decisions] == [True, False, True, True]
    (compared,) = bench.take_comparisons()
    assert compared.texts == 3


def test_a_model_is_not_compared_with_itself() -> None:
    bench = Bench()
    model = Model(ref=bench.scorer.models["url"].ref)
    bench.shadows.start(announced(), model)

    bench.decide(URLS)

    assert model.calls == []


def test_a_slow_shadow_passes_over_texts_that_it_has_no_time_for() -> None:
    # Asked at the start and the end of a comparison, when scoring starts, and before each slice
    # after the first one.
    bench = Bench(clock=iter([0.0, 0.0, 0.9, 1.1, 1.2]))
    model = Model()
    bench.shadows.start(announced(), model)

    bench.decide([("url", f"http://h{number}.com/") for number in range(4000)])

    (compared,) = bench.take_comparisons()
    assert [len(texts) for texts in model.calls] == [1024, 1024]
    assert (compared.texts, compared.passed_over) == (2048, 4000 - 2048)
    assert bench.value("shadow_passed_over_texts_total", kind="url") == 4000 - 2048
    assert bench.shadows.running("url") is not None


def test_each_kind_has_its_own_shadow_with_its_own_end() -> None:
    bench = Bench()
    of_urls, of_hosts = Model(), Model()
    bench.shadows.start(announced(), of_urls)
    bench.shadows.start(announced(kind="host"), of_hosts)

    bench.decide([("host", "evil.com"), ("url", "http://odd.com/")])
    assert [compared.kind for compared in bench.take_comparisons()] == ["url", "host"]
    assert bench.shadows.end("url")
    assert not bench.shadows.end("url")
    bench.decide([("host", "a.com"), ("url", "http://a.com/")])

    assert (of_urls.calls, of_hosts.calls) == ([["odd.com"]], [["evil.com"], ["a.com"]])
