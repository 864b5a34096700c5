"""One step of an LSTM, folded for speed, and dropout.

LSTM: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735. Weights lie as in Keras'
``LSTM`` (gates i, f, c, o). All gates go through one ``tanh``: sigmoid(x) = tanh(x / 2) / 2 + 1/2.
"""

from typing import Any

import numpy as np

from stream_detector.models.lean_tensorflow import tf


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


def drop(features: Any, share: float, seed: Any) -> Any:
    """Dropout; stateless, for XLA ignores the seeds of TensorFlow's other random operations."""
    return tf.nn.experimental.stateless_dropout(features, share, seed, rng_alg="threefry")
