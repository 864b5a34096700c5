"""One step of an LSTM, folded for speed, and how its weights begin.

LSTM: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735. Weights lie as in Keras'
``LSTM`` (gates i, f, c, o). All gates go through one ``tanh``: sigmoid(x) = tanh(x / 2) / 2 + 1/2.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

__all__ = ["LstmCell", "drop", "initial_weights"]


class LstmCell:
    """The recurrent half of an LSTM layer with ``units`` units."""

    def __init__(self, units: int, recurrent_kernel: Any) -> None:
        """``recurrent_kernel`` has shape ``[units, 4 * units]``."""
        candidate = slice(2 * units, 3 * units)
        self._scale = np.full(4 * units, 0.5, np.float32)
        self._scale[candidate] = 1.0
        self._shift = np.full(4 * units, 0.5, np.float32)
        self._shift[candidate] = 0.0
        self._recurrent = recurrent_kernel * self._scale

    def fold(self, inputs: Any) -> Any:
        """Input times kernel plus bias, shape ``[..., 4 * units]``, as ``step`` takes it."""
        return inputs * self._scale

    def step(self, inputs: Any, hidden: Any, cell: Any) -> tuple[Any, Any]:
        """New hidden and cell state, shape ``[texts, units]``; ``inputs`` are folded."""
        gates = tf.tanh(inputs + hidden @ self._recurrent)
        input_gate, forget_gate, new, output_gate = tf.split(
            gates * self._scale + self._shift, 4, axis=1
        )
        new_cell = forget_gate * cell + input_gate * new
        return output_gate * tf.tanh(new_cell), new_cell


def initial_weights(
    shapes: Mapping[str, tuple[int, ...]], seed: int
) -> dict[str, NDArray[np.float32]]:
    """Glorot-uniform kernels, orthogonal recurrent kernels, forget bias 1 (as Keras).

    What a weight is shows in the end of its name: ``embedding``, ``recurrent_kernel``, ``kernel``,
    the ``bias`` of a direction (``forward/bias``), or anything else, which begins at zero.
    """
    rng = np.random.default_rng(seed)
    weights: dict[str, NDArray[np.float32]] = {}
    for name, shape in shapes.items():
        if name.endswith("embedding"):
            value = rng.uniform(-0.05, 0.05, shape)
        elif name.endswith("recurrent_kernel"):
            value = np.linalg.qr(rng.normal(size=shape[::-1]))[0].T
        elif name.endswith("kernel"):
            receptive = int(np.prod(shape[:-2]))
            value = rng.uniform(-1, 1, shape) * np.sqrt(6 / (receptive * sum(shape[-2:])))
        else:
            value = np.zeros(shape)
            if name.endswith("ward/bias"):
                units = shape[0] // 4
                value[units : 2 * units] = 1
        weights[name] = value.astype(np.float32)
    return weights


def drop(features: Any, share: float, seed: Any) -> Any:
    """Dropout; stateless, for XLA ignores the seeds of TensorFlow's other random operations."""
    return tf.nn.experimental.stateless_dropout(features, share, seed, rng_alg="threefry")
