"""A network's graph, compiled once for all bundles with that network.

Weights are arguments of the graph. A model that replaces another, shadows it, or is measured after
each epoch differs only in them, so it needs no compilation of seconds.
"""

import functools
from collections.abc import Callable
from typing import Any

from stream_detector.models.architectures.base import Architecture
from stream_detector.models.lean_tensorflow import tf

_NETWORKS_MAX = 4
"""Those of URLs and hosts, and their replacements."""


def compiled_logits(architecture: Architecture) -> Callable[..., Any]:
    """``logits(weights, forward, backward, lengths)``; see ``Architecture.logits``.

    The loop runs to the longest length. Only another number of texts is compiled again.
    """
    return _compiled(type(architecture), tuple(architecture.parameters.items()))


@functools.lru_cache(_NETWORKS_MAX)
def _compiled(
    network: type[Architecture], parameters: tuple[tuple[str, int], ...]
) -> Callable[..., Any]:
    architecture = network(**dict(parameters))

    @tf.function(jit_compile=True)
    def logits(
        weights: dict[str, tf.Tensor], forward: tf.Tensor, backward: tf.Tensor, lengths: tf.Tensor
    ) -> tf.Tensor:
        texts = (forward, backward, lengths)
        return architecture.logits(weights, texts, steps=tf.reduce_max(lengths))

    return logits  # type: ignore[no-any-return]
