"""A network's graph, compiled once for all bundles that have the network.

Weights are arguments: a model that takes another's place, or is compared with it, or is measured
after each epoch, differs in nothing else, and seconds of compiling are spared.
"""

import functools
from collections.abc import Callable

from stream_detector.models.architectures.base import Architecture
from stream_detector.models.lean_tensorflow import tf

__all__ = ["compiled_logits"]

_NETWORKS_MAX = 4
"""Kept: those of URLs and of hosts, and what takes their place."""


def compiled_logits(architecture: Architecture) -> Callable[..., tf.Tensor]:
    """``logits(weights, forward, backward, lengths)``: arguments as of ``Architecture.logits``.

    The loop runs to the longest length. It is compiled anew for each number of texts alone.
    """
    return _compiled(type(architecture), tuple(architecture.parameters.items()))


@functools.lru_cache(_NETWORKS_MAX)
def _compiled(
    network: type[Architecture], parameters: tuple[tuple[str, int], ...]
) -> Callable[..., tf.Tensor]:
    architecture = network(**dict(parameters))

    @tf.function(jit_compile=True)
    def logits(
        weights: dict[str, tf.Tensor], forward: tf.Tensor, backward: tf.Tensor, lengths: tf.Tensor
    ) -> tf.Tensor:
        return architecture.logits(
            weights, forward, backward, lengths, steps=tf.reduce_max(lengths)
        )

    return logits  # type: ignore[no-any-return]
