"""Training that goes on from served weights: what is asked for moves, the rest stays."""

import numpy as np
import pytest

from stream_detector.errors import StreamDetectorError
from stream_detector.models.architectures.wide_bilstm import WIDE_TABLE
from support.bundles import save_small_bundle
from support.labels import stored_label
from support.retraining import NETWORK, corpus, save_wide_champion, write_corpus
from trainer.labels.resolution import resolve
from trainer.retraining.examples import LabelRules, retraining_examples
from trainer.retraining.warm_start import GENTLE, TABLE, trained_on, tuned_table
from trainer.training.checkpoint import Checkpoint
from trainer.training.fitting import logits_of

pytestmark = pytest.mark.slow

ASKED = {"http://x7x7x7.org/p": "benign", "http://abcabc.net/q": "malicious"}
"""Against the rule."""
QUIET = {"on_step": lambda *_: None, "on_epoch": lambda _: None}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return corpus(write_corpus(tmp_path_factory.mktemp("corpus") / "urls.csv", 1200))


@pytest.fixture(scope="module")
def champion(tmp_path_factory, data):
    return save_wide_champion(tmp_path_factory.mktemp("champion") / "bundle", data)


@pytest.fixture(scope="module")
def examples(data):
    labels = [stored_label(*asked, offset=number) for number, asked in enumerate(ASKED.items())]
    return retraining_examples(data, resolve(labels).values(), "url", LabelRules(), seed=0)


def scores_of(weights, texts):
    return 1 / (1 + np.exp(-logits_of(NETWORK, weights, texts)))


def test_a_tuned_table_moves_the_labelled_texts_and_next_to_nothing_else(champion, examples):
    steps, epochs = [], []
    fitted = tuned_table(
        champion,
        examples,
        TABLE,
        on_step=lambda *step: steps.append(step),
        on_epoch=epochs.append,
    )
    assert epochs == fitted.history
    assert steps[-1][:2] == (len(examples.train.texts),) * 2
    for name, weight in champion.weights.items():
        assert np.array_equal(weight, fitted.weights[name]) is (name != WIDE_TABLE)

    asked = ["x7x7x7.org/p", "abcabc.net/q"]
    before, after = (scores_of(weights, asked) for weights in (champion.weights, fitted.weights))
    assert before[0] > 0.5 > after[0]
    assert before[1] < 0.5 < after[1]

    others = examples.held.texts
    before, after = (scores_of(weights, others) for weights in (champion.weights, fitted.weights))
    assert np.mean((before > 0.5) != (after > 0.5)) < 0.02
    assert np.mean(np.abs(before - after)) < 0.05


def test_a_tuned_table_is_kept_as_it_is_served_and_the_same_each_time(champion, examples):
    first, again = (tuned_table(champion, examples, TABLE, **QUIET) for _ in range(2))
    table = first.weights[WIDE_TABLE]
    assert table.dtype == np.float32
    assert np.array_equal(table, table.astype(np.float16))
    assert np.array_equal(table, again.weights[WIDE_TABLE])


def test_a_network_without_a_table_is_refused(tmp_path, examples):
    small = save_small_bundle(tmp_path / "small")
    with pytest.raises(StreamDetectorError, match=r"is a bilstm.*without --only-ngrams"):
        tuned_table(small, examples, TABLE, **QUIET)


def go_on(champion, examples, checkpoint, *, on_epoch=lambda _: None, **changes):
    return trained_on(
        champion,
        examples,
        GENTLE._replace(**changes),
        kind="url",
        checkpoint=checkpoint,
        on_step=lambda *_: None,
        on_epoch=on_epoch,
    )


def test_training_on_begins_with_the_weights_that_serve(champion, examples, tmp_path):
    checkpoint = Checkpoint(tmp_path / "training.safetensors", identity="this")
    still = {"learning_rate": 0.0, "ngram_learning_rate": 0.0, "weight_decay": 0.0, "epochs": 1}
    unmoved = go_on(champion, examples, checkpoint, **still)
    for name, weight in champion.weights.items():
        assert np.array_equal(weight, unmoved.weights[name])


class KilledError(Exception):
    """What a kill is to the training."""


def test_a_killed_one_goes_on_from_its_checkpoint_and_one_of_other_rows_starts_again(
    champion, examples, tmp_path
):
    checkpoint = Checkpoint(tmp_path / "training.safetensors", identity="this")

    def killed(epoch):
        raise KilledError

    with pytest.raises(KilledError):
        go_on(champion, examples, checkpoint, on_epoch=killed)
    epochs = []
    resumed = go_on(champion, examples, checkpoint, on_epoch=epochs.append)
    assert [epoch.number for epoch in epochs] == [2]
    assert [epoch.number for epoch in resumed.history] == [1, 2]

    other = Checkpoint(checkpoint.path, identity="other rows")
    epochs.clear()
    whole = go_on(champion, examples, other, on_epoch=epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2]
    for name, weight in whole.weights.items():
        assert np.array_equal(weight, resumed.weights[name])
        assert not np.array_equal(weight, champion.weights[name])
