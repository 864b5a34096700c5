"""Detection is compared at each served rate, on draws that set their own thresholds."""

import contextlib

import numpy as np
import pytest

from stream_detector.terminal.progress import Progress, Stage
from trainer.gate.detection import check_detection, tpr_differences
from trainer.gate.options import GateOptions
from trainer.measuring.evaluation import true_positive_rate

RATES = (0.01, 0.001)


def scored(benign, malicious, *, by, seed=0):
    """Scores of benign and of malicious rows, which lie ``by`` higher, and the labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [benign, malicious]).astype(np.int8)
    return (rng.normal(size=benign + malicious) + by * labels).astype(np.float32), labels


class Counted(Stage):
    """Keeps how much was done each time that it was said."""

    def __init__(self, updates):
        super().__init__("")
        self._updates = updates

    def update(self, done, note="", *, total=None):
        self._updates.append(done)


class Recorded(Progress):
    """Keeps that of all its stages."""

    def __init__(self):
        self.updates = []

    @contextlib.contextmanager
    def stage(self, what, total=None):
        yield Counted(self.updates)


def check(challenger, champion, labels, rates=RATES, **options):
    progress = Recorded()
    checks = check_detection(
        challenger,
        champion,
        labels,
        rates,
        GateOptions(**options),
        seed=0,
        progress=progress,
    )
    return checks, progress.updates


@pytest.mark.parametrize("rounded_to", [None, 1])
def test_a_draw_gives_the_same_as_sorting_the_drawn_rows(rounded_to):
    first, labels = scored(400, 150, by=1)
    second, _ = scored(400, 150, by=2, seed=1)
    if rounded_to is not None:  # Ties, also between benign and malicious rows.
        first, second = first.round(rounded_to), second.round(rounded_to)
    rates = (0.05, 0.2)
    options = GateOptions(resamples=60, confidence=0.9)
    fast = tpr_differences(
        first, second, labels, rates, options=options, seed=5, progress=Progress()
    )

    rng = np.random.default_rng(5)
    differences = []
    for _ in range(60):
        rows = np.concatenate([rng.integers(400, size=400), 400 + rng.integers(150, size=150)])
        differences.append(
            [
                true_positive_rate(second[rows], labels[rows], rate)
                - true_positive_rate(first[rows], labels[rows], rate)
                for rate in rates
            ]
        )
    low, high = np.quantile(differences, [0.05, 0.95], axis=0)
    assert [one.low for one in fast] == pytest.approx(low)
    assert [one.high for one in fast] == pytest.approx(high)
    assert fast[0].value == true_positive_rate(second, labels, 0.05) - true_positive_rate(
        first, labels, 0.05
    )


def test_the_same_seed_gives_the_same_interval():
    first, labels = scored(400, 150, by=1)
    second, _ = scored(400, 150, by=2, seed=1)
    options = GateOptions(resamples=100)
    one, again, other = (
        tpr_differences(
            first, second, labels, (0.1,), options=options, seed=seed, progress=Progress()
        )
        for seed in (1, 1, 2)
    )
    assert one == again != other


def test_one_that_finds_as_much_passes_and_one_that_finds_less_does_not():
    strong, labels = scored(20_000, 3000, by=3)
    weak, _ = scored(20_000, 3000, by=2, seed=1)

    same, told = check(strong, strong.copy(), labels, resamples=500)
    better, _ = check(strong, weak, labels, resamples=100)
    worse, _ = check(weak, strong, labels, resamples=100)

    assert [one.name for one in same] == ["detection at 1%", "detection at 0.1%"]
    assert all(one.passed for one in (*same, *better))
    assert not any(one.passed for one in worse)
    assert worse[0].figures["high"] < 0
    assert "points" in worse[0].message
    assert told == list(range(25, 501, 25))


def test_the_margin_says_how_much_worse_is_allowed():
    champion, labels = scored(5000, 2000, by=3)
    # A little noise costs a little.
    noise = np.random.default_rng(2).normal(scale=0.3, size=len(labels)).astype(np.float32)
    allowed, _ = check(champion + noise, champion, labels, (0.01,), margin=0.2, resamples=200)
    refused, _ = check(champion + noise, champion, labels, (0.01,), margin=0.0, resamples=200)
    assert allowed[0].passed
    assert not refused[0].passed
    assert refused[0].figures == allowed[0].figures


def test_a_rate_with_too_few_benign_rows_is_reported_and_not_judged():
    strong, labels = scored(1500, 300, by=3)
    weak, _ = scored(1500, 300, by=0, seed=1)
    at_1, at_01 = check(weak, strong, labels, resamples=100)[0]
    assert not at_1.passed
    assert at_01.passed
    assert not at_01.measured
    assert at_01.message.startswith("the hold-out's 1,500 benign rows are too few")


@pytest.mark.parametrize(("benign", "malicious"), [(900, 300), (5000, 0)])
def test_a_hold_out_that_measures_no_rate_refuses(benign, malicious):
    scores, labels = scored(benign, malicious, by=3)
    (one,) = check(scores, scores, labels)[0]
    assert not one.passed
    assert "give 1,000 benign rows or more" in one.message


def test_without_a_champion_detection_is_reported():
    scores, labels = scored(1500, 300, by=3)
    (one,) = check(scores, None, labels)[0]
    assert one.passed
    assert "no champion" in one.message
    assert one.figures["challenger"] == true_positive_rate(scores, labels, 0.01)
