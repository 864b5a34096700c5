"""Training on a rule that a small network can learn in seconds."""

import numpy as np
import pytest

from stream_detector.models.architectures.bilstm import BiLstm
from stream_detector.models.architectures.wide_bilstm import WIDE_TABLE, WideBiLstm
from support.examples import rule
from trainer.training import fitting as training
from trainer.training.checkpoint import Checkpoint
from trainer.training.fitting import fit, logits_of
from trainer.training.recipe import Recipe

pytestmark = pytest.mark.slow

NETWORK = BiLstm(length_max=16, embedding=8, units=8, hidden=8)
WIDE = WideBiLstm(length_max=16, embedding=4, units=4, hidden=4, bucket_bits=10)


TRAIN, VALIDATION = rule(1500, 1), rule(300, 2)


def train(**changes):
    recipe = Recipe(epochs=3, batch_size=64, learning_rate=1e-2, **changes)
    steps, epochs = [], []
    fitted = fit(
        NETWORK,
        TRAIN,
        VALIDATION,
        recipe,
        kind="url",
        on_step=lambda *step: steps.append(step),
        on_epoch=epochs.append,
    )
    return fitted, steps, epochs


def test_it_learns_the_rule_reports_and_repeats_with_the_same_seed():
    first, steps, epochs = train(seed=1)
    again, _, _ = train(seed=1)
    other, _, _ = train(seed=2)
    assert max(epoch.validation_auc for epoch in first.history) > 0.95
    assert epochs == first.history
    assert steps[-1][:2] == (1500, 1500)
    for name, value in first.weights.items():
        assert np.array_equal(value, again.weights[name])
    assert not np.array_equal(first.weights["embedding"], other.weights["embedding"])
    # The weights are those of the best epoch: they give its figure again.
    scores = logits_of(NETWORK, first.weights, VALIDATION.texts)
    assert np.mean(scores[VALIDATION.labels == 1]) > np.mean(scores[VALIDATION.labels == 0])


def test_it_stops_when_nothing_gets_better():
    rng = np.random.default_rng(3)
    noise = VALIDATION._replace(labels=rng.permutation(VALIDATION.labels))
    fitted = fit(
        NETWORK,
        TRAIN._replace(texts=TRAIN.texts[:128], labels=rng.permutation(TRAIN.labels[:128])),
        noise,
        Recipe(epochs=50, batch_size=64, patience=1, seed=0),
        kind="url",
        on_step=lambda *_: None,
        on_epoch=lambda _: None,
    )
    assert len(fitted.history) < 50
    best = max(fitted.history, key=lambda epoch: epoch.validation_auc).number
    assert best == len(fitted.history) - 1


class KilledError(Exception):
    """What a kill is to the training."""


def small_fit(checkpoint=None, *, resume=False, kill_after=None):
    def on_epoch(epoch):
        if epoch.number == kill_after:
            raise KilledError

    return fit(
        WIDE,
        TRAIN,
        VALIDATION,
        Recipe(epochs=3, batch_size=64, learning_rate=1e-2, seed=1, augment=0.2),
        kind="host",
        on_step=lambda *_: None,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
        resume=resume,
    )


def test_a_killed_training_resumes_where_it_was(tmp_path):
    checkpoint = Checkpoint(tmp_path / "training.safetensors", identity="this one")
    with pytest.raises(KilledError):
        small_fit(checkpoint, kill_after=2)
    resumed = small_fit(checkpoint, resume=True)
    whole = small_fit()
    assert [epoch._replace(seconds=0) for epoch in resumed.history] == [
        epoch._replace(seconds=0) for epoch in whole.history
    ]
    for name, value in whole.weights.items():
        assert np.array_equal(value, resumed.weights[name]), name


def test_the_weights_of_the_best_epoch_are_kept(monkeypatch):
    # The second epoch of three is the best one.
    aucs = iter([0.6, 0.9, 0.7])
    weights = []
    monkeypatch.setattr(training, "roc_auc_score", lambda *_: next(aucs))
    logits = training.logits_of

    def spy(architecture, of_epoch, texts):
        weights.append(of_epoch)
        return logits(architecture, of_epoch, texts)

    monkeypatch.setattr(training, "logits_of", spy)
    fitted = small_fit()
    assert len(weights) == 3
    for name, value in weights[1].items():
        assert np.array_equal(value, fitted.weights[name])
    assert not np.array_equal(weights[2][WIDE_TABLE], fitted.weights[WIDE_TABLE])
