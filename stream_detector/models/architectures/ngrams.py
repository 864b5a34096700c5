"""A linear layer on hashed character n-grams, inside the graph.

Feature hashing: Weinberger et al. 2009, arXiv:0902.2206. Every n-gram of 1 to ``NGRAM_MAX``
characters, with marks for the text's start and end, has one weight in a table of a power of two
buckets. An n-gram that ends within the host and the same one behind it have weights of their own:
``login`` means one thing in a name and another in a path, and models that tell the two apart lose
less on sources that they never saw.

The sum is divided by the root of the number of n-grams: otherwise the logit would grow with the
length of the text.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from stream_detector.models.lean_tensorflow import tf

NGRAM_MAX = 5

_START, _END = 1, 2
"""Control characters, which no canonical text holds."""
_SEPARATORS = (ord("/"), ord("?"))
_HOST, _REST = 7, 8


class NgramEntries(NamedTuple):
    """The entries of the table that texts read, and the factor of their sum."""

    buckets: Any
    """Integer, shape ``[NGRAM_MAX, steps + 1, texts]``."""
    present: Any
    """Whether there is such an n-gram; the same shape."""
    scale: Any
    """What the sum of a text's entries is multiplied by, shape ``[texts]``."""


def ngram_logits(table: Any, forward: Any, lengths: Any, *, steps: Any) -> Any:
    """The layer's share of the logits, shape ``[texts]``, for serving.

    Args:
        table: weights, float32, shape ``[buckets]``, a power of two.
        forward: codes, integer, shape ``[time, texts]``.
        lengths: shape ``[texts]``.
        steps: time steps to run, at least the longest length; may be a tensor.
    """
    last = forward.shape[0] - 1
    bits = _bits(table.shape[0])
    zeros = tf.zeros_like(lengths)

    def step(time: Any, state: Any) -> Any:
        total, before, behind_host = state
        code = tf.cast(forward[tf.minimum(time, last)], tf.int32)
        code = tf.where(time == lengths, _END, code)
        behind_host = behind_host | _is_separator(code)
        newest = (code, *before)
        for size, bucket in enumerate(_buckets(bits, newest, behind_host), start=1):
            present = _present(size, time, lengths)
            total += tf.where(present, tf.gather(table, bucket), 0.0)
        return time + 1, (total, newest[: NGRAM_MAX - 1], behind_host)

    start = (
        tf.zeros_like(lengths, tf.float32),
        (zeros + _START, *[zeros] * (NGRAM_MAX - 2)),
        tf.zeros_like(lengths, tf.bool),
    )
    # One step more than the text: the end has a mark.
    _, (total, _, _) = tf.while_loop(lambda time, _: time <= steps, step, (tf.constant(0), start))
    return total * _scale(lengths)


def ngram_logits_at_once(
    table: Any, forward: Any, lengths: Any, *, steps: int, dropout: float = 0.0, seed: Any = None
) -> Any:
    """The same for training: all steps at once, so that the table has one gradient.

    Args:
        table: weights, float32, shape ``[buckets]``, a power of two.
        forward: codes, integer, shape ``[time, texts]``.
        lengths: shape ``[texts]``.
        steps: time steps, at least the longest length.
        dropout: share of the n-grams left out; the rest weigh more.
        seed: integer tensor of shape ``[2]`` that selects them; needed with dropout.
    """
    buckets, present, scale = ngram_entries(table.shape[0], forward, lengths, steps=steps)
    kept = tf.cast(present, tf.float32)
    if dropout:
        drawn = tf.random.stateless_uniform(tf.shape(kept), seed, alg="threefry")
        kept *= tf.cast(drawn >= dropout, tf.float32) / (1.0 - dropout)
    return tf.reduce_sum(tf.gather(table, buckets) * kept, axis=[0, 1]) * scale


def ngram_entries(table_size: int, forward: Any, lengths: Any, *, steps: int) -> NgramEntries:
    """The entries of each text in a table of ``table_size`` weights; arguments as above."""
    time = tf.range(steps + 1)[:, None]
    codes = tf.pad(tf.cast(forward[:steps], tf.int32), [[0, 1], [0, 0]])
    codes = tf.where(time == lengths, _END, codes)
    behind_host = tf.cumsum(tf.cast(_is_separator(codes), tf.int32), axis=0) > 0
    newest = [codes]
    for back in range(1, NGRAM_MAX):
        # One start mark, then nothing: n-grams that would reach beyond it are not present.
        before = tf.pad(codes, [[1, 0], [0, 0]], constant_values=_START)
        newest.append(tf.pad(before, [[back - 1, 0], [0, 0]])[: steps + 1])
    buckets = tf.stack(_buckets(_bits(table_size), newest, behind_host))
    present = tf.stack([_present(size, time, lengths) for size in range(1, NGRAM_MAX + 1)])
    return NgramEntries(buckets, present, _scale(lengths))


def _is_separator(codes: Any) -> Any:
    return (codes == _SEPARATORS[0]) | (codes == _SEPARATORS[1])


def _present(size: int, time: Any, lengths: Any) -> Any:
    """Whether an n-gram of ``size`` ends at ``time``; the end mark alone is not one."""
    last = lengths if size > 1 else lengths - 1
    return (time <= last) & (time >= size - 2)


def _scale(lengths: Any) -> Any:
    """One by the root of the number of n-grams."""
    count = lengths
    for size in range(2, NGRAM_MAX + 1):
        count += tf.maximum(lengths + 3 - size, 0)
    return tf.math.rsqrt(tf.cast(count, tf.float32))


def _bits(table_size: int) -> int:
    return int(table_size).bit_length() - 1


def _buckets(bits: int, newest: Sequence[Any], behind_host: Any) -> list[Any]:
    """Bucket of the n-gram of each size, from the codes, newest first; multiplicative hashing."""
    key = tf.where(behind_host, tf.constant(_REST, tf.uint32), tf.constant(_HOST, tf.uint32))
    buckets = []
    for codes in newest:
        key = key * tf.constant(0x9E3779B1, tf.uint32) + tf.cast(codes + 1, tf.uint32)
        key = tf.bitwise.bitwise_xor(key, tf.bitwise.right_shift(key, tf.constant(15, tf.uint32)))
        mixed = key * tf.constant(0x85EBCA6B, tf.uint32)
        buckets.append(
            tf.cast(tf.bitwise.right_shift(mixed, tf.constant(32 - bits, tf.uint32)), tf.int32)
        )
    return buckets
