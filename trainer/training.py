"""Fits a network: length-bucketed batches, one XLA-compiled step, early stopping.

The forward pass is the architecture's own, the one that is served.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from stream_detector.events import Kind
from stream_detector.models.architectures import Architecture
from stream_detector.models.encoding import encode, shorten
from trainer.augmentation import augmented
from trainer.datasets import Dataset
from trainer.evaluation import true_positive_rate

__all__ = ["Epoch", "Fit", "Recipe", "fit", "logits_of"]

_SCORING_ROWS = 1024


class Recipe(NamedTuple):
    """How to train. Every field is an option of ``stream-trainer train``."""

    epochs: int = 12
    batch_size: int = 256
    learning_rate: float = 2e-3
    """At its height; it rises over the first half epoch and falls as a cosine to a hundredth."""
    ngram_learning_rate: float = 2.0
    """Of Adagrad, for tables of n-grams; it falls in a straight line to 0."""
    weight_decay: float = 1e-4
    dropout: float = 0.3
    label_smoothing: float = 0.02
    """Corpora mislabel a few rows in a hundred; a network that is sure of them learns noise."""
    malicious_weight: float = 1.0
    """Of a malicious row in the loss; a benign one weighs 1."""
    augment: float = 0.0
    """Share of the training rows that are changed, anew in each epoch; see ``augmentation``."""
    patience: int = 3
    """Epochs without a better validation AUC after which training stops."""
    seed: int = 0


class Epoch(NamedTuple):
    """What is known after an epoch."""

    number: int
    loss: float
    validation_auc: float
    validation_tpr: float
    """At a false-positive rate of 1%."""
    validation_accuracy: float
    """Where what is likelier malicious than not is taken for it."""
    seconds: float


class Fit(NamedTuple):
    """The weights of the best epoch, and how it came to them."""

    weights: dict[str, NDArray[np.float32]]
    history: list[Epoch]


def fit(
    architecture: Architecture,
    train: Dataset,
    validation: Dataset,
    recipe: Recipe,
    *,
    kind: Kind,
    on_step: Callable[[int, int, float], None],
    on_epoch: Callable[[Epoch], None],
) -> Fit:
    """Train on ``train``, stop and choose the epoch on ``validation``.

    ``on_step`` is told rows done, rows in all and the loss; ``on_epoch`` each epoch's figures.
    The same seed and data give the same weights on the same CPU.
    """
    tf.keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(recipe.seed)
    labels = train.labels.astype(np.float32)
    variables = {
        name: tf.Variable(value, name=name)
        for name, value in architecture.initial_weights(recipe.seed).items()
    }
    steps_per_epoch = -(-len(labels) // recipe.batch_size)
    step = _train_step(architecture, variables, recipe, steps_per_epoch)
    history: list[Epoch] = []
    best: Fit | None = None
    for number in range(1, recipe.epochs + 1):
        started = time.monotonic()
        texts = _texts_of_epoch(train.texts, kind, architecture.length_max, recipe, number)
        lengths = np.array([len(text) for text in texts])
        losses: list[float] = []
        done = 0
        for rows, steps in _batches(lengths, recipe.batch_size, architecture.length_max, rng):
            batch = encode([texts[row] for row in rows], steps=steps, columns=recipe.batch_size)
            targets = np.zeros(recipe.batch_size, np.float32)
            targets[: len(rows)] = labels[rows]
            present = np.arange(recipe.batch_size) < len(rows)
            losses.append(
                float(
                    step(
                        tf.constant(batch.forward),
                        tf.constant(batch.backward),
                        tf.constant(batch.lengths),
                        tf.constant(targets),
                        tf.constant(present.astype(np.float32)),
                        steps,
                    )
                )
            )
            done += len(rows)
            on_step(done, len(texts), float(np.mean(losses[-50:])))
        weights = _as_saved(architecture, variables)
        scores = logits_of(architecture, weights, validation.texts)
        epoch = Epoch(
            number=number,
            loss=float(np.mean(losses)),
            validation_auc=float(roc_auc_score(validation.labels, scores)),
            validation_tpr=true_positive_rate(scores, validation.labels, 0.01),
            validation_accuracy=float(np.mean((scores > 0) == validation.labels)),
            seconds=time.monotonic() - started,
        )
        history.append(epoch)
        on_epoch(epoch)
        if epoch.validation_auc == max(past.validation_auc for past in history):
            best = Fit(weights, history)
        elif number - max(history, key=lambda past: past.validation_auc).number >= recipe.patience:
            break
    assert best is not None  # noqa: S101 - the first epoch is the best so far
    return best


def _texts_of_epoch(
    texts: Sequence[str], kind: Kind, length_max: int, recipe: Recipe, epoch: int
) -> list[str]:
    if recipe.augment:
        rng = random.Random(f"{recipe.seed} {epoch}")  # noqa: S311 - draws rows, guards nothing
        texts = augmented(texts, kind, share=recipe.augment, rng=rng)
    return [shorten(text, length_max) for text in texts]


def logits_of(
    architecture: Architecture,
    weights: dict[str, NDArray[np.float32]],
    texts: Sequence[str],
) -> NDArray[np.float32]:
    """Logits of any number of canonical texts, shape ``[len(texts)]``."""
    constants = {name: tf.constant(value) for name, value in weights.items()}

    @tf.function(jit_compile=True)
    def score(forward: tf.Tensor, backward: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        return architecture.logits(
            constants, forward, backward, lengths, steps=tf.reduce_max(lengths)
        )

    short = [shorten(text, architecture.length_max) for text in texts]
    order = np.argsort([len(text) for text in short], kind="stable")
    result = np.empty(len(texts), np.float32)
    for start in range(0, len(order), _SCORING_ROWS):
        rows = order[start : start + _SCORING_ROWS]
        batch = encode(
            [short[row] for row in rows], steps=architecture.length_max, columns=_SCORING_ROWS
        )
        result[rows] = score(*map(tf.constant, batch)).numpy()[: len(rows)]
    return result


def _as_saved(
    architecture: Architecture, variables: dict[str, tf.Variable]
) -> dict[str, NDArray[np.float32]]:
    """The weights as a bundle gives them back: what is measured is what is served."""
    weights = {name: variable.numpy() for name, variable in variables.items()}
    for name in architecture.half_precision:
        weights[name] = weights[name].astype(np.float16).astype(np.float32)
    return weights


def _train_step(
    architecture: Architecture,
    variables: dict[str, tf.Variable],
    recipe: Recipe,
    steps_per_epoch: int,
) -> Callable[..., tf.Tensor]:
    """One compiled step: AdamW, and Adagrad for the tables, whose entries are seldom seen."""
    tables = [variables[name] for name in sorted(architecture.tables)]
    dense = [variable for name, variable in variables.items() if name not in architecture.tables]
    optimizer = tf.keras.optimizers.AdamW(
        _rise_and_fall(recipe, steps_per_epoch),
        weight_decay=recipe.weight_decay,
        global_clipnorm=1.0,
    )
    optimizer.build(dense)
    table_optimizer = tf.keras.optimizers.Adagrad(
        tf.keras.optimizers.schedules.PolynomialDecay(
            recipe.ngram_learning_rate, steps_per_epoch * recipe.epochs, end_learning_rate=0.0
        )
    )
    table_optimizer.build(tables)

    @tf.function(jit_compile=True, reduce_retracing=False)
    def step(
        forward: tf.Tensor,
        backward: tf.Tensor,
        lengths: tf.Tensor,
        targets: tf.Tensor,
        present: tf.Tensor,
        steps: int,
    ) -> tf.Tensor:
        rows = tf.reduce_sum(present)
        with tf.GradientTape() as tape:
            logits = architecture.logits(
                variables,
                forward,
                backward,
                lengths,
                steps=steps,
                dropout=recipe.dropout,
                dropout_seed=tf.stack([recipe.seed, 2 * tf.cast(optimizer.iterations, tf.int32)]),
            )
            smoothed = targets * (1 - recipe.label_smoothing) + recipe.label_smoothing / 2
            losses = tf.nn.sigmoid_cross_entropy_with_logits(smoothed, logits)
            weights = present * (1 + targets * (recipe.malicious_weight - 1))
            loss = tf.reduce_sum(losses * weights) / rows
        gradients = tape.gradient(loss, dense + tables)
        optimizer.apply(gradients[: len(dense)], dense)
        if tables:
            # Of the sum over the rows, as one row after the other would give it.
            table_optimizer.apply([rows * one for one in gradients[len(dense) :]], tables)
        return loss

    return step  # type: ignore[no-any-return]


def _batches(
    lengths: NDArray[np.int64], batch_size: int, length_max: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Rows of each batch and the steps it needs: alike in length, in random order.

    Sorting by a jittered length keeps batches nearly without padding and yet new every epoch;
    few different step counts keep the compilations few.
    """
    order = np.argsort(lengths * rng.uniform(0.9, 1.1, len(lengths)), kind="stable")
    starts = np.arange(0, len(order), batch_size)
    rng.shuffle(starts)
    for start in starts:
        rows = order[start : start + batch_size]
        longest = int(lengths[rows].max())
        quantum = 8 if longest <= 64 else 32
        yield rows, min(length_max, -(-longest // quantum) * quantum)


def _rise_and_fall(
    recipe: Recipe, steps_per_epoch: int
) -> tf.keras.optimizers.schedules.LearningRateSchedule:
    rise = max(1, steps_per_epoch // 2)
    return tf.keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 20,
        decay_steps=max(1, steps_per_epoch * recipe.epochs - rise),
        alpha=0.01,
        warmup_target=recipe.learning_rate,
        warmup_steps=rise,
    )
