"""The study's one-directional LSTMs: the last state, one logit.

``lstm_embed`` learns an embedding of the characters, ``lstm_onehot`` reads them as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_detector.models.architectures.base import Architecture, Dropout, Texts, Weights
from stream_detector.models.architectures.recurrence import LstmCell, drop
from stream_detector.models.encoding import CODES
from stream_detector.models.lean_tensorflow import tf


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


@dataclass(frozen=True, kw_only=True)
class LstmOneHot(Architecture):
    """One-hot characters, one LSTM, one logit from its last state."""

    name = "lstm_onehot"

    units: int = 64

    @property
    def weight_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every weight."""
        gates = 4 * self.units
        return {
            "forward/kernel": (CODES, gates),
            "forward/recurrent_kernel": (self.units, gates),
            "forward/bias": (gates,),
            "logit/kernel": (self.units, 1),
            "logit/bias": (1,),
        }

    def logits(
        self, weights: Weights, texts: Texts, *, steps: Any, dropout: Dropout | None = None
    ) -> Any:
        """Logits, shape ``[texts]``; see the base class."""
        forward, _, lengths = texts
        cell = LstmCell(self.units, weights["forward/recurrent_kernel"])
        table = cell.fold(self._inputs(weights) + weights["forward/bias"])
        state = last_state(
            cell,
            lambda time: tf.gather(table, tf.cast(forward[time], tf.int32)),
            lengths,
            units=self.units,
            steps=steps,
        )
        if dropout:
            state = drop(state, *dropout)
        return tf.squeeze(state @ weights["logit/kernel"] + weights["logit/bias"], axis=1)

    def _inputs(self, weights: Weights) -> Any:
        """What each character brings to the gates, shape ``[CODES, 4 * units]``."""
        return weights["forward/kernel"]


@dataclass(frozen=True, kw_only=True)
class LstmEmbed(LstmOneHot):
    """The same on an embedding of the characters."""

    name = "lstm_embed"

    embedding: int = 32

    @property
    def weight_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every weight."""
        return {
            "embedding": (CODES, self.embedding),
            **super().weight_shapes,
            "forward/kernel": (self.embedding, 4 * self.units),
        }

    def _inputs(self, weights: Weights) -> Any:
        return weights["embedding"] @ weights["forward/kernel"]
