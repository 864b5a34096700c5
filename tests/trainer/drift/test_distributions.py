"""Statistics of two windows and of a reference, and how far they are apart."""

import math

import numpy as np
import pytest

from stream_detector.models.reference import population_stability_index
from stream_detector.settings.fields import Settings
from support.compared import BEFORE, RECENT, UNKNOWN, only_model
from support.drifting import injected, ordinary
from trainer.drift.references import References
from trainer.drift.rendering import interpretation


def test_the_same_traffic_is_stable_in_everything():
    model = only_model(
        ordinary(4000, UNKNOWN, hours=BEFORE), ordinary(2000, UNKNOWN, hours=RECENT, seed=1)
    )
    assert (model.recent.verdicts, model.baseline.verdicts) == (2000, 4000)
    assert all(interpretation(one.psi_baseline) == "stable" for one in model.statistics)
    assert model.domains.new == model.domains.gone == 0


def test_the_indexes_are_those_of_the_shares_in_the_report(bundle):
    folder, saved = bundle
    model = only_model(
        ordinary(4000, saved.ref, hours=BEFORE),
        ordinary(2000, saved.ref, hours=RECENT, seed=1),
        injected(300, saved.ref),
        references=References([folder], Settings()),
    )
    for one in model.statistics:
        assert len(one.bins) == len(one.recent) == len(one.baseline) == len(one.reference)
        for shares in (one.recent, one.baseline, one.reference):
            assert math.isclose(sum(shares), 1)
        again = population_stability_index(
            np.array(one.recent) * 2300, np.array(one.baseline) * 4000
        )
        assert one.psi_baseline == pytest.approx(again)
        again = population_stability_index(
            np.array(one.recent) * 2300, np.array(one.reference) * 3000
        )
        assert one.psi_reference == pytest.approx(again)
        assert interpretation(one.psi_baseline_reference) == "stable"
