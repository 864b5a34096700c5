"""One step of an LSTM, folded for speed; the last state; dropout.

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


def lstm_shapes(direction: str, inputs: int, units: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights of one LSTM, which reads ``inputs`` features."""
    return {
        f"{direction}/kernel": (inputs, 4 * units),
        f"{direction}/recurrent_kernel": (units, 4 * units),
        f"{direction}/bias": (4 * units,),
    }


def last_state(cell: LstmCell, inputs_at: Any, counts: Any, *, units: int, steps: Any) -> Any:
    """Hidden state after each text's last input, shape ``[texts, units]``.

    ``inputs_at`` gives the folded inputs of a time step; ``counts`` is each text's number of
    inputs, shape ``[texts]``; ``steps`` at least the largest of them.
    """

    def step(time: Any, state: Any) -> Any:
        hidden, memory = state
        inside = (time < counts)[:, None]
        new_hidden, new_memory = cell.step(inputs_at(time), hidden, memory)
        return time + 1, (
            tf.where(inside, new_hidden, hidden),
            tf.where(inside, new_memory, memory),
        )

    zeros = tf.zeros((tf.shape(counts)[0], units))
    _, (hidden, _) = tf.while_loop(
        lambda time, _: time < steps,
        step,
        (tf.constant(0), (zeros, zeros)),
        maximum_iterations=steps if isinstance(steps, int) else None,
    )
    return hidden


def drop(features: Any, share: float, seed: Any) -> Any:
    """Dropout; stateless, for XLA ignores the seeds of TensorFlow's other random operations."""
    return tf.nn.experimental.stateless_dropout(features, share, seed, rng_alg="threefry")
