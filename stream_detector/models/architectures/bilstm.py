"""A character-level bidirectional LSTM with mean and max pooling over time.

LSTM: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; bidirectional: Schuster
and Paliwal 1997, doi:10.1109/78.650093. Weights lie as in Keras' ``LSTM`` (gates i, f, c, o).
What makes it fast on a CPU:

- embedding times input kernel plus bias is one table a direction, looked up by character;
- all gates go through one ``tanh``: sigmoid(x) = tanh(x / 2) / 2 + 1 / 2;
- pooling is carried along the loop, so that no state is kept;
- the loop runs as far as the group's longest text, a number that the compiled graph is told at
  run time: one compiled shape serves every length.

States of a text stay as they are past its end, so padding and neighbours never matter.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stream_detector.models.architectures.base import Architecture, Weights
from stream_detector.models.encoding import CODES

__all__ = ["BiLstm"]

_DIRECTIONS = ("forward", "backward")


class BiLstm(Architecture):
    """Embedding, one LSTM a direction, mean and max over time, one hidden layer, one logit."""

    name = "bilstm"

    def __init__(
        self, *, length_max: int, embedding: int = 32, units: int = 64, hidden: int = 64
    ) -> None:
        self.length_max = length_max
        self._embedding = embedding
        self._units = units
        self._hidden = hidden

    @property
    def parameters(self) -> Mapping[str, int]:
        """The keyword arguments that make this instance again."""
        return {
            "length_max": self.length_max,
            "embedding": self._embedding,
            "units": self._units,
            "hidden": self._hidden,
        }

    @property
    def weight_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every weight."""
        gates = 4 * self._units
        shapes: dict[str, tuple[int, ...]] = {"embedding": (CODES, self._embedding)}
        for direction in _DIRECTIONS:
            shapes[f"{direction}/kernel"] = (self._embedding, gates)
            shapes[f"{direction}/recurrent_kernel"] = (self._units, gates)
            shapes[f"{direction}/bias"] = (gates,)
        shapes["hidden/kernel"] = (4 * self._units, self._hidden)
        shapes["hidden/bias"] = (self._hidden,)
        shapes["logit/kernel"] = (self._hidden, 1)
        shapes["logit/bias"] = (1,)
        return shapes

    def initial_weights(self, seed: int) -> dict[str, NDArray[np.float32]]:
        """Glorot-uniform kernels, orthogonal recurrent kernels, forget bias 1 (as Keras)."""
        rng = np.random.default_rng(seed)
        weights: dict[str, NDArray[np.float32]] = {}
        for name, shape in self.weight_shapes.items():
            if name == "embedding":
                value = rng.uniform(-0.05, 0.05, shape)
            elif name.endswith("recurrent_kernel"):
                value = np.linalg.qr(rng.normal(size=shape[::-1]))[0].T
            elif name.endswith("kernel"):
                value = rng.uniform(-1, 1, shape) * np.sqrt(6 / sum(shape))
            else:
                value = np.zeros(shape)
                if name.endswith("ward/bias"):
                    value[self._units : 2 * self._units] = 1
            weights[name] = value.astype(np.float32)
        return weights

    def logits(
        self,
        weights: Weights,
        forward: Any,
        backward: Any,
        lengths: Any,
        *,
        steps: Any,
        dropout: float = 0.0,
        dropout_seed: Any = None,
    ) -> Any:
        """Logits, shape ``[texts]``; see the base class."""
        features = self._pooled(weights, (forward, backward), lengths, steps)
        if dropout:
            features = _drop(features, dropout, dropout_seed)
        hidden = tf.nn.relu(features @ weights["hidden/kernel"] + weights["hidden/bias"])
        if dropout:
            hidden = _drop(hidden, dropout, dropout_seed + 1)
        return tf.squeeze(hidden @ weights["logit/kernel"] + weights["logit/bias"], axis=1)

    def _pooled(self, weights: Weights, codes: Any, lengths: Any, steps: Any) -> Any:
        """Mean and max over time of both directions, shape ``[texts, 4 * units]``."""
        units = self._units
        candidate = slice(2 * units, 3 * units)
        scale = np.full(4 * units, 0.5, np.float32)
        scale[candidate] = 1.0
        shift = np.full(4 * units, 0.5, np.float32)
        shift[candidate] = 0.0
        tables, recurrents = [], []
        for direction in _DIRECTIONS:
            table = weights["embedding"] @ weights[f"{direction}/kernel"]
            tables.append((table + weights[f"{direction}/bias"]) * scale)
            recurrents.append(weights[f"{direction}/recurrent_kernel"] * scale)

        def step(time: Any, states: Any) -> Any:
            inside = (time < lengths)[:, None]
            stepped = []
            for (hidden, cell, total, highest), table, recurrent, code in zip(
                states, tables, recurrents, codes, strict=True
            ):
                gates = tf.tanh(
                    tf.gather(table, tf.cast(code[time], tf.int32)) + hidden @ recurrent
                )
                input_gate, forget_gate, new, output_gate = tf.split(
                    gates * scale + shift, 4, axis=1
                )
                new_cell = forget_gate * cell + input_gate * new
                new_hidden = output_gate * tf.tanh(new_cell)
                stepped.append(
                    (
                        tf.where(inside, new_hidden, hidden),
                        tf.where(inside, new_cell, cell),
                        tf.where(inside, total + new_hidden, total),
                        tf.where(inside, tf.maximum(highest, new_hidden), highest),
                    )
                )
            return time + 1, tuple(stepped)

        zeros = tf.zeros((tf.shape(lengths)[0], units))
        # A state lies within -1 and 1: the first one replaces this.
        start = tuple((zeros, zeros, zeros, zeros - 1.0) for _ in _DIRECTIONS)
        _, states = tf.while_loop(
            lambda time, _: time < steps,
            step,
            (tf.constant(0), start),
            maximum_iterations=steps if isinstance(steps, int) else None,
        )
        count = tf.cast(lengths, tf.float32)[:, None]
        return tf.concat(
            [pooled for _, _, total, highest in states for pooled in (total / count, highest)],
            axis=1,
        )


def _drop(features: Any, share: float, seed: Any) -> Any:
    """Stateless: XLA ignores the seeds of TensorFlow's other random operations."""
    return tf.nn.experimental.stateless_dropout(features, share, seed, rng_alg="threefry")
