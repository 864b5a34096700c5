"""Trains a served model on: all of its weights, or only its table of n-grams."""

import time
from collections.abc import Callable, Sequence
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.models.architectures.ngrams import ngram_entries
from stream_detector.models.architectures.wide_bilstm import WIDE_TABLE, WideBiLstm
from stream_detector.models.bundle import Bundle
from stream_detector.models.encoding import encode, shorten
from trainer.measuring.evaluation import true_positive_rate
from trainer.retraining.examples import RetrainingExamples
from trainer.training.checkpoint import Checkpoint, CheckpointError
from trainer.training.data import rows_of_batches
from trainer.training.fitting import Epoch, Fit, fit, logits_of
from trainer.training.recipe import Recipe

GENTLE = Recipe(epochs=2, patience=2, learning_rate=3e-4, ngram_learning_rate=0.3)
"""For all weights: a seventh of the rates of a training from nothing, which would forget."""

TABLE = Recipe(epochs=3, learning_rate=0.0, ngram_learning_rate=0.5, dropout=0.0)
"""For the table only: no dropout, since the rest of the network does not learn."""

_ADAGRAD_START, _ADAGRAD_EPSILON = 0.1, 1e-7
"""As in Keras' Adagrad, which trains the table from nothing."""

_SURE = 0.01
"""Distance of a label's target from 0 or 1, which no finite logit reaches."""


class Shows(TypedDict):
    """The callbacks of ``fit``."""

    on_step: Callable[[int, int, float], None]
    on_epoch: Callable[[Epoch], None]


def trained_on(
    bundle: Bundle,
    examples: RetrainingExamples,
    recipe: Recipe,
    *,
    kind: Kind,
    checkpoint: Checkpoint,
    **shows: Unpack[Shows],
) -> Fit:
    """Train all weights of ``bundle`` on; resumes from ``checkpoint`` if it is of this training.

    Raises:
        CheckpointError: it cannot be saved.
        DataError: the training diverged.
    """
    try:
        checkpoint.load()
        resume = True
    except CheckpointError:  # None, or of other rows: start from the bundle.
        resume = False
    return fit(
        bundle.architecture,
        examples.train,
        examples.held.of_part("val"),
        recipe,
        kind=kind,
        initial=bundle.weights,
        checkpoint=checkpoint,
        resume=resume,
        **shows,
    )


def tuned_table(
    bundle: Bundle, examples: RetrainingExamples, recipe: Recipe, **shows: Unpack[Shows]
) -> Fit:
    """Move the table of n-grams as far as the labels ask, and leave the rest as it is.

    The targets of the base corpus' rows are the scores that ``bundle`` gives them, not their
    labels, so that a few texts make it forget nothing (learning without forgetting: Li and Hoiem
    2016, arXiv:1606.09282). The network's other share of each logit does not change and is computed
    once. The rest is logistic regression on sparse features with an offset, by Adagrad (Duchi
    et al. 2011): a second for some ten thousand rows, and no graph to compile.

    Raises:
        StreamDetectorError: the network has no such table.
    """
    architecture = bundle.architecture
    if not isinstance(architecture, WideBiLstm):
        raise StreamDetectorError(
            f"{bundle.manifest.name} {bundle.manifest.version} is a {architecture.name}, which has "
            "no table of n-grams: retrain all of it, without --only-ngrams"
        )
    table = _Table(bundle.weights[WIDE_TABLE].astype(np.float64))
    train, validation = examples.train, examples.held.of_part("val")
    texts = [shorten(text, architecture.length_max) for text in train.texts]
    lengths = np.array([len(text) for text in texts])
    logits = logits_of(architecture, bundle.weights, texts).astype(np.float64)
    targets = 1 / (1 + np.exp(-logits))
    labelled = slice(len(examples.base.texts), None)
    targets[labelled] = np.clip(train.labels[labelled], _SURE, 1 - _SURE)
    steps = -(-len(texts) // recipe.batch_size) * recipe.epochs

    history: list[Epoch] = []
    weights = bundle.weights
    done = 0
    for number in range(1, recipe.epochs + 1):
        started = time.monotonic()
        losses: list[float] = []
        rng = np.random.default_rng([recipe.seed, number])
        for rows in rows_of_batches(lengths, recipe.batch_size, rng):
            # Down to 0, so that the last batches of an epoch do not decide the table.
            rate = recipe.ngram_learning_rate * (1 - done / steps)
            batch = [texts[row] for row in rows]
            losses.append(table.step(batch, logits[rows], targets[rows], rate))
            done += 1
            trained = min(len(texts), len(losses) * recipe.batch_size)
            shows["on_step"](trained, len(texts), losses[-1])
        weights = {**bundle.weights, WIDE_TABLE: table.weights()}
        scores = logits_of(architecture, weights, validation.texts)
        history.append(
            Epoch(
                number=number,
                loss=float(np.mean(losses)),
                validation_auc=float(roc_auc_score(validation.labels, scores)),
                validation_tpr=true_positive_rate(scores, validation.labels, 0.01),
                validation_accuracy=float(np.mean((scores > 0) == validation.labels)),
                seconds=time.monotonic() - started,
            )
        )
        shows["on_epoch"](history[-1])
    return Fit(weights, history)


class _Table:
    """The table of n-grams while it is trained."""

    def __init__(self, table: NDArray[np.float64]) -> None:
        self._original = table
        self._moved = np.zeros_like(table)
        self._squares = np.full(len(table), _ADAGRAD_START)

    def weights(self) -> NDArray[np.float32]:
        """The table in the half precision in which a bundle stores it."""
        return (self._original + self._moved).astype(np.float16).astype(np.float32)

    def step(
        self,
        texts: Sequence[str],
        logits: NDArray[np.float64],
        targets: NDArray[np.float64],
        rate: float,
    ) -> float:
        """One step on a batch; returns its mean loss, in nats.

        ``logits`` are those of the untouched table, shape ``[texts]`` as ``targets``.
        """
        longest = max(map(len, texts))
        codes = encode(texts, steps=longest, columns=len(texts))
        entries = ngram_entries(len(self._moved), codes.forward, codes.lengths, steps=longest)
        _, _, row = np.nonzero(present := entries.present.numpy())
        read, place = np.unique(entries.buckets.numpy()[present], return_inverse=True)
        scale = entries.scale.numpy().astype(np.float64)

        moved = np.bincount(row, self._moved[read][place], minlength=len(texts))
        logits = logits + moved * scale
        errors = 1 / (1 + np.exp(-logits)) - targets
        # Of the sum over the rows, not their mean: as in ``training``, whose rates these are.
        gradient = np.bincount(place, (errors * scale)[row], minlength=len(read))
        self._squares[read] += gradient**2
        self._moved[read] -= rate * gradient / (np.sqrt(self._squares[read]) + _ADAGRAD_EPSILON)
        return float(np.mean(np.logaddexp(0, logits) - targets * logits))
