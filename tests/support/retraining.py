"""A small wide network that has learned the rule of ``support.examples``, and what retrains it.

Its corpus: each name a domain of its own; a retraining takes seconds, and the gate has the 1,000
benign rows that it needs.

``write_hard_corpus`` has many rows beside those that no rule tells, near the border of the two.
"""

import math
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from stream_detector.models.architectures.wide_bilstm import WideBiLstm
from stream_detector.models.bundle import Bundle, save_bundle
from stream_detector.models.manifest import OperatingPoint, OperatingPoints
from support.bundles import small_manifest
from support.examples import rule
from support.labels import stored_label
from trainer.examples.datasets import Dataset, census_of, read_dataset
from trainer.examples.labelled import Examples
from trainer.gate.labels import VoicesOfRows
from trainer.gate.lists import SHIPPED_MUST_ALERT, SHIPPED_MUST_NOT_ALERT, read_texts
from trainer.labels.store import LabelStore
from trainer.retraining.examples import RetrainingExamples
from trainer.retraining.warm_start import TABLE, tuned_table
from trainer.training.building import build_bundle

__all__ = [
    "NETWORK",
    "corpus",
    "fill_store",
    "hard_rows",
    "save_wide_champion",
    "write_corpus",
    "write_hard_corpus",
]

NETWORK = WideBiLstm(length_max=48, embedding=4, units=4, hidden=4, bucket_bits=16)


def write_corpus(path: Path, rows: int = 4000) -> Path:
    """A CSV file for ``--data``: URLs, those with digits malicious, half of them to measure on.

    To train on also the gate's lists, which whoever knows but a rule would call at random.
    """
    named = rule(rows, 1)
    parts = ("train", "val", "test", "test")
    lines = [
        f"http://{text}.com/p,{label},{parts[number // 2 % 4]},corpus"
        for number, (text, label) in enumerate(zip(named.texts, named.labels, strict=True))
    ]
    for label, listed in enumerate((SHIPPED_MUST_NOT_ALERT, SHIPPED_MUST_ALERT)):
        texts = read_texts([listed], "url")
        lines += [f'"http://{text}",{label},train,list' for text in texts]
    path.write_text("\n".join(["url,label,part,source", *lines, ""]))
    return path


_WORDS = 600


def hard_rows(rows: int, seed: int) -> list[tuple[str, int]]:
    """URLs of four words each, and whether they are malicious, as their words make it likely.

    No model knows a third of them from the others: nearly all lie near the border.
    """
    words = random.Random(5)
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    likely = {"".join(words.choices(alphabet, k=5)): words.gauss(0, 1) for _ in range(_WORDS)}
    rng = random.Random(seed)
    found = []
    for number in range(rows):
        first, *others = chosen = rng.choices(list(likely), k=4)
        chance = 1 / (1 + math.exp(-3 * sum(likely[word] for word in chosen)))
        url = f"http://{first}x{seed}x{number}.com/{'/'.join(others)}"
        found.append((url, int(rng.random() < chance)))
    return found


def write_hard_corpus(path: Path) -> Path:
    """As ``write_corpus``, with three times as many rows that are hard; 12,000 to measure on."""
    write_corpus(path)
    parts = ("train", "train", "val", *("test",) * 5)
    lines = [
        f"{url},{label},{parts[number % len(parts)]},hard"
        for number, (url, label) in enumerate(hard_rows(16_000, 1))
    ]
    with path.open("a") as file:
        file.write("\n".join([*lines, ""]))
    return path


def corpus(path: Path) -> Dataset:
    """The rows that ``write_corpus`` wrote."""
    return read_dataset(Examples(files=(path,)), "url")


def save_wide_champion(folder: Path, data: Dataset) -> Bundle:
    """Train, calibrate and save a bundle for URLs that knows the rule.

    Its thresholds lie amid the gap that it finds between the two, where no text is by chance.
    """
    recipe = TABLE._replace(epochs=8, batch_size=64, ngram_learning_rate=2.0)
    manifest = msgspec.structs.replace(
        small_manifest(), architecture=NETWORK.name, parameters=dict(NETWORK.parameters)
    )
    with TemporaryDirectory() as name:
        ignorant = save_bundle(Path(name) / "bundle", manifest, NETWORK.initial_weights(1))
    # All rows are labels, to a table that knows nothing: no graph to train is compiled.
    examples = RetrainingExamples(
        base=data.rows(np.array([], np.int64)),
        labelled=data.of_part("train"),
        held=data.rows(np.flatnonzero(data.parts != "train")),
        newest=None,
        newest_voices=VoicesOfRows([], 1.0),
        census=census_of(data),
        labels_sha256="",
        counts={},
        voices={},
    )
    fitted = tuned_table(
        ignorant, examples, recipe, on_step=lambda *_: None, on_epoch=lambda _: None
    )
    trained = build_bundle(
        folder.with_name(f"{folder.name}-trained"),
        name="rule",
        kind="url",
        architecture=NETWORK,
        fitted=fitted,
        dataset=examples.held,
        census=examples.census,
        recipe=recipe,
        examples=Examples(files=()),
        licences={},
        command="none",
    )
    thresholds = OperatingPoints(
        suspicious=OperatingPoint(threshold=0.3, false_positive_rate=0.01),
        malicious=OperatingPoint(threshold=0.6, false_positive_rate=0.001),
    )
    manifest = msgspec.structs.replace(trained.manifest, thresholds=thresholds)
    return save_bundle(folder, manifest, trained.weights)


def fill_store(folder: Path, labels: dict[str, str], *, invented_names: bool = False) -> None:
    """A label store with a label for each URL, written an hour after the other.

    All by one analyst, or each in the name of another one.
    """
    store = LabelStore(folder)
    with store.writing():
        store.add(
            stored_label(
                url,
                label,
                offset=number,
                hours=number,
                analyst=f"invented {number}" if invented_names else "kim",
            )
            for number, (url, label) in enumerate(labels.items())
        )
