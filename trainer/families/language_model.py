"""A character-level LSTM language model: how surprising is a text?

Next-character prediction: Graves 2013, arXiv:1308.0850. The surprise of a text is the mean of
-log2 p(character | those before it), in bits, its end included.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_detector.models.encoding import CODES, encode, shorten
from stream_detector.models.lean_tensorflow import tf
from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.families.base import Family, Fitted, benign_texts
from trainer.training.data import rows_of_batches

_LENGTH_MAX = 96
_UNITS = 96
_EMBEDDING = 32
_BATCH_ROWS = 256
EPOCHS_MAX = 3
_HELD_OUT_ROWS = 2000
_ROWS_MAX = 60_000
"""An epoch of these takes about a minute on two cores; more rows hardly move the figures."""


class LanguageModelSurprise(Family):
    """Trained for up to ``EPOCHS_MAX`` epochs; the score is the surprise of a text."""

    name = "language_model"
    summary = "surprise per character of an LSTM language model of benign rows"
    supervised = False

    def __init__(self, *, epochs: int) -> None:
        self._epochs = min(epochs, EPOCHS_MAX)

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, progress: Progress) -> Fitted:
        """See the base class; it ignores malicious rows, and ``seed`` draws ``_ROWS_MAX``."""
        texts, held_out = benign_texts(train), benign_texts(validation)[:_HELD_OUT_ROWS]
        tf.keras.utils.set_random_seed(seed)
        rng = np.random.default_rng(seed)
        chosen = [texts[row] for row in rng.permutation(len(texts))[:_ROWS_MAX]]
        short = [shorten(text, _LENGTH_MAX) for text in chosen]
        lengths = np.array([len(text) for text in short])
        model = tf.keras.Sequential(
            [
                tf.keras.layers.Embedding(CODES, _EMBEDDING),
                tf.keras.layers.LSTM(_UNITS, return_sequences=True),
                tf.keras.layers.Dense(CODES),
            ]
        )
        model.build((None, None))
        optimizer = tf.keras.optimizers.Adam(3e-3)
        optimizer.build(model.trainable_variables)

        @tf.function(jit_compile=True)
        def step(inputs: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> None:
            with tf.GradientTape() as tape:
                losses = _losses(model, inputs, targets) * weights
                loss = tf.reduce_sum(losses) / tf.reduce_sum(weights)
            variables = model.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)

        for epoch in range(1, self._epochs + 1):
            name = f"language_model: epoch {epoch} of {self._epochs}"
            with progress.stage(name, len(short)) as stage:
                for rows in rows_of_batches(lengths, _BATCH_ROWS, rng):
                    step(*_batch([short[row] for row in rows]))
                    stage.update(stage.done + len(rows))
                surprise = float(np.mean(_surprise(model, held_out)))
            progress.tell(f"{name}, {surprise:.2f} bits a character")
        return Fitted(lambda texts: _surprise(model, texts))


def _surprise(model: "tf.keras.Model", texts: Sequence[str]) -> NDArray[np.float32]:
    """In bits a character, shape ``[len(texts)]``."""
    short = [shorten(text, _LENGTH_MAX) for text in texts]
    order = np.argsort([len(text) for text in short], kind="stable")
    scores = np.empty(len(texts), np.float32)
    for start in range(0, len(order), _BATCH_ROWS):
        rows = order[start : start + _BATCH_ROWS]
        inputs, targets, weights = _batch([short[row] for row in rows])
        losses = _losses(model, inputs, targets).numpy() * weights
        surprise = losses.sum(axis=1) / weights.sum(axis=1) / np.log(2)
        scores[rows] = surprise[: len(rows)]
    return scores


def _losses(model: "tf.keras.Model", inputs: "tf.Tensor", targets: "tf.Tensor") -> "tf.Tensor":
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, model(inputs))


def _batch(
    texts: Sequence[str],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Inputs, targets and weights, shape ``[_BATCH_ROWS, steps]``, of few different ``steps``.

    Code 0 stands before the first character and behind the last one.
    """
    steps = -(-(max(map(len, texts)) + 1) // 16) * 16
    encoded = encode(texts, steps=steps, columns=_BATCH_ROWS)
    targets = encoded.forward.T.astype(np.int32)
    inputs = np.pad(targets[:, :-1], [(0, 0), (1, 0)])
    weights = (np.arange(steps) <= encoded.lengths[:, None]).astype(np.float32)
    weights[len(texts) :] = 0
    weights[len(texts) :, 0] = 1e-6  # against a division by zero
    return inputs, targets, weights
