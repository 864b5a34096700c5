"""Which topics and domains moved what moved."""

import numpy as np
import pytest

from stream_detector.settings.fields import Settings
from support.compared import BEFORE, RECENT, UNKNOWN, high, low, of_statistics, only_model
from support.drifting import INJECTED_DOMAIN, INJECTED_TOPIC, injected, ordinary
from trainer.drift.references import References
from trainer.drift.rendering import interpretation


def test_an_injected_topic_and_domain_explain_the_drift():
    model = only_model(
        ordinary(4000, UNKNOWN, hours=BEFORE),
        ordinary(2000, UNKNOWN, hours=RECENT, seed=1),
        injected(500, UNKNOWN),
    )
    statistics = of_statistics(model)
    for name in ("score", "length", "query"):
        assert interpretation(statistics[name].psi_baseline) == "moved"
    topic, domain = model.topics.movers[0], model.domains.movers[0]
    assert (topic.name, domain.name) == (INJECTED_TOPIC, INJECTED_DOMAIN)
    assert topic.recent.verdicts == 500
    assert topic.baseline.verdicts == 0
    assert topic.score_shift > 0.8 * statistics["score"].psi_baseline
    assert [group.name for group in model.domains.most_new] == [INJECTED_DOMAIN]
    assert model.domains.new_share == 500 / 2500


@pytest.mark.parametrize("sort", ["topics", "domains"])
def test_the_parts_of_the_groups_add_up(sort):
    model = only_model(
        ordinary(4000, UNKNOWN, hours=BEFORE),
        ordinary(2000, UNKNOWN, hours=RECENT, seed=1),
        injected(300, UNKNOWN),
        groups_shown=1000,
    )
    groups = getattr(model, sort).movers
    score = of_statistics(model)["score"]
    # But for the half rows of the smoothing, which are nobody's.
    assert sum(group.score_shift for group in groups) == pytest.approx(score.psi_baseline, rel=0.02)
    assert sum(group.flagged_shift for group in groups) == pytest.approx(
        model.recent.flagged_share - model.baseline.flagged_share
    )


def test_by_hand_a_group_adds_its_share_times_the_logarithm():
    # Two bins, 0.01 and 0.6. Before: a alone, 900 and 100. Now: a as before, b 0 and 1000.
    before = [*low("a.example", 900, BEFORE), *high("a.example", 100, BEFORE)]
    now = [*low("a.example", 900, RECENT), *high("a.example", 100, RECENT)]
    model = only_model(before, now, high("b.example", 1000, RECENT))

    p, q = np.array([900.5, 1100.5]), np.array([900.5, 100.5])
    weights = np.log((p / p.sum()) / (q / q.sum()))
    shifts = {group.name: group.score_shift for group in model.domains.movers}
    assert shifts["b.example"] == pytest.approx(0.5 * weights[1], rel=0.01)
    assert shifts["a.example"] == pytest.approx(
        (0.45 - 0.9) * weights[0] + (0.05 - 0.1) * weights[1], rel=0.01
    )
    points = {group.name: group.flagged_shift for group in model.domains.movers}
    assert points == pytest.approx({"b.example": 1000 / 2000, "a.example": 100 / 2000 - 0.1})


def test_without_a_baseline_shifts_count_from_the_reference(bundle):
    folder, saved = bundle
    model = only_model(
        ordinary(2000, saved.ref, hours=RECENT, seed=1),
        injected(500, saved.ref),
        references=References([folder], Settings()),
    )
    assert model.explained == "reference"
    assert model.reference_rows == 3000
    score = of_statistics(model)["score"]
    assert interpretation(score.psi_reference) == "moved"
    assert model.topics.movers[0].name == INJECTED_TOPIC
    added = sum(group.score_shift for group in model.topics.movers)
    assert abs(added) < 1.05 * score.psi_reference
    assert model.topics.movers[0].score_shift > 0.8 * score.psi_reference
    assert model.domains.most_new == []
