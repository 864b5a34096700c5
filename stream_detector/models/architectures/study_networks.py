"""The study's networks, each with one LSTM in one direction: its last state gives the logit.

``lstm_onehot`` reads the characters as they are, ``lstm_embed`` learns an embedding of them, and
``cnn_lstm`` puts a convolution and max pooling before the LSTM.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_detector.models.architectures.base import Architecture, Dropout, Texts, Weights
from stream_detector.models.architectures.recurrence import (
    LstmCell,
    drop,
    last_state,
    lstm_shapes,
)
from stream_detector.models.encoding import CODES
from stream_detector.models.lean_tensorflow import tf

_WIDTH = 5
"""Characters that a filter sees."""
_POOL = 4
"""Positions that make one step of the LSTM."""


@dataclass(frozen=True, kw_only=True)
class LstmOneHot(Architecture):
    """One-hot characters, one LSTM, one logit from its last state."""

    name = "lstm_onehot"

    units: int = 64

    @property
    def weight_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every weight."""
        return {
            **lstm_shapes("forward", CODES, self.units),
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


@dataclass(frozen=True, kw_only=True)
class CnnLstm(Architecture):
    """Filters of five characters, the highest of each four positions, one LSTM, one logit."""

    name = "cnn_lstm"

    embedding: int = 32
    filters: int = 64
    units: int = 64

    @property
    def weight_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every weight."""
        return {
            "embedding": (CODES, self.embedding),
            "convolution/kernel": (_WIDTH, self.embedding, self.filters),
            "convolution/bias": (self.filters,),
            **lstm_shapes("forward", self.filters, self.units),
            "logit/kernel": (self.units, 1),
            "logit/bias": (1,),
        }

    def logits(
        self, weights: Weights, texts: Texts, *, steps: Any, dropout: Dropout | None = None
    ) -> Any:
        """Logits, shape ``[texts]``; see the base class."""
        forward, _, lengths = texts
        cell = LstmCell(self.units, weights["forward/recurrent_kernel"])
        # A filter's share of each character at each place: the convolution is a few look-ups.
        tables = [weights["embedding"] @ weights["convolution/kernel"][k] for k in range(_WIDTH)]
        last = forward.shape[0] - 1

        def filtered(time: Any) -> Any:
            total = weights["convolution/bias"]
            for offset, table in enumerate(tables, start=-(_WIDTH // 2)):
                place = time + offset
                code = tf.cast(forward[tf.clip_by_value(place, 0, last)], tf.int32)
                inside = (place >= 0) & (place < lengths)
                # Not +=, which would assign to the bias where training passes variables.
                total = total + tf.where(inside[:, None], tf.gather(table, code), 0.0)
            return tf.where((time < lengths)[:, None], tf.nn.relu(total), 0.0)

        def inputs_at(step: Any) -> Any:
            pooled = filtered(step * _POOL)
            for place in range(1, _POOL):
                pooled = tf.maximum(pooled, filtered(step * _POOL + place))
            return cell.fold(pooled @ weights["forward/kernel"] + weights["forward/bias"])

        state = last_state(
            cell,
            inputs_at,
            -(-lengths // _POOL),
            units=self.units,
            steps=-(-steps // _POOL),
        )
        if dropout:
            state = drop(state, *dropout)
        return tf.squeeze(state @ weights["logit/kernel"] + weights["logit/bias"], axis=1)
