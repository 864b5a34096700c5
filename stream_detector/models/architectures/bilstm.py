"""A character-level bidirectional LSTM with mean and max pooling over time.

Bidirectional: Schuster and Paliwal 1997, doi:10.1109/78.650093. What makes it fast on a CPU:

- embedding times input kernel plus bias is one table a direction, looked up by character;
- the step is folded (``recurrence``);
- pooling is carried along the loop, so that no state is kept;
- the loop runs to the group's longest text, which is an input of the compiled graph: one compiled
  shape serves every length.

Past its end a text's state stays the same, so padding and neighbours do not change its score.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_detector.models.architectures.base import Architecture, Dropout, Texts, Weights
from stream_detector.models.architectures.recurrence import LstmCell, drop, lstm_shapes
from stream_detector.models.encoding import CODES
from stream_detector.models.lean_tensorflow import tf

_DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True, kw_only=True)
class BiLstm(Architecture):
    """Embedding, one LSTM a direction, mean and max over time, one hidden layer, one logit."""

    name = "bilstm"

    embedding: int = 32
    units: int = 64
    hidden: int = 64

    @property
    def weight_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every weight."""
        shapes: dict[str, tuple[int, ...]] = {"embedding": (CODES, self.embedding)}
        for direction in _DIRECTIONS:
            shapes |= lstm_shapes(direction, self.embedding, self.units)
        shapes["hidden/kernel"] = (4 * self.units, self.hidden)
        shapes["hidden/bias"] = (self.hidden,)
        shapes["logit/kernel"] = (self.hidden, 1)
        shapes["logit/bias"] = (1,)
        return shapes

    def logits(
        self, weights: Weights, texts: Texts, *, steps: Any, dropout: Dropout | None = None
    ) -> Any:
        """Logits, shape ``[texts]``; see the base class."""
        forward, backward, lengths = texts
        features = self._pooled(weights, (forward, backward), lengths, steps)
        if dropout:
            features = drop(features, *dropout)
        hidden = tf.nn.relu(features @ weights["hidden/kernel"] + weights["hidden/bias"])
        if dropout:
            hidden = drop(hidden, dropout.share, dropout.seed + 1)
        return tf.squeeze(hidden @ weights["logit/kernel"] + weights["logit/bias"], axis=1)

    def _pooled(self, weights: Weights, codes: Any, lengths: Any, steps: Any) -> Any:
        """Mean and max over time of both directions, shape ``[texts, 4 * units]``."""
        units = self.units
        tables, cells = [], []
        for direction in _DIRECTIONS:
            cell = LstmCell(units, weights[f"{direction}/recurrent_kernel"])
            table = weights["embedding"] @ weights[f"{direction}/kernel"]
            tables.append(cell.fold(table + weights[f"{direction}/bias"]))
            cells.append(cell)

        def step(time: Any, states: Any) -> Any:
            inside = (time < lengths)[:, None]
            stepped = []
            for (hidden, memory, total, highest), table, cell, code in zip(
                states, tables, cells, codes, strict=True
            ):
                inputs = tf.gather(table, tf.cast(code[time], tf.int32))
                new_hidden, new_memory = cell.step(inputs, hidden, memory)
                stepped.append(
                    (
                        tf.where(inside, new_hidden, hidden),
                        tf.where(inside, new_memory, memory),
                        tf.where(inside, total + new_hidden, total),
                        tf.where(inside, tf.maximum(highest, new_hidden), highest),
                    )
                )
            return time + 1, tuple(stepped)

        zeros = tf.zeros((tf.shape(lengths)[0], units))
        # Start of the maximum: a state is never below -1.
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
