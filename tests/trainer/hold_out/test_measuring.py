"""Leave-one-source-out: what is held out is nowhere in training, and figures are counted right."""

import numpy as np
import pytest

from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.examples.readers import DataError
from trainer.examples.splits import parts_without
from trainer.examples.texts import take_apart
from trainer.families.base import Family
from trainer.hold_out.measuring import Fold, HoldOut
from trainer.hold_out.running import load_training, save_training

SOURCES = {
    "feed_a": (1, "phish", 300),
    "feed_b": (1, "malware", 200),
    "generated_hash": (1, "dga", 100),
    "feed_small": (1, "phish", 20),
    "list_a": (0, "ben", 400),
    "list_b": (0, "ben", 300),
    "list_c": (0, "ben", 100),
}


def dataset():
    """Ten rows of each source are of registered domains of the source before it."""
    texts, labels, sources, kinds, parts = [], [], [], [], []
    for place, (source, (label, kind, rows)) in enumerate(SOURCES.items()):
        for number in range(rows):
            domain = f"domain{number}s{place}"
            if number < 10:
                domain = f"domain{number + 10}s{place - 1}"
            texts.append(f"h{place}.{domain}.com")
            labels.append(label)
            sources.append(source)
            kinds.append(kind)
            parts.append(("train", "train", "val", "test")[number % 4])
    return Dataset(
        texts,
        np.array(labels, np.int8),
        np.array(parts),
        np.array(sources),
        np.array(kinds),
        {},
    )


class Remembering(Family):
    """Scores what it is told to, and keeps what it was trained on."""

    name = "remembering"
    summary = "for tests"

    def __init__(self, score):
        self.score = score
        self.trained = []

    def fit(self, train, validation, *, seed, progress):
        self.trained.append((train, validation))
        return self

    def scores(self, texts):
        return np.array([self.score(text) for text in texts], np.float32)


def place_of(text):
    return int(text[1])


def train(plan, fold, family):
    return plan.train(fold, family, identity="x", seed=1, progress=Progress())


def test_each_large_malicious_source_is_held_out_once_and_every_benign_one_at_least_once():
    folds = HoldOut(dataset(), at_least=100, benign_folds=2).folds
    assert [fold.malicious for fold in folds] == ["feed_a", "feed_b", "generated_hash"]
    assert [fold.benign for fold in folds] == [("list_a",), ("list_b", "list_c"), ("list_a",)]


def test_where_there_are_more_benign_groups_than_malicious_sources_some_folds_hold_none_out():
    folds = HoldOut(dataset(), at_least=250, benign_folds=3).folds
    assert folds == [Fold("feed_a", ("list_a",)), Fold("", ("list_b",)), Fold("", ("list_c",))]


def test_without_benign_folds_no_benign_source_is_held_out():
    folds = HoldOut(dataset(), at_least=100, benign_folds=0).folds
    assert [fold.benign for fold in folds] == [(), (), ()]


def test_only_those_that_match_are_held_out():
    folds = HoldOut(dataset(), at_least=100, only=["generated_*"], benign_folds=0).folds
    assert folds == [Fold("generated_hash", ())]


def test_all_sources_of_a_kind_can_be_held_out_at_once():
    rows = dataset()
    plan = HoldOut(rows, by="kind", at_least=100, benign_folds=0)
    assert [fold.malicious for fold in plan.folds] == ["phish", "malware", "dga"]
    family = Remembering(place_of)
    assert train(plan, plan.folds[0], family).malicious.rows == 320
    assert "phish" not in {*family.trained[0][0].kinds, *family.trained[0][1].kinds}
    assert "ben" in family.trained[0][0].kinds


def test_nothing_that_is_held_out_and_no_test_row_is_trained_on():
    rows = dataset()
    plan = HoldOut(rows, at_least=100, benign_folds=2)
    for fold in plan.folds:
        family = Remembering(place_of)
        train(plan, fold, family)
        held = {fold.malicious, *fold.benign}
        of_held = np.isin(rows.sources, sorted(held))
        domains = {
            take_apart(rows.texts[row]).host.partition(".")[2] for row in np.flatnonzero(of_held)
        }
        test = set(rows.of_part("test").texts)
        for part, seen in zip(("train", "val"), family.trained[0], strict=True):
            assert set(seen.parts) == {part}
            assert len(seen.texts) > 20
            assert not held & set(seen.sources)
            assert not domains & {text.partition(".")[2] for text in seen.texts}
            assert not test & set(seen.texts)


def test_figures_are_those_counted_by_hand():
    # feed_a: 300 rows; 30 of them look like the benign ones that are flagged least.
    def score(text):
        place, number = place_of(text), int(text.partition("domain")[2].partition("s")[0])
        if place == 0:
            return 0.0 if number < 30 else 0.9
        if place == 4:  # list_a, held out: 100 of its 400 rows look bad
            return 0.95 if number < 100 else 0.1
        return 0.5 if place == 5 else 0.3

    plan = HoldOut(dataset(), at_least=250, benign_folds=2)
    result = train(plan, plan.folds[0], Remembering(score))
    assert plan.folds[0] == Fold("feed_a", ("list_a",))
    # A quarter of list_b and list_c is the test part; the threshold is just above 0.5.
    assert result.benign_test_rows == 100
    assert result.malicious.rows == 300
    assert result.malicious.roc_auc == pytest.approx(270 / 300)
    at_1, at_01 = result.malicious.detections
    assert at_1.tpr.value == at_01.tpr.value == pytest.approx(0.9)
    assert (at_1.benign_rows, at_1.enough) == (100, False)
    (list_a,) = result.benign
    assert (list_a.name, list_a.rows, list_a.flagged.value) == ("list_a", 400, 0.25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at_least": 5000}, r"no malicious source has 5,000 rows; there are: feed_a \(300\), "),
        ({"only": ["nosuch"], "at_least": 1}, r"of those that --only names \(nosuch\) has 1 rows"),
    ],
)
def test_groups_that_cannot_be_held_out_are_an_error(options, message):
    with pytest.raises(DataError, match=message):
        HoldOut(dataset(), **options)


def test_a_fold_that_leaves_nothing_to_train_on_is_an_error_before_training():
    rows = dataset()
    one_feed = rows.rows(np.flatnonzero(np.isin(rows.sources, ["feed_a", "list_a", "list_b"])))
    with pytest.raises(
        DataError,
        match=r"without the sources 'feed_a' and .* 'train' has no malicious row left: "
        r"give data with more",
    ):
        HoldOut(one_feed, at_least=100)


def test_a_training_is_found_again_only_by_its_identity(tmp_path):
    plan = HoldOut(dataset(), at_least=250, benign_folds=2)
    fold = plan.folds[0]
    identity = plan.identity(fold, "remembering", 6)
    training = plan.train(
        fold, Remembering(place_of), identity=identity, seed=1, progress=Progress()
    )
    saved = tmp_path / "trainings"
    assert load_training(saved, "remembering", identity) is None
    save_training(saved, training)
    assert load_training(saved, "remembering", identity) == training
    assert [path.suffix for path in (tmp_path / "trainings").iterdir()] == [".json"]

    others = {
        plan.identity(plan.folds[1], "remembering", 6),
        plan.identity(fold, "other", 6),
        plan.identity(fold, "remembering", 7),
        HoldOut(
            dataset()._replace(texts=[f"x{text}" for text in dataset().texts]),
            at_least=250,
            benign_folds=2,
        ).identity(fold, "remembering", 6),
    }
    assert len(others | {identity}) == 5
    assert plan.identity(fold, "remembering", 6) == identity
    assert all(load_training(saved, "remembering", other) is None for other in others)


def test_a_damaged_file_of_a_training_is_an_error(tmp_path):
    (tmp_path / "remembering-0123456789abcdef.json").write_text("{")
    with pytest.raises(DataError, match=r"is damaged .* delete it"):
        load_training(tmp_path, "remembering", "0123456789abcdef" * 4)


def test_rows_of_a_held_out_domain_stay_only_in_the_test_part():
    parts = np.array(["train", "train", "val", "test", "train"])
    domains = np.array([0, 1, 0, 0, 2])
    left = parts_without(parts, domains, np.array([True, False, False, False, False]))
    assert left.tolist() == ["", "train", "", "test", "train"]
