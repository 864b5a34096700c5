"""The wide half, beside the same sum written out in plain Python."""

import numpy as np
import pytest
import tensorflow as tf

from stream_detector.models.architectures.ngrams import (
    ngram_entries,
    ngram_logits,
    ngram_logits_at_once,
)
from stream_detector.models.architectures.wide_bilstm import WIDE_TABLE, WideBiLstm
from stream_detector.models.encoding import encode

BITS, LENGTH_MAX = 12, 24
TABLE = np.random.default_rng(3).normal(size=2**BITS).astype(np.float32)
TEXTS = ["a", "ab", "a.example/ab?a=b", "login.example/login", "x" * LENGTH_MAX, "~", "a.b?c"]


def by_hand(text):
    marked = "\x01" + text + "\x02"
    separators = [place for place, letter in enumerate(marked) if letter in "/?"]
    host_end = min(separators, default=len(marked))
    total, count = 0.0, 0
    for end in range(1, len(marked)):
        key = 7 if end < host_end else 8
        for size in range(1, min(5, end + 1) + 1):
            key = (key * 0x9E3779B1 + ord(marked[end - size + 1]) + 1) & 0xFFFFFFFF
            key ^= key >> 15
            if size == 1 and end == len(marked) - 1:
                continue
            total += TABLE[((key * 0x85EBCA6B) & 0xFFFFFFFF) >> (32 - BITS)]
            count += 1
    return total / count**0.5


def batch(texts, columns=None):
    return encode(texts, steps=LENGTH_MAX, columns=columns or len(texts))


@tf.function(jit_compile=True)
def served(table, forward, lengths):
    return ngram_logits(table, forward, lengths, steps=tf.reduce_max(lengths))


def test_the_served_loop_is_the_sum_over_all_ngrams():
    encoded = batch(TEXTS, len(TEXTS) + 3)
    logits = served(TABLE, encoded.forward, encoded.lengths).numpy()[: len(TEXTS)]
    np.testing.assert_allclose(logits, [by_hand(text) for text in TEXTS], atol=1e-5)


@pytest.mark.parametrize("steps", [LENGTH_MAX, LENGTH_MAX + 8])
def test_what_is_trained_is_what_is_served(steps):
    encoded = encode(TEXTS, steps=steps, columns=len(TEXTS))
    logits = ngram_logits_at_once(TABLE, encoded.forward, encoded.lengths, steps=steps)
    np.testing.assert_allclose(logits, [by_hand(text) for text in TEXTS], atol=1e-5)


def test_the_entries_are_those_that_the_served_loop_sums():
    encoded = batch(TEXTS, len(TEXTS) + 3)
    entries = ngram_entries(2**BITS, encoded.forward, encoded.lengths, steps=LENGTH_MAX)
    buckets, present, scale = (part.numpy() for part in entries)
    sums = np.where(present, TABLE[buckets], 0).sum(axis=(0, 1)) * scale
    logits = served(TABLE, encoded.forward, encoded.lengths).numpy()
    np.testing.assert_allclose(sums[: len(TEXTS)], logits[: len(TEXTS)], atol=1e-5)
    # One more, and only texts that read it, move.
    bucket = buckets[present][0]
    moved = TABLE.copy()
    moved[bucket] += 1
    reads = (np.where(present, buckets, -1) == bucket).sum(axis=(0, 1)) * scale
    after = served(moved, encoded.forward, encoded.lengths).numpy()
    np.testing.assert_allclose((after - logits)[: len(TEXTS)], reads[: len(TEXTS)], atol=1e-5)


def test_dropout_leaves_the_expected_sum_and_follows_its_seed():
    encoded = batch(["a.example/ab?a=b"] * 4000)
    table = np.abs(TABLE)

    @tf.function(jit_compile=True)
    def dropped(seed):
        return ngram_logits_at_once(
            table, encoded.forward, encoded.lengths, steps=LENGTH_MAX, dropout=0.4, seed=seed
        )

    def drop(seed):
        return dropped(tf.constant([seed, 0])).numpy()

    whole = ngram_logits_at_once(table, encoded.forward, encoded.lengths, steps=LENGTH_MAX).numpy()
    assert abs(drop(1).mean() / whole.mean() - 1) < 0.02
    assert np.array_equal(drop(1), drop(1))
    assert not np.array_equal(drop(1), drop(2))


def test_the_network_is_the_sum_of_its_halves():
    network = WideBiLstm(length_max=LENGTH_MAX, embedding=4, units=5, hidden=6, bucket_bits=BITS)
    weights = network.initial_weights(1)
    assert {name: value.shape for name, value in weights.items()} == network.weight_shapes
    encoded = [tf.constant(part) for part in batch(TEXTS)]
    deep = network.logits(weights, encoded, steps=LENGTH_MAX).numpy()
    weights[WIDE_TABLE] = TABLE
    both = network.logits(weights, encoded, steps=LENGTH_MAX).numpy()
    np.testing.assert_allclose(both - deep, [by_hand(text) for text in TEXTS], atol=1e-5)
    longest = tf.reduce_max(encoded[2])
    np.testing.assert_allclose(network.logits(weights, encoded, steps=longest), both, atol=1e-5)
