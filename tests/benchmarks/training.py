"""URLs a second in training: the project's compiled step beside Keras' ``model.fit``.

``make bench-training``: the same network (a BiLSTM with mean and max pooling) on the same URLs, in
one run. ``fit`` pads every URL to the maximal length, as the usual code does; both are measured
after what they compile is compiled.
"""

import argparse
import logging
import random
import sys
import time

import numpy as np
import tensorflow as tf

from stream_detector.models.architectures.bilstm import BiLstm
from stream_detector.models.encoding import CODES
from trainer.examples.datasets import Dataset
from trainer.training.fitting import fit
from trainer.training.recipe import Recipe

LENGTH_MAX = 192
BATCH_ROWS = 256
LENGTHS = (12, 16, 20, 24, 28, 34, 44, 60, 90, 160)
"""Deciles of real URLs' lengths: median 28, 90% under 67."""


def urls(count, seed=1):
    """URL-like texts with the lengths of real ones, and labels at random."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789./-"
    texts = ["".join(rng.choices(letters, k=rng.choice(LENGTHS))) for _ in range(count)]
    labels = np.array([rng.randrange(2) for _ in range(count)], np.int8)
    empty = np.array([""] * count)
    return Dataset(texts, labels, empty, empty, empty, {})


def ours(rows):
    """Rows a second of the second epoch's steps: the first one compiles."""
    finished = []

    def on_step(done, total, _):
        if done in {total} or not finished or finished[-1][1] > done:
            finished.append((time.perf_counter(), done))

    fit(
        BiLstm(length_max=LENGTH_MAX),
        rows,
        urls(64, seed=2),
        Recipe(epochs=2, batch_size=BATCH_ROWS),
        kind="url",
        on_step=on_step,
        on_epoch=lambda _: None,
    )
    (start, first), (end, last) = finished[-2:]
    return (last - first) / (end - start)


def keras(rows):
    """Rows a second of ``model.fit``, second epoch."""
    inputs = tf.keras.Input((LENGTH_MAX,), dtype="int32")
    embedded = tf.keras.layers.Embedding(CODES, 32)(inputs)
    states = tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(64, return_sequences=True))(
        embedded
    )
    pooled = tf.keras.layers.Concatenate()(
        [
            tf.keras.layers.GlobalAveragePooling1D()(states),
            tf.keras.layers.GlobalMaxPooling1D()(states),
        ]
    )
    hidden = tf.keras.layers.Dense(64, "relu")(tf.keras.layers.Dropout(0.3)(pooled))
    output = tf.keras.layers.Dense(1, "sigmoid")(tf.keras.layers.Dropout(0.3)(hidden))
    model = tf.keras.Model(inputs, output)
    model.compile(tf.keras.optimizers.AdamW(), "binary_crossentropy")
    codes = np.zeros((len(rows.texts), LENGTH_MAX), np.int32)
    for row, text in enumerate(rows.texts):
        codes[row, : len(text)] = np.frombuffer(text.encode(), np.uint8)
    model.fit(codes[: 2 * BATCH_ROWS], rows.labels[: 2 * BATCH_ROWS], BATCH_ROWS, verbose=0)
    started = time.perf_counter()
    model.fit(codes, rows.labels, BATCH_ROWS, verbose=0)
    return len(rows.texts) / (time.perf_counter() - started)


def main():
    """Measure and print."""
    # A step is traced once for each of a few lengths, on purpose.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="URLs")
    rows = urls(parser.parse_args().rows)
    fitted = keras(rows)
    print(f"model.fit, padded:      {fitted:8,.0f} URLs/s", file=sys.stderr)
    compiled = ours(rows)
    print(f"stream-trainer's step:  {compiled:8,.0f} URLs/s", file=sys.stderr)
    print(f"{compiled / fitted:.1f} times as fast")


if __name__ == "__main__":
    main()
