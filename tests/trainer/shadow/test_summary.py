"""Comparisons are summed up by pair of models, what came last of a batch or a text counting."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from stream_detector.errors import RecordError
from stream_detector.events import (
    Counts,
    Disagreement,
    ModelRef,
    Opinion,
    ScoreDifference,
    SourcePosition,
    Thresholds,
    VerdictPair,
)
from trainer.shadow.rendering import as_text
from trainer.shadow.summary import Gathered, Labelled

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SERVED, SHADOW, OTHER = (
    ModelRef(name, "1", letter * 64)
    for name, letter in (("served", "a"), ("shadow", "b"), ("other", "c"))
)
THRESHOLDS = Thresholds(0.5, 0.9)


def counts(place=0, *, served=SERVED, shadow=SHADOW, minutes=0, difference=0.1, **pairs) -> Counts:
    """Of a batch; ``pairs`` such as ``benign_malicious=2``."""
    verdicts = tuple(VerdictPair(*name.split("_"), texts) for name, texts in pairs.items())
    return Counts(
        f"lab:url-events:0:{place}:url",
        NOON + timedelta(minutes=minutes),
        "url",
        served,
        shadow,
        0.1,
        sum(pairs.values()),
        0,
        verdicts,
        ScoreDifference(difference, abs(difference), abs(difference)),
    )


def disagreement(text, served, shadow, *, domain="evil.example", minutes=0) -> Disagreement:
    scores = {"benign": 0.1, "suspicious": 0.6, "malicious": 0.95}
    return Disagreement(
        "lab:url-events:0:0:0",
        NOON + timedelta(minutes=minutes),
        "url",
        text,
        domain,
        domain,
        Opinion(SERVED, THRESHOLDS, scores[served], served),
        Opinion(SHADOW, THRESHOLDS, scores[shadow], shadow),
        SourcePosition("url-events", 0, 0, 0),
    )


def summary(*comparisons, **options):
    (only,) = Gathered(comparisons).summaries([SHADOW.sha256], **{"top": 5} | options)
    return only


def test_batches_are_added_up_and_scores_weighted_by_texts() -> None:
    found = summary(
        counts(0, benign_benign=7, benign_malicious=1, difference=0.5),
        counts(9, minutes=5, malicious_benign=2, difference=-0.1),
    )

    assert (found.texts, found.agreement) == (10, 0.7)
    assert found.verdicts["benign"] == {"benign": 7, "suspicious": 0, "malicious": 1}
    assert found.verdicts["malicious"]["benign"] == 2
    assert found.mean_difference == pytest.approx(0.38)
    assert found.mean_absolute_difference == pytest.approx(0.42)
    assert found.max_absolute_difference == 0.5
    assert (found.first, found.last) == (NOON, NOON + timedelta(minutes=5))


def test_a_batch_that_was_replayed_counts_once_also_under_another_model() -> None:
    assert summary(counts(3, benign_benign=7), counts(3, benign_benign=5)).texts == 5

    gathered = Gathered(
        [counts(3, benign_benign=7), counts(3, benign_benign=6, served=OTHER, minutes=1)]
    )
    (only,) = gathered.summaries([SHADOW.sha256], top=5)
    assert (only.served, only.texts) == (OTHER, 6)


def test_pairs_of_models_are_kept_apart_and_the_last_shadow_is_known() -> None:
    gathered = Gathered(
        [
            counts(1, benign_benign=1, shadow=OTHER, minutes=9),
            counts(2, benign_benign=2),
            counts(3, benign_benign=3, served=OTHER, minutes=3),
        ]
    )

    found = gathered.summaries([SHADOW.sha256], top=5)
    assert [(each.served, each.texts) for each in found] == [(SERVED, 2), (OTHER, 3)]
    assert list(gathered.shadows().values()) == [SHADOW, OTHER]


def test_directions_count_distinct_texts_by_domain_with_the_farthest_as_examples() -> None:
    far = msgspec.structs.replace(
        disagreement("c.example/far", "benign", "malicious", domain="c.example"),
        shadow=Opinion(SHADOW, THRESHOLDS, 1.0, "malicious"),
    )
    found = summary(
        counts(0, benign_malicious=4, malicious_benign=1),
        disagreement("evil.example/1", "benign", "malicious"),
        disagreement("evil.example/1", "benign", "malicious", minutes=1),
        far,
        disagreement("evil.example/2", "benign", "malicious"),
        disagreement("a.example", "malicious", "benign", domain="a.example"),
        top=1,
    )

    first, second = found.directions
    assert (first.served, first.shadow, first.texts) == ("benign", "malicious", 3)
    assert first.domains == (("evil.example", 2),)
    assert [example.text for example in first.examples] == ["c.example/far"]
    assert (second.served, second.shadow, second.texts) == ("malicious", "benign", 1)
    assert first.labelled is None


def test_labels_say_which_model_was_right() -> None:
    labels = {"x/1": "malicious", "x/2": "benign", "x/4": "malicious"}
    found = summary(
        counts(0, benign_malicious=4),
        disagreement("x/1", "benign", "malicious"),
        disagreement("x/2", "benign", "malicious"),
        disagreement("x/3", "benign", "malicious"),
        disagreement("x/4", "suspicious", "malicious"),
        label_of=lambda each: labels.get(each.canonical),
    )

    assert found.labelled == Labelled(3, served_right=2, shadow_right=2)
    assert found.directions[0].labelled == Labelled(2, served_right=1, shadow_right=1)


def test_malformed_records_are_counted() -> None:
    assert Gathered([RecordError("x"), counts(0, benign_benign=1)]).unreadable == 1


def test_the_text_reads_well() -> None:
    text = as_text(
        summary(
            counts(0, benign_benign=12_000, suspicious_suspicious=30, benign_malicious=2),
            disagreement("evil.example/\x1b[2J", "benign", "malicious"),
            disagreement("evil.example/" + "x" * 200, "benign", "malicious"),
            label_of=lambda each: "malicious",
        )
    )

    assert text.splitlines() == [
        "Shadow url model shadow 1 (bbbbbbbbbbbb)",
        "compared with served 1 (aaaaaaaaaaaa), which served",
        "from 2026-11-24 12:00:00 to 2026-11-24 12:00:00 UTC, on a share of 0.1",
        "",
        "Texts compared  12,032",
        "Agreement       99.983%",
        "Scores          the shadow's are +0.1000 on average; apart by 0.1000 on average, by "
        "0.1000 at most",
        "Labels          2 texts disagreed on: the served model is right on 0, the shadow on 2",
        "",
        "served      shadow  benign  suspicious  malicious",
        "benign              12,000           0          2",
        "suspicious               0          30          0",
        "malicious                0           0          0",
        "",
        "benign -> malicious: 2 texts",
        "  labels: 2 texts disagreed on: the served model is right on 0, the shadow on 2",
        "  domains: evil.example (2)",
        "    0.1000 -> 0.9500  evil.example/\\x1b[2J  labelled malicious",
        f"    0.1000 -> 0.9500  evil.example/{'x' * 104}...  labelled malicious",
    ]
