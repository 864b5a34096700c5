"""Windows of verdicts held against each other: what counts, and against what."""

import numpy as np
import pytest

from stream_detector.events import ModelRef
from stream_detector.models.reference import population_stability_index
from support.compared import BEFORE, RECENT, UNKNOWN, drift_of, high, of_statistics, only_model
from support.drifting import INJECTED_DOMAIN, injected, ordinary, verdict_record
from trainer.drift.plotting import drift_plot
from trainer.drift.rendering import interpretation, lines_of

OLDER = ModelRef("url-model", "2", "b" * 64)


def test_texts_count_once_and_verdicts_each_time():
    often = verdict_record("a.example/x", "a.example", hours_ago=2, score=0.75, model=UNKNOWN)
    elsewhere = verdict_record(
        "a.example/x", "a.example", hours_ago=2, score=0.75, model=UNKNOWN, topic="proxy-b"
    )
    model = only_model([often] * 9, [elsewhere])
    assert (model.recent.verdicts, model.recent.texts, model.recent.flagged) == (10, 2, 10)


def test_windows_exclude_their_end_and_verdicts_outside_are_left_out():
    texts = [
        verdict_record(f"a.example/{hours}", "a.example", hours_ago=hours, model=UNKNOWN)
        for hours in (-1, 0, 1, 24, 24.001, 192, 192.001)
    ]
    model = only_model(texts)
    assert (model.recent.verdicts, model.baseline.verdicts) == (2, 2)


def test_after_a_switch_the_inputs_keep_their_baseline_and_the_score_has_none():
    first = verdict_record("a.example/first", "a.example", hours_ago=23.5, model=UNKNOWN)
    found = drift_of(
        ordinary(4000, OLDER, hours=BEFORE),
        high("a.example", 400, BEFORE, model=OLDER),
        ordinary(2000, UNKNOWN, hours=(0.01, 10), seed=1),
        injected(500, UNKNOWN),
        [first],
    )
    (model,) = found.models
    assert model.ref == UNKNOWN
    statistics = of_statistics(model)
    assert statistics["score"].psi_baseline is None
    assert interpretation(statistics["length"].psi_baseline) == "moved"
    assert model.serves_from == first[0]
    assert (model.baseline.verdicts, model.baseline.flagged) == (4400, 400)
    by_topic = sum(group.flagged_shift for group in model.topics.movers)
    assert by_topic == pytest.approx(model.recent.flagged_share - 400 / 4400)
    assert [group.name for group in model.domains.most_new] == [INJECTED_DOMAIN]
    assert "url-model 2 (bbbbbbbbbbbb) with 4,400 verdicts" in model.remarks[0]

    text = "\n".join(lines_of(found))
    assert "9.09% malicious or suspicious (by the models before it)" in text
    assert "It serves from 2026-11-19 00:30 UTC on, so its scores have no baseline." in text
    assert drift_plot(found).rstrip().endswith(b"</svg>")


def test_a_model_with_a_baseline_of_its_own_is_compared_with_that_and_inputs_with_all():
    model = only_model(
        ordinary(3000, OLDER, hours=(100, 8 * 24)),
        ordinary(2000, UNKNOWN, hours=(24.1, 100), seed=1),
        high("a.example", 100, (30, 30), model=UNKNOWN),
        ordinary(2000, UNKNOWN, hours=RECENT, seed=2),
    )
    assert model.serves_from is None
    assert (model.baseline.verdicts, model.baseline.flagged) == (2100, 100)
    statistics = of_statistics(model)
    # Of 2,100 texts of its own, but 5,100 of both.
    assert sum(statistics["score"].baseline[-5:]) > 100 / 2100 - 0.001
    one = statistics["length"]
    assert one.psi_baseline == pytest.approx(
        population_stability_index(np.array(one.recent) * 2000, np.array(one.baseline) * 5100)
    )
    assert "url-model 2 (bbbbbbbbbbbb) with 3,000 verdicts served too" in model.remarks[0]


def test_the_inputs_of_two_models_that_take_turns_are_those_of_both():
    halves = [
        ordinary(1500, ref, hours=hours, seed=seed)
        for seed, (ref, hours) in enumerate(
            [(OLDER, BEFORE), (OLDER, (12, 23)), (UNKNOWN, (0.1, 12))]
        )
    ]
    newer, older = sorted(drift_of(*halves).models, key=lambda model: model.version)[::-1]
    assert of_statistics(newer)["length"] == of_statistics(older)["length"]
    assert (newer.serves_from is None, older.serves_from) == (False, None)
