"""``python -m support.shared_training``: does a training that two devices share end as one's?

In a process of its own: a CPU is made two devices before TensorFlow first runs anything. Prints,
as JSON, the largest difference between the weights of the two trainings, and how far training moved
them.
"""

import json
import sys

import numpy as np
import tensorflow as tf

from stream_detector.models.architectures.wide_bilstm import WideBiLstm
from support.examples import rule
from trainer.training.fitting import fit
from trainer.training.recipe import Recipe

DEVICES = ("/CPU:0", "/CPU:1")


def main():
    """Train twice; print."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration() for _ in DEVICES]
    )
    network = WideBiLstm(length_max=16, embedding=4, units=4, hidden=4, bucket_bits=10)
    # An odd batch size, and a last batch whose rows leave one device with none. Tables, which are
    # kept as float16, learn slowly: how large values are rounded is not what is looked at.
    recipe = Recipe(
        epochs=2, batch_size=63, dropout=0.0, malicious_weight=2.0, ngram_learning_rate=0.2
    )
    one, two = (
        fit(
            network,
            rule(63 * 4 + 20, 1),
            rule(100, 2),
            recipe,
            kind="host",
            on_step=lambda *_: None,
            on_epoch=lambda _: None,
            devices=devices,
        )
        for devices in ((), DEVICES)
    )
    initial = network.initial_weights(recipe.seed)
    difference = max(np.abs(one.weights[n] - two.weights[n]).max() for n in initial)
    moved = min(np.abs(two.weights[n] - initial[n]).max() for n in initial)
    json.dump({"difference": float(difference), "moved": float(moved)}, sys.stdout)


if __name__ == "__main__":
    main()
