"""The BiLSTM plus a linear layer on hashed character n-grams: one network, one graph.

Wide and deep: Cheng et al. 2016, arXiv:1606.07792. The wide half memorises parts of names and
paths, the deep half reads how they are combined; their logits are summed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_detector.models.architectures.base import Dropout, Texts, Weights
from stream_detector.models.architectures.bilstm import BiLstm
from stream_detector.models.architectures.ngrams import ngram_logits, ngram_logits_at_once
from stream_detector.models.lean_tensorflow import tf

WIDE_TABLE = "ngrams/table"

_NGRAM_DROPOUT = 0.4


@dataclass(frozen=True, kw_only=True)
class WideBiLstm(BiLstm):
    """A ``BiLstm`` and one weight for each of ``2 ** bucket_bits`` buckets of n-grams."""

    name = "wide_bilstm"
    half_precision = frozenset({WIDE_TABLE})
    tables = frozenset({WIDE_TABLE})

    bucket_bits: int = 20

    def __post_init__(self) -> None:
        if not 1 <= self.bucket_bits <= 24:
            raise TypeError(f"bucket_bits is {self.bucket_bits}, not between 1 and 24")

    @property
    def weight_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every weight."""
        return {**super().weight_shapes, WIDE_TABLE: (2**self.bucket_bits,)}

    def logits(
        self, weights: Weights, texts: Texts, *, steps: Any, dropout: Dropout | None = None
    ) -> Any:
        """Logits, shape ``[texts]``; see the base class."""
        if isinstance(steps, int):
            return self.heads(weights, texts, steps=steps, dropout=dropout)[0]
        forward, _, lengths = texts
        deep = super().logits(weights, texts, steps=steps)
        return deep + ngram_logits(weights[WIDE_TABLE], forward, lengths, steps=steps)

    def heads(
        self, weights: Weights, texts: Texts, *, steps: int, dropout: Dropout | None = None
    ) -> list[Any]:
        """The sum, the deep half, the wide half; see the base class."""
        forward, _, lengths = texts
        deep = super().logits(weights, texts, steps=steps, dropout=dropout)
        wide = ngram_logits_at_once(
            weights[WIDE_TABLE],
            forward,
            lengths,
            steps=steps,
            dropout=_NGRAM_DROPOUT if dropout else 0.0,
            # The deep half draws from the seed and the one after it.
            seed=None if dropout is None else dropout.seed + tf.constant([0, 1 << 30]),
        )
        return [deep + wide, deep, wide]
