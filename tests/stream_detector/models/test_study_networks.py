"""The study's networks are those that Keras layers with the same weights make."""

import numpy as np
import pytest
import tensorflow as tf

from stream_detector.models.architectures.study_networks import CnnLstm, LstmEmbed, LstmOneHot
from stream_detector.models.encoding import CODES, encode

LENGTH_MAX = 20
TEXTS = ["a", "ab", "evil.example/x", "x" * LENGTH_MAX, "mail.example", "~!{}x"]
NETWORKS = [
    LstmOneHot(length_max=LENGTH_MAX, units=7),
    LstmEmbed(length_max=LENGTH_MAX, units=7, embedding=6),
    CnnLstm(length_max=LENGTH_MAX, units=7, embedding=6, filters=9),
]


def weights_of(network):
    rng = np.random.default_rng(5)
    return {
        name: value + rng.normal(0, 0.3, value.shape).astype(np.float32)
        for name, value in network.initial_weights(4).items()
    }


def layer_with(layer, inputs, weights):
    layer.build(inputs.shape)
    layer.set_weights(weights)
    return layer(inputs).numpy()


def keras_logit(network, weights, text):
    codes = np.frombuffer(text.encode(), np.uint8)[None].astype(np.int32)
    if network.name == "lstm_onehot":
        inputs = np.eye(CODES, dtype=np.float32)[codes]
    else:
        inputs = weights["embedding"][codes]
    if network.name == "cnn_lstm":
        convolution = tf.keras.layers.Conv1D(9, 5, padding="same", activation="relu")
        inputs = layer_with(
            convolution, inputs, [weights["convolution/kernel"], weights["convolution/bias"]]
        )
        # What is not negative pools with zeros as with nothing.
        inputs = np.pad(inputs, [(0, 0), (0, -len(text) % 4), (0, 0)])
        inputs = inputs.reshape(1, -1, 4, 9).max(axis=2)
    parts = ("kernel", "recurrent_kernel", "bias")
    state = layer_with(
        tf.keras.layers.LSTM(7), inputs, [weights[f"forward/{part}"] for part in parts]
    )
    return (state @ weights["logit/kernel"] + weights["logit/bias"]).item()


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_logits_are_those_of_keras_layers_whatever_the_batch(network):
    weights = weights_of(network)
    assert {name: value.shape for name, value in weights.items()} == network.weight_shapes
    expected = [keras_logit(network, weights, text) for text in TEXTS]
    batch = [tf.constant(part) for part in encode(TEXTS, steps=LENGTH_MAX, columns=9)]
    logits = network.logits(weights, batch, steps=LENGTH_MAX).numpy()
    np.testing.assert_allclose(logits[: len(TEXTS)], expected, atol=1e-5)
    served = tf.function(
        lambda *parts: network.logits(weights, parts, steps=tf.reduce_max(parts[2])),
        jit_compile=True,
    )
    np.testing.assert_allclose(served(*batch)[: len(TEXTS)], expected, atol=1e-5)
    assert type(network)(**network.parameters).parameters == network.parameters
