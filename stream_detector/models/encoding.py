"""Canonical text to bytes for the network: one code per character, in both directions.

Codes are ASCII values (1 to 127), 0 is padding. Text longer than the network's ``length_max`` is
cut to its most telling parts: the end of the host, where the registered domain is, and both ends
of path and query (the first segments, and the file name or last parameter).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CODES = 128

_TAIL_SHARE = 3
"""A third of the room for path and query goes to their end."""


class Encoded(NamedTuple):
    """Texts ready for the network, one per column; ``steps`` is the longest length allowed.

    Time comes first: the recurrent loop reads one contiguous row of characters per step.
    """

    forward: NDArray[np.uint8]
    """Shape ``[steps, texts]``."""
    backward: NDArray[np.uint8]
    """The same, each text reversed within its own length."""
    lengths: NDArray[np.int32]
    """Shape ``[texts]``, at least 1."""


def shorten(text: str, length_max: int) -> str:
    """``text`` cut to ``length_max`` characters by the rule above; unchanged if it fits."""
    if len(text) <= length_max:
        return text
    ends = [position for mark in "/?" if (position := text.find(mark)) >= 0]
    host_length = min(ends, default=len(text))
    host = text[max(0, host_length - length_max // 3) : host_length]
    rest = text[host_length:]
    if not rest:
        return text[-length_max:]
    room = length_max - len(host)
    if len(rest) <= room:
        return text[-length_max:]
    tail = room // _TAIL_SHARE
    return host + rest[: room - tail] + rest[len(rest) - tail :]


def encode(texts: Sequence[str], *, steps: int, columns: int) -> Encoded:
    """Encode up to ``columns`` texts; missing ones are padding of length 1.

    Texts must be at most ``steps`` long (see ``shorten``).
    """
    lengths = np.ones(columns, dtype=np.int32)
    lengths[: len(texts)] = np.fromiter(map(len, texts), dtype=np.int32, count=len(texts))
    # All texts in one array, so that one indexing operation fills the batch without a loop over
    # texts. Padded positions read the zero byte before the first text.
    flat = np.frombuffer(b"\0" + "".join(texts).encode("ascii", "replace"), dtype=np.uint8)
    starts = np.ones(columns, dtype=np.int64)
    starts[1 : len(texts)] += np.cumsum(lengths[: max(0, len(texts) - 1)], dtype=np.int64)
    step = np.arange(steps, dtype=np.int64)[:, None]
    inside = step < lengths
    inside[:, len(texts) :] = False
    forward = flat[np.where(inside, starts + step, 0)]
    backward = flat[np.where(inside, starts + lengths - 1 - step, 0)]
    return Encoded(forward, backward, np.maximum(lengths, 1))
