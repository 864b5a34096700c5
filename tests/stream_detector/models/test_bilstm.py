"""The network is the textbook's: equal to Keras layers with the same weights."""

import numpy as np
import tensorflow as tf

from stream_detector.models.architectures.bilstm import BiLstm
from stream_detector.models.encoding import encode

LENGTH_MAX = 20
NETWORK = BiLstm(length_max=LENGTH_MAX, embedding=6, units=7, hidden=5)
WEIGHTS = {
    name: value + np.random.default_rng(5).normal(0, 0.3, value.shape).astype(np.float32)
    for name, value in NETWORK.initial_weights(4).items()
}
TEXTS = ["a", "ab", "evil.example/x", "x" * LENGTH_MAX, "mail.example", "~!{}"]


def logits(texts, columns=None):
    batch = encode(texts, steps=LENGTH_MAX, columns=columns or len(texts))
    result = NETWORK.logits(WEIGHTS, [*map(tf.constant, batch)], steps=LENGTH_MAX)
    return result.numpy()[: len(texts)]


def keras_logit(text):
    """One text at a time, so that there is no padding to mask."""
    codes = np.frombuffer(text.encode(), np.uint8)[None].astype(np.int32)
    embedded = WEIGHTS["embedding"][codes]
    pooled = []
    for direction in ("forward", "backward"):
        layer = tf.keras.layers.LSTM(7, return_sequences=True, go_backwards=direction == "backward")
        layer.build(embedded.shape)
        layer.set_weights(
            [WEIGHTS[f"{direction}/{part}"] for part in ("kernel", "recurrent_kernel", "bias")]
        )
        states = layer(embedded).numpy()
        pooled += [states.mean(axis=1), states.max(axis=1)]
    hidden = np.maximum(
        np.concatenate(pooled, axis=1) @ WEIGHTS["hidden/kernel"] + WEIGHTS["hidden/bias"], 0
    )
    return (hidden @ WEIGHTS["logit/kernel"] + WEIGHTS["logit/bias"]).item()


def test_logits_are_those_of_keras_layers_with_the_same_weights():
    np.testing.assert_allclose(logits(TEXTS), [keras_logit(text) for text in TEXTS], atol=1e-5)


def test_neither_neighbours_nor_padding_change_a_logit():
    together = logits(TEXTS, columns=len(TEXTS) + 9)
    np.testing.assert_allclose(together, [logits([text])[0] for text in TEXTS], atol=1e-5)
    assert len({round(float(value), 4) for value in together}) == len(TEXTS)


def test_initial_weights_have_their_shapes_and_follow_the_seed():
    first, again, other = (NETWORK.initial_weights(seed) for seed in (1, 1, 2))
    assert {name: value.shape for name, value in first.items()} == NETWORK.weight_shapes
    for name, value in first.items():
        assert np.array_equal(value, again[name])
    assert not np.array_equal(first["embedding"], other["embedding"])
