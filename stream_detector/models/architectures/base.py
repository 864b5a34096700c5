"""The contract of a network."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, Any]
"""Weights by name: arrays, TensorFlow tensors or variables."""
Texts = Sequence[Any]
"""``encoding.Encoded`` or its three parts as tensors: forward, backward, lengths."""


class Dropout(NamedTuple):
    """Which features are dropped in a training step."""

    share: float
    seed: Any
    """Integer tensor of shape ``[2]``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Architecture(ABC):
    """A network with its parameters, which are its fields. It holds no weights.

    A new one is a frozen dataclass with ``name``, ``weight_shapes`` and ``logits``, registered in
    ``ARCHITECTURES``.
    """

    name: ClassVar[str]
    """As in a manifest."""

    half_precision: ClassVar[frozenset[str]] = frozenset()
    """Weights that a bundle keeps as float16; in memory all are float32."""
    tables: ClassVar[frozenset[str]] = frozenset()
    """Weights of which each text reads a few entries: they are trained by another rule."""

    length_max: int
    """Longest text, in characters; ``encoding.shorten`` cuts longer ones."""

    @property
    def parameters(self) -> Mapping[str, int]:
        """The keyword arguments that make this instance again, as a manifest holds them."""
        return dataclasses.asdict(self)

    @property
    @abstractmethod
    def weight_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every weight."""

    def initial_weights(self, seed: int) -> dict[str, NDArray[np.float32]]:
        """Weights to start training from: the same seed gives the same.

        Glorot-uniform kernels, orthogonal recurrent kernels, forget bias 1 (as Keras). The end of
        a weight's name shows its role: ``embedding``, ``recurrent_kernel``, ``kernel``, the
        ``bias`` of a direction (``forward/bias``); all others begin at zero.
        """
        rng = np.random.default_rng(seed)
        weights: dict[str, NDArray[np.float32]] = {}
        for name, shape in self.weight_shapes.items():
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

    @abstractmethod
    def logits(
        self, weights: Weights, texts: Texts, *, steps: Any, dropout: Dropout | None = None
    ) -> Any:
        """Logits, shape ``[texts]``.

        Args:
            weights: tensors by name.
            texts: as ``encoding.encode`` gives them.
            steps: how many time steps to run, at least the longest length; a tensor (the
                number may differ from call to call) or, where gradients are taken, an int.
            dropout: in training, the features to drop.
        """

    def heads(
        self, weights: Weights, texts: Texts, *, steps: int, dropout: Dropout | None = None
    ) -> list[Any]:
        """The logits, then those of the network's parts, shape ``[texts]``, for the training loss.

        Arguments as of ``logits``. Parts that are trained on the labels themselves depend less on
        each other, and generalise better to unseen sources.
        """
        return [self.logits(weights, texts, steps=steps, dropout=dropout)]
