"""Labelled texts that follow a rule which any model can learn in seconds."""

import random

import numpy as np

from trainer.examples.datasets import Dataset

__all__ = ["rule"]


def rule(count, seed):
    """Names with digits are malicious."""
    rng = random.Random(seed)
    labels = [number % 2 for number in range(count)]
    alphabets = ("abcdefghijk", "abcdefghijk0123456789")
    texts = [
        "".join(rng.choices(alphabets[label], k=rng.randint(9, 14))) + "7x"[label == 0]
        for label in labels
    ]
    empty = np.array([""] * count)
    return Dataset(texts, np.array(labels, dtype=np.int8), empty, empty, empty, {})
